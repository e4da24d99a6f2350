//! Off the air: a stream whose schedule says so has no events.
//!
//! Part of the alarm model, and as pure: whether a stream is off the air is told by its calendar
//! ([`super::rules::OffAir`]). When the time begins, what is open ends as suspended. What its detectors
//! say meanwhile is kept, one word per condition, for they will not say it again: what still holds
//! when the time is over is raised then, as if it had begun at that moment. What came and went within is
//! never told, and neither is what is just fading away when the time is over, unless it comes back.

use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::open::{Open, of_stream};
use super::rules::{AirTime, AlarmRules, OffAir};
use super::{AlarmModel, OPEN_MAX};
use crate::event::{ChangeKind, Event, EventChange, EventEnd, EventKey, Wall};
use crate::media_time::MediaTime;
use crate::track::SessionNumber;

/// A clock that was set back by more than this is followed; less is the difference between two readers.
const SET_BACK: Duration = Duration::from_secs(60);

/// A stream with a schedule.
struct OnSchedule {
    calendar: Arc<dyn OffAir>,
    is_off: bool,
    looked: Wall,
    until: Wall,
}

/// A condition that holds, and of which nobody has heard.
pub(super) struct Hidden {
    change: Box<EventChange>,
    is_fading: bool,
}

/// Which streams are off the air, and what holds there.
#[derive(Default)]
pub(super) struct Schedules {
    streams: HashMap<Arc<str>, OnSchedule>,
    hidden: BTreeMap<EventKey, Hidden>,
}

impl Schedules {
    fn is_off(&self, stream: &str) -> bool {
        self.streams.get(stream).is_some_and(|stream| stream.is_off)
    }

    pub(super) fn hidden(&self) -> usize {
        self.hidden.len()
    }

    pub(super) fn forget_stream(&mut self, stream: &str) {
        self.hidden.retain(|key, _| &*key.stream != stream);
    }

    /// Forgets what those who were rebuilt spoke for: their successors say it again if it holds.
    pub(super) fn doubt(&mut self, concerned: impl Fn(&EventKey) -> bool) {
        self.hidden.retain(|key, _| !concerned(key));
    }
}

impl AlarmModel {
    /// Streams that are off the air now, by name.
    pub fn off_air(&self) -> Vec<Arc<str>> {
        let off = self.schedules.streams.iter().filter(|(_, stream)| stream.is_off);
        let mut names: Vec<Arc<str>> = off.map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    }

    /// Takes over the calendars of new rules; streams that have none any more are on the air.
    pub(super) fn reschedule(&mut self, rules: &AlarmRules, now: Wall) -> Vec<Event> {
        let long_ago = Wall(SystemTime::UNIX_EPOCH);
        let with_calendar = |(name, rules): (&Arc<str>, &super::rules::StreamRules)| {
            let stream = OnSchedule {
                calendar: rules.off_air.clone()?,
                is_off: self.schedules.is_off(name),
                looked: long_ago,
                until: long_ago,
            };
            Some((name.clone(), stream))
        };
        let streams: HashMap<_, _> = rules.streams.iter().filter_map(with_calendar).collect();
        let back: Vec<Arc<str>> = self.off_air().into_iter().filter(|name| !streams.contains_key(&**name)).collect();
        self.schedules.streams = streams;
        let mut events: Vec<Event> = back.iter().flat_map(|stream| self.come_on_air(stream, now)).collect();
        events.extend(self.follow_schedules(now));
        events
    }

    /// Begins and ends what the calendars say is due.
    pub(super) fn follow_schedules(&mut self, now: Wall) -> Vec<Event> {
        let is_due = |stream: &OnSchedule| now >= stream.until || stream.looked.since(now) > SET_BACK;
        let due = self.schedules.streams.iter().filter(|(_, stream)| is_due(stream));
        let mut due: Vec<Arc<str>> = due.map(|(name, _)| name.clone()).collect();
        due.sort();
        due.iter().flat_map(|stream| self.follow_schedule(stream, now)).collect()
    }

    fn follow_schedule(&mut self, name: &Arc<str>, now: Wall) -> Vec<Event> {
        let Some(stream) = self.schedules.streams.get_mut(name) else { return Vec::new() };
        let AirTime { is_off, until } = stream.calendar.look(now);
        (stream.looked, stream.until) = (now, until);
        match (std::mem::replace(&mut stream.is_off, is_off), is_off) {
            (false, true) => self.go_off_air(name, now),
            (true, false) => self.come_on_air(name, now),
            (false, false) | (true, true) => Vec::new(),
        }
    }

