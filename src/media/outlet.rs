//! The outlet: what a session made and has not handed over, in its own time, until zero is known.
//!
//! Media time zero is the earliest frame of any track, which is known only when every track has
//! shown its first. Frames are decoded and measured in the session's internal time meanwhile; here
//! they wait, and from here on everything is shifted by the same amount. Bounded by the session.

use std::collections::VecDeque;
use std::sync::Arc;

use avwatch_actors::frame::{AudioFrame, VideoFrame};
use avwatch_actors::item::{Gap, Item, PacketFacts, SyncMarker, TimelineMark};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::SessionInfo;

use crate::measure::MarkerFinder;

/// Most marks that wait for the next counts; a storm of them says no more.
const MARKS_MAX: usize = 256;

/// Something made, in internal time.
pub(crate) enum Draft {
    Video(VideoFrame),
    Audio(AudioFrame),
    Gap(Gap),
    /// The make-up of the session changed at this time.
    Changed(MediaTime),
    Packets(PacketFacts),
    Clock(MediaTime),
}

/// Collects drafts and hands out items.
#[derive(Default)]
pub(crate) struct Outlet {
    drafts: VecDeque<Draft>,
    marks: Vec<TimelineMark>,
    markers: MarkerFinder,
    /// The earliest beginning of any frame so far.
    earliest: Option<MediaTime>,
    /// Taken off every time, once known.
    origin: Option<MediaTime>,
}

impl Outlet {
    /// Adds a picture.
    pub(crate) fn video(&mut self, frame: VideoFrame) {
        self.begins(frame.stamp.media_time);
        self.markers.picture(&frame.stamp, &frame.facts);
        self.drafts.push_back(Draft::Video(frame));
    }

    /// Adds a block of samples.
    pub(crate) fn audio(&mut self, frame: AudioFrame) {
        self.begins(frame.stamp.media_time);
        self.markers.sound(&frame.stamp, &frame.hops);
        self.drafts.push_back(Draft::Audio(frame));
    }

    /// Adds a hole.
    pub(crate) fn gap(&mut self, gap: Gap) {
        self.drafts.push_back(Draft::Gap(gap));
    }

    /// Says that the make-up changes here.
    pub(crate) fn changed(&mut self, at: MediaTime) {
        // Before zero is known the first announcement tells it all.
        if self.origin.is_some() {
            self.drafts.push_back(Draft::Changed(at));
        }
    }

    /// Adds counts and the clock.
    pub(crate) fn progress(&mut self, facts: PacketFacts) {
        let at = facts.at;
        self.drafts.push_back(Draft::Packets(facts));
        self.drafts.push_back(Draft::Clock(at));
    }

    /// Adds a mark, told with the next counts.
    pub(crate) fn mark(&mut self, mark: TimelineMark) {
        if self.marks.len() < MARKS_MAX {
            self.marks.push(mark);
        }
    }

    /// The marks since the last call.
    pub(crate) fn take_marks(&mut self) -> impl Iterator<Item = TimelineMark> + '_ {
        self.marks.drain(..)
    }

    /// The flashes and beeps since the last call.
    pub(crate) fn take_markers(&mut self) -> Vec<SyncMarker> {
        self.markers.take()
    }

    /// How much waits.
    pub(crate) fn len(&self) -> usize {
        self.drafts.len()
    }

    /// True once zero is known.
    pub(crate) fn is_open(&self) -> bool {
        self.origin.is_some()
    }

    /// The earliest beginning of any frame so far.
    pub(crate) fn earliest(&self) -> Option<MediaTime> {
        self.earliest
    }

    /// Sets zero to the earliest frame so far; from now on items come out.
    pub(crate) fn open(&mut self) {
        self.origin = Some(self.earliest.unwrap_or_default());
    }

    /// The next item; `announce` makes the session's make-up for a change.
    pub(crate) fn pop(&mut self, announce: impl FnOnce(MediaTime) -> SessionInfo) -> Option<Item> {
        let origin = self.origin?;
        let shift = MediaTime::ZERO - origin;
        Some(match self.drafts.pop_front()? {
            Draft::Video(mut frame) => {
                frame.stamp.media_time += shift;
                Item::Video(Arc::new(frame))
            }
            Draft::Audio(mut frame) => {
                frame.stamp.media_time += shift;
                if shift != MediaTime::ZERO {
                    frame.hops.shift(shift);
                }
                Item::Audio(Arc::new(frame))
            }
            Draft::Gap(gap) => Item::Gap(Gap { from: gap.from + shift, to: gap.to + shift, ..gap }),
            Draft::Changed(at) => Item::Started(Arc::new(announce(at + shift))),
            Draft::Packets(mut facts) => {
                facts.at += shift;
                facts.marks.iter_mut().for_each(|mark| mark.at += shift);
                facts.markers.iter_mut().for_each(|marker| marker.at += shift);
                Item::Packets(Arc::new(facts))
            }
            Draft::Clock(at) => Item::Clock(at + shift),
        })
    }

    fn begins(&mut self, at: MediaTime) {
        self.earliest = Some(self.earliest.map_or(at, |earliest| earliest.min(at)));
    }
}
