//! Notifications: who is told of what was committed, and how it gets there.
//!
//! The desk's commit writes what each receiver is to be told into the outbox, in the same transaction;
//! from there it is sent until it was taken. A [`Channel`] is one way to reach people or programs, a
//! [`ReceiverPlan`] one of those who are told over it.

pub mod alertmanager;
pub mod apprise;
#[cfg(test)]
mod aside_tests;
mod ber;
mod board;
pub mod build;
mod calls;
mod changes;
mod channel;
mod cloud_event;
mod complaint;
mod dispatch;
mod dispatcher;
mod early;
pub mod email;
pub mod exec;
#[cfg(test)]
mod flow_tests;
mod heads;
pub mod heartbeat;
mod http;
mod inbox;
pub mod json;
mod letter;
mod notifier;
pub mod pagerduty;
mod plan;
mod resolving;
mod router;
mod rows;
#[cfg(test)]
mod samples;
pub mod slack;
pub mod snmp;
#[cfg(test)]
pub(crate) mod testing;
mod urgent;
pub mod webhook;
#[cfg(test)]
mod window_tests;
pub mod words;

pub use board::{ReceiverBoard, ReceiverState, Standing};
pub use changes::Changes;
pub use channel::{Channel, Content, Links, Message, RESPONSE_BYTES_MAX, SEND_WITHIN, SendFailure};
pub use dispatch::{Dispatch, Next, TRIED_FOR, Turn, Waiting, pause};
pub use http::HttpPoster;
pub use inbox::Doorbell;
pub use notifier::{Notifier, NotifyError, ReceiverView};
pub use plan::{
    AlertmanagerPlan, ApprisePlan, Audience, ChannelPlan, EmailPlan, ExecPlan, PagerDutyPlan, ReceiverPlan, SlackPlan,
    SnmpPlan, WebhookPlan,
};
pub use router::{PutOff, Route, Router, Routing, stream_of};
