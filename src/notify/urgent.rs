//! Changes that could not be stored, on their way to a receiver without the outbox.
//!
//! A full disk must not keep the alarm from people, least of all the one about the disk. What goes this
//! way is held in memory and is not there after a crash; when the store takes it after all, it is taken
//! out of the outbox again. Owned by the receiver's thread.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use avwatch_actors::event::{EventState, Wall};
use avwatch_actors::record::Record;
use uuid::Uuid;

use super::dispatch::Waiting;
use super::router::Route;

/// Changes that may wait, some 2 KB each, which all receivers share; beyond them the oldest go, and are counted. A store
/// that is slow has taken them long before.
const URGENT_MAX: usize = 50_000;

/// Most changes of one message, and of one question whether they are stored.
const BATCH: usize = 2_000;

/// Changes of which it is remembered that they were told; beyond them all are forgotten, and may be told twice.
const TOLD_MAX: usize = 10_000;

/// A message of changes that are not stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct UrgentMessage {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub created: Wall,
    /// What it says.
    pub records: Vec<Record>,
}

/// What becomes of ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// They leave as anything else does.
    Go,
    /// They wait until they are stored, so that none overtakes a raise that is in the outbox. An alarm that
    /// got graver does not wait: that it is told before its raise is the lesser evil.
    Wait,
}

impl Ends {
    fn may_go(self, record: &Record) -> bool {
        self == Self::Go || record.event().is_some_and(|event| event.is_open())
    }
}

/// What waits on this way.
#[derive(Debug, Default)]
pub(super) struct Urgent {
    queue: VecDeque<(Duration, Record)>,
    message: Option<UrgentMessage>,
    told: HashSet<String>,
}

impl Urgent {
    /// Takes up what concerns the receiver. Returns how many older changes were lost for lack of room.
    pub(super) fn offer(&mut self, route: &Route, records: &[Record], now: Duration) -> u64 {
        // Without the store nobody knows what was told before: ends are told whenever the event concerns
        // the receiver, and incidents are left to the store.
        let is_told = |record: &&Record| {
            record.event().is_some_and(|event| {
                let is_change = matches!(event.state, EventState::Raised | EventState::Escalated | EventState::Ended);
                let is_end_wanted = event.is_open() || route.audience.recovery;
                is_change && is_end_wanted && event.suppressed_by.is_none() && route.hears_of(event)
            })
        };
        self.queue.extend(records.iter().filter(is_told).map(|record| (now, record.clone())));
        let lost = self.queue.len().saturating_sub(URGENT_MAX);
        self.queue.drain(..lost);
        lost as u64
    }

    /// The changes that would be sent next.
    pub(super) fn queued(&self, ends: Ends) -> Vec<String> {
        let in_hand = self.message.iter().flat_map(|message| &message.records);
        let may_go = self.queue.iter().map(|(_, record)| record).filter(|record| ends.may_go(record));
        in_hand.chain(may_go.take(BATCH)).map(|record| record.change_id().to_owned()).collect()
    }

    /// Lets go of changes that the store took after all: they are told from the outbox. Returns whether any waited.
    pub(super) fn drop_stored(&mut self, changes: &[String]) -> bool {
        let (stored, before): (HashSet<&str>, _) = (changes.iter().map(String::as_str).collect(), self.queue.len());
        let is_stored = |record: &Record| stored.contains(record.change_id());
        if !stored.is_empty() {
            self.queue.retain(|(_, record)| !is_stored(record));
        }
        // What is in hand keeps its words under its id: it goes as a whole or not at all.
        if self.message.as_ref().is_some_and(|message| message.records.iter().all(is_stored)) {
            self.message = None;
        }
        self.queue.len() < before
    }

    /// What waits to be sent now; nothing when all is well. Ends wait while messages are in the outbox, where their
    /// raises may be.
    pub(super) fn waiting(&self, now: Duration, ends: Ends) -> Option<Waiting> {
        let mut may_go = self.queue.iter().filter(|(_, record)| ends.may_go(record)).peekable();
        let oldest = may_go.peek().map_or(Duration::ZERO, |(at, _)| now.saturating_sub(*at));
        let (changes, has_message) = (may_go.count() as u64, self.message.is_some());
        let alarm = self.queue.iter().find(|(_, record)| record.event().is_some_and(|event| event.is_open()));
        let news = alarm.map(|(at, _)| now.saturating_sub(*at));
        (changes > 0 || has_message).then_some(Waiting { changes, oldest, news, has_message, ..Waiting::default() })
    }

    /// The message to be sent: the same until it was taken.
    pub(super) fn next(&mut self, now: Wall, ends: Ends) -> Option<UrgentMessage> {
        if self.message.is_none() {
            let mut records = Vec::new();
            for (at, record) in std::mem::take(&mut self.queue) {
                if records.len() < BATCH && ends.may_go(&record) {
                    records.push(record);
                } else {
                    self.queue.push_back((at, record));
                }
            }
            if records.is_empty() {
                return None;
            }
            let single = records.first().filter(|_| records.len() == 1).map(|record| record.change_id().to_owned());
            let id = single.unwrap_or_else(|| Uuid::now_v7().to_string());
            self.message = Some(UrgentMessage { id, created: now, records });
        }
        self.message.clone()
    }

    /// The message will not be taken: it comes again from the store, where it can be parked.
    pub(super) fn set_aside(&mut self) {
        self.message = None;
    }

    /// The message was taken.
    pub(super) fn settled(&mut self) {
        let Some(message) = self.message.take() else { return };
        if self.told.len() > TOLD_MAX {
            self.told.clear();
        }
        self.told.extend(message.records.iter().map(|record| record.change_id().to_owned()));
    }

