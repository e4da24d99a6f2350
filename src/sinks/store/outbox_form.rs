//! Messages out of the outbox: made of what waits, and read again until they were taken.
//!
//! A message is on disk, with its id and what it says, before it is sent. Runs on the receiver's thread.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use avwatch_actors::incident::Incident;
use avwatch_actors::record::Record;
use rusqlite::{Connection, TransactionBehavior, params};
use uuid::Uuid;

use super::outbox::{Formed, TAKEN_STREAMS, age, record, wall};
use super::route::{self, NEVER_TOLD};
use super::write::since_epoch;
use crate::notify::Changes;

/// Most changes of one message.
pub(super) const CHANGES_MAX: usize = 2_000;

/// Most bytes of the changes of one message, as they are kept.
const BYTES_MAX: usize = 3 << 20;

/// A change that waits.
struct Row {
    number: i64,
    change_id: String,
    part: String,
    length: usize,
    subject: String,
    kind: String,
    before: Option<i64>,
}

/// Makes a message of what waits, within the bounds of one: its id, and whether some had no room.
pub(super) fn form(
    connection: &mut Connection,
    receiver: &str,
    now: SystemTime,
) -> Result<Option<(String, bool)>, rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut rows = waiting(&transaction, receiver)?;
    let withdrawn = withdraw(&transaction, receiver, &rows)?;
    rows.retain(|row| !withdrawn.contains(&row.number));
    let mut bytes = 0;
    let fitting = rows.iter().take(CHANGES_MAX).take_while(|row| {
        let fits = bytes == 0 || bytes + row.length <= BYTES_MAX;
        bytes += row.length;
        fits
    });
    let fitting: Vec<&Row> = fitting.collect();
    if !rows.iter().any(|row| row.part != "ride") {
        transaction.commit()?;
        return Ok(None);
    }
    // A message of one change has the change's name. It may be taken by a message that was parked.
    let single = fitting.first().filter(|_| fitting.len() == 1).map(|row| row.change_id.clone());
    let sql = "INSERT INTO messages (receiver, id, created) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    let mut id = single.unwrap_or_else(|| Uuid::now_v7().to_string());
    if transaction.prepare_cached(sql)?.execute(params![receiver, id, since_epoch(now)])? == 0 {
        id = Uuid::now_v7().to_string();
        transaction.prepare_cached(sql)?.execute(params![receiver, id, since_epoch(now)])?;
    }
    let mut carry = transaction.prepare_cached("UPDATE outbox SET message = ?2 WHERE number = ?1")?;
    for row in &fitting {
        carry.execute(params![row.number, id])?;
    }
    drop(carry);
    transaction.commit()?;
    Ok(Some((id, fitting.len() < rows.len())))
}

/// The oldest changes that are in no message and may go into one: as many as it holds, and one more.
fn waiting(connection: &Connection, receiver: &str) -> Result<Vec<Row>, rusqlite::Error> {
    let sql = format!(
        "SELECT number, change_id, part, length(json), subject, kind, told_before FROM outbox WHERE receiver = ?1 AND message IS NULL
         AND stream NOT IN ({TAKEN_STREAMS}) ORDER BY number LIMIT ?2"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![receiver, CHANGES_MAX + 1], |row| {
        let (number, change_id, part, length) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(Row { number, change_id, part, length, subject: row.get(4)?, kind: row.get(5)?, before: row.get(6)? })
    })?;
    rows.collect()
}

/// Takes out what is held back by now: silenced, in maintenance, or explained by another event. The receiver is as if it
/// had never been to hear of it, so it is told when the silence ends. Returns the numbers of the changes.
fn withdraw(connection: &Connection, receiver: &str, rows: &[Row]) -> Result<HashSet<i64>, rusqlite::Error> {
    let mut withdrawn = withdraw_events(connection, receiver, rows)?;
    withdrawn.extend(withdraw_incidents(connection, receiver, rows)?);
    Ok(withdrawn)
}

/// Takes out incidents of which the receiver was told nothing yet, and of whose events people said that they page nobody.
fn withdraw_incidents(connection: &Connection, receiver: &str, rows: &[Row]) -> Result<HashSet<i64>, rusqlite::Error> {
    let mut withdrawn = HashSet::new();
    let mut newest: HashMap<&str, (&Row, bool)> = HashMap::new();
    for row in rows.iter().filter(|row| row.kind == "incident") {
        let known = newest.entry(&row.subject).or_insert((row, row.before == Some(NEVER_TOLD)));
        known.0 = row;
    }
    let mut json_of = connection.prepare_cached("SELECT json FROM outbox WHERE number = ?1")?;
    for (subject, (last, _)) in newest.into_iter().filter(|(_, (_, is_new))| *is_new) {
        let json: String = json_of.query_row([last.number], |row| row.get(0))?;
        let Some(Record::Incident(incident)) = record("incident", &json) else { continue };
        if !route::is_silenced(connection, &incident)? {
            continue;
        }
        for row in rows.iter().filter(|row| row.subject == subject) {
            connection.prepare_cached("DELETE FROM outbox WHERE number = ?1")?.execute([row.number])?;
            withdrawn.insert(row.number);
        }
        connection.prepare_cached(route::FORGET)?.execute(params![receiver, subject])?;
    }
    Ok(withdrawn)
}

