//! What fails together in the running service is one incident, from the first stream to the last.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::http::Feed;
use crate::common::recipes;
use crate::common::sender::{Web, respond, wait};
use crate::common::service::{Home, Service};
use crate::logs::{append, request};

const SECOND: Duration = Duration::from_secs(1);

/// Streams of the one server.
const STREAMS: [&str; 4] = ["a", "b", "c", "d"];

/// A server that sends a clip to whoever asks, over and over in real time, while its plug is in.
fn origin(plugged: &Arc<AtomicBool>) -> Web {
    let (plugged, clip) = (plugged.clone(), recipes::small_clean());
    let bytes = std::fs::read(&clip.path).expect("the clip is there");
    // About as fast as it is to be played: the clip lasts some seconds.
    let piece = bytes.len() / 100;
    Web::start(move |_, stream| {
        let is_in = || plugged.load(Ordering::Acquire);
        if is_in() {
            let head = "HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n";
            let _ = stream.write_all(head.as_bytes());
            send(stream, &bytes, piece, is_in);
        }
    })
}

fn send(stream: &mut TcpStream, bytes: &[u8], piece: usize, is_in: impl Fn() -> bool) {
    for part in bytes.chunks(piece).cycle() {
        // The one who listens may have gone.
        if !is_in() || stream.write_all(part).is_err() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

fn incidents(service: &Service, query: &str) -> Vec<Value> {
    let (status, body) = service.get(&format!("/api/v1/incidents{query}"));
    assert_eq!(status, 200, "{body}");
    let page: Value = serde_json::from_str(&body).expect("is JSON");
    page["incidents"].as_array().expect("is a list").clone()
}

fn one(service: &Service, path: &str) -> Value {
    let (status, body) = service.get(path);
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).expect("is JSON")
}

#[test]
fn streams_of_a_server_whose_plug_is_pulled_are_one_incident_until_most_are_back() {
    let plugged = Arc::new(AtomicBool::new(true));
    let web = origin(&plugged);
    let streams =
        STREAMS.map(|name| format!("[[streams]]\nname = \"{name}\"\nurl = \"{}\"\n", web.url(&format!("/{name}"))));
    let quick = "[detectors.input_down]\nclear_after = \"1s\"\n";
    let home = Home::new(&format!("{quick}{}", streams.concat()));
    let mut service = home.start();
    for name in STREAMS {
        service.wait_for_metric(&format!("avwatch_stream_up{{stream=\"{name}\"}}"), 20 * SECOND, |up| up == 1.0);
    }
    let mut feed = Feed::connect(service.address(), "/api/v1/live?topics=incidents", "");
    plugged.store(false, Ordering::Release);
    let open = wait("one incident of all four streams", 25 * SECOND, || {
        let open = incidents(&service, "?state=open");
        open.into_iter().find(|incident| incident["events_open"].as_u64() >= Some(4))
    });
    // Four inputs of four: the whole of the network is suspected, and probed.
    assert!(matches!(open["kind"].as_str(), Some("outage" | "blind")), "{open:#}");
    assert_eq!((&open["severity"], &open["streams"]), (&"critical".into(), &Value::from(STREAMS.to_vec())));
    let id = open["id"].as_str().expect("has one").to_owned();
    assert_eq!(incidents(&service, "?state=open").len(), 1, "and nothing beside it");
    let events = one(&service, &format!("/api/v1/events?incident={id}"));
    let down: Vec<&Value> =
        events["events"].as_array().expect("is a list").iter().filter(|one| one["detector"] == "input_down").collect();
    assert_eq!(down.len(), 4);
    assert!(down.iter().all(|event| event["incident_id"] == id.as_str()), "{down:#?}");
    assert_eq!(one(&service, &format!("/api/v1/incidents/{id}"))["id"], id.as_str());
    // What the machine itself needs is well here, or says nothing: only then is it no blindness.
    let probed = wait("what probes found", 15 * SECOND, || {
        let now = one(&service, &format!("/api/v1/incidents/{id}"));
        (!now["message"].as_str().is_some_and(|text| text.ends_with("is being probed"))).then_some(now)
    });
    let is_blind = probed["kind"] == "blind";
    assert_eq!(one(&service, "/api/v1/status")["blind"], is_blind);
    let gauge = format!("avwatch_incidents_open{{kind=\"{}\"}}", probed["kind"].as_str().expect("has one"));
    service.wait_for_metric(&gauge, 5 * SECOND, |count| count == 1.0);
    service.wait_for_metric("avwatch_blind", 5 * SECOND, |blind| (blind == 1.0) == is_blind);

    plugged.store(true, Ordering::Release);
    let told = feed.wait_for("the end on the live feed", 60 * SECOND, |message| message.data["state"] == "ended");
    assert_eq!((&told.data["id"], told.id, &*told.kind), (&id.as_str().into(), None, "incident"));
    let ended = one(&service, &format!("/api/v1/incidents/{id}"));
    assert_eq!((&ended["state"], &ended["events_open"]), (&"ended".into(), &0.into()));
    assert!(incidents(&service, "?state=open").is_empty());
    for name in STREAMS {
        let end = service.wait_for_event(name, "input_down", "ended", 60 * SECOND);
        assert_eq!(end["incident_id"], id.as_str());
    }
    assert_eq!(service.stop().0, Some(0));
}

/// The streams of that server, and a reference beside it.
fn home_with_reference(web: &Web, reference: &str) -> Home {
    let streams =
        STREAMS.map(|name| format!("[[streams]]\nname = \"{name}\"\nurl = \"{}\"\n", web.url(&format!("/{name}"))));
    let quick = "[detectors.input_down]\nclear_after = \"1s\"\n";
    Home::new(&format!("{quick}[incidents.probes]\nreferences = [\"tcp://{reference}\"]\n{}", streams.concat()))
}

#[test]
fn when_the_reference_fails_with_the_inputs_it_is_the_monitor_that_is_blind_until_it_sees_again() {
    let plugged = Arc::new(AtomicBool::new(true));
    let web = origin(&plugged);
    let reference = Web::start(|_, stream| respond(stream, "200 OK", b""));
    let address = reference.address();
    let home = home_with_reference(&web, &address.to_string());
    let mut service = home.start();
    for name in STREAMS {
        service.wait_for_metric(&format!("avwatch_stream_up{{stream=\"{name}\"}}"), 20 * SECOND, |up| up == 1.0);
    }
    assert_eq!(service.metric("avwatch_blind"), Some(0.0));
    drop(reference);
    plugged.store(false, Ordering::Release);
    let blind = wait("the incident to be one of blindness", 40 * SECOND, || {
        incidents(&service, "?state=open").into_iter().find(|incident| incident["kind"] == "blind")
    });
    let evidence = format!("reference {address}: connection refused");
    let message = blind["message"].as_str().expect("has one");
    assert!(message.starts_with("4 of 4 inputs are down; ") && message.contains(&evidence), "{blind:#}");
    assert!(blind["evidence"].as_array().is_some_and(|all| all.iter().any(|one| *one == *evidence)), "{blind:#}");
    assert_eq!((&blind["severity"], &blind["streams"]), (&"critical".into(), &Value::from(STREAMS.to_vec())));
    assert_eq!(incidents(&service, "?state=open").len(), 1, "and nothing beside it");
    assert_eq!(one(&service, "/api/v1/status")["blind"], true);
    service.wait_for_metric("avwatch_blind", 5 * SECOND, |value| value == 1.0);

    let _reference = Web::start_at(address, |_, stream| respond(stream, "200 OK", b""));
    plugged.store(true, Ordering::Release);
    let ended = wait("its end", 60 * SECOND, || {
        incidents(&service, "?state=ended").into_iter().find(|incident| incident["id"] == blind["id"])
    });
    // Whichever came first: that the reference was found well, or that the inputs were up.
    assert!(matches!(ended["kind"].as_str(), Some("outage" | "blind")), "{ended:#}");
    assert_eq!(ended["events_open"], 0);
    assert!(ended["message"].as_str().is_some_and(|text| text.contains(&evidence)), "what it was stays: {ended:#}");
    assert_eq!(one(&service, "/api/v1/status")["blind"], false);
    service.wait_for_metric("avwatch_blind", 5 * SECOND, |value| value == 0.0);
    assert_eq!(service.stop().0, Some(0));
}

#[test]
fn a_fault_told_by_an_access_log_and_a_black_picture_of_the_same_stream_are_one_incident() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let log = folder.path().join("access.log");
    let home = Home::new(&format!(
        "[detectors.black]\nseverities = {{ warning = \"1s\" }}\nclear_after = \"1s\"\n\
        [[streams]]\nname = \"lobby\"\nurl = \"synthetic:?size=320x180&fps=25&defects=black@20+30&seed=1\"\n\
        [[logs]]\nname = \"edge\"\npath = \"{}\"\nformat = \"common\"\nstream_field = \"path\"\n\
        stream_pattern = \"^/live/([^/]+)/\"\n[logs.rules.origin]\ndetector = \"log_http_errors\"\nwindow = \"5s\"\n\
        min_lines = 60\nthresholds = {{ warning = 0.05, major = 0.5 }}\nclear_after = \"1s\"\n",
        log.display()
    ));
    let service = home.start();
    // A line that is none is told of once: then the log is followed.
    wait("the log to be followed", 15 * SECOND, || {
        append(&log, "plain words\n");
        std::thread::park_timeout(SECOND / 4);
        service.lines().iter().any(|line| line.contains("not every line of a log was judged")).then_some(())
    });
    let black = service.wait_for_event("lobby", "black", "raised", 60 * SECOND);
    assert!(incidents(&service, "").is_empty(), "one fault is no incident");
    append(&log, &request(503).repeat(80));
    let errors = service.wait_for_event("lobby", "log_http_errors", "raised", 10 * SECOND);
    let open = wait("the incident", 5 * SECOND, || incidents(&service, "?state=open").pop());
    assert_eq!((&open["kind"], &open["streams"]), (&"stream".into(), &json!(["lobby"])), "{open:#}");
    assert_eq!((&open["events_total"], &open["severity"]), (&2.into(), &"major".into()), "{open:#}");
    let id = open["id"].as_str().expect("has one");
    let listed = one(&service, &format!("/api/v1/events?incident={id}"));
    let mut found: Vec<&Value> =
        listed["events"].as_array().expect("is a list").iter().map(|event| &event["id"]).collect();
    found.sort_by_key(|id| id.to_string());
    assert_eq!(found, [&black["id"], &errors["id"]], "ids rise with time");
    wait("the errors to end", 30 * SECOND, || {
        append(&log, &request(200).repeat(20));
        std::thread::park_timeout(SECOND / 4);
        service.events_of("lobby", "log_http_errors", "ended").pop()
    });
    service.wait_for_event("lobby", "black", "ended", 60 * SECOND);
    let ended = wait("the end of the incident", 10 * SECOND, || incidents(&service, "?state=ended").pop());
    assert_eq!((&ended["id"], &ended["events_open"]), (&open["id"], &0.into()));
}

