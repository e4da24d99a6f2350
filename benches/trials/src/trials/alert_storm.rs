//! R17: everything fails at once and comes back; people get a few messages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::harness::hook::Hook;
use crate::harness::options::Options;
use crate::harness::outcome::Outcome;
use crate::harness::service::{Home, Service, until};
use crate::media::broadcast::{Broadcast, Illness, Way};
use crate::media::clip::{Clip, Kind};

pub const WHAT: &str = "1,000 streams of sound over UDP, looked at by transport alone, stop at once and return after 40 s; one webhook is told";

const STREAMS: usize = 1_000;
const AWAY: Duration = Duration::from_secs(40);
/// Silence that is borne before an input is down, and the time that it must have been back.
const RAISED_AFTER: f64 = 3.0;

pub fn run(options: &Options) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let clip = Arc::new(Clip::make(folder.path(), Kind::Sound)?);
    let broadcast = Broadcast::start(clip, &vec![(Way::Udp, Illness::None); STREAMS], options.seed)?;
    let hook = Hook::start(|_| (200, Duration::ZERO));
    let streams: String = broadcast
        .urls
        .iter()
        .enumerate()
        .map(|(number, url)| {
            format!(
                "[[streams]]\nname = \"s{number}\"\nurl = \"{url}\"\ntier = \"transport\"\nreceive_buffer = 65536\n"
            )
        })
        .collect();
    let home = Home::new(
        options,
        &format!(
            "limits.opens_per_second = 1000\nlimits.opens_per_second_per_host = 1000\nevidence.from = \"off\"\n\
             [detectors.input_down]\nclear_after = \"1s\"\n\
             [receivers.hook.webhook]\nurl = \"{}\"\n{streams}",
            hook.url()
        ),
    )?;
    let service = home.start()?;
    up(&service, Duration::from_secs(120))?;
    std::thread::sleep(Duration::from_secs(10));
    let (calls_before, lines) = (hook.calls().len(), service.line_count());
    let mut outcome = Outcome::default();
    let begin = Instant::now();
    broadcast.turn_off(true);
    let raised = all(&service, lines, "raised", begin, Duration::from_secs(40));
    outcome.at_most("all_down_stored_s_after_silence", raised.unwrap_or(f64::NAN) - RAISED_AFTER, 5.0);
    std::thread::sleep(AWAY.saturating_sub(begin.elapsed()));
    let back = Instant::now();
    broadcast.turn_off(false);
    let ended = all(&service, lines, "ended", back, Duration::from_secs(200));
    // Each must flow for a second, and reopen first if it was given up.
    outcome.at_most("all_up_stored_s", ended.unwrap_or(f64::NAN), 90.0);
    // What is told of the end is gathered for group_interval.
    let told = until("the messages", Duration::from_secs(120), || {
        let down_and_up = matched(&hook, calls_before)?;
        Ok((down_and_up.1 >= STREAMS).then_some(down_and_up))
    });
    let (down, up) = told.or_else(|_| matched(&hook, calls_before))?;
    outcome.at_least("streams_told_as_down", down as f64, STREAMS as f64);
    outcome.at_least("of_which_told_as_over", up as f64, STREAMS as f64);
    outcome.at_most("messages", (hook.calls().len() - calls_before) as f64, 20.0);
    outcome.none("panics", &service.panics());
    Ok(outcome)
}

fn up(service: &Service, limit: Duration) -> Result<()> {
    until("the streams to be up", limit, || {
        Ok((service.metrics()?.sum("avwatch_stream_up", &[]) as usize >= STREAMS).then_some(()))
    })
}

/// Waits until the input of every stream has been told in that state; gives the seconds since `begin`.
fn all(service: &Service, lines: usize, state: &str, begin: Instant, limit: Duration) -> Result<f64> {
    let words = [format!("\"state\":\"{state}\""), "\"detector\":\"input_down\"".to_owned()];
    until(state, limit, || {
        let log = service.lines_since(lines);
        let mut streams: Vec<&str> = log
            .iter()
            .filter(|line| line.contains("\"event\":{") && words.iter().all(|word| line.contains(word.as_str())))
            .filter_map(|line| line.split("\"stream\":\"").nth(1)?.split('"').next())
            .collect();
        streams.sort_unstable();
        streams.dedup();
        std::thread::sleep(Duration::from_millis(200));
        Ok((streams.len() >= STREAMS).then(|| begin.elapsed().as_secs_f64()))
    })
}

/// Streams that the messages tell as down, and how many of those are told as over with the same event.
fn matched(hook: &Hook, from: usize) -> Result<(usize, usize)> {
    let mut states = BTreeMap::<String, (bool, bool)>::new();
    for call in hook.calls().iter().skip(from) {
        let message = call.json();
        let single = [message.clone()];
        let changes = message["data"]["changes"].as_array().map_or(&single[..], Vec::as_slice);
        for change in changes.iter().map(|change| &change["data"]).filter(|change| change["detector"] == "input_down") {
            let id = change["id"].as_str().or_else(|| change["event_id"].as_str()).context("a change has an event")?;
            let entry = states.entry(id.to_owned()).or_default();
            match change["state"].as_str() {
                Some("ended") => entry.1 = true,
                _ => entry.0 = true,
            }
        }
    }
    let down = states.values().filter(|state| state.0).count();
    Ok((down, states.values().filter(|state| state.0 && state.1).count()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_words_of_the_log_are_those_of_its_json() {
        let line = serde_json::json!({ "event": { "detector": "input_down", "state": "raised" } }).to_string();
        assert!(line.contains("\"event\":{") && line.contains("\"state\":\"raised\""), "{line}");
    }
}
