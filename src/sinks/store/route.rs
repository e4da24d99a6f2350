//! Writing what receivers are to be told: part of the transaction that commits a change.
//!
//! Whether a receiver is told is decided by the [`Router`]; here it is remembered which open events it
//! was told of, and what waits for it is kept within bounds. Runs on the store's thread.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use avwatch_actors::event::{Event, EventState};
use avwatch_actors::incident::Incident;
use avwatch_actors::record::Record;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::write::since_epoch;
use crate::notify::{PutOff, Route, Router, Routing};

/// Changes that may wait for a receiver; beyond them the oldest go, and are counted.
pub(super) const OUTBOX_ROWS_MAX: u64 = 100_000;

/// Messages of a receiver that stay parked; beyond them the oldest go.
pub const PARKED_MAX: u64 = 10_000;

/// For how long a message stays parked.
pub(super) const PARKED_FOR: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Rows deleted in one transaction.
const BATCH: u64 = 500;

/// Events of an incident that are asked whether they are silenced.
const LOOKED_AT_MAX: usize = 200;

pub(super) const TOLD: &str = "SELECT severity FROM told WHERE receiver = ?1 AND subject = ?2";

pub(super) const TELL: &str = "INSERT INTO told (receiver, subject, severity) VALUES (?1, ?2, ?3)
     ON CONFLICT DO UPDATE SET severity = max(severity, excluded.severity)";

pub(super) const FORGET: &str = "DELETE FROM told WHERE receiver = ?1 AND subject = ?2";

pub(super) const INSERT: &str =
    "INSERT INTO outbox (receiver, subject, change_id, kind, part, created, json, told_before)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/// Stands in the outbox for a severity where a receiver had not been told before.
pub(super) const NEVER_TOLD: i64 = -1;

/// Which part a change has that brings back what the receiver had been told of and people had put off.
pub(super) const AGAIN: &str = "again";

/// A newer word on an incident that rides along takes the place of an older one.
const DROP_RIDES: &str =
    "DELETE FROM outbox WHERE receiver = ?1 AND message IS NULL AND part = 'ride' AND subject = ?2";

/// Writes a change, which is `json` as it is kept, into the outbox of every receiver that is to be told.
pub(super) fn route(
    transaction: &Transaction<'_>,
    router: &Router,
    change: &Record,
    json: &str,
    put_off: PutOff,
) -> Result<(), rusqlite::Error> {
    let now = since_epoch(SystemTime::now());
    for route in &router.routes {
        if route.is_concerned(change) {
            route_to(transaction, route, change, put_off, json, now)?;
        }
    }
    Ok(())
}

/// Whether people had put off an event until this change of it. Asked before the change is written.
pub(super) fn put_off(transaction: &Transaction<'_>, change: &Event) -> Result<PutOff, rusqlite::Error> {
    if !matches!(change.state, EventState::Raised | EventState::Escalated) {
        return Ok(PutOff::No);
    }
    let sql = "SELECT json FROM events WHERE id = ?1 AND state IN ('acked', 'suppressed')";
    let json: Option<String> = transaction.prepare_cached(sql)?.query_row([&change.id], |row| row.get(0)).optional()?;
    let before = json.and_then(|json| serde_json::from_str::<Event>(&json).ok());
    Ok(before.map_or(PutOff::No, |before| PutOff::of(&before, change)))
}

fn route_to(
    transaction: &Transaction<'_>,
    route: &Route,
    change: &Record,
    put_off: PutOff,
    json: &str,
    now: i64,
) -> Result<(), rusqlite::Error> {
    let (kind, subject, severity) = match change {
        Record::Event(event) => ("event", event.id.as_str(), event.severity as u8),
        Record::Incident(incident) => ("incident", incident.id.as_str(), incident.severity as u8),
    };
    let told: Option<u8> =
        transaction.prepare_cached(TOLD)?.query_row(params![route.name, subject], |row| row.get(0)).optional()?;
    let before = told.map_or(NEVER_TOLD, i64::from);
    let insert = |part: &str| -> Result<(), rusqlite::Error> {
        let row = params![route.name, subject, change.change_id(), kind, part, now, json, before];
        transaction.prepare_cached(INSERT)?.execute(row).map(|_| ())
    };
    let drop_rides = || transaction.prepare_cached(DROP_RIDES)?.execute(params![route.name, subject]);
    match route.judge(change, told, put_off) {
        Routing::Nothing => {}
        Routing::Tell => {
            if let Some(incident) = change.incident()
                && told.is_none()
                && is_silenced(transaction, incident)?
            {
                return Ok(());
            }
            transaction.prepare_cached(TELL)?.execute(params![route.name, subject, severity])?;
            drop_rides()?;
            insert(if put_off == PutOff::Until && told.is_some() { AGAIN } else { "own" })?;
        }
        Routing::Ride => {
            drop_rides()?;
            insert("ride")?;
        }
        Routing::Withdraw => {
            transaction.prepare_cached(FORGET)?.execute(params![route.name, subject])?;
            // A fallback hears of such things by itself.
            insert("handed")?;
        }
        Routing::TellEnd => {
            transaction.prepare_cached(FORGET)?.execute(params![route.name, subject])?;
            drop_rides()?;
            insert("own")?;
        }
        Routing::Forget => {
            transaction.prepare_cached(FORGET)?.execute(params![route.name, subject])?;
            drop_rides()?;
        }
    }
    Ok(())
}

