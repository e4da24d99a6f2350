//! What the metrics promise: exact names, strict format, bounded size.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use avwatch_actors::cpu_accounts::CpuFigures;
use avwatch_actors::event::{Event, EventState};
use avwatch_actors::memory_budget::MemoryPressure;
use avwatch_actors::severity::Severity;
use avwatch_actors::track::TrackId;

use super::exposition::{Sample, parse};
use super::*;
use crate::node_snapshot::*;
use crate::sinks::samples;

fn open_event(number: u8) -> Event {
    let event = samples::event("id", "lobby", &format!("detector_{number}"), 1, EventState::Raised);
    Event { track: TrackId::video(number), severity: Severity::Major, ..event }
}

/// A stream that uses every family, `much` times over.
fn stream(name: &str, much: u8) -> StreamSnapshot {
    let numbers = 0..much;
    let track = |number| TrackSnapshot {
        track: TrackId::audio(number),
        frames_total: 500,
        last_frame: Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_500)),
        coverage: Some(0.5),
        true_peak_dbtp: None,
        loudness: vec![("momentary", -23.5), ("short_term", -24.0), ("integrated", f64::NEG_INFINITY)],
    };
    let detector = |number: u8| format!("detector_{number}").into();
    StreamSnapshot {
        title: "A title".into(),
        group: "contribution".into(),
        up: true,
        events: numbers.clone().map(|n| Arc::new(open_event(n))).collect(),
        event_counts: numbers
            .clone()
            .flat_map(|n| Severity::ALL.map(|severity| EventCount { detector: detector(n), severity, count: 2 }))
            .collect(),
        tracks: numbers.map(track).collect(),
        bitrate: Some(4_000_000.0),
        frame_rate: Some(25.0),
        lane_dropped: vec![("drop_oldest", 3), ("drop_newest", 4)],
        receive_dropped: 5,
        restarts: vec![("source", 6), ("ours", 7)],
        ..StreamSnapshot::new(name, "live", "full")
    }
}

fn node(streams: Vec<StreamSnapshot>) -> Arc<NodeSnapshot> {
    let stages = ["decode", "queue", "inspect", "total"].map(|stage| StageSnapshot {
        stage,
        buckets: vec![(0.001, 5), (0.01, 9), (1.0, 9)],
        sum: 0.25,
        count: 10,
    });
    Arc::new(NodeSnapshot {
        streams,
        stages: stages.to_vec(),
        detector_cpu: vec![CpuFigures {
            detector: "black",
            spent: Duration::from_millis(1_250),
            skipped: 75,
            throttled: 2,
        }],
        lost: vec![("journal_seconds", 3)],
        incidents_open: vec![("stream", 0), ("group", 1), ("outage", 0), ("blind", 1)],
        blind: true,
        receivers: vec![ReceiverSnapshot {
            name: "pager".into(),
            outcomes: vec![("delivered", 8), ("failed", 1)],
            pending: 2,
            oldest: Duration::from_secs(9),
        }],
        build: BuildSnapshot { version: "0.1.0", ffmpeg: "7.1".into() },
        config_last_reload_successful: Some(true),
        memory_pressure: MemoryPressure::Refuse,
        heap_trims: 4,
        process: ProcessSnapshot::read(),
    })
}

fn samples(node: &Arc<NodeSnapshot>) -> Vec<Sample> {
    let text = expose(node.clone(), Exposition::Text, Units::Media).unwrap();
    parse(&text).unwrap_or_else(|fault| panic!("{fault}"))
}

fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    samples.iter().find(|sample| sample.name == name && sample.labels == labels).map(|sample| sample.value)
}

