//! What the service tells of its past: reports, replays, backups, and a page of what is now.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use crate::common::binary::avwatch;
use crate::common::sender::wait;
use crate::common::service::{Home, Service};

const SECOND: Duration = Duration::from_secs(1);

/// Black of 6 s on one stream, of 1.5, 3 and 6 s on another; both quick to be told.
const PLANTED: &str = "
[detectors.black]
severities = { warning = \"1s\", major = \"2s\" }
clear_after = \"1s\"
[[streams]]
name = \"long\"
url = \"synthetic:?size=160x90&fps=25&seed=1&loop=300&defects=black@4+6\"
labels = { group = \"north\" }
[[streams]]
name = \"often\"
url = \"synthetic:?size=160x90&fps=25&seed=2&loop=300&defects=black@3+1.5,black@8+3,black@14+6\"
mode = \"observe\"
labels = { group = \"=south\" }
";

fn ask(service: &Service, arguments: &[&str]) -> Output {
    let url = format!("http://{}", service.address());
    avwatch().args(arguments).args(["--url", &url]).output().expect("it starts")
}

#[track_caller]
fn json(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("no JSON: {error}; {said}"))
}

fn figures<'a>(report: &'a Value, stream: &str) -> &'a Value {
    let streams = report["streams"].as_array().expect("is a list");
    streams.iter().find(|row| row["stream"] == stream).unwrap_or_else(|| panic!("no {stream} in {report:#}"))
}

#[track_caller]
fn assert_near(value: &Value, expected: f64, tolerance: f64) {
    let value = value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
    assert!((value - expected).abs() <= tolerance, "{value}, expected {expected}");
}

/// Waits until so many events of black have ended, in all.
fn wait_for_black(service: &Service, stream: &str, count: usize) {
    wait("black to end", 60 * SECOND, || (service.events_of(stream, "black", "ended").len() >= count).then_some(()));
}

fn tune(service: &Service, more: &[&str]) -> Value {
    json(&ask(service, &[&["tune", "--detector", "black", "--format", "json"], more].concat()))
}

#[test]
fn errored_seconds_are_those_of_the_planted_black_and_a_replay_gives_the_alarms_that_were_raised() {
    let home = Home::new(PLANTED);
    let mut service = home.start();
    wait_for_black(&service, "long", 1);
    wait_for_black(&service, "often", 3);

    // A second is known to the journal some 25 s after it passed; until then it was not watched.
    let report = wait("the journal to have both", 60 * SECOND, || {
        let report = json(&ask(&service, &["report", "--format", "json", "--noise"]));
        let errored = |stream: &str| figures(&report, stream)["errored_s"].as_f64().expect("is a number");
        (errored("long") > 5.5 && errored("often") > 8.0).then_some(report)
    });
    assert_near(&figures(&report, "long")["errored_s"], 6.0, 0.3);
    // Of the three the first stays a warning.
    assert_near(&figures(&report, "often")["errored_s"], 9.0, 0.5);
    assert_eq!((&figures(&report, "long")["events"], &figures(&report, "often")["events"]), (&1.into(), &2.into()));
    let watched = figures(&report, "long")["watched_s"].as_f64().expect("is a number");
    let share = figures(&report, "long")["availability"].as_f64().expect("is a number");
    assert!((10.0..120.0).contains(&watched) && (share - (1.0 - 6.0 / watched)).abs() < 0.02, "{watched} {share}");
    assert_near(&figures(&report, "long")["recover_max_s"], 6.0, 0.3);
    assert_near(&figures(&report, "long")["detect_median_s"], 1.0, 0.5);
    assert_eq!(report["groups"]["=south"]["events"], 2);
    assert_eq!(report["noise"]["candidates"][0]["stream"], "often");
    assert_eq!(report["noise"]["candidates"][0]["ready"], false);

    // The journal is written every ten seconds.
    let counts = |tuned: &Value| {
        ["raised", "configured", "tuned"].map(|key| tuned[key]["alarms"].as_u64().expect("is a number"))
    };
    let written = wait("the journal to have it", 40 * SECOND, || {
        let tuned = tune(&service, &["--raise-after", "2500ms"]);
        (counts(&tuned)[1] >= 4).then_some(tuned)
    });
    assert_eq!(counts(&written), [4, 4, 3], "{written:#}");
    assert_eq!(counts(&tune(&service, &["--raise-after", "5s"])), [4, 4, 2]);
    assert_eq!(counts(&tune(&service, &["--raise-after", "5s", "--stream", "often"])), [3, 3, 1]);
    // The pauses of 3.5 and 3 s are shorter than that: one alarm remains.
    assert_eq!(counts(&tune(&service, &["--clear-after", "20s", "--stream", "often"])), [3, 3, 1]);
    assert_eq!(written["raised"]["major"], written["configured"]["major"]);

    assert_eq!(service.stop().0, Some(0));
    from_the_folder(&home, &report);
}

