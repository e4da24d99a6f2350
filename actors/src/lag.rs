//! Lag: how far a session has fallen behind its source for lack of time, and not for lack of input.
//!
//! Owned by the session's meters, on its thread. A thread that waits now and then – for bytes or for the
//! right moment – has taken all that there was: what it lags by then is the source's doing. One that
//! never waits works on what arrived long ago, and every second of the wall that it takes longer than
//! the media lasts is ours. Where waiting is not told, nothing is said.

use std::time::{Duration, Instant};

use crate::media_time::MediaTime;

/// How often a lag is judged.
const WINDOW: Duration = Duration::from_secs(1);
/// A thread that waits for less than this share of its time has no time.
const IDLE_PART: u32 = 50;

/// Reads the lag off a session's progress.
#[derive(Debug, Default)]
pub struct LagReader {
    /// When the window began, how far the media had come and how long was waited until then.
    window: Option<(Instant, MediaTime, Duration)>,
    /// It has been seen to wait: its waits are told.
    waits: bool,
    behind: MediaTime,
}

impl LagReader {
    /// The session has come to `at` after having waited for `idle` altogether.
    pub fn note(&mut self, now: Instant, at: MediaTime, idle: Duration) {
        let (since, from, idle_then) = *self.window.get_or_insert((now, at, idle));
        let passed = now.saturating_duration_since(since);
        if passed < WINDOW {
            return;
        }
        let waited = idle.saturating_sub(idle_then);
        self.waits |= !waited.is_zero();
        if waited * IDLE_PART >= passed {
            self.behind = MediaTime::ZERO;
        } else if self.waits {
            let slower = MediaTime::from(passed) - (at - from);
            self.behind = (self.behind + slower).max(MediaTime::ZERO);
        }
        self.window = Some((now, at, idle));
    }

    /// How far it is behind.
    pub fn behind(&self) -> Duration {
        self.behind.to_duration()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of wall time with so many seconds of media and so much waiting in each.
    fn read(reader: &mut LagReader, begin: Instant, seconds: std::ops::Range<u64>, media: f64, idle: f64) {
        for second in seconds {
            let at = MediaTime::from_secs_f64(second as f64 * media);
            reader.note(begin + Duration::from_secs(second), at, Duration::from_secs_f64(second as f64 * idle));
        }
    }

    #[test]
    fn a_thread_that_waits_is_not_behind_however_late_its_source_is() {
        let mut reader = LagReader::default();
        read(&mut reader, Instant::now(), 0..60, 0.5, 0.5);
        assert_eq!(reader.behind(), Duration::ZERO);
    }

    #[test]
    fn a_thread_that_never_waits_is_behind_by_what_it_is_too_slow() {
        let (mut reader, begin) = (LagReader::default(), Instant::now());
        read(&mut reader, begin, 0..3, 1.0, 0.5);
        for second in 3..13_u64 {
            let at = MediaTime::from_secs_f64(2.0 + (second - 2) as f64 * 0.75);
            reader.note(begin + Duration::from_secs(second), at, Duration::from_secs(1));
        }
        assert_eq!(reader.behind(), Duration::from_millis(2_500));
        let at = MediaTime::from_secs_f64(11.0);
        reader.note(begin + Duration::from_secs(14), at, Duration::from_secs(2));
        assert_eq!(reader.behind(), Duration::ZERO, "it waits again");
    }

    #[test]
    fn of_a_source_whose_waits_are_not_told_nothing_is_said() {
        let mut reader = LagReader::default();
        read(&mut reader, Instant::now(), 0..60, 0.5, 0.0);
        assert_eq!(reader.behind(), Duration::ZERO);
    }
}
