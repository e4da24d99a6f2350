//! What people do to events: take them, give them back, remark on them, silence them.
//!
//! Part of the alarm model, and as pure. Where an open event stands follows from three things, in
//! this order:
//!
//! | what holds | state |
//! |---|---|
//! | a person has taken it, and it has not become worse since | `acked` |
//! | its stream is observed, a silence is in force for it, or a cause explains it | `suppressed` |
//! | its severity rose since it was raised | `escalated` |
//! | none of these | `raised` |
//!
//! What lifts a hold tells people of an event only if its condition is known to hold then: one that is just
//! ending stays held back, and is told if it comes back.

use std::sync::Arc;

use super::AlarmModel;
use super::open::{Open, number};
use crate::event::{Event, EventState, Wall};
use crate::silence::{SILENCES_MAX, Silence};

/// What a person does to one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Takes it.
    Ack {
        /// Who.
        by: String,
        /// A remark.
        comment: Option<String>,
        /// Gives it back by itself then.
        until: Option<Wall>,
    },
    /// Gives it back.
    Unack,
    /// Remarks on it; also after its end.
    Comment(String),
}

/// What a person does to which event.
#[derive(Debug)]
pub struct ActRequest {
    /// The event's id.
    pub id: String,
    /// What to do.
    pub act: Act,
    /// The event as the store has it, if it has ended: remarks are possible then.
    pub ended: Option<Event>,
    /// The number of the event's last change that the person saw; it is refused after a newer one.
    pub seen: Option<u64>,
}

/// Why an act was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No event of that id is open.
    #[error("no open event has this id")]
    Unknown,
    /// It is over.
    #[error("the event has ended")]
    Ended,
    /// It has changed since the person saw it.
    #[error("the event has changed meanwhile")]
    Changed,
}

/// What an act led to.
#[derive(Clone, Debug)]
pub struct Acted {
    /// The event as it stands now.
    pub event: Event,
    /// Whether that is a change, to be committed and published.
    pub is_change: bool,
    /// Other events of its stream that changed with the clock meanwhile.
    pub others: Vec<Event>,
}

impl AlarmModel {
    /// Does what a person asks for, if the event still is what that person saw.
    pub fn act_as_asked(&mut self, asked: ActRequest, now: Wall) -> Result<Acted, Refusal> {
        let open = self.open.values().map(|open| &open.event).find(|event| event.id == asked.id);
        let newest = open.or(asked.ended.as_ref()).map(|event| event.sequence);
        if asked.seen.is_some_and(|seen| newest.is_some_and(|newest| newest != seen)) {
            return Err(Refusal::Changed);
        }
        self.act(&asked.id, asked.act, asked.ended, now)
    }

    /// Acts on an event. `ended` is the event of that id as the store has it: remarks are possible
    /// after the end, of which the model knows nothing.
    pub fn act(&mut self, id: &str, act: Act, ended: Option<Event>, now: Wall) -> Result<Acted, Refusal> {
        let Some((key, open)) = self.open.iter_mut().find(|(_, open)| open.event.id == id) else {
            return self.act_on_ended(act, ended.ok_or(Refusal::Unknown)?, now);
        };
        let (key, before) = (key.clone(), open.event.clone());
        let event = &mut open.event;
        match act {
            Act::Ack { by, comment, until } => {
                event.comment = comment.or(event.comment.take());
                event.snoozed_until = until;
                // Who took it first keeps it: a second click changes nothing.
                if event.acked_by.is_none() {
                    (event.acked_by, event.acked_at) = (Some(by), Some(now));
                }
            }
            Act::Unack => give_back(event),
            Act::Comment(text) => event.comment = Some(text),
        }
        open.is_due |= *event != before;
        let changed = self.review(&key.stream, now);
        let (mine, others): (Vec<Event>, Vec<Event>) = changed.into_iter().partition(|event| event.id == id);
        let is_change = !mine.is_empty();
        let now_open = || self.open.get(&key).map(|open| open.event.clone());
        let event = mine.into_iter().next_back().or_else(now_open).unwrap_or(before);
        Ok(Acted { event, is_change, others })
    }

