//! Stand-in for FFmpeg's log: counts evidence, says nothing. Replaced by the real one when it is merged.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Once;

use ffmpeg_next::ffi;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DecoderEvidence {
    pub missing_reference: u32,
    pub concealed: u32,
    pub invalid: u32,
}

thread_local! {
    static EVIDENCE: Cell<DecoderEvidence> = Cell::default();
}

pub(crate) fn install() {
    static ONCE: Once = Once::new();
    // SAFETY: the callback is thread safe and lives for ever.
    ONCE.call_once(|| unsafe { ffi::av_log_set_callback(Some(on_line)) });
}

pub(crate) fn take_evidence() -> DecoderEvidence {
    EVIDENCE.with(Cell::take)
}

unsafe extern "C" fn on_line(_: *mut c_void, level: c_int, format: *const c_char, _: *mut ffi::__va_list_tag) {
    // SAFETY: FFmpeg passes a terminated string.
    let text = unsafe { CStr::from_ptr(format) }.to_string_lossy();
    let mut seen = EVIDENCE.with(Cell::get);
    // The decoder of H.264 says this at level `debug`, and nothing else of a dropped picture.
    if text.starts_with("Frame num gap") || text.starts_with("Could not find ref with POC") {
        seen.missing_reference += 1;
    } else if text.starts_with("concealing %d") {
        seen.concealed += 1;
    } else if level <= ffi::AV_LOG_ERROR {
        seen.invalid += 1;
    }
    EVIDENCE.with(|evidence| evidence.set(seen));
}
