//! R5: a zoo of inputs that never end and never fail; each costs itself only.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::harness::options::Options;
use crate::harness::outcome::Outcome;
use crate::harness::sender::{Web, respond};
use crate::harness::service::{Home, Service};
use crate::harness::shim::Shim;
use crate::harness::slope::theil_sen;
use crate::harness::stopping::{Stop, StoppingRtsp};
use crate::media::clip::{Clip, Kind};
use crate::media::hls;

pub const WHAT: &str = "beside three healthy streams: HTTP that is silent, that drips a byte every half second, that goes silent in the \
    middle; TCP whose peer never accepts and one that never speaks; a stale playlist, one of itself, RTSP that answers OPTIONS alone, silent \
    UDP, SRT and RTMP, a name server that never answers, a named pipe";

/// How long the zoo is watched, and how often.
const WATCHED: Duration = Duration::from_secs(45);
const EVERY: Duration = Duration::from_millis(200);
/// Bytes that come before one goes silent in the middle: some seconds.
const MIDDLE: usize = 500_000;
/// Streams that are well.
const GOOD: [&str; 3] = ["good-made", "good-hls", "good-http"];

/// Requests at the web servers: path and time.
type Requests = Arc<Mutex<Vec<(String, Instant)>>>;

/// The zoo. What is held only to stay open has no other use.
struct Zoo {
    streams: Vec<(&'static str, String)>,
    requests: Requests,
    _web: Web,
    _good: Web,
    _rtsp: StoppingRtsp,
    _held: (Vec<TcpStream>, [TcpListener; 3], [UdpSocket; 2]),
}

pub fn run(options: &Options) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let clip = Arc::new(Clip::make(folder.path(), Kind::Pictures(160, 90, 100))?);
    let zoo = Zoo::open(folder.path(), &clip)?;
    let streams: String =
        zoo.streams.iter().map(|(name, url)| format!("[[streams]]\nname = \"{name}\"\nurl = \"{url}\"\n")).collect();
    let mut home = Home::new(options, &format!("limits.opens_per_second_per_host = 100\n{streams}"))?;
    let shim = Shim::put_under(&mut home)?;
    shim.arm("lookup", "")?;
    let service = home.start()?;
    let seen = watch(&service)?;
    shim.disarm("lookup");
    let mut outcome = Outcome::default();
    let ill = zoo.streams.iter().map(|(name, _)| *name).filter(|name| !GOOD.contains(name));
    let log: Vec<Value> = service.lines_since(0).iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for name in ill {
        let key = name.replace('-', "_");
        // Of one that sends for a while, the time counts from when it stops.
        let late = if name == "goes-silent" { SENDS_FOR } else { 0.0 };
        let is_down = |line: &Value| line["event"]["detector"] == "input_down" && line["event"]["state"] == "raised";
        outcome.at_most(&format!("{key}_down_s"), told(&log, name, is_down) - late, 12.0);
        // What never opened has the limit of opening, 15 s, and the grace to return, 2 s; a lookup is given up after 3 s.
        let limit = match name {
            "no-name" => 4.0,
            "goes-silent" => 15.0,
            _ => 17.5,
        };
        outcome.at_most(&format!("{key}_given_up_s"), told(&log, name, |line| line["life"] == "end") - late, limit);
    }
    for name in GOOD {
        let rate = theil_sen(seen.frames.get(name).map_or(&[], Vec::as_slice));
        outcome.at_least(&format!("{}_fps", name.replace('-', "_")), rate, 25.0 * 0.99);
    }
    outcome.at_most("requests_in_10_s_max", most_in_10_s(&zoo.requests) as f64, 20.0);
    // The last one of a stream may not be gone yet when the next one begins.
    outcome.at_most("session_threads_max", seen.sessions_max as f64, 1.5 * zoo.streams.len() as f64);
    outcome.at_most("lookup_threads_max", seen.lookups_max as f64, 64.0);
    outcome.at_least("livez", f64::from(service.get("/livez")?.0), 200.0);
    outcome.none("panics", &service.panics());
    Ok(outcome)
}

