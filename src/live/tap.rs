//! The tap: shows on the live board what passes from a source to its detectors.
//!
//! A decorator around an opener; runs on the session's thread. It changes nothing that detectors see:
//! pixels that were handed out for it are taken out again, unless a detector asked for all of them.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use avwatch_actors::frame::VideoFrame;
use avwatch_actors::item::Item;
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::source::{FrameSource, Opener, SourceError, SourceLimits};
use avwatch_actors::track::{SessionInfo, SessionNumber, TrackId, TrackKind};

use super::board::LiveStream;
use super::gauge::Gauge;
use super::thumbnails::{Taken, ThumbnailSender};
use crate::media::small_picture::SmallPicture;

/// Shortest time between two pictures of a stream that somebody looks at. One picture is handed out per second of
/// media, so that the newest one is two seconds old at most while pictures flow evenly.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(1_500);
/// The same of a stream at which nobody looks: whoever begins to sees no older one than five seconds.
const UNSEEN_EVERY: Duration = Duration::from_millis(3_500);

/// Whether detectors want the pixels too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pixels {
    /// Only the live picture does: frames go on without them.
    ForLive,
    /// A detector asked for those of every picture.
    ForDetectors,
}

/// Opens a stream and shows it.
pub(super) struct TappedOpener {
    pub(super) opener: Arc<dyn Opener>,
    pub(super) pixels: Pixels,
    pub(super) live: Arc<LiveStream>,
    pub(super) thumbnails: ThumbnailSender,
}

impl Opener for TappedOpener {
    fn open(&self, session: SessionNumber, line: &Arc<Lifeline>) -> Result<Box<dyn FrameSource>, SourceError> {
        let source = self.opener.open(session, line)?;
        Ok(Box::new(Tapped {
            source,
            pixels: self.pixels,
            live: self.live.clone(),
            thumbnails: self.thumbnails.clone(),
            gauge: Gauge::default(),
            main: (TrackId::video(0), 1.0),
            taken: None,
        }))
    }

    fn limits(&self) -> SourceLimits {
        self.opener.limits()
    }

    fn host(&self) -> Option<&str> {
        self.opener.host()
    }
}

struct Tapped {
    source: Box<dyn FrameSource>,
    pixels: Pixels,
    live: Arc<LiveStream>,
    thumbnails: ThumbnailSender,
    gauge: Gauge,
    /// The track whose pictures are shown, and the shape of its pixels.
    main: (TrackId, f64),
    taken: Option<Instant>,
}

impl FrameSource for Tapped {
    fn next(&mut self) -> Result<Option<Item>, SourceError> {
        let Some(mut item) = self.source.next()? else { return Ok(None) };
        match &mut item {
            Item::Started(info) => self.main = main_pictures(info),
            Item::Video(frame) => self.take(frame),
            Item::Audio(_) | Item::Packets(_) | Item::Clock(_) | Item::Gap(_) | Item::Ended(_) => {}
        }
        self.gauge.note(&item, SystemTime::now());
        for reading in self.gauge.take() {
            self.live.tell(reading);
        }
        Ok(Some(item))
    }
}

impl Tapped {
    /// Makes the picture of a frame small when it is time, and lets go of it.
    fn take(&mut self, frame: &mut Arc<VideoFrame>) {
        let Some(picture) = frame.picture() else { return };
        let now = Instant::now();
        let every = if self.live.is_looked_at() { LOOKED_AT_EVERY } else { UNSEEN_EVERY };
        let is_due = self.taken.is_none_or(|taken| now.duration_since(taken) >= every);
        if frame.stamp.track == self.main.0
            && is_due
            && let Some(picture) = SmallPicture::of(&picture.view(), self.main.1)
        {
            self.taken = Some(now);
            self.thumbnails.send(Taken { live: self.live.clone(), taken: SystemTime::now(), at: now, picture });
        }
        if self.pixels == Pixels::ForLive
            && let Some(frame) = Arc::get_mut(frame)
        {
            // Nobody else has the frame yet; were it shared, its pixels would travel on with it.
            drop(frame.take_picture());
        }
    }
}

/// The first video track that is a main one, and the shape of its pixels.
fn main_pictures(info: &SessionInfo) -> (TrackId, f64) {
    let videos = || info.tracks.iter().filter(|track| track.track.kind == TrackKind::Video);
    let main = videos().find(|track| !track.secondary).or_else(|| videos().next());
    let aspect = main.and_then(|track| track.video.as_ref()).map_or(1.0, |video| video.pixel_aspect);
    (main.map_or(TrackId::video(0), |track| track.track), aspect)
}
