//! Gathers what a report is made of: stored events and the journal's watched time.
//!
//! Owned by whoever asks, on threads that may block. Bounded by the readers' limits and by its own; what is cut off is
//! told in the report.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use avwatch_actors::silence::{Matchers, Silence, fits};

use super::build::{Material, build, millis};
use super::spans::Spans;
use super::{Question, ServiceReport};
use crate::config::{Mode, StreamPlan};
use crate::desired::{self, DesiredError};
use crate::detectors;
use crate::journal::{JournalError, JournalKeep, JournalReader};
use crate::sinks::store::{EventFilter, EventReader, PAGE_ROWS_MAX, StoreError};

/// Most events that a report is made of; the newest ones.
const EVENTS_MAX: usize = 200_000;
/// Longest that gathering may take.
const TIME_MAX: Duration = Duration::from_secs(15);
/// Holes in the journal that are its own: it notes each second, and may sleep through one or two.
const HOLE_MAX: u64 = 2_000;
/// The newest seconds of a running service are not written yet: at most that many.
const UNWRITTEN_MAX: u64 = 45_000;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What was planned cannot be read.
    #[error(transparent)]
    Desired(#[from] DesiredError),
    /// What is asked makes no sense.
    #[error("{0}")]
    Question(String),
}

/// Where a report is made from.
pub struct Gatherer<'a> {
    /// Events.
    pub store: &'a mut EventReader,
    /// Watched time.
    pub journal: &'a JournalReader,
    /// What the service is set to watch, as far as that is known.
    pub plans: &'a [Arc<StreamPlan>],
    /// Every maintenance that was, is or is planned.
    pub maintenance: &'a [Silence],
    /// Whether the service runs: then its newest seconds are watched though they are not written yet.
    pub service: Running,
}

/// Whether the service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// It answers this question.
    Yes,
    /// Its folder is read.
    Unknown,
}

