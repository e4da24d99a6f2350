//! The distributed design: converter, object store, workflow, detectors and aggregator, each a process.

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::aggregator::{Join, Joined};
use crate::converter::{Convert, Converted, Packing};
use crate::detector::{Inspect, Inspected};
use crate::page::figures::{Calls, Fault, Run, Usage};
use crate::store::{Ask, Reached};
use crate::told::Heard;
use crate::usage;
use crate::wire::Step;
use crate::workflow::{STATES, Workflow};

/// Seconds of a stream that may be converted and not yet inspected: the steps of a stream overlap, as the
/// executions of a workflow do.
const AHEAD_MAX: usize = 2;

/// Most seconds of a stream; a converter that never comes to its end is stuck.
const SECONDS_MAX: u64 = 3_600;

/// What is run.
pub struct Work<'a> {
    pub clip: &'a Path,
    pub streams: usize,
    pub detectors: &'a [String],
    pub packing: Packing,
    /// Where the workflow keeps its states.
    pub folder: &'a Path,
}

/// What came of it: figures, and what was told by stream.
pub struct Outcome {
    pub run: Run,
    pub told: Vec<Vec<Fault>>,
}

/// The steps that all streams share.
struct Steps {
    store: Step,
    detectors: Vec<Step>,
    aggregator: Step,
    workflow: Workflow,
    objects: PathBuf,
}

/// Plays the clip in real time as that many streams through all steps.
pub fn run(work: &Work<'_>) -> Result<Outcome> {
    let folder = tempfile::tempdir_in(work.folder)?;
    // In memory where that is possible: no disk makes the store slow.
    let memory = Path::new("/dev/shm");
    let objects = tempfile::tempdir_in(if memory.is_dir() { memory } else { work.folder })?;
    let store = Step::start("store", &[objects.path().display().to_string()])?;
    let address = store.greeting.clone();
    let detector = |name: &String| Step::start("detector", &[name.clone(), address.clone()]);
    let steps = Steps {
        store,
        detectors: work.detectors.iter().map(detector).collect::<Result<_>>()?,
        aggregator: Step::start("aggregator", std::slice::from_ref(&address))?,
        workflow: Workflow::open(folder.path())?,
        objects: objects.path().join(crate::store::BUCKET),
    };
    let clip = work.clip.display().to_string();
    let converter = |number: usize| {
        let packing = work.packing.word().to_owned();
        Step::start("converter", &[format!("s{number}"), clip.clone(), address.clone(), packing])
    };
    let converters: Vec<Step> = (0..work.streams).map(converter).collect::<Result<_>>()?;
    let before = usage::of_process(std::process::id())?;
    let run = Mutex::new(Run { streams: work.streams, ..Run::default() });
    let begun = Instant::now();
    let told = std::thread::scope(|scope| -> Result<Vec<Vec<Fault>>> {
        let watch = |(number, converter)| {
            let (steps, run) = (&steps, &run);
            // Their seconds end one after the other, as those of streams do that know nothing of each other.
            let begun = begun + Duration::from_secs(1) * number as u32 / work.streams as u32;
            scope.spawn(move || Stream { name: format!("s{number}"), begun, steps, converter, run }.watch())
        };
        let streams: Vec<_> = converters.iter().enumerate().map(watch).collect();
        streams.into_iter().map(|stream| stream.join().ok().context("a stream panicked")?).collect()
    })?;
    let mut run = run.into_inner().unwrap_or_else(PoisonError::into_inner);
    let after = usage::of_process(std::process::id())?;
    let workflow = Usage { cpu_s: after.cpu_s - before.cpu_s, peak_bytes: after.peak_bytes };
    run.roles.insert("workflow".to_owned(), workflow);
    let groups = [("converter", &converters), ("detectors", &steps.detectors)];
    for (role, members) in groups {
        for step in members {
            *run.roles.entry(role.to_owned()).or_default() += step.used()?;
        }
    }
    run.roles.insert("store".to_owned(), steps.store.used()?);
    run.roles.insert("aggregator".to_owned(), steps.aggregator.used()?);
    run.connections = steps.store.call::<_, Reached>(&Ask {})?.connections;
    run.transitions = steps.workflow.transitions()?;
    Ok(Outcome { run, told })
}

/// One stream on its way.
struct Stream<'a> {
    name: String,
    begun: Instant,
    steps: &'a Steps,
    converter: &'a Step,
    run: &'a Mutex<Run>,
}

impl Stream<'_> {
    /// From its first second to its last.
    fn watch(&self) -> Result<Vec<Fault>> {
        let (send, converted) = sync_channel(AHEAD_MAX);
        std::thread::scope(|scope| {
            let converting = scope.spawn(move || -> Result<()> {
                for second in 0..SECONDS_MAX {
                    let due = self.begun + Duration::from_secs(second + 1);
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    self.steps.workflow.reach(&self.name, second, STATES[0])?;
                    let made: Converted = self.converter.call(&Convert { second })?;
                    let ended = made.ended;
                    // Nobody takes it any more when inspecting failed, and that is the error to tell.
                    if send.send((second, made)).is_err() || ended {
                        break;
                    }
                }
                Ok(())
            });
            let mut heard = Heard::default();
            for (second, made) in converted {
                let (joined, calls) = self.inspect(second, made)?;
                let told_s = self.begun.elapsed().as_secs_f64();
                joined.told.iter().for_each(|change| heard.take(change, told_s));
                let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
                run.calls += calls;
                run.stream_seconds += 1.0;
                drop(run);
                // In place of the store's own rule that forgets objects after a time; it costs no calls there.
                std::fs::remove_dir_all(self.steps.objects.join(&self.name).join(second.to_string()))?;
            }
            converting.join().ok().context("a stream panicked")??;
            Ok(heard.sorted())
        })
    }

    /// A second of it through detectors and aggregator.
    fn inspect(&self, second: u64, made: Converted) -> Result<(Joined, Calls)> {
        let (steps, stream) = (self.steps, &self.name);
        let mut calls = made.calls;
        steps.workflow.reach(stream, second, STATES[1])?;
        let asked = Inspect {
            stream: stream.clone(),
            second,
            video: made.video,
            audio: made.audio,
            format: made.format,
            ended: made.ended,
        };
        // All detectors at the same time, as the parallel state of a workflow does.
        let inspected: Vec<Inspected> = std::thread::scope(|scope| {
            let asked = &asked;
            let running: Vec<_> =
                steps.detectors.iter().map(|detector| scope.spawn(move || detector.call(asked))).collect();
            running.into_iter().map(|call| call.join().ok().context("a call panicked")?).collect::<Result<_>>()
        })?;
        steps.workflow.reach(stream, second, STATES[2])?;
        inspected.iter().for_each(|inspected| calls += inspected.calls);
        let results = inspected.into_iter().map(|inspected| inspected.result).collect();
        let joined: Joined = steps.aggregator.call(&Join { stream: stream.clone(), second, results })?;
        calls += joined.calls;
        steps.workflow.reach(stream, second, STATES[3])?;
        Ok((joined, calls))
    }
}
