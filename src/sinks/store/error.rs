//! Why the store could not be opened, read or written.

use std::io;
use std::path::PathBuf;

use avwatch_actors::sink::SinkError;
use rusqlite::ErrorCode;

use super::NAME;

/// Why the store could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The SQLite that this program was built with can lose data.
    #[error("cannot use SQLite {found}: versions before {needed} can corrupt a write-ahead log")]
    SqliteTooOld {
        /// Version number in SQLite's own form.
        found: i32,
        /// Lowest good one.
        needed: i32,
    },
    /// Another process uses the same data directory.
    #[error("cannot use data_dir {}: {holder} is using it; give each instance a data_dir of its own", directory.display())]
    InUse {
        /// The data directory.
        directory: PathBuf,
        /// Who, as far as known.
        holder: String,
    },
    /// The file was written by a newer version.
    #[error("cannot use {}: its schema is version {found}, this program knows versions up to {known}; start the newer program, or move the file away to begin afresh", path.display())]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Version of its schema.
        found: u32,
        /// Newest known version.
        known: u32,
    },
    /// A file operation failed.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A database operation failed.
    #[error("cannot {what} {}: {source}", path.display())]
    Database {
        /// What was tried.
        what: &'static str,
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The content of the database contradicts itself.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What the check found first.
        why: String,
    },
}

impl StoreError {
    /// True when the file's content is broken, so that only a fresh file helps.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::Database { source, .. } => trouble(source) == Trouble::Damaged,
            Self::SqliteTooOld { .. } | Self::InUse { .. } | Self::NewerSchema { .. } | Self::File { .. } => false,
        }
    }

    /// True when another connection writes just now: it is gone soon.
    pub fn is_busy(&self) -> bool {
        let code = if let Self::Database { source, .. } = self { source.sqlite_error_code() } else { None };
        matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    }

    /// The same for the port: what may pass by itself is unavailable, the rest is broken.
    pub(super) fn into_sink_error(self) -> SinkError {
        let passing = match &self {
            Self::Database { source, .. } => trouble(source) != Trouble::Permanent,
            Self::File { .. } | Self::Damaged { .. } => true,
            Self::SqliteTooOld { .. } | Self::InUse { .. } | Self::NewerSchema { .. } => false,
        };
        let why = self.to_string();
        if passing { SinkError::Unavailable { sink: NAME, why } } else { SinkError::Broken { sink: NAME, why } }
    }
}

/// What an error of SQLite asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// May pass by itself: disk full, input or output error, lock, memory.
    Passing,
    /// The file's content is broken.
    Damaged,
    /// A fault of this program or of the batch: trying again does not help.
    Permanent,
}

/// Classes an error by SQLite's primary result code.
pub(super) fn trouble(error: &rusqlite::Error) -> Trouble {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Trouble::Damaged,
        Some(
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::FileLockingProtocolFailed,
        ) => Trouble::Passing,
        _ => Trouble::Permanent,
    }
}
