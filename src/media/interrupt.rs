//! FFmpeg's interrupt callback: how a wait inside its own network code is ended.
//!
//! Called by FFmpeg on the session's thread, every 100 ms or more often, whenever it waits. It asks
//! our [`Patience`] and nothing else, so it neither allocates nor panics. Why something ended is
//! later read from the same patience, never from FFmpeg's error code.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use ffmpeg_next::ffi;

use crate::media::bytes::Patience;

/// The callback for a format context. The caller keeps the `Arc` alive as long as the context.
pub(in crate::media) fn callback(patience: &Arc<Patience>) -> ffi::AVIOInterruptCB {
    ffi::AVIOInterruptCB { callback: Some(interrupted), opaque: Arc::as_ptr(patience).cast_mut().cast() }
}

/// Returns 1 when waiting should end. Beats as a side effect.
unsafe extern "C" fn interrupted(opaque: *mut c_void) -> c_int {
    // SAFETY: `opaque` is null or the pointer that `callback` took from an `Arc` which outlives the
    // format context; FFmpeg copies it into nested contexts that it frees before that one.
    let patience = unsafe { opaque.cast::<Patience>().as_ref() };
    c_int::from(patience.is_some_and(|patience| patience.verdict().is_some()))
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
        let made = callback(&patience);
        // SAFETY: `patience` lives to the end of the test.
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
