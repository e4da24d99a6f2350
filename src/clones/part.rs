//! One clone: what its configuration wants, and what part of that it runs itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::{KeyPath, Loaded, Origin, Plan, Share};
use crate::detectors;
use crate::logs::StreamMap;
use crate::profile::Profile;
use crate::stream_parts;

/// Names of detectors.
pub type Names = BTreeSet<&'static str>;

/// One clone.
#[derive(Clone, Debug)]
pub struct ClonePart {
    /// Its file or folder, as given.
    pub name: String,
    /// What part it takes.
    pub share: Share,
    /// Where its shard was written.
    pub shard_at: Origin,
    /// Where its list of detectors was written.
    pub detectors_at: Origin,
    /// Its name in events, if someone wrote one, and where.
    pub node: Option<(Arc<str>, Origin)>,
    /// Every stream of its configuration, those of other clones included.
    pub wishes: BTreeMap<Arc<str>, Wish>,
}

/// What a configuration wants of one stream.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Where the stream was written.
    pub at: Origin,
    /// The detectors that are switched on, those of logs included.
    pub detectors: Arc<Names>,
    /// Whether its picture and sound are judged together.
    pub combines: bool,
}

impl ClonePart {
    /// The clone of a configuration that was read.
    pub fn of(name: &str, loaded: &Loaded) -> Self {
        let at = |keys: &[&str]| loaded.origins.of(&KeyPath::of(keys));
        let node = KeyPath::of(&["node"]);
        let node = loaded.origins.contains(&node).then(|| (loaded.plan.node.clone(), loaded.origins.of(&node)));
        Self {
            name: name.to_owned(),
            share: loaded.plan.share.clone(),
            shard_at: at(&["clone", "shard"]),
            detectors_at: at(&["clone", "detectors"]),
            node,
            wishes: wishes(&loaded.undivided(), |stream| at(&["streams", stream])),
        }
    }

    /// Whether its part has a detector on a stream, wanted or not.
    pub fn takes(&self, stream: &str, detector: &str) -> bool {
        self.share.has(stream) && self.share.runs(detector)
    }

    /// Whether it runs a detector on a stream.
    pub fn runs(&self, stream: &str, detector: &str) -> bool {
        self.takes(stream, detector) && self.wants(stream, detector)
    }

    /// Whether its configuration wants a detector on a stream.
    pub fn wants(&self, stream: &str, detector: &str) -> bool {
        self.wishes.get(stream).is_some_and(|wish| wish.detectors.contains(detector))
    }

    /// How many streams of its configuration it watches.
    pub fn watched(&self) -> usize {
        self.wishes.len() - self.share.elsewhere.len()
    }
}

fn wishes(plan: &Plan, at: impl Fn(&str) -> Origin) -> BTreeMap<Arc<str>, Wish> {
    // Most streams want the same: each set is held once.
    let mut known = BTreeSet::<Arc<Names>>::new();
    let combining = !plan.alarms.combination.is_empty();
    let mut wishes = BTreeMap::new();
    for stream in &plan.streams {
        let of_media = detectors::ALL.iter().filter(|kind| stream_parts::is_wanted(stream, kind)).map(|kind| kind.name);
        let names = Arc::new(of_media.chain(of_logs(plan, &stream.name)).collect::<Names>());
        let names = known.get(&names).cloned().unwrap_or_else(|| {
            known.insert(names.clone());
            names
        });
        let combines = combining && stream.profile != Profile::File;
        wishes.insert(stream.name.clone(), Wish { at: at(&stream.name), detectors: names, combines });
    }
    wishes
}

/// What the rules of logs may tell of a stream.
fn of_logs<'a>(plan: &'a Plan, stream: &'a str) -> impl Iterator<Item = &'static str> + 'a {
    let concerns = move |map: &StreamMap| match map {
        StreamMap::Fixed(name) => name == stream,
        StreamMap::Field { .. } => true,
    };
    let logs = plan.logs.iter().filter(move |log| concerns(&log.map));
    logs.flat_map(|log| log.rules.iter().map(|rule| rule.detector))
}
