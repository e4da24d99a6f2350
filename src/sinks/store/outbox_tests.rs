//! What receivers are to be told, on disk: together with the change, once, and in order.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use avwatch_actors::event::{Event, EventState};
use avwatch_actors::record::Record;
use avwatch_actors::severity::Severity;
use avwatch_actors::sink::EventStore;

use super::{Outbox, Retention, Store};
use crate::notify::{Audience, Route, Router, Turn};
use crate::sinks::samples::event;

fn route(name: &str, streams: &[&str]) -> Route {
    let audience = Audience {
        from: Severity::Warning,
        streams: streams.iter().map(|&pattern| pattern.to_owned()).collect(),
        detectors: Vec::new(),
        labels: Default::default(),
        recovery: true,
    };
    Route { name: name.into(), audience, board: Arc::default(), bell: None, withdraws: false }
}

struct Bench {
    folder: tempfile::TempDir,
    store: Store,
    outbox: Outbox,
}

impl Bench {
    fn new(routes: Vec<Route>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let router = Arc::new(ArcSwap::from_pointee(Router { routes }));
        let store = Store::open(folder.path(), Retention::default()).unwrap().with_router(router);
        let outbox = Outbox::new(folder.path());
        Self { folder, store, outbox }
    }

    fn commit(&mut self, events: impl IntoIterator<Item = Event>) {
        let records: Vec<Record> = events.into_iter().map(|event| Record::Event(Arc::new(event))).collect();
        self.store.commit(&records).unwrap();
    }

    /// Sequence numbers of what a message says.
    fn next(&mut self, receiver: &str) -> Option<(String, Vec<u64>)> {
        let mut next = |turn| self.outbox.next(receiver, turn, SystemTime::now()).unwrap();
        let formed = next(Turn::Front).or_else(|| next(Turn::Aside))?;
        let sequences = formed.records.iter().map(|record| record.event().unwrap().sequence).collect();
        Some((formed.id, sequences))
    }

    fn take(&mut self, receiver: &str) -> Option<(String, Vec<u64>)> {
        let (id, sequences) = self.next(receiver)?;
        self.outbox.taken(receiver, &id).unwrap();
        Some((id, sequences))
    }
}

fn raised(id: &str, sequence: u64) -> Event {
    event(id, "lobby", "black", sequence, EventState::Raised)
}

fn ended(id: &str, sequence: u64) -> Event {
    event(id, "lobby", "black", sequence, EventState::Ended)
}

#[test]
fn a_change_and_what_is_told_of_it_are_written_together_or_not_at_all() {
    let mut bench = Bench::new(vec![route("pager", &[])]);
    bench.commit([raised("a", 1)]);
    // The second change clashes with one that is there: the whole commit fails.
    let clash = Event { change_id: "other".to_owned(), ..raised("c", 1) };
    let records = [raised("b", 2), clash].map(|event| Record::Event(Arc::new(event)));
    assert!(bench.store.commit(&records).is_err());
    assert!(bench.store.reader().event("b").unwrap().is_none());
    assert_eq!(bench.take("pager").unwrap().1, [1]);
    assert_eq!(bench.take("pager"), None);
}

#[test]
fn a_change_that_is_committed_again_is_told_once() {
    let mut bench = Bench::new(vec![route("pager", &[])]);
    bench.commit([raised("a", 1)]);
    bench.commit([raised("a", 1)]);
    assert_eq!(bench.take("pager").unwrap().1, [1]);
    assert_eq!(bench.take("pager"), None);
}

#[test]
fn each_receiver_is_told_of_what_concerns_it() {
    let mut bench = Bench::new(vec![route("all", &[]), route("roof", &["roof"])]);
    bench.commit([raised("a", 1), event("b", "roof", "black", 2, EventState::Raised)]);
    assert_eq!(bench.take("all").unwrap().1, [1, 2]);
    assert_eq!(bench.take("roof").unwrap().1, [2]);
}

#[test]
fn an_end_is_told_after_the_raise_and_not_without_it() {
    let mut bench = Bench::new(vec![route("pager", &[])]);
    let silenced = |event: Event| Event { suppressed_by: Some("silence:1".to_owned()), ..event };
    let held = silenced(Event { state: EventState::Suppressed, ..raised("b", 2) });
    bench.commit([raised("a", 1), held, ended("a", 3), silenced(ended("b", 4))]);
    assert_eq!(bench.take("pager").unwrap().1, [1, 3]);
    let told = Event { state: EventState::Suppressed, ..silenced(raised("c", 6)) };
    bench.commit([raised("c", 5)]);
    assert_eq!(bench.take("pager").unwrap().1, [5]);
    bench.commit([told, silenced(ended("c", 7))]);
    assert_eq!(bench.take("pager").unwrap().1, [7], "a silence that came later does not hide the end");
}

