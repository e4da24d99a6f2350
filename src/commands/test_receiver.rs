//! `avwatch test-receiver`: has a running service send a test message to one of its receivers.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use super::cli::TestReceiverArgs;
use super::events::closed_is_fine;
use super::token::client;
use crate::config::Sources;

/// Status when the message was not taken.
const NOT_TAKEN: u8 = 1;

/// Status for bad usage, or a service that does not answer.
const USAGE: u8 = 2;

/// Longer than the service waits for the receiver.
const TRY_WITHIN: Duration = Duration::from_secs(40);

/// Runs the command.
pub fn run(args: &TestReceiverArgs, sources: &Sources) -> ExitCode {
    let name: String = url::form_urlencoded::byte_serialize(args.name.as_bytes()).collect();
    let path = format!("/api/v1/receivers/{name}/test");
    let tried = client(&args.service, sources).and_then(|client| client.json_within("POST", &path, TRY_WITHIN));
    match tried {
        Ok(tried) if tried["delivered"] == true => {
            let said = closed_is_fine(writeln!(io::stdout(), "{}: delivered", args.name));
            said.map_or(ExitCode::from(USAGE), |()| ExitCode::SUCCESS)
        }
        Ok(tried) => {
            eprintln!("error: {}", tried["error"].as_str().unwrap_or("it was not taken"));
            ExitCode::from(NOT_TAKEN)
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(USAGE)
        }
    }
}
