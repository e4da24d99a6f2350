//! Records and messages made up for tests of channels.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use avwatch_actors::event::{Event, EventEnd, EventKey, EventState, SCHEMA, Wall};
use avwatch_actors::incident::{INCIDENT_SCHEMA, Incident, IncidentKind, IncidentState};
use avwatch_actors::record::Record;
use avwatch_actors::severity::Severity;
use avwatch_actors::track::{SessionNumber, TrackId};

use super::{Content, Links, Message};

/// When the conditions of all samples began: a minute before the tests do.
pub(crate) fn began() -> Wall {
    Wall(SystemTime::now() - Duration::from_secs(60))
}

fn later(wall: Wall, seconds: u64) -> Wall {
    Wall(wall.0 + Duration::from_secs(seconds))
}

/// A critical event, just raised.
pub(crate) fn event(stream: &str, detector: &str) -> Event {
    let key = EventKey { stream: stream.into(), track: TrackId::video(0), detector: detector.into() };
    let began = began();
    Event {
        schema: SCHEMA.to_owned(),
        id: format!("0193-{stream}-{detector}"),
        change_id: format!("change-{stream}-{detector}"),
        sequence: 1,
        fingerprint: key.fingerprint(None),
        stream: key.stream,
        program: None,
        rendition: None,
        track: key.track,
        detector: key.detector,
        severity: Severity::Critical,
        max_severity: Severity::Critical,
        state: EventState::Raised,
        end_reason: None,
        started_at: began,
        raised_at: later(began, 30),
        changed_at: later(began, 30),
        ended_at: None,
        start_s: 100.0,
        end_s: None,
        value: Some(1.0),
        threshold: Some(0.98),
        peak: Some(1.0),
        unit: "ratio".to_owned(),
        message: "picture black for 30 s".to_owned(),
        profile: "ott".to_owned(),
        tier: Some("full".to_owned()),
        coverage: None,
        labels: BTreeMap::from([("site".to_owned(), "north".to_owned())]),
        session: SessionNumber(1),
        node: "monitor-1".into(),
        incident_id: None,
        parent_id: None,
        suppressed_by: None,
        acked_by: None,
        acked_at: None,
        snoozed_until: None,
        comment: None,
        runbook_url: Some("https://wiki.example/black".to_owned()),
        calm_s: Vec::new(),
        evidence: None,
        stored: None,
    }
}

pub(crate) fn raised(stream: &str, detector: &str) -> Record {
    Record::Event(Arc::new(event(stream, detector)))
}

pub(crate) fn escalated(stream: &str, detector: &str) -> Record {
    Record::Event(Arc::new(Event { state: EventState::Escalated, ..event(stream, detector) }))
}

pub(crate) fn ended(stream: &str, detector: &str) -> Record {
    let event = event(stream, detector);
    Record::Event(Arc::new(Event {
        state: EventState::Ended,
        end_reason: Some(EventEnd::Cleared),
        changed_at: later(event.started_at, 52),
        ended_at: Some(later(event.started_at, 42)),
        end_s: Some(142.0),
        ..event
    }))
}

/// The same, but since nobody looks any more.
pub(crate) fn unwatched(stream: &str, detector: &str) -> Record {
    let Record::Event(event) = ended(stream, detector) else { unreachable!("it is an event") };
    Record::Event(Arc::new(Event { end_reason: Some(EventEnd::Unwatched), ..(*event).clone() }))
}

/// An incident of that many streams `s0`, `s1`, …, which are all black.
pub(crate) fn incident(id: &str, streams: u64, open: bool) -> Record {
    let began = began();
    Record::Incident(Arc::new(Incident {
        schema: INCIDENT_SCHEMA.to_owned(),
        id: id.to_owned(),
        change_id: format!("change-{id}"),
        kind: IncidentKind::Group,
        state: if open { IncidentState::Open } else { IncidentState::Ended },
        severity: Severity::Critical,
        common: BTreeMap::from([("host".to_owned(), "origin-1".to_owned())]),
        started_at: began,
        changed_at: later(began, 42),
        ended_at: (!open).then(|| later(began, 42)),
        message: format!("{streams} streams of host origin-1 fail"),
        causes: vec!["origin-1 does not answer".to_owned()],
        evidence: vec![format!("{streams} of {streams} inputs down")],
        streams: (0..streams).map(|index| Arc::from(format!("s{index}"))).collect(),
        events: (0..streams).map(|index| format!("0193-s{index}-black")).collect(),
        events_total: streams,
        events_open: if open { streams } else { 0 },
        merged_into: None,
        node: "monitor-1".into(),
        stored: None,
    }))
}

fn links() -> Links {
    Links { base: "https://monitor.example/".parse().ok() }
}

/// Changes as a digest gathers them: one that is open and got worse, one that came and went, one that is over.
pub(crate) fn digest() -> Vec<Record> {
    vec![raised("a", "black"), raised("b", "black"), escalated("a", "black"), ended("b", "black"), ended("c", "black")]
}

pub(crate) fn message(records: Vec<Record>) -> Message {
    Message {
        id: "msg-1".to_owned(),
        created_at: Wall(SystemTime::now()),
        receiver: "noc".into(),
        links: links(),
        content: Content::Changes(records.into()),
    }
}

pub(crate) fn test(by: &str) -> Message {
    Message { content: Content::Test { by: by.to_owned() }, ..message(Vec::new()) }
}
