//! The event desk on real threads: stores that fail or block, sinks that do, and a full event lane.
#![allow(clippy::unwrap_used, reason = "tests may unwrap, also in their helpers")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use avwatch_actors::alarm_model::acts::{Act, ActRequest, Refusal};
use avwatch_actors::alarm_model::monitor_change;
use avwatch_actors::alarm_model::rules::{AlarmRules, FlapRules};
use avwatch_actors::event::{ChangeKind, Event, EventEnd, EventState, Wall};
use avwatch_actors::event_desk::{self, DeskHandle, DeskMessage, DeskParts};
use avwatch_actors::record::Record;
use avwatch_actors::severity::Severity;
use avwatch_actors::sink::{Sink, SinkError};
use common::*;
use crossbeam_channel::TrySendError;
use tokio::sync::oneshot;

const LIMIT: Duration = Duration::from_secs(20);

fn desk(store: &MemoryStore, sinks: Vec<Box<dyn Sink>>) -> DeskHandle {
    let hold_of = Box::new(|_: &Event| Duration::ZERO);
    event_desk::start(DeskParts {
        node: "test".into(),
        store: Some(Box::new(store.clone())),
        sinks,
        silences: Vec::new(),
        // What is sent again and again here is not to flap.
        rules: Arc::new(AlarmRules {
            flapping: FlapRules { raises: 0, ..FlapRules::default() },
            ..AlarmRules::default()
        }),
        hold_of,
        evidence_of: Box::new(|_| None),
        incidents: Default::default(),
    })
    .unwrap()
}

fn message(detector: &'static str, what: ChangeKind) -> DeskMessage {
    let change = monitor_change(detector, what, Severity::Major, "test".to_owned(), Wall(SystemTime::now()));
    DeskMessage::Change(Box::new(change))
}

fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < LIMIT, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Plays a store that takes nothing for a while; returns what was told of the event meanwhile.
fn with_sick_store(fall_ill: impl Fn(&MemoryStore, bool)) {
    let (store, told) = (MemoryStore::default(), Told::default());
    let desk = desk(&store, vec![Box::new(told.clone())]);
    fall_ill(&store, true);
    desk.events.send(message("black", ChangeKind::Raised)).unwrap();
    wait_for("told though not stored", || !told.of("black").is_empty() && !told.of("store_degraded").is_empty());
    assert_eq!(told.of("black")[0].stored, Some(false));
    assert!(desk.board.is_degraded() && desk.board.unstored() > 0);
    fall_ill(&store, false);
    wait_for("stored later", || told.states("store_degraded") == [EventState::Raised, EventState::Ended]);
    finish(&desk);
    let kept: Vec<u64> = store.kept.all().iter().map(|event| event.sequence).collect();
    assert_eq!(kept, [1, 2, 3], "everything, once, in order");
    assert_eq!(desk.board.unstored(), 0);
}

#[test]
fn a_store_that_fails_silences_no_alarm_and_gets_everything_later() {
    with_sick_store(|store, sick| store.fails.store(sick, Ordering::Release));
}

#[test]
fn a_store_that_blocks_silences_no_alarm_and_gets_everything_later() {
    with_sick_store(|store, sick| store.blocks.store(sick, Ordering::Release));
}

#[test]
fn a_store_that_recovers_during_the_end_still_gets_everything() {
    let store = MemoryStore::default();
    let desk = desk(&store, Vec::new());
    store.fails.store(true, Ordering::Release);
    desk.events.send(message("black", ChangeKind::Raised)).unwrap();
    wait_for("degraded", || desk.board.is_degraded());
    let healer = store.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        healer.fails.store(false, Ordering::Release);
    });
    finish(&desk);
    thread.join().unwrap();
    assert_eq!(store.kept.of("black").len(), 1);
}

#[test]
fn an_act_is_answered_when_it_is_stored_or_says_that_it_is_not() {
    let store = MemoryStore::default();
    let desk = desk(&store, Vec::new());
    desk.events.send(message("black", ChangeKind::Raised)).unwrap();
    wait_for("raised", || desk.board.open().len() == 1);
    let id = desk.board.open()[0].id.clone();
    let act = |id: &str, act: Act| {
        let (answer, answered) = oneshot::channel();
        let request = ActRequest { id: id.to_owned(), act, ended: None, seen: None };
        desk.events.send(DeskMessage::Act(Box::new(request), answer)).unwrap();
        answered.blocking_recv().unwrap()
    };
    let acked = act(&id, Act::Ack { by: "anna".to_owned(), comment: None, until: None }).unwrap();
    assert_eq!((acked.state, acked.stored), (EventState::Acked, None));
    assert!(store.kept.of("black").iter().any(|event| event.change_id == acked.change_id), "before the answer");
    assert_eq!(act("none", Act::Unack).unwrap_err(), Refusal::Unknown);
    store.fails.store(true, Ordering::Release);
    let remarked = act(&id, Act::Comment("on it".to_owned())).unwrap();
    assert_eq!((remarked.comment.as_deref(), remarked.stored), (Some("on it"), Some(false)));
    store.fails.store(false, Ordering::Release);
    finish(&desk);
    assert!(store.kept.of("black").iter().any(|event| event.change_id == remarked.change_id), "later");
}

/// Panics first, then refuses, then takes.
struct Moody {
    calls: Arc<AtomicU32>,
    told: Told,
}

impl Sink for Moody {
    fn name(&self) -> &'static str {
        "moody"
    }
    fn deliver(&mut self, changes: &[Record]) -> Result<(), SinkError> {
        match self.calls.fetch_add(1, Ordering::Relaxed) {
            0 => panic!("planned"),
            1 => Err(SinkError::Unavailable { sink: "moody", why: "planned".to_owned() }),
            _ => self.told.deliver(changes),
        }
    }
}

#[test]
fn a_sink_that_panics_and_fails_is_asked_again_and_delays_nobody() {
    let (store, told, late) = (MemoryStore::default(), Told::default(), Told::default());
    let moody = Moody { calls: Arc::default(), told: late.clone() };
    let desk = desk(&store, vec![Box::new(moody), Box::new(told.clone())]);
    desk.events.send(message("black", ChangeKind::Raised)).unwrap();
    wait_for("the good sink", || told.of("black").len() == 1);
    assert!(late.all().is_empty(), "the other one is still being asked");
    wait_for("the moody sink", || late.of("black").len() == 1);
    finish(&desk);
}

#[test]
fn a_full_event_lane_loses_nothing() {
    let (store, told) = (MemoryStore::default(), Told::default());
    let desk = desk(&store, vec![Box::new(told.clone())]);
    store.blocks.store(true, Ordering::Release);
    let (mut sent, mut was_full) = (0_u64, false);
    while sent < 10_000 {
        let what = if sent % 2 == 0 { ChangeKind::Raised } else { ChangeKind::Ended(EventEnd::Cleared) };
        match desk.events.try_send(message("black", what)) {
            Ok(()) => sent += 1,
            Err(TrySendError::Full(_)) => {
                was_full = true;
                store.blocks.store(false, Ordering::Release);
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(TrySendError::Disconnected(_)) => panic!("the desk is there"),
        }
    }
    finish(&desk);
    assert!(was_full);
    assert_eq!(told.of("black").len() as u64, sent);
    assert_eq!(store.kept.of("black").len() as u64, sent);
}
