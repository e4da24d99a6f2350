//! `/api/v1/status`: what runs and how it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::Data;
use avwatch_actors::event::Wall;
use serde::Serialize;

use super::state::Node;
use super::stream_view::readings;
use crate::config::{Share, Subset};
use crate::node_snapshot::{NodeSnapshot, StageSnapshot};

/// The answer.
#[derive(Serialize)]
struct Status {
    version: &'static str,
    ffmpeg: String,
    node: String,
    /// True when nothing was configured and the demo runs.
    demo: bool,
    started_at: Wall,
    uptime_s: u64,
    live: bool,
    ready: bool,
    /// The number of the newest change of an event.
    sequence: u64,
    streams: Streams,
    /// What part of a configuration that it shares with other clones it takes; absent when it takes all.
    #[serde(skip_serializing_if = "Option::is_none")]
    clone: Option<ClonePart>,
    /// Open events by severity, of the monitor's own as well.
    open_events: BTreeMap<&'static str, usize>,
    /// Open incidents by kind.
    open_incidents: BTreeMap<&'static str, u64>,
    /// Most inputs are down, and so is what the monitor itself needs: it cannot see.
    blind: bool,
    store: Store,
    /// What was lost since start, by what it was.
    lost: BTreeMap<&'static str, u64>,
    process: Process,
    /// Whether the last reload of the configuration was taken over; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    config_last_reload_successful: Option<bool>,
    live_clients: usize,
    /// Streams of which most was not seen or that most often had to begin anew, worst first.
    worst_streams: Vec<WorstStream>,
    /// Threads and arbiters that hang now.
    abandoned_threads: u32,
    stages: Vec<Stage>,
    detector_cpu_seconds: BTreeMap<&'static str, f64>,
}

/// The latencies of one stage since start, over all streams.
#[derive(Serialize)]
struct Stage {
    stage: &'static str,
    /// Upper bounds in seconds, each with the number of values up to it.
    buckets: Vec<Bucket>,
    count: u64,
    sum_s: f64,
}

#[derive(Serialize)]
struct Bucket {
    up_to_s: f64,
    count: u64,
}

#[derive(Serialize)]
struct Streams {
    total: usize,
    up: usize,
    by_state: BTreeMap<&'static str, usize>,
}

#[derive(Serialize)]
struct ClonePart {
    /// Such as `2/5`; absent where all configured streams are watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<String>,
    /// The only detectors that run; absent where all do.
    #[serde(skip_serializing_if = "Option::is_none")]
    detectors: Option<Subset>,
    /// Configured streams that fall to other clones.
    streams_elsewhere: usize,
}

fn clone_part(share: &Share) -> Option<ClonePart> {
    (!share.is_all()).then(|| ClonePart {
        shard: share.shard.map(|shard| shard.to_string()),
        detectors: share.detectors.clone(),
        streams_elsewhere: share.elsewhere.len(),
    })
}

#[derive(Serialize)]
struct Store {
    degraded: bool,
    /// Changes that wait to be stored, plus those that never will be.
    unstored: u64,
}

#[derive(Serialize)]
struct Process {
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resident_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threads: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_fds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cores: Option<usize>,
}

/// What was lost of one stream since the start.
#[derive(Serialize)]
struct WorstStream {
    name: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<f64>,
    lane_dropped: u64,
    receive_dropped: u64,
    /// Sessions that ended, by cause.
    restarts: BTreeMap<&'static str, u64>,
}

/// Most streams of which losses are told.
const WORST_MAX: usize = 20;

fn worst_streams(snapshot: &NodeSnapshot) -> Vec<WorstStream> {
    let mut worst: Vec<(u64, WorstStream)> = snapshot
        .streams
        .iter()
        .map(|stream| {
            let one = WorstStream {
                name: stream.name.clone(),
                coverage: readings(stream).coverage,
                lane_dropped: stream.lane_dropped.iter().map(|(_, count)| count).sum(),
                receive_dropped: stream.receive_dropped,
                restarts: stream.restarts.iter().copied().filter(|(_, count)| *count > 0).collect(),
            };
            // A restart costs seconds, a dropped frame a fraction of one.
            (one.lane_dropped + one.receive_dropped + 1_000 * one.restarts.values().sum::<u64>(), one)
        })
        .filter(|(weight, _)| *weight > 0)
        .collect();
    worst.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    worst.into_iter().take(WORST_MAX).map(|(_, one)| one).collect()
}

pub(super) async fn status(node: Data<Node>) -> HttpResponse {
    let (catalogue, snapshot) = (node.catalogue.load_full(), (node.snapshot)());
    let mut by_state = BTreeMap::new();
    for stream in &snapshot.streams {
        *by_state.entry(stream.state).or_insert(0) += 1;
    }
    let mut open_events = BTreeMap::new();
    for event in node.desk.board.open().iter() {
        *open_events.entry(event.severity.name()).or_insert(0) += 1;
    }
    HttpResponse::Ok().json(Status {
        version: env!("CARGO_PKG_VERSION"),
        ffmpeg: snapshot.build.ffmpeg.to_string(),
        node: catalogue.node.to_string(),
        demo: catalogue.demo,
        started_at: Wall(node.started),
        uptime_s: node.started.elapsed().unwrap_or_default().as_secs(),
        live: node.health.is_live(),
        ready: node.health.is_ready(),
        sequence: node.desk.board.sequence(),
        streams: Streams {
            total: catalogue.streams.len(),
            up: snapshot.streams.iter().filter(|stream| stream.up).count(),
            by_state,
        },
        clone: clone_part(&catalogue.share),
        open_events,
        open_incidents: node.desk.board.incidents.open().map(|(kind, count)| (kind.name(), count)).into(),
        blind: node.desk.board.incidents.is_blind(),
        store: Store { degraded: node.desk.board.is_degraded(), unstored: node.desk.board.unstored() },
        lost: snapshot.lost.iter().copied().collect(),
        process: Process {
            cpu_seconds: snapshot.process.cpu_seconds,
            resident_bytes: snapshot.process.resident_bytes,
            threads: snapshot.process.threads,
            open_fds: snapshot.process.open_fds,
            cores: node.cores,
        },
        config_last_reload_successful: snapshot.config_last_reload_successful,
        live_clients: node.feed.clients(),
        worst_streams: worst_streams(&snapshot),
        abandoned_threads: node.health.abandoned(),
        stages: snapshot.stages.iter().map(stage).collect(),
        detector_cpu_seconds: snapshot.detector_cpu.iter().map(|cpu| (cpu.detector, cpu.spent.as_secs_f64())).collect(),
    })
}

fn stage(stage: &StageSnapshot) -> Stage {
    let buckets = stage.buckets.iter().map(|(up_to_s, count)| Bucket { up_to_s: *up_to_s, count: *count });
    Stage { stage: stage.stage, buckets: buckets.collect(), count: stage.count, sum_s: stage.sum }
}
