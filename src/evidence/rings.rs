//! The rings of all streams, within one budget.
//!
//! Made with the streams on the control arbiter; the evidence thread looks every few seconds what each ring would take
//! and shares the budget anew.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use avwatch_actors::memory_budget::MemoryPressure;

use super::budget::{Ask, shares};
use crate::media::packet_ring::PacketRing;

/// Rings with the priorities of their streams.
type ByStream = BTreeMap<Arc<str>, (u8, Arc<PacketRing>)>;

/// The rings.
#[derive(Debug)]
pub struct Rings {
    lasts: Duration,
    budget: u64,
    /// What there is of it while memory is short: all of it, a half or a quarter.
    left: AtomicU64,
    rings: Mutex<ByStream>,
}

impl Rings {
    /// No rings yet; all together will hold at most `budget` bytes, each for at most `lasts`.
    pub fn new(lasts: Duration, budget: u64) -> Self {
        Self { lasts, budget, left: AtomicU64::new(budget), rings: Mutex::default() }
    }

    /// The ring of a stream, made if there is none.
    pub fn ring_of(&self, stream: &Arc<str>, priority: u8) -> Arc<PacketRing> {
        let mut rings = self.lock();
        let count = rings.len() as u64 + 1;
        // Until the first look, the others have what they have: the rest is what is free.
        let used: u64 = rings.values().map(|(_, ring)| ring.bytes()).sum();
        let fresh = || Arc::new(PacketRing::new(self.lasts, self.budget().saturating_sub(used) / count));
        let entry = rings.entry(stream.clone()).or_insert_with(|| (priority, fresh()));
        entry.0 = priority;
        entry.1.clone()
    }

    /// The ring of a stream, if it has one.
    pub fn get(&self, stream: &str) -> Option<Arc<PacketRing>> {
        self.lock().get(stream).map(|(_, ring)| ring.clone())
    }

    /// Lets go of a stream's ring.
    pub fn remove(&self, stream: &str) {
        self.lock().remove(stream);
    }

    /// Bytes held by all rings.
    pub fn bytes(&self) -> u64 {
        self.lock().values().map(|(_, ring)| ring.bytes()).sum()
    }

    /// The budget as it is now.
    pub fn budget(&self) -> u64 {
        // Relaxed: a number of its own.
        self.left.load(Ordering::Relaxed)
    }

    /// Memory is that short: rings shrink at the next look, and grow again when there is enough.
    pub fn press(&self, pressure: MemoryPressure) {
        let part = match pressure {
            MemoryPressure::Ease | MemoryPressure::Trim => 1,
            MemoryPressure::Refuse => 2,
            MemoryPressure::Shed => 4,
        };
        self.left.store(self.budget / part, Ordering::Relaxed);
    }

    /// Shares the budget by what the rings would take now.
    pub fn share(&self) {
        let rings = self.lock();
        let asks: Vec<Ask> =
            rings.values().map(|(priority, ring)| Ask { priority: *priority, demand: ring.demand() }).collect();
        let budget = self.budget();
        let granted = shares(budget, &asks);
        // What nobody asked for is there for those whose rate rises before the next look.
        let spare = (budget - granted.iter().sum::<u64>()) / (rings.len() as u64).max(1);
        for ((_, ring), share) in rings.values().zip(granted) {
            ring.set_bytes_max(share + spare);
        }
    }

    /// Held for a look at every ring, which are locked in turn inside of it.
    fn lock(&self) -> MutexGuard<'_, ByStream> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
