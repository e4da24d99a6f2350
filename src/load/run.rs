//! A whole run: material, perhaps bare decoding, one trial or a search, and what came of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::figures::{Trial, rounded};
use super::limits::Reached;
use super::material::{Encoded, Material, MaterialError};
use super::report::{Baseline, Capacity, LoadReport};
use super::rig::RigError;
use super::search::Search;
use super::settings::{LoadSettings, Streams};
use super::trial::{Progress, SETTLE, Stage};
use crate::config::{ConfigErrors, Loaded, Sources, load};
use crate::measure::cost;
use crate::media::bare::{self, Bare};
use crate::media::bare_live;

/// How long bare decoding runs to see how many streams it sustains.
const BASELINE_HINT: Duration = Duration::from_secs(2);

/// Streams on each thread of bare decoding, at most: small ones must not take all memory.
const BASELINE_STREAMS_MAX: f64 = 64.0;

/// Bare decoding in real time is tried with one stream in so many more or less; so often at most, and with so many streams at most.
const BASELINE_STEP_PART: u32 = 20;
const BASELINE_TRIALS_MAX: u32 = 12;
const BASELINE_LIVE_STREAMS_MAX: u32 = 512;

/// How long bare decoding runs.
const BASELINE_SECONDS: Duration = Duration::from_secs(10);

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The settings are wrong.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// There is nothing to show.
    #[error(transparent)]
    Material(#[from] MaterialError),
    /// The streams cannot run.
    #[error(transparent)]
    Rig(#[from] RigError),
    /// The clip cannot be decoded at all.
    #[error("cannot decode the clip: {0}")]
    Baseline(std::io::Error),
}

impl LoadError {
    /// True when what was asked for is wrong, not the program or the machine.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Config(_) | Self::Rig(RigError::Profile(_) | RigError::Parts(_)))
    }
}

/// Does what the settings say. `stop` ends it early with what was seen until then.
///
/// # Errors
/// See [`LoadError`].
pub fn run(settings: &LoadSettings, stop: &AtomicBool, progress: &dyn Fn(Progress)) -> Result<LoadReport, LoadError> {
    let loaded = load(&Sources { sets: settings.all_sets(), ..Sources::default() })?;
    cost::count();
    progress(Progress::Making);
    let material = Material::make(settings)?;
    let baseline = match &material {
        Material::Sent(encoded) if settings.baseline => {
            progress(Progress::Baseline);
            Some(measure_baseline(encoded, settings, stop).map_err(LoadError::Baseline)?)
        }
        Material::Sent(_) | Material::Made(_) => None,
    };
    let stage = Stage { loaded: &loaded, settings, material: &material, stop, progress };
    let (trials, capacity) = match settings.streams {
        Streams::Fixed(streams) => fixed(&stage, streams)?,
        Streams::Search { first, most } => search(&stage, first, most)?,
    };
    Ok(report(settings, &loaded, trials, capacity, baseline, stop.load(Ordering::Relaxed)))
}

/// One number of streams, after a quarter of it where that was asked for.
fn fixed(stage: &Stage<'_>, streams: u32) -> Result<(Vec<Trial>, Capacity), LoadError> {
    let mut trials = Vec::new();
    let quarter = (streams / 4).max(1);
    if stage.settings.quarter && quarter < streams {
        trials.push(stage.run(quarter)?);
    }
    if !stage.stop.load(Ordering::Relaxed) {
        trials.push(stage.run(streams)?);
    }
    let held = trials.iter().filter(|trial| trial.held).map(|trial| trial.streams).max().unwrap_or(0);
    let limit = trials.last().filter(|trial| !trial.held).map(|trial| trial.broke.clone()).unwrap_or_default();
    Ok((trials, Capacity { searched: false, streams: held, limit, ..Capacity::default() }))
}

/// As many streams as hold.
fn search(stage: &Stage<'_>, first: u32, most: u32) -> Result<(Vec<Trial>, Capacity), LoadError> {
    let mut search = Search::new(first, most);
    let mut trials: Vec<Trial> = Vec::new();
    while let Some(streams) = search.next() {
        let trial = stage.run(streams)?;
        if stage.stop.load(Ordering::Relaxed) {
            // Cut short: shown, but no word on whether so many hold.
            trials.push(trial);
            break;
        }
        search.tried(trial.held);
        trials.push(trial);
    }
    if stage.settings.quarter && !stage.stop.load(Ordering::Relaxed) && search.held() >= 4 {
        trials.push(stage.run(search.held() / 4)?);
    }
    let broke = search.broke().and_then(|broke| trials.iter().find(|trial| trial.streams == broke));
    let limit = broke.map(|trial| trial.broke.clone()).unwrap_or_default();
    Ok((trials, Capacity { searched: true, streams: search.held(), limit, ..Capacity::default() }))
}

