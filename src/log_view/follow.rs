//! Following logs: what is there, then what comes, through rotation.

use std::io;
use std::path::Path;
use std::time::Instant;

use super::{LINE_BYTES_MAX, LineReader, Read};
use crate::tail::{Begin, Tail};

/// Bytes that are taken from one file before the next one has its turn.
const TURN_BYTES: u64 = 4 << 20;

/// A place that is read from its begin and may go on.
pub enum Source {
    /// A file that may grow, be rolled or emptied.
    File(Box<Tail>),
    /// Something that ends.
    Stream(Box<dyn io::Read>, Box<LineReader>),
    /// It has ended.
    Ended,
}

impl Source {
    /// A file, from its first line on.
    pub fn file(path: &Path) -> Self {
        Self::File(Box::new(Tail::new(path, Begin::Start, LINE_BYTES_MAX)))
    }

    /// What ends, such as standard input.
    pub fn stream(stream: impl io::Read + 'static) -> Self {
        Self::Stream(Box::new(stream), Box::default())
    }
}

/// Follows several places.
pub struct Follower {
    sources: Vec<Source>,
}

impl Follower {
    /// Follows these.
    pub fn new(sources: Vec<Source>) -> Self {
        Self { sources }
    }

    /// Gives what came; `More` says that there is more at once.
    ///
    /// # Errors
    /// A place cannot be read, or what `take` says.
    pub fn poll<E: From<io::Error>>(&mut self, take: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<Read, E> {
        let mut all = Read::End;
        for source in &mut self.sources {
            let read = match source {
                Source::File(tail) => tail.poll(Instant::now(), TURN_BYTES, take)?,
                Source::Stream(stream, lines) => {
                    let read = lines.read(stream, take)?;
                    if read == Read::End {
                        lines.finish(take)?;
                        *source = Source::Ended;
                    }
                    read
                }
                Source::Ended => Read::End,
            };
            if read == Read::More {
                all = Read::More;
            }
        }
        Ok(all)
    }

    /// True when nothing can come any more.
    pub fn has_ended(&self) -> bool {
        self.sources.iter().all(|source| matches!(source, Source::Ended))
    }
}
