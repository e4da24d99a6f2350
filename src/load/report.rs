//! The report of a run: `avwatch.load/1`.

use serde::Serialize;

use super::figures::Trial;
use super::limits::Required;
use super::settings::{LoadSettings, LoadTier, SourceKind};

/// Name and version of the schema.
pub const SCHEMA: &str = "avwatch.load/1";

/// How latencies are measured, for who reads a report without the documentation.
const METHOD: &str = "from the moment a frame is due by the schedule of who makes or sends it, fixed before the run, to the \
                      last verdict on it; a frame that waits because the machine is behind counts in full";
const METHOD_SPARSE: &str = "; key pictures, and what is decoded after all, from when their packet was taken up";
const METHOD_HLS: &str = "; streams over hls, fetched when the receiver likes, from when their packet was read";

/// The whole report.
#[derive(Clone, Debug, Serialize)]
pub struct LoadReport {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Of the program.
    pub version: &'static str,
    /// `synthetic` or `encoded`.
    pub source: &'static str,
    /// The profile.
    pub profile: String,
    /// Width and height.
    pub size: [u32; 2],
    /// Pictures a second.
    pub rate: u32,
    /// Channels of sound.
    pub channels: u8,
    /// How encoded streams travel, by turns.
    pub transports: Vec<&'static str>,
    /// How much was looked at.
    pub tier: &'static str,
    /// Mean distance between two planted defects of a track, in seconds.
    pub apart_s: f64,
    /// What schedules were drawn from.
    pub seed: u64,
    /// Detector arbiters.
    pub arbiters: usize,
    /// When a trial has not held.
    pub limits: ShownLimits,
    /// How latencies are measured.
    pub latency_method: String,
    /// True when it was ended early.
    pub stopped: bool,
    /// Every trial, in order.
    pub trials: Vec<Trial>,
    /// What held.
    pub capacity: Capacity,
    /// Bare decoding, where it was measured.
    pub baseline: Option<Baseline>,
    /// CPU per stream at the most streams over that at a quarter.
    pub linear: Option<f64>,
    /// What was required.
    pub required: Vec<Required>,
    /// True when every requirement is met.
    pub met: bool,
}

/// Limits as numbers.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ShownLimits {
    /// p99 from due to verdict, in milliseconds.
    pub p99_ms: f64,
    /// Share of frames dropped.
    pub drops: f64,
    /// Share of frames judged.
    pub coverage: f64,
}

/// The most streams within the limits.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Capacity {
    /// True when it was searched for; else only one number was tried.
    pub searched: bool,
    /// Streams; zero when not even one held.
    pub streams: u32,
    /// Over the cores of the machine.
    pub streams_per_core: Option<f64>,
    /// What broke at the next number that was tried; empty when nothing did.
    pub limit: Vec<String>,
}

/// Bare decoding of the same clip on all cores.
#[derive(Clone, Debug, Serialize)]
pub struct Baseline {
    /// Streams that it would decode if nothing had to be in time.
    pub streams: f64,
    /// Streams that it sustains in real time, a thread each, with 99 % of the pictures decoded within the limit of latency; after a search.
    pub sustained: Option<u32>,
    /// CPU milliseconds of a stream's second.
    pub stream_ms: f64,
    /// Capacity over `sustained`, with as many streams more as the CPU time of the sender would have carried.
    pub ratio: Option<f64>,
    /// Its CPU per stream over that of watching, sending left out.
    pub cpu_ratio: Option<f64>,
    /// Its CPU per stream over that with a quarter of the streams on as many cores, where that was asked for: what streams
    /// cost more because more of them share caches, whoever decodes.
    pub growth: Option<f64>,
}

impl LoadReport {
    #[allow(clippy::too_many_arguments)] // One call; a struct of its own would say the same twice.
    pub(super) fn new(
        settings: &LoadSettings,
        arbiters: usize,
        trials: Vec<Trial>,
        capacity: Capacity,
        baseline: Option<Baseline>,
        linear: Option<f64>,
        required: Vec<Required>,
        stopped: bool,
    ) -> Self {
        let is_encoded = settings.source == SourceKind::Encoded;
        let mut transports: Vec<&'static str> = Vec::new();
        if is_encoded {
            transports.extend(settings.ways.iter().map(|way| way.name()));
        }
        let fetched = match settings.tier {
            LoadTier::Full if transports.contains(&"hls") => METHOD_HLS,
            LoadTier::Full => "",
            LoadTier::Keyframes | LoadTier::Triage => METHOD_SPARSE,
        };
        Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            source: settings.source.name(),
            profile: settings.profile.clone(),
            size: [settings.size.0, settings.size.1],
            rate: settings.rate,
            channels: settings.channels,
            transports,
            tier: settings.tier.name(),
            apart_s: settings.apart.as_secs_f64(),
            seed: settings.seed,
            arbiters,
            limits: ShownLimits {
                p99_ms: settings.limits.p99.as_secs_f64() * 1_000.0,
                drops: settings.limits.drops,
                coverage: settings.limits.coverage,
            },
            latency_method: format!("{METHOD}{fetched}"),
            stopped,
            met: required.iter().all(|one| one.met),
            trials,
            capacity,
            baseline,
            linear,
            required,
        }
    }

    /// The report as JSON, with a line break at its end.
    ///
    /// # Errors
    /// Never for what it holds.
    pub fn json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
