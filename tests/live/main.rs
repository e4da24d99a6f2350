//! Proves `avwatch check` on live inputs that Debian's `ffmpeg` serves on the loopback.

#[path = "../common/mod.rs"]
mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use common::binary::{avwatch, events};
use common::media::Clip;
use common::recipes;
use common::sender::{Sender, Web, free_port, wait_for_listener};

/// Media time that is inspected.
const SECONDS: f64 = 10.0;

/// What opening may take beyond that, with a machine full of tests.
const OPENING: Duration = Duration::from_secs(5);

/// Runs `check` on a live input; gives exit status, its part of the report, and how long it took.
fn check(url: &str) -> (i32, Value, Duration) {
    let begin = Instant::now();
    let seconds = SECONDS.to_string();
    let output = avwatch().args(["check", url, "--format", "json", "--seconds", &seconds]).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("no report: {error}; {said}"));
    assert_eq!(report["schema"], "avwatch.report/1");
    (output.status.code().expect("it was not killed"), report["inputs"][0].clone(), begin.elapsed())
}

fn clip() -> Clip {
    recipes::small_black_and_silent()
}

/// What was planted must be told: where it lies in the sent programme, wherever the check joined it.
#[track_caller]
fn assert_told(container: &str, (status, input, took): &(i32, Value, Duration)) {
    assert_eq!(*status, 1, "{input:#}");
    assert_eq!((&input["verdict"], &input["error"]), (&Value::from("fail"), &Value::Null));
    assert_eq!(input["container"], container);
    let duration = input["duration_s"].as_f64().expect("is a number");
    assert!((SECONDS..SECONDS + 0.1).contains(&duration), "{duration} s were inspected");
    let limit = Duration::from_secs_f64(SECONDS * 1.5) + OPENING;
    assert!(*took < limit, "it took {took:?}");
    let black = events(input, "black");
    let [(track, black_start, black_end, _)] = black[..] else { panic!("black is told once: {input:#}") };
    assert_eq!(track, "video:0");
    assert!((black_end - black_start - 2.0).abs() < 1e-3, "black from {black_start} to {black_end}");
    let silence = events(input, "silence");
    let [(track, start, end, _)] = silence[..] else { panic!("silence is told once: {input:#}") };
    assert_eq!(track, "audio:0");
    // Coded sound: its onset lies within the 20 ms that are promised, twice for both ends.
    assert!((end - start - 2.0).abs() < 0.04, "silent from {start} to {end}");
    assert!((start - black_start - 3.0).abs() < 0.045, "silence {start} belongs 3 s after black {black_start}");
    for detector in ["freeze", "video_missing", "audio_missing", "decode_error", "input_down", "scrambled"] {
        assert!(events(input, detector).is_empty(), "{detector} in {input:#}");
    }
}

/// Black begins where it was planted, when the check saw the programme from its beginning.
#[track_caller]
fn assert_from_the_start((_, input, _): &(i32, Value, Duration)) {
    let (_, start, _, _) = events(input, "black")[0];
    // Transport streams begin with the priming of their sound, one block of AAC before the picture.
    assert!((start - 3.0).abs() < 0.0215, "black begins at {start} s");
}

/// Sends as soon as the check listens.
fn check_while_sending(url: &str, port: u16, send: impl FnOnce() -> Sender + Send) -> (i32, Value, Duration) {
    std::thread::scope(|scope| {
        let sending = scope.spawn(move || {
            wait_for_listener(port, "udp");
            send()
        });
        let checked = check(url);
        drop(sending.join().expect("it sends"));
        checked
    })
}

#[test]
fn a_transport_stream_by_udp_is_checked_to_the_frame() {
    let port = free_port();
    let checked =
        check_while_sending(&format!("udp://127.0.0.1:{port}"), port, move || Sender::udp(&clip().path, port));
    assert_told("mpegts", &checked);
    assert_from_the_start(&checked);
}

#[test]
fn a_udp_stream_that_is_joined_midway_is_checked_to_the_frame() {
    let port = free_port();
    let _sender = Sender::udp(&clip().path, port);
    // The check joins within the three seconds before the picture turns black.
    let checked = check(&format!("udp://127.0.0.1:{port}"));
    assert_told("mpegts", &checked);
}

#[test]
fn a_transport_stream_by_rtp_is_checked_to_the_frame() {
    let port = free_port();
    let url = format!("rtp://127.0.0.1:{port}");
    let send = || Sender::start(&clip().path, "rtp_mpegts", &[], &url);
    let checked = check_while_sending(&url, port, send);
    assert_told("mpegts", &checked);
    assert_from_the_start(&checked);
}

