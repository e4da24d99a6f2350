//! What becomes an incident, in virtual time. Helpers here serve the property tests as well.

use std::time::SystemTime;

use super::*;
use crate::event::{EventEnd, SCHEMA};
use crate::incident::IncidentState;
use crate::probe_report::{ProbeFinding, ProbeOutcome, ProbeReport};
use crate::stream_table::{Origin, StreamFacts};
use crate::track::{SessionNumber, TrackId};

pub(super) fn wall(millis: u64) -> Wall {
    Wall(SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_000_000_000 + millis))
}

/// An open event of a stream that began then; its id says which it is.
pub(super) fn event(stream: &str, detector: &str, millis: u64) -> Event {
    let track = if detector == "silence" { TrackId::audio(0) } else { TrackId::video(0) };
    let key = EventKey { stream: stream.into(), track, detector: detector.into() };
    Event {
        schema: SCHEMA.to_owned(),
        id: format!("{stream}/{detector}"),
        change_id: String::new(),
        sequence: 0,
        fingerprint: key.fingerprint(None),
        stream: key.stream.clone(),
        program: None,
        rendition: None,
        track,
        detector: key.detector.clone(),
        severity: Severity::Major,
        max_severity: Severity::Major,
        state: EventState::Raised,
        end_reason: None,
        started_at: wall(millis),
        raised_at: wall(millis),
        changed_at: wall(millis),
        ended_at: None,
        start_s: 0.0,
        end_s: None,
        value: None,
        threshold: None,
        peak: None,
        unit: String::new(),
        message: String::new(),
        profile: String::new(),
        tier: None,
        coverage: None,
        labels: BTreeMap::new(),
        session: SessionNumber(1),
        node: "n".into(),
        incident_id: None,
        parent_id: None,
        suppressed_by: None,
        acked_by: None,
        acked_at: None,
        snoozed_until: None,
        comment: None,
        runbook_url: None,
        calm_s: Vec::new(),
        evidence: None,
        stored: None,
    }
}

pub(super) fn ended(event: &Event, millis: u64) -> Event {
    let (state, end_reason) = (EventState::Ended, Some(EventEnd::Cleared));
    Event { state, end_reason, ended_at: Some(wall(millis)), changed_at: wall(millis), ..event.clone() }
}

/// Streams `NAME@HOST`, all of site north.
pub(super) fn table(names: &[&str]) -> StreamTable {
    let facts = names.iter().map(|name| StreamFacts {
        stream: (*name).into(),
        origin: Origin::Network,
        host: name.split_once('@').map(|(_, host)| host.into()),
        labels: BTreeMap::from([("site".to_owned(), "north".to_owned())]),
    });
    StreamTable::new(facts, &["site".into()])
}

pub(super) struct Desk {
    pub(super) machine: Incidents,
    pub(super) table: StreamTable,
    begin: Instant,
    /// Newest record of each incident.
    pub(super) records: BTreeMap<String, Incident>,
    pub(super) told: Vec<Incident>,
    /// Which incident each open event is known to be in.
    pub(super) members: BTreeMap<String, String>,
}

impl Desk {
    pub(super) fn new(table: StreamTable) -> Self {
        let machine = Incidents::new(IncidentSettings::default(), "n".into());
        let (records, told, members) = Default::default();
        Self { machine, table, begin: Instant::now(), records, told, members }
    }

    pub(super) fn step(&mut self, millis: u64, mut events: Vec<Event>) -> Vec<Event> {
        let now = self.begin + Duration::from_millis(millis);
        let outcome = self.machine.step(&mut events, &self.table, now, wall(millis));
        for joined in &outcome.joined {
            self.members.insert(joined.event.to_string(), joined.incident.to_string());
        }
        for event in events.iter().filter(|event| !event.is_open()) {
            self.members.remove(&event.id);
        }
        for record in outcome.records {
            if !record.is_open() {
                // What an outage leaves behind is part of nothing.
                self.members.retain(|_, incident| *incident != record.id);
            }
            self.records.insert(record.id.clone(), record.clone());
            self.told.push(record);
        }
        events
    }

    fn open(&self) -> Vec<&Incident> {
        self.records.values().filter(|incident| incident.is_open()).collect()
    }

    #[track_caller]
    fn only_open(&self) -> &Incident {
        let open = self.open();
        assert_eq!(open.len(), 1, "{open:#?}");
        open[0]
    }
}

