//! From a receiver's plan to its channel: the one place that knows all kinds.

use std::sync::Arc;

use avwatch_actors::lifeline::Lifeline;

use super::alertmanager::AlertmanagerChannel;
use super::apprise::AppriseChannel;
use super::email::{EmailChannel, EmailError};
use super::exec::ExecChannel;
use super::pagerduty::PagerDutyChannel;
use super::slack::SlackChannel;
use super::snmp::SnmpChannel;
use super::webhook::{SecretError, WebhookChannel};
use super::{Channel, ChannelPlan, Links, ReceiverPlan};
use crate::secret_url::UrlError;

/// Why a channel cannot be made of a plan.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Its address is none.
    #[error("receiver '{receiver}': {why}")]
    Url {
        /// The receiver.
        receiver: Arc<str>,
        /// What is wrong with it.
        why: UrlError,
    },
    /// Its mail settings cannot be used.
    #[error("receiver '{receiver}': {why}")]
    Email {
        /// The receiver.
        receiver: Arc<str>,
        /// What is wrong with them.
        why: EmailError,
    },
    /// A secret that signs cannot be used.
    #[error("receiver '{receiver}': {why}")]
    Secret {
        /// The receiver.
        receiver: Arc<str>,
        /// What is wrong with it.
        why: SecretError,
    },
}

/// The channel of a receiver. `line` is the lifeline of the thread that will own it: its calls end when
/// it is cut. Opens nothing.
///
/// # Errors
/// What is wrong with the plan.
pub fn channel(plan: &ReceiverPlan, links: &Links, line: &Arc<Lifeline>) -> Result<Box<dyn Channel>, BuildError> {
    let receiver = || plan.name.clone();
    Ok(match &plan.channel {
        ChannelPlan::Webhook(plan) => {
            let webhook = WebhookChannel::new(plan, line);
            Box::new(webhook.map_err(|why| BuildError::Secret { receiver: receiver(), why })?)
        }
        ChannelPlan::Alertmanager(plan) => Box::new(AlertmanagerChannel::new(plan, links, line)),
        ChannelPlan::Slack(plan) => {
            let slack = SlackChannel::new(plan, line);
            Box::new(slack.map_err(|why| BuildError::Url { receiver: receiver(), why })?)
        }
        ChannelPlan::PagerDuty(plan) => Box::new(PagerDutyChannel::new(plan, line)),
        ChannelPlan::Email(plan) => {
            let email = EmailChannel::new(plan, line);
            Box::new(email.map_err(|why| BuildError::Email { receiver: receiver(), why })?)
        }
        ChannelPlan::Apprise(plan) => Box::new(AppriseChannel::new(plan, line)),
        ChannelPlan::Exec(plan) => Box::new(ExecChannel::new(plan, line)),
        ChannelPlan::Snmp(plan) => Box::new(SnmpChannel::new(plan, line)),
    })
}
