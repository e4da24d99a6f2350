//! `[heartbeat]` as written: who misses this service when it is gone.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::secret::Secret;
use crate::config::span::Span;

/// `[heartbeat]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HeartbeatSettings {
    /// Address at a dead man's switch, which raises the alarm when nobody has asked for it for a while. It is asked
    /// for only as long as the service is healthy; it is a secret and never shown. Default: none.
    #[schemars(extend("examples" = ["${file:/run/secrets/heartbeat_url}"]))]
    pub url: Option<Secret>,
    /// How it is asked for.
    pub method: HeartbeatMethod,
    /// How often. The switch should wait for three times as long.
    #[schemars(extend("x-minimum" = "10s", "x-maximum" = "1h"))]
    pub every: Span,
    /// File with PEM certificates to trust instead of the built-in roots.
    #[schemars(extend("examples" = ["/etc/avwatch/ca.pem"]))]
    pub tls_ca: Option<PathBuf>,
}

impl Default for HeartbeatSettings {
    fn default() -> Self {
        Self { url: None, method: HeartbeatMethod::default(), every: Span(Duration::from_secs(60)), tls_ca: None }
    }
}

/// How a dead man's switch is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HeartbeatMethod {
    /// Which all of them take.
    #[default]
    Get,
    /// Where a proxy keeps answers, or the switch asks for it.
    Post,
}
