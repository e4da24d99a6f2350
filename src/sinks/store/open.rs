//! Opening the database: checks, settings, migration, and a fresh start when the file is damaged.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use avwatch_actors::event::Event;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::data_dir::DataDir;
use super::error::StoreError;
use super::salvage;
use super::schema;
use super::write;

/// The lowest good SQLite, in its own form: before 3.51.3 a reset of the write-ahead log could lose
/// commits.
const SQLITE_NEEDED: i32 = 3_051_003;

/// Longest that the check of the whole file may delay the start; a larger file is checked in part.
pub(super) const CHECK_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a commit waits for another program that writes to the file, such as the `sqlite3` shell.
pub(super) const BUSY_WAIT: Duration = Duration::from_secs(1);

/// Open events that are carried over from a damaged file or a previous run, at most.
pub(super) const OPEN_EVENTS_MAX: usize = 200_000;

/// What happened when the store was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartUp {
    /// The damaged database that was moved here, if there was one: operators must hear of it.
    pub moved_aside: Option<PathBuf>,
    /// Open events that could still be read from it and live on in the fresh file.
    pub salvaged: usize,
}

/// Refuses a SQLite with known loss of data.
pub(super) fn assert_sqlite_version(found: i32) -> Result<(), StoreError> {
    if found < SQLITE_NEEDED {
        return Err(StoreError::SqliteTooOld { found, needed: SQLITE_NEEDED });
    }
    Ok(())
}

/// Opens the database, or moves a damaged one aside, saves what can be read, and begins afresh.
pub(super) fn open(data_dir: &DataDir, migrations: &[&str]) -> Result<(Connection, StartUp), StoreError> {
    assert_sqlite_version(rusqlite::version_number())?;
    match open_checked(data_dir, migrations) {
        Ok(connection) => Ok((connection, StartUp::default())),
        Err(error) if error.is_damage() => replace_damaged(data_dir, migrations, &error),
        Err(error) => Err(error),
    }
}

/// Moves the database aside and begins afresh with what can still be read of it.
pub(super) fn replace_damaged(
    data_dir: &DataDir,
    migrations: &[&str],
    why: &StoreError,
) -> Result<(Connection, StartUp), StoreError> {
    let aside = data_dir.move_aside()?;
    let (sequence, open) = salvage(&aside);
    tracing::error!(fault = %why, moved_to = %aside.display(), open_events = open.len(), sequence,
        "the event store is damaged: it was moved aside and a fresh one begun; past events are missing from it");
    let mut connection = open_checked(data_dir, migrations)?;
    let failed = |source| StoreError::Database { what: "carry open events over to", path: data_dir.database(), source };
    write::carry_over(&mut connection, &open, sequence).map_err(failed)?;
    salvage::carry_outbox(&mut connection, &aside).map_err(failed)?;
    Ok((connection, StartUp { moved_aside: Some(aside), salvaged: open.len() }))
}

fn open_checked(data_dir: &DataDir, migrations: &[&str]) -> Result<Connection, StoreError> {
    data_dir.prepare_database()?;
    let path = data_dir.database();
    let failed = |what| {
        let path = path.clone();
        move |source| StoreError::Database { what, path, source }
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&path, flags).map_err(failed("open"))?;
    let found = schema::version(&connection).map_err(failed("read the schema version of"))?;
    let known = migrations.len() as u32;
    if found > known {
        // Before anything is set: a file that is not ours to use is not ours to change.
        return Err(StoreError::NewerSchema { path, found, known });
    }
    configure(&connection).map_err(failed("set up"))?;
    quick_check(&connection, &path)?;
    schema::migrate(&mut connection, &path, migrations)?;
    Ok(connection)
}

fn configure(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(BUSY_WAIT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // First of all: it only takes effect before the first page is written.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        tracing::warn!(
            mode,
            "the file system of data_dir refuses a write-ahead log: readers and the writer will wait for each other"
        );
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", 1_000)?;
    connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
    Ok(())
}

fn quick_check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let checked = bounded(connection, CHECK_TIME_MAX, |connection| {
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
    });
    match checked {
        Ok(word) if word == "ok" => Ok(()),
        Ok(why) => Err(StoreError::Damaged { path: path.to_owned(), why }),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) => {
            tracing::warn!(limit_s = CHECK_TIME_MAX.as_secs(), "the event store is large: it was checked in part only");
            Ok(())
        }
        Err(source) => Err(StoreError::Database { what: "check", path: path.to_owned(), source }),
    }
}

/// Runs a query that is interrupted after `limit`.
pub(super) fn bounded<T>(
    connection: &Connection,
    limit: Duration,
    query: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
) -> Result<T, rusqlite::Error> {
    let started = Instant::now();
    // About every 10,000 steps of SQLite's machine: well under a millisecond.
    connection.progress_handler(10_000, Some(move || started.elapsed() > limit))?;
    let answer = query(connection);
    connection.progress_handler(0, None::<fn() -> bool>)?;
    answer
}

/// The highest sequence number and the open events of a damaged file, as far as they can be read.
///
/// Every record is validated by being parsed; the first error ends the reading.
fn salvage(path: &Path) -> (u64, Vec<Event>) {
    let mut sequence = 0;
    let mut open = Vec::new();
    let mut read = || -> Result<(), rusqlite::Error> {
        // Writable, because reading the write-ahead log may need its index rebuilt.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        bounded(&connection, CHECK_TIME_MAX, |connection| {
            sequence = last_sequence(connection)?;
            let mut statement = connection.prepare("SELECT json FROM events WHERE state <> 'ended'")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let json = row.get_ref(0)?.as_str().unwrap_or_default();
                if open.len() < OPEN_EVENTS_MAX
                    && let Ok(event) = serde_json::from_str::<Event>(json)
                {
                    sequence = sequence.max(event.sequence);
                    open.push(event);
                }
            }
            Ok(())
        })
    };
    if let Err(error) = read() {
        tracing::warn!(fault = %error, "the damaged event store could be read in part only");
    }
    (sequence, open)
}

/// The highest sequence number ever committed.
pub(super) fn last_sequence(connection: &Connection) -> Result<u64, rusqlite::Error> {
    let sql =
        "SELECT max((SELECT value FROM meta WHERE key = 'sequence'), (SELECT coalesce(max(sequence), 0) FROM changes))";
    connection.query_row(sql, [], |row| row.get(0))
}
