//! The OpenAPI document against real answers: whatever is served is named there.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::http::{ask, ask_json};
use crate::common::schema::Document;
use crate::common::sender::wait;
use crate::common::service::{Home, Service};

const SECOND: Duration = Duration::from_secs(1);

/// Streams with pictures, sound and an open event, and a receiver that nobody listens at.
const CONFIG: &str = "
sources.allow = [\"127.0.0.0/8\"]
[detectors.black]
severities = { warning = \"500ms\" }
[receivers.hook]
group_interval = \"1s\"
[receivers.hook.webhook]
url = \"http://127.0.0.1:9/\"
[[streams]]
name = \"lobby\"
title = \"Lobby feed\"
labels = { site = \"north\" }
runbook_url = \"https://wiki.example/lobby\"
url = \"synthetic:?size=320x180&fps=25&defects=black@2+300&seed=1\"
";

fn get(service: &Service, path: &str) -> Value {
    let answer = ask(service.address(), "GET", path, "", "");
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

/// Adds what is added over the API, and holds the answers against the document.
fn add(service: &Service, document: &Document) {
    let stream = json!({ "name": "roof", "url": "http://127.0.0.1:9/roof.ts", "labels": { "site": "south" },
        "http_headers": { "X-Key": "S3cret" }, "expect": { "audio_tracks": 2 } });
    let note = json!({ "text": "look after the lobby" });
    let silence =
        json!({ "matchers": { "stream": "none", "labels": { "site": "north" } }, "until": "1h", "reason": "works" });
    for (path, body) in [
        ("/api/v1/streams", &stream),
        ("/api/v1/notes", &note),
        ("/api/v1/silences", &silence),
        ("/api/v1/maintenance", &silence),
    ] {
        let made = ask_json(service.address(), "POST", path, "", body);
        assert_eq!(made.status, 201, "{path}: {made:?}");
        document.check("post", path, 201, &made.json());
        let place = made.header("location").unwrap_or_else(|| panic!("{path} says nowhere where it is: {made:?}"));
        assert!(place.starts_with(&format!("{path}/")), "{made:?}");
        if path == "/api/v1/notes" {
            assert_eq!(ask(service.address(), "DELETE", place, "", "").status, 204);
            for what in ["added", "removed"] {
                let words = format!("a shift note was {what} over the API");
                service.wait_for_line(&words, 5 * SECOND, |line| {
                    (line["message"] == words && line["user"] == "local").then_some(())
                });
            }
            assert_eq!(ask_json(service.address(), "POST", path, "", body).status, 201);
        }
    }
    for status in [201, 200] {
        let body = json!({ "url": "http://127.0.0.1:9/yard.ts", "priority": 3 });
        let put = ask_json(service.address(), "PUT", "/api/v1/streams/yard", "", &body);
        assert_eq!(put.status, status, "{put:?}");
        document.check("put", "/api/v1/streams/{name}", status, &put.json());
    }
    let levels = json!({ "streams": { "lobby": "debug" } });
    document.check("put", "/api/v1/log", 200, &ask_json(service.address(), "PUT", "/api/v1/log", "", &levels).json());
    let apply = json!({ "streams": [{ "name": "roof", "url": "http://127.0.0.1:9/other.ts" }] });
    let applied = ask_json(service.address(), "POST", "/api/v1/apply?dry_run=true", "", &apply);
    document.check("post", "/api/v1/apply", 200, &applied.json());
    let reloaded = ask(service.address(), "POST", "/-/reload", "", "");
    document.check("post", "/-/reload", 200, &reloaded.json());
}

/// Waits for what takes longest to be known; gives the id of an incident.
fn known(service: &Service, black: &str) -> String {
    wait("history, evidence, an incident and a receiver that fails", 90 * SECOND, || {
        let history = get(service, "/api/v1/streams/lobby/history?since=1h");
        let points = history["points"].as_array().expect("is a list");
        let is_seen = points.iter().any(|point| point["pictures"].get(0).is_some() && point["sounds"].get(0).is_some());
        let is_told = get(service, "/api/v1/receivers")["receivers"][0]["last_error"].is_string();
        let roof = get(service, "/api/v1/streams/roof");
        let incident = roof["events"][0]["incident_id"].as_str()?.to_owned();
        let is_proven =
            ask(service.address(), "GET", &format!("/api/v1/events/{black}/evidence"), "", "").status == 200;
        (is_seen && is_told && is_proven).then_some(incident)
    })
}

#[test]
fn whatever_is_answered_is_named_in_the_document() {
    let home = Home::new(CONFIG);
    let service = home.start();
    let document = Document::of(service.address());
    add(&service, &document);
    let event = wait("black to be an open event", 30 * SECOND, || {
        get(&service, "/api/v1/events?stream=lobby&detector=black&state=open")["events"].get(0).cloned()
    });
    let event = event["id"].as_str().expect("has one").to_owned();
    let acked =
        ask_json(service.address(), "POST", &format!("/api/v1/events/{event}/ack"), "", &json!({ "snooze": "30m" }));
    document.check("post", "/api/v1/events/{id}/ack", 200, &acked.json());
    let incident = known(&service, &event);
    let mut reached = BTreeSet::new();
    for (path, asked) in [
        ("/api/v1/status", ""),
        ("/api/v1/streams", "?meters=true"),
        ("/api/v1/streams/{name}", "lobby"),
        ("/api/v1/streams/{name}", "roof"),
        ("/api/v1/streams/{name}/history", "lobby"),
        ("/api/v1/seen", ""),
        ("/api/v1/events", ""),
        ("/api/v1/report", "?since=1h&noise=true"),
        ("/api/v1/tune", "?detector=black&raise_after=2s"),
        ("/api/v1/events/{id}", &*event),
        ("/api/v1/events/{id}/changes", &*event),
        ("/api/v1/events/{id}/evidence", &*event),
        ("/api/v1/incidents", ""),
        ("/api/v1/incidents/{id}", &*incident),
        ("/api/v1/silences", ""),
        ("/api/v1/maintenance", ""),
        ("/api/v1/receivers", ""),
        ("/api/v1/receivers/{name}/parked", "hook"),
        ("/api/v1/tokens", ""),
        ("/api/v1/log", ""),
        ("/api/v1/notes", ""),
    ] {
        let address = match asked.strip_prefix('?') {
            Some(_) => format!("{path}{asked}"),
            None => path.replace("{name}", asked).replace("{id}", asked),
        };
        document.check("get", path, 200, &get(&service, &address));
        reached.insert(path.to_owned());
    }
    let told: BTreeSet<String> = document.read_paths().into_iter().collect();
    assert_eq!(reached, told, "each answer is held against the document");
}
