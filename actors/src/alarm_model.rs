//! The alarm model: what becomes of a change before anyone hears of it.
//!
//! Pure: changes and clocks in, complete events out. It knows every open event, gives ids and
//! sequence numbers, fences off sessions that were replaced, and confirms or ends the events that
//! were open before a restart. Owned by the event desk.
//!
//! A change goes through these stages, in this order; each is a file of its own:
//!
//! | stage | what becomes of the change | where |
//! |---|---|---|
//! | fence | of a session that was replaced: nothing | here |
//! | schedule | off the air: kept aside, nobody hears of it | `alarm_schedule.rs` |
//! | conditions | raised, worse, over: events begin, change and end | here, `alarm_open.rs` |
//! | flapping | the fourth raise in ten minutes opens an event that stays open until it is calm | `alarm_flap.rs` |
//! | causes | explained by another open event: suppressed, with its parent | `alarm_review.rs`, by the table in [`rules`] |
//! | combination | picture and sound gone together: the picture's severity rises | `alarm_review.rs` |
//! | state | acked, suppressed, escalated or raised | [`acts`] |
//!
//! Where an event stands:
//!
//! ```text
//!               a cause, a silence, maintenance, observing
//!            ┌───────────────────────────────────────────▶ suppressed ──┐
//!            │◀──────────────────── is over ─────────────────┘          │ the condition is over, and was
//!   raised ──┼── severity rises ──▶ escalated                           │ calm if it flapped; off the air;
//!            │                          │  a person takes it            │ stream removed; not confirmed
//!            └──────────────────────────┴──▶ acked ──── gets worse, ────┤
//!                                             given back: as before     ▼
//!                                                                     ended
//! ```
//!
//! An ended event has `suppressed_by` exactly when it was suppressed from raise to end: nobody was told of
//! it, so nobody need be told of its end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::detector::LaneKind;
use crate::event::{ChangeKind, Event, EventChange, EventEnd, EventKey, EventState, StreamCard, Wall};
use crate::severity::Severity;
use crate::silence::Silence;
use crate::track::{SessionNumber, TrackKind};

use flap::{Calm, FlapMemory, note_calm};
use open::{Open, fresh, number, of_stream_mut};
use review::StreamBook;
use rules::AlarmRules;
use schedule::Schedules;
use words::Words;

#[path = "alarm_acts.rs"]
pub mod acts;
#[path = "alarm_flap.rs"]
mod flap;
#[path = "alarm_joins.rs"]
pub mod joins;
#[path = "alarm_open.rs"]
mod open;
#[path = "alarm_recovery.rs"]
mod recovery;
#[path = "alarm_review.rs"]
mod review;
#[path = "alarm_rules.rs"]
pub mod rules;
#[path = "alarm_schedule.rs"]
mod schedule;
#[path = "alarm_words.rs"]
mod words;

/// How long after its hold time an event from before a restart may still be confirmed.
pub const CONFIRM_GRACE: Duration = Duration::from_secs(60);

/// Most events that may be open at once, and conditions kept aside off the air; a change that would add one
/// more is refused and counted.
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
            Self::Lane(rebuilt) => {
                let is_apart = OF_SUPERVISORS.contains(&&*key.detector) || rules::is_of_logs(&key.detector);
                rebuilt == lane && !is_apart
            }
        }
    }
}

/// That an event reached a severity: a stream, a detector and the severity.
pub type Reached = (Arc<str>, Arc<str>, Severity);

/// The model.
pub struct AlarmModel {
    node: Arc<str>,
    rules: Arc<AlarmRules>,
    sequence: u64,
    open: BTreeMap<EventKey, Open>,
    refused: u64,
    silences: Vec<Silence>,
    /// When the next silence begins or ends.
    next_turn: Option<Wall>,
    books: HashMap<Arc<str>, StreamBook>,
    /// No stream is due before.
    next_due: Option<Wall>,
    flaps: FlapMemory,
    schedules: Schedules,
    /// Severities that events reached since they were last asked for.
    reached: Vec<Reached>,
}

impl AlarmModel {
    /// A model that continues after `sequence`, with the default rules.
    pub fn new(node: Arc<str>, sequence: u64) -> Self {
        Self {
            node,
            rules: Arc::default(),
            sequence,
            open: BTreeMap::new(),
            refused: 0,
            silences: Vec::new(),
            next_turn: None,
            books: HashMap::new(),
            next_due: None,
            flaps: FlapMemory::default(),
            schedules: Schedules::default(),
            reached: Vec::new(),
        }
    }

    /// Takes over other rules; returns what changes with them.
    pub fn govern(&mut self, rules: Arc<AlarmRules>, now: Wall) -> Vec<Event> {
        self.rules = rules.clone();
        let mut events = self.reschedule(&rules, now);
        events.extend(self.review_all(now));
        events
    }

