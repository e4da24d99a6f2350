//! R35 and R36: tests of notifications in their long forms, which nobody waits for with every change.
//!
//! Unlike the other trials they run in the tests' own build: the tests are the measure, and tell their figures in lines
//! that hold `figure NAME VALUE`.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::harness::options::Options;
use crate::harness::outcome::Outcome;

pub const OUTAGE: &str = "A receiver is away for ten minutes, refusing, busy and broken by turns, while 200 alerts come and go; \
    each must be told once and in order after its return, and another receiver at once";
pub const SEND_KILLS: &str = "kill -9 while a message is on its way, 100 times at other moments of the sending; every change in the \
    store must be told or wait, and what comes twice must come under one id with one content";

/// Time for building the tests, and for what the service needs beside that which is asked for.
const SPARE: Duration = Duration::from_secs(1_800);
/// Longest that one life of the service may take.
const LIFE_MAX: Duration = Duration::from_secs(30);
/// Characters of what a test said that are kept when it failed.
const SAID_MAX: usize = 400;

/// A test and its long form.
struct Long {
    arguments: &'static [&'static str],
    name: &'static str,
    variable: &'static str,
    value: u64,
    limit: Duration,
}

pub fn outage(options: &Options) -> Result<Outcome> {
    let test = Long {
        arguments: &["--lib"],
        name: "notify::flow_tests::after_an_outage_every_alert_is_told_once_and_in_order",
        variable: "AVWATCH_OUTAGE_SECONDS",
        value: options.outage_seconds,
        limit: Duration::from_secs(options.outage_seconds) + SPARE,
    };
    let mut outcome = Outcome::default();
    outcome.note("outage_s", options.outage_seconds);
    let said = run(&test, &mut outcome)?;
    for name in ["alerts_told", "attempts_failed", "told_after_return_s"] {
        outcome.note(name, figure(&said, name));
    }
    outcome.at_most("other_receiver_told_after_s", figure(&said, "other_receiver_told_after_s"), 3.0);
    Ok(outcome)
}

pub fn send_kills(options: &Options) -> Result<Outcome> {
    let test = Long {
        arguments: &["--test", "service"],
        name: "notify::kills_while_sending_lose_nothing_and_repetitions_have_the_same_id",
        variable: "AVWATCH_KILLS",
        value: options.send_kills,
        limit: LIFE_MAX * u32::try_from(options.send_kills)? + SPARE,
    };
    let mut outcome = Outcome::default();
    let said = run(&test, &mut outcome)?;
    outcome.at_least("kills", figure(&said, "kills"), options.send_kills as f64);
    for name in ["changes_told", "messages", "calls", "changes_waiting"] {
        outcome.note(name, figure(&said, name));
    }
    Ok(outcome)
}

/// Runs the test, judges whether it passed, and gives what it said.
fn run(test: &Long, outcome: &mut Outcome) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("said");
    let file = File::create(&path)?;
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("the package lies in benches/trials")?;
    let mut child = Command::new("cargo")
        .args(["test", "--locked", "-p", "avwatch"])
        .args(test.arguments)
        .args(["--", "--exact", "--nocapture", test.name])
        .current_dir(root)
        .env(test.variable, test.value.to_string())
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .context("cargo test")?;
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begin.elapsed() > test.limit {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    let said = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
    ensure!(status.is_some(), "the test took longer than {:?}", test.limit);
    // A test that is not there passes as none: it must have been run.
    let passed = said.contains("test result: ok. 1 passed");
    outcome.at_least("tests_passed", f64::from(u8::from(passed)), 1.0);
    if !passed {
        let from = said.char_indices().rev().nth(SAID_MAX - 1).map_or(0, |(at, _)| at);
        outcome.note("said", &said[from..]);
    }
    Ok(said)
}

/// The figure of that name; no number when the test did not tell it.
fn figure(said: &str, name: &str) -> f64 {
    let value = |line: &str| {
        let (_, figure) = line.split_once("figure ")?;
        let (told, value) = figure.split_once(' ')?;
        (told == name).then(|| value.trim().parse().ok())?
    };
    said.lines().find_map(value).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_behind_what_the_harness_writes() {
        let said = "running 1 test\ntest a ... figure attempts_failed 12\nfigure told_after_return_s 4.5\n";
        assert_eq!(figure(said, "attempts_failed"), 12.0);
        assert_eq!(figure(said, "told_after_return_s"), 4.5);
        assert!(figure(said, "kills").is_nan());
    }
}
