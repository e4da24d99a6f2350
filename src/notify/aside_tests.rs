//! Messages that a receiver does not take while it takes others: a receiver's thread in virtual time, with a real outbox.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use avwatch_actors::event::EventState;
use avwatch_actors::lifeline::CutReason;
use avwatch_actors::record::Record;
use avwatch_actors::severity::Severity;
use avwatch_actors::sink::EventStore;
use proptest::prelude::*;

use super::channel::{Channel, Content, Message, SendFailure};
use super::complaint::Complaint;
use super::dispatch::Dispatch;
use super::dispatcher::Dispatcher;
use super::inbox::Doorbell;
use super::plan::Audience;
use super::router::{Route, Router};
use super::urgent::{Ends, Urgent};
use crate::sinks::samples::event;
use crate::sinks::store::{Outbox, Retention, Store};

/// Changes of one message of one stream: its number and the number of the change.
type Told = (usize, u64);

/// A receiver and its clock, in seconds.
#[derive(Default)]
struct World {
    now: u64,
    /// Streams of which it takes no message at all.
    poison: BTreeSet<usize>,
    /// When it takes nothing.
    away: Vec<(u64, u64)>,
    taken: Vec<(u64, Vec<Told>)>,
    /// So often a message must be sent before it is taken as a whole.
    calls: usize,
    /// How often the clock is still read without a panic.
    reads_left: Option<usize>,
}

struct ScriptedChannel(Arc<Mutex<World>>);

impl Channel for ScriptedChannel {
    fn send(&mut self, message: &Message) -> Result<(), SendFailure> {
        let Content::Changes(records) = &message.content else { panic!("nobody tries") };
        let told: Vec<Told> = records
            .iter()
            .filter_map(|record| record.event())
            .map(|it| (it.stream.parse().unwrap(), it.sequence))
            .collect();
        let world = &mut *self.0.lock().unwrap();
        let is_poison = told.iter().any(|(stream, _)| world.poison.contains(stream));
        if is_poison || world.away.iter().any(|(from, to)| (*from..*to).contains(&world.now)) {
            return Err(SendFailure::Later { why: "answered 500".to_owned(), after: None });
        }
        if world.calls > 0 {
            world.calls -= 1;
            return Err(SendFailure::GoesOn { done: 1, all: 4 });
        }
        world.taken.push((world.now, told));
        Ok(())
    }
}

struct Rig {
    world: Arc<Mutex<World>>,
    begin: SystemTime,
    store: Store,
    connection: rusqlite::Connection,
    outbox: Outbox,
    dispatcher: Dispatcher,
    sequence: u64,
    _folder: tempfile::TempDir,
}

impl Rig {
    fn new(world: World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let audience = Audience {
            from: Severity::Warning,
            streams: Vec::new(),
            detectors: Vec::new(),
            labels: Default::default(),
            recovery: true,
        };
        let route = Route { name: "hook".into(), audience, board: Arc::default(), bell: None, withdraws: false };
        let router = Arc::new(ArcSwap::from_pointee(Router { routes: vec![route.clone()] }));
        let store = Store::open(folder.path(), Retention::default()).unwrap().with_router(router.clone());
        let (world, begin) = (Arc::new(Mutex::new(world)), SystemTime::now());
        let clock = world.clone();
        let dispatcher = Dispatcher {
            route,
            fallback: None,
            channel: Box::new(ScriptedChannel(world.clone())),
            outbox: Outbox::new(folder.path()),
            dispatch: Dispatch::new(Duration::from_secs(30)),
            complaint: Complaint::new("hook".into(), Box::new(|_| true), 0),
            router,
            links: Arc::default(),
            open: Box::new(Arc::default),
            ear: Doorbell::new().1,
            line: Arc::default(),
            urgent: Urgent::default(),
            ends: Ends::Go,
            clock: Box::new(move || {
                let mut world = clock.lock().unwrap();
                let now = Duration::from_secs(world.now);
                let left = world.reads_left;
                world.reads_left = left.and_then(|left| left.checked_sub(1));
                drop(world);
                assert_ne!(left, Some(0), "a fault of ours");
                (now, begin + now)
            }),
            why: String::new(),
            cared_at: Duration::ZERO,
            resend_at: None,
            unsettled: None,
            shut_out_since: None,
            shut_out_said: None,
            aside: 0,
            oldest: Duration::ZERO,
            taken_at: None,
        };
        let outbox = Outbox::new(folder.path());
        let connection = rusqlite::Connection::open(folder.path().join("events.db")).unwrap();
        Self { world, begin, store, connection, outbox, dispatcher, sequence: 0, _folder: folder }
    }

    /// An event of that stream is raised now.
    fn raise(&mut self, stream: usize) {
        self.sequence += 1;
        let (number, now) = (self.sequence, self.world.lock().unwrap().now);
        let raised = event(&format!("e-{number}"), &stream.to_string(), "black", number, EventState::Raised);
        self.store.commit(&[Record::Event(Arc::new(raised))]).unwrap();
        let created = (self.begin + Duration::from_secs(now)).duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let sql = "UPDATE outbox SET created = ?1 WHERE number = (SELECT max(number) FROM outbox)";
        self.connection.execute(sql, [created.as_millis() as i64]).unwrap();
    }

