//! Media time: where in the stream's own timeline something happened.
//!
//! Judgement is made in media time only, so that a recorded clip always gives the same events,
//! however fast it is read. Owned by nobody, plain data, used on every thread.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point on, or a span of, a stream's timeline in nanoseconds.
///
/// Zero is the smallest presentation time of the first session's tracks. Signed, because a late
/// track may begin before it. An `i64` of nanoseconds lasts 292 years. All operators saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaTime(i64);

impl MediaTime {
    /// The origin of the timeline, or an empty span.
    pub const ZERO: Self = Self(0);
    /// Later than every time that a stream can reach.
    pub const MAX: Self = Self(i64::MAX);

    /// Makes a time from nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Makes a time from microseconds, saturating.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros.saturating_mul(1_000))
    }

    /// Makes a time from milliseconds, saturating.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Makes a time from seconds; a value that is not finite becomes zero, one out of range saturates.
    pub fn from_secs_f64(seconds: f64) -> Self {
        // A float-to-integer cast saturates and turns NaN into zero.
        Self((seconds * 1e9).round() as i64)
    }

    /// Makes a time of `ticks` units of `numerator / denominator` seconds, rounded to the nanosecond.
    ///
    /// A denominator of zero or less gives zero: such a time base carries no time.
    pub fn from_ticks(ticks: i64, numerator: i32, denominator: i32) -> Self {
        if denominator <= 0 {
            return Self::ZERO;
        }
        let scaled = i128::from(ticks) * i128::from(numerator) * 1_000_000_000;
        let denominator = i128::from(denominator);
        let rounded = (scaled + denominator / 2).div_euclid(denominator);
        Self(rounded.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whole milliseconds, rounded towards minus infinity.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Seconds since the origin.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Seconds rounded to six decimals, as reports print them.
    pub fn as_report_secs(self) -> f64 {
        // Rounded in integers first, so the printed digits never depend on float rounding.
        let micros = (i128::from(self.0) + 500).div_euclid(1_000) as i64;
        micros as f64 / 1e6
    }

    /// The span as a `Duration`; a negative span is zero.
    pub fn to_duration(self) -> Duration {
        Duration::from_nanos(self.0.max(0) as u64)
    }

    /// The distance between two times, never negative.
    pub fn distance(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).saturating_abs())
    }
}

impl From<Duration> for MediaTime {
    fn from(span: Duration) -> Self {
        Self(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl Add for MediaTime {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for MediaTime {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for MediaTime {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_of_ntsc_round_to_the_nanosecond() {
        assert_eq!(MediaTime::from_ticks(1, 1001, 30_000).as_nanos(), 33_366_667);
        assert_eq!(MediaTime::from_ticks(-1, 1001, 30_000).as_nanos(), -33_366_667);
        assert_eq!(MediaTime::from_ticks(30_000, 1001, 30_000).as_nanos(), 1_001_000_000_000);
    }

    #[test]
    fn a_broken_time_base_or_number_gives_zero_or_saturates() {
        assert_eq!(MediaTime::from_ticks(5, 1, 0), MediaTime::ZERO);
        assert_eq!(MediaTime::from_secs_f64(f64::NAN), MediaTime::ZERO);
        assert_eq!(MediaTime::from_ticks(i64::MAX, i32::MAX, 1), MediaTime::MAX);
    }

    #[test]
    fn report_seconds_have_six_decimals() {
        assert_eq!(MediaTime::from_nanos(33_366_667).as_report_secs(), 0.033_367);
        assert_eq!(MediaTime::from_nanos(-500).as_report_secs(), 0.0);
    }
}
