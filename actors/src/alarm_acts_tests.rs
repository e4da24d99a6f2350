//! What people do to events, proved on the model alone, in made-up time.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::*;
use crate::alarm_model::monitor_change;
use crate::event::{ChangeKind, EventChange, EventEnd};
use crate::severity::Severity;
use crate::silence::{Matchers, SilenceKind};

/// A wall time so many seconds after a fixed moment.
fn at(seconds: u64) -> Wall {
    Wall(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds))
}

fn change(detector: &'static str, what: ChangeKind, severity: Severity, seconds: u64) -> EventChange {
    monitor_change(detector, what, severity, "a message".to_owned(), at(seconds))
}

/// A model in which `black` was raised as a warning at second 0.
fn with_black() -> (AlarmModel, Event) {
    let mut model = AlarmModel::new("node".into(), 0);
    let raised = model.step(change("black", ChangeKind::Raised, Severity::Warning, 0)).remove(0);
    (model, raised)
}

fn ack(by: &str) -> Act {
    Act::Ack { by: by.to_owned(), comment: None, until: None }
}

fn silence(detector: &str, from: u64, until: u64) -> Silence {
    Silence {
        id: format!("{detector}-{from}"),
        kind: SilenceKind::Silence,
        matchers: Matchers { detector: Some(detector.to_owned()), ..Matchers::default() },
        starts_at: at(from),
        until: at(until),
        reason: "known".to_owned(),
        author: "anna".to_owned(),
        created_at: at(from),
    }
}

fn states(events: &[Event]) -> Vec<EventState> {
    events.iter().map(|event| event.state).collect()
}

#[test]
fn an_acknowledged_event_says_by_whom_and_when_under_the_same_id() {
    let (mut model, raised) = with_black();
    let acted = model.act(&raised.id, ack("anna"), None, at(5)).unwrap();
    let event = acted.event;
    assert!(acted.is_change && event.id == raised.id && event.change_id != raised.change_id);
    assert_eq!((event.state, event.sequence, event.changed_at), (EventState::Acked, 2, at(5)));
    assert_eq!((event.acked_by.as_deref(), event.acked_at), (Some("anna"), Some(at(5))));
    let ended = model.step(change("black", ChangeKind::Ended(EventEnd::Cleared), Severity::Warning, 9)).remove(0);
    assert_eq!((ended.state, ended.acked_by.as_deref()), (EventState::Ended, Some("anna")));
}

#[test]
fn a_second_acknowledgement_changes_nothing() {
    let (mut model, raised) = with_black();
    model.act(&raised.id, ack("anna"), None, at(5)).unwrap();
    let again = model.act(&raised.id, ack("ben"), None, at(6)).unwrap();
    assert!(!again.is_change);
    assert_eq!((again.event.acked_by.as_deref(), again.event.changed_at), (Some("anna"), at(5)));
}

#[test]
fn an_event_given_back_stands_where_it_stood() {
    let (mut model, raised) = with_black();
    model.act(&raised.id, ack("anna"), None, at(5)).unwrap();
    let back = model.act(&raised.id, Act::Unack, None, at(6)).unwrap().event;
    assert_eq!((back.state, back.acked_by, back.acked_at), (EventState::Raised, None, None));
    assert!(!model.act(&raised.id, Act::Unack, None, at(7)).unwrap().is_change);
    model.step(change("black", ChangeKind::Escalated, Severity::Major, 8));
    model.act(&raised.id, ack("anna"), None, at(9)).unwrap();
    assert_eq!(model.act(&raised.id, Act::Unack, None, at(10)).unwrap().event.state, EventState::Escalated);
}

#[test]
fn what_becomes_worse_is_no_longer_taken() {
    let (mut model, raised) = with_black();
    model.act(&raised.id, ack("anna"), None, at(5)).unwrap();
    let worse = model.step(change("black", ChangeKind::Escalated, Severity::Critical, 8)).remove(0);
    assert_eq!((worse.state, worse.acked_by), (EventState::Escalated, None));
}

