//! An AVIOContext over a [`ByteSource`]: how FFmpeg reads bytes of ours.
//!
//! Owned by a session's container or playlist gate, used on that thread only. FFmpeg may replace the
//! buffer, so it is freed through the context. The callbacks catch panics: none may cross into C.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{NonNull, null_mut};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use avwatch_actors::source::SourceError;
use ffmpeg_next::ffi;

use crate::media::bytes::ByteSource;
use crate::media::ts_tap::{PACKET, PictureBound, SYNC, TsTap};

/// FFmpeg's read buffer: large enough for a full UDP batch, small enough for thousands of streams.
const BUFFER_BYTES: usize = 32 * 1024;

/// Keeps the first real error of a session, because FFmpeg only carries numbers through.
#[derive(Clone, Debug, Default)]
pub(in crate::media) struct FaultSlot(Rc<RefCell<Option<SourceError>>>);

impl FaultSlot {
    /// Keeps an error unless there is one already.
    pub(in crate::media) fn keep(&self, error: SourceError) {
        if let Ok(mut held) = self.0.try_borrow_mut() {
            held.get_or_insert(error);
        }
    }

    /// Takes the error out.
    pub(in crate::media) fn take(&self) -> Option<SourceError> {
        self.0.try_borrow_mut().ok().and_then(|mut held| held.take())
    }
}

/// An AVIOContext that reads from a source of ours.
pub(in crate::media) struct IoContext {
    raw: NonNull<ffi::AVIOContext>,
    /// Owned; a raw pointer because FFmpeg holds the same one.
    state: NonNull<State>,
}

struct State {
    /// The input's name without secrets.
    what: String,
    source: Box<dyn ByteSource>,
    buffer: Box<[u8]>,
    position: u64,
    fault: FaultSlot,
    /// After an error every further read fails at once.
    failed: bool,
    tap: SourceTap,
}

/// Shows the transport tap what passes, once each, if it looks like a transport stream at all.
#[derive(Default)]
struct SourceTap {
    tap: Arc<Mutex<TsTap>>,
    /// Decided by the first bytes.
    is_transport: Option<bool>,
    /// Up to where bytes were shown: FFmpeg goes back while it probes.
    shown: u64,
    /// Until when a packet is waited for, and how many scrambled ones had passed at the beginning.
    waiting: Option<(Instant, u64)>,
    idle: bool,
    /// How FFmpeg is told: by an error that ends probing, or by one that means later.
    idle_code: c_int,
}

impl SourceTap {
    /// True when a packet has been waited for in vain while scrambled ones passed.
    fn is_idle(&mut self, position: u64) -> bool {
        // Only between transport packets, or the rest of one would be lost.
        let (true, Some((until, before))) = (self.is_transport == Some(true), self.waiting) else { return false };
        if Instant::now() < until || !position.is_multiple_of(188) {
            return false;
        }
        let scrambled = self.tap.lock().unwrap_or_else(PoisonError::into_inner).scrambled();
        self.waiting = None;
        self.idle = scrambled > before;
        self.idle
    }

    /// Shows what was read at a place; answers why no more of it is to be read, if so.
    fn show(&mut self, from: u64, bytes: &[u8]) -> Option<String> {
        let is_sync = |start: usize| bytes.get(start) == Some(&SYNC) && bytes.get(start + PACKET) == Some(&SYNC);
        if !*self.is_transport.get_or_insert_with(|| (0..PACKET.min(bytes.len())).any(is_sync)) {
            return None;
        }
        if from > self.shown {
            // A look at the end of the file, for its length: it comes back.
            return None;
        }
        let known = (self.shown - from).min(bytes.len() as u64) as usize;
        self.shown = self.shown.max(from + bytes.len() as u64);
        let mut tap = self.tap.lock().unwrap_or_else(PoisonError::into_inner);
        tap.feed(&bytes[known..]);
        tap.refusal()
    }
}

