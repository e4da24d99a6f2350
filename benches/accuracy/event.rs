//! Events as both sides tell them, and the ladder that weighs them.

use serde::Serialize;

/// How bad an event is, low to high.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a look.
    Warning,
    /// Worth a look soon.
    Minor,
    /// To be mended.
    Major,
    /// To be mended at once.
    Critical,
}

impl Severity {
    /// The severity of that name.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "info" => Some(Self::Info),
            "warning" => Some(Self::Warning),
            "minor" => Some(Self::Minor),
            "major" => Some(Self::Major),
            "critical" => Some(Self::Critical),
            _ => None,
        }
    }
}

/// A step of a ladder: a condition that lasts so long is so bad.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Seconds.
    pub(crate) after: f64,
    /// How bad it is from then on.
    pub(crate) severity: Severity,
}

/// The severity of a condition that lasted so long, if it is told at all.
pub(crate) fn severity_after(steps: &[Step], lasted: f64) -> Option<Severity> {
    // Half a millisecond for what the report rounds.
    steps.iter().filter(|step| lasted + 0.000_5 >= step.after).map(|step| step.severity).max()
}

/// Something that was told of a clip.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Event {
    /// The detector, or that which a filter stands for.
    pub(crate) detector: String,
    /// The track.
    pub(crate) track: String,
    /// How bad.
    pub(crate) severity: Severity,
    /// When the condition began, in seconds.
    pub(crate) start: f64,
    /// When it ended.
    pub(crate) end: f64,
}
