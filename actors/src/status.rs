//! The status board: published snapshots of everything, for whoever asks.
//!
//! Each stream's supervisor publishes its own entry once a second; readers take what stands there
//! and never wait for a stream. Node-wide sums live beside them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::cpu_accounts::CpuAccounts;
use crate::event::{StreamCard, Wall};
use crate::event_desk::DeskBoard;
use crate::latency::{LATENCY_MAX_US, Percentiles, Stage, StageHistograms};
use crate::memory_budget::MemoryPressure;
use crate::meters::SessionMeters;
use crate::tier::{Tier, TierRange};
use crate::track::{SessionNumber, TrackId};
use crate::verdict_notes::VerdictNotes;

/// One stream as it stood within the last second.
#[derive(Clone, Debug)]
pub struct StreamStatus {
    /// Name, title, profile, labels.
    pub card: Arc<StreamCard>,
    /// A word of [`crate::stream_life::StreamLife::STATES`], or [`HELD`].
    pub state: &'static str,
    /// How much of it is looked at.
    pub tier: Tier,
    /// Between which tiers it may move.
    pub tiers: TierRange,
    /// True while a session delivers frames.
    pub up: bool,
    /// The newest session.
    pub session: SessionNumber,
    /// Readings of the newest session.
    pub meters: SessionMeters,
    /// Frames of all sessions by track.
    pub frames: BTreeMap<TrackId, u64>,
    /// Frames dropped from full lanes, displaced and refused.
    pub lane_dropped: (u64, u64),
    /// Datagrams dropped by this machine, over all sessions.
    pub receive_dropped: u64,
    /// Sessions that ended, by cause.
    pub restarts: BTreeMap<&'static str, u64>,
    /// Why the last session ended, without secrets.
    pub last_error: Option<String>,
    /// Threads that were abandoned and have not returned.
    pub abandoned: u8,
    /// From arrival to verdict, over the last second; absent when nothing was judged.
    pub latency: Option<Percentiles>,
    /// When this was published.
    pub at: Wall,
}

/// Latencies of all streams since the start, in 64 bit: a busy node fills 32 within hours.
#[derive(Clone, Debug)]
pub struct NodeLatencies([Histogram<u64>; 4]);

impl Default for NodeLatencies {
    fn default() -> Self {
        Self(std::array::from_fn(|_| {
            Histogram::new_with_bounds(1, LATENCY_MAX_US, 2).expect("constant bounds are valid")
        }))
    }
}

impl NodeLatencies {
    /// The histogram of a stage, in microseconds.
    pub fn stage(&self, stage: Stage) -> &Histogram<u64> {
        &self.0[stage as usize]
    }

    fn absorb(&mut self, batch: &StageHistograms) {
        for (sum, stage) in self.0.iter_mut().zip(Stage::ALL) {
            for bar in batch.stage(stage).iter_recorded() {
                sum.saturating_record_n(bar.value_iterated_to().min(LATENCY_MAX_US), u64::from(bar.count_at_value()));
            }
        }
    }
}

/// The board of a node.
pub struct StatusBoard {
    streams: Mutex<BTreeMap<Arc<str>, Arc<StreamStatus>>>,
    latencies: Mutex<NodeLatencies>,
    /// From arrival to verdict, of all streams, since they were last taken.
    recent: Mutex<StageHistograms>,
    /// CPU time by detector.
    pub cpu: Arc<CpuAccounts>,
    /// Open events and totals.
    pub desk: Arc<DeskBoard>,
    /// Health of the node.
    pub health: Arc<Health>,
    /// What detectors say over time, for whoever keeps it.
    pub verdicts: Arc<VerdictNotes>,
}

impl StatusBoard {
    /// An empty board.
    pub fn new(cpu: Arc<CpuAccounts>, desk: Arc<DeskBoard>, health: Arc<Health>) -> Self {
        Self {
            streams: Mutex::default(),
            latencies: Mutex::default(),
            recent: Mutex::default(),
            cpu,
            desk,
            health,
            verdicts: Arc::default(),
        }
    }

