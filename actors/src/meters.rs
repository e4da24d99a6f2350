//! Meters: readings of a session, kept by its thread and looked at once a second by others.
//!
//! The lock is held for a copy, never while waiting.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::coverage::Coverage;
use crate::event::Wall;
use crate::frame::LoudnessReading;
use crate::item::{Item, PacketFacts};
use crate::lag::LagReader;
use crate::media_time::MediaTime;
use crate::tier::Tier;
use crate::track::{SessionInfo, TRACKS_MAX, TrackId};

/// How often the session's thread publishes its readings.
const PUBLISH_EVERY: Duration = Duration::from_millis(250);

/// Readings of one track.
#[derive(Clone, Debug)]
pub struct TrackMeters {
    /// The track.
    pub track: TrackId,
    /// Frames delivered.
    pub frames: u64,
    /// Of them, damaged.
    pub damaged: u64,
    /// End of the newest frame.
    pub reached: MediaTime,
    /// When the newest frame was delivered.
    pub last_frame: Wall,
    /// The newest loudness reading.
    pub loudness: Option<LoudnessReading>,
}

/// Readings of one session.
#[derive(Clone, Debug, Default)]
pub struct SessionMeters {
    /// What the session holds, once it is known.
    pub info: Option<Arc<SessionInfo>>,
    /// Tracks that delivered something, by first appearance.
    pub tracks: Vec<TrackMeters>,
    /// How far the stream as a whole has come.
    pub clock: MediaTime,
    /// Bytes received.
    pub bytes: u64,
    /// Datagrams that this machine dropped.
    pub receive_dropped: u64,
    /// Bits of a second of media, over about the last two seconds.
    pub bitrate: f64,
    /// Pictures of the first video track in a second of media, over about the last two seconds; those that
    /// are left out on purpose count.
    pub frame_rate: f64,
    /// How far the session is behind its source for lack of time.
    pub behind: Duration,
    /// The share of each track that was inspected of late.
    pub coverage: Vec<(TrackId, f64)>,
}

impl SessionMeters {
    /// The tier in force; nothing before a session has told it.
    pub fn tier(&self) -> Option<Tier> {
        self.info.as_ref().map(|info| info.tier)
    }

    /// The share of that track that was inspected of late, if anything came of it.
    pub fn coverage_of(&self, track: TrackId) -> Option<f64> {
        self.coverage.iter().find(|(known, _)| *known == track).map(|(_, ratio)| *ratio)
    }

    /// The end of the newest frame of any track; where none is decoded, how far the stream has come.
    pub fn reached(&self) -> MediaTime {
        self.tracks.iter().map(|track| track.reached).max().unwrap_or(self.clock)
    }
}

/// Where a stream's readings are published.
#[derive(Debug, Default)]
pub struct MeterBook {
    newest: Mutex<SessionMeters>,
    frames: AtomicU64,
}

impl MeterBook {
    /// The newest readings.
    pub fn read(&self) -> SessionMeters {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Longest normal time between two bursts of the session that delivers; nothing before it is known.
    pub fn burst(&self) -> Option<MediaTime> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.info.as_ref().map(|info| info.burst)
    }

    /// The share of that track that was inspected of late, if anything came of it.
    pub fn coverage_of(&self, track: TrackId) -> Option<f64> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).coverage_of(track)
    }

    /// Forgets the readings of a session that is over.
    pub fn clear(&self) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = SessionMeters::default();
    }

    /// Frames delivered by all sessions so far, and what came but is left out on purpose; how a supervisor sees that pictures or sound flow.
    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }
}

/// Reads the meters off the items that pass. Owned by the session's thread.
#[derive(Debug)]
pub struct MeterReader {
    book: Arc<MeterBook>,
    meters: SessionMeters,
    published: Instant,
    window: Window,
    coverage: Coverage,
    lag: LagReader,
}

/// Counts since the rates were last computed. Rates are of media time: segments are delivered in
/// bursts, faster than they play.
#[derive(Clone, Copy, Debug)]
struct Window {
    since: Instant,
    bytes: u64,
    pictures: u64,
    /// How far all tracks, and the first video track, had come; none before their first frame.
    reached: Option<MediaTime>,
    shown: Option<MediaTime>,
}

impl Window {
    fn new(since: Instant) -> Self {
        Self { since, bytes: 0, pictures: 0, reached: None, shown: None }
    }
}

/// How often in a second of the time from `begin` to `end`; zero when no time passed.
fn rate(count: f64, begin: Option<MediaTime>, end: MediaTime) -> f64 {
    let seconds = begin.map_or(0.0, |begin| (end - begin).as_secs_f64());
    if seconds > 0.0 { count / seconds } else { 0.0 }
}

impl MeterReader {
    /// A reader for a new session.
    pub fn new(book: Arc<MeterBook>) -> Self {
        let now = Instant::now();
        Self {
            book,
            meters: SessionMeters::default(),
            published: now,
            window: Window::new(now),
            coverage: Coverage::default(),
            lag: LagReader::default(),
        }
    }

