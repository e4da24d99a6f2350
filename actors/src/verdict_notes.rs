//! What detectors said over time, in spans: the material for judging the past under other hold times.
//!
//! A [`VerdictTally`] stands beside each lifecycle and credits time exactly as the lifecycle does, so that replaying
//! its spans through a lifecycle gives what was raised. Owned by a detector host, on its arbiter; it never waits: a
//! span for which [`VerdictNotes`] has no room is lost and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender, TryIter, bounded};

use crate::detector::{Verdict, Worse};
use crate::event::Wall;
use crate::event_lifecycle::credit_max;
use crate::media_time::MediaTime;
use crate::track::TrackId;

/// Spans that may wait to be fetched, of all streams.
const WAITING_MAX: usize = 65_536;
/// Spans of one detector on one track in a minute of media; what is more is lost and counted.
const SPANS_A_MINUTE: u32 = 120;
/// Scores of one span: a longer condition is told in parts of that many seconds.
pub const SCORES_MAX: usize = 10;
const SECOND: MediaTime = MediaTime::from_millis(1_000);
const MINUTE: i64 = 60_000;

/// What a span is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// The condition held.
    Held,
    /// It did not hold, but the score was within half the threshold of it.
    Near,
}

/// How a span stands to the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onset {
    /// It begins anew.
    Fresh,
    /// It goes on where that one ended: long conditions are told in parts.
    GoesOn,
}

/// A span of verdicts of one detector on one track.
#[derive(Clone, Debug, PartialEq)]
pub struct VerdictSpan {
    /// What it is about.
    pub kind: SpanKind,
    /// How it stands to the one before it.
    pub onset: Onset,
    /// Class of its verdicts.
    pub class: u8,
    /// Media time that was clear, and not near, between the span before it and this one.
    pub clear_before: MediaTime,
    /// How long it was, as the lifecycle credits it.
    pub lasts: MediaTime,
    /// A score for each second of it, the last of which may be shorter: the least bad one of a condition that held,
    /// the worst one of a time that was near.
    pub scores: Vec<f32>,
}

/// A span with whose it is and when it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct NotedSpan {
    /// The stream's configured name.
    pub stream: Arc<str>,
    /// The detector's number.
    pub detector: u16,
    /// The track.
    pub track: TrackId,
    /// True for tracks that are not the main one of their kind.
    pub secondary: bool,
    /// When it ended, or when this part of it did.
    pub ended_at: Wall,
    /// What was said.
    pub span: VerdictSpan,
}

/// Spans on their way to whoever keeps them. Shared by all streams of a node.
#[derive(Debug)]
pub struct VerdictNotes {
    sender: Sender<NotedSpan>,
    receiver: Receiver<NotedSpan>,
    /// Set by the first fetch: where nobody keeps them, nothing waits.
    is_kept: AtomicBool,
    lost: AtomicU64,
}

impl Default for VerdictNotes {
    fn default() -> Self {
        let (sender, receiver) = bounded(WAITING_MAX);
        Self { sender, receiver, is_kept: AtomicBool::new(false), lost: AtomicU64::new(0) }
    }
}

impl VerdictNotes {
    /// Whether anybody fetches them.
    pub fn are_kept(&self) -> bool {
        // Relaxed, here and below: a span more or less at the start is no matter; counts stand by themselves.
        self.is_kept.load(Ordering::Relaxed)
    }

    /// Fetches what waits.
    pub fn take(&self) -> TryIter<'_, NotedSpan> {
        self.is_kept.store(true, Ordering::Relaxed);
        self.receiver.try_iter()
    }

    /// Spans that found no room or were too many.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Takes a span; one without room is lost and counted.
    pub fn note(&self, span: NotedSpan) {
        if self.sender.try_send(span).is_err() {
            self.count_lost(1);
        }
    }

    /// Counts spans that were not even told.
    pub fn count_lost(&self, spans: u64) {
        self.lost.fetch_add(spans, Ordering::Relaxed);
    }
}

/// A span in the making.
#[derive(Debug)]
struct Open {
    kind: SpanKind,
    onset: Onset,
    class: u8,
    start: MediaTime,
    clear_before: MediaTime,
    lasts: MediaTime,
    scores: Vec<f32>,
    /// The second in the making: its length and score.
    second: (MediaTime, Option<f32>),
}

