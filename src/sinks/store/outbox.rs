//! The outbox as a receiver's thread sees it: what waits, made into messages, until it was taken.
//!
//! Each owner has a connection of its own and waits for the writer a bounded time. A message is
//! on disk, with its id and what it says, before it is sent: after a crash the same message goes out
//! again. Its changes leave the outbox when it was taken. While it waits, later changes of its streams go into no
//! other message; what becomes of messages that are set aside stands in `outbox_aside.rs`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use avwatch_actors::event::Wall;
use avwatch_actors::record::Record;
use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::Serialize;

use super::connection::Following;
use super::error::StoreError;
use super::outbox_form::{CHANGES_MAX, form, read};
use super::reader::parse;
use super::route;
use super::write::since_epoch;
use crate::notify::{Changes, Route, Turn, Waiting};

pub use super::route::PARKED_MAX;

/// Longest time for which a message that was set aside rests: the longest pause that a receiver may ask for.
pub(super) const DUE_MAX: Duration = Duration::from_secs(3_600);

/// Longest reason that is kept, in bytes.
const WHY_BYTES_MAX: usize = 1_000;

/// Most parked messages of one answer.
const LIST_MAX: usize = 1_000;

/// A message as it stands in the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Formed {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub created: Wall,
    /// For how long it has been tried: since its oldest change came, or a person had it sent again.
    pub age: Duration,
    /// What it says.
    pub records: Changes,
    /// It had no room for all that waited.
    pub is_full: bool,
    /// How often it was tried before.
    pub attempts: u32,
    /// When it was last tried, unless it was not since it was made.
    pub tried: Option<SystemTime>,
}

/// All that is kept for a receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// What is to be decided about.
    pub waiting: Waiting,
    /// Changes that are in no message, and messages that were not taken yet.
    pub pending: u64,
    /// For how long the oldest change of all that has waited.
    pub oldest: Duration,
    /// Messages that are parked.
    pub parked: u64,
}

/// A message that was set aside.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parked {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub created_at: Wall,
    /// When it was set aside.
    pub parked_at: Wall,
    /// How often it was tried before, since it was last sent again.
    pub attempts: u64,
    /// Why.
    pub why: String,
    /// How many changes it tells.
    pub changes: u64,
}

/// The outbox of all receivers.
#[derive(Debug)]
pub struct Outbox {
    connection: Following,
}

impl Outbox {
    /// The outbox in that data directory, where the store was opened before.
    pub fn new(data_dir: &Path) -> Self {
        Self { connection: Following::new(data_dir) }
    }

    /// What waits for a receiver.
    pub fn backlog(&mut self, receiver: &str, now: SystemTime) -> Result<Backlog, StoreError> {
        self.run("read the outbox of", |connection| backlog(connection, receiver, now))
    }

    /// The message that has its turn: one that was made before, or a new one of all that can go into one.
    pub fn next(&mut self, receiver: &str, turn: Turn, now: SystemTime) -> Result<Option<Formed>, StoreError> {
        self.run("make a message from the outbox of", |connection| {
            let which = match turn {
                Turn::Front => "due IS NULL ORDER BY created, id",
                Turn::Aside => "due IS NOT NULL ORDER BY due, id",
            };
            let sql = format!("SELECT id FROM messages WHERE receiver = ?1 AND parked IS NULL AND {which} LIMIT 1");
            let waits = connection.prepare_cached(&sql)?.query_row([receiver], |row| row.get(0)).optional()?;
            let (id, is_full) = match (waits, turn) {
                (Some(id), _) => (id, false),
                (None, Turn::Aside) => return Ok(None),
                (None, Turn::Front) => match form(connection, receiver, now)? {
                    Some(formed) => formed,
                    None => return Ok(None),
                },
            };
            read(connection, receiver, &id, now).map(|formed| Some(Formed { is_full, ..formed }))
        })
    }

    /// A message was taken: what it said leaves the outbox.
    pub fn taken(&mut self, receiver: &str, id: &str) -> Result<(), StoreError> {
        self.transact("settle a message in", |transaction| remove(transaction, receiver, id))
    }

