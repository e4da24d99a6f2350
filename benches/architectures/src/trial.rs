//! The trial: what a second of stream costs in both designs, and how many streams each keeps up with.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::json;

use crate::detector::Found;
use crate::distributed::{self, Outcome, Pace, Work};
use crate::monolith::{self, Inspected, Kept};
use crate::prices::Cost;
use crate::{clip, page};

/// Those that the published report on the distributed design names, as far as they need no learning.
const DETECTORS: [&str; 6] = ["black", "freeze", "block_corruption", "blur", "silence", "dropout"];

/// A design keeps up while 95 % of its verdicts come within that of the end of their second, in seconds.
const LATENCY_MAX_S: f64 = 2.0;

/// The monolith keeps up while it judges that share of the frames that are due, and drops none.
const SHARE_MIN: f64 = 0.98;

/// Most streams that are tried.
const STREAMS_MAX: usize = 4_096;

/// What was asked for.
pub struct Options {
    avwatch: PathBuf,
    clip: Option<PathBuf>,
    size: String,
    seconds: u64,
    page: Option<PathBuf>,
}

impl Options {
    /// From the words of the command line.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let avwatch = PathBuf::from("../../target/release/avwatch");
        let mut options = Self { avwatch, clip: None, size: "640x360".to_owned(), seconds: 10, page: None };
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value"));
            match word.as_str() {
                "--avwatch" => options.avwatch = value()?.into(),
                "--clip" => options.clip = Some(value()?.into()),
                "--size" => options.size = value()?,
                "--seconds" => options.seconds = value()?.parse()?,
                "--page" => options.page = Some(value()?.into()),
                // What cargo bench adds.
                "--bench" => {}
                _ => bail!("unknown option {word}; see the head of main.rs"),
            }
        }
        Ok(options)
    }
}

/// Everything that was measured.
pub struct Results {
    pub size: String,
    pub detectors: Vec<String>,
    pub distributed: Outcome,
    pub monolith: Inspected,
    pub distributed_steps: Vec<Outcome>,
    pub monolith_steps: Vec<Kept>,
}

impl Results {
    /// What an hour of stream costs in the distributed design.
    pub fn distributed_cost(&self) -> Cost {
        let outcome = &self.distributed;
        Cost::of(outcome.stream_seconds, outcome.cpu_s(), outcome.calls, outcome.transitions)
    }

    /// What it costs in one process: results are stored once an hour or when something happens, next to nothing.
    pub fn monolith_cost(&self) -> Cost {
        Cost::of(self.monolith.stream_seconds, self.monolith.usage.cpu_s, crate::store::Calls::default(), 0)
    }

    /// Streams that the distributed design kept up with.
    pub fn distributed_wall(&self) -> usize {
        self.distributed_steps
            .iter()
            .filter(|step| step.latency(0.95) <= LATENCY_MAX_S)
            .map(|step| step.streams)
            .max()
            .unwrap_or(0)
    }

    /// Streams that the monolith kept up with.
    pub fn monolith_wall(&self) -> usize {
        self.monolith_steps.iter().filter(|step| holds(step)).map(|step| step.streams).max().unwrap_or(0)
    }
}

fn holds(kept: &Kept) -> bool {
    kept.share >= SHARE_MIN && kept.dropped == 0
}

/// Runs it and prints one JSON line per figure.
pub fn run(options: Options) -> Result<()> {
    let made = || clip::make(Path::new("target"), &options.size);
    let clip = std::fs::canonicalize(options.clip.clone().map_or_else(made, Ok)?)?;
    let detectors: Vec<String> = DETECTORS.iter().map(|name| (*name).to_owned()).collect();
    let work = |streams, seconds, pace| Work { clip: &clip, seconds, streams, detectors: &detectors, pace };

    let distributed = distributed::run(&work(1, clip::SECONDS, Pace::Unbound))?;
    say("distributed_cost", &distributed);
    let monolith = monolith::inspect(&options.avwatch, &clip, &detectors)?;
    say("monolith_cost", &monolith);
    compare(&distributed.found, &monolith.found)?;

    let mut distributed_steps = Vec::new();
    for streams in 1..=STREAMS_MAX {
        let step = distributed::run(&work(streams, options.seconds, Pace::RealTime))?;
        say("distributed_streams", &step);
        let holds = step.latency(0.95) <= LATENCY_MAX_S;
        distributed_steps.push(step);
        if !holds {
            break;
        }
    }
    let try_with = |streams| -> Result<Kept> {
        let kept = monolith::keep_up(&options.avwatch, &clip, &detectors, streams, options.seconds)?;
        say("monolith_streams", &kept);
        Ok(kept)
    };
    let monolith_steps = wall(try_with)?;
    let size = options.size.clone();
    let results = Results { size, detectors, distributed, monolith, distributed_steps, monolith_steps };
    let (before, after) = (results.distributed_cost().total(), results.monolith_cost().total());
    println!(
        "{}",
        json!({
            "figure": "verdict",
            "distributed_dollars_per_stream_hour": before, "monolith_dollars_per_stream_hour": after,
            "cheaper_percent": 100.0 * (1.0 - after / before),
            "distributed_wall": results.distributed_wall(), "monolith_wall": results.monolith_wall(),
        })
    );
    if let Some(path) = &options.page {
        page::write(path, &results)?;
    }
    Ok(())
}

/// Doubles until it does not hold, then halves the distance twice.
fn wall(mut attempt: impl FnMut(usize) -> Result<Kept>) -> Result<Vec<Kept>> {
    let mut steps = Vec::new();
    let (mut good, mut bad) = (0, None);
    let mut streams = 4;
    while bad.is_none() && streams <= STREAMS_MAX {
        let kept = attempt(streams)?;
        if holds(&kept) {
            good = streams
        } else {
            bad = Some(streams)
        }
        steps.push(kept);
        streams *= 2;
    }
    for _ in 0..2 {
        let Some(limit) = bad.filter(|limit| limit - good > 1) else { break };
        let middle = (good + limit) / 2;
        let kept = attempt(middle)?;
        if holds(&kept) {
            good = middle
        } else {
            bad = Some(middle)
        }
        steps.push(kept);
    }
    Ok(steps)
}

fn say(figure: &str, value: &impl Serialize) {
    println!("{}", json!({ "figure": figure, "value": value }));
}

/// Both must have found the same conditions at the same time, to two frames: else their costs say nothing.
fn compare(distributed: &[Found], monolith: &[Found]) -> Result<()> {
    const NEAR_MS: i64 = 80;
    let ended = |found: &&Found| found.what == "ended";
    let list = |found: &[Found]| -> Vec<(String, i64, Option<i64>)> {
        let mut list: Vec<_> =
            found.iter().filter(ended).map(|found| (found.detector.clone(), found.start_ms, found.end_ms)).collect();
        list.sort();
        list
    };
    let (left, right) = (list(distributed), list(monolith));
    let near = |one: i64, other: i64| (one - other).abs() <= NEAR_MS;
    let same = left.len() == right.len()
        && !left.is_empty()
        && left.iter().zip(&right).all(|(left, right)| {
            left.0 == right.0 && near(left.1, right.1) && near(left.2.unwrap_or_default(), right.2.unwrap_or_default())
        });
    println!("{}", json!({ "figure": "found", "distributed": left, "monolith": right, "same": same }));
    if same { Ok(()) } else { bail!("the designs did not find the same: {left:?} and {right:?}") }
}
