//! An outage while it lasts: what probes say of it, and when it is over since most inputs are up again.
//!
//! Part of the machine in [`super`], and as pure. What makes an outage stands in [`super::forming`].

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::open::{OpenIncident, Urgency};
use super::{Incidents, PROBE_EVERY, Turn};
use crate::probe_report::ProbeReport;
use crate::stream_table::StreamTable;

impl Incidents {
    /// Takes what probes found.
    pub fn probed(&mut self, report: &ProbeReport) {
        for incident in self.open.values_mut().filter(|incident| incident.kind.is_outage()) {
            let is_news = incident.probed(report);
            incident.urgency = incident.urgency.max(if is_news { Urgency::Now } else { Urgency::Soon });
            if is_news {
                self.pending.insert(incident.id.clone());
            }
        }
    }

    /// Whether probes are wanted now; true once, then again after [`PROBE_EVERY`] while an outage lasts.
    pub fn wants_probes(&mut self, now: Instant) -> bool {
        if !self.has_outage() {
            self.probed = None;
            return false;
        }
        let is_due = self.probed.is_none_or(|then| now.saturating_duration_since(then) >= PROBE_EVERY);
        if is_due {
            self.probed = Some(now);
        }
        is_due
    }

    /// True while most inputs are down and so is what the monitor itself needs.
    pub fn is_blind(&self) -> bool {
        self.open.values().any(OpenIncident::is_blind_now)
    }

    /// Whether an outage is open.
    pub fn has_outage(&self) -> bool {
        self.open.values().any(|incident| incident.kind.is_outage())
    }

    /// Takes which events are open though their condition is away, since it flaps: those inputs are up just now.
    /// They keep an outage open, but nobody is blind for them.
    pub fn heed_calm(&mut self, calm: &BTreeSet<Arc<str>>, table: &StreamTable) {
        let apart: HashMap<Arc<str>, (usize, bool)> = self
            .open
            .values()
            .filter(|incident| incident.kind.is_outage())
            .map(|incident| {
                let up = calm.iter().filter(|id| incident.lost.contains(*id)).count();
                (incident.id.clone(), (up, self.is_of_most(incident, up, table)))
            })
            .collect();
        for (id, (up, is_of_most)) in apart {
            if self.open.get_mut(&id).is_some_and(|incident| incident.heed_calm(up, is_of_most)) {
                self.pending.insert(id);
            }
        }
    }

    /// Ends outages that no longer are any. What is still open of them stands for itself.
    pub(super) fn end_outages(&mut self, table: &StreamTable, turn: &Turn) {
        let is_over = |incident: &&OpenIncident| {
            let is_outage = incident.kind.is_outage() && incident.merged_into.is_none() && !incident.open.is_empty();
            is_outage && !self.is_of_most(incident, 0, table)
        };
        let over: Vec<Arc<str>> = self.open.values().filter(is_over).map(|incident| incident.id.clone()).collect();
        for id in over {
            let Some(incident) = self.open.get_mut(&id) else { continue };
            let is_by_recovery = turn.left.values().any(|left| *left == id);
            for straggler in incident.give_up(is_by_recovery) {
                self.leave_alone(&straggler);
            }
            self.pending.insert(id);
        }
    }

    /// Whether most of the inputs that run, or are meant to, are down in it now. Those that are down apart from
    /// it do not count as running, as at its begin. `up` of its inputs are up just now.
    fn is_of_most(&self, incident: &OpenIncident, up: usize, table: &StreamTable) -> bool {
        let lost = incident.lost.len();
        let apart = self.downs.len().saturating_sub(lost);
        let running = table.network().saturating_sub(apart).max(lost);
        lost.saturating_sub(up) * 100 > running * self.settings.outage_percent as usize
    }

    /// An open event is in no incident any more, and makes none with others that are left.
    pub(super) fn leave_alone(&mut self, id: &Arc<str>) {
        self.unindex(id);
        if let Some(known) = self.known.get_mut(id) {
            (known.incident, known.is_straggler) = (None, true);
        }
        self.index(id);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Desk, ended, event, table, wall};
    use super::*;
    use crate::event::{Event, EventState};
    use crate::incident::{Incident, IncidentKind, IncidentState};
    use crate::probe_report::{ProbeFinding, ProbeOutcome};

    const SIX: [&str; 6] = ["a@h", "b@h", "c@h", "d@h", "e@h", "f@h"];

    fn refused() -> ProbeReport {
        let text = "reference 10.0.0.9:554: connection refused".to_owned();
        ProbeReport { findings: vec![ProbeFinding { outcome: ProbeOutcome::Failing, text }] }
    }

