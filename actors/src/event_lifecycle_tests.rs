//! What the lifecycle promises.

use super::*;
use proptest::prelude::*;
use std::time::Duration;

const FRAME: i64 = 40;

fn machine() -> EventLifecycle {
    let ladder = Ladder {
        steps: vec![(Duration::from_millis(500), Severity::Info), (Duration::from_secs(2), Severity::Warning)],
        raise_after: Duration::ZERO,
        clear_after: Duration::from_millis(300),
        settle_after_change: Duration::from_secs(5),
    };
    EventLifecycle::new(ladder, Worse::Higher)
}

fn time(millis: i64) -> MediaTime {
    MediaTime::from_millis(millis)
}

/// Plays verdicts frame by frame; `truth` says whether the frame at that time is faulty.
fn play(machine: &mut EventLifecycle, from: i64, to: i64, truth: impl Fn(i64) -> bool) -> Vec<Change> {
    let mut changes = Vec::new();
    let (mut onset, mut clear) = (None, None);
    for at in (from..to).step_by(FRAME as usize) {
        let verdict = if truth(at) {
            clear = None;
            Verdict::Faulty { since: time(*onset.get_or_insert(at)), score: 1.0, class: 0 }
        } else {
            onset = None;
            Verdict::Clear { since: time(*clear.get_or_insert(at)), score: 0.0 }
        };
        changes.extend(machine.judge(time(at + FRAME), time(FRAME), &verdict));
    }
    changes
}

#[test]
fn three_seconds_of_black_rise_escalate_and_end_at_their_true_times() {
    let changes = play(&mut machine(), 0, 12_000, |at| (8_000..11_000).contains(&at));
    let kinds: Vec<_> = changes.iter().map(|change| change.what).collect();
    assert_eq!(kinds, [What::Raised, What::Escalated, What::Ended(EventEnd::Cleared)]);
    let last = changes.last().expect("three changes");
    assert_eq!((last.start, last.end), (time(8_000), Some(time(11_000))));
    assert_eq!((last.severity, last.lasted), (Severity::Warning, time(3_000)));
}

#[test]
fn a_hold_time_of_exactly_the_condition_is_reached() {
    let changes = play(&mut machine(), 0, 6_000, |at| (2_000..4_000).contains(&at));
    assert!(changes.iter().any(|change| change.what == What::Escalated));
    let shorter = play(&mut machine(), 0, 6_000, |at| (2_000..3_960).contains(&at));
    assert!(!shorter.iter().any(|change| change.what == What::Escalated));
}

#[test]
fn what_passes_within_five_seconds_of_a_change_of_format_is_not_raised() {
    let mut machine = machine();
    machine.format_changed(time(1_000));
    assert!(play(&mut machine, 0, 12_000, |at| (1_000..5_960).contains(&at)).is_empty());
}

#[test]
fn what_outlasts_five_seconds_after_a_change_of_format_is_raised_with_its_true_begin() {
    let mut machine = machine();
    machine.format_changed(time(1_000));
    let changes = play(&mut machine, 0, 12_000, |at| (1_000..9_000).contains(&at));
    let raised = changes[0];
    assert_eq!((raised.what, raised.severity, raised.start), (What::Raised, Severity::Warning, time(1_000)));
    assert_eq!(raised.lasted, time(5_000), "raised at the end of the quiet");
}

#[test]
fn an_event_that_is_open_at_a_change_of_format_goes_on_undisturbed() {
    let mut machine = machine();
    let mut changes = play(&mut machine, 0, 1_000, |_| true);
    machine.format_changed(time(1_000));
    changes.extend(play(&mut machine, 1_000, 8_000, |at| at < 4_000));
    let kinds: Vec<_> = changes.iter().map(|change| change.what).collect();
    assert_eq!(kinds, [What::Raised, What::Escalated, What::Ended(EventEnd::Cleared)]);
}

#[test]
fn a_gap_freezes_the_clock() {
    let mut machine = machine();
    let faulty = Verdict::Faulty { since: time(0), score: 1.0, class: 0 };
    assert_eq!(machine.judge(time(40), time(40), &faulty), None);
    machine.gap(time(10_000));
    assert_eq!(machine.judge(time(10_040), time(40), &faulty), None, "only 80 ms were seen");
}