/// Seconds of media in [`MIDDLE`] bytes, which are sent by their schedule.
const SENDS_FOR: f64 = 6.0;

impl Zoo {
    fn open(folder: &std::path::Path, clip: &Arc<Clip>) -> Result<Self> {
        let requests = Requests::default();
        let web = Self::web(clip.clone(), requests.clone());
        let good = hls::serve(clip.clone());
        let path = folder.join("whole.ts");
        std::fs::write(&path, clip.rounds(1))?;
        let rtsp = StoppingRtsp::start(&path);
        let pipe = folder.join("pipe.ts");
        let name = std::ffi::CString::new(pipe.as_os_str().as_encoded_bytes())?;
        // SAFETY: mkfifo(3) reads a text that ends with zero and lives through the call.
        ensure!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) } == 0, "no pipe: {}", std::io::Error::last_os_error());
        let listeners =
            [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
        let datagrams = [UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?];
        let [silent, rtmp, full] = &listeners;
        let fillers = fill(full)?;
        let [silent, rtmp, full] = [silent.local_addr()?, rtmp.local_addr()?, full.local_addr()?];
        let srt = datagrams[0].local_addr()?;
        let udp = crate::harness::sender::free_port();
        let streams = vec![
            ("good-made", "synthetic:?size=320x180&fps=25&seed=1".to_owned()),
            ("good-hls", good.url("/live.m3u8")),
            ("good-http", web.url("/good")),
            ("http-silent", web.url("/silent")),
            ("http-drips", web.url("/drips")),
            ("goes-silent", web.url("/middle")),
            ("tcp-silent", format!("tcp://{silent}")),
            ("tcp-full", format!("tcp://{full}")),
            ("hls-stale", web.url("/stale.m3u8")),
            ("hls-of-itself", web.url("/self.m3u8")),
            ("rtsp-options", rtsp.url("DESCRIBE", Stop::Holds, 0)),
            ("udp-silent", format!("udp://127.0.0.1:{udp}")),
            ("srt-silent", format!("srt://{srt}")),
            ("rtmp-silent", format!("rtmp://{rtmp}/app/key")),
            ("no-name", "http://origin.example.invalid/live.ts".to_owned()),
            ("pipe", pipe.display().to_string()),
        ];
        Ok(Self { streams, requests, _web: web, _good: good, _rtsp: rtsp, _held: (fillers, listeners, datagrams) })
    }

    fn web(clip: Arc<Clip>, requests: Requests) -> Web {
        Web::start(move |path, stream| {
            requests.lock().expect("nobody panics with it").push((path.to_owned(), Instant::now()));
            match path {
                "/good" => play(&clip, stream, usize::MAX),
                "/middle" => {
                    play(&clip, stream, MIDDLE);
                    hold(stream);
                }
                "/drips" => drip(stream),
                "/stale.m3u8" => {
                    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:1.92,\nwhole.ts\n";
                    respond(stream, "200 OK", text.as_bytes());
                }
                "/self.m3u8" => {
                    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nself.m3u8\n#EXTINF:1,\nself.m3u8\n";
                    respond(stream, "200 OK", text.as_bytes());
                }
                "/whole.ts" => respond(stream, "200 OK", &clip.segment(0)),
                _ => hold(stream),
            }
        })
    }
}

/// Connects until the queue of those that wait to be accepted is full: who comes later gets no answer at all.
fn fill(listener: &TcpListener) -> Result<Vec<TcpStream>> {
    use std::os::fd::AsRawFd;
    // SAFETY: listen(2) on a descriptor that is open; it only makes the queue shorter.
    ensure!(unsafe { libc::listen(listener.as_raw_fd(), 0) } == 0, "{}", std::io::Error::last_os_error());
    let (address, mut held) = (listener.local_addr()?, Vec::new());
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        held.push(stream);
        ensure!(held.len() < 100, "the queue does not become full");
    }
    Ok(held)
}

