//! The watch over a session's thread: cuts what takes too long, and gives up what does not heed it.
//!
//! Owned by an inspection, on the control arbiter, where the service has a supervisor.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use avwatch_actors::lifeline::{CutReason, Lifeline};
use avwatch_actors::meters::MeterBook;
use avwatch_actors::source::SourceLimits;

/// How long a cut session's thread gets to return.
const GRACE: Duration = Duration::from_secs(3);

/// What a look at a session came to.
#[derive(PartialEq, Eq)]
pub(super) enum Look {
    /// It goes on, or has been cut and may still return.
    Fine,
    /// The thread did not return after its cut.
    GivenUp,
}

/// Cuts a session that takes too long, and gives it up when it does not heed the cut.
pub(super) struct Watch {
    limits: SourceLimits,
    wall_max: Option<Duration>,
    begin: Instant,
    is_open: bool,
    progress: (u64, Instant),
    cut: Option<Instant>,
}

impl Watch {
    /// Begins when the session does.
    pub(super) fn new(limits: &SourceLimits, wall_max: Option<Duration>) -> Self {
        let now = Instant::now();
        Self { limits: *limits, wall_max, begin: now, is_open: false, progress: (0, now), cut: None }
    }

    /// The input is open: its stall limit counts from now on.
    pub(super) fn opened(&mut self) {
        self.is_open = true;
        self.progress.1 = Instant::now();
    }

    /// To be called every few milliseconds.
    pub(super) fn look(&mut self, line: &Lifeline, meters: &MeterBook, stop: &AtomicBool) -> Look {
        let now = Instant::now();
        // A full lane beats too: what is slow here is the machine, not the source.
        let progress = line.progress_count().wrapping_add(meters.frames()).wrapping_add(line.beats());
        if progress != self.progress.0 {
            self.progress = (progress, now);
        }
        if let Some(cut) = self.cut {
            return if now - cut > GRACE { Look::GivenUp } else { Look::Fine };
        }
        let is_late = self.wall_max.is_some_and(|limit| now - self.begin > limit);
        let reason = if stop.load(Ordering::Relaxed) || (is_late && self.is_open) {
            CutReason::Stopped
        } else if !self.is_open && now - self.begin > self.limits.open + GRACE {
            CutReason::OpenLimit
        } else if self.is_open && now - self.progress.1 > self.limits.stall + GRACE {
            CutReason::Stalled
        } else {
            return Look::Fine;
        };
        line.cut(reason);
        self.cut = Some(now);
        Look::Fine
    }
}
