//! An open container: FFmpeg's format context together with everything that must outlive it.
//!
//! Owned by one demuxer, used on the session's thread only. It may never leave FFmpeg a pointer to
//! something that is gone: the context is closed first, what it used is freed after.

use std::ffi::{CStr, CString, c_int};
use std::ptr::null_mut;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ffmpeg_next::ffi;

use crate::media::bytes::Patience;
use crate::media::dictionary::Dictionary;
use crate::media::hls_gate::HlsGate;
use crate::media::interrupt::Interrupt;
use crate::media::io_context::IoContext;
use crate::media::ts_tap::TsTap;

/// How long probing goes on while scrambled bytes pass.
const PROBE_SCRAMBLED: Duration = Duration::from_secs(3);

/// A format context that was opened, or is being opened.
pub(in crate::media) struct Container {
    raw: *mut ffi::AVFormatContext,
    /// The fields below only keep alive what the context points to; `raw` is closed before them.
    io: Option<IoContext>,
    gate: Option<HlsGate>,
    _interrupt: Box<Interrupt>,
}

/// FFmpeg's error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::media) struct Code(pub(in crate::media) c_int);

impl Code {
    /// FFmpeg's words for it, in our manner: lower case, no full stop.
    pub(in crate::media) fn words(self) -> String {
        let mut text = [0; 128];
        // SAFETY: the buffer has the stated size; FFmpeg ends what it writes with a zero byte.
        let words = unsafe {
            ffi::av_strerror(self.0, text.as_mut_ptr(), text.len());
            CStr::from_ptr(text.as_ptr())
        };
        words.to_string_lossy().to_lowercase()
    }
}

/// Why a container could not be opened.
#[derive(Debug)]
pub(in crate::media) struct OpenFailure {
    /// FFmpeg's code.
    pub(in crate::media) code: Code,
    /// What stood in the way of a playlist's media.
    pub(in crate::media) hindrance: Option<String>,
    /// Why a segment that FFmpeg could make nothing of was not had whole.
    pub(in crate::media) missing: Option<String>,
}

impl OpenFailure {
    /// A failure of which nothing but the code is known.
    pub(in crate::media) fn of(code: Code) -> Self {
        Self { code, hindrance: None, missing: None }
    }
}

/// What a container is opened from.
pub(in crate::media) enum Access {
    /// Bytes of ours; nothing else may be opened.
    Bytes(IoContext),
    /// A playlist of ours; what it refers to is opened through the gate.
    Playlist(IoContext, HlsGate),
    /// FFmpeg's own protocols, within the protocol white list.
    Protocol,
    /// The same for one connection, to the address as it is given: no redirect is followed.
    OneConnection,
}

impl Container {
    /// Opens a container by its format (guessed from the address when null).
    ///
    /// `address` may hold secrets; it is only handed to FFmpeg.
    pub(in crate::media) fn open(
        address: &str,
        format: *const ffi::AVInputFormat,
        access: Access,
        mut options: Dictionary,
        patience: &Arc<Patience>,
    ) -> Result<Self, OpenFailure> {
        let address = CString::new(address).map_err(|_| OpenFailure::of(Code(-libc::EINVAL)))?;
        // SAFETY: plain allocation.
        let raw = unsafe { ffi::avformat_alloc_context() };
        // SAFETY: null or a fresh context that nobody else has.
        let Some(context) = (unsafe { raw.as_mut() }) else {
            return Err(OpenFailure::of(Code(-libc::ENOMEM)));
        };
        let interrupt = Interrupt::new(patience);
        context.interrupt_callback = interrupt.callback();
        let (io, gate) = match access {
            Access::Bytes(io) => {
                context.io_open = Some(refuse_open);
                (Some(io), None)
            }
            Access::Playlist(io, mut gate) => {
                gate.attach(context);
                (Some(io), Some(gate))
            }
            Access::Protocol => (None, None),
            Access::OneConnection => {
                // SAFETY: a valid context, freed by FFmpeg: below when opening fails, or in `drop`.
                unsafe { interrupt.close_after_first(raw) };
                (None, None)
            }
        };
        context.pb = io.as_ref().map_or(null_mut(), IoContext::raw);
        let mut container = Self { raw, io, gate, _interrupt: interrupt };
        // SAFETY: the context is ours, the text valid, the dictionary ours. On failure FFmpeg frees
        // the context and leaves null, which `drop` accepts.
        let code =
            unsafe { ffi::avformat_open_input(&mut container.raw, address.as_ptr(), format, options.as_mut_ptr()) };
        if code >= 0 {
            if let Some(gate) = container.gate_mut() {
                gate.opened();
            }
            return Ok(container);
        }
        let hindrance = container.gate().and_then(HlsGate::trouble);
        let missing = container.gate().and_then(HlsGate::missing);
        Err(OpenFailure { code: Code(code), hindrance, missing })
    }

    /// Says that a packet is waited for from now on, and for how long scrambled bytes may pass
    /// in its place.
    pub(in crate::media) fn expect_packet(&mut self, patience: Duration) {
        self.wait_for_packet(patience, -libc::EAGAIN);
    }

