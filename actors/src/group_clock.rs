//! The clock of a detector group: where the sessions of its stream lie on one timeline.
//!
//! Every session counts its media time from its own zero. Events may outlive a session, so the group
//! puts each session behind the one before it, by the time that passed in between. Pure; owned by a
//! detector group.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::media_time::MediaTime;
use crate::track::{SessionInfo, SessionNumber};

/// Where a group leaves its clock. Each group has its own, so that one that was given up and returns
/// late spoils nobody else's; the lock is held for a copy.
#[derive(Clone, Debug, Default)]
pub struct ClockBook(Arc<Mutex<GroupClock>>);

impl ClockBook {
    /// A book that says this for the start.
    pub fn of(clock: GroupClock) -> Self {
        Self(Arc::new(Mutex::new(clock)))
    }

    /// What was written last.
    pub fn read(&self) -> GroupClock {
        // A copy is whole or was not written: a poisoned lock harms nothing.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a clock down.
    pub fn write(&self, clock: GroupClock) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = clock;
    }
}

/// Where a stream is.
#[derive(Clone, Copy, Debug, Default)]
pub struct GroupClock {
    session: Option<SessionNumber>,
    /// Added to the session's own times.
    offset: MediaTime,
    /// The newest time of the session, with when it was seen.
    newest: (MediaTime, Option<Instant>),
}

impl GroupClock {
    /// A session is announced; true when it follows another one.
    pub fn enter(&mut self, info: &SessionInfo) -> bool {
        let follows = self.session.replace(info.session).is_some_and(|before| before != info.session);
        if follows {
            // The new session's clock starts anew: put it behind the old one by the time in between.
            let pause =
                self.newest.1.map_or(MediaTime::ZERO, |seen| info.started.saturating_duration_since(seen).into());
            self.offset = self.offset + self.newest.0 + pause - info.at;
            self.newest = (info.at, None);
        }
        follows
    }

    /// The session has come to that time of its own.
    pub fn reach(&mut self, at: MediaTime) {
        self.newest = (self.newest.0.max(at), Some(Instant::now()));
    }

    /// What to add to the session's own times.
    pub fn offset(&self) -> MediaTime {
        self.offset
    }

    /// How far the session has come, in its own time.
    pub fn reached(&self) -> MediaTime {
        self.newest.0
    }

    /// How far the stream has come.
    pub fn now(&self) -> MediaTime {
        self.newest.0 + self.offset
    }
}
