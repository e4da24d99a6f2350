//! What-if: how many alarms there would have been under other hold times or another threshold.
//!
//! Replays what the journal kept of a detector's verdicts through the engine's own lifecycle and the stream's own severity
//! ladder, and then, together with what explains or worsens it, through the engine's own alarm model. What the journal does
//! not hold is replayed from stored events, and says so. Owned by whoever asks, on threads that may block; bounded by the
//! readers' limits of rows and time and by `TIME_MAX`.

mod replay;
mod stage;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use avwatch_actors::alarm_model::rules::AlarmRules;
use avwatch_actors::detector::Ladder;
use avwatch_actors::event::{Event, Standing, Wall};
use avwatch_actors::severity::Severity;
use avwatch_actors::silence::Silence;
use avwatch_actors::track::{TrackId, TrackInfo};
use serde::{Deserialize, Serialize};

use crate::config::{Span, StreamPlan};
use crate::desired::DesiredError;
use crate::detectors::{self, DetectorKind, DetectorSettings, OptionError, ResolvedDetector};
use crate::journal::{JournalError, JournalReader, KeptSpan};
use crate::sinks::store::{EventFilter, EventReader, PAGE_ROWS_MAX, StoreError};

pub use replay::{Heard, Judge, replay};
use stage::Stage;
pub use text::render;

/// Name and version of the answer's schema.
pub const SCHEMA: &str = "avwatch.tune/1";
/// Longest that an answer may take.
const TIME_MAX: Duration = Duration::from_secs(20);
/// Most events of one detector that are looked at.
const EVENTS_MAX: usize = 100_000;

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The detector's name.
    pub detector: String,
    /// Another time in the condition before anything is raised.
    pub raise_after: Option<Duration>,
    /// Another time without the condition until an event ends.
    pub clear_after: Option<Duration>,
    /// Another score at which the condition holds.
    pub threshold: Option<f32>,
    /// This stream only.
    pub stream: Option<String>,
    /// From this time on.
    pub since: SystemTime,
    /// Up to this time.
    pub until: SystemTime,
}

/// By what it was decided, beside the detectors, whether people are told.
#[derive(Clone, Copy)]
pub struct Circumstances<'a> {
    /// The rules of now.
    pub rules: &'a AlarmRules,
    /// Every maintenance that was, is or is planned.
    pub maintenance: &'a [Silence],
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// What is asked makes no sense.
    #[error("{0}")]
    Question(String),
    /// The settings contradict each other.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// It cannot be read when maintenance was.
    #[error(transparent)]
    Desired(#[from] DesiredError),
}

/// Alarms by the highest severity that each reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarms {
    /// All of them.
    pub alarms: u64,
    /// Those that stayed `info`.
    pub info: u64,
    /// Those that reached `warning`.
    pub warning: u64,
    /// Those that reached `minor`.
    pub minor: u64,
    /// Those that reached `major`.
    pub major: u64,
    /// Those that reached `critical`.
    pub critical: u64,
}

impl Alarms {
    /// Counts one.
    pub fn count(&mut self, severity: Severity) {
        self.alarms += 1;
        *match severity {
            Severity::Info => &mut self.info,
            Severity::Warning => &mut self.warning,
            Severity::Minor => &mut self.minor,
            Severity::Major => &mut self.major,
            Severity::Critical => &mut self.critical,
        } += 1;
    }

    fn add(&mut self, other: Self) {
        self.alarms += other.alarms;
        self.info += other.info;
        self.warning += other.warning;
        self.minor += other.minor;
        self.major += other.major;
        self.critical += other.critical;
    }
}

/// From what a stream was replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplayedFrom {
    /// From what the journal kept of the detector's verdicts.
    Journal,
    /// From stored events: conditions shorter than the configured hold time are not in them.
    Events,
}

/// One stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TunedStream {
    /// Its name.
    pub stream: String,
    /// From what it was replayed.
    pub replayed_from: ReplayedFrom,
    /// What the service raised in that time.
    pub raised: Alarms,
    /// What a replay with the configuration of now gives.
    pub configured: Alarms,
    /// What a replay with what was asked gives.
    pub tuned: Alarms,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// [`SCHEMA`].
    pub schema: String,
    /// The detector.
    pub detector: String,
    /// What was asked, in the words of the configuration.
    pub asked: BTreeMap<String, String>,
    /// From when on, as far as there is anything to replay.
    pub since: Wall,
    /// Up to when.
    pub until: Wall,
    /// Each stream of which there is anything, by name.
    pub streams: Vec<TunedStream>,
    /// What the service raised, all streams.
    pub raised: Alarms,
    /// As configured now, all streams.
    pub configured: Alarms,
    /// As asked, all streams.
    pub tuned: Alarms,
    /// What to know before believing it.
    pub notes: Vec<String>,
}