impl IoContext {
    /// Wraps a source of the input `what`; errors of it are kept in `fault`. `None` when memory is short.
    pub(in crate::media) fn new(what: &str, source: Box<dyn ByteSource>, fault: FaultSlot) -> Option<Self> {
        let seekable = source.extent().seekable;
        Self::wrap(what, source, fault, seekable)
    }

    /// Wraps a source that FFmpeg shall read from front to back, even if it could be sought.
    pub(in crate::media) fn forward_only(what: &str, source: Box<dyn ByteSource>, fault: FaultSlot) -> Option<Self> {
        Self::wrap(what, source, fault, false)
    }

    fn wrap(what: &str, source: Box<dyn ByteSource>, fault: FaultSlot, seekable: bool) -> Option<Self> {
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        let state = Box::into_raw(Box::new(State {
            what: what.to_owned(),
            source,
            buffer,
            position: 0,
            fault,
            failed: false,
            tap: SourceTap::default(),
        }));
        // SAFETY: plain allocation; FFmpeg wants the buffer from its own allocator.
        let buffer = unsafe { ffi::av_malloc(BUFFER_BYTES) };
        let raw = if buffer.is_null() {
            null_mut()
        } else {
            // SAFETY: `buffer` has the stated size and now belongs to the context; `state` stays
            // valid until `drop`, which frees the context first.
            unsafe {
                ffi::avio_alloc_context(
                    buffer.cast(),
                    BUFFER_BYTES as c_int,
                    0,
                    state.cast(),
                    Some(read_packet),
                    None,
                    seekable.then_some(seek as unsafe extern "C" fn(*mut c_void, i64, c_int) -> i64),
                )
            }
        };
        let (Some(raw), Some(state)) = (NonNull::new(raw), NonNull::new(state)) else {
            // SAFETY: neither was handed to anyone.
            unsafe {
                ffi::av_free(buffer);
                drop(Box::from_raw(state));
            }
            return None;
        };
        Some(Self { raw, state })
    }

    /// Refuses larger coded pictures from now on, where the bytes tell their size; none when absent.
    pub(in crate::media) fn bound_pictures(&self, bound: Option<PictureBound>) {
        self.tap().lock().unwrap_or_else(PoisonError::into_inner).bound_pictures(bound);
    }

    /// What is seen of the transport packets that pass, if that is what passes.
    pub(in crate::media) fn tap(&self) -> Arc<Mutex<TsTap>> {
        // SAFETY: made in `wrap`, freed in `drop`; no callback runs while this thread is here.
        unsafe { self.state.as_ref() }.tap.tap.clone()
    }

    /// Says that a packet is waited for from now on.
    pub(in crate::media) fn expect_packet(&mut self, patience: Duration, idle_code: c_int) {
        // SAFETY: made in `wrap`, freed in `drop`; no callback runs while this thread is here.
        let tap = &mut unsafe { self.state.as_mut() }.tap;
        if tap.is_transport != Some(false) {
            let scrambled = tap.tap.lock().unwrap_or_else(PoisonError::into_inner).scrambled();
            tap.waiting = Some((Instant::now() + patience, scrambled));
            tap.idle_code = idle_code;
        }
    }

    /// True once after a read was given up because nothing but scrambled bytes arrived.
    pub(in crate::media) fn take_idle(&mut self) -> bool {
        // SAFETY: as above; the context's error is a plain field that FFmpeg leaves to its reader.
        unsafe {
            let idle = std::mem::take(&mut self.state.as_mut().tap.idle);
            if idle {
                (*self.raw.as_ptr()).error = 0;
                (*self.raw.as_ptr()).eof_reached = 0;
            }
            idle
        }
    }

    /// The context, for FFmpeg. Valid as long as `self`.
    pub(in crate::media) fn raw(&self) -> *mut ffi::AVIOContext {
        self.raw.as_ptr()
    }
}

