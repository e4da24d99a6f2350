//! What the store promises: tests on real files.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use avwatch_actors::event::{Event, EventState};
use avwatch_actors::severity::Severity;

use super::*;
use crate::sinks::samples::{event, wall};

fn open(directory: &Path) -> Store {
    Store::open(directory, Retention::default()).expect("the store opens")
}

fn change(id: &str, sequence: u64, state: EventState) -> Arc<Event> {
    Arc::new(event(id, "lobby", "black", sequence, state))
}

fn commit(store: &mut Store, changes: &[Arc<Event>]) -> Result<(), SinkError> {
    store.commit(&changes.iter().cloned().map(Record::Event).collect::<Vec<_>>())
}

fn ids(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.id.as_str()).collect()
}

/// What is on disk at this moment, as a killed process would leave it.
fn copy_as_after_a_kill(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for suffix in ["", "-wal"] {
        let name = format!("events.db{suffix}");
        fs::copy(from.join(&name), to.path().join(&name)).unwrap();
    }
    to
}

/// Overwrites every page from the second on.
fn destroy(directory: &Path) {
    let mut file = OpenOptions::new().write(true).open(directory.join("events.db")).unwrap();
    let size = file.metadata().unwrap().len();
    file.seek(SeekFrom::Start(4_096)).unwrap();
    file.write_all(&vec![0xa5; size as usize - 4_096]).unwrap();
}

fn schema_version(directory: &Path, version: u32) {
    let connection = Connection::open(directory.join("events.db")).unwrap();
    connection.pragma_update(None, "user_version", version).unwrap();
}

#[test]
fn the_bundled_sqlite_is_a_good_one_and_an_old_one_is_refused() {
    open::assert_sqlite_version(rusqlite::version_number()).unwrap();
    let refused = open::assert_sqlite_version(3_051_002).unwrap_err();
    assert!(refused.to_string().contains("3051002"), "{refused}");
}

#[test]
fn commits_are_synchronised_with_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let mut setting = |name: &str| -> String {
        let read = |row: &rusqlite::Row<'_>| row.get::<_, rusqlite::types::Value>(0);
        format!("{:?}", store.connection().unwrap().query_row(&format!("PRAGMA {name}"), [], read).unwrap())
    };
    // 2 is FULL for synchronous and INCREMENTAL for auto_vacuum.
    assert_eq!(setting("synchronous"), "Integer(2)");
    assert_eq!(setting("auto_vacuum"), "Integer(2)");
    assert_eq!(setting("journal_mode"), "Text(\"wal\")");
}

#[test]
fn a_committed_change_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    commit(&mut store, &[change("a", 1, EventState::Raised), change("b", 2, EventState::Raised)]).unwrap();
    commit(&mut store, &[change("a", 3, EventState::Ended)]).unwrap();

    let killed = copy_as_after_a_kill(directory.path());
    let recovered = open(killed.path()).recover().unwrap();
    assert_eq!((ids(&recovered.open), recovered.sequence), (vec!["b"], 3));
    assert_eq!(recovered.open[0], *change("b", 2, EventState::Raised));
}

#[test]
fn a_commit_that_was_cut_short_leaves_all_earlier_ones() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    commit(&mut store, &[change("a", 1, EventState::Raised)]).unwrap();
    let log = directory.path().join("events.db-wal");
    let first = fs::metadata(&log).unwrap().len();
    commit(&mut store, &[change("b", 2, EventState::Raised), change("c", 3, EventState::Raised)]).unwrap();
    let second = fs::metadata(&log).unwrap().len();
    assert!(second > first);

    let killed = copy_as_after_a_kill(directory.path());
    OpenOptions::new().write(true).open(killed.path().join("events.db-wal")).unwrap().set_len(second - 100).unwrap();
    let recovered = open(killed.path()).recover().unwrap();
    assert_eq!((ids(&recovered.open), recovered.sequence), (vec!["a"], 1));
}

#[test]
fn a_change_delivered_twice_is_stored_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let batch = [change("a", 1, EventState::Raised), change("a", 2, EventState::Ended)];
    commit(&mut store, &batch).unwrap();
    commit(&mut store, &batch).unwrap();
    let changes = store.reader().changes_since(0, 10).unwrap();
    assert_eq!(changes.iter().map(|change| change.sequence).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn an_older_change_written_late_does_not_reopen_an_ended_event() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    commit(&mut store, &[change("a", 2, EventState::Ended)]).unwrap();
    commit(&mut store, &[change("a", 1, EventState::Raised)]).unwrap();
    let recovered = store.recover().unwrap();
    assert_eq!((recovered.open.len(), recovered.sequence), (0, 2));
    assert_eq!(store.reader().changes_since(0, 10).unwrap().len(), 2);
}