/// Gathers the verdicts of one detector on one track into spans.
#[derive(Debug)]
pub struct VerdictTally {
    threshold: Option<f32>,
    worse: Worse,
    last: Option<MediaTime>,
    explained_until: Option<MediaTime>,
    /// Clear time since the last span.
    clear: MediaTime,
    /// The clear second in the making, where scores may be near.
    clearing: (MediaTime, Option<f32>),
    open: Option<Open>,
    /// The minute, and its spans so far.
    told: (i64, u32),
    /// Spans that were too many since the last look.
    too_many: u64,
}

impl VerdictTally {
    /// A tally for a detector with that threshold, if it has one, and those scores being worse.
    pub fn new(threshold: Option<f32>, worse: Worse) -> Self {
        Self {
            threshold: threshold.filter(|threshold| *threshold != 0.0),
            worse,
            last: None,
            explained_until: None,
            clear: MediaTime::ZERO,
            clearing: (MediaTime::ZERO, None),
            open: None,
            told: (0, 0),
            too_many: 0,
        }
    }

    /// Takes a verdict as [`crate::event_lifecycle::EventLifecycle::judge`] does; spans that are complete go to `done`.
    pub fn note(&mut self, at: MediaTime, lasts: MediaTime, verdict: &Verdict, done: &mut Vec<VerdictSpan>) {
        if *verdict == Verdict::Undecided {
            return;
        }
        let passed = self.last.map_or(MediaTime::ZERO, |last| (at - last).clamp(MediaTime::ZERO, credit_max(lasts)));
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
        let minute = at.as_millis().div_euclid(MINUTE);
        if minute != self.told.0 {
            self.told = (minute, 0);
        }
        match *verdict {
            Verdict::Undecided => {}
            Verdict::Faulty { since, score, class } => self.faulty(at, since.min(at), score, class, passed, done),
            Verdict::Clear { since, score } => self.clear(at, since.min(at), passed, Some(score), done),
            Verdict::Overruled => {
                self.explained_until = Some(at);
                self.clear(at, at - lasts, passed, None, done);
            }
        }
    }

    /// Nothing is known up to `until`: no time is credited for it.
    pub fn gap(&mut self, until: MediaTime) {
        self.last = self.last.map(|last| last.max(until));
    }

    /// Tells what is open, as at the end.
    pub fn flush(&mut self, done: &mut Vec<VerdictSpan>) {
        self.settle_second(done);
        self.close(done);
    }

    /// Spans that were too many since the last look.
    pub fn take_too_many(&mut self) -> u64 {
        std::mem::take(&mut self.too_many)
    }

    fn faulty(
        &mut self,
        at: MediaTime,
        since: MediaTime,
        score: f32,
        class: u8,
        passed: MediaTime,
        done: &mut Vec<VerdictSpan>,
    ) {
        let since = self.explained_until.map_or(since, |until| since.max(until.min(at)));
        let may_split = self.told.1 + 2 < SPANS_A_MINUTE;
        match &mut self.open {
            Some(open) if open.kind == SpanKind::Held && since <= open.start => {
                let credit = passed + (open.start - since).max(MediaTime::ZERO);
                open.start = since;
                if open.class != class && may_split {
                    self.part(done);
                    self.reopen(class);
                }
                self.credit(credit, score, done);
            }
            _ => {
                self.settle_second(done);
                self.close(done);
                self.open = Some(Open {
                    kind: SpanKind::Held,
                    onset: Onset::Fresh,
                    class,
                    start: since,
                    clear_before: std::mem::take(&mut self.clear),
                    lasts: MediaTime::ZERO,
                    scores: Vec::new(),
                    second: (MediaTime::ZERO, None),
                });
                self.credit(at - since, score, done);
            }
        }
    }

    fn clear(
        &mut self,
        at: MediaTime,
        since: MediaTime,
        passed: MediaTime,
        score: Option<f32>,
        done: &mut Vec<VerdictSpan>,
    ) {
        let mut passed = passed;
        if let Some(open) = self.open.as_ref().filter(|open| open.kind == SpanKind::Held) {
            passed = at - since.max(open.start);
            self.close(done);
        }
        self.clearing.0 += passed;
        if let Some(score) = score {
            self.clearing.1 = Some(self.clearing.1.map_or(score, |other| self.worst(other, score)));
        }
        if self.threshold.is_none() || self.clearing.0 >= SECOND {
            self.settle_second(done);
        }
    }

