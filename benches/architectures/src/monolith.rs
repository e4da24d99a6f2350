//! The monolith on the same work: the service as it is run, with the same detectors, in one process.
//!
//! It is `avwatch run` of the library that the steps of the other design are built from, compiled with
//! them: what differs is only how frames come to detectors.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::clip;
use crate::distributed::Outcome;
use crate::page::figures::{Fault, Run, Usage};
use crate::told::{Change, Heard, What};
use crate::usage;

/// Streams that the service opens in a second: as many as it does unless told otherwise, or all in five seconds.
fn opens_per_second(streams: usize) -> usize {
    streams.div_ceil(5).max(20)
}

/// Longest time that a run may take beyond its clip and the opening of its streams.
const EXTRA_MAX: Duration = Duration::from_secs(60);

/// `monolith CONFIGURATION`: the command of the program, in a process of its own.
pub fn serve(configuration: PathBuf) -> ExitCode {
    use avwatch::config::Sources;
    avwatch::commands::run::run(&Sources { files: vec![configuration], ..Sources::default() })
}

/// Plays the clip in real time as that many streams.
pub fn run(clip: &Path, detectors: &[String], streams: usize, folder: &Path) -> Result<Outcome> {
    let folder = tempfile::tempdir_in(folder)?;
    let configuration = folder.path().join("avwatch.toml");
    std::fs::write(&configuration, configured(folder.path(), clip, detectors, streams))?;
    let child = Command::new(std::env::current_exe()?)
        .arg("monolith")
        .arg(&configuration)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the monolith")?;
    let mut service = Service(child);
    let output = BufReader::new(service.0.stdout.take().context("its output is piped")?);
    let (send, lines) = channel();
    // Ends with the process. The time at which somebody who reads the log has read it counts.
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            if send.send((Instant::now(), line)).is_err() {
                break;
            }
        }
    });
    let mut watch = Watch { service: &service, streams, ..Watch::of(&service) };
    watch.read(&lines)?;
    let dropped = dropped(&watch.address)?;
    let (first, last) = watch.span.context("no stream was open")?;
    let usage = Usage { cpu_s: watch.usage.1.cpu_s - watch.usage.0.cpu_s, ..usage::of_process(service.0.id())? };
    let told: Vec<Vec<Fault>> = watch.heard.into_values().map(Heard::sorted).collect();
    let run = Run {
        streams,
        stream_seconds: (last - first).as_secs_f64() * streams as f64,
        roles: [("one process".to_owned(), usage)].into(),
        dropped,
        ..Run::default()
    };
    Ok(Outcome { run, told })
}

fn configured(folder: &Path, clip: &Path, detectors: &[String], streams: usize) -> String {
    // Nothing is recorded as evidence, for the other design records none; else it is the service as it comes.
    let mut text = format!(
        "data_dir = \"{}\"\nserver.listen = \"127.0.0.1:0\"\nevidence.from = \"off\"\n\
         limits.opens_per_second = {}\n",
        folder.join("data").display(),
        opens_per_second(streams)
    );
    for kind in avwatch::detectors::ALL {
        let enabled = detectors.iter().any(|name| name == kind.name);
        text.push_str(&format!("[detectors.{}]\nenabled = {enabled}\n", kind.name));
    }
    for number in 0..streams {
        // Never shed under load: it has to look at everything, too.
        text.push_str(&format!(
            "[[streams]]\nname = \"s{number}\"\nurl = \"{}\"\nprofile = \"{}\"\ntier_min = \"full\"\n",
            clip.display(),
            crate::detector::PROFILE
        ));
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

/// Reads the log of the service until all streams have come to the end of the clip.
struct Watch<'a> {
    service: &'a Service,
    streams: usize,
    address: String,
    opened: BTreeMap<String, Instant>,
    ended: usize,
    /// While all streams were there, and what had been used at its begin and at its end.
    span: Option<(Instant, Instant)>,
    usage: (Usage, Usage),
    heard: BTreeMap<String, Heard>,
}

impl<'a> Watch<'a> {
    fn of(service: &'a Service) -> Self {
        Self {
            service,
            streams: 0,
            address: String::new(),
            opened: BTreeMap::new(),
            ended: 0,
            span: None,
            usage: Default::default(),
            heard: BTreeMap::new(),
        }
    }

    fn read(&mut self, lines: &Receiver<(Instant, String)>) -> Result<()> {
        let opening = Duration::from_secs((self.streams / opens_per_second(self.streams)) as u64);
        let until = Instant::now() + opening + Duration::from_secs(clip::SECONDS) + EXTRA_MAX;
        let mut last_words = String::new();
        while self.ended < self.streams {
            let left = until.saturating_duration_since(Instant::now());
            let Ok((at, line)) = lines.recv_timeout(left) else {
                bail!("the monolith did not come to its end; it said last: {last_words}");
            };
            let said: Value = serde_json::from_str(&line).unwrap_or_default();
            self.take(&said, at)?;
            last_words = line;
        }
        Ok(())
    }

    fn take(&mut self, said: &Value, at: Instant) -> Result<()> {
        let message = said["message"].as_str().unwrap_or_default();
        if let Some(address) = message.strip_prefix("listening on http://") {
            self.address = address.to_owned();
        }
        // A file that has ended is opened again after a while: that is another session.
        let (Some(stream), Some(1)) = (said["stream"].as_str(), said["session"].as_u64()) else { return Ok(()) };
        if let Some(change) = change(said) {
            let begun = self.opened.get(stream).context("an event of a stream that is not open")?;
            let heard = self.heard.entry(stream.to_owned()).or_default();
            heard.take(&change, (at - *begun).as_secs_f64());
            return Ok(());
        }
        match said["life"].as_str() {
            Some("open") => {
                self.opened.insert(stream.to_owned(), at);
                self.heard.entry(stream.to_owned()).or_default();
                if self.opened.len() == self.streams {
                    self.span = Some((at, at));
                    self.usage.0 = usage::of_process(self.service.0.id())?;
                }
            }
            Some("end") => {
                if self.ended == 0 {
                    self.usage.1 = usage::of_process(self.service.0.id())?;
                    let (first, _) = self.span.context("a stream ended before all were open: too many streams")?;
                    self.span = Some((first, at));
                }
                self.ended += 1;
            }
            _ => {}
        }
        Ok(())
    }
}

/// The change of an event that a line of the log tells.
fn change(said: &Value) -> Option<Change> {
    let event = said.get("event")?;
    let what = match event["state"].as_str()? {
        "raised" => What::Raised,
        "ended" => What::Ended,
        _ => return None,
    };
    let detector = event["detector"].as_str()?.to_owned();
    Some(Change { detector, what, start_s: event["start_s"].as_f64()?, end_s: event["end_s"].as_f64() })
}

/// Frames that its metrics say were displaced from lanes.
fn dropped(address: &str) -> Result<u64> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(EXTRA_MAX))?;
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let rows = text.lines().filter(|line| line.starts_with("avwatch_lane_dropped_total{"));
    let counts: Vec<f64> = rows.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
    if counts.is_empty() {
        bail!("the metrics do not tell what was dropped");
    }
    Ok(counts.iter().sum::<f64>() as u64)
}
