//! `avwatch events`: events of a running service, as a list or as they happen.

use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::Value;

use super::cli::{EventsArgs, ListFormat};
use super::client::Client;
use super::token::client;
use crate::config::Sources;

/// Status for bad usage, or a service that does not answer.
const USAGE: u8 = 2;

/// Runs the command.
pub fn run(args: &EventsArgs, sources: &Sources) -> ExitCode {
    let result = client(&args.service, sources)
        .and_then(|client| if args.follow { follow(&client, args) } else { list(&client, args) });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(USAGE)
        }
    }
}

fn list(client: &Client, args: &EventsArgs) -> Result<(), String> {
    let page = client.json("GET", &format!("/api/v1/events?{}", query(args)), None)?;
    let mut out = io::stdout().lock();
    let events = page["events"].as_array().cloned().unwrap_or_default();
    let written = match args.format {
        ListFormat::Json => writeln!(out, "{}", Value::Array(events)),
        ListFormat::Text => events.iter().rev().try_for_each(|event| writeln!(out, "{}", line(event))),
    };
    closed_is_fine(written)
}

fn follow(client: &Client, args: &EventsArgs) -> Result<(), String> {
    let mut path = String::from("/api/v1/live?topics=events");
    for stream in &args.stream {
        path.push_str(&format!("&stream={}", encoded(stream)));
    }
    let mut is_closed = false;
    let followed = client.follow(&path, |kind, data| {
        let event: Value = serde_json::from_str(data).unwrap_or_default();
        if kind != "event" || !fits(args, &event) {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        let written = match args.format {
            ListFormat::Json => writeln!(out, "{data}"),
            ListFormat::Text => writeln!(out, "{}", line(&event)),
        };
        let written = written.and_then(|()| out.flush());
        is_closed = written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        written
    });
    if is_closed { Ok(()) } else { followed }
}

/// What the live feed does not sort out by itself.
fn fits(args: &EventsArgs, event: &Value) -> bool {
    let is = |key: &str, wanted: &Option<String>| wanted.as_deref().is_none_or(|wanted| event[key] == wanted);
    let severity = event["severity"].as_str().and_then(|word| word.parse().ok());
    is("detector", &args.detector)
        && is("state", &args.state.clone().filter(|state| state != "open"))
        && args
            .severity
            .is_none_or(|least| severity.is_some_and(|severity: avwatch_actors::severity::Severity| severity >= least))
}

fn query(args: &EventsArgs) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &args.limit.to_string());
    for (key, value) in [
        ("stream", args.stream.first().cloned()),
        ("detector", args.detector.clone()),
        ("severity", args.severity.map(|severity| severity.to_string())),
        ("state", args.state.clone()),
        ("since", args.since.clone()),
        ("until", args.until.clone()),
    ] {
        if let Some(value) = value {
            query.append_pair(key, &value);
        }
    }
    for label in &args.label {
        query.append_pair("label", label);
    }
    query.finish()
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// One event as people read it. Control characters of a stream's own words stay out of the terminal.
fn line(event: &Value) -> String {
    let text = |key: &str| event[key].as_str().unwrap_or("-");
    let line = format!(
        "{}  {:<8}  {:<10}  {:<20}  {:<9}  {:<16}  {}",
        text("changed_at"),
        text("severity"),
        text("state"),
        text("stream"),
        text("track"),
        text("detector"),
        text("message")
    );
    line.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// A closed pipe is no error.
pub(super) fn closed_is_fine(written: io::Result<()>) -> Result<(), String> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        Ok(()) | Err(_) => Ok(()),
    }
}
