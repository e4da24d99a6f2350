//! R33: small inputs that ask for much memory.

mod material;

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde_json::json;

use self::material::Material;
use crate::harness::calls;
use crate::harness::metrics::Metrics;
use crate::harness::options::Options;
use crate::harness::outcome::Outcome;
use crate::harness::sender::{Web, respond};
use crate::harness::service::{Home, Service, until};
use crate::harness::stopping::rtsp_answer;

pub const WHAT: &str = "one after the other: a picture of 8192x8192, 1,000 programmes in a transport stream, a playlist of 10,000 variants, \
    one that says it has 2 GB, one of 64 MB in 64 KB of gzip, one without an end, redirects without an end, a header without an end, an SDP of a \
    million lines; each must be refused with a cause, or borne, for at most 16 MiB";

/// How long a bomb is watched, at most.
const WATCHED: Duration = Duration::from_secs(25);
const GROWTH_MAX_MIB: f64 = 16.0;

/// A page of metrics is at most that old: a quarter of a second in the session, then a second each on two boards.
const PAGE_AGE_MAX_S: f64 = 3.0;

/// Names of the bombs, and whether they are bad all through: else they may also be watched.
const BOMBS: [(&str, bool); 9] = [
    ("large-picture", true),
    ("many-programmes", false),
    ("many-variants", false),
    ("long-content", true),
    ("gzip", true),
    ("endless-playlist", true),
    ("endless-redirect", true),
    ("endless-header", true),
    ("long-sdp", true),
];

pub fn run(options: &Options) -> Result<Outcome> {
    let material = Arc::new(Material::make()?);
    let (web, rtsp) = (web(material), rtsp()?);
    let home = Home::new(
        options,
        "sources.allow = [\"127.0.0.0/8\"]\nlimits.opens_per_second_per_host = 100\n\
         [[streams]]\nname = \"good\"\nurl = \"synthetic:?size=320x180&fps=25&seed=1\"\n",
    )?;
    let service = home.start()?;
    // One that is well opens and closes first, so that what a first HTTP stream brings is there.
    one(&service, "first", &web.url("/many-variants.m3u8"))?;
    let mut outcome = Outcome::default();
    for (name, is_bad) in BOMBS {
        let url = match name {
            "long-sdp" => format!("rtsp://{rtsp}/bomb"),
            "large-picture" | "many-programmes" | "endless-redirect" => web.url(&format!("/{name}.ts")),
            _ => web.url(&format!("/{name}.m3u8")),
        };
        let seen = one(&service, name, &url)?;
        let key = name.replace('-', "_");
        outcome.at_most(&format!("{key}_mib"), seen.growth_mib, GROWTH_MAX_MIB);
        if is_bad {
            outcome.at_most(&format!("{key}_refused_s"), seen.refused_s.unwrap_or(f64::NAN), WATCHED.as_secs_f64());
        }
        outcome.note(&format!("{key}_said"), seen.said);
        outcome.at_least(&format!("{key}_good_fps"), seen.good_rate, 25.0 * 0.97);
    }
    outcome.at_least("livez", f64::from(service.get("/livez")?.0), 200.0);
    outcome.none("panics", &service.panics());
    Ok(outcome)
}

/// What a bomb did.
struct Seen {
    growth_mib: f64,
    refused_s: Option<f64>,
    said: String,
    good_rate: f64,
}

/// How far the good stream has come.
struct Pace {
    pictures: f64,
    /// When the last of them was ready, and what is certainly on the page; seconds since 1970.
    ready: f64,
    page: f64,
}

impl Pace {
    fn read(metrics: &Metrics) -> Result<Self> {
        let of = |family| metrics.value(&format!("{family}{{stream=\"good\",track=\"video:0\"}}"));
        Ok(Self {
            pictures: of("avwatch_frames_total").context("the good stream is not told")?,
            ready: of("avwatch_last_frame_timestamp_seconds").context("the good stream has no pictures")?,
            page: SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64() - PAGE_AGE_MAX_S,
        })
    }

    /// Pictures a second from then until now, by when the pictures were ready: counts come to the page in steps of a
    /// second, one of which more or less is much in a span of six. One that stands still has its pause counted.
    fn since(&self, start: &Self) -> f64 {
        (self.pictures - start.pictures) / (self.ready.max(self.page) - start.ready)
    }
}