#[test]
fn a_verdict_credits_at_most_a_second_of_unseen_time() {
    let mut machine = machine();
    let faulty = Verdict::Faulty { since: time(0), score: 1.0, class: 0 };
    machine.judge(time(40), time(40), &faulty);
    let change = machine.judge(time(60_000), time(40), &faulty).expect("a second was credited");
    assert_eq!((change.what, change.severity), (What::Raised, Severity::Info));
}

#[test]
fn an_overruled_onset_is_dropped_at_once_and_an_open_event_ends() {
    let mut machine = machine();
    play(&mut machine, 0, 400, |_| true);
    machine.judge(time(440), time(40), &Verdict::Overruled);
    assert!(play(&mut machine, 440, 900, |_| true).is_empty(), "the hold time starts anew");
    play(&mut machine, 900, 2_000, |_| true);
    assert!(machine.is_open());
    let ended = (0..10).find_map(|frame| machine.judge(time(2_040 + frame * 40), time(40), &Verdict::Overruled));
    assert_eq!(ended.expect("cleared").end, Some(time(2_000)));
}

#[test]
fn a_short_interruption_does_not_split_an_event() {
    let changes = play(&mut machine(), 0, 8_000, |at| (1_000..4_000).contains(&at) && at != 2_000);
    assert_eq!(changes.iter().filter(|change| change.what == What::Raised).count(), 1);
    assert_eq!(changes.last().and_then(|change| change.end), Some(time(4_000)));
}

#[test]
fn a_condition_that_is_away_for_half_a_second_is_told_to_fade_and_to_hold_again_when_it_is_back() {
    let mut machine = machine();
    machine.ladder.clear_after = Duration::from_secs(10);
    let changes = play(&mut machine, 0, 9_000, |at| !(3_000..5_000).contains(&at) && at != 7_000);
    let kinds: Vec<_> = changes.iter().map(|change| (change.what, change.end)).collect();
    let away = Some(time(3_000));
    assert_eq!(
        kinds,
        [(What::Raised, None), (What::Escalated, None), (What::Fading, away), (What::Holding, None)],
        "and one lost frame is nothing"
    );
}

#[test]
fn at_the_end_of_the_input_a_held_condition_is_ongoing_and_a_cleared_one_has_ended() {
    let mut held = machine();
    play(&mut held, 0, 2_000, |at| at >= 1_000);
    let change = held.finish(time(2_000)).expect("open");
    assert_eq!((change.what, change.lasted), (What::Ongoing, time(1_000)));
    let mut cleared = machine();
    play(&mut cleared, 0, 2_000, |at| (1_000..1_880).contains(&at));
    let change = cleared.finish(time(2_000)).expect("open");
    assert_eq!(change.end, Some(time(1_880)));
}

#[test]
fn clocks_that_run_ahead_take_no_time_from_the_frames() {
    let mut machine = machine();
    let mut raised = None;
    for frame in 0..20 {
        let at = time(frame * 40 + 40);
        machine.judge(at + time(100), time(100), &Verdict::Undecided);
        let verdict = Verdict::Faulty { since: time(0), score: 1.0, class: 0 };
        raised = raised.or(machine.judge(at, time(40), &verdict).map(|_| at));
    }
    assert_eq!(raised, Some(time(520)), "the first frame that ends after 0.5 s");
}

proptest! {
    /// Whatever the verdicts: changes alternate properly, and no end lies before its start.
    #[test]
    fn raised_and_ended_alternate(script in prop::collection::vec((0_u8..4, 1_i64..3_000), 1..300)) {
        let mut machine = machine();
        let (mut open, mut at) = (false, 0);
        for (kind, step) in script {
            at += step;
            let verdict = match kind {
                0 => Verdict::Undecided,
                1 => Verdict::Clear { since: time(at - step), score: 0.0 },
                2 => Verdict::Faulty { since: time(at - step), score: 1.0, class: 0 },
                _ => Verdict::Overruled,
            };
            let Some(change) = machine.judge(time(at), time(step), &verdict) else { continue };
            match change.what {
                What::Raised => { prop_assert!(!open); open = true; }
                What::Escalated | What::Fading | What::Holding => prop_assert!(open),
                What::Ended(_) => { prop_assert!(open); open = false; }
                What::Ongoing => prop_assert!(false, "only finish says so"),
            }
            prop_assert!(change.end.is_none_or(|end| end >= change.start));
            prop_assert!(change.start <= time(at));
        }
        prop_assert_eq!(open, machine.is_open());
    }
}
