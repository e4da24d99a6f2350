//! The replay: spans of verdicts through the engine's lifecycle, on a timeline of their own.
//!
//! Pure. Verdicts are played a second at a time, with the last step of each span at its exact end, so that hold times
//! are reached exactly when they were reached live. Spans are dated to a second by their ends, and so are changes.

use std::time::SystemTime;

use avwatch_actors::detector::{ClassLimits, Ladder, Verdict, Worse};
use avwatch_actors::event::Wall;
use avwatch_actors::event_lifecycle::{Change, EventLifecycle};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::verdict_notes::{Onset, SpanKind, VerdictSpan};

const SECOND: MediaTime = MediaTime::from_millis(1_000);

/// Under what is judged.
#[derive(Clone)]
pub struct Judge {
    /// Hold times and severities.
    pub ladder: Ladder,
    /// What the class of a verdict allows.
    pub limits: Option<ClassLimits>,
    /// Which scores are worse.
    pub worse: Worse,
    /// Another score at which the condition holds; without one what held then holds now.
    pub threshold: Option<f32>,
}

/// A change that the lifecycle would have told, by the clock.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    /// When it would have been told.
    pub at: Wall,
    /// The same on the timeline of the replay.
    media: MediaTime,
    /// The change.
    pub change: Change,
}

impl Heard {
    /// When something of the change was, by the clock.
    pub fn wall_of(&self, moment: MediaTime) -> Wall {
        shifted(self.at, self.media, moment)
    }
}

/// What the lifecycle would have told of these spans, each with the time of its end, by that time at the latest.
pub fn replay<'a>(spans: impl Iterator<Item = (Wall, &'a VerdictSpan)>, until: Wall, judge: &Judge) -> Vec<Heard> {
    let mut player = Player {
        lifecycle: EventLifecycle::new(judge.ladder.clone(), judge.worse).with_limits(judge.limits.clone()),
        clear_after: judge.ladder.clear_after.into(),
        at: MediaTime::ZERO,
        anchor: (MediaTime::ZERO, Wall(SystemTime::UNIX_EPOCH)),
        held_since: None,
        clear_since: MediaTime::ZERO,
        heard: Vec::new(),
    };
    for (ended, span) in spans {
        // Clear time goes by the end of the span before it, the span by its own.
        player.clear(span.clear_before);
        player.anchor = (player.at + span.lasts, ended);
        let Some(threshold) = judge.threshold else {
            match span.kind {
                SpanKind::Held => player.hold(span.lasts, span, score_of(span, 0)),
                SpanKind::Near => player.clear(span.lasts),
            }
            continue;
        };
        let (mut left, mut second) = (span.lasts, 0);
        while left > MediaTime::ZERO || second == 0 {
            let step = left.min(SECOND);
            let score = score_of(span, second);
            let holds = match judge.worse {
                Worse::Higher => score >= threshold,
                Worse::Lower => score <= threshold,
            };
            // Only the first second of a span can begin anew.
            let part = VerdictSpan { onset: if second == 0 { span.onset } else { Onset::GoesOn }, ..bare(span) };
            if holds {
                player.hold(step, &part, score)
            } else {
                player.clear(step)
            }
            left = left - step;
            second += 1;
        }
    }
    // Nothing more was said of it: it was over.
    player.clear(player.clear_after + SECOND);
    player.heard.retain(|heard| heard.at <= until);
    player.heard
}

/// The time of another moment than `media`, which was at `at`.
fn shifted(at: Wall, media: MediaTime, moment: MediaTime) -> Wall {
    match moment >= media {
        true => at.after((moment - media).to_duration()),
        false => Wall(at.0.checked_sub((media - moment).to_duration()).unwrap_or(SystemTime::UNIX_EPOCH)),
    }
}

/// The score of that second; the last one where there are fewer.
fn score_of(span: &VerdictSpan, second: usize) -> f32 {
    span.scores.get(second).or(span.scores.last()).copied().unwrap_or(0.0)
}

fn bare(span: &VerdictSpan) -> VerdictSpan {
    VerdictSpan { scores: Vec::new(), ..span.clone() }
}

struct Player {
    lifecycle: EventLifecycle,
    clear_after: MediaTime,
    at: MediaTime,
    /// A moment of which the time is known.
    anchor: (MediaTime, Wall),
    held_since: Option<MediaTime>,
    clear_since: MediaTime,
    heard: Vec<Heard>,
}

impl Player {
    fn hold(&mut self, lasts: MediaTime, span: &VerdictSpan, score: f32) {
        if span.onset == Onset::Fresh {
            self.held_since = None;
        }
        let since = *self.held_since.get_or_insert(self.at);
        let verdict = Verdict::Faulty { since, score, class: span.class };
        if lasts <= MediaTime::ZERO {
            // A fault of one verdict: a ladder that begins at nothing raises it.
            self.judge(MediaTime::ZERO, &verdict);
        }
        self.play(lasts, &verdict);
    }

    fn clear(&mut self, lasts: MediaTime) {
        if lasts <= MediaTime::ZERO {
            return;
        }
        if self.held_since.take().is_some() {
            self.clear_since = self.at;
        }
        let verdict = Verdict::Clear { since: self.clear_since, score: 0.0 };
        // What is clear for longer than it takes to end an event is clear all the same.
        let told = lasts.min(self.clear_after + SECOND);
        self.play(told, &verdict);
        self.at += lasts - told;
        self.lifecycle.gap(self.at);
    }

    fn play(&mut self, lasts: MediaTime, verdict: &Verdict) {
        let mut left = lasts;
        while left > MediaTime::ZERO {
            let step = left.min(SECOND);
            self.at += step;
            self.judge(step, verdict);
            left = left - step;
        }
    }

    fn judge(&mut self, step: MediaTime, verdict: &Verdict) {
        let Some(change) = self.lifecycle.judge(self.at, step, verdict) else { return };
        // Clocks are read apart: what follows was not before.
        let at = shifted(self.anchor.1, self.anchor.0, self.at);
        let at = self.heard.last().map_or(at, |last| last.at.max(at));
        self.heard.push(Heard { at, media: self.at, change });
    }
}
