//! Small pure parts of a detector group.

use crate::detector::Verdict;
use crate::event::Wall;
use crate::media_time::MediaTime;
use crate::track::{SessionInfo, TrackInfo, TrackKind};

/// The tracks of that kind.
pub(crate) fn tracks_of(info: &SessionInfo, kind: TrackKind) -> Vec<TrackInfo> {
    info.tracks.iter().filter(|track| track.track.kind == kind).cloned().collect()
}

/// The verdict on the group's own timeline.
pub(crate) fn shift(verdict: Verdict, offset: MediaTime) -> Verdict {
    match verdict {
        Verdict::Clear { since, score } => Verdict::Clear { since: since + offset, score },
        Verdict::Faulty { since, score, class } => Verdict::Faulty { since: since + offset, score, class },
        Verdict::Undecided | Verdict::Overruled => verdict,
    }
}

/// So long before.
pub(crate) fn earlier(now: Wall, ago: MediaTime) -> Wall {
    Wall(now.0.checked_sub(ago.to_duration()).unwrap_or(now.0))
}

/// The score, if it is a number that people can read.
pub(crate) fn finite(score: f32) -> Option<f32> {
    score.is_finite().then_some(score)
}
