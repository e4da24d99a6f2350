//! What the log promises, from `tracing` macro to line.

use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Instant;

use avwatch_actors::event::EventState;
use avwatch_actors::record::Record;
use avwatch_actors::sink::Sink;
use serde_json::Value as Json;
use tracing::Level;

use super::record::{Fields, Value};
use super::repeats::{Decision, WINDOW};
use super::*;
use crate::sinks::event_log::EventLog;
use crate::sinks::samples;

/// An output that keeps its lines.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl LineOutput for Kept {
    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(())
    }
}

/// Lines that are logged while `log` runs, to the end of the log.
fn lines(format: LogFormat, level: LevelFilter, log: impl FnOnce(&Telemetry)) -> Vec<String> {
    let kept = Kept::default();
    let (subscriber, telemetry) = build(format, level, Box::new(kept.clone())).unwrap();
    tracing::subscriber::with_default(subscriber, || log(&telemetry));
    drop(telemetry);
    let bytes = kept.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
}

fn json_lines(level: LevelFilter, log: impl FnOnce(&Telemetry)) -> Vec<Json> {
    let lines = lines(LogFormat::Json, level, log);
    lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn messages(lines: &[Json]) -> Vec<&str> {
    lines.iter().map(|line| line["message"].as_str().unwrap()).collect()
}

#[test]
fn a_line_carries_the_fields_of_its_spans_and_its_own_win() {
    let lines = json_lines(LevelFilter::INFO, |_| {
        let session = samples::event("a", "lobby", "black", 1, EventState::Raised).session;
        let stream = tracing::info_span!("stream", stream = "lobby", detector = "outer");
        let _stream = stream.enter();
        let inner = tracing::info_span!("session", session = %session, late = tracing::field::Empty);
        inner.record("late", 5);
        let _inner = inner.enter();
        tracing::warn!(detector = "black", fault = %"it broke", ratio = 0.5, good = true, "went {}", "wrong");
    });
    let line = &lines[0];
    for (name, expected) in [
        ("level", Json::from("warn")),
        ("target", "avwatch::telemetry::tests".into()),
        ("message", "went wrong".into()),
        ("stream", "lobby".into()),
        ("session", 7.into()),
        ("detector", "black".into()),
        ("fault", "it broke".into()),
        ("late", 5.into()),
        ("ratio", 0.5.into()),
        ("good", true.into()),
    ] {
        assert_eq!(line[name], expected, "{name} in {line}");
    }
    assert_eq!(line["time"].as_str().map(str::len), Some("2026-11-23T01:01:01.000Z".len()));
}

#[test]
fn text_lines_read_from_left_to_right() {
    let lines = lines(LogFormat::Text, LevelFilter::INFO, |_| {
        tracing::info!(count = 3, stream = "lobby", title = "two words", "opened");
    });
    assert_eq!(&lines[0]["2026-11-23T01:01:01.000Z".len()..], " INFO  opened stream=lobby count=3 title=\"two words\"");
}

#[test]
fn hostile_text_makes_one_line_without_control_characters() {
    let hostile = "a\n{\"level\":\"error\"}\r\x1b[2J\u{202e}";
    for format in [LogFormat::Json, LogFormat::Text] {
        let lines = lines(format, LevelFilter::INFO, |_| tracing::info!(stream = hostile, time = hostile, "{hostile}"));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(!lines[0].chars().any(char::is_control), "{}", lines[0]);
    }
}

#[test]
fn a_field_cannot_pass_for_the_line_s_own() {
    let lines = json_lines(LevelFilter::INFO, |_| tracing::info!(level = "error", time = "never", "fine"));
    assert_eq!((&lines[0]["level"], &lines[0]["field_level"]), (&"info".into(), &"error".into()));
    assert_eq!(lines[0]["field_time"], "never");
}

#[test]
fn a_huge_name_is_cut() {
    let huge = "ü".repeat(1 << 20);
    let lines = lines(LogFormat::Json, LevelFilter::INFO, |_| tracing::info!(stream = huge, title = ?huge, "fine"));
    assert!(lines[0].len() < 9_000, "{}", lines[0].len());
    assert!(lines[0].contains("ü…\""));
}

#[test]
fn the_level_changes_while_the_service_runs() {
    let say = |words: &'static str| tracing::debug!("{words}");
    let lines = json_lines(LevelFilter::INFO, |telemetry| {
        say("before");
        telemetry.levels().set_global(LevelFilter::DEBUG);
        say("during");
        telemetry.levels().set_global(LevelFilter::WARN);
        say("after");
    });
    assert_eq!(messages(&lines), ["during"]);
}

#[test]
fn one_stream_can_be_more_or_less_talkative_than_the_rest() {
    let lines = json_lines(LevelFilter::INFO, |telemetry| {
        telemetry.levels().set_stream("lobby", Some(LevelFilter::DEBUG)).unwrap();
        telemetry.levels().set_stream("roof", Some(LevelFilter::ERROR)).unwrap();
        tracing::debug!(stream = "lobby", "own field");
        tracing::info_span!("stream", stream = "lobby").in_scope(|| tracing::debug!("span"));
        tracing::debug!("no stream");
        tracing::debug!(stream = "yard", "other stream");
        tracing::warn!(stream = "roof", "quiet stream");
        tracing::info!("rest");
        telemetry.levels().set_stream("lobby", None).unwrap();
        tracing::debug!(stream = "lobby", "no longer");
    });
    assert_eq!(messages(&lines), ["own field", "span", "rest"]);
}

#[test]
fn levels_of_streams_are_limited_in_number() {
    let levels = LevelControl::new(LevelFilter::INFO);
    for number in 0..1_024 {
        levels.set_stream(&number.to_string(), Some(LevelFilter::DEBUG)).unwrap();
    }
    assert_eq!(levels.set_stream("one more", Some(LevelFilter::DEBUG)), Err(LevelError::TooMany));
    levels.set_stream("7", Some(LevelFilter::TRACE)).unwrap();
    levels.set_stream("8", None).unwrap();
    levels.set_stream("one more", Some(LevelFilter::DEBUG)).unwrap();
}

#[test]
fn levels_are_set_wholly_or_not_at_all_and_what_changes_nothing_says_so() {
    let levels = LevelControl::new(LevelFilter::INFO);
    let own = |names: std::ops::Range<usize>, level| names.map(|number| (number.to_string(), level)).collect();
    let debug = Some(LevelFilter::DEBUG);
    assert_eq!(levels.set(None, &own(0..1_025, debug)), Err(LevelError::TooMany));
    assert_eq!((levels.streams().len(), levels.set(None, &own(0..1_000, debug))), (0, Ok(true)));
    assert_eq!(levels.set(Some(LevelFilter::WARN), &own(999..1_025, debug)), Err(LevelError::TooMany));
    assert_eq!((levels.streams().len(), levels.global()), (1_000, LevelFilter::INFO), "nothing of it was set");
    assert_eq!(levels.set(None, &own(0..0, None)), Ok(false));
    assert_eq!(levels.set(Some(LevelFilter::INFO), &own(3..9, debug)), Ok(false), "it is so already");
    assert_eq!(levels.set(None, &own(2_000..2_001, None)), Ok(false));
    assert_eq!(levels.set(None, &own(0..1, None)), Ok(true));
}

#[test]
fn libraries_are_quiet_below_warn() {
    let lines = json_lines(LevelFilter::DEBUG, |_| {
        tracing::info!(target: "h2::codec", "library chatter");
        tracing::warn!(target: "h2::codec", "library warning");
        tracing::debug!(target: "avwatch_actors::lane", "ours");
    });
    assert_eq!(messages(&lines), ["library warning", "ours"]);
}

#[test]
fn a_repeated_message_is_logged_once_with_its_count() {
    let lines = json_lines(LevelFilter::INFO, |telemetry| {
        for _ in 0..50 {
            tracing::warn!(stream = "lobby", "cannot open");
        }
        tracing::warn!(stream = "roof", "cannot open");
        assert_eq!(telemetry.counts().folded, 49);
    });
    assert_eq!(messages(&lines), ["cannot open"; 3]);
    let repeated: Vec<_> = lines.iter().map(|line| (line["stream"].as_str(), line["repeated"].as_u64())).collect();
    assert_eq!(repeated, [(Some("lobby"), None), (Some("roof"), None), (Some("lobby"), Some(49))]);
}

#[test]
fn debug_lines_that_a_person_asked_for_are_not_folded() {
    let lines = json_lines(LevelFilter::DEBUG, |_| {
        for _ in 0..50 {
            tracing::debug!(stream = "lobby", "frame");
        }
    });
    assert_eq!(lines.len(), 50);
}

/// A place in the code, as the macros make it.
fn metadata() -> &'static tracing::Metadata<'static> {
    let registry = tracing_subscriber::registry();
    tracing::subscriber::with_default(registry, || tracing::info_span!("place").metadata()).unwrap()
}

fn fields_of(stream: Option<&str>) -> Fields {
    let mut fields = Fields::default();
    fields.set("message", Value::Text("cannot open".to_owned()));
    if let Some(stream) = stream {
        fields.set("stream", Value::Text(stream.to_owned()));
    }
    fields
}

#[test]
fn a_message_that_comes_again_after_ten_seconds_tells_how_many_it_stands_for() {
    let (repeats, place, fields, start) = (Repeats::default(), metadata(), fields_of(Some("lobby")), Instant::now());
    assert_eq!(repeats.decide(place, &fields, start), Decision::Log { repeated: 0 });
    assert_eq!(repeats.decide(place, &fields, start), Decision::Fold);
    assert_eq!(repeats.decide(place, &fields, start + WINDOW / 2), Decision::Fold);
    assert_eq!(repeats.decide(place, &fields, start + WINDOW), Decision::Log { repeated: 2 });
    assert_eq!(repeats.decide(place, &fields, start + WINDOW), Decision::Fold);
}

#[test]
fn a_message_that_does_not_come_again_is_summed_up_and_forgotten() {
    let (repeats, place, fields, start) = (Repeats::default(), metadata(), fields_of(Some("lobby")), Instant::now());
    repeats.decide(place, &fields, start);
    repeats.decide(place, &fields, start);
    assert!(repeats.sweep(start).is_empty());
    let summaries = repeats.sweep(start + WINDOW);
    assert_eq!(summaries.len(), 1);
    assert_eq!((summaries[0].level, summaries[0].target), (Level::INFO, "avwatch::telemetry::tests"));
    assert_eq!(summaries[0].fields.get("repeated"), Some(&Value::Unsigned(1)));
    assert_eq!(summaries[0].fields.text("stream"), Some("lobby"));
    assert!(repeats.sweep(start + 2 * WINDOW).is_empty());
    assert_eq!(repeats.decide(place, &fields, start + 2 * WINDOW), Decision::Log { repeated: 0 });
}

#[test]
fn a_place_that_speaks_of_no_stream_may_say_several_things_but_not_flood() {
    let (repeats, place, fields, start) = (Repeats::default(), metadata(), fields_of(None), Instant::now());
    let decisions: Vec<_> = (0..30).map(|_| repeats.decide(place, &fields, start)).collect();
    assert_eq!(decisions.iter().filter(|decision| **decision == Decision::Log { repeated: 0 }).count(), 20);
    assert_eq!(decisions[29], Decision::Fold);
}

#[test]
fn the_table_of_repeats_is_bounded_and_makes_room_again() {
    let (repeats, place, start) = (Repeats::default(), metadata(), Instant::now());
    for number in 0..16_384 {
        repeats.decide(place, &fields_of(Some(&number.to_string())), start);
    }
    assert_eq!(repeats.decide(place, &fields_of(Some("one more")), start), Decision::Lose);
    repeats.sweep(start + WINDOW);
    assert_eq!(repeats.decide(place, &fields_of(Some("one more")), start + WINDOW), Decision::Log { repeated: 0 });
}

#[test]
fn every_event_change_is_a_line_with_the_whole_event_whatever_the_level() {
    let event = Arc::new(samples::event("a", "lobby", "black", 1, EventState::Raised));
    let ended = Arc::new(samples::event("a", "lobby", "black", 2, EventState::Ended));
    let lines = json_lines(LevelFilter::OFF, |_| {
        EventLog.deliver(&[event.clone(), event.clone(), ended.clone()].map(Record::Event)).unwrap();
        tracing::error!("anything else");
    });
    assert_eq!(lines.len(), 3);
    let line = &lines[0];
    assert_eq!(line["event"], serde_json::to_value(&*event).unwrap());
    for (name, expected) in [
        ("level", "warn"),
        ("target", "avwatch::event"),
        ("stream", "lobby"),
        ("detector", "black"),
        ("track", "video:0"),
        ("severity", "warning"),
        ("state", "raised"),
        ("event_id", "a"),
        ("message", "raised: picture black for 2.0 s"),
    ] {
        assert_eq!(line[name], expected, "{name}");
    }
    assert_eq!((&lines[2]["state"], &lines[2]["level"]), (&"ended".into(), &"info".into()));
}

#[test]
fn only_the_event_log_may_nest_json() {
    let lines = json_lines(LevelFilter::INFO, |_| tracing::info!(event = "{\"a\":1}", "other target"));
    assert_eq!(lines[0]["event"], "{\"a\":1}");
}

/// An output that is stuck until it is released.
struct Stuck(mpsc::Receiver<()>);

impl LineOutput for Stuck {
    fn write_line(&mut self, _: &[u8]) -> io::Result<()> {
        // Ends with an error once the other side is gone: released.
        let _ = self.0.recv();
        Ok(())
    }
}

#[test]
fn a_stuck_output_delays_nobody_and_losses_are_counted() {
    let (release, stuck) = mpsc::channel();
    let (subscriber, telemetry) = build(LogFormat::Json, LevelFilter::DEBUG, Box::new(Stuck(stuck))).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..10_000 {
            tracing::debug!("frame");
        }
    });
    // One line may be in the writer's hands beside those in the queue.
    let dropped = telemetry.counts().dropped;
    assert!((10_000 - 8_192 - 1..=10_000 - 8_192).contains(&dropped), "{dropped}");
    drop(release);
    assert!(telemetry.flush());
    assert_eq!(telemetry.counts().written, 10_000 - dropped);
}

