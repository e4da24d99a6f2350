//! The journal's database: rows of records, and how much of the past is kept.
//!
//! Owned by the journal's thread; readers have connections of their own. It is written without waiting for the disk
//! (a loss of power may cost the last seconds), and a damaged file is thrown away: it is no record of events.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Transaction};

/// The file in the data directory.
pub(super) const FILE: &str = "journal.db";

/// Most streams that ever had a row: the lower bits of a row's number.
pub(super) const STREAM_BITS: u32 = 20;

/// Rows deleted in one go: a few milliseconds of work.
const SWEEP_ROWS: u64 = 2_000;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    -- number: minute or hour since 1970, shifted by 20 bits, plus the stream's id
    CREATE TABLE IF NOT EXISTS seconds (number INTEGER PRIMARY KEY, records BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS minutes (number INTEGER PRIMARY KEY, records BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS verdicts (number INTEGER PRIMARY KEY, records BLOB NOT NULL);
    PRAGMA user_version = 1;";

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file.
    #[error("cannot open the journal {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database in it.
    #[error("cannot {what} the journal {}: {source}", path.display())]
    Database {
        /// What failed.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

/// Which rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// One of each minute, with its seconds.
    Seconds,
    /// One of each hour, with its minutes.
    Minutes,
    /// One of each minute, with what detectors said, by the second in which they had said it.
    Verdicts,
}

impl Rows {
    /// How long a row is, in seconds.
    pub(super) const fn lasts(self) -> u64 {
        match self {
            Self::Seconds | Self::Verdicts => 60,
            Self::Minutes => 3_600,
        }
    }

    /// How long a record is, in seconds.
    pub(super) const fn step(self) -> u64 {
        self.lasts() / 60
    }

    pub(super) const fn table(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
            Self::Verdicts => "verdicts",
        }
    }

    /// The number of the row that holds a second of that stream.
    pub(super) fn number(self, second: u64, stream: u32) -> i64 {
        ((second / self.lasts()) << STREAM_BITS | u64::from(stream)) as i64
    }
}

/// Opens the journal for writing; one that is damaged is replaced by an empty one.
pub(super) fn open(directory: &Path) -> Result<Connection, JournalError> {
    let path = directory.join(FILE);
    match try_open(&path) {
        Err(JournalError::Database { source, .. }) if is_damage(&source) => {
            tracing::error!(fault = %source, path = %path.display(), "the journal is damaged: a fresh one is begun");
            for suffix in ["", "-wal", "-shm"] {
                let mut name = path.clone().into_os_string();
                name.push(suffix);
                match std::fs::remove_file(&name) {
                    Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                        return Err(JournalError::File { path, source });
                    }
                    Ok(()) | Err(_) => {}
                }
            }
            try_open(&path)
        }
        opened => opened,
    }
}

pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase))
}

fn try_open(path: &Path) -> Result<Connection, JournalError> {
    // SQLite gives its log and index files the mode of the database.
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|source| JournalError::File { path: path.to_owned(), source })?;
    let open = || -> Result<Connection, rusqlite::Error> {
        let connection = Connection::open(path)?;
        // Rows are some 1,400 bytes: of pages of 4 KiB a third would stay empty.
        connection.pragma_update(None, "page_size", 16_384)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch(SCHEMA)?;
        Ok(connection)
    };
    open().map_err(|source| JournalError::Database { what: "open", path: path.to_owned(), source })
}

/// The number of a stream; given when it has none yet.
pub(super) fn stream_id(connection: &Connection, name: &str) -> Result<Option<u32>, rusqlite::Error> {
    let known = connection
        .prepare_cached("SELECT id FROM streams WHERE name = ?1")?
        .query_row([name], |row| row.get::<_, u32>(0))
        .optional()?;
    Ok(known.filter(|id| *id < 1 << STREAM_BITS))
}

/// The same for writing.
pub(super) fn claim_stream(connection: &Connection, name: &str) -> Result<Option<u32>, rusqlite::Error> {
    connection.prepare_cached("INSERT OR IGNORE INTO streams (name) VALUES (?1)")?.execute([name])?;
    stream_id(connection, name)
}

/// Appends records to a row.
pub(super) fn append(
    transaction: &Transaction<'_>,
    rows: Rows,
    number: i64,
    records: &[u8],
) -> Result<(), rusqlite::Error> {
    let sql = format!(
        "INSERT INTO {0} (number, records) VALUES (?1, ?2)
         ON CONFLICT (number) DO UPDATE SET records = CAST({0}.records || excluded.records AS BLOB)",
        rows.table()
    );
    transaction.prepare_cached(&sql)?.execute((number, records))?;
    Ok(())
}

/// How much of the past is kept; whichever limit is reached first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalKeep {
    /// Hours by the second.
    pub seconds_hours: u32,
    /// Days by the minute.
    pub minutes_days: u32,
    /// Bytes in use in the database.
    pub bytes_max: u64,
}

impl Default for JournalKeep {
    fn default() -> Self {
        Self { seconds_hours: 24, minutes_days: 30, bytes_max: 2 << 30 }
    }
}

/// Deletes some of what is too old or too much; true when there may be more to delete.
pub(super) fn sweep(connection: &Connection, keep: JournalKeep, now: u64) -> Result<bool, rusqlite::Error> {
    let delete = |rows: Rows, before: i64| {
        let sql = format!(
            "DELETE FROM {0} WHERE number IN (SELECT number FROM {0} WHERE number < ?1 ORDER BY number LIMIT ?2)",
            rows.table()
        );
        connection.prepare_cached(&sql)?.execute((before, SWEEP_ROWS))
    };
    let before = |rows: Rows, age: u64| rows.number(now.saturating_sub(age), 0);
    let mut gone = delete(Rows::Seconds, before(Rows::Seconds, u64::from(keep.seconds_hours) * 3_600))?;
    gone += delete(Rows::Verdicts, before(Rows::Verdicts, u64::from(keep.seconds_hours) * 3_600))?;
    gone += delete(Rows::Minutes, before(Rows::Minutes, u64::from(keep.minutes_days) * 86_400))?;
    if gone == 0 && used_bytes(connection)? > keep.bytes_max {
        gone = delete(Rows::Seconds, i64::MAX)?;
        if gone == 0 {
            gone = delete(Rows::Verdicts, i64::MAX)?;
        }
        if gone == 0 {
            gone = delete(Rows::Minutes, i64::MAX)?;
        }
    }
    Ok(gone > 0)
}

/// Bytes in use: free pages inside the file do not count, they are used again.
pub(super) fn used_bytes(connection: &Connection) -> Result<u64, rusqlite::Error> {
    let number = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, u64>(0));
    Ok((number("page_count")? - number("freelist_count")?) * number("page_size")?)
}
