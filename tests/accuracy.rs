//! The rules by which the accuracy of detectors is judged (`benches/accuracy`): matching, scores and
//! thresholds, on made-up events.

mod common;

// Each file of the bench uses its neighbours by `super`; a part of each is all that is tested here.
#[allow(dead_code)]
#[path = "../benches/accuracy/case.rs"]
mod case;
#[allow(dead_code)]
#[path = "../benches/accuracy/event.rs"]
mod event;
#[allow(dead_code)]
#[path = "../benches/accuracy/matching.rs"]
mod matching;
#[allow(dead_code)]
#[path = "../benches/accuracy/scores.rs"]
mod scores;
#[allow(dead_code)]
#[path = "../benches/accuracy/thresholds.rs"]
mod thresholds;
#[allow(dead_code)]
#[path = "../benches/accuracy/words.rs"]
mod words;

use case::{Allowed, Kind};
use common::media::Planted;
use event::{Event, Severity, Step, severity_after};
use matching::{Outcome, pair};
use scores::{Clip, Score, poisson_upper, score};
use thresholds::{RULES, Rule, best, events};
use words::{WORDS, Word};

fn planted(start: f64, end: f64) -> Planted {
    Planted { detector: "freeze", track: "video:0", start, end }
}

fn told(start: f64, end: f64) -> Event {
    let (detector, track) = ("freeze".to_owned(), "video:0".to_owned());
    Event { detector, track, severity: Severity::Warning, start, end }
}

#[track_caller]
fn pairs(planted: &[Planted], events: &[Event], found: &[(usize, usize)], missed: &[usize], false_alarms: &[usize]) {
    let expected = Outcome { found: found.to_vec(), missed: missed.to_vec(), false_alarms: false_alarms.to_vec() };
    assert_eq!(pair(planted, &[], events), expected);
}

#[test]
fn an_event_that_shares_more_than_half_of_the_time_tells_the_defect() {
    pairs(&[planted(3.0, 6.0)], &[told(3.8, 6.4)], &[(0, 0)], &[], &[]);
    pairs(&[planted(3.0, 6.0)], &[told(4.6, 6.4)], &[], &[0], &[0]);
}

#[test]
fn an_event_that_begins_with_the_defect_tells_it_although_it_is_too_short() {
    pairs(&[planted(3.0, 9.0)], &[told(3.2, 4.6)], &[(0, 0)], &[], &[]);
}

#[test]
fn one_defect_told_in_two_halves_is_found_once_and_one_false_alarm() {
    pairs(&[planted(3.0, 9.0)], &[told(3.0, 5.0), told(5.5, 9.0)], &[(0, 1)], &[], &[0]);
}

#[test]
fn one_event_over_two_defects_leaves_one_of_them_missed() {
    pairs(&[planted(2.0, 4.0), planted(4.5, 8.0)], &[told(2.0, 8.0)], &[(1, 0)], &[0], &[]);
}

#[test]
fn an_event_on_another_track_tells_nothing() {
    let event = Event { track: "video:1".to_owned(), ..told(3.0, 6.0) };
    pairs(&[planted(3.0, 6.0)], &[event], &[], &[0], &[0]);
}

#[test]
fn what_happened_at_a_moment_is_told_by_an_event_near_it() {
    pairs(&[planted(5.0, 5.0)], &[told(5.1, 5.1)], &[(0, 0)], &[], &[]);
    pairs(&[planted(5.0, 5.0)], &[told(5.5, 5.5)], &[], &[0], &[0]);
}

#[test]
fn what_is_allowed_is_neither_found_nor_false() {
    let allowed = Allowed { detector: "freeze", from: 2.0, to: 4.0, why: "for the test" };
    let outcome = pair(&[], std::slice::from_ref(&allowed), &[told(3.0, 3.5), told(6.0, 8.0)]);
    assert_eq!(outcome.false_alarms, [1]);
}

const LADDER: [Step; 2] =
    [Step { after: 1.0, severity: Severity::Info }, Step { after: 2.0, severity: Severity::Warning }];

fn freeze() -> &'static Word {
    WORDS.iter().find(|word| word.name == "freeze").expect("freeze is a published word")
}

fn score_of(kind: Kind, truth: &[Planted], events: &[Event]) -> Score {
    score_asked(kind, truth, events, None)
}

fn score_asked(kind: Kind, truth: &[Planted], events: &[Event], asked: Option<&'static str>) -> Score {
    let tracks = (true, false);
    let clip = Clip { name: "a.b.pcm", kind, seconds: 360.0, fps: 25.0, tracks, truth, allowed: &[], asked };
    score(freeze(), &LADDER, &[clip], |_| events.to_vec())
}