    /// Six of six inputs are down since second 0; their events, and the outage.
    fn outage() -> (Desk, Vec<Event>, Incident) {
        let mut desk = Desk::new(table(&SIX));
        let events = desk.step(0, SIX.iter().map(|name| event(name, "input_down", 0)).collect());
        let outage = desk.records.values().next().unwrap().clone();
        assert_eq!(outage.kind, IncidentKind::Outage);
        (desk, events, outage)
    }

    #[test]
    fn one_of_six_inputs_that_stays_down_is_not_called_blind_when_a_reference_fails() {
        let (mut desk, events, outage) = outage();
        let up: Vec<Event> = events[..5].iter().map(|event| ended(event, 60_000)).collect();
        desk.step(70_000, up);
        let over = desk.records[&outage.id].clone();
        assert_eq!((over.state, over.ended_at), (IncidentState::Ended, Some(wall(60_000))));
        assert_eq!((over.events_open, over.events_total), (0, 6));
        assert_eq!(over.message, "6 of 6 inputs were down; over after 60 s, when 1 of them was still down");
        desk.machine.probed(&refused());
        desk.step(71_000, vec![Event { changed_at: wall(71_000), ..events[5].clone() }]);
        assert!(!desk.machine.is_blind() && !desk.machine.wants_probes(std::time::Instant::now()));
        assert_eq!(desk.records.len(), 1, "what is left is an event, and no incident");
        let last = desk.step(900_000, vec![ended(&events[5], 900_000)]);
        assert_eq!(last[0].incident_id.as_ref(), Some(&outage.id), "the event says of what it was a part");
        assert_eq!(desk.records[&outage.id], over);
    }

    #[test]
    fn an_outage_lasts_while_most_inputs_are_down_and_three_that_are_left_are_no_new_incident() {
        let (mut desk, events, outage) = outage();
        desk.step(60_000, events[..2].iter().map(|event| ended(event, 60_000)).collect());
        desk.step(62_000, Vec::new());
        let told = &desk.records[&outage.id];
        assert!(told.is_open() && told.message.starts_with("4 of 6 inputs are down"), "{}", told.message);
        desk.step(64_000, vec![ended(&events[2], 64_000)]);
        desk.step(65_000, vec![events[3].clone(), events[4].clone(), events[5].clone()]);
        assert!(!desk.records[&outage.id].is_open() && desk.records.len() == 1, "{:#?}", desk.records);
    }

    #[test]
    fn inputs_that_are_silenced_make_no_outage_any_more() {
        let (mut desk, events, outage) = outage();
        let quiet = events[..3].iter().map(|event| Event { state: EventState::Suppressed, ..event.clone() });
        desk.step(80_000, quiet.collect());
        // Three of the three that are left to run.
        assert!(desk.records[&outage.id].is_open());
        desk.step(90_000, vec![ended(&events[0], 90_000), ended(&events[1], 90_000), ended(&events[2], 90_000)]);
        assert_eq!(desk.records[&outage.id].ended_at, Some(wall(90_000)));
    }

    #[test]
    fn nobody_is_blind_for_inputs_that_flap_and_are_up_just_now() {
        let (mut desk, events, outage) = outage();
        desk.machine.probed(&refused());
        desk.step(1_000, Vec::new());
        assert_eq!(desk.records[&outage.id].kind, IncidentKind::Blind);
        let calm: BTreeSet<Arc<str>> = events[..5].iter().map(|event| event.id.as_str().into()).collect();
        desk.machine.heed_calm(&calm, &desk.table);
        desk.step(2_000, Vec::new());
        let told = desk.records[&outage.id].clone();
        assert!(!desk.machine.is_blind() && told.is_open());
        assert_eq!(told.kind, IncidentKind::Outage);
        assert!(told.message.starts_with("1 of 6 inputs is down, 5 come and go; "), "{}", told.message);
        desk.machine.probed(&refused());
        assert!(!desk.machine.is_blind(), "whatever fails meanwhile");
        desk.machine.heed_calm(&BTreeSet::new(), &desk.table);
        desk.step(4_000, Vec::new());
        assert!(desk.machine.is_blind());
        assert_eq!(desk.records[&outage.id].kind, IncidentKind::Blind, "they are down again");
    }

    #[test]
    fn what_an_outage_left_forms_no_group_after_a_restart() {
        let (mut desk, events, _) = outage();
        desk.step(60_000, events[..3].iter().map(|event| ended(event, 60_000)).collect());
        let mut again = Desk::new(table(&SIX));
        again.machine.recover(&[], &events[3..], &again.table, std::time::Instant::now());
        again.step(61_000, events[3..].to_vec());
        assert!(again.records.is_empty(), "{:#?}", again.records);
    }
}
