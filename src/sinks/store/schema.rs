//! The schema of the store and its migrations.
//!
//! `PRAGMA user_version` counts the migrations that a file has been through. Each runs in a
//! transaction of its own together with the new number, after a copy of the file was made, so a
//! crash or a full disk in the middle leaves the old version standing.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};

use super::error::StoreError;

/// The migrations in order; a released one is never changed.
///
/// `changes` is append-only and numbered by the desk; `events` holds one row per event with its
/// latest state. The columns beside `json` exist to be searched; `json` is the record.
/// `events.sequence` is that of its latest change, so that retention can take both alike.
pub(super) const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE events (
        id TEXT PRIMARY KEY NOT NULL,
        stream TEXT NOT NULL,
        detector TEXT NOT NULL,
        track TEXT NOT NULL,
        severity INTEGER NOT NULL,
        state TEXT NOT NULL,
        started INTEGER NOT NULL,
        changed INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        json TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_by_stream ON events (stream, id);
    CREATE INDEX events_by_detector ON events (detector, id);
    CREATE INDEX events_by_fingerprint ON events (fingerprint);
    CREATE INDEX events_open ON events (id) WHERE state <> 'ended';
    CREATE INDEX events_ended ON events (sequence) WHERE state = 'ended';
    CREATE TABLE changes (
        sequence INTEGER PRIMARY KEY NOT NULL,
        change_id TEXT NOT NULL UNIQUE,
        changed INTEGER NOT NULL,
        json TEXT NOT NULL
    ) STRICT;
    CREATE TABLE meta (
        key TEXT PRIMARY KEY NOT NULL,
        value INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    INSERT INTO meta (key, value) VALUES ('sequence', 0);
",
    "
    CREATE TABLE incidents (
        id TEXT PRIMARY KEY NOT NULL,
        state TEXT NOT NULL,
        severity INTEGER NOT NULL,
        started INTEGER NOT NULL,
        changed INTEGER NOT NULL,
        json TEXT NOT NULL
    ) STRICT;
    CREATE INDEX incidents_open ON incidents (id) WHERE state <> 'ended';
    CREATE INDEX incidents_ended ON incidents (changed) WHERE state = 'ended';
    CREATE INDEX changes_by_event ON changes (json_extract(json, '$.id'));
",
    // What is to be told to receivers. `outbox` holds a row for each change and receiver until it was
    // taken; `message` names the message that carries it, once one was made. `told` remembers which open
    // events and incidents a receiver was told of, and with which severity.
    "
    CREATE TABLE outbox (
        number INTEGER PRIMARY KEY NOT NULL,
        receiver TEXT NOT NULL,
        subject TEXT NOT NULL,
        change_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        part TEXT NOT NULL,
        created INTEGER NOT NULL,
        message TEXT,
        json TEXT NOT NULL
    ) STRICT;
    CREATE INDEX outbox_by_message ON outbox (receiver, message);
    CREATE INDEX outbox_waiting ON outbox (receiver, number) WHERE message IS NULL AND part <> 'ride';
    CREATE TABLE messages (
        receiver TEXT NOT NULL,
        id TEXT NOT NULL,
        created INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        parked INTEGER,
        why TEXT,
        PRIMARY KEY (receiver, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX messages_waiting ON messages (receiver, created) WHERE parked IS NULL;
    CREATE INDEX messages_parked ON messages (receiver, parked) WHERE parked IS NOT NULL;
    CREATE TABLE told (
        receiver TEXT NOT NULL,
        subject TEXT NOT NULL,
        severity INTEGER NOT NULL,
        PRIMARY KEY (receiver, subject)
    ) STRICT, WITHOUT ROWID;
",
    // Messages that are set aside while others go on. `stream` is what keeps its order: an event's stream, an
    // incident by itself. `due` is when a message that was set aside is tried again, `tried` when it last was,
    // `renewed` when a person last had it sent again.
    "
    ALTER TABLE outbox ADD COLUMN stream TEXT GENERATED ALWAYS AS (
        CASE WHEN kind = 'event' AND json_valid(json) THEN coalesce(json_extract(json, '$.stream'), subject)
        ELSE subject END) VIRTUAL;
    DROP INDEX outbox_by_message;
    CREATE INDEX outbox_by_message ON outbox (receiver, message, stream);
    DROP INDEX outbox_waiting;
    CREATE INDEX outbox_waiting ON outbox (receiver, number, stream) WHERE message IS NULL AND part <> 'ride';
    ALTER TABLE messages ADD COLUMN due INTEGER;
    ALTER TABLE messages ADD COLUMN tried INTEGER;
    ALTER TABLE messages ADD COLUMN renewed INTEGER;
",
    // `told_before` is the severity of which a receiver had been told before a change, -1 when it had not been told of
    // its event or incident at all; nothing where nobody knows.
    "
    ALTER TABLE outbox ADD COLUMN told_before INTEGER;
    CREATE INDEX outbox_new ON outbox (receiver, number, stream) WHERE message IS NULL AND told_before = -1;
",
    // What was told before, was put off and is back: as urgent as what is new.
    "
    CREATE INDEX outbox_again ON outbox (receiver, number, stream) WHERE message IS NULL AND part = 'again';
",
];

/// The schema version of an open file.
pub(super) fn version(connection: &Connection) -> Result<u32, rusqlite::Error> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings a file to the newest version. A file that already holds data is copied beside it first.
pub(super) fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), StoreError> {
    let failed = |what| move |source| StoreError::Database { what, path: path.to_owned(), source };
    let known = migrations.len() as u32;
    let found = version(connection).map_err(failed("read the schema version of"))?;
    if found > known {
        return Err(StoreError::NewerSchema { path: path.to_owned(), found, known });
    }
    if found > 0 && found < known {
        let copy = back_up(connection, path, found)?;
        tracing::info!(from = found, to = known, copy = %copy.display(), "migrating the event store");
    }
    for (number, sql) in (1_u32..).zip(migrations).skip(found as usize) {
        let mut migration = || -> Result<(), rusqlite::Error> {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute_batch(sql)?;
            transaction.pragma_update(None, "user_version", number)?;
            transaction.commit()
        };
        migration().map_err(failed("migrate"))?;
    }
    Ok(())
}

/// Copies the whole database, write-ahead log included, to `FILE.v<version>`; replaces an older copy.
fn back_up(connection: &Connection, path: &Path, version: u32) -> Result<PathBuf, StoreError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".v{version}"));
    let copy = path.with_file_name(name);
    let failed =
        |source: io::Error| StoreError::File { what: "make a copy before migrating to", path: copy.clone(), source };
    match fs::remove_file(&copy) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    // Made first and empty, so that it never has wider permissions than the original.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&copy).map_err(failed)?;
    connection.execute("VACUUM INTO ?1", [copy.to_string_lossy()]).map_err(|source| StoreError::Database {
        what: "copy before migrating",
        path: path.to_owned(),
        source,
    })?;
    Ok(copy)
}
