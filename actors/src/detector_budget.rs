//! The budget of a detector: how much of one core it may take on one track of a live stream.
//!
//! Pure; owned by a detector host, on its arbiter, stepped on the control time that it is handed. The
//! share is a rate with savings: what is not used is saved up to [`SAVED`], so that a slow call now and
//! then costs nothing. Who has used up its savings rests until half of them are back: it looks in
//! stretches, because single frames say nothing about what moves.
//!
//! ```text
//!            savings used up                     half of the savings are back
//!   Free ──────────────────────▶ Resting ──────────────────────────────────▶ Watched
//!    ▲                            │  ▲                                        │  │
//!    │      hungry for 60 s: it   │  └──────────── savings used up ───────────┘  │
//!    │      is given up ◀─────────┘                                              │
//!    └──────────────────────────── 30 s without using them up ───────────────────┘
//! ```
//!
//! Hungry is who would take more than its share if it never rested: so nobody is given up for one long
//! call in a while.

use std::time::{Duration, Instant};

/// Share of one core when nothing is configured. The dearest detector that comes with the service takes
/// some 0.003 % of a core, so no sound one comes near even on a machine that makes everyone wait.
pub const SHARE_DEFAULT: f64 = 0.25;

/// So much time of the share can be saved up: a limit of 25 % is kept over any 5 s, but for one call.
pub const SAVED: Duration = Duration::from_secs(5);

/// Who is throttled and hungry for so long is given up.
pub const HUNGRY_MAX: Duration = Duration::from_secs(60);

/// Who has not used up its savings for so long is no longer throttled.
pub const CALM: Duration = Duration::from_secs(30);

/// What a call did to the budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spending {
    /// Nothing changes.
    Within,
    /// From here on it is throttled.
    Throttled,
    /// It has been hungry for too long.
    Exhausted {
        /// The share of one core that it takes when it does not rest.
        takes: f64,
    },
}

/// Since a detector is throttled.
#[derive(Clone, Copy, Debug)]
struct Hunger {
    since: Instant,
    /// When its savings were last used up.
    emptied: Instant,
    used: Duration,
    rested: Duration,
}

impl Hunger {
    /// What it takes of one core while it does not rest.
    fn takes(&self, now: Instant) -> f64 {
        let awake = now.saturating_duration_since(self.since).saturating_sub(self.rested);
        self.used.as_secs_f64() / awake.as_secs_f64().max(f64::EPSILON)
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Free,
    Resting(Hunger),
    Watched(Hunger),
}

/// The machine.
#[derive(Debug)]
pub struct DetectorBudget {
    share: f64,
    /// Seconds that it may still take; less than nothing when a call took more than there was.
    savings: f64,
    counted: Option<Instant>,
    state: State,
}

impl DetectorBudget {
    /// A budget of that share of one core, with all savings.
    pub fn new(share: f64) -> Self {
        Self { share, savings: share * SAVED.as_secs_f64(), counted: None, state: State::Free }
    }

    /// The share of one core that it may take.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// True while it is throttled, resting or not.
    pub fn is_throttled(&self) -> bool {
        !matches!(self.state, State::Free)
    }

    /// Whether it may be called now.
    pub fn admit(&mut self, now: Instant) -> bool {
        match self.state {
            State::Free => true,
            State::Resting(mut hunger) => {
                self.save(now);
                if self.savings * 2.0 < self.share * SAVED.as_secs_f64() {
                    return false;
                }
                hunger.rested += now.saturating_duration_since(hunger.emptied);
                self.state = State::Watched(hunger);
                true
            }
            State::Watched(hunger) => {
                if now.saturating_duration_since(hunger.emptied) >= CALM {
                    self.state = State::Free;
                }
                true
            }
        }
    }

    /// A call that was over at `now` took so long.
    pub fn charge(&mut self, took: Duration, now: Instant) -> Spending {
        self.save(now);
        self.savings -= took.as_secs_f64();
        let is_empty = self.savings <= 0.0;
        match &mut self.state {
            State::Free if is_empty => {
                let since = now.checked_sub(took).unwrap_or(now);
                self.state = State::Resting(Hunger { since, emptied: now, used: took, rested: Duration::ZERO });
                Spending::Throttled
            }
            State::Free => Spending::Within,
            // It is told of what may not be left out even while it rests.
            State::Resting(hunger) => {
                hunger.used += took;
                Spending::Within
            }
            State::Watched(hunger) => {
                hunger.used += took;
                if !is_empty {
                    return Spending::Within;
                }
                hunger.emptied = now;
                let (hunger, takes) = (*hunger, hunger.takes(now));
                self.state = State::Resting(hunger);
                let is_long = now.saturating_duration_since(hunger.since) >= HUNGRY_MAX;
                if is_long && takes > self.share { Spending::Exhausted { takes } } else { Spending::Within }
            }
        }
    }

