//! Incidents: finds out which open events belong together, and keeps one record of each such set.
//!
//! A pure machine behind the alarm model: the events of a step and clocks in, records out. Owned by
//! the event desk. It never holds an event back and never decides who is told.
//!
//! | what fails together | becomes |
//! |---|---|
//! | over half of the running inputs (at least 4) lose their input within 30 s | one `outage`; the largest group of them becomes it, all others end into it |
//! | the same, and a probe of what the monitor needs fails | that `outage` is `blind`, while it fails |
//! | 3 streams, or 20 % (at least 2) of those that share a host or label, within 30 s | a `group` |
//! | several detectors of one stream within 10 s | a `stream` incident, which ends into a later group |
//! | `input_down` and what a log of another program says of the same stream, within ten minutes | the same |
//!
//! Only events of at least `warning` count that nothing suppresses; an event that another one explains, and
//! that is held back by that, goes where that one is. Picture and sound gone together both count: that the one
//! has the other as its parent holds nothing back, and may come before or after either is bad enough to count. While an incident is open, later failures join it if they begin
//! within ten minutes of the newest. Hosts go before labels, and labels by the share of their streams that
//! fails. A stream is in one incident at a time; an event stays in its incident to its end, and an
//! incident ends when all its events have. An outage ends earlier: when most inputs are up again. What is
//! still open of it then stands for itself, and forms no group. What logs say goes where the stream's `input_down` goes: it is
//! no consequence that is held back, but why the input is down, and it begins with a log's window, not with the last byte.
//!
//! A step is judged as a whole: the order of the events in it makes no difference.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::alarm_model::MONITOR_STREAM;
use crate::alarm_model::rules::is_of_logs;
use crate::event::{Event, EventEnd, EventKey, EventState, Wall};
use crate::incident::{Incident, IncidentKind};
use crate::severity::Severity;
use crate::stream_table::{Common, StreamTable};

#[path = "incident_forming.rs"]
mod forming;
#[path = "incident_open.rs"]
mod open;
#[path = "incident_outage.rs"]
mod outage;
#[cfg(test)]
#[path = "incidents_properties.rs"]
mod properties;
#[cfg(test)]
#[path = "incidents_tests.rs"]
mod tests;

use open::{OpenIncident, Urgency};

/// Most incidents that may be open at once; further ones are not formed, and counted.
pub const OPEN_INCIDENTS_MAX: usize = 10_000;

/// An open incident is told of again at most this often, its begin and end aside.
pub const TELL_EVERY: Duration = Duration::from_secs(1);

/// While an outage lasts, probes are asked for this often.
pub const PROBE_EVERY: Duration = Duration::from_secs(10);

/// Fewest inputs that make an outage.
pub const OUTAGE_INPUTS_MIN: usize = 4;

/// The detector that says that an input is down.
pub const INPUT_DOWN: &str = "input_down";

/// When failures are taken for one.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentSettings {
    /// How close to each other streams begin to fail.
    pub window: Duration,
    /// So many streams are enough, however many share what they have in common.
    pub streams_min: usize,
    /// So many of a hundred are enough, if they are two.
    pub percent_min: u32,
    /// How close to each other detectors of one stream begin.
    pub stream_window: Duration,
    /// How long after the newest failure a later one still joins.
    pub join_within: Duration,
    /// More than so many of a hundred running inputs are an outage.
    pub outage_percent: u32,
}

impl Default for IncidentSettings {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(30),
            streams_min: 3,
            percent_min: 20,
            stream_window: Duration::from_secs(10),
            join_within: Duration::from_secs(600),
            outage_percent: 50,
        }
    }
}

/// Whether an open event counts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    /// It does.
    Counts,
    /// It goes where the event of this id goes.
    Explained(Arc<str>),
    /// It is silenced, or matters too little.
    Quiet,
}

impl Standing {
    fn of(event: &Event) -> Self {
        // Also of one that a person has taken.
        let is_held_back = event.state == EventState::Suppressed || event.suppressed_by.is_some();
        match &event.parent_id {
            // Whatever explains it: an incident is over when nothing that matters is left of it.
            _ if event.severity < Severity::Warning => Self::Quiet,
            Some(parent) if is_held_back => Self::Explained(parent.as_str().into()),
            None if event.state == EventState::Suppressed => Self::Quiet,
            Some(_) | None => Self::Counts,
        }
    }
}

