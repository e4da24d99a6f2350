//! Off the air, proved on the model alone, in made-up time.

use std::ops::Range;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::rules::StreamRules;
use super::super::testing::{Stage, at, lobby, told};
use super::*;
use crate::alarm_model::Doubted;
use crate::event::EventState::{Ended, Raised};

/// Off the air for some seconds.
#[derive(Debug)]
struct Off(Range<u64>);

impl OffAir for Off {
    fn look(&self, now: Wall) -> AirTime {
        let is_off = (at(self.0.start)..at(self.0.end)).contains(&now);
        let edges = [at(self.0.start), at(self.0.end)];
        let until = edges.into_iter().find(|edge| *edge > now).unwrap_or(now.after(Duration::from_secs(86_400)));
        AirTime { is_off, until }
    }
}

fn scheduled(off: Range<u64>) -> StreamRules {
    StreamRules { off_air: Some(Arc::new(Off(off))), ..StreamRules::default() }
}

/// A stream that is off the air from second 100 to 200.
fn stage() -> Stage {
    Stage::with(lobby(scheduled(100..200)))
}

#[test]
fn what_is_open_ends_as_suspended_and_what_still_holds_afterwards_begins_anew() {
    let mut stage = stage();
    let before = stage.raise(90, "black", 88).remove(0);
    let suspended = stage.tick(100).remove(0);
    assert_eq!((suspended.state, suspended.end_reason, &suspended.id), (Ended, Some(EventEnd::Suspended), &before.id));
    assert_eq!(stage.model.off_air(), ["lobby".into()]);
    assert!(stage.worsen(130, "black", crate::severity::Severity::Major).is_empty());
    assert!(stage.ticks(130..200).is_empty());
    let raised = stage.tick(200).remove(0);
    assert_eq!((raised.state, raised.started_at, raised.raised_at), (Raised, at(200), at(200)));
    assert_ne!(raised.id, before.id);
    assert_eq!((raised.severity, raised.start_s), (crate::severity::Severity::Major, 200.0));
    assert!(stage.model.off_air().is_empty());
    assert_eq!(told(&stage.end(230, "black", 220)), [("black", Ended)]);
}

#[test]
fn what_comes_and_goes_off_the_air_is_never_told() {
    let mut stage = stage();
    stage.tick(100);
    assert!(stage.raise(110, "black", 108).is_empty());
    assert!(stage.say(112, "format_change", ChangeKind::Found, 112).is_empty());
    assert!(stage.end(150, "black", 140).is_empty());
    assert!(stage.ticks(150..400).is_empty());
}

#[test]
fn a_programme_that_began_a_moment_early_raises_nothing() {
    let mut stage = stage();
    stage.tick(100);
    stage.raise(110, "black", 108);
    stage.say(196, "black", ChangeKind::Fading, 195);
    assert!(stage.ticks(196..205).is_empty());
    assert!(stage.end(205, "black", 195).is_empty());
}

#[test]
fn a_condition_that_comes_back_after_a_moment_is_raised_from_then_on() {
    let mut stage = stage();
    stage.tick(100);
    stage.raise(110, "black", 108);
    stage.say(196, "black", ChangeKind::Fading, 195);
    assert!(stage.ticks(196..203).is_empty());
    let raised = stage.say(203, "black", ChangeKind::Holding, 203);
    assert_eq!((raised[0].state, raised[0].started_at), (Raised, at(203)));
}

#[test]
fn what_a_cause_explains_is_not_raised_beside_it_when_the_time_is_over() {
    let mut stage = stage();
    stage.tick(100);
    stage.raise(110, "freeze", 108);
    stage.raise(112, "input_down", 108);
    let states: Vec<_> = stage.tick(200).iter().map(|event| (event.detector.to_string(), event.state)).collect();
    let expected = [("freeze", crate::event::EventState::Suppressed), ("input_down", Raised)];
    assert_eq!(states, expected.map(|(detector, state)| (detector.to_owned(), state)));
}

#[test]
fn a_schedule_that_is_taken_away_shows_what_holds() {
    let mut stage = stage();
    stage.tick(100);
    stage.raise(110, "black", 108);
    assert_eq!(told(&stage.govern(120, |_| {})), [("black", Raised)]);
    assert_eq!(told(&stage.govern(130, lobby(scheduled(100..200)))), [("black", Ended)]);
}

#[test]
fn what_rebuilt_detectors_had_seen_off_the_air_is_forgotten() {
    let mut stage = stage();
    stage.tick(100);
    stage.raise(110, "black", 108);
    stage.model.doubt_stream("lobby", Doubted::Stream, |_| Duration::ZERO, std::time::Instant::now());
    assert!(stage.ticks(111..300).is_empty());
}

#[test]
fn an_event_from_before_a_restart_ends_as_suspended_off_the_air_and_is_not_raised_unseen() {
    let before = Stage::new().raise(90, "black", 88).remove(0);
    let mut stage = Stage::new();
    stage.model.recover(before.clone(), Duration::ZERO, std::time::Instant::now());
    let ended = stage.govern(150, lobby(scheduled(100..200)));
    assert_eq!((&ended[0].id, ended[0].end_reason), (&before.id, Some(EventEnd::Suspended)));
    assert!(stage.ticks(151..300).is_empty());
}

#[test]
fn a_change_that_was_seen_just_before_the_time_and_comes_after_it_is_kept_aside() {
    let mut stage = stage();
    stage.tick(100);
    assert!(stage.raise(99, "black", 97).is_empty());
    assert_eq!(stage.model.off_air().len(), 1);
}

proptest! {
    /// Whatever happens off the air: nothing is told then, and at its end exactly what holds is raised.
    #[test]
    fn nothing_is_told_off_the_air_and_what_holds_is_told_at_its_end(
        script in prop::collection::vec((0_usize..3, 0_u8..5), 0..90),
    ) {
        let detectors = ["black", "silence", "bitrate"];
        // Alike for all: no condition explains another here.
        let mut stage = stage();
        stage.tick(100);
        let mut holds = [false; 3];
        for (step, (which, what)) in script.into_iter().enumerate() {
            let (second, detector) = (101 + step as u64, detectors[which]);
            let events = match what {
                0 | 1 => { holds[which] = true; stage.raise(second, detector, second) }
                2 => { holds[which] = false; stage.end(second, detector, second) }
                3 => stage.say(second, detector, ChangeKind::Found, second),
                _ => stage.tick(second),
            };
            prop_assert!(events.is_empty());
        }
        let raised = stage.tick(200);
        let mut names: Vec<&str> = raised.iter().map(|event| &*event.detector).collect();
        names.sort_unstable();
        let mut expected: Vec<&str> = (0..3).filter(|which| holds[*which]).map(|which| detectors[which]).collect();
        expected.sort_unstable();
        prop_assert_eq!(names, expected);
        prop_assert!(raised.iter().all(|event| event.state == Raised && event.started_at == at(200)));
    }
}
