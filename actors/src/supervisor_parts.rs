//! Small parts of a supervisor: its own words, its clocks and its dice.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::event::{ChangeKind, EventChange, StreamCard, Wall};
use crate::lifeline::{Lifeline, Phase};
use crate::meters::MeterBook;
use crate::severity::Severity;
use crate::stream_life::Look;

/// What the life of the stream is told of a session.
pub(super) fn look_at(line: &Lifeline, meters: &MeterBook) -> Look {
    let phase = line.phase();
    // While it waits for room or for its time, a beat is as good as bytes.
    let healthy_beats = if phase == Phase::Waiting { line.beats() } else { 0 };
    Look { progress: line.progress_count().wrapping_add(meters.frames()).wrapping_add(healthy_beats), phase }
}

/// A change that the supervisor itself speaks for.
pub(super) fn own_change(
    card: &Arc<StreamCard>,
    detector: &'static str,
    what: ChangeKind,
    message: String,
) -> EventChange {
    EventChange::said(card.clone(), detector, what, Severity::Major, message, wall())
}

/// The wall clock.
pub(super) fn wall() -> Wall {
    Wall(SystemTime::now())
}

/// Control time, which tests may turn.
pub(super) fn control_now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Uniform in 0..1, from the standard library's per-process random keys.
pub(super) fn dice() -> f64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    (RandomState::new().build_hasher().finish() >> 11) as f64 / (1_u64 << 53) as f64
}
