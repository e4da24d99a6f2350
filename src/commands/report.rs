//! `avwatch report` and `avwatch tune`: what the past says, asked of a running service or read from its data folder.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::cli::{ListFormat, ReportArgs, TuneArgs};
use super::token::client;
use crate::availability::{self, NoiseWanted, ServiceReport, from_folder};
use crate::config::{DataDir, Plan, Sources, StreamPlan, load, moment};
use crate::desired::maintenance_in;
use crate::journal::{JournalKeep, JournalReader};
use crate::report::Destination;
use crate::sinks::store::EventReader;
use crate::tune::{self, Circumstances, Tuned};

/// Status for bad usage, or a service that does not answer.
const USAGE: u8 = 2;
/// What is told when nothing is asked for: the last day.
const SPAN: Duration = Duration::from_secs(86_400);

/// Runs `report`.
pub fn run(args: &ReportArgs, sources: &Sources) -> ExitCode {
    ended(try_report(args, sources))
}

/// Runs `tune`.
pub fn run_tune(args: &TuneArgs, sources: &Sources) -> ExitCode {
    ended(try_tune(args, sources))
}

fn ended(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(USAGE)
        }
    }
}

fn try_report(args: &ReportArgs, sources: &Sources) -> Result<(), String> {
    let place = Destination::new(args.output.as_deref()).map_err(|error| error.to_string())?;
    let report: ServiceReport = match &args.data_dir {
        Some(folder) => {
            let (since, until) = times(args.since.as_deref(), args.until.as_deref())?;
            let question = availability::Question {
                since,
                until,
                from: args.from,
                stream: args.stream.clone(),
                group: args.group.clone(),
                noise: if args.noise { NoiseWanted::Yes } else { NoiseWanted::No },
            };
            from_folder(&existing(folder)?, &plans(sources)?, &question).map_err(|error| error.to_string())?
        }
        None => {
            let query = query(&[
                ("since", args.since.as_deref()),
                ("until", args.until.as_deref()),
                ("stream", args.stream.as_deref()),
                ("from", Some(args.from.name())),
                ("group", Some(&args.group)),
                ("noise", args.noise.then_some("true")),
            ]);
            let answer = client(&args.service, sources)?.json("GET", &format!("/api/v1/report?{query}"), None)?;
            serde_json::from_value(answer).map_err(|_| "the answer is no report: is it another version?".to_owned())?
        }
    };
    if let Some(name) = args.stream.as_ref().filter(|_| report.streams.is_empty()) {
        return Err(format!("nothing is known of a stream '{name}'; without --stream the report lists all"));
    }
    place.write(report.render(args.format).as_bytes()).map_err(|error| error.to_string())
}

fn try_tune(args: &TuneArgs, sources: &Sources) -> Result<(), String> {
    let tuned: Tuned = match &args.data_dir {
        Some(folder) => {
            let (since, until) = times(args.since.as_deref(), args.until.as_deref())?;
            let question = tune::Question {
                detector: args.detector.clone(),
                raise_after: args.raise_after.map(|span| span.0),
                clear_after: args.clear_after.map(|span| span.0),
                threshold: args.threshold,
                stream: args.stream.clone(),
                since,
                until,
            };
            let folder = existing(folder)?;
            let journal = JournalReader::new(&folder, JournalKeep::default());
            let plan = plan(sources)?;
            let rules = plan.alarm_rules();
            let plans: Vec<Arc<StreamPlan>> = plan.streams.into_iter().map(Into::into).collect();
            if plans.is_empty() {
                return Err("which streams? name their configuration with --config".to_owned());
            }
            let maintenance = maintenance_in(&folder).map_err(|error| error.to_string())?;
            let circumstances = Circumstances { rules: &rules, maintenance: &maintenance };
            tune::tune(&question, &plans, circumstances, &journal, &mut EventReader::new(&folder))
                .map_err(|error| error.to_string())?
        }
        None => {
            let text = |span: Option<crate::config::Span>| span.map(|span| span.to_string());
            let (raise_after, clear_after) = (text(args.raise_after), text(args.clear_after));
            let threshold = args.threshold.map(|threshold| threshold.to_string());
            let query = query(&[
                ("detector", Some(&args.detector)),
                ("raise_after", raise_after.as_deref()),
                ("clear_after", clear_after.as_deref()),
                ("threshold", threshold.as_deref()),
                ("stream", args.stream.as_deref()),
                ("since", args.since.as_deref()),
                ("until", args.until.as_deref()),
            ]);
            let answer = client(&args.service, sources)?.json("GET", &format!("/api/v1/tune?{query}"), None)?;
            serde_json::from_value(answer).map_err(|_| "the answer is none: is it another version?".to_owned())?
        }
    };
    let text = match args.format {
        ListFormat::Text => tune::render(&tuned),
        ListFormat::Json => serde_json::to_string_pretty(&tuned).map_err(|error| error.to_string())? + "\n",
    };
    Destination::Stdout.write(text.as_bytes()).map_err(|error| error.to_string())
}

fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (key, value) in pairs {
        if let Some(value) = value {
            query.append_pair(key, value);
        }
    }
    query.finish()
}

fn times(since: Option<&str>, until: Option<&str>) -> Result<(SystemTime, SystemTime), String> {
    let read = |name: &str, text: Option<&str>| {
        let wrong = || {
            format!(
                "--{name} must be a time such as 2026-11-28T18:00:00Z, or a span such as 1h or 7d for that long ago"
            )
        };
        text.map(|text| moment(text).ok_or_else(wrong)).transpose()
    };
    let until = read("until", until)?.unwrap_or_else(SystemTime::now);
    let since = read("since", since)?.or_else(|| until.checked_sub(SPAN)).unwrap_or(SystemTime::UNIX_EPOCH);
    Ok((since, until))
}

/// The streams of the configuration; none when there is none.
fn plans(sources: &Sources) -> Result<Vec<Arc<StreamPlan>>, String> {
    Ok(plan(sources)?.streams.into_iter().map(Into::into).collect())
}

fn plan(sources: &Sources) -> Result<Plan, String> {
    let sources = Sources { allow_demo: false, ..sources.clone() };
    Ok(load(&sources).map_err(|errors| errors.to_string())?.plan)
}

fn existing(folder: &std::path::Path) -> Result<PathBuf, String> {
    if folder.join("events.db").is_file() {
        return Ok(folder.to_owned());
    }
    Err(format!("there is no events.db in '{}': is it the data_dir of a service?", folder.display()))
}

/// The data folder that the configuration names.
pub(super) fn data_folder(sources: &Sources) -> Result<PathBuf, String> {
    let loaded = load(sources).map_err(|errors| errors.to_string())?;
    match loaded.plan.data_dir {
        DataDir::Fixed(path) => Ok(path),
        DataDir::Temporary => Err("the demo keeps its data in a temporary folder: name it with --data-dir".to_owned()),
    }
}
