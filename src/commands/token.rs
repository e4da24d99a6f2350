//! `avwatch token`: makes tokens, and asks a running service to list, add and remove them.

use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::cli::{ServiceArgs, TokenCommand};
use super::client::Client;
use super::events::closed_is_fine;
use crate::access::{TokenHash, new_token};
use crate::config::{Sources, load};

/// Status for bad usage, or a service that does not answer.
const USAGE: u8 = 2;

/// Runs the command.
pub fn run(command: &TokenCommand, sources: &Sources) -> ExitCode {
    let result = match command {
        TokenCommand::New => fresh(),
        TokenCommand::List(service) => client(service, sources).and_then(|client| list(&client)),
        TokenCommand::Add { name, role, service } => client(service, sources).and_then(|client| {
            let made = client.json("POST", "/api/v1/tokens", Some(&json!({ "name": name, "role": role })))?;
            print(made["token"].as_str().unwrap_or_default())
        }),
        TokenCommand::Remove { name, service } => client(service, sources).and_then(|client| {
            let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
            client.json("DELETE", &format!("/api/v1/tokens/{name}"), None).map(|_| ())
        }),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(USAGE)
        }
    }
}

/// The service that is meant: by its address, or the one that the configuration describes.
pub(super) fn client(service: &ServiceArgs, sources: &Sources) -> Result<Client, String> {
    match &service.url {
        Some(url) => Client::at(url, service.token.clone()),
        None => {
            let loaded = load(sources).map_err(|errors| errors.to_string())?;
            Client::of(&loaded.plan.server, service.token.clone())
        }
    }
}

/// A token on standard output, what to write into the configuration on standard error.
fn fresh() -> Result<(), String> {
    let token = new_token().map_err(|error| format!("the system has no random numbers: {error}"))?;
    eprintln!("# for the configuration; the token itself is kept nowhere");
    eprintln!("[server.tokens.NAME]\nrole = \"viewer\"\nhash = \"{}\"", TokenHash::of(&token));
    print(&token)
}

fn list(client: &Client) -> Result<(), String> {
    let list = client.json("GET", "/api/v1/tokens", None)?;
    let mut out = io::stdout().lock();
    let text = |token: &Value, key: &str| token[key].as_str().unwrap_or("-").to_owned();
    let tokens = list["tokens"].as_array().cloned().unwrap_or_default();
    closed_is_fine(tokens.iter().try_for_each(|token| {
        writeln!(
            out,
            "{:<24}  {:<8}  {:<4}  {}",
            text(token, "name"),
            text(token, "role"),
            text(token, "origin"),
            text(token, "created_at")
        )
    }))
}

fn print(text: &str) -> Result<(), String> {
    closed_is_fine(writeln!(io::stdout(), "{text}"))
}
