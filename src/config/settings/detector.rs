//! Settings of detectors as written: common keys, and options whose types come from the registry.

use std::borrow::Cow;
use std::collections::BTreeMap;

use avwatch_actors::severity::Severity;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::config::span::Span;

/// A table of detectors by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Detectors(pub BTreeMap<String, DetectorTable>);

impl JsonSchema for Detectors {
    fn schema_name() -> Cow<'static, str> {
        "Detectors".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // The registry's rows are filled in by `schema::of`.
        json_schema!({ "type": "object" })
    }
}

/// `[detectors.NAME]`: only what was written.
///
/// Unknown keys are refused by the schema, which is made from the registry; here they would be
/// options.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DetectorTable {
    /// Whether it runs.
    pub enabled: Option<bool>,
    /// Time in the condition until an event is raised.
    pub raise_after: Option<Span>,
    /// Time without the condition until the event ends.
    pub clear_after: Option<Span>,
    /// Time in the condition from which each severity applies.
    pub severities: Option<BTreeMap<Severity, Span>>,
    /// The detector's own options.
    #[serde(flatten)]
    pub options: BTreeMap<String, toml::Value>,
}
