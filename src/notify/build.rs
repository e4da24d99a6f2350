//! From a receiver's plan to its channel: the one place that knows all kinds.

use std::sync::Arc;

use avwatch_actors::lifeline::Lifeline;

use super::webhook::{SecretError, WebhookChannel};
use super::{Channel, ChannelPlan, Links, ReceiverPlan};

/// Why a channel cannot be made of a plan.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A secret that signs cannot be used.
    #[error("receiver '{receiver}': {why}")]
    Secret {
        /// The receiver.
        receiver: Arc<str>,
        /// What is wrong with it.
        why: SecretError,
    },
    /// There is no channel of that kind yet.
    #[error("receiver '{receiver}': there is no {kind} channel")]
    Kind {
        /// The receiver.
        receiver: Arc<str>,
        /// Its kind.
        kind: &'static str,
    },
}

/// The channel of a receiver. `line` is the lifeline of the thread that will own it: its calls end when
/// it is cut. Opens nothing.
///
/// # Errors
/// What is wrong with the plan.
pub fn channel(plan: &ReceiverPlan, _links: &Links, line: &Arc<Lifeline>) -> Result<Box<dyn Channel>, BuildError> {
    match &plan.channel {
        ChannelPlan::Webhook(webhook) => {
            let channel = WebhookChannel::new(webhook, line);
            let channel = channel.map_err(|why| BuildError::Secret { receiver: plan.name.clone(), why })?;
            Ok(Box::new(channel))
        }
        other => Err(BuildError::Kind { receiver: plan.name.clone(), kind: other.kind() }),
    }
}
