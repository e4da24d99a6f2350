//! A detector that takes too much, among others in its group: they see everything, whatever it does.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::cpu_accounts::CpuAccounts;
use crate::detector::{Detector, DetectorSpec, Ladder, LaneKind, Precedence, Verdicts, Worse};
use crate::detector_group::{AtEnd, DetectorGroup};
use crate::event::{ChangeKind, EventChange, EventEnd, StreamCard, Wall};
use crate::frame::PictureFacts;
use crate::item::{GapReason, Item};
use crate::media_time::MediaTime;
use crate::scripted::{Scribe, default_tracks, session_info};
use crate::severity::Severity;
use crate::tier::Tier;
use crate::track::SessionNumber;

const FRAME: i64 = 40;

/// A clock that stands still but for what scripted detectors take of it.
#[derive(Clone)]
struct Hands(Instant, Arc<AtomicU64>);

impl Hands {
    fn now(&self) -> Instant {
        self.0 + Duration::from_nanos(self.1.load(Ordering::Relaxed))
    }
    fn pass(&self, time: Duration) {
        self.1.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }
    fn reach(&self, at: Duration) {
        self.1.fetch_max(at.as_nanos() as u64, Ordering::Relaxed);
    }
}

/// What a scripted detector saw: times of frames in milliseconds, and gaps.
#[derive(Default)]
struct Seen {
    frames: Vec<i64>,
    gaps: Vec<(i64, i64)>,
    clocks: usize,
}

struct Scripted {
    hands: Hands,
    seen: Arc<Mutex<Seen>>,
    /// Milliseconds that each call takes; it panics when that is less than none.
    cost: Arc<AtomicI64>,
    faulty: bool,
}

impl Detector for Scripted {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match item {
            Item::Video(frame) => {
                let cost = self.cost.load(Ordering::Relaxed);
                assert!(cost >= 0, "it was told to panic");
                self.hands.pass(Duration::from_millis(cost as u64));
                seen.frames.push(frame.stamp.media_time.as_millis());
                if self.faulty { out.faulty(MediaTime::ZERO, 1.0) } else { out.clear(MediaTime::ZERO, 0.0) }
            }
            Item::Gap(gap) => {
                assert_eq!(gap.why, GapReason::Displaced, "it is our doing");
                seen.gaps.push((gap.from.as_millis(), gap.to.as_millis()));
            }
            Item::Clock(_) => seen.clocks += 1,
            _ => {}
        }
    }
}

struct Rig {
    hands: Hands,
    accounts: Arc<CpuAccounts>,
    group: DetectorGroup,
    scribe: Scribe,
    seen: Vec<Arc<Mutex<Seen>>>,
    costs: Vec<Arc<AtomicI64>>,
    told: Vec<EventChange>,
}

