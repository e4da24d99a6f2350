//! CPU accounts: how much time each kind of detector took, over all streams.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One account; shared by every instance of a detector, written once per drained batch.
#[derive(Debug, Default)]
pub struct CpuAccount(AtomicU64);

impl CpuAccount {
    /// Books time.
    pub fn add(&self, time: Duration) {
        // Relaxed: a count of its own.
        self.0.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Everything booked so far.
    pub fn total(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// The accounts of one process, one per detector name.
#[derive(Debug, Default)]
pub struct CpuAccounts(Mutex<BTreeMap<&'static str, Arc<CpuAccount>>>);

impl CpuAccounts {
    /// The account of that detector, made when it is asked for first.
    pub fn of(&self, detector: &'static str) -> Arc<CpuAccount> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(detector).or_default().clone()
    }

    /// All accounts.
    pub fn totals(&self) -> Vec<(&'static str, Duration)> {
        let accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.iter().map(|(name, account)| (*name, account.total())).collect()
    }
}
