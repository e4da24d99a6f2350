//! The parts of the OpenAPI document that the table of endpoints refers to: bodies and answers.

use serde_json::{Map, Value, json};

/// The document's `components`.
pub(super) fn components() -> Value {
    json!({
        "securitySchemes": {
            "bearer": { "type": "http", "scheme": "bearer", "description": "A token of avwatch." },
            "basic": { "type": "http", "scheme": "basic", "description": "Any user name, a token as the password." },
        },
        "responses": {
            "Problem": {
                "description": "What went wrong (RFC 9457).",
                "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
            },
        },
        "schemas": schemas(),
    })
}

pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

pub(super) fn described(what: &str) -> Value {
    json!({ "type": "string", "description": what })
}

pub(super) fn moment() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

pub(super) fn number() -> Value {
    json!({ "type": "number" })
}

pub(super) fn whole() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

pub(super) fn list_of(name: &str) -> Value {
    json!({ "type": "array", "items": { "$ref": format!("#/components/schemas/{name}") } })
}

pub(super) fn object(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties })
}

pub(super) fn severity() -> Value {
    json!({ "type": "string", "enum": ["info", "warning", "minor", "major", "critical"] })
}

/// A truth value; described unless there is nothing to say.
pub(super) fn flag(what: &str) -> Value {
    if what.is_empty() { json!({ "type": "boolean" }) } else { json!({ "type": "boolean", "description": what }) }
}

/// A value that may be null.
pub(super) fn or_null(value: &Value) -> Value {
    json!({ "anyOf": [value, { "type": "null" }] })
}

fn log_level() -> Value {
    json!({ "type": "string", "enum": ["trace", "debug", "info", "warn", "error"] })
}

/// Levels by stream.
fn log_levels(level: &Value) -> Value {
    json!({ "type": "object", "additionalProperties": level })
}

pub(super) fn state() -> Value {
    json!({ "type": "string", "enum": ["raised", "escalated", "acked", "suppressed", "ended"] })
}

