//! The review of a stream: where each of its open events stands, given all the others.
//!
//! Part of the alarm model, and as pure. After every change of a stream, and whenever the clock alone
//! may change something, all its open events are looked at together. The order is fixed:
//!
//! 1. **Causes**: which open events explain others, by the table [`super::rules::CAUSES`]; those that
//!    ended explain what began before their end, for a grace.
//! 2. **Combination**: a picture and a main sound that are gone together raise the picture's severity.
//! 3. **State**: what holds each event back, and where it stands ([`super::acts`]).
//! 4. **Flapping**: an event that was calm for long enough ends.

use std::sync::Arc;
use std::time::Duration;

use super::AlarmModel;
use super::acts::{HeldBack, give_back, is_snoozed_out, settle};
use super::open::{Open, of_stream, of_stream_mut};
use super::rules::{
    AlarmRules, CAUSES, Cause, Combining, OBSERVED, Telling, is_explained, is_picture_gone, is_sound_gone,
    mark_of_cause,
};
use crate::event::{Event, EventEnd, EventKey, Standing, Wall};
use crate::severity::Severity;
use crate::silence::Silence;
use crate::track::TrackKind;

/// What begins within this time before the end of a cause, or later, stands for itself: ends and begins are
/// told by different clocks, so what comes with the return of an input may seem to begin a moment before it.
const BOUNDARY: Duration = Duration::from_secs(1);

/// What the model remembers of a stream beside its open events.
#[derive(Default)]
pub(super) struct StreamBook {
    /// Causes that ended a moment ago, at most one of each kind.
    over: Vec<OverCause>,
    /// When the clock alone may change something.
    pub(super) due: Option<Wall>,
}

/// A cause that is over.
struct OverCause {
    cause: &'static Cause,
    id: String,
    ended_at: Wall,
    until: Wall,
}

/// A cause that counts now.
struct Ground {
    cause: &'static Cause,
    id: String,
    /// Set when it is over.
    ended_at: Option<Wall>,
}

impl Ground {
    fn explains(&self, event: &Event) -> bool {
        let follows = |ended_at: Wall| event.started_at.after(BOUNDARY) < ended_at;
        self.cause.explains(&event.detector) && self.ended_at.is_none_or(follows)
    }
}

/// A picture that is gone, and since when.
struct Gone {
    key: EventKey,
    id: String,
    since: Wall,
}

impl AlarmModel {
    /// Looks at all open events of a stream; returns those that changed.
    pub(super) fn review(&mut self, stream: &Arc<str>, now: Wall) -> Vec<Event> {
        let causes = self.causes_of(stream, now);
        let mut due = self.combine(stream, &causes, now);
        let telling = self.telling(stream);
        let (mut events, mut over) = (Vec::new(), Vec::new());
        for (key, open) in of_stream_mut(&mut self.open, stream) {
            if is_snoozed_out(open, now) {
                give_back(&mut open.event);
            }
            let held = held_back(&open.event, telling, &self.silences, &causes, now);
            if settle(open, held) || open.is_due {
                open.is_due = false;
                open.event.changed_at = now;
                open.reword(now);
                self.sequence += 1;
                events.push(open.tell(self.sequence));
            }
            if let Some(calm) = open.flap.as_ref().and_then(|flap| flap.calm) {
                if calm.until <= now { over.push(key.clone()) } else { due = earlier(due, Some(calm.until)) }
            }
        }
        for key in over {
            events.extend(self.end_flapping(&key, now));
        }
        let book = self.books.get(stream);
        due = earlier(due, book.and_then(|book| book.over.iter().map(|over| over.until).min()));
        self.expect(stream, due);
        events
    }

    /// Finds out where an event stands that is over in the same moment, and never open.
    pub(super) fn settle_moment(&mut self, open: &mut Open, now: Wall) {
        let stream = open.event.stream.clone();
        let causes = self.causes_of(&stream, now);
        let held = held_back(&open.event, self.telling(&stream), &self.silences, &causes, now);
        settle(open, held);
    }

