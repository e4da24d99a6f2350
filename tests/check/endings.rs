//! How a check ends that is not left to its end: by Ctrl-C, by a closed pipe, by its time.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::binary::avwatch;
use crate::common::recipes;
use crate::common::sender::wait;

/// What ending may take, with a machine full of tests.
const LIMIT: Duration = Duration::from_secs(20);

/// Starts `check` with a pipe for its output.
fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_avwatch"))
        .arg("check")
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts")
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is there");
    assert!(sent.success());
}

/// Waits for the end; gives status, standard output, standard error.
fn end(mut child: Child) -> (i32, Vec<u8>, String) {
    let status = wait("check to end", LIMIT, || child.try_wait().expect("it is our child"));
    let (mut stdout, mut stderr) = (Vec::new(), String::new());
    child.stdout.take().expect("is a pipe").read_to_end(&mut stdout).expect("reads");
    child.stderr.take().expect("is a pipe").read_to_string(&mut stderr).expect("is text");
    (status.code().expect("it was not killed"), stdout, stderr)
}

/// Waits until the thread of a session has been busy for half a second: by then it has inspected
/// something, and Ctrl-C has long had its own meaning.
fn wait_for_progress(child: &Child) {
    let tasks = format!("/proc/{}/task", child.id());
    let busy = |stat: &str| {
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        // Fields 14 and 15 of the line, in ticks of 10 ms.
        let ticks = rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
        name.starts_with("ingest:").then(|| ticks.sum::<u64>())
    };
    wait("the session to do something", LIMIT, || {
        let threads = std::fs::read_dir(&tasks).ok()?;
        let stats = threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("stat")).ok());
        stats.filter_map(|stat| busy(&stat)).any(|ticks| ticks >= 50).then_some(())
    });
}

#[test]
fn ctrl_c_on_an_endless_input_reports_what_was_seen_until_then() {
    let endless = ["synthetic:size=320x180&fps=25&defects=black@0+100000", "--seconds", "600000"];
    let child = start(&[&endless[..], &["--format", "json"]].concat());
    wait_for_progress(&child);
    let begin = Instant::now();
    interrupt(&child);
    let (status, stdout, stderr) = end(child);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    let report: Value = serde_json::from_slice(&stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    let input = &report["inputs"][0];
    let duration = input["duration_s"].as_f64().unwrap_or_else(|| panic!("{input:#}"));
    assert!((2.0..600_000.0).contains(&duration), "{input:#}");
    assert_eq!(input["error"], Value::Null, "{input:#}");
    let black = &input["events"][0];
    assert_eq!((&black["detector"], &black["ongoing"]), (&Value::from("black"), &Value::from(true)), "{input:#}");
    assert_eq!(black["end_s"], input["duration_s"]);
    assert_eq!(status, 1, "{input:#}");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let clean = recipes::tiny("ts");
    let mut child = start(&[clean.path_text(), "--format", "json"]);
    drop(child.stdout.take());
    let status = wait("check to end", LIMIT, || child.try_wait().expect("it is our child"));
    let mut said = String::new();
    child.stderr.take().expect("is a pipe").read_to_string(&mut said).expect("is text");
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn a_synthetic_input_ends_after_the_seconds_that_were_asked_for() {
    let output = avwatch()
        .args(["check", "synthetic:size=160x90&fps=25", "--seconds", "3", "--format", "json"])
        .output()
        .expect("it starts");
    let report: Value = serde_json::from_slice(&output.stdout).expect("is JSON");
    let duration = report["inputs"][0]["duration_s"].as_f64().expect("is a number");
    assert!((3.0..3.1).contains(&duration), "{duration}");
}

#[test]
fn a_part_of_a_file_can_be_asked_for() {
    let black = recipes::black();
    let output =
        avwatch().args(["check", black.path_text(), "--seconds", "3", "--format", "json"]).output().expect("it starts");
    let report: Value = serde_json::from_slice(&output.stdout).expect("is JSON");
    let input = &report["inputs"][0];
    assert_eq!((output.status.code(), &input["verdict"]), (Some(0), &Value::from("pass")), "{input:#}");
    let duration = input["duration_s"].as_f64().expect("is a number");
    assert!((3.0..3.1).contains(&duration), "{duration}");
}