    /// Lets the thread do what it does until a time.
    fn run_until(&mut self, until: u64) {
        loop {
            let wait = self.dispatcher.turn().as_secs_f64().ceil() as u64;
            let world = &mut *self.world.lock().unwrap();
            if world.now + wait > until {
                world.now = until;
                return;
            }
            world.now += wait;
        }
    }

    /// When each change was first taken.
    fn taken(&self) -> BTreeMap<Told, u64> {
        let mut first = BTreeMap::new();
        for (at, told) in &self.world.lock().unwrap().taken {
            for change in told {
                first.entry(*change).or_insert(*at);
            }
        }
        first
    }
}

#[test]
fn one_message_that_is_answered_with_500_keeps_no_other_stream_from_its_people() {
    let mut rig = Rig::new(World { poison: [0].into(), ..World::default() });
    rig.raise(0);
    rig.run_until(2);
    rig.raise(1);
    rig.run_until(120);
    rig.raise(0);
    rig.raise(2);
    rig.run_until(240);
    let taken = rig.taken();
    assert!(taken[&(1, 2)] <= 30 && taken[&(2, 4)] <= 180, "{taken:?}");
    let backlog = rig.outbox.backlog("hook", rig.begin + Duration::from_secs(240)).unwrap();
    assert_eq!((backlog.waiting.aside, backlog.waiting.behind), (1, 1), "its own stream waits behind it");
    // The receiver has mended what was wrong with it.
    rig.world.lock().unwrap().poison.clear();
    rig.run_until(1_000);
    let order: Vec<Told> = rig.world.lock().unwrap().taken.iter().flat_map(|(_, told)| told.clone()).collect();
    assert_eq!(order, [(1, 2), (2, 4), (0, 1), (0, 3)]);
}

#[test]
fn a_new_alarm_of_another_stream_leaves_within_five_seconds_of_a_message_that_just_left() {
    let mut rig = Rig::new(World::default());
    rig.raise(0);
    rig.run_until(3);
    rig.raise(1);
    rig.run_until(60);
    let taken = rig.taken();
    assert!(taken[&(1, 2)] <= 3 + 5, "{taken:?}");
}

#[test]
fn an_outbox_that_is_locked_for_some_seconds_is_waited_for_without_a_word() {
    let mut rig = Rig::new(World::default());
    rig.raise(0);
    rig.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    rig.run_until(2);
    assert!(rig.dispatcher.shut_out_since.is_some() && rig.dispatcher.shut_out_said.is_none());
    rig.world.lock().unwrap().now = 20;
    rig.dispatcher.turn();
    assert!(rig.dispatcher.shut_out_said.is_some(), "it is said when it lasts");
    rig.connection.execute_batch("COMMIT").unwrap();
    rig.run_until(22);
    assert!(rig.taken().contains_key(&(0, 1)) && rig.dispatcher.shut_out_since.is_none());
}

#[test]
fn what_is_not_taken_for_a_day_is_parked_where_people_see_it() {
    let mut rig = Rig::new(World { poison: [0].into(), ..World::default() });
    rig.raise(0);
    rig.run_until(23 * 3_600);
    let at = |hours: u64| rig.begin + Duration::from_secs(hours * 3_600);
    let backlog = rig.outbox.backlog("hook", at(23)).unwrap();
    assert_eq!((backlog.pending, backlog.parked), (1, 0));
    rig.run_until(25 * 3_600);
    let backlog = rig.outbox.backlog("hook", rig.begin + Duration::from_secs(25 * 3_600)).unwrap();
    assert_eq!((backlog.pending, backlog.parked), (0, 1));
    let standing = rig.dispatcher.route.board.standing();
    assert!(format!("{standing:?}").contains("it was tried for a day"), "{standing:?}");
}