fn schemas() -> Value {
    let mut all = Map::new();
    let mut add = |name: &str, schema: Value| all.insert(name.to_owned(), schema);
    add(
        "Problem",
        object(
            &["title", "status"],
            json!({
                "title": text(), "status": whole(), "detail": text(),
                "errors": { "type": "array", "items": object(&["pointer", "detail"], json!({
                    "pointer": described("Where in the body, as a JSON pointer."), "detail": text() })) },
            }),
        ),
    );
    add("Event", event());
    add("ChangeList", object(&["changes"], json!({ "changes": list_of("Event") })));
    add(
        "EventPage",
        object(
            &["events", "sequence"],
            json!({
        "events": list_of("Event"), "sequence": whole(),
        "next_cursor": described("Where the next page begins; absent on the last one.") }),
        ),
    );
    add("Incident", incident());
    add(
        "IncidentPage",
        object(
            &["incidents"],
            json!({
        "incidents": list_of("Incident"),
        "next_cursor": described("Where the next page begins; absent on the last one.") }),
        ),
    );
    add(
        "Ack",
        object(
            &[],
            json!({
        "author": described("Who, where no proxy vouches for a name."), "comment": text(),
        "snooze": described("Give it back by itself after this time, such as 30m.") }),
        ),
    );
    add("Unack", object(&[], json!({ "author": text() })));
    add("Comment", object(&["comment"], json!({ "author": text(), "comment": text() })));
    super::stream_schema::add_to(&mut add);
    add(
        "Apply",
        object(
            &["streams"],
            json!({
        "streams": list_of("StreamSettings"),
        "prune": { "type": "boolean", "description": "Remove streams of the API that are not named." } }),
        ),
    );
    add(
        "Applied",
        object(
            &["dry_run", "added", "changed", "unchanged", "removed"],
            json!({
        "dry_run": { "type": "boolean" },
        "added": names(), "changed": names(), "unchanged": names(), "removed": names(),
        "skipped": { "type": "object", "additionalProperties": text() },
        "ignored": names() }),
        ),
    );
    add(
        "NewSilence",
        object(
            &["matchers", "until"],
            json!({
        "matchers": matchers(), "until": described("RFC 3339, or a span such as 2h."),
        "starts_at": described("RFC 3339, or a span such as 2h from now. Default: now."),
        "reason": text(), "author": text() }),
        ),
    );
    add(
        "Silence",
        object(
            &["id", "kind", "matchers", "starts_at", "until", "author", "active"],
            json!({
        "id": text(), "kind": { "type": "string", "enum": ["silence", "maintenance"] }, "matchers": matchers(),
        "starts_at": moment(), "until": moment(), "created_at": moment(), "reason": text(), "author": text(),
        "active": { "type": "boolean" }, "events": whole() }),
        ),
    );
    add("SilenceList", object(&["silences"], json!({ "silences": list_of("Silence") })));
    add("MaintenanceList", object(&["maintenance"], json!({ "maintenance": list_of("Silence") })));
    add("NewToken", object(&["name", "role"], json!({ "name": text(), "role": role() })));
    add(
        "MadeToken",
        object(
            &["name", "role", "token"],
            json!({
        "name": text(), "role": role(), "token": described("Shown this once."), "created_at": moment() }),
        ),
    );
    let spans = json!({ "type": "array", "items": { "type": "array", "items": whole() },
        "description": "Begin and end of each, in seconds after since; at most 128, the newest." });
    add(
        "Seen",
        object(
            &["since", "until", "streams"],
            json!({
        "since": moment(), "until": moment(), "streams": { "type": "object", "additionalProperties": spans } }),
        ),
    );
    add(
        "Evidence",
        object(
            &["schema", "event", "stream", "detector", "track", "started_at", "written_at", "pictures", "missing"],
            json!({
        "schema": text(), "event": text(), "stream": text(), "detector": text(), "track": text(), "started_at": moment(),
        "written_at": moment(), "trace": text(), "missing": { "type": "array", "items": text() },
        "clip": object(&["file", "container", "bytes", "before_s", "after_s", "key"], json!({
            "file": text(), "container": text(), "bytes": whole(), "before_s": number(), "after_s": number(),
            "key": { "type": "boolean" } })),
        "film": object(&["file", "bytes", "left_out"], json!({
            "file": text(), "bytes": whole(), "left_out": { "type": "array", "items": text() } })),
        "pictures": { "type": "array", "items": object(&["file", "shows", "at_s"], json!({
            "file": text(), "shows": text(), "at_s": number() })) } }),
        ),
    );
    add(
        "TokenList",
        object(
            &["tokens"],
            json!({
        "tokens": { "type": "array", "items": object(&["name", "role", "origin"], json!({
            "name": text(), "role": role(), "origin": origin(), "created_at": moment() })) } }),
        ),
    );
    super::status_schema::add_to(&mut add);
    super::report_schema::add_to(&mut add);
    add("NewNote", object(&["text"], json!({ "text": text(), "author": text() })));
    add(
        "Note",
        object(
            &["id", "at", "author", "text"],
            json!({ "id": text(), "at": moment(), "author": text(), "text": text() }),
        ),
    );
    add("NoteList", object(&["notes"], json!({ "notes": list_of("Note") })));
    receivers(&mut add);
    add(
        "LogLevels",
        object(&["level", "streams"], json!({ "level": log_level(), "streams": log_levels(&log_level()) })),
    );
    let or_none = or_null(&log_level());
    add("NewLogLevels", object(&[], json!({ "level": log_level(), "streams": log_levels(&or_none) })));
    add("Reloaded", object(&["changes"], json!({ "changes": text() })));
    Value::Object(all)
}

fn receivers(add: &mut impl FnMut(&str, Value) -> Option<Value>) {
    let receiver = object(
        &["name", "kind", "target", "from", "state", "pending", "oldest_s", "parked", "outcomes"],
        json!({
            "name": text(), "kind": text(), "target": described("Where it leads, without secrets."), "from": severity(),
            "fallback": text(), "state": { "type": "string", "enum": ["idle", "ok", "failing", "refusing"] },
            "pending": described_whole("Changes that wait."), "oldest_s": number(),
            "parked": described_whole("Messages that are tried no more."), "outcomes": counts(),
            "last_success": moment(), "last_failure": moment(), "last_error": text(),
        }),
    );
    add("ReceiverList", object(&["receivers"], json!({ "receivers": { "type": "array", "items": receiver } })));
    let tried = json!({ "delivered": { "type": "boolean" }, "error": described("Why it was not taken.") });
    add("Tried", object(&["delivered"], tried));
    let parked = object(
        &["id", "created_at", "parked_at", "attempts", "why", "changes"],
        json!({
            "id": text(), "created_at": moment(), "parked_at": moment(), "attempts": whole(), "why": text(),
            "changes": whole(),
        }),
    );
    add("ParkedList", object(&["parked"], json!({ "parked": { "type": "array", "items": parked } })));
}

