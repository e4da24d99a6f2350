//! The report of a service: how available streams were, and which alarms were noise.
//!
//! Plain data, made from stored events and the journal by [`Gatherer`] and written by a file per format. Owned by
//! whoever asks, on threads that may block. What the figures mean is in [`DEFINITIONS`], which every format tells.

mod build;
mod csv;
mod gather;
mod html;
mod noise;
mod spans;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::time::SystemTime;

use avwatch_actors::event::Wall;
use avwatch_actors::severity::Severity;
use serde::{Deserialize, Serialize};

pub use build::{Material, StreamMaterial, build};
pub use gather::{GatherError, Gatherer, Running, from_folder};
pub use noise::{Candidate, Noise, NoisyPair};
pub use spans::Spans;

/// Name and version of the report's schema.
pub const SCHEMA: &str = "avwatch.availability/1";

/// The label by which streams are grouped unless another one is asked for.
pub const GROUP_LABEL: &str = "group";

/// What the figures mean.
pub const DEFINITIONS: &[&str] = &[
    "watched: seconds in which the service ran and the stream was meant to be looked at; time when the service was down, \
     the stream suspended, off air, quarantined, under maintenance (planned over the API for the whole stream, or as events \
     tell), or only its bytes looked at under load, is not watched and counts neither as up nor as down",
    "errored: watched seconds of which an event of input, picture or sound covers a part, from the begin of its condition \
     to its end, if the event reached that severity; overlapping events count once, and where an event stands for a \
     condition that came and went, only what held counts",
    "availability: 1 - errored / watched",
    "events: those that reached that severity and were open in that time",
    "detect: from the begin of a condition to its alarm, hold time included; recover: from its begin to its end, \
     the calm in between left out; both of events that began in that time, point events left out, and recover of cleared \
     ones only",
];

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// From this time on.
    pub since: SystemTime,
    /// Up to this time.
    pub until: SystemTime,
    /// The lowest severity that counts as an error.
    pub from: Severity,
    /// This stream only.
    pub stream: Option<String>,
    /// The label by which streams are grouped.
    pub group: String,
    /// Whether noise is told.
    pub noise: NoiseWanted,
}

/// Whether the noisiest streams and detectors are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoiseWanted {
    /// They are: before streams go live.
    Yes,
    /// They are not.
    No,
}

/// The report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// From when on.
    pub since: Wall,
    /// Up to when.
    pub until: Wall,
    /// The lowest severity that counts as an error.
    pub from: Severity,
    /// The label by which streams are grouped.
    pub group_label: String,
    /// All streams together.
    pub total: Figures,
    /// By the value of the label, in order; streams without it are in none.
    pub groups: BTreeMap<String, Figures>,
    /// By name, in order.
    pub streams: Vec<StreamReport>,
    /// The noisiest streams and detectors, when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<Noise>,
    /// What to know before believing it.
    pub notes: Vec<String>,
    /// What the figures mean.
    pub definitions: Vec<String>,
}

/// The figures of a stream, or of several together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// How many streams they are of.
    pub streams: u64,
    /// Share of the watched time without error, 0 to 1; absent when nothing was watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability: Option<f64>,
    /// Watched seconds.
    pub watched_s: f64,
    /// Seconds of the time asked for that were not watched.
    pub not_watched_s: f64,
    /// Of them, seconds under maintenance.
    pub maintenance_s: f64,
    /// Errored seconds.
    pub errored_s: f64,
    /// Events that reached the severity.
    pub events: u64,
    /// Time to detect, in seconds: the median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detect_median_s: Option<f64>,
    /// The longest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detect_max_s: Option<f64>,
    /// Time to recover, in seconds: the median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recover_median_s: Option<f64>,
    /// The longest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recover_max_s: Option<f64>,
}

/// One stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamReport {
    /// Its name.
    pub stream: String,
    /// Its value of the label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Whether people are notified: `live` or `observe`; absent when not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// The worst events: highest severity first, then the longest.
    pub worst: Vec<WorstEvent>,
}

/// An event that is worth a look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorstEvent {
    /// Its id.
    pub id: String,
    /// The detector.
    pub detector: String,
    /// The track.
    pub track: String,
    /// The highest severity that it reached.
    pub severity: Severity,
    /// When its condition began.
    pub started_at: Wall,
    /// When it ended; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Wall>,
    /// How long it lasted within the time asked for, in seconds.
    pub duration_s: f64,
    /// What a person reads.
    pub message: String,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ReportFormat {
    /// For people, at a terminal.
    #[default]
    Text,
    /// For spreadsheets: a row for each stream, group and the total.
    Csv,
    /// For programs: schema `avwatch.availability/1`.
    Json,
    /// For people: one page without scripts.
    Html,
}

impl ServiceReport {
    /// The report in that format.
    pub fn render(&self, format: ReportFormat) -> String {
        match format {
            ReportFormat::Text => text::render(self),
            ReportFormat::Csv => csv::render(self),
            ReportFormat::Json => serde_json::to_string_pretty(self).map_or_else(|_| String::new(), |text| text + "\n"),
            ReportFormat::Html => html::render(self),
        }
    }
}

/// Seconds as people read them: `3.2 s`, `4 min 10 s`, `2 h 5 min`.
fn lasted(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3_600 => format!("{} min {} s", whole / 60, whole % 60),
        3_600..172_800 => format!("{} h {} min", whole / 3_600, whole % 3_600 / 60),
        _ => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3_600),
    }
}

/// A share in percent, never rounded up to 100: what was not always so does not read as if it had been.
fn percent(share: f64) -> String {
    let thousandths = (share * 100_000.0).floor() / 1_000.0;
    if share >= 1.0 { "100 %".to_owned() } else { format!("{thousandths:.3} %") }
}
