//! Inputs that go and come back.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::recipes;
use crate::common::sender::{Pump, Sender, Web, free_port};
use crate::common::service::{Home, Service};

const SECOND: Duration = Duration::from_secs(1);

/// Quick to end, so that the tests need not wait; when it is raised stays as it is by default.
const QUICK: &str = "
[detectors.input_down]
clear_after = \"1s\"
[detectors.black]
severities = { info = \"1s\" }
clear_after = \"1s\"
";

fn one_stream(url: &str) -> Home {
    Home::new(&format!("{QUICK}[[streams]]\nname = \"lobby\"\nurl = \"{url}\"\n"))
}

/// What a viewer would not have seen may not be told of a stream whose sender left or came back.
///
/// True are: the last picture of the old sender is cut off, and the clock of the new one starts anew.
#[track_caller]
fn assert_no_false_alarms(service: &Service) {
    let words =
        |event: &Value| format!("{} {} {} {}", event["detector"], event["state"], event["severity"], event["message"]);
    let told = service.events();
    let is_true = |event: &Value| matches!(event["detector"].as_str(), Some("input_down" | "black"));
    let is_seam = |event: &Value| matches!(event["detector"].as_str(), Some("decode_error" | "timestamp"));
    let false_alarms: Vec<_> = told.iter().filter(|event| !is_true(event) && !is_seam(event)).map(words).collect();
    assert!(false_alarms.is_empty(), "{false_alarms:#?}");
    for detector in ["decode_error", "timestamp"] {
        let seams = service.events_of("lobby", detector, "raised");
        let seams: Vec<_> = seams.iter().map(words).collect();
        assert!(seams.len() <= 1, "one message is enough: {seams:#?}");
    }
}

fn seconds_between(from: Instant, event: &Value, key: &str) -> f64 {
    let told = seconds_of(&event[key]);
    let from = std::time::SystemTime::now() - from.elapsed();
    told - from.duration_since(std::time::UNIX_EPOCH).expect("it is later than 1970").as_secs_f64()
}

/// Seconds since 1970 of an RFC 3339 time.
fn seconds_of(time: &Value) -> f64 {
    let time: jiff::Timestamp = time.as_str().expect("is a text").parse().expect("is a time");
    time.as_millisecond() as f64 / 1e3
}

/// Kills a sender, waits for `input_down` at 3 s and 10 s, brings the sender back, and shows it black.
fn goes_and_comes_back(url: &str, send: impl Fn(bool) -> Sender, listens: bool) {
    let home = one_stream(url);
    let (service, first) = if listens {
        let service = home.start();
        (service, send(false))
    } else {
        let first = send(false);
        (home.start(), first)
    };
    service.wait_for_metric("avwatch_stream_up{stream=\"lobby\"}", 15 * SECOND, |up| up == 1.0);
    drop(first);
    let killed = Instant::now();
    let raised = service.wait_for_event("lobby", "input_down", "raised", 8 * SECOND);
    assert_eq!(raised["severity"], "warning");
    let after = seconds_between(killed, &raised, "raised_at");
    assert!((2.0..5.0).contains(&after), "raised after {after} s");
    let worse = service.wait_for_event("lobby", "input_down", "escalated", 12 * SECOND);
    assert_eq!(worse["severity"], "critical");
    let after = seconds_between(killed, &worse, "changed_at");
    assert!((9.0..12.0).contains(&after), "critical after {after} s");
    let _second = send(true);
    // Whoever calls has backed off by now: after ten seconds of refusals the next call may come up to
    // 32 s later.
    let back_off = if listens { 0 } else { 32 };
    let ended = service.wait_for_event("lobby", "input_down", "ended", (25 + back_off) * SECOND);
    assert_eq!((&ended["id"], &ended["end_reason"]), (&raised["id"], &Value::from("cleared")));
    service.wait_for_event("lobby", "black", "raised", 10 * SECOND);
    assert_no_false_alarms(&service);
}

fn clip(black: bool) -> std::path::PathBuf {
    if black { recipes::small_black().path } else { recipes::small_clean().path }
}

#[test]
fn senders_that_are_killed_are_down_until_they_come_back_and_are_judged_again() {
    let (udp, tcp, called, calling) = (free_port(), free_port(), free_port(), free_port());
    let (rtp, rtmp) = (free_port(), free_port());
    let call = |black: bool| {
        let address = format!("srt://127.0.0.1:{calling}?mode=caller");
        Sender::start(&clip(black), "mpegts", &[], &address)
    };
    // At the same time, because each of them takes half a minute.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            goes_and_comes_back(&format!("udp://127.0.0.1:{udp}"), |black| Sender::udp(&clip(black), udp), true)
        });
        scope.spawn(|| {
            goes_and_comes_back(&format!("tcp://127.0.0.1:{tcp}"), |black| Sender::tcp(&clip(black), tcp), false)
        });
        let srt = |black: bool| Sender::srt(&clip(black), called);
        scope.spawn(move || goes_and_comes_back(&format!("srt://127.0.0.1:{called}"), srt, false));
        scope.spawn(|| goes_and_comes_back(&format!("srt://127.0.0.1:{calling}?mode=listener"), call, true));
        scope.spawn(|| {
            goes_and_comes_back(&format!("rtp://127.0.0.1:{rtp}"), |black| Sender::rtp(&clip(black), rtp), true)
        });
        let pulled = |black: bool| Sender::rtmp(&clip(black), rtmp);
        scope.spawn(move || goes_and_comes_back(&format!("rtmp://127.0.0.1:{rtmp}/app/key"), pulled, false));
    });
}

