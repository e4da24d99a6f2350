//! R6: threads that never return from a read.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::harness::calls;
use crate::harness::options::Options;
use crate::harness::outcome::Outcome;
use crate::harness::service::{Home, Service, until};
use crate::harness::shim::Shim;
use crate::media::clip::{Clip, Kind};

pub const WHAT: &str = "five streams read files of a share that dies: reads do not return, so their threads cannot be ended; they are \
    abandoned and replaced, the replacements are stuck as well, and liveness must fail when that is too many; then the share comes back";

/// Streams on the share. Two threads of each are given up at most, and more than eight are too many.
const STUCK: u64 = 5;

pub fn run(options: &Options) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let share = folder.path().join("stuck-share");
    std::fs::create_dir(&share)?;
    let clip = Clip::make(folder.path(), Kind::Pictures(160, 90, 100))?;
    let bytes = clip.rounds(12);
    let mut streams = "[[streams]]\nname = \"good\"\nurl = \"synthetic:?size=320x180&fps=25&seed=1\"\n".to_owned();
    for number in 0..STUCK {
        let path = share.join(format!("{number}.ts"));
        std::fs::write(&path, &bytes)?;
        streams.push_str(&format!("[[streams]]\nname = \"stuck{number}\"\nurl = \"{}\"\n", path.display()));
    }
    let mut home = Home::new(options, &format!("evidence.from = \"off\"\n{streams}"))?;
    let shim = Shim::put_under(&mut home)?;
    let service = home.start()?;
    up(&service, STUCK as f64, Duration::from_secs(30))?;
    let threads_before = service.process.threads()?;
    let mut outcome = Outcome::default();
    let frames = good_frames(&service)?;
    shim.arm("hang", "stuck-share")?;
    let begin = Instant::now();
    let since = |begin: Instant| begin.elapsed().as_secs_f64();
    let all = until("all of them to be abandoned", Duration::from_secs(60), || {
        let status = status(&service)?;
        Ok((status["abandoned_threads"].as_u64() >= Some(STUCK)).then(|| since(begin)))
    });
    outcome.at_most("all_abandoned_s", all.unwrap_or(f64::NAN), 25.0);
    let failed = until("liveness to fail", Duration::from_secs(60), || {
        Ok((service.get("/livez")?.0 != 200).then(|| since(begin)))
    });
    outcome.at_most("liveness_fails_s", failed.unwrap_or(f64::NAN), 30.0);
    outcome.note("abandoned_threads", status(&service)?["abandoned_threads"].as_u64());
    outcome.note("threads_before", threads_before);
    outcome.note("threads_stuck", service.process.threads()?);
    let lived = since(begin);
    outcome.at_least("good_fps", (good_frames(&service)? - frames) / lived, 25.0 * 0.95);
    let sessions = sessions(&service)?;
    let lines = service.line_count();
    shim.disarm("hang");
    let back = Instant::now();
    let returned = until("the threads to return", Duration::from_secs(30), || {
        Ok((status(&service)?["abandoned_threads"] == 0).then(|| since(back)))
    });
    outcome.at_most("threads_returned_s", returned.unwrap_or(f64::NAN), 5.0);
    let live =
        until("liveness", Duration::from_secs(30), || Ok((service.get("/livez")?.0 == 200).then(|| since(back))));
    outcome.at_most("liveness_back_s", live.unwrap_or(f64::NAN), 5.0);
    outcome.at_most("streams_back_s", up(&service, STUCK as f64, Duration::from_secs(120)).unwrap_or(f64::NAN), 90.0);
    outcome.none("stale_events", &stale(&service, lines, &sessions));
    let settled = until("the threads to be as before", Duration::from_secs(30), || {
        Ok((service.process.threads()? <= threads_before).then_some(()))
    });
    settled.ok();
    outcome.at_most("threads_more_at_the_end", service.process.threads()? as f64 - threads_before as f64, 0.0);
    outcome.none("panics", &service.panics());
    Ok(outcome)
}

fn status(service: &Service) -> Result<Value> {
    calls::json(&service.address, "GET", "/api/v1/status", None)
}

/// Waits until so many of the streams on the share are up; gives how long that took, in seconds.
fn up(service: &Service, count: f64, limit: Duration) -> Result<f64> {
    let begin = Instant::now();
    until("the streams to be up", limit, || {
        let up = service.metrics()?.sum("avwatch_stream_up", &["stream=\"stuck"]);
        Ok((up >= count).then(|| begin.elapsed().as_secs_f64()))
    })
}

fn good_frames(service: &Service) -> Result<f64> {
    until("the good stream", Duration::from_secs(20), || {
        Ok(service.metrics()?.value("avwatch_frames_total{stream=\"good\",track=\"video:0\"}"))
    })
}

/// The newest session of each stream on the share.
fn sessions(service: &Service) -> Result<Vec<(String, u64)>> {
    let page = calls::json(&service.address, "GET", "/api/v1/streams?limit=100", None)?;
    let all = page["streams"].as_array().context("is a list")?.iter();
    let session = |stream: &Value| Some((stream["name"].as_str()?.to_owned(), stream["session"].as_u64()?));
    Ok(all.filter_map(session).filter(|(name, _)| name.starts_with("stuck")).collect())
}

/// Events that were raised after the share came back by sessions that had been given up.
fn stale(service: &Service, lines: usize, sessions: &[(String, u64)]) -> Vec<String> {
    let log = service.lines_since(lines);
    let events =
        log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok()).map(|mut line| line["event"].take());
    let is_stale = |event: &Value| {
        event["state"] == "raised"
            && event["detector"] != "input_down"
            && sessions
                .iter()
                .any(|(name, newest)| event["stream"] == **name && event["session"].as_u64() < Some(*newest))
    };
    events.filter(Value::is_object).filter(is_stale).map(|event| event.to_string()).collect()
}
