//! Reading stored events: a read-only connection of its own, so that a query never delays a commit.
//!
//! Owned by whoever asks, on threads that may block. Every query has a limit of rows and of time.

use std::path::Path;
use std::time::{Duration, SystemTime};

use avwatch_actors::event::{Event, EventState};
use avwatch_actors::severity::Severity;
use avwatch_actors::track::TrackId;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params_from_iter};
use serde::de::DeserializeOwned;

use super::connection::Following;
use super::error::StoreError;
use super::open::bounded;
use super::write::since_epoch;
use crate::sinks::state_name;

/// Most rows of one answer.
pub const PAGE_ROWS_MAX: usize = 1_000;

/// Longest that a query may take.
const QUERY_TIME_MAX: Duration = Duration::from_secs(5);

/// Which events to find; what is absent does not restrict.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// The stream's name.
    pub stream: Option<String>,
    /// The detector's name.
    pub detector: Option<String>,
    /// The track.
    pub track: Option<TrackId>,
    /// This severity now, or a higher one.
    pub severity_min: Option<Severity>,
    /// Where it stands.
    pub state: Option<StateFilter>,
    /// Labels and their values; all must hold.
    pub labels: Vec<(String, String)>,
    /// Still open or changed at or after this time.
    pub since: Option<SystemTime>,
    /// Began before this time.
    pub until: Option<SystemTime>,
    /// Listed by the incident of this id.
    pub incident: Option<String>,
}

/// Which states to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateFilter {
    /// Every state but ended.
    Open,
    /// One state.
    Is(EventState),
}

/// A page of events, newest first.
#[derive(Clone, Debug, Default)]
pub struct EventPage {
    /// The events in their latest state.
    pub events: Vec<Event>,
    /// Where the next page begins; absent on the last one.
    pub next_cursor: Option<String>,
}

/// Reads stored events.
#[derive(Debug)]
pub struct EventReader {
    connection: Following,
}

impl EventReader {
    /// A reader of the store in that data directory. Opens it with the first query.
    pub fn new(data_dir: &Path) -> Self {
        Self { connection: Following::new(data_dir) }
    }

    /// Events, newest first by the time they were raised. `cursor` is [`EventPage::next_cursor`] of
    /// the page before; `limit` is brought to 1 … [`PAGE_ROWS_MAX`].
    pub fn events(
        &mut self,
        filter: &EventFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<EventPage, StoreError> {
        let (events, next_cursor) = self.page("events", conditions(filter, cursor), limit)?;
        Ok(EventPage { events, next_cursor })
    }

    /// The event of that id in its latest state.
    pub fn event(&mut self, id: &str) -> Result<Option<Event>, StoreError> {
        self.one("events", id)
    }

    /// The changes of the event of that id, oldest first; `limit` is brought to 1 … [`PAGE_ROWS_MAX`].
    pub fn changes_of(&mut self, id: &str, limit: usize) -> Result<Vec<Event>, StoreError> {
        let limit = limit.clamp(1, PAGE_ROWS_MAX) as i64;
        let rows = self.query(|connection| {
            let sql = "SELECT json FROM changes WHERE json_extract(json, '$.id') = ?1 ORDER BY sequence LIMIT ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(rusqlite::params![id, limit], |row| row.get(0))?;
            rows.collect::<Result<Vec<String>, _>>()
        })?;
        Ok(rows.iter().filter_map(|json| parse(json)).collect())
    }

    /// Changes after that sequence number, in order; `limit` is brought to 1 … [`PAGE_ROWS_MAX`].
    pub fn changes_since(&mut self, sequence: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let limit = limit.clamp(1, PAGE_ROWS_MAX) as i64;
        let after = i64::try_from(sequence).unwrap_or(i64::MAX);
        let rows = self.query(|connection| {
            let sql = "SELECT json FROM changes WHERE sequence > ?1 ORDER BY sequence LIMIT ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([after, limit], |row| row.get(0))?;
            rows.collect::<Result<Vec<String>, _>>()
        })?;
        Ok(rows.iter().filter_map(|json| parse(json)).collect())
    }

    /// A page of the records of a table for which the conditions hold, newest first by id, and where the
    /// next page begins.
    pub(super) fn page<T: DeserializeOwned>(
        &mut self,
        table: &'static str,
        (conditions, mut values): (String, Vec<Value>),
        limit: usize,
    ) -> Result<(Vec<T>, Option<String>), StoreError> {
        let limit = limit.clamp(1, PAGE_ROWS_MAX);
        // One row more tells whether there is another page.
        values.push(Value::from(limit as i64 + 1));
        let sql = format!("SELECT id, json FROM {table} WHERE {conditions} ORDER BY id DESC LIMIT ?");
        let rows = self.query(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<Vec<(String, String)>, _>>()
        })?;
        let next_cursor = (rows.len() > limit).then(|| rows[limit - 1].0.clone());
        let records = rows.into_iter().take(limit).filter_map(|(_, json)| parse(&json)).collect();
        Ok((records, next_cursor))
    }

