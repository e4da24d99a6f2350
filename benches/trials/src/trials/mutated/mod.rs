//! R3: mutated inputs, each checked by a process of its own.

mod case;
mod mutate;
mod origins;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};

use self::case::{Ended, check};
use self::mutate::Seeds;
use self::origins::Origins;
use crate::harness::options::Options;
use crate::harness::outcome::Outcome;
use crate::harness::slope::percentile;

pub const WHAT: &str = "mutated TS, MP4, fragmented MP4, FLV and Matroska files, HLS playlists and segments, RTSP answers and SDP, \
    each given to an avwatch check of its own; a report must come that says what the input is, or why it is none";

/// Longest time of a case, and most memory that it may hold in RAM.
const SECONDS_MAX: f64 = 5.0;
const MEMORY_MAX_MIB: f64 = 128.0;

/// What became of all cases.
#[derive(Default)]
struct Sum {
    seconds: Vec<f64>,
    peak: f64,
    crashes: Vec<String>,
    hangs: Vec<String>,
    unclassified: Vec<String>,
    swollen: Vec<String>,
    by_kind: BTreeMap<&'static str, (u64, u64)>,
}

pub fn run(options: &Options) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let seeds = Seeds::make(folder.path())?;
    let origins = Origins::start(&seeds);
    let (next, sum) = (AtomicU64::new(0), Mutex::new(Sum::default()));
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= options.cases {
                    return Ok(());
                }
                one(options, number, folder.path(), &seeds, &origins, &sum)?;
            }
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().ok().context("a worker panicked")?)
    })?;
    let sum = sum.into_inner().expect("nobody panics with it");
    let mut outcome = Outcome::default();
    outcome.at_least("cases", sum.seconds.len() as f64, options.cases as f64);
    for (kind, (cases, refused)) in &sum.by_kind {
        outcome.note(&format!("{kind}_cases"), format!("{cases}, of which {refused} were refused or broke off"));
    }
    outcome.none("crashes", &sum.crashes);
    outcome.none("over_5_s", &sum.hangs);
    outcome.none("unclassified", &sum.unclassified);
    outcome.none("over_128_mib", &sum.swollen);
    outcome.at_most("memory_peak_mib", sum.peak, MEMORY_MAX_MIB);
    outcome.note("median_s", percentile(sum.seconds.clone(), 0.5));
    outcome.note("p99_s", percentile(sum.seconds.clone(), 0.99));
    outcome.at_most("longest_s", percentile(sum.seconds, 1.0), SECONDS_MAX);
    Ok(outcome)
}

fn one(
    options: &Options,
    number: u64,
    folder: &Path,
    seeds: &Seeds,
    origins: &Origins,
    sum: &Mutex<Sum>,
) -> Result<()> {
    // Each case has dice of its own: it is the same whoever plays it, and can be played alone.
    let mut dice = fastrand::Rng::with_seed(options.seed << 32 | number);
    let mutant = seeds.mutant(&mut dice);
    let (input, file) = if mutant.is_served {
        (origins.offer(number, &mutant), None)
    } else {
        let path = folder.join(format!("{number}.{}", mutant.extension));
        std::fs::write(&path, &mutant.bytes)?;
        (path.display().to_string(), Some(path))
    };
    let play = || check(&options.avwatch, &input, mutant.is_served, &folder.join(format!("{number}")));
    let mut checked = play()?;
    if checked.seconds > SECONDS_MAX && matches!(checked.ended, Ended::Reported | Ended::Refused) {
        // What hangs hangs again; a machine that was busy with others does not.
        checked.seconds = checked.seconds.min(play()?.seconds);
    }
    origins.withdraw(number);
    let mut sum = sum.lock().expect("nobody panics with it");
    let count = sum.by_kind.entry(mutant.kind).or_default();
    count.0 += 1;
    count.1 += u64::from(matches!(checked.ended, Ended::Refused));
    let case = format!("{} case {number}, seed {}", mutant.kind, options.seed);
    let is_bad = match &checked.ended {
        Ended::Reported | Ended::Refused => false,
        Ended::Crashed(how) => push(&mut sum.crashes, format!("{case}: {how}")),
        Ended::Unclassified(how) => push(&mut sum.unclassified, format!("{case}: {how}")),
    };
    let is_slow = checked.seconds > SECONDS_MAX && push(&mut sum.hangs, format!("{case}: {:.1} s", checked.seconds));
    let is_large =
        checked.peak_mib > MEMORY_MAX_MIB && push(&mut sum.swollen, format!("{case}: {:.0} MiB", checked.peak_mib));
    if is_bad || is_slow || is_large {
        std::fs::write(found()?.join(format!("{}-{number}.{}", options.seed, mutant.extension)), &mutant.bytes)?;
    }
    sum.peak = sum.peak.max(checked.peak_mib);
    sum.seconds.push(checked.seconds);
    if let Some(file) = file {
        std::fs::remove_file(file)?;
    }
    Ok(())
}

fn push(list: &mut Vec<String>, text: String) -> bool {
    eprintln!("{text}");
    list.push(text);
    true
}

/// Where inputs are kept that did harm.
fn found() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/found");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