/// An open event that is or may become part of an incident.
#[derive(Clone, Debug)]
struct Known {
    key: EventKey,
    began: Wall,
    severity: Severity,
    standing: Standing,
    commons: Arc<[Common]>,
    is_network: bool,
    incident: Option<Arc<str>>,
    /// The outage of which it was a part is over: it stands for itself.
    is_straggler: bool,
}

impl Known {
    fn is_down(&self) -> bool {
        self.is_network && &*self.key.detector == INPUT_DOWN
    }

    /// Whether one of two events of a stream is what a log says and the other that the input is down. Both count and
    /// began within a time of each other.
    fn is_witnessed(&self, other: &Self, within: Duration) -> bool {
        let is_pair = |log: &Self, down: &Self| is_of_logs(&log.key.detector) && &*down.key.detector == INPUT_DOWN;
        let count = [self, other].iter().all(|one| one.standing == Standing::Counts && !one.is_straggler);
        let is_near = later(self.began.min(other.began), within) >= self.began.max(other.began);
        count && is_near && (is_pair(self, other) || is_pair(other, self))
    }

    /// Whether it says of an input that it is down against anybody's will.
    fn is_lost(&self) -> bool {
        self.is_down() && self.standing == Standing::Counts
    }
}

/// An event in an index, by the begin of its condition: begin, stream, id.
type Begin = (Wall, Arc<str>, Arc<str>);

/// What one step did.
#[derive(Default)]
struct Turn {
    /// Events whose membership may have to be looked at, by begin.
    touched: BTreeSet<Begin>,
    /// Events that came to another incident.
    moved: BTreeSet<Arc<str>>,
    /// Incidents of events that ended.
    left: HashMap<Arc<str>, Arc<str>>,
}

/// That an open event of earlier steps came to an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Which condition.
    pub key: EventKey,
    /// The event's id.
    pub event: Arc<str>,
    /// The incident's id.
    pub incident: Arc<str>,
}

/// What a step led to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Every event that came to an incident in this step, those of the step included.
    pub joined: Vec<Joined>,
    /// Records to commit and publish behind the events.
    pub records: Vec<Incident>,
}

/// The machine.
pub struct Incidents {
    settings: IncidentSettings,
    node: Arc<str>,
    known: HashMap<Arc<str>, Known>,
    /// Ids of known events by stream.
    streams: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// Events that count and are in no group or outage, by what their streams share.
    free: HashMap<Common, BTreeSet<Begin>>,
    /// Every event that says that a network input is down.
    downs: BTreeSet<Begin>,
    /// Ids of events that another one explains, by its id.
    children: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
    open: BTreeMap<Arc<str>, OpenIncident>,
    /// Open groups by what their streams share.
    groups: HashMap<Common, BTreeSet<Arc<str>>>,
    /// Incidents whose record is to be told.
    pending: BTreeSet<Arc<str>>,
    probed: Option<Instant>,
    refused: u64,
}

impl Incidents {
    /// A machine without incidents.
    pub fn new(settings: IncidentSettings, node: Arc<str>) -> Self {
        Self {
            settings,
            node,
            known: HashMap::new(),
            streams: HashMap::new(),
            free: HashMap::new(),
            downs: BTreeSet::new(),
            children: HashMap::new(),
            open: BTreeMap::new(),
            groups: HashMap::new(),
            pending: BTreeSet::new(),
            probed: None,
            refused: 0,
        }
    }

    /// Takes over what was open before a restart; what has no open event any more ends with the first step.
    pub fn recover(&mut self, incidents: &[Incident], events: &[Event], table: &StreamTable, now: Instant) {
        for record in incidents.iter().filter(|record| record.is_open()) {
            let mut incident = OpenIncident::recovered(record, now);
            incident.running = table.network();
            self.pending.insert(incident.id.clone());
            self.register(&incident);
            self.open.insert(incident.id.clone(), incident);
        }
        let mut turn = Turn::default();
        for event in events {
            let id: Arc<str> = event.id.as_str().into();
            let to = event.incident_id.as_deref().and_then(|id| self.open.get_key_value(id)).map(|(id, _)| id.clone());
            if to.is_none() {
                self.take(event, table, &mut turn);
                if event.incident_id.is_some() {
                    self.leave_alone(&id);
                }
                continue;
            }
            let mut known = describe(event, table);
            known.incident.clone_from(&to);
            if let Some(incident) = to.and_then(|to| self.open.get_mut(&to)) {
                incident.attach(&id, &known);
            }
            self.known.insert(id.clone(), known);
            self.index(&id);
        }
    }

