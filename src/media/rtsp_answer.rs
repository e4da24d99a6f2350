//! How long an answer an RTSP server announces, and whether that is too long to be fetched.
//!
//! FFmpeg takes as much memory for an answer as its head says, reads all of it before it looks at any, and has no option
//! against that. What the head says it tells in its log alone, on the thread that reads; so the log callback leaves it
//! here, and the interrupt callback of the same thread, which is asked before each read, ends the session. If another
//! FFmpeg logs it in other words, nothing is bounded, which a test finds.

use std::cell::Cell;

/// How FFmpeg logs each line of the head, at level `trace`.
pub(in crate::media) const LINE: &[u8] = b"line='%s'\n";

/// Most bytes of an answer. Descriptions of sessions, the longest answers there are, take a few thousand.
const BYTES_MAX: u64 = 256 * 1024;

thread_local! {
    /// What the newest answer on this thread announces.
    static ANNOUNCED: Cell<u64> = const { Cell::new(0) };
}

/// Takes note of a line of an answer's head, as it was logged.
pub(in crate::media) fn note(line: &str) {
    let Some((name, value)) = line.strip_prefix("line='").and_then(|line| line.split_once(':')) else { return };
    if name.trim().eq_ignore_ascii_case("content-length") {
        let digits = value.trim_start();
        let digits = &digits[..digits.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(digits.len())];
        ANNOUNCED.set(digits.parse().unwrap_or(0));
    }
}

/// Forgets what earlier sessions on this thread met.
pub(in crate::media) fn forget() {
    ANNOUNCED.set(0);
}

/// Whether nothing more is to be read.
pub(in crate::media) fn is_too_long() -> bool {
    ANNOUNCED.get() > BYTES_MAX
}

/// Why nothing more is read, if so.
pub(in crate::media) fn refusal() -> Option<String> {
    let announced = ANNOUNCED.get();
    is_too_long().then(|| {
        format!("the server announces an answer of {announced} bytes, more than the limit of {BYTES_MAX} bytes")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_announcement_counts() {
        for (line, is_long) in [
            ("line='Content-Length: 22000049'\n", true),
            ("line='Session: 1'\n", true),
            ("line='content-length:262144'\n", false),
            ("line='Content-Length: 262145 '\n", true),
            ("line='Content-Length: -1'\n", false),
            ("Content-Length: 999999999", false),
            ("line='Content-Length: 99999999999999999999'\n", false),
        ] {
            note(line);
            assert_eq!((is_too_long(), refusal().is_some()), (is_long, is_long), "{line}");
        }
        note("line='Content-Length: 262145'\n");
        forget();
        assert_eq!(refusal(), None);
    }
}
