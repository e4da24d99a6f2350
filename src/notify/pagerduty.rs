//! PagerDuty, Events API version 2: conditions trigger and resolve alerts there.
//!
//! Owned by its receiver's thread. An alert's `dedup_key` is the fingerprint of its event, so whatever is
//! sent twice changes nothing: a message that failed half-way is simply sent again.
//!
//! **Storms.** Every alert may wake a person, so messages trigger [`TRIGGERS_MAX`] alerts for single events in a row at
//! most, and one more with every `REFILL`, the gravest first, what has ended by now last. Events of an incident of the
//! same message are folded into the incident's alert, whose key is the incident's id; what else is too much goes into
//! one alert of the receiver, `avwatch:NAME:more`. Both list all their events. This channel remembers what it folded
//! ([`FOLDED_MAX`] events): the end of such an event makes no call, and when the last one is over, so is the alert of
//! the rest. An event that is still open when its incident ends gets an alert then. The end of any other event resolves
//! its own alert; PagerDuty takes no notice where there is none. So every alert that was triggered is resolved, whether it
//! was remembered or not, but for what ended because nobody watches it any more (its alert stays open and says so, until
//! the same condition ends or a person closes it), and but for the alert of the rest across a restart: that one is
//! resolved with the next end that is told.
//!
//! **Limits.** One message may need many calls. It makes as many as fit into [`SEND_WITHIN`](super::SEND_WITHIN), then asks
//! to be called again, and goes on where it was: that is no failure.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use avwatch_actors::event::{Event, EventState};
use avwatch_actors::incident::Incident;
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::record::Record;
use avwatch_actors::severity::Severity;
use serde_json::{Value, json};

use super::calls::Calls;
use super::http::HttpPoster;
use super::rows;
use super::words::{self, Told};
use super::{Changes, Channel, Content, Links, Message, PagerDutyPlan, SendFailure};
use crate::config::Secret;

/// Most alerts of single events that messages trigger in a row.
pub const TRIGGERS_MAX: usize = 4;

/// After so long without a message of too many, one more may be triggered.
const REFILL: Duration = Duration::from_secs(30);

/// Most updates of alerts that are open which one message makes.
const UPDATES_MAX: usize = 10;

/// Most folded events that are remembered; the end of others makes a call of its own.
pub const FOLDED_MAX: usize = 20_000;

/// Longest summary that PagerDuty takes, in bytes.
const SUMMARY_BYTES_MAX: usize = 1_024;

/// Most bytes of the names of an incident's streams: PagerDuty takes 512 KB in all.
const STREAMS_BYTES_MAX: usize = 80 * 1024;

/// Most bytes of a list of ids: room for the 10,000 that the record of an incident names.
const EVENTS_BYTES_MAX: usize = 380_000;

/// Most bytes of whole lines in the alert of the rest. What follows are rows: 2,000 with the longest names and their ids
/// take 450 KB.
const LINES_BYTES_MAX: usize = 40 * 1024;

/// Where an event went that has no alert of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fold {
    /// Into the alert of its incident.
    Incident,
    /// Into the alert of the rest.
    Rest,
    /// Into the alert of the rest; it may have one of its own from before the start.
    Both,
}

/// The alert of the rest, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rest {
    /// It may be open from before the start.
    #[default]
    Unknown,
    /// Triggered.
    Open,
    /// Resolved.
    Closed,
}

/// What is remembered from message to message.
#[derive(Clone, Debug, Default)]
struct Memory {
    folded: BTreeMap<String, Fold>,
    /// Events whose own alerts are open, by fingerprint; [`FOLDED_MAX`] at most.
    own: BTreeSet<String>,
    rest: Rest,
    singles: Singles,
}

/// How many single events may have alerts of their own now.
#[derive(Clone, Debug)]
struct Singles {
    left: usize,
    /// Since when the next one is waited for.
    since: Option<SystemTime>,
}

impl Default for Singles {
    fn default() -> Self {
        Self { left: TRIGGERS_MAX, since: None }
    }
}

impl Singles {
    /// Takes as many as there are, up to those that are wanted. In a storm none is added.
    fn take(&mut self, wanted: usize, now: SystemTime) -> usize {
        let passed = self.since.map_or(Duration::ZERO, |since| now.duration_since(since).unwrap_or_default());
        let more = usize::try_from(passed.as_secs() / REFILL.as_secs()).unwrap_or(usize::MAX);
        let available = self.left.saturating_add(more).min(TRIGGERS_MAX);
        let taken = wanted.min(available);
        if wanted > 0 {
            (self.left, self.since) = (available - taken, Some(now));
        }
        taken
    }
}

