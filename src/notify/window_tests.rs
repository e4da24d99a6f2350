//! What happens within one gather window: from the store's commit to what receivers hear of it.

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use avwatch_actors::event::{Event, EventState};
use avwatch_actors::incident::{Incident, IncidentState};
use avwatch_actors::record::Record;
use avwatch_actors::severity::Severity;
use avwatch_actors::sink::EventStore;

use super::channel::{Channel, Content, Message};
use super::pagerduty::PagerDutyChannel;
use super::plan::{Audience, PagerDutyPlan};
use super::router::{Route, Router};
use super::testing::{Reply, Scripted};
use super::{Changes, Turn, samples, words};
use crate::config::Secret;
use crate::sinks::samples::{event, wall};
use crate::sinks::store::{Outbox, Retention, Store};

/// A store with one receiver, `pager`, which hears of what is major.
struct Bench {
    store: Store,
    outbox: Outbox,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::with(false)
    }

    /// Of a receiver that hears when something is held back.
    fn with(withdraws: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let audience = Audience {
            from: Severity::Major,
            streams: Vec::new(),
            detectors: Vec::new(),
            labels: Default::default(),
            recovery: true,
        };
        let route = Route { name: "pager".into(), audience, board: Arc::default(), bell: None, withdraws };
        let router = Arc::new(ArcSwap::from_pointee(Router { routes: vec![route] }));
        let store = Store::open(folder.path(), Retention::default()).unwrap().with_router(router);
        Self { store, outbox: Outbox::new(folder.path()), _folder: folder }
    }

    fn commit(&mut self, record: Record) {
        self.store.commit(&[record]).unwrap();
    }

    /// Whether something waits that must not wait for the interval.
    fn is_urgent(&mut self) -> bool {
        self.outbox.backlog("pager", SystemTime::now()).unwrap().waiting.news.is_some()
    }

    /// What waits, as one message that is taken.
    fn take(&mut self) -> Option<Message> {
        let formed = self.outbox.next("pager", Turn::Front, SystemTime::now()).unwrap()?;
        self.outbox.taken("pager", &formed.id).unwrap();
        Some(message(formed.records))
    }
}

fn message(changes: Changes) -> Message {
    Message { content: Content::Changes(changes), ..samples::message(Vec::new()) }
}

fn changed(sequence: u64, state: EventState, severity: Severity, max_severity: Severity) -> Record {
    let change = event("e", "lobby", "black", sequence, state);
    let ended_at = (state == EventState::Ended).then(|| wall(8));
    let started_at = wall(0);
    Record::Event(Arc::new(Event { severity, max_severity, started_at, ended_at, ..change }))
}

fn incident(change: &str, state: IncidentState, severity: Severity) -> Record {
    let Record::Incident(sample) = samples::incident("one", 6, state == IncidentState::Open) else { unreachable!() };
    Record::Incident(Arc::new(Incident { change_id: change.to_owned(), severity, ..(*sample).clone() }))
}

/// Action and key of each call that PagerDuty gets.
fn paged(messages: &[Message]) -> Vec<(String, String)> {
    let server = Scripted::start(|_| Reply::status(202).body("{}"));
    let url = server.url("/v2/enqueue").parse().unwrap();
    let plan = PagerDutyPlan { routing_key: Secret::for_tests("R0UT1NG"), url, tls_ca: None };
    let mut channel = PagerDutyChannel::new(&plan, &Arc::default());
    messages.iter().for_each(|message| channel.send(message).unwrap());
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let calls = server.requests().into_iter().map(|request| request.json());
    calls.map(|call| (text(&call["event_action"]), text(&call["dedup_key"]))).collect()
}

fn calls(key: &str, actions: &[&str]) -> Vec<(String, String)> {
    actions.iter().map(|action| ((*action).to_owned(), key.to_owned())).collect()
}

use EventState::{Acked, Ended, Escalated, Raised, Suppressed};
use Severity::{Critical, Info};

