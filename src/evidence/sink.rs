//! The sink: hands committed events to the thread that writes evidence, and waits for nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use avwatch_actors::event::{Event, EventState};
use avwatch_actors::record::{Record, events};
use avwatch_actors::severity::Severity;
use avwatch_actors::sink::{Sink, SinkError};
use crossbeam_channel::{Sender, TrySendError};

/// Events that may wait for the thread; further ones get no evidence and are counted.
pub(super) const ORDERS_MAX: usize = 256;

/// Counts of evidence.
#[derive(Debug, Default)]
pub struct EvidenceCounts {
    pub(super) written: AtomicU64,
    pub(super) lost: AtomicU64,
}

impl EvidenceCounts {
    /// Events whose evidence was written.
    pub fn written(&self) -> u64 {
        // Relaxed, here and below: counts of their own.
        self.written.load(Ordering::Relaxed)
    }

    /// Events that got none: too many at a time, or the disk did not take it.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// The desk's way to the evidence thread.
pub struct EvidenceSink {
    pub(super) orders: Sender<Arc<Event>>,
    pub(super) from: Severity,
    pub(super) counts: Arc<EvidenceCounts>,
}

impl Sink for EvidenceSink {
    fn name(&self) -> &'static str {
        "evidence"
    }

    fn deliver(&mut self, changes: &[Record]) -> Result<(), SinkError> {
        for event in events(changes).filter(|event| event.max_severity >= self.from) {
            // What is silenced, observed or explained by another event is looked at later all the same.
            let begins = matches!(event.state, EventState::Raised | EventState::Escalated | EventState::Suppressed);
            if !begins && event.state != EventState::Ended {
                continue;
            }
            match self.orders.try_send(event.clone()) {
                Ok(()) => {}
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                    self.counts.lost.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    }
}