/// Detectors of one group by name, with what a call takes in milliseconds and whether they call everything faulty.
fn rig(detectors: &[(&'static str, Precedence, i64, bool)], at_end: AtEnd) -> Rig {
    let hands = Hands(Instant::now(), Arc::default());
    let clock = hands.clone();
    let accounts = Arc::new(CpuAccounts::new(0.25).measured_by(move || clock.now()));
    let seen: Vec<Arc<Mutex<Seen>>> = detectors.iter().map(|_| Arc::default()).collect();
    let costs: Vec<_> = detectors.iter().map(|(_, _, cost, _)| Arc::new(AtomicI64::new(*cost))).collect();
    let mut specs = Vec::new();
    for (number, (name, precedence, _, faulty)) in detectors.iter().enumerate() {
        let (hands, seen, cost, faulty) = (hands.clone(), seen[number].clone(), costs[number].clone(), *faulty);
        let build = move || Scripted { hands: hands.clone(), seen: seen.clone(), cost: cost.clone(), faulty };
        specs.push(spec(number as u16, name, *precedence, build));
    }
    let card = Arc::new(StreamCard { stream: "lobby".into(), ..StreamCard::default() });
    let mut group = DetectorGroup::new(1, LaneKind::Picture, card, &specs, accounts.clone(), Arc::default(), at_end);
    let info = session_info(&"lobby".into(), SessionNumber(1), default_tracks());
    group.handle(&Item::Started(Arc::new(info)), Wall(SystemTime::UNIX_EPOCH));
    Rig { hands, accounts, group, scribe: Scribe::new(SessionNumber(1)), seen, costs, told: Vec::new() }
}

fn spec(
    number: u16,
    name: &'static str,
    precedence: Precedence,
    build: impl Fn() -> Scripted + Send + Sync + 'static,
) -> Arc<DetectorSpec> {
    let ladder = Ladder {
        steps: vec![(Duration::from_secs(1), Severity::Warning)],
        raise_after: Duration::ZERO,
        clear_after: Duration::from_secs(1),
        settle_after_change: Duration::ZERO,
    };
    Arc::new(DetectorSpec {
        number,
        name,
        unit: "ratio",
        worse: Worse::Higher,
        lane: LaneKind::Picture,
        precedence,
        cheapest: Tier::Transport,
        tuning: String::new(),
        ladder: Arc::new(move |_| ladder.clone()),
        class_limits: None,
        threshold: None,
        message: |_| String::new(),
        build: Arc::new(move |_| Box::new(build())),
        applies: |_| true,
    })
}

impl Rig {
    /// Pictures that come in real time, with a clock after each.
    fn play(&mut self, from: i64, to: i64) {
        for at in (from..to).step_by(FRAME as usize) {
            self.hands.reach(Duration::from_millis(at as u64));
            let (at, lasts) = (MediaTime::from_millis(at), MediaTime::from_millis(FRAME));
            let picture = self.scribe.picture(at, lasts, PictureFacts::default());
            self.group.handle(&picture, Wall(SystemTime::UNIX_EPOCH));
            self.group.handle(&Item::Clock(at + lasts), Wall(SystemTime::UNIX_EPOCH));
            self.told.extend(self.group.drain_changes());
        }
    }

    fn frames(&self, detector: usize) -> Vec<i64> {
        self.seen[detector].lock().unwrap().frames.clone()
    }

    fn of(&self, detector: &str) -> Vec<&EventChange> {
        self.told.iter().filter(|change| &*change.key.detector == detector).collect()
    }

    fn throttled(&self, detector: &str) -> (u64, u64) {
        let figures = self.accounts.figures();
        let of = figures.iter().find(|account| account.detector == detector).expect("it has an account");
        (of.throttled, of.skipped)
    }
}

#[test]
fn a_hungry_detector_is_throttled_then_disabled_and_the_others_see_every_frame() {
    let mut rig = rig(&[("hungry", Precedence::Rest, 38, false), ("modest", Precedence::Rest, 0, false)], AtEnd::Keep);
    rig.play(0, 10_000);
    let (throttled, skipped) = rig.throttled("hungry");
    assert_eq!((throttled, rig.frames(0).len() as u64 + skipped), (1, 250), "what it does not see is counted");
    assert!((40..150).contains(&rig.frames(0).len()), "{}", rig.frames(0).len());
    assert!(rig.told.is_empty(), "throttling blames nobody: {:?}", rig.told);
    rig.play(10_000, 90_000);
    let [disabled] = rig.of("detector_disabled")[..] else { panic!("{:?}", rig.told) };
    assert_eq!(disabled.what, ChangeKind::Raised);
    assert!(disabled.message.contains("hungry disabled on video:0: for 60 s"), "{}", disabled.message);
    assert!(disabled.message.ends_with("of 25 % that it may"), "{}", disabled.message);
    assert!(rig.frames(0).iter().all(|at| *at < 75_000), "it is asked no more");
    assert_eq!(rig.throttled("hungry").0, 0);
    let all: Vec<i64> = (0..90_000).step_by(FRAME as usize).collect();
    assert_eq!(rig.frames(1), all, "the other one starves of nothing");
}

#[test]
fn what_a_resting_detector_misses_is_told_to_it_as_a_gap_of_ours() {
    let mut rig = rig(&[("hungry", Precedence::Rest, 38, false)], AtEnd::Keep);
    rig.play(0, 8_000);
    let seen = rig.seen[0].lock().unwrap();
    assert!(!seen.gaps.is_empty());
    for (from, to) in &seen.gaps {
        assert!(seen.frames.contains(&(from - FRAME)) && seen.frames.contains(to), "{from} to {to}");
        assert!(seen.frames.iter().all(|at| at < from || at >= to), "{from} to {to}");
    }
    assert!(seen.clocks <= seen.frames.len() + 1, "while it rests no clock tells it that nothing comes");
}

#[test]
fn an_event_of_a_throttled_detector_says_how_little_it_saw() {
    let mut rig = rig(&[("hungry", Precedence::Rest, 60, true), ("modest", Precedence::Rest, 0, true)], AtEnd::Keep);
    rig.play(0, 20_000);
    assert!(rig.of("hungry").iter().any(|change| change.what == ChangeKind::Raised), "{:?}", rig.told);
    rig.group.end_all(EventEnd::StreamRemoved, Wall(SystemTime::UNIX_EPOCH));
    let ended: Vec<EventChange> = rig.group.drain_changes().collect();
    let [hungry, modest] = &ended[..] else { panic!("{ended:?}") };
    let coverage = hungry.card.coverage.expect("it is known");
    assert!((0.1..0.6).contains(&coverage), "{coverage}");
    assert_eq!(modest.card.coverage, None, "of the others nothing is lost");
}

#[test]
fn what_a_resting_detector_explained_a_moment_ago_is_not_told_meanwhile() {
    let detectors = [("black", Precedence::Solid, 38, true), ("freeze", Precedence::Still, 0, true)];
    let mut rig = rig(&detectors, AtEnd::Keep);
    rig.play(0, 20_000);
    assert!(rig.throttled("black").1 > 100, "it rested");
    assert!(rig.of("freeze").is_empty(), "{:?}", rig.told);
}

#[test]
fn what_a_detector_explained_is_told_once_it_was_disabled_for_its_panics() {
    let detectors = [("black", Precedence::Solid, 0, true), ("freeze", Precedence::Still, 0, true)];
    let mut rig = rig(&detectors, AtEnd::Keep);
    rig.play(0, 4_000);
    assert!(rig.of("freeze").is_empty(), "{:?}", rig.told);
    rig.costs[0].store(-1, Ordering::Relaxed);
    rig.play(4_000, 8_000);
    assert_eq!(rig.of("detector_disabled").len(), 1, "{:?}", rig.told);
    assert_eq!(rig.of("freeze").len(), 1, "{:?}", rig.told);
}

#[test]
fn a_detector_that_was_slow_for_a_while_sees_everything_again() {
    let mut rig = rig(&[("hungry", Precedence::Rest, 60, false)], AtEnd::Keep);
    rig.play(0, 15_000);
    rig.costs[0].store(0, Ordering::Relaxed);
    rig.play(15_000, 60_000);
    let (_, skipped) = rig.throttled("hungry");
    rig.play(60_000, 100_000);
    assert_eq!(rig.throttled("hungry"), (0, skipped));
    assert!(rig.of("detector_disabled").is_empty(), "{:?}", rig.told);
}

#[test]
fn a_file_that_is_checked_is_seen_whole_however_long_that_takes() {
    let mut rig = rig(&[("hungry", Precedence::Rest, 500, false)], AtEnd::Settle);
    rig.play(0, 20_000);
    assert_eq!((rig.frames(0).len(), rig.throttled("hungry")), (500, (0, 0)));
}