/// Takes out raises and rises of events that are held back by now.
fn withdraw_events(connection: &Connection, receiver: &str, rows: &[Row]) -> Result<HashSet<i64>, rusqlite::Error> {
    // The first change of each event that waits, and what was told before it.
    let mut begins: HashMap<&str, i64> = HashMap::new();
    for row in rows.iter().filter(|row| row.kind == "event") {
        if let Some(before) = row.before {
            begins.entry(&row.subject).or_insert(before);
        }
    }
    let sql = "SELECT 1 FROM events WHERE id = ?1
        AND (state = 'suppressed' OR json_extract(json, '$.suppressed_by') IS NOT NULL)";
    let (mut held_back, mut withdrawn) = (connection.prepare_cached(sql)?, HashSet::new());
    let sql = "SELECT json_extract(json, '$.state') FROM outbox WHERE number = ?1";
    let mut state_of = connection.prepare_cached(sql)?;
    for (subject, before) in begins {
        if !held_back.exists([subject])? {
            continue;
        }
        for row in rows.iter().filter(|row| row.subject == subject) {
            let state: String = state_of.query_row([row.number], |row| row.get(0))?;
            // What it was told of before is still brought to its end.
            if before == NEVER_TOLD || matches!(state.as_str(), "raised" | "escalated") {
                connection.prepare_cached("DELETE FROM outbox WHERE number = ?1")?.execute([row.number])?;
                withdrawn.insert(row.number);
            }
        }
        if before == NEVER_TOLD {
            connection.prepare_cached(route::FORGET)?.execute(params![receiver, subject])?;
        } else {
            let sql = "UPDATE told SET severity = ?3 WHERE receiver = ?1 AND subject = ?2";
            connection.prepare_cached(sql)?.execute(params![receiver, subject, before])?;
        }
    }
    Ok(withdrawn)
}

/// A message as it was made.
pub(super) fn read(
    connection: &Connection,
    receiver: &str,
    id: &str,
    now: SystemTime,
) -> Result<Formed, rusqlite::Error> {
    let sql = "SELECT created, attempts, tried, renewed FROM messages WHERE receiver = ?1 AND id = ?2";
    let (created, attempts, tried, renewed): (i64, u32, Option<i64>, Option<i64>) = connection
        .prepare_cached(sql)?
        .query_row([receiver, id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let sql =
        "SELECT kind, created, json, told_before FROM outbox WHERE receiver = ?1 AND message = ?2 ORDER BY number";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([receiver, id])?;
    let (mut records, mut oldest) = (Changes::default(), created);
    while let Some(row) = rows.next()? {
        let (kind, created, json): (String, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let before: Option<i64> = row.get(3)?;
        oldest = oldest.min(created);
        if let Some(record) = record(&kind, &json) {
            records.add(record, before.map(|before| before == NEVER_TOLD));
        }
    }
    records.note_told_at(wall(created));
    note_over(connection, &mut records)?;
    note_left(connection, receiver, &mut records)?;
    let tried = tried.map(|tried| wall(tried).0);
    let (id, age) = (id.to_owned(), age(renewed.unwrap_or(oldest), now));
    Ok(Formed { id, created: wall(created), age, records, is_full: false, attempts, tried })
}

/// Notes which of the events that are open in a message have ended since it was made.
fn note_over(connection: &Connection, records: &mut Changes) -> Result<(), rusqlite::Error> {
    let open: HashSet<String> = records
        .iter()
        .filter_map(Record::event)
        .filter(|event| event.is_open())
        .map(|event| event.id.clone())
        .collect();
    let mut has_ended = connection.prepare_cached("SELECT 1 FROM events WHERE id = ?1 AND state = 'ended'")?;
    for id in open {
        if has_ended.exists([&id])? {
            records.note_over(&id);
        }
    }
    Ok(())
}

/// Notes events that go on though an incident of theirs ends in a message, of those that the receiver was told of. Nobody has
/// taken them, and nothing holds them back.
fn note_left(connection: &Connection, receiver: &str, records: &mut Changes) -> Result<(), rusqlite::Error> {
    let has_ended = |incident: &&Arc<Incident>| !incident.is_open() && incident.merged_into.is_none();
    let ids: HashSet<String> =
        records.iter().filter_map(Record::incident).filter(has_ended).flat_map(|it| it.events.clone()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let ids = serde_json::to_string(&ids).unwrap_or_default();
    let sql = "SELECT events.json FROM json_each(?1) AS wanted JOIN events ON events.id = wanted.value
        WHERE events.state IN ('raised', 'escalated') AND json_extract(events.json, '$.suppressed_by') IS NULL
          AND EXISTS (SELECT 1 FROM told WHERE receiver = ?2 AND subject = events.id)
        ORDER BY events.id LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![ids, receiver, CHANGES_MAX])?;
    while let Some(row) = rows.next()? {
        let json: String = row.get(0)?;
        if let Some(Record::Event(event)) = record("event", &json) {
            records.note_left(event);
        }
    }
    Ok(())
}
