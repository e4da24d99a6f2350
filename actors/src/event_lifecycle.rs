//! The event lifecycle: verdicts in, raised, escalated and ended out.
//!
//! Detectors say what *is*; this machine says what *matters*: hold times, the severity ladder,
//! the back-dated onset. Pure, in media time, one instance per detector and track, owned by the
//! detector actor.
//!
//! ```text
//!            Faulty                hold time passed
//!   Quiet ───────────▶ Pending ───────────────────▶ Raised ◀──────────┐ Faulty again
//!     ▲                   │ Clear, Overruled          │ Clear,        │
//!     ├───────────────────┘                           ▼ Overruled     │
//!     └───────────────────────── Ended ◀──────────── Clearing ────────┘
//!                                clear_after passed
//! ```

use crate::detector::{ClassLimits, Ladder, Verdict, Worse};
use crate::event::{ChangeKind, EventEnd};
use crate::media_time::MediaTime;
use crate::severity::Severity;

/// Least time that one verdict may be credited with, however long its frame lasts.
const CREDIT_FLOOR: MediaTime = MediaTime::from_millis(1_000);

/// An open condition that has been away for so long is told to be fading; shorter interruptions are noise, and
/// this bounds what is told of a condition that flickers.
const FADES_AFTER: MediaTime = MediaTime::from_millis(500);

/// Most time that a verdict on a frame of that length is credited with.
pub(crate) fn credit_max(lasts: MediaTime) -> MediaTime {
    (lasts + lasts).max(CREDIT_FLOOR)
}

/// What the lifecycle says when something changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// What happened.
    pub what: What,
    /// When the condition began.
    pub start: MediaTime,
    /// When it ended: set for [`What::Ended`].
    pub end: Option<MediaTime>,
    /// How long it has lasted.
    pub lasted: MediaTime,
    /// Severity now.
    pub severity: Severity,
    /// The latest score.
    pub value: f32,
    /// The worst score.
    pub peak: f32,
    /// Class of the verdict with the worst score.
    pub class: u8,
}

/// Kinds of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The hold time passed.
    Raised,
    /// A later step of the ladder was reached.
    Escalated,
    /// Still open, but the condition has been away for a moment: it may be the end.
    Fading,
    /// It was fading, and the condition is back.
    Holding,
    /// The condition is over.
    Ended(EventEnd),
    /// Still open when the input ended: the last word on it.
    Ongoing,
}

