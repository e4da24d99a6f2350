//! R1: many streams for a long time; what grows, grows for ever.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::harness::metrics::Metrics;
use crate::harness::options::Options;
use crate::harness::outcome::Outcome;
use crate::harness::service::{Home, Service};
use crate::harness::slope::{median, theil_sen};
use crate::media::broadcast::{Broadcast, Illness, Way};
use crate::media::clip::{Clip, Kind};
use crate::media::hls;

pub const WHAT: &str = "200 streams of 320x180 at 25 pictures a second with sound over UDP, TCP, HTTP and HLS, looked at by key \
    pictures, 10 of them on and off every 40 s, 5 damaged; the first third of the time is warm-up";

/// Streams by the way they travel; those of HLS share an origin.
const UDP: usize = 120;
const TCP: usize = 35;
const HTTP: usize = 20;
const HLS: usize = 10;
const FLAPPING: usize = 10;
const CORRUPT: usize = 5;
const FLAP: Duration = Duration::from_secs(40);
/// How often the process is looked at.
const EVERY: Duration = Duration::from_secs(5);
/// Bounds of store and evidence, low enough to be reached.
const STORE_MAX: u64 = 16 << 20;
const EVIDENCE_MAX: u64 = 64 << 20;

/// A look at the process: hours since the start, and what it held.
struct Look {
    hours: f64,
    resident: f64,
    threads: f64,
    descriptors: f64,
}

pub fn run(options: &Options) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let clip = Arc::new(Clip::make(folder.path(), Kind::Pictures(320, 180, 200))?);
    let broadcast = Broadcast::start(clip.clone(), &streams(), options.seed)?;
    let origin = hls::serve(clip);
    let mut urls: Vec<(String, String)> = streams()
        .iter()
        .zip(&broadcast.urls)
        .enumerate()
        .map(|(number, (stream, url))| (name(number, stream.1), url.clone()))
        .collect();
    urls.extend((0..HLS).map(|number| (format!("good-hls{number}"), origin.url("/live.m3u8"))));
    let home = Home::new(options, &configuration(&urls))?;
    let mut service = home.start()?;
    let (looks, worst_store) = watch(&service, &home, options.minutes)?;
    let mut outcome = Outcome::default();
    outcome.note("minutes", options.minutes);
    outcome.note("streams", urls.len());
    judge_process(&mut outcome, &looks);
    judge_streams(&mut outcome, &service, &service.metrics()?)?;
    outcome.at_most("store_peak_mib", worst_store as f64 / f64::from(1 << 20), (STORE_MAX >> 20) as f64 * 1.25);
    outcome.none("panics", &service.panics());
    let (status, took) = service.stop()?;
    outcome.at_most("exit_status", f64::from(status.unwrap_or(-1)).abs(), 0.0);
    outcome.at_most("stop_s", took.as_secs_f64(), 10.0);
    Ok(outcome)
}

fn streams() -> Vec<(Way, Illness)> {
    let ways = [(Way::Udp, UDP), (Way::Tcp, TCP), (Way::Http, HTTP)];
    let mut all: Vec<_> = ways.iter().flat_map(|(way, count)| vec![(*way, Illness::None); *count]).collect();
    all.extend((0..FLAPPING).map(|number| (if number % 2 == 0 { Way::Udp } else { Way::Tcp }, Illness::Flaps(FLAP))));
    all.extend(vec![(Way::Udp, Illness::Corrupt(200)); CORRUPT]);
    all
}

fn name(number: usize, illness: Illness) -> String {
    let word = match illness {
        Illness::None => "good",
        Illness::Flaps(_) => "flapping",
        Illness::Corrupt(_) => "corrupt",
    };
    format!("{word}{number}")
}

fn configuration(urls: &[(String, String)]) -> String {
    let streams: String = urls
        .iter()
        .map(|(name, url)| format!("[[streams]]\nname = \"{name}\"\nurl = \"{url}\"\ntier = \"keyframes\"\n"))
        .collect();
    format!(
        "limits.opens_per_second = 100\nlimits.opens_per_second_per_host = 100\nstore.bytes_max = {STORE_MAX}\n\
         evidence.bytes_max = {EVIDENCE_MAX}\n{streams}"
    )
}

