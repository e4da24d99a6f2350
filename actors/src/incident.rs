//! Incidents: one record for what fails together.
//!
//! Plain data, like [`crate::event::Event`]: the same object in the store, the API, the live feed and
//! every notification. What makes one is decided elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::Wall;
use crate::severity::Severity;

/// Name and version of the incident record's schema.
pub const INCIDENT_SCHEMA: &str = "avwatch.incident/1";

/// Most events that one incident lists by id; further ones are counted in [`Incident::events_total`].
pub const INCIDENT_EVENTS_MAX: usize = 10_000;

/// Events that a list of incidents and the live feed show of each; the whole list is under its id.
pub const INCIDENT_EVENTS_SHOWN: usize = 100;

/// What kind of togetherness it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentKind {
    /// Several faults of one stream at the same time.
    Stream,
    /// Several streams with something in common: a host, an origin, a label.
    Group,
    /// Most inputs are down at once.
    Outage,
    /// Most inputs are down, and so is what the monitor itself needs: it cannot see.
    Blind,
}

impl IncidentKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Stream, Self::Group, Self::Outage, Self::Blind];

    /// The word in records, metrics and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Group => "group",
            Self::Outage => "outage",
            Self::Blind => "blind",
        }
    }

    /// True for one that speaks of most inputs at once.
    pub const fn is_outage(self) -> bool {
        matches!(self, Self::Outage | Self::Blind)
    }
}

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentState {
    /// At least one of its events is open.
    Open,
    /// All of them have ended, or it was an outage and most inputs are up again.
    Ended,
}

/// The one record of an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// [`INCIDENT_SCHEMA`].
    pub schema: String,
    /// Sortable, unique, the same from begin to end (UUID version 7).
    pub id: String,
    /// Unique to this change of it.
    pub change_id: String,
    /// What kind it is.
    pub kind: IncidentKind,
    /// Where it stands.
    pub state: IncidentState,
    /// The highest severity of its open events; of all of them once it has ended.
    pub severity: Severity,
    /// What its streams have in common: `host`, `stream` or the name of a label, with its value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub common: BTreeMap<String, String>,
    /// When the first of its conditions began.
    pub started_at: Wall,
    /// When this change happened.
    pub changed_at: Wall,
    /// When the last of its conditions ended, or the one after which an outage was none any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Wall>,
    /// What a person reads.
    pub message: String,
    /// From cause to consequence, as people read it: what was first, and what followed from it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What speaks for it: counts, and what probes found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// The streams that are or were part of it, sorted.
    pub streams: Vec<Arc<str>>,
    /// Ids of its events, oldest first.
    pub events: Vec<String>,
    /// Events that are or were part of it, those that are not listed included.
    pub events_total: u64,
    /// Events of it that are open; none once it has ended.
    pub events_open: u64,
    /// The incident that took its open events over, if it ended by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
    /// Name of the node.
    pub node: Arc<str>,
    /// False when it could not be written to the store before it went out; else absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<bool>,
}

impl Incident {
    /// True until it has ended.
    pub fn is_open(&self) -> bool {
        self.state == IncidentState::Open
    }

    /// The same with no more than [`INCIDENT_EVENTS_SHOWN`] events listed.
    pub fn brief(&self) -> Self {
        let events = self.events.iter().take(INCIDENT_EVENTS_SHOWN).cloned().collect();
        Self { events, ..self.clone() }
    }
}
