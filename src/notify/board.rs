//! What anyone may know of a receiver: counts, what waits, and how it went last.
//!
//! Written by the receiver's thread, and by the store where something is dropped; read by API and
//! metrics. No method waits for anything but another reader.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use avwatch_actors::event::Wall;

/// How often it is said that the store takes nothing and memory is full.
const UNSTORED_SAID_EVERY: Duration = Duration::from_secs(10);

/// What is known of one receiver.
#[derive(Debug, Default)]
pub struct ReceiverBoard {
    delivered: AtomicU64,
    failed: AtomicU64,
    parked: AtomicU64,
    dropped: AtomicU64,
    panicked: AtomicU64,
    unstored: AtomicU64,
    unstored_said: Mutex<Option<Instant>>,
    pending: AtomicU64,
    oldest_ms: AtomicU64,
    parked_now: AtomicU64,
    standing: Mutex<Standing>,
}

/// How it went last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// Where it stands.
    pub state: ReceiverState,
    /// When it last took something.
    pub last_success: Option<Wall>,
    /// When it last did not, and why.
    pub last_failure: Option<(Wall, String)>,
}

/// Where a receiver stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReceiverState {
    /// Nothing was sent since the start.
    #[default]
    Idle,
    /// It took the last message.
    Ok,
    /// It did not take the last message, which is tried again.
    Failing,
    /// It refused the last message for good.
    Refusing,
}

impl ReceiverState {
    /// The word in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Ok => "ok",
            Self::Failing => "failing",
            Self::Refusing => "refusing",
        }
    }
}

impl ReceiverBoard {
    /// A message was taken.
    pub fn taken(&self, now: Wall) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
        self.well(now);
    }

    /// It can be reached: a try was taken, which is no notification.
    pub fn well(&self, now: Wall) {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        standing.state = ReceiverState::Ok;
        standing.last_success = Some(now);
    }

    /// A message was not taken and is tried again.
    pub fn failed(&self, now: Wall, why: &str) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.unwell(ReceiverState::Failing, now, why);
    }

    /// A message was set aside: it waits for a person.
    pub fn parked(&self, now: Wall, why: &str) {
        self.parked.fetch_add(1, Ordering::Relaxed);
        self.unwell(ReceiverState::Refusing, now, why);
    }

    fn unwell(&self, state: ReceiverState, now: Wall, why: &str) {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        standing.state = state;
        standing.last_failure = Some((now, why.to_owned()));
    }

    /// Its thread panicked and began anew.
    pub fn panicked(&self) {
        self.panicked.fetch_add(1, Ordering::Relaxed);
    }

    /// Changes that the store did not take found no room in memory. Returns whether that is to be said: not again
    /// within ten seconds.
    pub(super) fn unstored(&self, changes: u64) -> bool {
        self.unstored.fetch_add(changes, Ordering::Relaxed);
        let mut said = self.unstored_said.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = said.is_none_or(|said| said.elapsed() >= UNSTORED_SAID_EVERY);
        if is_due {
            *said = Some(Instant::now());
        }
        is_due
    }

    /// Changes were lost to it for lack of room.
    pub fn dropped(&self, changes: u64) {
        self.dropped.fetch_add(changes, Ordering::Relaxed);
    }

    /// Changes that were lost to it since the start.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// What waits now.
    pub fn waits(&self, pending: u64, oldest: Duration, parked: u64) {
        self.pending.store(pending, Ordering::Relaxed);
        self.oldest_ms.store(u64::try_from(oldest.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.parked_now.store(parked, Ordering::Relaxed);
    }

    /// Changes that wait, and the age of the oldest.
    pub fn pending(&self) -> (u64, Duration) {
        (self.pending.load(Ordering::Relaxed), Duration::from_millis(self.oldest_ms.load(Ordering::Relaxed)))
    }

    /// Messages that are set aside now.
    pub fn parked_now(&self) -> u64 {
        self.parked_now.load(Ordering::Relaxed)
    }

    /// How it went last.
    pub fn standing(&self) -> Standing {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notifications since the start, by outcome: messages, attempts, messages, changes, restarts
    /// of its thread, and changes that neither store nor memory took.
    pub fn outcomes(&self) -> Vec<(&'static str, u64)> {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        vec![
            ("delivered", read(&self.delivered)),
            ("failed", read(&self.failed)),
            ("parked", read(&self.parked)),
            ("dropped", read(&self.dropped)),
            ("panicked", read(&self.panicked)),
            ("unstored", read(&self.unstored)),
        ]
    }
}