/// Sends the clip by its schedule, up to so many bytes.
fn play(clip: &Clip, stream: &mut TcpStream, most: usize) {
    let (begin, mut sent) = (Instant::now(), 0);
    if stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").is_err() {
        return;
    }
    for round in 0.. {
        for packet in 0..clip.len() {
            std::thread::sleep(clip.due(round, packet).saturating_sub(begin.elapsed()));
            let mut bytes = Vec::new();
            clip.append(round, packet, &mut bytes);
            sent += bytes.len();
            let is_over = sent > most || begin.elapsed().as_secs_f64() > SENDS_FOR && most < usize::MAX;
            if is_over || stream.write_all(&bytes).is_err() {
                return;
            }
        }
    }
}

fn drip(stream: &mut TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
    while stream.write_all(&[0x47]).is_ok() {
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Until the other side leaves, or the trial is over.
fn hold(stream: &TcpStream) {
    let _ = stream.set_read_timeout(Some(2 * WATCHED));
    let _ = stream.peek(&mut [0]);
}

/// What was seen while it was watched.
#[derive(Default)]
struct Seen {
    /// Frames of healthy streams by time.
    frames: BTreeMap<String, Vec<(f64, f64)>>,
    /// Most threads of sessions, and of lookups.
    sessions_max: usize,
    lookups_max: usize,
}

fn watch(service: &Service) -> Result<Seen> {
    let (begin, mut seen) = (Instant::now(), Seen::default());
    while begin.elapsed() < WATCHED {
        let metrics = service.metrics()?;
        let now = begin.elapsed().as_secs_f64();
        for name in GOOD {
            let frames = metrics.value(&format!("avwatch_frames_total{{stream=\"{name}\",track=\"video:0\"}}"));
            // The first seconds bring what waited.
            if let Some(frames) = frames.filter(|_| now > 5.0) {
                seen.frames.entry(name.to_owned()).or_default().push((now, frames));
            }
        }
        let threads = service.process.thread_names();
        let of = |word: &str| threads.iter().filter(|(name, _)| name.starts_with(word)).map(|(_, count)| count).sum();
        seen.sessions_max = seen.sessions_max.max(of("ingest:"));
        seen.lookups_max = seen.lookups_max.max(of("resolve"));
        std::thread::sleep(EVERY);
    }
    Ok(seen)
}

/// Seconds from the line that says that the service watches to the first one of a stream that is looked for.
fn told(log: &[Value], stream: &str, is_it: impl Fn(&Value) -> bool) -> f64 {
    let at = |line: &Value| line["time"].as_str().and_then(seconds_of_day);
    let begin = log.iter().find(|line| line["message"] == "watching").and_then(at);
    let line = log.iter().find(|line| line["stream"] == stream && is_it(line)).and_then(at);
    match (begin, line) {
        // A day is over at midnight.
        (Some(begin), Some(line)) => (line - begin).rem_euclid(86_400.0),
        _ => f64::NAN,
    }
}

/// Of an RFC 3339 time.
fn seconds_of_day(time: &str) -> Option<f64> {
    let mut parts = time.split('T').nth(1)?.trim_end_matches('Z').split(':').map(str::parse::<f64>);
    Some(parts.next()?.ok()? * 3_600.0 + parts.next()?.ok()? * 60.0 + parts.next()?.ok()?)
}

/// Most requests of one path within ten seconds.
fn most_in_10_s(requests: &Requests) -> usize {
    let requests = requests.lock().expect("nobody panics with it");
    let mut by_path = BTreeMap::<&str, Vec<Instant>>::new();
    requests.iter().for_each(|(path, at)| by_path.entry(path).or_default().push(*at));
    let most = |times: &Vec<Instant>| {
        let within = |from: &Instant| {
            times.iter().filter(|at| **at >= *from && at.duration_since(*from) < Duration::from_secs(10)).count()
        };
        times.iter().map(within).max().unwrap_or(0)
    };
    by_path.values().map(most).max().unwrap_or(0)
}
