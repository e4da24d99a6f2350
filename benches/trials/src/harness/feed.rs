//! A reader of the live feed that bears the end of the service.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// A message of the feed.
pub struct Told {
    /// Its kind.
    pub kind: String,
    /// The number of the change.
    pub id: Option<u64>,
    /// Its data.
    pub data: Value,
}

/// Follows the feed of events until the connection ends or nothing comes for 30 s.
pub fn follow(address: &str, mut each: impl FnMut(Told)) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let head = "Accept: text/event-stream\r\n";
    stream.write_all(format!("GET /api/v1/live?topics=events HTTP/1.0\r\nHost: {address}\r\n{head}\r\n").as_bytes())?;
    let (mut kind, mut id) = (String::new(), None);
    for line in BufReader::new(stream).lines() {
        let line = line.context("the feed ended")?;
        let Some((name, value)) = line.split_once(": ") else {
            if line.is_empty() {
                (kind, id) = (String::new(), None);
            }
            continue;
        };
        match name {
            "event" => kind = value.to_owned(),
            "id" => id = value.parse().ok(),
            // A message that was cut off by the end of the service was not told.
            "data" => match serde_json::from_str(value) {
                Ok(data) => each(Told { kind: kind.clone(), id, data }),
                Err(_) => return Ok(()),
            },
            _ => {}
        }
    }
    Ok(())
}