#[test]
fn a_critical_alarm_that_began_as_info_and_ended_within_one_window_is_paged_and_told_as_critical() {
    let mut bench = Bench::new();
    bench.commit(changed(1, Raised, Info, Info));
    bench.commit(changed(2, Escalated, Critical, Critical));
    bench.commit(changed(3, Ended, Critical, Critical));
    let message = bench.take().unwrap();
    let head = words::head(&message);
    assert!(head.starts_with("came and went: CRITICAL lobby video:0 black for 8.0 s"), "{head}");
    let key = event("e", "lobby", "black", 1, Raised).fingerprint;
    let mut made = paged(&[message]);
    made.truncate(2);
    assert_eq!(made, calls(&key, &["trigger", "resolve"]));
}

#[test]
fn an_alarm_that_was_taken_as_info_and_got_critical_is_paged_though_it_ended_within_one_window() {
    let mut bench = Bench::new();
    bench.commit(changed(1, Raised, Info, Info));
    bench.commit(changed(2, Acked, Info, Info));
    assert_eq!(bench.take(), None);
    bench.commit(changed(3, Escalated, Critical, Critical));
    bench.commit(changed(4, Ended, Critical, Critical));
    let key = event("e", "lobby", "black", 1, Raised).fingerprint;
    let made = paged(&[bench.take().unwrap()]);
    assert_eq!(made[..2], calls(&key, &["trigger", "resolve"]));
}

#[test]
fn a_critical_incident_that_came_and_went_within_one_window_is_paged_and_told_as_critical() {
    let mut bench = Bench::new();
    bench.commit(incident("c-1", IncidentState::Open, Info));
    bench.commit(incident("c-2", IncidentState::Open, Critical));
    bench.commit(incident("c-3", IncidentState::Ended, Critical));
    let message = bench.take().unwrap();
    let head = words::head(&message);
    assert!(head.starts_with("came and went: CRITICAL incident for 42 s: "), "{head}");
    assert_eq!(paged(&[message]), calls("one", &["trigger", "resolve"]));
}

#[test]
fn what_was_told_before_is_told_as_over_and_not_again_as_new() {
    let mut bench = Bench::new();
    bench.commit(changed(1, Raised, Severity::Major, Severity::Major));
    let first = bench.take().unwrap();
    bench.commit(changed(2, Escalated, Critical, Critical));
    bench.commit(changed(3, Ended, Critical, Critical));
    let second = bench.take().unwrap();
    assert!(words::head(&second).starts_with("over: "), "{}", words::head(&second));
    let key = event("e", "lobby", "black", 1, Raised).fingerprint;
    assert_eq!(paged(&[first, second])[..2], calls(&key, &["trigger", "resolve"]));
}

#[test]
fn what_stayed_below_what_a_receiver_hears_of_is_never_resolved_there() {
    let mut bench = Bench::new();
    bench.commit(changed(1, Raised, Info, Info));
    bench.commit(changed(2, Ended, Info, Info));
    bench.commit(incident("c-1", IncidentState::Open, Info));
    bench.commit(incident("c-2", IncidentState::Ended, Info));
    assert_eq!(bench.take(), None);
}

fn silenced(sequence: u64) -> Record {
    let Record::Event(event) = changed(sequence, Suppressed, Critical, Critical) else { unreachable!() };
    Record::Event(Arc::new(Event { suppressed_by: Some("silence:1".to_owned()), ..(*event).clone() }))
}

/// Sequence numbers of what a message says.
fn sequences(message: Option<Message>) -> Vec<u64> {
    let Some(Message { content: Content::Changes(changes), .. }) = message else { return Vec::new() };
    changes.iter().filter_map(Record::event).map(|event| event.sequence).collect()
}

#[test]
fn an_alarm_that_is_silenced_by_the_time_of_sending_pages_nobody_until_the_silence_ends() {
    let mut bench = Bench::new();
    bench.commit(changed(1, Raised, Critical, Critical));
    bench.commit(silenced(2));
    assert_eq!(bench.take(), None);
    bench.commit(changed(3, Raised, Critical, Critical));
    assert_eq!(sequences(bench.take()), [3], "it still holds after the silence");
    bench.commit(silenced(4));
    assert_eq!(bench.take(), None);
    bench.commit(changed(5, Ended, Critical, Critical));
    assert_eq!(sequences(bench.take()), [5], "what was told is brought to its end");
}

