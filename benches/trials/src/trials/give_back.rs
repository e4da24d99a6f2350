//! R34: what decoders held is given back when they are gone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use crate::harness::calls;
use crate::harness::options::Options;
use crate::harness::outcome::Outcome;
use crate::harness::service::{Home, Service, until};
use crate::media::broadcast::{Broadcast, Illness, Way};
use crate::media::clip::{Clip, Kind};

pub const WHAT: &str = "a hundred streams of 640x360 are added to a service that has watched ten of them before, are decoded for half a \
    minute, and are removed; memory, threads and descriptors must be back within a minute";

const STREAMS: usize = 100;
/// Watched before the first look, so that tables, pools and caches of the process are there.
const BEFORE: usize = 10;
const DECODED: Duration = Duration::from_secs(30);
const BACK_WITHIN: Duration = Duration::from_secs(60);
/// Memory may stay above what it was by that.
const GROWTH_MAX: f64 = 20.0;

pub fn run(options: &Options) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let clip = Arc::new(Clip::make(folder.path(), Kind::Pictures(640, 360, 400))?);
    let broadcast = Broadcast::start(clip, &vec![(Way::Tcp, Illness::None); STREAMS], options.seed)?;
    let home = Home::new(
        options,
        "sources.allow = [\"127.0.0.0/8\"]\nlimits.opens_per_second = 100\nlimits.opens_per_second_per_host = 100\n\
         [[streams]]\nname = \"good\"\nurl = \"synthetic:?size=320x180&fps=25&seed=1\"\n",
    )?;
    let service = home.start()?;
    watch(&service, &broadcast.urls[..BEFORE], Duration::from_secs(10))?;
    std::thread::sleep(Duration::from_secs(20));
    let process = service.process;
    let before = (process.resident()? as f64, process.threads()?, process.descriptors()?);
    let peak = watch(&service, &broadcast.urls, DECODED)?;
    let (removed, mut least, mut back) = (Instant::now(), f64::INFINITY, f64::NAN);
    while removed.elapsed() < BACK_WITHIN {
        let now = process.resident()? as f64;
        if back.is_nan() && now <= before.0 * (1.0 + GROWTH_MAX / 100.0) {
            back = removed.elapsed().as_secs_f64();
        }
        least = least.min(now);
        std::thread::sleep(Duration::from_millis(500));
    }
    let mib = |bytes: f64| (bytes / f64::from(1 << 20)).round();
    let mut outcome = Outcome::default();
    outcome.note("resident_before_mib", mib(before.0));
    outcome.note("resident_with_streams_mib", mib(peak));
    outcome.note("resident_after_mib", mib(least));
    outcome.at_most("resident_growth_percent", (least / before.0 - 1.0) * 100.0, GROWTH_MAX);
    outcome.at_most("back_after_s", back, BACK_WITHIN.as_secs_f64());
    outcome.at_most("threads_more", process.threads()? as f64 - before.1 as f64, 0.0);
    outcome.at_most("descriptors_more", process.descriptors()? as f64 - before.2 as f64, 0.0);
    outcome.none("panics", &service.panics());
    Ok(outcome)
}

/// Adds streams, waits until they are up, has them decoded for a while, and removes them; gives the most memory seen.
fn watch(service: &Service, urls: &[String], lasts: Duration) -> Result<f64> {
    let name = |number: usize| format!("tried-{number}");
    for (number, url) in urls.iter().enumerate() {
        let body = json!({ "name": name(number), "url": url });
        calls::json(&service.address, "POST", "/api/v1/streams", Some(&body))?;
    }
    until("all streams to be up", Duration::from_secs(60), || {
        let up = service.metrics()?.sum("avwatch_stream_up", &["stream=\"tried"]);
        Ok((up as usize >= urls.len()).then_some(()))
    })?;
    let (begin, mut peak) = (Instant::now(), 0.0_f64);
    while begin.elapsed() < lasts {
        peak = peak.max(service.process.resident()? as f64);
        std::thread::sleep(Duration::from_millis(500));
    }
    for number in 0..urls.len() {
        calls::json(&service.address, "DELETE", &format!("/api/v1/streams/{}", name(number)), None)?;
    }
    Ok(peak)
}
