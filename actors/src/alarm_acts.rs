//! What people do to events: take them, give them back, remark on them, silence them.
//!
//! Part of the alarm model, and as pure. Where an open event stands follows from three things, in
//! this order:
//!
//! | what holds | state |
//! |---|---|
//! | a person has taken it, and it has not become worse since | `acked` |
//! | a silence is in force for it | `suppressed` |
//! | its severity rose since it was raised | `escalated` |
//! | none of these | `raised` |

use super::{AlarmModel, Open, number};
use crate::event::{Event, EventKey, EventState, Wall};
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

/// Why an act was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No event of that id is open.
    #[error("no open event has this id")]
    Unknown,
    /// It is over.
    #[error("the event has ended")]
    Ended,
}

/// What an act led to.
#[derive(Clone, Debug)]
pub struct Acted {
    /// The event as it stands now.
    pub event: Event,
    /// Whether that is a change, to be committed and published.
    pub is_change: bool,
}

impl AlarmModel {
    /// Acts on an event. `ended` is the event of that id as the store has it: remarks are possible
    /// after the end, of which the model knows nothing.
    pub fn act(&mut self, id: &str, act: Act, ended: Option<Event>, now: Wall) -> Result<Acted, Refusal> {
        let Some(key) = self.open.iter().find(|(_, open)| open.event.id == id).map(|(key, _)| key.clone()) else {
            return self.act_on_ended(act, ended.ok_or(Refusal::Unknown)?, now);
        };
        let silences = &self.silences;
        let Some(open) = self.open.get_mut(&key) else { return Err(Refusal::Unknown) };
        let before = open.event.clone();
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
        settle(open, silences, now);
        let is_change = open.event != before;
        if is_change {
            self.sequence += 1;
            open.event.changed_at = now;
            number(&mut open.event, self.sequence);
        }
        Ok(Acted { event: open.event.clone(), is_change })
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
        Ok(Acted { event, is_change: true })
    }

    /// Puts these silences in the place of all that were there; returns the events that changed.
    pub fn silence(&mut self, mut silences: Vec<Silence>, now: Wall) -> Vec<Event> {
        silences.truncate(SILENCES_MAX);
        self.silences = silences;
        self.resettle(now)
    }

    /// What begins and ends with the clock: silences and snoozed acknowledgements.
    pub(super) fn turn(&mut self, now: Wall) -> Vec<Event> {
        self.silences.retain(|silence| now < silence.until);
        let snoozed_out = self.open.values_mut().filter(|open| is_snoozed_out(&open.event, now));
        let is_due = self.next_turn.is_some_and(|at| at <= now);
        if snoozed_out.count() == 0 && !is_due {
            return Vec::new();
        }
        self.resettle(now)
    }

    /// Finds out anew where every open event stands.
    fn resettle(&mut self, now: Wall) -> Vec<Event> {
        let edges = self.silences.iter().flat_map(|silence| [silence.starts_at, silence.until]);
        self.next_turn = edges.filter(|edge| *edge > now).min();
        let mut keys: Vec<EventKey> = self.open.keys().cloned().collect();
        keys.sort();
        let mut changed = Vec::new();
        for key in keys {
            let Some(open) = self.open.get_mut(&key) else { continue };
            if is_snoozed_out(&open.event, now) {
                give_back(&mut open.event);
            }
            if settle(open, &self.silences, now) {
                self.sequence += 1;
                open.event.changed_at = now;
                number(&mut open.event, self.sequence);
                changed.push(open.event.clone());
            }
        }
        changed
    }
}

fn is_snoozed_out(event: &Event, now: Wall) -> bool {
    event.snoozed_until.is_some_and(|until| until <= now)
}

/// Takes an acknowledgement back.
pub(super) fn give_back(event: &mut Event) {
    (event.acked_by, event.acked_at, event.snoozed_until) = (None, None, None);
}

/// Brings the state of an open event in line with what holds; true when it changed.
pub(super) fn settle(open: &mut Open, silences: &[Silence], now: Wall) -> bool {
    let event = &mut open.event;
    let silence = silences.iter().find(|silence| silence.is_active(now) && silence.matchers.match_event(event));
    let mark = silence.map(Silence::mark);
    let state = if event.acked_by.is_some() {
        EventState::Acked
    } else if mark.is_some() {
        EventState::Suppressed
    } else if open.is_worse {
        EventState::Escalated
    } else {
        EventState::Raised
    };
    let differs = state != event.state || mark != event.suppressed_by;
    (event.state, event.suppressed_by) = (state, mark);
    differs
}

#[cfg(test)]
#[path = "alarm_acts_tests.rs"]
mod tests;
