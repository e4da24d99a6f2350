//! The fan-out: offers each item to every lane that is interested in it.
//!
//! Owned by a stream, used by its session's thread; the outlets can be exchanged while a session
//! runs, which is how detectors are retuned and rebuilt without a new session.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use crate::bell::Bell;
use crate::detector::LaneKind;
use crate::item::Item;
use crate::lane::{LaneMeter, LaneSender, Offer};
use crate::lifeline::Lifeline;
use crate::track::TrackKind;

/// One lane with its bell.
#[derive(Debug)]
pub struct Outlet {
    /// Which items it takes.
    pub kind: LaneKind,
    /// The lane.
    pub lane: LaneSender,
    /// The bell of the actor that drains it; absent where the caller drains by hand.
    pub bell: Option<Arc<Bell>>,
    /// Items that may wait before the bell rings for frames and clocks: 1 where every frame is waited for,
    /// more where only the end is, since waking a thread costs more than judging a frame.
    pub patience: usize,
}

/// The outlets of one stream.
#[derive(Debug, Default)]
pub struct FanOut {
    outlets: ArcSwap<Vec<Arc<Outlet>>>,
    /// Losses of lanes that were exchanged: what is counted never falls.
    displaced_before: AtomicU64,
    refused_before: AtomicU64,
}

/// What became of an item that was offered to all lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Every interested lane was asked.
    Done,
    /// The lifeline was cut while waiting for room.
    Cut,
}

impl Outlet {
    fn offer(&self, item: &Item, line: &Lifeline) -> Delivery {
        match self.lane.offer(item.clone(), line) {
            Offer::Taken | Offer::TakenDisplacing { .. } | Offer::Refused => {
                let may_wait = matches!(item, Item::Video(_) | Item::Audio(_) | Item::Clock(_) | Item::Packets(_));
                if let Some(bell) = self.bell.as_ref().filter(|_| !may_wait || self.lane.len() >= self.patience) {
                    bell.ring();
                }
                Delivery::Done
            }
            // An actor that ended; the lane counts, and its supervisor exchanges the outlets.
            Offer::Closed => Delivery::Done,
            Offer::Cut => Delivery::Cut,
        }
    }
}

impl FanOut {
    /// Puts an outlet in the place of the one of its kind, or beside the others. The next item
    /// goes to it.
    pub fn exchange(&self, outlet: Outlet) {
        let mut outlets: Vec<Arc<Outlet>> = self.outlets.load().iter().cloned().collect();
        for old in outlets.iter().filter(|old| old.kind == outlet.kind) {
            // What still waits there is lost with its actor.
            let lost = old.lane.meter().displaced() + old.lane.len() as u64;
            self.displaced_before.fetch_add(lost, Ordering::Relaxed);
            self.refused_before.fetch_add(old.lane.meter().refused(), Ordering::Relaxed);
        }
        outlets.retain(|old| old.kind != outlet.kind);
        outlets.push(Arc::new(outlet));
        self.outlets.store(Arc::new(outlets));
    }

    /// Offers an item to every interested lane; losses are counted by the lane alone.
    pub fn offer(&self, item: &Item, line: &Lifeline) -> Delivery {
        for outlet in self.outlets.load().iter().filter(|outlet| interests(outlet.kind, item)) {
            if outlet.offer(item, line) == Delivery::Cut {
                return Delivery::Cut;
            }
        }
        Delivery::Done
    }

    /// Offers an item to one lane only: what a fresh actor must hear of a session that runs already.
    pub fn offer_to(&self, kind: LaneKind, item: &Item, line: &Lifeline) {
        for outlet in self.outlets.load().iter().filter(|outlet| outlet.kind == kind) {
            if outlet.offer(item, line) == Delivery::Cut {
                tracing::debug!("a lane was full when it should have taken a start");
            }
        }
    }

    /// Frames displaced and refused by all lanes there ever were.
    pub fn dropped(&self) -> (u64, u64) {
        let relaxed = Ordering::Relaxed;
        let mut sum = (self.displaced_before.load(relaxed), self.refused_before.load(relaxed));
        self.meters(|_, meter, _| sum = (sum.0 + meter.displaced(), sum.1 + meter.refused()));
        sum
    }

    /// Calls `look` with the meter of every lane.
    pub fn meters(&self, mut look: impl FnMut(LaneKind, &LaneMeter, usize)) {
        for outlet in self.outlets.load().iter() {
            look(outlet.kind, outlet.lane.meter(), outlet.lane.len());
        }
    }
}

/// Whether a lane of that kind takes this item.
pub fn interests(kind: LaneKind, item: &Item) -> bool {
    match item {
        Item::Started(_) | Item::Clock(_) | Item::Ended(_) => true,
        Item::Video(_) => kind == LaneKind::Picture,
        Item::Audio(_) => kind == LaneKind::Sound,
        Item::Packets(_) => kind == LaneKind::Input,
        Item::Gap(gap) => match gap.track.kind {
            TrackKind::Video => kind == LaneKind::Picture,
            TrackKind::Audio => kind == LaneKind::Sound,
            TrackKind::Input => true,
            TrackKind::Subtitle | TrackKind::Data => kind == LaneKind::Input,
        },
    }
}
