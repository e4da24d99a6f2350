//! Moments: times of log lines in milliseconds, read and written fast. Pure.

use std::time::{Duration, SystemTime};

use avwatch_actors::event::Wall;

/// Milliseconds since 1970 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl Moment {
    /// Reads RFC 3339; what this program writes itself is read without detours.
    pub fn parse(text: &[u8]) -> Option<Self> {
        own_form(text).or_else(|| {
            let moment: jiff::Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
            Some(Self(moment.as_millisecond()))
        })
    }

    /// The moment of a system time; 1970 for anything before.
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// Milliseconds from an earlier moment to this one; 0 when it is later.
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let since = Duration::from_millis(u64::try_from(self.0).unwrap_or(0));
        Wall(SystemTime::UNIX_EPOCH + since).fmt(f)
    }
}

/// `2026-11-23T01:01:01.000Z`.
fn own_form(text: &[u8]) -> Option<Moment> {
    let &[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', n0, n1, b':', s0, s1, b'.', f0, f1, f2, b'Z'] =
        text
    else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_i64, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
    };
    let (year, month, day) = (number(&[y0, y1, y2, y3])?, number(&[m0, m1])?, number(&[d0, d1])?);
    let (hour, minute, second) = (number(&[h0, h1])?, number(&[n0, n1])?, number(&[s0, s1])?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days from civil after H. Hinnant's published algorithm.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, month) = (year.div_euclid(400), if month > 2 { month - 3 } else { month + 9 });
    let year_of_era = year.rem_euclid(400);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * month + 2) / 5 + day - 1;
    let days = era * 146_097 + day_of_era - 719_468;
    Some(Moment(((days * 24 + hour) * 60 + minute) * 60_000 + second * 1_000 + number(&[f0, f1, f2])?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_moment_reads_back_as_it_was_written(millis in 0_i64..4_102_444_800_000) {
            let text = Moment(millis).to_string();
            prop_assert_eq!(own_form(text.as_bytes()), Some(Moment(millis)));
            let by_library: jiff::Timestamp = text.parse().unwrap();
            prop_assert_eq!(by_library.as_millisecond(), millis);
        }
    }

    #[test]
    fn other_forms_of_rfc_3339_are_read_too_and_nonsense_is_not() {
        assert_eq!(Moment::parse(b"1970-01-01T01:00:00+01:00"), Some(Moment(0)));
        assert_eq!(Moment::parse(b"2026-13-01T00:00:00.000Z"), None);
        assert_eq!(Moment::parse(b"yesterday"), None);
    }
}
