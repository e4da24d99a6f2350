//! What forms and joins incidents: the rules of the table in [`super`].
//!
//! Part of the machine, and as pure. Everything is done in an order that follows from the events alone.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use super::open::OpenIncident;
use super::{Begin, Incidents, Known, OPEN_INCIDENTS_MAX, OUTAGE_INPUTS_MIN, Standing, Turn, earlier, later};
use crate::event::Wall;
use crate::incident::IncidentKind;
use crate::stream_table::{Common, StreamTable};

/// What explains most goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Host,
    Label,
}

impl Level {
    fn has(self, common: &Common) -> bool {
        common.is_host() == (self == Self::Host)
    }
}

/// Streams that began to fail together.
struct Together {
    from: Wall,
    streams: Vec<Arc<str>>,
}

/// A group that could be formed, the best one first.
type Candidate = (Reverse<u64>, usize, Common, Together);

impl Incidents {
    /// Joins and forms incidents after a step.
    pub(super) fn form(&mut self, table: &StreamTable, turn: &mut Turn) {
        self.join_own(turn);
        self.join_outage(turn);
        self.form_outage(table, turn);
        for level in [Level::Host, Level::Label] {
            self.join_groups(level, table, turn);
            self.form_groups(level, table, turn);
        }
        self.form_streams(turn);
    }

    /// The incident in which a stream is.
    fn incident_of(&self, stream: &str) -> Option<Arc<str>> {
        let ids = self.streams.get(stream)?;
        ids.iter().find_map(|id| self.known.get(id)?.incident.clone())
    }

    fn spans(&self, incident: &Arc<str>, began: Wall) -> bool {
        self.open.get(incident).is_some_and(|incident| incident.spans(began, &self.settings))
    }

    /// What fails in a stream that is in an incident joins that one.
    fn join_own(&mut self, turn: &mut Turn) {
        for (began, stream, id) in self.unassigned(turn) {
            let is_one = |to: &Arc<str>| self.spans(to, began) || self.is_witness_in(&id, to);
            if let Some(to) = self.incident_of(&stream).filter(is_one) {
                self.assign(&id, &to, turn);
            }
        }
    }

    /// What logs say of an input that is down, or the input of which a log speaks, where it is in no incident yet.
    pub(super) fn witnesses(&self, id: &str) -> Vec<Arc<str>> {
        let free = self.partners(id).filter(|(_, known)| known.incident.is_none());
        free.map(|(id, _)| id.clone()).collect()
    }

    fn is_witness_in(&self, id: &str, incident: &Arc<str>) -> bool {
        self.partners(id).any(|(_, known)| known.incident.as_ref() == Some(incident))
    }

    /// Events of the same stream with which one goes, wherever that is: see [`Known::is_witnessed`].
    fn partners(&self, id: &str) -> impl Iterator<Item = (&Arc<str>, &Known)> {
        let known = self.known.get(id);
        let beside = known.and_then(|known| self.streams.get(&known.key.stream)).into_iter().flatten();
        beside
            .filter_map(|id| Some((id, self.known.get(id)?)))
            .filter(move |(_, other)| known.is_some_and(|one| one.is_witnessed(other, self.settings.join_within)))
    }

    /// Events of this step that count and are in no incident.
    fn unassigned(&self, turn: &Turn) -> Vec<Begin> {
        let is_one = |(_, _, id): &&Begin| {
            self.known.get(id).is_some_and(|known| known.standing == Standing::Counts && known.incident.is_none())
        };
        turn.touched.iter().filter(is_one).cloned().collect()
    }

    /// Brings a stream to an incident: what fails in it now, and the whole incident in which it was.
    fn admit(&mut self, stream: &Arc<str>, to: &Arc<str>, turn: &mut Turn) {
        if let Some(from) = self.incident_of(stream).filter(|from| from != to) {
            self.merge(&from, to, turn);
        }
        let ids: Vec<Arc<str>> = self.streams.get(stream).into_iter().flatten().cloned().collect();
        let mut begins: Vec<(Wall, Arc<str>)> = ids
            .into_iter()
            .filter_map(|id| {
                let known = self.known.get(&id)?;
                (known.standing == Standing::Counts && known.incident.is_none()).then_some((known.began, id))
            })
            .collect();
        begins.sort();
        for (began, id) in begins {
            if self.spans(to, began) {
                self.assign(&id, to, turn);
            }
        }
    }

    /// Ends an incident into another one, which takes its open events over.
    fn merge(&mut self, from: &Arc<str>, to: &Arc<str>, turn: &mut Turn) {
        let Some(incident) = self.open.get_mut(from) else { return };
        incident.merged_into = Some(to.clone());
        let ids: Vec<Arc<str>> = incident.open.keys().cloned().collect();
        for id in ids {
            self.assign(&id, to, turn);
        }
    }

    fn begin(&mut self, incident: OpenIncident) -> Option<Arc<str>> {
        if self.open.len() >= OPEN_INCIDENTS_MAX {
            self.refused += 1;
            return None;
        }
        let id = incident.id.clone();
        self.register(&incident);
        self.pending.insert(id.clone());
        self.open.insert(id.clone(), incident);
        Some(id)
    }

