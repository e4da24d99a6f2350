//! What a row of the registry says of a detector: everything from which configuration, listings,
//! schema, documentation checks and the running instance are made.

use std::collections::BTreeMap;
use std::time::Duration;

use avwatch_actors::detector::{ClassLimits, DetectorFactory, LaneKind, Precedence, Situation, Worse};
use avwatch_actors::severity::Severity;
use avwatch_actors::tier::Tier;
use avwatch_actors::track::TrackInfo;

use crate::measure::MeasurePlan;
use crate::media::spec::Expect;
use crate::profile::Profile;

/// One row of the registry.
pub struct DetectorKind {
    /// Fixed number, never reused.
    pub number: u16,
    /// Name in configuration, reports, metrics and API.
    pub name: &'static str,
    /// What it watches, in one sentence without a full stop.
    pub summary: &'static str,
    /// Unit of its score, such as `ratio`, `dBFS`, `s`.
    pub unit: &'static str,
    /// Which scores are worse.
    pub worse: Worse,
    /// Which lanes it drinks from: one instance per track of each.
    pub lanes: &'static [LaneKind],
    /// Where it stands in the precedence table.
    pub precedence: Precedence,
    /// The cheapest tier in which it can judge; in cheaper ones it is silent, as it lacks its basis.
    pub cheapest: Tier,
    /// The rule of a standard that it checks, such as `TR 101 290 1.4`.
    pub standard_ref: Option<&'static str>,
    /// Where its defaults come from: a standard, a paper, or our own measurements.
    pub source: &'static str,
    /// Options of its own, beside `enabled`, `raise_after`, `clear_after` and `severities`.
    pub options: &'static [OptionDoc],
    /// Defaults of the common keys for a profile.
    pub defaults: fn(Profile) -> Defaults,
    /// Adds what it needs to the measure plan.
    pub needs: fn(&Options, &mut MeasurePlan),
    /// The score at which it calls the condition, for events; `None` when there is no one number.
    pub threshold: fn(&Options) -> Option<f32>,
    /// What the class of a verdict allows, where severity does not depend on time alone.
    pub class_limits: fn(&Options) -> Option<ClassLimits>,
    /// Whether to watch this track at all.
    pub applies: fn(&TrackInfo) -> bool,
    /// What a person reads.
    pub message: fn(&Situation) -> String,
    /// Makes a factory of instances. Options are complete and within their ranges; the other
    /// argument is what the operator said of the stream.
    pub build: fn(&Options, &Expect) -> DetectorFactory,
}

/// The keys that every detector has.
#[derive(Clone, Debug, PartialEq)]
pub struct Defaults {
    /// Whether it runs.
    pub enabled: bool,
    /// Hold times and severities on the main tracks, both rising.
    pub steps: Vec<(Duration, Severity)>,
    /// The same on secondary tracks and special channels, where they differ.
    pub secondary_steps: Option<Vec<(Duration, Severity)>>,
    /// Time without the condition until the event ends.
    pub clear_after: Duration,
    /// In reports on files: events that lie wholly within this much of head or tail are `info` only.
    pub edge_grace: Duration,
    /// Nothing is raised for this much time after the format of the track changed. Heeded by what
    /// judges contents: conditions that take part in the precedence of contents.
    pub settle_after_change: Duration,
}

/// Documentation, default and range of one option of a detector.
pub struct OptionDoc {
    /// Key below `[detectors.NAME]`.
    pub name: &'static str,
    /// What it does, in one sentence with unit.
    pub doc: &'static str,
    /// Default for a profile.
    pub default: fn(Profile) -> OptionValue,
    /// Lowest and highest value that make sense, of numbers and, in seconds, of durations.
    pub range: (f64, f64),
}

/// A value of an option. The default's variant is the option's type.
#[derive(Clone, Debug, PartialEq)]
pub enum OptionValue {
    /// A number in the option's unit.
    Number(f64),
    /// A number, or nothing: written as `"none"`.
    Maybe(Option<f64>),
    /// A span of time, written as `"2s"`.
    Span(Duration),
    /// On or off.
    Flag(bool),
}

/// The options of one detector, complete: every [`OptionDoc`] has its value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options(pub BTreeMap<&'static str, OptionValue>);

impl Options {
    /// The defaults of a detector for a profile.
    pub fn defaults(kind: &DetectorKind, profile: Profile) -> Self {
        Self(kind.options.iter().map(|option| (option.name, (option.default)(profile))).collect())
    }

    /// A number; 0 for a name that is not an option of that type, which a registry test rules out.
    pub fn number(&self, name: &str) -> f64 {
        match self.0.get(name) {
            Some(OptionValue::Number(number)) => *number,
            _ => 0.0,
        }
    }

    /// An optional number.
    pub fn maybe(&self, name: &str) -> Option<f64> {
        match self.0.get(name) {
            Some(OptionValue::Maybe(number)) => *number,
            _ => None,
        }
    }

    /// A span of time.
    pub fn span(&self, name: &str) -> Duration {
        match self.0.get(name) {
            Some(OptionValue::Span(span)) => *span,
            _ => Duration::ZERO,
        }
    }

    /// A flag.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(OptionValue::Flag(true)))
    }
}

/// How long a condition has lasted, as messages say it: `3.0 s`.
pub(super) fn lasted(situation: &Situation) -> String {
    format!("{:.1} s", situation.lasted.as_secs_f64())
}
