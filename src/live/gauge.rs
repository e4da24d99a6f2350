//! The gauge: reads off the items of a session what was measured in each second.
//!
//! Owned by the session's thread. It adds a few numbers per frame and allocates once a second. A second
//! is told once the stream's clock has passed its end, so that tracks which trail each other meet in it.

use std::time::{SystemTime, UNIX_EPOCH};

use avwatch_actors::frame::{AudioFrame, VideoFrame};
use avwatch_actors::item::Item;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::{CHANNELS_MAX, SessionNumber, TrackId};

use super::dating::Dating;
use super::reading::{ChannelLevel, PictureReading, SoundReading, StreamReading, level_db, power_db};

/// Length of what is told at a time.
const SECOND: MediaTime = MediaTime::from_millis(1_000);
/// Seconds that may be open at a time: tracks trail each other by three at most.
const OPEN_MAX: usize = 5;
/// Tracks of a kind that are read; the contract for metrics allows no more either.
const TRACKS_MAX: usize = 16;

/// Reads one session.
#[derive(Debug, Default)]
pub struct Gauge {
    session: SessionNumber,
    dating: Dating,
    /// Seconds that are not complete, the oldest first, without holes.
    open: Vec<Sums>,
    /// Times before this one have been told.
    told: Option<MediaTime>,
    done: Vec<StreamReading>,
}

impl Gauge {
    /// Takes note of an item that passes at `now`; seconds that are complete wait in
    /// [`Gauge::take`].
    pub fn note(&mut self, item: &Item, now: SystemTime) {
        match item {
            Item::Started(info) => self.session = info.session,
            Item::Video(frame) => self.picture(frame, now),
            Item::Audio(frame) => self.sound(frame, now),
            Item::Packets(facts) => {
                // A report says what came before its time.
                let at = (facts.at - facts.lasts).max(facts.at - SECOND);
                if let Some(sums) = self.second_of(at, now) {
                    sums.bytes = Some(sums.bytes.unwrap_or(0) + facts.bytes);
                }
            }
            Item::Clock(at) => self.tell_until(*at, now),
            Item::Gap(_) | Item::Ended(_) => {}
        }
    }

    /// The seconds that became complete since the last call, in order.
    pub fn take(&mut self) -> std::vec::Drain<'_, StreamReading> {
        self.done.drain(..)
    }

    fn picture(&mut self, frame: &VideoFrame, now: SystemTime) {
        let Some(sums) = self.second_of(frame.stamp.media_time, now) else { return };
        let Some(track) = sums.picture(frame.stamp.track) else { return };
        let facts = &frame.facts;
        track.frames = track.frames.saturating_add(1);
        track.damaged = track.damaged.saturating_add(u16::from(facts.signs.damaged));
        track.luma += facts.luma.mean;
        track.lasted += frame.stamp.lasts;
        if facts.motion.compared {
            track.compared += 1;
            track.difference += facts.motion.difference;
        }
    }

    fn sound(&mut self, frame: &AudioFrame, now: SystemTime) {
        let id = frame.stamp.track;
        if let Some(loudness) = &frame.loudness
            && let Some(track) = self.second_of(frame.stamp.media_time, now).and_then(|sums| sums.sound(id))
        {
            track.momentary = highest(track.momentary, loudness.momentary_lufs);
            track.short_term = loudness.short_term_lufs;
        }
        for (hop, channels) in frame.hops.iter() {
            let Some(track) = self.second_of(hop.at, now).and_then(|sums| sums.sound(id)) else { continue };
            let seconds = hop.lasts.as_secs_f64();
            track.lasted += seconds;
            track.channels = track.channels.max(channels.len().min(CHANNELS_MAX));
            for (level, channel) in track.levels.iter_mut().zip(channels) {
                level.0 += f64::from(channel.power) * seconds;
                level.1 = level.1.max(channel.peak);
            }
        }
    }

    /// The open second that holds `at`; what comes too late counts for the oldest one.
    fn second_of(&mut self, at: MediaTime, now: SystemTime) -> Option<&mut Sums> {
        let begin = MediaTime::from_nanos(at.as_nanos().div_euclid(SECOND.as_nanos()) * SECOND.as_nanos());
        let begin = self.told.map_or(begin, |told| begin.max(told));
        let first = *self.open.first().map_or(&begin, |sums| &sums.begin);
        let wanted = usize::try_from((begin - first).as_nanos() / SECOND.as_nanos()).unwrap_or(0);
        if begin < first && self.told.is_none() && self.open.len() < OPEN_MAX && first - begin <= SECOND {
            // A track that begins a little before the first one seen.
            self.open.insert(0, Sums::new(first - SECOND));
            return self.open.first_mut();
        }
        if wanted >= OPEN_MAX {
            // A hole in the timeline, or a clock that does not tick: what is open is as full as it gets.
            self.tell_until(begin, now);
            self.open.push(Sums::new(begin));
            self.told = Some(begin);
            return self.open.last_mut();
        }
        while self.open.len() <= wanted {
            let next = self.open.last().map_or(begin, |last| last.begin + SECOND);
            self.open.push(Sums::new(next));
        }
        self.open.get_mut(wanted)
    }

    fn tell_until(&mut self, at: MediaTime, now: SystemTime) {
        let complete = self.open.iter().take_while(|sums| sums.begin + SECOND <= at).count();
        for sums in self.open.drain(..complete) {
            let end = sums.begin + SECOND;
            self.told = Some(end);
            let date = self.dating.date(end, now).duration_since(UNIX_EPOCH).unwrap_or_default();
            // The second it ended in, less one, rounded: most of it lies there.
            let second = (date.as_secs_f64() - 1.0).round().max(0.0) as u64;
            self.done.push(sums.reading(second, self.session));
        }
    }
}

