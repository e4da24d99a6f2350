//! R2: streams come and go by the thousand; nothing of them stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::harness::calls;
use crate::harness::options::Options;
use crate::harness::outcome::Outcome;
use crate::harness::service::{Home, Service};
use crate::media::broadcast::{Broadcast, Illness, Way};
use crate::media::clip::{Clip, Kind};

pub const WHAT: &str = "streams over UDP, TCP and HTTP are added and, when they have been watched for about two seconds, removed over \
    the API, up to 50 a second; what the process holds half a minute later is compared with what it held half a minute after the first 500";

/// Added and removed before the first look.
const WARM_UP: u64 = 500;
/// Most of them at a time, each at a sender of its own.
const AT_ONCE: usize = 100;
/// Clients that add and remove; pause of each after a stream.
const CLIENTS: usize = 4;
const PAUSE: Duration = Duration::from_millis(80);
const IDLE: Duration = Duration::from_secs(30);

/// What is held when nothing happens.
#[derive(Clone, Copy, Debug)]
struct Held {
    threads: u64,
    descriptors: u64,
    series: usize,
    resident: u64,
}

pub fn run(options: &Options) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let clip = Arc::new(Clip::make(folder.path(), Kind::Pictures(160, 90, 80))?);
    let ways = [Way::Udp, Way::Tcp, Way::Http];
    let streams: Vec<_> = (0..AT_ONCE).map(|number| (ways[number % 3], Illness::None)).collect();
    let broadcast = Broadcast::start(clip, &streams, options.seed)?;
    let home = Home::new(
        options,
        "sources.allow = [\"127.0.0.0/8\"]\nlimits.opens_per_second = 1000\nlimits.opens_per_second_per_host = 1000\n\
         [[streams]]\nname = \"good\"\nurl = \"synthetic:?size=320x180&fps=25&seed=1\"\n",
    )?;
    let service = home.start()?;
    let opened = AtomicU64::new(0);
    churn(&service, &broadcast, WARM_UP.min(options.churned), &opened)?;
    let before = idle(&service)?;
    let opened_before = opened.load(Ordering::Relaxed);
    let begin = Instant::now();
    churn(&service, &broadcast, options.churned, &opened)?;
    let took = begin.elapsed().as_secs_f64();
    let after = idle(&service)?;
    let mut outcome = Outcome::default();
    outcome.at_least("streams_churned", options.churned as f64, options.churned as f64);
    outcome.at_least(
        "of_which_opened",
        (opened.load(Ordering::Relaxed) - opened_before) as f64,
        0.9 * options.churned as f64,
    );
    outcome.at_least("added_per_second", options.churned as f64 / took, 20.0);
    outcome.at_most("threads_more", after.threads as f64 - before.threads as f64, 0.0);
    outcome.at_most("descriptors_more", after.descriptors as f64 - before.descriptors as f64, 0.0);
    outcome.at_most("series_more", after.series as f64 - before.series as f64, 0.0);
    outcome.note("resident_before_mib", before.resident >> 20);
    outcome.note("resident_after_mib", after.resident >> 20);
    outcome.at_most("resident_growth_percent", (after.resident as f64 / before.resident as f64 - 1.0) * 100.0, 10.0);
    let restarts = service.metrics()?.sum("avwatch_stream_restarts_total", &["stream=\"good\""]);
    outcome.at_most("restarts_of_the_good_stream", restarts, 0.0);
    outcome.none("panics", &service.panics());
    Ok(outcome)
}

/// Adds so many streams and removes each.
fn churn(service: &Service, broadcast: &Broadcast, count: u64, opened: &AtomicU64) -> Result<()> {
    let next = AtomicU64::new(0);
    let lane = AT_ONCE / CLIENTS;
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (urls, next) = (&broadcast.urls[client * lane..][..lane], &next);
                scope.spawn(move || one_client(service, client, urls, count, next, opened))
            })
            .collect();
        clients.into_iter().try_for_each(|client| client.join().ok().context("a client panicked")?)
    })
}

/// One client: each of its senders has one stream at a time.
fn one_client(
    service: &Service,
    client: usize,
    urls: &[String],
    count: u64,
    next: &AtomicU64,
    opened: &AtomicU64,
) -> Result<()> {
    let mut watched = vec![None::<String>; urls.len()];
    for turn in (0..urls.len()).cycle() {
        if let Some(name) = watched[turn].take() {
            let path = format!("/api/v1/streams/{name}");
            let state = calls::json(&service.address, "GET", &path, None)?;
            opened.fetch_add(u64::from(state["session"].as_u64().unwrap_or(0) > 0), Ordering::Relaxed);
            calls::json(&service.address, "DELETE", &path, None)?;
        }
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number < count {
            let name = format!("churned-{client}-{number}");
            calls::json(
                &service.address,
                "POST",
                "/api/v1/streams",
                Some(&json!({ "name": name, "url": urls[turn] })),
            )?;
            watched[turn] = Some(name);
            std::thread::sleep(PAUSE);
        } else if watched.iter().all(Option::is_none) {
            return Ok(());
        }
    }
    Ok(())
}

fn idle(service: &Service) -> Result<Held> {
    std::thread::sleep(IDLE);
    let series = service.metrics()?.len();
    let process = service.process;
    Ok(Held { threads: process.threads()?, descriptors: process.descriptors()?, series, resident: process.resident()? })
}
