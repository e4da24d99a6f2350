//! Flap damping, proved on the model alone, in made-up time.

use std::time::Duration;

use proptest::prelude::*;

use super::super::testing::{Stage, at, told};
use super::*;
use crate::event::EventState::{Ended, Escalated, Raised, Suppressed};
use crate::event::{ChangeKind, EventEnd};
use crate::severity::Severity;

/// Comes at each of these seconds, and is away five seconds later.
fn flap(stage: &mut Stage, detector: &str, begins: &[u64]) -> Vec<Event> {
    let mut events = Vec::new();
    for begin in begins {
        events.extend(stage.raise(*begin, detector, *begin));
        events.extend(stage.end(begin + 6, detector, begin + 5));
    }
    events
}

#[test]
fn the_fourth_raise_in_ten_minutes_opens_one_event_that_ends_after_ten_calm_minutes() {
    let mut stage = Stage::new();
    assert_eq!(flap(&mut stage, "freeze", &[0, 60, 120]).len(), 6);
    let fourth = flap(&mut stage, "freeze", &[180, 240, 300, 360]);
    assert_eq!(told(&fourth), [("freeze", Raised)], "one word for all of them");
    assert_eq!(stage.model.calm("freeze"), [fourth[0].id.as_str().into()].into());
    assert_eq!(fourth[0].message, "flapping: 4 times in 10 min: freeze!");
    assert!(stage.ticks(366..965).is_empty());
    let ended = stage.tick(965);
    assert_eq!(told(&ended), [("freeze", Ended)]);
    let event = &ended[0];
    assert_eq!((event.started_at, event.ended_at, event.changed_at), (at(180), Some(at(365)), at(965)));
    assert_eq!((event.end_reason, event.end_s), (Some(EventEnd::Cleared), Some(365.0)));
    assert_eq!(event.calm_s, [(5.0, 60.0), (65.0, 120.0), (125.0, 180.0)], "away in between");
    assert_eq!(event.message, "flapping: 7 times in 10 min: freeze!");
    assert_eq!(told(&stage.raise(1_200, "freeze", 1_200)), [("freeze", Raised)], "and it begins anew");
    assert_eq!(stage.open("freeze").message, "freeze!");
}

#[test]
fn three_raises_in_ten_minutes_are_three_events() {
    let mut stage = Stage::new();
    assert_eq!(flap(&mut stage, "freeze", &[0, 250, 500, 750, 1_000, 1_250]).len(), 12);
}

#[test]
fn moments_that_come_too_often_become_one_event() {
    let mut stage = Stage::new();
    let mut events = Vec::new();
    for moment in 0..8 {
        events.extend(stage.say(moment * 30, "format_change", ChangeKind::Found, moment * 30));
    }
    let expected = [Raised, Ended, Raised, Ended, Raised, Ended, Raised];
    assert_eq!(events.iter().map(|event| event.state).collect::<Vec<_>>(), expected);
    assert!(stage.ticks(211..810).is_empty());
    let ended = stage.tick(810).remove(0);
    assert_eq!((ended.state, ended.ended_at), (Ended, Some(at(210))));
    assert_eq!(ended.message, "flapping: 8 times in 10 min: format_change!");
}

#[test]
fn what_gets_worse_while_it_flaps_is_told() {
    let mut stage = Stage::new();
    flap(&mut stage, "freeze", &[0, 60, 120, 180]);
    assert!(stage.raise(240, "freeze", 240).is_empty());
    let worse = stage.worsen(250, "freeze", Severity::Major);
    assert_eq!(told(&worse), [("freeze", Escalated)]);
    assert_eq!(worse[0].message, "flapping: 5 times in 10 min: freeze!");
}

