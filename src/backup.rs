//! Backup: a consistent copy of the databases in a data folder, while a service writes to them.
//!
//! Runs on the thread of the command. It reads through connections of its own that cannot write, so it never delays an
//! event; each copy is what one moment held, is checked, and gets its name only when it is good. Nothing that is there
//! is overwritten.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// Longest wait for a lock of the service.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// What can be copied.
pub const DATABASES: [&str; 3] = ["events.db", "desired.db", "journal.db"];

/// Whether the journal is copied, too: it is large, and no record of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalCopy {
    /// It is.
    Wanted,
    /// It is left out.
    LeftOut,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or folder.
    #[error("cannot {what} '{}': {source}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// With which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A database.
    #[error("cannot {what} '{}': {source}", path.display())]
    Database {
        /// What was tried.
        what: &'static str,
        /// With which.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// There is nothing to copy.
    #[error("there is no events.db in '{}'", .0.display())]
    Nothing(PathBuf),
    /// A copy is there already.
    #[error("'{}' is there already; a backup overwrites nothing", .0.display())]
    Exists(PathBuf),
    /// The copy is not good.
    #[error("the copy of '{}' is damaged: {why}", path.display())]
    Damaged {
        /// Of which database.
        path: PathBuf,
        /// What the check found first.
        why: String,
    },
}

/// One copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Where it is.
    pub path: PathBuf,
    /// How large it is.
    pub bytes: u64,
}

/// Copies the databases of a data folder into another folder, which is made if need be.
///
/// # Errors
/// There is nothing to copy, something would be overwritten, or a copy fails or is not good; what was copied before
/// that stays.
pub fn back_up(data: &Path, into: &Path, journal: JournalCopy) -> Result<Vec<Copied>, BackupError> {
    if !data.join(DATABASES[0]).is_file() {
        return Err(BackupError::Nothing(data.to_owned()));
    }
    let wanted = |name: &&&str| **name != "journal.db" || journal == JournalCopy::Wanted;
    let present: Vec<&str> =
        DATABASES.iter().filter(wanted).filter(|name| data.join(name).is_file()).copied().collect();
    let made = DirBuilder::new().recursive(true).mode(0o700).create(into);
    made.map_err(|source| BackupError::File { what: "make the folder", path: into.to_owned(), source })?;
    // Before anything is copied: half a backup beside an old one is neither.
    if let Some(there) = present.iter().map(|name| into.join(name)).find(|path| path.symlink_metadata().is_ok()) {
        return Err(BackupError::Exists(there));
    }
    present.into_iter().map(|name| copy(&data.join(name), into, name)).collect()
}

fn copy(from: &Path, into: &Path, name: &str) -> Result<Copied, BackupError> {
    let unfinished = into.join(format!(".{name}.{}.part", std::process::id()));
    let copied = copy_to(from, &unfinished).and_then(|()| {
        let path = into.join(name);
        let failed = |what| {
            let path = path.clone();
            move |source| BackupError::File { what, path, source }
        };
        // A link, not a rename: that would replace what has come there meanwhile.
        fs::hard_link(&unfinished, &path).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists(path.clone()),
            _ => BackupError::File { what: "name the copy", path: path.clone(), source },
        })?;
        File::open(into).and_then(|folder| folder.sync_all()).map_err(failed("sync the folder of"))?;
        let bytes = fs::metadata(&path).map_err(failed("read"))?.len();
        Ok(Copied { path: path.clone(), bytes })
    });
    // Its second name, or what is left of a copy that failed.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            eprintln!("warning: cannot remove '{}': {error}", unfinished.display());
        }
        Ok(()) | Err(_) => {}
    }
    copied
}

/// Writes what one moment holds, and checks it.
fn copy_to(from: &Path, to: &Path) -> Result<(), BackupError> {
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::Database { what, path, source }
    };
    // Made first and empty, so that nobody else ever reads it; one that is there is somebody else's.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    file.map_err(|source| BackupError::File { what: "make the copy", path: to.to_owned(), source })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(from, flags).map_err(failed("open", from))?;
    source.busy_timeout(BUSY_WAIT).map_err(failed("open", from))?;
    source.execute("VACUUM INTO ?1", [to.to_string_lossy()]).map_err(failed("copy", from))?;
    let copy = Connection::open_with_flags(to, flags).map_err(failed("open the copy", to))?;
    let word: String =
        copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed("check the copy", to))?;
    if word != "ok" {
        return Err(BackupError::Damaged { path: from.to_owned(), why: word });
    }
    drop(copy);
    File::open(to).and_then(|file| file.sync_all()).map_err(|source| BackupError::File {
        what: "sync the copy",
        path: to.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn database(folder: &Path, name: &str, rows: u32) -> Connection {
        let connection = Connection::open(folder.join(name)).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch("CREATE TABLE t (n INTEGER); PRAGMA user_version = 7;").unwrap();
        for row in 0..rows {
            connection.execute("INSERT INTO t VALUES (?1)", [row]).unwrap();
        }
        connection
    }

    #[test]
    fn the_copy_holds_what_is_in_the_log_only_and_is_for_its_owner() {
        let (data, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut open = database(data.path(), "events.db", 50);
        let _other = database(data.path(), "journal.db", 1);
        // An open transaction of the writer is not in the copy, and does not hold it up.
        let transaction = open.transaction().unwrap();
        transaction.execute("INSERT INTO t VALUES (99)", []).unwrap();
        let copied = back_up(data.path(), &into.path().join("new"), JournalCopy::LeftOut).unwrap();
        assert_eq!(copied.len(), 1);
        let copy = Connection::open(&copied[0].path).unwrap();
        let count = |sql: &str| copy.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap();
        assert_eq!((count("SELECT count(*) FROM t"), count("PRAGMA user_version")), (50, 7));
        let mode = fs::metadata(&copied[0].path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            fs::read_dir(into.path().join("new"))
                .unwrap()
                .filter(|entry| { entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".part") })
                .count(),
            0
        );
    }

    #[test]
    fn a_backup_overwrites_nothing() {
        let (data, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let _open = database(data.path(), "events.db", 1);
        fs::write(into.path().join("events.db"), "mine").unwrap();
        let refused = back_up(data.path(), into.path(), JournalCopy::Wanted).unwrap_err();
        assert!(matches!(refused, BackupError::Exists(_)), "{refused}");
        assert_eq!(fs::read(into.path().join("events.db")).unwrap(), b"mine");
    }

    #[test]
    fn a_folder_without_a_store_and_a_damaged_store_are_refused() {
        let (data, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert!(matches!(back_up(data.path(), into.path(), JournalCopy::Wanted), Err(BackupError::Nothing(_))));
        fs::write(data.path().join("events.db"), vec![7; 20_000]).unwrap();
        assert!(back_up(data.path(), into.path(), JournalCopy::Wanted).is_err());
        assert_eq!(fs::read_dir(into.path()).unwrap().count(), 0, "no copy that is not good");
    }
}
