//! Schedules: when a stream is off the air, in the clock time of a place.
//!
//! Pure. A window such as `Mon-Fri 22:00-06:00 Europe/Vienna` begins when clocks there first show its
//! begin and ends when they last show its end. So, when clocks are put forward over a begin or an end,
//! it is at that moment; when they are put back, a window that ends in the hour that comes twice lasts
//! until the second time. A weekday is the day on which a window begins.
//!
//! Time zones come from the system, or from the program itself where the system has none.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use avwatch_actors::alarm_model::rules::{AirTime, OffAir};
use avwatch_actors::event::Wall;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};

/// Most windows of one stream.
pub const WINDOWS_MAX: usize = 64;

/// Longest text of a window.
const TEXT_MAX: usize = 200;

/// A calendar is looked at again after this long, whatever it says.
const LOOK_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// One window of the week.
#[derive(Clone, Debug)]
pub struct OffAirWindow {
    /// As it was written.
    text: String,
    /// The days on which it begins, Monday first.
    days: [bool; 7],
    from: Time,
    to: Time,
    zone: TimeZone,
}

impl PartialEq for OffAirWindow {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Display for OffAirWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What is wrong with a window; never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// It has another form.
    #[error("must be \"HH:MM-HH:MM Area/City\", with days such as \"Mon-Fri \" or \"Sat,Sun \" before it if not daily")]
    Form,
    /// The time at which it begins is none.
    #[error("the begin must be a time from 00:00 to 23:59, as in \"01:00-06:00 Europe/Vienna\"")]
    Begin,
    /// The time at which it ends is none.
    #[error("the end must be a time from 00:00 to 23:59, where 00:00 is midnight, as in \"22:00-00:00 Europe/Vienna\"")]
    End,
    /// It would end as it begins, or last a whole day.
    #[error("begins and ends at the same time; for a whole day write two windows, 00:00-12:00 and 12:00-00:00")]
    Empty,
    /// The days are none.
    #[error(
        "the days must be Mon, Tue, Wed, Thu, Fri, Sat or Sun, with '-' or ',' between, as in \"Mon-Fri 01:00-06:00 UTC\""
    )]
    Days,
    /// There is no such zone.
    #[error("names a time zone that is not known; \"Europe/Vienna\" and \"UTC\" are some")]
    Zone,
}

impl FromStr for OffAirWindow {
    type Err = WindowError;
    fn from_str(text: &str) -> Result<Self, WindowError> {
        if text.len() > TEXT_MAX {
            return Err(WindowError::Form);
        }
        let (days, times, zone) = match *text.split(' ').collect::<Vec<_>>().as_slice() {
            [times, zone] => (None, times, zone),
            [days, times, zone] => (Some(days), times, zone),
            _ => return Err(WindowError::Form),
        };
        let (from, to) = times.split_once('-').ok_or(WindowError::Form)?;
        let days = days.map_or(Some([true; 7]), parse_days).ok_or(WindowError::Days)?;
        let (from, to) = (parse_time(from).ok_or(WindowError::Begin)?, parse_time(to).ok_or(WindowError::End)?);
        if from == to {
            return Err(WindowError::Empty);
        }
        let zone = zone_of(zone, jiff::tz::db()).ok_or(WindowError::Zone)?;
        Ok(Self { text: text.to_owned(), days, from, to, zone })
    }
}

/// A zone by its name: as the system knows it, so that it follows the system's updates, or as we do.
fn zone_of(name: &str, system: &TimeZoneDatabase) -> Option<TimeZone> {
    system.get(name).or_else(|_| TimeZoneDatabase::bundled().get(name)).ok()
}

fn parse_time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let two = |digits: &str| {
        let is_two = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_two.then(|| digits.parse::<i8>().ok()).flatten()
    };
    Time::new(two(hour)?, two(minute)?, 0, 0).ok()
}

/// `Mon`, `Mon-Fri`, `Fri-Mon`, `Sat,Sun`, or several of these with commas.
fn parse_days(text: &str) -> Option<[bool; 7]> {
    const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let day = |name: &str| NAMES.iter().position(|known| *known == name);
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (day(first)?, day(last)?),
            None => (day(part)?, day(part)?),
        };
        let length = (last + 7 - first) % 7;
        (0..=length).for_each(|step| days[(first + step) % 7] = true);
    }
    Some(days)
}

impl OffAirWindow {
    fn begins_on(&self, day: Weekday) -> bool {
        usize::try_from(day.to_monday_zero_offset()).is_ok_and(|day| self.days[day])
    }