#[test]
fn a_restart_tries_at_once_what_was_set_aside() {
    let mut rig = Rig::new(World { poison: [0].into(), ..World::default() });
    rig.raise(0);
    rig.run_until(2);
    rig.raise(1);
    rig.run_until(600);
    let backlog = rig.outbox.backlog("hook", rig.begin + Duration::from_secs(600)).unwrap();
    assert!(backlog.waiting.aside == 1 && backlog.waiting.aside_due > Duration::ZERO);
    rig.world.lock().unwrap().poison.clear();
    let (line, world, dispatcher) = (rig.dispatcher.line.clone(), rig.world, rig.dispatcher);
    // The clock stands still: what waits for its time would wait for ever.
    let thread = std::thread::spawn(move || dispatcher.run());
    let until = Instant::now() + Duration::from_secs(20);
    while !world.lock().unwrap().taken.iter().any(|(_, told)| told.contains(&(0, 1))) {
        assert!(Instant::now() < until, "it still waits");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    line.cut(CutReason::Stopped);
    thread.join().unwrap();
}

#[test]
fn a_digest_with_one_change_that_is_answered_with_500_reaches_people_but_for_that_one() {
    let mut rig = Rig::new(World { poison: [77].into(), ..World::default() });
    rig.raise(999);
    rig.run_until(1);
    for stream in 0..200 {
        rig.raise(stream);
    }
    rig.run_until(600);
    let taken = rig.taken();
    assert_eq!(taken.len(), 200, "all but one");
    assert!(taken.values().all(|at| *at <= 300), "{:?}", taken.values().max());
}

#[test]
fn after_an_outage_of_hours_there_are_few_messages() {
    let mut rig = Rig::new(World { away: vec![(0, 6 * 3_600)], ..World::default() });
    for minute in 0..360 {
        rig.raise(minute);
        rig.run_until(minute as u64 * 60 + 60);
    }
    rig.run_until(6 * 3_600 + 600);
    let messages = rig.world.lock().unwrap().taken.len();
    assert_eq!(rig.taken().len(), 360, "nothing is lost");
    assert!(messages <= 30, "{messages} messages");
}

#[test]
fn a_message_of_many_calls_that_goes_on_is_no_failure_and_is_not_parked_however_old_it_is() {
    let mut rig = Rig::new(World { calls: 3, ..World::default() });
    rig.raise(0);
    rig.world.lock().unwrap().now = 2 * 24 * 3_600;
    rig.run_until(2 * 24 * 3_600 + 1);
    assert_eq!(rig.taken().len(), 1);
    let board = &rig.dispatcher.route.board;
    assert_eq!(board.outcomes().iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>(), [&("delivered", 1)]);
    assert_eq!(board.standing().last_failure, None);
}

#[test]
fn a_receiver_whose_thread_panicked_is_told_all_the_same() {
    // Wherever it happens.
    for reads_left in 0..8 {
        let mut rig = Rig::new(World { reads_left: Some(reads_left), ..World::default() });
        rig.raise(7);
        let (line, board) = (rig.dispatcher.line.clone(), rig.dispatcher.route.board.clone());
        let (world, dispatcher) = (rig.world.clone(), rig.dispatcher);
        let thread = std::thread::spawn(move || dispatcher.run());
        let until = Instant::now() + Duration::from_secs(30);
        let panics = || board.outcomes().into_iter().find(|(name, _)| *name == "panicked").unwrap().1;
        while world.lock().unwrap().taken.is_empty() || panics() == 0 {
            assert!(Instant::now() < until, "it was not told, after {} panics", panics());
            std::thread::park_timeout(Duration::from_millis(5));
        }
        line.cut(CutReason::Stopped);
        thread.join().unwrap();
        assert!(world.lock().unwrap().taken.iter().all(|(_, told)| *told == [(7, 1)]));
    }
}

#[derive(Debug, Clone)]
struct Play {
    /// Seconds since the change before, and the stream.
    changes: Vec<(u64, usize)>,
    poison: BTreeSet<usize>,
    away: Vec<(u64, u64)>,
}

fn plays() -> impl Strategy<Value = Play> {
    let changes = proptest::collection::vec((0..60_u64, 0..8_usize), 1..40);
    let poison = proptest::collection::btree_set(0..8_usize, 0..3);
    let away = proptest::collection::vec((0..1_500_u64, 1..300_u64), 0..3);
    (changes, poison, away).prop_map(|(changes, poison, away)| Play { changes, poison, away })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn streams_keep_their_order_nothing_is_lost_and_no_stream_waits_long_for_another(play in plays()) {
        let away: Vec<_> = play.away.iter().map(|(from, long)| (*from, from + long)).collect();
        let back = away.iter().map(|(_, to)| *to).max().unwrap_or(0);
        let mut rig = Rig::new(World { poison: play.poison.clone(), away, ..World::default() });
        let (mut at, mut raised) = (0, BTreeMap::new());
        for (gap, stream) in &play.changes {
            at += gap;
            rig.run_until(at);
            rig.raise(*stream);
            raised.insert((*stream, rig.sequence), at);
        }
        rig.run_until(at.max(back) + 1_200);
        let taken = rig.taken();
        for (change, at) in &raised {
            match taken.get(change) {
                Some(told) => {
                    prop_assert!(!play.poison.contains(&change.0));
                    prop_assert!(*told <= (*at).max(back) + 600, "{change:?} of {at} told at {told}");
                }
                None => prop_assert!(play.poison.contains(&change.0), "{change:?} was never told"),
            }
        }
        // What is not taken is still there.
        rig.world.lock().unwrap().poison.clear();
        rig.run_until(at.max(back) + 3_600);
        let order: Vec<Told> = rig.world.lock().unwrap().taken.iter().flat_map(|(_, told)| told.clone()).collect();
        prop_assert_eq!(order.len(), raised.len(), "each once");
        let mut last = BTreeMap::new();
        for (stream, number) in order {
            prop_assert!(last.insert(stream, number) < Some(number), "stream {stream}: {number} is late");
        }
    }
}
