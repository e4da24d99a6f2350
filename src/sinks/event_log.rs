//! The event log: one structured log line per event change.
//!
//! Owned by its sink thread. It writes through `tracing`, so the lines go wherever the log goes; the
//! target [`TARGET`] is neither filtered by level nor folded as repetition there.

use avwatch_actors::event::{Event, EventState};
use avwatch_actors::record::{Record, events};
use avwatch_actors::severity::Severity;
use avwatch_actors::sink::{Sink, SinkError};

use super::{SinkKind, state_name};

/// Target of the lines, by which they are told apart from all others.
pub const TARGET: &str = "avwatch::event";

/// The row in the registry.
pub const KIND: SinkKind =
    SinkKind { name: "event_log", summary: "writes one log line per event change", build: || Box::new(EventLog) };

/// Writes event changes to the log.
#[derive(Debug)]
pub struct EventLog;

impl Sink for EventLog {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn deliver(&mut self, changes: &[Record]) -> Result<(), SinkError> {
        for event in events(changes) {
            log(event);
        }
        Ok(())
    }
}

/// One line with the level as a constant, which `tracing` requires.
macro_rules! line {
    ($level:ident, $event:ident, $record:ident) => {
        tracing::event!(
            target: TARGET,
            tracing::Level::$level,
            stream = &*$event.stream,
            session = session_of($event),
            detector = &*$event.detector,
            track = %$event.track,
            severity = $event.severity.name(),
            state = state_name($event.state),
            event_id = $event.id,
            event = $record,
            "{}: {}",
            state_name($event.state),
            $event.message
        )
    };
}

/// The session that showed it; none before the first.
fn session_of(event: &Event) -> Option<u64> {
    (event.session.0 > 0).then_some(event.session.0)
}

fn log(event: &Event) {
    // An event is plain data with string keys, so this cannot fail; if it did, the line still says
    // what happened.
    let record = serde_json::to_string(event).unwrap_or_default();
    match (event.state, event.severity) {
        (EventState::Ended | EventState::Acked | EventState::Suppressed, _) | (_, Severity::Info) => {
            line!(INFO, event, record);
        }
        (EventState::Raised | EventState::Escalated, Severity::Warning | Severity::Minor) => {
            line!(WARN, event, record);
        }
        (EventState::Raised | EventState::Escalated, Severity::Major | Severity::Critical) => {
            line!(ERROR, event, record);
        }
    }
}