    fn telling(&self, stream: &str) -> Telling {
        self.rules.streams.get(stream).map_or(Telling::default(), |rules| rules.telling)
    }

    /// Reviews every stream whose time has come.
    pub(super) fn review_due(&mut self, now: Wall) -> Vec<Event> {
        if self.next_due.is_none_or(|due| now < due) {
            return Vec::new();
        }
        let is_due = |book: &StreamBook| book.due.is_some_and(|due| due <= now);
        let due = self.books.iter().filter(|(_, book)| is_due(book));
        let mut due: Vec<Arc<str>> = due.map(|(stream, _)| stream.clone()).collect();
        due.sort();
        let events = due.iter().flat_map(|stream| self.review(stream, now)).collect();
        self.next_due = self.books.values().filter_map(|book| book.due).min();
        events
    }

    fn expect(&mut self, stream: &Arc<str>, due: Option<Wall>) {
        self.next_due = earlier(self.next_due, due);
        match self.books.get_mut(stream) {
            Some(book) => {
                book.due = due;
                if due.is_none() && book.over.is_empty() {
                    self.books.remove(stream);
                }
            }
            None if due.is_some() => {
                self.books.insert(stream.clone(), StreamBook { over: Vec::new(), due });
            }
            None => {}
        }
    }

    /// What counts as a cause on a stream, in the order of the table.
    fn causes_of(&mut self, stream: &Arc<str>, now: Wall) -> Vec<Ground> {
        let mut causes = Vec::new();
        for (key, open) in of_stream(&self.open, stream) {
            let is_calm = open.flap.as_ref().is_some_and(|flap| flap.calm.is_some());
            if let Some(cause) = Cause::of(&key.detector).filter(|_| !is_calm) {
                causes.push(Ground { cause, id: open.event.id.clone(), ended_at: None });
            }
        }
        if let Some(book) = self.books.get_mut(stream) {
            book.over.retain(|over| now < over.until);
            causes.extend(book.over.iter().map(|over| Ground {
                cause: over.cause,
                id: over.id.clone(),
                ended_at: Some(over.ended_at),
            }));
        }
        let place = |cause: &Ground| CAUSES.iter().position(|known| known.detector == cause.cause.detector);
        causes.sort_by_key(|cause| (cause.ended_at.is_some(), place(cause)));
        causes
    }

    /// Remembers that an event which may be a cause is over.
    pub(super) fn note_over(&mut self, event: &Event, ended_at: Wall, now: Wall) {
        let Some(cause) = Cause::of(&event.detector) else { return };
        let until = now.after(self.rules.cause_grace);
        let book = self.books.entry(event.stream.clone()).or_default();
        book.over.retain(|over| over.cause.detector != cause.detector);
        book.over.push(OverCause { cause, id: event.id.clone(), ended_at, until });
        self.next_due = earlier(self.next_due, Some(until));
    }

    /// Nothing that ended explains anything any more.
    pub(super) fn forget_causes(&mut self, stream: &str) {
        self.books.remove(stream);
    }

    /// Judges picture and sound together; says when to look again.
    fn combine(&mut self, stream: &Arc<str>, causes: &[Ground], now: Wall) -> Option<Wall> {
        let rules = self.rules.clone();
        let apart = rules.streams.get(stream).is_some_and(|rules| rules.combining == Combining::Apart);
        let first = rules.combination.iter().map(|(hold, _)| *hold).min().filter(|_| !apart)?;
        let is_free = |open: &Open| !causes.iter().any(|cause| cause.explains(&open.event));
        let gone = |is_side: fn(&EventKey, &Open) -> bool| {
            let side = of_stream(&self.open, stream).filter(|(key, open)| is_side(key, open) && is_free(open));
            side.filter_map(|(key, open)| {
                Some(Gone { key: key.clone(), id: open.event.id.clone(), since: open.holds_since()? })
            })
            .collect::<Vec<Gone>>()
        };
        let mut pictures = gone(|key, open| is_main(key, open, TrackKind::Video) && is_picture_gone(&key.detector));
        let sounds = gone(|key, open| is_main(key, open, TrackKind::Audio) && is_sound_gone(&key.detector));
        pictures.sort_by_key(|gone| gone.since);
        let silent_since = sounds.iter().map(|gone| gone.since).min()?;
        let mut due = None;
        for picture in &pictures {
            let since = picture.since.max(silent_since);
            due = earlier(due, self.worsen_together(&rules, picture, since, now));
        }
        let longest = pictures.first()?;
        for sound in &sounds {
            let both = longest.since.max(sound.since).after(first);
            if now < both {
                due = earlier(due, Some(both));
            } else if let Some(open) = self.open.get_mut(&sound.key)
                && open.event.parent_id.is_none()
            {
                open.event.parent_id = Some(longest.id.clone());
                open.is_due = true;
            }
        }
        due
    }

