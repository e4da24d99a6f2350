//! The judge: lines of all logs in, changes of events out, for every stream and detector.
//!
//! Pure; owned by the thread `logs`. Rules that speak of the same detector of the same stream share
//! one event, which tells the worst of them. Windows run by the logs' own time, hold times by ours.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch_actors::detector::{ClassLimit, Ladder, Verdict, Worse};
use avwatch_actors::event::{EventChange, EventEnd, EventKey, Standing, StreamCard, Wall};
use avwatch_actors::event_lifecycle::{Change, EventLifecycle, What};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity;
use avwatch_actors::track::{SessionNumber, TrackId};

use super::clock::LogClock;
use super::parse::Fields;
use super::plan::{LogInputPlan, Quantity, RulePlan};
use super::rate::{Sums, Window};
use crate::log_view::Moment;

/// Pairs of stream and detector that are judged; lines of more are counted and left.
const JUDGED_MAX: usize = 20_000;

/// How often an open event is said again, so that whoever doubts it is sure.
const SAY_AGAIN: Duration = Duration::from_secs(30);

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It counted, or no rule is about it.
    Counted,
    /// It came when its window had passed.
    Late,
    /// There was no room for another stream.
    Full,
}

/// The judge.
pub(super) struct Judge {
    begin: Instant,
    /// Rules by input, each with its input's name.
    rules: Vec<(Arc<str>, Vec<Arc<RulePlan>>)>,
    judged: HashMap<(Arc<str>, &'static str), Judged>,
}

struct Judged {
    windows: Vec<OneRule>,
    lifecycle: EventLifecycle,
    clear_since: Option<MediaTime>,
    faulty_since: Option<MediaTime>,
    said: Instant,
    last: Option<Change>,
    /// The worst since it became faulty, until that is over.
    worst: Option<Worst>,
}

/// The worst that was found while a condition lasted.
struct Worst {
    severity: Severity,
    value: f64,
    words: String,
    rule: Arc<RulePlan>,
}

struct OneRule {
    input: usize,
    rule: Arc<RulePlan>,
    window: Window,
}

/// What one rule says now.
struct Finding<'a> {
    input: usize,
    rule: &'a Arc<RulePlan>,
    value: f64,
    severity: Option<Severity>,
    sums: Sums,
    first_bad: Option<Moment>,
}

impl Judge {
    /// A judge who knows nothing yet.
    pub(super) fn new(inputs: &[LogInputPlan], begin: Instant) -> Self {
        let rules = inputs.iter().map(|input| (input.name.clone(), input.rules.clone())).collect();
        Self { begin, rules, judged: HashMap::new() }
    }

    /// Takes other inputs over; `from` says which of them was which before. What all of the same inputs still speak of
    /// goes on; the events of everything else end.
    pub(super) fn replace(
        &mut self,
        inputs: &[LogInputPlan],
        from: &[Option<usize>],
        now: Instant,
        wall: Wall,
        card: impl Fn(&str) -> Option<Arc<StreamCard>>,
    ) -> Vec<EventChange> {
        let time = Time { begin: self.begin, now, wall };
        let rules: Vec<_> = inputs.iter().map(|input| (input.name.clone(), input.rules.clone())).collect();
        let before = std::mem::replace(&mut self.rules, rules);
        let speaks = |rules: &[(Arc<str>, Vec<Arc<RulePlan>>)], input: usize, detector: &str| {
            rules[input].1.iter().any(|rule| rule.detector == detector)
        };
        let is_kept = |detector: &str| {
            let stays = |old: usize| from.contains(&Some(old)) || !speaks(&before, old, detector);
            let is_known = |new: usize| from[new].is_some() || !speaks(&self.rules, new, detector);
            (0..before.len()).all(stays) && (0..from.len()).all(is_known)
        };
        let mut changes = Vec::new();
        self.judged.retain(|(stream, detector), judged| {
            if is_kept(detector) {
                for one in &mut judged.windows {
                    one.input = from.iter().position(|old| *old == Some(one.input)).unwrap_or(usize::MAX);
                }
                return true;
            }
            let change = judged.lifecycle.end(time.at(), EventEnd::ConfigChanged);
            if let (Some(change), Some(card)) = (change, card(stream)) {
                let (words, rule) = judged.last_word(&change);
                let message = format!("the configuration of logs changed; {words}");
                changes.push(event_change(&card, detector, &rule, &change, message, &time));
            }
            false
        });
        changes
    }

