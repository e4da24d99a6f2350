//! What part of a configuration this clone takes: a shard of its streams, a subset of its detectors.
//!
//! The whole configuration is read and checked on every clone; then what belongs to the others is put aside. What
//! comes over the API is not divided by streams: it is watched where it was asked for.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::config::detector_row;
use crate::config::origin::KeyPath;
use crate::config::plan::{Building, StreamPlan};
use crate::detectors;
use crate::logs::LogInputPlan;
use crate::shard::Shard;

/// Names of the only detectors that run.
pub type Subset = Arc<BTreeSet<String>>;

/// The part that one clone takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// The only detectors that run, those of logs included; all when absent.
    pub detectors: Option<Subset>,
    /// Which streams of the configuration are watched; all when absent.
    pub shard: Option<Shard>,
    /// Streams of the configuration that fall to other clones.
    pub elsewhere: Arc<BTreeSet<Arc<str>>>,
}

impl Share {
    /// Whether this clone takes everything.
    pub fn is_all(&self) -> bool {
        self.detectors.is_none() && self.shard.is_none()
    }

    /// Whether a detector runs here.
    pub fn runs(&self, detector: &str) -> bool {
        self.detectors.as_ref().is_none_or(|subset| subset.contains(detector))
    }

    /// Whether a stream of the configuration is watched here.
    pub fn has(&self, stream: &str) -> bool {
        self.shard.is_none_or(|shard| shard.has(stream))
    }

    /// A stream with the detectors that run here.
    pub(super) fn restrict(&self, stream: StreamPlan) -> StreamPlan {
        StreamPlan { only: self.detectors.clone(), ..stream }
    }

    /// The streams that are watched here; the others are noted by their names.
    pub(super) fn divide(&mut self, streams: Vec<StreamPlan>) -> Vec<StreamPlan> {
        let (here, elsewhere): (Vec<_>, Vec<_>) = streams.into_iter().partition(|stream| self.has(&stream.name));
        self.elsewhere = Arc::new(elsewhere.into_iter().map(|stream| stream.name).collect());
        here.into_iter().map(|stream| self.restrict(stream)).collect()
    }

    /// The logs with the rules that are judged here; a log of which none is left is not followed.
    pub(super) fn of_logs(&self, mut logs: Vec<LogInputPlan>) -> Vec<LogInputPlan> {
        for log in &mut logs {
            log.rules.retain(|rule| self.runs(rule.detector));
        }
        logs.retain(|log| !log.rules.is_empty());
        logs
    }
}

impl fmt::Display for Share {
    /// `shard 2/5, detectors black, freeze`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shard {
            Some(shard) => write!(f, "shard {shard}")?,
            None => f.write_str("all streams")?,
        }
        match &self.detectors {
            Some(subset) => {
                let names: Vec<&str> = subset.iter().map(String::as_str).collect();
                write!(f, ", detectors {}", names.join(", "))
            }
            None => f.write_str(", all detectors"),
        }
    }
}

/// Reads `[clone]`; which streams are elsewhere is not known yet.
pub(super) fn build(building: &mut Building<'_>) -> Share {
    Share { detectors: subset(building), shard: shard(building), elsewhere: Arc::default() }
}

fn shard(building: &mut Building<'_>) -> Option<Shard> {
    match building.settings.clone.shard.as_deref()?.parse() {
        Ok(shard) => Some(shard),
        Err(error) => {
            building.invalid(&KeyPath::of(&["clone", "shard"]), format!("{error}"));
            None
        }
    }
}

fn subset(building: &mut Building<'_>) -> Option<Subset> {
    let names = building.settings.clone.detectors.as_ref()?;
    let path = KeyPath::of(&["clone", "detectors"]);
    if names.is_empty() {
        building.invalid(&path, "must name at least one; without the key all detectors run");
    }
    let mut subset = BTreeSet::new();
    for (index, name) in names.iter().enumerate() {
        let place = path.index(index);
        match detector_row::told_of_streams(name) {
            Ok(()) if subset.insert(name.clone()) => {}
            Ok(()) => building.invalid(&place, "is named twice"),
            Err(why) => building.invalid(&place, why),
        }
    }
    Some(Arc::new(subset))
}

/// How many detectors there are to share, those of logs included.
pub fn detectors_in_all() -> usize {
    detectors::ALL.len() + detectors::LOGS.len()
}
