//! What was on the air at a moment: the live picture, if it was taken near enough to stand for that moment.
//!
//! Owned by the evidence thread. A picture of another time would mislead whoever looks for the cause, so none is given
//! then, and the evidence says why.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use avwatch_actors::event::Event;

use crate::live::{LiveBoard, LiveThumbnail};

/// Furthest that a picture may be from the moment for which it stands: one comes every four seconds while nobody looks.
const NEAR: Duration = Duration::from_secs(5);

/// The picture of one moment of an event.
#[derive(Debug)]
pub(super) struct OnAir {
    moment: SystemTime,
    /// How the manifest calls that moment.
    when: &'static str,
    /// The picture; absent when there was none that is near enough.
    pub(super) picture: Option<Arc<LiveThumbnail>>,
    /// Why there is none, as a sentence of the manifest; absent, too, of streams without pictures.
    pub(super) missing: Option<String>,
}

impl OnAir {
    /// What the stream of an event showed at that moment, as far as its newest picture tells.
    pub(super) fn of(event: &Event, moment: SystemTime, when: &'static str, live: &LiveBoard) -> Self {
        let mut on_air = Self { moment, when, picture: None, missing: None };
        on_air.look(event, live);
        on_air
    }

    /// Takes the newest picture in place of the one that is there if it tells more of the moment.
    pub(super) fn look(&mut self, event: &Event, live: &LiveBoard) {
        if let Some(newest) = live.stream(&event.stream).and_then(|live| live.newest_thumbnail()) {
            self.consider(newest, event.started_at.0);
        }
    }

    /// A nearer picture is better, but none of before the condition began is better than one of it.
    fn consider(&mut self, newest: Arc<LiveThumbnail>, began: SystemTime) {
        let (apart, side) = match newest.taken.duration_since(self.moment) {
            Ok(later) => (later, "later"),
            Err(earlier) => (earlier.duration(), "earlier"),
        };
        if apart > NEAR {
            if self.picture.is_none() && self.missing.is_none() {
                let why = format!("the newest one was taken {:.1} s {side}", apart.as_secs_f64());
                self.missing = Some(format!("{}: {why}", picture_of(self.when)));
            }
            return;
        }
        let distance = |taken: SystemTime| taken.duration_since(self.moment).unwrap_or_else(|before| before.duration());
        let rank = |picture: &LiveThumbnail| (picture.taken < began, distance(picture.taken));
        if self.picture.as_ref().is_none_or(|picture| rank(&newest) < rank(picture)) {
            (self.picture, self.missing) = (Some(newest), None);
        }
    }
}

/// How the manifest calls the picture of a moment.
pub(super) fn picture_of(when: &str) -> String {
    format!("the picture of {when}")
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn at(millis: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
    }

    /// What stands for 60 s, of a condition that began at 58 s, after these pictures came one after the other.
    fn shown(taken_ms: &[u64]) -> OnAir {
        let mut on_air = OnAir { moment: at(60_000), when: "its raise", picture: None, missing: None };
        for taken in taken_ms {
            let jpeg = Arc::from([0xff, 0xd8]);
            let newest = LiveThumbnail { taken: at(*taken), at: Instant::now(), width: 2, height: 2, jpeg };
            on_air.consider(Arc::new(newest), at(58_000));
        }
        on_air
    }

    #[track_caller]
    fn check(taken_ms: &[u64], shows_ms: u64) {
        let on_air = shown(taken_ms);
        assert_eq!(on_air.picture.map(|picture| picture.taken), Some(at(shows_ms)));
        assert_eq!(on_air.missing, None);
    }

    #[test]
    fn a_picture_stands_for_a_moment_within_five_seconds_of_it() {
        check(&[60_000], 60_000);
        check(&[55_000], 55_000);
        check(&[65_000], 65_000);
        let missing = |taken_ms| shown(&[taken_ms]).missing.expect("it is too far off");
        assert_eq!(missing(54_900), "the picture of its raise: the newest one was taken 5.1 s earlier");
        assert_eq!(missing(72_300), "the picture of its raise: the newest one was taken 12.3 s later");
    }

    #[test]
    fn the_nearest_picture_is_taken_and_one_of_the_condition_before_one_of_before_it() {
        check(&[58_500, 62_500], 58_500);
        check(&[58_500, 61_000, 64_000], 61_000);
        check(&[57_900, 64_000], 64_000);
        check(&[40_000, 63_000], 63_000);
        check(&[58_500, 90_000], 58_500);
    }
}