    /// Adds the clear second in the making to a time that is near, or to the clear time.
    fn settle_second(&mut self, done: &mut Vec<VerdictSpan>) {
        let (lasts, score) = std::mem::take(&mut self.clearing);
        if lasts <= MediaTime::ZERO {
            return;
        }
        let is_near = |threshold: f32, score: f32| (score - threshold).abs() <= threshold.abs() / 2.0;
        let near = self.threshold.zip(score).filter(|(threshold, score)| is_near(*threshold, *score));
        let Some((_, score)) = near else {
            self.close(done);
            self.clear += lasts;
            return;
        };
        if self.open.is_none() {
            self.open = Some(Open {
                kind: SpanKind::Near,
                onset: Onset::Fresh,
                class: 0,
                start: MediaTime::ZERO,
                clear_before: std::mem::take(&mut self.clear),
                lasts: MediaTime::ZERO,
                scores: Vec::new(),
                second: (MediaTime::ZERO, None),
            });
        }
        self.credit(lasts, score, done);
    }

    /// Credits time to what is open; long ones are told in parts.
    fn credit(&mut self, mut time: MediaTime, score: f32, done: &mut Vec<VerdictSpan>) {
        while let Some(open) = &mut self.open {
            let step = time.min(SECOND - open.second.0);
            open.lasts += step;
            open.second.0 += step;
            let chosen = open.second.1.map_or(score, |other| match (open.kind, self.worse) {
                (SpanKind::Held, Worse::Higher) | (SpanKind::Near, Worse::Lower) => other.min(score),
                (SpanKind::Held, Worse::Lower) | (SpanKind::Near, Worse::Higher) => other.max(score),
            });
            open.second.1 = Some(chosen);
            if open.second.0 >= SECOND {
                open.second = (MediaTime::ZERO, None);
                open.scores.push(chosen);
            }
            let (is_full, class) = (open.scores.len() >= SCORES_MAX, open.class);
            time = time - step;
            if is_full {
                self.part(done);
                self.reopen(class);
            }
            if time <= MediaTime::ZERO {
                return;
            }
        }
    }

    /// Tells what is open so far and leaves it open, empty.
    fn part(&mut self, done: &mut Vec<VerdictSpan>) {
        let Some(open) = &mut self.open else { return };
        let mut scores = std::mem::take(&mut open.scores);
        scores.extend(std::mem::take(&mut open.second).1);
        let span = VerdictSpan {
            kind: open.kind,
            onset: open.onset,
            class: open.class,
            clear_before: std::mem::take(&mut open.clear_before),
            lasts: std::mem::take(&mut open.lasts),
            scores,
        };
        // A fresh one without length is a fault all the same: of one verdict.
        if span.lasts <= MediaTime::ZERO && span.onset == Onset::GoesOn {
            return;
        }
        if self.told.1 >= SPANS_A_MINUTE {
            self.too_many += 1;
            return;
        }
        self.told.1 += 1;
        done.push(span);
    }

    fn reopen(&mut self, class: u8) {
        if let Some(open) = &mut self.open {
            open.onset = Onset::GoesOn;
            open.class = class;
        }
    }

    fn close(&mut self, done: &mut Vec<VerdictSpan>) {
        self.part(done);
        self.open = None;
    }

