//! Evidence of events: what people find of them, and that it shows them again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::common::binary::{check, events};
use crate::common::damage;
use crate::common::recipes;
use crate::common::sender::{Pump, Sender, Web, free_port, wait};
use crate::common::service::{Home, Service};

const SECOND: Duration = Duration::from_secs(1);

/// Quick to be told, so that the clips of twelve seconds hold what is planted in them.
const QUICK: &str = "
[detectors.black]
severities = { warning = \"1s\" }
clear_after = \"1s\"
[detectors.silence]
severities = { warning = \"1s\" }
clear_after = \"1s\"
[detectors.freeze]
raise_after = \"1s\"
severities = { warning = \"2s\" }
clear_after = \"1s\"
[detectors.decode_error]
raise_after = \"0s\"
severities = { warning = \"0s\" }
clear_after = \"1s\"
";

fn home(streams: &[(&str, String)]) -> Home {
    let streams = streams.iter().map(|(name, url)| format!("[[streams]]\nname = \"{name}\"\nurl = \"{url}\"\n"));
    Home::new(&format!("{QUICK}{}", streams.collect::<String>()))
}

/// Waits for the evidence of the first event of that kind; gives its folder and its manifest.
#[track_caller]
fn evidence(home: &Home, service: &Service, stream: &str, detector: &str) -> (PathBuf, Value) {
    let event = service.wait_for_event(stream, detector, "raised", 40 * SECOND);
    let id = event["id"].as_str().expect("an event has an id").to_owned();
    let folder = home.data().join("evidence").join(&id);
    let manifest = wait("the evidence", 50 * SECOND, || std::fs::read(folder.join("evidence.json")).ok());
    let manifest: Value = serde_json::from_slice(&manifest).expect("is JSON");
    assert_eq!((&manifest["event"], &manifest["stream"]), (&Value::from(id), &Value::from(stream)));
    (folder, manifest)
}

/// Checks the clip of a folder; the event must be in it, and as long after its begin as the manifest says.
#[track_caller]
fn assert_shown_again(folder: &Path, manifest: &Value, detector: &str) {
    let clip = folder.join(manifest["clip"]["file"].as_str().unwrap_or_else(|| panic!("no clip: {manifest:#}")));
    let (_, report) = check(&clip, &[]);
    let told = events(&report, detector);
    assert!(!told.is_empty(), "no {detector} in {}: {:#}\n{manifest:#}", clip.display(), report["events"]);
    let before = manifest["clip"]["before_s"].as_f64().expect("is a number");
    let near = told.iter().any(|(_, start, _, _)| (start - before).abs() < 0.5);
    assert!(near, "{detector} at {told:?}, by the manifest at {before} s");
}

/// Pictures are JPEG files, and there is one of the begin and a strip.
#[track_caller]
fn assert_pictures(folder: &Path, manifest: &Value) {
    let pictures = manifest["pictures"].as_array().expect("is a list");
    let shows = |what: &str| pictures.iter().filter(|picture| picture["shows"] == what).count();
    assert!(shows("onset") == 1 && shows("strip") >= 4, "{manifest:#}");
    for picture in pictures {
        let file = folder.join(picture["file"].as_str().expect("is a name"));
        assert!(std::fs::read(&file).expect("is there").starts_with(&[0xff, 0xd8]), "{}", file.display());
    }
    let trace: Value =
        serde_json::from_slice(&std::fs::read(folder.join("trace.json")).expect("is there")).expect("is JSON");
    let luma = trace["curves"]["video:0"]["luma_mean"].as_array().expect("is a curve");
    assert!(luma.len() > 50 && !trace["readings"].as_array().expect("is a list").is_empty());
}

/// Beside transport packets there is a file that browsers play, which shows the same.
#[track_caller]
fn assert_film(folder: &Path, manifest: &Value, detector: &str) {
    assert_eq!(manifest["film"]["left_out"], serde_json::json!([]), "{manifest:#}");
    let film = folder.join(manifest["film"]["file"].as_str().expect("is a name"));
    let bytes = std::fs::read(&film).expect("is there");
    assert!(bytes.len() as u64 == manifest["film"]["bytes"] && bytes[4..].starts_with(b"ftyp"), "{manifest:#}");
    let (_, report) = check(&film, &[]);
    assert!(!events(&report, detector).is_empty(), "{:#}\n{manifest:#}", report["events"]);
}

#[test]
fn a_clip_of_black_and_of_silence_over_udp_shows_it_again() {
    let port = free_port();
    let home = home(&[("lobby", format!("udp://127.0.0.1:{port}"))]);
    let service = home.start();
    let _sender = Sender::udp(&recipes::small_black_and_silent().path, port);
    for detector in ["black", "silence"] {
        let (folder, manifest) = evidence(&home, &service, "lobby", detector);
        assert_eq!(manifest["clip"]["container"], "mpegts");
        assert_shown_again(&folder, &manifest, detector);
        assert_pictures(&folder, &manifest);
        assert_film(&folder, &manifest, detector);
    }
    let told = service.wait_for_event("lobby", "black", "ended", 20 * SECOND);
    let path = told["evidence"].as_str().expect("the event says where its evidence is");
    assert_eq!(path, format!("/api/v1/events/{}/evidence", told["id"].as_str().expect("has an id")));
    let get = |path: &str| -> Value {
        let (status, body) = service.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).expect("is JSON")
    };
    assert_eq!(get(path)["event"], told["id"]);
    assert_eq!(get(&format!("{path}/trace.json"))["schema"], "avwatch.trace/1");
    let strange = [format!("{path}/other.txt"), format!("{path}/..%2F..%2Fevents.db")];
    for missing in strange.iter().map(String::as_str).chain(["/api/v1/events/x/evidence"]) {
        assert_eq!(service.get(missing).0, 404, "{missing}");
    }
    assert_the_past_is_told(&get);
}

/// The journal has the stream's seconds, dark ones among them, and when it was how bad.
#[track_caller]
fn assert_the_past_is_told(get: &impl Fn(&str) -> Value) {
    let points = wait("the past of the stream", 40 * SECOND, || {
        let history = get("/api/v1/streams/lobby/history?since=5m&resolution=1s");
        let points = history["points"].as_array().expect("is a list").clone();
        (points.len() >= 20).then_some(points)
    });
    let luma = |point: &Value| point["pictures"][0]["luma_mean"].as_f64();
    let dark = points.iter().filter(|point| luma(point).is_some_and(|luma| luma < 20.0)).count();
    let warned = points.iter().filter(|point| point["worst"] == "warning").count();
    assert!(dark >= 1 && warned >= 1, "{points:#?}");
    assert!(points.iter().all(|point| point["at"].as_str().is_some_and(|at| at.ends_with('Z'))), "{points:#?}");
    let seen = get("/api/v1/seen?since=1h");
    let spans = seen["streams"]["lobby"].as_array().unwrap_or_else(|| panic!("no lobby in {seen:#}"));
    let length = |span: &Value| span[1].as_u64().zip(span[0].as_u64()).map(|(to, from)| to - from);
    let total: Option<u64> = spans.iter().map(length).sum();
    assert!(total.is_some_and(|total| (10..200).contains(&total)), "{seen:#}");
}

#[test]
fn a_clip_of_a_freeze_over_udp_shows_it_again() {
    let port = free_port();
    let home = home(&[("lobby", format!("udp://127.0.0.1:{port}"))]);
    let service = home.start();
    let _sender = Sender::udp(&recipes::freeze(2_000).path, port);
    let (folder, manifest) = evidence(&home, &service, "lobby", "freeze");
    assert_shown_again(&folder, &manifest, "freeze");
}

#[test]
fn a_clip_of_black_over_srt_has_the_transport_packets_as_received() {
    let port = free_port();
    let home = home(&[("lobby", format!("srt://127.0.0.1:{port}"))]);
    let _sender = Sender::srt(&recipes::small_black_and_silent().path, port);
    let service = home.start();
    let (folder, manifest) = evidence(&home, &service, "lobby", "black");
    assert_eq!(manifest["clip"]["container"], "mpegts", "{manifest:#}");
    assert_shown_again(&folder, &manifest, "black");
}

#[test]
fn a_clip_of_damage_over_udp_is_damaged_in_the_same_way() {
    let port = free_port();
    let home = home(&[("lobby", format!("udp://127.0.0.1:{port}"))]);
    let service = home.start();
    let damaged = std::fs::read(damage::lost_packets().path).expect("was just made");
    let clean = std::fs::read(recipes::clean_transport_stream().path).expect("was just made");
    let _pump = Pump::start(port, vec![(damaged, 12 * SECOND), (clean.clone(), 12 * SECOND), (clean, 12 * SECOND)]);
    let (folder, manifest) = evidence(&home, &service, "lobby", "decode_error");
    assert_shown_again(&folder, &manifest, "decode_error");
}

#[test]
fn a_clip_of_black_over_rtmp_shows_it_again_in_a_file_that_browsers_play() {
    let port = free_port();
    let clip = recipes::small_black_and_silent().path;
    let _rtmp = Sender::rtmp(&clip, port);
    let home = home(&[("rtmp", format!("rtmp://127.0.0.1:{port}/app/key"))]);
    let service = home.start();
    let (folder, manifest) = evidence(&home, &service, "rtmp", "black");
    assert_eq!((&manifest["clip"]["container"], &manifest["film"]), (&"mp4".into(), &Value::Null), "{manifest:#}");
    let (_, report) = check(&folder.join("clip.mp4"), &[]);
    assert!(!events(&report, "black").is_empty(), "{:#}\n{manifest:#}", report["events"]);
    assert_pictures(&folder, &manifest);
}

#[test]
fn a_clip_of_black_over_hls_has_the_transport_packets_of_its_segments() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let _packager = Sender::hls(&recipes::small_black_and_silent().path, folder.path());
    let web = Web::of_folder(folder.path().to_owned());
    let home = home(&[("hls", web.url("/live.m3u8"))]);
    let service = home.start();
    let (folder, manifest) = evidence(&home, &service, "hls", "black");
    assert_eq!(manifest["clip"]["container"], "mpegts", "{manifest:#}");
    assert_shown_again(&folder, &manifest, "black");
    assert_pictures(&folder, &manifest);
    assert_film(&folder, &manifest, "black");
}

#[test]
fn a_clip_of_a_synthetic_stream_that_is_really_encoded_shows_it_again() {
    let home = home(&[("demo", "synthetic:?size=320x180&codec=h264&defects=black@6+4".to_owned())]);
    let service = home.start();
    let (folder, manifest) = evidence(&home, &service, "demo", "black");
    assert_eq!(manifest["clip"]["container"], "mp4", "{manifest:#}");
    assert_shown_again(&folder, &manifest, "black");
    assert_pictures(&folder, &manifest);
}

#[test]
fn of_a_stream_that_is_not_even_encoded_there_are_pictures_and_readings_and_the_reason_why_no_more() {
    let home = home(&[("demo", "synthetic:?size=320x180&defects=black@4+4".to_owned())]);
    let service = home.start();
    let (folder, manifest) = evidence(&home, &service, "demo", "black");
    assert!(manifest["clip"].is_null() && manifest["missing"][0].as_str().expect("says why").contains("no packets"));
    assert!(folder.join("raised.jpg").exists(), "{manifest:#}");
}

#[test]
fn evidence_that_is_off_leaves_no_trace() {
    let port = free_port();
    let streams = format!("[[streams]]\nname = \"lobby\"\nurl = \"udp://127.0.0.1:{port}\"\n");
    let home = Home::new(&format!("evidence.from = \"off\"\n{QUICK}{streams}"));
    let service = home.start();
    let _sender = Sender::udp(&recipes::small_black_and_silent().path, port);
    let event = service.wait_for_event("lobby", "black", "ended", 40 * SECOND);
    assert!(event.get("evidence").is_none() && !home.data().join("evidence").exists());
}
