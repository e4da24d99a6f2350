//! The store: where event changes are made durable before anyone is told of them.
//!
//! One SQLite database in the data directory with one writer, owned by the desk's thread; readers
//! ([`EventReader`]) have connections of their own. A commit is one transaction with a write-ahead
//! log and full synchronisation: when it returns, the changes survive a loss of power. The store
//! never gives up on a full disk or a damaged file: it says so and the desk tries again.

mod connection;
mod data_dir;
mod error;
mod incidents;
mod open;
mod outbox;
mod outbox_aside;
mod outbox_form;
mod reader;
mod retention;
mod route;
mod salvage;
mod schema;
mod write;

#[cfg(test)]
mod outbox_tests;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use avwatch_actors::record::Record;
use avwatch_actors::sink::{EventStore, Recovered, SinkError};
use rusqlite::Connection;

use crate::notify::Router;

pub use data_dir::DataDir;
pub use error::StoreError;
pub use incidents::{IncidentFilter, IncidentPage};
pub use open::StartUp;
pub use outbox::{Backlog, Formed, Outbox, PARKED_MAX, Parked};
pub use outbox_aside::ASIDE_MAX;
pub use reader::{EventFilter, EventPage, EventReader, PAGE_ROWS_MAX, StateFilter};
pub use retention::Retention;

/// Name of the store in errors and logs.
const NAME: &str = "store";

/// Longest that deleting may take in one tick; the desk's thread has alarms to write.
const SWEEP_TIME_MAX: Duration = Duration::from_millis(50);

/// While commits follow each other without a pause, retention runs this often among them.
const UPKEEP_EVERY: Duration = Duration::from_secs(10);

/// How often the write-ahead log is emptied, if it has grown.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);

/// A write-ahead log smaller than this is left alone.
const LOG_BYTES_KEPT: u64 = 4 << 20;

/// The event store on disk.
#[derive(Debug)]
pub struct Store {
    data_dir: DataDir,
    keep: Retention,
    router: Arc<ArcSwap<Router>>,
    /// Absent only between the loss of a damaged or deleted file and the next attempt.
    connection: Option<Connection>,
    file: Option<(u64, u64)>,
    start_up: StartUp,
    next_upkeep: Instant,
    next_checkpoint: Instant,
}

impl Store {
    /// Opens the store in a data directory and brings it up to date.
    ///
    /// A damaged database is moved aside and replaced, see [`Store::start_up`].
    ///
    /// # Errors
    /// Another process uses the directory; its schema is newer than this program; it cannot be
    /// made, read or written.
    pub fn open(directory: &Path, keep: Retention) -> Result<Self, StoreError> {
        Self::open_in(DataDir::claim(directory)?, keep)
    }

    /// The same in a directory that was claimed before.
    pub fn open_in(data_dir: DataDir, keep: Retention) -> Result<Self, StoreError> {
        let (connection, start_up) = open::open(&data_dir, schema::MIGRATIONS)?;
        let file = data_dir::identity(&data_dir.database());
        let now = Instant::now();
        Ok(Self {
            data_dir,
            keep,
            router: Arc::default(),
            connection: Some(connection),
            file,
            start_up,
            next_upkeep: now + UPKEEP_EVERY,
            next_checkpoint: now + CHECKPOINT_EVERY,
        })
    }

    /// With the receivers of notifications: what they are to be told is written with each change.
    #[must_use]
    pub fn with_router(self, router: Arc<ArcSwap<Router>>) -> Self {
        Self { router, ..self }
    }

    /// What happened when it was opened: a moved database is worth an event.
    pub fn start_up(&self) -> &StartUp {
        &self.start_up
    }

