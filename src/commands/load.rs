//! `avwatch load`: load test with planted defects.

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::cli::ListFormat;
use super::load_args::LoadArgs;
use crate::load::{self, Progress};
use crate::report::Destination;

/// Status when a requirement is missed.
const MISSED: u8 = 1;
/// Status for bad usage or configuration.
const USAGE: u8 = 2;
/// Status of an internal failure.
const INTERNAL: u8 = 70;

/// Runs the command; `stop` is set by Ctrl-C.
pub fn run(args: &LoadArgs, stop: &AtomicBool) -> ExitCode {
    let settings = match args.settings() {
        Ok(settings) => settings,
        Err(why) => return fail(&why, USAGE),
    };
    let bar = progress_bar();
    let ran = load::run(&settings, stop, &|progress| show(&bar, &progress));
    bar.finish_and_clear();
    let report = match ran {
        Ok(report) => report,
        Err(error) => return fail(&error, if error.is_usage() { USAGE } else { INTERNAL }),
    };
    let bytes = match args.format {
        ListFormat::Text => Ok(load::render_text(&report).into_bytes()),
        ListFormat::Json => report.json(),
    };
    let written = bytes.map_err(|error| error.to_string());
    if let Err(error) = written.and_then(|bytes| Destination::Stdout.write(&bytes).map_err(|error| error.to_string())) {
        return fail(&error, INTERNAL);
    }
    for missed in report.required.iter().filter(|required| !required.met) {
        let reached = missed.reached.map_or("unknown".to_owned(), |value| value.to_string());
        eprintln!("missed: {} wanted {}, reached {reached}", missed.name, missed.wanted);
    }
    if report.met { ExitCode::SUCCESS } else { ExitCode::from(MISSED) }
}

fn fail(why: &dyn std::fmt::Display, status: u8) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::from(status)
}

fn progress_bar() -> ProgressBar {
    // Hidden by itself when standard error is no terminal.
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} {msg} {wide_bar} {elapsed}").expect("the template is valid");
    bar.set_style(style);
    bar
}

fn show(bar: &ProgressBar, progress: &Progress) {
    if bar.is_hidden() {
        return;
    }
    let (message, done, all) = match progress {
        Progress::Making => ("making what the streams show".to_owned(), 0, 1),
        Progress::Baseline => ("bare decoding".to_owned(), 0, 1),
        Progress::Starting(up, streams) => {
            (format!("{up} of {streams} streams up"), u64::from(*up), u64::from(*streams))
        }
        Progress::Measuring(streams, passed, all) => {
            (format!("{streams} streams"), passed.as_millis() as u64, all.as_millis() as u64)
        }
    };
    bar.set_length(all.max(1));
    bar.set_position(done);
    bar.set_message(message);
    bar.tick();
}