fn measure_baseline(encoded: &Encoded, settings: &LoadSettings, stop: &AtomicBool) -> std::io::Result<Baseline> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let rate = f64::from(settings.rate);
    let hint = bare::decode(&encoded.file, threads, 1, BASELINE_HINT, stop)?;
    let streams = (hint.rate / rate / threads as f64).ceil().clamp(1.0, BASELINE_STREAMS_MAX) as usize;
    let bare = bare::decode(&encoded.file, threads, streams, BASELINE_SECONDS, stop)?;
    let sustained = match matches!(settings.streams, Streams::Search { .. }) {
        true => sustained_by_bare(encoded, settings, (bare.rate / rate) as u32, stop)?,
        false => None,
    };
    let stream_ms = |bare: &Bare| bare.cpu.as_secs_f64() * 1_000.0 / (bare.pictures as f64 / rate).max(1e-3);
    let growth = match settings.quarter {
        true => {
            let few = bare::decode(&encoded.file, threads, (streams / 4).max(1), BASELINE_SECONDS, stop)?;
            (few.pictures > 0 && !stop.load(Ordering::Relaxed)).then(|| rounded(stream_ms(&bare) / stream_ms(&few)))
        }
        false => None,
    };
    Ok(Baseline {
        streams: rounded(bare.rate / rate),
        sustained,
        stream_ms: rounded(stream_ms(&bare)),
        ratio: None,
        cpu_ratio: None,
        growth,
    })
}

/// The most streams that bare decoding sustains in real time, within the limit of latency that watching has. Tried from `first` on,
/// upwards while it holds, or downwards until it does.
fn sustained_by_bare(
    encoded: &Encoded,
    settings: &LoadSettings,
    first: u32,
    stop: &AtomicBool,
) -> std::io::Result<Option<u32>> {
    let picture = Duration::from_secs(1) / settings.rate.max(1);
    let pace = bare_live::Pace { picture, settle: SETTLE, wall: settings.seconds };
    let first = first.clamp(1, BASELINE_LIVE_STREAMS_MAX);
    let mut streams = first;
    let mut held = None;
    for _ in 0..BASELINE_TRIALS_MAX {
        if streams == 0 || streams > BASELINE_LIVE_STREAMS_MAX || stop.load(Ordering::Relaxed) {
            break;
        }
        let p99 = bare_live::p99(&encoded.file, streams as usize, pace, stop)?;
        let step = (streams / BASELINE_STEP_PART).max(1);
        if p99.is_some_and(|p99| p99 <= settings.limits.p99) {
            held = Some(streams);
            if streams < first {
                break;
            }
            streams += step;
        } else if held.is_some() {
            break;
        } else {
            streams -= step;
        }
    }
    Ok(held)
}

/// The trial that counts: after a search the most streams that held, else the number that was asked for.
pub(super) fn counting<'a>(trials: &'a [Trial], capacity: &Capacity) -> Option<&'a Trial> {
    let held = |trial: &&Trial| trial.streams == capacity.streams && trial.held;
    trials.iter().find(held).filter(|_| capacity.searched).or(trials.last())
}

fn report(
    settings: &LoadSettings,
    loaded: &Loaded,
    trials: Vec<Trial>,
    mut capacity: Capacity,
    mut baseline: Option<Baseline>,
    stopped: bool,
) -> LoadReport {
    let best = counting(&trials, &capacity);
    capacity.streams_per_core = best.filter(|trial| trial.held).map(|trial| {
        let cores = trial.cpu.cores.max(1);
        rounded(f64::from(trial.streams) / f64::from(cores))
    });
    // CPU per stream at the most streams over that at a quarter, or at what comes nearest to it.
    let linear = best.filter(|best| settings.quarter && best.held).and_then(|best| {
        let quarter = trials
            .iter()
            .filter(|trial| trial.streams <= best.streams.div_ceil(2))
            .min_by_key(|trial| trial.streams.abs_diff(best.streams / 4))?;
        (quarter.cpu.stream_ms > 0.0).then(|| rounded(best.cpu.stream_ms / quarter.cpu.stream_ms))
    });
    if let Some(baseline) = &mut baseline {
        // What sending took of the same cores would have been there for more streams. Only a capacity compares with a capacity.
        let sender = best
            .filter(|trial| trial.cpu.stream_ms > 0.0)
            .map_or(0.0, |trial| trial.cpu.stages_ms.get("sender").copied().unwrap_or_default() / trial.cpu.stream_ms);
        let streams = f64::from(capacity.streams) * (1.0 + sender);
        baseline.ratio =
            baseline.sustained.filter(|_| capacity.searched).map(|bare| rounded(streams / f64::from(bare)));
        baseline.cpu_ratio = best
            .filter(|trial| trial.cpu.stream_ms > 0.0)
            .map(|trial| rounded(baseline.stream_ms / trial.cpu.stream_ms));
    }
    let ratio = baseline.as_ref().and_then(|baseline| baseline.ratio);
    let reached = Reached { streams: capacity.streams, trial: best, baseline: ratio, linear };
    let required = settings.requirements.judge(&reached);
    LoadReport::new(
        settings,
        loaded.plan.runtime.detector_arbiters.get(),
        trials,
        capacity,
        baseline,
        linear,
        required,
        stopped,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(streams: u32, held: bool) -> Trial {
        Trial { streams, held, ..Trial::default() }
    }

    #[test]
    fn a_quarter_that_holds_does_not_stand_for_the_number_that_was_asked_for() {
        let trials = [trial(75, true), trial(300, false)];
        let asked = Capacity { searched: false, streams: 75, ..Capacity::default() };
        assert_eq!(counting(&trials, &asked).map(|trial| trial.streams), Some(300));
    }

    #[test]
    fn after_a_search_the_most_streams_that_held_count() {
        let trials = [trial(4, true), trial(8, true), trial(16, false), trial(2, true)];
        let found = Capacity { searched: true, streams: 8, ..Capacity::default() };
        assert_eq!(counting(&trials, &found).map(|trial| trial.streams), Some(8));
    }
}
