//! A real HTTP server on the loopback for tests: one thread per connection, one request each.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as it came: the path with its query, and all header lines in lower case.
#[derive(Clone, Debug)]
pub(in crate::media) struct Request {
    pub(in crate::media) path: String,
    pub(in crate::media) headers: String,
}

impl Request {
    /// The value of a header, by its name; both in lower case.
    pub(in crate::media) fn header(&self, name: &str) -> Option<String> {
        let value =
            |line: &str| line.split_once(": ").filter(|(found, _)| *found == name).map(|(_, value)| value.to_owned());
        self.headers.lines().find_map(value)
    }

    /// The bounds of a `Range` header, for a resource of that length: first byte, and the one after the last.
    pub(in crate::media) fn range(&self, length: usize) -> Option<(usize, usize)> {
        let value = self.headers.lines().find_map(|line| line.strip_prefix("range: bytes="))?;
        let (from, to) = value.split_once('-')?;
        Some((from.parse().ok()?, to.parse::<usize>().map_or(length, |to| to + 1)))
    }
}

/// A server that lives as long as the test process.
pub(in crate::media) struct TestServer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl TestServer {
    /// Answers each request by a function, which writes whatever it likes.
    pub(in crate::media) fn start(answer: impl Fn(&Request, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let seen = requests.clone();
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let (seen, answer) = (seen.clone(), answer.clone());
                std::thread::spawn(move || {
                    if let Some(request) = read_request(&stream) {
                        seen.lock().unwrap().push(request.clone());
                        answer(&request, &mut stream);
                    }
                });
            }
        });
        Self { address, requests }
    }

    /// Serves fixed bytes, whole or in ranges.
    pub(in crate::media) fn of_bytes(bytes: Vec<u8>, ranges: bool) -> Self {
        Self::start(move |request, stream| {
            let (from, to) = request.range(bytes.len()).filter(|_| ranges).unwrap_or((0, bytes.len()));
            let status = if ranges && request.range(bytes.len()).is_some() { "206 Partial Content" } else { "200 OK" };
            let headers = if ranges { "Accept-Ranges: bytes\r\n" } else { "" };
            respond(stream, status, headers, &bytes[from.min(to)..to]);
        })
    }

    /// The address of a path on this server.
    pub(in crate::media) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Host and port.
    pub(in crate::media) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests so far.
    pub(in crate::media) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// Writes a response with its length. Errors are the client's leaving, which tests may want.
pub(in crate::media) fn respond(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream);
    let mut first = String::new();
    lines.read_line(&mut first).ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut headers = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).ok()? <= 2 {
            return Some(Request { path, headers });
        }
        headers.push_str(&line.trim_end().to_lowercase());
        headers.push('\n');
    }
}
