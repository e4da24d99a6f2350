//! Commissioning: which streams and detectors are noise, what to change, and which streams are ready to go live. Pure.

use std::collections::BTreeMap;

use avwatch_actors::event::{Event, Wall};
use avwatch_actors::severity::Severity;
use serde::{Deserialize, Serialize};

use super::build::{Found, between, held, is_counted, is_maintenance, is_point, median_max, millis, seconds};
use super::spans::Spans;
use super::{Question, lasted, percent};

/// Pairs that are told at most.
const PAIRS_MAX: usize = 100;
/// Share of the time from which on a condition is the stream's normal state.
const NORMAL_FROM: f64 = 0.5;
/// Least time that a stream must have been watched before a condition may be called its normal state, in seconds: what lasts
/// for minutes may be a fault that nobody has mended yet.
const NORMAL_WATCHED_MIN: f64 = 600.0;
/// Least time that a stream must have been observed before it may be called ready, in seconds.
const OBSERVED_MIN: f64 = 86_400.0;
/// Hold times that are proposed, in seconds. Longer ones are not: what lasts for more than a minute is no noise.
const HOLDS: [u64; 9] = [1, 2, 3, 5, 10, 15, 20, 30, 60];

/// The noisiest streams and detectors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// The noisiest first.
    pub pairs: Vec<NoisyPair>,
    /// Pairs that are not told for their number.
    pub more: u64,
    /// Streams in mode `observe`, by name.
    pub candidates: Vec<Candidate>,
}

/// One detector on one stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoisyPair {
    /// The stream.
    pub stream: String,
    /// The detector.
    pub detector: String,
    /// Events, of every severity.
    pub events: u64,
    /// Events a day of watched time.
    pub per_day: f64,
    /// Share of the watched time in which its condition held, 0 to 1.
    pub open_share: f64,
    /// Median of how long they lasted, in seconds; absent when they are all point events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median_s: Option<f64>,
    /// Events shorter than twice the time that it takes to clear one: it comes and goes.
    pub flaps: u64,
    /// Events that reached `critical`.
    #[serde(default)]
    pub critical: u64,
    /// What to do about it, in words; absent when nothing stands out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// The same as configuration of the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// Events that would be left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_then: Option<u64>,
}

/// A stream that is observed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The stream.
    pub stream: String,
    /// How long it was watched in that time, in seconds.
    pub watched_s: f64,
    /// Events of `warning` and above in that time.
    pub alarms: u64,
    /// When the newest of them was raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_alarm_at: Option<Wall>,
    /// True when it was watched for a day, or for all of a longer time, without any.
    pub ready: bool,
}

