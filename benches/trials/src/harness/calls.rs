//! Requests to the service that may fail, as it may be killed or out of breath.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// An answer takes at most that long.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Asks once; gives status and body.
pub fn call(address: &str, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address.parse()?, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    let text = body.map(Value::to_string).unwrap_or_default();
    let kind = if body.is_some() { "Content-Type: application/json\r\n" } else { "" };
    let head = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\n{kind}Content-Length: {}\r\n\r\n", text.len());
    stream.write_all(format!("{head}{text}").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).context("no status")?;
    Ok((status, body.to_owned()))
}

/// Asks for JSON; any status but 2xx is an error.
pub fn json(address: &str, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
    let (status, text) = call(address, method, path, body)?;
    anyhow::ensure!((200..300).contains(&status), "{method} {path}: {status} {text}");
    if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
}
