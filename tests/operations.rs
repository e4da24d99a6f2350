//! Proves that the files for operators name only metrics that avwatch has, and that Prometheus' own tool finds no
//! fault with them nor with what a running service exposes.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use regex::Regex;

use common::http::ask;
use common::service::Home;

/// Every metric that operators may build on.
const METRICS: &[&str] = &[
    "avwatch_bitrate_bits_per_second",
    "avwatch_bitrate_bytes_per_second",
    "avwatch_blind",
    "avwatch_build_info",
    "avwatch_config_last_reload_successful",
    "avwatch_coverage_ratio",
    "avwatch_detector_cpu_seconds_total",
    "avwatch_detector_skipped_total",
    "avwatch_detector_throttled",
    "avwatch_event_open",
    "avwatch_events_total",
    "avwatch_frame_rate",
    "avwatch_frames_total",
    "avwatch_heap_trims_total",
    "avwatch_incidents_open",
    "avwatch_lane_dropped_total",
    "avwatch_last_frame_timestamp_seconds",
    "avwatch_loudness_lufs",
    "avwatch_memory_pressure",
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

/// Metrics that have no series as long as nothing happened of which they tell, or nobody asked for them: the service
/// of the test is well, nobody is told of its events, and the units are the usual ones.
const SILENT: &[&str] = &[
    "avwatch_bitrate_bytes_per_second",
    "avwatch_blind",
    "avwatch_config_last_reload_successful",
    "avwatch_incidents_open",
    "avwatch_notifications_total",
    "avwatch_outbox_oldest_seconds",
    "avwatch_outbox_pending",
    "avwatch_stream_restarts_total",
];

/// The one thing that `promtool` does not like: rates of media are given in bits everywhere, and the name is promised.
const KNOWN: &str = "avwatch_bitrate_bits_per_second use base unit \"bytes\" instead of \"bits\"\n";

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

/// What `promtool` says of it; nothing when it finds no fault.
fn promtool(arguments: &[&str], input: &str) -> String {
    let started = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.unwrap_or_else(|error| panic!("promtool: {error}; see setup_receivers in scripts/setup"));
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if output.status.success() { String::new() } else { said.into_owned() }
}

#[test]
fn prometheus_takes_the_rules() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/prometheus/rules.yml");
    assert_eq!(promtool(&["check", "rules", rules.to_str().expect("is text")], ""), "");
    assert_ne!(promtool(&["check", "rules", "/dev/stdin"], "groups: [{name: a, rules: [{alert: b}]}]"), "");
}

#[test]
fn what_a_service_exposes_is_without_fault_and_has_every_metric_of_the_dashboard() {
    // A stream that is black at once, then silent, so that events and all measurements have series.
    let home = Home::new(
        "[[streams]]\nname = \"lobby\"\nlabels = { group = \"contribution\" }\n\
         url = \"synthetic:?size=320x180&fps=25&codec=h264&defects=black@1+60\"\n",
    );
    let service = home.start();
    let wanted: BTreeSet<String> = ["config/prometheus/rules.yml", "config/grafana/avwatch.json"]
        .iter()
        .flat_map(|path| named(&read(path)))
        .filter(|name| !SILENT.contains(&name.as_str()))
        .collect();
    let has_all = || {
        let text = ask(service.address(), "GET", "/metrics", "", "").body;
        // What is described alone has no series yet.
        let series: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let known = named(&series.join("\n"));
        wanted.iter().all(|name| known.contains(name)).then_some(text)
    };
    let text = common::sender::wait("every metric to have a series", Duration::from_secs(60), has_all);
    assert_eq!(promtool(&["check", "metrics"], &text), KNOWN);
    let base = ask(service.address(), "GET", "/metrics?units=base", "", "").body;
    assert!(base.contains("\navwatch_bitrate_bytes_per_second{stream=\"lobby\"} "), "{base}");
    assert_eq!(promtool(&["check", "metrics"], &base), "");
}

#[test]
fn a_running_service_asks_a_dead_mans_switch() {
    let switch = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/ping/S3cret", switch.local_addr().expect("it is bound"));
    let home = Home::new(&format!("[heartbeat]\nurl = \"{url}\"\n"));
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = switch.accept()?;
        let mut line = String::new();
        BufReader::new(stream.try_clone()?).read_line(&mut line)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
        std::io::Result::Ok(line)
    });
    let service = home.start();
    let heard = || asked.is_finished().then_some(());
    common::sender::wait("the heartbeat", Duration::from_secs(20), heard);
    assert_eq!(asked.join().expect("it ends").expect("it is asked"), "GET /ping/S3cret HTTP/1.1\r\n");
    assert!(!service.lines().iter().any(|line| line.contains("S3cret")));
}