#[test]
fn a_batch_is_stored_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    commit(&mut store, &[change("a", 5, EventState::Raised)]).unwrap();
    let clash = Event { change_id: "another".to_owned(), ..event("c", "lobby", "black", 5, EventState::Raised) };
    let refused = commit(&mut store, &[change("b", 6, EventState::Raised), Arc::new(clash)]).unwrap_err();
    assert!(matches!(refused, SinkError::Broken { .. }), "{refused}");
    assert_eq!(ids(&store.recover().unwrap().open), ["a"]);
}

#[test]
fn what_is_stored_is_not_marked_as_missing_from_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let late = Event { stored: Some(false), ..event("a", "lobby", "black", 1, EventState::Raised) };
    commit(&mut store, &[Arc::new(late)]).unwrap();
    assert_eq!(store.reader().event("a").unwrap().unwrap().stored, None);
}

#[test]
fn files_and_directory_are_for_the_owner_only() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("new").join("data");
    let mut store = open(&directory);
    commit(&mut store, &[change("a", 1, EventState::Raised)]).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    names.sort();
    assert_eq!(names, ["avwatch.lock", "events.db", "events.db-shm", "events.db-wal"]);
}

#[test]
fn a_second_instance_on_the_same_data_dir_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let refused = Store::open(directory.path(), Retention::default()).unwrap_err().to_string();
    assert!(refused.contains(&directory.path().display().to_string()), "{refused}");
    assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
    drop(store);
    open(directory.path());
}

#[test]
fn a_newer_schema_is_refused_and_left_untouched() {
    let directory = tempfile::tempdir().unwrap();
    commit(&mut open(directory.path()), &[change("a", 1, EventState::Raised)]).unwrap();
    schema_version(directory.path(), 99);
    let before = fs::read(directory.path().join("events.db")).unwrap();
    let refused = Store::open(directory.path(), Retention::default()).unwrap_err();
    assert!(matches!(refused, StoreError::NewerSchema { found: 99, .. }), "{refused}");
    assert!(refused.to_string().contains("events.db"), "{refused}");
    assert_eq!(fs::read(directory.path().join("events.db")).unwrap(), before);
}

#[test]
fn a_store_of_the_first_version_is_brought_up_to_date_with_its_events() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = DataDir::claim(directory.path()).unwrap();
    let (mut connection, _) = open::open(&data_dir, &schema::MIGRATIONS[..1]).unwrap();
    write::carry_over(&mut connection, &[event("a", "lobby", "black", 1, EventState::Raised)], 1).unwrap();
    drop((connection, data_dir));
    let recovered = open(directory.path()).recover().unwrap();
    assert_eq!((ids(&recovered.open), recovered.sequence), (vec!["a"], 1));
}

#[test]
fn a_migration_keeps_the_events_and_a_copy_of_the_old_file() {
    let directory = tempfile::tempdir().unwrap();
    commit(&mut open(directory.path()), &[change("a", 1, EventState::Raised)]).unwrap();
    let data_dir = DataDir::claim(directory.path()).unwrap();
    let known = schema::MIGRATIONS.len() as u32;
    let newer = [schema::MIGRATIONS, &["ALTER TABLE events ADD COLUMN note TEXT"]].concat();
    let (connection, _) = open::open(&data_dir, &newer).unwrap();
    let note: Option<String> = connection.query_row("SELECT note FROM events", [], |row| row.get(0)).unwrap();
    assert_eq!(note, None);
    assert_eq!(schema::version(&connection).unwrap(), known + 1);

    let copy = directory.path().join(format!("events.db.v{known}"));
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let copy = Connection::open(copy).unwrap();
    assert_eq!(schema::version(&copy).unwrap(), known);
    let events: u64 = copy.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap();
    assert_eq!(events, 1);
}

#[test]
fn a_migration_that_fails_leaves_the_old_version_standing() {
    let directory = tempfile::tempdir().unwrap();
    commit(&mut open(directory.path()), &[change("a", 1, EventState::Raised)]).unwrap();
    let data_dir = DataDir::claim(directory.path()).unwrap();
    let failing = "ALTER TABLE events ADD COLUMN note TEXT; SELECT no_such_function()";
    let broken = [schema::MIGRATIONS, &[failing]].concat();
    assert!(open::open(&data_dir, &broken).is_err());
    drop(data_dir);
    assert_eq!(ids(&open(directory.path()).recover().unwrap().open), ["a"]);
}

