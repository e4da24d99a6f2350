//! What a run measured: written as `docs/monolith.json`, from which the page is made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::prices::Cost;

/// A design keeps up while 95 % of its alarms come no later than this after what they take with one stream, in
/// seconds. A run lasts 20 s, so less than the twentieth part too little speed is seen.
pub(crate) const LATE_MAX_S: f64 = 1.0;

/// Everything of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// The day, as YYYY-MM-DD.
    pub(crate) date: String,
    /// A short run: one pair, and wide steps towards the walls.
    pub(crate) quick: bool,
    pub(crate) machine: Machine,
    pub(crate) clip: Clip,
    pub(crate) detectors: Vec<String>,
    pub(crate) planted: Vec<Planted>,
    /// One stream in real time in both designs by turns.
    pub(crate) pairs: Vec<Pair>,
    /// Not of a quick run: other choices, with one stream.
    pub(crate) variants: Option<Variants>,
    /// More and more streams.
    pub(crate) distributed_steps: Vec<Run>,
    pub(crate) monolith_steps: Vec<Run>,
}

/// What other choices would have come to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Variants {
    /// The distributed design, if it put all pictures of a second into one object.
    pub(crate) packed: Run,
    /// Both with those detectors only.
    pub(crate) few_detectors: Vec<String>,
    pub(crate) few: Pair,
}

/// Where it ran.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) processor: String,
    /// Processes that wanted to run, on average over the minute before: more than none means company.
    pub(crate) load_before: f64,
}

/// What was inspected.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Clip {
    pub(crate) size: String,
    pub(crate) frame_rate: u32,
    pub(crate) seconds: u64,
}

/// A defect in the clip.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Planted {
    pub(crate) detector: String,
    pub(crate) start_s: f64,
    pub(crate) end_s: f64,
}

/// A condition as a design told it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fault {
    pub(crate) detector: String,
    /// In media time.
    pub(crate) start_s: f64,
    pub(crate) end_s: f64,
    /// When its alarm reached who is to be told, since the stream's begin.
    pub(crate) told_s: f64,
}

impl Fault {
    /// From the begin of the condition to its alarm: what the detector waits for to be sure is part of it.
    pub(crate) fn delay_s(&self) -> f64 {
        self.told_s - self.start_s
    }
}

/// Both designs, one after the other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) distributed: Run,
    pub(crate) monolith: Run,
}

/// One run of one design.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) streams: usize,
    pub(crate) stream_seconds: f64,
    /// CPU time and memory by role.
    pub(crate) roles: BTreeMap<String, Usage>,
    pub(crate) calls: Calls,
    pub(crate) transitions: u64,
    /// TCP connections that the store was reached over.
    pub(crate) connections: u64,
    /// Frames that were displaced unseen.
    pub(crate) dropped: u64,
    /// What was told of the first stream.
    pub(crate) faults: Vec<Fault>,
    /// Planted defects in all streams, and how many of them were told.
    pub(crate) planted: usize,
    pub(crate) told: usize,
    /// How much later alarms came than with one stream; of steps towards a wall only.
    pub(crate) late: Option<Late>,
}

/// How much later alarms came than with one stream, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Late {
    pub(crate) p50_s: f64,
    pub(crate) p95_s: f64,
    pub(crate) max_s: f64,
}

impl Late {
    /// Of all alarms that came; `None` if none did.
    pub(crate) fn of(mut late_s: Vec<f64>) -> Option<Self> {
        late_s.sort_by(f64::total_cmp);
        let below = |share: f64| late_s.get(((late_s.len() as f64 * share).ceil() as usize).saturating_sub(1)).copied();
        Some(Self { p50_s: below(0.5)?, p95_s: below(0.95)?, max_s: below(1.0)? })
    }
}

/// What processes used.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// User and system time, in seconds.
    pub(crate) cpu_s: f64,
    /// Most memory that they had, in bytes, as if all had it at once.
    pub(crate) peak_bytes: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.cpu_s += other.cpu_s;
        self.peak_bytes += other.peak_bytes;
    }
}

