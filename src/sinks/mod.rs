//! The registry of sinks: where committed event changes go. One file each, one row each.
//!
//! Beside the sinks stand the [`store`], which makes changes durable before any sink hears of them,
//! and [`metrics`], which reads the node snapshot instead of the changes.

pub mod event_log;
pub mod live_feed;
pub mod metrics;
pub mod store;

use avwatch_actors::event::EventState;
use avwatch_actors::sink::Sink;

/// One row of the registry.
pub struct SinkKind {
    /// Name in logs and metrics.
    pub name: &'static str,
    /// What it does with a change, in one sentence without a full stop.
    pub summary: &'static str,
    /// Makes an instance, which one thread will own.
    pub build: fn() -> Box<dyn Sink>,
}

/// Every sink that runs without a configuration of its own.
pub const ALL: &[&SinkKind] = &[&event_log::KIND];

/// The word for a state in columns, logs and filters: the one that the event record itself uses.
pub(crate) const fn state_name(state: EventState) -> &'static str {
    match state {
        EventState::Raised => "raised",
        EventState::Escalated => "escalated",
        EventState::Acked => "acked",
        EventState::Suppressed => "suppressed",
        EventState::Ended => "ended",
    }
}

#[cfg(test)]
pub(crate) mod samples {
    //! Made-up events for tests.

    use std::time::{Duration, SystemTime};

    use avwatch_actors::event::{Event, EventKey, EventState, SCHEMA, Wall};
    use avwatch_actors::incident::{INCIDENT_SCHEMA, Incident, IncidentKind, IncidentState};
    use avwatch_actors::severity::Severity;
    use avwatch_actors::track::{SessionNumber, TrackId};

    /// A wall time so many seconds after a fixed moment.
    pub(crate) fn wall(seconds: u64) -> Wall {
        Wall(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000 + seconds))
    }

    /// Incident `id` of host `origin`, with the events `id-1` and `id-2`.
    pub(crate) fn incident(id: &str, second: u64, is_over: bool) -> Incident {
        Incident {
            schema: INCIDENT_SCHEMA.to_owned(),
            id: id.to_owned(),
            change_id: format!("{id}-{second}"),
            kind: IncidentKind::Group,
            state: if is_over { IncidentState::Ended } else { IncidentState::Open },
            severity: Severity::Major,
            common: [("host".to_owned(), "origin".to_owned())].into(),
            started_at: wall(second),
            changed_at: wall(second),
            ended_at: is_over.then(|| wall(second)),
            message: "host origin: 2 of 2 streams fail".to_owned(),
            causes: vec!["input_down on lobby, stage".to_owned()],
            evidence: Vec::new(),
            streams: vec!["lobby".into(), "stage".into()],
            events: vec![format!("{id}-1"), format!("{id}-2")],
            events_total: 2,
            events_open: if is_over { 0 } else { 2 },
            merged_into: None,
            node: "node".into(),
            stored: None,
        }
    }

    /// A change of event `id` of a stream; sequence, change and time follow from `sequence`.
    pub(crate) fn event(id: &str, stream: &str, detector: &str, sequence: u64, state: EventState) -> Event {
        let key = EventKey { stream: stream.into(), track: TrackId::video(0), detector: detector.into() };
        let ended = state == EventState::Ended;
        Event {
            schema: SCHEMA.to_owned(),
            id: id.to_owned(),
            change_id: format!("change-{sequence}"),
            sequence,
            fingerprint: key.fingerprint(None),
            stream: key.stream.clone(),
            program: None,
            rendition: None,
            track: key.track,
            detector: key.detector.clone(),
            severity: Severity::Warning,
            max_severity: Severity::Warning,
            state,
            end_reason: ended.then_some(avwatch_actors::event::EventEnd::Cleared),
            started_at: wall(sequence),
            raised_at: wall(sequence),
            changed_at: wall(sequence),
            ended_at: ended.then(|| wall(sequence)),
            start_s: 8.0,
            end_s: ended.then_some(11.0),
            value: Some(1.0),
            threshold: Some(0.5),
            peak: Some(1.0),
            unit: "ratio".to_owned(),
            message: "picture black for 2.0 s".to_owned(),
            profile: "ott".to_owned(),
            tier: Some("full".to_owned()),
            coverage: Some(1.0),
            labels: [("site".to_owned(), "north".to_owned())].into(),
            session: SessionNumber(7),
            node: "node".into(),
            incident_id: None,
            parent_id: None,
            suppressed_by: None,
            acked_by: None,
            acked_at: None,
            snoozed_until: None,
            comment: None,
            runbook_url: None,
            calm_s: Vec::new(),
            evidence: None,
            stored: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_for_states_are_those_of_the_event_record() {
        for state in
            [EventState::Raised, EventState::Escalated, EventState::Acked, EventState::Suppressed, EventState::Ended]
        {
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{}\"", state_name(state)));
        }
    }

    #[test]
    fn every_row_builds_a_sink_of_its_name() {
        for kind in ALL {
            assert_eq!((kind.build)().name(), kind.name);
        }
    }
}
