//! Causes, combination and observing, proved on the model alone, in made-up time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::super::acts::Act;
use super::super::rules::StreamRules;
use super::super::testing::{Stage, at, change, lobby, told};
use super::*;
use crate::event::EventState::{Acked, Ended, Escalated, Raised, Suppressed};
use crate::event::{ChangeKind, EventChange, EventState};
use crate::silence::{Matchers, SilenceKind};

#[test]
fn black_with_silence_is_major_after_ten_seconds_and_critical_after_twenty_by_the_clock_alone() {
    let mut stage = Stage::new();
    stage.raise(2, "black", 0);
    stage.raise(9, "silence", 4);
    assert!(stage.ticks(10..14).is_empty());
    let major = stage.tick(14);
    assert_eq!(told(&major), [("black", Escalated), ("silence", Raised)]);
    assert_eq!((major[0].severity, &*major[0].message), (Severity::Major, "black with silence for 10 s"));
    assert_eq!(major[1].parent_id.as_ref(), Some(&major[0].id));
    assert!(stage.ticks(15..24).is_empty());
    let critical = stage.tick(24);
    assert_eq!(told(&critical), [("black", Escalated)]);
    assert_eq!(critical[0].severity, Severity::Critical);
    assert!(stage.ticks(25..100).is_empty());
    assert_eq!(
        stage.model.take_reached().iter().map(|(_, _, severity)| *severity).collect::<Vec<_>>(),
        [Severity::Warning, Severity::Warning, Severity::Major, Severity::Critical]
    );
}

#[test]
fn the_severity_of_a_combination_stays_when_the_sound_is_back() {
    let mut stage = Stage::new();
    stage.raise(2, "freeze", 0);
    stage.raise(5, "silence", 0);
    stage.tick(10);
    let ended = stage.end(25, "silence", 15);
    assert_eq!(told(&ended), [("silence", Ended)]);
    assert!(ended[0].parent_id.is_some());
    assert!(stage.ticks(25..60).is_empty());
    assert_eq!(stage.open("freeze").severity, Severity::Major);
    assert!(stage.worsen(70, "freeze", Severity::Minor).is_empty());
    assert_eq!(told(&stage.end(80, "freeze", 70)), [("freeze", Ended)]);
}

#[test]
fn the_silence_of_a_secondary_track_makes_no_combination() {
    let mut stage = Stage::new();
    stage.raise(2, "black", 0);
    let secondary = EventChange { standing: Standing::Secondary, ..change("silence", ChangeKind::Raised, 5, 0) };
    stage.model.step(secondary);
    assert!(stage.ticks(5..100).is_empty());
}

#[test]
fn six_seconds_without_picture_and_sound_are_no_ten_though_both_events_are_still_open() {
    let mut stage = Stage::new();
    stage.raise(2, "black", 0);
    stage.raise(5, "silence", 0);
    stage.say(7, "black", ChangeKind::Fading, 6);
    stage.say(7, "silence", ChangeKind::Fading, 6);
    assert!(stage.ticks(7..16).is_empty());
    assert_eq!(told(&stage.end(16, "black", 6)), [("black", Ended)]);
    assert_eq!(told(&stage.end(16, "silence", 6)), [("silence", Ended)]);
}

#[test]
fn time_in_which_the_picture_was_back_does_not_count() {
    let mut stage = Stage::new();
    stage.raise(2, "black", 0);
    stage.raise(5, "silence", 0);
    stage.say(7, "black", ChangeKind::Fading, 6);
    stage.say(9, "black", ChangeKind::Holding, 9);
    assert!(stage.ticks(9..13).is_empty());
    assert_eq!(told(&stage.tick(13)), [("black", Escalated), ("silence", Raised)]);
}

#[test]
fn files_and_whoever_switches_it_off_have_no_combination() {
    let apart = StreamRules { combining: Combining::Apart, ..StreamRules::default() };
    for mut stage in [Stage::with(lobby(apart)), Stage::with(|rules| rules.combination.clear())] {
        stage.raise(2, "black", 0);
        stage.raise(5, "silence", 0);
        assert!(stage.ticks(5..100).is_empty());
    }
}

