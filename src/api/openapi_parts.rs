//! The parts of the OpenAPI document that the table of endpoints refers to: bodies and answers.

use serde_json::{Map, Value, json};

use crate::config::StreamSettings;

/// Keys of `[[streams]]` that only configuration files may use.
const FILE_ONLY: [&str; 1] = ["tls_ca"];

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

fn text() -> Value {
    json!({ "type": "string" })
}

fn described(what: &str) -> Value {
    json!({ "type": "string", "description": what })
}

fn described_object(what: &str) -> Value {
    json!({ "type": "object", "description": what })
}

fn moment() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn number() -> Value {
    json!({ "type": "number" })
}

fn whole() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn list_of(name: &str) -> Value {
    json!({ "type": "array", "items": { "$ref": format!("#/components/schemas/{name}") } })
}

fn object(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties })
}

fn severity() -> Value {
    json!({ "type": "string", "enum": ["info", "warning", "minor", "major", "critical"] })
}

fn log_level() -> Value {
    json!({ "type": "string", "enum": ["trace", "debug", "info", "warn", "error"] })
}

/// Levels by stream.
fn log_levels(level: &Value) -> Value {
    json!({ "type": "object", "additionalProperties": level })
}

fn state() -> Value {
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
    add("Stream", stream());
    add(
        "StreamPage",
        object(
            &["streams", "total", "sequence"],
            json!({
        "streams": list_of("Stream"), "total": whole(), "sequence": whole(), "next_cursor": text() }),
        ),
    );
    add("StreamSettings", stream_settings());
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
        "skipped": { "type": "object", "additionalProperties": text() } }),
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
    add(
        "History",
        object(
            &["stream", "points"],
            json!({
        "stream": text(), "points": { "type": "array", "items": object(&["at", "lasts", "known", "up", "pictures", "sounds"], json!({
            "at": moment(), "lasts": whole(), "known": whole(), "blind": whole(), "up": number(), "worst": severity(), "bitrate": number(),
            "latency_s": described_object("p50, p95 and p99 in seconds from arrival to verdict."),
            "pictures": { "type": "array", "items": { "type": "object" } },
            "sounds": { "type": "array", "items": { "type": "object" } } })) } }),
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
    add(
        "Status",
        object(
            &["version", "node", "ready", "live", "sequence", "streams"],
            json!({
        "version": text(), "ffmpeg": text(), "node": text(), "demo": { "type": "boolean" }, "started_at": moment(),
        "uptime_s": whole(), "live": { "type": "boolean" }, "ready": { "type": "boolean" }, "sequence": whole(),
        "streams": { "type": "object" }, "clone": object(&["streams_elsewhere"], json!({
            "shard": described("Such as 2/5; absent where all configured streams are watched."),
            "detectors": names(), "streams_elsewhere": described_whole("Configured streams that fall to other clones."),
        })), "open_events": counts(), "open_incidents": counts(),
        "blind": { "type": "boolean" }, "store": { "type": "object" },
        "process": { "type": "object" }, "live_clients": whole() }),
        ),
    );
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
    let or_none = json!({ "anyOf": [log_level(), { "type": "null" }] });
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

fn described_whole(what: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": what })
}

fn names() -> Value {
    json!({ "type": "array", "items": { "type": "string" } })
}

fn counts() -> Value {
    json!({ "type": "object", "additionalProperties": { "type": "integer" } })
}

fn role() -> Value {
    json!({ "type": "string", "enum": ["viewer", "operator", "admin"] })
}

fn origin() -> Value {
    json!({ "type": "string", "enum": ["file", "api"] })
}

fn labels() -> Value {
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

/// A stream as lists and the live feed show it.
fn stream() -> Value {
    object(
        &["name", "title", "origin", "mode", "profile", "state", "up", "open"],
        json!({
            "name": text(), "title": text(), "origin": origin(),
            "mode": { "type": "string", "enum": ["live", "observe"] }, "profile": text(), "tier": text(),
            "priority": whole(), "labels": labels(), "url": described("Without secrets."), "runbook_url": text(),
            "state": text(), "up": { "type": "boolean" }, "session": whole(), "last_error": text(),
            "worst": { "type": "object" }, "open": counts(),
            "meters": described_object("Readings of now, in lists that were asked for with meters=true."),
        }),
    )
}

/// The keys of `[[streams]]`, in the words of the configuration.
fn stream_settings() -> Value {
    let schema = schemars::schema_for!(StreamSettings).to_value();
    let keys = schema["properties"].as_object().cloned().unwrap_or_default();
    let properties: Map<String, Value> = keys
        .into_iter()
        .filter(|(key, _)| !FILE_ONLY.contains(&&**key))
        .map(|(key, schema)| {
            let mut about = json!({ "description": schema["description"] });
            if schema["type"].is_string() {
                about["type"] = schema["type"].clone();
            }
            (key, about)
        })
        .collect();
    json!({
        "type": "object",
        "description": "The keys of [[streams]]. No files, no synthetic sources, no ${…}. A secret that was read as *** \
            and is written back stays as it was.",
        "required": ["url"],
        "properties": properties,
    })
}
