//! What each detector costs: a row of the registry at a time, per picture or per 10 ms of sound; where the CPU
//! time of the full set goes; and what FFmpeg's own filters take for the same checks of the same clip.
//!
//! `scripts/bench` runs it; by hand `cargo bench --bench registry -- CLIP [rows|shares|filters]`. One JSON line per
//! figure. A row's `measure` is the pass over planes or samples with that row's needs alone, its `judge` the
//! detector itself; rows share facts, so their sum is more than the cost of all together, which is row `all`.

#[path = "support/figures.rs"]
#[allow(dead_code)]
mod figures;
#[path = "support/row.rs"]
mod row;

use std::error::Error;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Instant;

use avwatch::config::{Sources, load};
use avwatch::detectors::{self, DetectorKind, DetectorSettings, ResolvedDetector};
use avwatch::measure::MeasurePlan;
use avwatch::media::spec::{Address, Expect};
use avwatch::profile::Profile;
use avwatch::stream_parts;
use avwatch_actors::detector::LaneKind;
use avwatch_actors::item::Item;
use avwatch_actors::lane::{Offer, WhenFull, lane};
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::track::SessionNumber;
use figures::{median, run};

/// Runs that a median is of; an odd number.
const RUNS: usize = 5;
/// Seconds of the clip that FFmpeg's filters get: some of them take minutes for more.
const FILTERED_SECONDS: &str = "4";
/// FFmpeg's filters for what avwatch checks.
const VIDEO_FILTERS: &str =
    "blackdetect,freezedetect,blockdetect,blurdetect,signalstats,siti,idet,cropdetect,photosensitivity";
const AUDIO_FILTERS: &str = "silencedetect,astats=metadata=1,aphasemeter=video=0,ebur128=peak=true";

