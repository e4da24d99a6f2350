//! Notifications of the service as a process: signed webhooks, tries, and kills in the middle of sending.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::hook::{Call, Hook};
use crate::common::http::ask;
use crate::common::sender::wait;
use crate::common::service::{Home, Service};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A configuration with one stream that turns black twice a second, and one receiver.
fn configuration(hook: &Hook, more: &str) -> String {
    let defects: Vec<String> = (0..400).map(|at| format!("black@{}+0.5", at + 2)).collect();
    let recipe = format!("synthetic:?size=320x180&fps=25&defects={}&seed=1", defects.join(","));
    format!(
        "[detectors.black]\nseverities = {{ warning = \"200ms\" }}\nclear_after = \"200ms\"\n\
         [receivers.hook]\ngroup_interval = \"1s\"\n{more}\
         [receivers.hook.webhook]\nurl = \"{}\"\nsecret = \"{SECRET}\"\n\
         [[streams]]\nname = \"lobby\"\nurl = \"{recipe}\"\n",
        hook.url()
    )
}

fn well(_: usize) -> (u16, Duration) {
    (200, Duration::ZERO)
}

#[track_caller]
fn verify(call: &Call) {
    let mut headers = ureq::http::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let value = call.header(name).parse().expect("is a header");
        headers.insert(ureq::http::HeaderName::from_static(name), value);
    }
    let verifier = standardwebhooks::Webhook::new(SECRET).expect("is a secret");
    verifier.verify(&call.body, &headers).expect("the signature is right");
}

#[test]
fn a_webhook_is_told_of_raise_and_end_signed_and_with_a_link() {
    let hook = Hook::start(well);
    let home = Home::new(&configuration(&hook, ""));
    let mut service = home.start();
    wait("raise and end to be told", Duration::from_secs(60), || (hook.calls().len() >= 2).then_some(()));
    let calls = hook.calls();
    calls.iter().for_each(verify);
    let first = calls[0].json();
    assert_eq!((&first["specversion"], &first["type"]), (&"1.0".into(), &"avwatch.event.raised.v1".into()));
    assert_eq!(first["subject"], "streams/lobby");
    assert_eq!(first["id"], calls[0].header("webhook-id"));
    let link = first["data"]["url"].as_str().expect("has a link");
    assert!(link.starts_with(&format!("http://{}/?view=event&id=", service.address())), "{link}");
    service.wait_for_metric(
        "avwatch_notifications_total{receiver=\"hook\",outcome=\"delivered\"}",
        Duration::from_secs(10),
        |it| it >= 2.0,
    );
    let list = ask(service.address(), "GET", "/api/v1/receivers", "", "").json();
    let receiver = &list["receivers"][0];
    assert_eq!(
        (&receiver["name"], &receiver["kind"], &receiver["state"]),
        (&"hook".into(), &"webhook".into(), &"ok".into())
    );
    assert!(!service.lines().join("\n").contains(SECRET) && !list.to_string().contains(SECRET));
    assert_eq!(service.stop().0, Some(0));
}

fn test_receiver(service: &Service, name: &str) -> (Option<i32>, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_avwatch"))
        .args(["test-receiver", name, "--url", &format!("http://{}", service.address())])
        .output()
        .expect("it starts");
    (run.status.code(), String::from_utf8_lossy(&run.stderr).into_owned())
}

#[test]
fn a_receiver_is_tried_by_command_and_not_more_than_six_times_a_minute() {
    // Told of nothing but tries.
    let hook = Hook::start(|before| (if before == 0 { 200 } else { 404 }, Duration::ZERO));
    let home = Home::new(&configuration(&hook, "streams = [\"none\"]\n"));
    let service = home.start();
    assert_eq!(test_receiver(&service, "hook").0, Some(0));
    let (status, said) = test_receiver(&service, "hook");
    assert!(status == Some(1) && said.contains("answered 404 Not Found"), "{status:?} {said}");
    assert_eq!(hook.calls()[0].json()["type"], "avwatch.test.v1");
    verify(&hook.calls()[0]);
    for _ in 0..4 {
        assert_eq!(ask(service.address(), "POST", "/api/v1/receivers/hook/test", "", "").status, 200);
    }
    let refused = ask(service.address(), "POST", "/api/v1/receivers/hook/test", "", "");
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
    let (status, said) = test_receiver(&service, "none");
    assert!(status == Some(2) && said.contains("no receiver"), "{status:?} {said}");
}