    /// Judges the events of a step together and writes into each of which incident it is a part.
    pub fn step(&mut self, events: &mut [Event], table: &StreamTable, now: Instant, wall: Wall) -> Outcome {
        let mut turn = Turn::default();
        let mut newest: BTreeMap<&str, &Event> = BTreeMap::new();
        for event in events.iter() {
            newest.insert(&event.id, event);
        }
        for event in newest.into_values() {
            self.take(event, table, &mut turn);
        }
        self.follow_parents(&mut turn);
        if !turn.touched.is_empty() {
            self.form(table, &mut turn);
        }
        self.end_outages(table, &turn);
        for event in events.iter_mut() {
            let of = self.known.get(&*event.id).and_then(|known| known.incident.as_ref());
            if let Some(incident) = of.or_else(|| turn.left.get(&*event.id)) {
                event.incident_id = Some(incident.to_string());
            }
        }
        let joined = turn.moved.iter().filter_map(|id| {
            let known = self.known.get(id)?;
            Some(Joined { key: known.key.clone(), event: id.clone(), incident: known.incident.clone()? })
        });
        let joined = joined.collect();
        Outcome { joined, records: self.tell(table, now, wall) }
    }

    /// How many incidents of each kind are open, in the order of [`IncidentKind::ALL`].
    pub fn counts(&self) -> [u64; 4] {
        IncidentKind::ALL.map(|kind| self.open.values().filter(|incident| incident.kind == kind).count() as u64)
    }

    /// Incidents that were not formed because too many were open.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes one event as it stands at the end of a step.
    fn take(&mut self, event: &Event, table: &StreamTable, turn: &mut Turn) {
        if &*event.stream == MONITOR_STREAM {
            return;
        }
        if !event.is_open() {
            self.leave(event, turn);
            return;
        }
        let (id, before) = match self.known.get_key_value(&*event.id) {
            Some((id, known)) => (id.clone(), Some((known.incident.clone(), known.is_straggler))),
            None => (event.id.as_str().into(), None),
        };
        let is_known = before.is_some();
        let mut known = describe(event, table);
        (known.incident, known.is_straggler) = before.unwrap_or_default();
        if known.standing == Standing::Quiet && known.incident.is_none() && !known.is_down() {
            self.forget(&id);
            return;
        }
        if is_known {
            self.unindex(&id);
        }
        if let Some(incident) = known.incident.as_ref().and_then(|incident| self.open.get_mut(incident))
            && incident.heed(&id, &known)
        {
            self.pending.insert(incident.id.clone());
        }
        turn.touched.insert((known.began, known.key.stream.clone(), id.clone()));
        self.known.insert(id.clone(), known);
        self.index(&id);
    }

    fn leave(&mut self, event: &Event, turn: &mut Turn) {
        let Some(known) = self.forget(&event.id) else { return };
        let Some(incident) = known.incident.as_ref().and_then(|incident| self.open.get_mut(incident)) else { return };
        incident.end_event(&event.id, &known.key.stream, event.ended_at.unwrap_or(event.changed_at));
        incident.unwatched += u64::from(event.end_reason == Some(EventEnd::Unwatched));
        self.pending.insert(incident.id.clone());
        turn.left.insert(event.id.as_str().into(), incident.id.clone());
    }

    fn forget(&mut self, id: &str) -> Option<Known> {
        self.unindex(id);
        self.known.remove(id)
    }

    /// Puts an event into all indexes where it belongs.
    fn index(&mut self, id: &Arc<str>) {
        let Some(known) = self.known.get(id) else { return };
        let begin = (known.began, known.key.stream.clone(), id.clone());
        self.streams.entry(known.key.stream.clone()).or_default().insert(id.clone());
        if known.is_down() {
            self.downs.insert(begin.clone());
        }
        match &known.standing {
            Standing::Counts if is_free(known, &self.open) => {
                for common in known.commons.iter() {
                    self.free.entry(common.clone()).or_default().insert(begin.clone());
                }
            }
            Standing::Explained(parent) => {
                self.children.entry(parent.clone()).or_default().insert(id.clone());
            }
            Standing::Counts | Standing::Quiet => {}
        }
    }

    /// Takes it out of all of them.
    fn unindex(&mut self, id: &str) {
        let Some((id, known)) = self.known.get_key_value(id) else { return };
        let begin = (known.began, known.key.stream.clone(), id.clone());
        self.downs.remove(&begin);
        take_out(&mut self.streams, &known.key.stream, id);
        for common in known.commons.iter() {
            take_out(&mut self.free, common, &begin);
        }
        if let Standing::Explained(parent) = &known.standing {
            take_out(&mut self.children, parent, id);
        }
    }

