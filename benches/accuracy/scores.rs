//! Scores: recall, precision, onset and false alarms of one detector over all clips. Pure.
//!
//! - *Recall* is over what was planted and lasts at least as long as the first hold time; an event of
//!   any severity finds it.
//! - *Precision* counts events from `warning` on, of detectors that never go beyond `info` in profile
//!   `file` from `info` on.
//! - *False alarms an hour* are those on clean material, with the upper end of the 95 % interval.

use super::case::{Allowed, Kind};
use super::common::media::Planted;
use super::event::{Event, Severity, Step};
use super::matching::pair;
use super::words::{Watches, Word};

/// A clip as the scores see it.
pub(crate) struct Clip<'a> {
    /// The case's name.
    pub(crate) name: &'a str,
    /// What it is for.
    pub(crate) kind: Kind,
    /// How long it lasts.
    pub(crate) seconds: f64,
    /// Pictures a second.
    pub(crate) fps: f64,
    /// It has pictures, and sound.
    pub(crate) tracks: (bool, bool),
    /// What was planted.
    pub(crate) truth: &'a [Planted],
    /// What else may be told.
    pub(crate) allowed: &'a [Allowed],
    /// The detector that it was checked for with arguments of its own.
    pub(crate) asked: Option<&'static str>,
}

/// Something to look at: a miss or a false alarm.
#[derive(Clone, Debug)]
pub(crate) struct Remark {
    /// The case.
    pub(crate) clip: String,
    /// What and when.
    pub(crate) what: String,
}

/// How far from the truth an onset was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Onset {
    /// In frames of video or milliseconds; negative when too early.
    pub(crate) off: f64,
    /// The sound is uncompressed, or there is none.
    pub(crate) exact: bool,
}

/// The scores of one detector.
#[derive(Clone, Debug, Default)]
pub(crate) struct Score {
    /// Planted defects that were long enough.
    pub(crate) planted: usize,
    /// Of them found.
    pub(crate) found: usize,
    /// Events that count and tell nothing that is there, on all clips.
    pub(crate) false_alarms: usize,
    /// The same on clean clips alone.
    pub(crate) clean_alarms: usize,
    /// Hours of clean clips that the detector could speak of.
    pub(crate) clean_hours: f64,
    /// Onsets of what was found.
    pub(crate) onsets: Vec<Onset>,
    /// What was not found.
    pub(crate) misses: Vec<Remark>,
    /// What was told wrongly.
    pub(crate) alarms: Vec<Remark>,
}

impl Score {
    /// Share of what was planted that was found.
    pub(crate) fn recall(&self) -> Option<f64> {
        share(self.found, self.planted)
    }

    /// Share of what was told that is true.
    pub(crate) fn precision(&self) -> Option<f64> {
        share(self.found, self.found + self.false_alarms)
    }

    /// The harmonic mean of both.
    pub(crate) fn f1(&self) -> Option<f64> {
        share(2 * self.found, self.planted + self.found + self.false_alarms)
    }

    /// False alarms an hour of clean material, and the upper end of their 95 % interval.
    pub(crate) fn alarms_per_hour(&self) -> Option<(f64, f64)> {
        let hours = self.clean_hours;
        (hours > 0.0).then(|| (self.clean_alarms as f64 / hours, poisson_upper(self.clean_alarms) / hours))
    }
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The largest mean of a Poisson count under which so few or fewer still happen in one of twenty
/// cases; 3 for none, the "rule of three".
pub(crate) fn poisson_upper(count: usize) -> f64 {
    let at_most = |mean: f64| {
        let mut term = (-mean).exp();
        let mut sum = term;
        for index in 1..=count {
            term *= mean / index as f64;
            sum += term;
        }
        sum
    };
    let (mut low, mut high) = (0.0, 10.0 + 3.0 * count as f64);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if at_most(middle) > 0.05 { low = middle } else { high = middle }
    }
    high
}

/// The least severity that counts as an alarm: `info` where the ladder never goes beyond it.
fn counts_from(steps: &[Step]) -> Severity {
    let highest = steps.iter().map(|step| step.severity).max().unwrap_or(Severity::Info);
    highest.min(Severity::Warning)
}

/// Scores one detector. `told` gives the events of a clip, of whichever detector.
pub(crate) fn score<'a>(word: &Word, steps: &[Step], clips: &[Clip<'a>], told: impl Fn(usize) -> Vec<Event>) -> Score {
    let mut score = Score::default();
    let hold = steps.first().map_or(0.0, |step| step.after);
    let counts = counts_from(steps);
    for (index, clip) in clips.iter().enumerate() {
        let planted: Vec<Planted> = clip.truth.iter().filter(|one| one.detector == word.name).cloned().collect();
        let events: Vec<Event> = told(index).into_iter().filter(|event| event.detector == word.name).collect();
        let outcome = pair(&planted, clip.allowed, &events);
        // Arguments of a clip for this detector shorten its hold time.
        let hold = if clip.asked == Some(word.name) { 0.0 } else { hold };
        let long_enough = |defect: &Planted| defect.end - defect.start + 0.000_5 >= hold;
        for (place, by) in &outcome.found {
            let (defect, event) = (&planted[*place], &events[*by]);
            if long_enough(defect) {
                score.planted += 1;
                score.found += 1;
                score.onsets.push(onset(word, clip, event.start - defect.start));
            }
        }
        for defect in outcome.missed.iter().map(|place| &planted[*place]).filter(|defect| long_enough(defect)) {
            score.planted += 1;
            score.misses.push(Remark { clip: clip.name.to_owned(), what: missed(defect, &events) });
        }
        let clean = clip.kind != Kind::Planted;
        for event in outcome.false_alarms.iter().map(|by| &events[*by]).filter(|event| event.severity >= counts) {
            score.false_alarms += 1;
            score.clean_alarms += usize::from(clean);
            score.alarms.push(Remark { clip: clip.name.to_owned(), what: span(event) });
        }
        if clean && speaks_of(word, clip) {
            score.clean_hours += clip.seconds / 3_600.0;
        }
    }
    score
}

fn onset(word: &Word, clip: &Clip<'_>, off: f64) -> Onset {
    let off = if word.watches == Watches::Pictures { off * clip.fps } else { off * 1_000.0 };
    Onset { off, exact: clip.name.ends_with("pcm") }
}

/// Whether the detector could tell something of the clip, and nothing is allowed to it there.
fn speaks_of(word: &Word, clip: &Clip<'_>) -> bool {
    let (pictures, sound) = clip.tracks;
    let has_track = match word.watches {
        Watches::Pictures => pictures,
        Watches::Sound => sound,
        Watches::Stream => true,
    };
    has_track && !clip.allowed.iter().any(|allowed| allowed.detector == word.name)
}

fn span(event: &Event) -> String {
    format!("{:.2}–{:.2} s on {}, {:?}", event.start, event.end, event.track, event.severity).to_lowercase()
}

fn missed(defect: &Planted, events: &[Event]) -> String {
    let told = if events.is_empty() {
        "nothing told".to_owned()
    } else {
        let all: Vec<String> = events.iter().take(4).map(span).collect();
        format!("told: {}", all.join("; "))
    };
    format!("planted {:.2}–{:.2} s on {}; {told}", defect.start, defect.end, defect.track)
}
