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
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const FRAME: i64 = 40;

    fn machine() -> EventLifecycle {
        let ladder = Ladder {
            steps: vec![(Duration::from_millis(500), Severity::Info), (Duration::from_secs(2), Severity::Warning)],
            raise_after: Duration::ZERO,
            clear_after: Duration::from_millis(300),
            settle_after_change: Duration::from_secs(5),
        };
        EventLifecycle::new(ladder, Worse::Higher)
    }

    fn time(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    /// Plays verdicts frame by frame; `truth` says whether the frame at that time is faulty.
    fn play(machine: &mut EventLifecycle, from: i64, to: i64, truth: impl Fn(i64) -> bool) -> Vec<Change> {
        let mut changes = Vec::new();
        let (mut onset, mut clear) = (None, None);
        for at in (from..to).step_by(FRAME as usize) {
            let verdict = if truth(at) {
                clear = None;
                Verdict::Faulty { since: time(*onset.get_or_insert(at)), score: 1.0, class: 0 }
            } else {
                onset = None;
                Verdict::Clear { since: time(*clear.get_or_insert(at)), score: 0.0 }
            };
            changes.extend(machine.judge(time(at + FRAME), time(FRAME), &verdict));
        }
        changes
    }

    #[test]
    fn three_seconds_of_black_rise_escalate_and_end_at_their_true_times() {
        let changes = play(&mut machine(), 0, 12_000, |at| (8_000..11_000).contains(&at));
        let kinds: Vec<_> = changes.iter().map(|change| change.what).collect();
        assert_eq!(kinds, [What::Raised, What::Escalated, What::Ended(EventEnd::Cleared)]);
        let last = changes.last().expect("three changes");
        assert_eq!((last.start, last.end), (time(8_000), Some(time(11_000))));
        assert_eq!((last.severity, last.lasted), (Severity::Warning, time(3_000)));
    }

    #[test]
    fn a_hold_time_of_exactly_the_condition_is_reached() {
        let changes = play(&mut machine(), 0, 6_000, |at| (2_000..4_000).contains(&at));
        assert!(changes.iter().any(|change| change.what == What::Escalated));
        let shorter = play(&mut machine(), 0, 6_000, |at| (2_000..3_960).contains(&at));
        assert!(!shorter.iter().any(|change| change.what == What::Escalated));
    }

    #[test]
    fn what_passes_within_five_seconds_of_a_change_of_format_is_not_raised() {
        let mut machine = machine();
        machine.format_changed(time(1_000));
        assert!(play(&mut machine, 0, 12_000, |at| (1_000..5_960).contains(&at)).is_empty());
    }

    #[test]
    fn what_outlasts_five_seconds_after_a_change_of_format_is_raised_with_its_true_begin() {
        let mut machine = machine();
        machine.format_changed(time(1_000));
        let changes = play(&mut machine, 0, 12_000, |at| (1_000..9_000).contains(&at));
        let raised = changes[0];
        assert_eq!((raised.what, raised.severity, raised.start), (What::Raised, Severity::Warning, time(1_000)));
        assert_eq!(raised.lasted, time(5_000), "raised at the end of the quiet");
    }

    #[test]
    fn an_event_that_is_open_at_a_change_of_format_goes_on_undisturbed() {
        let mut machine = machine();
        let mut changes = play(&mut machine, 0, 1_000, |_| true);
        machine.format_changed(time(1_000));
        changes.extend(play(&mut machine, 1_000, 8_000, |at| at < 4_000));
        let kinds: Vec<_> = changes.iter().map(|change| change.what).collect();
        assert_eq!(kinds, [What::Raised, What::Escalated, What::Ended(EventEnd::Cleared)]);
    }

    #[test]
    fn a_gap_freezes_the_clock() {
        let mut machine = machine();
        let faulty = Verdict::Faulty { since: time(0), score: 1.0, class: 0 };
        assert_eq!(machine.judge(time(40), time(40), &faulty), None);
        machine.gap(time(10_000));
        assert_eq!(machine.judge(time(10_040), time(40), &faulty), None, "only 80 ms were seen");
    }

    #[test]
    fn a_verdict_credits_at_most_a_second_of_unseen_time() {
        let mut machine = machine();
        let faulty = Verdict::Faulty { since: time(0), score: 1.0, class: 0 };
        machine.judge(time(40), time(40), &faulty);
        let change = machine.judge(time(60_000), time(40), &faulty).expect("a second was credited");
        assert_eq!((change.what, change.severity), (What::Raised, Severity::Info));
    }

    #[test]
    fn an_overruled_onset_is_dropped_at_once_and_an_open_event_ends() {
        let mut machine = machine();
        play(&mut machine, 0, 400, |_| true);
        machine.judge(time(440), time(40), &Verdict::Overruled);
        assert!(play(&mut machine, 440, 900, |_| true).is_empty(), "the hold time starts anew");
        play(&mut machine, 900, 2_000, |_| true);
        assert!(machine.is_open());
        let ended = (0..10).find_map(|frame| machine.judge(time(2_040 + frame * 40), time(40), &Verdict::Overruled));
        assert_eq!(ended.expect("cleared").end, Some(time(2_000)));
    }

    #[test]
    fn a_short_interruption_does_not_split_an_event() {
        let changes = play(&mut machine(), 0, 8_000, |at| (1_000..4_000).contains(&at) && at != 2_000);
        assert_eq!(changes.iter().filter(|change| change.what == What::Raised).count(), 1);
        assert_eq!(changes.last().and_then(|change| change.end), Some(time(4_000)));
    }

    #[test]
    fn a_condition_that_is_away_for_half_a_second_is_told_to_fade_and_to_hold_again_when_it_is_back() {
        let mut machine = machine();
        machine.ladder.clear_after = Duration::from_secs(10);
        let changes = play(&mut machine, 0, 9_000, |at| !(3_000..5_000).contains(&at) && at != 7_000);
        let kinds: Vec<_> = changes.iter().map(|change| (change.what, change.end)).collect();
        let away = Some(time(3_000));
        assert_eq!(
            kinds,
            [(What::Raised, None), (What::Escalated, None), (What::Fading, away), (What::Holding, None)],
            "and one lost frame is nothing"
        );
    }

    #[test]
    fn at_the_end_of_the_input_a_held_condition_is_ongoing_and_a_cleared_one_has_ended() {
        let mut held = machine();
        play(&mut held, 0, 2_000, |at| at >= 1_000);
        let change = held.finish(time(2_000)).expect("open");
        assert_eq!((change.what, change.lasted), (What::Ongoing, time(1_000)));
        let mut cleared = machine();
        play(&mut cleared, 0, 2_000, |at| (1_000..1_880).contains(&at));
        let change = cleared.finish(time(2_000)).expect("open");
        assert_eq!(change.end, Some(time(1_880)));
    }

    #[test]
    fn clocks_that_run_ahead_take_no_time_from_the_frames() {
        let mut machine = machine();
        let mut raised = None;
        for frame in 0..20 {
            let at = time(frame * 40 + 40);
            machine.judge(at + time(100), time(100), &Verdict::Undecided);
            let verdict = Verdict::Faulty { since: time(0), score: 1.0, class: 0 };
            raised = raised.or(machine.judge(at, time(40), &verdict).map(|_| at));
        }
        assert_eq!(raised, Some(time(520)), "the first frame that ends after 0.5 s");
    }

    proptest! {
        /// Whatever the verdicts: changes alternate properly, and no end lies before its start.
        #[test]
        fn raised_and_ended_alternate(script in prop::collection::vec((0_u8..4, 1_i64..3_000), 1..300)) {
            let mut machine = machine();
            let (mut open, mut at) = (false, 0);
            for (kind, step) in script {
                at += step;
                let verdict = match kind {
                    0 => Verdict::Undecided,
                    1 => Verdict::Clear { since: time(at - step), score: 0.0 },
                    2 => Verdict::Faulty { since: time(at - step), score: 1.0, class: 0 },
                    _ => Verdict::Overruled,
                };
                let Some(change) = machine.judge(time(at), time(step), &verdict) else { continue };
                match change.what {
                    What::Raised => { prop_assert!(!open); open = true; }
                    What::Escalated | What::Fading | What::Holding => prop_assert!(open),
                    What::Ended(_) => { prop_assert!(open); open = false; }
                    What::Ongoing => prop_assert!(false, "only finish says so"),
                }
                prop_assert!(change.end.is_none_or(|end| end >= change.start));
                prop_assert!(change.start <= time(at));
            }
            prop_assert_eq!(open, machine.is_open());
        }
    }
}
