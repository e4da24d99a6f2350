//! What a resting detector was not shown, until it is called again.
//!
//! Owned by a detector host, on its arbiter. Frames that it missed are told to it as one gap of our own
//! making, so that it takes them for no fault of the source; reports of the demuxer are joined into one,
//! so that it misses nothing of those. How large a share it saw of late is kept while it is throttled.

use std::sync::Arc;

use crate::frame::Stamp;
use crate::item::{Gap, GapReason, Item, PacketFacts};
use crate::media_time::MediaTime;

/// After so many seconds of media, frames count for half.
const HALF_LIFE_S: f64 = 10.0;

/// The account of it.
#[derive(Debug, Default)]
pub(crate) struct Missed {
    gap: Option<Gap>,
    facts: Option<PacketFacts>,
    /// Frames that came and those that were shown, while it is throttled; both fade.
    came: f64,
    shown: f64,
}

impl Missed {
    /// It is not shown that item; true for a frame, which is lost to it.
    pub(crate) fn miss(&mut self, item: &Item) -> bool {
        match item {
            Item::Video(frame) => self.miss_frame(&frame.stamp),
            Item::Audio(frame) => self.miss_frame(&frame.stamp),
            Item::Packets(facts) => match &mut self.facts {
                Some(before) => before.join(facts),
                None => self.facts = Some((**facts).clone()),
            },
            Item::Started(_) | Item::Clock(_) | Item::Gap(_) | Item::Ended(_) => {}
        }
        item.is_frame()
    }

    fn miss_frame(&mut self, stamp: &Stamp) {
        self.count(stamp.lasts, 0.0);
        let (from, to) = (stamp.media_time, stamp.end());
        match &mut self.gap {
            Some(gap) => gap.to = gap.to.max(to),
            None => self.gap = Some(Gap { track: stamp.track, from, to, why: GapReason::Displaced }),
        }
    }

    /// It is shown that item, while it is throttled.
    pub(crate) fn show(&mut self, item: &Item) {
        match item {
            Item::Video(frame) => self.count(frame.stamp.lasts, 1.0),
            Item::Audio(frame) => self.count(frame.stamp.lasts, 1.0),
            Item::Started(_) | Item::Packets(_) | Item::Clock(_) | Item::Gap(_) | Item::Ended(_) => {}
        }
    }

    fn count(&mut self, lasts: MediaTime, shown: f64) {
        let kept = 0.5_f64.powf(lasts.as_secs_f64().max(0.0) / HALF_LIFE_S);
        (self.came, self.shown) = (self.came * kept + 1.0, self.shown * kept + shown);
    }

    /// Up to when it missed frames that it has not been told of.
    pub(crate) fn until(&self) -> Option<MediaTime> {
        self.gap.map(|gap| gap.to)
    }

    /// What it must be told before that item. Another session has a timeline of its own.
    pub(crate) fn take(&mut self, next: &Item) -> Option<Item> {
        let gap = self.gap.take().filter(|_| !matches!(next, Item::Started(_)));
        gap.map(Item::Gap).or_else(|| self.facts.take().map(|facts| Item::Packets(Arc::new(facts))))
    }

    /// The share of frames that it saw of late; nothing while it is shown all.
    pub(crate) fn coverage(&self) -> Option<f64> {
        (self.came > 0.0).then(|| (self.shown / self.came).clamp(0.0, 1.0))
    }

    /// It is shown all from here on.
    pub(crate) fn end(&mut self) {
        (self.came, self.shown) = (0.0, 0.0);
    }
}
