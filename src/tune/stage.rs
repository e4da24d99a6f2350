//! The stage: what was said of one stream goes through the engine's own alarm model once more, in the order of time.
//!
//! Pure, in virtual time: a clock that ticks while anything is open. What comes and goes too often becomes one alarm there,
//! what an input that is down or scrambled explains becomes none, nor does what stays within a maintenance, a picture that is
//! gone with its sound rises, and off the air nothing is raised: as it was live, by the rules of now.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch_actors::alarm_model::AlarmModel;
use avwatch_actors::alarm_model::rules::{AlarmRules, StreamRules, Telling};
use avwatch_actors::event::{
    ChangeKind, Event, EventChange, EventEnd, EventKey, EventState, Standing, StreamCard, Wall,
};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity;
use avwatch_actors::silence::{Silence, fits};
use avwatch_actors::track::{SessionNumber, TrackId};

use super::replay::Heard;
use super::{Alarms, Circumstances};

/// For how long after a change the clock ticks each second: longer than what follows a change with time alone.
const CLOSE_FOR: Duration = Duration::from_secs(120);
/// How often it ticks then.
const SELDOM: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);

/// What was said of a stream.
#[derive(Clone)]
pub(super) struct Stage {
    card: Arc<StreamCard>,
    changes: Vec<EventChange>,
}

impl Stage {
    /// A stream of which nothing was said.
    pub(super) fn new(stream: &Arc<str>, labels: &BTreeMap<String, String>) -> Self {
        let card = StreamCard { stream: stream.clone(), labels: labels.clone(), ..StreamCard::default() };
        let card = Arc::new(card);
        Self { card, changes: Vec::new() }
    }

    /// Adds what a detector would have said of a track.
    pub(super) fn hear(&mut self, detector: &str, track: TrackId, standing: Standing, heard: &[Heard]) {
        for one in heard {
            let change = self.change(detector, track, one.change.what.into(), one.change.severity, one.at);
            let ended_at = one.change.end.map(|end| one.wall_of(end));
            let started_at = one.wall_of(one.change.start);
            self.changes.push(EventChange { standing, started_at, end: one.change.end, ended_at, ..change });
        }
    }

    /// Adds an event as it is stored: its begin and end, and those of the calm in between.
    pub(super) fn recall(&mut self, event: &Event) {
        let at = |seconds: f64| event.started_at.after(Duration::from_secs_f64(seconds.max(0.0)));
        let begins = std::iter::once(event.started_at).chain(event.calm_s.iter().map(|(_, to)| at(*to)));
        let ends = event.calm_s.iter().map(|(from, _)| Some(at(*from))).chain([event.ended_at]);
        for (began, ended) in begins.zip(ends) {
            // After the calm it is raised when it is back, the hold time included.
            let raised = if began == event.started_at { event.raised_at } else { began };
            let raise = self.change(&event.detector, event.track, ChangeKind::Raised, event.max_severity, raised);
            self.changes.push(EventChange { started_at: began, ..raise });
            if let Some(ended) = ended {
                let cleared = ChangeKind::Ended(EventEnd::Cleared);
                let end = self.change(&event.detector, event.track, cleared, event.max_severity, ended.max(raised));
                self.changes.push(EventChange { started_at: began, ended_at: Some(ended), ..end });
            }
        }
    }

    /// Adds what happened at these moments.
    pub(super) fn find(&mut self, event: &Event, moments: &[Wall]) {
        for at in moments {
            let found = self.change(&event.detector, event.track, ChangeKind::Found, event.max_severity, *at);
            self.changes.push(EventChange { ended_at: Some(*at), ..found });
        }
    }

    /// The alarms of a detector that people would have been told of by that time, if the stream is not observed.
    pub(super) fn alarms(mut self, circumstances: Circumstances<'_>, detector: &str, until: Wall) -> Alarms {
        let Circumstances { rules, maintenance } = circumstances;
        self.changes.sort_by_key(|change| change.changed_at);
        let mut alarms = Alarms::default();
        let Some(first) = self.changes.first().map(|change| change.changed_at) else { return alarms };
        let own = rules.streams.get(&self.card.stream).cloned().unwrap_or_default();
        let own = StreamRules { telling: Telling::Live, ..own };
        let streams = HashMap::from([(self.card.stream.clone(), own)]);
        let mut show = Show {
            model: AlarmModel::new("replay".into(), 0),
            begin: (Instant::now(), first),
            now: first,
            told: HashMap::new(),
        };
        show.model.govern(Arc::new(AlarmRules { streams, ..rules.clone() }), first);
        // What can match none of its events, or was over by then, takes no place of another.
        let counts = |one: &&Silence| {
            let stream = one.matchers.stream.as_deref();
            first < one.until && one.starts_at < until && stream.is_none_or(|name| fits(name, &self.card.stream))
        };
        show.model.silence(maintenance.iter().filter(counts).cloned().collect(), first);
        for change in self.changes {
            show.run_until(change.changed_at);
            let events = show.model.step(change);
            show.note(events);
        }
        show.run_until(until);
        for (spoke, severity, is_told) in show.told.values() {
            if *is_told && &**spoke == detector {
                alarms.count(*severity);
            }
        }
        alarms
    }

    fn change(&self, detector: &str, track: TrackId, what: ChangeKind, severity: Severity, at: Wall) -> EventChange {
        EventChange {
            key: EventKey { stream: self.card.stream.clone(), track, detector: detector.into() },
            card: self.card.clone(),
            program: None,
            standing: Standing::Main,
            // No session shows it, and none is fenced off by it.
            session: SessionNumber(0),
            what,
            start: MediaTime::ZERO,
            started_at: at,
            end: None,
            ended_at: None,
            changed_at: at,
            severity,
            value: None,
            peak: None,
            threshold: None,
            unit: "",
            message: String::new(),
            wording: None,
        }
    }
}

/// The model while it plays.
struct Show {
    model: AlarmModel,
    begin: (Instant, Wall),
    now: Wall,
    /// Of each event its detector, its highest severity, and whether anyone was told of it.
    told: HashMap<String, (Arc<str>, Severity, bool)>,
}

impl Show {
    /// Lets the clock tick up to that time, while there is anything that time alone may change.
    fn run_until(&mut self, to: Wall) {
        let from = self.now;
        while self.now < to && self.model.open_events().next().is_some() {
            let step = if self.now.since(from) < CLOSE_FOR { SECOND } else { SELDOM };
            self.tick(self.now.after(step).min(to));
        }
        self.tick(to.max(self.now));
    }

    fn tick(&mut self, now: Wall) {
        self.now = now;
        let events = self.model.tick(self.begin.0 + now.since(self.begin.1), now);
        self.note(events);
    }

    fn note(&mut self, events: Vec<Event>) {
        // Nobody asks for them here.
        self.model.take_reached();
        for event in events {
            let known = self.told.entry(event.id).or_insert((event.detector, event.max_severity, false));
            known.1 = known.1.max(event.max_severity);
            known.2 |= matches!(event.state, EventState::Raised | EventState::Escalated);
        }
    }
}
