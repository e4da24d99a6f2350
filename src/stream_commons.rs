//! What streams have in common, kept for the desk: hosts and labels of the streams that run.
//!
//! Made anew whenever the set of streams changes, on the control arbiter; the desk reads it behind an
//! `Arc`. Of an address only the host gets in here.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use avwatch_actors::stream_table::{Origin, StreamFacts, StreamTable};

use crate::config::{Plan, StreamPlan};
use crate::media::spec::Address;

/// The table and what it is made by.
#[derive(Debug, Default)]
pub struct StreamCommons {
    /// The newest table.
    pub table: Arc<ArcSwap<StreamTable>>,
    /// Whether any input is reached by a name: then the monitor needs name servers.
    pub needs_names: Arc<AtomicBool>,
    /// Labels that count. Those of the start: when failures are taken for one is set at the start as well.
    labels: Vec<Arc<str>>,
}

impl StreamCommons {
    /// An empty table.
    pub fn new(plan: &Plan) -> Self {
        Self { labels: plan.incidents.labels.clone(), ..Self::default() }
    }

    /// Takes over the streams of a plan.
    pub fn update(&self, plan: &Plan) {
        let facts: Vec<StreamFacts> = plan.streams.iter().map(facts).collect();
        let is_name = |facts: &StreamFacts| facts.host.as_ref().is_some_and(|host| host.parse::<IpAddr>().is_err());
        // Relaxed: read by the prober for itself, nothing follows from it.
        self.needs_names.store(facts.iter().any(is_name), Ordering::Relaxed);
        self.table.store(Arc::new(StreamTable::new(facts, &self.labels)));
    }
}

fn facts(stream: &StreamPlan) -> StreamFacts {
    let (origin, host) = match &stream.input.address {
        Address::Url(url) => (Origin::Network, url.host().and_then(shared_host)),
        Address::File(_) | Address::Stdin | Address::Synthetic(_) => (Origin::Local, None),
    };
    StreamFacts { stream: stream.name.clone(), origin, host, labels: stream.labels.clone() }
}

/// A host as streams share it; none for an input that only listens.
fn shared_host(host: &str) -> Option<Arc<str>> {
    let bare = host.trim_matches(['[', ']']).trim_end_matches('.');
    match bare.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() => None,
        _ if bare.is_empty() => None,
        _ => Some(bare.to_ascii_lowercase().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_as_names_are_and_listeners_share_none() {
        assert_eq!(shared_host("Origin.Example."), Some("origin.example".into()));
        assert_eq!(shared_host("[2001:db8::1]"), Some("2001:db8::1".into()));
        for listener in ["0.0.0.0", "[::]", ""] {
            assert_eq!(shared_host(listener), None);
        }
    }
}
