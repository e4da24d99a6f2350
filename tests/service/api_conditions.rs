//! `If-Match`: what is heeded keeps a change from undoing another, and what cannot be heeded is refused.

use std::time::Duration;

use serde_json::{Value, json};

use crate::common::http::{Answer, ask, ask_json};
use crate::common::sender::wait;
use crate::common::service::{Home, Service};

const SECOND: Duration = Duration::from_secs(1);

fn send(service: &Service, method: &str, path: &str, tag: &str, body: &Value) -> Answer {
    let headers = if tag.is_empty() { String::new() } else { format!("If-Match: {tag}\r\n") };
    ask_json(service.address(), method, path, &headers, body)
}

fn read(service: &Service, path: &str) -> Answer {
    ask(service.address(), "GET", path, "", "")
}

fn tag(answer: &Answer) -> String {
    answer.header("etag").unwrap_or_else(|| panic!("there is no tag in {answer:?}")).to_owned()
}

#[test]
fn levels_of_the_log_that_somebody_else_changed_are_not_overwritten() {
    let home = Home::new("[[streams]]\nname = \"lobby\"\nurl = \"synthetic:?size=320x180\"\n");
    let service = home.start();
    let first = tag(&read(&service, "/api/v1/log"));
    let level = |level: &str| json!({ "level": level });
    let changed = send(&service, "PUT", "/api/v1/log", &first, &level("debug"));
    assert_eq!((changed.status, tag(&changed) == first), (200, false), "{changed:?}");
    assert_eq!(tag(&changed), tag(&read(&service, "/api/v1/log")));
    let stale = send(&service, "PUT", "/api/v1/log", &first, &level("warn"));
    assert_eq!(stale.status, 412, "{stale:?}");
    assert_eq!(read(&service, "/api/v1/log").json()["level"], "debug");
    let own = json!({ "streams": { "lobby": "trace" } });
    assert_eq!(send(&service, "PUT", "/api/v1/log", "*", &own).status, 200);
    assert_ne!(tag(&changed), tag(&read(&service, "/api/v1/log")), "a stream's own level counts");
}

#[test]
fn a_remark_on_an_event_that_changed_meanwhile_is_refused_before_and_after_its_end() {
    let home = Home::new(
        "[detectors.black]\nseverities = { warning = \"500ms\" }\nclear_after = \"500ms\"\n\
         [[streams]]\nname = \"lobby\"\nurl = \"synthetic:?size=320x180&fps=25&defects=black@2+8&seed=1\"\n",
    );
    let service = home.start();
    let raised = service.wait_for_event("lobby", "black", "raised", 30 * SECOND);
    let path = format!("/api/v1/events/{}", raised["id"].as_str().expect("has one"));
    let remark = |tag: &str, text: &str| {
        let answer = send(&service, "POST", &format!("{path}/comment"), tag, &json!({ "comment": text }));
        (answer.status, answer)
    };
    let first = tag(&read(&service, &path));
    let taken = send(&service, "POST", &format!("{path}/ack"), &first, &json!({ "author": "anna" }));
    assert_eq!((taken.status, tag(&taken) == first), (200, false), "{taken:?}");
    assert_eq!(send(&service, "POST", &format!("{path}/unack"), &first, &json!({})).status, 412);
    assert_eq!(remark(&first, "mine").0, 412);
    assert_eq!(read(&service, &path).json()["acked_by"], "anna");
    let ended = wait("the event to end", 30 * SECOND, || {
        let event = read(&service, &path);
        (event.json()["state"] == "ended").then_some(event)
    });
    let (status, remarked) = remark(&tag(&ended), "encoder rebooted");
    assert_eq!(status, 200, "{remarked:?}");
    assert_eq!(remark(&tag(&ended), "mine").0, 412, "somebody remarked on it meanwhile");
    assert_eq!(remark(&tag(&remarked), "and again").0, 200);
    assert_eq!(remark("*", "whatever it is").0, 200);
}

#[test]
fn a_condition_that_nothing_can_be_compared_with_is_refused_and_nothing_is_done() {
    let home = Home::new("sources.allow = [\"239.0.0.0/8\"]\n");
    let service = home.start();
    let stream = json!({ "name": "door", "url": "udp://239.1.1.1:5000" });
    let silence = json!({ "matchers": { "stream": "*" }, "until": "1h" });
    for (path, body) in [
        ("/api/v1/streams", stream.clone()),
        ("/api/v1/apply", json!({ "streams": [stream] })),
        ("/api/v1/silences", silence.clone()),
        ("/api/v1/maintenance", silence.clone()),
        ("/api/v1/notes", json!({ "text": "look after the encoder" })),
        ("/api/v1/tokens", json!({ "name": "first", "role": "admin" })),
        ("/-/reload", json!({})),
    ] {
        let refused = send(&service, "POST", path, "\"r1\"", &body);
        assert_eq!(refused.status, 412, "{path}: {refused:?}");
        assert_eq!(refused.header("content-type"), Some("application/problem+json"));
        let why = refused.json()["detail"].as_str().expect("has one").to_owned();
        assert!(why.contains("PUT /api/v1/streams/{name}") && why.contains("PUT /api/v1/log"), "{path}: {why}");
    }
    for (path, key) in [
        ("/api/v1/streams", "streams"),
        ("/api/v1/silences", "silences"),
        ("/api/v1/maintenance", "maintenance"),
        ("/api/v1/notes", "notes"),
        ("/api/v1/tokens", "tokens"),
    ] {
        assert_eq!(read(&service, path).json()[key], json!([]), "{path}");
    }
    // What is there is there: that can be judged.
    let made = send(&service, "POST", "/api/v1/silences", "*", &silence);
    assert_eq!(made.status, 201, "{made:?}");
    let path = format!("/api/v1/silences/{}", made.json()["id"].as_str().expect("has one"));
    assert_eq!(send(&service, "DELETE", &path, "\"r1\"", &json!({})).status, 412);
    assert_eq!(send(&service, "DELETE", &path, "*", &json!({})).status, 204);
    assert_eq!(send(&service, "DELETE", &path, "*", &json!({})).status, 404);
}