    fn act_on_ended(&mut self, act: Act, mut event: Event, now: Wall) -> Result<Acted, Refusal> {
        let Act::Comment(text) = act else { return Err(Refusal::Ended) };
        if event.is_open() {
            // The store is behind or ahead of us: it is not open here.
            return Err(Refusal::Unknown);
        }
        event.comment = Some(text);
        event.changed_at = now;
        self.sequence += 1;
        number(&mut event, self.sequence);
        Ok(Acted { event, is_change: true, others: Vec::new() })
    }

    /// Puts these silences in the place of all that were there; returns the events that changed.
    pub fn silence(&mut self, mut silences: Vec<Silence>, now: Wall) -> Vec<Event> {
        silences.truncate(SILENCES_MAX);
        self.silences = silences;
        self.review_all(now)
    }

    /// What begins and ends with the clock: silences and snoozed acknowledgements.
    pub(super) fn turn(&mut self, now: Wall) -> Vec<Event> {
        self.silences.retain(|silence| now < silence.until);
        let snoozed_out = self.open.values().any(|open| is_snoozed_out(open, now));
        let is_due = self.next_turn.is_some_and(|at| at <= now);
        if !snoozed_out && !is_due {
            return Vec::new();
        }
        self.review_all(now)
    }

    /// Finds out anew where every open event stands.
    pub(super) fn review_all(&mut self, now: Wall) -> Vec<Event> {
        let edges = self.silences.iter().flat_map(|silence| [silence.starts_at, silence.until]);
        self.next_turn = edges.filter(|edge| *edge > now).min();
        // Events of a stream stand together.
        let mut streams: Vec<Arc<str>> = self.open.keys().map(|key| key.stream.clone()).collect();
        streams.dedup();
        streams.iter().flat_map(|stream| self.review(stream, now)).collect()
    }
}

/// Whether it is time to give an event back; one that may be over, or was not seen again since a restart, is not given
/// back to be told as open.
pub(super) fn is_snoozed_out(open: &Open, now: Wall) -> bool {
    open.event.snoozed_until.is_some_and(|until| until <= now) && !open.is_away() && open.confirm_until.is_none()
}

/// Takes an acknowledgement back.
pub(super) fn give_back(event: &mut Event) {
    (event.acked_by, event.acked_at, event.snoozed_until) = (None, None, None);
}

/// What holds an event back.
pub(super) struct HeldBack {
    /// What stands in the event.
    pub(super) mark: Option<String>,
    /// The event that explains it, if one does, be it named in the mark or not.
    pub(super) cause: Option<String>,
}

/// Brings the state of an open event in line with what holds; true when it changed.
pub(super) fn settle(open: &mut Open, held: HeldBack) -> bool {
    let mark = match held.mark {
        None if open.stays_held() => open.event.suppressed_by.clone(),
        mark => mark,
    };
    let event = &mut open.event;
    let state = if event.acked_by.is_some() {
        EventState::Acked
    } else if mark.is_some() {
        EventState::Suppressed
    } else if open.is_worse {
        EventState::Escalated
    } else {
        EventState::Raised
    };
    let parent = match (held.cause, open.is_explained && mark.is_none()) {
        (Some(cause), _) => {
            open.is_explained = true;
            Some(cause)
        }
        (None, true) => {
            // It stands for itself from now on.
            open.is_explained = false;
            None
        }
        (None, false) => event.parent_id.clone(),
    };
    let differs = state != event.state || mark != event.suppressed_by || parent != event.parent_id;
    (event.state, event.suppressed_by, event.parent_id) = (state, mark, parent);
    if event.suppressed_by.is_some() {
        open.held_by.clone_from(&event.suppressed_by);
    }
    differs
}

#[cfg(test)]
#[path = "alarm_acts_tests.rs"]
mod tests;