    fn is_in_outage(&self, id: &str) -> bool {
        let incident = self.known.get(id).and_then(|known| self.open.get(known.incident.as_ref()?));
        incident.is_some_and(|incident| incident.kind.is_outage())
    }

    /// Inputs that went down in this step and are in no outage.
    fn fresh_downs(&self, turn: &Turn) -> Vec<Begin> {
        let is_one = |begin: &&Begin| self.is_fresh_down(begin);
        turn.touched.iter().filter(is_one).cloned().collect()
    }

    fn is_fresh_down(&self, (_, _, id): &Begin) -> bool {
        let counts = self.known.get(id).is_some_and(|known| known.is_down() && known.standing == Standing::Counts);
        counts && !self.is_in_outage(id)
    }

    fn join_outage(&mut self, turn: &mut Turn) {
        let outages: Vec<Arc<str>> = self
            .open
            .values()
            .filter(|incident| incident.kind.is_outage())
            .map(|incident| incident.id.clone())
            .collect();
        if outages.is_empty() {
            return;
        }
        for (began, stream, _) in self.fresh_downs(turn) {
            if let Some(to) = outages.iter().find(|to| self.spans(to, began)) {
                self.admit(&stream, to, turn);
            }
        }
    }

    fn form_outage(&mut self, table: &StreamTable, turn: &mut Turn) {
        let fresh = self.fresh_downs(turn);
        let (Some(first), Some(last)) = (fresh.first(), fresh.last()) else { return };
        let window = self.settings.window;
        let near: Vec<Begin> =
            near(&self.downs, first.0, last.0, window).filter(|begin| self.is_fresh_down(begin)).collect();
        let Some(together) = most_within(&near, window).filter(|found| found.streams.len() >= OUTAGE_INPUTS_MIN) else {
            return;
        };
        // What was down before, or is down on purpose, does not count as running.
        let inside: BTreeSet<&Arc<str>> = together.streams.iter().collect();
        let before: BTreeSet<&Arc<str>> = self
            .downs
            .iter()
            .filter(|(began, stream, id)| {
                let is_quiet = self.known.get(id).is_some_and(|known| known.standing != Standing::Counts);
                (*began < together.from || is_quiet) && !inside.contains(stream)
            })
            .map(|(_, stream, _)| stream)
            .collect();
        let running = table.network().saturating_sub(before.len()).max(together.streams.len());
        if together.streams.len() * 100 <= running * self.settings.outage_percent as usize {
            return;
        }
        let outage = match self.largest_group(&together) {
            Some(group) => Some(self.promote(&group)),
            None => self.begin(OpenIncident::new(IncidentKind::Outage, None, together.from)),
        };
        let Some(outage) = outage else { return };
        if let Some(incident) = self.open.get_mut(&outage) {
            incident.running = running;
        }
        for stream in &together.streams {
            self.admit(stream, &outage, turn);
        }
        self.join_outage(turn);
    }

    /// The open group that holds most of these streams.
    fn largest_group(&self, together: &Together) -> Option<Arc<str>> {
        let mut held: HashMap<Arc<str>, usize> = HashMap::new();
        for stream in &together.streams {
            let group = self
                .incident_of(stream)
                .filter(|id| self.open.get(id).is_some_and(|incident| incident.kind == IncidentKind::Group));
            if let Some(group) = group {
                *held.entry(group).or_default() += 1;
            }
        }
        held.into_iter().max_by_key(|(id, count)| (*count, Reverse(id.clone()))).map(|(id, _)| id)
    }

    fn promote(&mut self, group: &Arc<str>) -> Arc<str> {
        self.unregister(group);
        if let Some(incident) = self.open.get_mut(group) {
            incident.promote();
        }
        self.pending.insert(group.clone());
        group.clone()
    }

    /// Events of this step that may become part of a group.
    fn ungrouped(&self, turn: &Turn) -> Vec<Begin> {
        let is_one = |(_, _, id): &&Begin| {
            self.known
                .get(id)
                .is_some_and(|known| known.standing == Standing::Counts && super::is_free(known, &self.open))
        };
        turn.touched.iter().filter(is_one).cloned().collect()
    }

    fn join_groups(&mut self, level: Level, table: &StreamTable, turn: &mut Turn) {
        if self.groups.is_empty() {
            return;
        }
        for (began, stream, id) in self.ungrouped(turn) {
            let Some(commons) = self.known.get(&id).map(|known| known.commons.clone()) else { continue };
            let mut groups: Vec<(Reverse<u64>, usize, Arc<str>)> = Vec::new();
            for (order, common) in commons.iter().enumerate().filter(|(_, common)| level.has(common)) {
                for group in self.groups.get(common).into_iter().flatten().filter(|group| self.spans(group, began)) {
                    let failing = self.open.get(group).map_or(0, |incident| incident.failing().count());
                    groups.push((Reverse(share(failing, table.size(common))), order, group.clone()));
                }
            }
            if let Some((_, _, to)) = groups.into_iter().min() {
                self.admit(&stream, &to, turn);
            }
        }
    }

