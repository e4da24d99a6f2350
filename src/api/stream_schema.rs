//! The parts of the OpenAPI document that tell of streams: how they are, what they are set to, and what they showed.

use serde_json::{Map, Value, json};

use super::openapi_parts::{
    counts, described, described_whole, flag, labels, list_of, moment, number, object, or_null, origin, severity,
    state, text, whole,
};
use crate::config::StreamSettings;

/// Keys of `[[streams]]` that only configuration files may use.
const FILE_ONLY: [&str; 1] = ["tls_ca"];

/// Adds the schemas.
pub(super) fn add_to(add: &mut impl FnMut(&str, Value) -> Option<Value>) {
    add("Stream", stream());
    add("StreamDetail", detail());
    add("StreamTrack", track());
    add("TrackFormat", format());
    add(
        "StreamPage",
        object(
            &["streams", "total", "sequence"],
            json!({
                "streams": list_of("Stream"), "total": whole(), "sequence": whole(),
                "next_cursor": described("Where the next page begins; absent on the last one.") }),
        ),
    );
    add("StreamSettings", settings());
    add("History", history());
}

/// What is measured of a stream, once a second.
fn readings() -> Value {
    json!({
        "bitrate_bps": number(), "frame_rate": number(),
        "coverage": { "type": "number", "description": "Share of all tracks that was really inspected, 0 to 1." } })
}

/// A stream as lists and the live feed show it.
fn stream() -> Value {
    let mut meters = readings();
    meters["momentary_lufs"] = json!({ "type": "number", "description": "Of its first track of sound." });
    let mut meters = object(&[], meters);
    meters["description"] = json!("Readings of now, in lists that were asked for with meters=true.");
    let worst = object(
        &["id", "detector", "track", "severity", "state", "started_at", "message"],
        json!({
            "id": text(), "detector": text(), "track": text(), "severity": severity(), "state": state(),
            "started_at": moment(), "message": text() }),
    );
    object(
        &["name", "title", "origin", "mode", "profile", "tier", "priority", "url", "state", "up", "session", "open"],
        json!({
            "name": text(), "title": text(), "origin": origin(),
            "mode": { "type": "string", "enum": ["live", "observe"] }, "profile": text(), "tier": text(),
            "priority": whole(), "labels": labels(), "url": described("Without secrets."), "runbook_url": text(),
            "state": described("Where its life stands."), "up": flag("True while frames arrive."), "session": whole(),
            "last_error": described("Why the last session ended."), "worst": worst, "open": counts(),
            "meters": meters,
        }),
    )
}

/// A stream as it is shown alone.
fn detail() -> Value {
    let more = object(
        &["tracks", "events", "lane_dropped", "receive_dropped", "restarts"],
        json!({
            "container": text(), "tracks": list_of("StreamTrack"),
            "settings": { "$ref": "#/components/schemas/StreamSettings",
                "description": "What was written over the API, secrets as ***: it can be written back." },
            "events": { "type": "array", "items": { "$ref": "#/components/schemas/Event" },
                "description": "Open ones, worst first." },
            "lane_dropped": described_whole("Frames that were not inspected for want of time."),
            "receive_dropped": described_whole("Datagrams that were lost on their way in."),
            "restarts": counts(),
        }),
    );
    let measured = object(&[], readings());
    json!({ "allOf": [{ "$ref": "#/components/schemas/Stream" }, measured, more] })
}

fn track() -> Value {
    object(
        &["track", "frames"],
        json!({
            "track": text(), "format": { "$ref": "#/components/schemas/TrackFormat" }, "frames": whole(),
            "last_frame_at": moment(), "true_peak_dbtp": number(),
            "loudness_lufs": { "type": "object", "additionalProperties": number(),
                "description": "By window: momentary, short_term, integrated." },
        }),
    )
}

/// What a session says of a track; what it does not know is null.
fn format() -> Value {
    let video = object(
        &["width", "height", "frame_rate", "pixel_format"],
        json!({
            "width": whole(), "height": whole(), "frame_rate": number(), "pixel_format": text(), "interlaced": flag(""),
            "full_range": flag(""), "pixel_aspect": number() }),
    );
    let audio = object(
        &["sample_rate", "channels", "layout"],
        json!({
            "sample_rate": whole(), "channels": whole(), "layout": text(), "roles": { "type": "array", "items": text() } }),
    );
    object(
        &["track", "codec"],
        json!({
            "track": text(), "codec": text(), "video": or_null(&video), "audio": or_null(&audio), "pid": or_null(&whole()),
            "language": or_null(&text()), "program": or_null(&whole()), "rendition": or_null(&text()),
            "role": or_null(&text()), "secondary": flag("Not the main one of its kind."),
            "present": flag("False for one that was announced or expected and not seen.") }),
    )
}

/// The keys of `[[streams]]`, in the words of the configuration.
fn settings() -> Value {
    let schema = schemars::schema_for!(StreamSettings).to_value();
    let keys = schema["properties"].as_object().cloned().unwrap_or_default();
    let properties: Map<String, Value> = keys
        .into_iter()
        .filter(|(key, _)| !FILE_ONLY.contains(&&**key))
        .map(|(key, schema)| {
            let mut about = json!({ "description": schema["description"] });
            match schema["type"].as_str() {
                Some("object") => {
                    about["type"] = json!("object");
                    about["additionalProperties"] = json!(true);
                }
                Some("array") => {
                    about["type"] = json!("array");
                    about["items"] = json!({});
                }
                Some(kind) => about["type"] = json!(kind),
                None => {}
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

/// What a stream showed.
fn history() -> Value {
    let picture = object(
        &["track", "frames", "damaged", "coverage"],
        json!({
            "track": text(), "frames": whole(), "damaged": whole(), "luma_mean": number(), "difference": number(),
            "coverage": number() }),
    );
    let level = object(&["rms_dbfs", "peak_dbfs"], json!({ "rms_dbfs": number(), "peak_dbfs": number() }));
    let sound = object(
        &["track", "channels", "coverage"],
        json!({
            "track": text(), "momentary_lufs": number(), "short_term_lufs": number(), "coverage": number(),
            "channels": { "type": "array", "items": level } }),
    );
    let mut latency = object(&["p50", "p95", "p99"], json!({ "p50": number(), "p95": number(), "p99": number() }));
    latency["description"] = json!("In seconds from arrival to verdict.");
    let point = object(
        &["at", "lasts", "known", "up", "pictures", "sounds"],
        json!({
            "at": moment(), "lasts": whole(), "known": whole(), "blind": whole(), "up": number(), "worst": severity(),
            "bitrate": number(), "latency_s": latency,
            "pictures": { "type": "array", "items": picture }, "sounds": { "type": "array", "items": sound } }),
    );
    object(&["stream", "points"], json!({ "stream": text(), "points": { "type": "array", "items": point } }))
}