    /// Takes a change and returns the events to commit and publish, in order.
    pub fn step(&mut self, change: EventChange) -> Vec<Event> {
        if self.is_from_replaced_session(&change) {
            return Vec::new();
        }
        let Some(change) = self.hide(change) else { return Vec::new() };
        let (stream, now) = (change.key.stream.clone(), change.changed_at);
        let mut events = match change.what {
            ChangeKind::Raised | ChangeKind::Escalated => {
                self.raise(change);
                Vec::new()
            }
            ChangeKind::Fading | ChangeKind::Holding => {
                self.fade(&change);
                Vec::new()
            }
            ChangeKind::Ended(why) => self.end_by(&change, why).into_iter().collect(),
            ChangeKind::Found => self.find(change),
            ChangeKind::Ongoing => Vec::new(),
        };
        events.extend(self.review(&stream, now));
        events
    }

    /// Does what the clocks demand: ends what was not confirmed in time, begins and ends silences and times
    /// off the air, and judges what changes with time alone.
    pub fn tick(&mut self, now: Instant, wall: Wall) -> Vec<Event> {
        let late = |open: &Open| open.confirm_until.is_some_and(|until| until <= now);
        let mut events = self.end_where(|_, open| late(open), EventEnd::Unconfirmed, wall);
        events.extend(self.follow_schedules(wall));
        events.extend(self.turn(wall));
        events.extend(self.review_due(wall));
        self.flaps.forget(wall, self.rules.flapping);
        events
    }

    /// Ends every open event of a stream.
    pub fn forget_stream(&mut self, stream: &str, why: EventEnd, wall: Wall) -> Vec<Event> {
        self.schedules.forget_stream(stream);
        self.flaps.forget_stream(stream);
        let events = self.end_where(|key, _| &*key.stream == stream, why, wall);
        self.forget_causes(stream);
        events
    }

    /// Demands confirmation of the open events of a stream that whoever was rebuilt spoke for: the
    /// successors know nothing of what was open. All others go on as they are.
    pub fn doubt_stream(&mut self, stream: &str, whose: Doubted, hold: impl Fn(&Event) -> Duration, now: Instant) {
        self.schedules.doubt(|key| &*key.stream == stream && whose.concerns(key));
        for (key, open) in of_stream_mut(&mut self.open, stream) {
            // What is calm is not there in any case: nothing is to be confirmed.
            let is_calm = open.flap.as_ref().is_some_and(|flap| flap.calm.is_some());
            if whose.concerns(key) && !is_calm {
                open.spoken = SessionNumber(0);
                open.fades_since = None;
                open.confirm_until = Some(now + hold(&open.event) + CONFIRM_GRACE);
            }
        }
    }

    /// Every open event.
    pub fn open_events(&self) -> impl Iterator<Item = &Event> {
        self.open.values().map(|open| &open.event)
    }

