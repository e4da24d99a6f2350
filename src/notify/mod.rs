//! Notifications: who is told of what was committed, and how it gets there.
//!
//! The desk's commit writes what each receiver is to be told into the outbox, in the same transaction;
//! from there it is sent until it was taken. A [`Channel`] is one way to reach people or programs, a
//! [`ReceiverPlan`] one of those who are told over it.

mod channel;
mod http;
mod plan;
#[cfg(test)]
pub(crate) mod testing;

pub use channel::{Channel, Content, Links, Message, RESPONSE_BYTES_MAX, SEND_WITHIN, SendFailure};
pub use http::HttpPoster;
pub use plan::{
    AlertmanagerPlan, ApprisePlan, Audience, ChannelPlan, EmailPlan, ExecPlan, PagerDutyPlan, ReceiverPlan, SlackPlan,
    SnmpPlan, WebhookPlan,
};