type Done = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        [clip] => rows(clip).and_then(|()| shares(clip)).and_then(|()| filters(clip)),
        [clip, "rows"] => rows(clip),
        [clip, "shares"] => shares(clip),
        [clip, "filters"] => filters(clip),
        // `cargo test --benches` and `cargo bench` without a clip.
        _ => {
            eprintln!("name a clip, as scripts/bench does");
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A row of the registry, switched on, with the options that loudness targets and the like come from.
fn switched_on(kind: &'static DetectorKind) -> Result<ResolvedDetector, Box<dyn Error>> {
    let on = DetectorSettings { enabled: Some(true), ..DetectorSettings::default() };
    Ok(detectors::resolve(kind, Profile::BroadcastEu, &[on], &Expect::default())?)
}

fn plan_of(drinks_from: impl Fn(&DetectorKind) -> bool) -> Result<MeasurePlan, Box<dyn Error>> {
    let rows = detectors::ALL.iter().copied().filter(|kind| drinks_from(kind));
    let resolved = rows.map(switched_on).collect::<Result<Vec<_>, _>>()?;
    Ok(detectors::measure_plan(&resolved))
}

/// Decodes a clip with that plan and hands its items on.
fn decode(clip: &str, measure: MeasurePlan, mut each: impl FnMut(Item) -> bool) -> Done {
    let plan = load(&Sources::default())?.input("bench", Address::File(clip.into()), "ott")?;
    let mut source = stream_parts::opener(&plan, measure)?.open(SessionNumber(1), &Arc::default())?;
    while let Some(item) = source.next()? {
        if !each(item) {
            break;
        }
    }
    Ok(())
}

fn rows(clip: &str) -> Done {
    let mut everything = plan_of(|_| true)?;
    (everything.keep_pictures, everything.keep_samples) = (true, true);
    let mut kept = row::Kept::default();
    decode(clip, everything, |item| kept.add(item))?;
    for kind in detectors::ALL.iter().copied() {
        let resolved = switched_on(kind)?;
        row::print(kind.name, &kept, &detectors::measure_plan(std::slice::from_ref(&resolved)), &resolved.specs);
    }
    let all = detectors::ALL.iter().copied().map(switched_on).collect::<Result<Vec<_>, _>>()?;
    let specs: Vec<_> = all.iter().flat_map(|resolved| resolved.specs.iter().cloned()).collect();
    row::print("all", &kept, &detectors::measure_plan(&all), &specs);
    Ok(())
}

/// Where the CPU time of the full set goes, in per cent of what decoding alone takes in this process. The rest is what
/// `avwatch check` takes beyond decoding and measuring: its start, detectors, report.
fn shares(clip: &str) -> Done {
    let of_lane = |lane: LaneKind| move |kind: &DetectorKind| kind.lanes.contains(&lane);
    let (pictures, sound) = (plan_of(of_lane(LaneKind::Picture))?, plan_of(of_lane(LaneKind::Sound))?);
    let plans = [MeasurePlan::NOTHING, pictures, sound, plan_of(|_| true)?];
    let mut items = 0;
    let mut spent = [const { Vec::new() }; 4];
    let mut whole = Vec::new();
    for _ in 0..RUNS {
        for (plan, spent) in plans.iter().zip(&mut spent) {
            let before = figures::own_cpu();
            items = 0;
            decode(clip, *plan, |_| {
                items += 1;
                true
            })?;
            spent.push((figures::own_cpu() - before).as_secs_f64());
        }
        whole.push(check(clip, &[])?);
    }
    let bare = median(&spent[0]);
    let over = |with: &[f64], without: &[f64]| {
        let pairs = with.iter().zip(without).map(|(with, without)| (with - without) / bare);
        100.0 * median(&pairs.collect::<Vec<_>>())
    };
    let lanes = 100.0 * 1e-9 * lane_nanos() * f64::from(items) / bare;
    println!(
        r#"{{"name":"shares","unit":"% of decoding","decoding_s":{bare:.3},"planes":{:.2},"sound":{:.2},"lanes":{lanes:.3},"rest":{:.2}}}"#,
        over(&spent[1], &spent[0]),
        over(&spent[2], &spent[0]),
        over(&whole, &spent[3]) - lanes
    );
    Ok(())
}

/// Nanoseconds to put an item into a lane and to take it out again.
fn lane_nanos() -> f64 {
    const ITEMS: usize = 100_000;
    const PLACES: std::num::NonZeroUsize = std::num::NonZeroUsize::new(50).expect("above zero");
    let (sender, receiver) = lane(PLACES, WhenFull::DropOldest);
    let line = Lifeline::default();
    let item = Item::Clock(avwatch_actors::media_time::MediaTime::ZERO);
    let begin = Instant::now();
    for _ in 0..ITEMS {
        assert_eq!(sender.offer(std::hint::black_box(&item).clone(), &line), Offer::Taken);
        std::hint::black_box(receiver.take());
    }
    begin.elapsed().as_nanos() as f64 / ITEMS as f64
}

/// CPU seconds of `avwatch check` with all detectors of `ott`.
fn check(clip: &str, more: &[&str]) -> Result<f64, Box<dyn Error>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_avwatch"));
    command.args(["check", "--format", "json", "--profile", "ott"]).args(more);
    // 1 says that something was found in the clip.
    Ok(run(command.arg(clip), 1)?.cpu.as_secs_f64())
}

/// What the checks take beyond decoding, FFmpeg's filters and ours, on the same seconds of the clip.
fn filters(clip: &str) -> Done {
    let ffmpeg = |filters: &[&str]| -> Result<f64, Box<dyn Error>> {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin", "-threads", "1", "-filter_threads", "1"]);
        command.args(["-t", FILTERED_SECONDS, "-i", clip]).args(filters).args(["-f", "null", "-"]);
        Ok(run(&mut command, 0)?.cpu.as_secs_f64())
    };
    let chain = ["-vf", VIDEO_FILTERS, "-af", AUDIO_FILTERS];
    let (mut over_bare, mut over_ours) = (Vec::new(), Vec::new());
    for _ in 0..RUNS.min(3) {
        let (bare, filtered, whole) = (ffmpeg(&[])?, ffmpeg(&chain)?, check(clip, &["--seconds", FILTERED_SECONDS])?);
        over_bare.push(filtered / bare);
        // Ours less decoding may be next to nothing: then the ratio is only known to be large.
        over_ours.push((filtered - bare) / (whole - bare).max(0.01 * bare));
    }
    println!(
        r#"{{"name":"ffmpeg_chain_over_decoding","ratio":{:.2},"pairs":{},"median":{0:.2},"mad":{:.2}}}"#,
        median(&over_bare),
        over_bare.len(),
        figures::mad(&over_bare)
    );
    println!(
        r#"{{"name":"ffmpeg_filters_over_ours","ratio":{:.1},"pairs":{},"median":{0:.1},"mad":{:.1}}}"#,
        median(&over_ours),
        over_ours.len(),
        figures::mad(&over_ours)
    );
    Ok(())
}
