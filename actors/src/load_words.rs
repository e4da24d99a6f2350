//! What is said of the node's load: one sentence for `monitor_overload`.
//!
//! Pure; for the load watch.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cpu_accounts::CpuFigures;
use crate::severity::Severity;
use crate::shedding::NodeLoad;
use crate::tier::Tier;

/// Memory of the process in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MemoryUse {
    /// What it takes.
    pub(crate) resident: u64,
    /// What it may take.
    pub(crate) budget: u64,
}

/// Everything that there is to say.
#[derive(Debug)]
pub(crate) struct LoadWords<'a> {
    pub(crate) load: &'a NodeLoad,
    pub(crate) memory: MemoryUse,
    /// Streams that load has put into a tier.
    pub(crate) shed: BTreeMap<Tier, usize>,
    /// Of so many streams.
    pub(crate) streams: usize,
    /// Streams that wait for memory.
    pub(crate) held: usize,
    /// Every detector.
    pub(crate) cpu: Vec<CpuFigures>,
}

impl LoadWords<'_> {
    /// True while anything is not looked at as configured.
    pub(crate) fn is_overload(&self) -> bool {
        !self.shed.is_empty() || self.load.memory.refuses() || self.throttled().next().is_some()
    }

    /// How much that matters. Where no picture is looked at any more, viewers may see what nobody else does.
    pub(crate) fn severity(&self) -> Severity {
        match self.shed.keys().next_back() {
            Some(Tier::Audio | Tier::Transport) => Severity::Major,
            _ if self.held > 0 => Severity::Major,
            Some(Tier::Full | Tier::Light | Tier::Keyframes) | None => Severity::Warning,
        }
    }

    /// `12 of 40 streams in keyframes, 3 in audio: verdicts come 1.8 s late`, and what else there is.
    pub(crate) fn message(&self) -> String {
        let said: Vec<String> =
            [self.of_tiers(), self.of_memory(), self.of_detectors()].into_iter().flatten().collect();
        if said.is_empty() { "every stream is looked at as configured again".to_owned() } else { said.join("; ") }
    }

    fn of_tiers(&self) -> Option<String> {
        if self.shed.is_empty() {
            return None;
        }
        let part = |(place, (tier, count)): (usize, (&Tier, &usize))| match place {
            0 => format!("{count} of {} streams in {tier}", self.streams),
            _ => format!("{count} in {tier}"),
        };
        let parts: Vec<String> = self.shed.iter().enumerate().map(part).collect();
        Some(format!("{}: {}", parts.join(", "), self.why()))
    }

    fn why(&self) -> String {
        let latency = self.load.latency.unwrap_or_default();
        if self.load.memory.sheds() {
            "memory is short".to_owned()
        } else if self.load.lost > 0 {
            format!("{} frames or datagrams were lost in a second", self.load.lost)
        } else if self.load.behind > latency {
            format!("decoding is {:.1} s behind", self.load.behind.as_secs_f64())
        } else {
            format!("verdicts come {:.1} s late", latency.max(Duration::ZERO).as_secs_f64())
        }
    }

    fn of_memory(&self) -> Option<String> {
        if !self.load.memory.refuses() {
            return None;
        }
        let waiting = match self.held {
            0 => "no further stream is opened".to_owned(),
            1 => "1 stream waits to be opened".to_owned(),
            held => format!("{held} streams wait to be opened"),
        };
        let megabytes = |bytes: u64| bytes / 1_000_000;
        let (takes, may) = (megabytes(self.memory.resident), megabytes(self.memory.budget));
        Some(format!("{waiting}: the process takes {takes} MB of memory of the {may} MB that it may (limits.memory)"))
    }

    fn of_detectors(&self) -> Option<String> {
        let on = |account: &CpuFigures| match account.throttled {
            1 => format!("{} on 1 track", account.detector),
            tracks => format!("{} on {tracks} tracks", account.detector),
        };
        let said: Vec<String> = self.throttled().map(on).collect();
        (!said.is_empty()).then(|| format!("throttled for taking more of a core than they may: {}", said.join(", ")))
    }

    fn throttled(&self) -> impl Iterator<Item = &CpuFigures> {
        self.cpu.iter().filter(|account| account.throttled > 0)
    }
}