#[test]
fn what_a_person_has_taken_is_everybodys_again_when_the_sound_is_gone_too() {
    let mut stage = Stage::new();
    let black = stage.raise(2, "black", 0).remove(0);
    let ack = Act::Ack { by: "anna".to_owned(), comment: None, until: None };
    stage.model.act(&black.id, ack, None, at(3)).unwrap();
    stage.raise(5, "silence", 0);
    assert_eq!(stage.tick(10)[0].acked_by, None);
}

#[test]
fn a_dead_input_explains_what_is_open_and_what_follows() {
    let mut stage = Stage::new();
    stage.raise(1, "freeze", 0);
    let down = stage.raise(10, "input_down", 7);
    assert_eq!(told(&down), [("freeze", Suppressed), ("input_down", Raised)]);
    let id = &stage.open("input_down").id;
    let mark = Some(format!("event:{id}"));
    assert_eq!((&down[0].suppressed_by, &down[0].parent_id), (&mark, &Some(id.clone())));
    assert_eq!(told(&stage.raise(12, "bitrate", 7)), [("bitrate", Suppressed)]);
    assert_eq!(told(&stage.raise(12, "stream_quarantined", 12)), [("stream_quarantined", Raised)]);
    let moment = stage.say(13, "timestamp", ChangeKind::Found, 13);
    assert_eq!(told(&moment), [("timestamp", Suppressed), ("timestamp", Ended)]);
    assert_eq!((&moment[1].suppressed_by, &moment[1].parent_id), (&mark, &Some(id.clone())));
}

#[test]
fn what_logs_say_is_told_while_the_input_is_down() {
    let mut stage = Stage::new();
    assert_eq!(told(&stage.raise(5, "log_http_errors", 1)), [("log_http_errors", Raised)]);
    assert_eq!(told(&stage.raise(10, "input_down", 7)), [("input_down", Raised)]);
    assert_eq!(told(&stage.raise(12, "log_errors", 8)), [("log_errors", Raised)]);
    assert_eq!(told(&stage.end(30, "input_down", 20)), [("input_down", Ended)]);
    assert_eq!(told(&stage.raise(32, "log_rebuffering", 15)), [("log_rebuffering", Raised)], "within the grace");
    assert_eq!(stage.open("log_errors").parent_id, None);
}

#[test]
fn what_is_still_wrong_ten_seconds_after_the_input_is_back_is_an_alarm_of_its_own() {
    let mut stage = Stage::new();
    stage.raise(10, "input_down", 7);
    stage.raise(12, "bitrate", 8);
    stage.raise(12, "freeze", 8);
    assert_eq!(told(&stage.end(30, "input_down", 20)), [("input_down", Ended)]);
    assert_eq!(told(&stage.raise(32, "black", 31)), [("black", Raised)], "it began after the end");
    assert_eq!(told(&stage.raise(33, "decode_error", 15)), [("decode_error", Suppressed)], "it began before the end");
    assert!(stage.ticks(33..36).is_empty());
    let over = stage.end(36, "bitrate", 25);
    assert_eq!(told(&over), [("bitrate", Ended)]);
    assert!(over[0].suppressed_by.is_some(), "nobody was told of it");
    assert!(stage.ticks(36..40).is_empty());
    let lifted = stage.tick(40);
    assert_eq!(told(&lifted), [("decode_error", Raised), ("freeze", Raised)]);
    assert!(lifted.iter().all(|event| event.suppressed_by.is_none() && event.parent_id.is_none()));
    assert_eq!(stage.end(50, "freeze", 45)[0].suppressed_by, None, "it was told in the end");
}

#[test]
fn what_comes_with_the_return_of_the_input_is_told_once_the_input_is_known_to_be_back() {
    let mut stage = Stage::new();
    stage.raise(10, "input_down", 7);
    assert_eq!(told(&stage.raise(22, "black", 20)), [("black", Suppressed)]);
    assert_eq!(told(&stage.end(30, "input_down", 20)), [("input_down", Ended), ("black", Raised)]);
    assert_eq!(stage.open("black").parent_id, None);
}

