//! One track's part of the timeline: unwrapping, and settling small deviations.

use avwatch_actors::frame::Repair;
use avwatch_actors::item::TimelineSign;
use avwatch_actors::media_time::MediaTime;

use super::Placed;

/// Sound that deviates less than this keeps to its own sample clock or its timestamps without a mark.
const SOUND_TOLERANCE: MediaTime = MediaTime::from_millis(20);
/// Rounding of timestamps that sound ignores in favour of its sample clock.
const ROUNDING: MediaTime = MediaTime::from_millis(2);
/// From here on, a hole is told even where pictures come at no steady rate.
const LONG_HOLE: MediaTime = MediaTime::from_millis(1_000);

/// Whether a track is counted in samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sound {
    Yes,
    No,
}

/// How a track counts time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clockwork {
    /// Seconds per tick as numerator and denominator.
    pub base: (i32, i32),
    /// Bits of the counter, when it wraps.
    pub wrap_bits: Option<u32>,
    pub sound: Sound,
    /// Frames come at one steady rate.
    pub steady: bool,
}

/// A jump that waits for a second frame to confirm it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// Raw time of the frame that jumped.
    pub raw: MediaTime,
    /// Raw time at which the next is due if the jump is real.
    pub next_raw: MediaTime,
    /// Where that frame was put.
    pub placed: MediaTime,
    /// Where the track ended before it.
    pub end_before: MediaTime,
}

#[derive(Debug)]
pub(super) struct TrackLine {
    pub clockwork: Clockwork,
    /// Ticks added for wraps so far.
    wraps: i64,
    last_ticks: Option<i64>,
    /// From raw to media time.
    pub shift: Option<MediaTime>,
    /// The epoch that the shift belongs to.
    pub epoch: u32,
    pub start: Option<MediaTime>,
    pub end: Option<MediaTime>,
    /// How far the source is behind what was counted on.
    behind: MediaTime,
    pub candidate: Option<Candidate>,
    pub announced: bool,
}

impl TrackLine {
    pub(super) fn new(clockwork: Clockwork) -> Self {
        Self {
            clockwork,
            wraps: 0,
            last_ticks: None,
            shift: None,
            epoch: 0,
            start: None,
            end: None,
            behind: MediaTime::ZERO,
            candidate: None,
            announced: false,
        }
    }

    pub(super) fn nanos(&self, ticks: i64) -> MediaTime {
        MediaTime::from_ticks(ticks, self.clockwork.base.0, self.clockwork.base.1)
    }

    /// Ticks as if the counter never wrapped, and the wraps that this takes.
    pub(super) fn unwrapped(&self, raw: i64) -> (i64, i64) {
        let ticks = raw.saturating_add(self.wraps);
        let (Some(last), Some(bits)) = (self.last_ticks, self.clockwork.wrap_bits) else { return (ticks, 0) };
        let period = 1_i64 << bits.min(62);
        let step = ticks.saturating_sub(last);
        if step < -(period / 2) {
            (ticks.saturating_add(period), period)
        } else if step > period / 2 {
            (ticks.saturating_sub(period), -period)
        } else {
            (ticks, 0)
        }
    }

    /// The same, remembered; true when the counter wrapped here.
    pub(super) fn unwrap(&mut self, raw: i64) -> (i64, bool) {
        let (ticks, wrap) = self.unwrapped(raw);
        self.wraps = self.wraps.saturating_add(wrap);
        self.last_ticks = Some(ticks);
        (ticks, wrap != 0)
    }

    pub(super) fn move_to(&mut self, epoch: u32, shift: MediaTime) {
        self.epoch = epoch;
        self.shift = Some(shift);
        self.behind = MediaTime::ZERO;
    }

    /// Places a frame whose time is near where it is due.
    pub(super) fn settle(&mut self, sent: MediaTime) -> Placed {
        let (Some(start), Some(end)) = (self.start, self.end) else {
            return Placed { at: sent, repair: Repair::None, sign: None, gap_from: None };
        };
        let distance = sent - end;
        let hole = match self.clockwork.sound {
            Sound::Yes => distance >= SOUND_TOLERANCE,
            // One and a half frames from start to start.
            Sound::No => {
                distance.as_nanos() > (end - start).as_nanos() / 2 && (self.clockwork.steady || distance >= LONG_HOLE)
            }
        };
        if hole {
            self.behind = MediaTime::ZERO;
            let sign = Some(TimelineSign::Gap { missing: distance });
            return Placed { at: sent, repair: Repair::None, sign, gap_from: Some(end) };
        }
        let back = match self.clockwork.sound {
            Sound::Yes => distance <= MediaTime::ZERO - SOUND_TOLERANCE || sent <= start,
            Sound::No => sent <= start,
        };
        if back {
            return self.fall_behind(start, end, sent);
        }
        self.behind = MediaTime::ZERO;
        let at = match self.clockwork.sound {
            Sound::Yes if distance.distance(MediaTime::ZERO) <= ROUNDING.max(self.nanos(1)) => end,
            _ => sent,
        };
        Placed { at, repair: Repair::None, sign: None, gap_from: None }
    }

    /// Counts on; tells it once, and again only when it falls further behind.
    fn fall_behind(&mut self, start: MediaTime, end: MediaTime, sent: MediaTime) -> Placed {
        let behind = end - sent;
        let sign = (behind - self.behind >= SOUND_TOLERANCE).then(|| {
            if sent > start { TimelineSign::Overlap { by: behind } } else { TimelineSign::Backward { by: behind } }
        });
        self.behind = self.behind.max(behind);
        Placed { at: end, repair: Repair::Backward, sign, gap_from: None }
    }
}
