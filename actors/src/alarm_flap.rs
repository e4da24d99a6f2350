//! Flap damping: conditions that come and go again and again become one event.
//!
//! Part of the alarm model, and as pure. The memory counts the raises of every condition within the
//! window; beyond the limit, the event that is raised then flaps: it stays open while the condition
//! comes and goes, and ends when that has been calm for as long as the window. One raise, one end.
//!
//! That an event flaps stands in its message, for the record has no field for it; a restart reads it
//! there. When it was calm in between stands in the record: reports count what was wrong, not what was open.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::rules::{FLAP_RAISES_MAX, FlapRules};
use crate::event::{CALMS_MAX, Event, EventKey, FLAPPING, Wall};

/// Most conditions whose raises are remembered; those of further ones are not counted, so they do not flap.
pub(super) const FLAP_KEYS_MAX: usize = 200_000;

/// How often what is older than the window is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// The raises of every condition within the window.
#[derive(Default)]
pub(super) struct FlapMemory {
    raises: HashMap<EventKey, VecDeque<Wall>>,
    forgotten_at: Option<Wall>,
}

impl FlapMemory {
    /// Counts a raise. Gives the flapping that begins with it, if one does.
    pub(super) fn note(&mut self, key: &EventKey, at: Wall, rules: FlapRules) -> Option<Flap> {
        let limit = rules.raises.min(FLAP_RAISES_MAX) as usize;
        if limit == 0 || (self.raises.len() >= FLAP_KEYS_MAX && !self.raises.contains_key(key)) {
            return None;
        }
        let raises = self.raises.entry(key.clone()).or_default();
        raises.push_back(at);
        // One more than the limit suffices: what is older than those cannot matter.
        while raises.len() > limit + 1 || raises.front().is_some_and(|first| at.since(*first) > rules.window) {
            raises.pop_front();
        }
        let first = *raises.front().filter(|_| raises.len() > limit)?;
        Some(Flap { first, newest: at, count: raises.len() as u64, calm: None })
    }

    /// Forgets what is older than the window, once in a while.
    pub(super) fn forget(&mut self, now: Wall, rules: FlapRules) {
        if self.forgotten_at.is_some_and(|at| now >= at && now.since(at) < FORGET_EVERY) {
            return;
        }
        self.forgotten_at = Some(now);
        self.raises.retain(|_, raises| raises.back().is_some_and(|newest| now.since(*newest) <= rules.window));
    }

    /// Forgets a stream.
    pub(super) fn forget_stream(&mut self, stream: &str) {
        self.raises.retain(|key, _| &*key.stream != stream);
    }
}

/// The flapping of one event.
#[derive(Clone, Debug)]
pub(super) struct Flap {
    first: Wall,
    newest: Wall,
    count: u64,
    /// Set while the condition does not hold.
    pub(super) calm: Option<Calm>,
}

/// The true end of a condition that may come back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calm {
    /// When it ended.
    pub(super) ended_at: Wall,
    /// The same in seconds of media time.
    pub(super) end_s: Option<f64>,
    /// When it counts as over.
    pub(super) until: Wall,
}

impl Flap {
    /// The flapping of an event from before a restart, if it flapped; its count goes on.
    pub(super) fn recover(event: &Event) -> Option<Self> {
        let digits = event.message.strip_prefix(FLAPPING)?.split(' ').next()?;
        Some(Self { first: event.started_at, newest: event.raised_at, count: digits.parse().ok()?, calm: None })
    }

    /// The same, with the condition gone.
    pub(super) fn with_calm(self, calm: Calm) -> Self {
        Self { calm: Some(calm), ..self }
    }

    /// The condition is back.
    pub(super) fn again(&mut self, at: Wall) {
        self.count += 1;
        self.newest = self.newest.max(at);
        self.calm = None;
    }

    /// What people read, before what the detector says.
    pub(super) fn message(&self, of_detector: &str, rules: FlapRules) -> String {
        // A restart under way may have put our own word before it already.
        let of_detector = match of_detector.strip_prefix(FLAPPING) {
            Some(rest) => rest.split_once(": ").map_or(rest, |(_, rest)| rest),
            None => of_detector,
        };
        let span = self.newest.since(self.first).max(rules.window).as_secs();
        let span = if span < 60 { format!("{span} s") } else { format!("{} min", span.div_ceil(60)) };
        format!("{FLAPPING}{} times in {span}: {of_detector}", self.count)
    }
}

/// Notes in an event that its condition was away from one time to another, so that nobody takes it for a fault.
pub(super) fn note_calm(event: &mut Event, from: Wall, to: Wall) {
    let seconds = |at: Wall| at.since(event.started_at).as_millis() as f64 / 1e3;
    let calm = (seconds(from), seconds(to));
    if calm.0 >= calm.1 {
        return;
    }
    event.calm_s.push(calm);
    if event.calm_s.len() > CALMS_MAX {
        let length = |calm: &(f64, f64)| calm.1 - calm.0;
        let shortest =
            (0..event.calm_s.len()).min_by(|a, b| length(&event.calm_s[*a]).total_cmp(&length(&event.calm_s[*b])));
        event.calm_s.remove(shortest.unwrap_or(0));
    }
}

#[cfg(test)]
#[path = "alarm_flap_tests.rs"]
mod tests;
