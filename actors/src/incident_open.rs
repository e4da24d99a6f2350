//! One open incident: what is part of it, and the record that this makes.
//!
//! Part of the machine in [`super`], and as pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{IncidentSettings, Known, Standing, earlier, later};
use crate::event::Wall;
use crate::incident::{INCIDENT_EVENTS_MAX, INCIDENT_SCHEMA, Incident, IncidentKind, IncidentState};
use crate::incident_causes::{Chain, Naming};
use crate::probe_report::{ProbeOutcome, ProbeReport};
use crate::severity::Severity;
use crate::stream_table::{Common, StreamTable};

/// How soon an open incident is told of again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// When the rate allows.
    Soon,
    /// Now: it began, became of another kind, or its probes have answered.
    Now,
}

pub(super) struct OpenIncident {
    pub(super) id: Arc<str>,
    pub(super) kind: IncidentKind,
    pub(super) common: Option<Common>,
    started_at: Wall,
    /// The newest begin of a condition in it.
    newest: Wall,
    ended_at: Option<Wall>,
    severity_max: Severity,
    /// Open events of each stream that is or was part of it.
    streams: BTreeMap<Arc<str>, usize>,
    /// Streams with open events.
    failing: usize,
    /// Ids of open events.
    pub(super) open: BTreeMap<Arc<str>, Severity>,
    /// Those of them that say that an input is down; of each input there is one at most.
    pub(super) lost: BTreeSet<Arc<str>>,
    /// Inputs that were still down when an outage was over.
    left_down: usize,
    /// Inputs of an outage that flap and are up just now.
    calm: usize,
    /// Whether most inputs are down, not counting those.
    is_of_most: bool,
    listed: BTreeSet<Arc<str>>,
    total: u64,
    /// Events that ended since nobody watches them any more.
    pub(super) unwatched: u64,
    chain: Chain,
    /// Inputs that ran when an outage began.
    pub(super) running: usize,
    /// What probes found last.
    pub(super) probes: Option<ProbeReport>,
    /// What failed when it was found that the monitor could not see.
    blindness: Vec<String>,
    pub(super) merged_into: Option<Arc<str>>,
    pub(super) published: Option<Instant>,
    pub(super) urgency: Urgency,
}

impl OpenIncident {
    pub(super) fn new(kind: IncidentKind, common: Option<Common>, began: Wall) -> Self {
        Self {
            id: Uuid::now_v7().to_string().into(),
            kind,
            common,
            started_at: began,
            newest: began,
            ended_at: None,
            severity_max: Severity::Info,
            streams: BTreeMap::new(),
            failing: 0,
            open: BTreeMap::new(),
            lost: BTreeSet::new(),
            left_down: 0,
            calm: 0,
            is_of_most: true,
            listed: BTreeSet::new(),
            total: 0,
            unwatched: 0,
            chain: Chain::default(),
            running: 0,
            probes: None,
            blindness: Vec::new(),
            merged_into: None,
            published: None,
            urgency: Urgency::Now,
        }
    }

    /// An incident of before a restart, without its events.
    pub(super) fn recovered(record: &Incident, now: Instant) -> Self {
        let common = record.common.iter().next();
        let common = common.map(|(name, value)| Common { name: name.as_str().into(), value: value.as_str().into() });
        Self {
            id: record.id.as_str().into(),
            severity_max: record.severity,
            streams: record.streams.iter().map(|name| (name.clone(), 0)).collect(),
            listed: record.events.iter().map(|id| id.as_str().into()).collect(),
            total: record.events_total,
            blindness: if record.kind == IncidentKind::Blind {
                record.evidence.iter().skip(1).cloned().collect()
            } else {
                Vec::new()
            },
            published: Some(now),
            urgency: Urgency::Soon,
            ..Self::new(record.kind, common, record.started_at)
        }
    }

