//! The engine alone: 1,000 streams of 25 frames a second with 12 detectors each, no decoding.
//!
//! `cargo bench -p avwatch-actors --bench engine -- run [STREAMS] [RUNS]`; `scripts/bench` runs it. Everything is
//! as in the service: monitor, supervisors, a thread per session in real time, lanes, detector
//! arbiters, event desk, status board. Only the frames are made up. Two figures, one JSON line each:
//! cores used, and the 99th percentile from a frame's arrival to its verdicts, in milliseconds.

#[path = "../../benches/support/figures.rs"]
#[allow(dead_code)]
mod figures;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use avwatch_actors::arbiters::Arbiters;
use avwatch_actors::connect_bucket::ConnectBucket;
use avwatch_actors::cpu_accounts::CpuAccounts;
use avwatch_actors::detector::{Detector, DetectorSpec, Ladder, LaneKind, Precedence, Verdicts, Worse};
use avwatch_actors::event::StreamCard;
use avwatch_actors::event_desk::{self, DeskParts};
use avwatch_actors::frame::{LumaFacts, PictureFacts};
use avwatch_actors::item::Item;
use avwatch_actors::latency::Stage;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::monitor::{AddStream, Monitor, StopAll};
use avwatch_actors::paced::Pace;
use avwatch_actors::scripted::{Generator, ScriptStep, ScriptedOpener};
use avwatch_actors::setup::{Engine, LaneSizes, SessionMode, StreamSetup};
use avwatch_actors::severity::Severity;
use avwatch_actors::status::{Health, StatusBoard};
use avwatch_actors::tier::Tier;
use figures::{own_cpu, print_absolute};

const STREAMS: usize = 1_000;
const DETECTORS: u16 = 12;
const FRAME: MediaTime = MediaTime::from_millis(40);
/// Frames between two clocks, about as in real sessions.
const FRAMES_PER_CLOCK: i64 = 3;
/// Every stream is faulty for two seconds of each twenty.
const PERIOD: i64 = 500;
const FAULTY: i64 = 50;
/// Streams are added over this long, so that they do not all tick at once.
const START_OVER: Duration = Duration::from_secs(4);
const WARM_UP: Duration = Duration::from_secs(3);
const WINDOW: Duration = Duration::from_secs(10);
const RUNS: usize = 3;
const CORES_MAX: f64 = 1.0;
const P99_MAX: f64 = 10.0;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    // `cargo test --benches` asks for nothing.
    if words.first().map(String::as_str) != Some("run") {
        eprintln!("say 'run', as scripts/bench does");
        return;
    }
    let number = |place: usize, usual| words.get(place).and_then(|word| word.parse().ok()).unwrap_or(usual);
    let (cores, tails) = System::new().block_on(measure(number(1, STREAMS), number(2, RUNS)));
    print_absolute("engine_cores", &cores, CORES_MAX);
    print_absolute("engine_p99_ms", &tails, P99_MAX);
}

async fn measure(streams: usize, runs: usize) -> (Vec<f64>, Vec<f64>) {
    let parts = DeskParts {
        node: "bench".into(),
        store: None,
        sinks: Vec::new(),
        silences: Vec::new(),
        rules: Arc::default(),
        hold_of: Box::new(|_| Duration::ZERO),
        evidence_of: Box::new(|_| None),
        incidents: Default::default(),
    };
    let desk = event_desk::start(parts).expect("a desk without a store starts");
    let health = Arc::<Health>::default();
    let board = Arc::new(StatusBoard::new(Arc::<CpuAccounts>::default(), desk.board.clone(), health));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let arbiters = Arbiters::start(cores.saturating_sub(1).max(1));
    let bucket = Arc::new(ConnectBucket::new(1e6, 1e6, Instant::now()));
    let monitor = Monitor::new(Engine { arbiters, bucket, desk, board: board.clone() }).start();
    let specs: Arc<Vec<_>> = Arc::new((1..=DETECTORS).map(spec).collect());
    for number in 0..streams {
        monitor.do_send(AddStream(setup(number, &specs)));
        tokio::time::sleep(START_OVER / streams as u32).await;
    }
    tokio::time::sleep(WARM_UP).await;
    let (mut cores, mut tails) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let (before, cpu, begin) = (board.latencies(), own_cpu(), Instant::now());
        tokio::time::sleep(WINDOW).await;
        let passed = begin.elapsed().as_secs_f64();
        cores.push((own_cpu() - cpu).as_secs_f64() / passed);
        let mut total = board.latencies().stage(Stage::Total).clone();
        total.subtract(before.stage(Stage::Total)).expect("counts only rise");
        tails.push(total.value_at_quantile(0.99) as f64 / 1_000.0);
        eprintln!("{streams} streams: {:.0} frames a second", total.len() as f64 / passed);
    }
    if tokio::time::timeout(Duration::from_secs(10), monitor.send(StopAll)).await.is_err() {
        eprintln!("the streams did not end in time");
    }
    (cores, tails)
}

