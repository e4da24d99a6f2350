//! The book: seconds that are not yet written, by stream.
//!
//! Owned by the journal's thread; pure. A second is written once it is 15 seconds old: readings of a burst and the
//! severity of events that are back-dated still find it. What comes later than that is counted as late.

use std::collections::BTreeMap;
use std::sync::Arc;

use avwatch_actors::severity::Severity;

use super::stretch::{LatencyReading, Stretch};
use crate::live::StreamReading;

/// Age at which a second is written.
pub(super) const CLOSED_AFTER: u64 = 15;

/// How long a stream of which nothing is noted any more is known, so that what is late still counts as late.
const FORGOTTEN_AFTER: u64 = 60;

/// Seconds of a stream that wait while the database takes none; the oldest go and are counted.
const WAITING_MAX: usize = 300;

/// Seconds that wait, by stream.
#[derive(Debug, Default)]
pub(super) struct Book {
    streams: BTreeMap<Arc<str>, Page>,
    /// Readings that came too late or found no room.
    pub(super) lost: u64,
}

/// The seconds of one stream.
#[derive(Debug, Default)]
struct Page {
    seconds: BTreeMap<u64, Stretch>,
    /// Seconds before this one are written.
    written: u64,
    /// The newest second that anything was noted of.
    noted: u64,
    /// Seconds of the minute that is being written.
    minute: Vec<Stretch>,
}

/// What is to be written of one stream.
#[derive(Debug, Default)]
pub(super) struct Closed {
    pub(super) stream: Arc<str>,
    pub(super) seconds: Vec<Stretch>,
    pub(super) minutes: Vec<Stretch>,
}

impl Book {
    /// Notes how a stream stands in the second `now`, how long its frames took, and the severities that are open
    /// with when they began. Nothing but its bytes is looked at while it is `blind`.
    pub(super) fn state(
        &mut self,
        stream: &Arc<str>,
        now: u64,
        (up, is_blind): (bool, bool),
        latency_s: Option<LatencyReading>,
        open: &[(u64, Severity)],
    ) {
        let page = self.streams.entry(stream.clone()).or_default();
        page.noted = page.noted.max(now);
        let up = f32::from(u8::from(up));
        let blind = u32::from(is_blind);
        let known = Stretch { at: now, lasts: 1, known: 1, blind, up, latency_s, ..Stretch::default() };
        if now >= page.written {
            let second = page.seconds.entry(now).or_insert(known);
            (second.up, second.latency_s, second.blind) = (up, latency_s, blind);
        }
        for (since, severity) in open {
            for (_, second) in page.seconds.range_mut(*since..=now.max(*since)) {
                second.worst = second.worst.max(Some(*severity));
            }
        }
    }

    /// Notes a reading.
    pub(super) fn reading(&mut self, stream: &Arc<str>, reading: &StreamReading) {
        let page = self.streams.entry(stream.clone()).or_default();
        page.noted = page.noted.max(reading.second);
        if reading.second < page.written {
            self.lost += 1;
            return;
        }
        let told = Stretch::of_reading(reading);
        match page.seconds.get_mut(&reading.second) {
            // The state is known by itself: a second that was read in part was up at least so long.
            Some(second) if second.pictures.is_empty() && second.sounds.is_empty() => {
                *second = Stretch { worst: second.worst, latency_s: second.latency_s, blind: second.blind, ..told };
            }
            Some(second) => *second = Stretch::of(second.at, 1, &[second.clone(), told]),
            None => {
                page.seconds.insert(reading.second, told);
            }
        }
    }

    /// Takes out what is old enough to be written at `now`; minutes that are complete with it.
    pub(super) fn close(&mut self, now: u64) -> Vec<Closed> {
        let until = now.saturating_sub(CLOSED_AFTER);
        let mut closed = Vec::new();
        for (name, page) in &mut self.streams {
            let later = page.seconds.split_off(&until);
            let seconds: Vec<Stretch> = std::mem::replace(&mut page.seconds, later).into_values().collect();
            page.written = page.written.max(until);
            let mut minutes = Vec::new();
            for second in &seconds {
                if page.minute.last().is_some_and(|last| last.at / 60 != second.at / 60) {
                    minutes.extend(page.take_minute());
                }
                page.minute.push(second.clone());
            }
            if page.minute.last().is_some_and(|last| (last.at / 60 + 1) * 60 <= until) {
                minutes.extend(page.take_minute());
            }
            if !seconds.is_empty() || !minutes.is_empty() {
                closed.push(Closed { stream: name.clone(), seconds, minutes });
            }
        }
        // A stream that is gone leaves nothing behind.
        self.streams.retain(|_, page| {
            !page.seconds.is_empty() || !page.minute.is_empty() || page.noted + FORGOTTEN_AFTER > now
        });
        closed
    }

    /// Everything that waits, as at the end.
    pub(super) fn close_all(&mut self, now: u64) -> Vec<Closed> {
        let mut closed = self.close(now + CLOSED_AFTER + 1);
        for (name, page) in &mut self.streams {
            let minutes: Vec<Stretch> = page.take_minute().into_iter().collect();
            closed.push(Closed { stream: name.clone(), seconds: Vec::new(), minutes });
        }
        closed
    }

    /// Throws the oldest seconds away while the database takes none.
    pub(super) fn bound(&mut self) {
        for page in self.streams.values_mut() {
            while page.seconds.len() > WAITING_MAX {
                page.seconds.pop_first();
                self.lost += 1;
            }
        }
    }
}

impl Page {
    fn take_minute(&mut self) -> Option<Stretch> {
        let seconds = std::mem::take(&mut self.minute);
        let first = seconds.first()?;
        Some(Stretch::of(first.at / 60 * 60, 60, &seconds))
    }
}