    /// A message was not taken. With a time, it was set aside and is tried again then.
    pub fn failed(
        &mut self,
        receiver: &str,
        id: &str,
        why: &str,
        due: Option<SystemTime>,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        self.transact("note a failure in", |transaction| {
            let sql = "UPDATE messages SET attempts = attempts + 1, why = ?3, due = coalesce(?4, due), tried = ?5
                WHERE receiver = ?1 AND id = ?2";
            let row = params![receiver, id, bounded(why), due.map(since_epoch), since_epoch(now)];
            transaction.prepare_cached(sql)?.execute(row).map(|_| ())
        })
    }

    /// Sets a message aside for good, where people see it. What it says goes to the fallback, if there is one and it is
    /// not there yet.
    pub fn park(
        &mut self,
        receiver: &str,
        id: &str,
        why: &str,
        fallback: Option<&Route>,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        self.transact("park a message in", |transaction| {
            if let Some(fallback) = fallback {
                hand_over(transaction, receiver, fallback, "message = ?2", &id.to_owned().into(), now)?;
            }
            let sql = "UPDATE messages SET attempts = attempts + 1, parked = ?3, why = ?4
                WHERE receiver = ?1 AND id = ?2";
            let row = params![receiver, id, since_epoch(now), bounded(why)];
            transaction.prepare_cached(sql)?.execute(row).map(|_| ())
        })
    }

    /// Gives what has waited for longer than a time to the fallback as well. Returns how many changes.
    pub fn relay(
        &mut self,
        receiver: &str,
        fallback: &Route,
        longer_than: Duration,
        now: SystemTime,
    ) -> Result<usize, StoreError> {
        let before = since_epoch(now.checked_sub(longer_than).unwrap_or(SystemTime::UNIX_EPOCH));
        self.transact("hand changes over in", |transaction| {
            hand_over(transaction, receiver, fallback, "created <= ?2", &before.into(), now)
        })
    }

    /// Takes changes out that reached the receiver on another way. Returns those that were there.
    pub fn forget(&mut self, receiver: &str, changes: &[String]) -> Result<Vec<String>, StoreError> {
        self.transact("settle changes in", |transaction| {
            let sql = "DELETE FROM outbox WHERE receiver = ?1 AND change_id = ?2 AND message IS NULL";
            let mut gone = Vec::new();
            for change in changes {
                if transaction.prepare_cached(sql)?.execute([receiver, change])? > 0 {
                    gone.push(change.clone());
                }
            }
            Ok(gone)
        })
    }

