//! The whole service against bare decoding: CPU time, memory per stream, and time to the verdict.
//!
//! `scripts/bench` runs it. By hand: `cargo bench --bench service -- CLIP`, for one figure
//! `-- CLIP cpu|memory|latency`. Each figure is one JSON line on standard output. `-- bare CLIP N`
//! and `-- watch CLIP N` are the two sides, with N streams in real time (`bare CLIP 0`: one, at once).

#[path = "support/bare.rs"]
mod bare;
#[path = "support/figures.rs"]
mod figures;

use std::io;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use avwatch::config::{Sources, load};
use avwatch::evidence::Rings;
use avwatch::inspect::{Inspection, inspect};
use avwatch::live::{LiveBoard, Pixels};
use avwatch::media::spec::Address;
use avwatch::stream_parts;
use avwatch_actors::arbiters::Arbiters;
use avwatch_actors::latency::{Stage, StageHistograms};
use avwatch_actors::paced::Pace;
use avwatch_actors::source::Opener;
use figures::{Used, print_absolute, print_ratio, run};

/// CPU of `avwatch check` over that of bare decoding.
const CPU_RATIO_MAX: f64 = 1.12;
/// What every monitor watches: gone, black, frozen, silent, too loud, damaged, out of time.
const CORE: [&str; 13] = [
    "black",
    "freeze",
    "decode_error",
    "format_change",
    "video_missing",
    "silence",
    "channel_silence",
    "loudness",
    "true_peak",
    "audio_missing",
    "timestamp",
    "input_down",
    "scrambled",
];
/// Memory of one stream more over that of bare decoding.
const MEMORY_RATIO_MAX: f64 = 1.2;
/// CPU of watching with live pictures, readings and packets held, over that without.
const TAPS_RATIO_MAX: f64 = 1.02;
/// From decoded frame to verdict, in milliseconds.
const VERDICT_P99_MAX: f64 = 5.0;
/// Share of the machine that the latency is measured at.
const LOAD: f64 = 0.6;
/// Pairs of runs; an odd number, so that the median is one of them.
const PAIRS: usize = 7;
/// Runs of what takes as long as the clip.
const LONG_RUNS: usize = 3;
/// Streams that one is compared with for memory.
const STREAMS_MANY: usize = 4;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["bare", clip, streams] => bare_side(clip, streams.parse().unwrap_or(1)),
        ["watch", clip, streams] => watch_side(clip, streams.parse().unwrap_or(1), Taps::Off),
        ["tapped", clip, streams] => watch_side(clip, streams.parse().unwrap_or(1), Taps::On),
        [clip] => cpu(clip).and_then(|first| Ok(memory(clip)? & latency(clip)? & taps(clip)? & first)),
        [clip, "cpu"] => cpu(clip),
        [clip, "memory"] => memory(clip),
        [clip, "latency"] => latency(clip),
        [clip, "taps"] => taps(clip),
        // `cargo test --benches` and `cargo bench` without a clip.
        _ => {
            eprintln!("name a clip, as scripts/bench does");
            Ok(true)
        }
    };
    match done {
        // A missed target is a figure, not a failure.
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn cpu(clip: &str) -> io::Result<bool> {
    let mut all_hold = true;
    let core: Vec<&str> = CORE.iter().flat_map(|name| ["--detector", name]).collect();
    for (name, profile, only) in [("core", "ott", &core[..]), ("ott", "ott", &[]), ("file", "file", &[])] {
        let mut ratios = Vec::new();
        for _ in 0..PAIRS {
            let bare = this("bare", clip, 0)?;
            // 1 says that something was found in the clip.
            let whole = run(
                Command::new(env!("CARGO_BIN_EXE_avwatch"))
                    .args(["check", "--format", "json", "--profile", profile])
                    .args(only)
                    .arg(clip),
                1,
            )?;
            ratios.push(whole.cpu.as_secs_f64() / bare.cpu.as_secs_f64());
        }
        all_hold &= print_ratio(&format!("service_cpu_{name}"), &ratios, CPU_RATIO_MAX);
    }
    Ok(all_hold)
}

fn memory(clip: &str) -> io::Result<bool> {
    let per_stream = |side: &str| -> io::Result<f64> {
        let (one, many) = (this(side, clip, 1)?, this(side, clip, STREAMS_MANY)?);
        Ok((many.peak_bytes - one.peak_bytes) / (STREAMS_MANY - 1) as f64)
    };
    let mut ratios = Vec::new();
    for _ in 0..LONG_RUNS {
        let (bare, watched) = (per_stream("bare")?, per_stream("watch")?);
        eprintln!("memory per stream: bare {:.1} MB, watched {:.1} MB", bare / 1e6, watched / 1e6);
        ratios.push(watched / bare);
    }
    Ok(print_ratio("memory_per_stream", &ratios, MEMORY_RATIO_MAX))
}

fn latency(clip: &str) -> io::Result<bool> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    let share = share_of(&this("watch", clip, 1)?);
    let streams = (LOAD * cores / share).round().max(1.0) as usize;
    let mut tails = Vec::new();
    for _ in 0..LONG_RUNS {
        let used = this("watch", clip, streams)?;
        eprintln!("{streams} streams, {:.2} of {cores} cores: {}", share_of(&used), used.output.trim());
        tails.push(field(&used.output, "verdict_p99_ms"));
    }
    Ok(print_absolute("verdict_p99_ms", &tails, VERDICT_P99_MAX))
}

