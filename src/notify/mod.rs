//! Notifications: who is told of what was committed, and how it gets there.
//!
//! The desk's commit writes what each receiver is to be told into the outbox, in the same transaction;
//! from there it is sent until it was taken. A [`Channel`] is one way to reach people or programs, a
//! [`ReceiverPlan`] one of those who are told over it.

pub mod alertmanager;
pub mod apprise;
mod ber;
pub mod build;
mod channel;
pub mod email;
pub mod exec;
pub mod heartbeat;
mod http;
pub mod json;
mod letter;
pub mod pagerduty;
mod plan;
mod resolving;
#[cfg(test)]
mod samples;
pub mod slack;
pub mod snmp;
#[cfg(test)]
pub(crate) mod testing;
pub mod words;

pub use channel::{Channel, Content, Links, Message, RESPONSE_BYTES_MAX, SEND_WITHIN, SendFailure};
pub use http::HttpPoster;
pub use plan::{
    AlertmanagerPlan, ApprisePlan, Audience, ChannelPlan, EmailPlan, ExecPlan, PagerDutyPlan, ReceiverPlan, SlackPlan,
    SnmpPlan, WebhookPlan,
};
