//! Clones: the same configuration, a part of the work each.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::http::{ask, ask_json};
use crate::common::sender::wait;
use crate::common::service::{Home, Service};

const SECOND: Duration = Duration::from_secs(1);

/// Four streams that are black and silent from second 2 on, told after half a second.
fn four(clone: &str) -> Home {
    let stream = |name: &str| {
        let recipe = "synthetic:?size=320x180&fps=25&defects=black@2+60,silence@2+60&seed=1";
        format!("[[streams]]\nname = \"{name}\"\nurl = \"{recipe}\"\n")
    };
    let holds = "[detectors.black]\nseverities = { warning = \"500ms\" }\n\
        [detectors.silence]\nseverities = { warning = \"500ms\" }\n";
    let streams: String = ["lobby", "news.hd", "A", "a"].map(stream).concat();
    Home::new(&format!("{clone}{holds}{streams}"))
}

fn get(service: &Service, path: &str) -> Value {
    let answer = ask(service.address(), "GET", path, "", "");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn names(service: &Service) -> BTreeSet<String> {
    let list = get(service, "/api/v1/streams");
    let streams = list["streams"].as_array().expect("is a list");
    streams.iter().map(|stream| stream["name"].as_str().expect("has one").to_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Reloads and waits for the word on it.
fn reload(service: &Service) -> String {
    service.signal(libc::SIGHUP);
    service.wait_for_line("the reload", 5 * SECOND, |line| {
        line["message"].as_str().filter(|text| text.starts_with("configuration reloaded")).map(str::to_owned)
    })
}

#[test]
fn a_shard_watches_its_streams_only_and_a_reload_moves_it() {
    let home = four("clone.shard = \"1/2\"\nnode = \"first\"\n");
    let service = home.start();
    service.wait_for_line("the share at the start", SECOND, |line| {
        let said = "this is one of several clones and watches 2 of 4 configured streams: shard 1/2, all detectors";
        (line["message"] == said).then_some(())
    });
    assert_eq!(names(&service), set(&["A", "news.hd"]));
    let event = service.wait_for_event("news.hd", "black", "raised", 20 * SECOND);
    assert_eq!(event["node"], "first");
    service.wait_for_event("A", "black", "raised", 10 * SECOND);
    assert_eq!(get(&service, "/api/v1/status")["clone"], json!({ "shard": "1/2", "streams_elsewhere": 2 }));
    let heard: BTreeSet<String> =
        service.events().iter().map(|event| event["stream"].as_str().expect("has one").to_owned()).collect();
    assert!(heard.is_subset(&set(&["A", "news.hd"])), "{heard:?}");
    assert!(!service.get("/metrics").1.contains("stream=\"lobby\""));

    let text = std::fs::read_to_string(home.config()).expect("it was written");
    home.write(&text.replace("\"1/2\"", "\"2/2\""));
    assert_eq!(reload(&service), "configuration reloaded: 2 added, 2 removed, 0 restarted, 0 retuned");
    let ended = service.wait_for_event("news.hd", "black", "ended", 5 * SECOND);
    assert_eq!((&ended["id"], ended["end_reason"].as_str()), (&event["id"], Some("stream_removed")));
    assert_eq!(names(&service), set(&["a", "lobby"]));
    service.wait_for_event("lobby", "black", "raised", 20 * SECOND);
}

#[test]
fn the_command_line_gives_a_clone_its_detectors_and_no_other_speaks() {
    let home = four("");
    let service = home.start_with(&["--detectors", "silence,input_down", "--shard", "2/2"]);
    service.wait_for_event("lobby", "silence", "raised", 20 * SECOND);
    service.wait_for_event("a", "silence", "raised", 10 * SECOND);
    // Black has lasted as long as silence and was to be told at the same time.
    wait("a second more", 10 * SECOND, || {
        (service.metric("avwatch_frames_total{stream=\"lobby\",track=\"video:0\"}")? > 100.0).then_some(())
    });
    let told: BTreeSet<String> = service
        .events()
        .iter()
        .filter(|event| !event["stream"].as_str().expect("has one").starts_with('@'))
        .map(|event| event["detector"].as_str().expect("has one").to_owned())
        .collect();
    assert_eq!(told, set(&["silence"]));
    let share = json!({ "shard": "2/2", "detectors": ["input_down", "silence"], "streams_elsewhere": 2 });
    assert_eq!(get(&service, "/api/v1/status")["clone"], share);
}

#[test]
fn a_stream_of_another_clone_cannot_be_added_over_the_api_and_others_run_where_they_are_added() {
    let home = four("clone.shard = \"1/2\"\nsources.allow = [\"127.0.0.0/8\"]\n");
    let service = home.start();
    let add = |name: &str| {
        let body = json!({ "name": name, "url": "udp://127.0.0.1:5999" });
        ask_json(service.address(), "POST", "/api/v1/streams", "", &body)
    };
    let refused = add("lobby");
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.json()["detail"].as_str().is_some_and(|why| why.contains("another clone's")), "{refused:?}");
    // By its name this one would fall to the second shard.
    let added = add("cam-003");
    assert_eq!(added.status, 201, "{added:?}");
    assert_eq!(names(&service), set(&["A", "cam-003", "news.hd"]));
    let apply = json!({ "streams": [{ "name": "a", "url": "udp://127.0.0.1:5998" }] });
    assert_eq!(ask_json(service.address(), "POST", "/api/v1/apply", "", &apply).status, 422);
    let service = {
        drop(service);
        home.start()
    };
    assert_eq!(names(&service), set(&["A", "cam-003", "news.hd"]), "it lasts");
}

#[test]
fn a_service_that_is_no_clone_says_nothing_of_clones() {
    let home = four("");
    let service = home.start();
    assert_eq!(get(&service, "/api/v1/status").get("clone"), None);
    assert_eq!(names(&service).len(), 4);
    assert!(service.log().iter().all(|line| line["message"].as_str().is_none_or(|text| !text.contains("clone"))));
}