/// Answers a question about these streams, whose alarms go by those circumstances.
///
/// # Errors
/// The question makes no sense, or journal or store cannot be read.
pub fn tune(
    question: &Question,
    plans: &[Arc<StreamPlan>],
    circumstances: Circumstances<'_>,
    journal: &JournalReader,
    store: &mut EventReader,
) -> Result<Tuned, TuneError> {
    let kind = detectors::look_up(&question.detector).map_err(|error| TuneError::Question(error.to_string()))?;
    check(question, kind)?;
    let plans: Vec<&Arc<StreamPlan>> =
        plans.iter().filter(|plan| question.stream.as_deref().is_none_or(|name| name == &*plan.name)).collect();
    if let (Some(name), true) = (&question.stream, plans.is_empty()) {
        return Err(TuneError::Question(format!("there is no stream '{name}'")));
    }
    let reach = UNIX_EPOCH + Duration::from_secs(journal.by_second_from());
    let since = question.since.max(reach);
    let mut answer = Tuned {
        schema: SCHEMA.to_owned(),
        detector: kind.name.to_owned(),
        asked: asked(question),
        since: Wall(since),
        until: Wall(question.until),
        streams: Vec::new(),
        raised: Alarms::default(),
        configured: Alarms::default(),
        tuned: Alarms::default(),
        notes: Vec::new(),
    };
    if since > question.since {
        answer.notes.push(format!("the journal keeps verdicts no longer: told from {} on", Wall(since)));
    }
    let begin = Instant::now();
    for plan in plans {
        if begin.elapsed() > TIME_MAX {
            answer.notes.push(format!("it took too long: streams from '{}' on are missing", plan.name));
            break;
        }
        let mut past = Past { since, until: question.until, plan, journal, store };
        if let Some(stream) = tune_stream(question, kind, circumstances, &mut past)? {
            answer.raised.add(stream.raised);
            answer.configured.add(stream.configured);
            answer.tuned.add(stream.tuned);
            answer.streams.push(stream);
        }
    }
    answer.notes.extend(notes(question, kind, &answer.streams));
    Ok(answer)
}

fn check(question: &Question, kind: &'static DetectorKind) -> Result<(), TuneError> {
    if question.until <= question.since {
        return Err(TuneError::Question("'until' must be later than 'since'".to_owned()));
    }
    if question.threshold.is_some_and(|threshold| !threshold.is_finite()) {
        return Err(TuneError::Question("'threshold' must be a number".to_owned()));
    }
    let defaults = detectors::Options::defaults(kind, crate::profile::Profile::default());
    let has_threshold = (kind.threshold)(&defaults).is_some() || kind.name == "loudness";
    if question.threshold.is_some() && !has_threshold {
        let why = format!("'{}' has no threshold of one number; its hold times can be tuned", kind.name);
        return Err(TuneError::Question(why));
    }
    Ok(())
}

fn asked(question: &Question) -> BTreeMap<String, String> {
    let mut asked = BTreeMap::new();
    for (key, value) in [("raise_after", question.raise_after), ("clear_after", question.clear_after)] {
        if let Some(value) = value {
            asked.insert(key.to_owned(), Span(value).to_string());
        }
    }
    if let Some(threshold) = question.threshold {
        asked.insert("threshold".to_owned(), threshold.to_string());
    }
    asked
}

fn notes(question: &Question, kind: &DetectorKind, streams: &[TunedStream]) -> Vec<String> {
    let mut notes = Vec::new();
    if streams.iter().any(|stream| stream.replayed_from == ReplayedFrom::Events) {
        notes.push(
            "replayed from events where it says so: cannot know about conditions shorter than the configured hold time"
                .to_owned(),
        );
    }
    if question.threshold.is_some() {
        notes.push(format!(
            "scores of '{}' are kept while it holds, and while they are within half the configured threshold of it: a \
             threshold beyond that finds nothing more",
            kind.name
        ));
    }
    notes.push(
        "what another event of the stream explained, or what began and ended in maintenance, is no alarm; silences are \
         not replayed, and from events neither is what comes and goes too often"
            .to_owned(),
    );
    notes.push(
        "what was raised counts from when it was raised; a condition that lasted on from before counts once".to_owned(),
    );
    notes
}

