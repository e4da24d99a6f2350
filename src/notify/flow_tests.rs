//! The whole way in one process: desk, store, outbox, threads, and real HTTP receivers on the loopback.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use avwatch_actors::alarm_model::monitor_change_of;
use avwatch_actors::event::{ChangeKind, EventEnd, Wall};
use avwatch_actors::event_desk::{self, DeskHandle, DeskMessage, DeskParts};
use avwatch_actors::incident_stage::IncidentParts;
use avwatch_actors::severity::Severity;
use avwatch_actors::silence::{Matchers, Silence, SilenceKind};
use serde_json::Value;

use super::plan::{Audience, ChannelPlan, ReceiverPlan, WebhookPlan};
use super::testing::{Received, Reply, Scripted};
use super::{Notifier, ReceiverState, SEND_WITHIN, Turn};
use crate::sinks::store::{Outbox, Retention, Store};

/// How long anything may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

fn plan(name: &str, url: &str, group: Duration) -> ReceiverPlan {
    ReceiverPlan {
        name: name.into(),
        audience: Audience {
            from: Severity::Warning,
            streams: Vec::new(),
            detectors: Vec::new(),
            labels: BTreeMap::new(),
            recovery: true,
        },
        group_interval: group,
        fallback: None,
        channel: ChannelPlan::Webhook(WebhookPlan {
            url: url.parse().unwrap(),
            secrets: Vec::new(),
            headers: Vec::new(),
            tls_ca: None,
        }),
    }
}

/// Everything but streams.
struct Bench {
    folder: Arc<tempfile::TempDir>,
    notifier: Arc<Notifier>,
    desk: DeskHandle,
}

impl Bench {
    fn start(plans: &[ReceiverPlan]) -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()), plans)
    }

    fn start_in(folder: Arc<tempfile::TempDir>, plans: &[ReceiverPlan]) -> Self {
        let notifier = Notifier::new(plans, folder.path(), None);
        let store = open(folder.path()).with_router(notifier.router());
        let parts = DeskParts {
            rules: Arc::default(),
            incidents: IncidentParts::default(),
            node: "node".into(),
            store: Some(Box::new(store)),
            sinks: vec![notifier.sink()],
            silences: Vec::new(),
            hold_of: Box::new(|_| Duration::ZERO),
            evidence_of: Box::new(|_| None),
        };
        let desk = event_desk::start(parts).unwrap();
        assert_eq!(notifier.has_stopped(), !plans.is_empty(), "a receiver without a thread is tried again");
        notifier.start(&desk).unwrap();
        Self { folder, notifier, desk }
    }

    fn say(&self, stream: &str, what: ChangeKind) {
        let message = "the input is down".to_owned();
        let now = Wall(SystemTime::now());
        let change = monitor_change_of(stream, "input_down", what, Severity::Critical, message, now);
        self.desk.events.send_timeout(DeskMessage::Change(Box::new(change)), LIMIT).unwrap();
    }

    fn raise(&self, stream: &str) {
        self.say(stream, ChangeKind::Raised);
    }

    fn end(&self, stream: &str) {
        self.say(stream, ChangeKind::Ended(EventEnd::Cleared));
    }

    /// Puts streams into maintenance, or takes all out of it; gives how many events that changed.
    fn silence(&self, streams: Option<&str>) -> usize {
        let now = Wall(SystemTime::now());
        let silences = streams.map(|pattern| Silence {
            id: "one".to_owned(),
            kind: SilenceKind::Maintenance,
            matchers: Matchers { stream: Some(pattern.to_owned()), ..Matchers::default() },
            starts_at: now,
            until: Wall(now.0 + LIMIT),
            reason: String::new(),
            author: String::new(),
            created_at: now,
        });
        let (answer, answered) = tokio::sync::oneshot::channel();
        let message = DeskMessage::Silence(silences.into_iter().collect(), answer);
        self.desk.events.send_timeout(message, LIMIT).unwrap();
        answered.blocking_recv().unwrap()
    }

    /// Waits until so many changes are in the store; returns how long that took.
    fn stored(&self, sequence: u64) -> Duration {
        let begin = Instant::now();
        let board = &self.desk.board;
        wait_until("the changes to be stored", || board.sequence() >= sequence && board.unstored() == 0);
        begin.elapsed()
    }

    /// Ends everything, in order.
    fn stop(self) -> Arc<tempfile::TempDir> {
        let (done, finished) = crossbeam_channel::bounded(1);
        self.desk.events.send(DeskMessage::Stop(done)).unwrap();
        assert!(finished.recv_timeout(LIMIT) == Err(crossbeam_channel::RecvTimeoutError::Disconnected));
        let begin = Instant::now();
        self.notifier.stop();
        assert!(begin.elapsed() < Duration::from_secs(2), "the threads end within two seconds");
        self.folder.clone()
    }
}

