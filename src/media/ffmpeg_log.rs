//! FFmpeg's log: its lines into ours, bounded, and what they tell of damage.
//!
//! One callback for the process, called by FFmpeg on any thread; it never panics, never waits and
//! does next to nothing for lines that nobody wants. Lines go to the target `ffmpeg`: fatal ones as
//! warnings, errors at `debug` (damage of streams is judged by detectors, not read from a log),
//! everything else at `trace`.
//!
//! Decoders of some codecs report a lost reference or concealed blocks by a line and nowhere else.
//! Such lines are counted per thread: with one decoding thread they come on the thread that decodes,
//! so [`take_evidence`] after each decoder call tells what that call ran into.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::sync::{Mutex, Once};
use std::time::Instant;

use ffmpeg_next::ffi;

use crate::media::hls_lag;
use crate::media::log_limit::{Passed, Throttle};
use crate::media::log_text::clean;
use crate::media::rtsp_answer;

/// Longest line that is formatted, in bytes.
const LINE_BYTES: usize = 1_024;

/// What a decoder's log lines told of damage since they were last taken on this thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecoderEvidence {
    /// A picture that this one refers to is missing.
    pub missing_reference: u32,
    /// Blocks were made up because the coded ones were unusable.
    pub concealed: u32,
    /// Any other error of a decoder: coded data that makes no sense.
    pub invalid: u32,
}

/// What formats of log lines say that a reference picture is missing.
const MISSING_REFERENCE: [&[u8]; 12] = [
    b"reference picture missing",
    b"Missing reference picture",
    b"Could not find ref with POC",
    b"mmco: unref short failure",
    b"Frame num gap",
    b"co located POCs unavailable",
    b"Reference %d >= ",
    b"Zero refs for a frame",
    b"Error constructing the frame RPS",
    b"Requested reference",
    b"Not all references are available",
    b"without a prior keyframe",
];

/// What a log line says that blocks were made up. Logged at level `info`.
const CONCEALING: &[u8] = b"concealing %d";

/// The C argument list of a log line, as the target's calling convention passes it.
#[cfg(target_arch = "x86_64")]
type Arguments = *mut ffi::__va_list_tag;
#[cfg(not(target_arch = "x86_64"))]
type Arguments = ffi::va_list;

thread_local! {
    static EVIDENCE: Cell<DecoderEvidence> = const { Cell::new(DecoderEvidence { missing_reference: 0, concealed: 0, invalid: 0 }) };
    static LAST_ERROR: RefCell<Option<Box<str>>> = const { RefCell::new(None) };
}

static THROTTLE: Mutex<Throttle> = Mutex::new(Throttle::new());

/// Takes over FFmpeg's log for the whole process. Further calls do nothing.
pub fn install() {
    static ONCE: Once = Once::new();
    // SAFETY: the callback is thread safe and lives for ever.
    ONCE.call_once(|| unsafe { ffi::av_log_set_callback(Some(on_line)) });
}

/// Takes what decoders reported on this thread since the last call.
pub fn take_evidence() -> DecoderEvidence {
    EVIDENCE.with(Cell::take)
}

/// Forgets the last error line of this thread, before a call whose own error line is wanted.
pub(in crate::media) fn forget_last_error() {
    // A failed borrow would mean a call from within the callback, which does not happen.
    let _ = take_last_error();
}

/// The last error line of this thread, without its context and cleaned.
pub(in crate::media) fn take_last_error() -> Option<String> {
    let line = LAST_ERROR.with(|last| last.try_borrow_mut().ok().and_then(|mut last| last.take()))?;
    let (_, text) = split_context(&line);
    Some(clean(text))
}

