//! The alarm model: what becomes of a change before anyone hears of it.
//!
//! Pure: changes and clocks in, complete events out. It knows every open event, gives ids and
//! sequence numbers, fences off sessions that were replaced, and confirms or ends the events that
//! were open before a restart. What people do to events is in [`acts`]. Owned by the event desk.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::detector::LaneKind;
use crate::event::{ChangeKind, Event, EventChange, EventEnd, EventKey, EventState, SCHEMA, Wall};
use crate::severity::Severity;
use crate::silence::Silence;
use crate::track::{SessionNumber, TrackKind};

#[path = "alarm_acts.rs"]
pub mod acts;

/// How long after its hold time an event from before a restart may still be confirmed.
pub const CONFIRM_GRACE: Duration = Duration::from_secs(60);

/// Most events that may be open at once; a change that would raise one more is refused and counted.
pub const OPEN_MAX: usize = 200_000;

/// Whose events of a stream are in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubted {
    /// The stream begins anew under other settings: all of them.
    Stream,
    /// The detectors of one lane were rebuilt: what they spoke for.
    Lane(LaneKind),
}

/// Spoken of by a stream's supervisor, not by its detectors.
const OF_SUPERVISORS: [&str; 2] = ["input_down", "stream_quarantined"];

impl Doubted {
    fn concerns(self, key: &EventKey) -> bool {
        let lane = match key.track.kind {
            TrackKind::Video => LaneKind::Picture,
            TrackKind::Audio => LaneKind::Sound,
            TrackKind::Subtitle | TrackKind::Data | TrackKind::Input => LaneKind::Input,
        };
        match self {
            Self::Stream => true,
            Self::Lane(rebuilt) => rebuilt == lane && !OF_SUPERVISORS.contains(&&*key.detector),
        }
    }
}

struct Open {
    event: Event,
    /// The newest session that spoke of it; 0 when none of this run of the service has.
    spoken: SessionNumber,
    /// Set while it is not known whether the condition of an event from before still holds.
    confirm_until: Option<Instant>,
    /// It was open before the service started: its begin lies on another timeline of media time.
    is_recovered: bool,
    /// Its severity rose since it was raised.
    is_worse: bool,
}

/// That an event reached a severity: a stream, a detector and the severity.
pub type Reached = (Arc<str>, Arc<str>, Severity);

/// The model.
pub struct AlarmModel {
    node: Arc<str>,
    sequence: u64,
    open: HashMap<EventKey, Open>,
    refused: u64,
    silences: Vec<Silence>,
    /// When the next silence begins or ends.
    next_turn: Option<Wall>,
    /// Severities that events reached since they were last asked for.
    reached: Vec<Reached>,
}

impl AlarmModel {
    /// A model that continues after `sequence`.
    pub fn new(node: Arc<str>, sequence: u64) -> Self {
        let (silences, next_turn, reached) = (Vec::new(), None, Vec::new());
        Self { node, sequence, open: HashMap::new(), refused: 0, silences, next_turn, reached }
    }

    /// Takes over an event that was open before a restart; it must be confirmed within that time
    /// after its hold time or it ends as unconfirmed.
    pub fn recover(&mut self, event: Event, hold: Duration, now: Instant) {
        let confirm_until = Some(now + hold + CONFIRM_GRACE);
        let spoken = SessionNumber(0);
        let is_worse = event.state == EventState::Escalated;
        self.open.insert(event.key(), Open { event, spoken, confirm_until, is_recovered: true, is_worse });
    }

    /// Takes a change and returns the events to commit and publish, in order.
    pub fn step(&mut self, change: EventChange) -> Vec<Event> {
        if self.is_from_replaced_session(&change) {
            return Vec::new();
        }
        match change.what {
            ChangeKind::Raised | ChangeKind::Escalated => self.raise(change),
            ChangeKind::Ended(why) => self.end_by(&change, why),
            ChangeKind::Found => self.find(&change),
            ChangeKind::Ongoing => Vec::new(),
        }
    }

