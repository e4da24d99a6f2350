//! The engine on real threads and real time: panics, hangs, full lanes, and the end of it all.
#![allow(clippy::unwrap_used, reason = "tests may unwrap, also in their helpers")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use EventState::{Ended, Escalated, Raised};
use avwatch_actors::detector::{Detector, DetectorSpec, LaneKind, Precedence, Verdicts};
use avwatch_actors::event::EventState;
use avwatch_actors::frame::PictureFacts;
use avwatch_actors::item::Item;
use avwatch_actors::monitor::StopAll;
use avwatch_actors::paced::Pace;
use avwatch_actors::scripted::{Script, ScriptStep, ScriptedOpener};
use avwatch_actors::setup::{SessionMode, StreamSetup};
use avwatch_actors::source::SourceLimits;
use common::*;

const LIMIT: Duration = Duration::from_secs(20);

/// A stream of scripts on threads; lanes wait where no pace holds the source.
fn threaded(stream: &str, scripts: Vec<Script>, specs: Vec<Arc<DetectorSpec>>, pace: Pace) -> StreamSetup {
    let opener = ScriptedOpener::new(stream, scripts).with_limits(short());
    let mut setup = of(stream, Arc::new(opener), specs, SessionMode::Thread);
    setup.pace = pace;
    if pace == Pace::Unbound {
        setup.lanes.when_full = avwatch_actors::lane::WhenFull::Wait;
    }
    setup
}

fn short() -> SourceLimits {
    SourceLimits { open: Duration::from_secs(2), stall: Duration::from_secs(1), ..SourceLimits::default() }
}

/// Pictures in real time until the session is cut.
fn endless() -> Vec<ScriptStep> {
    let mut at = 0;
    let generator = move |scribe: &mut avwatch_actors::scripted::Scribe| {
        at += 40;
        Some(scribe.picture(millis(at - 40), millis(40), PictureFacts::default()))
    };
    vec![ScriptStep::Generate(Box::new(generator))]
}

/// Panics at those pictures, and says nothing of the others.
struct Fragile(Arc<dyn Fn(i64) -> bool + Send + Sync>);

impl Detector for Fragile {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        if let Item::Video(frame) = item {
            assert!(!(self.0)(frame.stamp.media_time.as_millis()), "planned");
            out.faulty(millis(2_000), 1.0);
        }
    }
}

fn fragile(panics: impl Fn(i64) -> bool + Send + Sync + 'static) -> Arc<DetectorSpec> {
    let panics: Arc<dyn Fn(i64) -> bool + Send + Sync> = Arc::new(panics);
    spec(9, "fragile", LaneKind::Picture, Precedence::Solid, move || Box::new(Fragile(panics.clone())))
}

/// What was told of a detector but for the clock on the wall and the ids.
fn essence(rig: &Rig, detector: &str) -> Vec<String> {
    let told = rig.told.of(detector);
    told.iter().map(|e| format!("{:?} {:?} {} {:?} {:?}", e.state, e.severity, e.start_s, e.end_s, e.peak)).collect()
}

fn run_with_fragile(panics: fn(i64) -> bool) -> (Vec<String>, Vec<String>, Vec<EventState>) {
    let mut out = None;
    on_real_time(async {
        let rig = Rig::threads(2);
        let fault = |_, at| (3_000..9_000).contains(&at);
        let specs = vec![
            by_rule(1, "apart", Precedence::Apart, fault),
            by_rule(2, "freeze", Precedence::Still, |_, at| at >= 2_000),
            fragile(panics),
        ];
        rig.add(threaded("lobby", vec![Ok(pictures(0, 20_000))], specs, Pace::Unbound)).await;
        until("the end", LIMIT, || rig.told.states("apart").contains(&Ended)).await;
        until("the last frame", LIMIT, || rig.engine.desk.events.is_empty()).await;
        rig.settle();
        out = Some((essence(&rig, "apart"), essence(&rig, "freeze"), rig.told.states("detector_disabled")));
    });
    out.unwrap()
}

#[test]
fn a_panic_costs_its_detector_one_item_and_nobody_else_anything() {
    let without = run_with_fragile(|_| false);
    let with = run_with_fragile(|at| at == 5_000);
    assert_eq!(with, without);
    assert_eq!(with.0.len(), 3, "raised, escalated, ended");
    assert!(with.1.is_empty(), "what it overruled stayed overruled");
}

#[test]
fn five_panics_disable_a_detector_and_say_so() {
    let (apart, _, disabled) = run_with_fragile(|at| at >= 5_000);
    assert_eq!(disabled, [Raised]);
    assert_eq!(apart.len(), 3);
}

