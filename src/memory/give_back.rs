//! When memory that was freed is given back: pure, looked at once a second by [`super::keeper`].
//!
//! Giving back costs some 80 ms of a core and holds up whoever allocates meanwhile for a part of that, so
//! it is done when it is worth it:
//!
//! - after many decoders were closed, once no more of them are, or after 10 s in which they went on;
//! - every 5 min, if the process has grown to half as much again as it had after the last time;
//! - while memory is short.

use std::time::{Duration, Instant};

/// So many decoders closed are many: each keeps some 4 MB at 360p, and ten times that at 1080p.
const MANY: u64 = 16;

/// Closing may go on for so long before it is answered.
const CLOSING_MAX: Duration = Duration::from_secs(10);

/// How often growth is looked at, and what counts as such.
const GROWTH_EVERY: Duration = Duration::from_secs(300);
const GROWTH: f64 = 1.5;
const GROWTH_LEAST: u64 = 64 << 20;

/// Pause between two times.
const PAUSE: Duration = Duration::from_secs(30);
/// The same while memory is short.
const PAUSE_SHORT: Duration = Duration::from_secs(10);

/// What is seen of the process.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// Decoders closed since start.
    pub closed: u64,
    /// Memory in RAM, in bytes; absent where it cannot be read.
    pub resident: Option<u64>,
    /// Memory is short.
    pub short: bool,
}

/// Why memory is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Many decoders were closed.
    Closed,
    /// The process has grown.
    Grown,
    /// Memory is short.
    Short,
}

/// The machine.
#[derive(Debug)]
pub struct GiveBack {
    /// Decoders closed when memory was last given back, and at the last look.
    answered: u64,
    seen: u64,
    /// Since when unanswered ones are being closed.
    closing: Option<Instant>,
    last: Option<Instant>,
    growth_looked: Instant,
    /// What the process had after the last time, or at the first look.
    left: Option<u64>,
}

impl GiveBack {
    /// A machine that begins now.
    pub fn new(now: Instant) -> Self {
        Self { answered: 0, seen: 0, closing: None, last: None, growth_looked: now, left: None }
    }

    /// Whether memory is to be given back now, and why.
    pub fn look(&mut self, sight: Sight, now: Instant) -> Option<Why> {
        self.left = self.left.or(sight.resident);
        let why = self.due(sight, now);
        self.seen = sight.closed;
        why
    }

    /// It was given back; so much is left in RAM.
    pub fn gave(&mut self, resident: Option<u64>, now: Instant) {
        (self.answered, self.closing, self.last) = (self.seen, None, Some(now));
        (self.left, self.growth_looked) = (resident, now);
    }

    fn due(&mut self, sight: Sight, now: Instant) -> Option<Why> {
        let since = |then: Option<Instant>| then.map(|then| now.saturating_duration_since(then));
        let is_rested = |pause: Duration| since(self.last).is_none_or(|passed| passed >= pause);
        if sight.short && is_rested(PAUSE_SHORT) {
            return Some(Why::Short);
        }
        if sight.closed.saturating_sub(self.answered) >= MANY {
            self.closing.get_or_insert(now);
            let is_over = sight.closed == self.seen || since(self.closing).is_some_and(|passed| passed >= CLOSING_MAX);
            if is_over && is_rested(PAUSE) {
                return Some(Why::Closed);
            }
        }
        if now.saturating_duration_since(self.growth_looked) >= GROWTH_EVERY {
            self.growth_looked = now;
            return self.has_grown(sight).then_some(Why::Grown);
        }
        None
    }

    fn has_grown(&self, sight: Sight) -> bool {
        let (Some(resident), Some(left)) = (sight.resident, self.left) else { return false };
        resident as f64 > left as f64 * GROWTH && resident - left >= GROWTH_LEAST
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    fn sight(closed: u64, mebibytes: u64) -> Sight {
        Sight { closed, resident: Some(mebibytes * MIB), short: false }
    }

    /// Looks once a second; tells in which seconds memory was given back, and why.
    fn seconds(machine: &mut GiveBack, begin: Instant, sights: impl IntoIterator<Item = Sight>) -> Vec<(u64, Why)> {
        let mut given = Vec::new();
        for (second, sight) in (0..).zip(sights) {
            let now = begin + Duration::from_secs(second);
            if let Some(why) = machine.look(sight, now) {
                given.push((second, why));
                machine.gave(sight.resident, now);
            }
        }
        given
    }

    #[test]
    fn after_a_mass_close_memory_is_given_back_once_and_not_while_it_goes_on() {
        let begin = Instant::now();
        let closing = (0..60).map(|second| sight((second * 20).min(100), 365));
        assert_eq!(seconds(&mut GiveBack::new(begin), begin, closing), [(6, Why::Closed)]);
    }

    #[test]
    fn where_decoders_are_closed_all_the_time_it_is_given_back_every_half_minute() {
        let begin = Instant::now();
        let given = seconds(&mut GiveBack::new(begin), begin, (0..95).map(|second| sight(second * 20, 365)));
        assert_eq!(given, [(11, Why::Closed), (41, Why::Closed), (71, Why::Closed)]);
    }

    #[test]
    fn a_few_closed_decoders_are_not_worth_it() {
        let begin = Instant::now();
        let given =
            seconds(&mut GiveBack::new(begin), begin, (0..3_000).map(|second| sight((second / 10).min(15), 90)));
        assert_eq!(given, []);
    }

    #[test]
    fn growth_is_answered_every_five_minutes_for_as_long_as_there_is_any() {
        let begin = Instant::now();
        let grown = (0..1_000).map(|second| sight(0, if second < 10 { 100 } else { 400 }));
        assert_eq!(seconds(&mut GiveBack::new(begin), begin, grown), [(300, Why::Grown)]);
        let small = (0..1_000).map(|second| sight(0, if second < 10 { 20 } else { 60 }));
        assert_eq!(seconds(&mut GiveBack::new(begin), begin, small), [], "40 MiB are no growth");
    }

    #[test]
    fn short_memory_is_given_back_at_once_and_every_ten_seconds() {
        let begin = Instant::now();
        let short = (0..25).map(|_| Sight { short: true, ..sight(0, 100) });
        let given = seconds(&mut GiveBack::new(begin), begin, short);
        assert_eq!(given, [(0, Why::Short), (10, Why::Short), (20, Why::Short)]);
    }

    proptest! {
        #[test]
        fn it_is_never_given_back_more_often_than_every_ten_seconds(
            closes in proptest::collection::vec((0_u64..40, 50_u64..4_000, any::<bool>()), 1..400),
        ) {
            let begin = Instant::now();
            let mut closed = 0;
            let sights = closes.into_iter().map(|(more, mebibytes, short)| {
                closed += more;
                Sight { short, ..sight(closed, mebibytes) }
            });
            let given = seconds(&mut GiveBack::new(begin), begin, sights);
            prop_assert!(given.windows(2).all(|two| two[1].0 - two[0].0 >= 10), "{given:?}");
        }

        #[test]
        fn every_mass_close_is_answered_within_a_minute(after in 0_u64..200, closed in MANY..1_000) {
            let begin = Instant::now();
            let sights = (0..300).map(|second| sight(if second < after { 0 } else { closed }, 100));
            let given = seconds(&mut GiveBack::new(begin), begin, sights);
            prop_assert!(given.iter().any(|(second, why)| *why == Why::Closed && (after..after + 60).contains(second)));
        }
    }
}
