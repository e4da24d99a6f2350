//! Shedding: what the node stops looking at when it cannot follow, and what it takes up again.
//!
//! Pure; owned by the monitor, which asks once a second and turns the streams' dials. It never lets
//! the node fall behind in silence: what is shed is counted by tier, and lasts as `monitor_overload`.
//!
//! - **Overload** is a 99th percentile of arrival-to-verdict above the target, frames displaced from full
//!   lanes or datagrams from our own sockets, or a quarter of the streams behind their sources by more
//!   than the target with a thread that never waits for them. Seen `LOOKS` times in a row it sheds.
//! - **Shedding** takes one tier from as many streams as the overload demands: a tenth for each target's
//!   worth of latency, at most half. The dearest tiers go first, among them the lowest priorities, so
//!   that everything is in `light` before anything is in `keyframes`. Then it waits `SETTLE` looks.
//! - **Want of memory** sheds as losses do, but into `audio` at once and then into `transport`: in the tiers before
//!   those a decoder stays open and gives nothing back. Then it waits `SETTLE_MEMORY` looks.
//! - **Restoring** needs calm, half the target, nothing lost and enough memory, for 30 looks; then a twentieth of the streams
//!   get one tier back every `STEP` looks, the cheapest tiers and highest priorities first. Overload
//!   soon after doubles the calm that is demanded next, up to `CALM_MAX`; a whole calm spell
//!   after the last one was restored forgets that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::memory_budget::MemoryPressure;
use crate::tier::{Tier, TierRange};

/// Overload must be seen so often in a row: the start of many streams is none.
const LOOKS: u32 = 3;
/// Looks after a shedding until its effect shows.
const SETTLE: u32 = 2;
/// The same for want of memory: closed decoders give theirs back within 10 s.
const SETTLE_MEMORY: u32 = 12;
/// Looks of calm before anything is restored; doubles with every relapse up to the other.
const CALM: u32 = 30;
const CALM_MAX: u32 = 480;
/// Looks between two restorations.
const STEP: u32 = 5;
/// Of so many streams one is shed for each target's worth of overload, and one restored.
const SHED_PART: f64 = 0.1;
const SHED_MOST: f64 = 0.5;
const RESTORE_PART: usize = 20;

/// How the node fared in the last second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeLoad {
    /// 99 in 100 frames had their verdict within this time of their arrival; nothing if none had one.
    pub latency: Option<Duration>,
    /// Frames displaced from full lanes and datagrams lost by this machine, when enough streams lose some.
    pub lost: u64,
    /// A quarter of the streams are behind their sources by at least so much, for lack of time.
    pub behind: Duration,
    /// How short of memory the process is.
    pub memory: MemoryPressure,
}

/// A stream that may be shed.
#[derive(Clone, Debug)]
pub struct StreamLoad {
    /// Its name.
    pub name: Arc<str>,
    /// Who is shed last: 9 before 0.
    pub priority: u8,
    /// Between which tiers it may move.
    pub range: TierRange,
}

/// What a look came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing changes.
    Stay,
    /// Streams went down a tier.
    Shed {
        /// How many.
        streams: usize,
    },
    /// Streams came up a tier.
    Restored {
        /// How many.
        streams: usize,
    },
}

/// The machine.
#[derive(Debug)]
pub struct Shedding {
    target: Duration,
    /// Tiers below the configured one; what is absent is not shed.
    shed: BTreeMap<Arc<str>, Tier>,
    over: u32,
    calm: u32,
    calm_needed: u32,
    settling: u32,
    /// Looks since the last restoration, while a relapse would be its fault.
    since_restored: Option<u32>,
}

impl Shedding {
    /// A machine that has shed nothing and keeps latency below `target`.
    pub fn new(target: Duration) -> Self {
        Self {
            target: target.max(Duration::from_millis(1)),
            shed: BTreeMap::new(),
            over: 0,
            calm: 0,
            calm_needed: CALM,
            settling: 0,
            since_restored: None,
        }
    }

    /// The tier that load leaves to a stream; [`Tier::Full`] when it takes nothing.
    pub fn tier_of(&self, stream: &str) -> Tier {
        self.shed.get(stream).copied().unwrap_or(Tier::Full)
    }

    /// How many streams are shed to each tier, cheapest last; tiers without any are absent.
    pub fn counts(&self) -> BTreeMap<Tier, usize> {
        let mut counts = BTreeMap::new();
        for tier in self.shed.values() {
            *counts.entry(*tier).or_default() += 1;
        }
        counts
    }

