//! What was found about what the monitor itself needs: link, gateway, names, references.
//!
//! Plain data. Whoever asks the system and the network for it lives outside the engine; the desk only
//! reads what was found, and decides from it whether it is the monitor that cannot see.

/// What one probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// What it looks at works.
    Fine,
    /// It does not: the monitor may be blind.
    Failing,
    /// It does not apply here, or nothing can be said: it speaks neither for nor against.
    Unknown,
}

/// One probe's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeFinding {
    /// What it found.
    pub outcome: ProbeOutcome,
    /// The same for people, such as `DNS: no answer in 3 s`. Without secrets.
    pub text: String,
}

/// What all probes found in one round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeReport {
    /// In a fixed order; at most [`FINDINGS_MAX`].
    pub findings: Vec<ProbeFinding>,
}

/// Most findings of one report.
pub const FINDINGS_MAX: usize = 32;

impl ProbeReport {
    /// True when at least one probe fails.
    pub fn is_failing(&self) -> bool {
        self.findings.iter().any(|finding| finding.outcome == ProbeOutcome::Failing)
    }

    /// What the findings of an outcome say.
    pub fn texts(&self, outcome: ProbeOutcome) -> impl Iterator<Item = &str> {
        self.findings.iter().filter(move |finding| finding.outcome == outcome).map(|finding| &*finding.text)
    }
}
