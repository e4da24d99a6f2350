//! A scripted HTTP receiver on the loopback, for tests of channels: a thread per connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// A request as it came; names of headers in lower case.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    /// The value of a header that stands there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} stands twice");
        value
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Reply {
    /// That status, and nothing more.
    pub(crate) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    /// No answer for as long as the other side waits.
    pub(crate) fn never() -> Self {
        Self::status(0)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, text: &str) -> Self {
        text.clone_into(&mut self.body);
        self
    }
}

#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<Received>>,
    came: Condvar,
}

/// A server that lives as long as the test process.
pub(crate) struct Scripted {
    address: SocketAddr,
    seen: Arc<Seen>,
}

impl Scripted {
    /// Answers each request by a function, which is told how many came before.
    pub(crate) fn start(answer: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Seen> = Arc::default();
        let (answer, book) = (Arc::new(answer), seen.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let (answer, book) = (answer.clone(), book.clone());
                std::thread::spawn(move || serve(stream, &*answer, &book));
            }
        });
        Self { address, seen }
    }

    /// The address of a path on this server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Received> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// Waits until so many requests came.
    pub(crate) fn wait_for(&self, count: usize, limit: Duration) -> Vec<Received> {
        let until = Instant::now() + limit;
        let mut requests = self.seen.requests.lock().unwrap();
        while requests.len() < count {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "only {} of {count} requests came", requests.len());
            requests = self.seen.came.wait_timeout(requests, left).unwrap().0;
        }
        requests.clone()
    }
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(usize) -> Reply, book: &Seen) {
    let Some(request) = read(&stream) else { return };
    let before = {
        let mut requests = book.requests.lock().unwrap();
        requests.push(request);
        book.came.notify_all();
        requests.len() - 1
    };
    let reply = answer(before);
    if reply.status == 0 {
        // Waits for the other side to leave; what it says meanwhile does not matter.
        let _ = stream.read_to_end(&mut Vec::new());
        return;
    }
    let mut head =
        format!("HTTP/1.1 {} Scripted\r\nConnection: close\r\nContent-Length: {}\r\n", reply.status, reply.body.len());
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    // Errors are the client's leaving, which tests may want.
    let _ = write!(stream, "{head}\r\n{}", reply.body);
}

fn read(stream: &TcpStream) -> Option<Received> {
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    lines.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).ok()? <= 2 {
            break;
        }
        let (name, value) = line.trim_end().split_once(':')?;
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(Ok(0), |(_, value)| value.parse());
    let mut body = vec![0; length.ok()?];
    lines.read_exact(&mut body).ok()?;
    Some(Received { method, path, headers, body })
}