    /// Takes in the last second; `streams` are all that there are now.
    pub fn look(&mut self, load: &NodeLoad, streams: &[StreamLoad]) -> Step {
        self.forget_gone(streams);
        self.settling = self.settling.saturating_sub(1);
        self.since_restored = self.since_restored.map(|looks| looks.saturating_add(1));
        match self.overload(load) {
            Some(overload) => {
                self.calm = 0;
                self.over = self.over.saturating_add(1);
                if self.over < LOOKS || self.settling > 0 {
                    return Step::Stay;
                }
                self.take(overload, load.memory.sheds(), streams)
            }
            None => {
                self.over = 0;
                self.calm = if self.is_calm(load) { self.calm.saturating_add(1) } else { 0 };
                self.give_back(streams)
            }
        }
    }

    /// By how many targets the node is beyond what it may; nothing when it is not.
    fn overload(&self, load: &NodeLoad) -> Option<f64> {
        let slowest = load.latency.unwrap_or_default().max(load.behind);
        let by_time = slowest.as_secs_f64() / self.target.as_secs_f64();
        // Losses and want of memory tell that there is too much, not how much.
        let overload = if load.lost > 0 || load.memory.sheds() { by_time.max(2.0) } else { by_time };
        (overload > 1.0).then_some(overload)
    }

    fn is_calm(&self, load: &NodeLoad) -> bool {
        load.lost == 0
            && load.memory == MemoryPressure::Ease
            && load.latency.unwrap_or_default().max(load.behind) * 2 <= self.target
    }

    /// What configuration no longer allows, and who is gone, is not shed.
    fn forget_gone(&mut self, streams: &[StreamLoad]) {
        let ranges: BTreeMap<&str, TierRange> = streams.iter().map(|stream| (&*stream.name, stream.range)).collect();
        self.shed.retain(|name, tier| match ranges.get(&**name) {
            Some(range) => {
                *tier = (*tier).min(range.cheapest);
                range.is_less(*tier)
            }
            None => false,
        });
    }

    /// `for_memory` only tiers count in which something is closed.
    fn take(&mut self, overload: f64, for_memory: bool, streams: &[StreamLoad]) -> Step {
        let share = (SHED_PART * overload).min(SHED_MOST);
        let batch = ((streams.len() as f64 * share).ceil() as usize).max(1);
        let least = if for_memory { Tier::Audio } else { Tier::Full };
        let next = |stream: &StreamLoad| {
            let (now, range) = (self.tier_of(&stream.name), stream.range);
            // Of a stream in triage first that it may rise, which may be most of what it costs.
            let next = if range.triage && now < range.configured {
                range.configured
            } else {
                now.max(range.configured).cheaper()?
            };
            Some(next.max(least))
        };
        let mut able: Vec<(Tier, &StreamLoad)> = streams
            .iter()
            .filter_map(|stream| Some((next(stream)?, stream)))
            .filter(|(next, stream)| *next <= stream.range.cheapest)
            .collect();
        able.sort_by(|(tier, one), (other_tier, other)| {
            (tier, one.priority, &one.name).cmp(&(other_tier, other.priority, &other.name))
        });
        able.truncate(batch);
        if able.is_empty() {
            return Step::Stay;
        }
        if self.since_restored.take().is_some_and(|looks| looks <= CALM) {
            self.calm_needed = (self.calm_needed * 2).min(CALM_MAX);
        }
        self.settling = if for_memory { SETTLE_MEMORY } else { SETTLE };
        for (tier, stream) in &able {
            self.shed.insert(stream.name.clone(), *tier);
        }
        Step::Shed { streams: able.len() }
    }

    fn give_back(&mut self, streams: &[StreamLoad]) -> Step {
        if self.shed.is_empty() {
            if self.calm >= self.calm_needed {
                (self.calm_needed, self.since_restored) = (CALM, None);
            }
            return Step::Stay;
        }
        let is_due = self.calm >= self.calm_needed && (self.calm - self.calm_needed).is_multiple_of(STEP);
        if !is_due {
            return Step::Stay;
        }
        let batch = streams.len().div_ceil(RESTORE_PART).max(1);
        let mut shed: Vec<(Tier, &StreamLoad)> =
            streams.iter().filter_map(|stream| Some((*self.shed.get(&stream.name)?, stream))).collect();
        shed.sort_by(|(tier, one), (other_tier, other)| {
            (other_tier, other.priority, &one.name).cmp(&(tier, one.priority, &other.name))
        });
        shed.truncate(batch);
        let restored = shed.len();
        let next: Vec<_> = shed
            .into_iter()
            .map(|(tier, stream)| (stream.name.clone(), tier.dearer().filter(|tier| stream.range.is_less(*tier))))
            .collect();
        for (name, tier) in next {
            match tier {
                Some(tier) => self.shed.insert(name, tier),
                None => self.shed.remove(&name),
            };
        }
        self.since_restored = Some(0);
        Step::Restored { streams: restored }
    }
}

#[cfg(test)]
#[path = "shedding_tests.rs"]
mod tests;
