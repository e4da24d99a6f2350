//! The stream table: what streams have in common, for finding out what fails together.
//!
//! Plain data, made anew by the service whenever the set of streams changes and read by the desk:
//! which host and labels each stream has, and how many streams share each of them. Immutable behind
//! an `Arc`; it holds no address, only the host of one.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

/// The name under which a shared host stands among what streams have in common.
pub const HOST: &str = "host";

/// Something that streams share: `host` or a label, with its value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Common {
    /// [`HOST`] or the name of a label.
    pub name: Arc<str>,
    /// Its value.
    pub value: Arc<str>,
}

impl Common {
    /// True for the host of the input's address.
    pub fn is_host(&self) -> bool {
        &*self.name == HOST
    }
}

impl fmt::Display for Common {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.value)
    }
}

/// Where the bytes of an input come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Over the network: when most of these are down, the network itself is suspected.
    Network,
    /// From this machine: a file, or pictures made here.
    Local,
}

/// One stream, as the table is told of it.
#[derive(Clone, Debug)]
pub struct StreamFacts {
    /// Its name.
    pub stream: Arc<str>,
    /// Where its bytes come from.
    pub origin: Origin,
    /// The host of its address, without anything that is secret; absent when it only listens.
    pub host: Option<Arc<str>>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Row {
    origin: Origin,
    /// The host first, then labels in the configured order.
    commons: Arc<[Common]>,
}

/// The table.
#[derive(Debug, Default)]
pub struct StreamTable {
    rows: HashMap<Arc<str>, Row>,
    sizes: HashMap<Common, usize>,
    network: usize,
}

impl StreamTable {
    /// A table of these streams; `labels` names the labels that count, the most telling first.
    pub fn new(streams: impl IntoIterator<Item = StreamFacts>, labels: &[Arc<str>]) -> Self {
        let mut table = Self::default();
        let host_name: Arc<str> = HOST.into();
        for facts in streams {
            let host = facts.host.into_iter().map(|value| Common { name: host_name.clone(), value });
            let labelled = labels.iter().filter(|name| &***name != HOST).filter_map(|name| {
                let value = facts.labels.get(&**name).filter(|value| !value.is_empty())?;
                Some(Common { name: name.clone(), value: value.as_str().into() })
            });
            let commons: Arc<[Common]> = host.chain(labelled).collect();
            for common in commons.iter() {
                *table.sizes.entry(common.clone()).or_default() += 1;
            }
            table.network += usize::from(facts.origin == Origin::Network);
            table.rows.insert(facts.stream, Row { origin: facts.origin, commons });
        }
        table
    }

    /// What a stream may share with others, the host first; empty for one that is not in the table.
    pub fn commons(&self, stream: &str) -> Arc<[Common]> {
        self.rows.get(stream).map_or_else(|| Arc::new([]) as Arc<[Common]>, |row| row.commons.clone())
    }

    /// How many streams share it.
    pub fn size(&self, common: &Common) -> usize {
        self.sizes.get(common).copied().unwrap_or(0)
    }

    /// Whether a stream's bytes come over the network.
    pub fn is_network(&self, stream: &str) -> bool {
        self.rows.get(stream).is_some_and(|row| row.origin == Origin::Network)
    }

    /// How many inputs come over the network.
    pub fn network(&self) -> usize {
        self.network
    }
}