    /// Saves what was not used since the last time.
    fn save(&mut self, now: Instant) {
        let since = self.counted.replace(now);
        let passed = since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.savings = (self.savings + self.share * passed.as_secs_f64()).min(self.share * SAVED.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What became of a detector that is offered a frame every `every` and takes `cost` of it.
    #[derive(Debug, Default)]
    struct Fate {
        called: u32,
        skipped: u32,
        throttled: u32,
        took: Duration,
        exhausted: Option<(Duration, f64)>,
    }

    fn live(
        budget: &mut DetectorBudget,
        begin: Instant,
        lasts: Duration,
        every: Duration,
        cost: impl Fn(Duration) -> Duration,
    ) -> Fate {
        let (mut fate, mut now) = (Fate::default(), begin);
        let mut due = begin;
        while now < begin + lasts {
            now = now.max(due);
            due += every;
            if !budget.admit(now) {
                fate.skipped += 1;
                continue;
            }
            let took = cost(now - begin);
            now += took;
            (fate.called, fate.took) = (fate.called + 1, fate.took + took);
            match budget.charge(took, now) {
                Spending::Within => {}
                Spending::Throttled => fate.throttled += 1,
                Spending::Exhausted { takes } => {
                    fate.exhausted = Some((now - begin, takes));
                    break;
                }
            }
        }
        fate
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn one_long_call_in_a_while_costs_a_rest_but_never_the_detector() {
        let mut budget = DetectorBudget::new(0.25);
        let frame = ms(40);
        // 1.3 s once in 20 s are 6.5 % of a core.
        let cost = |at: Duration| if at.as_millis() % 20_000 < 40 { ms(1_300) } else { ms(0) };
        let fate = live(&mut budget, Instant::now(), Duration::from_secs(600), frame, cost);
        assert_eq!((fate.exhausted, fate.throttled), (None, 1), "{fate:?}");
        assert!(fate.skipped * 3 < fate.called, "{fate:?}");
    }

    #[test]
    fn who_takes_a_whole_core_is_kept_within_its_share_and_given_up_after_a_minute() {
        let mut budget = DetectorBudget::new(0.25);
        let fate = live(&mut budget, Instant::now(), Duration::from_secs(600), ms(40), |_| ms(50));
        let (after, takes) = fate.exhausted.expect("it is hungry all the time");
        assert!((HUNGRY_MAX..HUNGRY_MAX + ms(8_000)).contains(&after), "{after:?}");
        assert!((0.95..=1.01).contains(&takes), "{takes}");
        assert!(fate.took <= after.mul_f64(0.25) + SAVED.mul_f64(0.25) + ms(50), "{fate:?}");
    }

    #[test]
    fn who_mends_its_ways_is_free_again_and_may_be_slow_once_more() {
        let (mut budget, begin) = (DetectorBudget::new(0.25), Instant::now());
        let hungry_at_first = |at: Duration| if at < ms(20_000) { ms(60) } else { ms(1) };
        let fate = live(&mut budget, begin, Duration::from_secs(55), ms(40), hungry_at_first);
        assert_eq!((fate.exhausted, fate.throttled, budget.is_throttled()), (None, 1, false), "{fate:?}");
        let fate = live(&mut budget, begin + Duration::from_secs(55), Duration::from_secs(30), ms(40), |_| ms(60));
        assert_eq!((fate.exhausted, fate.throttled), (None, 1), "what was long ago does not count: {fate:?}");
    }

    proptest! {
        #[test]
        fn nobody_takes_more_than_its_share_and_its_savings_and_one_call(
            share in 0.01_f64..1.0, every in 1_u64..200, costs in proptest::collection::vec(0_u64..2_000, 1..20),
        ) {
            let mut budget = DetectorBudget::new(share);
            let lasts = Duration::from_secs(50);
            let cost = |at: Duration| ms(costs[at.as_millis() as usize / 97 % costs.len()]);
            let fate = live(&mut budget, Instant::now(), lasts, ms(every), cost);
            let longest = ms(costs.iter().copied().max().unwrap_or_default());
            let allowed = (lasts + longest + SAVED).mul_f64(share) + longest;
            prop_assert!(fate.took <= allowed + ms(1), "{:?} of {allowed:?}", fate.took);
        }

        #[test]
        fn who_stays_within_its_share_is_never_throttled(
            share in 0.01_f64..1.0, every in 1_u64..2_000, part in 0.0_f64..0.99,
        ) {
            let mut budget = DetectorBudget::new(share);
            let cost = ms(every).mul_f64(share * part);
            let fate = live(&mut budget, Instant::now(), Duration::from_secs(120), ms(every), |_| cost);
            prop_assert_eq!((fate.skipped, fate.throttled), (0, 0));
        }

        #[test]
        fn who_would_always_take_more_than_its_share_is_given_up(
            share in 0.01_f64..0.5, every in 10_u64..100, times in 1.2_f64..20.0,
        ) {
            let mut budget = DetectorBudget::new(share);
            let cost = ms(every).mul_f64(share * times);
            let fate = live(&mut budget, Instant::now(), Duration::from_secs(200), ms(every), |_| cost);
            let (_, takes) = fate.exhausted.expect("hungry");
            prop_assert!(takes > share, "{takes} of {share}");
        }
    }
}
