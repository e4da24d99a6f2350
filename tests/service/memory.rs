//! A service that takes more memory than it may: it takes on nothing more, says so, and blames no source.

use std::time::Duration;

use serde_json::{Value, json};

use crate::common::http::ask_json;
use crate::common::media;
use crate::common::sender::wait;
use crate::common::service::{Home, Service};

const SECOND: Duration = Duration::from_secs(1);

/// A budget that the service itself uses up with one stream, which may not be shed.
const LOBBY: &str = "[limits]\nmemory = 67108864\n\
     [[streams]]\nname = \"lobby\"\ntier_min = \"full\"\nurl = \"synthetic:?size=1280x720&fps=5&seed=1\"\n";

fn stream(service: &Service, name: &str) -> Value {
    let (status, body) = service.get(&format!("/api/v1/streams/{name}"));
    if status == 200 { serde_json::from_str(&body).expect("is JSON") } else { Value::Null }
}

#[test]
fn further_streams_are_refused_and_held_while_memory_is_short() {
    let home = Home::new(LOBBY);
    let mut service = home.start();
    service.wait_for_session("lobby", 1, 60 * SECOND);
    service.wait_for_metric("avwatch_memory_pressure", 30 * SECOND, |pressure| pressure >= 2.0);
    let settings = json!({ "name": "door", "url": "https://stream.example/door.m3u8" });
    let refused = ask_json(service.address(), "POST", "/api/v1/streams", "", &settings);
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert!(refused.json()["detail"].as_str().is_some_and(|why| why.contains("limits.memory")), "{refused:?}");
    let listed = ask_json(service.address(), "POST", "/api/v1/apply", "", &json!({ "streams": [settings] }));
    assert_eq!(listed.status, 503, "{listed:?}");
    assert_eq!(stream(&service, "door"), Value::Null, "nothing was added");

    let raised = service.wait_for_event("@monitor", "monitor_overload", "raised", 20 * SECOND);
    assert!(raised["message"].as_str().is_some_and(|said| said.contains("limits.memory")), "{raised}");

    home.configure(&format!("{LOBBY}[[streams]]\nname = \"hall\"\nurl = \"synthetic:?size=320x180&fps=25\"\n"));
    service.signal(libc::SIGHUP);
    let hall = wait("the new stream to be held", 30 * SECOND, || {
        Some(stream(&service, "hall")).filter(|hall| hall["state"] == "held")
    });
    assert!(hall["last_error"].as_str().is_some_and(|why| why.contains("limits.memory")), "{hall}");
    assert_eq!(stream(&service, "lobby")["state"], "live", "who is there may stay");
    assert_eq!(service.stop().0, Some(0));
    let changes = home.stored_changes();
    assert!(changes.iter().all(|change| change["stream"] != "hall"), "nothing is said of a source: {changes:?}");
}

/// So many streams of one clip, opened at once, beside one that stays.
fn crowd(count: usize) -> String {
    let arguments = "-f lavfi -i testsrc2=size=640x360:rate=5:duration=120 -f lavfi -i sine=duration=120 \
        -c:v libx264 -preset veryfast -g 10 -c:a aac";
    let arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
    let clip = media::encoded("crowd", "ts", &arguments);
    let mut config = "limits.opens_per_second = 1000\nlimits.opens_per_second_per_host = 1000\n".to_owned();
    config.push_str("[[streams]]\nname = \"lobby\"\nurl = \"synthetic:?size=320x180&fps=5\"\n");
    for number in 0..count {
        config.push_str(&format!("[[streams]]\nname = \"s{number}\"\nurl = \"{}\"\n", clip.display()));
    }
    config
}

#[test]
fn after_a_mass_close_the_memory_of_the_decoders_goes_back_to_the_system() {
    let home = Home::new(&crowd(24));
    let mut service = home.start();
    (0..24).for_each(|number| service.wait_for_session(&format!("s{number}"), 1, 60 * SECOND));
    service
        .wait_for_metric("avwatch_frames_total{stream=\"s23\",track=\"video:0\"}", 60 * SECOND, |frames| frames > 20.0);
    let open = service.memory();
    home.configure(&crowd(0));
    service.signal(libc::SIGHUP);
    let line = service.wait_for_line("memory to be given back", 60 * SECOND, |line| {
        (line["message"] == "freed memory was given back to the system").then(|| line.clone())
    });
    let bytes = |key: &str| line[key].as_u64().unwrap_or_else(|| panic!("no {key}: {line}"));
    assert_eq!(line["why"], "Closed", "{line}");
    assert!(bytes("after") < bytes("before"), "{line}");
    assert!(bytes("after") * 3 < open * 2, "of {open} bytes {line}");
    service.wait_for_metric("avwatch_heap_trims_total", 10 * SECOND, |trims| trims >= 1.0);
    assert_eq!(service.stop().0, Some(0));
}
