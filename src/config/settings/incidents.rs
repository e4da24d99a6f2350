//! `[incidents]` as written: when failures are taken for one.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::secret::AddressText;
use crate::config::span::Span;

/// `[incidents]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IncidentsSettings {
    /// Labels whose value streams may fail by together, beside the host of their address; the most telling first.
    pub labels: Vec<String>,
    /// Streams that begin to fail within this time of each other are one incident.
    #[schemars(extend("x-minimum" = "1s", "x-maximum" = "10m"))]
    pub window: Span,
    /// So many streams are enough, however many share the host or label.
    #[schemars(range(min = 2, max = 10_000))]
    pub streams: u32,
    /// So many percent of the streams that share it are enough as well, if they are at least two.
    #[schemars(range(min = 1, max = 100))]
    pub percent: u32,
    /// Several detectors of one stream whose conditions begin within this time are one incident.
    #[schemars(extend("x-minimum" = "1s", "x-maximum" = "10m"))]
    pub stream_window: Span,
    /// While an incident is open, later failures join it if they begin within this time of the newest one in it.
    #[schemars(extend("x-minimum" = "1s", "x-maximum" = "24h"))]
    pub join_within: Span,
    /// When more than so many percent of the running inputs lose their input within the window, and at least four,
    /// it is an outage.
    #[schemars(range(min = 10, max = 99))]
    pub outage_percent: u32,
    /// What tells an outage of everything from a monitor that cannot see. Link and default gateway are looked at
    /// always. Nothing is asked unless an outage is open.
    pub probes: ProbesSettings,
}

impl Default for IncidentsSettings {
    fn default() -> Self {
        Self {
            labels: ["group", "site", "origin", "cdn"].map(str::to_owned).to_vec(),
            window: Span(Duration::from_secs(30)),
            streams: 3,
            percent: 20,
            stream_window: Span(Duration::from_secs(10)),
            join_within: Span(Duration::from_secs(600)),
            outage_percent: 50,
            probes: ProbesSettings::default(),
        }
    }
}

/// `[incidents.probes]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProbesSettings {
    /// Name that the system's name servers must find. Default: they need only answer, and are asked only if some
    /// input has a name in its address.
    #[schemars(extend("examples" = ["origin.example"]))]
    pub dns_name: Option<String>,
    /// What is reachable whenever the network is well: http (must answer), https and tcp://HOST:PORT (must take a
    /// connection).
    #[schemars(extend("examples" = [["http://192.0.2.1/", "tcp://192.0.2.53:53"]]))]
    pub references: Vec<AddressText>,
}
