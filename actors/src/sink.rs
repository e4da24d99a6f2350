//! The port [`Sink`]: where committed changes go.
//!
//! Each sink is owned by one thread of its own, so it may block; it is called behind
//! `catch_unwind`. A slow or broken sink delays nobody else.

use crate::event::Event;
use crate::incident::Incident;
use crate::record::Record;

/// Takes committed changes. One thread calls it.
pub trait Sink: Send {
    /// Its name in logs and metrics.
    fn name(&self) -> &'static str;

    /// Takes changes in order. An error means that none of them was taken; they will come again.
    fn deliver(&mut self, changes: &[Record]) -> Result<(), SinkError>;

    /// Called about once a second when idle, for flushing and rotation.
    fn tick(&mut self) {}
}

/// Where changes are made durable before anyone is told of them. Owned by the desk's thread.
pub trait EventStore: Send {
    /// Writes all changes in one transaction, in order. On return they are on disk.
    fn commit(&mut self, changes: &[Record]) -> Result<(), SinkError>;

    /// The events that were open when the store was last written, and the last sequence number.
    fn recover(&mut self) -> Result<Recovered, SinkError>;

    /// Called about once a second when idle: retention, checkpoints.
    fn tick(&mut self) {}
}

/// What a store remembers across a restart.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Events that had not ended.
    pub open: Vec<Event>,
    /// Incidents that had not ended.
    pub incidents: Vec<Incident>,
    /// The highest sequence number ever committed.
    pub sequence: u64,
}

/// Why a sink or store could not take changes.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SinkError {
    /// May work again by itself.
    #[error("{sink} cannot take events now: {why}")]
    Unavailable {
        /// Name of the sink.
        sink: &'static str,
        /// What happened.
        why: String,
    },
    /// Will not work again without a person.
    #[error("{sink} is broken: {why}")]
    Broken {
        /// Name of the sink.
        sink: &'static str,
        /// What happened and what to do.
        why: String,
    },
}