    /// Whether a condition that began then may join.
    pub(super) fn spans(&self, began: Wall, settings: &IncidentSettings) -> bool {
        let before = if self.kind == IncidentKind::Stream { settings.stream_window } else { settings.window };
        began >= earlier(self.started_at, before) && began <= later(self.newest, settings.join_within)
    }

    /// Takes an open event in.
    pub(super) fn admit(&mut self, id: &Arc<str>, event: &Known) {
        if self.listed.len() < INCIDENT_EVENTS_MAX {
            self.listed.insert(id.clone());
        }
        self.total += 1;
        self.attach(id, event);
    }

    /// The same for one that it listed before a restart.
    pub(super) fn attach(&mut self, id: &Arc<str>, event: &Known) {
        self.note_lost(id, event);
        if self.open.insert(id.clone(), event.severity).is_none() {
            let count = self.streams.entry(event.key.stream.clone()).or_default();
            *count += 1;
            self.failing += usize::from(*count == 1);
        }
        self.started_at = self.started_at.min(event.began);
        self.newest = self.newest.max(event.began);
        self.severity_max = self.severity_max.max(event.severity);
        let is_explained = matches!(event.standing, Standing::Explained(_));
        self.chain.add(&event.key.detector, &event.key.stream, event.began, is_explained);
    }

    /// Takes note that an open event of it changed; true when that shows in its record.
    pub(super) fn heed(&mut self, id: &Arc<str>, event: &Known) -> bool {
        self.severity_max = self.severity_max.max(event.severity);
        self.note_lost(id, event);
        self.open.insert(id.clone(), event.severity) != Some(event.severity)
    }

    fn note_lost(&mut self, id: &Arc<str>, event: &Known) {
        if event.is_lost() {
            self.lost.insert(id.clone());
        } else {
            self.lost.remove(id);
        }
    }

    /// An outage is over: it keeps what was part of it, and gives back what is still open. Without a recovery,
    /// as when inputs were silenced, it is over from now on.
    pub(super) fn give_up(&mut self, is_by_recovery: bool) -> Vec<Arc<str>> {
        self.left_down = self.lost.len();
        self.lost.clear();
        self.streams.values_mut().for_each(|count| *count = 0);
        self.failing = 0;
        self.ended_at = self.ended_at.filter(|_| is_by_recovery);
        std::mem::take(&mut self.open).into_keys().collect()
    }

    /// An event of it has ended.
    pub(super) fn end_event(&mut self, id: &str, stream: &str, ended_at: Wall) {
        self.detach(id, stream);
        self.ended_at = self.ended_at.max(Some(ended_at));
    }

    /// An open event of it goes to another incident.
    pub(super) fn release(&mut self, id: &str, stream: &str) {
        self.detach(id, stream);
        self.listed.remove(id);
        self.total = self.total.saturating_sub(1);
    }

    fn detach(&mut self, id: &str, stream: &str) {
        self.lost.remove(id);
        if self.open.remove(id).is_some()
            && let Some(count) = self.streams.get_mut(stream)
        {
            *count = count.saturating_sub(1);
            self.failing -= usize::from(*count == 0);
        }
    }

    /// Streams with open events in it.
    pub(super) fn failing(&self) -> impl Iterator<Item = &Arc<str>> {
        self.streams.iter().filter(|(_, count)| **count > 0).map(|(name, _)| name)
    }

    /// Becomes an outage: what its first streams have in common no longer explains it.
    pub(super) fn promote(&mut self) {
        (self.kind, self.common, self.urgency) = (IncidentKind::Outage, None, Urgency::Now);
    }

    /// Takes what probes found; true when a person has to hear of it now.
    pub(super) fn probed(&mut self, report: &ProbeReport) -> bool {
        let before = self.probes.as_ref().map(ProbeReport::is_failing);
        if report.is_failing() && self.is_of_most {
            for text in report.texts(ProbeOutcome::Failing) {
                // At most once each, and no more than one report may hold.
                if self.blindness.len() < crate::probe_report::FINDINGS_MAX
                    && !self.blindness.iter().any(|had| had == text)
                {
                    self.blindness.push(text.to_owned());
                }
            }
        }
        self.probes = Some(report.clone());
        self.judge_blindness();
        before != Some(report.is_failing())
    }

