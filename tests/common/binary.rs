//! The avwatch binary, and what it reports.

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

use super::media::{Clip, Planted};

/// The binary, untouched by the configuration of the person who runs the tests.
pub fn avwatch() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_avwatch"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AVWATCH")) {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").timeout(std::time::Duration::from_secs(120));
    command
}

/// Runs `check --format json` on one input; gives exit status and the input's part of the report.
pub fn check(input: &Path, arguments: &[&str]) -> (i32, Value) {
    let output =
        avwatch().arg("check").arg(input).args(["--format", "json"]).args(arguments).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("no report: {error}; {said}"));
    (output.status.code().expect("it was not killed"), report["inputs"][0].clone())
}

/// The events of one detector in an input's part of a report: track, start, end, severity.
pub fn events<'a>(input: &'a Value, detector: &str) -> Vec<(&'a str, f64, f64, &'a str)> {
    let all = input["events"].as_array().expect("events are a list");
    let text = |event: &'a Value, key: &str| event[key].as_str().expect("is a text");
    let number = |event: &Value, key: &str| event[key].as_f64().expect("is a number");
    all.iter()
        .filter(|event| event["detector"] == detector)
        .map(|event| (text(event, "track"), number(event, "start_s"), number(event, "end_s"), text(event, "severity")))
        .collect()
}

/// Panics unless the report tells exactly what was planted of the truth's detectors, within
/// `tolerance` seconds, and nothing of what must be absent.
#[track_caller]
pub fn assert_truth(clip: &Clip, input: &Value, tolerance: f64) {
    let mut detectors: Vec<&str> = clip.truth.iter().map(|planted| planted.detector).collect();
    detectors.sort_unstable();
    detectors.dedup();
    for detector in detectors {
        let truth: Vec<&Planted> = clip.truth.iter().filter(|planted| planted.detector == detector).collect();
        let told = events(input, detector);
        let matches = |planted: &&Planted| {
            told.iter().any(|(track, start, end, _)| {
                *track == planted.track
                    && (start - planted.start).abs() <= tolerance
                    && (end - planted.end).abs() <= tolerance
            })
        };
        let all = truth.len() == told.len() && truth.iter().all(matches);
        assert!(all, "{}: {detector} is {truth:?}, told {told:?}", clip.path.display());
    }
    for detector in &clip.absent {
        let told = events(input, detector);
        assert!(told.is_empty(), "{}: {detector} must stay silent, told {told:?}", clip.path.display());
    }
}
