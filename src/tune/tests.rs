//! Replays against what the engine's lifecycle says live.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use avwatch_actors::alarm_model::rules::AlarmRules;
use avwatch_actors::detector::{Ladder, Verdict, Worse};
use avwatch_actors::event::{Event, EventState, Standing, Wall};
use avwatch_actors::event_lifecycle::{EventLifecycle, What};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity;
use avwatch_actors::silence::{Matchers, Silence, SilenceKind};
use avwatch_actors::track::TrackId;
use avwatch_actors::verdict_notes::{Onset, SpanKind, VerdictSpan, VerdictTally};
use proptest::prelude::*;

use super::stage::Stage;
use super::{Alarms, Circumstances, Judge, replay};
use crate::sinks::samples;

const FRAME: i64 = 40;

fn at(second: u64) -> Wall {
    Wall(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + second))
}

/// The alarms of a replay, each with the highest severity that it reached, before the alarm model.
fn severities(spans: &[VerdictSpan], judge: &Judge) -> Vec<Severity> {
    let mut alarms = Vec::new();
    for heard in replay(spans.iter().map(|span| (at(0), span)), at(1_000_000_000), judge) {
        match heard.change.what {
            What::Raised => alarms.push(heard.change.severity),
            What::Escalated => *alarms.last_mut().unwrap() = heard.change.severity,
            What::Ended(_) | What::Ongoing | What::Fading | What::Holding => {}
        }
    }
    alarms
}

/// Spans of one second each that begin at these seconds and last so long.
fn spans(held: &[(u64, u64)]) -> Vec<(Wall, VerdictSpan)> {
    let mut end = 0;
    let mut span = |(from, lasts): &(u64, u64)| {
        let span = VerdictSpan {
            kind: SpanKind::Held,
            onset: Onset::Fresh,
            class: 0,
            clear_before: MediaTime::from_millis((from - end) as i64 * 1_000),
            lasts: MediaTime::from_millis(*lasts as i64 * 1_000),
            scores: vec![1.0],
        };
        end = from + lasts;
        (at(end), span)
    };
    held.iter().map(&mut span).collect()
}

fn heard(stage: &mut Stage, detector: &str, track: TrackId, held: &[(u64, u64)]) {
    let spans = spans(held);
    let dated = spans.iter().map(|(ended, span)| (*ended, span));
    stage.hear(detector, track, Standing::Main, &replay(dated, at(10_000), &judge(0, None)));
}

fn circumstances<'a>(rules: &'a AlarmRules, maintenance: &'a [Silence]) -> Circumstances<'a> {
    Circumstances { rules, maintenance }
}

fn alarms(stage: &Stage, detector: &str) -> Alarms {
    stage.clone().alarms(circumstances(&AlarmRules::default(), &[]), detector, at(10_000))
}

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
    assert_eq!(severities(&spans, &judge(0, None)), alarms);
    assert_eq!(severities(&spans, &judge(10, None)), [Severity::Major]);
    assert_eq!(severities(&spans, &judge(13, None)), []);
}

#[test]
fn a_shorter_hold_time_finds_what_was_never_raised() {
    let (alarms, spans) = live(&[(0.0, 1_500), (1.0, 45), (0.0, 1_500)], 0);
    assert_eq!(alarms, []);
    let mut sooner = judge(0, None);
    sooner.ladder.steps[0].0 = Duration::from_secs(1);
    assert_eq!(severities(&spans, &sooner), [Severity::Info]);
}

#[test]
fn another_threshold_finds_what_came_near_and_drops_what_hardly_reached_it() {
    let (_, spans) = live(&[(0.0, 1_500), (1.2, 250), (0.0, 1_500), (0.8, 250), (0.0, 1_500)], 0);
    assert_eq!(severities(&spans, &judge(0, None)), [Severity::Major]);
    assert_eq!(severities(&spans, &judge(0, Some(1.5))), []);
    assert_eq!(severities(&spans, &judge(0, Some(0.7))), [Severity::Major; 2]);
}

#[test]
fn what_comes_and_goes_is_one_alarm_from_the_fourth_time_on_as_it_was_live() {
    let mut stage = Stage::new(&"lobby".into(), &BTreeMap::new());
    // Eight times three seconds, a minute apart, and once more after an hour.
    let held: Vec<(u64, u64)> = (0..8).map(|time| (60 + time * 60, 3)).chain([(4_000, 3)]).collect();
    heard(&mut stage, "black", TrackId::video(0), &held);
    let found = alarms(&stage, "black");
    assert_eq!((found.alarms, found.info), (5, 5), "three, one that flaps, and the last");
    let mut rules = AlarmRules::default();
    rules.flapping.raises = 0;
    assert_eq!(stage.alarms(circumstances(&rules, &[]), "black", at(10_000)).alarms, 9);
}

