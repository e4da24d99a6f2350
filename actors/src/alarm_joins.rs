//! Which incident an open event is part of, noted in the model, so that every later change says so.

use super::{AlarmModel, number};
use crate::event::{Event, EventKey, Wall};

/// How the model learns of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// A change that is on its way says it already.
    Noted,
    /// Nothing of the event is on its way: that it joined is a change of its own.
    Told(Wall),
}

impl AlarmModel {
    /// Notes of which incident an open event is a part; gives the change to commit and publish, if
    /// that is one of its own.
    pub fn join(&mut self, key: &EventKey, id: &str, incident: &str, joining: Joining) -> Option<Event> {
        let open = self.open.get_mut(key).filter(|open| open.event.id == id)?;
        if open.event.incident_id.as_deref() == Some(incident) {
            return None;
        }
        open.event.incident_id = Some(incident.to_owned());
        let Joining::Told(now) = joining else { return None };
        open.event.changed_at = now;
        open.reword(now);
        self.sequence += 1;
        number(&mut open.event, self.sequence);
        Some(open.event.clone())
    }
}
