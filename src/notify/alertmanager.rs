//! Alertmanager, API version 2: alerts that fire, are told again and again, and resolve.
//!
//! Owned by its receiver's thread. What identifies an alert is the same from raise to end and on every
//! node: its severity may rise, so that is an annotation unless the settings want it as a label.
//!
//! Alertmanager keeps no alert that nobody tells of: each one carries an end of
//! [`SILENCE_PERIODS`] × `resend_every` ahead, as Prometheus' own do. If this service dies, its alerts
//! resolve by themselves. Events that are open are told again from what the desk knows; incidents from
//! what this channel remembers, so after a restart those resolve by themselves until they change again.
//!
//! Of a cluster one member is enough: the members tell each other what was notified, so one that is gone
//! must not keep alerts from the others. It is told what it missed when it is back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch_actors::event::{Event, EventState, Wall};
use avwatch_actors::incident::Incident;
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::record::Record;
use avwatch_actors::severity::Severity;
use serde_json::{Map, Value, json};

use super::http::HttpPoster;
use super::router::is_held_back;
use super::words::{self, Told};
use super::{AlertmanagerPlan, Changes, Channel, Content, Links, Message, SEND_WITHIN, SendFailure};
use crate::config::SeverityPlace;

/// Alerts outlast that many re-sendings that did not come.
pub const SILENCE_PERIODS: u32 = 4;

/// Most alerts of one request.
const CHUNK: usize = 500;

/// How long an alert of what happened at one moment fires.
const MOMENT: Duration = Duration::from_secs(300);

/// Most open incidents that are remembered; further ones are told once.
const INCIDENTS_MAX: usize = 1_000;

/// Most alerts that are kept for a member that is gone; of older ones those that are open are told again
/// anyway.
const MISSED_MAX: usize = 1_000;

/// Longest value of an annotation, in bytes.
const ANNOTATION_BYTES_MAX: usize = 8 * 1024;

/// The channel.
pub struct AlertmanagerChannel {
    members: Vec<Member>,
    alerts: Alerts,
    incidents: BTreeMap<String, Arc<Incident>>,
}

/// One Alertmanager of a cluster.
struct Member {
    poster: HttpPoster,
    /// It did not take the last post.
    is_down: bool,
    /// Alerts that others took while it was down, the oldest first.
    missed: Vec<Value>,
}

impl Member {
    /// Posts what it missed and these alerts within that time.
    fn post(&mut self, alerts: &[Value], within: Duration) -> Result<(), SendFailure> {
        let until = Instant::now() + within;
        for chunk in self.missed.chunks(CHUNK).chain(alerts.chunks(CHUNK)) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let why = format!("{} took too long over {} alerts", self.poster.shown(), alerts.len());
                return Err(SendFailure::Later { why, after: None });
            }
            let body = serde_json::to_vec(chunk)
                .map_err(|error| SendFailure::Refused { why: format!("cannot write alerts as JSON: {error}") })?;
            self.poster.within(left).post(&[("content-type", "application/json")], &body)?;
        }
        Ok(())
    }

    fn hear(&mut self, answer: &Result<(), SendFailure>) {
        match answer {
            Ok(()) => {
                if self.is_down {
                    tracing::info!(missed = self.missed.len(), "{} takes alerts again", self.poster.shown());
                }
                self.is_down = false;
                self.missed.clear();
            }
            Err(failure) => {
                if !self.is_down {
                    tracing::warn!("a member of the cluster takes no alerts: {failure}");
                }
                self.is_down = true;
            }
        }
    }

    fn miss(&mut self, alerts: &[Value]) {
        self.missed.extend_from_slice(alerts);
        self.missed.drain(..self.missed.len().saturating_sub(MISSED_MAX));
    }
}

/// How a post to all members went.
#[derive(Default)]
struct Posted {
    /// How many took it.
    taken: usize,
    /// What decides of the failures.
    failure: Option<SendFailure>,
}

