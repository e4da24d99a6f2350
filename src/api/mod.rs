//! The HTTP API: health and metrics, on one thread of actix-web's own.
//!
//! It reads the node snapshot and nothing else: it never waits for a stream.

mod error;
mod guard;
mod health;
mod metrics;
mod problem;
mod server;

#[cfg(test)]
mod tests;

pub use error::ApiError;
pub use server::{ApiState, SnapshotSource, is_loopback, serve};