/// The same from the folder alone, when no service runs.
#[track_caller]
fn from_the_folder(home: &Home, report: &Value) {
    let data = home.data();
    let folder = data.to_str().expect("is text");
    let config = home.config();
    let config = ["--config", config.to_str().expect("is text"), "--data-dir", folder];
    let offline = avwatch().args(["report", "--format", "json"]).args(config).output().expect("it starts");
    let offline = json(&offline);
    assert_near(&figures(&offline, "long")["errored_s"], 6.0, 0.3);
    assert_eq!(figures(&offline, "often")["events"], figures(report, "often")["events"]);
    let not_watched = figures(&offline, "long")["not_watched_s"].as_f64().expect("is a number");
    assert!(not_watched > 80_000.0, "most of the day nothing ran: {not_watched}");
    let tuned = avwatch()
        .args(["tune", "--detector", "black", "--raise-after", "5s"])
        .args(config)
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&tuned.stdout).into_owned();
    assert!(text.contains("2 alarms instead of 4"), "{text}");
    let csv = avwatch().args(["report", "--format", "csv"]).args(config).output().expect("it starts");
    assert!(String::from_utf8_lossy(&csv.stdout).contains("\r\nstream,often,'=south,observe,"));
}

#[test]
fn a_backup_made_while_events_are_written_is_whole() {
    let streams = (0..8).map(|number| {
        format!("[[streams]]\nname = \"s{number}\"\nurl = \"synthetic:?size=160x90&fps=25&seed={number}&audio=0&loop=2&defects=black@0.5+1\"\n")
    });
    let quick = "[detectors.black]\nseverities = { info = \"200ms\" }\nclear_after = \"200ms\"\n";
    let home = Home::new(&format!("{quick}{}", streams.collect::<String>()));
    let mut service = home.start();
    service.wait_for_event("s0", "black", "raised", 30 * SECOND);
    for round in 0..5 {
        let into = home.path().join(format!("backup-{round}"));
        let output = back_up(&home, &into);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_whole(&into);
        let again = back_up(&home, &into);
        assert_eq!(again.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&again.stderr).contains("there already"));
    }
    assert_eq!(service.stop().0, Some(0));
}

fn back_up(home: &Home, into: &Path) -> Output {
    avwatch().arg("backup").arg(into).arg("--config").arg(home.config()).arg("--journal").output().expect("it starts")
}

/// Each event of the copy is what its last change says.
#[track_caller]
fn assert_whole(folder: &Path) {
    let store = rusqlite::Connection::open(folder.join("events.db")).expect("is there");
    let number = |sql: &str| store.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("the query is right");
    assert!(number("SELECT count(*) FROM events") > 0);
    let torn = "SELECT count(*) FROM events WHERE NOT EXISTS
        (SELECT 1 FROM changes WHERE changes.sequence = events.sequence AND changes.json = events.json)";
    assert_eq!(number(torn), 0);
    assert_eq!(
        number("SELECT (SELECT value FROM meta WHERE key = 'sequence') - (SELECT max(sequence) FROM changes)"),
        0
    );
    for name in ["events.db", "desired.db", "journal.db"] {
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(folder.join(name)).expect("is there"));
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn top_prints_one_page_where_there_is_no_terminal() {
    let (_home, service) = Home::new(PLANTED).start_with_home();
    service.wait_for_event("long", "black", "raised", 30 * SECOND);
    let output = ask(&service, &["top", "--once"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("2 of 2 streams up") && text.contains("CPU "), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    let snapshot = json(&ask(&service, &["top", "--format", "json"]));
    assert_eq!(snapshot["streams"].as_array().map(Vec::len), Some(2));
    assert!(snapshot["streams"][0]["meters"]["frame_rate"].is_number(), "{:#}", snapshot["streams"][0]);
    let nobody = avwatch().args(["top", "--once", "--url", "http://127.0.0.1:9"]).output().expect("it starts");
    assert_eq!(nobody.status.code(), Some(2));
}
