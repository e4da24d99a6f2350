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

/// What is due within this time leaves at once where no real time is played: pictures that are decoded one after the other
/// find in the caches what they refer to, and each wait costs as much as some ten frames take to be judged.
const TOGETHER: Duration = Duration::from_millis(100);

/// A source that has fallen this far behind is not hurried to make up for it.
const BEHIND_MAX: Duration = Duration::from_secs(1);

/// So many times faster may leave what lies behind something else that has left: containers that hold seconds of
/// pictures and then the sound of the same seconds would else take the time of both.
const CATCHING_UP: f64 = 8.0;

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
    anchor: Option<Anchor>,
    /// The furthest that anything has come.
    furthest: Option<MediaTime>,
    /// The same as `anchor` of what lies behind that.
    behind: Option<Anchor>,
}

/// What left when.
type Anchor = (Instant, MediaTime);

impl Paced {
    /// Wraps a source.
    pub fn new(source: Box<dyn FrameSource>, pace: Pace, line: Arc<Lifeline>) -> Self {
        Self { source, rate: pace.rate(), line, anchor: None, furthest: None, behind: None }
    }

    /// When something may leave, if that is later than now.
    fn due(&mut self, at: MediaTime, rate: f64, now: Instant) -> Option<Instant> {
        let is_behind = self.furthest.is_some_and(|furthest| at < furthest);
        let rate = if is_behind { rate * CATCHING_UP } else { rate };
        if !is_behind {
            self.furthest = Some(at);
        }
        let anchor = if is_behind { &mut self.behind } else { &mut self.anchor };
        let (from, origin) = *anchor.get_or_insert((now, at));
        let due = due_at(from, origin, at, rate);
        // Times far from the anchor are a jump of the timeline, not something to wait for.
        let is_jump = due > now + Duration::from_secs(30);
        if is_jump || now.saturating_duration_since(due) > BEHIND_MAX {
            *anchor = Some((now, at));
            return None;
        }
        (due > now).then_some(due)
    }

    /// Whether what is due in that time leaves at once. What lies behind leaves fast enough.
    fn leaves_early(&self, at: MediaTime, wait: Duration) -> bool {
        self.rate.is_some_and(|rate| rate > 1.0) && self.furthest == Some(at) && wait < TOGETHER
    }

    fn wait_for(&mut self, at: MediaTime, rate: f64) {
        let now = Instant::now();
        let Some(due) = self.due(at, rate, now).filter(|due| !self.leaves_early(at, *due - now)) else { return };
        let phase = self.line.phase();
        self.line.enter(Phase::Waiting);
        self.line.rests();
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

    struct Nothing;
    impl FrameSource for Nothing {
        fn next(&mut self) -> Result<Option<Item>, SourceError> {
            Ok(None)
        }
    }

    /// How long pictures and sound of segments of four seconds take, one after the other, on a clock of its own.
    fn time_of_segments(pace: Pace, segments: i64) -> Duration {
        let mut paced = Paced::new(Box::new(Nothing), pace, Arc::default());
        let rate = pace.rate().unwrap();
        let begin = Instant::now();
        let mut now = begin;
        for segment in 0..segments {
            // 25 pictures a second, and 50 blocks of sound a second.
            for distance in [40, 20] {
                for place in 0..4_000 / distance {
                    let at = MediaTime::from_millis(segment * 4_000 + place * distance);
                    now = paced.due(at, rate, now).unwrap_or(now);
                }
            }
        }
        now - begin
    }

    #[test]
    fn a_segment_with_all_pictures_before_all_sound_does_not_take_the_time_of_both() {
        let live = time_of_segments(Pace::Burst, 10).as_secs_f64();
        assert!((19.0..28.0).contains(&live), "40 s of a live input took {live} s");
        let played = time_of_segments(Pace::RealTime, 10).as_secs_f64();
        assert!((39.0..43.0).contains(&played), "40 s played in real time took {played} s");
    }

    #[test]
    fn what_is_due_soon_leaves_at_once_but_where_real_time_is_played() {
        let second = MediaTime::from_millis(1_000);
        let early = |pace, at, wait| {
            let mut paced = Paced::new(Box::new(Nothing), pace, Arc::default());
            paced.furthest = Some(second);
            paced.leaves_early(at, wait)
        };
        assert_eq!(
            [Pace::Unbound, Pace::Burst, Pace::RealTime].map(|pace| early(pace, second, TOGETHER / 2)),
            [false, true, false]
        );
        assert!(!early(Pace::Burst, second, TOGETHER));
        assert!(!early(Pace::Burst, MediaTime::ZERO, TOGETHER / 2), "it lies behind");
    }

    #[test]
    fn what_lies_before_the_anchor_is_due_at_once() {
        let from = Instant::now();
        assert_eq!(due_at(from, MediaTime::from_millis(1_000), MediaTime::ZERO, 1.0), from);
    }
}