#[test]
fn a_transport_stream_by_tcp_is_checked_to_the_frame() {
    let port = free_port();
    let _sender = Sender::tcp(&clip().path, port);
    let checked = check(&format!("tcp://127.0.0.1:{port}"));
    assert_told("mpegts", &checked);
    assert_from_the_start(&checked);
}

#[test]
fn a_transport_stream_by_http_is_checked_to_the_frame() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/live.ts");
    let _sender = Sender::start(&clip().path, "mpegts", &["-listen", "1"], &url);
    wait_for_listener(port, "tcp");
    let checked = check(&url);
    assert_told("mpegts", &checked);
    assert_from_the_start(&checked);
}

#[test]
fn an_rtmp_stream_is_checked_to_the_frame() {
    let port = free_port();
    let url = format!("rtmp://127.0.0.1:{port}/app/key");
    let _sender = Sender::start(&clip().path, "flv", &["-bsf:a", "aac_adtstoasc", "-listen", "1"], &url);
    wait_for_listener(port, "tcp");
    let checked = check(&url);
    assert_told("flv", &checked);
    assert_from_the_start(&checked);
}

#[test]
fn an_srt_listener_is_called_and_checked_to_the_frame() {
    let port = free_port();
    let _sender = Sender::srt(&clip().path, port);
    let checked = check(&format!("srt://127.0.0.1:{port}"));
    assert_told("mpegts", &checked);
    assert_from_the_start(&checked);
}

#[test]
fn an_srt_caller_is_listened_to_and_checked_to_the_frame() {
    let port = free_port();
    let send = move || Sender::start(&clip().path, "mpegts", &[], &format!("srt://127.0.0.1:{port}?mode=caller"));
    let checked = check_while_sending(&format!("srt://127.0.0.1:{port}?mode=listener"), port, send);
    assert_told("mpegts", &checked);
    assert_from_the_start(&checked);
}

fn check_hls(clip: &Path) -> (i32, Value, Duration) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let _packager = Sender::hls(clip, folder.path());
    let web = Web::of_folder(folder.path().to_owned());
    check(&web.url("/live.m3u8"))
}

#[test]
fn a_live_hls_stream_is_checked_to_the_frame() {
    assert_told("hls", &check_hls(&clip().path));
}

#[test]
fn seconds_without_a_sender_end_in_an_error_in_time() {
    let port = free_port();
    let begin = Instant::now();
    let url = format!("udp://127.0.0.1:{port}");
    let output = avwatch().args(["check", &url, "--format", "json", "--seconds", "2"]).output().expect("it starts");
    assert_eq!(output.status.code(), Some(3));
    let report: Value = serde_json::from_slice(&output.stdout).expect("is JSON");
    let error = report["inputs"][0]["error"].as_str().expect("says why");
    assert!(error.contains("udp://127.0.0.1") && error.contains("no answer"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[test]
fn a_sender_that_dies_during_a_check_leaves_a_report_of_what_was_seen() {
    let port = free_port();
    let sender = Sender::tcp(&clip().path, port);
    let killer = std::thread::spawn(move || {
        std::thread::park_timeout(Duration::from_secs(4));
        drop(sender);
    });
    let (_, input, took) = check(&format!("tcp://127.0.0.1:{port}"));
    killer.join().expect("it kills");
    let duration = input["duration_s"].as_f64().expect("is a number");
    assert!((1.0..6.0).contains(&duration), "{input:#}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_password_in_an_address_is_in_no_report() {
    const CANARY: &str = "Canary4711Canary";
    let port = free_port();
    let urls = [
        format!("http://user:{CANARY}@127.0.0.1:{port}/a"),
        format!("http://127.0.0.1:{port}/a?token={CANARY}"),
        format!("tcp://user:{CANARY}@127.0.0.1:{port}"),
        format!("rtmp://user:{CANARY}@127.0.0.1:{port}/app/{CANARY}"),
        format!("rtsp://user:{CANARY}@127.0.0.1:{port}/x?key={CANARY}"),
        format!("srt://127.0.0.1:{port}?mode=caller&passphrase={CANARY}"),
        format!("unknown://user:{CANARY}@host/{CANARY}"),
        format!("http://user:{CANARY}@127.0.0.1:9999999/"),
    ];
    for format in ["json", "text", "junit", "html", "nagios"] {
        let output = avwatch()
            .arg("check")
            .args(&urls)
            .args(["--seconds", "1", "--format", format])
            .output()
            .expect("it starts");
        assert_eq!(output.status.code(), Some(3));
        for bytes in [&output.stdout, &output.stderr] {
            let said = String::from_utf8_lossy(bytes);
            assert!(!said.contains(CANARY), "{format}: {said}");
        }
    }
}