#[test]
fn every_metric_of_the_contract_is_there_with_its_labels() {
    let samples = samples(&node(vec![stream("lobby", 2)]));
    for (name, labels, expected) in [
        ("avwatch_stream_up", vec![("stream", "lobby")], 1.0),
        ("avwatch_stream_state", vec![("stream", "lobby"), ("state", "live")], 1.0),
        ("avwatch_stream_info", vec![("stream", "lobby"), ("title", "A title"), ("group", "contribution")], 1.0),
        (
            "avwatch_event_open",
            vec![("stream", "lobby"), ("track", "video:0"), ("detector", "detector_0"), ("severity", "major")],
            1.0,
        ),
        ("avwatch_events_total", vec![("stream", "lobby"), ("detector", "detector_1"), ("severity", "info")], 2.0),
        ("avwatch_frames_total", vec![("stream", "lobby"), ("track", "audio:1")], 500.0),
        ("avwatch_last_frame_timestamp_seconds", vec![("stream", "lobby"), ("track", "audio:1")], 1.5),
        ("avwatch_bitrate_bits_per_second", vec![("stream", "lobby")], 4e6),
        ("avwatch_frame_rate", vec![("stream", "lobby")], 25.0),
        ("avwatch_coverage_ratio", vec![("stream", "lobby"), ("track", "audio:0")], 0.5),
        ("avwatch_tier", vec![("stream", "lobby"), ("tier", "full")], 1.0),
        ("avwatch_lane_dropped_total", vec![("stream", "lobby"), ("policy", "drop_newest")], 4.0),
        ("avwatch_receive_dropped_total", vec![("stream", "lobby")], 5.0),
        ("avwatch_stream_restarts_total", vec![("stream", "lobby"), ("cause", "ours")], 7.0),
        ("avwatch_stage_latency_seconds_bucket", vec![("stage", "total"), ("le", "0.01")], 9.0),
        ("avwatch_stage_latency_seconds_bucket", vec![("stage", "total"), ("le", "+Inf")], 10.0),
        ("avwatch_stage_latency_seconds_sum", vec![("stage", "decode")], 0.25),
        ("avwatch_detector_cpu_seconds_total", vec![("detector", "black")], 1.25),
        ("avwatch_detector_skipped_total", vec![("detector", "black")], 75.0),
        ("avwatch_detector_throttled", vec![("detector", "black")], 2.0),
        ("avwatch_loudness_lufs", vec![("stream", "lobby"), ("track", "audio:0"), ("window", "momentary")], -23.5),
        ("avwatch_notifications_total", vec![("receiver", "pager"), ("outcome", "failed")], 1.0),
        ("avwatch_outbox_pending", vec![("receiver", "pager")], 2.0),
        ("avwatch_outbox_oldest_seconds", vec![("receiver", "pager")], 9.0),
        ("avwatch_incidents_open", vec![("kind", "group")], 1.0),
        ("avwatch_blind", vec![], 1.0),
        ("avwatch_heap_trims_total", vec![], 4.0),
        ("avwatch_memory_pressure", vec![], 2.0),
        ("avwatch_config_last_reload_successful", vec![], 1.0),
        ("avwatch_build_info", vec![("version", "0.1.0"), ("ffmpeg", "7.1")], 1.0),
        ("avwatch_series_withheld", vec![], 0.0),
        ("avwatch_lost_total", vec![("what", "journal_seconds")], 3.0),
    ] {
        assert_eq!(value(&samples, name, &labels), Some(expected), "{name}{labels:?}");
    }
    for name in ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_threads"] {
        assert!(value(&samples, name, &[]).is_some(), "{name}");
    }
}

#[test]
fn a_number_that_cannot_be_had_is_left_out() {
    let mut bare = StreamSnapshot::new("bare", "opening", "full");
    bare.bitrate = Some(f64::NAN);
    let node = Arc::new(NodeSnapshot { streams: vec![bare, stream("lobby", 1)], ..NodeSnapshot::default() });
    let samples = samples(&node);
    assert_eq!(value(&samples, "avwatch_bitrate_bits_per_second", &[("stream", "bare")]), None);
    assert_eq!(value(&samples, "avwatch_stream_up", &[("stream", "bare")]), Some(0.0));
    assert!(!samples.iter().any(|sample| sample.labels.get("window").is_some_and(|window| window == "integrated")));
    assert_eq!(value(&samples, "avwatch_config_last_reload_successful", &[]), None);
}

#[test]
fn hostile_names_stay_inside_their_quotation_marks() {
    let hostile = [
        "quote\" } 1\nfake_metric 1\n",
        "back\\slash\\",
        "\\\"",
        "\u{1b}[31mred",
        "</script>",
        "a,b=\"c\"",
        "ünïcode \u{202e}",
    ];
    let streams = hostile.iter().map(|name| stream(name, 1)).collect();
    let samples = samples(&node(streams));
    for name in hostile {
        assert_eq!(value(&samples, "avwatch_stream_up", &[("stream", name)]), Some(1.0), "{name:?}");
    }
    assert!(!samples.iter().any(|sample| sample.name == "fake_metric"));
}

