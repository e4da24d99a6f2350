//! Retention: how much of the past is kept.
//!
//! Deletes the oldest changes and the events whose last change is among them, in batches small
//! enough not to delay a commit. Ended incidents go with the changes of their time. What is open stays, however old.

use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::write::since_epoch;

/// Changes deleted in one transaction: a few milliseconds of work.
pub(super) const BATCH: u64 = 500;

/// Changes from further in the future than this are the trace of a wrong clock; they go with the old.
const CLOCK_ERROR_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Free pages that are given back to the file system in one go (4 KiB each).
const PAGES_FREED_MAX: u32 = 1_024;

/// How much of the past is kept; whichever limit is reached first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Age of the oldest change, 1 to 36,500 days.
    pub days_max: u32,
    /// Number of changes.
    pub rows_max: u64,
    /// Bytes in use in the database, its log excluded.
    pub bytes_max: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { days_max: 90, rows_max: 5_000_000, bytes_max: 2 << 30 }
    }
}

/// Deletes at most one batch of what is too old or too much. Returns the number of deleted changes.
pub(super) fn sweep(connection: &mut Connection, keep: Retention, now: SystemTime) -> Result<u64, rusqlite::Error> {
    let Some(cut) = cut(connection, keep, now)? else {
        return Ok(0);
    };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let deleted = transaction.prepare_cached("DELETE FROM changes WHERE sequence <= ?1")?.execute([cut])?;
    transaction.prepare_cached("DELETE FROM events WHERE state = 'ended' AND sequence <= ?1")?.execute([cut])?;
    sweep_incidents(&transaction, keep, now)?;
    transaction.commit()?;
    Ok(deleted as u64)
}

/// Deletes ended incidents that are older than every change that is left.
fn sweep_incidents(transaction: &Transaction<'_>, keep: Retention, now: SystemTime) -> Result<(), rusqlite::Error> {
    let (oldest, newest) = bounds(keep, now);
    let left = "SELECT changed FROM changes ORDER BY sequence LIMIT 1";
    let left: Option<i64> = transaction.query_row(left, [], |row| row.get(0)).optional()?;
    // A change of the far future says nothing of what came before it.
    let before = left.filter(|left| *left <= newest).unwrap_or(oldest);
    let sql = "DELETE FROM incidents WHERE state = 'ended' AND (changed < ?1 OR changed > ?2)";
    transaction.prepare_cached(sql)?.execute([before, newest])?;
    Ok(())
}

/// The oldest and the newest time that a change may have, in milliseconds.
fn bounds(keep: Retention, now: SystemTime) -> (i64, i64) {
    let age = Duration::from_secs(u64::from(keep.days_max) * 24 * 3_600);
    (now.checked_sub(age).map_or(0, since_epoch), since_epoch(now + CLOCK_ERROR_MAX))
}

/// Gives pages that deleting has freed back to the file system; returns whether there were any.
pub(super) fn shrink(connection: &Connection) -> Result<bool, rusqlite::Error> {
    let free: u32 = connection.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
    if free < PAGES_FREED_MAX {
        return Ok(false);
    }
    connection.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES_FREED_MAX})"))?;
    Ok(true)
}

/// The sequence number up to which changes go now; at most a batch of them.
fn cut(connection: &Connection, keep: Retention, now: SystemTime) -> Result<Option<u64>, rusqlite::Error> {
    let (first, last): (Option<u64>, Option<u64>) = connection.query_row(
        "SELECT (SELECT min(sequence) FROM changes), (SELECT max(sequence) FROM changes)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let (Some(first), Some(last)) = (first, last) else {
        return Ok(None);
    };
    // Sequence numbers rise without gaps, so the distance is the number; counting would read it all.
    let over_rows = (last - first + 1).saturating_sub(keep.rows_max);
    let over_bytes = if used_bytes(connection)? > keep.bytes_max { BATCH } else { 0 };
    let by_amount = over_rows.max(over_bytes).min(BATCH);
    let by_amount = (by_amount > 0).then(|| first + by_amount - 1);
    Ok(by_amount.max(by_age(connection, keep, now)?))
}

/// The last of the oldest changes that are too old, within a batch.
fn by_age(connection: &Connection, keep: Retention, now: SystemTime) -> Result<Option<u64>, rusqlite::Error> {
    let (oldest, newest) = bounds(keep, now);
    let mut statement =
        connection.prepare_cached("SELECT sequence, changed FROM changes ORDER BY sequence LIMIT ?1")?;
    let mut rows = statement.query([BATCH])?;
    let mut cut = None;
    while let Some(row) = rows.next()? {
        let changed: i64 = row.get(1)?;
        if (oldest..=newest).contains(&changed) {
            break;
        }
        cut = Some(row.get(0)?);
    }
    Ok(cut)
}

