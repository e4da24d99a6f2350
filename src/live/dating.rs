//! Dating: which moment on the clock on the wall a media time was.
//!
//! Media comes in bursts and late; a second of it is dated by the earliest delivery of its session, so
//! that evenly played media is evenly dated, however it arrives. Pure; one per session.

use std::time::{Duration, SystemTime};

use avwatch_actors::media_time::MediaTime;

/// Readings over which the smallest delay is looked for.
const WINDOW: u32 = 60;
/// A delay of all of them below this is no drift.
const DRIFT_MIN: i128 = 250_000_000;
/// A delay above this is a pause, a jump of the wall's clock or of the timeline: dating begins anew.
const DELAY_MAX: i128 = 30_000_000_000;

/// Dates media times of a session.
#[derive(Debug, Default)]
pub(super) struct Dating {
    /// Wall less media time, in nanoseconds.
    offset: Option<i128>,
    least: i128,
    count: u32,
}

impl Dating {
    /// When `at` was, of something that is delivered at `now`; never later than that.
    pub(super) fn date(&mut self, at: MediaTime, now: SystemTime) -> SystemTime {
        let now = nanos(now);
        let candidate = now - i128::from(at.as_nanos());
        let mut offset = self.offset.unwrap_or(candidate).min(candidate);
        let delay = candidate - offset;
        if delay > DELAY_MAX {
            offset = candidate;
            self.count = 0;
        } else {
            self.least = if self.count == 0 { delay } else { self.least.min(delay) };
            self.count += 1;
            if self.count >= WINDOW {
                // The source's clock is slower than ours, or it paused.
                if self.least >= DRIFT_MIN {
                    offset += self.least;
                }
                self.count = 0;
            }
        }
        self.offset = Some(offset);
        let date = (i128::from(at.as_nanos()) + offset).clamp(0, now);
        SystemTime::UNIX_EPOCH + Duration::from_nanos(u64::try_from(date).unwrap_or(u64::MAX))
    }
}

fn nanos(wall: SystemTime) -> i128 {
    let since = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i128::try_from(since.as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dates the seconds of a medium that arrive at these times; all in seconds.
    fn dates(arrivals: impl Iterator<Item = (i64, f64)>) -> Vec<f64> {
        let begin = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let mut dating = Dating::default();
        let since = |date: SystemTime| date.duration_since(begin).map_or(-1.0, |since| since.as_secs_f64());
        arrivals
            .map(|(second, arrival)| {
                since(dating.date(MediaTime::from_millis(second * 1_000), begin + Duration::from_secs_f64(arrival)))
            })
            .collect()
    }

    fn distances(dates: &[f64]) -> Vec<f64> {
        dates.windows(2).map(|pair| ((pair[1] - pair[0]) * 1e6).round() / 1e6).collect()
    }

    #[test]
    fn segments_that_arrive_in_bursts_are_dated_evenly() {
        // Six seconds at twice real time, then three seconds of nothing.
        let found = dates((0..60).map(|second| (second, f64::from(second as i32 / 6 * 6) + (second % 6) as f64 / 2.0)));
        assert_eq!(distances(&found[6..]), [1.0; 53]);
    }

    #[test]
    fn nothing_is_dated_in_the_future() {
        let arrivals: Vec<(i64, f64)> = (0..30).map(|second| (second, second as f64 / 2.0)).collect();
        for (date, (_, arrival)) in dates(arrivals.iter().copied()).iter().zip(&arrivals) {
            assert!(date <= arrival);
        }
    }

    #[test]
    fn a_pause_is_made_up_for_within_two_minutes() {
        let found = dates((0..200).map(|second| (second, second as f64 + if second < 20 { 0.0 } else { 8.0 })));
        assert!((found[199] - 207.0).abs() < 0.5, "{}", found[199]);
    }

    #[test]
    fn after_a_jump_of_the_wall_clock_dating_begins_anew() {
        let found = dates((0..20).map(|second| (second, second as f64 + if second < 10 { 0.0 } else { 3_600.0 })));
        assert_eq!((found[9], found[10]), (9.0, 3_610.0));
    }
}
