//! Inspections of scripted inputs, on real threads.

use std::sync::atomic::Ordering;

use avwatch_actors::detector::{Detector, Ladder, LaneKind, Precedence, Verdict, Verdicts, Worse};
use avwatch_actors::frame::{ChannelHop, PictureFacts};
use avwatch_actors::item::Item;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::scripted::{ScriptStep, ScriptedOpener, even_hops};
use avwatch_actors::severity::Severity;
use avwatch_actors::tier::Tier;

use super::*;

/// Does not return from its first picture until it is released.
struct Hanging(Arc<AtomicBool>);

impl Detector for Hanging {
    fn inspect(&mut self, item: &Item, _: &mut Verdicts) {
        while matches!(item, Item::Video(_)) && !self.0.load(Ordering::Relaxed) {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

/// Finds every frame faulty.
struct Strict;

impl Detector for Strict {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        if matches!(item, Item::Video(_) | Item::Audio(_)) {
            out.say(Verdict::Faulty { since: MediaTime::ZERO, score: 1.0, class: 0 });
        }
    }
}

fn spec(
    number: u16,
    name: &'static str,
    lane: LaneKind,
    make: impl Fn() -> Box<dyn Detector> + Send + Sync + 'static,
) -> Arc<DetectorSpec> {
    Arc::new(DetectorSpec {
        number,
        name,
        unit: "ratio",
        worse: Worse::Higher,
        lane,
        precedence: Precedence::Apart,
        cheapest: Tier::Transport,
        tuning: String::new(),
        ladder: Arc::new(|_| Ladder {
            steps: vec![(Duration::ZERO, Severity::Warning)],
            raise_after: Duration::ZERO,
            clear_after: Duration::ZERO,
            settle_after_change: Duration::ZERO,
        }),
        class_limits: None,
        threshold: None,
        message: |_| String::new(),
        build: Arc::new(move |_| make()),
        applies: |_| true,
    })
}

/// Ten seconds of pictures with their sound.
fn programme() -> Vec<ScriptStep> {
    let lasts = MediaTime::from_millis(40);
    let frame = |index: i64| {
        let at = MediaTime::from_millis(40 * index);
        let hops = even_hops(at, lasts, 2, ChannelHop::default());
        [
            ScriptStep::Sound { at, lasts, hops },
            ScriptStep::Picture { at, lasts, facts: PictureFacts::default() },
            ScriptStep::Clock(at),
        ]
    };
    (0..250).flat_map(frame).collect()
}

fn work(specs: Vec<Arc<DetectorSpec>>) -> Inspection {
    Inspection {
        card: Arc::new(StreamCard { stream: "clip".into(), ..StreamCard::default() }),
        opener: Arc::new(ScriptedOpener::new("clip", [Ok(programme())])),
        specs: Arc::new(specs),
        pace: Pace::Unbound,
        media_max: None,
        wall_max: None,
        recorder: None,
    }
}

fn strict(number: u16, name: &'static str, lane: LaneKind) -> Arc<DetectorSpec> {
    spec(number, name, lane, || Box::new(Strict))
}

fn found(findings: &Findings) -> Vec<&str> {
    findings.changes.iter().map(|change| &*change.key.detector).collect()
}

#[test]
fn a_detector_that_never_returns_is_named_and_the_next_input_is_checked_all_the_same() {
    actix::System::new().block_on(async {
        let (arbiters, stop) = (Arbiters::start(2), AtomicBool::new(false));
        let release = Arc::<AtomicBool>::default();
        let held = release.clone();
        let hanging = spec(7, "hanging", LaneKind::Picture, move || Box::new(Hanging(held.clone())));
        let begin = Instant::now();
        let specs = vec![hanging, strict(8, "sound", LaneKind::Sound)];
        let findings = inspect(work(specs), &arbiters, &stop, |_| {}).await;
        let error = findings.error.as_ref().map(ToString::to_string).unwrap_or_default();
        assert!(error.starts_with("cannot inspect clip: the detector 'hanging' did not return within 2 s"), "{error}");
        assert_eq!(found(&findings), ["sound"], "what another lane found is kept");
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());

        let specs = vec![strict(9, "picture", LaneKind::Picture), strict(8, "sound", LaneKind::Sound)];
        let findings = inspect(work(specs), &arbiters, &stop, |_| {}).await;
        assert!(findings.error.is_none(), "{:?}", findings.error);
        assert_eq!(found(&findings), ["picture", "sound"]);
        assert_eq!(findings.meters.reached(), MediaTime::from_millis(10_000));
        release.store(true, Ordering::Relaxed);
    });
}
