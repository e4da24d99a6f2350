//! How far the stream as a whole has come: the clock by which absence is recognised.
//!
//! The clock follows the slowest living track, because frames of it are still on their way: a
//! multiplex delivers sound and picture up to a second apart, and a decoder holds pictures back to
//! reorder them. A track that falls further behind than it ever did while alive no longer holds the
//! clock back: then it is missing, and the clock says so. Pure, one per session.

use avwatch_actors::media_time::MediaTime;

/// How far a track may always trail before it counts as missing.
const TRAIL_MIN: MediaTime = MediaTime::from_millis(1_000);
/// How far a track may trail at most, if it was seen to.
const TRAIL_MAX: MediaTime = MediaTime::from_millis(3_000);

/// The clock of one session.
#[derive(Debug, Default)]
pub(crate) struct StreamClock {
    ends: Vec<Option<MediaTime>>,
    newest: Option<MediaTime>,
    /// The longest that a living track trailed, between the two bounds.
    trail: MediaTime,
    now: Option<MediaTime>,
}

impl StreamClock {
    /// Takes down that a track was delivered up to `end`.
    pub(crate) fn delivered(&mut self, track: usize, end: MediaTime) {
        if self.ends.len() <= track {
            self.ends.resize(track + 1, None);
        }
        let before = self.ends[track];
        self.ends[track] = before.max(Some(end));
        if let (Some(newest), Some(before)) = (self.newest, before) {
            // What it trailed by just before it delivered, if it was alive then.
            let trailed = newest - before;
            if trailed <= TRAIL_MAX {
                self.trail = self.trail.max(trailed);
            }
        }
        self.newest = self.newest.max(Some(end));
    }

    /// Something of the input reached `at`, though no track could be decoded there.
    pub(crate) fn passed(&mut self, at: MediaTime) {
        self.newest = self.newest.max(Some(at));
    }

    /// The furthest that any of it reached.
    pub(crate) fn reached(&self) -> Option<MediaTime> {
        self.newest
    }

    /// Where the stream is now; never goes back. `None` before the first frame.
    pub(crate) fn now(&mut self) -> Option<MediaTime> {
        let newest = self.newest?;
        let patience = self.trail.max(TRAIL_MIN);
        let slowest = self.ends.iter().flatten().min().copied().unwrap_or(newest - patience);
        self.now = self.now.max(Some(slowest.max(newest - patience)));
        self.now
    }

    /// Nothing more will come: the stream reached its newest end.
    pub(crate) fn finish(&mut self) -> Option<MediaTime> {
        self.now = self.now.max(self.newest);
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    #[test]
    fn interleaving_does_not_put_the_clock_ahead_of_frames_on_their_way() {
        let mut clock = StreamClock::default();
        clock.delivered(0, ms(40));
        for end in (100..=900).step_by(100) {
            clock.delivered(1, ms(end));
            assert_eq!(clock.now(), Some(ms(40)));
        }
        clock.delivered(0, ms(800));
        assert_eq!(clock.now(), Some(ms(800)));
    }

    #[test]
    fn a_missing_track_no_longer_holds_the_clock_back() {
        let mut clock = StreamClock::default();
        clock.delivered(0, ms(40));
        clock.delivered(1, ms(9_000));
        assert_eq!(clock.now(), Some(ms(8_000)));
        assert_eq!(clock.finish(), Some(ms(9_000)));
    }

    #[test]
    fn a_track_seen_to_trail_gets_as_much_patience() {
        let mut clock = StreamClock::default();
        for step in 0..10 {
            clock.delivered(1, ms(1_000 * (step + 1)));
            clock.delivered(0, ms(1_000 * step + 40));
        }
        clock.delivered(1, ms(13_000));
        assert_eq!(clock.now(), Some(ms(13_000 - 1_960)), "it trailed by as much while it was alive");
    }

    #[test]
    fn packets_that_do_not_decode_move_it_too() {
        let mut clock = StreamClock::default();
        clock.passed(ms(5_000));
        assert_eq!(clock.now(), Some(ms(4_000)));
    }
}