fn highest(so_far: Option<f64>, value: Option<f64>) -> Option<f64> {
    match (so_far, value) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}

/// What is added up of one second.
#[derive(Debug)]
struct Sums {
    begin: MediaTime,
    bytes: Option<u64>,
    pictures: Vec<PictureSums>,
    sounds: Vec<SoundSums>,
}

#[derive(Debug)]
struct PictureSums {
    track: TrackId,
    frames: u16,
    damaged: u16,
    luma: f32,
    compared: u16,
    difference: f32,
    lasted: MediaTime,
}

#[derive(Debug)]
struct SoundSums {
    track: TrackId,
    momentary: Option<f64>,
    short_term: Option<f64>,
    channels: usize,
    /// Energy and peak of each.
    levels: [(f64, f32); CHANNELS_MAX],
    /// Seconds of hops.
    lasted: f64,
}

impl Sums {
    fn new(begin: MediaTime) -> Self {
        Self { begin, bytes: None, pictures: Vec::new(), sounds: Vec::new() }
    }

    fn picture(&mut self, track: TrackId) -> Option<&mut PictureSums> {
        let place = match self.pictures.iter().position(|sums| sums.track == track) {
            Some(place) => place,
            None if self.pictures.len() < TRACKS_MAX => {
                let lasted = MediaTime::ZERO;
                let fresh =
                    PictureSums { track, frames: 0, damaged: 0, luma: 0.0, compared: 0, difference: 0.0, lasted };
                self.pictures.push(fresh);
                self.pictures.len() - 1
            }
            None => return None,
        };
        self.pictures.get_mut(place)
    }

    fn sound(&mut self, track: TrackId) -> Option<&mut SoundSums> {
        let place = match self.sounds.iter().position(|sums| sums.track == track) {
            Some(place) => place,
            None if self.sounds.len() < TRACKS_MAX => {
                let levels = [(0.0, 0.0); CHANNELS_MAX];
                let fresh = SoundSums { track, momentary: None, short_term: None, channels: 0, levels, lasted: 0.0 };
                self.sounds.push(fresh);
                self.sounds.len() - 1
            }
            None => return None,
        };
        self.sounds.get_mut(place)
    }

    fn reading(mut self, second: u64, session: SessionNumber) -> StreamReading {
        self.pictures.sort_by_key(|sums| sums.track);
        self.sounds.sort_by_key(|sums| sums.track);
        StreamReading {
            second,
            session,
            at: self.begin,
            bitrate: self.bytes.map(|bytes| bytes as f64 * 8.0),
            pictures: self.pictures.iter().map(PictureSums::reading).collect(),
            sounds: self.sounds.iter().map(SoundSums::reading).collect(),
        }
    }
}

impl PictureSums {
    fn reading(&self) -> PictureReading {
        let mean = |sum: f32, count: u16| (count > 0).then(|| sum / f32::from(count)).filter(|mean| mean.is_finite());
        PictureReading {
            track: self.track,
            frames: self.frames,
            damaged: self.damaged,
            luma_mean: mean(self.luma, self.frames),
            difference: mean(self.difference, self.compared),
            coverage: self.lasted.as_secs_f64().min(1.0) as f32,
        }
    }
}

impl SoundSums {
    fn reading(&self) -> SoundReading {
        let lasted = if self.lasted > 0.0 { self.lasted } else { 1.0 };
        let level = |(energy, peak): &(f64, f32)| ChannelLevel {
            rms_dbfs: power_db(energy / lasted),
            peak_dbfs: level_db(*peak),
        };
        SoundReading {
            track: self.track,
            momentary_lufs: self.momentary.map(|value| value as f32),
            short_term_lufs: self.short_term.map(|value| value as f32),
            channels: self.levels[..self.channels].iter().map(level).collect(),
            coverage: self.lasted.min(1.0) as f32,
        }
    }
}
