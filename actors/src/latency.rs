//! Latencies: how long frames take from arrival to verdict, per stage, in HdrHistograms.
//!
//! One book per stream, at most 64 KB: 2 significant digits, 32-bit counts, 1 µs to 60 s.
//! Written in batches by the session's thread and the stream's detector actors, absorbed once a
//! second by whoever gathers. The lock is held for a batch of additions, never while waiting.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Highest latency that is told apart, in microseconds; longer ones count as this.
pub const LATENCY_MAX_US: u64 = 60_000_000;

/// A stage of a frame's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the arrival of its packet to being decoded and measured.
    Decode,
    /// From there to its turn in the detector actor.
    Queue,
    /// All detectors of one actor on it.
    Inspect,
    /// From arrival to verdict.
    Total,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 4] = [Self::Decode, Self::Queue, Self::Inspect, Self::Total];

    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Queue => "queue",
            Self::Inspect => "inspect",
            Self::Total => "total",
        }
    }
}

/// One histogram per stage, in microseconds.
#[derive(Clone, Debug)]
pub struct StageHistograms([Histogram<u32>; 4]);

impl Default for StageHistograms {
    fn default() -> Self {
        Self(std::array::from_fn(|_| {
            Histogram::new_with_bounds(1, LATENCY_MAX_US, 2).expect("constant bounds are valid")
        }))
    }
}

impl StageHistograms {
    /// The histogram of a stage.
    pub fn stage(&self, stage: Stage) -> &Histogram<u32> {
        &self.0[stage as usize]
    }

    /// Adds one latency.
    pub fn record(&mut self, stage: Stage, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0[stage as usize].saturating_record(micros.clamp(1, LATENCY_MAX_US));
    }

    /// Adds all of another set.
    pub fn absorb(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            mine.add(theirs).expect("all histograms have the same bounds");
        }
    }
}

/// Where the latencies of a second lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    /// The median.
    pub p50: Duration,
    /// 95 % were not longer.
    pub p95: Duration,
    /// 99 % were not longer.
    pub p99: Duration,
    /// The longest one.
    pub max: Duration,
}

impl Percentiles {
    /// Those of a histogram in microseconds; nothing when it is empty.
    pub fn of(histogram: &Histogram<u32>) -> Option<Self> {
        let at = |share| Duration::from_micros(histogram.value_at_quantile(share));
        let all = Self { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: Duration::from_micros(histogram.max()) };
        (!histogram.is_empty()).then_some(all)
    }
}

/// The shared book of one stream.
#[derive(Debug, Default)]
pub struct LatencyBook(Mutex<StageHistograms>);

impl LatencyBook {
    /// Adds a batch and empties it, keeping its memory.
    pub fn record(&self, batch: &mut Vec<(Stage, Duration)>) {
        if batch.is_empty() {
            return;
        }
        let mut histograms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (stage, latency) in batch.drain(..) {
            histograms.record(stage, latency);
        }
    }

    /// Takes everything out, by value.
    pub fn take(&self) -> StageHistograms {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds everything to `sum` and starts anew, without allocating.
    pub fn drain_into(&self, sum: &mut StageHistograms) {
        let mut histograms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sum.absorb(&histograms);
        for histogram in &mut histograms.0 {
            histogram.reset();
        }
    }
}

/// The distance from an earlier to a later moment; zero when they are the wrong way round.
pub fn between(earlier: Instant, later: Instant) -> Duration {
    later.saturating_duration_since(earlier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_book_fits_into_64_kilobytes() {
        let bytes: usize =
            StageHistograms::default().0.iter().map(|histogram| histogram.distinct_values() * size_of::<u32>()).sum();
        assert!(bytes <= 64 * 1024, "{bytes}");
    }

    #[test]
    fn percentiles_are_those_of_the_values_and_of_none_there_are_none() {
        let mut histograms = StageHistograms::default();
        assert_eq!(Percentiles::of(histograms.stage(Stage::Total)), None);
        (1..=100).for_each(|millis| histograms.record(Stage::Total, Duration::from_millis(millis)));
        let found = Percentiles::of(histograms.stage(Stage::Total)).expect("there are values");
        for (is, should) in [(found.p50, 50.0), (found.p95, 95.0), (found.p99, 99.0), (found.max, 100.0)] {
            let error = (is.as_secs_f64() * 1e3 - should).abs() / should;
            assert!(error < 0.01, "{is:?} is not {should} ms");
        }
    }

    #[test]
    fn latencies_move_by_value_and_leave_nothing_behind() {
        let (book, mut sum) = (LatencyBook::default(), StageHistograms::default());
        book.record(&mut vec![(Stage::Queue, Duration::from_millis(3)), (Stage::Queue, Duration::from_secs(3_600))]);
        book.drain_into(&mut sum);
        book.drain_into(&mut sum);
        assert_eq!(sum.stage(Stage::Queue).len(), 2);
        assert!(sum.stage(Stage::Queue).max() >= LATENCY_MAX_US);
        assert_eq!(sum.stage(Stage::Decode).len(), 0);
    }
}
