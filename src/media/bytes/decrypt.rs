//! Encrypted segments of HLS (AES-128 in CBC mode, RFC 8216 section 4.3.2.4) as plain bytes.
//!
//! So that the bytes themselves come by our own client, with its waits, redirects and checks of
//! addresses. The cipher is FFmpeg's own.

use std::ptr::NonNull;

use avwatch_actors::source::SourceError;
use ffmpeg_next::ffi;

use super::{ByteSource, Extent};

/// Bytes of a block, a key and an initialisation vector.
const BLOCK: usize = 16;

/// How much is decrypted at once.
const BUFFER_BYTES: usize = 16 * 1024;

/// Key and initialisation vector of a segment.
#[derive(Clone, Copy)]
pub struct SegmentKey {
    /// The key.
    pub key: [u8; BLOCK],
    /// Where the chain of blocks begins.
    pub start: [u8; BLOCK],
}

/// Decrypts what another source yields.
pub struct DecryptingSource {
    sealed: Box<dyn ByteSource>,
    cipher: Cipher,
    /// The chain: the last block as it came.
    chain: [u8; BLOCK],
    buffer: Vec<u8>,
    /// What of the buffer is decrypted and not delivered yet.
    plain: std::ops::Range<usize>,
    /// Bytes behind `plain` that came and are not decrypted: the last block waits for the end.
    waiting: usize,
    ended: bool,
}

impl DecryptingSource {
    /// Decrypts a source by a key; `None` when memory is short.
    pub fn new(sealed: Box<dyn ByteSource>, key: SegmentKey) -> Option<Self> {
        Some(Self {
            sealed,
            cipher: Cipher::new(key.key)?,
            chain: key.start,
            buffer: vec![0; BUFFER_BYTES],
            plain: 0..0,
            waiting: 0,
            ended: false,
        })
    }

    /// Gets more plain bytes; none at the end.
    fn refill(&mut self) -> Result<(), SourceError> {
        self.buffer.copy_within(self.plain.end..self.plain.end + self.waiting, 0);
        self.plain = 0..0;
        while !self.ended && self.waiting < 2 * BLOCK {
            match self.sealed.read(&mut self.buffer[self.waiting..])? {
                0 => self.ended = true,
                count => self.waiting += count,
            }
        }
        // The last block holds the padding, and which one is the last is known at the end only. What
        // is left of a block that was cut off cannot be decrypted.
        let whole = self.waiting / BLOCK * BLOCK;
        let ready = if self.ended { whole } else { (self.waiting - 1) / BLOCK * BLOCK };
        self.cipher.decrypt(&mut self.buffer[..ready], &mut self.chain);
        self.waiting = if self.ended { 0 } else { self.waiting - ready };
        let padding = match self.buffer[..ready].last() {
            Some(count) if self.ended && (1..=BLOCK).contains(&usize::from(*count)) => usize::from(*count),
            _ => 0,
        };
        self.plain = 0..ready - padding;
        // What waits lies behind the padding, of which there is none while something waits.
        Ok(())
    }
}

impl ByteSource for DecryptingSource {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
        while self.plain.is_empty() {
            if self.ended {
                return Ok(0);
            }
            self.refill()?;
        }
        let count = self.plain.len().min(buffer.len());
        let from = self.plain.start;
        buffer[..count].copy_from_slice(&self.buffer[from..from + count]);
        self.plain.start += count;
        Ok(count)
    }

    fn seek(&mut self, _to: u64) -> Result<(), SourceError> {
        Err(super::cannot_seek("the encrypted segment"))
    }

    fn extent(&self) -> Extent {
        Extent::default()
    }
}

/// FFmpeg's AES, set up to decrypt.
struct Cipher(NonNull<ffi::AVAES>);

// SAFETY: plain memory that one owner uses.
unsafe impl Send for Cipher {}

impl Cipher {
    fn new(key: [u8; BLOCK]) -> Option<Self> {
        // SAFETY: plain allocation; null when memory is short.
        let cipher = Self(NonNull::new(unsafe { ffi::av_aes_alloc() })?);
        // SAFETY: a fresh context, and a key of the stated length.
        let code = unsafe { ffi::av_aes_init(cipher.0.as_ptr(), key.as_ptr(), 128, 1) };
        (code >= 0).then_some(cipher)
    }

    /// Decrypts whole blocks in place.
    fn decrypt(&mut self, blocks: &mut [u8], chain: &mut [u8; BLOCK]) {
        let count = i32::try_from(blocks.len() / BLOCK).unwrap_or(0);
        let data = blocks.as_mut_ptr();
        // SAFETY: an initialised context; `count` whole blocks lie in `blocks`, source and target may
        // be the same, and the chain has the size of a block.
        unsafe { ffi::av_aes_crypt(self.0.as_ptr(), data, data, count, chain.as_mut_ptr(), 1) };
    }
}

impl Drop for Cipher {
    fn drop(&mut self) {
        // SAFETY: allocated by FFmpeg, freed once.
        unsafe { ffi::av_free(self.0.as_ptr().cast()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::bytes::MemorySource;

    /// Yields at most so many bytes at once.
    struct Slow(MemorySource, usize);

    impl ByteSource for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
            let count = self.1.min(buffer.len());
            self.0.read(&mut buffer[..count])
        }

        fn seek(&mut self, to: u64) -> Result<(), SourceError> {
            self.0.seek(to)
        }

        fn extent(&self) -> Extent {
            self.0.extent()
        }
    }

    fn hex(text: &str) -> Vec<u8> {
        text.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn decrypted(sealed: &[u8], at_once: usize) -> Vec<u8> {
        let key = SegmentKey {
            key: hex("2b7e151628aed2a6abf7158809cf4f3c").try_into().unwrap(),
            start: hex("000102030405060708090a0b0c0d0e0f").try_into().unwrap(),
        };
        let slow = Slow(MemorySource::new(sealed.to_vec()), at_once);
        let mut source = DecryptingSource::new(Box::new(slow), key).unwrap();
        let mut all = Vec::new();
        let mut buffer = [0; 7];
        loop {
            match source.read(&mut buffer).unwrap() {
                0 => return all,
                count => all.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// The four blocks of NIST SP 800-38A, F.2.1, which have no padding: none is taken for some.
    #[test]
    fn it_agrees_with_the_published_example_however_the_bytes_come() {
        let sealed = hex("7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2\
                          73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7");
        let plain = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
                         30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
        for at_once in [1, 15, 16, 17, 33, 4_096] {
            // The last byte is 0x10: sixteen bytes of it would be padding, so the last block goes.
            assert_eq!(decrypted(&sealed, at_once), plain[..48], "{at_once} at once");
            assert_eq!(decrypted(&sealed[..48], at_once), plain[..48], "{at_once} at once");
            assert_eq!(decrypted(&sealed[..47], at_once), plain[..32], "a block that was cut off");
        }
        assert!(decrypted(&[], 16).is_empty());
    }
}
