//! The monolith on the same work: the program itself, with the same detectors.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::Value;

use crate::detector::Found;
use crate::usage::{self, Usage};

/// What a clip costs, inspected as fast as possible.
#[derive(Debug, Serialize)]
pub struct Inspected {
    pub stream_seconds: f64,
    pub usage: Usage,
    pub found: Vec<Found>,
}

/// Inspects a clip once.
pub fn inspect(program: &Path, clip: &Path, detectors: &[String]) -> Result<Inspected> {
    let mut command = Command::new(program);
    command.arg("check").arg(clip).args(["--format", "json", "--fail-on", "critical"]);
    detectors.iter().for_each(|name| {
        command.args(["--detector", name]);
    });
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start the monolith")?;
    let mut text = String::new();
    child.stdout.take().context("its output is piped")?.read_to_string(&mut text)?;
    let usage = ended(child)?;
    let report: Value = serde_json::from_str(&text)?;
    let input = &report["inputs"][0];
    let stream_seconds = input["duration_s"].as_f64().context("the report has a duration")?;
    let millis = |value: &Value| value.as_f64().map(|seconds| (seconds * 1_000.0).round() as i64);
    let found = input["events"].as_array().into_iter().flatten().map(|event| Found {
        detector: event["detector"].as_str().unwrap_or_default().to_owned(),
        what: "ended".to_owned(),
        start_ms: millis(&event["start_s"]).unwrap_or_default(),
        end_ms: millis(&event["end_s"]),
    });
    Ok(Inspected { stream_seconds, usage, found: found.collect() })
}

/// What an ended child has used.
fn ended(child: Child) -> Result<Usage> {
    let mut status = 0;
    // SAFETY: `rusage` is plain data for which zeroes are valid.
    let mut spent: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live locals of the right types, and the child is ours and not yet waited for.
    let waited = unsafe { libc::wait4(child.id() as i32, &mut status, 0, &mut spent) };
    if waited < 0 || status != 0 {
        bail!("the monolith ended with status {status}");
    }
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    let cpu_s = seconds(spent.ru_utime) + seconds(spent.ru_stime);
    Ok(Usage { cpu_s, peak_bytes: spent.ru_maxrss as u64 * 1024 })
}

/// How many streams at once went.
#[derive(Debug, Serialize)]
pub struct Kept {
    pub streams: usize,
    /// Share of the frames due that were judged.
    pub share: f64,
    pub dropped: u64,
    pub usage: Usage,
    /// From a frame's arrival to its verdict, in seconds: 99 % are below it.
    pub latency_p99_s: f64,
}

/// Plays a clip as that many live streams for some seconds.
pub fn keep_up(program: &Path, clip: &Path, detectors: &[String], streams: usize, seconds: u64) -> Result<Kept> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("avwatch.toml");
    std::fs::write(&config, configuration(folder.path(), clip, detectors, streams))?;
    let child = Command::new(program)
        .args(["run", "--config"])
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut service = Service(child);
    let lines = BufReader::new(service.0.stdout.take().context("its output is piped")?);
    let mut address = None;
    for line in lines.lines() {
        let line: Value = serde_json::from_str(&line?).unwrap_or_default();
        if let Some(found) = line["message"].as_str().and_then(|text| text.strip_prefix("listening on http://")) {
            address = Some(found.to_owned());
            break;
        }
    }
    let address = address.context("the monolith does not listen")?;
    // Every stream has begun by then: 20 are opened in a second.
    std::thread::sleep(Duration::from_secs(3 + streams as u64 / 15));
    let (before, begun, used) = (Counts::read(&address)?, Instant::now(), usage::of_process(service.0.id()));
    std::thread::sleep(Duration::from_secs(seconds));
    let (after, lasted) = (Counts::read(&address)?, begun.elapsed().as_secs_f64());
    let usage = usage::of_process(service.0.id());
    let due = 25.0 * streams as f64 * lasted;
    Ok(Kept {
        streams,
        share: (after.frames - before.frames) / due,
        dropped: (after.dropped - before.dropped) as u64,
        usage: Usage { cpu_s: usage.cpu_s - used.cpu_s, peak_bytes: usage.peak_bytes },
        latency_p99_s: after.latency_p99_s,
    })
}

fn configuration(folder: &Path, clip: &Path, detectors: &[String], streams: usize) -> String {
    let mut text = format!(
        "data_dir = \"{}\"\nserver.listen = \"127.0.0.1:0\"\nevidence.from = \"off\"\nlimits.opens_per_second = 1000\n",
        folder.join("data").display()
    );
    for kind in avwatch::detectors::ALL {
        let enabled = detectors.iter().any(|name| name == kind.name);
        text.push_str(&format!("[detectors.{}]\nenabled = {enabled}\n", kind.name));
    }
    for number in 0..streams {
        text.push_str(&format!("[[streams]]\nname = \"s{number}\"\nurl = \"{}\"\n", clip.display()));
    }
    text
}

struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the metrics say.
struct Counts {
    frames: f64,
    dropped: f64,
    latency_p99_s: f64,
}

impl Counts {
    fn read(address: &str) -> Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let sum = |prefix: &str, with: &str| -> f64 {
            let rows = text.lines().filter(|line| line.starts_with(prefix) && line.contains(with));
            rows.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
        };
        let bucket = "avwatch_stage_latency_seconds_bucket{stage=\"total\"";
        let count = sum("avwatch_stage_latency_seconds_count{stage=\"total\"", "");
        let buckets = text.lines().filter(|line| line.starts_with(bucket)).filter_map(|line| {
            let edge = line.split("le=\"").nth(1)?.split('"').next()?.parse::<f64>().ok()?;
            Some((edge, line.rsplit(' ').next()?.parse::<f64>().ok()?))
        });
        let latency_p99_s =
            buckets.filter(|(_, below)| *below >= 0.99 * count).map(|(edge, _)| edge).fold(f64::MAX, f64::min);
        Ok(Self {
            frames: sum("avwatch_frames_total", "track=\"video:0\""),
            dropped: sum("avwatch_lane_dropped_total", ""),
            latency_p99_s,
        })
    }
}
