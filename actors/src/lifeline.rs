//! The lifeline: the shared pair *beats / cut* between a thread and its supervisor.
//!
//! Beats and progress travel up, the cut travels down; nothing else crosses. Written by one worker
//! thread, read by its supervisor and the watchdog. No method waits or locks.
//!
//! On the thread itself it is also where those who wait for bytes or for the right moment say so beforehand, to whoever
//! offers what was made until then.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// What a worker thread is busy with; decides how much patience it gets after a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Resolving a name: cannot be interrupted, gets a longer grace.
    Resolving = 0,
    /// Connecting and probing.
    Opening = 1,
    /// Reading and decoding.
    Reading = 2,
    /// Waiting for room in a lane or for the right moment: healthy.
    Waiting = 3,
    /// Returned.
    Done = 4,
}

impl Phase {
    fn from_u8(value: u8) -> Self {
        match value {
            0 => Self::Resolving,
            1 => Self::Opening,
            2 => Self::Reading,
            3 => Self::Waiting,
            _ => Self::Done,
        }
    }
}

/// The thread runs.
const RUNNING: u8 = 0;
/// It was abandoned before it returned.
const FENCED: u8 = 1;
/// It returned before it was abandoned.
const RETURNED: u8 = 2;

/// Why a worker was told to stop. Faults are classed by this, never by a foreign error code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CutReason {
    /// A person or a reload asked for it, or the service ends.
    Stopped,
    /// Opening took longer than its limit.
    OpenLimit,
    /// Nothing arrived for longer than the stall limit.
    Stalled,
}

/// The shared pair *beats / cut*.
#[derive(Debug)]
pub struct Lifeline {
    beats: AtomicU64,
    progress: AtomicU64,
    idle_nanos: AtomicU64,
    tells_idle: AtomicBool,
    phase: AtomicU8,
    cut: AtomicBool,
    standing: AtomicU8,
    reason: Mutex<Option<CutReason>>,
    rest: OnceLock<Rest>,
}

/// What is done before the thread waits.
struct Rest(Box<dyn Fn() + Send + Sync>);

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").finish_non_exhaustive()
    }
}

impl Default for Lifeline {
    fn default() -> Self {
        Self {
            beats: AtomicU64::new(0),
            progress: AtomicU64::new(0),
            idle_nanos: AtomicU64::new(0),
            tells_idle: AtomicBool::new(false),
            phase: AtomicU8::new(Phase::Opening as u8),
            cut: AtomicBool::new(false),
            standing: AtomicU8::new(RUNNING),
            reason: Mutex::new(None),
            rest: OnceLock::new(),
        }
    }
}

impl Lifeline {
    /// Says that the thread is alive, though perhaps without news.
    pub fn beat(&self) {
        // Relaxed: only the change of the number matters, no other write hangs on it.
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Says that bytes arrived from the source. Implies a beat.
    pub fn progress(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
        self.beat();
    }

    /// Says that the thread waited for bytes for so long. A source that tells this once tells it always.
    pub fn idled(&self, time: Duration) {
        self.tells_idle.store(true, Ordering::Relaxed);
        self.held(time);
    }

    /// Says that the thread waited for the right moment for so long.
    pub fn held(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.idle_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Has `call` called on the thread whenever it is about to wait. The first call stays.
    pub fn before_waiting(&self, call: impl Fn() + Send + Sync + 'static) {
        // The first stays: one session has one fan-out.
        let _ = self.rest.set(Rest(Box::new(call)));
    }

    /// Says that the thread is about to wait, for bytes or for the right moment. Sources that tell for how long they waited
    /// say so each time.
    pub fn rests(&self) {
        if let Some(Rest(call)) = self.rest.get() {
            call();
        }
    }

    /// For how long the thread had nothing to do so far, as far as that is told.
    pub fn idle(&self) -> Duration {
        Duration::from_nanos(self.idle_nanos.load(Ordering::Relaxed))
    }

    /// True once a source has told for how long it waits.
    pub fn tells_idle(&self) -> bool {
        self.tells_idle.load(Ordering::Relaxed)
    }

    /// Number of beats so far; a supervisor compares it with its last look.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Number of times that bytes arrived.
    pub fn progress_count(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    /// Says what the thread is busy with.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.beat();
    }

    /// What the thread is busy with.
    pub fn phase(&self) -> Phase {
        Phase::from_u8(self.phase.load(Ordering::Relaxed))
    }

    /// Tells the thread to stop. The first reason stays.
    pub fn cut(&self, reason: CutReason) {
        if let Ok(mut held) = self.reason.lock() {
            held.get_or_insert(reason);
        }
        // Release pairs with the acquire in `is_cut`: who sees the cut also sees its reason.
        self.cut.store(true, Ordering::Release);
    }

    /// True once the thread should stop.
    pub fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// Shuts the thread out: it was abandoned and replaced, nothing that it still says may count.
    /// False when it had returned at the last moment: then there is nothing to abandon.
    pub fn fence(&self) -> bool {
        // One read-modify-write on each side: exactly one of fence and return comes first.
        self.standing.compare_exchange(RUNNING, FENCED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Says that the thread has returned; true when it had been abandoned before.
    pub fn returned(&self) -> bool {
        self.standing.compare_exchange(RUNNING, RETURNED, Ordering::AcqRel, Ordering::Acquire) == Err(FENCED)
    }

    /// True once the thread was abandoned.
    pub fn is_fenced(&self) -> bool {
        self.standing.load(Ordering::Acquire) == FENCED
    }

    /// Why it was told to stop.
    pub fn cut_reason(&self) -> Option<CutReason> {
        self.reason.lock().map_or(None, |reason| reason.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_for_a_cut_stays() {
        let line = Lifeline::default();
        assert!(!line.is_cut());
        line.cut(CutReason::Stalled);
        line.cut(CutReason::Stopped);
        assert!(line.is_cut());
        assert_eq!(line.cut_reason(), Some(CutReason::Stalled));
    }

    #[test]
    fn of_abandoning_and_returning_exactly_one_comes_first() {
        let (late, early) = (Lifeline::default(), Lifeline::default());
        assert!(late.fence() && late.returned() && late.is_fenced());
        assert!(!early.returned() && !early.fence() && !early.is_fenced());
    }

    #[test]
    fn progress_is_also_a_beat() {
        let line = Lifeline::default();
        line.progress();
        line.beat();
        assert_eq!((line.progress_count(), line.beats()), (1, 2));
    }
}
