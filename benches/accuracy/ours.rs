//! Our side: `avwatch check` on a clip, and the list of detectors that are built.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::case::Asked;
use super::common::binary::avwatch;
use super::event::{Event, Severity, Step};

/// What `check` said of a clip.
pub(crate) struct Report {
    /// The report, byte for byte.
    pub(crate) bytes: Vec<u8>,
    /// Every event.
    pub(crate) events: Vec<Event>,
    /// Integrated loudness and true peak of the first audio track.
    pub(crate) loudness: Option<(f64, f64)>,
}

/// The detectors that are built, with their ladders in profile `file`.
pub(crate) struct Built(BTreeMap<String, Vec<Step>>);

impl Built {
    /// Asks the binary.
    pub(crate) fn ask() -> Result<Self, String> {
        let output = avwatch().args(["detectors", "--format", "json"]).output().map_err(|error| error.to_string())?;
        let list: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
        let rows = list["detectors"].as_array().ok_or("the list of detectors has another form")?;
        let mut built = BTreeMap::new();
        for row in rows {
            let name = row["name"].as_str().ok_or("a detector has no name")?;
            let steps = row["profiles"]["file"]["steps"].as_array().ok_or("a detector has no steps")?;
            let steps = steps.iter().map(|step| {
                let severity = step["severity"].as_str().and_then(Severity::parse)?;
                Some(Step { after: step["after_s"].as_f64()?, severity })
            });
            let steps: Option<Vec<Step>> = steps.collect();
            built.insert(name.to_owned(), steps.ok_or("a step has another form")?);
        }
        Ok(Self(built))
    }

    /// The ladder of a detector that is built.
    pub(crate) fn steps(&self, detector: &str) -> Option<&[Step]> {
        self.0.get(detector).map(Vec::as_slice)
    }
}

/// The arguments of `check` for a clip.
fn arguments(asked: Option<&Asked>, built: &Built) -> Vec<&'static str> {
    asked.filter(|asked| built.steps(asked.detector).is_some()).map_or_else(Vec::new, |asked| asked.arguments.clone())
}

/// The bytes of the report on a clip.
pub(crate) fn bytes(path: &Path, asked: Option<&Asked>, built: &Built) -> Result<Vec<u8>, String> {
    let output = avwatch()
        .arg("check")
        .arg(path)
        .args(["--format", "json"])
        .args(arguments(asked, built))
        .output()
        .map_err(|error| error.to_string())?;
    match output.status.code() {
        Some(0 | 1) => Ok(output.stdout),
        status => Err(format!("check ended with {status:?}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// Checks a clip.
pub(crate) fn check(path: &Path, asked: Option<&Asked>, built: &Built) -> Result<Report, String> {
    let bytes = bytes(path, asked, built)?;
    let report: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    let input = &report["inputs"][0];
    let events = input["events"].as_array().ok_or("the report has no events")?;
    let events: Option<Vec<Event>> = events.iter().map(event).collect();
    let sound = &input["measurements"]["audio:0"];
    let loudness = sound["integrated_lufs"].as_f64().zip(sound["true_peak_dbtp"].as_f64());
    Ok(Report { bytes, events: events.ok_or("an event has another form")?, loudness })
}

fn event(value: &Value) -> Option<Event> {
    Some(Event {
        detector: value["detector"].as_str()?.to_owned(),
        track: value["track"].as_str()?.to_owned(),
        severity: value["severity"].as_str().and_then(Severity::parse)?,
        start: value["start_s"].as_f64()?,
        end: value["end_s"].as_f64()?,
    })
}