    fn form_groups(&mut self, level: Level, table: &StreamTable, turn: &mut Turn) {
        // Each round makes an incident of at least two streams that were in none.
        while let Some((_, _, common, together)) = self.best_group(level, table, turn) {
            let fresh = OpenIncident::new(IncidentKind::Group, Some(common.clone()), together.from);
            let Some(group) = self.begin(fresh) else { return };
            for stream in &together.streams {
                self.admit(stream, &group, turn);
            }
            self.join_groups(level, table, turn);
        }
    }

    fn best_group(&self, level: Level, table: &StreamTable, turn: &Turn) -> Option<Candidate> {
        let mut spans: HashMap<Common, (usize, Wall, Wall)> = HashMap::new();
        for (began, _, id) in self.ungrouped(turn) {
            let Some(known) = self.known.get(&id) else { continue };
            for (order, common) in known.commons.iter().enumerate().filter(|(_, common)| level.has(common)) {
                let span = spans.entry(common.clone()).or_insert((order, began, began));
                *span = (span.0.min(order), span.1.min(began), span.2.max(began));
            }
        }
        let candidates = spans.into_iter().filter_map(|(common, (order, first, last))| {
            let free = self.free.get(&common)?;
            let near: Vec<Begin> = near(free, first, last, self.settings.window).collect();
            let together = most_within(&near, self.settings.window)?;
            let size = table.size(&common).max(together.streams.len());
            let is_enough = together.streams.len() >= self.enough(size);
            is_enough.then(|| (Reverse(share(together.streams.len(), size)), order, common, together))
        });
        candidates.min_by(|one, other| (one.0, one.1, &one.2).cmp(&(other.0, other.1, &other.2)))
    }

    /// So many streams of so many are an incident: either limit is enough, and one stream never is.
    fn enough(&self, size: usize) -> usize {
        let by_share = (size * self.settings.percent_min as usize).div_ceil(100);
        self.settings.streams_min.min(by_share).max(2)
    }

    fn form_streams(&mut self, turn: &mut Turn) {
        let streams: BTreeSet<Arc<str>> = self.unassigned(turn).into_iter().map(|(_, stream, _)| stream).collect();
        for stream in streams {
            if self.incident_of(&stream).is_some() {
                continue;
            }
            let Some(ids) = self.streams.get(&stream) else { continue };
            let mut begins: Vec<Begin> = ids
                .iter()
                .filter_map(|id| {
                    let known = self.known.get(id)?;
                    // Detectors stand where streams stand in a group.
                    (known.standing == Standing::Counts).then(|| (known.began, known.key.detector.clone(), id.clone()))
                })
                .collect();
            begins.sort();
            let found = most_within(&begins, self.settings.stream_window).filter(|found| found.streams.len() >= 2);
            let is_witnessed = |(_, _, id): &&Begin| self.partners(id).next().is_some();
            let witnessed = || begins.iter().find(is_witnessed).map(|(began, _, _)| *began);
            let Some(from) = found.map(|found| found.from).or_else(witnessed) else { continue };
            let fresh = OpenIncident::new(IncidentKind::Stream, None, from);
            if let Some(id) = self.begin(fresh) {
                self.admit(&stream, &id, turn);
            }
        }
    }
}

/// A share that compares exactly, in millionths.
fn share(part: usize, whole: usize) -> u64 {
    part as u64 * 1_000_000 / whole.max(1) as u64
}

/// Entries that began at most a window before the first and after the last.
fn near(
    set: &BTreeSet<Begin>,
    first: Wall,
    last: Wall,
    window: Duration,
) -> impl Iterator<Item = Begin> + '_ + use<'_> {
    let nothing: Arc<str> = "".into();
    let from = (earlier(first, window), nothing.clone(), nothing);
    let until = later(last, window);
    set.range((Bound::Included(from), Bound::Unbounded)).take_while(move |begin| begin.0 <= until).cloned()
}

/// The most streams that began within a window of each other, the earliest such set. In: by begin.
fn most_within(begins: &[Begin], window: Duration) -> Option<Together> {
    let mut counts: HashMap<&Arc<str>, usize> = HashMap::new();
    let (mut left, mut best) = (0, (0, 0, 0));
    for (right, (began, stream, _)) in begins.iter().enumerate() {
        *counts.entry(stream).or_default() += 1;
        while later(begins[left].0, window) < *began {
            let gone = &begins[left].1;
            if let Some(count) = counts.get_mut(gone) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(gone);
                }
            }
            left += 1;
        }
        if counts.len() > best.0 {
            best = (counts.len(), left, right);
        }
    }
    let (count, left, right) = best;
    let streams: BTreeSet<Arc<str>> = begins.get(left..=right)?.iter().map(|(_, stream, _)| stream.clone()).collect();
    (count > 0).then(|| Together { from: begins[left].0, streams: streams.into_iter().collect() })
}
