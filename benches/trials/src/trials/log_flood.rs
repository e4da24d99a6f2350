//! R25: two hundred damaged streams do not flood the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::harness::options::Options;
use crate::harness::outcome::Outcome;
use crate::harness::service::{Home, until};
use crate::media::broadcast::{Broadcast, Illness, Way};
use crate::media::clip::{Clip, Kind};

pub const WHAT: &str = "200 streams of 160x90 over UDP, in each of which every tenth packet is damaged or missing, at the default level of the log";

const STREAMS: usize = 200;
const WATCHED: Duration = Duration::from_secs(40);

pub fn run(options: &Options) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let clip = Arc::new(Clip::make(folder.path(), Kind::Pictures(160, 90, 80))?);
    let broadcast = Broadcast::start(clip, &vec![(Way::Udp, Illness::Corrupt(20)); STREAMS], options.seed)?;
    let streams: String = broadcast
        .urls
        .iter()
        .enumerate()
        .map(|(number, url)| format!("[[streams]]\nname = \"s{number}\"\nurl = \"{url}\"\ntier = \"light\"\n"))
        .collect();
    let config = format!(
        "limits.opens_per_second = 100\nlimits.opens_per_second_per_host = 100\nevidence.from = \"off\"\n{streams}"
    );
    let home = Home::new(options, &config)?;
    let service = home.start()?;
    until("the streams to be up", Duration::from_secs(60), || {
        Ok((service.metrics()?.sum("avwatch_stream_up", &[]) as usize >= STREAMS / 2).then_some(()))
    })?;
    let (begin, cpu) = (Instant::now(), service.process.cpu(Some("log:writer"))?);
    let all_before = service.process.cpu(None)?;
    let first = service.line_count();
    std::thread::sleep(WATCHED);
    let seconds = begin.elapsed().as_secs_f64();
    let log = service.lines_since(first);
    let is_event = |line: &&String| line.contains("\"event\":{");
    // By the second in their times: "time":"2026-11-29T03:11:42.
    let mut others = BTreeMap::<&str, f64>::new();
    log.iter()
        .filter(|line| !is_event(line))
        .for_each(|line| *others.entry(&line[..line.len().min(28)]).or_default() += 1.0);
    let mut outcome = Outcome::default();
    outcome.at_most("lines_per_second", log.len() as f64 / seconds, 200.0);
    outcome.note("of_which_events", log.iter().filter(is_event).count() as f64 / seconds);
    // Each event is a line, as it is meant to be; all else is what may flood.
    outcome.at_most("other_lines_in_a_second_max", others.values().copied().fold(0.0, f64::max), 200.0);
    let log_cpu = (service.process.cpu(Some("log:writer"))? - cpu) / seconds;
    outcome.at_most("log_thread_percent_of_a_core", log_cpu * 100.0, 5.0);
    outcome.note("process_percent_of_a_core", ((service.process.cpu(None)? - all_before) / seconds * 100.0).round());
    // That there is something to be quiet about.
    let damaged = service.metrics()?.sum("avwatch_events_total", &["decode_error"]);
    outcome.at_least("events_of_damage", damaged, STREAMS as f64 / 2.0);
    outcome.none("panics", &service.panics());
    Ok(outcome)
}