    /// Ends what was not confirmed in time, and begins and ends silences.
    pub fn tick(&mut self, now: Instant, wall: Wall) -> Vec<Event> {
        let late = |open: &Open| open.confirm_until.is_some_and(|until| until <= now);
        let mut events = self.end_where(|_, open| late(open), EventEnd::Unconfirmed, wall);
        events.extend(self.turn(wall));
        events
    }

    /// Ends every open event of a stream.
    pub fn forget_stream(&mut self, stream: &str, why: EventEnd, wall: Wall) -> Vec<Event> {
        self.end_where(|key, _| &*key.stream == stream, why, wall)
    }

    /// Demands confirmation of the open events of a stream that whoever was rebuilt spoke for: the
    /// successors know nothing of what was open. All others go on as they are.
    pub fn doubt_stream(&mut self, stream: &str, whose: Doubted, hold: impl Fn(&Event) -> Duration, now: Instant) {
        for (key, open) in &mut self.open {
            if &*key.stream == stream && whose.concerns(key) {
                open.spoken = SessionNumber(0);
                open.confirm_until = Some(now + hold(&open.event) + CONFIRM_GRACE);
            }
        }
    }

    /// Every open event.
    pub fn open_events(&self) -> impl Iterator<Item = &Event> {
        self.open.values().map(|open| &open.event)
    }

    /// Severities that events reached since this was last asked.
    pub fn take_reached(&mut self) -> Vec<Reached> {
        std::mem::take(&mut self.reached)
    }

    /// Changes that were refused because too many events were open.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// A session that was replaced has no say in an event that its successor spoke of. Asked per
    /// event: the lanes of a stream are drained apart, and one may still be busy with the end of the
    /// old session while another has reached the new one.
    fn is_from_replaced_session(&mut self, change: &EventChange) -> bool {
        // Session 0 is the stream's or the monitor's own word, which belongs to no session.
        if change.session == SessionNumber(0) {
            return false;
        }
        let Some(open) = self.open.get_mut(&change.key) else { return false };
        open.spoken = open.spoken.max(change.session);
        change.session < open.spoken
    }

    fn raise(&mut self, change: EventChange) -> Vec<Event> {
        let Some(open) = self.open.get_mut(&change.key) else {
            if self.open.len() >= OPEN_MAX {
                self.refused += 1;
                return Vec::new();
            }
            let mut open = self.fresh_open(&change);
            self.sequence += 1;
            number(&mut open.event, self.sequence);
            let event = open.event.clone();
            self.open.insert(change.key, open);
            return vec![event];
        };
        open.confirm_until = None;
        let event = &mut open.event;
        event.session = change.session;
        event.message.clone_from(&change.message);
        event.value = change.value.map(f64::from);
        event.peak = change.peak.map(f64::from).or(event.peak);
        if change.severity <= event.severity {
            // Known already: a restart, a rebuilt detector, or a new session found it again.
            return Vec::new();
        }
        event.severity = change.severity;
        event.max_severity = event.max_severity.max(change.severity);
        event.changed_at = change.changed_at;
        self.reached.push((event.stream.clone(), event.detector.clone(), event.severity));
        // Worse than what was taken: it is everybody's again.
        acts::give_back(event);
        open.is_worse = true;
        acts::settle(open, &self.silences, change.changed_at);
        self.sequence += 1;
        number(&mut open.event, self.sequence);
        vec![open.event.clone()]
    }

    /// An event that begins with this change, with what holds its notifications back.
    fn fresh_open(&mut self, change: &EventChange) -> Open {
        let event = fresh(&self.node, change);
        self.reached.push((event.stream.clone(), event.detector.clone(), event.severity));
        let spoken = change.session;
        let mut open = Open { event, spoken, confirm_until: None, is_recovered: false, is_worse: false };
        acts::settle(&mut open, &self.silences, change.changed_at);
        open
    }

    fn end_by(&mut self, change: &EventChange, why: EventEnd) -> Vec<Event> {
        let Some(mut open) = self.open.remove(&change.key) else { return Vec::new() };
        let event = &mut open.event;
        event.message.clone_from(&change.message);
        event.value = change.value.map(f64::from);
        event.peak = change.peak.map(f64::from).or(event.peak);
        event.end_s = change.end.filter(|_| !open.is_recovered).map(|end| end.as_report_secs());
        self.sequence += 1;
        close(event, why, change.ended_at.unwrap_or(change.changed_at), change.changed_at);
        number(event, self.sequence);
        vec![open.event]
    }

