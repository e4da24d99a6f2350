//! Messages that leave before their time: a small budget for what a receiver has not heard of yet, and for what is back
//! when a snooze, a silence or a maintenance ends.
//!
//! Pure. In a busy plant there is always a message that left not long ago. A new alarm must not wait for the interval
//! because of it, but a storm of new alarms must not become a storm of messages: [`EARLY_MAX`] messages may leave early,
//! and one more with every half of the group interval, at the latest each minute.

use std::time::Duration;

/// Messages that may leave early after a while without any.
const EARLY_MAX: u32 = 5;

/// For so long further news are gathered before an early message leaves.
const GATHER: Duration = Duration::from_secs(2);

/// Longest time after which one more may leave early.
const REFILL_MAX: Duration = Duration::from_secs(60);

/// How many messages may leave early.
#[derive(Debug)]
pub(super) struct Early {
    left: u32,
    /// Since when the next one is waited for.
    since: Duration,
    refill: Duration,
}

impl Early {
    /// For a receiver whose changes are gathered for that long, at least a millisecond.
    pub(super) fn new(group_interval: Duration) -> Self {
        let refill = (group_interval / 2).clamp(Duration::from_millis(1), REFILL_MAX);
        Self { left: EARLY_MAX, since: Duration::ZERO, refill }
    }

    /// When a message may leave whose oldest news has waited that long.
    pub(super) fn due(&self, now: Duration, waited: Duration) -> Duration {
        let gathered = (now + GATHER).saturating_sub(waited);
        if self.available(now) > 0 { gathered } else { gathered.max(self.since + self.refill) }
    }

    /// A message left early.
    pub(super) fn take(&mut self, now: Duration) {
        let available = self.available(now);
        if available == EARLY_MAX {
            self.since = now;
        } else {
            self.since += self.refill * (available - self.left);
        }
        self.left = available.saturating_sub(1);
    }

    fn available(&self, now: Duration) -> u32 {
        let more = now.saturating_sub(self.since).as_millis() / self.refill.as_millis().max(1);
        self.left.saturating_add(u32::try_from(more).unwrap_or(u32::MAX)).min(EARLY_MAX)
    }
}

#[cfg(test)]
mod tests {
    use crate::notify::{Dispatch, Next, Turn, Waiting};

    use super::*;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// When messages leave, with what waits then: news at some seconds, and other changes at some.
    fn play(interval: u64, news: &[u64], others: &[u64]) -> Vec<(u64, usize)> {
        let mut dispatch = Dispatch::new(secs(interval));
        let (mut left, mut sent) = (Vec::new(), None::<u64>);
        for now in 0..=news.iter().chain(others).max().unwrap() + 2 * interval {
            let waits = |all: &[u64]| -> Vec<u64> {
                all.iter().copied().filter(|at| *at <= now && sent.is_none_or(|sent| *at > sent)).collect()
            };
            let (new, other) = (waits(news), waits(others));
            let age = |of: &[u64]| of.iter().min().map(|at| secs(now - at));
            let oldest = age(&new).max(age(&other)).unwrap_or_default();
            let changes = (new.len() + other.len()) as u64;
            let waiting = Waiting { changes, oldest, news: age(&new), ..Waiting::default() };
            if dispatch.next(secs(now), waiting) == Next::Send(Turn::Front) {
                dispatch.left(secs(now), Turn::Front, false);
                left.push((now, new.len() + other.len()));
                sent = Some(now);
            }
        }
        left
    }

    #[test]
    fn a_new_alarm_leaves_within_five_seconds_though_another_message_left_just_before() {
        for interval in [10, 30, 3_600] {
            let left = play(interval, &[101], &[100]);
            assert_eq!(left, [(100, 1), (103, 1)], "{interval}");
        }
    }

    #[test]
    fn in_a_busy_plant_each_new_alarm_is_told_within_five_seconds() {
        let others: Vec<u64> = (0..600).collect();
        let news = [40, 80, 130, 177, 290, 400, 555];
        let left = play(30, &news, &others);
        for at in news {
            assert!(left.iter().any(|(when, _)| (at..=at + 5).contains(when)), "{at}: {left:?}");
        }
    }

    #[test]
    fn ends_and_remarks_wait_for_the_interval() {
        assert_eq!(play(30, &[100], &[101, 105]), [(100, 1), (130, 2)]);
    }

    #[test]
    fn a_storm_of_a_thousand_failures_and_returns_is_at_most_twenty_messages() {
        for (interval, span) in [(30, 4), (30, 60), (10, 20), (60, 90), (3_600, 300)] {
            let news: Vec<u64> = (0..1_000).map(|index| 10 + index * span / 1_000).collect();
            let ends: Vec<u64> = news.iter().map(|at| at + span).collect();
            let left = play(interval, &news, &ends);
            assert_eq!(left.iter().map(|(_, changes)| changes).sum::<usize>(), 2_000);
            assert!(left.len() <= 20, "{interval} s, {span} s: {left:?}");
        }
    }
}
