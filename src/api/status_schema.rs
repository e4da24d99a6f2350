//! The parts of the OpenAPI document that tell of the service itself.

use serde_json::{Value, json};

use super::openapi_parts::{
    counts, described, described_whole, flag, list_of, moment, names, number, object, text, whole,
};

/// Adds the schemas.
pub(super) fn add_to(add: &mut impl FnMut(&str, Value) -> Option<Value>) {
    let streams =
        object(&["total", "up", "by_state"], json!({ "total": whole(), "up": whole(), "by_state": counts() }));
    let clone = object(
        &["streams_elsewhere"],
        json!({
            "shard": described("Such as 2/5; absent where all configured streams are watched."), "detectors": names(),
            "streams_elsewhere": described_whole("Configured streams that fall to other clones.") }),
    );
    let store = object(
        &["degraded", "unstored"],
        json!({
            "degraded": flag("Whether it takes nothing at the moment."),
            "unstored": described_whole("Changes that wait to be stored, plus those that never will be.") }),
    );
    let process = object(
        &[],
        json!({ "cpu_seconds": number(), "resident_bytes": whole(), "threads": whole(), "open_fds": whole(), "cores": whole() }),
    );
    let mut fields = json!({
        "version": text(), "ffmpeg": text(), "node": text(),
        "demo": flag("True when nothing was configured and the demo runs."), "started_at": moment(), "uptime_s": whole(),
        "live": flag(""), "ready": flag(""), "sequence": described_whole("The number of the newest change of an event."),
        "streams": streams, "clone": clone, "open_events": counts(), "open_incidents": counts(),
        "blind": flag("Most inputs are down, and so is what the monitor itself needs: it cannot see."),
        "store": store, "process": process, "live_clients": whole() });
    let health = json!({
        "lost": counts_of("What was lost since start, by what it was."),
        "config_last_reload_successful": flag("Absent before the first reload."),
        "worst_streams": list_of("WorstStream"),
        "abandoned_threads": described_whole("Threads that hang now."), "stages": list_of("Stage"),
        "detector_cpu_seconds": { "type": "object", "additionalProperties": number(),
            "description": "Time of processors since start, by detector." } });
    if let (Value::Object(fields), Value::Object(health)) = (&mut fields, health) {
        fields.extend(health);
    }
    let required = [
        "version",
        "ffmpeg",
        "node",
        "demo",
        "started_at",
        "uptime_s",
        "live",
        "ready",
        "sequence",
        "streams",
        "open_events",
        "open_incidents",
        "blind",
        "store",
        "lost",
        "process",
        "live_clients",
        "worst_streams",
        "abandoned_threads",
        "stages",
        "detector_cpu_seconds",
    ];
    add("Status", object(&required, fields));
    add(
        "WorstStream",
        object(
            &["name", "lane_dropped", "receive_dropped", "restarts"],
            json!({
                "name": text(), "coverage": number(), "lane_dropped": whole(), "receive_dropped": whole(),
                "restarts": counts_of("Sessions that ended since start, by cause.") }),
        ),
    );
    let bucket = object(&["up_to_s", "count"], json!({ "up_to_s": number(), "count": whole() }));
    add(
        "Stage",
        object(
            &["stage", "buckets", "count", "sum_s"],
            json!({
                "stage": text(), "count": whole(), "sum_s": number(),
                "buckets": { "type": "array", "items": bucket,
                    "description": "Upper bounds of latencies since start, each with the number of values up to it." } }),
        ),
    );
}

fn counts_of(what: &str) -> Value {
    let mut counts = counts();
    counts["description"] = json!(what);
    counts
}