#[test]
fn a_message_keeps_its_name_and_what_it_says_until_it_was_taken() {
    let mut bench = Bench::new(vec![route("pager", &[])]);
    bench.commit([raised("a", 1)]);
    let (first, _) = bench.next("pager").unwrap();
    assert_eq!(first, "change-1", "a message of one change has its name");
    bench.commit([raised("b", 2), raised("c", 3)]);
    let folder = bench.folder.path().to_owned();
    bench.outbox = Outbox::new(&folder);
    assert_eq!(bench.next("pager").unwrap(), (first.clone(), vec![1]));
    bench.outbox.taken("pager", &first).unwrap();
    let digest = bench.next("pager").unwrap();
    bench.outbox.failed("pager", &digest.0, "busy", None, SystemTime::now()).unwrap();
    bench.outbox = Outbox::new(&folder);
    assert_eq!(bench.next("pager").unwrap(), digest);
    assert_eq!(digest.1, [2, 3]);
}

#[test]
fn a_message_has_room_for_so_many_changes_and_says_when_there_are_more() {
    let mut bench = Bench::new(vec![route("pager", &[])]);
    bench.commit((1..=2_500).map(|number| raised(&format!("{number:05}"), number)));
    let first = bench.outbox.next("pager", Turn::Front, SystemTime::now()).unwrap().unwrap();
    assert!(first.is_full && first.records.len() <= 2_000 && first.records.len() > 1_000, "{}", first.records.len());
    let mut told = 0;
    while let Some((_, sequences)) = bench.take("pager") {
        assert_eq!(sequences[0], told + 1);
        told = *sequences.last().unwrap();
    }
    assert_eq!(told, 2_500);
}

#[test]
fn a_parked_message_stands_aside_is_listed_and_can_be_sent_again() {
    let mut bench = Bench::new(vec![route("pager", &[])]);
    bench.commit([raised("a", 1)]);
    let (id, _) = bench.next("pager").unwrap();
    bench.outbox.park("pager", &id, "answered 400", None, SystemTime::now()).unwrap();
    assert_eq!(bench.next("pager"), None);
    let parked = bench.outbox.parked("pager").unwrap();
    assert_eq!((parked.len(), parked[0].why.as_str(), parked[0].changes), (1, "answered 400", 1));
    bench.commit([ended("a", 2)]);
    assert_eq!(bench.take("pager").unwrap().1, [2]);
    assert!(bench.outbox.retry("pager", &id, SystemTime::now()).unwrap());
    assert!(!bench.outbox.retry("pager", &id, SystemTime::now()).unwrap());
    assert_eq!(bench.take("pager").unwrap(), (id, vec![1]));
}

#[test]
fn a_parked_message_that_a_person_sends_again_is_tried_for_a_day_anew() {
    let mut bench = Bench::new(vec![route("pager", &[])]);
    bench.commit([raised("a", 1)]);
    let (id, _) = bench.next("pager").unwrap();
    let later = SystemTime::now() + Duration::from_secs(3 * 24 * 3_600);
    bench.outbox.park("pager", &id, "answered 500; it was tried for a day", None, later).unwrap();
    assert!(bench.outbox.retry("pager", &id, later).unwrap());
    let formed = bench.outbox.next("pager", Turn::Aside, later + Duration::from_secs(9)).unwrap().unwrap();
    assert_eq!((formed.age, formed.attempts), (Duration::from_secs(9), 0));
}

#[test]
fn what_is_not_taken_goes_to_the_fallback_unless_it_is_told_anyway() {
    let fallback = route("mail", &["roof"]);
    let mut bench = Bench::new(vec![fallback.clone(), route("pager", &[])]);
    bench.commit([raised("a", 1), event("b", "roof", "black", 2, EventState::Raised)]);
    let (id, _) = bench.next("pager").unwrap();
    bench.outbox.park("pager", &id, "gone", Some(&fallback), SystemTime::now()).unwrap();
    assert_eq!(bench.take("mail").unwrap().1, [2, 1]);
    // Sent again and parked again, it is not handed over twice; nor does the fallback hand it on.
    assert!(bench.outbox.retry("pager", &id, SystemTime::now()).unwrap());
    bench.outbox.park("pager", &id, "gone", Some(&fallback), SystemTime::now()).unwrap();
    assert_eq!(bench.take("mail"), None);
}

#[test]
fn a_fallback_that_was_told_of_a_raise_is_told_of_its_end_once() {
    let fallback = route("mail", &["roof"]);
    let mut bench = Bench::new(vec![fallback.clone(), route("pager", &[])]);
    bench.commit([raised("a", 1)]);
    let (id, _) = bench.next("pager").unwrap();
    bench.outbox.park("pager", &id, "gone", Some(&fallback), SystemTime::now()).unwrap();
    assert_eq!(bench.take("mail").unwrap().1, [1]);
    // The receiver is back: the end goes to it, and to the fallback because it was told of the raise.
    bench.commit([event("a", "lobby", "black", 2, EventState::Ended)]);
    assert_eq!(bench.take("mail").unwrap().1, [2]);
    let (id, sequences) = bench.next("pager").unwrap();
    assert_eq!(sequences, [2]);
    bench.outbox.park("pager", &id, "gone", Some(&fallback), SystemTime::now()).unwrap();
    assert_eq!(bench.take("mail"), None, "it has heard of this end");
}