    /// Takes how many of its inputs flap and are up just now, and whether the others are most; true when that shows
    /// in its record.
    pub(super) fn heed_calm(&mut self, calm: usize, is_of_most: bool) -> bool {
        let before = (self.calm, self.kind);
        (self.calm, self.is_of_most) = (calm, is_of_most);
        self.judge_blindness();
        before != (self.calm, self.kind)
    }

    /// Blind is what cannot see now, not what could not. After a restart it stays what it was until it is probed.
    fn judge_blindness(&mut self) {
        let was_blind = self.kind == IncidentKind::Blind;
        let is_failing = self.probes.as_ref().map_or(was_blind, ProbeReport::is_failing);
        self.kind = if is_failing && self.is_of_most { IncidentKind::Blind } else { IncidentKind::Outage };
    }

    /// True while what the monitor needs does not work, as far as is known.
    pub(super) fn is_blind_now(&self) -> bool {
        self.kind == IncidentKind::Blind && self.probes.as_ref().is_none_or(ProbeReport::is_failing)
    }

    /// The record as it stands.
    pub(super) fn record(
        &self,
        table: &StreamTable,
        settings: &IncidentSettings,
        node: &Arc<str>,
        now: Wall,
    ) -> Incident {
        let is_open = !self.open.is_empty();
        let open_max = self.open.values().copied().max();
        let severity = match self.kind {
            IncidentKind::Outage | IncidentKind::Blind => Severity::Critical,
            IncidentKind::Stream | IncidentKind::Group => open_max.unwrap_or(self.severity_max),
        };
        let ended_at = (!is_open).then(|| self.ended_at.filter(|_| self.merged_into.is_none()).unwrap_or(now));
        Incident {
            schema: INCIDENT_SCHEMA.to_owned(),
            id: self.id.to_string(),
            change_id: Uuid::now_v7().to_string(),
            kind: self.kind,
            state: if is_open { IncidentState::Open } else { IncidentState::Ended },
            severity,
            common: self.shared(),
            started_at: self.started_at,
            changed_at: now,
            ended_at,
            message: self.message(table, ended_at),
            causes: self.causes(table),
            evidence: self.evidence(settings),
            streams: self.streams.keys().cloned().collect(),
            events: self.listed.iter().map(|id| id.to_string()).collect(),
            events_total: self.total,
            events_open: self.open.len() as u64,
            merged_into: self.merged_into.as_ref().map(|id| id.to_string()),
            node: node.clone(),
            stored: None,
        }
    }

    fn shared(&self) -> BTreeMap<String, String> {
        let common = self.common.iter().map(|common| (common.name.to_string(), common.value.to_string()));
        common.collect()
    }

    /// How many are counted: those that fail while it is open, all that did once it is over.
    fn count(&self) -> usize {
        match (self.open.is_empty(), self.kind.is_outage()) {
            (true, _) => self.streams.len(),
            (false, true) => self.lost.len().saturating_sub(self.calm),
            (false, false) => self.failing,
        }
    }

    /// So many of how many.
    fn counted(&self, table: &StreamTable) -> String {
        let now = self.count();
        let of = self.common.as_ref().map_or(self.running, |common| table.size(common));
        format!("{now} of {}", of.max(self.streams.len()))
    }