    fn wait_for_packet(&mut self, patience: Duration, idle_code: c_int) {
        if let Some(io) = &mut self.io {
            io.expect_packet(patience, idle_code);
        }
    }

    /// True once after a read was given up because nothing but scrambled bytes arrived.
    pub(in crate::media) fn take_idle(&mut self) -> bool {
        self.io.as_mut().is_some_and(IoContext::take_idle)
    }

    /// What the transport tap sees of the bytes that are our own.
    pub(in crate::media) fn tap(&self) -> Option<Arc<Mutex<TsTap>>> {
        self.io.as_ref().map(IoContext::tap)
    }

    /// The format context; valid as long as `self`.
    pub(in crate::media) fn raw(&self) -> *mut ffi::AVFormatContext {
        self.raw
    }

    /// The gate of an HLS session.
    pub(in crate::media) fn gate(&self) -> Option<&HlsGate> {
        self.gate.as_ref()
    }

    /// The same, to take from it.
    pub(in crate::media) fn gate_mut(&mut self) -> Option<&mut HlsGate> {
        self.gate.as_mut()
    }

    /// Whether our own bytes have been read to their end.
    pub(in crate::media) fn at_end(&self) -> bool {
        // SAFETY: the AVIOContext lives as long as `io`.
        self.io.as_ref().is_some_and(|io| unsafe { (*io.raw()).eof_reached != 0 })
    }

    /// Looks at the first packets to learn what the streams hold; bounded by the options of `open`.
    ///
    /// The decoders that FFmpeg opens for that get the same bounds as ours: one thread, that many
    /// pixels and samples.
    pub(in crate::media) fn find_streams(&mut self, pixels: u64, samples: u32) -> Result<(), Code> {
        let count = self.streams().len();
        let mut bounds: Vec<Dictionary> = (0..count).map(|_| decoder_bounds(pixels, samples)).collect();
        let mut list: Vec<*mut ffi::AVDictionary> = bounds.iter().map(Dictionary::raw).collect();
        let options = if list.is_empty() { null_mut() } else { list.as_mut_ptr() };
        self.wait_for_packet(PROBE_SCRAMBLED, -libc::EIO);
        // SAFETY: the context is open; the list has one entry for each stream that it has now, which
        // is how many FFmpeg reads and writes.
        let code = unsafe { ffi::avformat_find_stream_info(self.raw, options) };
        if let Some(io) = &self.io {
            // From here on decoders of ours have the limit, and a damaged size is no reason to end a session.
            io.bound_pictures(None);
        }
        // What is scrambled cannot be probed: what is known by then has to do.
        self.take_idle();
        for (bound, raw) in bounds.iter_mut().zip(list) {
            bound.replace(raw);
        }
        if code < 0 { Err(Code(code)) } else { Ok(()) }
    }

    /// The streams found so far; the list may grow with every packet read.
    pub(in crate::media) fn streams(&self) -> &[*mut ffi::AVStream] {
        // SAFETY: the context is open.
        let context = unsafe { &*self.raw };
        if context.streams.is_null() {
            return &[];
        }
        // SAFETY: FFmpeg keeps `nb_streams` valid pointers there; they stay until the next call into it.
        unsafe { std::slice::from_raw_parts(context.streams, context.nb_streams as usize) }
    }

    /// FFmpeg's names of the container, comma separated.
    pub(in crate::media) fn format_names(&self) -> String {
        // SAFETY: the context is open, so it has a format; formats and their names are static.
        unsafe { CStr::from_ptr((*(*self.raw).iformat).name) }.to_string_lossy().into_owned()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // SAFETY: null or an open context of ours. With bytes of ours FFmpeg leaves `pb` alone; the
        // fields that it points to are dropped after this.
        unsafe { ffi::avformat_close_input(&mut self.raw) };
    }
}

fn decoder_bounds(pixels: u64, samples: u32) -> Dictionary {
    let mut options = Dictionary::new();
    // A bound that cannot be set for want of memory will soon show as a failure to open anything.
    let _ = options.set("threads", "1")
        && options.set("max_pixels", &pixels.to_string())
        && options.set("max_samples", &samples.to_string());
    options
}

/// Refuses whatever a container of ours wants to open beside its own bytes, such as the external
/// references of MP4.
unsafe extern "C" fn refuse_open(
    _context: *mut ffi::AVFormatContext,
    _io: *mut *mut ffi::AVIOContext,
    _url: *const std::ffi::c_char,
    _flags: c_int,
    _options: *mut *mut ffi::AVDictionary,
) -> c_int {
    -libc::EPERM
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_codes_have_words_in_our_manner() {
        assert_eq!(Code(ffi::AVERROR_EOF).words(), "end of file");
        assert_eq!(Code(-libc::ECONNREFUSED).words(), "connection refused");
        assert_eq!(Code(ffi::AVERROR_INVALIDDATA).words(), "invalid data found when processing input");
    }
}
