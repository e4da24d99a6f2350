//! What waits for receivers, out of a damaged database, as far as it can be read.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params_from_iter};

use super::open::{CHECK_TIME_MAX, bounded};

/// The tables with their columns. What a receiver was told goes with what waits: ends hang on it.
const TABLES: [(&str, &[&str]); 3] = [
    ("told", &["receiver", "subject", "severity"]),
    ("messages", &["receiver", "id", "created", "attempts", "parked", "why", "due", "tried", "renewed"]),
    ("outbox", &OUTBOX),
];

const OUTBOX: [&str; 10] =
    ["number", "receiver", "subject", "change_id", "kind", "part", "created", "message", "json", "told_before"];

/// Copies it into a fresh database; the first error of a table ends the reading of it.
pub(super) fn carry_outbox(fresh: &mut Connection, damaged: &Path) -> Result<(), rusqlite::Error> {
    // Writable, because reading the write-ahead log may need its index rebuilt.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let Ok(old) = Connection::open_with_flags(damaged, flags) else { return Ok(()) };
    let transaction = fresh.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (table, columns) in TABLES {
        // A file that is damaged already when the program is newer has not all of them.
        let is_there = |column: &&str| old.column_exists(None, table, *column).unwrap_or(true);
        let columns: Vec<&str> = columns.iter().copied().filter(is_there).collect();
        let (names, marks) = (columns.join(", "), vec!["?"; columns.len()].join(", "));
        let mut insert = transaction.prepare(&format!("INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})"))?;
        let mut rows: Vec<Vec<Value>> = Vec::new();
        let read = bounded(&old, CHECK_TIME_MAX, |old| {
            let mut statement = old.prepare(&format!("SELECT {names} FROM {table}"))?;
            let mut found = statement.query([])?;
            while let Some(row) = found.next()? {
                rows.push((0..columns.len()).map(|at| row.get(at)).collect::<Result<_, _>>()?);
            }
            Ok(())
        });
        if let Err(error) = read {
            tracing::warn!(table, fault = %error, "what waits for receivers could be read in part only");
        }
        for row in rows {
            insert.execute(params_from_iter(row))?;
        }
    }
    transaction.commit()
}