#[test]
fn what_is_refused_can_be_seen_and_sent_again_over_the_api() {
    let hook = Hook::start(|before| (if before == 0 { 422 } else { 200 }, Duration::ZERO));
    let home = Home::new(&configuration(&hook, ""));
    let service = home.start();
    let parked = wait("a parked message", Duration::from_secs(60), || {
        let list = ask(service.address(), "GET", "/api/v1/receivers/hook/parked", "", "").json();
        list["parked"].get(0).cloned()
    });
    assert!(parked["why"].as_str().is_some_and(|why| why.contains("422")), "{parked}");
    let id = parked["id"].as_str().expect("has one").to_owned();
    let path = format!("/api/v1/receivers/hook/parked/{id}/retry");
    assert_eq!(ask(service.address(), "POST", &path, "", "").status, 202);
    wait("it to come again", Duration::from_secs(30), || {
        (hook.calls().iter().filter(|call| call.header("webhook-id") == id).count() >= 2).then_some(())
    });
    assert_eq!(ask(service.address(), "POST", &path, "", "").status, 404);
}

/// How often the service is killed.
fn kills() -> usize {
    std::env::var("AVWATCH_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

/// Changes that a receiver of everything must have been told, in the order of the store.
fn to_be_told(changes: &[Value]) -> Vec<String> {
    let mut raised = BTreeSet::new();
    let mut told = Vec::new();
    for change in changes {
        let id = change["id"].as_str().expect("has one");
        let is_told = match change["state"].as_str() {
            Some("raised") => raised.insert(id.to_owned()),
            Some("escalated") => true,
            Some("ended") => raised.contains(id),
            _ => false,
        };
        if is_told && change["severity"] != "info" {
            told.push(change["change_id"].as_str().expect("has one").to_owned());
        }
    }
    told
}

#[test]
fn kills_while_sending_lose_nothing_and_repetitions_have_the_same_id() {
    // Answers slowly, so that a kill falls between the request and the answer, and sometimes not at all.
    let hook = Hook::start(|before| (if before % 4 == 3 { 503 } else { 200 }, Duration::from_millis(150)));
    let home = Home::new(&configuration(&hook, ""));
    let begin = Instant::now();
    for kill in 0..kills() {
        let mut service = home.start();
        let before = hook.calls().len();
        wait("a message to be on its way", Duration::from_secs(60), || (hook.calls().len() > before).then_some(()));
        // At another moment of the sending each time: before, within and after the answer.
        std::thread::park_timeout(Duration::from_millis((kill as u64 * 37) % 260));
        service.kill();
    }
    println!("figure kills {}", kills());
    println!("figure kills_took_s {:.1}", begin.elapsed().as_secs_f64());
    // A last run that is let be: what waits goes out, but for what happens in its last second.
    let mut service = home.start();
    let before = hook.calls().len();
    wait("what waited to go out", Duration::from_secs(60), || (hook.calls().len() >= before + 4).then_some(()));
    assert_eq!(service.stop().0, Some(0));
    let waits = home.query("SELECT change_id FROM outbox");
    let expected = to_be_told(&home.stored_changes());
    let calls = hook.calls();
    let told: BTreeSet<String> = calls.iter().flat_map(Call::changes).collect();
    let missing: Vec<&String> = expected.iter().filter(|id| !told.contains(*id) && !waits.contains(id)).collect();
    assert!(missing.is_empty(), "{} of {} are missing: {missing:?}", missing.len(), expected.len());
    // Whatever came twice came in a message of the same id that says the same.
    let mut messages: BTreeMap<&str, BTreeSet<Vec<String>>> = BTreeMap::new();
    let mut carried: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for call in &calls {
        messages.entry(call.header("webhook-id")).or_default().insert(call.changes());
        for change in call.changes() {
            carried.entry(change).or_default().insert(call.header("webhook-id"));
        }
    }
    assert!(messages.values().all(|contents| contents.len() == 1), "an id stands for one content");
    assert!(carried.values().all(|ids| ids.len() == 1), "a change comes under one id");
    let figures = [
        ("changes_told", told.len()),
        ("messages", messages.len()),
        ("calls", calls.len()),
        ("changes_waiting", waits.len()),
    ];
    figures.iter().for_each(|(name, figure)| println!("figure {name} {figure}"));
}