/// Where the past of a stream is read.
struct Past<'a> {
    since: SystemTime,
    until: SystemTime,
    plan: &'a StreamPlan,
    journal: &'a JournalReader,
    store: &'a mut EventReader,
}

impl Past<'_> {
    fn spans(&self, kind: &DetectorKind) -> Result<Vec<KeptSpan>, JournalError> {
        let unix = |at: SystemTime| at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.journal.verdicts(&self.plan.name, kind.number, unix(self.since), unix(self.until))
    }

    /// Everything of that detector that was open in that time.
    fn events(&mut self, detector: &str) -> Result<Vec<Event>, StoreError> {
        let filter = EventFilter {
            stream: Some(self.plan.name.to_string()),
            detector: Some(detector.to_owned()),
            since: Some(self.since),
            until: Some(self.until),
            ..EventFilter::default()
        };
        let (mut found, mut cursor): (Vec<Event>, Option<String>) = (Vec::new(), None);
        loop {
            let page = self.store.events(&filter, cursor.as_deref(), PAGE_ROWS_MAX)?;
            found.extend(page.events);
            cursor = page.next_cursor;
            if cursor.is_none() || found.len() >= EVENTS_MAX {
                return Ok(found);
            }
        }
    }

    /// A stage with what explains or worsens the alarms of a detector, as configured.
    fn around(&mut self, kind: &DetectorKind) -> Result<Stage, TuneError> {
        let mut stage = Stage::new(&self.plan.name, &self.plan.labels);
        let is_needed =
            |other: &str| other != kind.name && (other != "silence" || matches!(kind.name, "black" | "freeze"));
        for other in AROUND.into_iter().filter(|other| is_needed(other)) {
            let Ok(other) = detectors::look_up(other) else { continue };
            let spans = self.spans(other)?;
            if spans.is_empty() {
                self.events(other.name)?.iter().for_each(|event| stage.recall(event));
            } else {
                self.hear(&mut stage, &spans, other, None)?;
            }
        }
        Ok(stage)
    }

    /// Adds what a detector would have said of all its tracks.
    fn hear(
        &self,
        stage: &mut Stage,
        spans: &[KeptSpan],
        kind: &'static DetectorKind,
        question: Option<&Question>,
    ) -> Result<(), OptionError> {
        let mut tracks: BTreeMap<TrackId, Vec<&KeptSpan>> = BTreeMap::new();
        for span in spans {
            tracks.entry(span.track).or_default().push(span);
        }
        for (track, spans) in tracks {
            let resolved = resolved(kind, self.plan, track, question)?;
            let Some(spec) = resolved.specs.first() else { continue };
            let secondary = spans.first().is_some_and(|span| span.secondary);
            let ladder: Ladder = (spec.ladder)(&TrackInfo { secondary, ..TrackInfo::bare(track) });
            let judge = Judge {
                // What was quiet after a change of format is in the spans no more: when it was is not kept.
                ladder: Ladder { settle_after_change: Duration::ZERO, ..ladder },
                limits: spec.class_limits.clone(),
                worse: spec.worse,
                threshold: question.and_then(|question| question.threshold),
            };
            // It ended in that second.
            let ended = |span: &KeptSpan| Wall(UNIX_EPOCH + Duration::from_secs(span.at) + Duration::from_millis(500));
            let dated = spans.iter().map(|kept| (ended(kept), &kept.span));
            let standing = if secondary { Standing::Secondary } else { Standing::Main };
            stage.hear(kind.name, track, standing, &replay(dated, Wall(self.until), &judge));
        }
        Ok(())
    }
}

/// What may explain the alarms of others, and the sound that worsens those of a picture.
const AROUND: [&str; 3] = ["input_down", "scrambled", "silence"];

