//! FFmpeg's interrupt callback: how a wait inside its own network code is ended.
//!
//! Called by FFmpeg on the session's thread, every 100 ms or more often, whenever it waits. It asks
//! our [`Patience`], rings for what was made until then, and closes a white list where it is told to; a panic of it
//! ends here. Why something ended is later read from the same patience, never from FFmpeg's error code.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ffmpeg_next::ffi;

use crate::media::bytes::Patience;
use crate::media::rtsp_answer;

/// It is also called where FFmpeg does not wait: what was made is rung for no oftener than this.
const RESTS_APART: Duration = Duration::from_millis(20);

/// What the callback asks: one for each format context, which it must outlive.
pub(in crate::media) struct Interrupt {
    patience: Arc<Patience>,
    /// The context whose white list of protocols is closed at the first wait; null for none.
    closing: Cell<*mut ffi::AVFormatContext>,
    /// When it was said last that the thread may be about to wait.
    rested: Cell<Instant>,
}

impl Interrupt {
    /// Ends waits by this patience.
    pub(in crate::media) fn new(patience: &Arc<Patience>) -> Box<Self> {
        Box::new(Self { patience: patience.clone(), closing: Cell::new(null_mut()), rested: Cell::new(Instant::now()) })
    }

    /// Has a context make one connection and no other.
    ///
    /// FFmpeg follows the redirects of an RTSP server by itself, wherever they lead, asking nothing but
    /// the white list of protocols. A first wait means that the first connection has passed the list;
    /// from then on nothing does. Holds for FFmpeg's own look at the list, which each connection takes
    /// before it resolves a name.
    ///
    /// # Safety
    /// The context is valid, and freed by none but FFmpeg's own closing, which waits no more.
    pub(in crate::media) unsafe fn close_after_first(&self, context: *mut ffi::AVFormatContext) {
        self.closing.set(context);
    }

    /// The callback for a format context. The caller keeps `self` alive as long as the context.
    pub(in crate::media) fn callback(&self) -> ffi::AVIOInterruptCB {
        ffi::AVIOInterruptCB { callback: Some(interrupted), opaque: std::ptr::from_ref(self).cast_mut().cast() }
    }

    fn rest(&self) {
        let now = Instant::now();
        if now.saturating_duration_since(self.rested.get()) >= RESTS_APART {
            self.rested.set(now);
            // A bell that panics is a lost ring: the supervisor rings now and then. It must not unwind into C.
            let _ = catch_unwind(AssertUnwindSafe(|| self.patience.rests()));
        }
    }

    fn close_list(&self) {
        // SAFETY: null, or a context that is still being opened or open, see `close_after_first`.
        let Some(context) = (unsafe { self.closing.replace(null_mut()).as_ref() }) else { return };
        let mut letter = context.protocol_whitelist;
        // SAFETY: null or a C string of the context's own, written within its length and on the one
        // thread that uses it. In place, so that whoever holds the pointer keeps a valid one.
        while let Some(byte) = unsafe { letter.as_mut() }.filter(|byte| **byte != 0) {
            *byte = b'-' as std::ffi::c_char;
            // SAFETY: not beyond the zero byte that ends the string.
            letter = unsafe { letter.add(1) };
        }
    }
}

/// Returns 1 when waiting should end. Beats as a side effect.
unsafe extern "C" fn interrupted(opaque: *mut c_void) -> c_int {
    // SAFETY: `opaque` is null or the pointer that `callback` made of an `Interrupt` which outlives the
    // format context; FFmpeg copies it into nested contexts that it frees before that one.
    let Some(interrupt) = (unsafe { opaque.cast::<Interrupt>().as_ref() }) else { return 0 };
    interrupt.close_list();
    interrupt.rest();
    c_int::from(interrupt.patience.verdict().is_some() || rtsp_answer::is_too_long())
}

#[cfg(test)]
mod tests {
    use avwatch_actors::lifeline::{CutReason, Lifeline};

    use super::*;
    use crate::media::bytes::testing::patience_on;

    #[test]
    fn it_beats_and_follows_the_lifeline() {
        let line = Arc::new(Lifeline::default());
        let patience = patience_on(&line, 60_000);
        let interrupt = Interrupt::new(&patience);
        let made = interrupt.callback();
        // SAFETY: `interrupt` lives to the end of the test.
        let ask = || unsafe { made.callback.unwrap()(made.opaque) };
        assert_eq!(ask(), 0);
        assert_eq!(line.beats(), 1);
        line.cut(CutReason::Stopped);
        assert_eq!(ask(), 1);
    }

    #[test]
    fn without_patience_it_never_interrupts() {
        // SAFETY: null is allowed.
        assert_eq!(unsafe { interrupted(std::ptr::null_mut()) }, 0);
    }
}
