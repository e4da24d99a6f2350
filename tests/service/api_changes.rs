//! Changing what is watched over the API: streams, silences, reload.

use std::time::Duration;

use serde_json::{Value, json};

use crate::common::http::{Answer, Feed, ask, ask_json};
use crate::common::sender::{free_port, wait};
use crate::common::service::{Home, Service};

const SECOND: Duration = Duration::from_secs(1);

fn send(service: &Service, method: &str, path: &str, headers: &str, body: &Value) -> Answer {
    ask_json(service.address(), method, path, headers, body)
}

fn get(service: &Service, path: &str) -> Value {
    let answer = ask(service.address(), "GET", path, "", "");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// A file stream that is black from second 2 on.
fn black_lobby() -> Home {
    Home::new(
        "sources.allow = [\"127.0.0.0/8\", \"239.0.0.0/8\"]\n[detectors.black]\nseverities = { warning = \"500ms\" }\n\
         [[streams]]\nname = \"lobby\"\nlabels = { site = \"north\" }\n\
         url = \"synthetic:?size=320x180&fps=25&defects=black@2+60&seed=1\"\n",
    )
}

#[test]
fn a_stream_is_added_changed_and_removed_and_outlives_a_restart() {
    let home = black_lobby();
    let mut service = home.start();
    let url = format!("tcp://127.0.0.1:{}", free_port());
    let added = send(&service, "POST", "/api/v1/streams", "", &json!({ "name": "door", "url": url }));
    assert_eq!(added.status, 201, "{added:?}");
    assert_eq!(added.header("location"), Some("/api/v1/streams/door"));
    let stream = added.json();
    assert_eq!(
        (&stream["origin"], &stream["url"], &stream["settings"]["url"]),
        (&json!("api"), &json!(url), &json!(url))
    );
    service.wait_for_event("door", "input_down", "raised", 20 * SECOND);
    assert_eq!(send(&service, "POST", "/api/v1/streams", "", &json!({ "name": "door", "url": url })).status, 409);

    let first = added.header("etag").expect("has a tag").to_owned();
    let titled = json!({ "url": url, "title": "Door" });
    let changed = send(&service, "PUT", "/api/v1/streams/door", &format!("If-Match: {first}\r\n"), &titled);
    assert_eq!((changed.status, &changed.json()["title"]), (200, &json!("Door")), "{changed:?}");
    let stale = send(&service, "PUT", "/api/v1/streams/door", &format!("If-Match: {first}\r\n"), &titled);
    assert_eq!(stale.status, 412, "somebody else was quicker");
    assert_eq!(
        ask(service.address(), "DELETE", "/api/v1/streams/door", &format!("If-Match: {first}\r\n"), "").status,
        412
    );
    let only_new = send(&service, "PUT", "/api/v1/streams/door", "If-None-Match: *\r\n", &titled);
    assert_eq!(only_new.status, 412);

    service.stop();
    let service = home.start();
    let read = ask(service.address(), "GET", "/api/v1/streams/door", "", "");
    assert_eq!((read.json()["title"].as_str(), read.header("etag")), (Some("Door"), changed.header("etag")));
    assert_eq!(ask(service.address(), "DELETE", "/api/v1/streams/door", "", "").status, 204);
    assert_eq!(ask(service.address(), "GET", "/api/v1/streams/door", "", "").status, 404);
    service.wait_for_line("its event to end", 10 * SECOND, |line| {
        (line["event"]["stream"] == "door" && line["event"]["end_reason"] == "stream_removed").then_some(())
    });
    assert_eq!(ask(service.address(), "DELETE", "/api/v1/streams/door", "", "").status, 404);
}

#[test]
fn a_stream_of_a_file_cannot_be_changed_over_the_api() {
    let home = black_lobby();
    let service = home.start();
    let body = json!({ "name": "lobby", "url": "udp://239.1.1.1:5000" });
    for (method, path) in
        [("POST", "/api/v1/streams"), ("PUT", "/api/v1/streams/lobby"), ("DELETE", "/api/v1/streams/lobby")]
    {
        assert_eq!(send(&service, method, path, "", &body).status, 409, "{method}");
    }
    assert_eq!(get(&service, "/api/v1/streams/lobby")["origin"], "file");
}

#[test]
fn wrong_settings_are_told_field_by_field_and_change_nothing() {
    let home = black_lobby();
    let service = home.start();
    for (body, pointer) in [
        (json!({ "name": "x", "url": "/etc/passwd" }), "/url"),
        (json!({ "name": "x", "url": "synthetic:?size=320x180" }), "/url"),
        (json!({ "name": "x", "url": "udp://239.1.1.1:5000", "titel": 1 }), "/titel"),
        (json!({ "name": "x", "url": "udp://239.1.1.1:5000", "priority": 99 }), "/priority"),
        (json!({ "url": "udp://239.1.1.1:5000" }), "/name"),
    ] {
        let refused = send(&service, "POST", "/api/v1/streams", "", &body);
        assert_eq!(refused.status, 422, "{refused:?}");
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{refused:?}");
    }
    assert_eq!(get(&service, "/api/v1/streams")["total"], 1);
}

#[test]
fn an_option_that_an_address_cannot_have_is_refused_at_once_on_every_way_in() {
    let home = black_lobby();
    let service = home.start();
    let why = "the option 'mode' of the address must be caller, listener or rendezvous";
    let url = "srt://127.0.0.1:9000?mode=calling";
    let stream = json!({ "name": "door", "url": url });
    let settings = json!({ "url": url });
    for (method, path, body, pointer) in [
        ("POST", "/api/v1/streams", &stream, "/url"),
        ("PUT", "/api/v1/streams/door", &settings, "/url"),
        ("POST", "/api/v1/apply", &json!({ "streams": [stream] }), "/streams/0/url"),
    ] {
        let refused = send(&service, method, path, "", body);
        let error = refused.json()["errors"][0].clone();
        assert_eq!((refused.status, &error), (422, &json!({ "pointer": pointer, "detail": why })), "{refused:?}");
    }
    // A list of another program is taken without what cannot be watched.
    let list = format!("#EXTM3U\n#EXTINF:-1,door\n{url}\n");
    let imported = ask(service.address(), "POST", "/api/v1/import?dry_run=true", "", &list).json();
    assert_eq!((&imported["added"], &imported["skipped"]["door"]), (&json!([]), &json!(format!("/url {why}"))));
    let probed = ask(service.address(), "GET", "/probe?target=srt%3A%2F%2F127.0.0.1%3A9000%3Fmaxbw%3D1", "", "");
    assert!(probed.status == 422 && probed.body.contains("option 'maxbw'"), "{probed:?}");
    assert_eq!(get(&service, "/api/v1/streams")["total"], 1);
}

#[test]
fn settings_that_were_read_are_written_back_without_losing_their_secrets() {
    let home = black_lobby();
    let service = home.start();
    let port = free_port();
    let url = format!("http://user:S3cret@127.0.0.1:{port}/a.ts?token=S3cret");
    let body = json!({ "name": "door", "url": url, "http_headers": { "X-Key": "S3cret" } });
    let added = send(&service, "POST", "/api/v1/streams", "", &body);
    assert!(added.status == 201 && !added.body.contains("S3cret"), "{added:?}");
    let mut settings = added.json()["settings"].clone();
    settings["title"] = json!("Door");
    let changed = send(&service, "PUT", "/api/v1/streams/door", "", &settings);
    assert!(changed.status == 200 && !changed.body.contains("S3cret"), "{changed:?}");
    // It still asks with the secret: a server that looks finds it.
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    let asked = wait("the stream to be asked for", 60 * SECOND, || {
        let (mut socket, _) = listener.accept().ok()?;
        let mut head = [0; 2_048];
        let bytes = std::io::Read::read(&mut socket, &mut head).ok()?;
        Some(String::from_utf8_lossy(&head[..bytes]).into_owned())
    });
    assert!(asked.contains("token=S3cret") && asked.to_lowercase().contains("x-key: s3cret"), "{asked}");
}

#[test]
fn many_streams_are_applied_wholly_or_not_at_all_and_tried_dry_first() {
    let home = black_lobby();
    let service = home.start();
    let stream = |name: &str| json!({ "name": name, "url": "udp://239.1.1.1:5000", "mode": "observe" });
    let body = json!({ "streams": [stream("a"), stream("b")] });
    let dry = send(&service, "POST", "/api/v1/apply?dry_run=true", "", &body).json();
    assert_eq!((&dry["dry_run"], &dry["added"]), (&json!(true), &json!(["a", "b"])));
    for words in ["?dry_run", "?dry_run=", "?dry_run=yes"] {
        assert_eq!(send(&service, "POST", &format!("/api/v1/apply{words}"), "", &body).status, 400, "{words}");
    }
    assert_eq!(get(&service, "/api/v1/streams")["total"], 1);
    assert_eq!(send(&service, "POST", "/api/v1/apply", "", &body).json()["added"], json!(["a", "b"]));
    assert_eq!(get(&service, "/api/v1/streams")["total"], 3);
    let wrong = json!({ "streams": [stream("c"), { "name": "d", "url": "nonsense:" }] });
    let refused = send(&service, "POST", "/api/v1/apply", "", &wrong);
    assert_eq!(
        (refused.status, &refused.json()["errors"][0]["pointer"]),
        (422, &json!("/streams/1/url")),
        "{refused:?}"
    );
    let less = json!({ "streams": [stream("b")], "prune": true });
    let applied = send(&service, "POST", "/api/v1/apply", "", &less).json();
    assert_eq!((&applied["unchanged"], &applied["removed"]), (&json!(["b"]), &json!(["a"])));
    assert_eq!(get(&service, "/api/v1/streams")["total"], 2);
}

#[test]
fn a_channel_list_is_imported_and_only_observed() {
    let home = black_lobby();
    let service = home.start();
    let list = "#EXTM3U\n#EXTINF:-1 group-title=\"News\",One HD\nudp://239.1.1.1:5000\n\
                #EXTINF:-1,lobby\nudp://239.1.1.2:5000\n#EXTINF:-1,File\n/etc/passwd\n";
    let answer = ask(service.address(), "POST", "/api/v1/import", "Content-Type: text/plain\r\n", list);
    let imported = answer.json();
    assert_eq!((answer.status, &imported["added"]), (200, &json!(["one-hd"])), "{imported}");
    let skipped = imported["skipped"].as_object().expect("an object");
    assert_eq!(skipped.keys().collect::<Vec<_>>(), ["file", "lobby"]);
    let stream = get(&service, "/api/v1/streams/one-hd");
    assert_eq!((&stream["mode"], &stream["labels"]["group"]), (&json!("observe"), &json!("News")));
    assert_eq!(imported["ignored"], Value::Null, "everything was taken");
    let table = "name,url,profile,Logo url\ntwo,udp://239.1.1.3:5000,ott,x\n";
    let answer = ask(service.address(), "POST", "/api/v1/import?dry_run=true", "Content-Type: text/plain\r\n", table);
    let imported = answer.json();
    assert_eq!(
        (&imported["added"], &imported["ignored"]),
        (&json!(["two"]), &json!(["Logo url", "profile"])),
        "{imported}"
    );
}

#[test]
fn a_silence_marks_events_until_it_is_ended_and_outlives_a_restart() {
    let home = black_lobby();
    let mut service = home.start();
    service.wait_for_event("lobby", "black", "raised", 30 * SECOND);
    let body =
        json!({ "matchers": { "labels": { "site": "north" }, "detector": "bl*" }, "until": "1h", "reason": "works" });
    let made = send(&service, "POST", "/api/v1/silences", "", &body);
    assert_eq!((made.status, &made.json()["events"]), (201, &json!(1)), "{made:?}");
    let id = made.json()["id"].as_str().expect("has one").to_owned();
    let event = |service: &Service| get(service, "/api/v1/events?detector=black&state=open")["events"][0].clone();
    assert_eq!(event(&service)["state"], "suppressed");
    assert_eq!(event(&service)["suppressed_by"], format!("silence:{id}"));
    service.stop();
    let service = home.start();
    assert_eq!(event(&service)["state"], "suppressed", "still held back");
    assert_eq!(get(&service, "/api/v1/silences")["silences"][0]["active"], true);
    assert_eq!(ask(service.address(), "DELETE", &format!("/api/v1/maintenance/{id}"), "", "").status, 404);
    assert_eq!(ask(service.address(), "DELETE", &format!("/api/v1/silences/{id}"), "", "").status, 204);
    assert_eq!(event(&service)["state"], "raised");
    for wrong in [
        json!({ "matchers": {}, "until": "1h" }),
        json!({ "matchers": { "stream": "x" }, "until": "2020-01-01T00:00:00Z" }),
        json!({ "matchers": { "stream": "x" } }),
        json!({ "matchers": { "track": "picture" }, "until": "1h" }),
    ] {
        assert_eq!(send(&service, "POST", "/api/v1/silences", "", &wrong).status, 400, "{wrong}");
    }
}

#[test]
fn planned_maintenance_begins_by_itself() {
    let home = black_lobby();
    let service = home.start();
    let raised = service.wait_for_event("lobby", "black", "raised", 30 * SECOND);
    let body = json!({ "matchers": { "stream": "lobby" }, "starts_at": "2s", "until": "1h", "reason": "new encoder" });
    let made = send(&service, "POST", "/api/v1/maintenance", "", &body).json();
    assert_eq!((&made["active"], &made["kind"]), (&json!(false), &json!("maintenance")));
    let marked = service.wait_for_event("lobby", "black", "suppressed", 10 * SECOND);
    assert_eq!(
        (&marked["id"], marked["suppressed_by"].as_str()),
        (&raised["id"], Some(&*format!("maintenance:{}", made["id"].as_str().expect("has one"))))
    );
}

#[test]
fn a_reload_over_the_api_tells_what_changed_or_what_is_wrong() {
    let home = black_lobby();
    let service = home.start();
    send(&service, "POST", "/api/v1/streams", "", &json!({ "name": "door", "url": "udp://239.1.1.1:5000" }));
    home.configure("[[streams]]\nname = \"other\"\nurl = \"synthetic:?size=320x180&fps=25&seed=1\"\n");
    let reloaded = ask(service.address(), "POST", "/-/reload", "", "");
    assert_eq!(reloaded.status, 200, "{reloaded:?}");
    assert!(reloaded.body.contains("1 added, 1 removed"), "{reloaded:?}");
    let names: Vec<String> = get(&service, "/api/v1/streams")["streams"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|stream| stream["name"].as_str().expect("a text").to_owned())
        .collect();
    assert_eq!(names, ["door", "other"], "the API's stream stays");
    home.configure("[detectors.blakc]\nenabled = false\n");
    let refused = ask(service.address(), "POST", "/-/reload", "", "");
    assert!(refused.status == 422 && refused.body.contains("blakc"), "{refused:?}");
}

#[test]
fn a_probe_tells_what_it_finds_as_metrics() {
    let home = Home::new("sources.allow = [\"127.0.0.0/8\"]\n");
    let service = home.start();
    let nobody = format!("tcp://127.0.0.1:{}", free_port());
    let path = format!("/probe?seconds=1&target={}", nobody.replace(':', "%3A").replace('/', "%2F"));
    let answer = ask(service.address(), "GET", &path, "X-Prometheus-Scrape-Timeout-Seconds: 4\r\n", "");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("probe_success 0\n") && answer.body.contains("probe_duration_seconds "), "{answer:?}");
    for path in
        ["/probe", "/probe?target=%2Fetc%2Fpasswd", "/probe?target=synthetic:", "/probe?target=udp://x:1&profile=none"]
    {
        let status = ask(service.address(), "GET", path, "", "").status;
        assert!(status == 400 || status == 422, "{path}: {status}");
    }
}