fn setup(number: usize, specs: &Arc<Vec<Arc<DetectorSpec>>>) -> StreamSetup {
    let name = format!("stream{number:04}");
    let opener = ScriptedOpener::new(&name, [Ok(vec![ScriptStep::Generate(generator(number as i64))])]);
    let card = StreamCard {
        stream: name.into(),
        title: None,
        profile: "bench".to_owned(),
        tier: None,
        coverage: None,
        labels: BTreeMap::new(),
        runbook_url: None,
    };
    StreamSetup {
        dial: Arc::default(),
        priority: 5,
        card: Arc::new(card),
        opener: Arc::new(opener),
        specs: specs.clone(),
        pace: Pace::RealTime,
        lanes: LaneSizes::default(),
        mode: SessionMode::Thread,
    }
}

/// Pictures without end, with a clock behind every third.
fn generator(offset: i64) -> Generator {
    let (mut frame, mut since_clock) = (0, 0);
    Box::new(move |scribe| {
        let at = MediaTime::from_millis(40 * frame);
        if since_clock == FRAMES_PER_CLOCK {
            since_clock = 0;
            return Some(Item::Clock(at));
        }
        let is_dark = (frame + 7 * offset) % PERIOD < FAULTY;
        frame += 1;
        since_clock += 1;
        let luma = LumaFacts { mean: if is_dark { 16.0 } else { 120.0 }, ..LumaFacts::default() };
        Some(scribe.picture(at, FRAME, PictureFacts { luma, ..PictureFacts::default() }))
    })
}

/// Judges the mean luma against a limit; every twelfth one is ever faulty.
struct Judge {
    limit: f32,
    since: MediaTime,
    was_dark: bool,
}

impl Detector for Judge {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        let Item::Video(frame) = item else { return };
        let is_dark = frame.facts.luma.mean < self.limit;
        if is_dark != self.was_dark {
            (self.was_dark, self.since) = (is_dark, frame.stamp.media_time);
        }
        match is_dark {
            true => out.faulty(self.since, frame.facts.luma.mean),
            false => out.clear(self.since, frame.facts.luma.mean),
        }
    }
}

fn spec(number: u16) -> Arc<DetectorSpec> {
    const NAMES: [&str; DETECTORS as usize] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let limit = if number == 1 { 32.0 } else { 8.0 };
    Arc::new(DetectorSpec {
        number,
        name: NAMES[usize::from(number) - 1],
        unit: "level",
        worse: Worse::Lower,
        lane: LaneKind::Picture,
        precedence: Precedence::Rest,
        cheapest: Tier::Transport,
        tuning: String::new(),
        ladder: Arc::new(|_| Ladder {
            steps: vec![(Duration::from_secs(1), Severity::Warning)],
            raise_after: Duration::ZERO,
            clear_after: Duration::from_secs(1),
            settle_after_change: Duration::ZERO,
        }),
        class_limits: None,
        threshold: Some(limit),
        message: |_| "dark".to_owned(),
        build: Arc::new(move |_| Box::new(Judge { limit, since: MediaTime::ZERO, was_dark: false })),
        applies: |_| true,
    })
}
