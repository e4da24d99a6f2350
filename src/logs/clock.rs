//! When a line was written, and how late it is in its log. Pure.
//!
//! Windows run by the lines' own time, so that a log that comes in bursts is judged as it happened;
//! when no lines come, control time goes on for them.

use std::time::{Duration, Instant};

use super::parse::Fields;
use crate::log_view::Moment;

/// A line whose time is farther from ours than this counts for when it is read.
const SKEW_MAX: i64 = 5 * 60 * 1_000;

/// Fields that usually hold the time.
const USUAL: [&str; 4] = ["time", "timestamp", "ts", "@timestamp"];

/// The time that a line says of itself.
pub(super) fn time_of(fields: &Fields<'_>, field: Option<&str>) -> Option<Moment> {
    let text = match field {
        Some(field) => fields.get(field),
        None => USUAL.into_iter().find_map(|field| fields.get(field)),
    };
    read(text?.trim())
}

fn read(text: &str) -> Option<Moment> {
    if let Some(moment) = Moment::parse(text.as_bytes()) {
        return Some(moment);
    }
    if let Ok(number) = text.parse::<f64>() {
        // Seconds up to the year 5138 are below 1e11, milliseconds since 1973 above.
        let millis = if number < 1e11 { number * 1e3 } else { number };
        return (0.0..1e15).contains(&millis).then_some(Moment(millis as i64));
    }
    if let Ok(time) = jiff::fmt::strtime::parse("%d/%b/%Y:%H:%M:%S %z", text).and_then(|time| time.to_timestamp()) {
        return Some(Moment(time.as_millisecond()));
    }
    let plain: jiff::civil::DateTime = text.replacen(' ', "T", 1).parse().ok()?;
    let zoned = plain.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Moment(zoned.timestamp().as_millisecond()))
}

/// The clock of one log.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LogClock {
    newest: Option<(Moment, Instant)>,
}

impl LogClock {
    /// When a line counts that says of itself that it was written at `said`; `wall` is our time.
    /// The flag tells that its own time was of no use.
    pub(super) fn line(&mut self, said: Option<Moment>, wall: Moment, now: Instant) -> (Moment, bool) {
        let usable = said.filter(|said| (said.0 - wall.0).abs() <= SKEW_MAX);
        let at = usable.unwrap_or(wall);
        if self.newest.is_none_or(|newest| at > elapsed(newest, now)) {
            self.newest = Some((at, now));
        }
        (at, said.is_some() && usable.is_none())
    }

    /// What time it is in the log; nothing before its first line.
    pub(super) fn now(&self, now: Instant) -> Option<Moment> {
        self.newest.map(|newest| elapsed(newest, now))
    }
}

fn elapsed((moment, when): (Moment, Instant), now: Instant) -> Moment {
    let passed: Duration = now.saturating_duration_since(when);
    Moment(moment.0.saturating_add(i64::try_from(passed.as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_usual_logs_are_read() {
        let expected = Moment(1_795_888_800_000);
        for text in [
            "2026-11-28T18:00:00Z",
            "2026-11-28T19:00:00.000+01:00",
            "2026-11-28 18:00:00",
            "28/Nov/2026:18:00:00 +0000",
            "28/Nov/2026:10:00:00 -0800",
            "1795888800",
            "1795888800.0",
            "1795888800000",
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
        assert_eq!((read("yesterday"), read(""), read("-5")), (None, None, None));
    }

    #[test]
    fn a_log_goes_by_its_own_time_and_on_when_nothing_comes() {
        let (mut clock, begin, wall) = (LogClock::default(), Instant::now(), Moment(1_000_000_000));
        assert_eq!(clock.now(begin), None);
        let late = Moment(wall.0 - 60_000);
        assert_eq!(clock.line(Some(late), wall, begin), (late, false));
        let later = begin + Duration::from_secs(5);
        assert_eq!(clock.now(later), Some(Moment(late.0 + 5_000)));
        // A line from before does not turn it back.
        clock.line(Some(late), Moment(wall.0 + 5_000), later);
        assert_eq!(clock.now(later), Some(Moment(late.0 + 5_000)));
    }

    #[test]
    fn a_time_that_cannot_be_is_replaced_by_that_of_reading() {
        let (mut clock, wall) = (LogClock::default(), Moment(1_000_000_000));
        assert_eq!(clock.line(Some(Moment(0)), wall, Instant::now()), (wall, true));
        assert_eq!(clock.line(Some(Moment(wall.0 + SKEW_MAX + 1)), wall, Instant::now()), (wall, true));
        assert_eq!(clock.line(None, wall, Instant::now()), (wall, false));
    }
}