#[test]
fn a_stream_that_is_added_and_removed_is_told_of_in_the_live_feed() {
    let home = Home::new("sources.allow = [\"239.0.0.0/8\"]\n");
    let service = home.start();
    let mut feed = Feed::connect(service.address(), "/api/v1/live?topics=streams", "");
    send(&service, "POST", "/api/v1/streams", "", &json!({ "name": "door", "url": "udp://239.1.1.1:5000" }));
    feed.wait_for("the new stream", 10 * SECOND, |message| message.kind == "stream" && message.data["name"] == "door");
    ask(service.address(), "DELETE", "/api/v1/streams/door", "", "");
    feed.wait_for("its end", 10 * SECOND, |message| message.kind == "stream_removed" && message.data["name"] == "door");
}

#[test]
fn each_wrong_field_of_a_body_is_named_by_its_pointer() {
    let home = Home::new("");
    let service = home.start();
    let pointers = |method: &str, path: &str, body: &Value| -> Vec<String> {
        let refused = ask_json(service.address(), method, path, "", body);
        assert!((400..500).contains(&refused.status), "{path} {body}: {refused:?}");
        let refused = refused.json();
        let errors = refused["errors"].as_array().unwrap_or_else(|| panic!("{path} {body} names no field: {refused}"));
        errors.iter().map(|error| error["pointer"].as_str().expect("has one").to_owned()).collect()
    };
    let long = "x".repeat(3_000);
    for (path, body, expected) in [
        ("/api/v1/silences", json!({ "matchers": {}, "until": "1h" }), &["/matchers"][..]),
        ("/api/v1/silences", json!({ "matchers": { "stream": "*" } }), &["/until"]),
        ("/api/v1/silences", json!({ "matchers": { "stream": "*" }, "until": "soon" }), &["/until"]),
        ("/api/v1/silences", json!({ "matchers": { "strem": "*" }, "until": "1h" }), &["/matchers/strem"]),
        ("/api/v1/silences", json!({ "matchers": { "label": "a=b" }, "until": "1h" }), &["/matchers/label"]),
        ("/api/v1/silences", json!({ "matchers": { "labels": { "a": 1 } }, "until": "1h" }), &["/matchers/labels/a"]),
        (
            "/api/v1/maintenance",
            json!({ "matchers": { "stream": "", "track": "first", "detector": long }, "until": "1h" }),
            &["/matchers/stream", "/matchers/detector", "/matchers/track"],
        ),
        ("/api/v1/tokens", json!({ "name": "a b", "role": "viewer" }), &["/name"]),
        ("/api/v1/tokens", json!({ "name": "a", "role": "king" }), &["/role"]),
        ("/api/v1/notes", json!({ "text": " " }), &["/text"]),
        ("/api/v1/notes", json!({ "text": "a", "author": long }), &["/author"]),
        ("/api/v1/events/none/ack", json!({ "snooze": "soon" }), &["/snooze"]),
        ("/api/v1/events/none/ack", json!({ "comment": long }), &["/comment"]),
        ("/api/v1/events/none/comment", json!({}), &["/comment"]),
        (
            "/api/v1/apply",
            json!({ "streams": [{ "name": "a" }, {}, { "name": "a" }, { "name": 1 }, { "name": "a" }] }),
            &["/streams/1/name", "/streams/2/name", "/streams/3/name", "/streams/4/name"],
        ),
        ("/api/v1/apply", json!({ "streams": [{ "name": "a" }, "b"] }), &["/streams/1"]),
    ] {
        assert_eq!(pointers("POST", path, &body), expected, "{path} {body}");
    }
    let levels = json!({ "streams": { "none": "debug", "no/ne": "warn", "gone": null } });
    assert_eq!(pointers("PUT", "/api/v1/log", &levels), ["/streams/no~1ne", "/streams/none"]);
    assert_eq!(pointers("PUT", "/api/v1/log", &json!({ "streams": { "none": "loud" } })), ["/streams/none"]);
    assert_eq!(pointers("PUT", "/api/v1/log", &json!({ "level": 3 })), ["/level"]);
}