/// Finds what is noise.
pub(super) fn find(question: &Question, streams: &[Found<'_>]) -> Noise {
    let mut pairs: Vec<NoisyPair> = streams.iter().flat_map(|stream| pairs_of(question, stream)).collect();
    // An alarm an hour is as bad as one that is always there.
    let rank = |pair: &NoisyPair| pair.per_day / 24.0 + pair.open_share;
    pairs.sort_by(|one, other| {
        let names = || (&one.stream, &one.detector).cmp(&(&other.stream, &other.detector));
        rank(other).total_cmp(&rank(one)).then_with(names)
    });
    let more = pairs.len().saturating_sub(PAIRS_MAX) as u64;
    pairs.truncate(PAIRS_MAX);
    let is_observed = |stream: &&Found<'_>| stream.material.mode.as_deref() == Some("observe");
    let candidates = streams.iter().filter(is_observed).map(|stream| candidate(question, stream)).collect();
    Noise { pairs, more, candidates }
}

fn pairs_of(question: &Question, stream: &Found<'_>) -> Vec<NoisyPair> {
    let mut by_detector: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    let is_shown = |event: &&Event| is_counted(event, Severity::Info) && !is_maintenance(event);
    for event in stream.material.events.iter().filter(is_shown) {
        by_detector.entry(&event.detector).or_default().push(event);
    }
    by_detector.into_iter().map(|(detector, events)| pair(question, stream, detector, &events)).collect()
}

fn pair(question: &Question, stream: &Found<'_>, detector: &str, events: &[&Event]) -> NoisyPair {
    let watched = stream.base.total();
    let share = |counts: fn(&Event) -> bool| {
        let held =
            events.iter().filter(|event| counts(event)).flat_map(|event| known(event, question).spans().to_vec());
        let open = Spans::of(held).within(&stream.base).total();
        if watched > 0 { open as f64 / watched as f64 } else { 0.0 }
    };
    let lasting: Vec<f64> = events
        .iter()
        .filter(|event| !is_point(event) && !flaps_on(event))
        .map(|event| between(event.started_at, event.ended_at.unwrap_or(Wall(question.until))))
        .collect();
    let clear_after = stream.material.clear_after.get(detector).copied().unwrap_or(10.0);
    let short = events.iter().filter(|event| !is_point(event)).filter_map(|event| {
        let length = between(event.started_at, event.ended_at?);
        (length < 2.0 * clear_after).then_some(length)
    });
    let short: Vec<f64> = short.collect();
    let mut pair = NoisyPair {
        stream: stream.name.to_owned(),
        detector: detector.to_owned(),
        events: events.len() as u64,
        per_day: if watched > 0 {
            (events.len() as f64 / seconds(watched) * 86_400.0 * 10.0).round() / 10.0
        } else {
            0.0
        },
        open_share: share(|_| true),
        median_s: median_max(&mut lasting.clone()).map(|(median, _)| median),
        flaps: short.len() as u64,
        critical: events.iter().filter(|event| event.max_severity >= Severity::Critical).count() as u64,
        suggestion: None,
        config: None,
        events_then: None,
    };
    // What flaps comes and goes: however long it is open, that is no state of the stream.
    let is_normal = share(|event| !flaps_on(event)) >= NORMAL_FROM && seconds(watched) >= NORMAL_WATCHED_MIN;
    suggest(&mut pair, is_normal, &lasting, &short, clear_after);
    pair
}

/// Whether it flaps and is open: since its newest change nobody noted when it was calm.
fn flaps_on(event: &Event) -> bool {
    event.is_open() && event.is_flapping()
}

/// When its condition is known to have held.
fn known(event: &Event, question: &Question) -> Spans {
    let held = held(event, question);
    if flaps_on(event) { held.within(&Spans::of([(0, millis(event.changed_at.0))])) } else { held }
}

/// What has to be known before anybody hears less of it.
fn caution(pair: &NoisyPair) -> String {
    let (critical, events) = (pair.critical, pair.events);
    let who = match (critical, events) {
        (0, _) => return String::new(),
        (1, 1) => "it was critical".to_owned(),
        _ if critical == events => format!("all {events} were critical"),
        (1, _) => format!("1 of {events} was critical"),
        _ => format!("{critical} of {events} were critical"),
    };
    format!("{who}, so be sure first that it was no fault; ")
}

fn alarms(count: u64) -> String {
    if count == 1 { "1 alarm".to_owned() } else { format!("{count} alarms") }
}

/// The least hold time that is proposed for what lasted so long.
fn hold_over(length: f64) -> Option<u64> {
    HOLDS.iter().copied().find(|hold| *hold as f64 > length)
}

/// Says what stands out and what to do about it. `is_normal` when it holds for most of the time, `short` are the lengths of those that came and went.
fn suggest(pair: &mut NoisyPair, is_normal: bool, lasting: &[f64], short: &[f64], clear_after: f64) {
    let caution = caution(pair);
    if pair.detector.starts_with("log_") {
        let is_noisy = pair.open_share >= NORMAL_FROM || pair.flaps >= 3 || (pair.per_day >= 24.0 && pair.events >= 3);
        // Detectors of logs have their thresholds in the rules of the log, and nothing under [streams.detectors].
        pair.suggestion = is_noisy.then(|| {
            format!(
                "{} events, open {} of the time; {caution}raise the thresholds of its rule in [[logs]]",
                pair.events,
                percent(pair.open_share)
            )
        });
        return;
    }
    let key = |setting: &str| format!("[streams.detectors.{}] {setting}", pair.detector);
    let points = pair.events - lasting.len() as u64;
    if is_normal {
        let (words, config) = if pair.detector == "freeze" {
            (
                "that is how the stream looks: use the profile static-ok, or raise later",
                "profile = \"static-ok\"".to_owned(),
            )
        } else {
            ("that is how the stream is: switch the detector off there, or another threshold", key("enabled = false"))
        };
        pair.suggestion = Some(format!("open {} of the time; {caution}{words}", percent(pair.open_share)));
        pair.config = Some(config);
        return;
    }
    if pair.flaps >= 3 && pair.flaps * 2 > pair.events {
        // What came and went is gone when it is held a little longer; what lasts is told all the same.
        if let Some(hold) = hold_over(short.iter().copied().fold(0.0, f64::max)) {
            let left = lasting.iter().filter(|lasted| **lasted >= hold as f64).count() as u64 + points;
            pair.suggestion = Some(format!(
                "comes and goes: {} of {} were shorter than {}; {caution}raise later, {} instead of {}",
                pair.flaps,
                pair.events,
                lasted(2.0 * clear_after),
                alarms(left),
                pair.events
            ));
            pair.config = Some(key(&format!("raise_after = \"{hold}s\"")));
            pair.events_then = Some(left);
            return;
        }
    }
    if pair.per_day >= 24.0 && pair.events >= 3 {
        let median = pair.median_s.unwrap_or(0.0);
        if let Some(hold) = hold_over(median).filter(|_| !lasting.is_empty()) {
            let left = lasting.iter().filter(|lasted| **lasted >= hold as f64).count() as u64 + points;
            pair.suggestion = Some(format!(
                "more than one an hour, half of them under {}; {caution}raise later, {} instead of {}",
                lasted(hold as f64),
                alarms(left),
                pair.events
            ));
            pair.config = Some(key(&format!("raise_after = \"{hold}s\"")));
            pair.events_then = Some(left);
        }
    }
}

fn candidate(question: &Question, stream: &Found<'_>) -> Candidate {
    let is_alarm = |event: &&Event| is_counted(event, Severity::Warning) && !is_maintenance(event);
    let alarms: Vec<&Event> = stream.material.events.iter().filter(is_alarm).collect();
    let watched_s = seconds(stream.base.total());
    let asked = question.until.duration_since(question.since).unwrap_or_default().as_secs_f64();
    Candidate {
        stream: stream.name.to_owned(),
        watched_s,
        alarms: alarms.len() as u64,
        last_alarm_at: alarms.iter().map(|event| event.raised_at).max(),
        // A tenth may be missing: a restart is no reason to wait another day.
        ready: alarms.is_empty() && watched_s >= 0.9 * asked.max(OBSERVED_MIN),
    }
}