impl Posted {
    /// That every member took it.
    fn by_all(self) -> Result<(), SendFailure> {
        self.failure.map_or(Ok(()), Err)
    }
}

/// Makes alerts of records.
struct Alerts {
    labels: BTreeMap<String, String>,
    severity: SeverityPlace,
    resend_every: Duration,
    links: Links,
}

impl AlertmanagerChannel {
    /// To all members of a cluster.
    pub fn new(plan: &AlertmanagerPlan, links: &Links, line: &Arc<Lifeline>) -> Self {
        let mut members = Vec::with_capacity(plan.urls.len());
        for url in &plan.urls {
            let url = url.joined("api/v2/alerts");
            let poster = HttpPoster::new(&url, plan.tls_ca.as_deref(), line).with_headers(&plan.headers);
            members.push(Member { poster, is_down: false, missed: Vec::new() });
        }
        let alerts = Alerts {
            labels: plan.labels.clone(),
            severity: plan.severity,
            resend_every: plan.resend_every,
            links: links.clone(),
        };
        Self { members, alerts, incidents: BTreeMap::new() }
    }

    fn remember(&mut self, incident: &Arc<Incident>) {
        if !incident.is_open() {
            self.incidents.remove(&incident.id);
        } else if self.incidents.len() < INCIDENTS_MAX || self.incidents.contains_key(&incident.id) {
            self.incidents.insert(incident.id.clone(), incident.clone());
        } else {
            tracing::debug!(incident = incident.id, "too many open incidents: this one is not told again");
        }
    }

    /// Posts to every member, first to those that took the last post, each getting a fair share of the time
    /// that is left. One that fails does not keep it from the others.
    fn post(&mut self, alerts: &[Value]) -> Posted {
        let until = Instant::now() + SEND_WITHIN;
        let mut posted = Posted::default();
        let mut members: Vec<&mut Member> = self.members.iter_mut().collect();
        members.sort_by_key(|member| member.is_down);
        let many = members.len();
        for (index, member) in members.into_iter().enumerate() {
            let left = u32::try_from(many - index).unwrap_or(u32::MAX);
            let answer = member.post(alerts, until.saturating_duration_since(Instant::now()) / left);
            member.hear(&answer);
            match answer {
                Ok(()) => posted.taken += 1,
                Err(failure) => posted.failure = Some(graver(posted.failure, failure)),
            }
        }
        posted
    }

    /// Posts changes: one member that takes them is enough, and the others are told when they are back.
    fn tell(&mut self, alerts: &[Value]) -> Result<(), SendFailure> {
        let posted = self.post(alerts);
        if posted.taken == 0 {
            return posted.by_all();
        }
        for member in self.members.iter_mut().filter(|member| member.is_down) {
            member.miss(alerts);
        }
        Ok(())
    }
}

impl Channel for AlertmanagerChannel {
    fn send(&mut self, message: &Message) -> Result<(), SendFailure> {
        let now = Wall(std::time::SystemTime::now());
        match &message.content {
            // Whoever tries wants to know of every member.
            Content::Test { .. } => self.post(&[self.alerts.test(message, now)]).by_all(),
            Content::Changes(records) => {
                records.iter().filter_map(Record::incident).for_each(|incident| self.remember(incident));
                self.tell(&self.alerts.of_changes(records, now))
            }
        }
    }

    fn resend_every(&self) -> Option<Duration> {
        Some(self.alerts.resend_every)
    }

    fn resend(&mut self, open: &[Arc<Event>]) -> Result<(), SendFailure> {
        let now = Wall(std::time::SystemTime::now());
        let mut alerts: Vec<Value> = open
            .iter()
            .filter(|event| fires(event))
            .map(|event| self.alerts.firing(event, event.severity, &event_summary(event, now), now))
            .collect();
        alerts.extend(self.incidents.values().map(|incident| self.alerts.of_incident(incident, now)));
        // With nothing open, those are posted to that missed something; to the others that is nothing.
        if alerts.is_empty() && self.members.iter().all(|member| member.missed.is_empty()) {
            return Ok(());
        }
        self.post(&alerts).by_all()
    }
}