#[test]
fn an_event_that_was_told_before_its_cause_began_is_told_when_it_ends() {
    let mut stage = Stage::new();
    stage.raise(1, "freeze", 0);
    stage.raise(10, "input_down", 7);
    let ended = stage.end(20, "freeze", 8);
    assert_eq!((ended[0].state, ended[0].suppressed_by.as_ref()), (Ended, None));
    assert!(ended[0].parent_id.is_some());
}

#[test]
fn scrambling_explains_the_silence_but_not_the_bit_rate() {
    let mut stage = Stage::new();
    stage.raise(5, "scrambled", 0);
    assert_eq!(told(&stage.raise(6, "silence", 1)), [("silence", Suppressed)]);
    assert_eq!(told(&stage.raise(6, "bitrate", 1)), [("bitrate", Raised)]);
}

#[test]
fn what_a_cause_explains_is_not_judged_together() {
    let mut stage = Stage::new();
    stage.raise(1, "scrambled", 0);
    stage.raise(2, "black", 0);
    stage.raise(5, "silence", 0);
    assert!(stage.ticks(5..100).is_empty());
    assert_eq!(stage.open("black").severity, Severity::Warning);
}

#[test]
fn an_observed_stream_is_recorded_and_told_of_to_nobody_until_it_is_live() {
    let observe = StreamRules { telling: Telling::Observe, ..StreamRules::default() };
    let mut stage = Stage::with(lobby(observe));
    let black = stage.raise(2, "black", 0);
    assert_eq!((black[0].state, black[0].suppressed_by.as_deref()), (Suppressed, Some("observe")));
    assert_eq!(told(&stage.worsen(3, "black", Severity::Major)), [("black", Suppressed)]);
    let ended = stage.end(20, "black", 10);
    assert_eq!((ended[0].state, ended[0].suppressed_by.as_deref()), (Ended, Some("observe")));
    stage.raise(30, "freeze", 25);
    assert_eq!(told(&stage.govern(31, |_| {})), [("freeze", Raised)]);
    assert_eq!(stage.end(50, "freeze", 40)[0].suppressed_by, None);
}

fn maintenance(from: u64, until: u64) -> Silence {
    Silence {
        id: "m".to_owned(),
        kind: SilenceKind::Maintenance,
        matchers: Matchers { stream: Some("lobby".to_owned()), ..Matchers::default() },
        starts_at: at(from),
        until: at(until),
        reason: "new encoder".to_owned(),
        author: "anna".to_owned(),
        created_at: at(0),
    }
}

#[test]
fn what_begins_and_ends_within_maintenance_was_never_told_and_what_outlasts_it_is() {
    let mut stage = Stage::new();
    stage.raise(1, "bitrate", 0);
    stage.model.silence(vec![maintenance(10, 100)], at(5));
    stage.tick(10);
    stage.raise(20, "black", 18);
    stage.raise(21, "freeze", 18);
    let within = stage.end(40, "black", 30);
    assert_eq!((within[0].state, within[0].suppressed_by.as_deref()), (Ended, Some("maintenance:m")));
    let before = stage.end(50, "bitrate", 45);
    assert_eq!(before[0].suppressed_by, None, "its raise was told, so its end is");
    assert_eq!(told(&stage.tick(100)), [("freeze", Raised)]);
    assert_eq!(stage.end(120, "freeze", 110)[0].suppressed_by, None);
}

#[test]
fn what_is_just_ending_when_maintenance_ends_is_told_to_nobody_unless_it_comes_back() {
    for comes_back in [false, true] {
        let mut stage = Stage::new();
        stage.model.silence(vec![maintenance(10, 100)], at(5));
        stage.raise(20, "black", 18);
        stage.worsen(50, "black", Severity::Critical);
        stage.say(99, "black", ChangeKind::Fading, 98);
        assert!(stage.ticks(99..104).is_empty());
        if comes_back {
            assert_eq!(told(&stage.say(104, "black", ChangeKind::Holding, 104)), [("black", Escalated)]);
            continue;
        }
        let ended = stage.end(108, "black", 98);
        assert_eq!((ended[0].state, ended[0].suppressed_by.as_deref()), (Ended, Some("maintenance:m")));
    }
}

