//! The store's thread, and the desk's way of not waiting for it for ever.
//!
//! A commit to disk takes milliseconds when all is well and for ever when a disk dies. The desk
//! waits two seconds; after that, changes go out marked as not stored, and wait in a ring until the
//! store takes them.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::lifeline::Lifeline;
use crate::record::Record;
use crate::sink::{EventStore, SinkError};
use crate::worker::{self, panic_message};

/// How long the desk waits for a commit.
pub const COMMIT_WAIT: Duration = Duration::from_secs(2);

/// Changes kept for a store that cannot take them; the oldest go first, and are counted.
pub const RING_MAX: usize = 10_000;

/// Changes written in one transaction at most.
const COMMIT_MAX: usize = 1_000;

type Batch = Vec<Record>;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// It is on disk.
    Stored,
    /// It is not, and waits in the ring.
    Deferred,
}

/// The desk's end.
pub struct StoreThread {
    jobs: Sender<Batch>,
    acks: Receiver<Result<(), (Batch, SinkError)>>,
    is_busy: bool,
    is_gone: bool,
    in_hand: usize,
    ring: VecDeque<Record>,
    lost: u64,
    trouble: Option<String>,
}

impl StoreThread {
    /// Starts the thread `store:writer`.
    pub fn start(mut store: Box<dyn EventStore>) -> std::io::Result<Self> {
        let (jobs, inbox) = bounded::<Batch>(1);
        let (outbox, acks) = bounded(1);
        // The handle is not kept: the thread ends when the desk drops its end of the jobs.
        drop(worker::spawn_lasting(
            "store:writer",
            Arc::<Lifeline>::default(),
            move |_| write(&mut *store, &inbox, &outbox),
            |_| {},
        )?);
        Ok(Self {
            jobs,
            acks,
            is_busy: false,
            is_gone: false,
            in_hand: 0,
            ring: VecDeque::new(),
            lost: 0,
            trouble: None,
        })
    }

    /// Writes a batch, after what still waits in the ring. Waits [`COMMIT_WAIT`] at most.
    pub fn commit(&mut self, batch: &[Record]) -> Commit {
        if self.is_busy {
            self.collect(Duration::ZERO);
        }
        self.ring.extend(batch.iter().cloned());
        while self.ring.len() > RING_MAX {
            self.ring.pop_front();
            self.lost += 1;
        }
        while !self.is_busy && !self.ring.is_empty() {
            let job: Batch = self.ring.drain(..self.ring.len().min(COMMIT_MAX)).collect();
            let in_hand = job.len();
            if let Err(back) = self.jobs.try_send(job) {
                for record in back.into_inner().into_iter().rev() {
                    self.ring.push_front(record);
                }
                self.is_gone = true;
                self.trouble.get_or_insert_with(|| "the store's thread ended".to_owned());
                return Commit::Deferred;
            }
            self.is_busy = true;
            self.in_hand = in_hand;
            if !self.collect(COMMIT_WAIT) {
                break;
            }
        }
        if self.is_busy || !self.ring.is_empty() { Commit::Deferred } else { Commit::Stored }
    }

    /// Writes what still waits, at most that long; true when all of it is on disk.
    pub fn finish(mut self, within: Duration) -> bool {
        let until = Instant::now() + within;
        while self.is_busy || !self.ring.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            if self.is_busy {
                self.collect(left);
            } else if self.commit(&[]) == Commit::Deferred && !self.is_busy {
                // A store that refuses is asked again, but not without a breath.
                std::thread::sleep(left.min(Duration::from_millis(50)));
            }
            if self.is_gone {
                return false;
            }
        }
        true
    }

    /// Why the store takes nothing, while it does not.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Changes that were never stored because the ring was full.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Changes that wait to be stored, those that the store has in hand included.
    pub fn waiting(&self) -> usize {
        self.ring.len() + self.in_hand
    }

    /// True when the job in hand was stored.
    fn collect(&mut self, wait: Duration) -> bool {
        match self.acks.recv_timeout(wait) {
            Ok(Ok(())) => {
                self.is_busy = false;
                self.in_hand = 0;
                self.trouble = None;
                true
            }
            Ok(Err((batch, error))) => {
                self.is_busy = false;
                self.in_hand = 0;
                self.trouble = Some(error.to_string());
                for record in batch.into_iter().rev() {
                    self.ring.push_front(record);
                }
                false
            }
            Err(RecvTimeoutError::Timeout) => {
                self.trouble.get_or_insert_with(|| format!("no commit within {} s", COMMIT_WAIT.as_secs()));
                false
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.is_gone = true;
                self.trouble = Some("the store's thread ended".to_owned());
                false
            }
        }
    }
}

fn write(store: &mut dyn EventStore, inbox: &Receiver<Batch>, outbox: &Sender<Result<(), (Batch, SinkError)>>) {
    loop {
        match inbox.recv_timeout(Duration::from_secs(1)) {
            Ok(batch) => {
                let result = catch_unwind(AssertUnwindSafe(|| store.commit(&batch)))
                    .unwrap_or_else(|panic| Err(SinkError::Unavailable { sink: "store", why: panic_message(&*panic) }));
                if outbox.send(result.map_err(|error| (batch, error))).is_err() {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| store.tick())) {
                    tracing::error!(fault = "panic", "the store's upkeep panicked: {}", panic_message(&*panic));
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
