//! Reliability trials of the `avwatch` binary, one process beside another.
//!
//! Each trial starts the real binary with a configuration and a data folder of its own, does to it what the world may do,
//! and judges what it sees from outside: API, metrics, log, store, `/proc`. It prints one JSON line and keeps it in a file,
//! of which `docs/reliability.md` is written. Nothing of this is in the shipped binary; see `shim.c` for what is put
//! between it and the system.

mod harness;
mod media;
mod page;
mod trials;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};

use harness::options::Options;
use harness::outcome::Outcome;
use harness::results::{self, Record};
use trials::{ALL, Trial};

/// Exit status when a trial failed, and for bad usage.
const FAILED: u8 = 1;
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let options = match Options::from_arguments(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(USAGE);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(USAGE)
        }
    }
}

/// Runs what was asked for; true when all passed.
fn run(options: &Options) -> Result<bool> {
    let mut all_passed = true;
    for trial in wanted(options)? {
        eprintln!("{} {}: {}", trial.id, trial.name, trial.what);
        let record = measure(trial, options)?;
        all_passed &= record.outcome.passed();
        println!("{}", record.json());
        results::keep(&options.results, &record)?;
    }
    page::write(&options.results, &options.page)?;
    Ok(all_passed)
}

/// The trials that were named, by id or name; all if none was, none with `--page` alone.
fn wanted(options: &Options) -> Result<Vec<&'static Trial>> {
    if options.names.is_empty() {
        return Ok(if options.page_only { Vec::new() } else { ALL.iter().collect() });
    }
    let named = |name: &String| {
        let found = ALL.iter().find(|trial| trial.id.eq_ignore_ascii_case(name) || trial.name == name);
        found.with_context(|| {
            let known: Vec<_> = ALL.iter().map(|trial| format!("{} ({})", trial.name, trial.id)).collect();
            format!("there is no trial '{name}'; there are: {}", known.join(", "))
        })
    };
    options.names.iter().map(named).collect()
}

fn measure(trial: &Trial, options: &Options) -> Result<Record> {
    let begin = Instant::now();
    // What the trials share with the tests panics when a wait is over; that is a failure of this trial alone.
    let outcome = match catch_unwind(AssertUnwindSafe(|| (trial.run)(options))) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => Outcome::broken(format!("{error:#}")),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            Outcome::broken(
                text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default(),
            )
        }
    };
    Record::new(trial, options, outcome, begin.elapsed())
}