#[test]
fn a_defect_shorter_than_the_first_hold_time_is_neither_asked_for_nor_a_false_alarm() {
    let score = score_of(Kind::Planted, &[planted(3.0, 3.9)], &[told(3.0, 3.9)]);
    assert_eq!((score.planted, score.found, score.false_alarms), (0, 0, 0));
}

#[test]
fn a_defect_is_asked_for_however_short_where_the_clip_was_checked_with_a_shorter_hold_time() {
    let asked = |events: &[Event]| score_asked(Kind::Planted, &[planted(3.0, 3.9)], events, Some("freeze"));
    assert_eq!((asked(&[told(3.0, 3.9)]).found, asked(&[]).misses.len()), (1, 1));
}

#[test]
fn an_event_below_warning_is_no_false_alarm_but_finds_what_was_planted() {
    let info = Event { severity: Severity::Info, ..told(3.0, 4.5) };
    assert_eq!(score_of(Kind::Twin, &[], std::slice::from_ref(&info)).clean_alarms, 0);
    assert_eq!(score_of(Kind::Planted, &[planted(3.0, 4.5)], &[info]).recall(), Some(1.0));
}

#[test]
fn onsets_of_pictures_are_told_in_frames() {
    let score = score_of(Kind::Planted, &[planted(3.0, 6.0)], &[told(3.08, 6.0)]);
    assert!((score.onsets[0].off - 2.0).abs() < 1e-9);
}

#[test]
fn three_alarms_in_the_time_there_was_are_the_bound_when_there_was_none() {
    let score = score_of(Kind::Twin, &[], &[]);
    let (rate, upper) = score.alarms_per_hour().expect("there is clean material");
    assert_eq!(rate, 0.0);
    // A tenth of an hour; the exact bound is -ln(0.05).
    assert!((upper - 29.957).abs() < 0.01, "{upper}");
}

#[test]
fn the_bound_of_counts_is_that_of_published_tables() {
    // Garwood's exact limits for a one-sided 95 %: half the 95 % point of chi-square with 2(n + 1) degrees.
    for (count, upper) in [(0, 2.996), (1, 4.744), (2, 6.296), (5, 10.513), (10, 16.962)] {
        assert!((poisson_upper(count) - upper).abs() < 0.001, "{count}: {}", poisson_upper(count));
    }
}

#[test]
fn a_ladder_gives_the_highest_step_that_was_reached() {
    assert_eq!(severity_after(&LADDER, 0.9), None);
    assert_eq!(severity_after(&LADDER, 1.0), Some(Severity::Info));
    assert_eq!(severity_after(&LADDER, 5.0), Some(Severity::Warning));
}

fn rule(detector: &str) -> &'static Rule {
    RULES.iter().find(|rule| rule.detector == detector).expect("there is such a rule")
}

/// A value every 0.1 s.
fn series(values: &[Option<f64>]) -> Vec<(f64, Option<f64>)> {
    values.iter().enumerate().map(|(index, value)| (index as f64 * 0.1, *value)).collect()
}

#[track_caller]
fn runs(detector: &str, values: &[Option<f64>], expected: &[(f64, f64)]) {
    let steps = [Step { after: 0.25, severity: Severity::Warning }];
    let found = events(rule(detector), &series(values), 1.0, &steps, 2.0);
    let found: Vec<(f64, f64)> = found.iter().map(|event| (event.start, event.end)).collect();
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (one, other) in found.iter().zip(expected) {
        assert!((one.0 - other.0).abs() < 1e-9 && (one.1 - other.1).abs() < 1e-9, "{found:?}");
    }
}

#[test]
fn a_run_above_the_threshold_bridges_short_pauses() {
    let (low, high) = (Some(0.5), Some(2.0));
    runs("gamut", &[low, high, high, low, low, high, low, low, low, high], &[(0.1, 0.6)]);
}

#[test]
fn what_is_no_number_counts_as_much_where_the_rule_says_so() {
    let gap = [Some(0.5), None, None, None, Some(0.5)];
    runs("blur", &gap, &[(0.1, 0.4)]);
    runs("gamut", &gap, &[]);
}

#[test]
fn a_number_that_never_falls_is_one_run_to_the_end() {
    let (low, high) = (Some(0.5), Some(2.0));
    runs("true_peak", &[low, high, low, low, low, low, high], &[(0.1, 2.0)]);
}

#[test]
fn the_best_threshold_is_one_that_occurs_and_the_lowest_of_equals() {
    let mut values = vec![4.0, 1.0, 2.0, f64::NAN, 3.0];
    assert_eq!(best(&mut values, |threshold| if threshold >= 2.0 { 1.0 } else { 0.0 }), Some(2.0));
}