    /// A reader of the same database.
    pub fn reader(&self) -> EventReader {
        EventReader::new(self.data_dir.path())
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError + use<> {
        let path = self.data_dir.database();
        move |source| StoreError::Database { what, path, source }
    }

    /// The connection; opened again if it was lost.
    fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let (connection, _) = open::open(&self.data_dir, schema::MIGRATIONS)?;
                self.file = data_dir::identity(&self.data_dir.database());
                connection
            }
        };
        Ok(self.connection.insert(connection))
    }

    fn try_commit(&mut self, changes: &[Record]) -> Result<(), StoreError> {
        let failed = self.failed("write to");
        let router = self.router.load_full();
        write::commit(self.connection()?, changes, &router).map_err(failed)
    }

    /// Replaces a database that turned out damaged while in use.
    fn heal(&mut self, why: &StoreError) -> Result<(), StoreError> {
        // Closed before it is renamed: closing tidies up files by their names.
        drop(self.connection.take());
        let (connection, _) = open::replace_damaged(&self.data_dir, schema::MIGRATIONS, why)?;
        self.file = data_dir::identity(&self.data_dir.database());
        self.connection = Some(connection);
        Ok(())
    }

    /// Deletes what is too old or too much until done or `time_max` has passed.
    fn sweep(&mut self, time_max: Duration) -> Result<(), StoreError> {
        self.next_upkeep = Instant::now() + UPKEEP_EVERY;
        let failed = self.failed("delete old events from");
        let (keep, router) = (self.keep, self.router.clone());
        let connection = self.connection()?;
        let mut sweep = || -> Result<(), rusqlite::Error> {
            let started = Instant::now();
            while retention::sweep(connection, keep, SystemTime::now())? > 0 && started.elapsed() < time_max {}
            // As late as can be: what a receiver that came meanwhile was given must stay.
            route::sweep(connection, &router.load_full(), SystemTime::now())?;
            while started.elapsed() < time_max && retention::shrink(connection)? {}
            Ok(())
        };
        sweep().map_err(failed)
    }

    /// Empties the write-ahead log if it has grown and no reader is in the way.
    fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.next_checkpoint = Instant::now() + CHECKPOINT_EVERY;
        let log = data_dir::with_suffix(&self.data_dir.database(), "-wal");
        if std::fs::metadata(&log).map_or(0, |metadata| metadata.len()) < LOG_BYTES_KEPT {
            return Ok(());
        }
        let failed = self.failed("checkpoint");
        let connection = self.connection()?;
        let checkpoint = || -> Result<(), rusqlite::Error> {
            // A reader in the way is no reason to wait: there is a next time.
            connection.busy_timeout(Duration::ZERO)?;
            let done = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
            connection.busy_timeout(open::BUSY_WAIT)?;
            done.map(|_busy| ())
        };
        checkpoint().map_err(failed)
    }

    /// Lets go of a database that was deleted or replaced under us: what is written to it is lost.
    fn notice_loss(&mut self) {
        if self.connection.is_some() && data_dir::identity(&self.data_dir.database()) != self.file {
            tracing::error!(path = %self.data_dir.database().display(),
                "the event store was deleted or replaced while in use; a fresh one is begun");
            self.connection = None;
        }
    }

    fn upkeep(&mut self, time_max: Duration) {
        self.notice_loss();
        let mut done = self.sweep(time_max);
        if done.is_ok() && Instant::now() >= self.next_checkpoint {
            done = self.checkpoint();
        }
        if let Err(error) = done {
            tracing::warn!(fault = %error, "upkeep of the event store failed");
        }
    }
}

impl EventStore for Store {
    fn commit(&mut self, changes: &[Record]) -> Result<(), SinkError> {
        let mut committed = self.try_commit(changes);
        if let Err(error) = &committed
            && error.is_damage()
        {
            let why = committed.expect_err("the branch above saw an error");
            committed = self.heal(&why).and_then(|()| self.try_commit(changes));
        }
        committed.map_err(StoreError::into_sink_error)?;
        if Instant::now() >= self.next_upkeep {
            self.upkeep(Duration::ZERO);
        }
        Ok(())
    }

    fn recover(&mut self) -> Result<Recovered, SinkError> {
        let failed = self.failed("recover from");
        let connection = self.connection().map_err(StoreError::into_sink_error)?;
        let read = || -> Result<Recovered, rusqlite::Error> {
            let sequence = open::last_sequence(connection)?;
            let sql = "SELECT json FROM events WHERE state <> 'ended' ORDER BY id LIMIT ?1";
            let mut statement = connection.prepare(sql)?;
            let rows = statement.query_map([open::OPEN_EVENTS_MAX], |row| row.get::<_, String>(0))?;
            let rows = rows.collect::<Result<Vec<_>, _>>()?;
            let open = rows.iter().filter_map(|json| reader::parse(json)).collect();
            let sql = "SELECT json FROM incidents WHERE state <> 'ended' ORDER BY id LIMIT ?1";
            let mut statement = connection.prepare(sql)?;
            let rows = statement.query_map([open::OPEN_EVENTS_MAX], |row| row.get::<_, String>(0))?;
            let rows = rows.collect::<Result<Vec<_>, _>>()?;
            let incidents = rows.iter().filter_map(|json| reader::parse(json)).collect();
            Ok(Recovered { open, incidents, sequence })
        };
        read().map_err(failed).map_err(StoreError::into_sink_error)
    }

    fn tick(&mut self) {
        self.upkeep(SWEEP_TIME_MAX);
    }
}
