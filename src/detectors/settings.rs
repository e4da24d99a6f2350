//! What the configuration says of one detector, in one layer: only the keys that were written.
//!
//! Made by `config`, merged with the defaults by the registry's resolver. Plain data.

use std::collections::BTreeMap;
use std::time::Duration;

use avwatch_actors::severity::Severity;

use super::OptionValue;

/// The written keys of one detector in one layer; `None` and absent options leave the layer below as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DetectorSettings {
    /// Whether it runs.
    pub enabled: Option<bool>,
    /// Time in the condition until an event is raised.
    pub raise_after: Option<Duration>,
    /// Time without the condition until the event ends.
    pub clear_after: Option<Duration>,
    /// Time in the condition from which each severity applies, rising with the severity.
    pub severities: Option<BTreeMap<Severity, Duration>>,
    /// The detector's own options, each of its documented type and within its range.
    pub options: BTreeMap<String, OptionValue>,
}
