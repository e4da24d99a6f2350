//! The report of `avwatch check`: what was found in each input, and whether that is good enough.
//!
//! Made once, on the command's thread, after every detector actor has acknowledged the end of its
//! session. Plain data: [`Report::new`] rounds, orders and judges, so that equal findings give equal
//! bytes in every format. It opens nothing but the file of `--output`, never looks at a clock, and
//! never drops an event: formats that shorten a listing say by how much.

mod edge;
mod event;
mod html;
mod json;
mod junit;
mod nagios;
mod output;
mod text;
mod ticks;
mod track;

use std::collections::BTreeMap;

use serde::Serialize;

use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity;
use avwatch_actors::track::TrackId;

use crate::record::Record;

pub use edge::edge_grace;
pub use event::ReportEvent;
pub(crate) use html::{Page, STYLE};
pub use output::{Destination, OutputError};
pub use text::Style;
pub use track::{Measurements, ReportTrack, TrackDetail};

/// Name and version of the report's schema.
pub const SCHEMA: &str = "avwatch.report/1";

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people, at a terminal.
    #[default]
    Text,
    /// For programs: schema `avwatch.report/1`.
    Json,
    /// For build servers: a test suite per input, a test case per detector.
    Junit,
    /// For people: one page with plots and pictures, without scripts.
    Html,
    /// For Nagios, Icinga and Checkmk: one line with performance data.
    Nagios,
}

impl Format {
    /// Whether it draws what was measured over time, so that it must be recorded.
    pub const fn draws(self) -> bool {
        match self {
            Self::Html => true,
            Self::Text | Self::Json | Self::Junit | Self::Nagios => false,
        }
    }
}

/// Whether an input, or the whole report, is good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportVerdict {
    /// No event reached the severity of `--fail-on`.
    Pass,
    /// At least one did.
    Fail,
    /// It could not be checked, or not to its end.
    Error,
}

impl ReportVerdict {
    /// The word used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Error => "error",
        }
    }
}

/// Everything that one run of `check` found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Version of avwatch.
    pub version: &'static str,
    /// The profile in force.
    pub profile: String,
    /// The worst verdict of the inputs.
    pub verdict: ReportVerdict,
    /// The inputs, in the order of the command line.
    pub inputs: Vec<ReportInput>,
    /// The severity from which on an event fails its input.
    #[serde(skip)]
    pub fail_on: Severity,
}

/// What was found in one input.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReportInput {
    /// The input as written on the command line, its secrets already redacted.
    pub input: String,
    /// The container in FFmpeg's words, such as `mpegts`; nothing when it could not be opened.
    pub container: Option<String>,
    /// Length of the inspected media in seconds; nothing when it could not be opened.
    pub duration_s: Option<f64>,
    /// Set by [`Report::new`].
    pub verdict: ReportVerdict,
    /// Why it could not be checked, or not to its end: names input and cause.
    pub error: Option<String>,
    /// Every inspected track, video first, then by number.
    pub tracks: Vec<ReportTrack>,
    /// Measurements of the tracks that have any.
    pub measurements: BTreeMap<TrackId, Measurements>,
    /// The events, ordered by start, then track, then detector number.
    pub events: Vec<ReportEvent>,
    /// The detectors that watched it, by number: what passed is as telling as what failed.
    #[serde(skip)]
    pub detectors: Vec<DetectorRef>,
    /// What was measured over time, for formats that draw it.
    #[serde(skip)]
    pub record: Option<Record>,
}

/// A detector that watched an input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DetectorRef {
    /// Its fixed number.
    pub number: u16,
    /// Its name.
    pub name: String,
}

impl ReportInput {
    /// An input that was opened, with everything about it still to be filled in.
    pub fn opened(input: impl Into<String>, container: impl Into<String>, duration: MediaTime) -> Self {
        Self {
            input: input.into(),
            container: Some(container.into()),
            duration_s: Some(duration.as_report_secs()),
            verdict: ReportVerdict::Pass,
            error: None,
            tracks: Vec::new(),
            measurements: BTreeMap::new(),
            events: Vec::new(),
            detectors: Vec::new(),
            record: None,
        }
    }

    /// An input that could not be opened; `cause` names it and says why.
    pub fn failed(input: impl Into<String>, cause: impl Into<String>) -> Self {
        Self {
            container: None,
            duration_s: None,
            error: Some(cause.into()),
            ..Self::opened(input, "", MediaTime::ZERO)
        }
    }

    /// The highest severity among its events.
    pub fn worst(&self) -> Option<Severity> {
        self.events.iter().map(|event| event.severity).max()
    }

    fn settle(&mut self, fail_on: Severity) {
        self.duration_s = self.duration_s.and_then(six_decimals);
        for track in &mut self.tracks {
            track.round();
        }
        for measurements in self.measurements.values_mut() {
            measurements.round();
        }
        for event in &mut self.events {
            event.round();
        }
        self.tracks.sort_by_key(|track| track.track);
        self.events.sort_by(ReportEvent::order);
        self.detectors.sort();
        self.detectors.dedup();
        self.verdict = if self.error.is_some() {
            ReportVerdict::Error
        } else if self.worst().is_some_and(|worst| worst >= fail_on) {
            ReportVerdict::Fail
        } else {
            ReportVerdict::Pass
        };
    }
}