#[test]
fn what_waits_long_is_given_to_the_fallback_and_still_waits() {
    let fallback = route("mail", &["roof"]);
    let mut bench = Bench::new(vec![fallback.clone(), route("pager", &[])]);
    bench.commit([raised("a", 1)]);
    let later = SystemTime::now() + Duration::from_secs(60);
    assert_eq!(bench.outbox.relay("pager", &fallback, Duration::from_secs(120), later).unwrap(), 0);
    assert_eq!(bench.outbox.relay("pager", &fallback, Duration::from_secs(30), later).unwrap(), 1);
    assert_eq!(bench.outbox.relay("pager", &fallback, Duration::from_secs(30), later).unwrap(), 0);
    assert_eq!(bench.take("mail").unwrap().1, [1]);
    assert_eq!(bench.take("pager").unwrap().1, [1]);
}

#[test]
fn what_was_kept_for_receivers_that_are_gone_goes() {
    let mut bench = Bench::new(vec![route("old", &[]), route("pager", &[])]);
    bench.commit([raised("a", 1)]);
    let gone = bench.outbox.keep_only(&["pager".into()]).unwrap();
    assert_eq!(gone, [("old".to_owned(), 1)]);
    assert_eq!(bench.take("old"), None);
    assert_eq!(bench.take("pager").unwrap().1, [1]);
}

#[test]
fn beyond_its_bound_the_oldest_that_waits_goes_and_is_counted() {
    let pager = route("pager", &[]);
    let mut bench = Bench::new(vec![pager.clone()]);
    let many = super::route::OUTBOX_ROWS_MAX + 7;
    let connection = bench.store.connection().unwrap();
    let sql = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO outbox (receiver, subject, change_id, kind, part, created, json)
        SELECT 'pager', i, i, 'event', 'own', 0, '{}' FROM n";
    connection.execute(sql, [many]).unwrap();
    bench.store.tick();
    let backlog = bench.outbox.backlog("pager", SystemTime::now()).unwrap();
    assert_eq!(backlog.waiting.changes, super::route::OUTBOX_ROWS_MAX);
    assert_eq!(pager.board.dropped_total(), 7);
}

#[test]
fn what_reached_a_receiver_on_another_way_is_not_told_again() {
    let mut bench = Bench::new(vec![route("pager", &[])]);
    bench.commit([raised("a", 1), raised("b", 2)]);
    let gone = bench.outbox.forget("pager", &["change-1".to_owned(), "change-9".to_owned()]).unwrap();
    assert_eq!(gone, ["change-1"]);
    assert_eq!(bench.take("pager").unwrap().1, [2]);
}

#[test]
fn what_waits_is_saved_from_a_damaged_file() {
    let mut bench = Bench::new(vec![route("pager", &[])]);
    bench.commit([raised("a", 1)]);
    let (id, _) = bench.next("pager").unwrap();
    let path = bench.folder.path().join("events.db");
    let why = super::StoreError::Damaged { path, why: "a test".to_owned() };
    bench.store.heal(&why).unwrap();
    assert_eq!(bench.take("pager").unwrap(), (id, vec![1]));
    bench.commit([ended("a", 2)]);
    assert_eq!(bench.take("pager").unwrap().1, [2], "the end is told to whoever was told of the raise");
}

#[test]
fn what_waits_in_a_file_of_an_older_version_is_kept_by_migration_and_by_salvage() {
    use super::{salvage, schema};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    let mut old = rusqlite::Connection::open(&path).unwrap();
    schema::migrate(&mut old, &path, &schema::MIGRATIONS[..3]).unwrap();
    old.execute("INSERT INTO messages (receiver, id, created) VALUES ('pager', 'm', 1)", []).unwrap();
    let sql = "INSERT INTO outbox (receiver, subject, change_id, kind, part, created, message, json)
        VALUES ('pager', 'a', 'change-1', 'event', 'own', 1, 'm', ?1)";
    old.execute(sql, [serde_json::to_string(&raised("a", 1)).unwrap()]).unwrap();
    let stream = |connection: &rusqlite::Connection| -> String {
        let sql = "SELECT stream FROM messages JOIN outbox ON message = id WHERE due IS NULL AND renewed IS NULL";
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let mut fresh = rusqlite::Connection::open_in_memory().unwrap();
    schema::migrate(&mut fresh, &path, schema::MIGRATIONS).unwrap();
    salvage::carry_outbox(&mut fresh, &path).unwrap();
    assert_eq!(stream(&fresh), "lobby");
    schema::migrate(&mut old, &path, schema::MIGRATIONS).unwrap();
    assert_eq!(stream(&old), "lobby");
}
