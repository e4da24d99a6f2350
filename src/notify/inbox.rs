//! What reaches a receiver's thread from others: nudges, tries, and what could not be stored.

use std::sync::Arc;
use std::time::Duration;

use avwatch_actors::record::Record;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};

/// Words that may wait for a receiver's thread: what a storm says during one call of ten seconds while nothing can be
/// stored. Nudges have a place of their own: one is as good as many.
const INBOX_MAX: usize = 4_096;

/// A word to a receiver's thread.
#[derive(Debug)]
pub enum Word {
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
pub struct Doorbell {
    nudge: Sender<()>,
    words: Sender<Word>,
}

impl Doorbell {
    /// A bell and the ear that hears it.
    pub fn new() -> (Self, Ear) {
        let (nudge, nudges) = bounded(1);
        let (words, inbox) = bounded(INBOX_MAX);
        (Self { nudge, words }, Ear { nudges, inbox })
    }

    /// Has the thread look again.
    pub fn ring(&self) {
        // One that waits wakes the thread as well, and a gone one has nobody to wake.
        let _ = self.nudge.try_send(());
    }

    /// Hands a word over; false when there is no room or nobody.
    pub fn say(&self, word: Word) -> bool {
        match self.words.try_send(word) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
}

/// The thread's end.
#[derive(Debug)]
pub struct Ear {
    nudges: Receiver<()>,
    inbox: Receiver<Word>,
}

impl Ear {
    /// What is said within a time, or until a nudge: the first word and all that wait behind it.
    pub fn listen(&self, wait: Duration) -> Vec<Word> {
        let first = select! {
            recv(self.inbox) -> word => word.map_err(|_| ()),
            recv(self.nudges) -> nudge => match nudge {
                Ok(()) => return self.inbox.try_iter().take(INBOX_MAX).collect(),
                Err(_) => Err(()),
            },
            default(wait) => return Vec::new(),
        };
        let Ok(first) = first else {
            // Nobody can say anything any more; the lifeline tells when to end.
            std::thread::sleep(wait.min(Duration::from_millis(100)));
            return Vec::new();
        };
        [first].into_iter().chain(self.inbox.try_iter().take(INBOX_MAX)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_nudges_wait_there_is_room_for_what_could_not_be_stored() {
        let (bell, ear) = Doorbell::new();
        (0..1_000).for_each(|_| bell.ring());
        for _ in 0..INBOX_MAX {
            assert!(bell.say(Word::Unstored(Arc::default())));
        }
        assert!(!bell.say(Word::Unstored(Arc::default())), "it has a bound");
        let mut heard = 0;
        while heard < INBOX_MAX {
            heard += ear.listen(Duration::from_millis(1)).len();
        }
        assert_eq!(heard, INBOX_MAX);
    }
}
