//! The HTTP API: health, metrics, streams, events and the live feed, on one thread of actix-web's own.
//!
//! `routes.rs` is the one table of endpoints, which `routing.rs` serves; a file per resource stands beside it. It reads the node
//! snapshot, the catalogue and the store, and never waits for a stream. What changes something is a
//! command with a bounded wait.

mod access;
mod apply;
mod body;
mod error;
mod etag;
mod events;
mod guard;
mod hangup;
mod health;
mod incidents;
mod live;
mod live_states;
mod log;
mod metrics;
mod notes;
mod openapi;
mod openapi_parts;
mod past;
mod pointer;
mod probe;
mod problem;
mod query;
mod rate;
mod receivers;
mod reload;
mod report;
mod report_schema;
mod routes;
mod routing;
mod seen;
mod server;
mod silences;
mod state;
mod status;
mod status_schema;
mod stream_changes;
mod stream_schema;
mod stream_view;
mod streams;
mod thumbnail;
mod tls;
mod tokens;
mod verb;

#[cfg(test)]
mod tests;

pub use error::ApiError;
pub use live_states::LiveStates;
pub(crate) use probe::run as run_probe;
pub use server::{is_loopback, serve};
pub use state::{ApiState, SnapshotSource};
