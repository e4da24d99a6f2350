//! The port [`Channel`]: one way to reach people or programs.
//!
//! A channel is owned by its receiver's thread, so it may block, for [`SEND_WITHIN`] at most; it keeps
//! no queue and never tries again by itself. Whether a message was taken decides what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use avwatch_actors::event::{Event, Wall};
use url::Url;

use super::Changes;

/// Longest that one call may take, connecting included.
pub const SEND_WITHIN: Duration = Duration::from_secs(10);

/// Most bytes that are read of an answer.
pub const RESPONSE_BYTES_MAX: usize = 64 * 1024;

/// One way to reach people or programs. One thread calls it.
pub trait Channel: Send {
    /// Delivers one message. On return it was taken.
    ///
    /// # Errors
    /// What the other side said, or that it was not reached.
    fn send(&mut self, message: &Message) -> Result<(), SendFailure>;

    /// How often it wants to be told what is open; never when absent.
    fn resend_every(&self) -> Option<Duration> {
        None
    }

    /// Tells what is open now, of that which concerns the receiver.
    ///
    /// # Errors
    /// As for [`Channel::send`]; it is tried again when it is due again.
    fn resend(&mut self, open: &[Arc<Event>]) -> Result<(), SendFailure> {
        let _ = open;
        Ok(())
    }
}

/// One message to one receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Unique, and the same whenever it is sent again: what a receiver recognises a repetition by.
    pub id: String,
    /// When it was made.
    pub created_at: Wall,
    /// Name of the receiver.
    pub receiver: Arc<str>,
    /// Where things of this service are found.
    pub links: Links,
    /// What it says.
    pub content: Content,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Committed changes, at least one.
    Changes(Changes),
    /// Somebody tries whether messages arrive.
    Test {
        /// Who.
        by: String,
    },
}

/// Makes links to this service; none when it is not known how people reach it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// Address of the service, with a path that ends in a slash.
    pub base: Option<Url>,
}

impl Links {
    /// The page of an event.
    pub fn event(&self, id: &str) -> Option<String> {
        self.base.as_ref().map(|base| format!("{base}?view=event&id={id}"))
    }
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendFailure {
    /// It may be taken later: the receiver is not there, too busy or broken.
    #[error("{why}")]
    Later {
        /// What happened, without secrets and without text of the receiver.
        why: String,
        /// The receiver asks not to be tried again before.
        after: Option<Duration>,
    },
    /// It is taken, but there was no time for all of it: the channel goes on where it was when the same message is
    /// sent again. No failure.
    #[error("{done} of {all} calls were made, the others follow")]
    GoesOn {
        /// Calls that were made.
        done: usize,
        /// Calls that it takes in all.
        all: usize,
    },
    /// It will not be taken as it is, such as a 4xx answer: it waits for a person.
    #[error("{why}")]
    Refused {
        /// What happened, without secrets and without text of the receiver.
        why: String,
    },
}
