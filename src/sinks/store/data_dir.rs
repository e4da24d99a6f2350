//! The data directory: its lock, its permissions, and the names of the files in it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::StoreError;

const LOCK_FILE: &str = "avwatch.lock";
const DATABASE_FILE: &str = "events.db";

/// Damaged databases that are kept for examination; older ones are deleted.
const DAMAGED_KEPT_MAX: usize = 3;

/// A data directory that belongs to this process until it is dropped or the process ends.
#[derive(Debug)]
pub struct DataDir {
    directory: PathBuf,
    /// Holds the lock; the kernel releases it with the descriptor, however the process ends.
    _lock: File,
}

impl DataDir {
    /// Makes the directory if it is missing (0700, below what exists) and locks it.
    pub fn claim(directory: &Path) -> Result<Self, StoreError> {
        let failed = |what| move |source| StoreError::File { what, path: directory.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed("create data_dir"))?;
        let mode = fs::metadata(directory).map_err(failed("read data_dir"))?.permissions().mode();
        if mode & 0o022 != 0 {
            // Not tightened by itself: it may be a directory that others share on purpose.
            tracing::warn!(directory = %directory.display(), mode = format!("{:o}", mode & 0o7777),
                "data_dir can be written by other users");
        }
        let lock = lock(directory)?;
        Ok(Self { directory: directory.to_owned(), _lock: lock })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.directory
    }

    /// The database in it.
    pub(super) fn database(&self) -> PathBuf {
        database_path(&self.directory)
    }

    /// Makes an empty database file of mode 0600 if there is none; an existing one is tightened.
    ///
    /// SQLite gives its log and index files the mode of the database.
    pub(super) fn prepare_database(&self) -> Result<(), StoreError> {
        let path = self.database();
        let failed = |what| {
            let path = path.clone();
            move |source| StoreError::File { what, path, source }
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed("open"))?;
        file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(failed("restrict"))?;
        // The new name itself must survive a loss of power.
        File::open(&self.directory).and_then(|directory| directory.sync_all()).map_err(failed("sync the directory of"))
    }

    /// Renames the database with its log to `events.db.damaged-<number>` and returns the new name.
    pub(super) fn move_aside(&self) -> Result<PathBuf, StoreError> {
        let mut kept = self.damaged()?;
        let number = kept.last().map_or(1, |(number, _)| number + 1);
        let aside = self.directory.join(format!("{DATABASE_FILE}.damaged-{number}"));
        for suffix in ["", "-wal", "-shm"] {
            let from = with_suffix(&self.database(), suffix);
            match fs::rename(&from, with_suffix(&aside, suffix)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StoreError::File { what: "move aside", path: from, source: error });
                }
                Ok(()) | Err(_) => {}
            }
        }
        kept.push((number, aside.clone()));
        for (_, old) in kept.iter().take(kept.len().saturating_sub(DAMAGED_KEPT_MAX)) {
            for suffix in ["", "-wal", "-shm"] {
                // Deleting old evidence is tidying up; failing at it harms nothing now.
                let _ = fs::remove_file(with_suffix(old, suffix));
            }
        }
        Ok(aside)
    }

    /// Databases moved aside earlier, oldest first.
    fn damaged(&self) -> Result<Vec<(u64, PathBuf)>, StoreError> {
        let failed = |source| StoreError::File { what: "list", path: self.directory.clone(), source };
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(DATABASE_FILE)?.strip_prefix(".damaged-"));
            if let Some(number) = number.and_then(|number| number.parse().ok()) {
                found.push((number, entry.path()));
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}

/// The database in a data directory.
pub(super) fn database_path(directory: &Path) -> PathBuf {
    directory.join(DATABASE_FILE)
}

/// Appends to the last part of a path.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Which file a path means now; absent when there is none.
///
/// A database that was deleted or replaced while open is noticed by this changing.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

fn lock(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join(LOCK_FILE);
    let failed = |source| StoreError::File { what: "lock", path: path.clone(), source };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Who holds it is a courtesy; that it is held is what matters.
            let _ = file.take(20).read_to_string(&mut holder);
            let holder = match holder.trim().parse::<u32>() {
                Ok(process) => format!("process {process}"),
                Err(_) => "another process".to_owned(),
            };
            return Err(StoreError::InUse { directory: directory.to_owned(), holder });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let write = |file: &mut File| -> io::Result<()> {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    if let Err(error) = write(&mut file) {
        // A full disk must not keep the service from watching.
        tracing::warn!(fault = %error, "cannot write the process number into the lock file");
    }
    Ok(file)
}