/// Opens the store, once the one before has let go of the folder.
fn open(folder: &std::path::Path) -> Store {
    let until = Instant::now() + LIMIT;
    loop {
        match Store::open(folder, Retention::default()) {
            Ok(store) => return store,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[track_caller]
fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// What was told in requests that were answered well: stream and type of each change, in order.
fn told(requests: &[Received]) -> Vec<(String, String)> {
    let pair = |change: &Value| {
        let stream = change["subject"].as_str().unwrap().trim_start_matches("streams/").to_owned();
        (stream, change["type"].as_str().unwrap().to_owned())
    };
    requests
        .iter()
        .flat_map(|request| {
            let event = request.json();
            match event["data"]["changes"].as_array() {
                Some(changes) => changes.iter().map(pair).collect::<Vec<_>>(),
                None => vec![pair(&event)],
            }
        })
        .collect()
}

fn is_told(server: &Scripted, changes: usize) -> bool {
    told(&server.requests()).len() >= changes
}

const RAISED: &str = "avwatch.event.raised.v1";
const ENDED: &str = "avwatch.event.ended.v1";

#[test]
fn the_first_message_leaves_at_once_and_what_follows_is_gathered() {
    let server = Scripted::start(|_| Reply::status(200));
    let bench = Bench::start(&[plan("hook", &server.url("/"), Duration::from_secs(2))]);
    let raised = Instant::now();
    bench.raise("one");
    server.wait_for(1, LIMIT);
    let first = raised.elapsed();
    println!("from raise to first message: {first:?}");
    assert!(first < Duration::from_secs(5));
    for stream in ["two", "three", "four"] {
        bench.raise(stream);
    }
    bench.end("one");
    server.wait_for(2, LIMIT);
    assert!(raised.elapsed() >= first + Duration::from_millis(1_500), "the digest waited for the interval");
    let streams: Vec<(String, String)> = told(&server.requests());
    let streams: Vec<(&str, &str)> = streams.iter().map(|(one, two)| (one.as_str(), two.as_str())).collect();
    assert_eq!(streams, [("one", RAISED), ("two", RAISED), ("three", RAISED), ("four", RAISED), ("one", ENDED)]);
    assert_eq!(server.requests().len(), 2);
    bench.stop();
}

#[test]
fn what_still_holds_when_a_maintenance_ends_is_told_again_within_five_seconds_and_in_few_messages() {
    let server = Scripted::start(|_| Reply::status(200));
    // Whatever waits for the interval is not told in this test.
    let bench = Bench::start(&[plan("hook", &server.url("/"), Duration::from_secs(3_600))]);
    let streams: Vec<String> = (0..1_000).map(|at| format!("s-{at:04}")).collect();
    // On a busy disk the monitor may have something to say of its own.
    let told_of_streams = || {
        let mut told = told(&server.requests());
        told.retain(|(stream, _)| !stream.starts_with('@'));
        told
    };
    streams.iter().for_each(|stream| bench.raise(stream));
    wait_until("all to be told", || told_of_streams().len() >= 1_000);
    let before = server.requests().len();
    assert_eq!(bench.silence(Some("s-*")), 1_000);
    assert_eq!(bench.silence(None), 1_000);
    let back = Instant::now();
    wait_until("all to be told again", || told_of_streams().len() >= 2_000);
    println!("told again in {:?}", back.elapsed());
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    let (messages, told) = (server.requests().len(), told_of_streams());
    assert!(before < messages && messages <= 20, "{before}, {messages}");
    let again: BTreeSet<&String> = told[1_000..].iter().map(|(stream, _)| stream).collect();
    assert!(again.into_iter().eq(&streams), "each once");
    bench.stop();
}

/// How long the receiver is away: some seconds, or as long as the trial wants.
fn outage() -> Duration {
    let seconds = std::env::var("AVWATCH_OUTAGE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(6))
}

#[test]
fn after_an_outage_every_alert_is_told_once_and_in_order() {
    let (is_up, first_taken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(usize::MAX)));
    let (up, first) = (is_up.clone(), first_taken.clone());
    // Away in all ways that there are: refused, busy, broken, and silent for a while.
    let server = Scripted::start(move |before| match (up.load(Ordering::SeqCst), before % 3) {
        (true, _) => {
            first.fetch_min(before, Ordering::SeqCst);
            Reply::status(200)
        }
        (false, 0) => Reply::status(503),
        (false, 1) => Reply::status(429).header("retry-after", "1"),
        (false, _) => Reply::status(500),
    });
    let good = Scripted::start(|_| Reply::status(200));
    let bench = Bench::start(&[
        plan("away", &server.url("/"), Duration::from_secs(1)),
        plan("good", &good.url("/"), Duration::from_secs(1)),
    ]);
    let begin = Instant::now();
    let mut worst = Duration::ZERO;
    for number in 0..200_u32 {
        let stream = format!("s-{:03}", number % 50);
        if number / 50 % 2 == 0 {
            bench.raise(&stream)
        } else {
            bench.end(&stream)
        }
        if number % 50 == 0 {
            let raised = Instant::now();
            wait_until("the other receiver to be told", || is_told(&good, number as usize + 1));
            worst = worst.max(raised.elapsed());
        }
        std::thread::park_timeout(outage() / 200);
    }
    wait_until("the outage to be over", || begin.elapsed() >= outage());
    is_up.store(true, Ordering::SeqCst);
    let back = Instant::now();
    let until = back + Duration::from_secs(360);
    let taken = || {
        let requests = server.requests();
        let mut told = told(&requests[first_taken.load(Ordering::SeqCst).min(requests.len())..]);
        // On a busy disk the monitor may have something to say of its own.
        told.retain(|(stream, _)| !stream.starts_with('@'));
        told
    };
    while taken().len() < 200 && Instant::now() < until {
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let told = taken();
    let failed = first_taken.load(Ordering::SeqCst);
    println!("figure alerts_told {}", told.len());
    println!("figure attempts_failed {failed}");
    println!("figure told_after_return_s {:.3}", back.elapsed().as_secs_f64());
    println!("figure other_receiver_told_after_s {:.3}", worst.as_secs_f64());
    let mut by_stream: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (stream, kind) in &told {
        by_stream.entry(stream).or_default().push(kind);
    }
    assert_eq!(by_stream.len(), 50, "none missing");
    for (stream, kinds) in by_stream {
        assert_eq!(kinds, [RAISED, ENDED, RAISED, ENDED], "{stream}: each once, in order");
    }
    assert!(worst < Duration::from_secs(3), "{worst:?}");
    // A message that was tried before has the same id and says the same.
    let mut bodies: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for request in server.requests() {
        let id = request.header("webhook-id").unwrap().to_owned();
        bodies.entry(id).or_default().insert(request.body);
    }
    assert!(bodies.values().all(|bodies| bodies.len() == 1), "{:?}", bodies.keys());
    bench.stop();
}

#[test]
fn a_storm_of_a_thousand_streams_is_few_messages_that_name_them_all() {
    let server = Scripted::start(|_| Reply::status(200));
    let bench = Bench::start(&[plan("hook", &server.url("/"), Duration::from_secs(2))]);
    let begin = Instant::now();
    let streams: Vec<String> = (0..1_000).map(|at| format!("s-{at:04}")).collect();
    let storm = |what: ChangeKind| {
        let begin = Instant::now();
        for (stream, number) in streams.iter().zip(0_u32..) {
            bench.say(stream, what);
            // Spread over a while, as failures are.
            std::thread::park_timeout(
                (begin + Duration::from_millis(3) * number).saturating_duration_since(Instant::now()),
            );
        }
    };
    storm(ChangeKind::Raised);
    let late = bench.stored(1_000);
    storm(ChangeKind::Ended(EventEnd::Cleared));
    let late = late.max(bench.stored(2_000));
    println!("2,000 changes in {:?}; the last was stored {late:?} after it happened", begin.elapsed());
    assert!(late < Duration::from_secs(5));
    wait_until("everything to be told", || is_told(&server, 2_000));
    let (messages, told) = (server.requests().len(), told(&server.requests()));
    println!("{messages} messages for {} changes", told.len());
    assert!(messages <= 20, "{messages}");
    for kind in [RAISED, ENDED] {
        let named: Vec<&String> = told.iter().filter(|(_, it)| it == kind).map(|(stream, _)| stream).collect();
        assert_eq!(named, streams.iter().collect::<Vec<_>>(), "{kind}");
    }
    bench.stop();
}

#[test]
fn a_receiver_that_never_answers_delays_nobody_else() {
    let tarpit = Scripted::start(|_| Reply::never());
    let good = Scripted::start(|_| Reply::status(200));
    let second = Duration::from_secs(1);
    let bench = Bench::start(&[plan("tarpit", &tarpit.url("/"), second), plan("good", &good.url("/"), second)]);
    let begin = Instant::now();
    for number in 0..5 {
        bench.raise(&format!("s-{number}"));
        let raised = Instant::now();
        wait_until("the good one to be told", || is_told(&good, number + 1));
        assert!(raised.elapsed() < Duration::from_secs(3), "{:?}", raised.elapsed());
    }
    let most = 1 + (begin.elapsed().as_secs() / SEND_WITHIN.as_secs()) as usize;
    assert!(tarpit.requests().len() <= most, "one message is on its way at most");
    bench.stop();
}

#[test]
fn what_was_not_sent_before_the_end_is_sent_after_the_next_start_under_the_same_id() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let bench = Bench::start(&[plan("hook", &format!("http://{gone}/"), Duration::from_secs(1))]);
    bench.raise("one");
    wait_until("a failure", || bench.notifier.views()[0].board.standing().state == ReceiverState::Failing);
    bench.raise("two");
    bench.stored(2);
    let folder = bench.stop();
    let id = Outbox::new(folder.path()).next("hook", Turn::Front, SystemTime::now()).unwrap().unwrap().id;
    let server = Scripted::start(|_| Reply::status(200));
    let bench = Bench::start_in(folder, &[plan("hook", &server.url("/"), Duration::from_secs(1))]);
    wait_until("both to be told", || is_told(&server, 2));
    assert_eq!(server.requests()[0].header("webhook-id"), Some(id.as_str()));
    let streams: Vec<String> = told(&server.requests()).into_iter().map(|(stream, _)| stream).collect();
    assert_eq!(streams, ["one", "two"]);
    bench.stop();
}

#[test]
fn what_is_refused_is_parked_goes_to_the_fallback_and_is_complained_of_until_something_is_taken() {
    let refuses = Arc::new(AtomicBool::new(true));
    let script = refuses.clone();
    let hook = Scripted::start(move |_| Reply::status(if script.load(Ordering::SeqCst) { 410 } else { 200 }));
    let other = Scripted::start(|_| Reply::status(200));
    let second = Duration::from_secs(1);
    let mut fallback = plan("other", &other.url("/"), second);
    fallback.audience.streams = vec!["none".to_owned()];
    let hook_plan = ReceiverPlan { fallback: Some("other".into()), ..plan("hook", &hook.url("/"), second) };
    let bench = Bench::start(&[hook_plan, fallback]);
    bench.raise("lobby");
    wait_until("the fallback and the complaint", || is_told(&other, 2));
    let told_of = |kind: &str| -> BTreeSet<String> {
        told(&other.requests()).into_iter().filter(|(_, it)| it == kind).map(|(stream, _)| stream).collect()
    };
    assert_eq!(told_of(RAISED), ["@receiver:hook".to_owned(), "lobby".to_owned()].into());
    let mut outbox = Outbox::new(bench.folder.path());
    let parked = outbox.parked("hook").unwrap();
    assert!(parked[0].why.ends_with("answered 410 Gone"), "{parked:?}");
    refuses.store(false, Ordering::SeqCst);
    assert!(outbox.retry("hook", &parked[0].id, SystemTime::now()).unwrap());
    bench.notifier.ring("hook");
    wait_until("the complaint to end", || told_of(ENDED).len() == 1);
    assert!(hook.requests().iter().all(|request| request.header("webhook-id") == Some(parked[0].id.as_str())));
    bench.stop();
}

#[test]
fn receivers_change_while_the_service_runs() {
    let (one, two) = (Scripted::start(|_| Reply::status(200)), Scripted::start(|_| Reply::status(200)));
    let second = Duration::from_secs(1);
    let bench = Bench::start(&[plan("one", &one.url("/"), second)]);
    bench.raise("first");
    wait_until("the first to be told", || is_told(&one, 1));
    bench.notifier.reload(&[plan("two", &two.url("/"), second)]).unwrap();
    assert!(!bench.notifier.has_stopped());
    bench.raise("second");
    wait_until("the second to be told", || is_told(&two, 1));
    assert_eq!(told(&two.requests())[0].0, "second");
    assert_eq!(one.requests().len(), 1);
    bench.notifier.reload(&[plan("two", &one.url("/"), second)]).unwrap();
    bench.end("second");
    wait_until("the changed one to be told", || is_told(&one, 2));
    assert_eq!(told(&one.requests())[1], ("second".to_owned(), ENDED.to_owned()));
    bench.stop();
}

#[test]
fn a_reload_while_the_outbox_is_busy_is_taken_over_wholly() {
    let (one, two) = (Scripted::start(|_| Reply::status(200)), Scripted::start(|_| Reply::status(200)));
    let second = Duration::from_secs(1);
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let bench = Bench::start(&[plan("one", &one.url("/"), second), plan("gone", &format!("http://{gone}/"), second)]);
    bench.raise("first");
    wait_until("the first to be told", || is_told(&one, 1));
    // Somebody else holds the database for longer than anyone waits for it.
    let mut other = rusqlite::Connection::open(bench.folder.path().join("events.db")).unwrap();
    let held = other.transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive).unwrap();
    bench.notifier.reload(&[plan("two", &two.url("/"), second)]).unwrap();
    // What waited for the one that is gone goes with the store's next upkeep.
    let rows = || -> u64 {
        let connection = rusqlite::Connection::open(bench.folder.path().join("events.db")).unwrap();
        connection.query_row("SELECT count(*) FROM outbox WHERE receiver = 'gone'", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(rows(), 1);
    drop(held);
    wait_until("it to be gone", || rows() == 0);
    bench.raise("second");
    wait_until("the second to be told", || is_told(&two, 1));
    assert_eq!(one.requests().len(), 1);
    bench.stop();
}

#[test]
fn a_try_reaches_the_receiver_and_tells_what_went_wrong() {
    let server = Scripted::start(|before| Reply::status(if before == 0 { 200 } else { 403 }));
    let bench = Bench::start(&[plan("hook", &server.url("/"), Duration::from_secs(1))]);
    let tried = || {
        let (answer, answers) = crossbeam_channel::bounded(1);
        assert_eq!(bench.notifier.try_out("hook", "ann".to_owned(), answer), Some(true));
        answers.recv_timeout(LIMIT).unwrap()
    };
    assert_eq!(tried(), Ok(()));
    assert!(tried().unwrap_err().ends_with("answered 403 Forbidden"));
    assert_eq!(server.requests()[0].json()["data"]["by"], "ann");
    let (answer, _) = crossbeam_channel::bounded(1);
    assert_eq!(bench.notifier.try_out("none", "ann".to_owned(), answer), None);
    bench.stop();
}
