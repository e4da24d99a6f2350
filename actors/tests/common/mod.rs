//! An engine in a box for tests: store and sinks in memory, detectors that judge by a rule.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file uses its part, and tests may stop")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix::prelude::*;
use avwatch_actors::arbiters::{self, Arbiters};
use avwatch_actors::connect_bucket::ConnectBucket;
use avwatch_actors::cpu_accounts::CpuAccounts;
use avwatch_actors::detector::{Detector, DetectorSpec, Ladder, LaneKind, Precedence, Verdicts, Worse};
use avwatch_actors::event::{Event, EventState, StreamCard};
use avwatch_actors::event_desk::{self, DeskHandle, DeskMessage, DeskParts};
use avwatch_actors::frame::PictureFacts;
use avwatch_actors::item::Item;
use avwatch_actors::lifeline::{CutReason, Lifeline};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::monitor::{AddStream, Monitor};
use avwatch_actors::paced::Pace;
use avwatch_actors::record::{Record, events};
use avwatch_actors::scripted::{Script, ScriptStep, ScriptedOpener};
use avwatch_actors::setup::{Engine, LaneSizes, SessionMode, StreamSetup};
use avwatch_actors::severity::Severity;
use avwatch_actors::sink::{EventStore, Recovered, Sink, SinkError};
use avwatch_actors::source::Opener;
use avwatch_actors::status::{Health, StatusBoard, StreamStatus};
use avwatch_actors::tier::Tier;

pub fn millis(at: i64) -> MediaTime {
    MediaTime::from_millis(at)
}

/// What every sink and store was told.
#[derive(Clone, Default)]
pub struct Told(Arc<Mutex<Vec<Event>>>);

impl Told {
    pub fn all(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }

    pub fn of(&self, detector: &str) -> Vec<Event> {
        self.all().into_iter().filter(|event| &*event.detector == detector).collect()
    }

    pub fn states(&self, detector: &str) -> Vec<EventState> {
        self.of(detector).iter().map(|event| event.state).collect()
    }

    fn extend(&self, changes: &[Record]) {
        self.0.lock().unwrap().extend(events(changes).map(|event| (**event).clone()));
    }
}

impl Sink for Told {
    fn name(&self) -> &'static str {
        "memory"
    }
    fn deliver(&mut self, changes: &[Record]) -> Result<(), SinkError> {
        self.extend(changes);
        Ok(())
    }
}

/// A store in memory whose health a test can turn.
#[derive(Clone, Default)]
pub struct MemoryStore {
    pub kept: Told,
    pub fails: Arc<AtomicBool>,
    pub blocks: Arc<AtomicBool>,
    pub recovered: Arc<Mutex<Recovered>>,
}

impl EventStore for MemoryStore {
    fn commit(&mut self, changes: &[Record]) -> Result<(), SinkError> {
        while self.blocks.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(5));
        }
        if self.fails.load(Ordering::Acquire) {
            return Err(SinkError::Unavailable { sink: "store", why: "no space left".to_owned() });
        }
        self.kept.extend(changes);
        Ok(())
    }
    fn recover(&mut self) -> Result<Recovered, SinkError> {
        Ok(self.recovered.lock().unwrap().clone())
    }
}

/// An engine with its monitor.
pub struct Rig {
    pub engine: Engine,
    pub monitor: Addr<Monitor>,
    pub told: Told,
    pub store: MemoryStore,
    watchdog: Arc<Lifeline>,
}

impl Rig {
    /// Everything on the calling thread but the desk: for virtual time.
    pub fn virtual_time() -> Self {
        Self::with(Arbiters::here(), MemoryStore::default(), Vec::new())
    }

    /// With real arbiters under the watchdog.
    pub fn threads(arbiters: usize) -> Self {
        let rig = Self::with(Arbiters::start(arbiters), MemoryStore::default(), Vec::new());
        let lost = rig.monitor.clone().recipient();
        let health = rig.engine.board.health.clone();
        arbiters::watch(rig.engine.arbiters.clone(), health, rig.watchdog.clone(), lost).unwrap();
        rig
    }

    pub fn with(arbiters: Arc<Arbiters>, store: MemoryStore, more: Vec<Box<dyn Sink>>) -> Self {
        let told = Told::default();
        let mut sinks: Vec<Box<dyn Sink>> = vec![Box::new(told.clone())];
        sinks.extend(more);
        let parts = DeskParts {
            node: "test".into(),
            store: Some(Box::new(store.clone())),
            sinks,
            silences: Vec::new(),
            rules: Arc::default(),
            hold_of: Box::new(|_| Duration::ZERO),
            evidence_of: Box::new(|_| None),
            incidents: Default::default(),
        };
        let desk = event_desk::start(parts).unwrap();
        let board = StatusBoard::new(Arc::<CpuAccounts>::default(), desk.board.clone(), Arc::<Health>::default());
        let bucket = Arc::new(ConnectBucket::new(1_000.0, 1_000.0, Instant::now()));
        let engine = Engine { arbiters, bucket, desk, board: Arc::new(board) };
        let monitor = Monitor::new(engine.clone()).start();
        Self { engine, monitor, told, store, watchdog: Arc::default() }
    }