    /// Publishes a stream's entry.
    pub fn publish(&self, status: StreamStatus) {
        let name = status.card.stream.clone();
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).insert(name, Arc::new(status));
    }

    /// Takes a stream off the board.
    pub fn remove(&self, stream: &str) {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).remove(stream);
    }

    /// Every stream, by name.
    pub fn streams(&self) -> Vec<Arc<StreamStatus>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Adds a second's latencies of one stream.
    pub fn absorb(&self, batch: &StageHistograms) {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner).absorb(batch);
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).absorb(batch);
    }

    /// Within which time 99 in 100 frames had their verdict since this was last asked; nothing when none had.
    pub fn take_recent(&self) -> Option<Duration> {
        let recent = std::mem::take(&mut *self.recent.lock().unwrap_or_else(PoisonError::into_inner));
        Percentiles::of(recent.stage(Stage::Total)).map(|percentiles| percentiles.p99)
    }

    /// Latencies of all streams since the start.
    pub fn latencies(&self) -> NodeLatencies {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Threads and arbiters that may be abandoned before the node calls itself unhealthy.
const ABANDONED_MIN: u32 = 8;

/// The state of a stream whose next session waits until there is memory for it.
pub const HELD: &str = "held";

/// Whether the process itself is well. Shared by the watchdog, supervisors and the API.
#[derive(Debug, Default)]
pub struct Health {
    ready: AtomicBool,
    control_stuck: AtomicBool,
    abandoned: AtomicU32,
    streams: AtomicU32,
    lost_arbiters: AtomicU64,
    desk_lost: AtomicBool,
    pressure: AtomicU8,
}

impl Health {
    /// Says that start-up is complete, or that shutdown has begun.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// True when requests can be served.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed) && self.is_live()
    }

    /// False when only a restart helps: the control arbiter stands still, the event desk is gone, or
    /// too many threads hang.
    pub fn is_live(&self) -> bool {
        !self.control_stuck.load(Ordering::Relaxed) && !self.desk_lost.load(Ordering::Relaxed) && !self.is_over_budget()
    }

    /// Says that the event desk's thread is gone: no event reaches anyone any more.
    pub fn lose_desk(&self) {
        self.desk_lost.store(true, Ordering::Relaxed);
    }

    /// Says how short of memory the process is; returns what was said before.
    pub fn press(&self, pressure: MemoryPressure) -> MemoryPressure {
        MemoryPressure::from_u8(self.pressure.swap(pressure as u8, Ordering::Relaxed))
    }

    /// How short of memory the process is.
    pub fn pressure(&self) -> MemoryPressure {
        MemoryPressure::from_u8(self.pressure.load(Ordering::Relaxed))
    }

    /// Says whether the control arbiter turns.
    pub fn set_control_stuck(&self, stuck: bool) {
        self.control_stuck.store(stuck, Ordering::Relaxed);
    }

    /// Counts configured streams: the budget grows with them.
    pub fn set_streams(&self, streams: usize) {
        self.streams.store(u32::try_from(streams).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Counts a thread or arbiter that hangs.
    pub fn abandon(&self) {
        self.abandoned.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one that came back.
    pub fn returned(&self) {
        // A return is only reported for what was abandoned; were it not so, a count below zero would
        // look like four billion hanging threads.
        let one_less = |count: u32| count.checked_sub(1);
        let before = self.abandoned.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        debug_assert!(before.is_ok(), "a return without an abandonment");
    }

    /// Threads and arbiters that hang now.
    pub fn abandoned(&self) -> u32 {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// Arbiters that were replaced so far.
    pub fn lost_arbiters(&self) -> u64 {
        self.lost_arbiters.load(Ordering::Relaxed)
    }

    /// Counts an arbiter that was replaced.
    pub fn lose_arbiter(&self) {
        self.lost_arbiters.fetch_add(1, Ordering::Relaxed);
        self.abandon();
    }

    /// True when more hangs than 2 % of the streams (at least 8) may.
    pub fn is_over_budget(&self) -> bool {
        self.abandoned() > ABANDONED_MIN.max(self.streams.load(Ordering::Relaxed) / 50)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn liveness_fails_when_more_hangs_than_the_budget() {
        let health = Health::default();
        health.set_ready(true);
        (0..8).for_each(|_| health.abandon());
        assert!(health.is_ready());
        health.abandon();
        assert!(!health.is_live() && !health.is_ready());
        health.set_streams(1_000);
        assert!(health.is_live());
    }
}
