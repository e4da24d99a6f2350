//! Names of receivers that are no HTTP servers: resolved once, within a limit.
//!
//! Called on a receiver's thread; waits for the resolver, on a thread of its own, for 3 s at most.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::source::SourceLimits;

use super::SendFailure;
use crate::media::bytes::{Patience, Reach};

/// The addresses behind a host, at least one.
///
/// Receivers stand in the configuration's files: whoever writes those runs this machine, so every
/// address may be reached.
pub(super) fn addresses(
    host: &str,
    port: u16,
    line: &Arc<Lifeline>,
    within: Duration,
) -> Result<Vec<SocketAddr>, SendFailure> {
    let limits = SourceLimits { open: within, stall: within, cut_when_silent: true };
    let patience = Patience::opening(line, limits);
    let found = Reach::Trusted.resolve(host, port, &patience);
    found.map_err(|error| SendFailure::Later { why: error.to_string(), after: None })
}
