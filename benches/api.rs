//! The API of a node with many streams: time of answers, and lag of the live feed.
//!
//! `cargo bench --bench api -- [STREAMS]` (200 unless told). It starts the service with synthetic
//! streams that keep turning black, asks for lists, single streams and events one after the other, and
//! compares when a change was recognised with when a client of the feed has it. Then three people look at
//! the wall in a browser (`. scripts/setup && setup_dashboard` brings it; without it this part is left out),
//! and the CPU time of the threads that serve them is compared with that without: the browser draws on the
//! same cores, so the rest of the service gets less of them meanwhile. Each figure is one JSON line on
//! standard output. The aims: 99 % of answers within 50 ms, of changes within 500 ms, the first paint within
//! a second, three viewers within 5 % of a core.

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
/// Threads of detectors.
const ARBITERS: usize = 2;
/// People who look at the wall at the same time.
const VIEWERS: usize = 3;
/// Pairs of stretches with and without them, and how long each is.
const PAIRS: usize = 3;
const STRETCH: Duration = Duration::from_secs(15);
/// How long changes are looked at.
const LOOK_FOR: Duration = Duration::from_secs(20);

fn main() {
    let streams = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(STREAMS);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let defects: Vec<String> = (0..100).map(|at| format!("black@{}+0.8", 2 * at + 2)).collect();
    let mut config = format!(
        "data_dir = \"{}\"\nserver.listen = \"127.0.0.1:0\"\nserver.requests_per_second = 100000\n\
         runtime.detector_arbiters = {ARBITERS}\n\
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
    look(&service, &address, streams);
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

/// What it costs that people look at the wall.
fn look(service: &Service, address: &str, streams: usize) {
    let process = service.0.id();
    let serving = serving_threads(process);
    let mut shares = Vec::new();
    for _ in 0..PAIRS {
        let without = cpu_share(process, &serving);
        let Some((viewers, said)) = Viewers::start(address) else {
            eprintln!("no browser: the CPU time of viewers is not measured");
            return;
        };
        println!("{}", json!({ "figure": "first_paint_ms", "streams": streams, "paints": said["first_paint_ms"] }));
        let with = cpu_share(process, &serving);
        viewers.end();
        shares.push((100.0 * without, 100.0 * with, 100.0 * (with - without)));
    }
    let rounded = |value: f64| (value * 100.0).round() / 100.0;
    let pairs: Vec<_> = shares
        .iter()
        .map(|(without, with, more)| json!({ "without": rounded(*without), "with": rounded(*with), "more": rounded(*more) }))
        .collect();
    println!("{}", json!({ "figure": "viewers_cpu_percent", "streams": streams, "viewers": VIEWERS, "pairs": pairs }));
}

/// The threads that viewers give work to: all but those that watch streams. Detector arbiters have the name
/// of the one that serves HTTP; they are those that work while nobody looks.
fn serving_threads(process: u32) -> Vec<String> {
    const WATCH: [&str; 5] = ["ingest:", "desk", "store:writer", "journal:writer", "evidence:writ"];
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("the service runs");
    let ids = threads.flatten().map(|thread| thread.file_name().to_string_lossy().into_owned());
    let (mut arbiters, mut serving) = (Vec::new(), Vec::new());
    for id in ids {
        let Some((name, seconds)) = cpu_of(process, &id) else { continue };
        if name.starts_with("actix-rt") {
            arbiters.push((seconds, id));
        } else if !WATCH.iter().any(|watch| name.starts_with(watch)) {
            serving.push(id);
        }
    }
    arbiters.sort_by(|one, other| other.0.total_cmp(&one.0));
    serving.extend(arbiters.into_iter().skip(ARBITERS).map(|(_, id)| id));
    serving
}

/// CPU time over a stretch of these threads, as a share of one core.
fn cpu_share(process: u32, threads: &[String]) -> f64 {
    let spent = || threads.iter().filter_map(|id| cpu_of(process, id)).map(|(_, seconds)| seconds).sum::<f64>();
    let (begun, before) = (Instant::now(), spent());
    std::thread::sleep(STRETCH);
    (spent() - before) / begun.elapsed().as_secs_f64()
}

/// Name and CPU time of a thread. Linux counts in hundredths of a second for everybody.
fn cpu_of(process: u32, thread: &str) -> Option<(String, f64)> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/task/{thread}/stat")).ok()?;
    let (name, fields) = stat.split_once('(')?.1.rsplit_once(')')?;
    // Behind the name user time is the 12th field, system time the 13th.
    let mut times = fields.split_whitespace().skip(11).map(|field| field.parse::<f64>().unwrap_or(0.0));
    Some((name.to_owned(), (times.next()? + times.next()?) / 100.0))
}

/// A browser with the wall open.
struct Viewers(Child);

impl Viewers {
    fn start(address: &str) -> Option<(Self, Value)> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new("node")
            .arg(root.join("tests/dashboard/viewers.mjs"))
            .args([format!("http://{address}"), VIEWERS.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take()?).read_line(&mut line).ok()?;
        match serde_json::from_str(&line) {
            Ok(said) => Some((Self(child), said)),
            Err(_) => {
                // It could not start its browser and said so.
                let _ = child.wait();
                None
            }
        }
    }

    fn end(mut self) {
        drop(self.0.stdin.take());
        // It ends when its input does.
        let _ = self.0.wait();
    }
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
