//! Bytes of a protocol that FFmpeg speaks and we do not, read by ourselves.
//!
//! FFmpeg's demuxers could read them too, but then nobody would see the transport packets: their damage would go
//! uncounted and evidence would be without it. Owned by one session and read on its thread; every wait within
//! FFmpeg asks the session's [`Patience`].

use std::ffi::CString;
use std::ptr::null_mut;
use std::sync::Arc;

use avwatch_actors::source::SourceError;
use ffmpeg_next::ffi;

use super::bytes::{ByteSource, Extent, Patience};
use super::container::Code;
use super::dictionary::Dictionary;
use super::interrupt::Interrupt;
use super::transport_options::ForeignInput;

/// An open address of one of FFmpeg's protocols.
pub(in crate::media) struct AvioSource {
    raw: *mut ffi::AVIOContext,
    what: String,
    patience: Arc<Patience>,
    /// What FFmpeg asks while it waits; stays as long as `raw`.
    _interrupt: Box<Interrupt>,
}

// SAFETY: the context belongs to this value alone, and nothing of it is bound to the thread that opened it.
unsafe impl Send for AvioSource {}

impl AvioSource {
    /// Opens an address with its options; `what` names it without its secrets.
    ///
    /// # Errors
    /// FFmpeg's code; the patience knows better when it has ended.
    pub(in crate::media) fn open(input: &ForeignInput, what: &str, patience: &Arc<Patience>) -> Result<Self, Code> {
        let address = CString::new(&*input.address).map_err(|_| Code(-libc::EINVAL))?;
        let mut options = Dictionary::new();
        if !input.options.iter().all(|(name, value)| options.set(name, value)) {
            return Err(Code(-libc::ENOMEM));
        }
        let interrupt = Interrupt::new(patience);
        let callback = interrupt.callback();
        let mut raw = null_mut();
        // SAFETY: the texts, the callback and the dictionary are valid for the call; what the callback points to outlives
        // the context. On failure FFmpeg leaves null.
        let code = unsafe {
            ffi::avio_open2(&mut raw, address.as_ptr(), ffi::AVIO_FLAG_READ, &callback, options.as_mut_ptr())
        };
        if code < 0 || raw.is_null() {
            return Err(Code(code));
        }
        Ok(Self { raw, what: what.to_owned(), patience: patience.clone(), _interrupt: interrupt })
    }
}

impl ByteSource for AvioSource {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
        self.patience.check(&self.what)?;
        let room = libc::c_int::try_from(buffer.len()).unwrap_or(libc::c_int::MAX);
        // SAFETY: the context is open, and there is that much room.
        let code = unsafe { ffi::avio_read_partial(self.raw, buffer.as_mut_ptr(), room) };
        match usize::try_from(code) {
            Ok(count) => {
                self.patience.arrived(count);
                Ok(count)
            }
            Err(_) if code == ffi::AVERROR_EOF => Ok(0),
            Err(_) => {
                self.patience.check(&self.what)?;
                Err(SourceError::Read { what: self.what.clone(), why: Code(code).words() })
            }
        }
    }

    fn seek(&mut self, _to: u64) -> Result<(), SourceError> {
        Err(SourceError::Read { what: self.what.clone(), why: "it can only be read from front to back".to_owned() })
    }

    fn extent(&self) -> Extent {
        Extent::default()
    }
}

impl Drop for AvioSource {
    fn drop(&mut self) {
        // SAFETY: an open context of ours, which nobody else has.
        unsafe { ffi::avio_closep(&mut self.raw) };
    }
}