#[test]
fn waiting_lines_are_bounded_in_bytes_too() {
    let (release, stuck) = mpsc::channel();
    let (subscriber, telemetry) = build(LogFormat::Json, LevelFilter::DEBUG, Box::new(Stuck(stuck))).unwrap();
    let long = "x".repeat(4_000);
    tracing::subscriber::with_default(subscriber, || {
        // Tests beside this one have other subscribers, which may have said that nobody wants this line.
        tracing::callsite::rebuild_interest_cache();
        for _ in 0..6_000 {
            tracing::debug!(a = long, "frame");
        }
    });
    let dropped = telemetry.counts().dropped;
    assert!(dropped > 1_500, "{dropped}");
    drop(release);
    assert!(telemetry.flush());
}

/// An output that refuses.
struct Refusing;

impl LineOutput for Refusing {
    fn write_line(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::StorageFull))
    }
}

#[test]
fn a_full_disk_is_counted() {
    let (subscriber, telemetry) = build(LogFormat::Json, LevelFilter::INFO, Box::new(Refusing)).unwrap();
    tracing::subscriber::with_default(subscriber, || tracing::info!("lost"));
    assert!(telemetry.flush());
    assert_eq!(telemetry.counts(), LogCounts { failed: 1, ..LogCounts::default() });
}

#[test]
fn a_log_directory_that_cannot_be_made_is_refused_at_start() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = LogOutput::Files { directory: file.path().join("logs"), file_bytes_max: 1 << 20, files_max: 2 };
    let refused = init(&TelemetrySettings { format: LogFormat::Json, level: LevelFilter::INFO, output }).unwrap_err();
    assert!(refused.to_string().contains("logs"), "{refused}");
}
