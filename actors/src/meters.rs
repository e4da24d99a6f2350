//! Meters: readings of a session, kept by its thread and looked at once a second by others.
//!
//! The lock is held for a copy, never while waiting.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::event::Wall;
use crate::frame::LoudnessReading;
use crate::item::Item;
use crate::media_time::MediaTime;
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
    /// Bytes received.
    pub bytes: u64,
    /// Datagrams that this machine dropped.
    pub receive_dropped: u64,
    /// Bits a second over about the last two seconds.
    pub bitrate: f64,
    /// Pictures a second of the first video track over about the last two seconds.
    pub frame_rate: f64,
}

impl SessionMeters {
    /// The end of the newest frame of any track.
    pub fn reached(&self) -> MediaTime {
        self.tracks.iter().map(|track| track.reached).max().unwrap_or(MediaTime::ZERO)
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

    /// Forgets the readings of a session that is over.
    pub fn clear(&self) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = SessionMeters::default();
    }

    /// Frames delivered by all sessions so far; how a supervisor sees that pictures or sound flow.
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
}

/// Counts since the rates were last computed.
#[derive(Clone, Copy, Debug)]
struct Window {
    since: Instant,
    bytes: u64,
    pictures: u64,
}

impl MeterReader {
    /// A reader for a new session.
    pub fn new(book: Arc<MeterBook>) -> Self {
        let now = Instant::now();
        Self {
            book,
            meters: SessionMeters::default(),
            published: now,
            window: Window { since: now, bytes: 0, pictures: 0 },
        }
    }

    /// Takes note of an item that was delivered at `now`.
    pub fn note(&mut self, item: &Item, now: Instant) {
        match item {
            Item::Started(info) => self.meters.info = Some(info.clone()),
            Item::Video(frame) => {
                let is_first_track = frame.stamp.track == TrackId::video(0);
                self.window.pictures += u64::from(is_first_track);
                self.note_frame(frame.stamp.track, frame.stamp.end(), frame.facts.signs.damaged, None);
            }
            Item::Audio(frame) => {
                self.note_frame(frame.stamp.track, frame.stamp.end(), frame.signs.damaged, frame.loudness);
            }
            Item::Packets(facts) => {
                self.meters.bytes += facts.bytes;
                self.window.bytes += facts.bytes;
                self.meters.receive_dropped += facts.receive_dropped;
            }
            Item::Clock(_) | Item::Gap(_) | Item::Ended(_) => {}
        }
        let is_edge = matches!(item, Item::Started(_) | Item::Ended(_));
        if is_edge || now.saturating_duration_since(self.published) >= PUBLISH_EVERY {
            self.publish(now);
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

    fn publish(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.window.since).as_secs_f64();
        if passed >= 2.0 {
            self.meters.bitrate = self.window.bytes as f64 * 8.0 / passed;
            self.meters.frame_rate = self.window.pictures as f64 / passed;
            self.window = Window { since: now, bytes: 0, pictures: 0 };
        }
        self.published = now;
        self.book.newest.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&self.meters);
    }
}