    /// Begin and end of the window that begins on a day; nothing when there is none.
    fn on(&self, date: Date) -> Option<(Timestamp, Timestamp)> {
        if !self.begins_on(date.weekday()) {
            return None;
        }
        let last = if self.to > self.from { date } else { date.tomorrow().ok()? };
        let begin = self.moment(date, self.from, Twice::First)?;
        let end = self.moment(last, self.to, Twice::Last)?;
        (begin < end).then_some((begin, end))
    }

    /// When clocks show a time, or pass it without showing it.
    fn moment(&self, date: Date, time: Time, twice: Twice) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(date.to_datetime(time));
        match (ambiguous.offset(), twice) {
            (AmbiguousOffset::Gap { .. }, _) => {
                // By the clock before the change, this reads earlier than the change happens.
                let before = ambiguous.earlier().ok()?;
                self.zone.following(before).next().map(|change| change.timestamp())
            }
            (_, Twice::First) => ambiguous.earlier().ok(),
            (_, Twice::Last) => ambiguous.later().ok(),
        }
    }
}

/// Which of two moments counts when clocks show a time twice.
#[derive(Clone, Copy)]
enum Twice {
    First,
    Last,
}

/// The windows of one stream.
#[derive(Debug)]
pub struct Calendar(Vec<OffAirWindow>);

impl Calendar {
    /// A calendar of these windows.
    pub fn new(windows: Vec<OffAirWindow>) -> Self {
        Self(windows)
    }
}