    /// Takes a line of an input that is about a stream.
    pub(super) fn take(
        &mut self,
        input: usize,
        stream: &Arc<str>,
        fields: &Fields<'_>,
        at: Moment,
        now: Instant,
    ) -> Taken {
        let mut taken = Taken::Counted;
        let rules = self.rules.get(input).map_or(&[][..], |(_, rules)| rules.as_slice());
        for rule in rules.iter().filter(|rule| rule.of.iter().all(|condition| condition.holds(fields))) {
            let key = (stream.clone(), rule.detector);
            let is_full = self.judged.len() >= JUDGED_MAX;
            let judged = match self.judged.get_mut(&key) {
                Some(judged) => judged,
                None if is_full => {
                    taken = Taken::Full;
                    continue;
                }
                None => self.judged.entry(key).or_insert_with(|| Judged::new(&self.rules, rule.detector, now)),
            };
            if !judged.window(input, rule).add(at, sums_of(rule, fields)) {
                taken = Taken::Late;
            }
        }
        taken
    }

    /// Judges everything; `clocks` are those of the inputs, `card` knows the streams there are.
    pub(super) fn tick(
        &mut self,
        clocks: &[LogClock],
        now: Instant,
        wall: Wall,
        card: impl Fn(&str) -> Option<Arc<StreamCard>>,
    ) -> Vec<EventChange> {
        let time = Time { begin: self.begin, now, wall };
        let mut changes = Vec::new();
        let rules = &self.rules;
        self.judged.retain(|(stream, detector), judged| {
            // A stream that is gone takes its events with it.
            let Some(card) = card(stream) else { return false };
            if let Some((change, message, rule)) = judged.judge(clocks, &time, rules) {
                changes.push(event_change(&card, detector, &rule, &change, message, &time));
            }
            judged.is_needed(clocks, now)
        });
        changes
    }
}

/// Our own time, as media time of the lifecycle and as people read it.
struct Time {
    begin: Instant,
    now: Instant,
    wall: Wall,
}

impl Time {
    fn at(&self) -> MediaTime {
        MediaTime::from(self.now.saturating_duration_since(self.begin))
    }

    /// A moment of a log on the lifecycle's timeline: never before the begin, never ahead.
    fn of(&self, moment: Moment) -> MediaTime {
        let ago = Moment::of(self.wall.0).since(moment);
        (self.at() - MediaTime::from(Duration::from_millis(ago))).max(MediaTime::ZERO)
    }

    fn wall_of(&self, at: MediaTime) -> Wall {
        Wall(self.wall.0.checked_sub((self.at() - at).to_duration()).unwrap_or(self.wall.0))
    }
}

impl Judged {
    fn new(rules: &[(Arc<str>, Vec<Arc<RulePlan>>)], detector: &str, now: Instant) -> Self {
        let about = || rules.iter().flat_map(|(_, rules)| rules).filter(|rule| rule.detector == detector);
        let raise_after = about().map(|rule| rule.raise_after).min().unwrap_or_default();
        let clear_after = about().map(|rule| rule.clear_after).max().unwrap_or_default();
        // How bad it is depends on the rate alone: the class of a verdict is its severity.
        let ladder = Ladder {
            steps: vec![(raise_after, Severity::Critical)],
            raise_after: Duration::ZERO,
            clear_after,
            settle_after_change: Duration::ZERO,
        };
        let most = |class: u8| {
            let most = Severity::ALL.get(usize::from(class)).copied().unwrap_or(Severity::Critical);
            Some(ClassLimit { most, raise_after: Duration::ZERO })
        };
        let lifecycle = EventLifecycle::new(ladder, Worse::Higher).with_limits(Some(Arc::new(most)));
        let (windows, clear_since, faulty_since) = (Vec::new(), None, None);
        Self { windows, lifecycle, clear_since, faulty_since, said: now, last: None, worst: None }
    }

