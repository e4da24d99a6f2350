//! Incidents of the plan: when failures are taken for one, and what is probed.

use std::sync::Arc;

use avwatch_actors::incidents::IncidentSettings;

use crate::config::origin::KeyPath;
use crate::config::plan::Building;
use crate::probes::{ProbePlan, REFERENCES_MAX, ReferencePlan};
use crate::secret_url::SecretUrl;

/// Most labels that count.
const LABELS_MAX: usize = 16;

/// Incidents, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentsPlan {
    /// Labels that count, the most telling first.
    pub labels: Vec<Arc<str>>,
    /// When failures are taken for one.
    pub settings: IncidentSettings,
    /// What is probed while an outage lasts.
    pub probes: ProbePlan,
}

pub(super) fn build(building: &mut Building<'_>) -> IncidentsPlan {
    let written = building.settings.incidents.clone();
    let path = KeyPath::of(&["incidents"]);
    if written.labels.len() > LABELS_MAX {
        building.invalid(&path.key("labels"), format!("more than {LABELS_MAX} labels"));
    }
    for (index, label) in written.labels.iter().enumerate() {
        let starts = label.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
        let fits = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && label.len() <= 64;
        if !starts || !fits {
            let why = "a label's name has at most 64 letters, digits and '_', no digit first";
            building.invalid(&path.key("labels").index(index), why);
        }
    }
    let settings = IncidentSettings {
        window: written.window.0,
        streams_min: written.streams as usize,
        percent_min: written.percent,
        stream_window: written.stream_window.0,
        join_within: written.join_within.0,
        outage_percent: written.outage_percent,
    };
    let labels = written.labels.iter().map(|label| label.as_str().into()).collect();
    IncidentsPlan { labels, settings, probes: probes(building, &path.key("probes")) }
}

fn probes(building: &mut Building<'_>, path: &KeyPath) -> ProbePlan {
    let written = building.settings.incidents.probes.clone();
    if let Some(name) = &written.dns_name
        && !is_host_name(name)
    {
        building.invalid(&path.key("dns_name"), "must be the name of a host");
    }
    let list = path.key("references");
    if written.references.len() > REFERENCES_MAX {
        building.invalid(&list, format!("more than {REFERENCES_MAX} references"));
    }
    let mut references = Vec::new();
    for (index, text) in written.references.iter().enumerate() {
        match text.0.parse::<SecretUrl>().ok().and_then(ReferencePlan::new) {
            Some(reference) => references.push(reference),
            None => building.invalid(&list.index(index), "must be an http or https URL, or tcp://HOST:PORT"),
        }
    }
    ProbePlan { dns_name: written.dns_name.as_deref().map(Arc::from), references }
}

/// Letters, digits and hyphens in labels of 1 to 63 bytes.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    name.len() <= 253 && name.trim_end_matches('.').split('.').all(is_label)
}