/// The log callback.
unsafe extern "C" fn on_line(context: *mut c_void, level: c_int, format: *const c_char, arguments: Arguments) {
    if format.is_null() {
        return;
    }
    if level > ffi::AV_LOG_INFO {
        // Lost H.264 pictures leave this line at debug level as their only trace (FFmpeg 5.1).
        // SAFETY: FFmpeg passes a valid C string.
        let text = unsafe { CStr::from_ptr(format) }.to_bytes();
        if text == rtsp_answer::LINE {
            // SAFETY: format and arguments come from FFmpeg for this call; no context is looked at.
            let note = || rtsp_answer::note(&unsafe { formatted(null_mut(), level, format, arguments) });
            // As below.
            let _ = catch_unwind(AssertUnwindSafe(note));
        }
        if text.starts_with(b"Frame num gap") {
            EVIDENCE.with(|evidence| {
                let mut seen = evidence.get();
                seen.missing_reference = seen.missing_reference.saturating_add(1);
                evidence.set(seen);
            });
        }
        return;
    }
    let handle = || {
        // SAFETY: FFmpeg passes a valid C string.
        let text = unsafe { CStr::from_ptr(format) }.to_bytes();
        if contains(text, hls_lag::LINE) {
            // SAFETY: format and arguments come from FFmpeg for this call; no context is looked at.
            let line = unsafe { formatted(null_mut(), level, format, arguments) };
            hls_lag::note(&line);
            // The arguments are used up.
            return pass_on(level, &line);
        }
        if level > ffi::AV_LOG_ERROR && !contains(text, CONCEALING) && !wanted(level) {
            return;
        }
        // SAFETY: FFmpeg passes null or a context of its own.
        note_evidence(text, level, || unsafe { is_decoder(context) });
        if level > ffi::AV_LOG_ERROR && !wanted(level) {
            return;
        }
        // SAFETY: all of it comes from FFmpeg for this call.
        pass_on(level, &unsafe { formatted(context, level, format, arguments) });
    };
    // A panic here would unwind into C. Nothing can be said about it: this is the log.
    let _ = catch_unwind(AssertUnwindSafe(handle));
}

/// A line as FFmpeg would write it.
///
/// # Safety
/// All of it comes from FFmpeg for one call of the callback; `context` may be null.
unsafe fn formatted(context: *mut c_void, level: c_int, format: *const c_char, arguments: Arguments) -> String {
    let mut line: [c_char; LINE_BYTES] = [0; LINE_BYTES];
    let mut print_prefix = 1;
    // SAFETY: by the contract above; the buffer has the stated size, and the result is ended by a zero byte.
    let line = unsafe {
        ffi::av_log_format_line2(
            context,
            level,
            format,
            arguments,
            line.as_mut_ptr(),
            LINE_BYTES as c_int,
            &mut print_prefix,
        );
        CStr::from_ptr(line.as_ptr())
    };
    line.to_string_lossy().into_owned()
}

/// Whether somebody listens at the level that such a line gets.
fn wanted(level: c_int) -> bool {
    match level {
        level if level <= ffi::AV_LOG_FATAL => tracing::enabled!(target: "ffmpeg", tracing::Level::WARN),
        level if level <= ffi::AV_LOG_ERROR => tracing::enabled!(target: "ffmpeg", tracing::Level::DEBUG),
        _ => tracing::enabled!(target: "ffmpeg", tracing::Level::TRACE),
    }
}

/// Remembers an error and writes the line to our log, within its limits.
fn pass_on(level: c_int, line: &str) {
    if level <= ffi::AV_LOG_ERROR {
        LAST_ERROR.with(|last| {
            if let Ok(mut last) = last.try_borrow_mut() {
                *last = Some(line.into());
            }
        });
    }
    if !wanted(level) {
        return;
    }
    let (kind, text) = split_context(line);
    // Another thread is at it: this line gives way, as if the limit had been reached.
    let Ok(mut throttle) = THROTTLE.try_lock() else { return };
    let Some(Passed { repeats, withheld }) = throttle.pass(kind, text, Instant::now()) else { return };
    drop(throttle);
    let text = clean(text);
    match level {
        level if level <= ffi::AV_LOG_FATAL => {
            tracing::warn!(target: "ffmpeg", part = kind, repeats, withheld, "{text}");
        }
        level if level <= ffi::AV_LOG_ERROR => {
            tracing::debug!(target: "ffmpeg", part = kind, repeats, withheld, "{text}");
        }
        _ => tracing::trace!(target: "ffmpeg", part = kind, repeats, withheld, "{text}"),
    }
}

