//! `avwatch top`: what a running service watches, worst first, refreshed each second.
//!
//! Runs on the main thread. At a terminal it draws on the alternate screen and puts everything back however it ends;
//! otherwise, or with `--once`, it prints one page. It only reads, over the API.

mod page;
mod screen;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::cli::{ListFormat, TopArgs};
use super::client::Client;
use super::events::closed_is_fine;
use super::token::client;
use crate::config::Sources;

/// Status for bad usage, or a service that does not answer.
const USAGE: u8 = 2;
/// Open events that are asked for: more do not fit on a screen.
const EVENTS_MAX: usize = 200;

/// What a service says of itself at a moment.
#[derive(Clone, Debug, Default)]
struct Now {
    status: Value,
    streams: Vec<Value>,
    events: Vec<Value>,
}

/// Runs the command.
pub fn run(args: &TopArgs, sources: &Sources) -> ExitCode {
    let result = client(&args.service, sources).and_then(|client| {
        let is_live = !args.once && args.format == ListFormat::Text && io::stdout().is_terminal();
        if is_live { screen::follow(&client) } else { once(&client, args.format) }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(USAGE)
        }
    }
}

fn once(client: &Client, format: ListFormat) -> Result<(), String> {
    let now = ask(client)?;
    let text = match format {
        ListFormat::Text => page::lines(&now, None, 0).join("\n"),
        ListFormat::Json => json!({ "status": now.status, "streams": now.streams, "events": now.events }).to_string(),
    };
    closed_is_fine(writeln!(io::stdout().lock(), "{text}"))
}

/// Asks for everything, streams worst first.
fn ask(client: &Client) -> Result<Now, String> {
    let status = client.json("GET", "/api/v1/status", None)?;
    let list = |path: &str, key: &str| -> Result<Vec<Value>, String> {
        let mut page = client.json("GET", path, None)?;
        match page[key].take() {
            Value::Array(list) => Ok(list),
            _ => Err("the answer has no list: is it another version?".to_owned()),
        }
    };
    let mut streams = list("/api/v1/streams?limit=10000&meters=true", "streams")?;
    let events = list(&format!("/api/v1/events?state=open&limit={EVENTS_MAX}"), "events")?;
    streams.sort_by_key(page::rank);
    Ok(Now { status, streams, events })
}