/// Adds a stream, watches it until it was refused twice or for a while, and removes it.
fn one(service: &Service, name: &str, url: &str) -> Result<Seen> {
    let (process, path) = (service.process, format!("/api/v1/streams/{name}"));
    std::thread::sleep(Duration::from_secs(1));
    process.forget_peak()?;
    let before = process.resident()?;
    calls::json(&service.address, "POST", "/api/v1/streams", Some(&json!({ "name": name, "url": url })))?;
    let (begin, mut seen) =
        (Instant::now(), Seen { growth_mib: 0.0, refused_s: None, said: String::new(), good_rate: 0.0 });
    let start = Pace::read(&service.metrics()?)?;
    while begin.elapsed() < WATCHED {
        let metrics = service.metrics()?;
        let now = begin.elapsed().as_secs_f64();
        let restarts = metrics.sum("avwatch_stream_restarts_total", &[&format!("stream=\"{name}\"")]);
        if restarts > 0.0 && seen.refused_s.is_none() {
            seen.refused_s = Some(now);
        }
        if restarts > 1.0 && now > 6.0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let state = calls::json(&service.address, "GET", &path, None)?;
    seen.said = state["last_error"].as_str().unwrap_or_else(|| state["state"].as_str().unwrap_or_default()).to_owned();
    seen.growth_mib = (process.resident_peak()?.saturating_sub(before)) as f64 / f64::from(1 << 20);
    seen.good_rate = Pace::read(&service.metrics()?)?.since(&start);
    calls::json(&service.address, "DELETE", &path, None)?;
    until("the stream to be gone", Duration::from_secs(20), || {
        Ok((process.thread_names().keys().all(|thread| !thread.starts_with(&format!("ingest:{name}")))).then_some(()))
    })?;
    Ok(seen)
}

fn web(material: Arc<Material>) -> Web {
    Web::start(move |path, stream| match path {
        "/large-picture.ts" => respond(stream, "200 OK", &material.large_picture),
        "/many-programmes.ts" => respond(stream, "200 OK", &material.many_programmes),
        "/many-variants.m3u8" => respond(stream, "200 OK", &material.many_variants),
        "/long-content.m3u8" => {
            endless(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n#EXTM3U\n",
                b"#EXTINF:1,\nsegment-of-this-playlist.ts\n",
            );
        }
        "/gzip.m3u8" => {
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", material.gzip.len());
            // Who has left has left.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&material.gzip));
        }
        "/endless-playlist.m3u8" => {
            endless(stream, "HTTP/1.1 200 OK\r\n\r\n#EXTM3U\n", b"#EXTINF:1,\nsegment-of-this-playlist.ts\n")
        }
        "/endless-header.m3u8" => endless(stream, "HTTP/1.1 200 OK\r\n", b"X-More: and more and more and more\r\n"),
        path if path.starts_with("/endless-redirect") => {
            let next = path.len();
            let head = format!(
                "HTTP/1.1 302 Found\r\nLocation: /endless-redirect.ts?{next}{path}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let _ = stream.write_all(head.as_bytes());
        }
        _ => respond(stream, "404 Not Found", b""),
    })
}

/// Writes the same again and again, as fast as it is taken.
fn endless(stream: &mut TcpStream, head: &str, line: &[u8]) {
    let block = line.repeat(1_000);
    let _ = stream.set_write_timeout(Some(2 * WATCHED));
    if stream.write_all(head.as_bytes()).is_ok() {
        while stream.write_all(&block).is_ok() {}
    }
}

/// A server of RTSP whose description has a million lines.
fn rtsp() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || describe(stream));
        }
    });
    Ok(address)
}

fn describe(mut stream: TcpStream) {
    use std::io::Read;
    let _ = stream.set_read_timeout(Some(WATCHED));
    let mut buffer = [0; 4_096];
    while let Ok(count) = stream.read(&mut buffer) {
        let request = String::from_utf8_lossy(&buffer[..count]).into_owned();
        let number = request.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap_or("1").trim().to_owned();
        let answer = match request.split(' ').next() {
            None | Some("") => return,
            Some("DESCRIBE") => {
                let body = format!(
                    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n{}",
                    "m=video 0 RTP/AVP 33\r\n".repeat(1_000_000)
                );
                let head = format!("RTSP/1.0 200 OK\r\nCSeq: {number}\r\nContent-Type: application/sdp\r\n");
                format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
            }
            Some(method) => rtsp_answer(method, &number),
        };
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}
