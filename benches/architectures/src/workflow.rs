//! The workflow engine's memory: every state transition is on disk before the next step begins.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::Result;
use rusqlite::{Connection, params};

/// The states that a second of a stream goes through, in order.
pub const STATES: [&str; 4] = ["converting", "detecting", "aggregating", "done"];

/// Persisted states of all seconds of all streams.
pub struct Workflow {
    connection: Mutex<Connection>,
}

impl Workflow {
    /// A fresh one in a folder.
    pub fn open(folder: &Path) -> Result<Self> {
        let connection = Connection::open(folder.join("workflow.db"))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(
            "CREATE TABLE steps (stream TEXT, second INTEGER, state TEXT, at INTEGER, PRIMARY KEY (stream, second, state))",
        )?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// Notes that a second of a stream reached a state.
    pub fn reach(&self, stream: &str, second: u64, state: &str) -> Result<()> {
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = "INSERT INTO steps (stream, second, state, at) VALUES (?1, ?2, ?3, ?4)";
        connection.prepare_cached(sql)?.execute(params![stream, second as i64, state, at])?;
        Ok(())
    }

    /// Transitions so far.
    pub fn transitions(&self) -> Result<u64> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(connection.query_row("SELECT count(*) FROM steps", [], |row| row.get::<_, i64>(0))? as u64)
    }
}
