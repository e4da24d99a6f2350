//! The desk's stage of incidents: between the alarm model and the store.
//!
//! Owned by the desk and on its thread. It hands the events of a step to the machine
//! ([`crate::incidents`]), notes in the model what joined which incident, asks for probes while an
//! outage lasts, and shows on the board what is open. It never waits: whoever probes answers later, with
//! a message to the desk.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;

use crate::alarm_model::AlarmModel;
use crate::alarm_model::joins::Joining;
use crate::event::{Event, Wall};
use crate::incident::{Incident, IncidentKind};
use crate::incidents::{INPUT_DOWN, IncidentSettings, Incidents};
use crate::probe_report::{FINDINGS_MAX, ProbeReport};
use crate::stream_table::StreamTable;

/// Asks for probes; must not wait. The answer comes as a message to the desk.
pub type AskProbes = Box<dyn Fn() + Send>;

/// What the stage is made of.
pub struct IncidentParts {
    /// When failures are taken for one.
    pub settings: IncidentSettings,
    /// What streams have in common; replaced by the service when they change.
    pub table: Arc<ArcSwap<StreamTable>>,
    /// Has what the monitor needs probed.
    pub ask_probes: AskProbes,
}

impl Default for IncidentParts {
    fn default() -> Self {
        Self { settings: IncidentSettings::default(), table: Arc::default(), ask_probes: Box::new(|| {}) }
    }
}

/// What anyone may know of open incidents. Written by the desk's thread.
#[derive(Debug, Default)]
pub struct IncidentBoard {
    open: [AtomicU64; 4],
    is_blind: AtomicBool,
    refused: AtomicU64,
}

impl IncidentBoard {
    /// How many incidents of each kind are open.
    pub fn open(&self) -> [(IncidentKind, u64); 4] {
        // Each is true on its own; nothing is concluded from two of them.
        std::array::from_fn(|index| (IncidentKind::ALL[index], self.open[index].load(Ordering::Relaxed)))
    }

    /// True while most inputs are down and so is what the monitor itself needs.
    pub fn is_blind(&self) -> bool {
        self.is_blind.load(Ordering::Relaxed)
    }

    /// Incidents that were not formed because too many were open.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// The stage.
pub(crate) struct IncidentStage {
    machine: Incidents,
    table: Arc<ArcSwap<StreamTable>>,
    ask_probes: AskProbes,
}

impl IncidentStage {
    pub(crate) fn new(parts: IncidentParts, node: Arc<str>) -> Self {
        let machine = Incidents::new(parts.settings, node);
        Self { machine, table: parts.table, ask_probes: parts.ask_probes }
    }

    /// Takes over what was open before a restart.
    pub(crate) fn recover(&mut self, incidents: &[Incident], events: &[Event], now: Instant) {
        self.machine.recover(incidents, events, &self.table.load(), now);
    }

    /// Takes what probes found.
    pub(crate) fn probed(&mut self, mut report: ProbeReport) {
        report.findings.truncate(FINDINGS_MAX);
        self.machine.probed(&report);
    }

    /// Judges a step's events, adds those that joined an incident by it, and gives the incidents that changed.
    pub(crate) fn judge(
        &mut self,
        events: &mut Vec<Event>,
        model: &mut AlarmModel,
        board: &IncidentBoard,
        wall: Wall,
    ) -> Vec<Incident> {
        let now = Instant::now();
        let table = self.table.load();
        if self.machine.has_outage() {
            self.machine.heed_calm(&model.calm(INPUT_DOWN), &table);
        }
        let outcome = self.machine.step(events, &table, now, wall);
        let told: HashSet<String> = events.iter().map(|event| event.id.clone()).collect();
        for joined in outcome.joined {
            let is_told = told.contains(&*joined.event);
            let joining = if is_told { Joining::Noted } else { Joining::Told(wall) };
            events.extend(model.join(&joined.key, &joined.event, &joined.incident, joining));
        }
        if self.machine.wants_probes(now) {
            (self.ask_probes)();
        }
        for (shown, count) in board.open.iter().zip(self.machine.counts()) {
            shown.store(count, Ordering::Relaxed);
        }
        board.is_blind.store(self.machine.is_blind(), Ordering::Relaxed);
        board.refused.store(self.machine.refused(), Ordering::Relaxed);
        outcome.records
    }
}
