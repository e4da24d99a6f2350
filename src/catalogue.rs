//! The catalogue: what the service is set to watch, as the API shows it.
//!
//! Plain data, made on the control arbiter whenever the set of streams changes, immutable behind an
//! `Arc`, and read on the API's threads. What streams do at the moment is in the node snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::config::{Share, StreamPlan};

/// Where a stream comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamOrigin {
    /// A configuration file, the environment or an argument: the API cannot change it.
    File,
    /// The API.
    Api,
}

/// One stream.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What to watch and how.
    pub plan: Arc<StreamPlan>,
    /// Where it comes from.
    pub origin: StreamOrigin,
    /// Changes with every change of it; for streams of the API only.
    pub revision: Option<u64>,
    /// As it was written over the API, secrets hidden.
    pub settings: Option<Arc<serde_json::Value>>,
}

/// What the service is set to watch.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// Name of this instance.
    pub node: Arc<str>,
    /// True when nothing was configured and the demo runs.
    pub demo: bool,
    /// What part of the configuration this clone takes.
    pub share: Share,
    /// Every stream that is watched here, by name.
    pub streams: BTreeMap<Arc<str>, Entry>,
}

impl Catalogue {
    /// Whether the configuration has a stream of that name, for this clone or another one.
    pub fn is_of_files(&self, name: &str) -> bool {
        let here = self.streams.get(name).is_some_and(|entry| entry.origin == StreamOrigin::File);
        here || self.share.elsewhere.contains(name)
    }
}