    /// Changes that were told on this way and may come again from the store.
    pub(super) fn told(&self) -> Vec<String> {
        self.told.iter().cloned().collect()
    }

    /// They came, and were taken out of the outbox.
    pub(super) fn came(&mut self, changes: &[String]) {
        for change in changes {
            self.told.remove(change);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use avwatch_actors::severity::Severity;

    use super::*;
    use crate::notify::Audience;
    use crate::sinks::samples::{event, wall};

    fn route() -> Route {
        let audience = Audience {
            from: Severity::Warning,
            streams: Vec::new(),
            detectors: Vec::new(),
            labels: Default::default(),
            recovery: true,
        };
        Route { name: "pager".into(), audience, board: Arc::default(), bell: None, withdraws: false }
    }

    fn raised(sequence: u64) -> Record {
        Record::Event(Arc::new(event("e", "lobby", "black", sequence, EventState::Raised)))
    }

    #[test]
    fn what_is_refused_is_not_taken_out_of_the_outbox_when_the_store_takes_it_after_all() {
        let mut urgent = Urgent::default();
        urgent.offer(&route(), &[raised(1)], Duration::ZERO);
        urgent.next(wall(0), Ends::Go).unwrap();
        urgent.set_aside();
        assert!(urgent.told().is_empty() && urgent.waiting(Duration::ZERO, Ends::Go).is_none());
    }

    #[test]
    fn a_message_in_hand_that_the_store_took_after_all_is_not_sent_from_memory() {
        let mut urgent = Urgent::default();
        urgent.offer(&route(), &[raised(1), raised(2)], Duration::ZERO);
        urgent.next(wall(0), Ends::Go).unwrap();
        assert_eq!(urgent.queued(Ends::Go), ["change-1", "change-2"]);
        urgent.drop_stored(&["change-1".to_owned()]);
        assert!(urgent.waiting(Duration::ZERO, Ends::Go).is_some(), "half of it is not stored");
        urgent.drop_stored(&["change-1".to_owned(), "change-2".to_owned()]);
        assert!(urgent.waiting(Duration::ZERO, Ends::Go).is_none());
    }

    #[test]
    fn a_message_stays_the_same_until_it_is_settled() {
        let mut urgent = Urgent::default();
        assert_eq!(urgent.waiting(Duration::ZERO, Ends::Go), None);
        urgent.offer(&route(), &[raised(1)], Duration::ZERO);
        let message = urgent.next(wall(0), Ends::Go).unwrap();
        assert_eq!(message.id, "change-1");
        urgent.offer(&route(), &[raised(2)], Duration::from_secs(1));
        assert_eq!(urgent.next(wall(1), Ends::Go), Some(message));
        urgent.settled();
        assert_eq!(urgent.next(wall(1), Ends::Go).unwrap().id, "change-2");
        assert_eq!(urgent.told(), ["change-1"]);
        urgent.came(&["change-1".to_owned()]);
        assert!(urgent.told().is_empty());
    }

    #[test]
    fn no_end_overtakes_its_raise_that_waits_in_the_outbox() {
        let mut urgent = Urgent::default();
        let ended = Record::Event(Arc::new(event("e", "lobby", "black", 1, EventState::Ended)));
        urgent.offer(&route(), &[ended], Duration::ZERO);
        assert_eq!(urgent.waiting(Duration::ZERO, Ends::Wait), None);
        assert_eq!(urgent.next(wall(0), Ends::Wait), None);
        urgent.offer(&route(), &[raised(2)], Duration::from_secs(1));
        let waiting = urgent.waiting(Duration::from_secs(3), Ends::Wait).unwrap();
        assert_eq!((waiting.changes, waiting.oldest), (1, Duration::from_secs(2)));
        assert_eq!(urgent.next(wall(0), Ends::Wait).unwrap().id, "change-2");
        urgent.settled();
        assert_eq!(urgent.next(wall(0), Ends::Go).unwrap().id, "change-1", "the outbox is empty");
    }

    #[test]
    fn what_the_store_took_after_all_is_let_go() {
        let mut urgent = Urgent::default();
        urgent.offer(&route(), &[raised(1), raised(2)], Duration::ZERO);
        urgent.drop_stored(&["change-1".to_owned()]);
        assert_eq!(urgent.queued(Ends::Go), ["change-2"]);
    }

    #[test]
    fn a_storm_of_a_thousand_failures_and_returns_while_the_store_stalls_loses_nothing() {
        let mut urgent = Urgent::default();
        let storm: Vec<Record> = (1..=4_000).map(raised).collect();
        assert_eq!(urgent.offer(&route(), &storm, Duration::ZERO), 0);
        // The store takes the first 2,500 after all.
        let stored: HashSet<String> = storm[..2_500].iter().map(|record| record.change_id().to_owned()).collect();
        loop {
            let known = urgent.queued(Ends::Go).into_iter().filter(|change| stored.contains(change));
            if !urgent.drop_stored(&known.collect::<Vec<_>>()) {
                break;
            }
        }
        let sent = urgent.next(wall(0), Ends::Go).unwrap().records;
        assert_eq!((sent.len(), sent[0].change_id()), (1_500, "change-2501"));
    }

    #[test]
    fn beyond_its_bound_the_oldest_goes_and_is_counted() {
        let mut urgent = Urgent::default();
        let many: Vec<Record> = (1..=URGENT_MAX as u64 + 3).map(raised).collect();
        assert_eq!(urgent.offer(&route(), &many, Duration::ZERO), 3);
        assert_eq!(urgent.next(wall(0), Ends::Go).unwrap().records[0].change_id(), "change-4");
    }
}