#[test]
fn a_snoozed_acknowledgement_ends_by_itself() {
    let (mut model, raised) = with_black();
    let act = Act::Ack { by: "anna".to_owned(), comment: Some("on it".to_owned()), until: Some(at(60)) };
    let acted = model.act(&raised.id, act, None, at(5)).unwrap().event;
    assert_eq!((acted.snoozed_until, acted.comment.as_deref()), (Some(at(60)), Some("on it")));
    let now = Instant::now();
    assert!(model.tick(now, at(59)).is_empty());
    let back = model.tick(now, at(60)).remove(0);
    assert_eq!((back.state, back.snoozed_until, back.comment.as_deref()), (EventState::Raised, None, Some("on it")));
    assert!(model.tick(now, at(61)).is_empty());
}

#[test]
fn a_snooze_that_ran_out_before_a_restart_pages_nobody_until_the_condition_is_seen_again() {
    let (mut old, raised) = with_black();
    let act = Act::Ack { by: "anna".to_owned(), comment: None, until: Some(at(20)) };
    let taken = old.act(&raised.id, act, None, at(5)).unwrap().event;
    let (mut model, now) = (AlarmModel::new("node".into(), 9), Instant::now());
    model.recover(taken, Duration::ZERO, now);
    assert!(model.tick(now, at(50)).is_empty());
    let mut told = model.step(change("black", ChangeKind::Raised, Severity::Warning, 51));
    told.extend(model.tick(now, at(52)));
    assert_eq!(told.iter().map(|event| event.state).collect::<Vec<_>>(), [EventState::Raised]);
}

#[test]
fn only_remarks_are_possible_after_the_end() {
    let (mut model, raised) = with_black();
    let ended = model.step(change("black", ChangeKind::Ended(EventEnd::Cleared), Severity::Warning, 9)).remove(0);
    assert_eq!(model.act(&raised.id, ack("anna"), None, at(10)).unwrap_err(), Refusal::Unknown);
    assert_eq!(model.act(&raised.id, ack("anna"), Some(ended.clone()), at(10)).unwrap_err(), Refusal::Ended);
    let remark = Act::Comment("encoder rebooted".to_owned());
    let acted = model.act(&raised.id, remark, Some(ended), at(11)).unwrap();
    assert_eq!(acted.event.comment.as_deref(), Some("encoder rebooted"));
    assert_eq!((acted.event.state, acted.event.sequence), (EventState::Ended, 3));
    assert_eq!(model.open_events().count(), 0);
}

#[test]
fn an_act_on_what_has_changed_since_it_was_seen_is_refused_and_changes_nothing() {
    let (mut model, raised) = with_black();
    let asked =
        |act: Act, ended: Option<Event>, seen: u64| ActRequest { id: raised.id.clone(), act, ended, seen: Some(seen) };
    let worse = model.step(change("black", ChangeKind::Escalated, Severity::Major, 3)).remove(0);
    assert_eq!(model.act_as_asked(asked(ack("anna"), None, raised.sequence), at(5)).unwrap_err(), Refusal::Changed);
    assert_eq!(model.open_events().next().unwrap().state, EventState::Escalated);
    let acked = model.act_as_asked(asked(ack("anna"), None, worse.sequence), at(6)).unwrap().event;
    assert_eq!(acked.state, EventState::Acked);
    let ended = model.step(change("black", ChangeKind::Ended(EventEnd::Cleared), Severity::Major, 9)).remove(0);
    let remark = || Act::Comment("encoder rebooted".to_owned());
    let late = asked(remark(), Some(ended.clone()), acked.sequence);
    assert_eq!(model.act_as_asked(late, at(10)).unwrap_err(), Refusal::Changed);
    assert!(model.act_as_asked(asked(remark(), Some(ended.clone()), ended.sequence), at(11)).is_ok());
    let unknown = ActRequest { id: "none".to_owned(), ..asked(remark(), None, 1) };
    assert_eq!(model.act_as_asked(unknown, at(12)).unwrap_err(), Refusal::Unknown);
}