    /// Those of some changes that are in the store.
    pub fn stored(&mut self, changes: &[String]) -> Result<Vec<String>, StoreError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        self.run("look for changes in", |connection| {
            let mut statement = connection.prepare_cached("SELECT 1 FROM changes WHERE change_id = ?1")?;
            let mut found = Vec::new();
            for change in changes {
                if statement.exists([change])? {
                    found.push(change.clone());
                }
            }
            Ok(found)
        })
    }

    /// Messages of a receiver that were set aside, newest first.
    pub fn parked(&mut self, receiver: &str) -> Result<Vec<Parked>, StoreError> {
        self.run("list parked messages of", |connection| {
            let sql = "SELECT id, created, parked, attempts, coalesce(why, ''),
                    (SELECT count(*) FROM outbox WHERE outbox.receiver = messages.receiver AND message = id)
                FROM messages WHERE receiver = ?1 AND parked IS NOT NULL ORDER BY parked DESC LIMIT ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![receiver, LIST_MAX], |row| {
                Ok(Parked {
                    id: row.get(0)?,
                    created_at: wall(row.get(1)?),
                    parked_at: wall(row.get(2)?),
                    attempts: row.get(3)?,
                    why: row.get(4)?,
                    changes: row.get(5)?,
                })
            })?;
            rows.collect()
        })
    }

    /// Has a parked message sent again, beside what else is sent, for as long as a new one. False when there is none of that id.
    pub fn retry(&mut self, receiver: &str, id: &str, now: SystemTime) -> Result<bool, StoreError> {
        self.transact("take up a message in", |transaction| {
            let sql = "UPDATE messages SET parked = NULL, attempts = 0, due = ?3, renewed = ?3
                WHERE receiver = ?1 AND id = ?2 AND parked IS NOT NULL";
            transaction.prepare_cached(sql)?.execute(params![receiver, id, since_epoch(now)]).map(|rows| rows > 0)
        })
    }

    /// Removes everything that is kept for receivers that are not among these. Returns how many changes of whom.
    pub fn keep_only(&mut self, receivers: &[Arc<str>]) -> Result<Vec<(String, u64)>, StoreError> {
        self.transact("tidy up", |transaction| route::keep_only(transaction, receivers))
    }

    pub(super) fn transact<T>(
        &mut self,
        what: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, StoreError> {
        self.run(what, |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = work(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        })
    }

    pub(super) fn run<T>(
        &mut self,
        what: &'static str,
        work: impl FnOnce(&mut Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, StoreError> {
        let path = self.connection.path().to_owned();
        let failed = |source| StoreError::Database { what, path, source };
        let opened = self.connection.get(OpenFlags::SQLITE_OPEN_READ_WRITE, |connection| {
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
            connection.pragma_update(None, "synchronous", "FULL")
        });
        opened.and_then(work).map_err(failed)
    }
}

/// Streams that a message tells of which was not taken yet: what comes later of them waits behind it. Not behind one that
/// was parked and is sent again: what came later went out meanwhile.
pub(super) const TAKEN_STREAMS: &str = "SELECT held.stream FROM messages JOIN outbox AS held
    ON held.receiver = messages.receiver AND held.message = messages.id
    WHERE messages.receiver = ?1 AND messages.parked IS NULL AND messages.renewed IS NULL";

fn backlog(connection: &Connection, receiver: &str, now: SystemTime) -> Result<Backlog, rusqlite::Error> {
    let sql = "SELECT count(*), min(created), count(due), min(due) FROM messages
        WHERE receiver = ?1 AND parked IS NULL";
    let (messages, made, aside, due): (u64, Option<i64>, u64, Option<i64>) = connection
        .prepare_cached(sql)?
        .query_row([receiver], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let count = |which: &str| -> Result<(u64, Option<i64>), rusqlite::Error> {
        let sql = format!(
            "SELECT count(*), min(number) FROM outbox WHERE receiver = ?1 AND message IS NULL AND part <> 'ride' {which}"
        );
        let (changes, first): (u64, Option<i64>) =
            connection.prepare_cached(&sql)?.query_row([receiver], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let sql = "SELECT created FROM outbox WHERE number = ?1";
        let created = connection.prepare_cached(sql)?.query_row([first], |row| row.get(0)).optional()?;
        Ok((changes, created))
    };
    let (all, oldest) = count("")?;
    let is_behind = format!("AND stream NOT IN ({TAKEN_STREAMS})");
    let (changes, first) = if all > 0 && messages > 0 { count(&is_behind)? } else { (all, oldest) };
    let first_of = |which: &str| -> Result<Option<i64>, rusqlite::Error> {
        let is_behind = if messages > 0 { is_behind.as_str() } else { "" };
        let sql = format!(
            "SELECT created FROM outbox WHERE receiver = ?1 AND message IS NULL AND {which} {is_behind} ORDER BY number LIMIT 1"
        );
        connection.prepare_cached(&sql)?.query_row([receiver], |row| row.get(0)).optional()
    };
    let news: Option<i64> = match changes {
        0 => None,
        _ => {
            let new = first_of(&format!("told_before = {}", route::NEVER_TOLD))?;
            let again = first_of(&format!("part = '{}'", route::AGAIN))?;
            new.into_iter().chain(again).min()
        }
    };
    let sql = "SELECT count(*) FROM messages WHERE receiver = ?1 AND parked IS NOT NULL";
    let parked = connection.prepare_cached(sql)?.query_row([receiver], |row| row.get(0))?;
    let age_of = |created: Option<i64>| created.map_or(Duration::ZERO, |created| age(created, now));
    let left = due.map_or(Duration::ZERO, |due| age(since_epoch(now), wall(due).0));
    let waiting = Waiting {
        changes,
        oldest: age_of(first),
        news: news.map(|created| age(created, now)),
        has_message: messages > aside,
        behind: all - changes,
        aside,
        // A clock that was set back must not hold a message for ever.
        aside_due: if left > DUE_MAX { Duration::ZERO } else { left },
    };
    Ok(Backlog { waiting, pending: all + messages, oldest: age_of(oldest).max(age_of(made)), parked })
}

fn remove(transaction: &Transaction<'_>, receiver: &str, id: &str) -> Result<(), rusqlite::Error> {
    let sql = "DELETE FROM outbox WHERE receiver = ?1 AND message = ?2";
    transaction.prepare_cached(sql)?.execute([receiver, id])?;
    let sql = "DELETE FROM messages WHERE receiver = ?1 AND id = ?2";
    transaction.prepare_cached(sql)?.execute([receiver, id])?;
    Ok(())
}

/// Copies changes of a receiver once, but for those that came from another one, and those of which the
/// fallback is told anyway.
fn hand_over(
    transaction: &Transaction<'_>,
    receiver: &str,
    fallback: &Route,
    which: &str,
    value: &Value,
    now: SystemTime,
) -> Result<usize, rusqlite::Error> {
    let sql = format!(
        "SELECT number, subject, change_id, kind, json FROM outbox
         WHERE receiver = ?1 AND part IN ('own', '{}') AND {which} ORDER BY number LIMIT ?3",
        route::AGAIN
    );
    let mut statement = transaction.prepare_cached(&sql)?;
    let mut rows = statement.query(params![receiver, value, CHANGES_MAX])?;
    let mut copied = 0;
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let (subject, change, kind): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let json: String = row.get(4)?;
        let found = record(&kind, &json);
        if let Some(found) = found.filter(|found| fallback.takes_over(found))
            && let Some(before) = note_relayed(transaction, fallback, &subject, &found)?
        {
            let row = params![fallback.name, subject, change, kind, "relayed", since_epoch(now), json, before];
            copied += transaction.prepare_cached(route::INSERT)?.execute(row)?;
        }
        transaction.prepare_cached("UPDATE outbox SET part = 'handed' WHERE number = ?1")?.execute([number])?;
    }
    Ok(copied)
}

/// Notes that the fallback is told of an event, so that it hears of its end as well, by itself; returns of what it was
/// told before. Nothing for the end of an event that it was not told of, or of whose end it has heard by itself already.
fn note_relayed(
    transaction: &Transaction<'_>,
    fallback: &Route,
    subject: &str,
    change: &Record,
) -> Result<Option<i64>, rusqlite::Error> {
    let (is_open, severity) = match change {
        Record::Event(event) => (event.is_open(), event.severity as u8),
        Record::Incident(incident) => (incident.is_open(), incident.severity as u8),
    };
    let told = params![fallback.name, subject];
    let before = transaction.prepare_cached(route::TOLD)?.query_row(told, |row| row.get(0)).optional()?;
    if is_open {
        transaction.prepare_cached(route::TELL)?.execute(params![fallback.name, subject, severity])?;
        return Ok(Some(before.unwrap_or(route::NEVER_TOLD)));
    }
    transaction.prepare_cached(route::FORGET)?.execute(told)?;
    Ok(before)
}

/// A change as it is kept; nothing when it cannot be read.
pub(super) fn record(kind: &str, json: &str) -> Option<Record> {
    match kind {
        "event" => parse(json).map(|event| Record::Event(Arc::new(event))),
        _ => parse(json).map(|incident| Record::Incident(Arc::new(incident))),
    }
}

fn bounded(why: &str) -> &str {
    &why[..why.floor_char_boundary(WHY_BYTES_MAX)]
}

pub(super) fn age(created: i64, now: SystemTime) -> Duration {
    Duration::from_millis(u64::try_from(since_epoch(now) - created).unwrap_or(0))
}

pub(super) fn wall(millis: i64) -> Wall {
    Wall(SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
}
