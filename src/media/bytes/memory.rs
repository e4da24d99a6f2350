//! Bytes that are already here, and bytes of which the first were looked at before.

use avwatch_actors::source::SourceError;

use super::{ByteSource, Extent};

/// Reads bytes held in memory, such as a playlist that we have checked and shortened.
pub struct MemorySource {
    bytes: Vec<u8>,
    position: usize,
}

impl MemorySource {
    /// Reads these bytes from the start.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, position: 0 }
    }
}

impl ByteSource for MemorySource {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
        let rest = self.bytes.get(self.position..).unwrap_or(&[]);
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.position += count;
        Ok(count)
    }

    fn seek(&mut self, to: u64) -> Result<(), SourceError> {
        self.position = usize::try_from(to).unwrap_or(usize::MAX);
        Ok(())
    }

    fn extent(&self) -> Extent {
        Extent { size: Some(self.bytes.len() as u64), seekable: true }
    }
}

/// A source whose first bytes were read in advance and are delivered again.
pub struct PrefixedSource {
    head: Vec<u8>,
    used: usize,
    rest: Box<dyn ByteSource>,
}

impl PrefixedSource {
    /// Reads ahead until `wanted` bytes are there or the source ends.
    pub fn peek(rest: Box<dyn ByteSource>, wanted: usize) -> Result<Self, SourceError> {
        let mut source = Self { head: Vec::new(), used: 0, rest };
        source.grow(wanted)?;
        Ok(source)
    }

    /// Reads on until at least `wanted` bytes are known, or fewer when the source ends before.
    pub fn grow(&mut self, wanted: usize) -> Result<(), SourceError> {
        let mut filled = self.head.len();
        self.head.resize(filled.max(wanted), 0);
        while filled < wanted {
            match self.rest.read(&mut self.head[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) => {
                    self.head.truncate(filled);
                    return Err(error);
                }
            }
        }
        self.head.truncate(filled);
        Ok(())
    }

    /// The bytes read ahead.
    pub fn head(&self) -> &[u8] {
        &self.head
    }
}

impl ByteSource for PrefixedSource {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
        let known = self.head.get(self.used..).unwrap_or(&[]);
        if known.is_empty() {
            return self.rest.read(buffer);
        }
        let count = known.len().min(buffer.len());
        buffer[..count].copy_from_slice(&known[..count]);
        self.used += count;
        if self.used == self.head.len() && !self.rest.extent().seekable {
            // Nobody will ask for it again.
            self.head = Vec::new();
            self.used = 0;
        }
        Ok(count)
    }

    fn seek(&mut self, to: u64) -> Result<(), SourceError> {
        self.head = Vec::new();
        self.used = 0;
        self.rest.seek(to)
    }

    fn extent(&self) -> Extent {
        self.rest.extent()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(source: &mut dyn ByteSource) -> Vec<u8> {
        let mut all = Vec::new();
        let mut buffer = [0; 3];
        loop {
            match source.read(&mut buffer).unwrap() {
                0 => return all,
                count => all.extend_from_slice(&buffer[..count]),
            }
        }
    }

    #[test]
    fn what_was_read_ahead_is_delivered_first_and_once() {
        let memory = MemorySource::new(b"0123456789".to_vec());
        let mut source = PrefixedSource::peek(Box::new(memory), 4).unwrap();
        assert_eq!(source.head(), b"0123");
        source.grow(6).unwrap();
        assert_eq!(source.head(), b"012345");
        assert_eq!(drain(&mut source), b"0123456789");
    }

    #[test]
    fn seeking_forgets_what_was_read_ahead() {
        let memory = MemorySource::new(b"0123456789".to_vec());
        let mut source = PrefixedSource::peek(Box::new(memory), 4).unwrap();
        source.seek(8).unwrap();
        assert_eq!(drain(&mut source), b"89");
    }

    #[test]
    fn a_short_source_shows_what_it_has() {
        let source = PrefixedSource::peek(Box::new(MemorySource::new(b"ab".to_vec())), 4_096).unwrap();
        assert_eq!(source.head(), b"ab");
    }
}
