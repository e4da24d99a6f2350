//! Segments that were gone from a playlist before a session came to them, and whose fault that was.
//!
//! FFmpeg goes on with what is still listed, and says so in its log alone, on the thread that reads; the log callback leaves
//! it here. A session that worked, or waited for a core, for a good part of the time in which it fetched the last segments
//! had too little time: what it missed is no fault of its source. One that waited for bytes has a slow source. Time that a
//! hypervisor or the disk takes is not seen, nor work of decoding threads beside the session's. If another
//! FFmpeg logs it in other words, or the kernel does not tell how long a thread waited for a core, nothing is excused,
//! which tests find.

use std::cell::Cell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::media::bytes::Patience;

/// How FFmpeg logs it, at level `warning`.
pub(in crate::media) const LINE: &[u8] = b"segments ahead, expired from playlists";

/// Segments and keys over whose fetching a thread is judged.
const LOOKED_BACK: usize = 3;
/// The least part of that time that it must have wanted a core for, for a lag to be ours. Decoding in `full` takes a tenth
/// of it or two; a thread that comes late at every turn on a machine without time, half of it and more.
const WANTED_PART: f64 = 0.25;

thread_local! {
    /// Segments that were skipped on this thread and not yet told.
    static SKIPPED: Cell<u32> = const { Cell::new(0) };
}

/// Takes note of what FFmpeg says of skipped segments.
pub(in crate::media) fn note(line: &str) {
    let count = line.split_ascii_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).unwrap_or(1);
    SKIPPED.set(SKIPPED.get().saturating_add(u32::try_from(count).unwrap_or(u32::MAX)));
}

/// How many segments were skipped on this thread since the last call.
fn take_skipped() -> u32 {
    SKIPPED.take()
}

/// How long the calling thread has wanted a core so far: it had one, or waited for one. Nothing where the kernel does not
/// tell (`CONFIG_SCHED_INFO`).
fn wanted_a_core() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let mut nanos = text.split_ascii_whitespace().map(|number| number.parse::<u64>().ok());
    Some(Duration::from_nanos(nanos.next()??.saturating_add(nanos.next()??)))
}

/// Judges the lag of one session.
#[derive(Debug, Default)]
pub(in crate::media) struct SegmentLag {
    /// When the last segments were fetched, and how long the thread had wanted a core by then.
    fetched: VecDeque<(Instant, Duration)>,
}

impl SegmentLag {
    /// The next segment of the input `what` is fetched, which begins at that byte: what was missed before it for want of
    /// time is said to be ours.
    pub(in crate::media) fn heed(&mut self, patience: &Patience, what: &str, position: u64, target: Duration) {
        let skipped = take_skipped();
        let missed = target.saturating_mul(skipped);
        if self.is_ours(Instant::now(), wanted_a_core(), missed) {
            patience.missed(position, missed);
            tracing::warn!(stream = what, skipped, "this machine came too late for segments");
        }
    }

    /// The next segment is fetched, others that last for `missed` were missed before it: whether for want of time.
    ///
    /// A playlist cannot have advanced by more than the time that passed; one that did was numbered anew.
    fn is_ours(&mut self, now: Instant, wanted: Option<Duration>, missed: Duration) -> bool {
        let Some(wanted) = wanted else { return false };
        let lacked_time = self.fetched.front().is_some_and(|&(since, before)| {
            let passed = now.saturating_duration_since(since);
            wanted.saturating_sub(before) >= passed.mul_f64(WANTED_PART) && missed <= passed.saturating_mul(2)
        });
        if self.fetched.len() == LOOKED_BACK {
            self.fetched.pop_front();
        }
        self.fetched.push_back((now, wanted));
        !missed.is_zero() && lacked_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A segment each two seconds, of which the thread wants a core for so long; then one after six seconds.
    fn judged(usually: Duration, at_last: Duration, missed: Duration) -> bool {
        let (begin, mut lag) = (Instant::now(), SegmentLag::default());
        for segment in 0..10 {
            assert!(!lag.is_ours(begin + segment * 2 * SECOND, Some(segment * usually), Duration::ZERO));
        }
        lag.is_ours(begin + 24 * SECOND, Some(9 * usually + at_last), missed)
    }

    #[test]
    fn what_is_missed_by_a_thread_without_time_is_ours_and_by_one_that_waits_for_bytes_is_not() {
        assert!(judged(SECOND / 2, 5 * SECOND, 4 * SECOND));
        assert!(judged(SECOND * 3 / 2, SECOND * 3 / 2, 4 * SECOND), "late at every turn");
        assert!(!judged(SECOND / 2, SECOND / 2, 4 * SECOND));
        assert!(!judged(SECOND / 2, 5 * SECOND, Duration::ZERO), "nothing was missed");
        assert!(!judged(SECOND / 2, 5 * SECOND, 3_600 * SECOND), "it was numbered anew");
    }

    #[test]
    fn nothing_is_excused_that_is_not_known() {
        let (now, mut lag) = (Instant::now(), SegmentLag::default());
        assert!(!lag.is_ours(now, None, 2 * SECOND));
        assert!(!lag.is_ours(now, Some(SECOND), 2 * SECOND), "nothing to compare with");
    }

    #[test]
    fn the_kernel_tells_how_long_a_thread_worked() {
        let before = wanted_a_core().expect("the kernel has CONFIG_SCHED_INFO");
        let begin = Instant::now();
        let gained = || wanted_a_core().unwrap() - before;
        while gained() < Duration::from_millis(40) {
            assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", gained());
        }
    }

    #[test]
    fn the_number_is_read_from_the_line() {
        note("skipping 3 segments ahead, expired from playlists\n");
        note("skipping some");
        assert_eq!((take_skipped(), take_skipped()), (4, 0));
        note("skipping 1796115420000 segments ahead, expired from playlists\n");
        assert_eq!(take_skipped(), u32::MAX, "a playlist that is numbered by the clock");
    }
}
