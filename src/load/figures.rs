//! Figures: what one trial came to, as plain data for both reports.
//!
//! Field names are those of the JSON report; `docs/load.md` says what each means. What cannot be had is `null`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::probe::{Latencies, Part};

/// One trial.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Trial {
    /// Streams that ran.
    pub streams: u32,
    /// Measured seconds.
    pub seconds: f64,
    /// True when every limit held.
    pub held: bool,
    /// The limits that broke, in words.
    pub broke: Vec<String>,
    /// Streams that delivered at the end.
    pub up: u32,
    /// Sessions that ended, warm-up included.
    pub restarts: u64,
    /// The first reasons why.
    pub errors: Vec<String>,
    /// Frames.
    pub frames: Frames,
    /// CPU time.
    pub cpu: Cpu,
    /// Memory.
    pub memory: Memory,
    /// Milliseconds by part of the way.
    pub latency_ms: BTreeMap<&'static str, Percentiles>,
    /// What the detectors told of what was planted.
    pub accuracy: Accuracy,
    /// The sending side; `encoded` only.
    pub sender: Option<SenderFigures>,
}

/// Frames of the main tracks.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Frames {
    /// Due in the measured span.
    pub due: u64,
    /// Of them, judged by every detector.
    pub judged: u64,
    /// Displaced from full lanes, warm-up included.
    pub dropped: u64,
    /// Datagrams that the system dropped for want of room.
    pub receive_dropped: u64,
    /// Judged over due, at most 1.
    pub coverage: f64,
}

/// CPU time over the measured span.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Cpu {
    /// Of the whole process, in seconds.
    pub total_s: f64,
    /// Cores in use on average, the generator included.
    pub cores_used: f64,
    /// The cores there are.
    pub cores: u32,
    /// Watching one stream for a second, in milliseconds: all but making and sending.
    pub stream_ms: f64,
    /// Streams that one core would carry at that price.
    pub streams_per_core: f64,
    /// Milliseconds a stream and second, by stage.
    pub stages_ms: BTreeMap<&'static str, f64>,
}

/// Memory in RAM.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Memory {
    /// Before the streams were added, in bytes.
    pub before: u64,
    /// At the end of the measured span, in bytes.
    pub after: u64,
    /// The difference over the streams, in bytes.
    pub per_stream: u64,
}

/// Where latencies lie, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// Frames.
    pub count: u64,
    /// The median.
    pub p50: f64,
    /// 90 % were not longer.
    pub p90: f64,
    /// 99 % were not longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// Recall and precision.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Accuracy {
    /// Defects that had to be told.
    pub planted: u64,
    /// Those that were.
    pub found: u64,
    /// Events that count.
    pub events: u64,
    /// Of them, of nothing that is there.
    pub false_alarms: u64,
    /// Found over planted; `null` when nothing was.
    pub recall: Option<f64>,
    /// Right events over all; `null` when there were none.
    pub precision: Option<f64>,
    /// Streams that are left out because their sessions broke.
    pub streams_left_out: u32,
    /// The first misses and false alarms, in words.
    pub examples: Vec<String>,
}

/// The sender.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SenderFigures {
    /// Share of one core that its thread used.
    pub cores_used: f64,
    /// Bits a second of one stream.
    pub stream_bits_per_second: f64,
    /// The longest that anything left after its time, in milliseconds: counted against the receiver.
    pub latest_ms: f64,
    /// Datagrams that the system did not take.
    pub refused: u64,
    /// Connections dropped because their receiver fell behind by 8 MiB.
    pub dropped: u64,
}

impl Percentiles {
    /// Those of every part that has frames.
    pub fn of(latencies: &Latencies) -> BTreeMap<&'static str, Self> {
        let mut all = BTreeMap::new();
        for part in Part::ALL {
            let histogram = latencies.part(part);
            if histogram.is_empty() {
                continue;
            }
            let at = |share| rounded(histogram.value_at_quantile(share) as f64 / 1_000.0);
            let max = rounded(histogram.max() as f64 / 1_000.0);
            all.insert(part.name(), Self { count: histogram.len(), p50: at(0.5), p90: at(0.9), p99: at(0.99), max });
        }
        all
    }
}

impl Trial {
    /// The 99th percentile from due to the last verdict; nothing when nothing was judged.
    pub fn p99(&self) -> Option<Duration> {
        let total = self.latency_ms.get(Part::Total.name())?;
        Some(Duration::from_secs_f64(total.p99 / 1_000.0))
    }

    /// Dropped frames over those due.
    pub fn drop_share(&self) -> f64 {
        let dropped = self.frames.dropped + self.frames.receive_dropped;
        if self.frames.due == 0 { 0.0 } else { dropped as f64 / self.frames.due as f64 }
    }
}

/// A number to three decimals, six for small ones.
pub fn rounded(value: f64) -> f64 {
    let scale = if value.abs() < 1.0 { 1e6 } else { 1e3 };
    (value * scale).round() / scale
}
