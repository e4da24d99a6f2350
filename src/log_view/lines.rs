//! Lines out of bytes, in big blocks: what costs least per byte.

use std::io;

/// Longest line in bytes; a longer one is passed over and counted.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// What one look at the source gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// More came.
    More,
    /// Nothing more for now.
    End,
}

/// Cuts what a reader gives into lines. Its memory is twice the longest line.
#[derive(Debug)]
pub struct LineReader {
    buffer: Vec<u8>,
    line_max: usize,
    /// Where what was not given out yet begins and ends.
    from: usize,
    to: usize,
    /// Whether the line that goes on is passed over.
    skip: Skip,
    /// Lines that were too long.
    pub too_long: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Skip {
    #[default]
    Nothing,
    /// The rest of a line that is too long.
    TooLong,
    /// The rest of a line whose begin was not read.
    Beheaded,
}

impl Default for LineReader {
    fn default() -> Self {
        Self::new(LINE_BYTES_MAX)
    }
}

impl LineReader {
    /// A reader of lines up to that length in bytes.
    pub fn new(line_max: usize) -> Self {
        Self { buffer: vec![0; 2 * line_max], line_max, from: 0, to: 0, skip: Skip::Nothing, too_long: 0 }
    }

    /// What comes first is the rest of a line whose begin is not known: it is passed over.
    pub fn begin_within_line(&mut self) {
        self.skip = Skip::Beheaded;
    }

    /// Reads one block and gives every complete line in it, without its end.
    ///
    /// # Errors
    /// What reading or `take` says.
    pub fn read<E: From<io::Error>>(
        &mut self,
        source: &mut dyn io::Read,
        take: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Read, E> {
        let count = loop {
            match source.read(&mut self.buffer[self.to..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        if count == 0 {
            return Ok(Read::End);
        }
        let fresh = self.to;
        self.to += count;
        let mut looked = fresh;
        while let Some(found) = memchr::memchr(b'\n', &self.buffer[looked..self.to]) {
            let end = looked + found;
            match std::mem::take(&mut self.skip) {
                Skip::Nothing => take(&self.buffer[self.from..end])?,
                Skip::TooLong => self.too_long += 1,
                Skip::Beheaded => {}
            }
            self.from = end + 1;
            looked = self.from;
        }
        self.make_room();
        Ok(Read::More)
    }

    /// Gives what stands behind the last line end, if anything does: at the end of a file.
    ///
    /// # Errors
    /// What `take` says.
    pub fn finish<E>(&mut self, take: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let rest = self.from..self.to;
        (self.from, self.to) = (0, 0);
        match std::mem::take(&mut self.skip) {
            Skip::Nothing => {}
            Skip::TooLong => {
                self.too_long += 1;
                return Ok(());
            }
            Skip::Beheaded => return Ok(()),
        }
        if rest.is_empty() { Ok(()) } else { take(&self.buffer[rest]) }
    }

    /// Moves the begin of an unfinished line to the front; drops one that is too long.
    fn make_room(&mut self) {
        self.buffer.copy_within(self.from..self.to, 0);
        self.to -= self.from;
        self.from = 0;
        if self.skip != Skip::Nothing {
            self.to = 0;
        } else if self.to > self.line_max {
            self.skip = Skip::TooLong;
            self.to = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives pieces of the lengths asked for.
    struct Pieces<'a>(&'a [u8], Vec<usize>);

    impl io::Read for Pieces<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.1.pop().unwrap_or(usize::MAX).clamp(1, into.len()).min(self.0.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn all(bytes: &[u8], pieces: Vec<usize>) -> (Vec<Vec<u8>>, u64) {
        let (mut lines, mut reader, mut source) = (Vec::new(), LineReader::default(), Pieces(bytes, pieces));
        let mut take = |line: &[u8]| -> io::Result<()> {
            lines.push(line.to_vec());
            Ok(())
        };
        while reader.read(&mut source, &mut take).unwrap() == Read::More {}
        reader.finish(&mut take).unwrap();
        (lines, reader.too_long)
    }

    proptest! {
        #[test]
        fn any_pieces_give_the_lines_of_the_whole(
            text in "[a\n]{0,60}",
            pieces in prop::collection::vec(1_usize..9, 0..60),
        ) {
            let mut expected: Vec<Vec<u8>> = text.split('\n').map(|line| line.as_bytes().to_vec()).collect();
            if expected.last().is_some_and(Vec::is_empty) {
                expected.pop();
            }
            prop_assert_eq!(all(text.as_bytes(), pieces), (expected, 0));
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_counted() {
        let text = [b"one\n".to_vec(), vec![b'x'; 3 * LINE_BYTES_MAX], b"\ntwo".to_vec()].concat();
        let (lines, too_long) = all(&text, Vec::new());
        assert_eq!((lines, too_long), (vec![b"one".to_vec(), b"two".to_vec()], 1));
    }
}