impl From<What> for ChangeKind {
    fn from(what: What) -> Self {
        match what {
            What::Raised => Self::Raised,
            What::Escalated => Self::Escalated,
            What::Fading => Self::Fading,
            What::Holding => Self::Holding,
            What::Ended(why) => Self::Ended(why),
            What::Ongoing => Self::Ongoing,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Condition {
    start: MediaTime,
    held: MediaTime,
    value: f32,
    peak: f32,
    class: u8,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Quiet,
    Pending(Condition),
    Raised(Condition, Severity),
    Clearing { condition: Condition, severity: Severity, end: MediaTime, cleared: MediaTime, told: bool },
}

/// The machine.
#[derive(Clone)]
pub struct EventLifecycle {
    ladder: Ladder,
    limits: Option<ClassLimits>,
    worse: Worse,
    state: State,
    last: Option<MediaTime>,
    /// Up to when another condition explained this one: no onset lies before it.
    explained_until: Option<MediaTime>,
    /// Nothing is raised before: the format changed.
    settles_at: Option<MediaTime>,
}

impl EventLifecycle {
    /// A machine in its quiet state.
    pub fn new(ladder: Ladder, worse: Worse) -> Self {
        Self { ladder, limits: None, worse, state: State::Quiet, last: None, explained_until: None, settles_at: None }
    }

    /// The same machine, heeding what the class of a verdict allows.
    #[must_use]
    pub fn with_limits(self, limits: Option<ClassLimits>) -> Self {
        Self { limits, ..self }
    }

    /// Takes a verdict on what lasted until `at`, from a frame that lasts `lasts`.
    ///
    /// Time is credited to the condition from verdict to verdict, but at most max(2 × `lasts`, 1 s)
    /// each, so that nothing is concluded from frames that were never seen.
    pub fn judge(&mut self, at: MediaTime, lasts: MediaTime, verdict: &Verdict) -> Option<Change> {
        if *verdict == Verdict::Undecided {
            // Says nothing about time either: clocks of other tracks run ahead of this one's frames.
            return None;
        }
        let passed = self.last.map_or(MediaTime::ZERO, |last| (at - last).clamp(MediaTime::ZERO, credit_max(lasts)));
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
        match *verdict {
            Verdict::Undecided => None,
            Verdict::Faulty { since, score, class } => self.faulty(at, since.min(at), score, class, passed),
            Verdict::Clear { since, .. } => self.clear(at, since.min(at), passed),
            Verdict::Overruled => {
                self.explained_until = Some(at);
                self.clear(at, at - lasts, passed)
            }
        }
    }

    /// Nothing is known up to `until`: the clock stands still over it.
    pub fn gap(&mut self, until: MediaTime) {
        self.last = self.last.map(|last| last.max(until));
    }

    /// The format of what is judged changed at that time: nothing is raised for as long as the ladder
    /// says. What then still holds is raised with its true onset; what is open goes on as it is.
    pub fn format_changed(&mut self, at: MediaTime) {
        self.settles_at = Some(at + MediaTime::from(self.ladder.settle_after_change));
    }

    /// Settles what can be settled when the input is over at `at`: a condition that is clearing has
    /// ended, one that still holds is ongoing.
    pub fn finish(&mut self, at: MediaTime) -> Option<Change> {
        match self.state {
            State::Quiet | State::Pending(_) => None,
            State::Raised(condition, severity) => {
                Some(self.change(What::Ongoing, &condition, severity, None, at - condition.start))
            }
            State::Clearing { condition, severity, end, .. } => {
                self.state = State::Quiet;
                let lasted = end - condition.start;
                Some(self.change(What::Ended(EventEnd::Cleared), &condition, severity, Some(end), lasted))
            }
        }
    }

    /// Ends whatever is open for a reason that lies outside the pictures and sound.
    pub fn end(&mut self, at: MediaTime, why: EventEnd) -> Option<Change> {
        let state = std::mem::replace(&mut self.state, State::Quiet);
        let (condition, severity, end) = match state {
            State::Quiet | State::Pending(_) => return None,
            State::Raised(condition, severity) => (condition, severity, at.max(condition.start)),
            State::Clearing { condition, severity, end, .. } => (condition, severity, end),
        };
        Some(self.change(What::Ended(why), &condition, severity, Some(end), end - condition.start))
    }

    /// True while an event is open.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Raised(..) | State::Clearing { .. })
    }

    fn faulty(&mut self, at: MediaTime, since: MediaTime, score: f32, class: u8, passed: MediaTime) -> Option<Change> {
        let known_since = since;
        // What was overruled counts for nothing: a still picture that was black a moment ago has
        // stood still only since then.
        let since = self.explained_until.map_or(since, |until| since.max(until.min(at)));
        let fresh = Condition { start: since, held: at - since, value: score, peak: score, class };
        match self.state {
            State::Quiet => self.advance(fresh, None),
            // A later onset means that the condition was interrupted: what was held counts no more.
            State::Pending(condition) if since > condition.start => self.advance(fresh, None),
            State::Pending(condition) => {
                let condition = self.worsen(condition, since, score, class, passed);
                self.advance(condition, None)
            }
            State::Raised(condition, severity) => {
                let condition = self.worsen(condition, condition.start, score, class, passed);
                self.advance(condition, Some(severity))
            }
            State::Clearing { mut condition, severity, end, told, .. } => {
                if end <= condition.start {
                    // It turned out never to have held; what holds now began later.
                    condition.start = since.max(end);
                }
                // The same condition all along, explained for a while, is not credited twice.
                let credit = if known_since < end { passed } else { at - since };
                let condition = self.worsen(condition, condition.start, score, class, credit);
                let holds = told.then(|| self.change(What::Holding, &condition, severity, None, condition.held));
                self.advance(condition, Some(severity)).or(holds)
            }
        }
    }

    fn worsen(
        &self,
        mut condition: Condition,
        since: MediaTime,
        score: f32,
        class: u8,
        passed: MediaTime,
    ) -> Condition {
        let is_worse = match self.worse {
            Worse::Higher => score > condition.peak,
            Worse::Lower => score < condition.peak,
        };
        if is_worse {
            condition.peak = score;
            condition.class = class;
        }
        condition.value = score;
        condition.held += passed + (condition.start - since).max(MediaTime::ZERO);
        condition.start = condition.start.min(since);
        condition
    }

    fn advance(&mut self, condition: Condition, before: Option<Severity>) -> Option<Change> {
        let limit = self.limits.as_ref().and_then(|limits| limits(condition.class));
        let reached = self.ladder.severity_within(condition.held, limit);
        let settles = self.settles_at.is_some_and(|until| self.last.is_some_and(|now| now < until));
        let (what, severity) = match (before, reached) {
            (None, _) if settles => {
                self.state = State::Pending(condition);
                return None;
            }
            (None, None) => {
                self.state = State::Pending(condition);
                return None;
            }
            (None, Some(severity)) => (What::Raised, severity),
            (Some(before), Some(severity)) if severity > before => (What::Escalated, severity),
            (Some(before), _) => {
                self.state = State::Raised(condition, before);
                return None;
            }
        };
        self.state = State::Raised(condition, severity);
        Some(self.change(what, &condition, severity, None, condition.held))
    }

    fn clear(&mut self, at: MediaTime, since: MediaTime, passed: MediaTime) -> Option<Change> {
        let (condition, severity, end, cleared, told) = match self.state {
            State::Quiet => return None,
            State::Pending(_) => {
                self.state = State::Quiet;
                return None;
            }
            State::Raised(condition, severity) => {
                let end = since.max(condition.start);
                (condition, severity, end, at - end, false)
            }
            State::Clearing { condition, severity, end, cleared, told } => {
                (condition, severity, end, cleared + passed, told)
            }
        };
        if cleared < MediaTime::from(self.ladder.clear_after) {
            let fades = !told && cleared >= FADES_AFTER;
            self.state = State::Clearing { condition, severity, end, cleared, told: told || fades };
            return fades.then(|| self.change(What::Fading, &condition, severity, Some(end), end - condition.start));
        }
        self.state = State::Quiet;
        Some(self.change(What::Ended(EventEnd::Cleared), &condition, severity, Some(end), end - condition.start))
    }

    fn change(
        &self,
        what: What,
        condition: &Condition,
        severity: Severity,
        end: Option<MediaTime>,
        lasted: MediaTime,
    ) -> Change {
        Change {
            what,
            start: condition.start,
            end,
            lasted,
            severity,
            value: condition.value,
            peak: condition.peak,
            class: condition.class,
        }
    }
}

#[cfg(test)]
#[path = "event_lifecycle_tests.rs"]
mod tests;
