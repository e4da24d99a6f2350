//! A stream in made-up time: what the tests of the alarm model share.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::rules::{AlarmRules, StreamRules};
use super::{AlarmModel, monitor_change};
use crate::event::{ChangeKind, Event, EventChange, EventEnd, EventKey, EventState, Standing, Wall};
use crate::media_time::MediaTime;
use crate::severity::Severity;
use crate::track::TrackId;

/// A wall time so many seconds after a fixed moment.
pub(super) fn at(seconds: u64) -> Wall {
    Wall(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds))
}

/// Where events of a detector stand.
fn track_of(detector: &str) -> TrackId {
    match detector {
        "black" | "freeze" | "decode_error" => TrackId::video(0),
        "silence" => TrackId::audio(0),
        _ => TrackId::INPUT,
    }
}

/// One stream, `lobby`, whose conditions begin and end as a test says.
pub(super) struct Stage {
    pub(super) model: AlarmModel,
    begin: Instant,
}

impl Stage {
    /// Under the default rules.
    pub(super) fn new() -> Self {
        Self { model: AlarmModel::new("node".into(), 0), begin: Instant::now() }
    }

    /// Under other rules.
    pub(super) fn with(change: impl FnOnce(&mut AlarmRules)) -> Self {
        let mut stage = Self::new();
        stage.govern(0, change);
        stage
    }

    /// Other rules from then on.
    pub(super) fn govern(&mut self, second: u64, change: impl FnOnce(&mut AlarmRules)) -> Vec<Event> {
        let mut rules = AlarmRules::default();
        change(&mut rules);
        self.model.govern(Arc::new(rules), at(second))
    }

    /// The clock ticks.
    pub(super) fn tick(&mut self, second: u64) -> Vec<Event> {
        self.model.tick(self.begin + Duration::from_secs(second), at(second))
    }

    /// The clock ticks every second of a time.
    pub(super) fn ticks(&mut self, seconds: std::ops::Range<u64>) -> Vec<Event> {
        seconds.flat_map(|second| self.tick(second)).collect()
    }

    /// A condition that began then is raised.
    pub(super) fn raise(&mut self, second: u64, detector: &str, began: u64) -> Vec<Event> {
        self.model.step(change(detector, ChangeKind::Raised, second, began))
    }

    /// A condition gets worse.
    pub(super) fn worsen(&mut self, second: u64, detector: &str, severity: Severity) -> Vec<Event> {
        self.model.step(EventChange { severity, ..change(detector, ChangeKind::Escalated, second, second) })
    }

    /// A condition is over since then.
    pub(super) fn end(&mut self, second: u64, detector: &str, ended: u64) -> Vec<Event> {
        self.say(second, detector, ChangeKind::Ended(EventEnd::Cleared), ended)
    }

    /// Something else becomes of a condition, with that time.
    pub(super) fn say(&mut self, second: u64, detector: &str, what: ChangeKind, when: u64) -> Vec<Event> {
        let end = Some(MediaTime::from_millis(when as i64 * 1_000));
        self.model.step(EventChange { ended_at: Some(at(when)), end, ..change(detector, what, second, when) })
    }

    /// The open event of a detector.
    #[track_caller]
    pub(super) fn open(&self, detector: &str) -> Event {
        self.model.open_events().find(|event| &*event.detector == detector).expect("it is open").clone()
    }

    /// Whether an event of a detector is open.
    pub(super) fn is_open(&self, detector: &str) -> bool {
        self.model.open_events().any(|event| &*event.detector == detector)
    }
}

/// A change of a detector's condition, a warning of the main track.
pub(super) fn change(detector: &str, what: ChangeKind, second: u64, began: u64) -> EventChange {
    let mut change = monitor_change("x", what, Severity::Warning, format!("{detector}!"), at(second));
    change.key = EventKey { stream: "lobby".into(), track: track_of(detector), detector: detector.into() };
    change.start = MediaTime::from_millis(began as i64 * 1_000);
    EventChange { started_at: at(began), standing: Standing::Main, ..change }
}

/// Rules of the stream.
pub(super) fn lobby(rules: StreamRules) -> impl FnOnce(&mut AlarmRules) {
    |all| {
        all.streams.insert("lobby".into(), rules);
    }
}

/// Detector and state of each.
pub(super) fn told(events: &[Event]) -> Vec<(&str, EventState)> {
    events.iter().map(|event| (&*event.detector, event.state)).collect()
}