#[test]
fn an_origin_that_answers_503_is_told_beside_the_input_that_is_down_for_it() {
    let plugged = Arc::new(AtomicBool::new(true));
    let web = origin(&plugged);
    let folder = tempfile::tempdir().expect("a folder can be made");
    let log = folder.path().join("access.log");
    let home = Home::new(&format!(
        "[[streams]]\nname = \"lobby\"\nurl = \"{}\"\n\
        [[logs]]\nname = \"edge\"\npath = \"{}\"\nformat = \"common\"\nstream_field = \"path\"\n\
        stream_pattern = \"^/live/([^/]+)/\"\n[logs.rules.origin]\ndetector = \"log_http_errors\"\nwindow = \"5s\"\n\
        min_lines = 60\nthresholds = {{ major = 0.5 }}\n",
        web.url("/lobby"),
        log.display()
    ));
    let service = home.start();
    service.wait_for_metric("avwatch_stream_up{stream=\"lobby\"}", 20 * SECOND, |up| up == 1.0);
    wait("the log to be followed", 15 * SECOND, || {
        append(&log, "plain words\n");
        std::thread::park_timeout(SECOND / 4);
        service.lines().iter().any(|line| line.contains("not every line of a log was judged")).then_some(())
    });
    plugged.store(false, Ordering::Release);
    service.wait_for_event("lobby", "input_down", "raised", 25 * SECOND);
    append(&log, &request(503).repeat(80));
    let errors = service.wait_for_event("lobby", "log_http_errors", "raised", 10 * SECOND);
    assert_eq!((&errors["suppressed_by"], &errors["parent_id"]), (&Value::Null, &Value::Null), "{errors:#}");
    let open = wait("the incident", 5 * SECOND, || incidents(&service, "?state=open").pop());
    assert_eq!((&open["kind"], &open["events_open"]), (&"stream".into(), &2.into()), "{open:#}");
}

