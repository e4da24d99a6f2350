//! The API of a running service: streams, events, what people do to them, and the live feed.

use std::time::Duration;

use serde_json::{Value, json};

use crate::common::http::{Feed, ask, ask_json};
use crate::common::sender::wait;
use crate::common::service::{Home, Service};

const SECOND: Duration = Duration::from_secs(1);

/// A stream that is black from second 2 on, for a minute; told after half a second.
fn black_lobby() -> Home {
    Home::new(
        "[detectors.black]\nseverities = { warning = \"500ms\" }\n\
         [[streams]]\nname = \"lobby\"\ntitle = \"Lobby feed\"\nlabels = { site = \"north\" }\n\
         url = \"synthetic:?size=320x180&fps=25&defects=black@2+60&seed=1\"\n\
         [[streams]]\nname = \"quiet\"\nurl = \"synthetic:?size=320x180&fps=25&seed=2\"\n",
    )
}

fn get(service: &Service, path: &str) -> Value {
    let answer = ask(service.address(), "GET", path, "", "");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn post(service: &Service, path: &str, body: &Value) -> (u16, Value) {
    let answer = ask_json(service.address(), "POST", path, "", body);
    (answer.status, answer.json())
}

/// The open event of `black`, once it is there.
fn open_black(service: &Service) -> Value {
    wait("black to be an open event of the API", 30 * SECOND, || {
        let found = get(service, "/api/v1/events?stream=lobby&detector=black&state=open");
        found["events"].get(0).cloned()
    })
}

#[test]
fn streams_are_listed_with_their_state_and_worst_event() {
    let home = black_lobby();
    let service = home.start();
    let event = open_black(&service);
    let lobby = wait("the event to be the stream's worst", 5 * SECOND, || {
        let list = get(&service, "/api/v1/streams");
        assert_eq!(list["total"], 2);
        let lobby = list["streams"][0].clone();
        (lobby["worst"]["detector"] == "black").then_some(lobby)
    });
    assert_eq!(
        (&lobby["name"], &lobby["title"], &lobby["origin"]),
        (&json!("lobby"), &json!("Lobby feed"), &json!("file"))
    );
    assert_eq!(
        (&lobby["state"], &lobby["up"], &lobby["labels"]["site"]),
        (&json!("live"), &json!(true), &json!("north"))
    );
    assert_eq!(lobby["worst"]["id"], event["id"]);
    let names = |query: &str| {
        let list = get(&service, &format!("/api/v1/streams?{query}"));
        let names = list["streams"].as_array().expect("a list").iter().map(|stream| stream["name"].to_string());
        names.collect::<Vec<_>>().join(",")
    };
    assert_eq!(names("label=site%3Dnorth"), "\"lobby\"");
    assert_eq!(names("severity=warning"), "\"lobby\"");
    assert_eq!(names("search=QUI"), "\"quiet\"");
    assert_eq!(names("limit=1"), "\"lobby\"");
    assert_eq!(names("limit=1&cursor=lobby"), "\"quiet\"");
    let detail = get(&service, "/api/v1/streams/lobby");
    assert_eq!(detail["tracks"][0]["track"], "video:0");
    assert_eq!(detail["tracks"][0]["format"]["video"]["width"], 320);
    assert_eq!(detail["events"][0]["id"], event["id"]);
    assert_eq!(ask(service.address(), "GET", "/api/v1/streams/none", "", "").status, 404);
    let status = get(&service, "/api/v1/status");
    assert_eq!((&status["streams"]["total"], &status["ready"]), (&json!(2), &json!(true)));
}

#[test]
fn an_acknowledgement_is_in_the_store_before_it_is_answered_and_in_every_word_of_the_event() {
    let home = black_lobby();
    let service = home.start();
    let event = open_black(&service);
    let path = format!("/api/v1/events/{}", event["id"].as_str().expect("has one"));
    let body = json!({ "author": "anna", "comment": "calling the site" });
    let (status, acked) = post(&service, &format!("{path}/ack"), &body);
    assert_eq!((status, &acked["state"], &acked["acked_by"]), (200, &json!("acked"), &json!("anna")), "{acked}");
    assert_eq!(acked["comment"], "calling the site");
    let stored = get(&service, &path);
    for key in ["state", "acked_by", "acked_at", "comment"] {
        assert_eq!(stored[key], acked[key], "{key} was stored");
    }
    service.wait_for_event("lobby", "black", "acked", 2 * SECOND);
    let (status, given_back) = post(&service, &format!("{path}/unack"), &json!({}));
    assert_eq!((status, &given_back["state"]), (200, &json!("raised")));
    let (status, remarked) = post(&service, &format!("{path}/comment"), &json!({ "comment": "fixed?" }));
    assert_eq!((status, &remarked["comment"], &remarked["id"]), (200, &json!("fixed?"), &event["id"]));
    assert_eq!(post(&service, &format!("{path}/comment"), &json!({})).0, 400);
    assert_eq!(post(&service, "/api/v1/events/none/ack", &json!({})).0, 404);
}

#[test]
fn events_come_in_pages_that_miss_none_and_repeat_none() {
    let defects: Vec<String> = (0..8).map(|at| format!("black@{}+0.6", at * 2 + 1)).collect();
    let home = Home::new(&format!(
        "alarms.flap_raises = 0\n[detectors.black]\nseverities = {{ info = \"200ms\" }}\nclear_after = \"200ms\"\n\
         [[streams]]\nname = \"lobby\"\nurl = \"synthetic:?size=320x180&fps=25&defects={}&seed=1\"\n",
        defects.join(",")
    ));
    let service = home.start();
    let all = wait("eight ended events", 40 * SECOND, || {
        let all = get(&service, "/api/v1/events?stream=lobby&detector=black&state=ended&limit=1000");
        (all["events"].as_array().expect("a list").len() >= 8).then_some(all)
    });
    let ids = |page: &Value| -> Vec<String> {
        page["events"].as_array().expect("a list").iter().map(|event| event["id"].to_string()).collect()
    };
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = get(&service, &format!("/api/v1/events?detector=black&state=ended&limit=3{cursor}"));
        paged.extend(ids(&page));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged[paged.len() - 8..], ids(&all)[ids(&all).len() - 8..]);
    let mut newest_first = paged.clone();
    newest_first.sort_by(|one, other| other.cmp(one));
    newest_first.dedup();
    assert_eq!(paged, newest_first);
}

