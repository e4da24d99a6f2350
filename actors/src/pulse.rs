//! The pulse of an arbiter: proof that it turns, and which detector it is busy with.
//!
//! Written on the arbiter's thread, read by the watchdog.

use std::sync::atomic::{AtomicU64, Ordering};

/// Which call an arbiter is in: a group of detectors and one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InCall {
    /// Number of the detector group, unique in the process.
    pub group: u32,
    /// The detector's number.
    pub detector: u16,
}

/// Beats of an arbiter and the call that it is in.
#[derive(Debug, Default)]
pub struct Pulse {
    beats: AtomicU64,
    call: AtomicU64,
    calls: AtomicU64,
}

impl Pulse {
    /// Says that the arbiter turns.
    pub fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Beats so far.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Says which detector is called now.
    pub fn enter(&self, call: InCall) {
        // Relaxed: read only once the arbiter has stood still for seconds. One writer, so a load and
        // a store are as good as an addition, and cheaper.
        self.calls.store(self.calls.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        self.call.store(1 << 63 | u64::from(call.group) << 16 | u64::from(call.detector), Ordering::Relaxed);
    }

    /// Says that no detector is being called.
    pub fn leave(&self) {
        self.call.store(0, Ordering::Relaxed);
    }

    /// Calls begun so far: tells one long call from many short ones.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// The call that it is in.
    pub fn in_call(&self) -> Option<InCall> {
        let packed = self.call.load(Ordering::Relaxed);
        (packed != 0).then_some(InCall { group: (packed >> 16) as u32, detector: packed as u16 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_in_progress_is_told_exactly() {
        let pulse = Pulse::default();
        assert_eq!(pulse.in_call(), None);
        let call = InCall { group: u32::MAX, detector: u16::MAX };
        pulse.enter(call);
        assert_eq!(pulse.in_call(), Some(call));
        pulse.enter(InCall { group: 0, detector: 0 });
        assert_eq!(pulse.in_call(), Some(InCall { group: 0, detector: 0 }));
        pulse.leave();
        assert_eq!(pulse.in_call(), None);
    }
}
