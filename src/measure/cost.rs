//! What measuring costs: CPU time of all measurers of the process, counted only when asked for.
//!
//! A load test switches it on. Counters alone; read by whoever reports, written by the sessions' threads. Time is that
//! of the calling thread's own CPU clock, so a thread that waits for a core counts nothing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

static COUNTS: AtomicBool = AtomicBool::new(false);
static NANOS: AtomicU64 = AtomicU64::new(0);

/// From now on measuring is counted. Costs two readings of a clock per frame.
pub fn count() {
    COUNTS.store(true, Ordering::Relaxed);
}

/// CPU time that was counted so far.
pub fn total() -> Duration {
    Duration::from_nanos(NANOS.load(Ordering::Relaxed))
}

/// CPU time of the calling thread.
pub fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Counts from its making to its end.
pub(super) struct Timed(Option<Duration>);

impl Timed {
    /// Begins, if measuring is counted at all.
    pub(super) fn start() -> Self {
        // Relaxed: a switch that stands for itself.
        Self(COUNTS.load(Ordering::Relaxed).then(thread_cpu))
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        if let Some(begin) = self.0 {
            NANOS.fetch_add(thread_cpu().saturating_sub(begin).as_nanos() as u64, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_computes_uses_time_of_its_clock() {
        let begin = thread_cpu();
        let sum: u64 = (0..2_000_000_u64).map(std::hint::black_box).sum();
        assert!(std::hint::black_box(sum) > 0);
        assert!(thread_cpu() > begin);
    }
}