/// Which of two failures decides: one that may pass does, since the other may then be fixed meanwhile.
fn graver(before: Option<SendFailure>, now: SendFailure) -> SendFailure {
    match before {
        Some(later @ SendFailure::Later { .. }) => later,
        _ => now,
    }
}

/// Whether an event fires: not when something else explains it or somebody silenced it.
fn fires(event: &Event) -> bool {
    event.is_open() && !is_held_back(event)
}

fn event_summary(event: &Arc<Event>, now: Wall) -> String {
    words::line(&Told { record: &Record::Event(event.clone()), is_new: false, at: Some(now) })
}

impl Alerts {
    /// The alerts of a message. Of several changes of one condition the last one counts.
    fn of_changes(&self, records: &Changes, now: Wall) -> Vec<Value> {
        let told = words::conditions(records);
        let mut alerts = Vec::with_capacity(told.len());
        for told in told {
            match told.record {
                Record::Event(event) => self.add_event(&mut alerts, event, &words::line(&told), now),
                Record::Incident(incident) => alerts.push(self.of_incident(incident, now)),
            }
        }
        alerts
    }

    fn add_event(&self, alerts: &mut Vec<Value>, event: &Event, summary: &str, now: Wall) {
        if self.severity == SeverityPlace::Label {
            // Each severity is an alert of its own: those below are over when it rises.
            for severity in Severity::ALL.into_iter().filter(|severity| *severity < event.severity) {
                if event.state != EventState::Raised {
                    alerts.push(self.resolved(event, severity, summary, event.changed_at));
                }
            }
        }
        if fires(event) || words::is_unwatched(event) {
            // What nobody watches any more is not resolved: it is not told again, and runs out.
            alerts.push(self.firing(event, event.severity, summary, now));
        } else if event.ended_at == Some(event.started_at) {
            // It happened at one moment: without some time to fire Alertmanager would tell nobody.
            let until = Wall(event.changed_at.0 + MOMENT);
            alerts.push(self.alert(event, event.severity, summary, until));
        } else {
            alerts.push(self.resolved(event, event.severity, summary, event.ended_at.unwrap_or(event.changed_at)));
        }
    }

    fn firing(&self, event: &Event, severity: Severity, summary: &str, now: Wall) -> Value {
        self.alert(event, severity, summary, self.expiry(now))
    }

    /// An alert that is over: its end has passed. Alertmanager refuses one that ends before it began.
    fn resolved(&self, event: &Event, severity: Severity, summary: &str, ended: Wall) -> Value {
        self.alert(event, severity, summary, ended.max(event.started_at))
    }

    fn expiry(&self, now: Wall) -> Wall {
        Wall(now.0 + self.resend_every * SILENCE_PERIODS)
    }

    fn alert(&self, event: &Event, severity: Severity, summary: &str, ends: Wall) -> Value {
        let mut labels = Labels::default();
        labels.add("alertname", &event.detector);
        labels.add("stream", &event.stream);
        labels.add("track", &event.track.to_string());
        if let Some(program) = event.program {
            labels.add("program", &program.to_string());
        }
        labels.add("fingerprint", &event.fingerprint);
        if self.severity == SeverityPlace::Label {
            labels.add("severity", severity.name());
        }
        labels.add_all(&self.labels);
        labels.add_all(&event.labels);
        let mut annotations = Labels::default();
        annotations.add("summary", summary);
        annotations.add("description", &description(event));
        annotations.add("severity", event.severity.name());
        annotations.add("event_id", &event.id);
        for (name, number) in [("value", event.value), ("threshold", event.threshold), ("peak", event.peak)] {
            annotations.add(name, &number.map(|number| number.to_string()).unwrap_or_default());
        }
        annotations.add("unit", &event.unit);
        annotations.add("node", &event.node);
        for (name, text) in [
            ("runbook_url", &event.runbook_url),
            ("incident_id", &event.incident_id),
            ("acked_by", &event.acked_by),
            ("comment", &event.comment),
        ] {
            annotations.add(name, text.as_deref().unwrap_or_default());
        }
        self.finish(labels, annotations, event.started_at, ends, self.links.event(&event.id))
    }

