//! Metrics: the node snapshot in the words of Prometheus.
//!
//! A collector that owns a snapshot and turns it into text; it keeps no state, so the series of a
//! removed stream are gone with it. Called on the API's blocking threads; it never waits for a
//! stream. Labels come from bounded sets only, never a URL, and a stream has at most
//! [`SERIES_PER_STREAM_MAX`] series: each family has a fixed share, and what is left out is counted.

mod families;
mod share;
mod units;

#[cfg(test)]
mod exposition;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;

use crate::node_snapshot::NodeSnapshot;

pub use share::SERIES_PER_STREAM_MAX;
pub use units::Units;

/// The text format of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// Prometheus text format 0.0.4: what everything understands.
    Text,
    /// OpenMetrics 1.0: for those that ask for it.
    OpenMetrics,
}

impl Exposition {
    /// The value of `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Writes all metrics of a snapshot.
///
/// # Errors
/// None in practice: writing to a string does not fail.
pub fn expose(snapshot: Arc<NodeSnapshot>, exposition: Exposition, units: Units) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(SnapshotCollector { snapshot, units }));
    let mut open_metrics = String::new();
    text::encode(&mut open_metrics, &registry)?;
    Ok(match exposition {
        Exposition::Text => to_text_format(&open_metrics),
        Exposition::OpenMetrics => open_metrics,
    })
}

#[derive(Debug)]
struct SnapshotCollector {
    snapshot: Arc<NodeSnapshot>,
    units: Units,
}

impl Collector for SnapshotCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        families::encode(&self.snapshot, self.units, &mut encoder)
    }
}

/// Rewrites OpenMetrics as text format 0.0.4, which names a counter's family with `_total` and knows
/// no end mark.
fn to_text_format(open_metrics: &str) -> String {
    let mut out = String::with_capacity(open_metrics.len() + 1_024);
    let mut help = None;
    for line in open_metrics.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            // The type, on the next line, decides the name.
            help = rest.split_once(' ');
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.trim_end().split_once(' ').unwrap_or((rest, "untyped"));
            let suffix = if kind == "counter" { "_total" } else { "" };
            if let Some((_, text)) = help.take() {
                out.extend(["# HELP ", name, suffix, " ", text]);
            }
            out.extend(["# TYPE ", name, suffix, " ", kind, "\n"]);
        } else if !line.starts_with('#') {
            out.push_str(line);
        }
    }
    out
}
