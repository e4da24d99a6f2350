//! What a reload changes: the difference between two plans.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::plan::{LogPlan, Plan, StreamPlan};

/// The difference between the running plan and a new one, by names of streams in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanChanges {
    /// Streams to start.
    pub added: Vec<Arc<str>>,
    /// Streams to stop.
    pub removed: Vec<Arc<str>>,
    /// Streams whose input differs: they are opened anew.
    pub restarted: Vec<Arc<str>>,
    /// Streams of which only detectors, labels or the like differ: their session goes on.
    pub retuned: Vec<Arc<str>>,
    /// Receivers that are added, removed or changed.
    pub receivers: Vec<Arc<str>>,
    /// Whether other logs are followed, or followed in another way.
    pub logs: bool,
    /// Sections that differ but take effect at the next start only; to be told, not refused.
    pub at_next_start: Vec<&'static str>,
}

impl PlanChanges {
    /// True when nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A change that needs a restart: the whole new plan is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{key}' cannot be changed while the service runs: restart it")]
pub struct RefusedChange {
    /// The key that differs.
    pub key: &'static str,
}

/// Compares the running plan with a new one.
pub fn changes(old: &Plan, new: &Plan) -> Result<PlanChanges, RefusedChange> {
    let (before, after) = (&old.server, &new.server);
    for (key, differs) in [
        ("server.listen", before.listen != after.listen),
        ("server.hosts", before.hosts != after.hosts),
        ("server.external_url", before.external_url != after.external_url),
        ("server.tls_certificate", before.tls != after.tls),
        ("server.user_header", before.user_header != after.user_header),
        ("server.trusted_proxies", before.proxies != after.proxies),
        ("server.requests_per_second", before.requests_per_second != after.requests_per_second),
        ("server.tokens", before.tokens != after.tokens),
    ] {
        if differs {
            return Err(RefusedChange { key });
        }
    }
    // Leaving or entering the demo changes the folder as well.
    if old.data_dir != new.data_dir {
        return Err(RefusedChange { key: "data_dir" });
    }
    let mut changes = PlanChanges::default();
    let sections = [
        ("node", old.node != new.node),
        // Its level alone is taken over at once.
        ("log", LogPlan { level: new.log.level, ..old.log.clone() } != new.log),
        ("store", old.store != new.store),
        ("journal", old.journal != new.journal),
        ("evidence", old.evidence != new.evidence),
        ("limits", old.limits != new.limits),
        ("runtime", old.runtime != new.runtime),
        ("incidents", old.incidents != new.incidents),
        ("heartbeat", old.heartbeat != new.heartbeat),
    ];
    changes.at_next_start = sections.into_iter().filter(|(_, differs)| *differs).map(|(section, _)| section).collect();
    changes.receivers = receivers(old, new);
    changes.logs = old.logs != new.logs;

    let running: BTreeMap<&str, &StreamPlan> = old.streams.iter().map(|stream| (&*stream.name, stream)).collect();
    let wanted: BTreeMap<&str, &StreamPlan> = new.streams.iter().map(|stream| (&*stream.name, stream)).collect();
    for stream in &old.streams {
        if !wanted.contains_key(&*stream.name) {
            changes.removed.push(Arc::clone(&stream.name));
        }
    }
    for stream in &new.streams {
        let name = Arc::clone(&stream.name);
        match running.get(&*stream.name) {
            None => changes.added.push(name),
            Some(before) if before.input != stream.input => changes.restarted.push(name),
            Some(before) if *before != stream => changes.retuned.push(name),
            Some(_) => {}
        }
    }
    Ok(changes)
}

/// Names of the receivers that differ.
fn receivers(old: &Plan, new: &Plan) -> Vec<Arc<str>> {
    let both = old.receivers.iter().chain(&new.receivers);
    let is_same = |name: &Arc<str>| {
        let of = |plan: &Plan| plan.receivers.iter().find(|receiver| receiver.name == *name).cloned();
        of(old) == of(new)
    };
    let names: BTreeSet<Arc<str>> = both.map(|receiver| receiver.name.clone()).collect();
    names.into_iter().filter(|name| !is_same(name)).collect()
}
