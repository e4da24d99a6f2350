//! The parts of the OpenAPI document that tell of reports on the past.

use serde_json::{Value, json};

/// Adds the schemas.
pub(super) fn add_to(add: &mut impl FnMut(&str, Value) -> Option<Value>) {
    let (text, number, whole) =
        (json!({ "type": "string" }), json!({ "type": "number" }), json!({ "type": "integer", "minimum": 0 }));
    let moment = json!({ "type": "string", "format": "date-time" });
    let figures = json!({
        "streams": whole, "availability": number, "watched_s": number, "not_watched_s": number, "maintenance_s": number,
        "errored_s": number, "events": whole, "detect_median_s": number, "detect_max_s": number,
        "recover_median_s": number, "recover_max_s": number,
    });
    add(
        "Figures",
        json!({ "type": "object", "required": ["streams", "watched_s", "errored_s", "events"], "properties": figures }),
    );
    let figures_of = json!({ "$ref": "#/components/schemas/Figures" });
    let worst = json!({ "type": "object", "properties": {
        "id": text, "detector": text, "track": text, "severity": text, "started_at": moment, "ended_at": moment,
        "duration_s": number, "message": text } });
    let stream = json!({ "allOf": [figures_of, { "type": "object", "required": ["stream", "worst"], "properties": {
        "stream": text, "group": text, "mode": text, "worst": { "type": "array", "items": worst } } }] });
    let noise = json!({ "type": "object", "properties": {
        "pairs": { "type": "array", "items": { "type": "object", "properties": {
            "stream": text, "detector": text, "events": whole, "per_day": number, "open_share": number, "median_s": number,
            "flaps": whole, "critical": whole, "suggestion": text, "config": text, "events_then": whole } } },
        "more": whole,
        "candidates": { "type": "array", "items": { "type": "object", "properties": {
            "stream": text, "watched_s": number, "alarms": whole, "last_alarm_at": moment, "ready": { "type": "boolean" } } } } } });
    let texts = json!({ "type": "array", "items": text });
    add(
        "ServiceReport",
        json!({
            "type": "object",
            "required": ["schema", "since", "until", "from", "total", "groups", "streams", "notes", "definitions"],
            "properties": {
                "schema": text, "since": moment, "until": moment, "from": text, "group_label": text, "total": figures_of,
                "groups": { "type": "object", "additionalProperties": figures_of },
                "streams": { "type": "array", "items": stream }, "noise": noise, "notes": texts, "definitions": texts,
            },
        }),
    );
    let alarms = json!({ "type": "object", "properties": {
        "alarms": whole, "info": whole, "warning": whole, "minor": whole, "major": whole, "critical": whole } });
    add(
        "Tuned",
        json!({
            "type": "object",
            "required": ["schema", "detector", "since", "until", "streams", "raised", "configured", "tuned", "notes"],
            "properties": {
                "schema": text, "detector": text, "asked": { "type": "object", "additionalProperties": text },
                "since": moment, "until": moment, "raised": alarms, "configured": alarms, "tuned": alarms, "notes": texts,
                "streams": { "type": "array", "items": { "type": "object", "properties": {
                    "stream": text, "replayed_from": { "type": "string", "enum": ["journal", "events"] },
                    "raised": alarms, "configured": alarms, "tuned": alarms } } },
            },
        }),
    );
}
