//! `[alarms]` as written.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::span::Span;

/// `[alarms]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AlarmSettings {
    /// More raises of one condition than this within `flap_window` are flapping: one event then stays open until it
    /// has been calm for as long. 0: nothing flaps.
    #[schemars(range(max = 100))]
    pub flap_raises: u32,
    /// The window in which raises are counted, and how long a condition that flapped must be calm to be over.
    #[schemars(extend("x-minimum" = "1s", "x-maximum" = "24h"))]
    pub flap_window: Span,
    /// How long after the end of a cause, such as input_down, what it explained may still be open before it is an
    /// alarm of its own.
    #[schemars(extend("x-maximum" = "1h"))]
    pub cause_grace: Span,
    /// Time for which pictures (black or freeze) and the sound of a main track (silence) must be gone together until
    /// the picture's event has a severity; "0s": not by this. Not judged on streams of profile file.
    pub combination: CombinationSettings,
}

impl Default for AlarmSettings {
    fn default() -> Self {
        Self {
            flap_raises: 3,
            flap_window: Span(Duration::from_secs(600)),
            cause_grace: Span(Duration::from_secs(10)),
            combination: CombinationSettings::default(),
        }
    }
}

/// `alarms.combination = { … }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CombinationSettings {
    /// Until it is a warning.
    #[schemars(extend("x-maximum" = "24h"))]
    pub warning: Span,
    /// Until it is major.
    #[schemars(extend("x-maximum" = "24h"))]
    pub major: Span,
    /// Until it is critical.
    #[schemars(extend("x-maximum" = "24h"))]
    pub critical: Span,
}

impl Default for CombinationSettings {
    fn default() -> Self {
        let (major, critical) = (Span(Duration::from_secs(10)), Span(Duration::from_secs(20)));
        Self { warning: Span(Duration::ZERO), major, critical }
    }
}
