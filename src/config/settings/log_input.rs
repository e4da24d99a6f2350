//! `[[logs]]` as written: logs of other programs, and what in them is a fault of a stream.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::span::Span;

/// A log of another program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogInputSettings {
    /// Unique name, 1 to 128 letters, digits, '-', '_' and '.'.
    #[schemars(extend("examples" = ["edge-access"]))]
    pub name: String,
    /// File that is followed from its end on, through rotation and truncation. It need not be there yet. In its name
    /// "*", "?" and "[ ]" stand for many files, of which the 32 that were written last are followed.
    #[schemars(extend("examples" = ["/var/log/nginx/access.log"]))]
    pub path: Option<PathBuf>,
    /// Form of its lines.
    pub format: LogLineFormat,
    /// With format "regex": what a line looks like; named groups are its fields.
    #[schemars(extend("examples" = ["^(?<time>\\S+) (?<host>\\S+) (?<status>\\d+)$"]))]
    pub pattern: Option<String>,
    /// Field with the time of a line: RFC 3339, the time of access logs, or seconds or milliseconds since 1970.
    /// Default: time, timestamp, ts or @timestamp. Without one, or when it is more than 5 minutes off, a line counts
    /// for when it is read.
    #[schemars(extend("examples" = ["time"]))]
    pub time: Option<String>,
    /// Stream that all lines are about; else see stream_field.
    #[schemars(extend("examples" = ["lobby"]))]
    pub stream: Option<String>,
    /// Field that says which stream a line is about.
    #[schemars(extend("examples" = ["path"]))]
    pub stream_field: Option<String>,
    /// Which part of that field is the name: the whole match, or what stream_template makes of it.
    #[schemars(extend("examples" = ["^/live/([^/]+)/"]))]
    pub stream_pattern: Option<String>,
    /// The stream's name, made of the groups of stream_pattern. Default: "$1" when there is a group, else "$0".
    #[schemars(extend("examples" = ["$1-hd"]))]
    pub stream_template: Option<String>,
    /// Names of streams by what the field says, where they differ.
    #[schemars(extend("examples" = [{ "ch1": "lobby" }]))]
    pub stream_names: BTreeMap<String, String>,
    /// What is judged, by name.
    pub rules: BTreeMap<String, LogRuleSettings>,
}

/// Form of the lines of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLineFormat {
    /// One JSON object a line; fields of objects in it are written a.b.
    #[default]
    Json,
    /// key=value pairs.
    Logfmt,
    /// The common and the combined format of access logs: host, user, time, method, path, protocol, status, bytes,
    /// referer, agent; whatever follows is extra1, extra2 and so on.
    Common,
    /// Anything else, by a regular expression.
    Regex,
}

/// One thing that is judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogRuleSettings {
    /// Name of its events.
    pub detector: LogDetector,
    /// Which lines are bad: FIELD OP VALUE, where OP is =, !=, <, <=, >, >=, ~ or !~ (regular expression); all must
    /// hold. Default: status >= 500 for log_http_errors, a level of error or worse for log_errors, every line else.
    #[schemars(extend("examples" = [["status >= 500"]]))]
    pub when: Vec<String>,
    /// Which lines count at all, in the same form. Default: all.
    #[schemars(extend("examples" = [["path ~ \\.(ts|m4s)$"]]))]
    pub of: Vec<String>,
    /// What is compared with the thresholds: the share of bad lines, or bad lines per minute.
    pub measure: LogMeasure,
    /// Field whose sum over bad lines is taken instead of their number.
    #[schemars(extend("examples" = ["rebuffer_ms"]))]
    pub sum: Option<String>,
    /// Field whose sum over all lines that count is taken instead of their number, for shares.
    #[schemars(extend("examples" = ["played_ms"]))]
    pub per: Option<String>,
    /// Time over which it is judged.
    #[schemars(extend("x-minimum" = "1s", "x-maximum" = "1h"))]
    pub window: Span,
    /// Lines that must count within the window, or nothing is said.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub min_lines: u32,
    /// From where on it has which severity, rising with the severity.
    pub thresholds: LogThresholds,
    /// Time over the threshold until an event is raised.
    #[schemars(extend("x-minimum" = "0s", "x-maximum" = "1h"))]
    pub raise_after: Span,
    /// Time below the lowest threshold until the event ends.
    #[schemars(extend("x-minimum" = "0s", "x-maximum" = "1h"))]
    pub clear_after: Span,
}

impl Default for LogRuleSettings {
    fn default() -> Self {
        Self {
            detector: LogDetector::default(),
            when: Vec::new(),
            of: Vec::new(),
            measure: LogMeasure::default(),
            sum: None,
            per: None,
            window: Span(Duration::from_secs(60)),
            min_lines: 20,
            thresholds: LogThresholds::default(),
            raise_after: Span(Duration::ZERO),
            clear_after: Span(Duration::from_secs(30)),
        }
    }
}

/// Names of events that come from logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LogDetector {
    /// Lines that tell of errors.
    #[default]
    #[serde(rename = "log_errors")]
    Errors,
    /// Requests that a server could not answer.
    #[serde(rename = "log_http_errors")]
    HttpErrors,
    /// Players that wait for data.
    #[serde(rename = "log_rebuffering")]
    Rebuffering,
    /// Segments that took too long.
    #[serde(rename = "log_slow_segments")]
    SlowSegments,
}

impl LogDetector {
    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Errors => "log_errors",
            Self::HttpErrors => "log_http_errors",
            Self::Rebuffering => "log_rebuffering",
            Self::SlowSegments => "log_slow_segments",
        }
    }
}

/// What is compared with the thresholds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogMeasure {
    /// Bad ones among all that count: where traffic varies.
    #[default]
    Share,
    /// Bad ones per minute: where each of them matters.
    Rate,
}

/// From where on it has which severity; at least one is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogThresholds {
    /// Share or rate from which it is info.
    #[schemars(range(min = 0.0, max = 1e12), extend("examples" = [0.005]))]
    pub info: Option<f64>,
    /// Share or rate from which it is a warning.
    #[schemars(range(min = 0.0, max = 1e12), extend("examples" = [0.01]))]
    pub warning: Option<f64>,
    /// Share or rate from which it is minor.
    #[schemars(range(min = 0.0, max = 1e12), extend("examples" = [0.02]))]
    pub minor: Option<f64>,
    /// Share or rate from which it is major.
    #[schemars(range(min = 0.0, max = 1e12), extend("examples" = [0.05]))]
    pub major: Option<f64>,
    /// Share or rate from which it is critical.
    #[schemars(range(min = 0.0, max = 1e12), extend("examples" = [0.2]))]
    pub critical: Option<f64>,
}
