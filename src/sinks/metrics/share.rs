//! How many series of a stream each family may have.
//!
//! Fixed shares instead of first come, first served: a counter that vanished and came back because
//! another family grew would look like a reset.

use std::sync::Arc;

use avwatch_actors::severity::Severity;

use crate::node_snapshot::{EventCount, StreamSnapshot};

/// Most series that one stream may have.
pub const SERIES_PER_STREAM_MAX: usize = 60;

/// Series that every stream has once: up, state, info, tier, bitrate, frame rate, receive drops.
const SINGLE: usize = 7;
/// Lane policies.
pub(super) const POLICIES: usize = 3;
/// Causes of restarts.
pub(super) const CAUSES: usize = 4;
/// Tracks; each has three series.
pub(super) const TRACKS: usize = 6;
/// Readings of loudness, over all tracks.
pub(super) const LOUDNESS: usize = 6;
/// Open events, worst first.
pub(super) const OPEN_EVENTS: usize = 6;
/// Kinds of events with a row of their own; all others are added up by severity.
pub(super) const EVENT_KINDS: usize = 11;

const _: () = assert!(
    SINGLE + POLICIES + CAUSES + 3 * TRACKS + LOUDNESS + OPEN_EVENTS + EVENT_KINDS + Severity::ALL.len()
        <= SERIES_PER_STREAM_MAX
);

/// The detector label of events that have no row of their own.
const OTHER: &str = "other";

/// Event counts with at most the share of rows: the first ones as they are, the rest added up.
pub(super) fn event_counts(stream: &StreamSnapshot) -> Vec<EventCount> {
    let (own, rest) = stream.event_counts.split_at(stream.event_counts.len().min(EVENT_KINDS));
    let mut counts = own.to_vec();
    let other: Arc<str> = OTHER.into();
    for severity in Severity::ALL {
        let of_severity = rest.iter().filter(|row| row.severity == severity);
        let count: u64 = of_severity.map(|row| row.count).sum();
        if count > 0 {
            counts.push(EventCount { detector: other.clone(), severity, count });
        }
    }
    counts
}

/// Series of a stream that are left out; event counts lose none, they are only added up.
pub(super) fn withheld(stream: &StreamSnapshot) -> usize {
    let tracks = stream.tracks.len().saturating_sub(TRACKS);
    let loudness: usize = stream.tracks.iter().map(|track| track.loudness.len()).sum();
    3 * tracks
        + loudness.saturating_sub(LOUDNESS)
        + stream.events.len().saturating_sub(OPEN_EVENTS)
        + stream.lane_dropped.len().saturating_sub(POLICIES)
        + stream.restarts.len().saturating_sub(CAUSES)
}
