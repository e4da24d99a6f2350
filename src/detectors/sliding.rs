//! A sliding sum: how much there was in the last few seconds of media time.
//!
//! Fed with the stretches that the demuxer reports, about ten a second. Bounded: at most
//! [`STRETCHES_MAX`] stretches are kept, so a window of many tiny ones is shorter than asked for.

use std::collections::VecDeque;

use avwatch_actors::media_time::MediaTime;

/// Stretches of the longest window, 3 s of them, with room for shorter ones.
const STRETCHES_MAX: usize = 64;
/// A longer stretch is a jump of the timeline, or what overload made of several reports: what came
/// when within it is not known.
pub(super) const STRETCH_MAX: MediaTime = MediaTime::from_millis(1_000);

/// The sums of one number over the last stretches.
#[derive(Clone, Debug)]
pub(super) struct Sliding {
    length: MediaTime,
    stretches: VecDeque<(u64, MediaTime)>,
    sum: u64,
    lasts: MediaTime,
}

impl Sliding {
    /// An empty window of that length.
    pub(super) fn new(length: MediaTime) -> Self {
        Self { length, stretches: VecDeque::with_capacity(STRETCHES_MAX + 1), sum: 0, lasts: MediaTime::ZERO }
    }

    /// Adds a stretch; what is no longer needed to fill the window leaves it.
    pub(super) fn add(&mut self, amount: u64, lasts: MediaTime) {
        self.stretches.push_back((amount, lasts));
        self.sum += amount;
        self.lasts += lasts;
        while let Some(&(oldest, old_lasts)) = self.stretches.front() {
            if self.lasts - old_lasts < self.length && self.stretches.len() <= STRETCHES_MAX {
                break;
            }
            self.stretches.pop_front();
            self.sum -= oldest;
            self.lasts = self.lasts - old_lasts;
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.stretches.clear();
        (self.sum, self.lasts) = (0, MediaTime::ZERO);
    }

    /// How much there was, and over what time, once the window is full.
    pub(super) fn full(&self) -> Option<(u64, MediaTime)> {
        (self.lasts >= self.length && self.lasts > MediaTime::ZERO).then_some((self.sum, self.lasts))
    }

    /// The same for a second.
    pub(super) fn rate(&self) -> Option<f64> {
        self.full().map(|(sum, lasts)| sum as f64 / lasts.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::at;
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_stretches_once_they_fill_the_window() {
        let mut window = Sliding::new(at(1.0));
        for _ in 0..9 {
            window.add(10, at(0.1));
            assert_eq!(window.rate(), None);
        }
        window.add(10, at(0.1));
        assert_eq!(window.rate(), Some(100.0));
        for _ in 0..10 {
            window.add(0, at(0.1));
        }
        assert_eq!(window.full(), Some((0, at(1.0))));
        window.clear();
        assert_eq!(window.rate(), None);
    }

    #[test]
    fn tiny_stretches_do_not_fill_memory() {
        let mut window = Sliding::new(at(1.0));
        for _ in 0..10_000 {
            window.add(1, at(0.001));
        }
        assert!(window.stretches.len() <= STRETCHES_MAX);
    }
}