fn tune_stream(
    question: &Question,
    kind: &'static DetectorKind,
    circumstances: Circumstances<'_>,
    past: &mut Past<'_>,
) -> Result<Option<TunedStream>, TuneError> {
    let spans = past.spans(kind)?;
    let events = past.events(kind.name)?;
    if spans.is_empty() && events.is_empty() {
        return Ok(None);
    }
    let mut stream = TunedStream {
        stream: past.plan.name.to_string(),
        replayed_from: if spans.is_empty() { ReplayedFrom::Events } else { ReplayedFrom::Journal },
        raised: Alarms::default(),
        configured: Alarms::default(),
        tuned: Alarms::default(),
    };
    let is_in = |event: &&Event| event.raised_at.0 >= past.since && event.raised_at.0 < question.until;
    let is_held_back_by =
        |event: &Event, what: &str| event.suppressed_by.as_deref().is_some_and(|by| by.starts_with(what));
    let is_none = |event: &Event| is_held_back_by(event, "event:") || is_held_back_by(event, "maintenance:");
    for event in events.iter().filter(|event| is_in(event) && !is_none(event)) {
        stream.raised.count(event.max_severity);
    }
    match stream.replayed_from {
        ReplayedFrom::Journal => {
            let mut around = past.around(kind)?;
            // What happened at one moment has no hold time.
            for event in &events {
                around.find(event, &moments(event));
            }
            for (asked, alarms) in [(None, &mut stream.configured), (Some(question), &mut stream.tuned)] {
                let mut stage = around.clone();
                past.hear(&mut stage, &spans, kind, asked)?;
                *alarms = stage.alarms(circumstances, kind.name, Wall(question.until));
            }
        }
        ReplayedFrom::Events => {
            let (points, lasting): (Vec<&Event>, Vec<&Event>) = events
                .iter()
                .filter(|event| !is_held_back_by(event, "maintenance:"))
                .partition(|event| event.ended_at == Some(event.started_at));
            for event in points.iter().chain(&lasting) {
                stream.configured.count(event.max_severity);
            }
            points.iter().for_each(|event| stream.tuned.count(event.max_severity));
            stream.tuned.add(from_events(&lasting, question));
        }
    }
    Ok(Some(stream))
}

/// The moments of which an event stands; none when it lasted.
fn moments(event: &Event) -> Vec<Wall> {
    let at = |seconds: f64| event.started_at.after(Duration::from_secs_f64(seconds.max(0.0)));
    let calm: f64 = event.calm_s.iter().map(|(from, to)| to - from).sum();
    let lasted = event.ended_at.map_or(f64::INFINITY, |ended| ended.since(event.started_at).as_secs_f64());
    if lasted > calm + 0.001 {
        return Vec::new();
    }
    std::iter::once(event.started_at).chain(event.calm_s.iter().map(|(_, to)| at(*to))).collect()
}

/// The detector as that track has it, with what was asked laid over it.
fn resolved(
    kind: &'static DetectorKind,
    plan: &StreamPlan,
    track: TrackId,
    question: Option<&Question>,
) -> Result<ResolvedDetector, OptionError> {
    let mut layers: Vec<DetectorSettings> = plan.detectors.get(kind.name).cloned().unwrap_or_default();
    layers.extend(plan.tracks.get(&track).and_then(|settings| settings.get(kind.name)).cloned());
    layers.extend(question.map(|question| DetectorSettings {
        raise_after: question.raise_after,
        clear_after: question.clear_after,
        ..DetectorSettings::default()
    }));
    detectors::resolve(kind, plan.profile, &layers, &plan.input.expect)
}

/// Stored events that would be left: those that lasted, joined where they would not have ended in between.
fn from_events(events: &[&Event], question: &Question) -> Alarms {
    let mut by_track: BTreeMap<TrackId, Vec<(SystemTime, SystemTime, Severity)>> = BTreeMap::new();
    for event in events {
        let end = event.ended_at.map_or(question.until, |end| end.0).max(event.started_at.0);
        by_track.entry(event.track).or_default().push((event.started_at.0, end, event.max_severity));
    }
    let mut alarms = Alarms::default();
    for mut spans in by_track.into_values() {
        spans.sort_by_key(|(start, end, _)| (*start, *end));
        let mut joined: Vec<(SystemTime, SystemTime, Severity)> = Vec::new();
        for (start, end, severity) in spans {
            let gap_max = question.clear_after.unwrap_or_default();
            match joined.last_mut() {
                Some(last) if start.duration_since(last.1).unwrap_or_default() < gap_max => {
                    *last = (last.0, last.1.max(end), last.2.max(severity));
                }
                _ => joined.push((start, end, severity)),
            }
        }
        let least = question.raise_after.unwrap_or_default();
        for (start, end, severity) in joined {
            if end.duration_since(start).unwrap_or_default() >= least {
                alarms.count(severity);
            }
        }
    }
    alarms
}
