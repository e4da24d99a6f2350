//! R18: an origin with many streams restarts; who comes back does not trample on it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::harness::options::Options;
use crate::harness::outcome::Outcome;
use crate::harness::service::{Home, Service};
use crate::harness::slope::percentile;
use crate::media::broadcast::{Broadcast, Illness, Way};
use crate::media::clip::{Clip, Kind};

pub const WHAT: &str = "an origin of 200 HTTP streams goes away for 15 s, hanging up on who connects meanwhile, and comes back; 20 opens a second \
    are allowed at a host";

const STREAMS: usize = 200;
const AWAY: Duration = Duration::from_secs(15);
const WATCHED: Duration = Duration::from_secs(95);
/// Opens a second at one host, as configured, and what a second counted from outside may hold of two.
const OPENS: f64 = 20.0;

pub fn run(options: &Options) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let clip = Arc::new(Clip::make(folder.path(), Kind::Sound)?);
    let broadcast = Broadcast::start(clip, &vec![(Way::Http, Illness::None); STREAMS], options.seed)?;
    let streams: String = broadcast
        .urls
        .iter()
        .enumerate()
        .map(|(number, url)| format!("[[streams]]\nname = \"s{number}\"\nurl = \"{url}\"\ntier = \"transport\"\n"))
        .collect();
    let home = Home::new(
        options,
        &format!("limits.opens_per_second = {OPENS}\nlimits.opens_per_second_per_host = {OPENS}\n{streams}"),
    )?;
    let service = home.start()?;
    let first = Instant::now();
    back(&service, first, STREAMS, Duration::from_secs(60))?;
    // Good for long enough that the back-off begins anew.
    std::thread::sleep(Duration::from_secs(62).saturating_sub(first.elapsed()));
    let gone = Instant::now();
    broadcast.turn_off(true);
    std::thread::sleep(AWAY);
    let returned = Instant::now();
    broadcast.turn_off(false);
    let times = back(&service, returned, STREAMS, WATCHED)?;
    let connects: Vec<f64> =
        broadcast.connects().iter().filter(|at| **at >= gone).map(|at| at.duration_since(gone).as_secs_f64()).collect();
    let mut seconds = vec![0.0; (AWAY + WATCHED).as_secs() as usize + 60];
    connects.iter().for_each(|at| seconds[*at as usize] += 1.0);
    let mut outcome = Outcome::default();
    outcome.note("connects", connects.len());
    outcome.at_most("connects_in_a_second_max", seconds.iter().copied().fold(0.0, f64::max), OPENS * 1.5);
    outcome.at_most("connects_in_10_s_mean_max", mean_of_ten(&seconds), OPENS * 1.05);
    outcome.at_most("back_95_percent_s", percentile(times.clone(), 0.95), 30.0);
    outcome.at_most("back_all_s", if times.len() < STREAMS { f64::NAN } else { percentile(times, 1.0) }, 90.0);
    outcome.none("panics", &service.panics());
    Ok(outcome)
}

/// When streams were up again, in seconds after `since`.
fn back(service: &Service, since: Instant, count: usize, limit: Duration) -> Result<Vec<f64>> {
    // What is up may be so for a second after it was not.
    let mut times = Vec::new();
    while since.elapsed() < limit && times.len() < count {
        std::thread::sleep(Duration::from_millis(250));
        let up = service.metrics()?.sum("avwatch_stream_up", &[]) as usize;
        while times.len() < up {
            times.push(since.elapsed().as_secs_f64());
        }
    }
    Ok(times)
}

/// The highest mean over ten seconds in a row.
fn mean_of_ten(seconds: &[f64]) -> f64 {
    seconds.windows(10).map(|ten| ten.iter().sum::<f64>() / 10.0).fold(0.0, f64::max)
}
