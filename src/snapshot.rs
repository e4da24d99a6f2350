//! From the engine's status board to the node snapshot that API and metrics read.
//!
//! Made by a timer on the control arbiter once a second; readers share the result.

use std::collections::BTreeMap;
use std::sync::Arc;

use avwatch_actors::latency::Stage;
use avwatch_actors::status::{StatusBoard, StreamStatus};
use avwatch_actors::tier::Tier;

use crate::media::heap;
use crate::node_snapshot::{
    BuildSnapshot, EventCount, NodeSnapshot, ProcessSnapshot, ReceiverSnapshot, StageSnapshot, StreamSnapshot,
    TrackSnapshot,
};
use crate::stream_boards::StreamBoards;

/// Upper edges of the exposed latency buckets, in seconds: 1-2.5-5 from 100 µs to 10 s.
const BUCKETS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The state of a stream that its schedule has off the air, whatever its sessions do.
pub const OFF_AIR: &str = "off_air";

/// Maps everything that stands on the boards now.
pub fn snapshot(
    board: &StatusBoard,
    boards: &StreamBoards,
    receivers: Vec<ReceiverSnapshot>,
    build: BuildSnapshot,
    last_reload: Option<bool>,
) -> NodeSnapshot {
    let mut streams: BTreeMap<Arc<str>, StreamSnapshot> =
        board.streams().iter().map(|status| (status.card.stream.clone(), stream(status))).collect();
    for (name, live) in boards.live.streams() {
        if let Some(stream) = streams.get_mut(&name) {
            stream.reading = live.reading();
        }
    }
    for name in board.desk.off_air().iter() {
        if let Some(stream) = streams.get_mut(name) {
            stream.state = OFF_AIR;
        }
    }
    for event in board.desk.open().iter() {
        if let Some(stream) = streams.get_mut(&event.stream) {
            stream.events.push(event.clone());
        }
    }
    for ((name, detector, severity), count) in board.desk.totals() {
        if let Some(stream) = streams.get_mut(&name) {
            stream.event_counts.push(EventCount { detector, severity, count });
        }
    }
    for stream in streams.values_mut() {
        stream.events.sort_by_key(|event| std::cmp::Reverse(event.severity));
    }
    NodeSnapshot {
        streams: streams.into_values().collect(),
        stages: stages(board),
        detector_cpu: board.cpu.figures(),
        incidents_open: board.desk.incidents.open().map(|(kind, count)| (kind.name(), count)).to_vec(),
        blind: board.desk.incidents.is_blind(),
        receivers,
        lost: lost(board, boards),
        build,
        config_last_reload_successful: last_reload,
        memory_pressure: board.health.pressure(),
        heap_trims: heap::trims(),
        process: ProcessSnapshot::read(),
    }
}

/// Beside what the boards lost: changes that a sink never got, and those that the store did not take.
fn lost(board: &StatusBoard, boards: &StreamBoards) -> Vec<(&'static str, u64)> {
    let mut lost = boards.lost();
    lost.extend(board.desk.undelivered().into_iter().filter_map(|(sink, count)| {
        let what = match sink {
            "event_log" => "changes_event_log",
            "live_feed" => "changes_live_feed",
            "evidence" => "changes_evidence",
            _ => return None,
        };
        Some((what, count))
    }));
    lost
}

fn stream(status: &StreamStatus) -> StreamSnapshot {
    let card = &status.card;
    let meters = &status.meters;
    let has_video = meters.frame_rate > 0.0;
    StreamSnapshot {
        title: card.title.as_deref().unwrap_or_default().into(),
        group: card.labels.get("group").map(String::as_str).unwrap_or_default().into(),
        up: status.up,
        session: status.session.0,
        info: meters.info.clone(),
        last_error: status.last_error.clone(),
        tracks: tracks_of(status),
        // The meters stand still with the stream: what was read last is not so any more.
        bitrate: (meters.bitrate > 0.0).then_some(if status.up { meters.bitrate } else { 0.0 }),
        frame_rate: has_video.then_some(if status.up { meters.frame_rate } else { 0.0 }),
        lane_dropped: vec![("drop_oldest", status.lane_dropped.0), ("drop_newest", status.lane_dropped.1)],
        receive_dropped: status.receive_dropped,
        restarts: status.restarts.iter().map(|(cause, count)| (*cause, *count)).collect(),
        latency: status.latency,
        tiers: status.tiers,
        ..StreamSnapshot::new(&card.stream, state_of(status), status.tier.name())
    }
}