/// Does not return until it is released.
struct Hanging(Arc<AtomicBool>);

impl Detector for Hanging {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        if let Item::Video(frame) = item
            && frame.stamp.media_time >= millis(400)
        {
            while !self.0.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(5));
            }
            out.faulty(millis(0), 1.0);
        }
    }
}

#[test]
fn a_detector_that_never_returns_is_quarantined_and_its_stream_goes_on() {
    on_real_time(async {
        let rig = Rig::threads(1);
        let release = Arc::new(AtomicBool::new(false));
        let held = release.clone();
        let hanging = spec(9, "hanging", LaneKind::Picture, Precedence::Apart, move || Box::new(Hanging(held.clone())));
        let seen = Arc::new(AtomicU64::new(0));
        let counts = seen.clone();
        let good = by_rule(1, "good", Precedence::Apart, move |_, _| {
            counts.fetch_add(1, Ordering::Relaxed);
            true
        });
        let other = by_rule(1, "good", Precedence::Apart, |_, at| at >= 1_000);
        let begin = Instant::now();
        rig.add(threaded("sick", vec![Ok(endless())], vec![good, hanging], Pace::RealTime)).await;
        rig.add(threaded("well", vec![Ok(endless())], vec![other], Pace::RealTime)).await;
        until("quarantine", LIMIT, || !rig.told.of("detector_disabled").is_empty()).await;
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");
        let disabled = rig.told.of("detector_disabled").remove(0);
        assert!(disabled.message.starts_with("hanging disabled"), "{}", disabled.message);
        assert_eq!(rig.engine.board.health.abandoned(), 1);
        let before = seen.load(Ordering::Relaxed);
        until("the stream's other detector", LIMIT, || seen.load(Ordering::Relaxed) > before + 25).await;
        let raised = |stream: &str| rig.told.of("good").iter().any(|event| &*event.stream == stream);
        until("both streams", LIMIT, || raised("sick") && raised("well")).await;
        release.store(true, Ordering::Release);
        until("the arbiter's return", LIMIT, || rig.engine.board.health.abandoned() == 0).await;
        rig.monitor.send(StopAll).await.unwrap();
        rig.settle();
        assert!(rig.told.of("hanging").is_empty(), "its late word does not count");
    });
}

#[test]
fn an_event_over_a_rebuild_of_its_detectors_does_not_end_before_it_began() {
    on_real_time(async {
        let rig = Rig::threads(1);
        let release = Arc::new(AtomicBool::new(false));
        let held = release.clone();
        let hanging = by_rule(9, "hanging", Precedence::Apart, move |session, at| {
            while session == 2 && at == 400 && !held.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(5));
            }
            false
        });
        // From 50 s of the first session until 6 s of the second one, whose detectors are rebuilt meanwhile.
        let black = by_rule(1, "black", Precedence::Solid, |session, at| session == 1 || at < 6_000);
        let scripts = vec![Ok(pictures(50_000, 51_600)), Ok(pictures(0, 20_000))];
        rig.add(threaded("lobby", scripts, vec![black, hanging], Pace::RealTime)).await;
        until("the event's end", LIMIT, || rig.told.states("black").contains(&Ended)).await;
        release.store(true, Ordering::Release);
        rig.monitor.send(StopAll).await.unwrap();
        rig.settle();
        let black = rig.told.of("black");
        let (first, last) = (&black[0], &black[black.len() - 1]);
        assert_eq!((first.start_s, &first.id), (50.0, &last.id));
        // The second session lies behind the first one, by the pause between them.
        assert!(last.end_s.is_some_and(|end| (57.6..62.0).contains(&end)), "{:?}", last.end_s);
        assert!(!rig.told.of("detector_disabled").is_empty(), "the detectors were rebuilt");
    });
}

#[test]
fn a_source_that_hangs_is_abandoned_and_replaced_and_its_late_output_dropped() {
    on_real_time(async {
        let rig = Rig::threads(1);
        let release = Arc::new(AtomicBool::new(false));
        let mut hung = pictures(0, 400);
        hung.push(ScriptStep::Hang(release.clone()));
        hung.extend(pictures(400, 4_000));
        let black = by_rule(1, "black", Precedence::Solid, |session, _| session == 1);
        rig.add(threaded("lobby", vec![Ok(hung), Ok(endless())], vec![black], Pace::RealTime)).await;
        let live_again = || rig.status("lobby").is_some_and(|status| status.up && status.session.0 == 2);
        until("a new session", LIMIT, live_again).await;
        assert_eq!((rig.engine.board.health.abandoned(), rig.status("lobby").unwrap().abandoned), (1, 1));
        release.store(true, Ordering::Release);
        until("the thread's return", LIMIT, || rig.engine.board.health.abandoned() == 0).await;
        until("its end to be noted", LIMIT, || rig.status("lobby").unwrap().abandoned == 0).await;
        assert_eq!(rig.status("lobby").unwrap().session.0, 2);
        rig.monitor.send(StopAll).await.unwrap();
        rig.settle();
        assert!(rig.told.of("black").is_empty(), "3.6 s of black came too late");
    });
}

