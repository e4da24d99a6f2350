//! Regular files: the one kind of input that can be sought and never waits.
//!
//! Read with positioned reads, so that a descriptor inherited from a shell keeps its own offset.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use avwatch_actors::source::SourceError;

use super::patience::Patience;
use super::{ByteSource, Extent};

/// Reads a regular file.
pub struct FileSource {
    file: File,
    what: String,
    size: u64,
    position: u64,
    patience: Arc<Patience>,
}

impl FileSource {
    /// Opens a path that must be a regular file with something in it.
    ///
    /// `O_NONBLOCK` lets the open of a pipe without a writer return, so that it can be refused; it
    /// has no effect on a regular file.
    pub fn open(path: &Path, patience: &Arc<Patience>) -> Result<Self, SourceError> {
        let what = path.display().to_string();
        let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(path);
        let file = opened.map_err(|error| refuse(&what, plain(&error)))?;
        Self::from_file(file, what, patience)
    }

    /// Takes over an open file, such as standard input redirected from one.
    pub(super) fn from_file(file: File, what: String, patience: &Arc<Patience>) -> Result<Self, SourceError> {
        let metadata = file.metadata().map_err(|error| refuse(&what, plain(&error)))?;
        let kind = metadata.file_type();
        let why = match () {
            () if kind.is_dir() => "it is a directory",
            () if kind.is_fifo() => "it is a pipe, not a regular file; pass it on standard input with '-'",
            () if kind.is_socket() => "it is a socket, not a regular file",
            () if !kind.is_file() => "it is a device, not a regular file",
            () if metadata.len() == 0 => "the file is empty",
            () => return Ok(Self { file, what, size: metadata.len(), position: 0, patience: patience.clone() }),
        };
        Err(refuse(&what, why.to_owned()))
    }
}

impl ByteSource for FileSource {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
        self.patience.check(&self.what)?;
        loop {
            match self.file.read_at(buffer, self.position) {
                Ok(count) => {
                    self.position += count as u64;
                    self.patience.arrived(count);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(SourceError::Read { what: self.what.clone(), why: plain(&error) }),
            }
        }
    }

    fn seek(&mut self, to: u64) -> Result<(), SourceError> {
        self.position = to;
        Ok(())
    }

    fn extent(&self) -> Extent {
        Extent { size: Some(self.size), seekable: true }
    }
}

fn refuse(what: &str, why: String) -> SourceError {
    SourceError::File { what: what.to_owned(), why }
}

/// The system's words in our manner: lower case, no error number.
pub(super) fn plain(error: &io::Error) -> String {
    let words = error.to_string();
    let words = words.split(" (os error").next().unwrap_or(&words);
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::bytes::testing::patience;

    fn refusal(path: &Path) -> String {
        FileSource::open(path, &patience(1_000)).err().map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn what_is_no_readable_file_is_refused_with_its_name_and_the_cause() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.ts");
        std::fs::write(&empty, b"").unwrap();
        assert!(refusal(&empty).ends_with("empty.ts: the file is empty"), "{}", refusal(&empty));
        assert!(refusal(folder.path()).ends_with("it is a directory"));
        let missing = folder.path().join("no.ts");
        assert_eq!(refusal(&missing), format!("cannot open {}: no such file or directory", missing.display()));
    }

    #[test]
    fn a_pipe_without_a_writer_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        // SAFETY: `name` is a valid C string for the whole call.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        assert!(refusal(&path).contains("it is a pipe"), "{}", refusal(&path));
    }

    #[test]
    fn reading_counts_and_seeking_moves() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some");
        std::fs::write(&path, b"0123456789").unwrap();
        let patience = patience(1_000);
        let mut source = FileSource::open(&path, &patience).unwrap();
        let mut buffer = [0; 4];
        assert_eq!(source.read(&mut buffer).unwrap(), 4);
        source.seek(8).unwrap();
        assert_eq!(source.read(&mut buffer).unwrap(), 2);
        assert_eq!(&buffer[..2], b"89");
        assert_eq!(source.read(&mut buffer).unwrap(), 0);
        assert_eq!(patience.counts().received_bytes, 6);
        assert_eq!(source.extent(), Extent { size: Some(10), seekable: true });
    }
}