#[test]
fn wrong_queries_are_told_by_their_key() {
    let home = Home::new("");
    let service = home.start();
    for (path, word) in [
        ("/api/v1/events?sevrity=major", "severity"),
        ("/api/v1/events?severity=dire", "severity"),
        ("/api/v1/events?limit=0", "limit"),
        ("/api/v1/events?detector=nosuch", "'detector' must be the name of a detector, such as black"),
        ("/api/v1/events?detector=blakc", "did you mean 'black'?"),
        ("/api/v1/events?since=yesterday", "since"),
        ("/api/v1/events?label=north", "NAME=VALUE"),
        ("/api/v1/status?x=1", "takes none"),
        ("/api/v1/live?topics=gossip", "topics"),
    ] {
        let answer = ask(service.address(), "GET", path, "", "");
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert!(answer.json()["detail"].as_str().expect("has one").contains(word), "{answer:?}");
    }
}

#[test]
fn the_live_feed_tells_of_changes_states_and_meters_as_they_happen() {
    let home = black_lobby();
    let service = home.start();
    let mut feed = Feed::connect(service.address(), "/api/v1/live", "");
    let hello = feed.next(5 * SECOND).expect("a greeting");
    assert_eq!((&*hello.kind, &hello.data["role"]), ("hello", &"admin".into()), "without tokens all is allowed");
    let raised = feed.wait_for("black to be raised", 30 * SECOND, |message| {
        message.kind == "event" && message.data["detector"] == "black" && message.data["state"] == "raised"
    });
    assert_eq!(raised.id, raised.data["sequence"].as_u64());
    feed.wait_for("the stream's state", 10 * SECOND, |message| {
        message.kind == "stream" && message.data["name"] == "lobby" && message.data["worst"]["detector"] == "black"
    });
    feed.wait_for("meters", 10 * SECOND, |message| {
        message.kind == "meters"
            && message.data["streams"]["lobby"]["frame_rate"].as_f64().is_some_and(|rate| rate > 20.0)
    });
    let mut some = Feed::connect(service.address(), "/api/v1/live?topics=meters&stream=quiet", "");
    let meters = some.wait_for("meters of one stream", 10 * SECOND, |message| message.kind == "meters");
    assert_eq!(meters.data["streams"].as_object().expect("an object").keys().collect::<Vec<_>>(), ["quiet"]);
}

#[test]
fn a_client_that_comes_back_gets_what_it_missed_once_and_in_order() {
    let defects: Vec<String> = (0..12).map(|at| format!("black@{}+0.6", at * 2 + 1)).collect();
    let home = Home::new(&format!(
        "alarms.flap_raises = 0\n[detectors.black]\nseverities = {{ info = \"200ms\" }}\nclear_after = \"200ms\"\n\
         [[streams]]\nname = \"lobby\"\nurl = \"synthetic:?size=320x180&fps=25&defects={}&seed=1\"\n",
        defects.join(",")
    ));
    let service = home.start();
    let mut seen = Vec::new();
    let mut last = String::new();
    while seen.len() < 20 {
        // Two changes a connection, then away for as long as it takes to come back.
        let mut feed = Feed::connect(service.address(), "/api/v1/live?topics=events&last_event_id=0", &last);
        for _ in 0..2 {
            let change = feed.wait_for("a change", 20 * SECOND, |message| message.kind == "event");
            seen.push(change.id.expect("a change has a number"));
            last = format!("Last-Event-ID: {}\r\n", seen[seen.len() - 1]);
        }
        assert!(feed.messages.iter().all(|message| message.kind != "resync"));
    }
    assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>());
}

#[test]
fn an_id_of_another_store_makes_the_client_begin_afresh() {
    let home = Home::new("");
    let service = home.start();
    let mut feed = Feed::connect(service.address(), "/api/v1/live?topics=events", "Last-Event-ID: 999999\r\n");
    feed.wait_for("the word to begin afresh", 5 * SECOND, |message| message.kind == "resync");
}