#[test]
fn what_is_just_ending_when_a_silence_is_taken_away_ends_for_those_who_knew_of_it() {
    let mut stage = Stage::new();
    stage.raise(3, "black", 1);
    stage.model.silence(vec![maintenance(10, 100)], at(10));
    stage.say(20, "black", ChangeKind::Fading, 19);
    assert!(stage.model.silence(Vec::new(), at(22)).is_empty());
    assert_eq!(stage.end(29, "black", 19)[0].suppressed_by, None, "its raise was told, so its end is");
}

#[test]
fn what_is_just_ending_when_a_snooze_ends_stays_taken_unless_it_comes_back() {
    for comes_back in [false, true] {
        let mut stage = Stage::new();
        let black = stage.raise(2, "black", 0).remove(0);
        let ack = Act::Ack { by: "anna".to_owned(), comment: None, until: Some(at(60)) };
        stage.model.act(&black.id, ack, None, at(3)).unwrap();
        stage.say(59, "black", ChangeKind::Fading, 58);
        assert!(stage.ticks(59..64).is_empty());
        if comes_back {
            let told = stage.say(64, "black", ChangeKind::Holding, 64);
            assert_eq!((told[0].state, &told[0].acked_by), (Raised, &None));
        } else {
            assert_eq!(told(&stage.end(68, "black", 58)), [("black", Ended)]);
        }
    }
}

#[test]
fn what_flaps_and_is_calm_when_maintenance_ends_is_told_when_it_comes_again() {
    let mut stage = Stage::new();
    stage.model.silence(vec![maintenance(0, 100)], at(0));
    for second in [10, 30, 50, 70] {
        stage.raise(second, "black", second - 2);
        stage.end(second + 5, "black", second + 2);
    }
    assert!(stage.ticks(80..150).is_empty());
    assert_eq!(told(&stage.raise(150, "black", 148)), [("black", Raised)]);
}

#[test]
fn an_event_that_was_only_ever_held_back_and_taken_says_so_at_its_end() {
    let mut stage = Stage::new();
    stage.model.silence(vec![maintenance(0, 100)], at(0));
    let black = stage.raise(20, "black", 18).remove(0);
    let ack = Act::Ack { by: "anna".to_owned(), comment: None, until: None };
    stage.model.act(&black.id, ack, None, at(30)).unwrap();
    assert_eq!(told(&stage.tick(100)), [("black", Acked)]);
    assert_eq!(stage.end(120, "black", 110)[0].suppressed_by.as_deref(), Some("maintenance:m"));
}

#[test]
fn after_a_restart_what_was_explained_pages_nobody_before_it_is_confirmed() {
    let mut old = Stage::new();
    old.raise(10, "input_down", 7);
    let bitrate = old.raise(12, "bitrate", 8).remove(0);
    let mut stage = Stage::new();
    stage.model.recover(bitrate, Duration::from_secs(5), std::time::Instant::now());
    assert!(stage.model.silence(Vec::new(), at(20)).is_empty());
    assert!(stage.ticks(20..60).is_empty());
    assert_eq!(told(&stage.raise(61, "bitrate", 55)), [("bitrate", Raised)]);
}

#[test]
fn after_a_restart_the_end_of_what_was_told_before_it_was_explained_is_told() {
    let mut old = Stage::new();
    let mut freeze = old.raise(1, "freeze", 0).remove(0);
    let down = old.raise(10, "input_down", 7).pop().unwrap();
    for (raised_at, is_told) in [(at(1), false), (Wall(std::time::UNIX_EPOCH), true)] {
        // Its cause was made now, long before second 1 of the test.
        freeze.raised_at = raised_at;
        (freeze.state, freeze.suppressed_by) = (Suppressed, Some(format!("event:{}", down.id)));
        let mut stage = Stage::new();
        stage.model.recover(freeze.clone(), Duration::ZERO, std::time::Instant::now());
        assert_eq!(stage.end(20, "freeze", 8)[0].suppressed_by.is_none(), is_told);
    }
}

