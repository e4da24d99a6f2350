//! The distributed design: converter, object store, workflow, detectors and aggregator, each a process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::aggregator::{Join, Joined};
use crate::converter::{Convert, Converted};
use crate::detector::{Found, Inspect, Inspected};
use crate::store::Calls;
use crate::usage::{self, Usage};
use crate::wire::Step;
use crate::workflow::{STATES, Workflow};

/// How fast the streams come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as they are worked off: for the cost of a second of stream.
    Unbound,
    /// A second of stream in each second: for how many streams can be kept up with.
    RealTime,
}

/// What is run.
pub struct Work<'a> {
    pub clip: &'a Path,
    pub seconds: u64,
    pub streams: usize,
    pub detectors: &'a [String],
    pub pace: Pace,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub struct Outcome {
    pub streams: usize,
    pub stream_seconds: f64,
    /// By role: converter, store, detectors, aggregator, workflow.
    pub usage: BTreeMap<String, Usage>,
    pub calls: Calls,
    pub transitions: u64,
    /// From the end of a second of stream to its verdicts, in seconds, sorted.
    pub latencies: Vec<f64>,
    pub found: Vec<Found>,
}

impl Outcome {
    /// All CPU time.
    pub fn cpu_s(&self) -> f64 {
        self.usage.values().map(|usage| usage.cpu_s).sum()
    }

    /// All memory, as if every process had its peak at once.
    pub fn peak_bytes(&self) -> u64 {
        self.usage.values().map(|usage| usage.peak_bytes).sum()
    }

    /// That share of the latencies is below it.
    pub fn latency(&self, share: f64) -> f64 {
        let place = ((self.latencies.len() as f64 * share) as usize).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(place).copied().unwrap_or_default()
    }
}

/// The steps that all streams share.
struct Steps {
    store: Step,
    detectors: Vec<Step>,
    aggregator: Step,
    workflow: Workflow,
    objects: PathBuf,
}

/// Runs all of it.
pub fn run(work: &Work<'_>) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let objects = folder.path().join("objects");
    let store = Step::start("store", &[objects.display().to_string()])?;
    let address = store.greeting()?;
    let detector = |name: &String| Step::start("detector", &[name.clone(), address.clone()]);
    let steps = Steps {
        store,
        detectors: work.detectors.iter().map(detector).collect::<Result<_>>()?,
        aggregator: Step::start("aggregator", std::slice::from_ref(&address))?,
        workflow: Workflow::open(folder.path())?,
        objects: objects.join(crate::store::BUCKET),
    };
    let before = usage::of_process(std::process::id());
    let outcome = Mutex::new(Outcome { streams: work.streams, ..Outcome::default() });
    let begun = Instant::now();
    std::thread::scope(|scope| -> Result<()> {
        let streams: Vec<_> = (0..work.streams)
            .map(|number| {
                let (steps, outcome, address) = (&steps, &outcome, address.as_str());
                scope.spawn(move || watch(&format!("s{number}"), work, steps, address, begun, outcome))
            })
            .collect();
        for stream in streams {
            stream.join().map_err(|_| anyhow::anyhow!("a stream panicked"))??;
        }
        Ok(())
    })?;
    let mut outcome = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    let after = usage::of_process(std::process::id());
    let workflow = Usage { cpu_s: after.cpu_s - before.cpu_s, peak_bytes: after.peak_bytes };
    outcome.usage.insert("workflow".to_owned(), workflow);
    outcome.usage.insert("store".to_owned(), steps.store.usage());
    outcome.usage.insert("aggregator".to_owned(), steps.aggregator.usage());
    for detector in &steps.detectors {
        *outcome.usage.entry("detectors".to_owned()).or_default() += detector.usage();
    }
    outcome.transitions = steps.workflow.transitions()?;
    outcome.latencies.sort_by(f64::total_cmp);
    Ok(outcome)
}

/// One stream from its first second to its last.
fn watch(
    stream: &str,
    work: &Work<'_>,
    steps: &Steps,
    address: &str,
    begun: Instant,
    outcome: &Mutex<Outcome>,
) -> Result<()> {
    let clip = work.clip.display().to_string();
    let converter = Step::start("converter", &[stream.to_owned(), clip, address.to_owned()])?;
    for second in 0..work.seconds {
        let due = begun + Duration::from_secs(second + 1);
        if work.pace == Pace::RealTime {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let from = if work.pace == Pace::RealTime { due } else { Instant::now() };
        let (joined, calls, ended) = second_of(stream, second, steps, &converter, work.seconds)?;
        let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
        outcome.latencies.push(from.elapsed().as_secs_f64());
        outcome.calls += calls;
        outcome.stream_seconds += 1.0;
        if stream == "s0" {
            outcome.found.extend(joined);
        }
        drop(outcome);
        // In place of the store's own rule that forgets objects after a time; it costs no calls there.
        std::fs::remove_dir_all(steps.objects.join(stream).join(second.to_string()))?;
        if ended {
            break;
        }
    }
    let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
    *outcome.usage.entry("converter".to_owned()).or_default() += converter.usage();
    Ok(())
}

/// One second of a stream through all steps.
fn second_of(
    stream: &str,
    second: u64,
    steps: &Steps,
    converter: &Step,
    seconds: u64,
) -> Result<(Vec<Found>, Calls, bool)> {
    let mut calls = Calls::default();
    steps.workflow.reach(stream, second, STATES[0])?;
    let converted: Converted = converter.call(&Convert { second })?;
    calls += converted.calls;
    let ended = converted.ended || second + 1 == seconds;
    steps.workflow.reach(stream, second, STATES[1])?;
    let asked = Inspect {
        stream: stream.to_owned(),
        second,
        video: converted.video,
        audio: converted.audio,
        format: converted.format,
        ended,
    };
    // All detectors at the same time, as the map state of a workflow engine does.
    let inspected: Vec<Inspected> = std::thread::scope(|scope| {
        let asked = &asked;
        let running: Vec<_> =
            steps.detectors.iter().map(|detector| scope.spawn(move || detector.call::<_, Inspected>(asked))).collect();
        running.into_iter().map(|call| call.join().ok().context("a call panicked")?).collect::<Result<_>>()
    })?;
    steps.workflow.reach(stream, second, STATES[2])?;
    inspected.iter().for_each(|inspected| calls += inspected.calls);
    let results = inspected.into_iter().map(|inspected| inspected.result).collect();
    let joined: Joined = steps.aggregator.call(&Join { stream: stream.to_owned(), second, results })?;
    calls += joined.calls;
    steps.workflow.reach(stream, second, STATES[3])?;
    Ok((joined.found, calls, ended))
}
