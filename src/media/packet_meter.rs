//! The packet meter: what the demuxer delivered over a stretch of media time.
//!
//! Owned by the session, on its thread. Every list in it is bounded.

use avwatch_actors::item::{PacketCounts, PacketFacts, TimelineMark};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::TrackId;

/// Most marks told per stretch; a storm of them says no more.
const MARKS_MAX: usize = 64;
/// A skew beyond this is two unrelated clocks and no skew.
const SKEW_MAX: MediaTime = MediaTime::from_millis(60_000);
/// A step back by more than this is a new clock: the newest end starts anew.
const NEW_CLOCK: MediaTime = MediaTime::from_millis(10_000);

/// Counts packets until they are taken.
#[derive(Debug, Default)]
pub(crate) struct PacketMeter {
    tracks: Vec<(TrackId, PacketCounts)>,
    marks: Vec<TimelineMark>,
    since: MediaTime,
    bytes: u64,
    dropped: u64,
    newest_picture: Option<MediaTime>,
    newest_sound: Option<MediaTime>,
}

impl PacketMeter {
    /// Adds a track; it is listed from now on, in the order of tracks.
    pub(crate) fn add(&mut self, track: TrackId) {
        self.tracks.push((track, PacketCounts::default()));
        self.tracks.sort_by_key(|(track, _)| *track);
    }

    /// The counts of a track.
    pub(crate) fn counts(&mut self, track: TrackId) -> Option<&mut PacketCounts> {
        self.tracks.iter_mut().find(|(known, _)| *known == track).map(|(_, counts)| counts)
    }

    /// Takes down what happened to a timeline.
    pub(crate) fn mark(&mut self, mark: TimelineMark) {
        if self.marks.len() < MARKS_MAX {
            self.marks.push(mark);
        }
    }

    /// A packet of the main picture track ends at that raw time.
    pub(crate) fn picture_until(&mut self, end: MediaTime) {
        self.newest_picture = Some(newest(self.newest_picture, end));
    }

    /// A packet of the main sound track ends at that raw time.
    pub(crate) fn sound_until(&mut self, end: MediaTime) {
        self.newest_sound = Some(newest(self.newest_sound, end));
    }

    /// Ends the stretch at `at`; `bytes` and `dropped` are totals of the session.
    pub(crate) fn take(&mut self, at: MediaTime, bytes: u64, dropped: u64) -> PacketFacts {
        let skew = match (self.newest_sound, self.newest_picture) {
            (Some(sound), Some(picture)) => {
                Some(sound - picture).filter(|skew| skew.distance(MediaTime::ZERO) <= SKEW_MAX)
            }
            _ => None,
        };
        let facts = PacketFacts {
            at,
            lasts: at - self.since,
            tracks: self.tracks.clone(),
            marks: std::mem::take(&mut self.marks),
            markers: Vec::new(),
            skew,
            bytes: bytes.saturating_sub(self.bytes),
            receive_dropped: dropped.saturating_sub(self.dropped),
        };
        (self.since, self.bytes, self.dropped) = (at, bytes, dropped);
        self.tracks.iter_mut().for_each(|(_, counts)| *counts = PacketCounts::default());
        facts
    }
}

fn newest(before: Option<MediaTime>, end: MediaTime) -> MediaTime {
    match before {
        Some(before) if before - end < NEW_CLOCK => before.max(end),
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    #[test]
    fn a_stretch_holds_only_what_came_since_the_last_one() {
        let mut meter = PacketMeter::default();
        meter.add(TrackId::audio(0));
        meter.add(TrackId::video(0));
        meter.counts(TrackId::audio(0)).expect("added").packets += 3;
        let first = meter.take(ms(100), 1_000, 2);
        assert_eq!(first.tracks.iter().map(|(_, counts)| counts.packets).collect::<Vec<_>>(), [0, 3]);
        assert_eq!((first.bytes, first.receive_dropped, first.lasts), (1_000, 2, ms(100)));
        let second = meter.take(ms(250), 1_500, 2);
        assert_eq!(second.tracks[1].1.packets, 0);
        assert_eq!((second.bytes, second.receive_dropped, second.lasts), (500, 0, ms(150)));
    }

    #[test]
    fn skew_survives_reordering_and_a_new_clock() {
        let mut meter = PacketMeter::default();
        for end in [40, 160, 80, 120] {
            meter.picture_until(ms(end));
        }
        assert_eq!(meter.take(ms(0), 0, 0).skew, None);
        meter.sound_until(ms(260));
        assert_eq!(meter.take(ms(0), 0, 0).skew, Some(ms(100)));
        meter.picture_until(ms(90_000_000));
        assert_eq!(meter.take(ms(0), 0, 0).skew, None, "two unrelated clocks");
        meter.picture_until(ms(250));
        assert_eq!(meter.take(ms(0), 0, 0).skew, Some(ms(10)));
    }
}