impl Gatherer<'_> {
    /// Makes the report.
    ///
    /// # Errors
    /// Store or journal cannot be read, or what is asked makes no sense.
    pub fn report(&mut self, question: &Question) -> Result<ServiceReport, GatherError> {
        if question.until <= question.since {
            return Err(GatherError::Question("'until' must be later than 'since'".to_owned()));
        }
        let mut material = Material::default();
        self.take_plans(question, &mut material);
        self.take_events(question, &mut material)?;
        self.take_watched(question, &mut material)?;
        self.take_maintenance(&mut material);
        Ok(build(question, &material))
    }

    fn take_plans(&self, question: &Question, material: &mut Material) {
        let is_asked = |name: &str| question.stream.as_deref().is_none_or(|asked| asked == name);
        for plan in self.plans.iter().filter(|plan| is_asked(&plan.name)) {
            let stream = material.streams.entry(plan.name.to_string()).or_default();
            stream.labels = plan.labels.clone();
            stream.mode = Some(match plan.mode {
                Mode::Live => "live".to_owned(),
                Mode::Observe => "observe".to_owned(),
            });
            for kind in detectors::ALL {
                let layers = plan.detectors.get(kind.name).map_or(&[][..], Vec::as_slice);
                let written = layers.iter().rev().find_map(|layer| layer.clear_after);
                let clear = written.unwrap_or_else(|| (kind.defaults)(plan.profile).clear_after);
                stream.clear_after.insert(kind.name.to_owned(), clear.as_secs_f64());
            }
        }
    }

    fn take_events(&mut self, question: &Question, material: &mut Material) -> Result<(), GatherError> {
        let filter = EventFilter {
            stream: question.stream.clone(),
            since: Some(question.since),
            until: Some(question.until),
            ..EventFilter::default()
        };
        let begin = Instant::now();
        let (mut count, mut cursor): (usize, Option<String>) = (0, None);
        loop {
            let page = self.store.events(&filter, cursor.as_deref(), PAGE_ROWS_MAX)?;
            count += page.events.len();
            for event in page.events {
                // The monitor speaks of itself under names that no stream has.
                if event.stream.starts_with('@') {
                    continue;
                }
                // A remark changes an event long after its end.
                if event.ended_at.is_some_and(|ended| ended.0 < question.since) {
                    continue;
                }
                let stream = material.streams.entry(event.stream.to_string()).or_default();
                if stream.labels.is_empty() {
                    stream.labels = event.labels.clone();
                }
                if stream.mode.is_none() && event.suppressed_by.as_deref() == Some("observe") {
                    stream.mode = Some("observe".to_owned());
                }
                stream.events.push(event);
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(());
            }
            if count >= EVENTS_MAX || begin.elapsed() > TIME_MAX {
                material.notes.push(format!("only the newest {count} events were read: ask for a shorter time"));
                return Ok(());
            }
        }
    }

    /// What was planned for whole streams: nobody promised anything for that time, whether or not something happened.
    fn take_maintenance(&self, material: &mut Material) {
        for (name, stream) in &mut material.streams {
            let is_meant = |planned: &&Silence| {
                let Matchers { stream: pattern, labels, detector, track } = &planned.matchers;
                let is_whole = detector.is_none() && track.is_none();
                is_whole
                    && pattern.as_deref().is_none_or(|pattern| fits(pattern, name))
                    && labels.iter().all(|(label, value)| stream.labels.get(label) == Some(value))
            };
            let meant: Vec<&Silence> = self.maintenance.iter().filter(is_meant).collect();
            stream.planned = Spans::of(meant.iter().map(|one| (millis(one.starts_at.0), millis(one.until.0))));
            stream.planned_by = meant.iter().map(|one| one.mark()).collect();
        }
    }

    fn take_watched(&self, question: &Question, material: &mut Material) -> Result<(), GatherError> {
        if question.stream.is_none() && self.service == Running::Unknown {
            for name in self.journal.streams()? {
                material.streams.entry(name).or_default();
            }
        }
        let names: Vec<String> = material.streams.keys().cloned().collect();
        let until = millis(question.until);
        // What is not kept need not be looked for: hour by hour that would take minutes.
        let since = millis(question.since).max(self.journal.by_minute_from() * 1_000);
        let now = millis(SystemTime::now());
        let mut all = Vec::with_capacity(names.len());
        let begin = Instant::now();
        // In parts, each within the time that a query may take.
        for part in names.chunks(200) {
            if begin.elapsed() > TIME_MAX {
                material.notes.push("reading the journal took too long: ask for a shorter time".to_owned());
                break;
            }
            all.extend(self.journal.watched(part, since / 1_000, until.div_ceil(1_000))?);
        }
        for (name, spans) in names.into_iter().zip(all) {
            let known = Spans::of(spans.into_iter().map(|(from, to)| (from * 1_000, to * 1_000))).bridged(HOLE_MAX);
            let newest =
                known.end().filter(|end| self.service == Running::Yes && now.saturating_sub(*end) <= UNWRITTEN_MAX);
            let known = match newest {
                Some(end) => Spans::of(known.spans().iter().copied().chain([(end, until.min(now))])),
                None => known,
            };
            let Some(stream) = material.streams.get_mut(&name) else { continue };
            stream.watched = Some(known);
        }
        // Whom the configuration names and nobody has seen is not in the report as a stream that was never up.
        material.streams.retain(|name, stream| {
            let is_set = self.plans.iter().any(|plan| *plan.name == **name);
            is_set || !stream.events.is_empty() || stream.watched.as_ref().is_some_and(|spans| spans.total() > 0)
        });
        Ok(())
    }
}

/// A report from a data folder, whether or not a service runs on it.
///
/// # Errors
/// Store or journal cannot be read, or what is asked makes no sense.
pub fn from_folder(
    folder: &Path,
    plans: &[Arc<StreamPlan>],
    question: &Question,
) -> Result<ServiceReport, GatherError> {
    let mut store = EventReader::new(folder);
    let maintenance = desired::maintenance_in(folder)?;
    let journal = JournalReader::new(folder, JournalKeep::default());
    Gatherer { store: &mut store, journal: &journal, plans, maintenance: &maintenance, service: Running::Unknown }
        .report(question)
}