    /// Ids of the open events of a detector that flap and whose condition is away.
    pub fn calm(&self, detector: &str) -> BTreeSet<Arc<str>> {
        let is_calm = |open: &Open| open.flap.as_ref().is_some_and(|flap| flap.calm.is_some());
        let calm = self.open.iter().filter(|(key, open)| &*key.detector == detector && is_calm(open));
        calm.map(|(_, open)| open.event.id.as_str().into()).collect()
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

    fn raise(&mut self, change: EventChange) {
        let (key, now) = (change.key.clone(), change.changed_at);
        let Some(open) = self.open.get_mut(&key) else {
            if self.open.len() + self.schedules.hidden() >= OPEN_MAX {
                self.refused += 1;
                return;
            }
            let mut open = self.fresh_open(&change);
            open.flap = self.flaps.note(&key, change.started_at, self.rules.flapping);
            if let Some(flap) = &open.flap {
                open.event.message = flap.message(&change.message, self.rules.flapping);
            }
            open.said = Some(Box::new(change));
            self.open.insert(key, open);
            return;
        };
        open.confirm_until = None;
        open.standing = change.standing;
        open.is_seen(now);
        if let Some(flap) = &mut open.flap
            && let Some(calm) = flap.calm
        {
            note_calm(&mut open.event, calm.ended_at, change.started_at);
            flap.again(change.started_at);
            (open.holds_from, open.faded) = (change.started_at, Duration::ZERO);
        }
        open.hear(&change, &self.rules);
        if change.severity > open.event.severity {
            // Else it is known already: a restart, a rebuilt detector, or a new session found it again.
            self.reached.push(open.worsen(change.severity));
        }
        open.said = Some(Box::new(change));
    }

    /// A condition that is away, or back, without having ended.
    fn fade(&mut self, change: &EventChange) {
        let Some(open) = self.open.get_mut(&change.key) else { return };
        match change.what {
            ChangeKind::Fading => open.fades_since = Some(change.ended_at.unwrap_or(change.changed_at)),
            _ => open.is_seen(change.changed_at),
        }
    }

    /// An event that begins with this change.
    fn fresh_open(&mut self, change: &EventChange) -> Open {
        let event = fresh(&self.node, change);
        self.reached.push((event.stream.clone(), event.detector.clone(), event.severity));
        let words = Words::of(change, Duration::ZERO);
        Open { spoken: change.session, standing: change.standing, is_due: true, words, ..Open::new(event) }
    }

    fn end_by(&mut self, change: &EventChange, why: EventEnd) -> Option<Event> {
        let open = self.open.get_mut(&change.key)?;
        let (now, ended_at) = (change.changed_at, change.ended_at.unwrap_or(change.changed_at));
        open.hear(change, &self.rules);
        let end_s = change.end.map(|end| end.as_report_secs());
        if let Some(flap) = open.flap.as_mut().filter(|_| why == EventEnd::Cleared) {
            open.confirm_until = None;
            open.fades_since = None;
            flap.calm = Some(Calm { ended_at, end_s, until: ended_at.after(self.rules.flapping.window) });
            let event = open.event.clone();
            self.note_over(&event, ended_at, now);
            return None;
        }
        let mut open = self.open.remove(&change.key)?;
        open.event.end_s = end_s.filter(|_| !open.is_recovered);
        self.note_over(&open.event, ended_at, now);
        Some(self.finish(open, why, ended_at, now))
    }

    /// A moment: an event that ends as it begins, unless so many came that it flaps.
    fn find(&mut self, change: EventChange) -> Vec<Event> {
        let window = self.rules.flapping.window;
        let at = change.ended_at.unwrap_or(change.started_at);
        let end_s = change.start.as_report_secs();
        let calm = Calm { ended_at: at, end_s: Some(end_s), until: at.after(window) };
        if let Some(open) = self.open.get_mut(&change.key).filter(|open| open.flap.is_some()) {
            open.confirm_until = None;
            if let Some(flap) = &mut open.flap {
                if let Some(calm) = flap.calm {
                    note_calm(&mut open.event, calm.ended_at, at);
                }
                flap.again(at);
                flap.calm = Some(calm);
            }
            open.hear(&change, &self.rules);
            if change.severity > open.event.severity {
                self.reached.push(open.worsen(change.severity));
            }
            return Vec::new();
        }
        let is_open = self.open.contains_key(&change.key);
        let flap = if is_open { None } else { self.flaps.note(&change.key, at, self.rules.flapping) };
        let mut open = self.fresh_open(&change);
        if let Some(flap) = flap {
            open.event.message = flap.message(&change.message, self.rules.flapping);
            open.flap = Some(flap.with_calm(calm));
            self.open.insert(change.key, open);
            return Vec::new();
        }
        self.settle_moment(&mut open, change.changed_at);
        self.sequence += 1;
        let raised = open.tell(self.sequence);
        open.event.end_s = Some(open.event.start_s);
        vec![raised, self.finish(open, EventEnd::Cleared, change.started_at, change.changed_at)]
    }

    fn end_where(&mut self, doomed: impl Fn(&EventKey, &Open) -> bool, why: EventEnd, wall: Wall) -> Vec<Event> {
        let keys: Vec<EventKey> =
            self.open.iter().filter(|(key, open)| doomed(key, open)).map(|(key, _)| key.clone()).collect();
        let mut ended = Vec::with_capacity(keys.len());
        let mut streams = BTreeSet::new();
        for key in keys {
            let Some(open) = self.open.remove(&key) else { continue };
            self.note_over(&open.event, wall, wall);
            ended.push(self.finish(open, why, wall, wall));
            streams.insert(key.stream);
        }
        for stream in streams {
            ended.extend(self.review(&stream, wall));
        }
        ended
    }

    /// The last word on an event.
    fn finish(&mut self, mut open: Open, why: EventEnd, ended_at: Wall, changed_at: Wall) -> Event {
        let event = &mut open.event;
        event.state = EventState::Ended;
        event.end_reason = Some(why);
        event.ended_at = Some(ended_at);
        event.changed_at = changed_at;
        // Who was told of it will want to know of its end; nobody else does.
        event.suppressed_by = if open.is_told { None } else { event.suppressed_by.take().or(open.held_by) };
        self.sequence += 1;
        number(event, self.sequence);
        open.event
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
    monitor_change_of(MONITOR_STREAM, detector, what, severity, message, now)
}

/// The same for a condition of one part of the monitor, which has a pseudo-stream of its own beginning
/// with an `@`.
pub fn monitor_change_of(
    stream: &str,
    detector: &'static str,
    what: ChangeKind,
    severity: Severity,
    message: String,
    now: Wall,
) -> EventChange {
    let card = StreamCard { stream: stream.into(), ..StreamCard::default() };
    EventChange::said(Arc::new(card), detector, what, severity, message, now)
}

#[cfg(test)]
#[path = "alarm_testing.rs"]
mod testing;
#[cfg(test)]
#[path = "alarm_model_tests.rs"]
mod tests;
