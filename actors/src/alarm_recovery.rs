//! Events that were open before a restart.
//!
//! Part of the alarm model, and as pure. Such an event must be confirmed by a detector, or it ends;
//! meanwhile it stands as it stood, so that a restart pages nobody.

use std::time::{Duration, Instant, SystemTime};

use uuid::Uuid;

use super::flap::Flap;
use super::open::Open;
use super::{AlarmModel, CONFIRM_GRACE};
use crate::event::{Event, EventState, Wall};
use crate::silence::Silence;

impl AlarmModel {
    /// Takes over an event that was open before a restart; it must be confirmed within that time
    /// after its hold time or it ends as unconfirmed. One that flapped may be calm for its window first.
    pub fn recover(&mut self, event: Event, hold: Duration, now: Instant) {
        let flap = Flap::recover(&event);
        let calm = flap.as_ref().map_or(Duration::ZERO, |_| self.rules.flapping.window);
        let confirm_until = Some(now + hold + CONFIRM_GRACE.max(calm));
        let is_worse = event.state == EventState::Escalated;
        let is_told = was_told(&event, &self.silences);
        let is_explained = super::rules::is_explained(&event);
        let (held_by, key) = (event.suppressed_by.clone(), event.key());
        let open = Open { confirm_until, is_worse, is_told, is_explained, held_by, flap, ..Open::new(event) };
        self.open.insert(key, Open { is_recovered: true, ..open });
    }
}

/// Whether anyone was told of an event before the restart. The record tells its last state only: what is held
/// back now was told before if it was raised before that began.
fn was_told(event: &Event, silences: &[Silence]) -> bool {
    let Some(mark) = &event.suppressed_by else { return true };
    let silence = silences.iter().find(|silence| silence.mark() == *mark);
    let cause = mark.strip_prefix("event:").and_then(made_at);
    let held_from = silence.map(|silence| silence.starts_at).or(cause);
    held_from.is_some_and(|from| event.raised_at < from)
}

/// When an event with that id was raised: ids of version 7 begin with the time.
fn made_at(id: &str) -> Option<Wall> {
    let (seconds, nanos) = Uuid::parse_str(id).ok()?.get_timestamp()?.to_unix();
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos)).map(Wall)
}