/// Live, but nothing of it is looked at because load does not leave room for it.
pub const BLIND: &str = "blind";

/// Where the stream's life stands, as people read it.
fn state_of(status: &StreamStatus) -> &'static str {
    let is_shed = status.tier > status.tiers.configured;
    if status.up && is_shed && status.tier == Tier::Transport { BLIND } else { status.state }
}

/// Tracks of which frames were inspected, and those of which none is because of the tier.
fn tracks_of(status: &StreamStatus) -> Vec<TrackSnapshot> {
    let mut frames = status.frames.clone();
    for (track, _) in &status.meters.coverage {
        frames.entry(*track).or_default();
    }
    frames.iter().map(|(track, frames)| track_of(status, *track, *frames)).collect()
}

fn track_of(status: &StreamStatus, track: avwatch_actors::track::TrackId, frames: u64) -> TrackSnapshot {
    let meters = status.meters.tracks.iter().find(|meters| meters.track == track);
    let loudness = meters.filter(|_| status.up).and_then(|meters| meters.loudness).map_or_else(Vec::new, |reading| {
        [
            ("momentary", reading.momentary_lufs),
            ("short_term", reading.short_term_lufs),
            ("integrated", reading.integrated_lufs),
        ]
        .into_iter()
        .filter_map(|(window, value)| Some((window, value?)))
        .collect()
    });
    let dropped = status.lane_dropped.0 + status.lane_dropped.1;
    let all: u64 = status.frames.values().sum();
    TrackSnapshot {
        track,
        frames_total: frames,
        last_frame: meters.map(|meters| meters.last_frame.0),
        // Drops are counted per lane; they are shared out evenly over what the lanes carried.
        coverage: status.meters.coverage_of(track).map(|inspected| match all {
            0 => inspected,
            all => inspected * (1.0 - dropped.min(all) as f64 / all as f64),
        }),
        true_peak_dbtp: meters.and_then(|meters| meters.loudness).and_then(|reading| reading.true_peak_dbtp),
        loudness,
    }
}

fn stages(board: &StatusBoard) -> Vec<StageSnapshot> {
    let latencies = board.latencies();
    Stage::ALL
        .iter()
        .map(|stage| {
            let histogram = latencies.stage(*stage);
            let buckets = BUCKETS.iter().map(|edge| (*edge, histogram.count_between(0, (edge * 1e6) as u64))).collect();
            let sum = histogram.mean() * histogram.len() as f64 / 1e6;
            StageSnapshot { stage: stage.name(), buckets, sum, count: histogram.len() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use avwatch_actors::event::{StreamCard, Wall};
    use avwatch_actors::meters::SessionMeters;
    use avwatch_actors::tier::TierRange;
    use avwatch_actors::track::{SessionNumber, TrackId};

    use super::*;

    fn status(tier: Tier, configured: Tier, coverage: f64) -> StreamStatus {
        StreamStatus {
            card: Arc::new(StreamCard { stream: "lobby".into(), ..StreamCard::default() }),
            state: "live",
            tier,
            tiers: TierRange::from(configured),
            up: true,
            session: SessionNumber(1),
            meters: SessionMeters { coverage: vec![(TrackId::video(0), coverage)], ..SessionMeters::default() },
            frames: BTreeMap::new(),
            lane_dropped: (0, 0),
            receive_dropped: 0,
            restarts: BTreeMap::new(),
            last_error: None,
            abandoned: 0,
            latency: None,
            at: Wall(SystemTime::UNIX_EPOCH),
        }
    }

    #[test]
    fn a_stream_of_which_load_leaves_nothing_is_blind_and_its_coverage_is_none() {
        let shown = stream(&status(Tier::Transport, Tier::Full, 0.0));
        assert_eq!((shown.state, shown.tier), ("blind", "transport"));
        assert_eq!(shown.tracks.iter().map(|track| track.coverage).collect::<Vec<_>>(), [Some(0.0)]);
    }

    #[test]
    fn a_stream_that_is_to_be_looked_at_as_packets_only_is_not_blind() {
        assert_eq!(stream(&status(Tier::Transport, Tier::Transport, 0.0)).state, "live");
        assert_eq!(stream(&status(Tier::Keyframes, Tier::Full, 0.04)).state, "live");
    }
}
