//! From events and watched time to figures. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use avwatch_actors::event::{Event, EventEnd, Wall};
use avwatch_actors::severity::Severity;

use super::noise;
use super::spans::Spans;
use super::{DEFINITIONS, Figures, NoiseWanted, Question, SCHEMA, ServiceReport, StreamReport, WorstEvent};
use crate::detectors::OWN;

/// Worst events told of a stream.
const WORST_MAX: usize = 5;

/// What is known of a stream.
#[derive(Clone, Debug, Default)]
pub struct StreamMaterial {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// `live` or `observe`; absent when not known.
    pub mode: Option<String>,
    /// When the service ran and it was looked at; absent when nobody knows, which then counts as all the time.
    pub watched: Option<Spans>,
    /// When it was under maintenance that was planned for all of it.
    pub planned: Spans,
    /// The marks of that in events.
    pub planned_by: BTreeSet<String>,
    /// Time without the condition until an event ends, in seconds, by detector.
    pub clear_after: BTreeMap<String, f64>,
    /// Its events that were open in that time.
    pub events: Vec<Event>,
}

/// What is known of all streams.
#[derive(Clone, Debug, Default)]
pub struct Material {
    /// By name.
    pub streams: BTreeMap<String, StreamMaterial>,
    /// What to know before believing it.
    pub notes: Vec<String>,
}

/// What was found of one stream, before it is rounded.
pub(super) struct Found<'a> {
    pub(super) name: &'a str,
    pub(super) material: &'a StreamMaterial,
    /// The time that counts.
    pub(super) base: Spans,
    maintenance: u64,
    errored: u64,
    events: u64,
    detect: Vec<f64>,
    recover: Vec<f64>,
}

/// Makes the report.
pub fn build(question: &Question, material: &Material) -> ServiceReport {
    let period = Spans::of([(millis(question.since), millis(question.until))]);
    let found: Vec<Found<'_>> =
        material.streams.iter().map(|(name, stream)| find(question, &period, name, stream)).collect();
    let group_of = |found: &Found<'_>| found.material.labels.get(&question.group).cloned();
    let mut groups: BTreeMap<String, Vec<&Found<'_>>> = BTreeMap::new();
    for stream in &found {
        if let Some(group) = group_of(stream) {
            groups.entry(group).or_default().push(stream);
        }
    }
    let streams = found
        .iter()
        .map(|stream| StreamReport {
            stream: stream.name.to_owned(),
            group: group_of(stream),
            mode: stream.material.mode.clone(),
            figures: figures(&period, &[stream]),
            worst: worst(question, &period, stream.material),
        })
        .collect();
    let mut notes = material.notes.clone();
    let unknown = found.iter().filter(|stream| stream.material.watched.is_none()).count();
    if unknown > 0 {
        notes.push(format!("of {unknown} streams nobody knows when they were watched: all the time is taken"));
    }
    notes.extend(note_of_open_flapping(question, material));
    ServiceReport {
        schema: SCHEMA.to_owned(),
        since: Wall(question.since),
        until: Wall(question.until),
        from: question.from,
        group_label: question.group.clone(),
        total: figures(&period, &found.iter().collect::<Vec<_>>()),
        groups: groups.into_iter().map(|(name, streams)| (name, figures(&period, &streams))).collect(),
        streams,
        noise: (question.noise == NoiseWanted::Yes).then(|| noise::find(question, &found)),
        notes,
        definitions: DEFINITIONS.iter().map(|text| (*text).to_owned()).collect(),
    }
}

fn find<'a>(question: &Question, period: &Spans, name: &'a str, material: &'a StreamMaterial) -> Found<'a> {
    let all_of = |wanted: &dyn Fn(&Event) -> bool| {
        Spans::of(material.events.iter().filter(|event| wanted(event)).map(|event| span(event, question)))
    };
    // Of maintenance for a part of a stream, or that nobody knows any more, events alone tell.
    let is_planned = |event: &Event| event.suppressed_by.as_ref().is_some_and(|by| material.planned_by.contains(by));
    let marked = all_of(&|event| is_maintenance(event) && !is_planned(event));
    let maintenance = Spans::of(marked.spans().iter().chain(material.planned.spans()).copied());
    // While avwatch leaves a stream alone it says nothing about it.
    let left_alone = all_of(&|event| &*event.detector == "stream_quarantined");
    let watched = material.watched.as_ref().map_or_else(|| period.clone(), |watched| watched.within(period));
    let base = watched.without(&maintenance).without(&left_alone);
    let counted = || material.events.iter().filter(|event| is_counted(event, question.from));
    let errored = Spans::of(counted().flat_map(|event| held(event, question).spans().to_vec())).within(&base);
    let began = || counted().filter(|event| event.started_at.0 >= question.since && !is_point(event));
    let recovered = |event: &&Event| event.end_reason == Some(EventEnd::Cleared);
    Found {
        name,
        material,
        maintenance: watched.within(&maintenance).total(),
        errored: errored.total(),
        events: counted().filter(|event| touches(event, question, &base)).count() as u64,
        detect: began().map(|event| between(event.started_at, event.raised_at)).collect(),
        recover: began().filter(recovered).map(|event| seconds(held(event, question).total())).collect(),
        base,
    }
}

