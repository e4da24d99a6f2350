//! Standard input and other pipes: read once, from front to back.
//!
//! Standard input redirected from a regular file is read as that file, so that it can be sought.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use avwatch_actors::source::SourceError;

use super::file::{FileSource, plain};
use super::patience::Patience;
use super::wait::{Ready, wait_for};
use super::{ByteSource, Extent};

/// How standard input is called in messages.
const NAME: &str = "standard input";

/// Opens this process's standard input.
///
/// Works on a copy of the descriptor, so that descriptor 0 stays open whatever happens to the source.
pub fn open(patience: &Arc<Patience>) -> Result<Box<dyn ByteSource>, SourceError> {
    let copied = io::stdin().as_fd().try_clone_to_owned();
    let fd = copied.map_err(|error| SourceError::File { what: NAME.to_owned(), why: plain(&error) })?;
    from_descriptor(fd, patience)
}

/// Opens whatever stands behind a descriptor that serves as standard input.
fn from_descriptor(fd: OwnedFd, patience: &Arc<Patience>) -> Result<Box<dyn ByteSource>, SourceError> {
    let file = File::from(fd);
    if file.metadata().is_ok_and(|metadata| metadata.is_file() || metadata.is_dir()) {
        return Ok(Box::new(FileSource::from_file(file, NAME.to_owned(), patience)?));
    }
    Ok(Box::new(PipeSource { file, what: NAME.to_owned(), patience: patience.clone() }))
}

/// Reads a pipe, terminal or socket that was handed to us.
struct PipeSource {
    file: File,
    what: String,
    patience: Arc<Patience>,
}

impl ByteSource for PipeSource {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
        loop {
            // The descriptor may be blocking, as we got it: `poll` first, then exactly one `read`.
            wait_for(self.file.as_fd(), Ready::Read, &self.patience, None)
                .map_err(|end| end.into_source(&self.patience, &self.what))?;
            match self.file.read(buffer) {
                Ok(count) => {
                    self.patience.arrived(count);
                    return Ok(count);
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                Err(error) => return Err(SourceError::Read { what: self.what.clone(), why: plain(&error) }),
            }
        }
    }

    fn seek(&mut self, _to: u64) -> Result<(), SourceError> {
        Err(super::cannot_seek(&self.what))
    }

    fn extent(&self) -> Extent {
        Extent::default()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::media::bytes::testing::{patience, patience_on};
    use avwatch_actors::lifeline::{CutReason, Lifeline};

    #[test]
    fn a_pipe_is_read_to_its_end() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut source = from_descriptor(reader.into(), &patience(1_000)).unwrap();
        writer.write_all(b"abc").unwrap();
        drop(writer);
        let mut buffer = [0; 16];
        assert_eq!(source.read(&mut buffer).unwrap(), 3);
        assert_eq!(source.read(&mut buffer).unwrap(), 0);
        assert!(!source.extent().seekable);
    }

    #[test]
    fn a_silent_pipe_ends_at_the_deadline_and_beats_meanwhile() {
        let (reader, _writer) = io::pipe().unwrap();
        let line = Arc::new(Lifeline::default());
        let mut source = from_descriptor(reader.into(), &patience_on(&line, 300)).unwrap();
        let start = Instant::now();
        let error = source.read(&mut [0; 16]).unwrap_err();
        assert!(matches!(error, SourceError::OpenLimit { .. }), "{error}");
        assert!((Duration::from_millis(290)..Duration::from_millis(550)).contains(&start.elapsed()));
        assert!(line.beats() >= 3);
    }

    #[test]
    fn a_cut_ends_a_wait_within_a_quarter_of_a_second() {
        let (reader, _writer) = io::pipe().unwrap();
        let line = Arc::new(Lifeline::default());
        let mut source = from_descriptor(reader.into(), &patience_on(&line, 60_000)).unwrap();
        let cutter = std::thread::spawn({
            let line = line.clone();
            move || {
                // Cut once the reader is surely waiting: it beats before each slice.
                while line.beats() < 2 {
                    std::thread::yield_now();
                }
                line.cut(CutReason::Stopped);
                Instant::now()
            }
        });
        let error = source.read(&mut [0; 16]).unwrap_err();
        let cut_at = cutter.join().unwrap();
        assert!(matches!(error, SourceError::Stopped), "{error}");
        assert!(cut_at.elapsed() < Duration::from_millis(250));
    }

    #[test]
    fn a_redirected_file_can_be_sought() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123").unwrap();
        let source = from_descriptor(file.into(), &patience(1_000)).unwrap();
        assert_eq!(source.extent(), Extent { size: Some(4), seekable: true });
    }
}
