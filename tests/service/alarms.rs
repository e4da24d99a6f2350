//! What becomes of conditions before they are alarms.

use std::time::{Duration, SystemTime};

use crate::common::service::{Home, Service};

const SECOND: Duration = Duration::from_secs(1);

const QUICK: &str = "[detectors.black]\nseverities = { info = \"1s\" }\n[detectors.silence]\nseverities = { info = \"1s\" }\n\
                     [alarms.combination]\nmajor = \"4s\"\ncritical = \"8s\"\n";

fn stream(more: &str) -> String {
    let recipe = "synthetic:?size=320x180&fps=25&audio=2&defects=black@1+120,silence@1+120&seed=1";
    format!("{QUICK}[[streams]]\nname = \"lobby\"\nurl = \"{recipe}\"\n{more}\n")
}

/// A window around now, in UTC: an hour before it to an hour after it.
fn off_air_now() -> String {
    let minute = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs() / 60;
    let clock = |minute: u64| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
    format!("schedule = {{ off_air = [\"{}-{} UTC\"] }}", clock(minute - 60), clock(minute + 60))
}

fn reload(home: &Home, service: &Service, more: &str) {
    home.configure(&stream(more));
    service.signal(libc::SIGHUP);
}

#[test]
fn black_with_silence_becomes_critical_though_each_alone_is_harmless() {
    let home = Home::new(&stream(""));
    let service = home.start();
    let black = service.wait_for_event("lobby", "black", "raised", 30 * SECOND);
    assert_eq!(black["severity"], "info");
    let rising = |severity: &str| {
        service.wait_for_line(&format!("black to be {severity}"), 30 * SECOND, |line| {
            let event = &line["event"];
            (event["detector"] == "black" && event["severity"] == severity).then(|| event.clone())
        })
    };
    let (major, critical) = (rising("major"), rising("critical"));
    for (event, seconds) in [(&major, 4), (&critical, 8)] {
        assert_eq!((&event["id"], event["state"].as_str()), (&black["id"], Some("escalated")));
        assert_eq!(event["message"], format!("black with silence for {seconds} s"));
    }
    let silence = service.wait_for_line("the silence to name its parent", 5 * SECOND, |line| {
        let event = &line["event"];
        (event["detector"] == "silence" && event["parent_id"].is_string()).then(|| event.clone())
    });
    assert_eq!((&silence["parent_id"], silence["severity"].as_str()), (&black["id"], Some("info")));
}

#[test]
fn off_the_air_nothing_is_raised_and_afterwards_what_still_holds_begins_anew() {
    let home = Home::new(&stream(&off_air_now()));
    let service = home.start();
    let state = |state: &str| format!("avwatch_stream_state{{stream=\"lobby\",state=\"{state}\"}}");
    service.wait_for_metric(&state("off_air"), 15 * SECOND, |value| value == 1.0);
    service.wait_for_metric("avwatch_frames_total{stream=\"lobby\",track=\"video:0\"}", 30 * SECOND, |frames| {
        frames > 150.0
    });
    assert!(service.events().iter().all(|event| event["stream"] != "lobby"), "{:?}", service.events());
    reload(&home, &service, "");
    let black = service.wait_for_event("lobby", "black", "raised", 10 * SECOND);
    assert_eq!(black["started_at"], black["raised_at"]);
    service.wait_for_metric(&state("live"), 5 * SECOND, |value| value == 1.0);
    reload(&home, &service, &off_air_now());
    let ended = service.wait_for_event("lobby", "black", "ended", 10 * SECOND);
    assert_eq!((&ended["id"], ended["end_reason"].as_str()), (&black["id"], Some("suspended")));
}

#[test]
fn an_observed_stream_holds_its_events_back_until_it_is_live() {
    let home = Home::new(&stream("mode = \"observe\""));
    let service = home.start();
    let black = service.wait_for_event("lobby", "black", "suppressed", 30 * SECOND);
    assert_eq!(black["suppressed_by"], "observe");
    reload(&home, &service, "");
    let raised = service.wait_for_line("black to be told", 10 * SECOND, |line| {
        let event = &line["event"];
        let is_told = event["state"] == "raised" || event["state"] == "escalated";
        (event["detector"] == "black" && is_told).then(|| event.clone())
    });
    assert_eq!((&raised["id"], &raised["suppressed_by"]), (&black["id"], &serde_json::Value::Null));
}