/// Bytes in use: free pages inside the file do not count, they are used again.
pub(super) fn used_bytes(connection: &Connection) -> Result<u64, rusqlite::Error> {
    let number = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, u64>(0));
    Ok((number("page_count")? - number("freelist_count")?) * number("page_size")?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use avwatch_actors::event::{Event, EventState};
    use avwatch_actors::record::Record;

    use super::super::{schema, write};
    use super::*;
    use crate::notify::Router;
    use crate::sinks::samples::{event, incident, wall};

    const KEEP_ALL: Retention = Retention { days_max: 36_500, rows_max: u64::MAX, bytes_max: u64::MAX };

    fn database(changes: impl IntoIterator<Item = Event>) -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, "memory".as_ref(), schema::MIGRATIONS).unwrap();
        let changes: Vec<_> = changes.into_iter().map(|event| Record::Event(Arc::new(event))).collect();
        write::commit(&mut connection, &changes, &Router::default()).unwrap();
        connection
    }

    fn ended(count: u64) -> impl Iterator<Item = Event> {
        (1..=count).map(|number| event(&format!("{number:08}"), "lobby", "black", number, EventState::Ended))
    }

    fn rows(connection: &Connection, table: &str) -> u64 {
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    fn sweep_all(connection: &mut Connection, keep: Retention, now: SystemTime) -> u32 {
        let mut batches = 0;
        while sweep(connection, keep, now).unwrap() > 0 {
            batches += 1;
            assert!(batches < 100, "retention does not end");
        }
        batches
    }

    #[test]
    fn rows_above_the_limit_go_oldest_first_in_batches() {
        let mut connection = database(ended(2 * BATCH));
        let keep = Retention { rows_max: 300, ..KEEP_ALL };
        assert_eq!(sweep(&mut connection, keep, wall(0).0).unwrap(), BATCH);
        sweep_all(&mut connection, keep, wall(0).0);
        assert_eq!((rows(&connection, "changes"), rows(&connection, "events")), (300, 300));
        let oldest: u64 = connection.query_row("SELECT min(sequence) FROM changes", [], |row| row.get(0)).unwrap();
        assert_eq!(oldest, 2 * BATCH - 300 + 1);
    }

    #[test]
    fn changes_older_than_the_days_go_and_younger_stay() {
        let mut connection = database(ended(100));
        let keep = Retention { days_max: 1, ..KEEP_ALL };
        let now = wall(24 * 3_600 + 50).0;
        sweep_all(&mut connection, keep, now);
        assert_eq!(rows(&connection, "changes"), 51);
    }

    #[test]
    fn a_change_from_the_far_future_does_not_keep_the_past_for_ever() {
        let mut future = event("00000000", "lobby", "black", 1, EventState::Ended);
        future.changed_at = wall(10 * 365 * 24 * 3_600);
        let mut connection = database([future].into_iter().chain(ended(100).skip(1)));
        let keep = Retention { days_max: 1, ..KEEP_ALL };
        sweep_all(&mut connection, keep, wall(2 * 24 * 3_600).0);
        assert_eq!(rows(&connection, "changes"), 0);
    }

    #[test]
    fn bytes_above_the_limit_are_freed() {
        let mut connection = database(ended(5_000));
        let before = used_bytes(&connection).unwrap();
        let keep = Retention { bytes_max: before / 2, ..KEEP_ALL };
        sweep_all(&mut connection, keep, wall(0).0);
        let after = used_bytes(&connection).unwrap();
        assert!(after <= before / 2 && after > before / 4, "{before} -> {after}");
    }

    #[test]
    fn an_open_event_outlives_its_changes() {
        let open = event("00000000", "lobby", "freeze", 1, EventState::Raised);
        let mut connection = database([open].into_iter().chain(ended(100).skip(1)));
        sweep_all(&mut connection, Retention { rows_max: 10, ..KEEP_ALL }, wall(0).0);
        let left: String =
            connection.query_row("SELECT id FROM events ORDER BY sequence LIMIT 1", [], |row| row.get(0)).unwrap();
        assert_eq!(left, "00000000");
        assert_eq!(rows(&connection, "events"), 11);
    }

    #[test]
    fn ended_incidents_go_with_the_changes_of_their_time_and_open_ones_stay() {
        let mut connection = database(ended(100));
        let incidents = [("a", 10, true), ("b", 95, true), ("c", 10, false)];
        let records: Vec<_> =
            incidents.map(|(id, second, is_over)| Record::Incident(Arc::new(incident(id, second, is_over)))).into();
        write::commit(&mut connection, &records, &Router::default()).unwrap();
        sweep_all(&mut connection, Retention { rows_max: 10, ..KEEP_ALL }, wall(200).0);
        let mut statement = connection.prepare("SELECT id FROM incidents ORDER BY id").unwrap();
        let left: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(left, ["b", "c"]);
    }
}
