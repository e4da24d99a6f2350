//! Pacing: lets items leave no faster than a multiple of real time.
//!
//! A decorator around a source, on the session's thread. Waits in short slices, beating, and ends
//! a wait at the cut.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::ingest::time_of;
use crate::item::Item;
use crate::lifeline::{Lifeline, Phase};
use crate::media_time::MediaTime;
use crate::source::{FrameSource, SourceError};

/// Longest single sleep.
const SLICE: Duration = Duration::from_millis(50);

/// A source that has fallen this far behind is not hurried to make up for it.
const BEHIND_MAX: Duration = Duration::from_secs(1);

/// How fast items may leave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as the lanes take them. For checking files.
    Unbound,
    /// At most twice real time. For live inputs, whose bursts would flood the lanes.
    Burst,
    /// At real time. For files and synthetic pictures that play a live stream.
    RealTime,
}

impl Pace {
    fn rate(self) -> Option<f64> {
        match self {
            Self::Unbound => None,
            Self::Burst => Some(2.0),
            Self::RealTime => Some(1.0),
        }
    }
}

/// A paced source.
pub struct Paced {
    source: Box<dyn FrameSource>,
    rate: Option<f64>,
    line: Arc<Lifeline>,
    anchor: Option<(Instant, MediaTime)>,
}

impl Paced {
    /// Wraps a source.
    pub fn new(source: Box<dyn FrameSource>, pace: Pace, line: Arc<Lifeline>) -> Self {
        Self { source, rate: pace.rate(), line, anchor: None }
    }

    fn wait_for(&mut self, at: MediaTime, rate: f64) {
        let now = Instant::now();
        let (from, origin) = *self.anchor.get_or_insert((now, at));
        let due = due_at(from, origin, at, rate);
        // Times far from the anchor are a jump of the timeline, not something to wait for.
        let is_jump = due > now + Duration::from_secs(30);
        if is_jump || now.saturating_duration_since(due) > BEHIND_MAX {
            self.anchor = Some((now, at));
            return;
        }
        if due <= now {
            return;
        }
        let phase = self.line.phase();
        self.line.enter(Phase::Waiting);
        while !self.line.is_cut() {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            std::thread::sleep(left.min(SLICE));
            self.line.beat();
        }
        self.line.enter(phase);
        self.line.held(now.elapsed());
    }
}

/// Moves a frame's stamps on by the time that it was held back on purpose: that is no latency.
fn postpone(item: &mut Item, held: Duration) {
    let stamp = match item {
        // Nobody else has the frame yet; were it shared, its stamps would have to stay.
        Item::Video(frame) => Arc::get_mut(frame).map(|frame| &mut frame.stamp),
        Item::Audio(frame) => Arc::get_mut(frame).map(|frame| &mut frame.stamp),
        Item::Started(_) | Item::Packets(_) | Item::Clock(_) | Item::Gap(_) | Item::Ended(_) => None,
    };
    if let Some(stamp) = stamp {
        stamp.arrived += held;
        stamp.ready += held;
    }
}

/// When something at `at` may leave.
fn due_at(from: Instant, origin: MediaTime, at: MediaTime, rate: f64) -> Instant {
    from + (at - origin).to_duration().div_f64(rate)
}

impl FrameSource for Paced {
    fn next(&mut self) -> Result<Option<Item>, SourceError> {
        let mut item = self.source.next()?;
        if let (Some(rate), Some(at)) = (self.rate, item.as_ref().and_then(time_of)) {
            let begin = Instant::now();
            self.wait_for(at, rate);
            if let Some(item) = &mut item {
                postpone(item, begin.elapsed());
            }
        }
        Ok(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_real_time_halves_the_wait() {
        let from = Instant::now();
        let due = due_at(from, MediaTime::from_millis(1_000), MediaTime::from_millis(5_000), 2.0);
        assert_eq!(due - from, Duration::from_secs(2));
    }

    #[test]
    fn what_lies_before_the_anchor_is_due_at_once() {
        let from = Instant::now();
        assert_eq!(due_at(from, MediaTime::from_millis(1_000), MediaTime::ZERO, 1.0), from);
    }
}