/// One thing that happens in a second.
#[derive(Clone, Debug)]
enum Beat {
    Raise(usize),
    Fade(usize),
    Hold(usize),
    End(usize),
    Find(usize),
    Silence(u64),
    Observe(bool),
    Wait(u64),
}

const DETECTORS: [&str; 6] = ["black", "freeze", "silence", "input_down", "scrambled", "bitrate"];

fn beat() -> impl Strategy<Value = Beat> {
    let detector = 0..DETECTORS.len();
    prop_oneof![
        4 => detector.clone().prop_map(Beat::Raise),
        1 => detector.clone().prop_map(Beat::Fade),
        1 => detector.clone().prop_map(Beat::Hold),
        3 => detector.clone().prop_map(Beat::End),
        1 => detector.prop_map(Beat::Find),
        1 => (1_u64..60).prop_map(Beat::Silence),
        1 => any::<bool>().prop_map(Beat::Observe),
        4 => (1_u64..40).prop_map(Beat::Wait),
    ]
}

/// What whoever listens knows of an event.
#[derive(Default)]
struct Heard {
    state: Option<EventState>,
    severity: Option<Severity>,
    was_told: bool,
}

proptest! {
    /// Whatever happens, in any order: sequences have no gaps, no event changes after its end, severity never
    /// falls, a combination only ever raises a picture, and an ended event has `suppressed_by` exactly when
    /// none of its changes said raised or escalated.
    #[test]
    fn whoever_listens_can_trust_the_changes(beats in prop::collection::vec(beat(), 1..120)) {
        let mut stage = Stage::new();
        let (mut second, mut next) = (1, 1);
        let mut heard: BTreeMap<String, Heard> = BTreeMap::new();
        for beat in beats {
            second += 1;
            let events = match beat {
                Beat::Raise(which) => stage.raise(second, DETECTORS[which], second - 1),
                Beat::Fade(which) => stage.say(second, DETECTORS[which], ChangeKind::Fading, second - 1),
                Beat::Hold(which) => stage.say(second, DETECTORS[which], ChangeKind::Holding, second),
                Beat::End(which) => stage.end(second, DETECTORS[which], second - 1),
                Beat::Find(which) => stage.say(second, DETECTORS[which], ChangeKind::Found, second),
                Beat::Silence(length) => {
                    let silences = vec![maintenance(second, second + length)];
                    stage.model.silence(silences, at(second))
                }
                Beat::Observe(observes) => {
                    let telling = if observes { Telling::Observe } else { Telling::Live };
                    stage.govern(second, lobby(StreamRules { telling, ..StreamRules::default() }))
                }
                Beat::Wait(seconds) => {
                    second += seconds;
                    stage.tick(second)
                }
            };
            for event in events {
                prop_assert_eq!(event.sequence, next);
                next += 1;
                let known = heard.entry(event.id.clone()).or_default();
                prop_assert!(known.state != Some(Ended), "a change after the end");
                prop_assert!(known.severity <= Some(event.severity), "severity fell");
                (known.state, known.severity) = (Some(event.state), Some(event.severity));
                known.was_told |= matches!(event.state, Raised | Escalated);
                if event.state == Ended {
                    prop_assert_eq!(event.suppressed_by.is_none(), known.was_told);
                } else {
                    prop_assert_eq!(event.suppressed_by.is_some(), event.state == Suppressed);
                }
            }
            let open = heard.values().filter(|heard| heard.state != Some(Ended)).count();
            prop_assert_eq!(open, stage.model.open_events().count());
        }
    }
}

#[test]
fn a_stream_explains_nothing_of_another() {
    let mut stage = Stage::new();
    stage.raise(10, "input_down", 7);
    let mut other = change("black", ChangeKind::Raised, 12, 10);
    other.key.stream = Arc::from("lobby2");
    other.card = Arc::new(crate::event::StreamCard { stream: "lobby2".into(), ..Default::default() });
    assert_eq!(told(&stage.model.step(other)), [("black", Raised)]);
}