    /// Gives a picture's event the severity that follows from how long the sound is gone as well.
    fn worsen_together(&mut self, rules: &AlarmRules, picture: &Gone, since: Wall, now: Wall) -> Option<Wall> {
        let open = self.open.get_mut(&picture.key)?;
        let reached = |(hold, _): &&(Duration, Severity)| since.after(*hold) <= now;
        let severity = rules.combination.iter().filter(reached).map(|(_, severity)| *severity).max();
        if let Some(severity) = severity.filter(|severity| *severity > open.event.severity) {
            let text = open.word_together(since, now);
            open.event.message = open.flap.as_ref().map_or(text.clone(), |flap| flap.message(&text, rules.flapping));
            self.reached.push(open.worsen(severity));
        }
        let worse = rules.combination.iter().filter(|(_, severity)| *severity > open.event.severity);
        worse.map(|(hold, _)| since.after(*hold)).filter(|at| *at > now).min()
    }

    fn end_flapping(&mut self, key: &EventKey, now: Wall) -> Option<Event> {
        let mut open = self.open.remove(key)?;
        let calm = open.flap.as_ref()?.calm?;
        open.event.end_s = calm.end_s.filter(|_| !open.is_recovered);
        Some(self.finish(open, EventEnd::Cleared, calm.ended_at, now))
    }
}

/// Whether an event is about the main track of a kind.
fn is_main(key: &EventKey, open: &Open, kind: TrackKind) -> bool {
    key.track.kind == kind && open.standing == Standing::Main
}

/// What holds an event back: observing, a silence, or a cause; the first that does is named.
fn held_back(event: &Event, telling: Telling, silences: &[Silence], causes: &[Ground], now: Wall) -> HeldBack {
    let cause = causes.iter().find(|cause| cause.explains(event)).map(|cause| cause.id.clone());
    let mark = match telling {
        Telling::Observe => Some(OBSERVED.to_owned()),
        Telling::Live => {
            let silence = silences.iter().find(|silence| silence.is_active(now) && silence.matchers.match_event(event));
            silence.map(Silence::mark).or_else(|| cause.as_deref().map(mark_of_cause))
        }
    };
    HeldBack { mark, cause }
}

impl Open {
    /// Since when the condition holds, less the time that it was away; absent while it does not, and while it
    /// is not known whether it does.
    fn holds_since(&self) -> Option<Wall> {
        (self.confirm_until.is_none() && !self.is_away()).then(|| self.holds_from.after(self.faded))
    }

    /// True while the condition is away, though that is no end yet: for a moment, or while it flaps and is calm.
    pub(super) fn is_away(&self) -> bool {
        self.fades_since.is_some() || self.flap.as_ref().is_some_and(|flap| flap.calm.is_some())
    }

    /// True while an event that was held back is not to be told, whatever no longer holds it back: its condition is
    /// away, or it is not known whether the cause that explained it still holds, before it is confirmed after a restart.
    pub(super) fn stays_held(&self) -> bool {
        self.is_away() || (self.confirm_until.is_some() && is_explained(&self.event))
    }
}

/// The earlier of two times that may not come.
pub(super) fn earlier(one: Option<Wall>, other: Option<Wall>) -> Option<Wall> {
    [one, other].into_iter().flatten().min()
}

#[cfg(test)]
#[path = "alarm_review_tests.rs"]
mod tests;
