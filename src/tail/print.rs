//! The print of a file that is followed: by it a copy of the file is known.
//!
//! Logs are rotated by copying, too: the copy is a new file, and all that stands in it was read already. What was read of a
//! file is known by its first bytes, its last bytes and how many there were. Owned by the tail that reads.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::Kin;

/// First bytes that are compared.
const HEAD: u64 = 1_024;

/// Last bytes that are compared: what only begins alike, as logs with the same banner do, is no copy.
const WINDOW: u64 = 256;

/// What was read of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Print {
    head: Vec<u8>,
    window: Vec<u8>,
    at: u64,
}

impl Print {
    /// Of a file that is read from there on, as if all before it had been.
    pub(super) fn of(file: &File, at: u64) -> io::Result<Self> {
        let begin = at.saturating_sub(WINDOW);
        Ok(Self { head: bytes(file, 0, HEAD.min(at))?, window: bytes(file, begin, at - begin)?, at })
    }

    /// Bytes read so far.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Takes note of what was read.
    pub(super) fn heed(&mut self, read: &[u8]) {
        let missing = (HEAD as usize).saturating_sub(self.head.len());
        self.head.extend_from_slice(&read[..read.len().min(missing)]);
        self.window.extend_from_slice(&read[read.len().saturating_sub(WINDOW as usize)..]);
        let spare = self.window.len().saturating_sub(WINDOW as usize);
        self.window.drain(..spare);
        self.at += read.len() as u64;
    }

    /// Whether what was read last still stands in the file itself: it does not when it was truncated, though it may have
    /// grown again since.
    pub(super) fn is_still_in(&self, file: &File) -> io::Result<bool> {
        let window = self.window.len() as u64;
        Ok(bytes(file, self.at - window, window)? == self.window)
    }

    /// Whether another file of that length begins as this one, as far as both go.
    pub(super) fn begins(&self, other: &File, length: u64) -> io::Result<bool> {
        let common = length.min(self.head.len() as u64);
        Ok(common > 0 && bytes(other, 0, common)? == self.head[..common as usize])
    }

    /// What another file of that length is to this one, of which nothing is left to compare.
    pub(super) fn kin(&self, other: &File, length: u64) -> io::Result<Kin> {
        Ok(match (self.is_in(other, length)?, self.begins(other, length)?) {
            (true, _) => Kin::Copy(self.at),
            (false, true) => Kin::Alike(None),
            (false, false) => Kin::Stranger,
        })
    }

    /// Whether all that was read of this one stands in another file of that length.
    fn is_in(&self, other: &File, length: u64) -> io::Result<bool> {
        Ok(length >= self.at && self.begins(other, length)? && self.is_still_in(other)?)
    }
}

/// Whether two files have the same bytes before that place.
pub(super) fn agree_before(one: &File, other: &File, at: u64) -> io::Result<bool> {
    let begin = at.saturating_sub(WINDOW);
    Ok(bytes(one, begin, at - begin)? == bytes(other, begin, at - begin)?)
}

/// That many bytes from there on; fewer where the file ends.
fn bytes(file: &File, from: u64, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count as usize];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], from + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
