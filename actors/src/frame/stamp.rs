//! The stamp: which frame this is and when it was what.

use std::time::Instant;

use crate::media_time::MediaTime;
use crate::track::{SessionNumber, TrackId};

/// The raw timestamps of a packet or frame, before any repair, in the track's own time base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceTime {
    /// Presentation timestamp as sent, if any.
    pub pts: Option<i64>,
    /// Decoding timestamp as sent, if any.
    pub dts: Option<i64>,
    /// Time base: seconds per tick, as numerator and denominator.
    pub base: (i32, i32),
}

/// What the timeline repair had to do to give a frame its media time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repair {
    /// Nothing: the sent timestamp was used as it is.
    #[default]
    None,
    /// There was no timestamp: counted on from the previous frame.
    Counted,
    /// The timestamp went backwards or stood still: counted on.
    Backward,
    /// The timestamp jumped: the track's offset was changed so that time goes on.
    Rebased,
    /// The counter wrapped (33 bit in MPEG-TS): unwrapped.
    Wrapped,
}

/// Which frame this is, where on the timeline it belongs, and when it passed which stage.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// The track it belongs to.
    pub track: TrackId,
    /// The session it came from.
    pub session: SessionNumber,
    /// Number of the frame within its track and session, from 0.
    pub seq: u64,
    /// When it is shown or heard.
    pub media_time: MediaTime,
    /// For how long.
    pub lasts: MediaTime,
    /// The raw timestamps, kept whatever the repair did.
    pub source_time: Option<SourceTime>,
    /// What the repair did.
    pub repair: Repair,
    /// When the packet that completed it arrived.
    pub arrived: Instant,
    /// When it was decoded and measured.
    pub ready: Instant,
}

impl Stamp {
    /// When the frame ends.
    pub fn end(&self) -> MediaTime {
        self.media_time + self.lasts
    }
}