    fn window(&mut self, input: usize, rule: &Arc<RulePlan>) -> &mut Window {
        let known = self.windows.iter().position(|one| one.input == input && Arc::ptr_eq(&one.rule, rule));
        let place = known.unwrap_or_else(|| {
            self.windows.push(OneRule { input, rule: rule.clone(), window: Window::new(rule.window) });
            self.windows.len() - 1
        });
        &mut self.windows[place].window
    }

    /// The worst that any rule says; nothing when none says anything.
    fn worst(&mut self, clocks: &[LogClock], now: Instant) -> Option<Finding<'_>> {
        let mut worst: Option<Finding<'_>> = None;
        for one in &mut self.windows {
            let Some(at) = clocks.get(one.input).and_then(|clock| clock.now(now)) else { continue };
            let sums = one.window.sums(at);
            if sums.lines < one.rule.min_lines {
                continue;
            }
            let Some(value) = value_of(&one.rule, &sums) else { continue };
            let (severity, first_bad) = (one.rule.severity(value), one.window.first_bad());
            let finding = Finding { input: one.input, rule: &one.rule, value, severity, sums, first_bad };
            if worst.as_ref().is_none_or(|worst| (severity, value) > (worst.severity, worst.value)) {
                worst = Some(finding);
            }
        }
        worst
    }

    fn judge(
        &mut self,
        clocks: &[LogClock],
        time: &Time,
        rules: &[(Arc<str>, Vec<Arc<RulePlan>>)],
    ) -> Option<(Change, String, Arc<RulePlan>)> {
        let at = time.at();
        let (faulty_since, clear_since) = (self.faulty_since, self.clear_since);
        let worst = self.worst(clocks, time.now);
        let told = worst.as_ref().map(|worst| (message(worst, rules), worst.rule.clone()));
        let faulty = worst.and_then(|worst| Some((worst.severity?, worst.value, worst.first_bad)));
        let verdict = match faulty {
            Some((severity, value, first_bad)) => {
                let since = faulty_since.unwrap_or_else(|| first_bad.map_or(at, |first| time.of(first)));
                (self.faulty_since, self.clear_since) = (Some(since), None);
                self.note_worst(severity, value, told.as_ref());
                Verdict::Faulty { since, score: value as f32, class: severity as u8 }
            }
            None => {
                let since = clear_since.unwrap_or(at);
                (self.faulty_since, self.clear_since) = (None, Some(since));
                Verdict::Clear { since, score: 0.0 }
            }
        };
        let change = self.lifecycle.judge(at, MediaTime::from_millis(1_000), &verdict);
        let over = change.filter(|change| matches!(change.what, What::Ended(_))).map(|change| self.last_word(&change));
        if faulty.is_none() && !self.lifecycle.is_open() {
            self.worst = None;
        }
        let (message, rule) = over.or(told).unwrap_or_else(|| ("no more of it".to_owned(), self.any_rule()));
        if let Some(change) = change {
            (self.said, self.last) = (time.now, Some(change));
            return Some((change, message, rule));
        }
        let again = self.last.filter(|_| self.lifecycle.is_open() && faulty.is_some())?;
        if time.now.saturating_duration_since(self.said) < SAY_AGAIN {
            return None;
        }
        self.said = time.now;
        let value = faulty.map_or(again.value, |(_, value, _)| value as f32);
        Some((Change { what: What::Raised, value, ..again }, message, rule))
    }

    fn note_worst(&mut self, severity: Severity, value: f64, told: Option<&(String, Arc<RulePlan>)>) {
        let is_worse = self.worst.as_ref().is_none_or(|worst| (severity, value) > (worst.severity, worst.value));
        if let Some((words, rule)) = told.filter(|_| is_worse) {
            self.worst = Some(Worst { severity, value, words: words.clone(), rule: rule.clone() });
        }
    }

    /// What is said of it when it is over: how long it lasted, and the worst of it.
    fn last_word(&self, change: &Change) -> (String, Arc<RulePlan>) {
        let seconds = change.lasted.as_secs_f64();
        let Some(Worst { words, rule, .. }) = &self.worst else {
            return (format!("after {seconds:.1} s"), self.any_rule());
        };
        let threshold = rule.thresholds.first().map_or(0.0, |(from, _)| *from);
        (format!("after {seconds:.1} s; at worst {words}; threshold {}", said(rule, threshold)), rule.clone())
    }

    fn any_rule(&self) -> Arc<RulePlan> {
        self.windows.first().map(|one| one.rule.clone()).expect("a pair is judged from its first line on")
    }

    /// Whether anything of it is left.
    fn is_needed(&mut self, clocks: &[LogClock], now: Instant) -> bool {
        let is_open = self.lifecycle.is_open() || self.faulty_since.is_some();
        is_open
            || self.windows.iter_mut().any(|one| {
                let at = clocks.get(one.input).and_then(|clock| clock.now(now));
                at.is_some_and(|at| one.window.sums(at).lines > 0)
            })
    }
}

