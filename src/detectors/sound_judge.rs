//! What detectors of one audio track have in common: which items concern them, and when to begin anew.

use avwatch_actors::detector::{Detector, Verdicts};
use avwatch_actors::frame::AudioFrame;
use avwatch_actors::item::Item;
use avwatch_actors::track::{TrackId, TrackInfo};

/// Judges the sound of one track, block by block.
pub(super) trait SoundJudge: Send {
    /// Listens to the next block.
    fn listen(&mut self, frame: &AudioFrame, out: &mut Verdicts);
    /// Learns how the track is made up, at the begin of a session and when that changes.
    fn learn(&mut self, _track: &TrackInfo) {}
    /// Forgets everything that was heard: a new session begins.
    fn begin(&mut self);
}

/// A judge as a detector.
pub(super) struct OfSound<J> {
    track: TrackId,
    judge: J,
}

impl<J: SoundJudge + 'static> OfSound<J> {
    /// For the sound of that track.
    pub(super) fn boxed(track: &TrackInfo, judge: J) -> Box<dyn Detector> {
        Box::new(Self { track: track.track, judge })
    }
}

impl<J: SoundJudge> Detector for OfSound<J> {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        match item {
            Item::Audio(frame) if frame.stamp.track == self.track => self.judge.listen(frame, out),
            Item::Started(info) => {
                if let Some(track) = info.track(self.track) {
                    self.judge.learn(track);
                }
                if info.revision == 0 {
                    self.judge.begin();
                }
            }
            Item::Video(_) | Item::Audio(_) | Item::Packets(_) | Item::Clock(_) | Item::Gap(_) | Item::Ended(_) => {}
        }
    }
}
