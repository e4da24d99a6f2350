//! CPU accounts: how much time each kind of detector took, over all streams, and how much it may take on one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::detector_budget::SHARE_DEFAULT;

/// One account; shared by every instance of a detector, written once per drained batch.
#[derive(Debug, Default)]
pub struct CpuAccount {
    nanos: AtomicU64,
    skipped: AtomicU64,
    throttled: AtomicU64,
}

impl CpuAccount {
    // Relaxed throughout: counts that nothing else is ordered by.

    /// Books time.
    pub fn add(&self, time: Duration) {
        self.nanos.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Everything booked so far.
    pub fn total(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }

    /// Counts a frame that an instance was not shown, because it rested.
    pub fn skip(&self) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
    }
}

/// An instance that is throttled, counted for as long as this lives.
#[derive(Debug)]
pub struct Throttled(Arc<CpuAccount>);

impl Throttled {
    /// One more is throttled.
    pub fn count(account: &Arc<CpuAccount>) -> Self {
        account.throttled.fetch_add(1, Ordering::Relaxed);
        Self(account.clone())
    }
}

impl Drop for Throttled {
    fn drop(&mut self) {
        self.0.throttled.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An account at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuFigures {
    /// The detector.
    pub detector: &'static str,
    /// Time that its calls took since start.
    pub spent: Duration,
    /// Frames that its instances were not shown since start, because they rested.
    pub skipped: u64,
    /// Instances that are throttled now.
    pub throttled: u64,
}

/// The accounts of one process, one per detector name.
pub struct CpuAccounts {
    share: f64,
    stopwatch: Box<dyn Fn() -> Instant + Send + Sync>,
    accounts: Mutex<BTreeMap<&'static str, Arc<CpuAccount>>>,
}

impl CpuAccounts {
    /// Accounts of detectors that may take that share of one core each, on one track of a live stream.
    pub fn new(share: f64) -> Self {
        Self { share, stopwatch: Box::new(Instant::now), accounts: Mutex::default() }
    }

    /// The same, measuring time by another clock.
    #[must_use]
    pub fn measured_by(self, stopwatch: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        Self { stopwatch: Box::new(stopwatch), ..self }
    }

    /// The share of one core that a detector may take.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// The time by which calls are measured.
    pub fn now(&self) -> Instant {
        (self.stopwatch)()
    }

    /// The account of that detector, made when it is asked for first.
    pub fn of(&self, detector: &'static str) -> Arc<CpuAccount> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).entry(detector).or_default().clone()
    }

    /// All accounts.
    pub fn figures(&self) -> Vec<CpuFigures> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let figures = |(detector, account): (&&'static str, &Arc<CpuAccount>)| CpuFigures {
            detector,
            spent: account.total(),
            skipped: account.skipped.load(Ordering::Relaxed),
            throttled: account.throttled.load(Ordering::Relaxed),
        };
        accounts.iter().map(figures).collect()
    }
}

impl Default for CpuAccounts {
    fn default() -> Self {
        Self::new(SHARE_DEFAULT)
    }
}

impl fmt::Debug for CpuAccounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CpuAccounts").field("share", &self.share).field("accounts", &self.accounts).finish()
    }
}