    fn go_off_air(&mut self, stream: &Arc<str>, now: Wall) -> Vec<Event> {
        let keys: Vec<EventKey> = of_stream(&self.open, stream).map(|(key, _)| key.clone()).collect();
        let mut events = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(mut open) = self.open.remove(&key) else { continue };
            if let Some(hidden) = still_holds(&mut open) {
                self.schedules.hidden.insert(key, hidden);
            }
            events.push(self.finish(open, EventEnd::Suspended, now, now));
        }
        self.forget_causes(stream);
        events
    }

    fn come_on_air(&mut self, stream: &Arc<str>, now: Wall) -> Vec<Event> {
        let hidden = of_stream(&self.schedules.hidden, stream).filter(|(_, hidden)| !hidden.is_fading);
        let keys: Vec<EventKey> = hidden.map(|(key, _)| key.clone()).collect();
        for key in keys {
            if let Some(hidden) = self.schedules.hidden.remove(&key) {
                self.raise(begin_now(*hidden.change, now));
            }
        }
        self.review(stream, now)
    }

    /// Keeps a change to itself, if nobody may hear of it; gives back what is to be judged.
    pub(super) fn hide(&mut self, change: EventChange) -> Option<EventChange> {
        let is_off = self.schedules.is_off(&change.key.stream);
        if !is_off && self.schedules.hidden.is_empty() {
            return Some(change);
        }
        let full = self.open.len() + self.schedules.hidden.len() >= OPEN_MAX;
        let known = match self.schedules.hidden.entry(change.key.clone()) {
            Entry::Occupied(known) => known,
            Entry::Vacant(_) if !is_off => return Some(change),
            Entry::Vacant(place) => {
                match change.what {
                    ChangeKind::Raised | ChangeKind::Escalated if full => self.refused += 1,
                    ChangeKind::Raised | ChangeKind::Escalated => {
                        place.insert(Hidden { change: Box::new(change), is_fading: false });
                    }
                    // Over, or a moment that nobody saw.
                    ChangeKind::Fading
                    | ChangeKind::Holding
                    | ChangeKind::Ended(_)
                    | ChangeKind::Found
                    | ChangeKind::Ongoing => {}
                }
                return None;
            }
        };
        hide_known(known, change, is_off)
    }
}

/// What becomes of a change of a condition that is hidden already.
fn hide_known(
    mut known: std::collections::btree_map::OccupiedEntry<'_, EventKey, Hidden>,
    change: EventChange,
    is_off: bool,
) -> Option<EventChange> {
    let session = change.session;
    if session != SessionNumber(0) && session < known.get().change.session {
        // A session that was replaced has no say.
        return None;
    }
    match change.what {
        ChangeKind::Fading => known.get_mut().is_fading = true,
        ChangeKind::Ended(_) => {
            known.remove();
        }
        ChangeKind::Raised | ChangeKind::Escalated | ChangeKind::Holding if is_off => {
            *known.get_mut() = Hidden { change: Box::new(change), is_fading: false };
        }
        // It was fading when the stream came on the air, and is back.
        ChangeKind::Raised | ChangeKind::Escalated | ChangeKind::Holding => {
            known.remove();
            let now = change.changed_at;
            return Some(begin_now(change, now));
        }
        ChangeKind::Found if !is_off => return Some(change),
        ChangeKind::Found | ChangeKind::Ongoing => {}
    }
    None
}

/// What an open event's detectors will not say again: absent when they are not known to see it still.
fn still_holds(open: &mut Open) -> Option<Hidden> {
    let is_calm = open.flap.as_ref().is_some_and(|flap| flap.calm.is_some());
    if open.confirm_until.is_some() || is_calm {
        return None;
    }
    Some(Hidden { change: open.said.take()?, is_fading: open.fades_since.is_some() })
}

/// The change as if its condition had begun at that moment.
fn begin_now(change: EventChange, now: Wall) -> EventChange {
    let start = change.start + MediaTime::from(now.since(change.started_at));
    EventChange {
        what: ChangeKind::Raised,
        start,
        started_at: now,
        changed_at: now,
        end: None,
        ended_at: None,
        ..change
    }
}

#[cfg(test)]
#[path = "alarm_schedule_tests.rs"]
mod tests;