    fn message(&self, table: &StreamTable, ended_at: Option<Wall>) -> String {
        let detectors = self.chain.detectors();
        let first = detectors.first().copied().unwrap_or("failures");
        let counted = self.counted(table);
        let lasted = |until: Wall| until.0.duration_since(self.started_at.0).unwrap_or_default().as_secs();
        let over = match (&self.merged_into, ended_at) {
            (Some(into), _) => format!("; part of incident {into} now"),
            (None, Some(until)) if self.unwatched > 0 => {
                let (lasted, unseen) = (spoken(lasted(until)), self.unwatched);
                format!("; ends after {lasted}, not known to be over: {unseen} events are no longer watched")
            }
            (None, Some(until)) => match self.left_down {
                0 => format!("; over after {}", spoken(lasted(until))),
                1 => format!("; over after {}, when 1 of them was still down", spoken(lasted(until))),
                left => format!("; over after {}, when {left} of them were still down", spoken(lasted(until))),
            },
            (None, None) => String::new(),
        };
        match self.kind {
            IncidentKind::Stream => {
                let stream = self.streams.keys().next().map_or("", |name| &**name);
                format!("{stream}: {} at the same time{over}", detectors.join(", "))
            }
            IncidentKind::Group => {
                let common = self.common.as_ref().map(Common::to_string).unwrap_or_default();
                let verb = if over.is_empty() { "fail" } else { "failed" };
                format!("{common}: {counted} streams {verb}, first {first}{over}")
            }
            IncidentKind::Outage | IncidentKind::Blind if !over.is_empty() => {
                let why =
                    if self.blindness.is_empty() { String::new() } else { format!("; {}", self.blindness.join("; ")) };
                let were = if self.count() == 1 { "was" } else { "were" };
                format!("{counted} inputs {were} down{why}{over}")
            }
            IncidentKind::Outage | IncidentKind::Blind => {
                let are = if self.count() == 1 { "is" } else { "are" };
                let flap = match self.calm {
                    0 => String::new(),
                    1 => ", 1 comes and goes".to_owned(),
                    calm => format!(", {calm} come and go"),
                };
                format!("{counted} inputs {are} down{flap}; {}", self.probes_say())
            }
        }
    }

    fn probes_say(&self) -> String {
        let Some(report) = &self.probes else { return "the monitor's own network is being probed".to_owned() };
        let all = |outcome| report.texts(outcome).collect::<Vec<_>>().join("; ");
        if report.is_failing() {
            return all(ProbeOutcome::Failing);
        }
        let fine = all(ProbeOutcome::Fine);
        match (fine.is_empty(), self.blindness.is_empty()) {
            (true, _) => "nothing can be said of the monitor's own network".to_owned(),
            (false, true) => format!("the monitor's own network is fine ({fine})"),
            (false, false) => format!("the monitor's own network is fine again ({fine})"),
        }
    }

    fn causes(&self, table: &StreamTable) -> Vec<String> {
        let (first, names) = match self.kind {
            IncidentKind::Stream => (None, Naming::None),
            IncidentKind::Group => (
                self.common.as_ref().map(|common| format!("{common}: {} streams", self.counted(table))),
                Naming::Streams,
            ),
            IncidentKind::Outage => (Some(format!("{} inputs", self.counted(table))), Naming::Streams),
            IncidentKind::Blind => (Some(self.blindness.join("; ")).filter(|why| !why.is_empty()), Naming::Streams),
        };
        first.into_iter().chain(self.chain.lines(names)).collect()
    }

    fn evidence(&self, settings: &IncidentSettings) -> Vec<String> {
        let within = |window: Duration| spoken(window.as_secs());
        let mut evidence = vec![match self.kind {
            IncidentKind::Stream => {
                format!("faults of one stream that began within {}", within(settings.stream_window))
            }
            IncidentKind::Group => {
                format!("streams that began to fail within {} of each other", within(settings.window))
            }
            IncidentKind::Outage | IncidentKind::Blind => {
                let share = settings.outage_percent;
                format!(
                    "over {share} % of {} running inputs went down within {}",
                    self.running,
                    within(settings.window)
                )
            }
        }];
        evidence.extend(self.blindness.iter().cloned());
        let probes = self.probes.iter().flat_map(|report| &report.findings).map(|finding| &finding.text);
        for text in probes {
            if !evidence.contains(text) {
                evidence.push(text.clone());
            }
        }
        evidence
    }
}

/// A length of time as people say it.
fn spoken(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}