fn sums_of(rule: &RulePlan, fields: &Fields<'_>) -> Sums {
    let number = |field: &str| {
        let number = fields.get(field).and_then(|text| text.trim().parse::<f64>().ok());
        number.filter(|number| number.is_finite() && *number >= 0.0).unwrap_or(0.0)
    };
    let is_bad = rule.when.iter().all(|condition| condition.holds(fields));
    let bad = match &rule.sum {
        _ if !is_bad => 0.0,
        Some(field) => number(field),
        None => 1.0,
    };
    let of = match &rule.quantity {
        Quantity::SharePer(field) => number(field),
        Quantity::Share | Quantity::PerMinute => 1.0,
    };
    Sums { lines: 1, bad, of }
}

fn value_of(rule: &RulePlan, sums: &Sums) -> Option<f64> {
    match rule.quantity {
        Quantity::Share | Quantity::SharePer(_) => (sums.of > 0.0).then(|| sums.bad / sums.of),
        Quantity::PerMinute => Some(sums.bad * 60.0 / rule.window.as_secs_f64()),
    }
}

fn message(finding: &Finding<'_>, rules: &[(Arc<str>, Vec<Arc<RulePlan>>)]) -> String {
    let Finding { input, rule, value, sums, .. } = finding;
    let input = rules.get(*input).map_or("", |(name, _)| name);
    let seconds = rule.window.as_secs();
    format!("{}: {} in {seconds} s, {} lines of {input}", rule.name, said(rule, *value), sums.lines)
}

/// A value of a rule, as people read it.
fn said(rule: &RulePlan, value: f64) -> String {
    match rule.quantity {
        Quantity::PerMinute => format!("{value:.1} a minute"),
        Quantity::Share | Quantity::SharePer(_) => format!("{:.1} %", value * 100.0),
    }
}

fn event_change(
    card: &Arc<StreamCard>,
    detector: &'static str,
    rule: &RulePlan,
    change: &Change,
    message: String,
    time: &Time,
) -> EventChange {
    EventChange {
        card: card.clone(),
        key: EventKey { stream: card.stream.clone(), track: TrackId::INPUT, detector: detector.into() },
        program: None,
        standing: Standing::Main,
        // No session shows it: it is the stream's own word, which none fences off.
        session: SessionNumber(0),
        what: change.what.into(),
        start: change.start,
        started_at: time.wall_of(change.start),
        end: change.end,
        ended_at: change.end.map(|end| time.wall_of(end)),
        changed_at: time.wall,
        severity: change.severity,
        value: Some(change.value),
        peak: Some(change.peak),
        threshold: rule.thresholds.first().map(|(from, _)| *from as f32),
        unit: rule.unit(),
        message: match change.what {
            What::Ended(EventEnd::Cleared) => format!("over {message}"),
            _ => message,
        },
        // A rate in a window: nothing in it grows old.
        wording: None,
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
