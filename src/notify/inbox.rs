//! What reaches a receiver's thread from others: nudges, tries, and what could not be stored.

use std::sync::Arc;
use std::time::Duration;

use avwatch_actors::record::Record;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

/// Words that may wait for a receiver's thread. A nudge that finds no room is not needed.
const INBOX_MAX: usize = 64;

/// A word to a receiver's thread.
#[derive(Debug)]
pub enum Word {
    /// Something changed in the outbox, or the end has come.
    Look,
    /// Changes went out that are not in the store, and so in no outbox.
    Unstored(Arc<Vec<Record>>),
    /// Somebody tries whether messages arrive; answered with what went wrong, if anything.
    Try {
        /// Who.
        by: String,
        /// Where the answer goes.
        answer: Sender<Result<(), String>>,
    },
}

/// The way to a receiver's thread. Never waits.
#[derive(Clone, Debug)]
pub struct Doorbell(Sender<Word>);

impl Doorbell {
    /// A bell and the ear that hears it.
    pub fn new() -> (Self, Ear) {
        let (sender, receiver) = bounded(INBOX_MAX);
        (Self(sender), Ear(receiver))
    }

    /// Has the thread look again. It will anyway when it is behind with its words.
    pub fn ring(&self) {
        // A full inbox wakes the thread as well, and a gone one has nobody to wake.
        let _ = self.0.try_send(Word::Look);
    }

    /// Hands a word over; false when there is no room or nobody.
    pub fn say(&self, word: Word) -> bool {
        match self.0.try_send(word) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
}

/// The thread's end.
#[derive(Debug)]
pub struct Ear(Receiver<Word>);

impl Ear {
    /// What is said within a time, but for nudges: the first word and all that wait behind it.
    pub fn listen(&self, wait: Duration) -> Vec<Word> {
        let first = match self.0.recv_timeout(wait) {
            Ok(word) => Some(word),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                // Nobody can say anything any more; the lifeline tells when to end.
                std::thread::sleep(wait.min(Duration::from_millis(100)));
                None
            }
        };
        let words = first.into_iter().chain(self.0.try_iter().take(INBOX_MAX));
        words.filter(|word| !matches!(word, Word::Look)).collect()
    }
}