    /// The record of that id in a table.
    pub(super) fn one<T: DeserializeOwned>(&mut self, table: &'static str, id: &str) -> Result<Option<T>, StoreError> {
        let sql = format!("SELECT json FROM {table} WHERE id = ?1");
        let json = self.query(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            statement.query_row([id], |row| row.get::<_, String>(0)).optional()
        })?;
        Ok(json.as_deref().and_then(parse))
    }

    fn query<T>(&mut self, query: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>) -> Result<T, StoreError> {
        let path = self.connection.path().to_owned();
        let failed = |what| move |source| StoreError::Database { what, path, source };
        let connection = self.connection().map_err(failed.clone()("open"))?;
        bounded(connection, QUERY_TIME_MAX, query).map_err(failed("read"))
    }

    fn connection(&mut self) -> Result<&Connection, rusqlite::Error> {
        let set_up = |connection: &Connection| connection.pragma_update(None, "query_only", true);
        Ok(self.connection.get(OpenFlags::SQLITE_OPEN_READ_ONLY, set_up)?)
    }
}

/// The WHERE clause of a filter and its values, in order.
fn conditions(filter: &EventFilter, cursor: Option<&str>) -> (String, Vec<Value>) {
    let mut conditions = vec!["true"];
    let mut values: Vec<Value> = Vec::new();
    let mut add = |condition, more: &[Value]| {
        conditions.push(condition);
        values.extend_from_slice(more);
    };
    if let Some(cursor) = cursor {
        add("id < ?", &[cursor.to_owned().into()]);
    }
    if let Some(stream) = &filter.stream {
        add("stream = ?", &[stream.clone().into()]);
    }
    if let Some(detector) = &filter.detector {
        add("detector = ?", &[detector.clone().into()]);
    }
    if let Some(track) = filter.track {
        add("track = ?", &[track.to_string().into()]);
    }
    if let Some(severity) = filter.severity_min {
        add("severity >= ?", &[i64::from(severity as u8).into()]);
    }
    match filter.state {
        // Written out, so that the partial index serves it.
        Some(StateFilter::Open) => add("state <> 'ended'", &[]),
        Some(StateFilter::Is(state)) => add("state = ?", &[state_name(state).to_owned().into()]),
        None => {}
    }
    if let Some(since) = filter.since {
        add("(changed >= ? OR state <> 'ended')", &[since_epoch(since).into()]);
    }
    if let Some(until) = filter.until {
        add("started < ?", &[since_epoch(until).into()]);
    }
    if let Some(incident) = &filter.incident {
        // The list of an incident is bounded, and each of its ids is found by the primary key.
        let condition = "id IN (SELECT value FROM incidents AS incident, json_each(incident.json, '$.events')
            WHERE incident.id = ?)";
        add(condition, &[incident.clone().into()]);
    }
    for (label, value) in &filter.labels {
        // `events.json`, because the rows of json_each have a hidden column `json` themselves.
        let condition = "EXISTS (SELECT 1 FROM json_each(events.json, '$.labels') AS label
            WHERE label.key = ? AND label.value = ?)";
        add(condition, &[label.clone().into(), value.clone().into()]);
    }
    (conditions.join(" AND "), values)
}

/// A record; one that cannot be read is passed over, so that it does not hide all others.
pub(super) fn parse<T: DeserializeOwned>(json: &str) -> Option<T> {
    serde_json::from_str(json)
        .inspect_err(|error| tracing::warn!(fault = %error, "a stored record cannot be read and is passed over"))
        .ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use avwatch_actors::record::Record;
    use avwatch_actors::sink::EventStore;

    use super::*;
    use crate::sinks::samples::event;
    use crate::sinks::store::{Retention, Store};

    #[test]
    fn the_changes_of_an_event_are_found_by_an_index_and_come_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path(), Retention::default()).unwrap();
        let change = |id, sequence, state| Record::Event(Arc::new(event(id, "lobby", "black", sequence, state)));
        let raised = [change("a", 1, EventState::Raised), change("b", 2, EventState::Raised)];
        store.commit(&[&raised[..], &[change("a", 3, EventState::Ended)]].concat()).unwrap();
        let mut reader = store.reader();
        let changes = reader.changes_of("a", 10).unwrap();
        assert_eq!(changes.iter().map(|change| change.sequence).collect::<Vec<_>>(), [1, 3]);
        assert!(reader.changes_of("c", 10).unwrap().is_empty());
        let sql =
            "EXPLAIN QUERY PLAN SELECT json FROM changes WHERE json_extract(json, '$.id') = 'a' ORDER BY sequence";
        let plan: String = reader.connection().unwrap().query_row(sql, [], |row| row.get(3)).unwrap();
        assert!(plan.contains("changes_by_event"), "{plan}");
    }

    #[test]
    fn a_reader_cannot_write() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), Retention::default()).unwrap();
        let mut reader = store.reader();
        assert!(reader.event("none").unwrap().is_none());
        let refused = reader.connection().unwrap().execute("DELETE FROM events", []).unwrap_err();
        assert!(refused.to_string().contains("readonly"), "{refused}");
    }

    #[test]
    fn a_query_that_takes_too_long_is_interrupted() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), Retention::default()).unwrap();
        let mut reader = store.reader();
        let endless = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
        let answer = bounded(reader.connection().unwrap(), Duration::from_millis(5), |connection| {
            connection.query_row(endless, [], |row| row.get::<_, i64>(0))
        });
        assert_eq!(answer.unwrap_err().sqlite_error_code(), Some(rusqlite::ErrorCode::OperationInterrupted));
    }
}