#[test]
fn a_silence_marks_what_is_open_and_what_comes_and_lifts_when_it_ends() {
    let (mut model, raised) = with_black();
    let marked = model.silence(vec![silence("*", 5, 60)], at(5));
    assert_eq!(states(&marked), [EventState::Suppressed]);
    assert_eq!(marked[0].suppressed_by.as_deref(), Some("silence:*-5"));
    let freeze = model.step(change("freeze", ChangeKind::Raised, Severity::Major, 10)).remove(0);
    assert_eq!(freeze.state, EventState::Suppressed);
    let worse = model.step(change("black", ChangeKind::Escalated, Severity::Major, 20)).remove(0);
    assert_eq!((worse.state, worse.severity, worse.id), (EventState::Suppressed, Severity::Major, raised.id));
    let now = Instant::now();
    assert!(model.tick(now, at(59)).is_empty());
    let lifted = model.tick(now, at(60));
    assert_eq!(states(&lifted), [EventState::Escalated, EventState::Raised]);
    assert!(lifted.iter().all(|event| event.suppressed_by.is_none()));
}

#[test]
fn a_silence_concerns_only_what_it_matches() {
    let (mut model, _) = with_black();
    assert!(model.silence(vec![silence("freeze", 0, 60)], at(1)).is_empty());
    let found = model.step(change("freeze", ChangeKind::Found, Severity::Info, 2));
    assert_eq!(states(&found), [EventState::Suppressed, EventState::Ended]);
}

#[test]
fn a_planned_silence_begins_by_itself() {
    let (mut model, _) = with_black();
    assert!(model.silence(vec![silence("black", 30, 60)], at(1)).is_empty());
    let now = Instant::now();
    assert!(model.tick(now, at(29)).is_empty());
    assert_eq!(states(&model.tick(now, at(30))), [EventState::Suppressed]);
    assert_eq!(states(&model.silence(Vec::new(), at(31))), [EventState::Raised], "taken away early");
}

#[test]
fn what_a_person_has_taken_stays_taken_under_a_silence() {
    let (mut model, raised) = with_black();
    model.act(&raised.id, ack("anna"), None, at(1)).unwrap();
    let marked = model.silence(vec![silence("black", 0, 60)], at(2)).remove(0);
    assert_eq!((marked.state, marked.suppressed_by.is_some()), (EventState::Acked, true));
    let back = model.act(&raised.id, Act::Unack, None, at(3)).unwrap().event;
    assert_eq!(back.state, EventState::Suppressed);
}

#[test]
fn silenced_events_count_like_all_others() {
    let (mut model, _) = with_black();
    model.silence(vec![silence("black", 0, 60)], at(1));
    model.step(change("black", ChangeKind::Escalated, Severity::Major, 2));
    let reached: Vec<(Arc<str>, Severity)> =
        model.take_reached().into_iter().map(|(_, detector, severity)| (detector, severity)).collect();
    assert_eq!(reached, [("black".into(), Severity::Warning), ("black".into(), Severity::Major)]);
    assert!(model.take_reached().is_empty());
}

#[test]
fn after_a_restart_an_acknowledgement_holds_and_a_silence_that_ended_meanwhile_does_not() {
    let (mut old, raised) = with_black();
    let taken = old.act(&raised.id, ack("anna"), None, at(1)).unwrap().event;
    let mut model = AlarmModel::new("node".into(), 9);
    model.recover(taken, Duration::ZERO, Instant::now());
    let mut silenced = with_black().1;
    silenced.detector = "freeze".into();
    (silenced.state, silenced.suppressed_by) = (EventState::Suppressed, Some("silence:gone".to_owned()));
    model.recover(silenced, Duration::ZERO, Instant::now());
    let changed = model.silence(Vec::new(), at(50));
    assert_eq!(changed.iter().map(|event| &*event.detector).collect::<Vec<_>>(), ["freeze"]);
    assert_eq!((changed[0].state, changed[0].sequence), (EventState::Raised, 10));
    assert!(
        model.step(change("black", ChangeKind::Raised, Severity::Warning, 51)).is_empty(),
        "confirmed, still taken"
    );
}