impl Drop for IoContext {
    fn drop(&mut self) {
        let mut raw = self.raw.as_ptr();
        // SAFETY: made in `new`; the container that used it is closed (see `Container::drop`). The
        // buffer is whatever FFmpeg has there now. The state is freed after its last user.
        unsafe {
            ffi::av_freep((&raw mut (*raw).buffer).cast());
            ffi::avio_context_free(&mut raw);
            drop(Box::from_raw(self.state.as_ptr()));
        }
    }
}

/// FFmpeg's read callback: bytes, the end, or a number that stands for the kept error.
unsafe extern "C" fn read_packet(opaque: *mut c_void, buffer: *mut u8, size: c_int) -> c_int {
    let Ok(length) = usize::try_from(size) else { return -libc::EINVAL };
    if opaque.is_null() || buffer.is_null() || length == 0 {
        return -libc::EINVAL;
    }
    // SAFETY: `opaque` is the state of a living `IoContext`, used on this thread only.
    let state = unsafe { &mut *opaque.cast::<State>() };
    let read = || match state.read(length) {
        Ok(bytes) => {
            // SAFETY: FFmpeg gives `length` writable bytes at `buffer`, and no more came.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer, bytes.len()) };
            c_int::try_from(bytes.len()).unwrap_or(-libc::EIO)
        }
        Err(code) => code,
    };
    catch_unwind(AssertUnwindSafe(read)).unwrap_or(ffi::AVERROR_BUG)
}

/// FFmpeg's seek callback; only set for sources that can be sought.
unsafe extern "C" fn seek(opaque: *mut c_void, offset: i64, whence: c_int) -> i64 {
    if opaque.is_null() {
        return i64::from(-libc::EINVAL);
    }
    // SAFETY: as in `read_packet`.
    let state = unsafe { &mut *opaque.cast::<State>() };
    catch_unwind(AssertUnwindSafe(|| state.seek(offset, whence))).unwrap_or(i64::from(ffi::AVERROR_BUG))
}

impl State {
    /// Reads at most `length` bytes, into a buffer of our own: FFmpeg's may be uninitialised, and at
    /// the end of the input it still holds bytes that FFmpeg will use and nobody may touch.
    fn read(&mut self, length: usize) -> Result<&[u8], c_int> {
        if self.failed {
            return Err(-libc::EIO);
        }
        if self.tap.is_idle(self.position) {
            return Err(self.tap.idle_code);
        }
        let length = length.min(BUFFER_BYTES);
        match self.source.read(&mut self.buffer[..length]) {
            Ok(0) => Err(ffi::AVERROR_EOF),
            Ok(count) => {
                let bytes = self.buffer.get(..count).unwrap_or_default();
                // Before FFmpeg sees it, which would make of it what there is no memory for.
                if let Some(why) = self.tap.show(self.position, bytes) {
                    self.fail(SourceError::Forbidden { what: self.what.clone(), why });
                    return Err(-libc::EIO);
                }
                self.position += count as u64;
                Ok(self.buffer.get(..count).unwrap_or_default())
            }
            Err(error) => {
                self.fail(error);
                Err(-libc::EIO)
            }
        }
    }

    fn seek(&mut self, offset: i64, whence: c_int) -> i64 {
        let size = self.source.extent().size;
        let known = |size: Option<u64>| size.and_then(|size| i64::try_from(size).ok());
        let base = match whence & !ffi::AVSEEK_FORCE {
            ffi::AVSEEK_SIZE => return known(size).unwrap_or(i64::from(-libc::ENOSYS)),
            libc::SEEK_SET => Some(0),
            libc::SEEK_CUR => i64::try_from(self.position).ok(),
            libc::SEEK_END => known(size),
            _ => None,
        };
        let target = base.and_then(|base| base.checked_add(offset)).and_then(|target| u64::try_from(target).ok());
        let Some(target) = target else { return i64::from(-libc::EINVAL) };
        if self.failed {
            return i64::from(-libc::EIO);
        }
        match self.source.seek(target) {
            Ok(()) => {
                self.position = target;
                i64::try_from(target).unwrap_or(i64::from(-libc::EINVAL))
            }
            Err(error) => {
                self.fail(error);
                i64::from(-libc::EIO)
            }
        }
    }