#[test]
fn an_incident_is_the_same_one_after_a_restart() {
    let plugged = Arc::new(AtomicBool::new(true));
    let web = origin(&plugged);
    let streams =
        ["a", "b"].map(|name| format!("[[streams]]\nname = \"{name}\"\nurl = \"{}\"\n", web.url(&format!("/{name}"))));
    let quick = "[detectors.input_down]\nclear_after = \"1s\"\n";
    let home = Home::new(&format!("{quick}{}", streams.concat()));
    let mut service = home.start();
    for name in ["a", "b"] {
        service.wait_for_metric(&format!("avwatch_stream_up{{stream=\"{name}\"}}"), 20 * SECOND, |up| up == 1.0);
    }
    plugged.store(false, Ordering::Release);
    let open = wait("an incident of both", 25 * SECOND, || {
        incidents(&service, "?state=open").into_iter().find(|one| one["events_open"].as_u64() >= Some(2))
    });
    assert_eq!((&open["kind"], &open["common"]["host"]), (&"group".into(), &"127.0.0.1".into()));
    service.kill();
    let again = home.start();
    let after = incidents(&again, "?state=open");
    assert_eq!(after.iter().map(|one| &one["id"]).collect::<Vec<_>>(), [&open["id"]]);
    plugged.store(true, Ordering::Release);
    // Down no more, and never so in this run: its events are not confirmed, which takes a minute.
    let ended = wait("its end", 90 * SECOND, || {
        incidents(&again, "?state=ended").into_iter().find(|one| one["id"] == open["id"])
    });
    assert_eq!(ended["events_open"], 0);
}
