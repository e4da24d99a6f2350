//! Writing changes: the statements of a commit.

use std::time::SystemTime;

use avwatch_actors::event::{Event, Wall};
use avwatch_actors::incident::Incident;
use avwatch_actors::record::{Record, events};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use serde::Serialize;

use super::route;
use crate::notify::{PutOff, Router};
use crate::sinks::state_name;

const INSERT_CHANGE: &str = "INSERT INTO changes (sequence, change_id, changed, json) VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT (change_id) DO NOTHING";

/// An older change that is written late never overwrites a newer state.
const UPSERT_EVENT: &str =
    "INSERT INTO events (id, stream, detector, track, severity, state, started, changed, fingerprint, sequence, json)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
     ON CONFLICT (id) DO UPDATE SET
        stream = excluded.stream, detector = excluded.detector, track = excluded.track,
        severity = excluded.severity, state = excluded.state, started = excluded.started,
        changed = excluded.changed, fingerprint = excluded.fingerprint,
        sequence = excluded.sequence, json = excluded.json
     WHERE excluded.sequence > events.sequence";

const RAISE_SEQUENCE: &str = "UPDATE meta SET value = max(value, ?1) WHERE key = 'sequence'";

const UPSERT_INCIDENT: &str = "INSERT INTO incidents (id, state, severity, started, changed, json)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6)
     ON CONFLICT (id) DO UPDATE SET
        state = excluded.state, severity = excluded.severity, changed = excluded.changed, json = excluded.json";

/// Writes all changes in one transaction, with what receivers are to be told of them; a change that is
/// there already is passed over.
pub(super) fn commit(connection: &mut Connection, changes: &[Record], router: &Router) -> Result<(), rusqlite::Error> {
    if changes.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for change in changes {
        let event = match change {
            Record::Event(event) => event,
            Record::Incident(incident) => {
                let json = upsert_incident(&transaction, incident)?;
                route::route(&transaction, router, change, &json, PutOff::No)?;
                continue;
            }
        };
        let json = record(event)?;
        let inserted = transaction.prepare_cached(INSERT_CHANGE)?.execute(params![
            event.sequence,
            event.change_id,
            millis(event.changed_at),
            json
        ])?;
        if inserted > 0 {
            let put_off = route::put_off(&transaction, event)?;
            upsert(&transaction, event, &json)?;
            route::route(&transaction, router, change, &json, put_off)?;
        }
    }
    if let Some(last) = events(changes).map(|event| event.sequence).max() {
        transaction.prepare_cached(RAISE_SEQUENCE)?.execute([last])?;
    }
    transaction.commit()
}

/// Puts open events and the sequence number of a damaged file into a fresh one.
pub(super) fn carry_over(connection: &mut Connection, open: &[Event], sequence: u64) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for event in open {
        upsert(&transaction, event, &record(event)?)?;
    }
    transaction.execute(RAISE_SEQUENCE, [sequence])?;
    transaction.commit()
}

fn upsert(transaction: &Transaction<'_>, event: &Event, json: &str) -> Result<(), rusqlite::Error> {
    transaction.prepare_cached(UPSERT_EVENT)?.execute(params![
        event.id,
        event.stream,
        event.detector,
        event.track.to_string(),
        event.severity as u8,
        state_name(event.state),
        millis(event.started_at),
        millis(event.changed_at),
        event.fingerprint,
        event.sequence,
        json
    ])?;
    Ok(())
}

/// Returns the record as it is kept.
fn upsert_incident(transaction: &Transaction<'_>, incident: &Incident) -> Result<String, rusqlite::Error> {
    let state = if incident.is_open() { "open" } else { "ended" };
    let json = json(&Incident { stored: None, ..incident.clone() })?;
    transaction.prepare_cached(UPSERT_INCIDENT)?.execute(params![
        incident.id,
        state,
        incident.severity as u8,
        millis(incident.started_at),
        millis(incident.changed_at),
        json
    ])?;
    Ok(json)
}

/// The record as it is kept. What is written here is stored, whatever it was when it went out.
fn record(event: &Event) -> Result<String, rusqlite::Error> {
    if event.stored.is_some() { json(&Event { stored: None, ..event.clone() }) } else { json(event) }
}

fn json(record: &impl Serialize) -> Result<String, rusqlite::Error> {
    serde_json::to_string(record).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// Milliseconds since 1970, as the columns hold times.
pub(super) fn millis(wall: Wall) -> i64 {
    since_epoch(wall.0)
}

/// Milliseconds since 1970; 0 for anything before.
pub(super) fn since_epoch(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