impl Report {
    /// Rounds, orders and judges what was found. Inputs stay in the order given.
    pub fn new(profile: &str, fail_on: Severity, mut inputs: Vec<ReportInput>) -> Self {
        for input in &mut inputs {
            input.settle(fail_on);
        }
        let verdict = inputs.iter().map(|input| input.verdict).max().unwrap_or(ReportVerdict::Pass);
        let version = env!("CARGO_PKG_VERSION");
        Self { schema: SCHEMA, version, profile: profile.to_owned(), verdict, inputs, fail_on }
    }

    /// The report as bytes, ending in a line feed. Only [`Format::Text`] heeds the style.
    ///
    /// # Errors
    ///
    /// Never for data made by [`Report::new`]; the libraries that write JSON and XML say it may.
    pub fn render(&self, format: Format, style: Style) -> Result<Vec<u8>, RenderError> {
        match format {
            Format::Text => Ok(text::render(self, style).into_bytes()),
            Format::Json => json::render(self),
            Format::Junit => junit::render(self),
            Format::Html => Ok(html::render(self).into_bytes()),
            Format::Nagios => Ok(nagios::render(self).into_bytes()),
        }
    }

    /// The exit status that goes with the report: 0 pass, 1 fail, 3 error; as plug-ins do for
    /// [`Format::Nagios`]: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    pub fn exit_code(&self, format: Format) -> u8 {
        if format == Format::Nagios {
            return nagios::state(self).exit_code();
        }
        match self.verdict {
            ReportVerdict::Pass => 0,
            ReportVerdict::Fail => 1,
            ReportVerdict::Error => 3,
        }
    }
}

/// A report could not be turned into bytes.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// As JSON.
    #[error("cannot write the report as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// As JUnit XML.
    #[error("cannot write the report as JUnit XML: {0}")]
    Junit(#[from] quick_junit::SerializeError),
}

/// Rounds to six decimals; nothing for what is no number.
fn six_decimals(value: f64) -> Option<f64> {
    if !value.is_finite() {
        return None;
    }
    let scaled = (value * 1e6).round();
    // Too large to have six decimals at all: keep it. Adding zero turns −0 into 0.
    Some(if scaled.is_finite() { scaled / 1e6 + 0.0 } else { value })
}

/// The text without control and formatting characters: names and tags come from strangers, and must
/// not steer a terminal or break a line. Each is replaced by `?`.
pub(crate) fn plain(text: &str) -> String {
    let steers = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { '?' } else { c }).collect()
}

#[cfg(test)]
mod fixture;

#[cfg(test)]
mod tests {
    use super::*;
    use fixture::{event, example, input};

    fn verdict(fail_on: Severity, inputs: Vec<ReportInput>) -> (ReportVerdict, u8) {
        let report = Report::new("file", fail_on, inputs);
        (report.verdict, report.exit_code(Format::Json))
    }

    #[test]
    fn an_input_fails_from_the_asked_severity_on() {
        let with = |severity| {
            let mut input = input("a.ts");
            input.events = vec![event("black", 1, severity, 8_000, 11_000)];
            vec![input]
        };
        assert_eq!(verdict(Severity::Warning, with(Severity::Info)), (ReportVerdict::Pass, 0));
        assert_eq!(verdict(Severity::Warning, with(Severity::Warning)), (ReportVerdict::Fail, 1));
        assert_eq!(verdict(Severity::Critical, with(Severity::Major)), (ReportVerdict::Pass, 0));
    }

    #[test]
    fn an_input_that_could_not_be_checked_wins_over_one_that_failed() {
        let mut bad = input("a.ts");
        bad.events = vec![event("black", 1, Severity::Critical, 0, 1_000)];
        let missing = ReportInput::failed("b.ts", "cannot open b.ts: no such file");
        assert_eq!(verdict(Severity::Warning, vec![bad, missing]), (ReportVerdict::Error, 3));
    }

    #[test]
    fn a_report_of_nothing_passes() {
        assert_eq!(verdict(Severity::Info, Vec::new()), (ReportVerdict::Pass, 0));
    }

    #[test]
    fn the_order_in_which_events_arrive_does_not_change_a_byte() {
        let one = example();
        let mut inputs = one.inputs.clone();
        inputs[0].events.reverse();
        inputs[0].tracks.reverse();
        let other = Report::new("file", Severity::Warning, inputs);
        for format in [Format::Text, Format::Json, Format::Junit, Format::Html, Format::Nagios] {
            let bytes = |report: &Report| report.render(format, Style::PLAIN).expect("renders");
            assert_eq!(bytes(&one), bytes(&other), "{format:?}");
        }
    }

    #[test]
    fn every_format_ends_its_output_with_a_line_feed() {
        for format in [Format::Text, Format::Json, Format::Junit, Format::Html, Format::Nagios] {
            let bytes = example().render(format, Style::PLAIN).expect("renders");
            assert!(bytes.ends_with(b"\n"), "{format:?}");
            assert!(!bytes.ends_with(b"\n\n"), "{format:?}");
        }
    }

    #[test]
    fn numbers_have_six_decimals_and_no_negative_zero() {
        assert_eq!(six_decimals(1.0 / 3.0), Some(0.333_333));
        assert_eq!(six_decimals(f64::from(0.98_f32)), Some(0.98));
        assert!(six_decimals(-1e-9).is_some_and(|zero| zero.is_sign_positive()));
        assert_eq!(six_decimals(f64::NAN), None);
        assert_eq!(six_decimals(f64::INFINITY), None);
        assert_eq!(six_decimals(f64::MAX), Some(f64::MAX));
    }

    #[test]
    fn no_name_steers_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\r\nc\u{202e}d ü"), "a?[31mb??c?d ü");
    }
}