/// A message of which calls were made, with what is remembered after it.
struct Planned {
    id: String,
    calls: Vec<Value>,
    memory: Memory,
}

/// The channel.
pub struct PagerDutyChannel {
    poster: HttpPoster,
    routing_key: Secret,
    memory: Memory,
    calls: Calls,
    planned: Option<Planned>,
}

impl PagerDutyChannel {
    /// To the plan's service.
    pub fn new(plan: &PagerDutyPlan, line: &Arc<Lifeline>) -> Self {
        let poster = HttpPoster::new(&plan.url, plan.tls_ca.as_deref(), line);
        Self {
            poster,
            routing_key: plan.routing_key.clone(),
            memory: Memory::default(),
            calls: Calls::default(),
            planned: None,
        }
    }
}

impl PagerDutyChannel {
    fn plan(&self, message: &Message) -> Planned {
        let mut memory = self.memory.clone();
        let calls = match &message.content {
            Content::Test { .. } => test(message),
            Content::Changes(records) => memory.calls(message, records),
        };
        Planned { id: message.id.clone(), calls, memory }
    }
}

impl Channel for PagerDutyChannel {
    fn send(&mut self, message: &Message) -> Result<(), SendFailure> {
        // The calls of a message stay the same once one of them was made.
        let begun = self.planned.take().filter(|it| it.id == message.id && self.calls.is_begun(&message.id));
        let planned = begun.unwrap_or_else(|| self.plan(message));
        let (poster, key) = (&self.poster, &self.routing_key);
        let made = self.calls.make(&message.id, planned.calls.len(), |index, left| {
            let body = with_key(&planned.calls[index], key).to_string();
            poster.within(left).post(&[("content-type", "application/json")], body.as_bytes()).map(drop)
        });
        match made {
            Ok(()) => self.memory = planned.memory,
            Err(_) => self.planned = Some(planned),
        }
        made
    }
}

impl Memory {
    /// The calls of a message; the memory becomes that after them.
    fn calls(&mut self, message: &Message, records: &Changes) -> Vec<Value> {
        let told = words::conditions(records);
        let is_open = |told: &Told<'_>| told.record.incident().filter(|incident| incident.is_open()).cloned();
        let incidents: HashSet<String> = told.iter().filter_map(is_open).map(|incident| incident.id.clone()).collect();
        let mut calls = Vec::new();
        let (mut candidates, mut unseen, mut ends) = (Vec::new(), Vec::new(), false);
        for told in &told {
            match told.record {
                Record::Incident(incident) => calls.extend(of_incident(incident, told, &message.links)),
                Record::Event(event) => match event.state {
                    EventState::Raised | EventState::Escalated => {
                        let id = event.incident_id.as_deref();
                        if id.is_some_and(|id| incidents.contains(id)) && !self.own.contains(&event.fingerprint) {
                            self.fold(event, Fold::Incident);
                        } else {
                            candidates.push(*told);
                        }
                    }
                    EventState::Acked | EventState::Suppressed => {
                        if !self.folded.contains_key(&event.fingerprint) {
                            calls.push(bare("acknowledge", &event.fingerprint));
                        }
                    }
                    // Nobody knows whether it is over: what was triggered stays, and says so.
                    EventState::Ended if words::is_unwatched(event) => {
                        match self.folded.contains_key(&event.fingerprint) {
                            true => {}
                            false if told.is_new => candidates.push(*told),
                            false => unseen.push(*told),
                        }
                    }
                    EventState::Ended => {
                        ends = true;
                        let is_own = self.own.remove(&event.fingerprint);
                        match self.folded.remove(&event.fingerprint) {
                            Some(Fold::Incident | Fold::Rest) => {}
                            None if told.is_new && !is_own => candidates.push(*told),
                            Some(Fold::Both) | None => calls.push(bare("resolve", &event.fingerprint)),
                        }
                    }
                },
            }
        }
        candidates.extend(self.left_alone(records, &told));
        self.trigger(message, records, candidates, &mut calls);
        // Their alerts are open in any case: no further one is made for those that have no room.
        unseen.truncate(UPDATES_MAX);
        for told in &unseen {
            calls.extend(told.record.event().map(|event| of_event(event, &words::line(told), &message.links)));
        }
        self.settle_rest(message, ends, &mut calls);
        calls
    }