/// Splits `[h264 @ 0x55…] text` into the kind of context and the text; addresses tell nobody anything.
fn split_context(line: &str) -> (&str, &str) {
    let Some((context, text)) = line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) else {
        return ("", line);
    };
    (context.split(" @ ").next().unwrap_or_default(), text)
}

fn note_evidence(format: &[u8], level: c_int, is_decoder: impl FnOnce() -> bool) {
    let mut seen = EVIDENCE.with(Cell::get);
    if contains(format, CONCEALING) {
        seen.concealed = seen.concealed.saturating_add(1);
    } else if level > ffi::AV_LOG_ERROR || !is_decoder() {
        return;
    } else if MISSING_REFERENCE.iter().any(|words| contains(format, words)) {
        seen.missing_reference = seen.missing_reference.saturating_add(1);
    } else {
        seen.invalid = seen.invalid.saturating_add(1);
    }
    EVIDENCE.with(|evidence| evidence.set(seen));
}

/// Whether a log context is a decoder.
///
/// # Safety
/// `context` is null or points to a struct of FFmpeg that begins with a pointer to its class.
unsafe fn is_decoder(context: *mut c_void) -> bool {
    if context.is_null() {
        return false;
    }
    // SAFETY: by the contract above; classes are static.
    let class = unsafe { context.cast::<*const ffi::AVClass>().read().as_ref() };
    let Some(class) = class else { return false };
    let category = match class.get_category {
        // SAFETY: the class's own function, asked for a context of that class.
        Some(ask) => unsafe { ask(context) },
        None => class.category,
    };
    category == ffi::AVClassCategory::AV_CLASS_CATEGORY_DECODER
}

fn contains(text: &[u8], words: &[u8]) -> bool {
    text.windows(words.len()).any(|window| window == words)
}

/// Logs a line as FFmpeg would, without a context.
#[cfg(test)]
fn log_as_ffmpeg(level: c_int, text: &CStr) {
    // SAFETY: the format takes one C string, which is given.
    unsafe { ffi::av_log(std::ptr::null_mut(), level, c"%s\n".as_ptr(), text.as_ptr()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_error_of_a_thread_is_kept_without_secrets() {
        install();
        forget_last_error();
        log_as_ffmpeg(ffi::AV_LOG_ERROR, c"cannot open http://user:S3cret@host/");
        log_as_ffmpeg(ffi::AV_LOG_WARNING, c"never mind");
        std::thread::spawn(|| log_as_ffmpeg(ffi::AV_LOG_ERROR, c"elsewhere")).join().unwrap();
        assert_eq!(take_last_error().as_deref(), Some("cannot open http://***@host/"));
        assert_eq!(take_last_error(), None);
    }

    #[test]
    fn evidence_is_counted_by_kind() {
        take_evidence();
        note_evidence(b"concealing %d DC, %d AC, %d MV errors in %c frame\n", ffi::AV_LOG_INFO, || true);
        note_evidence(b"mmco: unref short failure\n", ffi::AV_LOG_ERROR, || true);
        note_evidence(b"error while decoding MB %d %d, bytestream %td\n", ffi::AV_LOG_ERROR, || true);
        note_evidence(b"Packet corrupt", ffi::AV_LOG_ERROR, || false);
        assert_eq!(take_evidence(), DecoderEvidence { missing_reference: 1, concealed: 1, invalid: 1 });
        assert_eq!(take_evidence(), DecoderEvidence::default());
    }

    #[test]
    fn the_kind_of_context_is_told_apart_from_the_text() {
        assert_eq!(split_context("[h264 @ 0x55d0] no frame!\n"), ("h264", "no frame!\n"));
        assert_eq!(split_context("plain"), ("", "plain"));
    }
}