#[test]
fn a_damaged_file_is_moved_aside_and_a_fresh_one_begun() {
    let directory = tempfile::tempdir().unwrap();
    let many: Vec<_> = (1..200).map(|number| change(&format!("{number}"), number, EventState::Ended)).collect();
    commit(&mut open(directory.path()), &many).unwrap();
    destroy(directory.path());

    let mut store = open(directory.path());
    let aside = store.start_up().moved_aside.clone().expect("it was moved aside");
    assert_eq!(aside, directory.path().join("events.db.damaged-1"));
    assert!(aside.exists());
    assert!(store.recover().unwrap().open.is_empty());
    commit(&mut store, &[change("b", 200, EventState::Raised)]).unwrap();
    drop(store);
    let mut again = open(directory.path());
    assert_eq!(again.start_up(), &StartUp::default());
    assert_eq!(ids(&again.recover().unwrap().open), ["b"]);
}

#[test]
fn a_file_that_is_no_database_is_moved_aside() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("events.db"), "not a database at all ".repeat(500)).unwrap();
    let store = open(directory.path());
    let aside = store.start_up().moved_aside.clone().expect("it was moved aside");
    assert!(fs::read_to_string(aside).unwrap().starts_with("not a database"));
}

#[test]
fn open_events_and_the_sequence_are_saved_from_a_damaged_file() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    commit(&mut store, &[change("a", 41, EventState::Raised), change("b", 42, EventState::Ended)]).unwrap();
    drop(store);
    let connection = Connection::open(directory.path().join("events.db")).unwrap();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'events_by_fingerprint'";
    let page: u64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    drop(connection);
    // One page of an index: the check finds it, the tables can still be read.
    let mut file = OpenOptions::new().write(true).open(directory.path().join("events.db")).unwrap();
    file.seek(SeekFrom::Start((page - 1) * 4_096)).unwrap();
    file.write_all(&[0xa5; 4_096]).unwrap();
    drop(file);

    let mut store = open(directory.path());
    assert!(store.start_up().moved_aside.is_some());
    assert_eq!(store.start_up().salvaged, 1);
    let recovered = store.recover().unwrap();
    assert_eq!((ids(&recovered.open), recovered.sequence), (vec!["a"], 42));
}

#[test]
fn damage_that_shows_in_use_is_healed_and_the_change_is_stored() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let many: Vec<_> = (1..200).map(|number| change(&format!("{number}"), number, EventState::Ended)).collect();
    commit(&mut store, &many).unwrap();
    store.connection().unwrap().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    store.connection().unwrap().execute_batch("PRAGMA cache_size = 0; PRAGMA shrink_memory").unwrap();
    destroy(directory.path());

    commit(&mut store, &[change("b", 200, EventState::Raised)]).unwrap();
    assert!(directory.path().join("events.db.damaged-1").exists());
    assert_eq!(ids(&store.reader().events(&EventFilter::default(), None, 10).unwrap().events), ["b"]);
}

#[test]
fn damaged_files_do_not_pile_up() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..5 {
        fs::write(directory.path().join("events.db"), "x".repeat(5_000)).unwrap();
        open(directory.path());
    }
    let mut damaged: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("damaged"))
        .collect();
    damaged.sort();
    assert_eq!(damaged, ["events.db.damaged-3", "events.db.damaged-4", "events.db.damaged-5"]);
}

#[test]
fn a_full_disk_makes_the_store_unavailable_and_room_makes_it_work_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let pages: u32 = store.connection().unwrap().query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    store.connection().unwrap().pragma_update(None, "max_page_count", pages).unwrap();
    let batch: Vec<_> = (1..200).map(|number| change(&format!("{number}"), number, EventState::Raised)).collect();
    let full = commit(&mut store, &batch).unwrap_err();
    assert!(matches!(&full, SinkError::Unavailable { sink: "store", why } if why.contains("full")), "{full}");
    assert!(store.recover().unwrap().open.is_empty());

    store.connection().unwrap().pragma_update(None, "max_page_count", pages + 1_000).unwrap();
    commit(&mut store, &batch).unwrap();
    assert_eq!(store.recover().unwrap().open.len(), 199);
}

#[test]
fn a_deleted_file_is_noticed_and_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    commit(&mut store, &[change("a", 1, EventState::Raised)]).unwrap();
    let mut reader = store.reader();
    assert!(reader.event("a").unwrap().is_some());
    for name in ["events.db", "events.db-wal", "events.db-shm"] {
        fs::remove_file(directory.path().join(name)).unwrap();
    }
    store.tick();
    commit(&mut store, &[change("b", 2, EventState::Raised)]).unwrap();
    assert!(reader.event("b").unwrap().is_some());
}

