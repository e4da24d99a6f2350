//! Log inputs as planned: resolved and checked, ready to be followed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use avwatch_actors::severity::Severity;

use super::{Condition, Format, StreamMap};

/// One log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogInputPlan {
    /// Its name.
    pub name: Arc<str>,
    /// The file.
    pub path: PathBuf,
    /// Form of its lines.
    pub(crate) format: Format,
    /// Field with the time; the usual ones when absent.
    pub time: Option<String>,
    /// Which stream a line is about.
    pub map: StreamMap,
    /// What is judged.
    pub rules: Vec<Arc<RulePlan>>,
}

/// One thing that is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct RulePlan {
    /// Its name.
    pub name: Arc<str>,
    /// Name of its events.
    pub detector: &'static str,
    /// Which lines are bad; all must hold.
    pub when: Vec<Condition>,
    /// Which lines count at all; all must hold.
    pub of: Vec<Condition>,
    /// What is compared with the thresholds.
    pub quantity: Quantity,
    /// Field whose sum over bad lines is taken instead of their number.
    pub sum: Option<String>,
    /// Time over which it is judged.
    pub window: Duration,
    /// Lines that must count within the window.
    pub min_lines: u64,
    /// From where on it has which severity, both rising; never empty.
    pub thresholds: Vec<(f64, Severity)>,
    /// Time over the threshold until an event is raised.
    pub raise_after: Duration,
    /// Time below it until the event ends.
    pub clear_after: Duration,
}

/// What is compared with the thresholds.
#[derive(Clone, Debug, PartialEq)]
pub enum Quantity {
    /// Bad ones among all lines that count.
    Share,
    /// Bad ones against the sum of this field over all lines that count.
    SharePer(String),
    /// Bad ones per minute.
    PerMinute,
}

impl RulePlan {
    /// The severity that a value has.
    pub(super) fn severity(&self, value: f64) -> Option<Severity> {
        self.thresholds.iter().rev().find(|(from, _)| value >= *from).map(|(_, severity)| *severity)
    }

    /// Unit of its values.
    pub(super) fn unit(&self) -> &'static str {
        match self.quantity {
            Quantity::Share | Quantity::SharePer(_) => "ratio",
            Quantity::PerMinute => "1/min",
        }
    }
}

/// A regular expression that was checked; two are the same when they are written the same.
#[derive(Clone, Debug)]
pub struct Pattern(pub regex::Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Pattern {
    /// Largest compiled expression in bytes.
    const BYTES_MAX: usize = 1 << 20;

    /// Compiles an expression.
    ///
    /// # Errors
    /// It is none, or too large.
    pub fn new(text: &str) -> Result<Self, String> {
        let built = regex::RegexBuilder::new(text).size_limit(Self::BYTES_MAX).build();
        built.map(Self).map_err(|error| {
            // What is wrong stands in the last line; those above draw where.
            let text = error.to_string();
            let why = text.lines().last().unwrap_or_default().trim();
            format!("is no regular expression: {}", why.strip_prefix("error: ").unwrap_or(why))
        })
    }
}
