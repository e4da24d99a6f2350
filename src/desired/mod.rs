//! What people asked for over the API and is to last: streams, silences, maintenance, tokens.
//!
//! One small SQLite database, `desired.db`, in the data directory, apart from the events: a damaged
//! event store does not take the configured streams with it. It holds secrets of streams, so only the
//! service's own user may read it. Called where blocking is allowed; every change is one transaction
//! on disk when the call returns.

mod silences;
mod streams;
mod tokens;

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

pub use silences::{PAST_FOR, PAST_MAX, maintenance_in};
pub use streams::{ApiStream, ApiStreams, admit_stream};
pub use tokens::KeptToken;

/// The file in the data directory.
const FILE: &str = "desired.db";

/// How long a change waits for another program that writes to the file.
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// Largest object, in bytes.
pub const OBJECT_BYTES_MAX: usize = 256 << 10;

/// `meta` counts revisions, so that no revision ever comes again, not even of a deleted object.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS objects (
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        revision INTEGER NOT NULL,
        json TEXT NOT NULL,
        PRIMARY KEY (kind, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO meta (key, value) VALUES ('revision', 0) ON CONFLICT DO NOTHING;
    PRAGMA user_version = 1;
";

/// What kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A stream.
    Stream,
    /// A silence or a maintenance.
    Silence,
    /// A maintenance that is over: reports ask what was planned.
    PastMaintenance,
    /// A token.
    Token,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Silence => "silence",
            Self::PastMaintenance => "past_maintenance",
            Self::Token => "token",
        }
    }
}

/// One object.
#[derive(Clone, PartialEq, Eq)]
pub struct Object {
    /// Unique among its kind.
    pub name: String,
    /// Changes with every change of it.
    pub revision: u64,
    /// The object.
    pub json: String,
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the JSON, which may hold secrets.
        write!(f, "Object({}@{})", self.name, self.revision)
    }
}

/// What must be so before a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    Anything,
    /// There is none of this name.
    Absent,
    /// There is one of this name.
    Present,
    /// It has this revision.
    Revision(u64),
}