pub(super) fn described_whole(what: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": what })
}

pub(super) fn names() -> Value {
    json!({ "type": "array", "items": { "type": "string" } })
}

pub(super) fn counts() -> Value {
    json!({ "type": "object", "additionalProperties": { "type": "integer" } })
}

fn role() -> Value {
    json!({ "type": "string", "enum": ["viewer", "operator", "admin"] })
}

pub(super) fn origin() -> Value {
    json!({ "type": "string", "enum": ["file", "api"] })
}

pub(super) fn labels() -> Value {
    json!({ "type": "object", "additionalProperties": { "type": "string" } })
}

fn matchers() -> Value {
    json!({
        "type": "object",
        "description": "Which events: at least one of these; all that are given must hold.",
        "properties": {
            "stream": described("The stream's name; * stands for any characters."), "labels": labels(),
            "detector": described("The detector's name; * stands for any characters."), "track": text(),
        },
    })
}

/// The record of an event.
fn event() -> Value {
    let mut fields = json!({
        "schema": text(), "id": described("The same from raise to end."),
        "change_id": described("Of this change of it."), "sequence": whole(),
        "fingerprint": described("The same for the same condition, on every node."),
        "stream": text(), "program": whole(), "rendition": text(), "track": text(), "detector": text(),
        "severity": severity(), "max_severity": severity(), "state": state(),
        "end_reason": { "type": "string", "enum": ["cleared", "suspended", "unwatched", "stream_removed", "config_changed", "unconfirmed"] },
        "started_at": moment(), "raised_at": moment(), "changed_at": moment(), "ended_at": moment(),
        "start_s": number(), "end_s": number(), "value": number(), "threshold": number(), "peak": number(),
        "unit": text(), "message": text(), "profile": text(), "tier": text(), "coverage": number(), "labels": labels(),
        "session": whole(), "node": text() });
    let around = json!({
        "incident_id": described("The incident of which it is a part."),
        "parent_id": described("The event that explains it, or of which it is a part."),
        "suppressed_by": described("What holds it back: observe, silence:ID, maintenance:ID or event:ID. After the end: set when nobody was told of it."),
        "acked_by": text(), "acked_at": moment(), "snoozed_until": moment(), "comment": text(), "runbook_url": text(),
        "calm_s": { "type": "array", "items": { "type": "array", "items": number(), "minItems": 2, "maxItems": 2 },
            "description": "Of an event that flaps: when its condition was away, in seconds from started_at; at most 64." },
        "evidence": described("Where evidence of it is, once it is written."),
        "stored": { "type": "boolean", "description": "False when it could not be stored before it was told; else absent." } });
    if let (Value::Object(fields), Value::Object(around)) = (&mut fields, around) {
        fields.extend(around);
    }
    let required =
        ["schema", "id", "change_id", "sequence", "fingerprint", "stream", "track", "detector", "severity", "state"];
    object(&required, fields)
}

/// The record of an incident.
fn incident() -> Value {
    object(
        &[
            "schema",
            "id",
            "change_id",
            "kind",
            "state",
            "severity",
            "started_at",
            "changed_at",
            "message",
            "streams",
            "events",
            "events_total",
            "events_open",
            "node",
        ],
        json!({
            "schema": text(), "id": described("The same from begin to end."),
            "change_id": described("Of this change of it."),
            "kind": { "type": "string", "enum": ["stream", "group", "outage", "blind"] },
            "state": { "type": "string", "enum": ["open", "ended"] }, "severity": severity(),
            "common": { "type": "object", "additionalProperties": text(),
                "description": "What its streams share: host, or the name of a label, with its value." },
            "started_at": moment(), "changed_at": moment(), "ended_at": moment(), "message": text(),
            "causes": { "type": "array", "items": text(), "description": "From cause to consequence." },
            "evidence": { "type": "array", "items": text(), "description": "Counts, and what probes found." },
            "streams": names(),
            "events": { "type": "array", "items": text(),
                "description": "Ids of its events, oldest first: at most 10,000, in lists at most 100." },
            "events_total": whole(), "events_open": whole(),
            "merged_into": described("Id of the incident that took its open events over."), "node": text(),
            "stored": { "type": "boolean", "description": "False when it could not be stored before it was told; else absent." },
        }),
    )
}
