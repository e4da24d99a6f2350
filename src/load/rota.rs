//! The rota: which clip is sent in which round.
//!
//! One round in so many has defects, all others show a clean twin of the clip, so that defects lie as far apart as those of sources
//! that are mostly well without a clip as long as that. Round follows round with times moved on and continuity counters carried
//! on, so that a receiver sees one stream without a seam. All streams have the same rota and begin at different places of it. Shared
//! by the sender and all streams. Pure.

use std::time::Duration;

use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::TrackKind;

use super::clip::{Clip, ClipFault, Segment, TICKS};

/// The golden ratio: multiples of it, less their whole parts, fill the span from 0 to 1 evenly, however many there are.
const GOLDEN: f64 = 0.618_033_988_749_895;

/// The rota.
pub struct Rota {
    faulty: Clip,
    /// Absent where every round has defects.
    clean: Option<Clip>,
    every: u32,
}

impl Rota {
    /// Sends `faulty` in every round, or in the first of `every` rounds and `clean` in the others.
    ///
    /// # Errors
    /// The two cannot follow each other without a seam.
    pub fn new(faulty: Clip, clean: Option<Clip>, every: u32) -> Result<Self, ClipFault> {
        if clean.as_ref().is_some_and(|clean| !clean.is_twin_of(&faulty)) {
            return Err(ClipFault("without defects it does not hold the same frames"));
        }
        let every = if clean.is_some() { every.max(1) } else { 1 };
        Ok(Self { faulty, clean, every })
    }

    /// What is sent in a round.
    pub fn clip(&self, round: u64) -> &Clip {
        match &self.clean {
            Some(clean) if !round.is_multiple_of(u64::from(self.every)) => clean,
            Some(_) | None => &self.faulty,
        }
    }

    /// How long a round takes.
    pub fn length(&self) -> Duration {
        self.faulty.length()
    }

    /// From the begin of the first round to that of this one.
    pub fn begins(&self, round: u64) -> Duration {
        self.length() * u32::try_from(round).unwrap_or(u32::MAX)
    }

    /// Segments of a round.
    pub fn segments(&self) -> u64 {
        self.faulty.segments().len() as u64
    }

    /// The segment of that number, counted over all rounds, and its round.
    pub fn segment(&self, number: u64) -> (u64, Segment) {
        let (round, place) = (number / self.segments(), number % self.segments());
        (round, self.clip(round).segments()[place as usize])
    }

    /// The longest segment.
    pub fn longest(&self) -> Duration {
        let clips = [Some(&self.faulty), self.clean.as_ref()];
        let all = clips.into_iter().flatten().flat_map(Clip::segments);
        all.map(|segment| segment.ends - segment.begins).max().unwrap_or_default()
    }

    /// The number of the segment with which a stream begins, so that at any time all streams together show every part of the
    /// rota alike.
    pub fn first_segment(&self, stream: usize) -> u64 {
        let all = self.segments() * u64::from(self.every);
        (spread(stream) * all as f64) as u64
    }

    /// Bits a second, on average.
    pub fn bit_rate(&self) -> f64 {
        let clean = self.clean.as_ref().map_or(0, Clip::bytes) as f64 * f64::from(self.every - 1);
        (self.faulty.bytes() as f64 + clean) / f64::from(self.every) * 8.0 / self.length().as_secs_f64()
    }

    /// Adds packets of a round to a buffer, as they are in that round.
    pub fn copy(&self, packets: std::ops::Range<usize>, round: u64, to: &mut Vec<u8>) {
        let ticks = round.wrapping_mul(self.faulty.ticks() as u64);
        let faulty = round.div_ceil(u64::from(self.every));
        let before = |pid: u16| {
            let clean = self.clean.as_ref().map_or(0, |clean| clean.count_of(pid));
            faulty.wrapping_mul(self.faulty.count_of(pid)).wrapping_add((round - faulty).wrapping_mul(clean))
        };
        self.clip(round).copy(packets, ticks, before, to);
    }

    /// When the frame of that presentation time is due, after the first packet of the first round. Where clips change, the last
    /// few pictures of a round are due with packets of the next; those of two clips lie within a few milliseconds of each other.
    pub fn due(&self, kind: TrackKind, pts: i64) -> Option<Duration> {
        let (ticks, length) = (pts - self.faulty.first_pts(), self.faulty.ticks());
        let round = u64::try_from(ticks.div_euclid(length)).ok()?;
        Some(self.clip(round).due(kind, ticks.rem_euclid(length))? + self.begins(round))
    }

    /// Frames of a track that are due in a span after the first packet of the first round.
    pub fn count_due(&self, kind: TrackKind, from: Duration, to: Duration) -> u64 {
        // Whole rounds, the one under way, and what of those before it is due a little after its end.
        let before = |moment: Duration| -> u64 {
            let round = u64::try_from(moment.as_nanos() / self.length().as_nanos().max(1)).unwrap_or(u64::MAX);
            let counted = (round.saturating_sub(2)..=round)
                .map(|round| self.clip(round).due_before(kind, moment.saturating_sub(self.begins(round))));
            round.saturating_sub(2) * self.faulty.frames(kind) + counted.sum::<u64>()
        };
        before(to).saturating_sub(before(from))
    }

    /// Where a presentation time stands on the timeline of the plan, which begins with the first picture.
    pub fn plan_time(&self, pts: i64) -> MediaTime {
        MediaTime::from_ticks(pts - self.faulty.first_pts(), 1, TICKS as i32)
    }
}

/// Where in a span from 0 to 1 the one of that number stands, so that all of them fill it evenly.
pub(super) fn spread(number: usize) -> f64 {
    (number as f64 * GOLDEN).fract()
}

#[cfg(test)]
mod tests;