    /// Takes note of an item that was delivered at `now`.
    pub fn note(&mut self, item: &Item, now: Instant) {
        match item {
            Item::Started(info) => {
                if self.meters.tier().is_some_and(|before| before != info.tier) {
                    self.coverage.begin();
                }
                self.meters.info = Some(info.clone());
            }
            Item::Video(frame) => {
                if frame.stamp.track == TrackId::video(0) {
                    self.window.pictures += 1;
                    self.window.shown.get_or_insert(frame.stamp.media_time);
                }
                self.window.reached.get_or_insert(frame.stamp.media_time);
                self.note_frame(frame.stamp.track, frame.stamp.end(), frame.facts.signs.damaged, None);
            }
            Item::Audio(frame) => {
                self.window.reached.get_or_insert(frame.stamp.media_time);
                self.note_frame(frame.stamp.track, frame.stamp.end(), frame.signs.damaged, frame.loudness);
            }
            Item::Packets(facts) => {
                self.meters.bytes += facts.bytes;
                self.window.bytes += facts.bytes;
                self.meters.receive_dropped += facts.receive_dropped;
                self.note_left_out(facts);
            }
            Item::Clock(at) => self.meters.clock = self.meters.clock.max(*at),
            Item::Gap(_) | Item::Ended(_) => {}
        }
        let is_edge = matches!(item, Item::Started(_) | Item::Ended(_));
        if is_edge || now.saturating_duration_since(self.published) >= PUBLISH_EVERY {
            self.publish(now);
        }
    }

    /// Takes note of how far the session has come, and for how long its thread had nothing to do. Of
    /// inputs that come in bursts nothing is taken down: between two of them is no time to be late.
    pub fn note_pace(&mut self, now: Instant, at: MediaTime, idle: Duration) {
        if self.meters.info.as_ref().is_some_and(|info| info.burst == MediaTime::ZERO) {
            self.lag.note(now, at, idle);
        }
    }

    fn note_frame(&mut self, track: TrackId, end: MediaTime, damaged: bool, loudness: Option<LoudnessReading>) {
        // Relaxed: a count of its own.
        self.book.frames.fetch_add(1, Ordering::Relaxed);
        let wall = Wall(std::time::SystemTime::now());
        let tracks = &mut self.meters.tracks;
        let index = match tracks.iter().position(|meters| meters.track == track) {
            Some(index) => index,
            None if tracks.len() < 4 * usize::from(TRACKS_MAX) => {
                tracks.push(TrackMeters {
                    track,
                    frames: 0,
                    damaged: 0,
                    reached: end,
                    last_frame: wall,
                    loudness: None,
                });
                tracks.len() - 1
            }
            None => return,
        };
        let meters = &mut tracks[index];
        meters.frames += 1;
        meters.damaged += u64::from(damaged);
        meters.reached = meters.reached.max(end);
        meters.last_frame = wall;
        meters.loudness = loudness.or(meters.loudness);
    }

    /// What is left out on purpose came all the same: it counts as flowing, and as pictures.
    fn note_left_out(&mut self, facts: &PacketFacts) {
        self.coverage.note(facts);
        let left_out = facts.tracks.iter().filter(|(_, counts)| counts.left_out > 0);
        for (track, counts) in left_out {
            // Relaxed: a count of its own.
            self.book.frames.fetch_add(counts.left_out.into(), Ordering::Relaxed);
            if *track == TrackId::video(0) {
                self.window.pictures += u64::from(counts.left_out.saturating_sub(counts.second_fields));
            }
        }
    }

    /// How far the first video track has come.
    fn shown(&self) -> MediaTime {
        let first = self.meters.tracks.iter().find(|track| track.track == TrackId::video(0));
        first.map_or(MediaTime::ZERO, |track| track.reached)
    }

    fn publish(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.window.since).as_secs_f64();
        if passed >= 2.0 {
            let (reached, shown) = (self.meters.reached(), self.shown());
            let bits = self.window.bytes as f64 * 8.0;
            // Of a scrambled stream there are no frames to tell the time by.
            let is_blind = self.window.reached.is_none();
            self.meters.bitrate = if is_blind { bits / passed } else { rate(bits, self.window.reached, reached) };
            // Where no picture is decoded, time is told by what is.
            let (since, until) =
                if self.window.shown.is_some() { (self.window.shown, shown) } else { (self.window.reached, reached) };
            self.meters.frame_rate = rate(self.window.pictures as f64, since, until);
            let begun = |begin: Option<MediaTime>, end| begin.map(|_| end);
            self.window = Window {
                reached: begun(self.window.reached, reached),
                shown: begun(self.window.shown, shown),
                ..Window::new(now)
            };
        }
        self.published = now;
        self.meters.behind = self.lag.behind();
        self.meters.coverage.clear();
        self.meters.coverage.extend(self.coverage.ratios());
        self.book.newest.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&self.meters);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::PictureFacts;
    use crate::scripted::Scribe;
    use crate::track::SessionNumber;

    #[test]
    fn a_burst_at_twice_the_speed_has_the_frame_rate_of_its_pictures() {
        let book = Arc::<MeterBook>::default();
        let mut reader = MeterReader::new(book.clone());
        let mut scribe = Scribe::new(SessionNumber(1));
        let begin = Instant::now();
        for picture in 0..250 {
            let (at, lasts) = (MediaTime::from_millis(40 * picture), MediaTime::from_millis(40));
            let item = scribe.picture(at, lasts, PictureFacts::default());
            reader.note(&item, begin + Duration::from_millis(20 * picture as u64));
        }
        let rate = book.read().frame_rate;
        assert!((24.9..=25.1).contains(&rate), "{rate}");
    }
}
