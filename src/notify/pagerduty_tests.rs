//! What PagerDuty is told, against the shapes of its published reference.

use std::time::Duration;

use avwatch_actors::event::Wall;

use super::*;
use crate::notify::samples::{ended, escalated, event, incident, message, raised, test, unwatched};
use crate::notify::testing::{Reply, Scripted};

fn channel(server: &Scripted) -> PagerDutyChannel {
    let url = server.url("/v2/enqueue").parse().unwrap();
    let plan = PagerDutyPlan { routing_key: Secret::for_tests("R0UT1NG"), url, tls_ca: None };
    PagerDutyChannel::new(&plan, &Arc::default())
}

fn server() -> Scripted {
    Scripted::start(|_| Reply::status(202).body(r#"{"status":"success"}"#))
}

/// Action and key of every call so far.
fn calls(server: &Scripted) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let requests = server.requests();
    requests.iter().map(|request| (text(&request.json()["event_action"]), text(&request.json()["dedup_key"]))).collect()
}

fn of_storm(count: usize, id: &str) -> Vec<Record> {
    let member = |index: usize| {
        let sample = event(&format!("s{index}"), "black");
        Record::Event(Arc::new(Event { incident_id: Some(id.to_owned()), ..sample }))
    };
    (0..count).map(member).collect()
}

fn count(server: &Scripted, action: &str) -> usize {
    calls(server).iter().filter(|(known, _)| known == action).count()
}

#[test]
fn an_event_triggers_and_resolves_under_its_fingerprint() {
    let server = server();
    let mut channel = channel(&server);
    channel.send(&message(vec![raised("lobby", "black")])).unwrap();
    let call = server.requests()[0].json();
    let sample = event("lobby", "black");
    assert_eq!(server.requests()[0].path, "/v2/enqueue");
    assert_eq!(call["routing_key"], "R0UT1NG");
    assert_eq!(call["dedup_key"], sample.fingerprint);
    let payload = &call["payload"];
    assert_eq!(payload["summary"], "CRITICAL lobby video:0 black: picture black for 30 s");
    let fixed = ["source", "severity", "component", "class"].map(|name| payload[name].as_str().unwrap());
    assert_eq!(fixed, ["lobby", "critical", "video:0", "black"]);
    assert_eq!(payload["custom_details"]["event_id"], sample.id);
    assert_eq!((&call["client"], &call["client_url"]), (&json!("avwatch"), &json!("https://monitor.example/")));
    assert_eq!(
        call["links"],
        json!([{"href": "https://monitor.example/?view=event&id=0193-lobby-black", "text": "Event"},
               {"href": "https://wiki.example/black", "text": "Runbook"}])
    );
    channel.send(&message(vec![ended("lobby", "black")])).unwrap();
    let resolve = &server.requests()[1].json();
    assert_eq!(*resolve, json!({"event_action": "resolve", "dedup_key": sample.fingerprint, "routing_key": "R0UT1NG"}));
}

#[test]
fn severities_are_told_in_pagerdutys_four_words() {
    let words = Severity::ALL.map(severity);
    assert_eq!(words, ["info", "warning", "warning", "error", "critical"]);
}

#[test]
fn a_storm_with_an_incident_is_one_alert_that_lists_all_and_resolves() {
    let server = server();
    let mut channel = channel(&server);
    let mut records = of_storm(1_000, "one");
    records.push(incident("one", 1_000, true));
    channel.send(&message(records)).unwrap();
    assert_eq!(calls(&server), [("trigger".to_owned(), "one".to_owned())]);
    let details = server.requests()[0].json()["payload"]["custom_details"].clone();
    assert_eq!(details["events"].as_str().unwrap().split(", ").count(), 1_000);
    let mut ends: Vec<Record> = (0..1_000).map(|index| ended(&format!("s{index}"), "black")).collect();
    ends.push(incident("one", 1_000, false));
    channel.send(&message(ends)).unwrap();
    let after = calls(&server).split_off(1);
    let rest = ("resolve".to_owned(), "avwatch:noc:more".to_owned());
    assert_eq!(after, [("resolve".to_owned(), "one".to_owned()), rest], "no call for each of them");
}

#[test]
fn the_largest_incident_stays_below_what_pagerduty_takes() {
    let server = server();
    let Record::Incident(sample) = incident("one", 10_000, true) else { unreachable!() };
    let long = |index: usize| format!("01939e2a-7b1c-7d4e-8f00-{index:012}");
    let streams = (0..10_000).map(|index| Arc::from(format!("{index:0100}"))).collect();
    let sample = Incident { events: (0..10_000).map(long).collect(), streams, ..(*sample).clone() };
    channel(&server).send(&message(vec![Record::Incident(Arc::new(sample))])).unwrap();
    let body = &server.requests()[0].body;
    assert!(body.len() < 512 * 1024, "{}", body.len());
    let events = server.requests()[0].json()["payload"]["custom_details"]["events"].as_str().unwrap().to_owned();
    assert_eq!(events.split(", ").count(), 10_000, "all of them are listed");
}

#[test]
fn a_storm_without_an_incident_triggers_four_alerts_and_one_for_the_rest() {
    let server = server();
    let mut channel = channel(&server);
    let records: Vec<Record> = (0..50).map(|index| raised(&format!("s{index}"), "black")).collect();
    channel.send(&message(records)).unwrap();
    assert_eq!(count(&server, "trigger"), TRIGGERS_MAX + 1);
    let rest = server.requests()[TRIGGERS_MAX].json();
    assert_eq!(rest["dedup_key"], "avwatch:noc:more");
    assert_eq!(rest["payload"]["custom_details"]["changes"].as_array().unwrap().len(), 46);
    let ends: Vec<Record> = (0..49).map(|index| ended(&format!("s{index}"), "black")).collect();
    channel.send(&message(ends)).unwrap();
    assert_eq!(count(&server, "resolve"), TRIGGERS_MAX, "one of the rest is still open");
    channel.send(&message(vec![ended("s49", "black")])).unwrap();
    assert_eq!(calls(&server).last().unwrap(), &("resolve".to_owned(), "avwatch:noc:more".to_owned()));
    let triggered: HashSet<String> = keys(&server, "trigger");
    assert_eq!(triggered, keys(&server, "resolve"), "all that was triggered is resolved, and nothing else");
}

#[test]
fn the_alert_of_the_rest_names_every_event_of_the_largest_message() {
    let server = server();
    let sample = |index: usize| {
        let long = event(&format!("{index:0128}"), "block_corruption");
        let id = format!("01939e2a-7b1c-7d4e-8f00-{index:012}");
        Record::Event(Arc::new(Event { id, message: "m".repeat(400), ..long }))
    };
    channel(&server).send(&message((0..2_000).map(sample).collect())).unwrap();
    let rest = server.requests().pop().unwrap();
    assert!(rest.body.len() < 512_000, "{}", rest.body.len());
    let details = rest.json()["payload"]["custom_details"].clone();
    assert_eq!(details["events"].as_str().unwrap().split(", ").count(), 2_000 - TRIGGERS_MAX);
    let changes = details["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 2_000 - TRIGGERS_MAX);
    let last = changes.last().unwrap().as_str().unwrap();
    assert!(last.starts_with("CRITICAL block_corruption 0") && last.ends_with("-000000001999"), "{last}");
}

fn keys(server: &Scripted, action: &str) -> HashSet<String> {
    calls(server).into_iter().filter(|(known, _)| known == action).map(|(_, key)| key).collect()
}

#[test]
fn the_gravest_events_have_alerts_of_their_own() {
    let server = server();
    let mut records: Vec<Record> = (0..15)
        .map(|index| {
            let sample = event(&format!("s{index}"), "black");
            Record::Event(Arc::new(Event { severity: Severity::Warning, ..sample }))
        })
        .collect();
    records.push(raised("grave", "black"));
    channel(&server).send(&message(records)).unwrap();
    assert_eq!(calls(&server)[0], ("trigger".to_owned(), event("grave", "black").fingerprint));
}

#[test]
fn what_rises_outside_an_incident_gets_an_alert_of_its_own() {
    let server = server();
    let mut channel = channel(&server);
    let mut records = of_storm(3, "one");
    records.push(incident("one", 3, true));
    channel.send(&message(records)).unwrap();
    channel.send(&message(vec![escalated("s1", "black")])).unwrap();
    channel.send(&message(vec![ended("s1", "black")])).unwrap();
    let key = event("s1", "black").fingerprint;
    let wanted = [("trigger", "one"), ("trigger", &key), ("resolve", &key), ("resolve", "avwatch:noc:more")];
    assert_eq!(calls(&server), wanted.map(|(action, key)| (action.to_owned(), key.to_owned())));
}

#[test]
fn a_message_that_failed_half_way_goes_on_where_it_was() {
    let server = Scripted::start(|before| match before {
        2 => Reply::status(429).header("retry-after", "7"),
        _ => Reply::status(202).body("{}"),
    });
    let mut channel = channel(&server);
    let message = message((0..5).map(|index| raised(&format!("s{index}"), "black")).collect());
    let failure = channel.send(&message).unwrap_err();
    assert!(matches!(failure, SendFailure::Later { after: Some(after), .. } if after.as_secs() == 7), "{failure:?}");
    channel.send(&message).unwrap();
    assert_eq!(server.requests().len(), 6, "five calls and the one that failed");
    assert_eq!(keys(&server, "trigger").len(), 5);
}

#[test]
fn one_call_that_is_refused_does_not_keep_the_others() {
    let server = Scripted::start(|before| Reply::status(if before == 0 { 400 } else { 202 }).body("{}"));
    let records = (0..3).map(|index| raised(&format!("s{index}"), "black")).collect();
    let failure = channel(&server).send(&message(records)).unwrap_err();
    assert!(matches!(failure, SendFailure::Refused { .. }), "{failure:?}");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_refusal_is_remembered_while_the_rest_of_the_message_waits() {
    let server = Scripted::start(|before| Reply::status([400, 503].get(before).copied().unwrap_or(202)).body("{}"));
    let mut channel = channel(&server);
    let message = message((0..3).map(|index| raised(&format!("s{index}"), "black")).collect());
    assert!(matches!(channel.send(&message), Err(SendFailure::Later { .. })));
    assert!(matches!(channel.send(&message), Err(SendFailure::Refused { .. })));
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn what_came_and_went_triggers_and_resolves() {
    let server = server();
    channel(&server).send(&message(vec![raised("lobby", "flash"), ended("lobby", "flash")])).unwrap();
    let key = event("lobby", "flash").fingerprint;
    assert_eq!(calls(&server)[..2], [("trigger", &key), ("resolve", &key)].map(|(a, k)| (a.to_owned(), k.clone())));
}

#[test]
fn a_test_leaves_nothing_open() {
    let server = server();
    channel(&server).send(&test("anna")).unwrap();
    let key = "avwatch:test:msg-1";
    assert_eq!(calls(&server), [("trigger", key), ("resolve", key)].map(|(a, k)| (a.to_owned(), k.to_owned())));
}

#[test]
fn a_message_of_many_calls_that_goes_on_is_no_failure() {
    // Each of five calls takes three seconds: not all of them fit into ten.
    let server = Scripted::start(|_| {
        std::thread::park_timeout(Duration::from_secs(3));
        Reply::status(202)
    });
    let mut channel = channel(&server);
    let storm = message((0..8).map(|index| raised(&format!("s{index}"), "black")).collect());
    let first = channel.send(&storm);
    let Err(SendFailure::GoesOn { done, all: 5 }) = first else { panic!("{first:?}") };
    assert!((1..5).contains(&done), "{done}");
    channel.send(&storm).unwrap();
    let told: std::collections::BTreeSet<String> = calls(&server).into_iter().map(|(_, key)| key).collect();
    assert_eq!(told.len(), 5, "each of them was told");
}

#[test]
fn an_alert_that_nobody_watches_any_more_is_not_resolved() {
    let server = server();
    let mut channel = channel(&server);
    channel.send(&message(vec![raised("lobby", "black")])).unwrap();
    channel.send(&message(vec![unwatched("lobby", "black")])).unwrap();
    let key = event("lobby", "black").fingerprint;
    assert_eq!(calls(&server), [("trigger".to_owned(), key.clone()), ("trigger".to_owned(), key.clone())]);
    let summary = server.requests()[1].json()["payload"]["summary"].as_str().unwrap().to_owned();
    assert!(summary.starts_with("no longer watched, not known to be over: "), "{summary}");
    // Watched again, it is found to be over.
    channel.send(&message(vec![ended("lobby", "black")])).unwrap();
    assert_eq!(calls(&server)[2], ("resolve".to_owned(), key));
}

/// A message of that many seconds after the first one.
fn after(seconds: u64, changes: impl Into<Changes>) -> Message {
    let at = Wall(crate::notify::samples::began().0 + Duration::from_secs(seconds));
    Message {
        id: format!("at-{seconds}"),
        created_at: at,
        content: Content::Changes(changes.into()),
        ..message(Vec::new())
    }
}

#[test]
fn a_thousand_failures_and_returns_are_at_most_twenty_requests_and_all_is_resolved() {
    let server = server();
    let mut channel = channel(&server);
    let of = |from: usize, to: usize, make: fn(&str, &str) -> Record| -> Vec<Record> {
        (from..to).map(|index| make(&format!("s{index}"), "black")).collect()
    };
    let messages = [
        (0, of(0, 1, raised)),
        (3, of(1, 100, raised)),
        (6, of(100, 300, raised)),
        (9, of(300, 700, raised)),
        (30, [of(700, 1_000, raised), of(0, 900, escalated)].concat()),
        (60, of(0, 400, ended)),
        (90, of(400, 1_000, ended)),
    ];
    for (seconds, changes) in messages {
        channel.send(&after(seconds, changes)).unwrap();
    }
    assert!(calls(&server).len() <= 20, "{:?}", calls(&server));
    assert_eq!(keys(&server, "trigger"), keys(&server, "resolve"));
}

#[test]
fn what_has_recovered_by_the_time_of_sending_is_not_paged_as_if_it_were_there() {
    let server = server();
    let mut changes: Changes = vec![escalated("gone", "black"), raised("there", "black")].into();
    changes.note_over(&event("gone", "black").id);
    channel(&server).send(&after(0, changes)).unwrap();
    let there = event("there", "black").fingerprint;
    assert_eq!(
        calls(&server),
        [("trigger", &*there), ("trigger", "avwatch:noc:more")].map(|(a, k)| (a.to_owned(), k.to_owned()))
    );
    let told = server.requests()[1].json()["payload"]["custom_details"]["changes"][0].as_str().unwrap().to_owned();
    assert_eq!(told, "over by now: CRITICAL gone video:0 black: picture black for 30 s");
}

#[test]
fn an_alert_of_its_own_is_resolved_though_its_event_got_worse_in_a_storm() {
    let server = server();
    let mut channel = channel(&server);
    channel.send(&after(0, vec![raised("s0", "black")])).unwrap();
    let mut storm: Vec<Record> = (1..30).map(|index| raised(&format!("s{index}"), "black")).collect();
    storm.push(escalated("s0", "black"));
    channel.send(&after(3, storm)).unwrap();
    channel.send(&after(40, (0..30).map(|index| ended(&format!("s{index}"), "black")).collect::<Vec<_>>())).unwrap();
    assert_eq!(keys(&server, "trigger"), keys(&server, "resolve"));
}
