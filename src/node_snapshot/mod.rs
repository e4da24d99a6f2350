//! The node snapshot: what the API and the metrics know of the running service.
//!
//! Plain data, made by whoever owns the status board about once a second, immutable behind an `Arc`
//! and read on the API's threads. It is everything those threads may look at: they never ask a
//! stream, so a stuck one cannot make them wait.

mod process;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use avwatch_actors::cpu_accounts::CpuFigures;
use avwatch_actors::event::Event;
use avwatch_actors::latency::Percentiles;
use avwatch_actors::memory_budget::MemoryPressure;
use avwatch_actors::severity::Severity;
use avwatch_actors::tier::TierRange;
use avwatch_actors::track::{SessionInfo, TrackId};

pub use process::{ProcessSnapshot, resident_bytes};

use crate::live::StreamReading;

/// Everything about the service at one moment.
#[derive(Clone, Debug, Default)]
pub struct NodeSnapshot {
    /// Every configured stream, by name. A removed stream is simply no longer here.
    pub streams: Vec<StreamSnapshot>,
    /// Latencies of the stages, over all streams.
    pub stages: Vec<StageSnapshot>,
    /// CPU time spent per detector name over all streams, and what it was not let spend.
    pub detector_cpu: Vec<CpuFigures>,
    /// Open incidents by kind.
    pub incidents_open: Vec<(&'static str, u64)>,
    /// Most inputs are down, and so is what the monitor itself needs.
    pub blind: bool,
    /// Who is notified, and how that goes.
    pub receivers: Vec<ReceiverSnapshot>,
    /// What was lost beside frames and notifications since start, by what it was, without secrets.
    pub lost: Vec<(&'static str, u64)>,
    /// What is running.
    pub build: BuildSnapshot,
    /// Whether the last reload of the configuration was taken over; absent before the first reload.
    pub config_last_reload_successful: Option<bool>,
    /// How short of memory the process is.
    pub memory_pressure: MemoryPressure,
    /// How often freed memory was given back to the system since start.
    pub heap_trims: u64,
    /// What the process uses of the machine.
    pub process: ProcessSnapshot,
}

/// One stream at one moment.
#[derive(Clone, Debug)]
pub struct StreamSnapshot {
    /// Configured name.
    pub name: Arc<str>,
    /// Title for people; empty when there is none.
    pub title: Arc<str>,
    /// The label `group`; empty when there is none.
    pub group: Arc<str>,
    /// Where the stream's life stands, such as `live`.
    pub state: &'static str,
    /// True while frames arrive.
    pub up: bool,
    /// How much of it is looked at, such as `full`.
    pub tier: &'static str,
    /// Between which tiers it may move.
    pub tiers: TierRange,
    /// The newest session; 0 before the first.
    pub session: u64,
    /// What the session holds, once it is known.
    pub info: Option<Arc<SessionInfo>>,
    /// Why the last session ended, without secrets.
    pub last_error: Option<String>,
    /// Open events, worst first: what is left out for lack of room is what matters least.
    pub events: Vec<Arc<Event>>,
    /// Raised events since start, in order of first appearance, so that rows keep their place.
    pub event_counts: Vec<EventCount>,
    /// Inspected tracks in the order of the session.
    pub tracks: Vec<TrackSnapshot>,
    /// Bits of a second of the whole input; absent when not measured yet.
    pub bitrate: Option<f64>,
    /// Pictures in a second of the main video track; absent when there is none.
    pub frame_rate: Option<f64>,
    /// Frames displaced from full lanes since start, by the lane's policy.
    pub lane_dropped: Vec<(&'static str, u64)>,
    /// Datagrams that this machine dropped before they could be read, since start.
    pub receive_dropped: u64,
    /// Restarts since start, by cause.
    pub restarts: Vec<(&'static str, u64)>,
    /// What was measured in the newest complete second; absent when the stream has told nothing for a while.
    pub reading: Option<Arc<StreamReading>>,
    /// From arrival to verdict, over the last second; absent when nothing was judged.
    pub latency: Option<Percentiles>,
}

impl StreamSnapshot {
    /// A stream of which nothing is known yet.
    pub fn new(name: &str, state: &'static str, tier: &'static str) -> Self {
        Self {
            name: name.into(),
            title: "".into(),
            group: "".into(),
            state,
            up: false,
            tier,
            tiers: TierRange::default(),
            session: 0,
            info: None,
            last_error: None,
            events: Vec::new(),
            event_counts: Vec::new(),
            tracks: Vec::new(),
            bitrate: None,
            frame_rate: None,
            lane_dropped: Vec::new(),
            receive_dropped: 0,
            restarts: Vec::new(),
            reading: None,
            latency: None,
        }
    }
}

/// How many events of one kind a stream has had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventCount {
    /// The detector's name.
    pub detector: Arc<str>,
    /// Severity that was reached.
    pub severity: Severity,
    /// Events since start that reached it.
    pub count: u64,
}

/// One track at one moment.
#[derive(Clone, Debug)]
pub struct TrackSnapshot {
    /// Its name.
    pub track: TrackId,
    /// Frames inspected since start.
    pub frames_total: u64,
    /// When the newest frame was ready; absent before the first.
    pub last_frame: Option<SystemTime>,
    /// Share of the track that was really inspected, 0 to 1; absent when not known yet.
    pub coverage: Option<f64>,
    /// Highest true peak of the session; absent for pictures.
    pub true_peak_dbtp: Option<f64>,
    /// Loudness in LUFS by window (`momentary`, `short_term`, `integrated`); empty for pictures.
    pub loudness: Vec<(&'static str, f64)>,
}

/// The latencies of one stage as a histogram.
#[derive(Clone, Debug)]
pub struct StageSnapshot {
    /// `decode`, `queue`, `inspect` or `total`.
    pub stage: &'static str,
    /// Upper bounds in seconds, rising and finite, each with the number of values up to it.
    pub buckets: Vec<(f64, u64)>,
    /// Sum of all values in seconds.
    pub sum: f64,
    /// Number of all values.
    pub count: u64,
}

/// One receiver of notifications.
#[derive(Clone, Debug)]
pub struct ReceiverSnapshot {
    /// Configured name.
    pub name: Arc<str>,
    /// Notifications since start, by outcome.
    pub outcomes: Vec<(&'static str, u64)>,
    /// Notifications that wait to be delivered.
    pub pending: u64,
    /// Age of the oldest of them; zero when none waits.
    pub oldest: Duration,
}

/// What is running.
#[derive(Clone, Debug, Default)]
pub struct BuildSnapshot {
    /// Version of avwatch.
    pub version: &'static str,
    /// Version of the FFmpeg libraries in use.
    pub ffmpeg: Arc<str>,
}
