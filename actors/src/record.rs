//! What the desk commits and publishes: changes of events, and of the incidents that they form.

use std::sync::Arc;

use crate::event::Event;
use crate::incident::Incident;

/// One committed change.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// An event changed.
    Event(Arc<Event>),
    /// An incident changed. It comes behind the change of the event that changed it.
    Incident(Arc<Incident>),
}

impl Record {
    /// The event, if it is one.
    pub fn event(&self) -> Option<&Arc<Event>> {
        match self {
            Self::Event(event) => Some(event),
            Self::Incident(_) => None,
        }
    }

    /// The incident, if it is one.
    pub fn incident(&self) -> Option<&Arc<Incident>> {
        match self {
            Self::Event(_) => None,
            Self::Incident(incident) => Some(incident),
        }
    }

    /// Unique to this change.
    pub fn change_id(&self) -> &str {
        match self {
            Self::Event(event) => &event.change_id,
            Self::Incident(incident) => &incident.change_id,
        }
    }

    /// The same, marked as not stored.
    pub fn unstored(&self) -> Self {
        match self {
            Self::Event(event) => Self::Event(Arc::new(Event { stored: Some(false), ..(**event).clone() })),
            Self::Incident(incident) => {
                Self::Incident(Arc::new(Incident { stored: Some(false), ..(**incident).clone() }))
            }
        }
    }
}

/// The events among records.
pub fn events(records: &[Record]) -> impl Iterator<Item = &Arc<Event>> {
    records.iter().filter_map(Record::event)
}
