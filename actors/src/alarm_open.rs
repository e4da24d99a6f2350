//! An open event, as the alarm model remembers it.
//!
//! Part of the alarm model, and as pure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::flap::Flap;
use super::rules::AlarmRules;
use super::words::Words;
use super::{Reached, acts};
use crate::event::{Event, EventChange, EventKey, EventState, SCHEMA, Standing, Wall};
use crate::severity::Severity;
use crate::track::{SessionNumber, TrackId};

/// An open event, and what the model remembers of it.
pub(super) struct Open {
    /// The event as it stands.
    pub(super) event: Event,
    /// The newest session that spoke of it; 0 when none of this run of the service has.
    pub(super) spoken: SessionNumber,
    /// The last change in which it was raised or got worse; absent when it is from before a restart.
    pub(super) said: Option<Box<EventChange>>,
    /// Set while it is not known whether the condition of an event from before still holds.
    pub(super) confirm_until: Option<Instant>,
    /// It was open before the service started: its begin lies on another timeline of media time.
    pub(super) is_recovered: bool,
    /// Its severity rose since it was raised.
    pub(super) is_worse: bool,
    /// Whether its track is the main one of its kind.
    pub(super) standing: Standing,
    /// Since when the condition holds: its begin, or when it last came back if it flaps.
    pub(super) holds_from: Wall,
    /// Since when it has not been seen, while that is no end yet.
    pub(super) fades_since: Option<Wall>,
    /// How long it was away in between, all together.
    pub(super) faded: Duration,
    /// Set when it flaps.
    pub(super) flap: Option<Flap>,
    /// A cause explains it, which stands as its parent.
    pub(super) is_explained: bool,
    /// It went out while nothing held it back: whoever listens was told.
    pub(super) is_told: bool,
    /// What held it back last.
    pub(super) held_by: Option<String>,
    /// It goes out with the next review.
    pub(super) is_due: bool,
    /// What in its message tells how long it has lasted.
    pub(super) words: Option<Words>,
}

impl Open {
    pub(super) fn new(event: Event) -> Self {
        let holds_from = event.started_at;
        Self {
            event,
            spoken: SessionNumber(0),
            said: None,
            confirm_until: None,
            is_recovered: false,
            is_worse: false,
            standing: Standing::Main,
            holds_from,
            fades_since: None,
            faded: Duration::ZERO,
            flap: None,
            is_explained: false,
            is_told: false,
            held_by: None,
            is_due: false,
            words: None,
        }
    }

    /// The event as it goes out with that number.
    pub(super) fn tell(&mut self, sequence: u64) -> Event {
        number(&mut self.event, sequence);
        self.is_told |= matches!(self.event.state, EventState::Raised | EventState::Escalated);
        self.event.clone()
    }

    /// Raises its severity.
    pub(super) fn worsen(&mut self, severity: Severity) -> Reached {
        let event = &mut self.event;
        event.severity = severity;
        event.max_severity = event.max_severity.max(severity);
        // Worse than what was taken: it is everybody's again.
        acts::give_back(event);
        // Before its first word it is raised with that severity, not escalated.
        self.is_worse |= event.sequence > 0;
        self.is_due = true;
        (event.stream.clone(), event.detector.clone(), severity)
    }

    /// The condition is there now.
    pub(super) fn is_seen(&mut self, at: Wall) {
        if let Some(since) = self.fades_since.take() {
            self.faded += at.since(since);
        }
    }

    /// Takes over what a change says of the condition, but for its severity.
    pub(super) fn hear(&mut self, change: &EventChange, rules: &AlarmRules) {
        let event = &mut self.event;
        event.session = change.session;
        event.message = match &self.flap {
            Some(flap) => flap.message(&change.message, rules.flapping),
            None => change.message.clone(),
        };
        self.words = Words::of(change, self.faded);
        event.value = change.value.map(as_written);
        event.peak = change.peak.map(as_written).or(event.peak);
    }
}

/// What is known of the events of one stream, in the order of their keys.
pub(super) fn of_stream<'a, T>(
    map: &'a BTreeMap<EventKey, T>,
    stream: &'a str,
) -> impl Iterator<Item = (&'a EventKey, &'a T)> {
    map.range(first_of(stream)..).take_while(move |(key, _)| &*key.stream == stream)
}

/// The same, to be changed.
pub(super) fn of_stream_mut<'a, T>(
    map: &'a mut BTreeMap<EventKey, T>,
    stream: &'a str,
) -> impl Iterator<Item = (&'a EventKey, &'a mut T)> {
    map.range_mut(first_of(stream)..).take_while(move |(key, _)| &*key.stream == stream)
}

/// The least key that an event of a stream may have.
fn first_of(stream: &str) -> EventKey {
    EventKey { stream: stream.into(), track: TrackId::video(0), detector: "".into() }
}

/// Makes it the change of that number.
pub(super) fn number(event: &mut Event, sequence: u64) {
    event.sequence = sequence;
    event.change_id = Uuid::now_v7().to_string();
}

/// The event that begins with a change.
pub(super) fn fresh(node: &Arc<str>, change: &EventChange) -> Event {
    let card = &change.card;
    Event {
        schema: SCHEMA.to_owned(),
        id: Uuid::now_v7().to_string(),
        change_id: String::new(),
        sequence: 0,
        fingerprint: change.key.fingerprint(change.program),
        stream: change.key.stream.clone(),
        program: change.program,
        rendition: None,
        track: change.key.track,
        detector: change.key.detector.clone(),
        severity: change.severity,
        max_severity: change.severity,
        state: EventState::Raised,
        end_reason: None,
        started_at: change.started_at,
        raised_at: change.changed_at,
        changed_at: change.changed_at,
        ended_at: None,
        start_s: change.start.as_report_secs(),
        end_s: None,
        value: change.value.map(as_written),
        threshold: change.threshold.map(as_written),
        peak: change.peak.map(as_written),
        unit: change.unit.to_owned(),
        message: change.message.clone(),
        profile: card.profile.clone(),
        tier: card.tier.clone(),
        coverage: card.coverage,
        labels: card.labels.clone(),
        session: change.session,
        node: node.clone(),
        incident_id: None,
        parent_id: None,
        suppressed_by: None,
        acked_by: None,
        acked_at: None,
        snoozed_until: None,
        comment: None,
        runbook_url: card.runbook_url.clone(),
        calm_s: Vec::new(),
        evidence: None,
        stored: None,
    }
}

/// The score with the digits that it has: 0.98, where widening alone gives 0.9800000190734863.
fn as_written(score: f32) -> f64 {
    score.to_string().parse().unwrap_or_else(|_| f64::from(score))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_shown_with_the_digits_that_it_was_given() {
        for score in [0.98_f32, -60.0, 0.1, 1e-7, f32::MAX] {
            assert_eq!(as_written(score).to_string().parse::<f32>(), Ok(score));
        }
        assert_eq!(as_written(0.98).to_string(), "0.98");
    }
}