#[test]
fn a_rise_that_is_silenced_by_the_time_of_sending_is_told_when_the_silence_ends() {
    let mut bench = Bench::new();
    bench.commit(changed(1, Raised, Severity::Major, Severity::Major));
    assert_eq!(sequences(bench.take()), [1]);
    bench.commit(changed(2, Escalated, Critical, Critical));
    bench.commit(silenced(3));
    assert_eq!(bench.take(), None);
    bench.commit(changed(4, Escalated, Critical, Critical));
    assert_eq!(sequences(bench.take()), [4]);
}

#[test]
fn an_alert_whose_event_is_suppressed_resolves_and_fires_again_when_it_still_holds() {
    let mut bench = Bench::with(true);
    bench.commit(changed(1, Raised, Critical, Critical));
    assert_eq!(sequences(bench.take()), [1]);
    bench.commit(silenced(2));
    let Content::Changes(changes) = bench.take().unwrap().content else { unreachable!() };
    assert_eq!(changes[0].event().unwrap().state, Suppressed);
    bench.commit(changed(3, Ended, Critical, Critical));
    assert_eq!(bench.take(), None, "it is resolved already");
    bench.commit(changed(4, Raised, Critical, Critical));
    bench.commit(silenced(5));
    assert_eq!(bench.take(), None, "what never fired needs no end");
    bench.commit(changed(6, Raised, Critical, Critical));
    assert_eq!(sequences(bench.take()), [6]);
}

#[test]
fn an_alarm_that_was_silenced_and_is_over_by_the_time_of_sending_is_not_told_as_come_and_gone() {
    let mut bench = Bench::new();
    bench.commit(changed(1, Raised, Critical, Critical));
    bench.commit(silenced(2));
    let Record::Event(ended) = changed(3, Ended, Critical, Critical) else { unreachable!() };
    bench.commit(Record::Event(Arc::new(Event { suppressed_by: Some("silence:1".to_owned()), ..(*ended).clone() })));
    assert_eq!(bench.take(), None);
}

/// A change of the alarm of one of several streams.
fn of_stream(stream: &str, sequence: u64, state: EventState, suppressed_by: Option<&str>) -> Record {
    let suppressed_by = suppressed_by.map(str::to_owned);
    let ended_at = (state == Ended).then(|| wall(8));
    let change = event(&format!("0193-{stream}-black"), stream, "black", sequence, state);
    let severity = Critical;
    Record::Event(Arc::new(Event {
        incident_id: Some("one".to_owned()),
        severity,
        max_severity: severity,
        suppressed_by,
        ended_at,
        ..change
    }))
}

/// The incident of streams `s0` and `s1`.
fn of_two(change: &str, state: IncidentState) -> Record {
    let Record::Incident(sample) = samples::incident("one", 2, state == IncidentState::Open) else { unreachable!() };
    Record::Incident(Arc::new(Incident { change_id: change.to_owned(), ..(*sample).clone() }))
}

#[test]
fn an_incident_that_was_gathered_and_then_wholly_silenced_pages_nobody() {
    let mut bench = Bench::new();
    bench.commit(of_stream("s0", 1, Raised, None));
    bench.commit(of_stream("s1", 2, Raised, None));
    bench.commit(of_two("c-1", IncidentState::Open));
    bench.commit(of_stream("s0", 3, Suppressed, Some("silence:1")));
    bench.commit(of_stream("s1", 4, Suppressed, Some("maintenance:2")));
    assert_eq!(bench.take(), None);
    bench.commit(of_two("c-2", IncidentState::Ended));
    assert_eq!(bench.take(), None, "nobody was told of it");
}

#[test]
fn an_incident_of_which_one_alarm_is_not_silenced_is_told() {
    let mut bench = Bench::new();
    bench.commit(of_stream("s0", 1, Raised, None));
    bench.commit(of_stream("s1", 2, Raised, None));
    bench.commit(of_two("c-1", IncidentState::Open));
    bench.commit(of_stream("s0", 3, Suppressed, Some("silence:1")));
    assert_eq!(paged(&[bench.take().unwrap()]), calls("one", &["trigger"]));
}