#[test]
fn a_stream_with_much_to_say_has_sixty_series_at_most() {
    let samples = samples(&node(vec![stream("huge", 40), stream("small", 1)]));
    let of =
        |name: &str| samples.iter().filter(|sample| sample.labels.get("stream").is_some_and(|s| s == name)).count();
    assert!(of("huge") <= SERIES_PER_STREAM_MAX, "{}", of("huge"));
    assert!(of("huge") > 50, "{}", of("huge"));
    assert!(value(&samples, "avwatch_series_withheld", &[]).is_some_and(|count| count > 100.0));
}

#[test]
fn events_without_a_row_of_their_own_still_count() {
    let samples = samples(&node(vec![stream("huge", 40)]));
    let total: f64 = samples.iter().filter(|s| s.name == "avwatch_events_total").map(|s| s.value).sum();
    assert_eq!(total, 40.0 * 5.0 * 2.0);
    let other = [("stream", "huge"), ("detector", "other"), ("severity", "critical")];
    assert!(value(&samples, "avwatch_events_total", &other).is_some());
}

#[test]
fn the_series_of_a_removed_stream_are_gone() {
    let before = expose(node(vec![stream("lobby", 1), stream("roof", 1)]), Exposition::Text, Units::Media).unwrap();
    let after = expose(node(vec![stream("roof", 1)]), Exposition::Text, Units::Media).unwrap();
    assert!(before.contains("lobby"));
    assert!(!after.contains("lobby"));
}

#[test]
fn an_empty_service_answers_too() {
    let samples = samples(&Arc::new(NodeSnapshot::default()));
    let names: BTreeSet<_> = samples.iter().map(|sample| sample.name.as_str()).collect();
    let expected = [
        "avwatch_blind",
        "avwatch_build_info",
        "avwatch_heap_trims_total",
        "avwatch_memory_pressure",
        "avwatch_series_withheld",
        "avwatch_shed_streams",
    ];
    assert_eq!(names, expected.into());
}

#[test]
fn open_metrics_names_counters_without_total_and_ends_with_its_mark() {
    let text = expose(node(vec![stream("lobby", 1)]), Exposition::OpenMetrics, Units::Media).unwrap();
    assert!(text.contains("# TYPE avwatch_frames counter\navwatch_frames_total{"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert_eq!(text.matches("# EOF").count(), 1);
}

#[test]
fn base_units_change_the_bit_rate_alone() {
    let node = node(vec![stream("lobby", 2), stream("roof", 1)]);
    for exposition in [Exposition::Text, Exposition::OpenMetrics] {
        let media = expose(node.clone(), exposition, Units::Media).unwrap();
        let base = expose(node.clone(), exposition, Units::Base).unwrap();
        let changed: Vec<_> = media.lines().zip(base.lines()).filter(|(media, base)| media != base).collect();
        let expected = [
            (
                "# HELP avwatch_bitrate_bits_per_second Bits received for a second of the stream.",
                "# HELP avwatch_bitrate_bytes_per_second Bytes received for a second of the stream.",
            ),
            ("# TYPE avwatch_bitrate_bits_per_second gauge", "# TYPE avwatch_bitrate_bytes_per_second gauge"),
            (
                "avwatch_bitrate_bits_per_second{stream=\"lobby\"} 4000000.0",
                "avwatch_bitrate_bytes_per_second{stream=\"lobby\"} 500000.0",
            ),
            (
                "avwatch_bitrate_bits_per_second{stream=\"roof\"} 4000000.0",
                "avwatch_bitrate_bytes_per_second{stream=\"roof\"} 500000.0",
            ),
        ];
        assert_eq!(changed, expected, "{exposition:?}");
        assert_eq!(media.lines().count(), base.lines().count());
    }
}

/// What promtool says of the metrics; absent, with a word, where Debian's package `prometheus` is not installed.
fn promtool_says(units: Units) -> Option<String> {
    let spawned = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = spawned else {
        eprintln!("promtool is not installed: the own reader alone has checked the format");
        return None;
    };
    let node = node(vec![stream("lobby", 2), stream("a\"b\\c\nd", 9)]);
    let text = expose(node, Exposition::Text, units).unwrap();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    Some(String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout))
}

#[test]
fn promtool_finds_no_fault_but_bits() {
    let Some(said) = promtool_says(Units::Media) else { return };
    // Broadcasters think in bits, and the contract says so; everything else must be as promtool likes it.
    let faults: Vec<_> =
        said.lines().filter(|line| !line.trim().is_empty() && !line.contains("instead of \"bits\"")).collect();
    assert!(faults.is_empty(), "{said}");
}

#[test]
fn promtool_finds_no_fault_at_all_with_base_units() {
    let Some(said) = promtool_says(Units::Base) else { return };
    assert_eq!(said, "");
}