    pub async fn add(&self, setup: StreamSetup) {
        self.monitor.send(AddStream(setup)).await.unwrap();
    }

    pub fn status(&self, stream: &str) -> Option<Arc<StreamStatus>> {
        self.engine.board.streams().into_iter().find(|status| &*status.card.stream == stream)
    }

    /// Lets the desk finish what reached it, and ends it.
    pub fn settle(&self) {
        finish(&self.engine.desk);
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.watchdog.cut(CutReason::Stopped);
    }
}

/// Stops a desk and waits until it has told everybody.
pub fn finish(desk: &DeskHandle) {
    let (done, finished) = crossbeam_channel::bounded::<()>(1);
    desk.events.send_timeout(DeskMessage::Stop(done), Duration::from_secs(5)).unwrap();
    let end = finished.recv_timeout(Duration::from_secs(10));
    assert_eq!(end, Err(crossbeam_channel::RecvTimeoutError::Disconnected), "the desk finishes");
}

/// Runs a test on a clock that jumps to whatever comes next.
pub fn on_virtual_time(test: impl Future<Output = ()>) {
    System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
    })
    .block_on(test);
}

/// Runs a test on real time.
pub fn on_real_time(test: impl Future<Output = ()>) {
    System::new().block_on(test);
}

/// Waits on real time until that holds; fails after the limit.
pub async fn until(what: &str, limit: Duration, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < limit, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Says whether the frame of that session (by number) and time (in milliseconds) is faulty.
pub type Rule = Arc<dyn Fn(u64, i64) -> bool + Send + Sync>;

/// Judges frames by a rule.
pub struct ByRule {
    rule: Rule,
    since: Option<(bool, MediaTime)>,
}

impl Detector for ByRule {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        let stamp = match item {
            Item::Started(_) => {
                self.since = None;
                return;
            }
            Item::Video(frame) => &frame.stamp,
            Item::Audio(frame) => &frame.stamp,
            Item::Packets(_) | Item::Clock(_) | Item::Gap(_) | Item::Ended(_) => return,
        };
        let is_faulty = (self.rule)(stamp.session.0, stamp.media_time.as_millis());
        let since = match self.since {
            Some((before, since)) if before == is_faulty => since,
            _ => stamp.media_time,
        };
        self.since = Some((is_faulty, since));
        if is_faulty { out.faulty(since, 1.0) } else { out.clear(since, 0.0) }
    }
}

/// A detector of pictures: warning after 1 s, major after 3 s, over after 1 s.
pub fn by_rule(
    number: u16,
    name: &'static str,
    precedence: Precedence,
    rule: impl Fn(u64, i64) -> bool + Send + Sync + 'static,
) -> Arc<DetectorSpec> {
    let rule: Rule = Arc::new(rule);
    spec(number, name, LaneKind::Picture, precedence, move || Box::new(ByRule { rule: rule.clone(), since: None }))
}

/// A detector that is built by that closure.
pub fn spec(
    number: u16,
    name: &'static str,
    lane: LaneKind,
    precedence: Precedence,
    build: impl Fn() -> Box<dyn Detector> + Send + Sync + 'static,
) -> Arc<DetectorSpec> {
    let ladder = Ladder {
        steps: vec![(Duration::from_secs(1), Severity::Warning), (Duration::from_secs(3), Severity::Major)],
        raise_after: Duration::ZERO,
        clear_after: Duration::from_secs(1),
        settle_after_change: Duration::from_secs(5),
    };
    Arc::new(DetectorSpec {
        number,
        name,
        unit: "ratio",
        worse: Worse::Higher,
        lane,
        precedence,
        cheapest: Tier::Transport,
        tuning: String::new(),
        ladder: Arc::new(move |_| ladder.clone()),
        class_limits: None,
        threshold: None,
        message: |situation| format!("lasted {}", situation.lasted),
        build: Arc::new(move |_| build()),
        applies: |_| true,
    })
}

/// Pictures of 40 ms from one time to another.
pub fn pictures(from: i64, to: i64) -> Vec<ScriptStep> {
    let picture = |at| ScriptStep::Picture { at: millis(at), lasts: millis(40), facts: PictureFacts::default() };
    (from..to).step_by(40).map(picture).collect()
}

pub fn card(stream: &str) -> Arc<StreamCard> {
    Arc::new(StreamCard { stream: stream.into(), ..StreamCard::default() })
}

/// A stream of scripts on virtual time.
pub fn inline(stream: &str, scripts: Vec<Script>, specs: Vec<Arc<DetectorSpec>>) -> StreamSetup {
    of(stream, Arc::new(ScriptedOpener::new(stream, scripts)), specs, SessionMode::Inline)
}

pub fn of(stream: &str, opener: Arc<dyn Opener>, specs: Vec<Arc<DetectorSpec>>, mode: SessionMode) -> StreamSetup {
    StreamSetup {
        dial: Arc::default(),
        priority: 5,
        card: card(stream),
        opener,
        specs: Arc::new(specs),
        pace: Pace::Unbound,
        lanes: LaneSizes::default(),
        mode,
    }
}