    fn worst(&self, one: f32, other: f32) -> f32 {
        match self.worse {
            Worse::Higher => one.max(other),
            Worse::Lower => one.min(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    fn tally(threshold: Option<f32>) -> VerdictTally {
        VerdictTally::new(threshold, Worse::Higher)
    }

    /// Plays frames of 40 ms with that score; 1 and above is a fault.
    fn play(tally: &mut VerdictTally, from: i64, to: i64, score: impl Fn(i64) -> f32) -> Vec<VerdictSpan> {
        let mut done = Vec::new();
        let (mut onset, mut clear) = (None, None);
        for at in (from..to).step_by(40) {
            let score = score(at);
            let verdict = if score >= 1.0 {
                clear = None;
                Verdict::Faulty { since: time(*onset.get_or_insert(at)), score, class: 0 }
            } else {
                onset = None;
                Verdict::Clear { since: time(*clear.get_or_insert(at)), score }
            };
            tally.note(time(at + 40), time(40), &verdict, &mut done);
        }
        done
    }

    #[test]
    fn a_condition_is_one_span_with_the_clear_time_before_it() {
        let found = play(&mut tally(None), 0, 20_000, |at| if (4_000..7_000).contains(&at) { 1.0 } else { 0.0 });
        assert_eq!(found.len(), 1);
        let span = &found[0];
        assert_eq!((span.kind, span.onset), (SpanKind::Held, Onset::Fresh));
        // The first verdict of all credits nothing, as in the lifecycle.
        assert_eq!((span.clear_before, span.lasts), (time(3_960), time(3_000)));
        assert_eq!(span.scores, [1.0; 3]);
    }

    #[test]
    fn a_long_condition_is_told_in_parts_that_add_up() {
        let mut tally = tally(None);
        let mut found = play(&mut tally, 0, 35_000, |_| 1.0);
        assert_eq!(found.len(), 3);
        tally.flush(&mut found);
        assert_eq!(found[0].onset, Onset::Fresh);
        assert!(found[1..].iter().all(|part| part.onset == Onset::GoesOn && part.clear_before == MediaTime::ZERO));
        assert_eq!(found.iter().map(|part| part.lasts.as_millis()).sum::<i64>(), 35_000);
    }

    #[test]
    fn seconds_near_the_threshold_are_told_with_their_worst_score() {
        let score = |at| if (5_000..8_000).contains(&at) { 0.7 } else { 0.1 };
        let found = play(&mut tally(Some(1.0)), 0, 20_000, score);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].kind, SpanKind::Near);
        assert!((3_000..=4_000).contains(&found[0].lasts.as_millis()), "{:?}", found[0]);
        assert!(found[0].scores.iter().all(|score| *score == 0.7));
    }

    #[test]
    fn what_was_not_seen_is_credited_to_nobody() {
        let mut tally = tally(None);
        let mut done = Vec::new();
        let faulty = Verdict::Faulty { since: time(0), score: 1.0, class: 0 };
        tally.note(time(40), time(40), &faulty, &mut done);
        tally.gap(time(60_000));
        tally.note(time(60_040), time(40), &faulty, &mut done);
        tally.flush(&mut done);
        assert_eq!(done[0].lasts, time(80));
    }

    #[test]
    fn a_detector_that_flaps_with_every_frame_tells_only_so_much() {
        let mut tally = tally(None);
        let found = play(&mut tally, 0, 60_000, |at| if at % 80 == 0 { 1.0 } else { 0.0 });
        assert!(found.len() <= SPANS_A_MINUTE as usize + 1, "{}", found.len());
        assert!(tally.take_too_many() > 500);
    }

    #[test]
    fn nothing_waits_where_nobody_keeps_it_and_what_is_too_much_is_counted() {
        let notes = VerdictNotes::default();
        assert!(!notes.are_kept());
        assert_eq!(notes.take().count(), 0);
        assert!(notes.are_kept());
    }

    proptest! {
        /// Every moment between first and last verdict is in exactly one span or clear.
        #[test]
        fn all_time_is_told_once(runs in prop::collection::vec((any::<bool>(), 1_i64..200), 1..30)) {
            let mut tally = tally(None);
            let (mut found, mut at) = (Vec::new(), 0);
            for (is_faulty, frames) in &runs {
                let more = play(&mut tally, at, at + frames * 40, |_| if *is_faulty { 1.0 } else { 0.0 });
                found.extend(more);
                at += frames * 40;
            }
            tally.flush(&mut found);
            let told: i64 = found.iter().map(|span| (span.clear_before + span.lasts).as_millis()).sum();
            prop_assert!(told <= at);
            let ends_faulty = runs.last().is_some_and(|(is_faulty, _)| *is_faulty);
            if ends_faulty && runs.len() < 100 {
                // Of a condition that begins in two runs at once the second begins anew.
                prop_assert!(at - told <= 40, "{at} {told}");
            }
        }
    }
}
