//! A sink's thread: delivers committed changes in order, with retries, delaying nobody else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use crate::lifeline::{CutReason, Lifeline};
use crate::record::Record;
use crate::sink::{Sink, SinkError};
use crate::worker::{self, panic_message};

/// Changes that may wait for a sink; further ones are dropped for it and counted.
pub const QUEUE_MAX: usize = 10_000;

/// Changes delivered in one call.
const DELIVER_MAX: usize = 256;

/// First and longest pause between attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// The desk's end of a sink.
pub struct SinkThread {
    name: &'static str,
    queue: Sender<Record>,
    lost: Arc<AtomicU64>,
    line: Arc<Lifeline>,
    handle: std::thread::JoinHandle<()>,
}

impl SinkThread {
    /// Starts the thread `sink:NAME`.
    pub fn start(mut sink: Box<dyn Sink>) -> std::io::Result<Self> {
        let name = sink.name();
        let (queue, inbox) = bounded(QUEUE_MAX);
        let (line, lost) = (Arc::<Lifeline>::default(), Arc::new(AtomicU64::new(0)));
        let counted = lost.clone();
        let work = move |line: &Arc<Lifeline>| deliver(&mut *sink, &inbox, line, &counted);
        let handle = worker::spawn_lasting(&format!("sink:{name}"), line.clone(), work, |_| {})?;
        Ok(Self { name, queue, lost, line, handle })
    }

    /// Hands a change over; drops and counts it when the sink is too far behind.
    pub fn offer(&self, record: &Record) {
        match self.queue.try_send(record.clone()) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                let before = self.lost.fetch_add(1, Ordering::Relaxed);
                if before.is_multiple_of(1_000) {
                    tracing::error!(sink = self.name, lost = before + 1, "is too far behind and misses changes");
                }
            }
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Changes that it never got.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Lets all of them finish what waits, at most that long together.
    pub fn finish(sinks: Vec<Self>, within: Duration) {
        // Every queue is closed first, so that they finish side by side.
        let running: Vec<_> = sinks.into_iter().map(|sink| (sink.name, sink.line, sink.handle)).collect();
        let step = Duration::from_millis(10);
        let until = Instant::now() + within;
        while Instant::now() < until && running.iter().any(|(_, _, handle)| !handle.is_finished()) {
            std::thread::sleep(step);
        }
        for (name, line, handle) in running {
            if !handle.is_finished() {
                line.cut(CutReason::Stopped);
                tracing::warn!(sink = name, "did not take all changes before the end");
            }
        }
    }
}

fn deliver(sink: &mut dyn Sink, inbox: &Receiver<Record>, line: &Lifeline, lost: &AtomicU64) {
    loop {
        match inbox.recv_timeout(Duration::from_secs(1)) {
            Ok(first) => {
                let mut batch = vec![first];
                batch.extend(inbox.try_iter().take(DELIVER_MAX - 1));
                if !deliver_batch(sink, &batch, line) {
                    lost.fetch_add(batch.len() as u64, Ordering::Relaxed);
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| sink.tick())) {
                    tracing::error!(fault = "panic", "a sink's upkeep panicked: {}", panic_message(&*panic));
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Tries until the sink takes the batch, is broken, or the end has come.
fn deliver_batch(sink: &mut dyn Sink, batch: &[Record], line: &Lifeline) -> bool {
    let mut pause = PAUSES.0;
    loop {
        let name = sink.name();
        let error = match catch_unwind(AssertUnwindSafe(|| sink.deliver(batch))) {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => error,
            Err(panic) => SinkError::Unavailable { sink: name, why: panic_message(&*panic) },
        };
        tracing::warn!(sink = name, "{error}");
        if matches!(error, SinkError::Broken { .. }) {
            return false;
        }
        let mut left = pause;
        while !left.is_zero() {
            if line.is_cut() {
                return false;
            }
            let slice = left.min(Duration::from_millis(100));
            std::thread::sleep(slice);
            left -= slice;
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}