#[test]
fn a_playlist_that_goes_stale_is_down_until_it_advances_again() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let packager = Sender::hls(&recipes::small_clean().path, folder.path());
    let web = Web::of_folder(folder.path().to_owned());
    let home = one_stream(&web.url("/live.m3u8"));
    let service = home.start();
    service.wait_for_metric("avwatch_stream_up{stream=\"lobby\"}", 15 * SECOND, |up| up == 1.0);
    drop(packager);
    let stopped = Instant::now();
    let raised = service.wait_for_event("lobby", "input_down", "raised", 25 * SECOND);
    let after = seconds_between(stopped, &raised, "raised_at");
    assert!(after < 16.0, "raised after {after} s");
    let _second = Sender::hls(&recipes::small_black().path, folder.path());
    service.wait_for_event("lobby", "input_down", "ended", 30 * SECOND);
    service.wait_for_event("lobby", "black", "raised", 15 * SECOND);
    assert_no_false_alarms(&service);
}

#[test]
fn a_web_server_that_is_gone_and_returns_brings_its_stream_back() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let _packager = Sender::hls(&recipes::small_clean().path, folder.path());
    let web = Web::of_folder(folder.path().to_owned());
    let address = web.address();
    let home = one_stream(&web.url("/live.m3u8"));
    let service = home.start();
    service.wait_for_metric("avwatch_stream_up{stream=\"lobby\"}", 15 * SECOND, |up| up == 1.0);
    drop(web);
    service.wait_for_event("lobby", "input_down", "raised", 30 * SECOND);
    let files = folder.path().to_owned();
    let _web = Web::start_at(address, move |path, stream| crate::common::sender::serve_file(&files, path, stream));
    service.wait_for_event("lobby", "input_down", "ended", 45 * SECOND);
    assert_no_false_alarms(&service);
}

#[test]
fn black_is_told_within_its_hold_time() {
    let port = free_port();
    let service = one_stream(&format!("udp://127.0.0.1:{port}")).start_with_home();
    let _sender = Sender::udp(&recipes::small_black_and_silent().path, port);
    let raised = service.1.wait_for_event("lobby", "black", "raised", 20 * SECOND);
    let held = seconds_of(&raised["raised_at"]) - seconds_of(&raised["started_at"]);
    assert!((0.95..2.0).contains(&held), "raised {held} s after its begin");
    let ended = service.1.wait_for_event("lobby", "black", "ended", 10 * SECOND);
    let lasted = ended["end_s"].as_f64().expect("has an end") - ended["start_s"].as_f64().expect("has a begin");
    assert!((lasted - 2.0).abs() < 1e-3, "black for {lasted} s of media");
}

#[test]
fn a_udp_sender_that_comes_late_is_picked_up_at_once_and_the_log_stays_short() {
    let port = free_port();
    let service = one_stream(&format!("udp://127.0.0.1:{port}")).start_with_home();
    let raised = service.1.wait_for_event("lobby", "input_down", "raised", 15 * SECOND);
    assert_eq!(raised["severity"], "warning");
    service.1.wait_for_event("lobby", "input_down", "escalated", 15 * SECOND);
    let before = service.1.lines().len();
    assert!(before < 25, "{:#?}", service.1.lines());
    let _sender = Sender::udp(&recipes::small_clean().path, port);
    let begun = Instant::now();
    service.1.wait_for_session("lobby", 1, 10 * SECOND);
    // Probing a stream whose sound may still come takes a second or two of media.
    assert!(begun.elapsed() < 5 * SECOND, "open after {:?}", begun.elapsed());
    service.1.wait_for_event("lobby", "input_down", "ended", 10 * SECOND);
    assert_no_false_alarms(&service.1);
}

#[test]
fn a_codec_that_changes_on_one_pid_is_told_once_and_the_new_one_is_judged() {
    let port = free_port();
    let bytes = |path: std::path::PathBuf| std::fs::read(path).expect("it was just made");
    let mut first = bytes(recipes::small_clean().path);
    first.truncate(first.len() / 188 * 5 / 12 * 188);
    let second = bytes(recipes::small_black_mpeg2().path);
    let service = one_stream(&format!("udp://127.0.0.1:{port}")).start_with_home();
    let pieces = vec![(first, 5 * SECOND), (second.clone(), 12 * SECOND), (second, 12 * SECOND)];
    let _pump = Pump::start(port, pieces);
    let told = service.1.wait_for_event("lobby", "format_change", "raised", 25 * SECOND);
    let message = told["message"].as_str().expect("has one");
    assert!(message.starts_with("codec changed from h264 to mpeg2video"), "{message}");
    service.1.wait_for_event("lobby", "black", "raised", 15 * SECOND);
    assert_eq!(service.1.events_of("lobby", "format_change", "raised").len(), 1);
    for detector in ["decode_error", "video_missing", "input_down"] {
        assert!(service.1.events_of("lobby", detector, "raised").is_empty(), "{detector}");
    }
    service.1.wait_for_line("the reason of the new session", SECOND, |line| {
        line.to_string().contains("video:0 changed from H.264 to MPEG-2 video").then_some(())
    });
}