/// Whether people said of every event of an incident that it shall page nobody.
pub(super) fn is_silenced(connection: &Connection, incident: &Incident) -> Result<bool, rusqlite::Error> {
    let ids: Vec<&str> = incident.events.iter().rev().take(LOOKED_AT_MAX).map(String::as_str).collect();
    if ids.is_empty() {
        return Ok(false);
    }
    let ids = serde_json::to_string(&ids).unwrap_or_default();
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM json_each(?1) AS wanted
        LEFT JOIN events ON events.id = wanted.value
        WHERE coalesce(json_extract(events.json, '$.suppressed_by'), '') NOT LIKE 'silence:%'
          AND coalesce(json_extract(events.json, '$.suppressed_by'), '') NOT LIKE 'maintenance:%')";
    connection.prepare_cached(sql)?.query_row([ids], |row| row.get(0))
}

/// Removes everything that is kept for receivers that are not among these. Returns how many changes of whom.
pub(super) fn keep_only(
    transaction: &Transaction<'_>,
    receivers: &[Arc<str>],
) -> Result<Vec<(String, u64)>, rusqlite::Error> {
    let sql = "SELECT DISTINCT receiver FROM outbox UNION SELECT DISTINCT receiver FROM told
        UNION SELECT DISTINCT receiver FROM messages";
    let known: Vec<String> = transaction.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut gone = Vec::new();
    for name in known.into_iter().filter(|name| !receivers.iter().any(|kept| **kept == **name)) {
        let changes = transaction.execute("DELETE FROM outbox WHERE receiver = ?1", [&name])? as u64;
        transaction.execute("DELETE FROM messages WHERE receiver = ?1", [&name])?;
        transaction.execute("DELETE FROM told WHERE receiver = ?1", [&name])?;
        tracing::warn!(
            receiver = name,
            changes,
            "a receiver is gone from the configuration: what waited for it is dropped"
        );
        gone.push((name, changes));
    }
    Ok(gone)
}

/// Keeps what waits, and what is parked, within its bounds; what a reload could not remove is removed now.
pub(super) fn sweep(connection: &mut Connection, router: &Router, now: SystemTime) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let names: Vec<Arc<str>> = router.routes.iter().map(|route| route.name.clone()).collect();
    keep_only(&transaction, &names)?;
    transaction.commit()?;
    for route in &router.routes {
        let waiting: u64 = connection
            .prepare_cached("SELECT count(*) FROM outbox WHERE receiver = ?1 AND message IS NULL AND part <> 'ride'")?
            .query_row([&*route.name], |row| row.get(0))?;
        if waiting > OUTBOX_ROWS_MAX {
            let sql = "DELETE FROM outbox WHERE number IN
                (SELECT number FROM outbox WHERE receiver = ?1 AND message IS NULL ORDER BY number LIMIT ?2)";
            let dropped = connection.prepare_cached(sql)?.execute(params![route.name, waiting - OUTBOX_ROWS_MAX])?;
            route.board.dropped(dropped as u64);
            tracing::error!(receiver = &*route.name, dropped, "too many notifications wait: the oldest are lost");
        }
        let parked: u64 = connection
            .prepare_cached("SELECT count(*) FROM messages WHERE receiver = ?1 AND parked IS NOT NULL")?
            .query_row([&*route.name], |row| row.get(0))?;
        let oldest = since_epoch(now.checked_sub(PARKED_FOR).unwrap_or(SystemTime::UNIX_EPOCH));
        sweep_parked(connection, &route.name, parked.saturating_sub(PARKED_MAX).min(BATCH), oldest)?;
    }
    Ok(())
}

/// Removes so many of the oldest parked messages, and those parked before a time.
fn sweep_parked(connection: &mut Connection, receiver: &str, many: u64, oldest: i64) -> Result<(), rusqlite::Error> {
    let sql = "SELECT id, parked FROM messages WHERE receiver = ?1 AND parked IS NOT NULL ORDER BY parked LIMIT ?2";
    let rows: Vec<(String, i64)> = connection
        .prepare_cached(sql)?
        .query_map(params![receiver, BATCH], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let doomed = rows.into_iter().zip(0_u64..).filter(|((_, parked), at)| *at < many || *parked < oldest);
    let doomed: Vec<String> = doomed.map(|((id, _), _)| id).collect();
    if doomed.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for id in &doomed {
        transaction
            .prepare_cached("DELETE FROM outbox WHERE receiver = ?1 AND message = ?2")?
            .execute(params![receiver, id])?;
        transaction.prepare_cached("DELETE FROM messages WHERE receiver = ?1 AND id = ?2")?.execute([receiver, id])?;
    }
    transaction.commit()?;
    tracing::warn!(receiver, messages = doomed.len(), "parked notifications were too old or too many and are gone");
    Ok(())
}
