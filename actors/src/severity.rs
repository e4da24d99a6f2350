//! Severity: how much an event matters to an operator, from `info` to `critical`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How much an event matters, low to high, in the words of ITU-T X.733.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth recording; nobody needs to act.
    Info,
    /// Some viewers may notice.
    Warning,
    /// Viewers notice; the programme goes on.
    Minor,
    /// The programme suffers.
    Major,
    /// The programme is gone.
    Critical,
}

impl Severity {
    /// Every severity, low to high.
    pub const ALL: [Self; 5] = [Self::Info, Self::Warning, Self::Minor, Self::Major, Self::Critical];

    /// The word used in configuration, reports, metrics and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that names no severity.
#[derive(Debug, thiserror::Error)]
#[error("unknown severity '{0}': use info, warning, minor, major or critical")]
pub struct UnknownSeverity(pub String);

impl FromStr for Severity {
    type Err = UnknownSeverity;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|severity| severity.name() == word).ok_or_else(|| UnknownSeverity(word.to_owned()))
    }
}
