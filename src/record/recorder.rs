//! Records what passes from a source to its detectors.
//!
//! A decorator around an opener; runs on the session's thread. It changes nothing that detectors see:
//! pictures that were handed out for the record alone are taken out again, before another thread
//! could hold them, so that which of them are there never depends on how fast detectors are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use avwatch_actors::frame::{AudioFrame, VideoFrame};
use avwatch_actors::item::Item;
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::source::{FrameSource, Opener, SourceError, SourceLimits};
use avwatch_actors::track::{ChannelRole, SessionInfo, SessionNumber, TrackId};

use super::{ChannelRecord, Record, Still};
use crate::media::thumbnail::Thumbnailer;

/// Most tracks of a kind that are recorded: those that are seen first.
const TRACKS_MAX: usize = 8;
/// Most tracks of which pictures are kept.
const STILL_TRACKS_MAX: usize = 2;
/// How long a reading of loudness holds: until the next one.
const READING_LASTS: MediaTime = MediaTime::from_millis(100);

/// Whether detectors want the pictures too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pictures {
    /// Only the record does: detectors see frames without pixels.
    ForRecord,
    /// A detector asked for them.
    ForDetectors,
}

/// Records a session, and gives the record when it is over.
#[derive(Clone)]
pub struct Recorder {
    record: Arc<Mutex<Record>>,
    pictures: Pictures,
}

impl Recorder {
    /// A recorder that has seen nothing; `pictures` says who else wants them.
    pub fn new(pictures: Pictures) -> Self {
        Self { record: Arc::default(), pictures }
    }

    /// An opener that opens the same and records it.
    pub fn wrap(&self, opener: Arc<dyn Opener>) -> Arc<dyn Opener> {
        Arc::new(RecordedOpener { opener, recorder: self.clone() })
    }

    /// Takes what was recorded so far.
    pub fn take(&self) -> Record {
        std::mem::take(&mut *self.lock())
    }

    /// Held for one item at a time; taken once more at the end, by the command.
    fn lock(&self) -> MutexGuard<'_, Record> {
        // A panic while noting leaves numbers that are still good.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct RecordedOpener {
    opener: Arc<dyn Opener>,
    recorder: Recorder,
}

impl Opener for RecordedOpener {
    fn open(&self, session: SessionNumber, line: &Arc<Lifeline>) -> Result<Box<dyn FrameSource>, SourceError> {
        let source = self.opener.open(session, line)?;
        Ok(Box::new(Recorded { source, recorder: self.recorder.clone(), info: None, thumbnailer: None }))
    }

    fn limits(&self) -> SourceLimits {
        self.opener.limits()
    }

    fn host(&self) -> Option<&str> {
        self.opener.host()
    }
}

struct Recorded {
    source: Box<dyn FrameSource>,
    recorder: Recorder,
    info: Option<Arc<SessionInfo>>,
    thumbnailer: Option<Thumbnailer>,
}

impl FrameSource for Recorded {
    fn next(&mut self) -> Result<Option<Item>, SourceError> {
        let Some(item) = self.source.next()? else { return Ok(None) };
        match &item {
            Item::Started(info) => self.info = Some(info.clone()),
            Item::Video(frame) => self.note_picture(frame),
            Item::Audio(frame) => self.note_sound(frame),
            Item::Packets(_) | Item::Clock(_) | Item::Gap(_) | Item::Ended(_) => {}
        }
        Ok(Some(match item {
            Item::Video(frame) if self.recorder.pictures == Pictures::ForRecord => Item::Video(bare(frame)),
            item => item,
        }))
    }
}

impl Recorded {
    fn note_picture(&mut self, frame: &VideoFrame) {
        let (at, lasts, track) = (frame.stamp.media_time, frame.stamp.lasts, frame.stamp.track);
        let still = self.still(frame);
        let mut record = self.recorder.lock();
        if record.pictures.len() >= TRACKS_MAX && !record.pictures.contains_key(&track) {
            return;
        }
        let pictures = record.pictures.entry(track).or_default();
        let luma = &frame.facts.luma;
        pictures.mean.push(at, lasts, luma.mean);
        pictures.p1.push(at, lasts, luma.p1);
        pictures.p99.push(at, lasts, luma.p99);
        if frame.facts.motion.compared {
            pictures.difference.push(at, lasts, frame.facts.motion.difference);
        }
        if let Some(still) = still {
            pictures.stills.push(still);
        }
    }

    /// A small picture, when one is due.
    fn still(&mut self, frame: &VideoFrame) -> Option<Still> {
        let (at, track) = (frame.stamp.media_time, frame.stamp.track);
        let picture = frame.picture()?;
        let is_due = {
            let record = self.recorder.lock();
            match record.pictures.get(&track) {
                Some(known) => known.stills.wants(at),
                None => record.pictures.len() < TRACKS_MAX,
            }
        };
        let is_kept = self.place(track) < STILL_TRACKS_MAX;
        if !is_due || !is_kept {
            return None;
        }
        let aspect = self.format(track).map_or(1.0, |(aspect, _)| aspect);
        let thumbnail = self.thumbnailer.get_or_insert_default().make(&picture.view(), aspect)?;
        Some(Still { at, width: thumbnail.width, height: thumbnail.height, jpeg: thumbnail.jpeg.into() })
    }

    fn note_sound(&mut self, frame: &AudioFrame) {
        let track = frame.stamp.track;
        let roles = self.format(track).map(|(_, roles)| roles.to_vec()).unwrap_or_default();
        let mut record = self.recorder.lock();
        if record.sounds.len() >= TRACKS_MAX && !record.sounds.contains_key(&track) {
            return;
        }
        let sound = record.sounds.entry(track).or_default();
        for (hop, channels) in frame.hops.iter() {
            for (place, channel) in channels.iter().enumerate() {
                if sound.channels.len() <= place {
                    let role = roles.get(place).copied().unwrap_or_default();
                    sound.channels.push(ChannelRecord { role, ..ChannelRecord::default() });
                }
                sound.channels[place].power.push(hop.at, hop.lasts, channel.power);
                sound.channels[place].peak.push(hop.at, hop.lasts, channel.peak);
            }
        }
        if let Some(loudness) = &frame.loudness {
            let at = frame.stamp.end();
            let push = |series: &mut super::Series, value: Option<f64>| {
                if let Some(value) = value {
                    series.push(at, READING_LASTS, value as f32);
                }
            };
            push(&mut sound.momentary, loudness.momentary_lufs);
            push(&mut sound.short_term, loudness.short_term_lufs);
        }
    }

    /// Shape of the pixels and roles of the channels of a track.
    fn format(&self, track: TrackId) -> Option<(f64, &[ChannelRole])> {
        let info = self.info.as_ref()?.tracks.iter().find(|info| info.track == track)?;
        let aspect = info.video.as_ref().map_or(1.0, |video| video.pixel_aspect);
        Some((aspect, info.audio.as_ref().map_or(&[], |audio| &audio.roles)))
    }

    /// Which one of its kind a track is.
    fn place(&self, track: TrackId) -> usize {
        let Some(info) = &self.info else { return 0 };
        info.tracks.iter().filter(|other| other.track.kind == track.kind && other.track < track).count()
    }
}

/// The same frame without its pixels.
fn bare(frame: Arc<VideoFrame>) -> Arc<VideoFrame> {
    if frame.picture().is_none() {
        return frame;
    }
    Arc::new(VideoFrame::new(frame.stamp, frame.facts, None))
}