/// The outage is over, and one of its streams is not.
fn after_the_outage(bench: &mut Bench, of_last: Record) -> Vec<(String, String)> {
    bench.commit(of_stream("s0", 1, Raised, None));
    bench.commit(of_stream("s1", 2, Raised, None));
    bench.commit(of_two("c-1", IncidentState::Open));
    let mut messages = vec![bench.take().unwrap()];
    bench.commit(of_last);
    bench.commit(of_stream("s0", 5, Ended, None));
    bench.commit(of_two("c-2", IncidentState::Ended));
    messages.push(bench.take().unwrap());
    bench.commit(of_stream("s1", 9, Ended, None));
    messages.extend(bench.take());
    paged(&messages)
}

#[test]
fn what_is_still_wrong_when_its_outage_is_over_is_paged_once() {
    let made = after_the_outage(&mut Bench::new(), of_stream("s1", 3, Escalated, None));
    let key = event("e", "s1", "black", 1, Raised).fingerprint;
    let mut wanted = calls("one", &["trigger", "resolve"]);
    wanted.extend(calls(&key, &["trigger", "resolve"]));
    assert_eq!(made.into_iter().filter(|(_, key)| key != "avwatch:noc:more").collect::<Vec<_>>(), wanted);
}

#[test]
fn what_somebody_took_or_silenced_is_not_paged_when_its_outage_is_over() {
    for last in [of_stream("s1", 3, Acked, None), of_stream("s1", 3, Suppressed, Some("silence:1"))] {
        let made = after_the_outage(&mut Bench::new(), last);
        assert!(!made.iter().any(|(action, key)| action == "trigger" && key != "one"), "{made:?}");
    }
}

/// The alarm, told and then put off until it comes back; what is told then is as urgent as something new.
fn put_off_and_back(by: Record) -> Vec<u64> {
    let mut bench = Bench::new();
    bench.commit(changed(1, Raised, Critical, Critical));
    assert_eq!(sequences(bench.take()), [1]);
    bench.commit(by);
    assert_eq!(bench.take(), None);
    bench.commit(changed(3, Raised, Critical, Critical));
    let is_urgent = bench.is_urgent();
    let back = sequences(bench.take());
    assert_eq!(is_urgent, !back.is_empty());
    bench.commit(changed(4, Raised, Critical, Critical));
    assert_eq!(bench.take(), None, "a change of something else, such as a remark");
    back
}

fn taken(until: Option<u64>) -> Record {
    let Record::Event(event) = changed(2, Acked, Critical, Critical) else { unreachable!() };
    Record::Event(Arc::new(Event { snoozed_until: until.map(wall), ..(*event).clone() }))
}

fn explained() -> Record {
    let Record::Event(event) = silenced(2) else { unreachable!() };
    Record::Event(Arc::new(Event { suppressed_by: Some("event:0193".to_owned()), ..(*event).clone() }))
}

#[test]
fn an_alarm_that_still_holds_when_its_snooze_or_silence_ends_is_told_again() {
    assert_eq!(put_off_and_back(taken(Some(1))), [3]);
    assert_eq!(put_off_and_back(silenced(2)), [3]);
}

#[test]
fn an_alarm_that_got_worse_or_ended_is_not_as_urgent_as_one_that_is_back() {
    let mut bench = Bench::new();
    bench.commit(changed(1, Raised, Severity::Major, Severity::Major));
    assert!(bench.is_urgent());
    assert_eq!(sequences(bench.take()), [1]);
    bench.commit(changed(2, Escalated, Critical, Critical));
    assert!(!bench.is_urgent());
    bench.commit(changed(3, Ended, Critical, Critical));
    assert!(!bench.is_urgent());
}

#[test]
fn an_alarm_that_was_explained_for_a_while_or_that_a_person_gave_back_is_not_told_twice() {
    assert_eq!(put_off_and_back(explained()), [] as [u64; 0]);
    assert_eq!(put_off_and_back(taken(Some(100_000))), [] as [u64; 0]);
    assert_eq!(put_off_and_back(taken(None)), [] as [u64; 0]);
}