/// Calls of the object store, and bytes moved by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Calls {
    pub(crate) puts: u64,
    pub(crate) gets: u64,
    pub(crate) bytes_put: u64,
    pub(crate) bytes_got: u64,
}

impl std::ops::AddAssign for Calls {
    fn add_assign(&mut self, other: Self) {
        self.puts += other.puts;
        self.gets += other.gets;
        self.bytes_put += other.bytes_put;
        self.bytes_got += other.bytes_got;
    }
}

/// Roles that a provider runs and bills by the call: their CPU time and memory are in those prices already.
pub(crate) const BILLED_BY_CALL: [&str; 2] = ["store", "workflow"];

impl Run {
    /// CPU seconds of a second of stream, those of roles that are billed by the call left out.
    pub(crate) fn own_cpu(&self) -> f64 {
        self.own().map(|usage| usage.cpu_s).sum::<f64>() / self.stream_seconds
    }

    /// CPU seconds of a second of stream.
    pub(crate) fn all_cpu(&self) -> f64 {
        self.roles.values().map(|usage| usage.cpu_s).sum::<f64>() / self.stream_seconds
    }

    /// CPU seconds of a second of stream in a role.
    pub(crate) fn cpu_of(&self, role: &str) -> f64 {
        self.roles.get(role).map_or(0.0, |usage| usage.cpu_s) / self.stream_seconds
    }

    /// Memory of the roles that are not billed by the call.
    pub(crate) fn own_bytes(&self) -> u64 {
        self.own().map(|usage| usage.peak_bytes).sum()
    }

    fn own(&self) -> impl Iterator<Item = &Usage> {
        self.roles.iter().filter(|(role, _)| !BILLED_BY_CALL.contains(&role.as_str())).map(|(_, usage)| usage)
    }

    /// What an hour of stream would have had of something, as there was that much of it in the run.
    pub(crate) fn per_hour(&self, count: f64) -> f64 {
        count * 3_600.0 / self.stream_seconds
    }

    /// What an hour of a stream costs.
    pub(crate) fn cost(&self) -> Cost {
        let streams = self.streams.max(1) as f64;
        Cost::of(self.own_cpu(), self.own_bytes() as f64 / streams, self.calls, self.transitions, self.stream_seconds)
    }

    /// Whether the design kept up with the streams.
    pub(crate) fn holds(&self) -> bool {
        self.told == self.planted && self.dropped == 0 && self.late.is_some_and(|late| late.p95_s <= LATE_MAX_S)
    }
}

impl Figures {
    /// The median over the pairs of something of the distributed design.
    pub(crate) fn distributed(&self, of: impl Fn(&Run) -> f64) -> f64 {
        median(self.pairs.iter().map(|pair| of(&pair.distributed)))
    }

    /// The same of the monolith.
    pub(crate) fn monolith(&self, of: impl Fn(&Run) -> f64) -> f64 {
        median(self.pairs.iter().map(|pair| of(&pair.monolith)))
    }

    /// By how many per cent the monolith is cheaper.
    pub(crate) fn cheaper_percent(&self) -> f64 {
        let total = |run: &Run| run.cost().total();
        100.0 * (1.0 - self.monolith(total) / self.distributed(total))
    }

    /// By how much the monolith's wall is further out.
    pub(crate) fn wall_ratio(&self) -> f64 {
        wall(&self.monolith_steps) as f64 / wall(&self.distributed_steps).max(1) as f64
    }
}

/// Most streams with which a design kept up.
pub(crate) fn wall(steps: &[Run]) -> usize {
    steps.iter().filter(|step| step.holds()).map(|step| step.streams).max().unwrap_or(0)
}

/// The middle one; between the two in the middle if their number is even; 0 of none.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.is_empty(), values.len() % 2) {
        (true, _) => 0.0,
        (false, 1) => values[middle],
        (false, _) => (values[middle - 1] + values[middle]) / 2.0,
    }
}
