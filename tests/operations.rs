//! Proves that the files for operators name only metrics that avwatch promises.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;

/// Every metric that operators may build on.
const METRICS: &[&str] = &[
    "avwatch_bitrate_bits_per_second",
    "avwatch_blind",
    "avwatch_build_info",
    "avwatch_config_last_reload_successful",
    "avwatch_coverage_ratio",
    "avwatch_detector_cpu_seconds_total",
    "avwatch_event_open",
    "avwatch_events_total",
    "avwatch_frame_rate",
    "avwatch_frames_total",
    "avwatch_incidents_open",
    "avwatch_lane_dropped_total",
    "avwatch_last_frame_timestamp_seconds",
    "avwatch_loudness_lufs",
    "avwatch_notifications_total",
    "avwatch_outbox_oldest_seconds",
    "avwatch_outbox_pending",
    "avwatch_receive_dropped_total",
    "avwatch_stage_latency_seconds",
    "avwatch_stream_info",
    "avwatch_stream_restarts_total",
    "avwatch_stream_state",
    "avwatch_stream_up",
    "avwatch_tier",
];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("the file is there")
}

fn named(text: &str) -> BTreeSet<String> {
    let word = Regex::new(r"\bavwatch_[a-z_]+").expect("the pattern is valid");
    word.find_iter(text).map(|found| found.as_str().trim_end_matches("_bucket").to_owned()).collect()
}

#[test]
fn rules_and_dashboard_name_only_metrics_that_exist() {
    for path in ["config/prometheus/rules.yml", "config/grafana/avwatch.json"] {
        let named = named(&read(path));
        assert!(named.len() > 5, "{path} names {named:?}");
        for name in named {
            assert!(METRICS.contains(&name.as_str()), "{path} names {name}");
        }
    }
}

#[test]
fn the_dashboard_is_json_and_asks_for_its_data_source() {
    let dashboard: serde_json::Value = serde_json::from_str(&read("config/grafana/avwatch.json")).expect("is JSON");
    for panel in dashboard["panels"].as_array().expect("has panels") {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
    }
}
