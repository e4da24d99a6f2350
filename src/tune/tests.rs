//! Replays against what the engine's lifecycle says live.

use std::time::Duration;

use avwatch_actors::detector::{Ladder, Verdict, Worse};
use avwatch_actors::event_lifecycle::{EventLifecycle, What};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity;
use avwatch_actors::verdict_notes::{VerdictSpan, VerdictTally};
use proptest::prelude::*;

use super::{Judge, replay};

const FRAME: i64 = 40;

fn ladder(raise_after: u64) -> Ladder {
    Ladder {
        steps: vec![
            (Duration::from_secs(2), Severity::Info),
            (Duration::from_secs(5), Severity::Major),
            (Duration::from_secs(20), Severity::Critical),
        ],
        raise_after: Duration::from_secs(raise_after),
        clear_after: Duration::from_secs(3),
        settle_after_change: Duration::ZERO,
    }
}

fn judge(raise_after: u64, threshold: Option<f32>) -> Judge {
    Judge { ladder: ladder(raise_after), limits: None, worse: Worse::Higher, threshold }
}

/// Plays runs of frames through a lifecycle and a tally at once: the alarms, and what was kept.
fn live(runs: &[(f32, i64)], raise_after: u64) -> (Vec<Severity>, Vec<VerdictSpan>) {
    let mut lifecycle = EventLifecycle::new(ladder(raise_after), Worse::Higher);
    let mut tally = VerdictTally::new(Some(1.0), Worse::Higher);
    let (mut alarms, mut spans, mut at) = (Vec::new(), Vec::new(), 0);
    let (mut onset, mut clear) = (None, None);
    for (score, frames) in runs {
        for _ in 0..*frames {
            let verdict = if *score >= 1.0 {
                clear = None;
                let since = MediaTime::from_millis(*onset.get_or_insert(at));
                Verdict::Faulty { since, score: *score, class: 0 }
            } else {
                onset = None;
                Verdict::Clear { since: MediaTime::from_millis(*clear.get_or_insert(at)), score: *score }
            };
            at += FRAME;
            let (at, lasts) = (MediaTime::from_millis(at), MediaTime::from_millis(FRAME));
            tally.note(at, lasts, &verdict, &mut spans);
            match lifecycle.judge(at, lasts, &verdict) {
                Some(change) if change.what == What::Raised => alarms.push(change.severity),
                Some(change) if change.what == What::Escalated => *alarms.last_mut().unwrap() = change.severity,
                Some(_) | None => {}
            }
        }
    }
    tally.flush(&mut spans);
    (alarms, spans)
}

#[test]
fn a_longer_hold_time_leaves_the_longer_conditions() {
    // Black of 3 s, 7 s and 12 s, a minute apart.
    let runs = [(0.0, 1_500), (1.0, 75), (0.0, 1_500), (1.0, 175), (0.0, 1_500), (1.0, 300), (0.0, 1_500)];
    let (alarms, spans) = live(&runs, 0);
    assert_eq!(alarms, [Severity::Info, Severity::Major, Severity::Major]);
    assert_eq!(replay(spans.iter(), &judge(0, None)), alarms);
    assert_eq!(replay(spans.iter(), &judge(10, None)), [Severity::Major]);
    assert_eq!(replay(spans.iter(), &judge(13, None)), []);
}

#[test]
fn a_shorter_hold_time_finds_what_was_never_raised() {
    let (alarms, spans) = live(&[(0.0, 1_500), (1.0, 45), (0.0, 1_500)], 0);
    assert_eq!(alarms, []);
    let mut sooner = judge(0, None);
    sooner.ladder.steps[0].0 = Duration::from_secs(1);
    assert_eq!(replay(spans.iter(), &sooner), [Severity::Info]);
}

#[test]
fn another_threshold_finds_what_came_near_and_drops_what_hardly_reached_it() {
    let (_, spans) = live(&[(0.0, 1_500), (1.2, 250), (0.0, 1_500), (0.8, 250), (0.0, 1_500)], 0);
    assert_eq!(replay(spans.iter(), &judge(0, None)), [Severity::Major]);
    assert_eq!(replay(spans.iter(), &judge(0, Some(1.5))), []);
    assert_eq!(replay(spans.iter(), &judge(0, Some(0.7))), [Severity::Major; 2]);
}

proptest! {
    /// Replayed as configured, the past has the alarms that it had, with their severities.
    #[test]
    fn a_replay_as_configured_is_what_was_raised(
        runs in prop::collection::vec((prop::sample::select(vec![0.0_f32, 0.7, 1.0, 1.4]), 1_i64..400), 1..40),
        raise_after in 0_u64..15,
    ) {
        let (alarms, spans) = live(&runs, raise_after);
        prop_assert_eq!(replay(spans.iter(), &judge(raise_after, None)), alarms);
    }

    /// The same with any other hold time: kept at one, judged at another.
    #[test]
    fn a_replay_under_another_hold_time_is_what_would_have_been_raised(
        runs in prop::collection::vec((prop::sample::select(vec![0.0_f32, 1.0]), 1_i64..400), 1..40),
        raise_after in 0_u64..15,
    ) {
        let (_, spans) = live(&runs, 0);
        let (expected, _) = live(&runs, raise_after);
        prop_assert_eq!(replay(spans.iter(), &judge(raise_after, None)), expected);
    }
}