/// One change of a batch.
#[derive(Clone)]
pub enum Change {
    /// Adds or replaces an object.
    Put {
        /// Its name.
        name: String,
        /// The object.
        json: String,
        /// What must be so.
        expect: Expect,
    },
    /// Removes an object.
    Remove {
        /// Its name.
        name: String,
        /// What must be so.
        expect: Expect,
    },
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum DesiredError {
    /// There is no object of this name.
    #[error("there is none of this name")]
    Missing,
    /// There is one already.
    #[error("there is one of this name already")]
    Exists,
    /// It has another revision than expected.
    #[error("it was changed meanwhile")]
    Changed,
    /// The object is too large.
    #[error("it is over {OBJECT_BYTES_MAX} bytes")]
    TooLarge,
    /// The file cannot be made or opened.
    #[error("cannot open {FILE}: {0}")]
    File(#[from] std::io::Error),
    /// The database failed.
    #[error("cannot use {FILE}: {0}")]
    Database(#[from] rusqlite::Error),
}

/// The store of what was asked for.
#[derive(Debug)]
pub struct Desired(Mutex<Connection>);

impl Desired {
    /// Opens it in a data directory that this process holds.
    ///
    /// # Errors
    /// It cannot be made, opened, or is damaged: streams that were added would silently be gone.
    pub fn open(directory: &Path) -> Result<Self, DesiredError> {
        let path = directory.join(FILE);
        // Made first and empty, so that it never has wider permissions.
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        let connection = Connection::open(&path)?;
        connection.busy_timeout(BUSY_WAIT)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // Secrets of removed objects are overwritten.
        connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Every object of a kind, by name.
    pub fn all(&self, kind: Kind) -> Result<Vec<Object>, DesiredError> {
        all(&self.0.lock().unwrap_or_else(PoisonError::into_inner), kind)
    }

    /// Makes all changes, or none when one of them cannot be made; gives the new revisions in order
    /// (of removed objects the last one).
    pub fn apply(&self, kind: Kind, changes: &[Change]) -> Result<Vec<u64>, DesiredError> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let revisions = changes.iter().map(|change| make(&transaction, kind, change)).collect::<Result<_, _>>()?;
        transaction.commit()?;
        Ok(revisions)
    }
}

fn all(connection: &Connection, kind: Kind) -> Result<Vec<Object>, DesiredError> {
    let mut statement =
        connection.prepare_cached("SELECT name, revision, json FROM objects WHERE kind = ?1 ORDER BY name")?;
    let rows = statement
        .query_map([kind.name()], |row| Ok(Object { name: row.get(0)?, revision: row.get(1)?, json: row.get(2)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn make(transaction: &Transaction<'_>, kind: Kind, change: &Change) -> Result<u64, DesiredError> {
    let (name, expect) = match change {
        Change::Put { name, json, expect } if json.len() <= OBJECT_BYTES_MAX => (name, *expect),
        Change::Put { .. } => return Err(DesiredError::TooLarge),
        Change::Remove { name, expect } => (name, *expect),
    };
    let before: Option<u64> = transaction
        .prepare_cached("SELECT revision FROM objects WHERE kind = ?1 AND name = ?2")?
        .query_row([kind.name(), name], |row| row.get(0))
        .optional()?;
    match (expect, before) {
        (Expect::Anything, _) | (Expect::Absent, None) | (Expect::Present, Some(_)) => {}
        (Expect::Absent, Some(_)) => return Err(DesiredError::Exists),
        (Expect::Present | Expect::Revision(_), None) => return Err(DesiredError::Missing),
        (Expect::Revision(wanted), Some(revision)) if wanted == revision => {}
        (Expect::Revision(_), Some(_)) => return Err(DesiredError::Changed),
    }
    match change {
        Change::Remove { .. } => {
            transaction
                .prepare_cached("DELETE FROM objects WHERE kind = ?1 AND name = ?2")?
                .execute([kind.name(), name])?;
            Ok(before.unwrap_or_default())
        }
        Change::Put { json, .. } => {
            let revision: u64 = transaction
                .prepare_cached("UPDATE meta SET value = value + 1 WHERE key = 'revision' RETURNING value")?
                .query_row([], |row| row.get(0))?;
            transaction
                .prepare_cached(
                    "INSERT INTO objects (kind, name, revision, json) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (kind, name) DO UPDATE SET revision = excluded.revision, json = excluded.json",
                )?
                .execute(params![kind.name(), name, revision, json])?;
            Ok(revision)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(name: &str, json: &str, expect: Expect) -> Change {
        Change::Put { name: name.to_owned(), json: json.to_owned(), expect }
    }

    fn names(store: &Desired) -> Vec<String> {
        store.all(Kind::Stream).unwrap().into_iter().map(|object| object.name).collect()
    }

    #[test]
    fn what_was_asked_for_is_there_after_a_restart_and_for_nobody_else_to_read() {
        let directory = tempfile::tempdir().unwrap();
        let revision = {
            let store = Desired::open(directory.path()).unwrap();
            store.apply(Kind::Stream, &[put("lobby", "{}", Expect::Absent)]).unwrap()[0]
        };
        let store = Desired::open(directory.path()).unwrap();
        let object = Object { name: "lobby".to_owned(), revision, json: "{}".to_owned() };
        assert_eq!(store.all(Kind::Stream).unwrap(), [object]);
        assert!(store.all(Kind::Token).unwrap().is_empty());
        let mode = fs::metadata(directory.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_change_of_what_was_changed_meanwhile_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let store = Desired::open(directory.path()).unwrap();
        let first = store.apply(Kind::Stream, &[put("lobby", "1", Expect::Absent)]).unwrap()[0];
        let second = store.apply(Kind::Stream, &[put("lobby", "2", Expect::Revision(first))]).unwrap()[0];
        assert!(second > first);
        let refused = |change| store.apply(Kind::Stream, &[change]).unwrap_err();
        assert!(matches!(refused(put("lobby", "3", Expect::Revision(first))), DesiredError::Changed));
        assert!(matches!(refused(put("lobby", "3", Expect::Absent)), DesiredError::Exists));
        assert!(matches!(refused(put("other", "3", Expect::Present)), DesiredError::Missing));
        let removed = Change::Remove { name: "lobby".to_owned(), expect: Expect::Revision(second) };
        store.apply(Kind::Stream, &[removed]).unwrap();
        let third = store.apply(Kind::Stream, &[put("lobby", "4", Expect::Absent)]).unwrap()[0];
        assert!(third > second, "a revision never comes again");
    }

    #[test]
    fn a_batch_is_made_wholly_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let store = Desired::open(directory.path()).unwrap();
        let batch = [put("a", "1", Expect::Absent), put("b", "1", Expect::Present)];
        assert!(store.apply(Kind::Stream, &batch).is_err());
        assert!(names(&store).is_empty());
        let large = "x".repeat(OBJECT_BYTES_MAX + 1);
        assert!(matches!(
            store.apply(Kind::Stream, &[put("a", &large, Expect::Anything)]).unwrap_err(),
            DesiredError::TooLarge
        ));
    }
}
