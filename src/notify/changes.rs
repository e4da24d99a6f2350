//! What a message tells: committed changes in their order, and what its receiver knew before.
//!
//! Made by the outbox, which remembers of what each receiver was told. Whether a change is the first that a receiver
//! hears of something is not in the change itself: an event may have been raised below what the receiver wants to
//! hear of, and be told when it gets worse.

use std::collections::HashSet;
use std::ops::Deref;
use std::sync::Arc;

use avwatch_actors::event::{Event, EventState, Wall};
use avwatch_actors::record::Record;

/// Committed changes in their order. Several changes of one event may be among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    records: Vec<Record>,
    /// Changes with which the receiver hears of an event or incident for the first time, by their ids.
    first: HashSet<String>,
    /// Events that are open in these changes but have ended since, by their ids.
    over: HashSet<String>,
    /// Events that go on though an incident of theirs ends in these changes.
    left: Vec<Record>,
    /// When it is told.
    told_at: Option<Wall>,
}

impl Changes {
    /// Adds a change; `is_first` when the receiver was not told of its event or incident before. Nobody knows: what
    /// raises an event is the first that one hears of it.
    pub fn add(&mut self, record: Record, is_first: Option<bool>) {
        let raises = || record.event().is_some_and(|event| event.state == EventState::Raised);
        if is_first.unwrap_or_else(raises) {
            self.first.insert(record.change_id().to_owned());
        }
        self.records.push(record);
    }

    /// Notes that an event has ended since.
    pub fn note_over(&mut self, event: &str) {
        self.over.insert(event.to_owned());
    }

    /// Notes an event of which the receiver was told, and which goes on though an incident of its own ends in these changes.
    pub fn note_left(&mut self, event: Arc<Event>) {
        self.left.push(Record::Event(event));
    }

    /// Notes when all this is told. What is open has gone on since its last change.
    pub fn note_told_at(&mut self, at: Wall) {
        self.told_at = Some(at);
    }

    /// Events that go on though an incident of theirs ends in these changes.
    pub fn left(&self) -> &[Record] {
        &self.left
    }

    /// When it is told, where that is known.
    pub fn told_at(&self) -> Option<Wall> {
        self.told_at
    }

    /// Whether the receiver hears of an event or incident for the first time with this change.
    pub fn is_first(&self, record: &Record) -> bool {
        self.first.contains(record.change_id())
    }

    /// Whether an event has ended by the time of sending, though it is open in these changes.
    pub fn is_over(&self, record: &Record) -> bool {
        record.event().is_some_and(|event| event.is_open() && self.over.contains(&event.id))
    }
}

impl From<Vec<Record>> for Changes {
    fn from(records: Vec<Record>) -> Self {
        let mut changes = Self::default();
        for record in records {
            changes.add(record, None);
        }
        changes
    }
}

impl Deref for Changes {
    type Target = [Record];

    fn deref(&self) -> &[Record] {
        &self.records
    }
}
