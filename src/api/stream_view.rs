//! A stream as the API shows it: what it is set to and how it is, secrets left out.
//!
//! Made from the catalogue and the node snapshot; pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use avwatch_actors::event::{Event, EventState, Wall};
use avwatch_actors::severity::Severity;
use avwatch_actors::track::{TrackId, TrackInfo};
use serde::Serialize;

use crate::catalogue::{Catalogue, Entry, StreamOrigin};
use crate::config::Mode;
use crate::node_snapshot::{NodeSnapshot, StreamSnapshot, TrackSnapshot};

/// The state of a stream of which nothing is known yet.
const NOT_YET: &str = "waiting";

/// A stream in lists and in the live feed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct StreamView {
    pub name: Arc<str>,
    pub title: Arc<str>,
    pub origin: StreamOrigin,
    pub mode: Mode,
    pub profile: Arc<str>,
    pub tier: &'static str,
    pub priority: u8,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Without secrets.
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runbook_url: Option<String>,
    /// Where the stream's life stands.
    pub state: &'static str,
    /// True while frames arrive.
    pub up: bool,
    pub session: u64,
    /// Why the last session ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// The worst open event: one that nobody has taken and nothing silences, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst: Option<WorstView>,
    /// Open events by severity; those of which there are none are absent.
    pub open: BTreeMap<&'static str, usize>,
}

/// An open event in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct WorstView {
    pub id: String,
    pub detector: Arc<str>,
    pub track: TrackId,
    pub severity: Severity,
    pub state: EventState,
    pub started_at: Wall,
    pub message: String,
}

/// One stream with everything that is known.
#[derive(Clone, Debug, Serialize)]
pub(super) struct StreamDetail {
    #[serde(flatten)]
    pub stream: StreamView,
    #[serde(flatten)]
    pub readings: Readings,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    pub tracks: Vec<TrackView>,
    /// What was written over the API, secrets hidden; what is read here can be written back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<Arc<serde_json::Value>>,
    /// Open events, worst first.
    pub events: Vec<Arc<Event>>,
    pub lane_dropped: u64,
    pub receive_dropped: u64,
    /// Sessions that ended, by cause.
    pub restarts: BTreeMap<&'static str, u64>,
}

/// What is measured of a stream, once a second.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Readings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate_bps: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<f64>,
    /// Share of all tracks that was really inspected, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
}

/// One track.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TrackView {
    pub track: TrackId,
    /// What the session says of it: codec, size, language and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<TrackInfo>,
    #[serde(flatten)]
    pub readings: TrackReadings,
    pub frames: u64,
}

/// What is measured of a track.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct TrackReadings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_frame_at: Option<Wall>,
    /// By window: `momentary`, `short_term`, `integrated`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub loudness_lufs: BTreeMap<&'static str, f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub true_peak_dbtp: Option<f64>,
}

/// The stream of that name, if there is one.
pub(super) fn detail(catalogue: &Catalogue, snapshot: &NodeSnapshot, name: &str) -> Option<StreamDetail> {
    let entry = catalogue.streams.get(name)?;
    let now = find(snapshot, name);
    let empty = StreamSnapshot::new(name, NOT_YET, "full");
    let known = now.unwrap_or(&empty);
    Some(StreamDetail {
        stream: view(entry, now),
        readings: readings(known),
        container: known.info.as_ref().map(|info| info.container.clone()).filter(|name| !name.is_empty()),
        tracks: known.tracks.iter().map(|track| track_view(known, track)).collect(),
        settings: entry.settings.clone(),
        events: known.events.clone(),
        lane_dropped: known.lane_dropped.iter().map(|(_, count)| count).sum(),
        receive_dropped: known.receive_dropped,
        restarts: known.restarts.iter().copied().collect(),
    })
}

/// The snapshot of a stream; streams stand in the order of their names.
pub(super) fn find<'a>(snapshot: &'a NodeSnapshot, name: &str) -> Option<&'a StreamSnapshot> {
    let place = snapshot.streams.binary_search_by(|stream| (*stream.name).cmp(name)).ok()?;
    snapshot.streams.get(place)
}

/// A stream as lists show it.
pub(super) fn view(entry: &Entry, now: Option<&StreamSnapshot>) -> StreamView {
    let plan = &entry.plan;
    let mut open = BTreeMap::new();
    for event in now.map_or(&[][..], |now| &now.events) {
        *open.entry(event.severity.name()).or_insert(0) += 1;
    }
    StreamView {
        name: plan.name.clone(),
        title: plan.title.clone(),
        origin: entry.origin,
        mode: plan.mode,
        profile: plan.profile_name.clone(),
        tier: now.map_or("full", |now| now.tier),
        priority: plan.priority,
        labels: plan.labels.clone(),
        url: plan.input.address.to_string(),
        runbook_url: plan.runbook_url.clone(),
        state: now.map_or(NOT_YET, |now| now.state),
        up: now.is_some_and(|now| now.up),
        session: now.map_or(0, |now| now.session),
        last_error: now.and_then(|now| now.last_error.clone()),
        worst: now.and_then(worst),
        open,
    }
}

fn worst(now: &StreamSnapshot) -> Option<WorstView> {
    let is_quiet = |event: &Event| matches!(event.state, EventState::Acked | EventState::Suppressed);
    // The first of the greatest: events stand worst first.
    let event = now.events.iter().min_by_key(|event| (is_quiet(event), std::cmp::Reverse(event.severity)))?;
    Some(WorstView {
        id: event.id.clone(),
        detector: event.detector.clone(),
        track: event.track,
        severity: event.severity,
        state: event.state,
        started_at: event.started_at,
        message: event.message.clone(),
    })
}

/// What is measured of a stream.
pub(super) fn readings(now: &StreamSnapshot) -> Readings {
    let covered = now.tracks.iter().filter_map(|track| track.coverage);
    Readings {
        bitrate_bps: now.bitrate.filter(|value| value.is_finite()),
        frame_rate: now.frame_rate.filter(|value| value.is_finite()),
        coverage: covered.reduce(f64::min),
    }
}

/// What is measured of a track.
pub(super) fn track_readings(track: &TrackSnapshot) -> TrackReadings {
    TrackReadings {
        last_frame_at: track.last_frame.map(Wall),
        loudness_lufs: track.loudness.iter().copied().filter(|(_, value)| value.is_finite()).collect(),
        true_peak_dbtp: track.true_peak_dbtp.filter(|value| value.is_finite()),
    }
}

fn track_view(stream: &StreamSnapshot, track: &TrackSnapshot) -> TrackView {
    TrackView {
        track: track.track,
        format: stream.info.as_ref().and_then(|info| info.track(track.track)).cloned(),
        readings: track_readings(track),
        frames: track.frames_total,
    }
}