impl OffAir for Calendar {
    fn look(&self, at: Wall) -> AirTime {
        let again = at.after(LOOK_AFTER);
        let Ok(now) = Timestamp::try_from(at.0) else { return AirTime { is_off: false, until: again } };
        let (mut is_off, mut until) = (false, Timestamp::try_from(again.0).unwrap_or(Timestamp::MAX));
        for window in &self.0 {
            let today = now.to_zoned(window.zone.clone()).date();
            // A window that reaches over midnight may have begun yesterday; the next may begin tomorrow.
            for days in -1..=1 {
                let Some((begin, end)) = today.checked_add(days.days()).ok().and_then(|date| window.on(date)) else {
                    continue;
                };
                is_off |= begin <= now && now < end;
                let edges = [begin, end].into_iter().filter(|edge| *edge > now);
                until = edges.fold(until, Timestamp::min);
            }
        }
        AirTime { is_off, until: Wall(until.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wall(text: &str) -> Wall {
        Wall(text.parse::<Timestamp>().unwrap().into())
    }

    fn calendar(windows: &[&str]) -> Calendar {
        Calendar::new(windows.iter().map(|text| text.parse().unwrap()).collect())
    }

    /// The moments at which a calendar changes its mind, from one time on.
    fn edges(windows: &[&str], from: &str, count: usize) -> Vec<(String, bool)> {
        let calendar = calendar(windows);
        let mut at = wall(from);
        let mut before = calendar.look(at).is_off;
        let mut edges = Vec::new();
        while edges.len() < count {
            at = calendar.look(at).until;
            let now = calendar.look(at).is_off;
            if now != before {
                edges.push((Timestamp::try_from(at.0).unwrap().to_string(), now));
            }
            before = now;
        }
        edges
    }

    fn check(windows: &[&str], from: &str, expected: &[(&str, bool)]) {
        let expected: Vec<_> = expected.iter().map(|(at, is_off)| ((*at).to_owned(), *is_off)).collect();
        assert_eq!(edges(windows, from, expected.len()), expected);
    }

    #[test]
    fn a_daily_window_follows_the_clocks_of_its_place() {
        let window = ["01:00-06:00 Europe/Vienna"];
        check(&window, "2026-01-10T12:00:00Z", &[("2026-01-11T00:00:00Z", true), ("2026-01-11T05:00:00Z", false)]);
        check(&window, "2026-07-10T12:00:00Z", &[("2026-07-10T23:00:00Z", true), ("2026-07-11T04:00:00Z", false)]);
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
        check(
            &["Fri 22:00-06:00 UTC"],
            "2026-11-23T00:00:00Z",
            &[("2026-11-27T22:00:00Z", true), ("2026-11-28T06:00:00Z", false), ("2026-12-04T22:00:00Z", true)],
        );
    }

    #[test]
    fn days_may_be_a_range_over_the_weekend_or_a_list() {
        assert_eq!(parse_days("Fri-Mon"), Some([true, false, false, false, true, true, true]));
        assert_eq!(parse_days("Sat,Sun"), Some([false, false, false, false, false, true, true]));
        assert_eq!(parse_days("Mon-Fri"), Some([true, true, true, true, true, false, false]));
        assert_eq!(parse_days("Mon,"), None);
        assert_eq!(parse_days("mon"), None);
    }

    #[test]
    fn a_begin_that_the_clocks_skip_is_the_moment_at_which_they_do() {
        // On 29 March 2026 clocks in Vienna go from 02:00 to 03:00 at 01:00 UTC.
        check(
            &["02:30-05:00 Europe/Vienna"],
            "2026-03-28T12:00:00Z",
            &[("2026-03-29T01:00:00Z", true), ("2026-03-29T03:00:00Z", false)],
        );
    }

    #[test]
    fn an_end_that_the_clocks_skip_is_the_moment_at_which_they_do() {
        check(
            &["01:00-02:30 Europe/Vienna"],
            "2026-03-28T12:00:00Z",
            &[("2026-03-29T00:00:00Z", true), ("2026-03-29T01:00:00Z", false)],
        );
    }

    #[test]
    fn a_window_in_the_hour_that_comes_twice_lasts_until_its_end_comes_for_the_second_time() {
        // On 25 October 2026 clocks in Vienna go from 03:00 to 02:00 at 01:00 UTC.
        check(
            &["02:15-02:45 Europe/Vienna"],
            "2026-10-24T12:00:00Z",
            &[("2026-10-25T00:15:00Z", true), ("2026-10-25T01:45:00Z", false)],
        );
    }

    #[test]
    fn windows_that_touch_or_overlap_are_one() {
        check(
            &["01:00-03:00 UTC", "03:00-05:00 UTC", "04:00-06:00 UTC"],
            "2026-01-10T12:00:00Z",
            &[("2026-01-11T01:00:00Z", true), ("2026-01-11T06:00:00Z", false)],
        );
    }

    #[test]
    fn zones_are_known_where_the_system_has_none() {
        let none = TimeZoneDatabase::none();
        let vienna = zone_of("Europe/Vienna", &none).unwrap();
        let summer = "2026-07-01T00:00:00Z".parse::<Timestamp>().unwrap();
        assert_eq!(vienna.to_offset(summer).seconds(), 7_200);
        assert!(zone_of("Europe/Atlantis", &none).is_none());
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for (text, expected) in [
            ("25:00-06:00 UTC", WindowError::Begin),
            ("1:00-06:00 UTC", WindowError::Begin),
            ("01:00-24:00 UTC", WindowError::End),
            ("01:00-06:60 UTC", WindowError::End),
            ("01:00-01:00 UTC", WindowError::Empty),
            ("01:00-06:00", WindowError::Form),
            ("01:00 06:00 UTC", WindowError::Form),
            ("01:00 - 06:00 UTC", WindowError::Form),
            ("Mon-Funday 01:00-06:00 UTC", WindowError::Days),
            ("Mon  01:00-06:00 UTC", WindowError::Form),
            ("01:00-06:00 Europe/Atlantis", WindowError::Zone),
            ("01:00-06:00 ../etc/passwd", WindowError::Zone),
            ("01:00-06:00 ", WindowError::Zone),
        ] {
            assert_eq!(text.parse::<OffAirWindow>(), Err(expected), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// What the calendar says holds until the time that it names, and clocks agree with it outside the
        /// hours in which they are changed.
        #[test]
        fn an_answer_holds_until_the_time_that_it_names(
            from in 0_i8..24, to in 0_i8..24, start in 1_750_000_000_i64..1_850_000_000, step in 60_i64..80_000,
        ) {
            prop_assume!(from != to);
            let window = format!("{from:02}:00-{to:02}:00 America/New_York");
            let calendar = calendar(&[&window]);
            let at = |second: i64| Wall(Timestamp::from_second(second).unwrap().into());
            let said = calendar.look(at(start));
            prop_assert!(said.until > at(start));
            let later = at(start + step);
            if later < said.until {
                prop_assert_eq!(calendar.look(later).is_off, said.is_off);
            }
            let zoned = Timestamp::from_second(start).unwrap().to_zoned(TimeZone::get("America/New_York").unwrap());
            let hour = zoned.hour();
            let shown = if from < to { from <= hour && hour < to } else { hour >= from || hour < to };
            let is_change_of_clocks = (1..=2).contains(&hour) && zoned.weekday() == Weekday::Sunday;
            if !is_change_of_clocks {
                prop_assert_eq!(said.is_off, shown, "{} {}", window, zoned);
            }
        }
    }
}