    /// Events without an alert of their own that go on when the alert of their incident is resolved.
    fn left_alone<'a>(&self, records: &'a Changes, told: &[Told<'_>]) -> Vec<Told<'a>> {
        let said: HashSet<&str> =
            told.iter().filter_map(|one| one.record.event()).map(|one| &*one.fingerprint).collect();
        let is_alone = |event: &Event| {
            let has_alert = self.own.contains(&event.fingerprint)
                || matches!(self.folded.get(&event.fingerprint), Some(Fold::Rest | Fold::Both));
            !has_alert && !said.contains(&*event.fingerprint)
        };
        let alone = records.left().iter().filter(|record| record.event().is_some_and(|event| is_alone(event)));
        alone.map(|record| Told { record, is_new: false, at: records.told_at() }).collect()
    }

    /// Triggers the gravest events by themselves and the others in one alert.
    fn trigger(&mut self, message: &Message, records: &Changes, candidates: Vec<Told<'_>>, calls: &mut Vec<Value>) {
        let has_own = |told: &Told<'_>| told.record.event().is_some_and(|event| self.own.contains(&event.fingerprint));
        let (mut updates, mut fresh): (Vec<_>, Vec<_>) = candidates.into_iter().partition(has_own);
        updates.truncate(UPDATES_MAX);
        let weight = |told: &Told<'_>| told.record.event().map(|event| (event.is_open(), event.severity));
        fresh.sort_by_key(|told| std::cmp::Reverse((!records.is_over(told.record), weight(told))));
        // What has ended by now pages nobody by itself, unless there is nothing else.
        let live = fresh.iter().filter(|told| !records.is_over(told.record)).count();
        let wanted = if fresh.len() == 1 { 1 } else { live };
        let rest = fresh.split_off(self.singles.take(wanted, message.created_at.0).min(fresh.len()));
        for told in updates.iter().chain(&fresh) {
            let Record::Event(event) = told.record else { continue };
            self.folded.remove(&event.fingerprint);
            calls.push(of_event(event, &line(told, records), &message.links));
            if !event.is_open() && !words::is_unwatched(event) {
                // It came and went within the message.
                calls.push(bare("resolve", &event.fingerprint));
            } else if self.own.len() < FOLDED_MAX {
                self.own.insert(event.fingerprint.clone());
            }
        }
        if rest.is_empty() {
            return;
        }
        calls.push(of_rest(message, records, &rest));
        self.rest = Rest::Open;
        for told in &rest {
            let Record::Event(event) = told.record else { continue };
            if event.is_open() || words::is_unwatched(event) {
                let is_known = told.is_new || self.folded.get(&event.fingerprint) == Some(&Fold::Rest);
                self.fold(event, if is_known { Fold::Rest } else { Fold::Both });
            }
        }
    }

    /// Resolves the alert of the rest when none of its events is open any more.
    fn settle_rest(&mut self, message: &Message, ends: bool, calls: &mut Vec<Value>) {
        let is_held = self.folded.values().any(|fold| matches!(fold, Fold::Rest | Fold::Both));
        let may_be_open = match self.rest {
            Rest::Open => true,
            Rest::Unknown => ends,
            Rest::Closed => false,
        };
        if may_be_open && !is_held {
            calls.push(bare("resolve", &rest_key(message)));
            self.rest = Rest::Closed;
        }
    }

    fn fold(&mut self, event: &Event, fold: Fold) {
        if self.folded.len() < FOLDED_MAX || self.folded.contains_key(&event.fingerprint) {
            self.folded.insert(event.fingerprint.clone(), fold);
        }
    }
}

/// PagerDuty's word for a severity.
const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning | Severity::Minor => "warning",
        Severity::Major => "error",
        Severity::Critical => "critical",
    }
}

fn rest_key(message: &Message) -> String {
    format!("avwatch:{}:more", message.receiver)
}

/// The call with the integration key, which stands nowhere else.
fn with_key(call: &Value, key: &Secret) -> Value {
    let mut call = call.clone();
    call["routing_key"] = json!(key.expose());
    call
}

/// A call that needs no more than the key.
fn bare(action: &str, key: &str) -> Value {
    json!({ "event_action": action, "dedup_key": key })
}

/// A call that triggers.
fn trigger(key: &str, payload: Value, links: &Links, more: &[(Option<String>, &str)]) -> Value {
    let mut call = bare("trigger", key);
    call["payload"] = payload;
    call["client"] = json!("avwatch");
    if let Some(base) = &links.base {
        call["client_url"] = json!(base.as_str());
    }
    let more: Vec<Value> =
        more.iter().filter_map(|(url, text)| url.as_ref().map(|url| json!({ "href": url, "text": text }))).collect();
    if !more.is_empty() {
        call["links"] = Value::Array(more);
    }
    call
}