    fn find(&mut self, change: &EventChange) -> Vec<Event> {
        let mut raised = self.fresh_open(change).event;
        self.sequence += 1;
        number(&mut raised, self.sequence);
        let mut ended = raised.clone();
        ended.end_s = Some(ended.start_s);
        self.sequence += 1;
        close(&mut ended, EventEnd::Cleared, change.started_at, change.changed_at);
        number(&mut ended, self.sequence);
        vec![raised, ended]
    }

    fn end_where(&mut self, doomed: impl Fn(&EventKey, &Open) -> bool, why: EventEnd, wall: Wall) -> Vec<Event> {
        let mut keys: Vec<EventKey> =
            self.open.iter().filter(|(key, open)| doomed(key, open)).map(|(key, _)| key.clone()).collect();
        keys.sort();
        let mut ended = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(mut open) = self.open.remove(&key) else { continue };
            self.sequence += 1;
            close(&mut open.event, why, wall, wall);
            number(&mut open.event, self.sequence);
            ended.push(open.event);
        }
        ended
    }
}

fn number(event: &mut Event, sequence: u64) {
    event.sequence = sequence;
    event.change_id = Uuid::now_v7().to_string();
}

fn close(event: &mut Event, why: EventEnd, ended_at: Wall, changed_at: Wall) {
    event.state = EventState::Ended;
    event.end_reason = Some(why);
    event.ended_at = Some(ended_at);
    event.changed_at = changed_at;
}

fn fresh(node: &Arc<str>, change: &EventChange) -> Event {
    let card = &change.card;
    Event {
        schema: SCHEMA.to_owned(),
        id: Uuid::now_v7().to_string(),
        change_id: String::new(),
        sequence: 0,
        fingerprint: change.key.fingerprint(change.program),
        stream: change.key.stream.clone(),
        program: change.program,
        rendition: None,
        track: change.key.track,
        detector: change.key.detector.clone(),
        severity: change.severity,
        max_severity: change.severity,
        state: EventState::Raised,
        end_reason: None,
        started_at: change.started_at,
        raised_at: change.changed_at,
        changed_at: change.changed_at,
        ended_at: None,
        start_s: change.start.as_report_secs(),
        end_s: None,
        value: change.value.map(f64::from),
        threshold: change.threshold.map(f64::from),
        peak: change.peak.map(f64::from),
        unit: change.unit.to_owned(),
        message: change.message.clone(),
        profile: card.profile.clone(),
        tier: card.tier.clone(),
        coverage: card.coverage,
        labels: card.labels.clone(),
        session: change.session,
        node: node.clone(),
        incident_id: None,
        parent_id: None,
        suppressed_by: None,
        acked_by: None,
        acked_at: None,
        snoozed_until: None,
        comment: None,
        runbook_url: card.runbook_url.clone(),
        evidence: None,
        stored: None,
    }
}

/// Name of the pseudo-stream under which the monitor speaks of itself; no configured name has an `@`.
pub const MONITOR_STREAM: &str = "@monitor";

/// A change of one of the monitor's own conditions.
pub fn monitor_change(
    detector: &'static str,
    what: ChangeKind,
    severity: Severity,
    message: String,
    now: Wall,
) -> EventChange {
    use crate::event::StreamCard;
    use crate::media_time::MediaTime;
    use crate::track::TrackId;
    let card = StreamCard { stream: MONITOR_STREAM.into(), ..StreamCard::default() };
    EventChange {
        key: EventKey { stream: card.stream.clone(), track: TrackId::INPUT, detector: detector.into() },
        card: Arc::new(card),
        program: None,
        session: SessionNumber(0),
        what,
        start: MediaTime::ZERO,
        started_at: now,
        end: None,
        ended_at: matches!(what, ChangeKind::Ended(_)).then_some(now),
        changed_at: now,
        severity,
        value: None,
        peak: None,
        threshold: None,
        unit: "",
        message,
    }
}

#[cfg(test)]
#[path = "alarm_model_tests.rs"]
mod tests;
