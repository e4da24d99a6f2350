//! What detectors of one video track have in common: which items concern them, and when to begin anew.

use avwatch_actors::detector::{Detector, Verdicts};
use avwatch_actors::frame::VideoFrame;
use avwatch_actors::item::Item;
use avwatch_actors::track::{TrackId, TrackInfo, TrackKind};

/// Judges the pictures of one track, one after the other.
pub(super) trait PictureJudge: Send {
    /// Looks at the next picture.
    fn look(&mut self, frame: &VideoFrame, out: &mut Verdicts);
    /// Forgets everything: a new session begins.
    fn begin(&mut self);
    /// No picture follows: the last chance to say what was waited with.
    fn end(&mut self, _out: &mut Verdicts) {}
}

/// A judge as a detector.
pub(super) struct OfPictures<J> {
    track: TrackId,
    judge: J,
}

impl<J: PictureJudge + 'static> OfPictures<J> {
    /// For the pictures of that track.
    pub(super) fn boxed(track: &TrackInfo, judge: J) -> Box<dyn Detector> {
        Box::new(Self { track: track.track, judge })
    }
}

impl<J: PictureJudge> Detector for OfPictures<J> {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        match item {
            Item::Video(frame) if frame.stamp.track == self.track => self.judge.look(frame, out),
            Item::Started(info) if info.revision == 0 => self.judge.begin(),
            Item::Ended(_) => self.judge.end(out),
            Item::Video(_) | Item::Audio(_) | Item::Started(_) | Item::Packets(_) | Item::Clock(_) | Item::Gap(_) => {}
        }
    }
}

/// Whether a track has pictures.
pub(super) fn is_video(track: &TrackInfo) -> bool {
    track.track.kind == TrackKind::Video
}