fn of_event(event: &Event, summary: &str, links: &Links) -> Value {
    let mut details = json!({
        "event_id": event.id, "severity": event.severity, "track": event.track.to_string(), "node": event.node,
        "started_at": event.started_at, "raised_at": event.raised_at, "message": event.message,
        "profile": event.profile, "labels": event.labels, "unit": event.unit,
    });
    for (name, number) in [("value", event.value), ("threshold", event.threshold), ("peak", event.peak)] {
        if let Some(number) = number {
            details[name] = json!(number);
        }
    }
    let mut payload = json!({
        "summary": words::clean(summary, SUMMARY_BYTES_MAX),
        "source": event.stream, "severity": severity(event.max_severity), "timestamp": event.started_at,
        "component": event.track.to_string(), "class": event.detector, "custom_details": details,
    });
    if let Some(group) = event.labels.get("group") {
        payload["group"] = json!(group);
    }
    let more = [(links.event(&event.id), "Event"), (event.runbook_url.clone(), "Runbook")];
    trigger(&event.fingerprint, payload, links, &more)
}

/// The calls of an incident. One that came and went within the message is triggered all the same.
fn of_incident(incident: &Arc<Incident>, told: &Told<'_>, links: &Links) -> Vec<Value> {
    let resolve = (!incident.is_open()).then(|| bare("resolve", &incident.id));
    let trigger = (incident.is_open() || told.is_new).then(|| opening(incident, told, links));
    trigger.into_iter().chain(resolve).collect()
}

fn opening(incident: &Incident, told: &Told<'_>, links: &Links) -> Value {
    let streams = words::names(incident.streams.iter().map(|name| &**name), STREAMS_BYTES_MAX);
    let events = words::names(incident.events.iter().map(String::as_str), EVENTS_BYTES_MAX);
    let payload = json!({
        "summary": words::clean(&words::line(told), SUMMARY_BYTES_MAX),
        "source": incident.node, "severity": severity(incident.severity), "timestamp": incident.started_at,
        "class": "incident",
        "custom_details": {
            "incident_id": incident.id, "causes": incident.causes, "evidence": incident.evidence,
            "common": incident.common, "streams": streams, "events": events,
            "events_open": incident.events_open, "events_total": incident.events_total,
        },
    });
    trigger(&incident.id, payload, links, &[])
}

/// One change in a line. What has ended by the time of sending does not read as if it were there.
fn line(told: &Told<'_>, records: &Changes) -> String {
    match told.record {
        Record::Event(event) if records.is_over(told.record) => {
            let line =
                format!("over by now: {} {}: {}", words::loud(event.severity), words::place(event), event.message);
            words::clean(&line, words::LINE_BYTES_MAX)
        }
        Record::Event(_) | Record::Incident(_) => words::line(told),
    }
}

/// The alert of all events that have none of their own.
fn of_rest(message: &Message, records: &Changes, rest: &[Told<'_>]) -> Value {
    let events: Vec<&Arc<Event>> = rest.iter().filter_map(|told| told.record.event()).collect();
    let worst = events.iter().map(|event| event.severity).max().unwrap_or(Severity::Info);
    let ids = words::names(events.iter().map(|event| event.id.as_str()), EVENTS_BYTES_MAX);
    let mut changes = words::listing(rest, usize::MAX, LINES_BYTES_MAX, |told| line(told, records)).lines;
    let briefly = |told: &Told<'_>| format!("{} {}", rows::heading(told), rows::row(told));
    changes.extend(rest[changes.len()..].iter().map(briefly));
    let summary =
        format!("{}: {} in one alert", words::loud(worst), words::counted(events.len() as u64, "further event"));
    let source = events.first().map(|event| event.node.clone()).unwrap_or_default();
    let payload = json!({
        "summary": summary, "source": source, "severity": severity(worst), "timestamp": message.created_at,
        "class": "digest",
        "custom_details": { "events": ids, "changes": changes },
    });
    trigger(&rest_key(message), payload, &message.links, &[])
}

/// A test opens an alert and closes it.
fn test(message: &Message) -> Vec<Value> {
    let key = format!("avwatch:test:{}", message.id);
    let payload = json!({
        "summary": words::head(message), "source": "avwatch", "severity": severity(Severity::Info),
        "timestamp": message.created_at, "class": "test",
    });
    vec![trigger(&key, payload, &message.links, &[]), bare("resolve", &key)]
}

#[cfg(test)]
#[path = "pagerduty_tests.rs"]
mod tests;