    fn register(&mut self, incident: &OpenIncident) {
        if let Some(common) = &incident.common {
            self.groups.entry(common.clone()).or_default().insert(incident.id.clone());
        }
    }

    fn unregister(&mut self, id: &Arc<str>) {
        if let Some(common) = self.open.get(id).and_then(|incident| incident.common.clone()) {
            take_out(&mut self.groups, &common, id);
        }
    }

    /// Brings an event, and what it explains, to an incident.
    fn assign(&mut self, id: &Arc<str>, to: &Arc<str>, turn: &mut Turn) {
        let mut waiting = vec![id.clone()];
        while let Some(id) = waiting.pop() {
            let Some(known) = self.known.get(&id) else { continue };
            if known.incident.as_ref() == Some(to) || !self.open.contains_key(to) {
                continue;
            }
            let (stream, from) = (known.key.stream.clone(), known.incident.clone());
            self.unindex(&id);
            if let Some(old) = from.and_then(|from| self.open.get_mut(&from)) {
                old.release(&id, &stream);
                self.pending.insert(old.id.clone());
            }
            if let (Some(known), Some(incident)) = (self.known.get_mut(&id), self.open.get_mut(to)) {
                (known.incident, known.is_straggler) = (Some(to.clone()), false);
                incident.admit(&id, known);
            }
            self.index(&id);
            self.pending.insert(to.clone());
            waiting.extend(self.children.get(&id).into_iter().flatten().cloned());
            waiting.extend(self.witnesses(&id));
            turn.moved.insert(id);
        }
    }

    /// Brings events that others explain to where those are.
    fn follow_parents(&mut self, turn: &mut Turn) {
        let touched: Vec<Arc<str>> = turn.touched.iter().map(|(_, _, id)| id.clone()).collect();
        for id in touched {
            let Some(Known { standing: Standing::Explained(parent), .. }) = self.known.get(&id) else { continue };
            if let Some(to) = self.known.get(parent).and_then(|parent| parent.incident.clone()) {
                self.assign(&id, &to, turn);
            }
        }
    }

    /// The records that are due, and the end of what has no open event left.
    fn tell(&mut self, table: &StreamTable, now: Instant, wall: Wall) -> Vec<Incident> {
        let mut records = Vec::new();
        for id in std::mem::take(&mut self.pending) {
            let Some(incident) = self.open.get_mut(&id) else { continue };
            let is_over = incident.open.is_empty();
            let rate_allows = incident.published.is_none_or(|then| now.saturating_duration_since(then) >= TELL_EVERY);
            if !is_over && !rate_allows && incident.urgency == Urgency::Soon {
                self.pending.insert(id);
                continue;
            }
            (incident.published, incident.urgency) = (Some(now), Urgency::Soon);
            records.push(incident.record(table, &self.settings, &self.node, wall));
            if is_over {
                self.unregister(&id);
                self.open.remove(&id);
            }
        }
        records
    }
}

fn describe(event: &Event, table: &StreamTable) -> Known {
    Known {
        key: event.key(),
        began: event.started_at,
        severity: event.severity,
        standing: Standing::of(event),
        commons: table.commons(&event.stream),
        is_network: table.is_network(&event.stream),
        incident: None,
        is_straggler: false,
    }
}

/// Whether an event may still become part of a group.
fn is_free(known: &Known, open: &BTreeMap<Arc<str>, OpenIncident>) -> bool {
    let kind = known.incident.as_ref().and_then(|id| open.get(id)).map(|incident| incident.kind);
    !known.is_straggler && matches!(kind, None | Some(IncidentKind::Stream))
}

/// Removes a value from a set in a map, and the set when it is empty.
fn take_out<K: std::hash::Hash + Eq, V: Ord>(map: &mut HashMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(set) = map.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            map.remove(key);
        }
    }
}

/// A time that much before; the earliest there is when that cannot be said.
fn earlier(wall: Wall, by: Duration) -> Wall {
    Wall(wall.0.checked_sub(by).unwrap_or(std::time::SystemTime::UNIX_EPOCH))
}

/// A time that much after.
fn later(wall: Wall, by: Duration) -> Wall {
    Wall(wall.0.checked_add(by).unwrap_or(wall.0))
}
