//! The one table of endpoints: who may ask what, with which parameters, and on which condition.
//!
//! Routing, the answers 405, the checks of roles, parameters and conditions, and the OpenAPI document are all
//! made from it: what is not in the table is not served.

use actix_web::Route;

use super::query::Param;
use super::verb::Verb;
use super::{
    apply, events, health, incidents, live, log, metrics, notes, openapi, past, probe, receivers, reload, report, seen,
    silences, status, stream_changes, streams, thumbnail, tokens,
};
use crate::access::Role;

/// One endpoint.
#[derive(Clone, Copy)]
pub(super) struct Endpoint {
    /// What is done.
    pub verb: Verb,
    /// The path, with `{name}` for what varies.
    pub path: &'static str,
    /// The weakest role that may ask; nobody is asked who they are when absent.
    pub role: Option<Role>,
    /// Its name in the documentation.
    pub id: &'static str,
    /// What it does, in one sentence without a full stop.
    pub summary: &'static str,
    /// The parameters of the query; all others are refused.
    pub query: &'static [Param],
    /// The schema of the body; empty for none, `List` for text.
    pub body: &'static str,
    /// The path whose answer has the tag that `If-Match` of a change is compared with; empty where nothing has one.
    pub tag_of: &'static str,
    /// The answer when all is well: status, schema, media type.
    pub answer: (u16, &'static str, &'static str),
    /// Puts the handler on a route.
    pub attach: fn(Route) -> Route,
}

impl Endpoint {
    /// Whether it puts something where it may have been before or not: `If-None-Match: *` then asks that it was not.
    pub(super) fn may_add(&self) -> bool {
        self.verb == Verb::Put && self.path.ends_with('}')
    }

    /// Whether what a change works on is there to be read, or else is answered 404: all that `If-Match: *` asks for.
    pub(super) fn is_there(&self) -> bool {
        let is_read = |other: &Self| other.verb == Verb::Get && other.path == self.path;
        !self.tag_of.is_empty() || self.verb == Verb::Delete || ENDPOINTS.iter().any(is_read)
    }
}

