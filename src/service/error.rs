//! Why the service could not start.

use std::path::PathBuf;

use avwatch_actors::event_desk;

use crate::api::ApiError;
use crate::desired::DesiredError;
use crate::notify::NotifyError;
use crate::notify::heartbeat::HeartbeatError;
use crate::sinks::store::StoreError;
use crate::stream_parts::PartsError;

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The data folder cannot be used.
    #[error("cannot use the data folder {}: {why}", path.display())]
    DataDir {
        /// The folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The event store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was asked for over the API cannot be read.
    #[error(transparent)]
    Desired(#[from] DesiredError),
    /// The desk cannot start.
    #[error(transparent)]
    Desk(#[from] event_desk::DeskError),
    /// The HTTP server cannot start.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A stream cannot be put together.
    #[error(transparent)]
    Parts(#[from] PartsError),
    /// A receiver cannot be put together.
    #[error(transparent)]
    Notify(#[from] NotifyError),
    /// The heartbeat cannot start.
    #[error(transparent)]
    Heartbeat(#[from] HeartbeatError),
    /// The system refuses a thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}
