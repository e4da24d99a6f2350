//! A client of HTTP as small as tests need: one request a connection, and a reader of server-sent events.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long an answer may take on a busy machine.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Head, as it came.
    pub head: String,
    /// Body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Asks for `path`; `headers` are whole lines, each ended by CR LF.
pub fn ask(address: &str, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let head =
        format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    let mut stream = TcpStream::connect(address).expect("the service listens");
    stream.set_read_timeout(Some(ANSWER_WITHIN)).expect("is above zero");
    stream.write_all(format!("{head}{body}").as_bytes()).expect("the service reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the service answers in time");
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").expect("is HTTP");
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("is HTTP");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// Asks with a JSON body.
pub fn ask_json(address: &str, method: &str, path: &str, headers: &str, body: &Value) -> Answer {
    let headers = format!("Content-Type: application/json\r\n{headers}");
    ask(address, method, path, &headers, &body.to_string())
}

/// A message of a live feed.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its kind.
    pub kind: String,
    /// Its id.
    pub id: Option<u64>,
    /// Its data.
    pub data: Value,
}

/// A reader of server-sent events.
pub struct Feed {
    stream: TcpStream,
    rest: Vec<u8>,
    /// Everything that came, in order.
    pub messages: Vec<Message>,
}

impl Feed {
    /// Connects; `headers` are whole lines.
    #[track_caller]
    pub fn connect(address: &str, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(address).expect("the service listens");
        stream.set_read_timeout(Some(Duration::from_millis(100))).expect("is above zero");
        let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: text/event-stream\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).expect("the service reads");
        let mut feed = Self { stream, rest: Vec::new(), messages: Vec::new() };
        let head = feed.block(ANSWER_WITHIN).expect("the service answers");
        assert!(head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"), "{head}");
        feed
    }

    /// The text up to the next empty line; nothing when the feed ended or the time is over.
    fn block(&mut self, limit: Duration) -> Option<String> {
        let until = Instant::now() + limit;
        loop {
            for end in [&b"\r\n\r\n"[..], b"\n\n"] {
                if let Some(at) = self.rest.windows(end.len()).position(|part| part == end) {
                    let block = String::from_utf8_lossy(&self.rest[..at]).into_owned();
                    self.rest.drain(..at + end.len());
                    return Some(block);
                }
            }
            if Instant::now() >= until {
                return None;
            }
            let mut chunk = [0; 65_536];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(bytes) => self.rest.extend_from_slice(&chunk[..bytes]),
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                }
                Err(_) => return None,
            }
        }
    }

    /// The next message that has data; nothing when the feed ended or the time is over.
    pub fn next(&mut self, limit: Duration) -> Option<Message> {
        let until = Instant::now() + limit;
        loop {
            let block = self.block(until.saturating_duration_since(Instant::now()))?;
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            let Some(data) = field("data") else { continue };
            let message = Message {
                kind: field("event").unwrap_or("message").to_owned(),
                id: field("id").and_then(|id| id.parse().ok()),
                data: serde_json::from_str(data).expect("data is JSON"),
            };
            self.messages.push(message.clone());
            return Some(message);
        }
    }

    /// The first message, of those to come, that is looked for.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, limit: Duration, is_it: impl Fn(&Message) -> bool) -> Message {
        let until = Instant::now() + limit;
        while let Some(message) = self.next(until.saturating_duration_since(Instant::now())) {
            if is_it(&message) {
                return message;
            }
        }
        panic!("waited {limit:?} for {what}; there came {:#?}", self.messages);
    }
}