#[test]
fn the_sequence_never_goes_back_even_when_all_changes_are_too_old() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::open(directory.path(), Retention { rows_max: 0, ..Retention::default() }).unwrap();
    commit(&mut store, &[change("a", 7, EventState::Ended)]).unwrap();
    store.tick();
    assert!(store.reader().changes_since(0, 10).unwrap().is_empty());
    assert_eq!(store.recover().unwrap().sequence, 7);
}

#[test]
fn retention_also_runs_when_commits_never_pause() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::open(directory.path(), Retention { rows_max: 1, ..Retention::default() }).unwrap();
    commit(&mut store, &[change("a", 1, EventState::Ended), change("b", 2, EventState::Ended)]).unwrap();
    store.next_upkeep = Instant::now();
    commit(&mut store, &[change("c", 3, EventState::Ended)]).unwrap();
    assert_eq!(store.reader().changes_since(0, 10).unwrap().len(), 1);
}

#[test]
fn a_long_write_ahead_log_is_emptied() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    store.connection().unwrap().pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    let batch: Vec<_> = (1..3_000).map(|number| change(&format!("{number}"), number, EventState::Ended)).collect();
    commit(&mut store, &batch).unwrap();
    let log = directory.path().join("events.db-wal");
    assert!(fs::metadata(&log).unwrap().len() > LOG_BYTES_KEPT);
    store.next_checkpoint = Instant::now();
    store.tick();
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);
}

/// A store with one event for each way of being found.
fn varied(directory: &Path) -> Store {
    let mut store = open(directory);
    let lobby = event("1", "lobby", "black", 1, EventState::Ended);
    let mut severe = event("2", "lobby", "freeze", 2, EventState::Raised);
    severe.severity = Severity::Critical;
    let mut roof = event("3", "roof", "black", 3, EventState::Escalated);
    roof.labels = [("si\"te".to_owned(), "so\"uth".to_owned())].into();
    let mut sound = event("4", "roof", "silence", 4, EventState::Ended);
    sound.track = avwatch_actors::track::TrackId::audio(1);
    commit(&mut store, &[lobby, severe, roof, sound].map(Arc::new)).unwrap();
    store
}

#[test]
fn each_part_of_a_filter_restricts_the_events() {
    let directory = tempfile::tempdir().unwrap();
    let mut reader = varied(directory.path()).reader();
    let text = |text: &str| Some(text.to_owned());
    let all = EventFilter::default();
    for (filter, expected) in [
        (all.clone(), vec!["4", "3", "2", "1"]),
        (EventFilter { stream: text("lobby"), ..all.clone() }, vec!["2", "1"]),
        (EventFilter { detector: text("black"), ..all.clone() }, vec!["3", "1"]),
        (EventFilter { track: Some(avwatch_actors::track::TrackId::audio(1)), ..all.clone() }, vec!["4"]),
        (EventFilter { severity_min: Some(Severity::Major), ..all.clone() }, vec!["2"]),
        (EventFilter { state: Some(StateFilter::Open), ..all.clone() }, vec!["3", "2"]),
        (EventFilter { state: Some(StateFilter::Is(EventState::Escalated)), ..all.clone() }, vec!["3"]),
        (EventFilter { labels: vec![("si\"te".to_owned(), "so\"uth".to_owned())], ..all.clone() }, vec!["3"]),
        (EventFilter { labels: vec![("site".to_owned(), "north".to_owned())], ..all.clone() }, vec!["4", "2", "1"]),
        (EventFilter { labels: vec![("site".to_owned(), "so\"uth".to_owned())], ..all.clone() }, vec![]),
        (EventFilter { since: Some(wall(4).0), ..all.clone() }, vec!["4", "3", "2"]),
        (EventFilter { until: Some(wall(2).0), ..all.clone() }, vec!["1"]),
        (EventFilter { stream: text("' OR true --"), ..all.clone() }, vec![]),
    ] {
        let page = reader.events(&filter, None, 10).unwrap();
        assert_eq!(ids(&page.events), expected, "{filter:?}");
    }
}

#[test]
fn pages_join_without_gap_or_repetition() {
    let directory = tempfile::tempdir().unwrap();
    let mut reader = varied(directory.path()).reader();
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = reader.events(&EventFilter::default(), cursor.as_deref(), 3).unwrap();
        seen.extend(page.events.into_iter().map(|event| event.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["4", "3", "2", "1"]);
    assert!(reader.events(&EventFilter::default(), None, 4).unwrap().next_cursor.is_none());
}

#[test]
fn changes_are_read_in_order_from_a_sequence_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut reader = varied(directory.path()).reader();
    let after: Vec<u64> = reader.changes_since(1, 2).unwrap().iter().map(|change| change.sequence).collect();
    assert_eq!(after, [2, 3]);
    assert!(reader.changes_since(u64::MAX, 2).unwrap().is_empty());
}