    fn fail(&mut self, error: SourceError) {
        self.failed = true;
        self.fault.keep(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::bytes::{Extent, MemorySource};

    fn read_some(context: &IoContext, count: usize) -> Result<Vec<u8>, c_int> {
        let mut bytes = vec![0; count];
        // SAFETY: `bytes` has `count` bytes.
        let got = unsafe { ffi::avio_read(context.raw(), bytes.as_mut_ptr(), count as c_int) };
        usize::try_from(got).map_err(|_| got).map(|got| {
            bytes.truncate(got);
            bytes
        })
    }

    #[test]
    fn bytes_pass_through_and_seeking_works_from_every_base() {
        let source = MemorySource::new((0..100_000_u32).map(|index| index as u8).collect());
        let context = IoContext::new("x", Box::new(source), FaultSlot::default()).unwrap();
        assert_eq!(read_some(&context, 3).unwrap(), [0, 1, 2]);
        // SAFETY: a living context.
        unsafe {
            assert_eq!(ffi::avio_size(context.raw()), 100_000);
            assert_eq!(ffi::avio_seek(context.raw(), 90_000, libc::SEEK_SET), 90_000);
        }
        assert_eq!(read_some(&context, 1).unwrap(), [(90_000_u32) as u8]);
        // SAFETY: a living context.
        unsafe { assert!(ffi::avio_seek(context.raw(), -1, libc::SEEK_SET) < 0) };
    }

    #[test]
    fn a_buffer_replaced_by_ffmpeg_is_freed_and_still_works() {
        let context = IoContext::new("x", Box::new(MemorySource::new(vec![7; 200_000])), FaultSlot::default()).unwrap();
        let mut format = std::ptr::null();
        // SAFETY: probing rewinds by giving the context a buffer of its own; null texts are allowed.
        unsafe { ffi::av_probe_input_buffer2(context.raw(), &mut format, c"".as_ptr(), null_mut(), 0, 65_536) };
        assert_eq!(read_some(&context, 4).unwrap(), [7; 4]);
    }

    struct Bad;
    impl ByteSource for Bad {
        fn read(&mut self, _buffer: &mut [u8]) -> Result<usize, SourceError> {
            Err(SourceError::Read { what: "x".into(), why: "the cable is cut".into() })
        }
        fn seek(&mut self, _to: u64) -> Result<(), SourceError> {
            panic!("a bug in a source")
        }
        fn extent(&self) -> Extent {
            Extent { size: None, seekable: true }
        }
    }

    #[test]
    fn an_error_is_kept_in_words() {
        let fault = FaultSlot::default();
        let context = IoContext::new("x", Box::new(Bad), fault.clone()).unwrap();
        assert_eq!(read_some(&context, 1), Err(-libc::EIO));
        assert_eq!(fault.take().unwrap().to_string(), "cannot read x: the cable is cut");
    }

    #[test]
    fn a_panic_in_a_source_does_not_reach_ffmpeg() {
        let context = IoContext::new("x", Box::new(Bad), FaultSlot::default()).unwrap();
        // SAFETY: a living context.
        assert!(unsafe { ffi::avio_seek(context.raw(), 1 << 30, libc::SEEK_SET) } < 0);
    }

    #[test]
    fn the_end_of_the_input_leaves_what_ffmpeg_has_buffered_alone() {
        let context = IoContext::new("x", Box::new(MemorySource::new(vec![7; 1_000])), FaultSlot::default()).unwrap();
        assert_eq!(read_some(&context, 1_000).unwrap().len(), 1_000);
        assert_eq!(read_some(&context, 1), Err(ffi::AVERROR_EOF));
        // SAFETY: a living context; this target lies within the buffer.
        unsafe { assert_eq!(ffi::avio_seek(context.raw(), 0, libc::SEEK_SET), 0) };
        assert_eq!(read_some(&context, 4).unwrap(), [7; 4]);
    }
}
