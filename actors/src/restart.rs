//! The restart ladder: how long to wait after a failure. Pure; the dice are handed in.
//!
//! *Source* faults are expected: 1 s doubling to 60 s with full jitter, never given up, reset after
//! 60 s of good frames. *Ours* (panic, hang) go from 1 s to 300 s; five within five minutes put the
//! stream into quarantine for 15 minutes, then one probe; each failed probe doubles it, to 4 hours.
//! A source that is *over* is asked every few seconds, as its viewers' players do: it may begin again at any time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::source::FaultClass;

const SOURCE_BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
const OURS_BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
const PERMANENT_BACK_OFF: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(300));
const OVER_WAIT: Duration = Duration::from_secs(4);
const GOOD_RUN: Duration = Duration::from_secs(60);
const INTENSITY: (usize, Duration) = (5, Duration::from_secs(300));
const QUARANTINE: (Duration, Duration) = (Duration::from_secs(900), Duration::from_secs(4 * 3_600));

/// Shortest wait, so that full jitter never means at once.
const WAIT_MIN: Duration = Duration::from_millis(100);

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartDecision {
    /// Open anew after that long.
    After(Duration),
    /// Leave the stream alone for that long, then try once.
    Quarantine(Duration),
}

/// The ladder of one stream.
#[derive(Clone, Debug, Default)]
pub struct RestartLadder {
    failures: u32,
    ours: VecDeque<Instant>,
    quarantines: u32,
}

impl RestartLadder {
    /// Decides after a failure of that class, of a session that gave good frames for `ran_for`.
    /// `dice` is uniform in 0..1.
    pub fn failed(&mut self, class: FaultClass, ran_for: Duration, dice: f64, now: Instant) -> RestartDecision {
        if ran_for >= GOOD_RUN {
            self.failures = 0;
            self.quarantines = 0;
        }
        if class == FaultClass::Ours
            && let Some(quarantine) = self.count_ours(now)
        {
            return RestartDecision::Quarantine(quarantine);
        }
        let dice = dice.clamp(0.0, 1.0);
        let (first, longest) = match class {
            // It answers well, so it counts as no failure.
            FaultClass::Over => return RestartDecision::After(OVER_WAIT.mul_f64((1.0 + dice) / 2.0)),
            FaultClass::Source | FaultClass::Cancelled => SOURCE_BACK_OFF,
            FaultClass::Ours => OURS_BACK_OFF,
            FaultClass::Permanent => PERMANENT_BACK_OFF,
        };
        let ceiling = first.saturating_mul(1 << self.failures.min(16)).min(longest);
        self.failures = self.failures.saturating_add(1);
        RestartDecision::After(ceiling.mul_f64(dice).max(WAIT_MIN))
    }

    fn count_ours(&mut self, now: Instant) -> Option<Duration> {
        let was_probe = self.quarantines > 0;
        self.ours.push_back(now);
        while self.ours.front().is_some_and(|first| now.saturating_duration_since(*first) > INTENSITY.1) {
            self.ours.pop_front();
        }
        if !was_probe && self.ours.len() < INTENSITY.0 {
            return None;
        }
        let quarantine = QUARANTINE.0.saturating_mul(1 << self.quarantines.min(8)).min(QUARANTINE.1);
        self.quarantines += 1;
        self.ours.clear();
        Some(quarantine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(class: FaultClass, failures: usize, ran_for: Duration) -> Vec<RestartDecision> {
        let (mut ladder, mut now) = (RestartLadder::default(), Instant::now());
        (0..failures)
            .map(|_| {
                now += Duration::from_secs(400);
                ladder.failed(class, ran_for, 1.0, now)
            })
            .collect()
    }

    #[test]
    fn a_source_is_never_given_up_and_waits_at_most_a_minute() {
        let seconds: Vec<u64> = waits(FaultClass::Source, 10, Duration::ZERO)
            .into_iter()
            .map(|decision| match decision {
                RestartDecision::After(wait) => wait.as_secs(),
                RestartDecision::Quarantine(_) => panic!("sources are not quarantined"),
            })
            .collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
    }

    #[test]
    fn a_source_that_is_over_is_asked_every_few_seconds_and_not_given_up_for_it() {
        let (mut ladder, now) = (RestartLadder::default(), Instant::now());
        for (dice, millis) in [(0.0, 2_000), (1.0, 4_000), (0.5, 3_000)].repeat(100) {
            let decision = ladder.failed(FaultClass::Over, Duration::ZERO, dice, now);
            assert_eq!(decision, RestartDecision::After(Duration::from_millis(millis)));
        }
        let next = ladder.failed(FaultClass::Source, Duration::ZERO, 1.0, now);
        assert_eq!(next, RestartDecision::After(Duration::from_secs(1)), "the ladder begins at its foot");
    }

    #[test]
    fn a_minute_of_good_frames_resets_the_back_off() {
        let waits = waits(FaultClass::Source, 5, Duration::from_secs(60));
        assert!(waits.iter().all(|decision| *decision == RestartDecision::After(Duration::from_secs(1))));
    }

    #[test]
    fn five_of_our_faults_in_five_minutes_lead_to_quarantine_and_failed_probes_double_it() {
        let (mut ladder, mut now) = (RestartLadder::default(), Instant::now());
        let mut fail = |seconds: u64| {
            now += Duration::from_secs(seconds);
            ladder.failed(FaultClass::Ours, Duration::ZERO, 0.5, now)
        };
        for _ in 0..4 {
            assert!(matches!(fail(10), RestartDecision::After(_)));
        }
        assert_eq!(fail(10), RestartDecision::Quarantine(Duration::from_secs(900)));
        assert_eq!(fail(900), RestartDecision::Quarantine(Duration::from_secs(1_800)));
    }

    #[test]
    fn the_wait_is_spread_by_the_dice_but_never_nothing() {
        let mut ladder = RestartLadder::default();
        let now = Instant::now();
        assert_eq!(ladder.failed(FaultClass::Source, Duration::ZERO, 0.0, now), RestartDecision::After(WAIT_MIN));
        assert_eq!(
            ladder.failed(FaultClass::Source, Duration::ZERO, 0.25, now),
            RestartDecision::After(Duration::from_millis(500))
        );
    }
}