/// What live pictures, readings and the ring of packets add to watching.
fn taps(clip: &str) -> io::Result<bool> {
    let mut ratios = Vec::new();
    for _ in 0..LONG_RUNS {
        let (plain, tapped) = (this("watch", clip, STREAMS_MANY)?, this("tapped", clip, STREAMS_MANY)?);
        eprintln!(
            "{STREAMS_MANY} streams: {:.2} s of CPU, {:.2} with taps; {}",
            plain.cpu.as_secs_f64(),
            tapped.cpu.as_secs_f64(),
            tapped.output.trim()
        );
        ratios.push(tapped.cpu.as_secs_f64() / plain.cpu.as_secs_f64());
    }
    Ok(print_ratio("service_cpu_taps", &ratios, TAPS_RATIO_MAX))
}

/// Cores that a run of the watched side used.
fn share_of(used: &Used) -> f64 {
    used.cpu.as_secs_f64() / field(&used.output, "seconds")
}

/// Runs one side in a process of its own.
fn this(side: &str, clip: &str, streams: usize) -> io::Result<Used> {
    run(Command::new(std::env::current_exe()?).args([side, clip, &streams.to_string()]), 0)
}

fn field(output: &str, name: &str) -> f64 {
    let fields: serde_json::Value = serde_json::from_str(output).unwrap_or_default();
    fields[name].as_f64().unwrap_or(f64::NAN)
}

/// Bare decoding of so many streams at once in real time, or of one as fast as it goes.
fn bare_side(clip: &str, streams: usize) -> io::Result<bool> {
    ffmpeg_next::init().map_err(io::Error::other)?;
    let begin = Instant::now();
    let decode = |clip: &str, paced: bool| {
        bare::decode(clip, |picture| {
            let due = Duration::from_millis(40 * picture);
            if let Some(left) = due.checked_sub(begin.elapsed()).filter(|_| paced) {
                std::thread::sleep(left);
            }
        })
    };
    if streams == 0 {
        decode(clip, false).map_err(io::Error::other)?;
        return Ok(true);
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..streams).map(|_| scope.spawn(|| decode(clip, true))).collect();
        for thread in threads {
            thread.join().map_err(|_| io::Error::other("a decoder panicked"))?.map_err(io::Error::other)?;
        }
        Ok(true)
    })
}

/// Whether what passes is shown and held.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taps {
    Off,
    On,
}

/// The service's parts on so many streams at once in real time.
fn watch_side(clip: &str, streams: usize, taps: Taps) -> io::Result<bool> {
    let loaded = load(&Sources::default()).map_err(io::Error::other)?;
    let plan = loaded.input(clip, Address::File(clip.into()), "ott").map_err(io::Error::other)?;
    let detectors = stream_parts::resolve_detectors(&plan, &[]).map_err(io::Error::other)?;
    let (live, rings) = (LiveBoard::start()?, Rings::new(Duration::from_secs(30), 1 << 30));
    let opener = |number: usize| -> io::Result<Arc<dyn Opener>> {
        if taps == Taps::Off {
            return stream_parts::opener(&plan, detectors.measure).map_err(io::Error::other);
        }
        let name: Arc<str> = format!("{number}").into();
        let ring = rings.ring_of(&name, 5);
        // The first ring may have all, the next ones what is left.
        rings.share();
        let opener = stream_parts::opener_with(&plan, detectors.measure.with_readings(), Some(ring), Arc::default());
        Ok(live.watch(&name, opener.map_err(io::Error::other)?, Pixels::ForLive))
    };
    let begin = Instant::now();
    let latencies = actix::System::new().block_on(async {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let arbiters = Arbiters::start(cores.clamp(1, 3));
        let mut tasks = Vec::new();
        for number in 0..streams {
            let work = Inspection {
                card: stream_parts::card(&plan),
                opener: opener(number)?,
                specs: detectors.specs.clone(),
                pace: Pace::RealTime,
                media_max: None,
                wall_max: None,
                recorder: None,
            };
            let arbiters: Arc<Arbiters> = arbiters.clone();
            tasks.push(actix::spawn(async move { inspect(work, &arbiters, &AtomicBool::new(false), |_| {}).await }));
        }
        let mut all = StageHistograms::default();
        for task in tasks {
            let findings = task.await.map_err(io::Error::other)?;
            if let Some(error) = findings.error {
                return Err(io::Error::other(error.to_string()));
            }
            all.absorb(&findings.latencies);
        }
        Ok(all)
    })?;
    let p99 = |stage| latencies.stage(stage).value_at_quantile(0.99) as f64 / 1_000.0;
    // The two stages' tails added: never less than the tail of their sum.
    let verdict = p99(Stage::Queue) + p99(Stage::Inspect);
    let held = rings.bytes() / streams as u64;
    let seconds = begin.elapsed().as_secs_f64();
    println!(r#"{{"verdict_p99_ms":{verdict},"seconds":{seconds},"ring_bytes_per_stream":{held}}}"#);
    Ok(true)
}
