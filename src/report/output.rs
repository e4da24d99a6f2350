//! Where a report goes: standard output, or a file that is there wholly or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Where a report goes. Made before the inputs are read, so that a wrong path costs no time.
#[derive(Clone, Debug)]
pub enum Destination {
    /// Standard output. A reader that has closed its end has read enough: that is success.
    Stdout,
    /// A regular file: written beside its place, then renamed into it.
    File(PathBuf),
    /// Something else that can be written, such as a named pipe or a terminal: written directly.
    Special(PathBuf),
}

/// Why a report could not be delivered.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The path names no place where a file can be.
    #[error("cannot write '{}': {cause}", path.display())]
    Place {
        /// The path as given.
        path: PathBuf,
        /// What is wrong with it.
        cause: io::Error,
    },
    /// Writing failed.
    #[error("cannot write the report to {place}: {cause}")]
    Write {
        /// Where to.
        place: String,
        /// What went wrong.
        cause: io::Error,
    },
}

impl Destination {
    /// Finds out what kind of place `path` is; standard output when there is none or it is `-`.
    ///
    /// # Errors
    ///
    /// The path is a folder, or its folder does not exist.
    pub fn new(path: Option<&Path>) -> Result<Self, OutputError> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else { return Ok(Self::Stdout) };
        place(path).map_err(|cause| OutputError::Place { path: path.to_owned(), cause })
    }

    /// Delivers the bytes.
    ///
    /// # Errors
    ///
    /// They could not be written; an earlier file of that name is then untouched.
    pub fn write(&self, bytes: &[u8]) -> Result<(), OutputError> {
        let (place, written) = match self {
            Self::Stdout => ("standard output".to_owned(), pour(io::stdout().lock(), bytes)),
            Self::File(path) => (path.display().to_string(), replace(path, bytes)),
            Self::Special(path) => {
                let opened = OpenOptions::new().write(true).open(path);
                (path.display().to_string(), opened.and_then(|file| pour(file, bytes)))
            }
        };
        written.map_err(|cause| OutputError::Write { place, cause })
    }
}

fn place(path: &Path) -> io::Result<Destination> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::Error::new(ErrorKind::IsADirectory, "it is a folder")),
        // Links are followed first: the rename must replace what the link points to, not the link.
        Ok(found) if found.is_file() => Ok(Destination::File(fs::canonicalize(path)?)),
        // Renaming over a device or a pipe would destroy it.
        Ok(_) => Ok(Destination::Special(path.to_owned())),
        Err(cause) if cause.kind() == ErrorKind::NotFound => {
            let name = path.file_name().ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "it names no file"))?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Ok(Destination::File(fs::canonicalize(folder)?.join(name)))
        }
        Err(cause) => Err(cause),
    }
}

/// Writes everything; a closed pipe is success.
fn pour(mut to: impl Write, bytes: &[u8]) -> io::Result<()> {
    match to.write_all(bytes).and_then(|()| to.flush()) {
        Err(cause) if cause.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes a file beside `path` and renames it over it, so that a reader never sees half a report.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let written = write_new(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // Nothing more can be done for a left-over; the first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("report.json");
        fs::write(&path, "an older and much longer report").expect("writes");
        Destination::new(Some(&path)).expect("a place").write(b"new\n").expect("writes");
        assert_eq!(fs::read(&path).expect("reads"), b"new\n");
        assert_eq!(names(folder.path()), ["report.json"]);
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().expect("a folder");
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "old").expect("writes");
        std::os::unix::fs::symlink(&target, &link).expect("links");
        Destination::new(Some(&link)).expect("a place").write(b"new").expect("writes");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        assert_eq!(fs::read(&target).expect("reads"), b"new");
    }

    #[test]
    fn a_dash_is_standard_output() {
        assert!(matches!(Destination::new(Some(Path::new("-"))), Ok(Destination::Stdout)));
        assert!(matches!(Destination::new(None), Ok(Destination::Stdout)));
    }

    #[test]
    fn a_device_is_written_not_replaced() {
        let null = Destination::new(Some(Path::new("/dev/null"))).expect("a place");
        assert!(matches!(null, Destination::Special(_)), "{null:?}");
        null.write(b"x").expect("writes");
    }

    #[test]
    fn a_folder_and_a_missing_folder_are_refused_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("none").join("report.json");
        for path in [folder.path(), missing.as_path()] {
            let error = Destination::new(Some(path)).expect_err("refused").to_string();
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
    }

    #[test]
    fn a_reader_that_has_closed_its_end_is_no_error() {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        pour(writer, &[0; 100_000]).expect("a closed pipe is success");
    }

    #[test]
    fn a_write_that_fails_is_told() {
        let full = Destination::Special(PathBuf::from("/dev/full"));
        let error = full.write(b"x").expect_err("no space").to_string();
        assert!(error.starts_with("cannot write the report to /dev/full: "), "{error}");
    }
}