#[test]
fn what_an_input_that_is_down_explains_is_no_alarm() {
    let mut stage = Stage::new(&"lobby".into(), &BTreeMap::new());
    heard(&mut stage, "black", TrackId::video(0), &[(105, 20), (500, 7)]);
    let down = Event {
        started_at: at(100),
        raised_at: at(103),
        ended_at: Some(at(125)),
        changed_at: at(135),
        ..samples::event("down", "lobby", "input_down", 1, EventState::Ended)
    };
    stage.recall(&down);
    let found = alarms(&stage, "black");
    assert_eq!((found.alarms, found.major), (1, 1), "the second alone");
}

#[test]
fn a_picture_that_is_gone_with_its_sound_rises_as_it_does_live() {
    let mut stage = Stage::new(&"lobby".into(), &BTreeMap::new());
    heard(&mut stage, "black", TrackId::video(0), &[(100, 15), (500, 15)]);
    let apart = alarms(&stage, "black");
    assert_eq!((apart.alarms, apart.major), (2, 2));
    let combination = vec![(Duration::from_secs(10), Severity::Critical)];
    let rules = AlarmRules { combination, ..AlarmRules::default() };
    heard(&mut stage, "silence", TrackId::audio(0), &[(501, 20)]);
    let together = stage.alarms(circumstances(&rules, &[]), "black", at(10_000));
    assert_eq!((together.alarms, together.major, together.critical), (2, 1, 1));
}

#[test]
fn a_picture_that_was_black_in_planned_maintenance_only_is_no_alarm_of_a_replay() {
    let labels = BTreeMap::from([("site".to_owned(), "north".to_owned())]);
    let mut stage = Stage::new(&"lobby".into(), &labels);
    // Within it, beyond its end, and after it.
    heard(&mut stage, "black", TrackId::video(0), &[(1_100, 30), (1_950, 100), (4_000, 30)]);
    let planned = |site: &str| Silence {
        id: site.to_owned(),
        kind: SilenceKind::Maintenance,
        matchers: Matchers { labels: BTreeMap::from([("site".to_owned(), site.to_owned())]), ..Matchers::default() },
        starts_at: at(1_000),
        until: at(2_000),
        reason: String::new(),
        author: String::new(),
        created_at: at(0),
    };
    let rules = AlarmRules::default();
    let told =
        |maintenance: &[Silence]| stage.clone().alarms(circumstances(&rules, maintenance), "black", at(10_000)).alarms;
    assert_eq!((told(&[]), told(&[planned("south")]), told(&[planned("south"), planned("north")])), (3, 3, 2));
}

#[test]
fn an_input_that_flapped_explains_only_while_it_was_down() {
    let mut stage = Stage::new(&"lobby".into(), &BTreeMap::new());
    heard(&mut stage, "black", TrackId::video(0), &[(210, 7), (305, 7)]);
    let down = Event {
        started_at: at(100),
        raised_at: at(103),
        ended_at: Some(at(330)),
        changed_at: at(930),
        calm_s: vec![(30.0, 200.0)],
        ..samples::event("down", "lobby", "input_down", 1, EventState::Ended)
    };
    stage.recall(&down);
    assert_eq!(alarms(&stage, "black").alarms, 1, "in the calm between");
}

proptest! {
    /// Replayed as configured, the past has the alarms that it had, with their severities.
    #[test]
    fn a_replay_as_configured_is_what_was_raised(
        runs in prop::collection::vec((prop::sample::select(vec![0.0_f32, 0.7, 1.0, 1.4]), 1_i64..400), 1..40),
        raise_after in 0_u64..15,
    ) {
        let (alarms, spans) = live(&runs, raise_after);
        prop_assert_eq!(severities(&spans, &judge(raise_after, None)), alarms);
    }

    /// The same with any other hold time: kept at one, judged at another.
    #[test]
    fn a_replay_under_another_hold_time_is_what_would_have_been_raised(
        runs in prop::collection::vec((prop::sample::select(vec![0.0_f32, 1.0]), 1_i64..400), 1..40),
        raise_after in 0_u64..15,
    ) {
        let (_, spans) = live(&runs, 0);
        let (expected, _) = live(&runs, raise_after);
        prop_assert_eq!(severities(&spans, &judge(raise_after, None)), expected);
    }
}
