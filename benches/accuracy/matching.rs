//! Matching: which event tells which planted defect. Pure; the same for both sides.
//!
//! One event goes with one planted defect of the same detector and track. They match when they share
//! more than half of the time that either covers, or when the event begins within
//! [`ONSET_SECONDS`] of the defect. Of several that match, the pair that shares most goes first.

use super::case::Allowed;
use super::common::media::Planted;
use super::event::Event;

/// An onset this close makes a match although the lengths differ.
pub(crate) const ONSET_SECONDS: f64 = 0.25;

/// What came of the events of one clip and one detector.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    /// Pairs of planted defect and event, by their places in the lists.
    pub(crate) found: Vec<(usize, usize)>,
    /// Planted defects that nothing tells.
    pub(crate) missed: Vec<usize>,
    /// Events that tell nothing that is there.
    pub(crate) false_alarms: Vec<usize>,
}

/// Pairs the events of one detector with what was planted for it. Events that are allowed are
/// neither found nor false.
pub(crate) fn pair(planted: &[Planted], allowed: &[Allowed], events: &[Event]) -> Outcome {
    let mut pairs = Vec::new();
    for (index, defect) in planted.iter().enumerate() {
        for (place, event) in events.iter().enumerate().filter(|(_, event)| event.track == defect.track) {
            let shared = shared(defect, event);
            let apart = (event.start - defect.start).abs();
            if shared > 0.5 || apart <= ONSET_SECONDS {
                pairs.push((shared - apart.min(100.0) / 1_000.0, index, place));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let mut outcome = Outcome::default();
    for (_, index, place) in pairs {
        if !outcome.found.iter().any(|(taken, by)| *taken == index || *by == place) {
            outcome.found.push((index, place));
        }
    }
    outcome.found.sort_unstable();
    outcome.missed =
        (0..planted.len()).filter(|index| !outcome.found.iter().any(|(taken, _)| taken == index)).collect();
    outcome.false_alarms = (0..events.len())
        .filter(|place| !outcome.found.iter().any(|(_, by)| by == place))
        .filter(|place| !is_allowed(allowed, &events[*place]))
        .collect();
    outcome
}

/// The share of the time covered by either that both cover.
fn shared(defect: &Planted, event: &Event) -> f64 {
    let both = event.end.min(defect.end) - event.start.max(defect.start);
    let either = event.end.max(defect.end) - event.start.min(defect.start);
    if either > 0.0 { (both / either).max(0.0) } else { 1.0 }
}

/// Allowed where the event overlaps the span, for the event's own detector.
fn is_allowed(allowed: &[Allowed], event: &Event) -> bool {
    allowed
        .iter()
        .any(|allowed| allowed.detector == event.detector && event.start <= allowed.to && event.end >= allowed.from)
}
