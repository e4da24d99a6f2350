//! `avwatch load`, as a whole: its report, its recall, its exit status.

mod common;

use std::process::Output;

use common::binary::avwatch;
use serde_json::Value;

fn load(arguments: &str) -> Output {
    avwatch().arg("load").args(arguments.split_whitespace()).output().expect("it starts")
}

#[track_caller]
fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {} {}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    })
}

/// Every field that `docs/load.md` promises is there, of the kind it promises.
#[track_caller]
fn keeps_to_the_schema(report: &Value) {
    assert_eq!(report["schema"], "avwatch.load/1");
    for text in ["version", "source", "profile", "latency_method"] {
        assert!(report[text].is_string(), "{text}: {report}");
    }
    for number in ["rate", "channels", "seed", "arbiters"] {
        assert!(report[number].is_u64(), "{number}: {report}");
    }
    assert!(report["stopped"].is_boolean() && report["met"].is_boolean() && report["required"].is_array(), "{report}");
    assert!(report["capacity"]["streams"].is_u64() && report["capacity"]["limit"].is_array(), "{report}");
    for limit in ["p99_ms", "drops", "coverage"] {
        assert!(report["limits"][limit].is_f64(), "{limit}: {report}");
    }
    let trials = report["trials"].as_array().expect("trials");
    assert!(!trials.is_empty());
    for trial in trials {
        for number in ["streams", "up", "restarts"] {
            assert!(trial[number].is_u64(), "{number}: {trial}");
        }
        assert!(trial["held"].is_boolean() && trial["broke"].is_array() && trial["errors"].is_array(), "{trial}");
        for part in ["ready", "queue", "inspect", "total"] {
            for at in ["p50", "p90", "p99", "max"] {
                assert!(trial["latency_ms"][part][at].is_f64(), "{part} {at}: {trial}");
            }
        }
        for stage in ["measure", "detectors", "lanes", "rest", "sender", "make"] {
            assert!(trial["cpu"]["stages_ms"][stage].is_f64(), "{stage}: {trial}");
        }
        for number in ["due", "judged", "dropped", "receive_dropped"] {
            assert!(trial["frames"][number].is_u64(), "{number}: {trial}");
        }
        assert!(trial["memory"]["per_stream"].is_u64() && trial["cpu"]["streams_per_core"].is_f64(), "{trial}");
    }
}

#[test]
fn made_streams_are_carried_with_every_planted_defect_told() {
    let output = load("--streams 4 --seconds 6 --size 64x64 --limit-p99 2s --format json");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report = report(&output);
    keeps_to_the_schema(&report);
    let trial = &report["trials"][0];
    assert_eq!(trial["accuracy"]["recall"], 1.0, "{trial:#}");
    assert!(trial["accuracy"]["planted"].as_u64().expect("a number") >= 1, "{trial:#}");
    // 4 streams, 6 s, 5 pictures and 50 blocks of sound a second; at either end of the span one more or less of each.
    let due = trial["frames"]["due"].as_u64().expect("a number");
    assert!((1_312..=1_328).contains(&due), "{trial:#}");
    assert_eq!((&report["source"], &report["capacity"]["searched"]), (&"synthetic".into(), &false.into()));
}

#[test]
fn encoded_streams_go_through_every_way_of_ingest_with_every_planted_defect_told() {
    let output =
        load("--source encoded --streams 4 --seconds 12 --rate 10 --limit-p99 5s --size 320x180 --format json");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report = report(&output);
    keeps_to_the_schema(&report);
    let trial = &report["trials"][0];
    assert_eq!(report["transports"], serde_json::json!(["udp", "tcp", "http", "hls"]));
    assert_eq!(trial["up"], 4, "{trial:#}");
    assert_eq!(trial["accuracy"]["recall"], 1.0, "{trial:#}");
    assert!(trial["accuracy"]["planted"].as_u64().expect("a number") >= 4, "{trial:#}");
    assert!(trial["cpu"]["stages_ms"]["decode"].as_f64().expect("a number") > 0.0, "{trial:#}");
    assert!(trial["sender"]["stream_bits_per_second"].as_f64().expect("a number") > 100_000.0, "{trial:#}");
}

#[test]
fn defects_that_lie_far_apart_are_told_in_the_rounds_that_have_them_and_nothing_in_the_others() {
    let output = load(
        "--source encoded --streams 8 --seconds 20 --apart 33s --rate 10 --limit-p99 5s --size 320x180 --format json",
    );
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report = report(&output);
    let trial = &report["trials"][0];
    assert_eq!((&trial["up"], &trial["restarts"]), (&8.into(), &0.into()), "{trial:#}");
    let accuracy = &trial["accuracy"];
    assert_eq!((&accuracy["recall"], &accuracy["precision"]), (&1.0.into(), &1.0.into()), "{trial:#}");
    // 8 streams, pictures and sound, one each 36 s: 8 in the 17.5 s in which they count. Twice that if every round had them.
    let planted = accuracy["planted"].as_u64().expect("a number");
    assert!((4..=12).contains(&planted), "{trial:#}");
}

#[test]
fn a_missed_requirement_is_named_and_ends_with_status_one() {
    let output =
        load("--streams 2 --seconds 1 --size 64x64 --sound 0 --limit-p99 5s --require-streams 100000 --format json");
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("missed: streams wanted 100000"), "{words}");
    let report = report(&output);
    assert_eq!((&report["met"], &report["required"][0]["name"]), (&false.into(), &"streams".into()));
}

#[test]
fn an_unknown_profile_or_setting_is_bad_usage() {
    for wrong in ["--streams 1 --profile nonesuch", "--streams 1 --set detectors.blakc.enabled=false", "--baseline"] {
        let output = load(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
