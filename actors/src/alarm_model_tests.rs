//! What becomes of changes, proved on the model alone.

use super::*;
use crate::track::TrackId;
use std::time::SystemTime;

fn model() -> AlarmModel {
    AlarmModel::new("node".into(), 41)
}

fn change(what: ChangeKind, severity: Severity, session: u64) -> EventChange {
    let mut change = monitor_change("black", what, severity, "picture black".to_owned(), Wall(SystemTime::now()));
    change.session = SessionNumber(session);
    change
}

#[test]
fn one_id_from_raise_to_end_and_a_sequence_without_gaps() {
    let mut model = model();
    let raised = model.step(change(ChangeKind::Raised, Severity::Info, 1));
    let escalated = model.step(change(ChangeKind::Escalated, Severity::Major, 1));
    let ended = model.step(change(ChangeKind::Ended(EventEnd::Cleared), Severity::Major, 1));
    let all = [&raised[0], &escalated[0], &ended[0]];
    assert!(all.iter().all(|event| event.id == raised[0].id));
    assert_eq!(all.map(|event| event.sequence), [42, 43, 44]);
    assert_eq!(ended[0].max_severity, Severity::Major);
    assert_eq!(model.open_events().count(), 0);
}

#[test]
fn a_replaced_session_says_nothing_more() {
    let mut model = model();
    assert_eq!(model.step(change(ChangeKind::Raised, Severity::Info, 2)).len(), 1);
    assert!(model.step(change(ChangeKind::Ended(EventEnd::Cleared), Severity::Info, 1)).is_empty());
    assert_eq!(model.open_events().count(), 1);
}

#[test]
fn after_a_restart_an_event_found_again_keeps_its_id_and_pages_nobody() {
    let mut model = model();
    let before = model.step(change(ChangeKind::Raised, Severity::Warning, 1)).remove(0);
    let mut after = AlarmModel::new("node".into(), 42);
    let now = Instant::now();
    after.recover(before.clone(), Duration::from_secs(2), now);
    assert!(after.step(change(ChangeKind::Raised, Severity::Warning, 1)).is_empty());
    assert!(after.tick(now + Duration::from_secs(3_600), Wall(SystemTime::now())).is_empty(), "it was confirmed");
    let ended = after.step(change(ChangeKind::Ended(EventEnd::Cleared), Severity::Warning, 1));
    assert_eq!(ended[0].id, before.id);
}

#[test]
fn after_a_restart_an_input_that_delivers_ends_its_event_without_waiting_to_be_confirmed() {
    let mut down = change(ChangeKind::Raised, Severity::Critical, 1);
    down.key.detector = "input_down".into();
    let before = model().step(down.clone()).remove(0);
    let mut after = AlarmModel::new("node".into(), 42);
    after.recover(before.clone(), Duration::from_secs(3), Instant::now());
    let up = EventChange { what: ChangeKind::Ended(EventEnd::Cleared), value: None, peak: None, ..down };
    let ended = after.step(up.clone());
    assert_eq!((&ended[0].id, ended[0].end_reason), (&before.id, Some(EventEnd::Cleared)));
    assert_eq!(ended[0].peak, before.peak);
    assert!(after.step(up).is_empty(), "where nothing was open it is no news");
}

#[test]
fn after_a_restart_an_event_not_found_again_ends_as_unconfirmed() {
    let mut model = model();
    let before = model.step(change(ChangeKind::Raised, Severity::Warning, 1)).remove(0);
    let mut after = AlarmModel::new("node".into(), 42);
    let now = Instant::now();
    after.recover(before, Duration::from_secs(2), now);
    let wall = Wall(SystemTime::now());
    assert!(after.tick(now + Duration::from_secs(61), wall).is_empty());
    let ended = after.tick(now + Duration::from_secs(62), wall);
    assert_eq!(ended[0].end_reason, Some(EventEnd::Unconfirmed));
}

/// A change of that detector on that track.
fn change_of(detector: &str, track: TrackId, what: ChangeKind) -> EventChange {
    let mut change = change(what, Severity::Warning, 1);
    change.key = EventKey { stream: "lobby".into(), track, detector: detector.into() };
    change
}

#[test]
fn the_end_of_an_event_counts_though_another_lane_has_reached_the_next_session() {
    let mut model = model();
    let video = |what, session| {
        let mut change = change_of("black", TrackId::video(0), what);
        change.session = SessionNumber(session);
        change
    };
    assert_eq!(model.step(video(ChangeKind::Raised, 1)).len(), 1);
    let mut sound = change_of("silence", TrackId::audio(0), ChangeKind::Raised);
    sound.session = SessionNumber(2);
    assert_eq!(model.step(sound).len(), 1);
    assert_eq!(model.step(video(ChangeKind::Ended(EventEnd::Cleared), 1)).len(), 1);
}

#[test]
fn after_a_restart_low_session_numbers_are_not_taken_for_old_ones() {
    let mut old = model();
    let before = old.step(change(ChangeKind::Raised, Severity::Warning, 57)).remove(0);
    let mut after = model();
    after.recover(before, Duration::ZERO, Instant::now());
    assert!(after.step(change(ChangeKind::Raised, Severity::Warning, 1)).is_empty());
    assert_eq!(after.step(change(ChangeKind::Ended(EventEnd::Cleared), Severity::Warning, 1)).len(), 1);
}

#[test]
fn rebuilt_sound_detectors_put_neither_pictures_nor_the_input_in_doubt() {
    let mut model = model();
    for (detector, track) in [
        ("input_down", TrackId::INPUT),
        ("black", TrackId::video(0)),
        ("silence", TrackId::audio(0)),
        ("timestamp", TrackId::INPUT),
    ] {
        assert_eq!(model.step(change_of(detector, track, ChangeKind::Raised)).len(), 1);
    }
    let (now, wall) = (Instant::now(), Wall(SystemTime::now()));
    let later = now + CONFIRM_GRACE;
    let ended = |events: Vec<Event>| events.iter().map(|event| event.detector.to_string()).collect::<Vec<_>>();
    model.doubt_stream("lobby", Doubted::Lane(LaneKind::Sound), |_| Duration::ZERO, now);
    assert_eq!(ended(model.tick(later, wall)), ["silence"]);
    model.doubt_stream("lobby", Doubted::Lane(LaneKind::Input), |_| Duration::ZERO, now);
    assert_eq!(ended(model.tick(later, wall)), ["timestamp"]);
    model.doubt_stream("lobby", Doubted::Stream, |_| Duration::ZERO, now);
    assert_eq!(ended(model.tick(later, wall)), ["black", "input_down"]);
}

#[test]
fn a_point_event_is_raised_and_ended_under_one_id() {
    let events = model().step(change(ChangeKind::Found, Severity::Info, 1));
    assert_eq!(events.iter().map(|event| event.state).collect::<Vec<_>>(), [EventState::Raised, EventState::Ended]);
    assert_eq!(events[0].id, events[1].id);
    assert_ne!(events[0].change_id, events[1].change_id);
}
