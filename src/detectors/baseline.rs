//! A baseline: the median of what a number used to be.
//!
//! Keeps a bounded number of values; the median is taken anew only now and then, since it changes slowly.

use std::collections::VecDeque;

/// Values after which the median is taken anew.
const RENEW_AFTER: usize = 8;

/// The last values of a number.
#[derive(Clone, Debug)]
pub(super) struct Baseline {
    values: VecDeque<f32>,
    values_max: usize,
    work: Vec<f32>,
    since_renewal: usize,
    median: f32,
}

impl Baseline {
    /// A baseline of at most that many values.
    pub(super) fn new(values_max: usize) -> Self {
        Self {
            values: VecDeque::with_capacity(values_max),
            values_max,
            work: Vec::with_capacity(values_max),
            since_renewal: 0,
            median: 0.0,
        }
    }

    /// Adds a finite value; the oldest goes when there are too many.
    pub(super) fn add(&mut self, value: f32) {
        debug_assert!(value.is_finite());
        if self.values.len() == self.values_max {
            self.values.pop_front();
        }
        self.values.push_back(value);
        self.since_renewal += 1;
        if self.since_renewal >= RENEW_AFTER || self.values.len() <= RENEW_AFTER {
            self.renew();
        }
    }

    /// Number of values.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Their median, up to seven values ago; 0 of none.
    pub(super) fn median(&self) -> f32 {
        self.median
    }

    fn renew(&mut self) {
        self.since_renewal = 0;
        self.work.clear();
        self.work.extend(&self.values);
        self.median = middle(&mut self.work);
    }
}

/// The lower median; 0 of none. Changes the order.
fn middle(values: &mut [f32]) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = (values.len() - 1) / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_follows_the_last_values_and_not_their_outliers() {
        let mut baseline = Baseline::new(16);
        for value in [1.0, 1.0, 2.0, 90.0, 1.0] {
            baseline.add(value);
        }
        assert_eq!((baseline.median(), baseline.len()), (1.0, 5));
        for _ in 0..32 {
            baseline.add(7.0);
        }
        assert_eq!((baseline.median(), baseline.len()), (7.0, 16));
    }
}