fn names(host: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("s{number:04}@{host}")).collect()
}

fn table_of(names: &[String]) -> StreamTable {
    table(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn three_streams_of_a_host_become_one_incident_and_the_next_ones_join_it() {
    let streams: Vec<String> = [names("a", 20), names("b", 80)].concat();
    let mut desk = Desk::new(table_of(&streams));
    desk.step(0, vec![event(&streams[0], "black", 0)]);
    desk.step(5_000, vec![event(&streams[1], "freeze", 5_000)]);
    assert!(desk.open().is_empty());
    let told = desk.step(9_000, vec![event(&streams[2], "input_down", 8_000)]);
    let incident = desk.only_open().clone();
    assert_eq!((incident.kind, incident.common["host"].as_str(), incident.events.len()), (IncidentKind::Group, "a", 3));
    assert_eq!(told[0].incident_id.as_ref(), Some(&incident.id));
    assert_eq!(incident.message, "host a: 3 of 20 streams fail, first input_down");
    assert_eq!(incident.started_at, wall(0));
    desk.step(200_000, vec![event(&streams[3], "silence", 199_000)]);
    assert_eq!(desk.members[&format!("{}/silence", streams[3])], incident.id);
    // Another host has nothing to do with it.
    desk.step(201_000, vec![event(&streams[30], "silence", 200_000)]);
    assert!(!desk.members.contains_key(&format!("{}/silence", streams[30])));
    assert_eq!(desk.only_open().streams.len(), 4);
}

#[test]
fn a_late_failure_does_not_join_a_straggler() {
    let streams = names("a", 20);
    let mut desk = Desk::new(table_of(&streams));
    desk.step(0, streams[..3].iter().map(|name| event(name, "black", 0)).collect());
    desk.step(700_000, vec![event(&streams[3], "black", 700_000)]);
    assert_eq!(desk.only_open().streams.len(), 3);
}

#[test]
fn an_incident_ends_with_its_last_event_and_says_how_long_it_lasted() {
    let streams = names("a", 20);
    let mut desk = Desk::new(table_of(&streams));
    let events: Vec<Event> = streams[..3].iter().map(|name| event(name, "black", 0)).collect();
    desk.step(0, events.clone());
    desk.step(30_000, vec![ended(&events[0], 30_000), ended(&events[1], 29_000)]);
    let open = desk.only_open().clone();
    assert_eq!((open.events_open, open.events_total), (1, 3));
    let last = desk.step(65_000, vec![ended(&events[2], 64_000)]);
    let record = &desk.records[&open.id];
    assert_eq!((record.state, record.ended_at, record.events_open), (IncidentState::Ended, Some(wall(64_000)), 0));
    assert_eq!(last[0].incident_id.as_ref(), Some(&open.id));
    assert_eq!(record.message, "host a: 3 of 20 streams failed, first black; over after 64 s");
}

#[test]
fn two_of_a_small_group_are_enough_and_one_of_any_is_not() {
    let streams = names("a", 3);
    let mut desk = Desk::new(table_of(&streams));
    desk.step(0, vec![event(&streams[0], "black", 0)]);
    assert!(desk.open().is_empty());
    desk.step(0, vec![event(&streams[1], "black", 0)]);
    assert_eq!(desk.only_open().streams.len(), 2);
}

#[test]
fn what_is_silenced_minor_or_far_apart_makes_no_incident() {
    let streams = names("a", 20);
    let mut desk = Desk::new(table_of(&streams));
    let quiet = streams[..5].iter().map(|name| Event { state: EventState::Suppressed, ..event(name, "black", 0) });
    let minor = streams[5..10].iter().map(|name| Event { severity: Severity::Info, ..event(name, "black", 0) });
    let apart = (10..20).map(|number| event(&streams[number], "black", number as u64 * 31_000));
    desk.step(400_000, quiet.chain(minor).chain(apart).collect());
    assert!(desk.told.is_empty(), "{:#?}", desk.told);
}

#[test]
fn faults_of_one_stream_meet_in_one_incident_which_ends_into_the_one_of_its_host() {
    let streams = names("a", 20);
    let mut desk = Desk::new(table_of(&streams));
    desk.step(0, vec![event(&streams[0], "black", 0), event(&streams[0], "silence", 4_000)]);
    let own = desk.only_open().clone();
    assert_eq!((own.kind, own.message.as_str()), (IncidentKind::Stream, "s0000@a: black, silence at the same time"));
    assert_eq!(own.causes, ["black", "silence"]);
    desk.step(10_000, streams[1..3].iter().map(|name| event(name, "black", 9_000)).collect());
    let group = desk.only_open().clone();
    assert_eq!((group.kind, group.events.len(), group.streams.len()), (IncidentKind::Group, 4, 3));
    let merged = &desk.records[&own.id];
    assert_eq!((merged.state, merged.merged_into.as_ref()), (IncidentState::Ended, Some(&group.id)));
    assert_eq!((merged.events_open, merged.events_total), (0, 0));
    assert!(desk.members.values().all(|incident| *incident == group.id));
}

#[test]
fn black_and_silence_at_once_are_one_incident_whichever_is_told_first_to_belong_to_the_other() {
    let streams = names("a", 20);
    let black = event(&streams[0], "black", 0);
    let weak = Event { severity: Severity::Info, ..event(&streams[0], "silence", 1_000) };
    let silence = Event { severity: Severity::Warning, ..weak.clone() };
    let of_black = |event: &Event| Event { parent_id: Some(black.id.clone()), ..event.clone() };
    // The silence is a warning before it belongs to the picture, at the same time, or after.
    let orders = [
        vec![black.clone(), weak.clone(), silence.clone(), of_black(&silence)],
        vec![black.clone(), weak.clone(), of_black(&silence)],
        vec![black.clone(), weak.clone(), of_black(&weak), of_black(&silence)],
        vec![weak, silence.clone(), of_black(&silence), black.clone()],
    ];
    for order in orders {
        let mut desk = Desk::new(table_of(&streams));
        for (second, event) in order.into_iter().enumerate() {
            desk.step(11_000 + second as u64 * 1_500, vec![event]);
        }
        let incident = desk.only_open();
        assert_eq!((incident.kind, incident.events_open), (IncidentKind::Stream, 2));
        assert_eq!(incident.message, "s0000@a: black, silence at the same time");
    }
}

#[test]
fn what_another_event_explains_goes_where_that_one_goes() {
    let streams = names("a", 20);
    let mut desk = Desk::new(table_of(&streams));
    let parent = event(&streams[0], "input_down", 0);
    let state = EventState::Suppressed;
    let child = Event { parent_id: Some(parent.id.clone()), state, ..event(&streams[0], "black", 1_000) };
    desk.step(1_000, vec![child.clone(), parent]);
    assert!(desk.open().is_empty(), "one cause is no incident");
    desk.step(2_000, streams[1..3].iter().map(|name| event(name, "input_down", 2_000)).collect());
    let incident = desk.only_open();
    assert_eq!(desk.members[&child.id], incident.id);
    assert_eq!(
        incident.causes,
        ["host a: 3 of 20 streams", "input_down on s0000@a, s0001@a, s0002@a", "black suppressed"]
    );
}

#[test]
fn what_a_log_says_of_an_input_that_is_down_is_one_incident_with_it_though_its_window_began_long_before() {
    for (log, down) in [(0, 90_000), (90_000, 0), (0, 600_000)] {
        let mut desk = Desk::new(table(&["s@a"]));
        let mut events = [event("s@a", "log_http_errors", log), event("s@a", "input_down", down)];
        events.sort_by_key(|event| event.started_at);
        for event in &events {
            desk.step(log.max(down) + 1_000, vec![event.clone()]);
        }
        let incident = desk.only_open();
        assert_eq!((incident.kind, incident.events_open), (IncidentKind::Stream, 2));
        assert_eq!(incident.started_at, wall(0));
    }
    let mut desk = Desk::new(table(&["s@a"]));
    desk.step(0, vec![event("s@a", "log_http_errors", 0)]);
    desk.step(601_000, vec![event("s@a", "input_down", 601_000)]);
    assert!(desk.open().is_empty(), "they began too far apart");
    desk.step(602_000, vec![event("s@a", "log_errors", 602_000)]);
    assert_eq!(desk.only_open().events_open, 2, "the old one stays apart");
}

#[test]
fn what_a_log_says_goes_where_the_input_goes_that_is_down() {
    let streams = names("a", 20);
    let mut desk = Desk::new(table_of(&streams));
    let log = event(&streams[0], "log_errors", 100_000);
    desk.step(101_000, vec![log.clone()]);
    desk.step(220_000, streams[..3].iter().map(|name| event(name, "input_down", 220_000)).collect());
    assert_eq!(desk.only_open().kind, IncidentKind::Group);
    assert_eq!(desk.members[&log.id], desk.only_open().id);
    let late = event(&streams[1], "log_errors", 50_000);
    desk.step(250_000, vec![late.clone(), event(&streams[2], "black", 10_000)]);
    assert_eq!(desk.members[&late.id], desk.only_open().id);
    assert_eq!(desk.only_open().events_open, 5, "nothing else that began so long before");
}

#[test]
fn what_matters_too_little_is_no_part_of_an_incident_however_it_is_explained() {
    let streams = names("a", 20);
    let mut desk = Desk::new(table_of(&streams));
    desk.step(0, streams[..3].iter().map(|name| event(name, "input_down", 0)).collect());
    let parent = desk.only_open().events[0].clone();
    let child = Event {
        parent_id: Some(parent),
        state: EventState::Suppressed,
        severity: Severity::Info,
        ..event(&streams[0], "timestamp", 1_000)
    };
    desk.step(1_000, vec![child]);
    assert_eq!(desk.only_open().events.len(), 3);
}

#[test]
fn a_host_explains_before_a_label_does() {
    let streams: Vec<String> = [names("a", 3), names("b", 3)].concat();
    let mut desk = Desk::new(table_of(&streams));
    desk.step(0, streams.iter().map(|name| event(name, "black", 0)).collect());
    let mut commons: Vec<String> = desk.open().iter().map(|one| one.common["host"].clone()).collect();
    commons.sort();
    assert_eq!(commons, ["a", "b"]);
}

fn outage(desk: &mut Desk, streams: &[String]) -> Incident {
    desk.step(0, streams.iter().map(|name| event(name, "input_down", 0)).collect());
    desk.only_open().clone()
}

fn report(outcome: ProbeOutcome, text: &str) -> ProbeReport {
    let fine = ProbeFinding { outcome: ProbeOutcome::Fine, text: "link eth0 is up".to_owned() };
    ProbeReport { findings: vec![fine, ProbeFinding { outcome, text: text.to_owned() }] }
}

#[test]
fn most_inputs_down_at_once_are_one_critical_outage_into_which_groups_end() {
    let streams: Vec<String> = [names("a", 10), names("b", 10), names("c", 20)].concat();
    let mut desk = Desk::new(table_of(&streams));
    desk.step(0, streams[..10].iter().map(|name| event(name, "input_down", 0)).collect());
    let first = desk.only_open().clone();
    assert_eq!(first.kind, IncidentKind::Group);
    desk.step(2_000, streams[10..20].iter().map(|name| event(name, "input_down", 2_000)).collect());
    desk.step(4_000, vec![event(&streams[20], "input_down", 4_000)]);
    let outage = desk.only_open();
    assert_eq!((outage.kind, outage.severity), (IncidentKind::Outage, Severity::Critical));
    assert_eq!((&outage.id, outage.streams.len()), (&first.id, 21));
    assert!(outage.message.starts_with("21 of 40 inputs are down"), "{}", outage.message);
    assert!(desk.members.values().all(|incident| *incident == first.id));
}

#[test]
fn half_of_the_inputs_or_three_of_five_are_no_outage() {
    for (all, down) in [(8, 4), (5, 3)] {
        let streams: Vec<String> = (0..all).map(|number| format!("s@h{number}")).collect();
        let mut desk = Desk::new(table_of(&streams));
        desk.step(0, streams[..down].iter().map(|name| event(name, "input_down", 0)).collect());
        assert!(desk.open().iter().all(|incident| incident.kind == IncidentKind::Group), "{all} {down}");
    }
}

#[test]
fn inputs_that_were_down_long_before_do_not_hide_an_outage() {
    let streams: Vec<String> = (0..10).map(|number| format!("s@h{number}")).collect();
    let mut desk = Desk::new(table_of(&streams));
    for (number, name) in streams[..4].iter().enumerate() {
        desk.step(number as u64 * 40_000, vec![event(name, "input_down", number as u64 * 40_000)]);
    }
    desk.step(400_000, streams[4..8].iter().map(|name| event(name, "input_down", 400_000)).collect());
    assert!(desk.only_open().message.starts_with("4 of 6 inputs are down"), "{}", desk.only_open().message);
}

#[test]
fn an_outage_is_blind_only_when_a_probe_fails_and_names_it() {
    let streams = names("a", 6);
    let mut desk = Desk::new(table_of(&streams));
    outage(&mut desk, &streams);
    let now = desk.begin;
    assert!(desk.machine.wants_probes(now) && !desk.machine.wants_probes(now + Duration::from_secs(9)));
    desk.machine.probed(&report(ProbeOutcome::Unknown, "no default gateway"));
    desk.step(100, Vec::new());
    let told = desk.only_open();
    assert_eq!((told.kind, desk.machine.is_blind()), (IncidentKind::Outage, false));
    assert_eq!(told.message, "6 of 6 inputs are down; the monitor's own network is fine (link eth0 is up)");
    assert!(desk.machine.wants_probes(now + Duration::from_secs(10)));
    desk.machine.probed(&report(ProbeOutcome::Failing, "DNS: no answer in 3 s"));
    desk.step(200, Vec::new());
    let told = desk.only_open();
    assert_eq!((told.kind, desk.machine.is_blind()), (IncidentKind::Blind, true));
    assert_eq!(told.message, "6 of 6 inputs are down; DNS: no answer in 3 s");
    assert!(told.evidence.iter().any(|line| line == "DNS: no answer in 3 s"));
    desk.machine.probed(&report(ProbeOutcome::Fine, "DNS answers"));
    desk.step(300, Vec::new());
    assert!(!desk.machine.is_blind(), "it sees again");
    let told = desk.only_open();
    assert_eq!((told.kind, told.severity), (IncidentKind::Outage, Severity::Critical));
    assert_eq!(
        told.message,
        "6 of 6 inputs are down; the monitor's own network is fine again (link eth0 is up; DNS answers)"
    );
    assert!(told.evidence.iter().any(|line| line == "DNS: no answer in 3 s"), "what failed stays in the record");
}

#[test]
fn a_thousand_streams_that_fail_within_five_seconds_are_one_incident_and_few_records() {
    let streams = names("origin.example", 1_000);
    let mut desk = Desk::new(table_of(&streams));
    for (number, name) in streams.iter().enumerate() {
        let millis = number as u64 * 5;
        desk.step(millis, vec![event(name, "input_down", millis)]);
    }
    for millis in (5_000..8_000).step_by(500) {
        desk.step(millis, Vec::new());
    }
    let incident = desk.only_open().clone();
    assert_eq!((incident.events_open, incident.streams.len()), (1_000, 1_000));
    assert_eq!(desk.records.len(), 1, "one incident, from its begin");
    assert!(desk.told.len() <= 9, "{} records", desk.told.len());
    for name in &streams {
        desk.step(9_000, vec![ended(&event(name, "input_down", 0), 9_000)]);
    }
    assert!(desk.open().is_empty());
    assert!(desk.told.len() <= 12, "{} records", desk.told.len());
}

#[test]
fn an_incident_goes_on_after_a_restart_under_its_id_and_ends_as_it_would_have() {
    let streams = names("a", 20);
    let mut desk = Desk::new(table_of(&streams));
    let mut events = desk.step(0, streams[..3].iter().map(|name| event(name, "black", 0)).collect());
    let before = desk.only_open().clone();
    let mut again = Desk::new(table_of(&streams));
    let now = again.begin;
    again.machine.recover(std::slice::from_ref(&before), &events, &again.table, now);
    again.step(1_000, Vec::new());
    events.push(again.step(30_000, vec![event(&streams[3], "black", 30_000)]).remove(0));
    assert_eq!(events[3].incident_id.as_ref(), Some(&before.id));
    again.step(60_000, events.iter().map(|event| ended(event, 60_000)).collect());
    let record = &again.records[&before.id];
    assert_eq!((record.state, record.events.len(), record.streams.len()), (IncidentState::Ended, 4, 4));
}

#[test]
fn an_incident_whose_events_ended_unseen_ends_with_the_restart() {
    let streams = names("a", 20);
    let mut desk = Desk::new(table_of(&streams));
    desk.step(0, streams[..3].iter().map(|name| event(name, "black", 0)).collect());
    let before = desk.only_open().clone();
    let mut again = Desk::new(table_of(&streams));
    let now = again.begin;
    again.machine.recover(std::slice::from_ref(&before), &[], &again.table, now);
    again.step(1_000, Vec::new());
    assert_eq!(again.records[&before.id].state, IncidentState::Ended);
}
