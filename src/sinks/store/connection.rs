//! A connection that follows its path: a damaged database is replaced while the service runs.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::data_dir::{database_path, identity};
use super::open::BUSY_WAIT;

/// A connection to the database of a data directory, opened with its first use, and anew when another
/// file has taken the path.
#[derive(Debug)]
pub(super) struct Following {
    path: PathBuf,
    /// The connection, and which file it means.
    opened: Option<(Connection, Option<(u64, u64)>)>,
}

impl Following {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self { path: database_path(data_dir), opened: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The connection; `set_up` is for one that was just opened with these flags. It waits for others that
    /// use the file at most [`BUSY_WAIT`].
    pub(super) fn get(
        &mut self,
        flags: OpenFlags,
        set_up: impl FnOnce(&Connection) -> Result<(), rusqlite::Error>,
    ) -> Result<&mut Connection, rusqlite::Error> {
        let now = identity(&self.path);
        let opened = match self.opened.take().filter(|(_, then)| *then == now) {
            Some(opened) => opened,
            None => {
                let connection = Connection::open_with_flags(&self.path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
                connection.busy_timeout(BUSY_WAIT)?;
                set_up(&connection)?;
                (connection, now)
            }
        };
        Ok(&mut self.opened.insert(opened).0)
    }
}