const fn endpoint(verb: Verb, path: &'static str, role: Option<Role>, id: &'static str) -> Endpoint {
    let answer = (200, "", JSON);
    Endpoint { verb, path, role, id, summary: "", query: &[], body: "", tag_of: "", answer, attach: |route| route }
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain";
const ADMIN: Option<Role> = Some(Role::Admin);
const VIEWER: Option<Role> = Some(Role::Viewer);
const OPERATOR: Option<Role> = Some(Role::Operator);
const STREAM: &str = "/api/v1/streams/{name}";
const EVENT: &str = "/api/v1/events/{id}";
const LOG: &str = "/api/v1/log";

/// Every endpoint; those of one path stand together.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        summary: "Tells whether the process lives",
        answer: (200, "", TEXT),
        attach: |route| route.to(health::live),
        ..endpoint(Verb::Get, "/livez", None, "livez")
    },
    Endpoint {
        summary: "Tells whether the process lives",
        answer: (200, "", TEXT),
        attach: |route| route.to(health::live),
        ..endpoint(Verb::Get, "/-/healthy", None, "healthy")
    },
    Endpoint {
        summary: "Tells whether requests can be served",
        answer: (200, "", TEXT),
        attach: |route| route.to(health::ready),
        ..endpoint(Verb::Get, "/readyz", None, "readyz")
    },
    Endpoint {
        summary: "Tells whether requests can be served",
        answer: (200, "", TEXT),
        attach: |route| route.to(health::ready),
        ..endpoint(Verb::Get, "/-/ready", None, "ready")
    },
    Endpoint {
        summary: "Gives the metrics for Prometheus",
        query: metrics::QUERY,
        answer: (200, "", TEXT),
        attach: |route| route.to(metrics::metrics),
        ..endpoint(Verb::Get, "/metrics", VIEWER, "metrics")
    },
    Endpoint {
        summary: "Reads the configuration again",
        answer: (200, "Reloaded", JSON),
        attach: |route| route.to(reload::reload),
        ..endpoint(Verb::Post, "/-/reload", ADMIN, "reload")
    },
    Endpoint {
        summary: "Looks at one address once and tells what it found as metrics",
        query: probe::QUERY,
        answer: (200, "", TEXT),
        attach: |route| route.to(probe::probe),
        ..endpoint(Verb::Get, "/probe", OPERATOR, "probe")
    },
    Endpoint {
        summary: "Tells what runs and how it is",
        answer: (200, "Status", JSON),
        attach: |route| route.to(status::status),
        ..endpoint(Verb::Get, "/api/v1/status", VIEWER, "status")
    },
    Endpoint {
        summary: "Lists streams by name, each with its state and worst open event",
        query: streams::LIST,
        answer: (200, "StreamPage", JSON),
        attach: |route| route.to(streams::list),
        ..endpoint(Verb::Get, "/api/v1/streams", VIEWER, "streams")
    },
    Endpoint {
        summary: "Adds a stream",
        body: "StreamSettings",
        answer: (201, "StreamDetail", JSON),
        attach: |route| route.to(stream_changes::add),
        ..endpoint(Verb::Post, "/api/v1/streams", ADMIN, "add_stream")
    },
    Endpoint {
        summary: "Gives one stream with its tracks and open events; the tag names its settings",
        tag_of: STREAM,
        answer: (200, "StreamDetail", JSON),
        attach: |route| route.to(streams::one),
        ..endpoint(Verb::Get, STREAM, VIEWER, "stream")
    },
    Endpoint {
        summary: "Adds or replaces a stream",
        body: "StreamSettings",
        tag_of: STREAM,
        answer: (200, "StreamDetail", JSON),
        attach: |route| route.to(stream_changes::replace),
        ..endpoint(Verb::Put, STREAM, ADMIN, "put_stream")
    },
    Endpoint {
        summary: "Removes a stream and ends its events",
        tag_of: STREAM,
        answer: (204, "", ""),
        attach: |route| route.to(stream_changes::remove),
        ..endpoint(Verb::Delete, STREAM, ADMIN, "remove_stream")
    },
    Endpoint {
        summary: "Adds, changes and removes many streams, wholly or not at all",
        query: apply::APPLY,
        body: "Apply",
        answer: (200, "Applied", JSON),
        attach: |route| route.to(apply::apply),
        ..endpoint(Verb::Post, "/api/v1/apply", ADMIN, "apply")
    },
    Endpoint {
        summary: "Adds the streams of an M3U, CSV or JSON list that are not there yet, in mode observe",
        query: apply::IMPORT,
        body: "List",
        answer: (200, "Applied", JSON),
        attach: |route| route.to(apply::import),
        ..endpoint(Verb::Post, "/api/v1/import", ADMIN, "import")
    },
    Endpoint {
        summary: "Gives the newest picture of a stream as JPEG; Last-Modified says when it was taken",
        answer: (200, "", "image/jpeg"),
        attach: |route| route.to(thumbnail::thumbnail),
        ..endpoint(Verb::Get, "/api/v1/streams/{name}/thumbnail", VIEWER, "thumbnail")
    },
    Endpoint {
        summary: "Tells what a stream showed over time, and how bad it was",
        query: past::HISTORY,
        answer: (200, "History", JSON),
        attach: |route| route.to(past::history),
        ..endpoint(Verb::Get, "/api/v1/streams/{name}/history", VIEWER, "history")
    },
    Endpoint {
        summary: "Tells when streams were seen, of all of them by the minute",
        query: seen::SEEN,
        answer: (200, "Seen", JSON),
        attach: |route| route.to(seen::seen),
        ..endpoint(Verb::Get, "/api/v1/seen", VIEWER, "seen")
    },
    Endpoint {
        summary: "Lists stored events, newest first",
        query: events::LIST,
        answer: (200, "EventPage", JSON),
        attach: |route| route.to(events::list),
        ..endpoint(Verb::Get, "/api/v1/events", VIEWER, "events")
    },
    Endpoint {
        summary: "Tells how available streams were and how long errors lasted, and which alarms were noise",
        query: report::REPORT,
        answer: (200, "ServiceReport", JSON),
        attach: |route| route.to(report::report),
        ..endpoint(Verb::Get, "/api/v1/report", VIEWER, "report")
    },
    Endpoint {
        summary: "Tells how many alarms a detector would have raised under other hold times or another threshold",
        query: report::TUNE,
        answer: (200, "Tuned", JSON),
        attach: |route| route.to(report::tune),
        ..endpoint(Verb::Get, "/api/v1/tune", VIEWER, "tune")
    },
    Endpoint {
        summary: "Gives one event",
        tag_of: EVENT,
        answer: (200, "Event", JSON),
        attach: |route| route.to(events::one),
        ..endpoint(Verb::Get, EVENT, VIEWER, "event")
    },
    Endpoint {
        summary: "Gives the changes of an event, oldest first",
        answer: (200, "ChangeList", JSON),
        attach: |route| route.to(events::changes),
        ..endpoint(Verb::Get, "/api/v1/events/{id}/changes", VIEWER, "event_changes")
    },
    Endpoint {
        summary: "Lists incidents, newest first: what failed together",
        query: incidents::LIST,
        answer: (200, "IncidentPage", JSON),
        attach: |route| route.to(incidents::list),
        ..endpoint(Verb::Get, "/api/v1/incidents", VIEWER, "incidents")
    },
    Endpoint {
        summary: "Gives one incident with the ids of all its events",
        answer: (200, "Incident", JSON),
        attach: |route| route.to(incidents::one),
        ..endpoint(Verb::Get, "/api/v1/incidents/{id}", VIEWER, "incident")
    },
    Endpoint {
        summary: "Tells what evidence of an event there is, and what is missing",
        answer: (200, "Evidence", JSON),
        attach: |route| route.to(past::evidence),
        ..endpoint(Verb::Get, "/api/v1/events/{id}/evidence", VIEWER, "evidence")
    },
    Endpoint {
        summary: "Gives a file of the evidence of an event: a clip, a picture or the facts over time",
        answer: (200, "", "application/octet-stream"),
        attach: |route| route.to(past::file),
        ..endpoint(Verb::Get, "/api/v1/events/{id}/evidence/{file}", VIEWER, "evidence_file")
    },
    Endpoint {
        summary: "Takes an event: somebody looks after it",
        body: "Ack",
        tag_of: EVENT,
        answer: (200, "Event", JSON),
        attach: |route| route.to(events::ack),
        ..endpoint(Verb::Post, "/api/v1/events/{id}/ack", OPERATOR, "ack")
    },
    Endpoint {
        summary: "Gives an event back",
        body: "Unack",
        tag_of: EVENT,
        answer: (200, "Event", JSON),
        attach: |route| route.to(events::unack),
        ..endpoint(Verb::Post, "/api/v1/events/{id}/unack", OPERATOR, "unack")
    },
    Endpoint {
        summary: "Remarks on an event, also after its end",
        body: "Comment",
        tag_of: EVENT,
        answer: (200, "Event", JSON),
        attach: |route| route.to(events::comment),
        ..endpoint(Verb::Post, "/api/v1/events/{id}/comment", OPERATOR, "comment")
    },
    Endpoint {
        summary: "Lists what is in force and planned",
        answer: (200, "SilenceList", JSON),
        attach: |route| route.to(silences::list_silences),
        ..endpoint(Verb::Get, "/api/v1/silences", VIEWER, "silences")
    },
    Endpoint {
        summary: "Holds notifications of some events back for a while, and marks those events",
        body: "NewSilence",
        answer: (201, "Silence", JSON),
        attach: |route| route.to(silences::add_silence),
        ..endpoint(Verb::Post, "/api/v1/silences", OPERATOR, "add_silence")
    },
    Endpoint {
        summary: "Ends it early",
        answer: (204, "", ""),
        attach: |route| route.to(silences::end_silence),
        ..endpoint(Verb::Delete, "/api/v1/silences/{id}", OPERATOR, "end_silence")
    },
    Endpoint {
        summary: "Lists what is in force and planned",
        answer: (200, "MaintenanceList", JSON),
        attach: |route| route.to(silences::list_maintenance),
        ..endpoint(Verb::Get, "/api/v1/maintenance", VIEWER, "maintenance")
    },
    Endpoint {
        summary: "Holds notifications of some events back for a while, and marks those events",
        body: "NewSilence",
        answer: (201, "Silence", JSON),
        attach: |route| route.to(silences::add_maintenance),
        ..endpoint(Verb::Post, "/api/v1/maintenance", OPERATOR, "add_maintenance")
    },
    Endpoint {
        summary: "Ends it early",
        answer: (204, "", ""),
        attach: |route| route.to(silences::end_maintenance),
        ..endpoint(Verb::Delete, "/api/v1/maintenance/{id}", OPERATOR, "end_maintenance")
    },
    Endpoint {
        summary: "Lists who is notified, and how that goes",
        answer: (200, "ReceiverList", JSON),
        attach: |route| route.to(receivers::list),
        ..endpoint(Verb::Get, "/api/v1/receivers", VIEWER, "receivers")
    },
    Endpoint {
        summary: "Sends a receiver a test message and tells whether it was taken; 6 times a minute",
        answer: (200, "Tried", JSON),
        attach: |route| route.to(receivers::test),
        ..endpoint(Verb::Post, "/api/v1/receivers/{name}/test", OPERATOR, "test_receiver")
    },
    Endpoint {
        summary: "Lists messages that a receiver did not take and that are tried no more, newest first",
        answer: (200, "ParkedList", JSON),
        attach: |route| route.to(receivers::parked),
        ..endpoint(Verb::Get, "/api/v1/receivers/{name}/parked", VIEWER, "parked")
    },
    Endpoint {
        summary: "Sends a parked message again",
        answer: (202, "", ""),
        attach: |route| route.to(receivers::retry),
        ..endpoint(Verb::Post, "/api/v1/receivers/{name}/parked/{id}/retry", OPERATOR, "retry_parked")
    },
    Endpoint {
        summary: "Lists tokens by name, without their text",
        answer: (200, "TokenList", JSON),
        attach: |route| route.to(tokens::list),
        ..endpoint(Verb::Get, "/api/v1/tokens", ADMIN, "tokens")
    },
    Endpoint {
        summary: "Makes a token, which is shown this once",
        body: "NewToken",
        answer: (201, "MadeToken", JSON),
        attach: |route| route.to(tokens::add),
        ..endpoint(Verb::Post, "/api/v1/tokens", ADMIN, "add_token")
    },
    Endpoint {
        summary: "Removes a token",
        answer: (204, "", ""),
        attach: |route| route.to(tokens::remove),
        ..endpoint(Verb::Delete, "/api/v1/tokens/{name}", ADMIN, "remove_token")
    },
    Endpoint {
        summary: "Tells what is logged, for the whole service and for streams with a level of their own",
        tag_of: LOG,
        answer: (200, "LogLevels", JSON),
        attach: |route| route.to(log::levels),
        ..endpoint(Verb::Get, LOG, ADMIN, "log_levels")
    },
    Endpoint {
        summary: "Changes what is logged until the next start",
        body: "NewLogLevels",
        tag_of: LOG,
        answer: (200, "LogLevels", JSON),
        attach: |route| route.to(log::set_levels),
        ..endpoint(Verb::Put, LOG, ADMIN, "set_log_levels")
    },
    Endpoint {
        summary: "Lists shift notes, newest first",
        answer: (200, "NoteList", JSON),
        attach: |route| route.to(notes::list),
        ..endpoint(Verb::Get, "/api/v1/notes", VIEWER, "notes")
    },
    Endpoint {
        summary: "Leaves a note for the next shift",
        body: "NewNote",
        answer: (201, "Note", JSON),
        attach: |route| route.to(notes::add),
        ..endpoint(Verb::Post, "/api/v1/notes", OPERATOR, "add_note")
    },
    Endpoint {
        summary: "Removes a note",
        answer: (204, "", ""),
        attach: |route| route.to(notes::remove),
        ..endpoint(Verb::Delete, "/api/v1/notes/{id}", OPERATOR, "remove_note")
    },
    Endpoint {
        summary: "Streams event changes, states of streams and meters as server-sent events",
        query: live::QUERY,
        answer: (200, "", "text/event-stream"),
        attach: |route| route.to(live::live),
        ..endpoint(Verb::Get, "/api/v1/live", VIEWER, "live")
    },
    Endpoint {
        summary: "Gives this document",
        attach: |route| route.to(openapi::openapi),
        ..endpoint(Verb::Get, "/api/v1/openapi.json", VIEWER, "openapi")
    },
    Endpoint {
        summary: "Gives this reference as a page",
        answer: (200, "", "text/html"),
        attach: |route| route.to(openapi::docs),
        ..endpoint(Verb::Get, "/docs/", VIEWER, "docs")
    },
    Endpoint {
        summary: "Gives the style of the reference page",
        answer: (200, "", "text/css"),
        attach: |route| route.to(openapi::style),
        ..endpoint(Verb::Get, "/docs/style.css", VIEWER, "docs_style")
    },
    Endpoint {
        summary: "Leads to the reference page",
        answer: (308, "", ""),
        attach: |route| route.to(openapi::to_docs),
        ..endpoint(Verb::Get, "/docs", VIEWER, "to_docs")
    },
];
