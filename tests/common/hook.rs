//! A receiver of webhooks on the loopback, as an operator would write one: it keeps what it took.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

/// A request.
#[derive(Clone, Debug)]
pub struct Call {
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl Call {
    /// A header.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("is JSON")
    }

    /// Ids of the changes that it tells, in order. One of its own has the message's id.
    pub fn changes(&self) -> Vec<String> {
        let event = self.json();
        let change = |data: &Value| data["change_id"].as_str().expect("has one").to_owned();
        match event["data"]["changes"].as_array() {
            Some(changes) => changes.iter().map(|entry| change(&entry["data"])).collect(),
            None => vec![change(&event["data"])],
        }
    }
}

/// The receiver. It lives as long as the test process.
pub struct Hook {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Hook {
    /// One that answers each call by that status, after a pause.
    pub fn start(answer: impl Fn(usize) -> (u16, Duration) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let calls = Arc::<Mutex<Vec<Call>>>::default();
        let (book, answer) = (calls.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (book, answer) = (book.clone(), answer.clone());
                std::thread::spawn(move || serve(stream, &book, &*answer));
            }
        });
        Self { address, calls }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Everything that came.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("nobody panics with it").clone()
    }
}

fn serve(mut stream: TcpStream, book: &Mutex<Vec<Call>>, answer: &dyn Fn(usize) -> (u16, Duration)) {
    let Some(call) = read(&stream) else { return };
    let before = {
        let mut calls = book.lock().expect("nobody panics with it");
        calls.push(call);
        calls.len() - 1
    };
    let (status, pause) = answer(before);
    std::thread::park_timeout(pause);
    // The other side may be gone, which tests may want.
    let _ = write!(stream, "HTTP/1.1 {status} So\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

fn read(stream: &TcpStream) -> Option<Call> {
    let mut lines = BufReader::new(stream);
    lines.read_line(&mut String::new()).ok()?;
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
    Some(Call { headers, body })
}