#[test]
fn a_flapping_input_explains_only_while_it_is_down() {
    let mut stage = Stage::new();
    flap(&mut stage, "input_down", &[0, 60, 120, 180]);
    assert!(stage.is_open("input_down"));
    assert_eq!(told(&stage.raise(188, "freeze", 187)), [("freeze", Raised)], "it began after the input was back");
    stage.end(189, "freeze", 188);
    assert_eq!(told(&stage.raise(190, "bitrate", 182)), [("bitrate", Suppressed)]);
    assert_eq!(told(&stage.ticks(190..197)), [("bitrate", Raised)]);
}

#[test]
fn a_stream_that_goes_ends_what_flaps_at_once() {
    let mut stage = Stage::new();
    flap(&mut stage, "freeze", &[0, 60, 120, 180]);
    let ended = stage.model.forget_stream("lobby", EventEnd::StreamRemoved, at(200));
    assert_eq!((ended[0].state, ended[0].end_reason), (Ended, Some(EventEnd::StreamRemoved)));
}

#[test]
fn after_a_restart_what_flapped_goes_on_under_its_id_and_may_be_calm_for_long() {
    let mut old = Stage::new();
    let raised = flap(&mut old, "freeze", &[0, 60, 120, 180, 240]).pop().unwrap();
    let mut stage = Stage::new();
    stage.model.recover(raised.clone(), Duration::from_secs(5), std::time::Instant::now());
    assert!(stage.ticks(250..600).is_empty(), "not ended after a minute");
    assert!(flap(&mut stage, "freeze", &[600, 660]).is_empty());
    let ended = stage.ticks(666..1_300).remove(0);
    assert_eq!((ended.id, ended.ended_at), (raised.id, Some(at(665))));
    assert_eq!(ended.message, "flapping: 5 times in 10 min: freeze!");
}

#[test]
fn an_event_that_flaps_for_days_tells_its_longest_calms_only() {
    let mut stage = Stage::new();
    // Away for longer each time: of a hundred calms the 64 longest are left.
    let begins: Vec<u64> = (0..104).map(|time| (0..time).map(|before| 10 + before).sum()).collect();
    flap(&mut stage, "freeze", &begins);
    let open = stage.open("freeze");
    assert_eq!(open.calm_s.len(), CALMS_MAX);
    assert_eq!(open.calm_s[0].1 - open.calm_s[0].0, 5.0 + 39.0);
    assert!(open.calm_s.windows(2).all(|pair| pair[0].1 < pair[1].0));
}

#[test]
fn whoever_sets_no_limit_has_every_event() {
    let mut stage = Stage::with(|rules| rules.flapping.raises = 0);
    assert_eq!(flap(&mut stage, "freeze", &[0, 10, 20, 30, 40, 50]).len(), 12);
}

#[test]
fn the_memory_forgets_what_is_older_than_the_window() {
    let mut stage = Stage::new();
    flap(&mut stage, "freeze", &[0]);
    flap(&mut stage, "black", &[500]);
    stage.tick(650);
    assert_eq!(stage.model.flaps.raises.len(), 1);
    stage.tick(1_200);
    assert!(stage.model.flaps.raises.is_empty());
}

proptest! {
    /// However a condition comes and goes: it is told of at most four times in any window, and all is over
    /// once it was calm for a window.
    #[test]
    fn at_most_four_raises_in_any_ten_minutes(pauses in prop::collection::vec(1_u64..400, 1..60)) {
        let mut stage = Stage::new();
        let mut second = 0;
        let mut events = Vec::new();
        for pause in pauses {
            events.extend(stage.raise(second, "freeze", second));
            events.extend(stage.end(second + 1, "freeze", second + 1));
            events.extend(stage.ticks(second + 2..second + 1 + pause));
            second += 1 + pause;
        }
        let raised: Vec<Wall> = events.iter().filter(|event| event.state == Raised).map(|event| event.raised_at).collect();
        for window in raised.windows(5) {
            prop_assert!(window[4].since(window[0]) > Duration::from_secs(600));
        }
        stage.tick(second + 601);
        prop_assert_eq!(stage.model.open_events().count(), 0);
    }
}