/// When an event was calm is stored with its changes, and one that flaps has none until it ends or gets worse.
fn note_of_open_flapping(question: &Question, material: &Material) -> Option<String> {
    let events = material.streams.values().flat_map(|stream| &stream.events);
    let open = |event: &&Event| event.is_open() && event.is_flapping() && is_counted(event, question.from);
    let open = events.filter(open).count();
    (open > 0).then(|| {
        format!("{open} open events flap: when they were calm since their newest change is not stored, and counts as errored")
    })
}

fn figures(period: &Spans, streams: &[&Found<'_>]) -> Figures {
    let sum = |of: fn(&Found<'_>) -> u64| streams.iter().map(|stream| of(stream)).sum::<u64>();
    let (watched, errored) = (sum(|stream| stream.base.total()), sum(|stream| stream.errored));
    let mut detect: Vec<f64> = streams.iter().flat_map(|stream| &stream.detect).copied().collect();
    let mut recover: Vec<f64> = streams.iter().flat_map(|stream| &stream.recover).copied().collect();
    let (detect, recover) = (median_max(&mut detect), median_max(&mut recover));
    Figures {
        streams: streams.len() as u64,
        availability: (watched > 0).then(|| 1.0 - errored as f64 / watched as f64),
        watched_s: seconds(watched),
        not_watched_s: seconds((period.total() * streams.len() as u64).saturating_sub(watched)),
        maintenance_s: seconds(sum(|stream| stream.maintenance)),
        errored_s: seconds(errored),
        events: sum(|stream| stream.events),
        detect_median_s: detect.map(|(median, _)| median),
        detect_max_s: detect.map(|(_, max)| max),
        recover_median_s: recover.map(|(median, _)| median),
        recover_max_s: recover.map(|(_, max)| max),
    }
}

fn worst(question: &Question, period: &Spans, material: &StreamMaterial) -> Vec<WorstEvent> {
    let lasted = |event: &Event| held(event, question).within(period).total();
    let is_shown = |event: &&Event| is_counted(event, question.from) && !is_maintenance(event);
    let mut events: Vec<(&Event, u64)> =
        material.events.iter().filter(is_shown).map(|event| (event, lasted(event))).collect();
    events.sort_by_key(|(event, lasted)| (std::cmp::Reverse((event.max_severity, *lasted)), event.started_at));
    events.truncate(WORST_MAX);
    let told = |(event, lasted): (&Event, u64)| WorstEvent {
        id: event.id.clone(),
        detector: event.detector.to_string(),
        track: event.track.to_string(),
        severity: event.max_severity,
        started_at: event.started_at,
        ended_at: event.ended_at,
        duration_s: seconds(lasted),
        message: event.message.clone(),
    };
    events.into_iter().map(told).collect()
}

/// Whether an event is one of input, picture or sound of that severity.
pub(super) fn is_counted(event: &Event, from: Severity) -> bool {
    event.max_severity >= from && !OWN.iter().any(|(_, name)| *name == &*event.detector)
}

/// Whether it fell into maintenance, or a time when the stream was off air.
pub(super) fn is_maintenance(event: &Event) -> bool {
    let by = event.suppressed_by.as_deref().unwrap_or_default();
    by.starts_with("maintenance") || by.starts_with("off_air") || by.starts_with("schedule")
}

/// From the begin of the condition to its end, or to the end of what is asked.
pub(super) fn span(event: &Event, question: &Question) -> (u64, u64) {
    let end = event.ended_at.map_or(question.until, |ended| ended.0.min(question.until));
    (millis(event.started_at.0), millis(end))
}

/// When its condition held: without the calm in between where it came and went.
pub(super) fn held(event: &Event, question: &Question) -> Spans {
    let begin = millis(event.started_at.0);
    let at = |seconds: f64| begin.saturating_add((seconds * 1e3).round() as u64);
    let calm = Spans::of(event.calm_s.iter().map(|(from, to)| (at(*from), at(*to))));
    Spans::of([span(event, question)]).without(&calm)
}

/// A point event counts where its moment lies, another one where a part of it does.
fn touches(event: &Event, question: &Question, base: &Spans) -> bool {
    let (from, to) = span(event, question);
    Spans::of([(from, to.max(from + 1))]).within(base).total() > 0
}

/// Whether it is a moment, or several that became one event.
pub(super) fn is_point(event: &Event) -> bool {
    let is_moment = |ended: Wall| ended.since(event.started_at).as_millis() as u64 <= calm_millis(event);
    event.ended_at.is_some_and(is_moment)
}

/// How long it was calm, all together.
fn calm_millis(event: &Event) -> u64 {
    event.calm_s.iter().map(|(from, to)| ((to - from) * 1e3).round() as u64).sum()
}

pub(super) fn between(from: Wall, to: Wall) -> f64 {
    to.0.duration_since(from.0).unwrap_or_default().as_millis() as f64 / 1e3
}

/// Milliseconds as seconds.
pub(super) fn seconds(millis: u64) -> f64 {
    millis as f64 / 1e3
}

pub(super) fn millis(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// The median (of an even number the mean of the two in the middle) and the highest.
pub(super) fn median_max(values: &mut [f64]) -> Option<(f64, f64)> {
    values.sort_by(f64::total_cmp);
    let max = *values.last()?;
    let middle = values.len() / 2;
    let median = if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
    Some(((median * 1e3).round() / 1e3, max))
}
