//! The summary as plain data: what `--format json` prints.

use std::collections::BTreeMap;

use serde::Serialize;

/// Everything.
#[derive(Debug, Serialize)]
pub struct SummaryReport {
    /// Name and version of this form.
    pub schema: &'static str,
    /// Time of the first line.
    pub first: Option<String>,
    /// Time of the last line.
    pub last: Option<String>,
    /// Lines that were asked for.
    pub lines: u64,
    /// Lines that are none of this program.
    pub malformed: u64,
    /// Lines by level.
    pub by_level: BTreeMap<&'static str, u64>,
    /// How often the service started.
    pub service_starts: u64,
    /// Warnings and errors by fingerprint, the most frequent first.
    pub faults: Vec<FaultReport>,
    /// Warnings and errors that found no room in the table.
    pub other_faults: u64,
    /// Streams, the least available first.
    pub streams: Vec<StreamReport>,
    /// Lines of streams that found no room in the table.
    pub other_streams: u64,
    /// Events by detector and severity.
    pub events: Vec<EventReport>,
    /// Changes of events that found no room in the table.
    pub other_events: u64,
    /// Latencies over time, by stage.
    pub latencies: Vec<LatencyReport>,
    /// CPU time by detector, the busiest first.
    pub detectors: Vec<CpuReport>,
    /// What was lost.
    pub losses: LossReport,
}

/// One fault.
#[derive(Debug, Serialize)]
pub struct FaultReport {
    /// The message without what differs from case to case.
    pub fingerprint: String,
    /// The kind of fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Box<str>>,
    /// `warn` or `error`.
    pub level: &'static str,
    /// How often, what was folded included.
    pub count: u64,
    /// When first.
    pub first: String,
    /// When last.
    pub last: String,
    /// The first message.
    pub example: String,
    /// The streams, at most 100.
    pub streams: Vec<Box<str>>,
    /// There are more.
    pub more_streams: bool,
}

/// One stream.
#[derive(Debug, Serialize)]
pub struct StreamReport {
    /// Its name.
    pub stream: Box<str>,
    /// Lines about it.
    pub lines: u64,
    /// Events that were raised.
    pub events_raised: u64,
    /// Sessions that the log knows of.
    pub sessions: u64,
    /// Sessions that ended by themselves, by cause.
    pub restarts: BTreeMap<Box<str>, u64>,
    /// Seconds with an open session.
    pub up_s: f64,
    /// Seconds over which its sessions are known.
    pub known_s: f64,
    /// The share of them with an open session.
    pub uptime: Option<f64>,
    /// Frames that no detector saw.
    pub lane_dropped: u64,
    /// Datagrams that the machine lost.
    pub receive_dropped: u64,
}

/// Events of one detector and severity.
#[derive(Debug, Default, Serialize)]
pub struct EventReport {
    /// The detector.
    pub detector: Box<str>,
    /// The severity.
    pub severity: Box<str>,
    /// Raised.
    pub raised: u64,
    /// Escalated to this severity.
    pub escalated: u64,
    /// Held back: observed, silenced, in maintenance, or explained by another event.
    pub suppressed: u64,
    /// Ended.
    pub ended: u64,
}

/// Latencies of one stage over one stretch of time.
#[derive(Debug, Serialize)]
pub struct LatencyReport {
    /// Begin of the stretch.
    pub from: String,
    /// Its length in seconds.
    pub seconds: u64,
    /// The stage.
    pub stage: String,
    /// Frames.
    pub count: u64,
    /// The median, in milliseconds.
    pub p50_ms: f64,
    /// 99 % were not longer.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// CPU time of one detector.
#[derive(Debug, Serialize)]
pub struct CpuReport {
    /// The detector.
    pub detector: Box<str>,
    /// CPU seconds.
    pub seconds: f64,
}

/// What was lost.
#[derive(Debug, Serialize)]
pub struct LossReport {
    /// Log lines for lack of room.
    pub log_lines: u64,
    /// Frames that no detector saw.
    pub lane_frames: u64,
    /// Datagrams that the machine lost.
    pub datagrams: u64,
    /// Entries of interval logs that could not be read.
    pub unreadable_latencies: u64,
}