#[test]
fn a_source_that_panics_is_opened_again() {
    on_real_time(async {
        let rig = Rig::threads(1);
        let panics = || Ok(vec![ScriptStep::Panic("planned")]);
        rig.add(threaded("lobby", vec![panics(), Ok(endless())], vec![], Pace::RealTime)).await;
        until("a new session", LIMIT, || rig.status("lobby").is_some_and(|status| status.up)).await;
        let status = rig.status("lobby").unwrap();
        assert_eq!((status.session.0, status.restarts["panic"]), (2, 1));
    });
}

/// Keeps the newest clock that it sees, in milliseconds.
struct ClockKeeper(Arc<AtomicU64>);

impl Detector for ClockKeeper {
    fn inspect(&mut self, item: &Item, _: &mut Verdicts) {
        if let Item::Clock(at) = item {
            self.0.store(at.as_millis().unsigned_abs(), Ordering::Relaxed);
        }
    }
}

#[test]
fn the_last_clock_of_a_source_that_falls_silent_is_judged() {
    on_real_time(async {
        let rig = Rig::threads(1);
        let newest = Arc::new(AtomicU64::new(0));
        let kept = newest.clone();
        let keeper =
            spec(1, "clock", LaneKind::Picture, Precedence::Apart, move || Box::new(ClockKeeper(kept.clone())));
        let mut script = pictures(0, 40);
        script.push(ScriptStep::Clock(millis(40)));
        // It is long judged when the next one comes, too soon to wake anybody.
        script.extend([ScriptStep::Stall(Duration::from_millis(50)), ScriptStep::Clock(millis(100))]);
        script.push(ScriptStep::Stall(Duration::from_secs(600)));
        // Of a limit that ends the session, the end would wake them.
        let limits = SourceLimits { stall: LIMIT * 10, ..SourceLimits::default() };
        let opener = ScriptedOpener::new("lobby", [Ok(script)]).with_limits(limits);
        rig.add(of("lobby", Arc::new(opener), vec![keeper], SessionMode::Thread)).await;
        until("the last clock", LIMIT, || newest.load(Ordering::Relaxed) == 100).await;
    });
}

#[test]
fn two_hundred_stalled_sources_end_within_a_second() {
    on_real_time(async {
        let rig = Rig::threads(1);
        for number in 0..200 {
            let stall = vec![ScriptStep::Stall(Duration::from_secs(600))];
            let opener = ScriptedOpener::new(&number.to_string(), [Ok(stall)]);
            rig.add(of(&number.to_string(), Arc::new(opener), vec![], SessionMode::Thread)).await;
        }
        until("all to be live", LIMIT, || {
            let streams = rig.engine.board.streams();
            streams.len() == 200 && streams.iter().all(|status| status.state == "live")
        })
        .await;
        let begin = Instant::now();
        rig.monitor.send(StopAll).await.unwrap();
        assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    });
}

#[test]
fn frames_that_a_slow_detector_misses_are_counted_and_hold_no_event() {
    on_real_time(async {
        let rig = Rig::threads(1);
        let seen = Arc::new(AtomicU64::new(0));
        let counts = seen.clone();
        let slow = by_rule(1, "slow", Precedence::Apart, move |_, _| {
            counts.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(1));
            true
        });
        let mut setup = threaded("lobby", vec![Ok(pictures(0, 400_000))], vec![slow], Pace::Unbound);
        setup.lanes.when_full = avwatch_actors::lane::WhenFull::DropOldest;
        rig.add(setup).await;
        let done = || {
            rig.status("lobby").is_some_and(|status| {
                let delivered: u64 = status.frames.values().sum();
                delivered == 10_000 && seen.load(Ordering::Relaxed) + status.lane_dropped.0 == 10_000
            })
        };
        until("every frame to be judged or counted", LIMIT, done).await;
        let judged = seen.load(Ordering::Relaxed);
        rig.settle();
        assert!(judged < 1_000, "{judged}");
        let held = judged as f64 * 0.04;
        assert_eq!(rig.told.states("slow").contains(&Escalated), held >= 3.0, "held {held} s");
    });
}