    fn of_incident(&self, incident: &Incident, now: Wall) -> Value {
        let record = Record::Incident(Arc::new(incident.clone()));
        let mut labels = Labels::default();
        labels.add("alertname", "incident");
        labels.add("incident", &incident.id);
        if self.severity == SeverityPlace::Label {
            labels.add("severity", incident.severity.name());
        }
        labels.add_all(&self.labels);
        let mut annotations = Labels::default();
        annotations.add("summary", &words::line(&Told { record: &record, is_new: false, at: None }));
        annotations.add("description", &incident.causes.join("; "));
        annotations.add("evidence", &incident.evidence.join("; "));
        annotations.add("severity", incident.severity.name());
        annotations.add("streams", &words::names(incident.streams.iter().map(|name| &**name), ANNOTATION_BYTES_MAX));
        annotations.add("events", &words::names(incident.events.iter().map(String::as_str), ANNOTATION_BYTES_MAX));
        annotations.add("node", &incident.node);
        let ends = match incident.is_open() {
            true => self.expiry(now),
            false => incident.ended_at.unwrap_or(incident.changed_at).max(incident.started_at),
        };
        let link = self.links.base.as_ref().map(ToString::to_string);
        self.finish(labels, annotations, incident.started_at, ends, link)
    }

    fn test(&self, message: &Message, now: Wall) -> Value {
        let mut labels = Labels::default();
        labels.add("alertname", "test");
        labels.add("receiver", &message.receiver);
        labels.add("message", &message.id);
        labels.add_all(&self.labels);
        let mut annotations = Labels::default();
        annotations.add("summary", &words::head(message));
        annotations.add("severity", Severity::Info.name());
        let link = self.links.base.as_ref().map(ToString::to_string);
        self.finish(labels, annotations, message.created_at, Wall(now.0 + MOMENT), link)
    }

    fn finish(&self, labels: Labels, annotations: Labels, starts: Wall, ends: Wall, link: Option<String>) -> Value {
        let mut alert = json!({
            "labels": labels.0,
            "annotations": annotations.0,
            "startsAt": starts,
            "endsAt": ends,
        });
        if let Some(link) = link {
            alert["generatorURL"] = json!(link);
        }
        alert
    }
}

fn description(event: &Event) -> String {
    let mut text = format!("{} since {}: {}", words::place(event), event.started_at, event.message);
    if let Some(value) = event.value {
        text.push_str(&format!(", value {value} {}", event.unit));
    }
    if let Some(threshold) = event.threshold {
        text.push_str(&format!(", threshold {threshold}"));
    }
    text
}

/// Labels or annotations: what is empty is as good as absent and left out.
#[derive(Default)]
struct Labels(Map<String, Value>);

impl Labels {
    fn add(&mut self, name: &str, value: &str) {
        let value = words::clean(value, ANNOTATION_BYTES_MAX);
        if !value.is_empty() {
            self.0.insert(name.to_owned(), Value::String(value));
        }
    }

    /// Labels from elsewhere; one whose name is taken gets `label_` before it.
    fn add_all(&mut self, labels: &BTreeMap<String, String>) {
        for (name, value) in labels {
            let is_taken = self.0.contains_key(name);
            self.add(&if is_taken { format!("label_{name}") } else { name.clone() }, value);
        }
    }
}

#[cfg(test)]
#[path = "alertmanager_tests.rs"]
mod tests;
