//! Latencies over time, out of HdrHistogram interval logs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use super::report::LatencyReport;
use crate::log_view::{Filter, Moment, Unreadable};

/// Largest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Longest encoded histogram that is decoded, in bytes: ours take a few hundred.
const ENCODED_BYTES_MAX: usize = 64 << 10;

/// Most rows of one stage.
const ROWS_MAX: u64 = 24;

/// Most stages.
const STAGES_MAX: usize = 16;

/// Lengths that a row may have, in minutes.
const STRETCHES: [u64; 10] = [1, 5, 15, 60, 180, 360, 720, 1_440, 10_080, 40_320];

/// Everything that was read, by stage and minute.
#[derive(Debug, Default)]
pub struct Latencies {
    /// The finest stretch is a minute; it grows when there are too many of them.
    by_time: BTreeMap<(u64, String), Histogram<u64>>,
    /// Length of a stretch in minutes, as an index into [`STRETCHES`].
    stretch: usize,
    unreadable: u64,
}

impl Latencies {
    /// Adds what a file says of the time that is asked for.
    ///
    /// # Errors
    /// It cannot be read at all.
    pub fn read(&mut self, path: &Path, filter: &Filter) -> Result<(), Unreadable> {
        let fail = |error: std::io::Error| Unreadable::at(path, error);
        if fs::metadata(path).map_err(fail)?.len() > FILE_BYTES_MAX {
            return Err(Unreadable::at(path, "it is too long for an interval log"));
        }
        self.take(&fs::read(path).map_err(fail)?, filter);
        Ok(())
    }

    fn take(&mut self, bytes: &[u8], filter: &Filter) {
        let mut base = Duration::ZERO;
        let mut decoder = Deserializer::new();
        for entry in IntervalLogIterator::new(bytes) {
            let interval = match entry {
                Ok(LogEntry::BaseTime(time)) => {
                    base = time;
                    continue;
                }
                Ok(LogEntry::StartTime(_)) => continue,
                Ok(LogEntry::Interval(interval)) => interval,
                Err(_) => {
                    // The last line of a file that is being written may be half there.
                    self.unreadable += 1;
                    break;
                }
            };
            let at = base.saturating_add(interval.start_timestamp());
            let moment = Moment(i64::try_from(at.as_millis()).unwrap_or(i64::MAX));
            let is_asked_for =
                filter.since.is_none_or(|since| moment >= since) && filter.until.is_none_or(|until| moment < until);
            if !is_asked_for {
                continue;
            }
            let stage = interval.tag().map_or("all", |tag| tag.as_str());
            let encoded = interval.encoded_histogram().as_bytes();
            let decoded = (encoded.len() <= ENCODED_BYTES_MAX && stage.len() <= 64)
                .then(|| STANDARD.decode(encoded).ok())
                .flatten()
                .and_then(|bytes| decoder.deserialize::<u64, _>(&mut bytes.as_slice()).ok());
            match decoded {
                Some(histogram) => self.add(at.as_secs() / 60, stage, &histogram),
                None => self.unreadable += 1,
            }
        }
    }

    fn add(&mut self, minute: u64, stage: &str, histogram: &Histogram<u64>) {
        let minutes = STRETCHES[self.stretch];
        let key = (minute / minutes * minutes, stage.to_owned());
        let row = self.by_time.entry(key).or_insert_with(fresh);
        for bar in histogram.iter_recorded() {
            row.saturating_record_n(bar.value_iterated_to(), bar.count_at_value());
        }
        let stages = self.by_time.keys().filter(|(from, _)| *from == minute / minutes * minutes).count();
        if stages > STAGES_MAX {
            self.by_time.pop_last();
            self.unreadable += 1;
        }
        while self.rows() > ROWS_MAX && self.stretch + 1 < STRETCHES.len() {
            self.coarsen();
        }
    }

    fn rows(&self) -> u64 {
        let mut rows: Vec<u64> = self.by_time.keys().map(|(from, _)| *from).collect();
        rows.dedup();
        rows.len() as u64
    }

    fn coarsen(&mut self) {
        self.stretch += 1;
        let minutes = STRETCHES[self.stretch];
        for ((from, stage), histogram) in std::mem::take(&mut self.by_time) {
            let row = self.by_time.entry((from / minutes * minutes, stage)).or_insert_with(fresh);
            row.add(&histogram).expect("all rows have the same bounds");
        }
    }

    pub(super) fn unreadable(&self) -> u64 {
        self.unreadable
    }

    pub(super) fn report(&self) -> Vec<LatencyReport> {
        let millis = |micros: u64| micros as f64 / 1e3;
        let row = |((from, stage), histogram): (&(u64, String), &Histogram<u64>)| LatencyReport {
            from: Moment(i64::try_from(from * 60_000).unwrap_or(i64::MAX)).to_string(),
            seconds: STRETCHES[self.stretch] * 60,
            stage: stage.clone(),
            count: histogram.len(),
            p50_ms: millis(histogram.value_at_quantile(0.5)),
            p99_ms: millis(histogram.value_at_quantile(0.99)),
            max_ms: millis(histogram.max()),
        };
        self.by_time.iter().map(row).collect()
    }
}

/// A row's histogram, in the bounds in which the service measures.
fn fresh() -> Histogram<u64> {
    Histogram::new_with_bounds(1, avwatch_actors::latency::LATENCY_MAX_US, 2).expect("constant bounds are valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_minutes_become_few_rows_that_hold_all_of_them() {
        let mut latencies = Latencies::default();
        let mut one = fresh();
        one.record(2_000).expect("it is within the bounds");
        for minute in 0..3_000 {
            latencies.add(minute, "decode", &one);
        }
        let report = latencies.report();
        assert!(report.len() as u64 <= ROWS_MAX, "{}", report.len());
        assert_eq!(report.iter().map(|row| row.count).sum::<u64>(), 3_000);
        assert_eq!(report[0].seconds, 180 * 60);
        assert!((report[0].p50_ms - 2.0).abs() < 0.02 && &*report[0].stage == "decode");
    }

    #[test]
    fn a_file_that_is_no_interval_log_is_counted_and_upsets_nothing() {
        let mut latencies = Latencies::default();
        latencies.take(b"Tag=a,1.0,1.0,1.0,AAAA\nnonsense", &Filter::default());
        assert_eq!((latencies.unreadable(), latencies.report().len()), (2, 0));
    }
}