/// Looks again and again; also gives the largest size of the store.
fn watch(service: &Service, home: &Home, minutes: u64) -> Result<(Vec<Look>, u64)> {
    let (begin, length) = (Instant::now(), Duration::from_secs(60 * minutes));
    let (mut looks, mut store) = (Vec::new(), 0);
    while begin.elapsed() < length {
        let process = service.process;
        looks.push(Look {
            hours: begin.elapsed().as_secs_f64() / 3_600.0,
            resident: process.resident()? as f64,
            threads: process.threads()? as f64,
            descriptors: process.descriptors()? as f64,
        });
        let of = |name: &str| home.data().join(name).metadata().map_or(0, |about| about.len());
        store = store.max(of("events.db"));
        // As Prometheus would.
        service.metrics()?;
        if looks.len() % 60 == 0 {
            eprintln!(
                "soak: {:.0} min, {:.1} MiB",
                begin.elapsed().as_secs_f64() / 60.0,
                process.resident()? as f64 / 1048576.0
            );
        }
        std::thread::sleep(EVERY);
    }
    Ok((looks, store))
}

fn judge_process(outcome: &mut Outcome, looks: &[Look]) {
    let after = &looks[looks.len() / 3..];
    let points = |of: fn(&Look) -> f64| after.iter().map(|look| (look.hours, of(look))).collect::<Vec<_>>();
    let resident = points(|look| look.resident);
    let usual = median(resident.iter().map(|point| point.1).collect());
    outcome.note("resident_mib", (usual / f64::from(1 << 20)).round());
    outcome.at_most("resident_slope_percent_per_hour", theil_sen(&resident) / usual * 100.0, 0.5);
    outcome.at_most("thread_slope_per_hour", theil_sen(&points(|look| look.threads)), 0.5);
    outcome.at_most("descriptor_slope_per_hour", theil_sen(&points(|look| look.descriptors)), 0.5);
    let most = |of: fn(&Look) -> f64| after.iter().map(of).fold(0.0, f64::max);
    outcome.note("threads_max", most(|look| look.threads));
    outcome.note("descriptors_max", most(|look| look.descriptors));
}

fn judge_streams(outcome: &mut Outcome, service: &Service, metrics: &Metrics) -> Result<()> {
    let good = ["stream=\"good"];
    outcome.at_most("restarts_of_good_streams", metrics.sum("avwatch_stream_restarts_total", &good), 0.0);
    let down = metrics.of("avwatch_stream_up", &good).filter(|(_, up)| *up < 1.0);
    outcome.none("good_streams_down", &down.map(|(series, _)| series.to_owned()).collect::<Vec<_>>());
    let told: BTreeSet<String> = service
        .events()
        .iter()
        .filter(|event| event["stream"].as_str().is_some_and(|stream| stream.starts_with("good")))
        .map(|event| format!("{} {} {}", event["stream"], event["detector"], event["message"]))
        .collect();
    outcome.none("events_of_good_streams", &told.into_iter().collect::<Vec<_>>());
    outcome.at_least("restarts_of_flapping_streams", metrics.sum("avwatch_stream_restarts_total", &["flapping"]), 1.0);
    outcome.at_least("events_of_damaged_streams", metrics.sum("avwatch_events_total", &["corrupt"]), 1.0);
    outcome.note("datagrams_dropped_here", metrics.sum("avwatch_receive_dropped_total", &[]));
    outcome.at_most("lane_drops", metrics.sum("avwatch_lane_dropped_total", &[]), 0.0);
    outcome.at_most("queue_p99_ms", stage_p99(metrics, "queue") * 1e3, 100.0);
    Ok(())
}

/// The upper end of the bucket in which the 99th percentile of a stage lies, in seconds.
pub fn stage_p99(metrics: &Metrics, stage: &str) -> f64 {
    let of_stage = format!("stage=\"{stage}\"");
    let count = metrics.sum("avwatch_stage_latency_seconds_count", &[&of_stage]);
    let end = |series: &str| series.split("le=\"").nth(1)?.split('"').next()?.parse::<f64>().ok();
    let words = [of_stage.as_str()];
    let buckets = metrics.of("avwatch_stage_latency_seconds_bucket", &words);
    let reached = buckets.filter(|(_, sum)| count > 0.0 && *sum >= 0.99 * count).filter_map(|(series, _)| end(series));
    reached.reduce(f64::min).unwrap_or(f64::NAN)
}
