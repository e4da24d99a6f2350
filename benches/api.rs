//! The API of a node with many streams: time of answers, and lag of the live feed.
//!
//! `cargo bench --bench api -- [STREAMS]` (200 unless told). It starts the service with synthetic
//! streams that keep turning black, asks for lists, single streams and events one after the other, and
//! compares when a change was recognised with when a client of the feed has it. Each figure is one JSON
//! line on standard output. The aims: 99 % of answers within 50 ms, of changes within 500 ms.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

/// Streams unless told.
const STREAMS: usize = 200;
/// Answers that are timed, of each kind.
const ANSWERS: usize = 300;
/// How long changes are looked at.
const LOOK_FOR: Duration = Duration::from_secs(20);

fn main() {
    let streams = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(STREAMS);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let defects: Vec<String> = (0..100).map(|at| format!("black@{}+0.8", 2 * at + 2)).collect();
    let mut config = format!(
        "data_dir = \"{}\"\nserver.listen = \"127.0.0.1:0\"\nserver.requests_per_second = 100000\n\
         [detectors.black]\nseverities = {{ info = \"200ms\" }}\nclear_after = \"200ms\"\n",
        folder.path().join("data").display()
    );
    for number in 0..streams {
        let recipe = format!("synthetic:?size=64x64&fps=5&defects={}&seed={number}", defects.join(","));
        config.push_str(&format!("[[streams]]\nname = \"s{number:04}\"\nurl = \"{recipe}\"\n"));
    }
    let path = folder.path().join("avwatch.toml");
    std::fs::write(&path, config).expect("it can be written");
    let (service, address) = start(&path);
    wait_until_all_are_up(&address, streams);
    let lag = {
        let address = address.clone();
        std::thread::spawn(move || lags(&address))
    };
    let paths = ["/api/v1/streams?limit=50", "/api/v1/streams/s0000", "/api/v1/events?limit=50", "/api/v1/status"];
    for path in paths {
        let mut times: Vec<Duration> = (0..ANSWERS).map(|_| timed(&address, path)).collect();
        print("answer_ms", path, streams, &mut times);
    }
    let mut lags = lag.join().expect("it does not panic");
    print("live_lag_ms", "/api/v1/live", streams, &mut lags);
    drop(service);
}

/// Ends the service with the bench.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(config: &std::path::Path) -> (Service, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_avwatch"))
        .args(["run", "--config"])
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("is piped"));
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(address) = line["message"].as_str().and_then(|text| text.strip_prefix("listening on http://")) {
                // The bench goes on with the first one.
                let _ = tell.send(address.to_owned());
            }
        }
    });
    let address = told.recv_timeout(Duration::from_secs(60)).expect("it listens");
    (Service(child), address)
}

fn ask(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the service listens");
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("the service reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the service answers");
    assert!(answer.starts_with("HTTP/1.0 200") || answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}

fn timed(address: &str, path: &str) -> Duration {
    let begun = Instant::now();
    ask(address, path);
    begun.elapsed()
}

fn wait_until_all_are_up(address: &str, streams: usize) {
    let begun = Instant::now();
    loop {
        let status: Value = serde_json::from_str(&ask(address, "/api/v1/status")).expect("is JSON");
        if status["streams"]["up"] == streams {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(300), "not all streams came up: {status}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// From the recognition of a change to its arrival at a client.
fn lags(address: &str) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).expect("the service listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("is above zero");
    let request = format!("GET /api/v1/live?topics=events HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("the service reads");
    let begun = Instant::now();
    let mut lags = Vec::new();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let now = SystemTime::now();
        if begun.elapsed() > LOOK_FOR {
            break;
        }
        let Some(data) = line.strip_prefix("data: ") else { continue };
        let event: Value = serde_json::from_str(data).expect("is JSON");
        let Some(at) = event["changed_at"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()) else {
            continue;
        };
        lags.push(now.duration_since(at.into()).unwrap_or_default());
    }
    lags
}

fn print(figure: &str, path: &str, streams: usize, values: &mut [Duration]) {
    values.sort_unstable();
    let at = |share: f64| {
        let place = ((values.len() as f64 * share) as usize).min(values.len().saturating_sub(1));
        values.get(place).map(|value| (value.as_secs_f64() * 1e4).round() / 10.0)
    };
    let row = json!({
        "figure": figure, "path": path, "streams": streams, "count": values.len(), "p50": at(0.5), "p99": at(0.99), "max": at(1.0),
    });
    println!("{row}");
}
