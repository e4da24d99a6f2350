//! When a frame is due: by the schedule of who makes or sends it, whatever the machine makes of it. Pure.

use std::sync::Arc;
use std::time::Instant;

use avwatch_actors::frame::Stamp;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::TrackKind;

use super::rota::Rota;
use crate::synthetic::FrameRate;

/// Blocks of made sound a second.
const BLOCKS: FrameRate = FrameRate { numerator: 50, denominator: 1 };

/// How it is known when a stream's frames are due.
#[derive(Clone)]
pub enum DueClock {
    /// Made in process: at its media time.
    Made {
        /// When media time zero is due.
        begin: Instant,
        /// Pictures a second.
        pictures: FrameRate,
    },
    /// Sent at the clip's own rate: when the last byte that a decoder needs for it leaves by the sender's schedule.
    Sent {
        /// When the first byte of the first round was due.
        zero: Instant,
        /// What is sent.
        rota: Arc<Rota>,
    },
    /// Fetched when the receiver likes (HLS): no schedule of the sender says when. Counted from when it was read.
    Fetched {
        /// What is sent.
        rota: Arc<Rota>,
    },
}

impl DueClock {
    /// When the frame was due.
    pub fn due(&self, stamp: &Stamp) -> Instant {
        match self {
            Self::Made { begin, .. } => *begin + stamp.media_time.to_duration(),
            Self::Sent { zero, rota } => match ticks(stamp).and_then(|pts| rota.due(stamp.track.kind, pts)) {
                Some(due) => *zero + due,
                None => stamp.arrived,
            },
            Self::Fetched { .. } => stamp.arrived,
        }
    }

    /// Frames of a track that are due in that span; nothing where no schedule says so.
    pub fn expected(&self, kind: TrackKind, from: Instant, to: Instant) -> Option<u64> {
        match self {
            Self::Made { begin, pictures } => {
                let rate = if kind == TrackKind::Audio { BLOCKS } else { *pictures };
                let number = |at: Instant| rate.first_at(at.saturating_duration_since(*begin).into());
                Some(number(to).saturating_sub(number(from)))
            }
            Self::Sent { zero, rota } => {
                let after = |at: Instant| at.saturating_duration_since(*zero);
                Some(rota.count_due(kind, after(from), after(to)))
            }
            Self::Fetched { .. } => None,
        }
    }

    /// Where the frame stands on the plan's timeline, which goes on over all rounds.
    pub fn plan_time(&self, stamp: &Stamp) -> Option<MediaTime> {
        match self {
            Self::Made { .. } => Some(stamp.media_time),
            Self::Sent { rota, .. } | Self::Fetched { rota } => Some(rota.plan_time(ticks(stamp)?)),
        }
    }
}

/// The sent timestamp in ticks of 90 kHz.
fn ticks(stamp: &Stamp) -> Option<i64> {
    let source = stamp.source_time?;
    let pts = i128::from(source.pts?);
    let (numerator, denominator) = (i128::from(source.base.0), i128::from(source.base.1));
    i64::try_from(pts * numerator * 90_000 / denominator.max(1)).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn neighbouring_spans_share_no_frame_and_lose_none() {
        let begin = Instant::now();
        let clock = DueClock::Made { begin, pictures: FrameRate { numerator: 30_000, denominator: 1_001 } };
        let at = |millis| begin + Duration::from_millis(millis);
        let count = |from, to| clock.expected(TrackKind::Video, at(from), at(to)).unwrap_or_default();
        assert_eq!(count(0, 1_001), 30);
        assert_eq!(count(0, 333) + count(333, 667) + count(667, 1_001), 30);
        assert_eq!(clock.expected(TrackKind::Audio, at(10), at(1_010)), Some(50));
    }
}
