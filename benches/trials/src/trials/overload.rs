//! R11: far more comes than can be looked at.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::harness::metrics::Metrics;
use crate::harness::options::Options;
use crate::harness::outcome::Outcome;
use crate::harness::service::{Home, Service, until};
use crate::harness::slope::percentile;
use crate::media::broadcast::{Broadcast, Illness, Way};
use crate::media::clip::{Clip, Kind};

pub const WHAT: &str = "so many streams of 1280x720 over UDP, all exempt from shedding, that several times the machine's cores were needed to \
    decode them, with receive buffers of a second, for a minute; then they stop, and a small stream that shared the machine with them must be well again";

/// Streams for each core.
const STREAMS_PER_CORE: usize = 60;
const OVERLOADED: Duration = Duration::from_secs(60);
/// When lanes, rings and receive buffers have filled.
const FILLED: Duration = Duration::from_secs(25);

pub fn run(options: &Options) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let clip = Arc::new(Clip::make(folder.path(), Kind::Pictures(1280, 720, 1_500))?);
    let count = STREAMS_PER_CORE * std::thread::available_parallelism().map_or(2, usize::from);
    let broadcast = Broadcast::start(clip, &vec![(Way::Udp, Illness::None); count], options.seed)?;
    let streams: String = broadcast
        .urls
        .iter()
        .enumerate()
        .map(|(number, url)| {
            format!(
                "[[streams]]\nname = \"s{number}\"\nurl = \"{url}\"\ntier_min = \"full\"\nreceive_buffer = 262144\n"
            )
        })
        .collect();
    let home = Home::new(
        options,
        &format!(
            "limits.opens_per_second = 100\nlimits.opens_per_second_per_host = 100\nevidence.from = \"off\"\n\
             [[streams]]\nname = \"good\"\ntier_min = \"full\"\nurl = \"synthetic:?size=320x180&fps=25&seed=1\"\n{streams}"
        ),
    )?;
    let service = home.start()?;
    let (begin, mut waits, mut residents) = (Instant::now(), Vec::new(), Vec::new());
    let mut first = None;
    while begin.elapsed() < OVERLOADED {
        let asked = Instant::now();
        service.get("/api/v1/status")?;
        waits.push(asked.elapsed().as_secs_f64() * 1e3);
        if begin.elapsed() > FILLED {
            first.get_or_insert(service.process.resident()? as f64);
            residents.push(service.process.resident()? as f64);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let at_end = service.metrics()?;
    let seconds = begin.elapsed().as_secs_f64();
    let judged = at_end.sum("avwatch_frames_total", &["stream=\"s", "video:0"]);
    let due = 25.0 * seconds * count as f64;
    let mut outcome = Outcome::default();
    outcome.note("streams", count);
    outcome.note("pictures_due", due.round());
    outcome.note("pictures_judged", judged);
    // Else it was no overload.
    outcome.at_most("share_judged", judged / due, 0.7);
    outcome.note("lane_drops", at_end.sum("avwatch_lane_dropped_total", &[]));
    outcome.note("datagrams_dropped_here", at_end.sum("avwatch_receive_dropped_total", &[]));
    let losses = at_end.sum("avwatch_lane_dropped_total", &[]) + at_end.sum("avwatch_receive_dropped_total", &[]);
    // A picture is several datagrams: where one is missing, at least one loss of this machine must have been counted.
    outcome.at_least("losses_counted_per_missing_picture", losses / (due - judged), 1.0);
    let growth = residents.iter().copied().fold(0.0, f64::max) / first.unwrap_or(f64::NAN) - 1.0;
    outcome.at_most("resident_growth_percent", growth * 100.0, 10.0);
    outcome.at_most("api_p99_ms", percentile(waits, 0.99), 200.0);
    outcome.at_least("livez", f64::from(service.get("/livez")?.0), 200.0);
    drop(broadcast);
    outcome.at_most("well_again_s", recovery(&service).unwrap_or(f64::NAN), 5.0);
    outcome.none("panics", &service.panics());
    Ok(outcome)
}

/// Seconds until the small stream has all its pictures of a second judged, and nothing is dropped.
fn recovery(service: &Service) -> Result<f64> {
    let frames = |metrics: &Metrics| metrics.sum("avwatch_frames_total", &["stream=\"good\"", "video:0"]);
    let drops = |metrics: &Metrics| metrics.sum("avwatch_lane_dropped_total", &["stream=\"good\""]);
    let stopped = Instant::now();
    until("the small stream to be well", Duration::from_secs(60), || {
        let (at, before) = (Instant::now(), service.metrics()?);
        std::thread::sleep(Duration::from_secs(2));
        let (lasted, after) = (at.elapsed().as_secs_f64(), service.metrics()?);
        // The board is a second old at most.
        let is_well = frames(&after) - frames(&before) >= 25.0 * (lasted - 1.0) && drops(&after) == drops(&before);
        Ok(is_well.then(|| (at - stopped).as_secs_f64()))
    })
}
