//! Reading stored incidents: pages of them, and one by its id.
//!
//! Part of [`EventReader`], with its limits of rows and of time.

use std::time::SystemTime;

use avwatch_actors::incident::Incident;
use rusqlite::types::Value;

use super::error::StoreError;
use super::reader::EventReader;
use super::write::since_epoch;

/// Which incidents to find; what is absent does not restrict.
#[derive(Clone, Debug, Default)]
pub struct IncidentFilter {
    /// Only open or only ended ones.
    pub open: Option<bool>,
    /// Still open or changed at or after this time.
    pub since: Option<SystemTime>,
    /// Began before this time.
    pub until: Option<SystemTime>,
}

/// A page of incidents, newest first.
#[derive(Clone, Debug, Default)]
pub struct IncidentPage {
    /// The incidents in their latest state, with the first of their events listed.
    pub incidents: Vec<Incident>,
    /// Where the next page begins; absent on the last one.
    pub next_cursor: Option<String>,
}

impl EventReader {
    /// Incidents, newest first by the time they were found. `cursor` is [`IncidentPage::next_cursor`] of
    /// the page before; `limit` is brought to 1 … [`PAGE_ROWS_MAX`](super::PAGE_ROWS_MAX).
    ///
    /// # Errors
    /// The store cannot be read, or not in time.
    pub fn incidents(
        &mut self,
        filter: &IncidentFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<IncidentPage, StoreError> {
        let (found, next_cursor) = self.page("incidents", conditions(filter, cursor), limit)?;
        Ok(IncidentPage {
            incidents: found.into_iter().map(|incident: Incident| incident.brief()).collect(),
            next_cursor,
        })
    }

    /// The incident of that id in its latest state.
    ///
    /// # Errors
    /// The store cannot be read, or not in time.
    pub fn incident(&mut self, id: &str) -> Result<Option<Incident>, StoreError> {
        self.one("incidents", id)
    }
}

/// The WHERE clause of a filter and its values, in order.
fn conditions(filter: &IncidentFilter, cursor: Option<&str>) -> (String, Vec<Value>) {
    let mut conditions = vec!["true"];
    let mut values: Vec<Value> = Vec::new();
    if let Some(cursor) = cursor {
        conditions.push("id < ?");
        values.push(cursor.to_owned().into());
    }
    match filter.open {
        // Written out, so that the partial index serves it.
        Some(true) => conditions.push("state <> 'ended'"),
        Some(false) => conditions.push("state = 'ended'"),
        None => {}
    }
    if let Some(since) = filter.since {
        conditions.push("(changed >= ? OR state <> 'ended')");
        values.push(since_epoch(since).into());
    }
    if let Some(until) = filter.until {
        conditions.push("started < ?");
        values.push(since_epoch(until).into());
    }
    (conditions.join(" AND "), values)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use avwatch_actors::event::EventState;
    use avwatch_actors::record::Record;
    use avwatch_actors::sink::EventStore;

    use super::*;
    use crate::sinks::samples::{event, incident, wall};
    use crate::sinks::store::{EventFilter, Retention, Store};

    #[test]
    fn incidents_are_found_page_by_page_and_with_their_events() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path(), Retention::default()).unwrap();
        let mut records: Vec<Record> = (1..=5)
            .map(|number| Record::Incident(Arc::new(incident(&format!("i{number}"), number, number < 4))))
            .collect();
        for (number, id) in ["i5-1", "i5-2", "other"].into_iter().enumerate() {
            records.push(Record::Event(Arc::new(event(id, "lobby", "black", number as u64 + 1, EventState::Raised))));
        }
        store.commit(&records).unwrap();
        let mut reader = store.reader();
        let ids = |page: &IncidentPage| page.incidents.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
        let mut find = |filter: &IncidentFilter, cursor: Option<&str>| reader.incidents(filter, cursor, 2).unwrap();
        let first = find(&IncidentFilter::default(), None);
        assert_eq!((ids(&first), first.next_cursor.as_deref()), (vec!["i5".to_owned(), "i4".to_owned()], Some("i4")));
        assert_eq!(ids(&find(&IncidentFilter::default(), Some("i2"))), ["i1"]);
        assert_eq!(ids(&find(&IncidentFilter { open: Some(true), ..Default::default() }, None)), ["i5", "i4"]);
        let ended_since = IncidentFilter { open: Some(false), since: Some(wall(3).0), ..Default::default() };
        assert_eq!(ids(&find(&ended_since, None)), ["i3"]);
        assert_eq!(ids(&find(&IncidentFilter { until: Some(wall(2).0), ..Default::default() }, None)), ["i1"]);
        assert_eq!(reader.incident("i3").unwrap().unwrap().id, "i3");
        assert!(reader.incident("none").unwrap().is_none());
        let of = EventFilter { incident: Some("i5".to_owned()), ..EventFilter::default() };
        let events = reader.events(&of, None, 10).unwrap().events;
        assert_eq!(events.iter().map(|event| &*event.id).collect::<Vec<_>>(), ["i5-2", "i5-1"]);
    }
}
