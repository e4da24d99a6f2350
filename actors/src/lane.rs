//! Lanes: bounded channels from a session's thread to a detector actor, with a named policy for
//! when they are full.
//!
//! One sender (the session's thread) and one receiver (the actor's arbiter). Only frames are ever
//! displaced: the few items that say what the frames mean travel in a reserve of their own and
//! always arrive, in order.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, TrySendError, bounded};

use crate::item::Item;
use crate::lifeline::{Lifeline, Phase};

/// Places beyond the capacity that only items other than frames may take.
const RESERVE: usize = 64;

/// Most items other than frames that are kept aside while frames are displaced. Beyond it the
/// oldest go, and are counted: an actor that lags so far behind hears of the newest only.
const CARRIED_MAX: usize = 1_024;

/// How long a waiting sender goes without beating and looking at the cut.
const WAIT_SLICE: Duration = Duration::from_millis(50);

/// What happens to a frame when the lane is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The oldest waiting frame goes. For live pictures and sound: what is newest matters most.
    DropOldest,
    /// The new frame goes. When a gapless beginning matters more than being current.
    DropNewest,
    /// The sender waits: nothing is lost, the source is slowed. For files.
    Wait,
}

/// What became of an offered item.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It is in the lane.
    Taken,
    /// It is in the lane; that many older frames went.
    TakenDisplacing {
        /// Frames that were dropped.
        dropped: u32,
    },
    /// The lane is full and the item was dropped.
    Refused,
    /// The receiver is gone.
    Closed,
    /// The lifeline was cut while waiting.
    Cut,
}

/// Counts of a lane since it was made. Written by the sender, read by anyone.
#[derive(Debug, Default)]
pub struct LaneMeter {
    taken: AtomicU64,
    displaced: AtomicU64,
    refused: AtomicU64,
}

impl LaneMeter {
    // Relaxed throughout: these are counts that nothing else is ordered by.

    /// Items that entered the lane.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Frames dropped to make room for newer ones.
    pub fn displaced(&self) -> u64 {
        self.displaced.load(Ordering::Relaxed)
    }

    /// Items that were not let in, or met a receiver that was gone.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Shared {
    /// Items other than frames that were met while displacing; older than all in the channel.
    carried: Mutex<VecDeque<Item>>,
    receiver_gone: AtomicBool,
    /// Frames that came into the lane, and that the receiver took out.
    frames: AtomicU64,
    received: AtomicU64,
    meter: LaneMeter,
}

/// The sending end, owned by a session's thread.
#[derive(Debug)]
pub struct LaneSender {
    sender: Sender<Item>,
    /// For displacing only; the reason why the channel itself never reports a gone receiver.
    oldest: Option<Receiver<Item>>,
    /// Wakes a waiting sender; only with [`WhenFull::Wait`].
    room: Option<Receiver<()>>,
    shared: Arc<Shared>,
    capacity: usize,
    when_full: WhenFull,
}

/// The receiving end, owned by a detector actor. Drains the lane when dropped.
#[derive(Debug)]
pub struct LaneReceiver {
    receiver: Receiver<Item>,
    /// At most one token: something was taken since the sender looked last.
    room: Option<Sender<()>>,
    shared: Arc<Shared>,
}

/// Makes a lane for `capacity` frames.
pub fn lane(capacity: NonZeroUsize, when_full: WhenFull) -> (LaneSender, LaneReceiver) {
    let (sender, receiver) = bounded(capacity.get() + RESERVE);
    let shared = Arc::new(Shared {
        carried: Mutex::new(VecDeque::new()),
        receiver_gone: AtomicBool::new(false),
        frames: AtomicU64::new(0),
        received: AtomicU64::new(0),
        meter: LaneMeter::default(),
    });
    let oldest = (when_full == WhenFull::DropOldest).then(|| receiver.clone());
    let (token, room) = (when_full == WhenFull::Wait).then(|| bounded(1)).unzip();
    (
        LaneSender { sender, oldest, room, shared: shared.clone(), capacity: capacity.get(), when_full },
        LaneReceiver { receiver, room: token, shared },
    )
}

impl LaneSender {
    /// Puts an item into the lane, or does what the policy says. Waits only with [`WhenFull::Wait`],
    /// beating meanwhile, and then until there is room, the receiver is gone, or the cut.
    pub fn offer(&self, item: Item, line: &Lifeline) -> Offer {
        // Acquire pairs with the release in the receiver's drop.
        if self.shared.receiver_gone.load(Ordering::Acquire) {
            self.shared.meter.refused.fetch_add(u64::from(item.is_frame()), Ordering::Relaxed);
            return Offer::Closed;
        }
        let is_frame = item.is_frame();
        let offer = if self.when_full == WhenFull::Wait {
            self.offer_waiting(item, line)
        } else if item.is_frame() && self.is_full() {
            self.offer_frame_to_full(item)
        } else {
            self.offer_to_reserve(item)
        };
        let meter = &self.shared.meter;
        if matches!(offer, Offer::Taken | Offer::TakenDisplacing { .. }) {
            self.shared.frames.fetch_add(is_frame.into(), Ordering::Relaxed);
        }
        match offer {
            Offer::Taken => drop(meter.taken.fetch_add(1, Ordering::Relaxed)),
            Offer::TakenDisplacing { dropped } => {
                meter.taken.fetch_add(1, Ordering::Relaxed);
                meter.displaced.fetch_add(u64::from(dropped), Ordering::Relaxed);
            }
            Offer::Refused => drop(meter.refused.fetch_add(1, Ordering::Relaxed)),
            Offer::Closed | Offer::Cut => {}
        }
        offer
    }

    /// The counts of this lane.
    pub fn meter(&self) -> &LaneMeter {
        &self.shared.meter
    }

    /// Items waiting in the lane.
    pub fn len(&self) -> usize {
        self.sender.len()
    }

    /// True when nothing waits in the lane.
    pub fn is_empty(&self) -> bool {
        self.sender.is_empty()
    }

    /// Frames waiting in the lane, about: both ends may be at work.
    pub fn frames_waiting(&self) -> u64 {
        let gone = self.shared.received.load(Ordering::Relaxed) + self.shared.meter.displaced();
        self.shared.frames.load(Ordering::Relaxed).saturating_sub(gone)
    }

    /// True when there is no room for another frame.
    pub fn is_full(&self) -> bool {
        self.sender.len() >= self.capacity
    }

    fn offer_to_reserve(&self, item: Item) -> Offer {
        match self.sender.try_send(item) {
            Ok(()) => Offer::Taken,
            Err(TrySendError::Disconnected(_)) => Offer::Closed,
            Err(TrySendError::Full(item)) if item.is_frame() => self.offer_frame_to_full(item),
            // The reserve is full of items of this kind: make room among the frames for it.
            Err(TrySendError::Full(item)) => match self.when_full {
                WhenFull::DropOldest => self.displace_for(item),
                WhenFull::DropNewest | WhenFull::Wait => Offer::Refused,
            },
        }
    }

    fn offer_frame_to_full(&self, item: Item) -> Offer {
        match self.when_full {
            WhenFull::DropOldest => self.displace_for(item),
            WhenFull::DropNewest | WhenFull::Wait => Offer::Refused,
        }
    }

    /// Drops the oldest frame; what is met before it moves to the carried items, which the
    /// receiver takes first, so the order stays.
    fn displace_for(&self, item: Item) -> Offer {
        let Some(oldest) = &self.oldest else { return Offer::Refused };
        let mut carried = self.shared.carried.lock().unwrap_or_else(PoisonError::into_inner);
        let mut dropped = 0;
        loop {
            match oldest.try_recv() {
                Ok(old) if old.is_frame() => {
                    dropped += 1;
                    break;
                }
                Ok(old) => dropped += carry(&mut carried, old),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        // The lock is held, so the receiver takes nothing meanwhile and there is room now.
        match self.sender.try_send(item) {
            Ok(()) if dropped == 0 => Offer::Taken,
            Ok(()) => Offer::TakenDisplacing { dropped },
            Err(_) => Offer::Refused,
        }
    }

    fn offer_waiting(&self, mut item: Item, line: &Lifeline) -> Offer {
        let phase = line.phase();
        let mut waits = false;
        let offer = loop {
            // Only this sender fills the lane, so the length can only shrink between look and send.
            // The reserve stays free for what must arrive even after a cut.
            if !self.is_full() || !item.is_frame() {
                match self.sender.try_send(item) {
                    Ok(()) => break Offer::Taken,
                    Err(TrySendError::Disconnected(_)) => break Offer::Closed,
                    Err(TrySendError::Full(back)) => item = back,
                }
            }
            if line.is_cut() {
                break Offer::Cut;
            }
            if !waits {
                waits = true;
                line.enter(Phase::Waiting);
            }
            let Some(room) = &self.room else { break Offer::Refused };
            if room.recv_timeout(WAIT_SLICE) == Err(RecvTimeoutError::Disconnected) {
                break Offer::Closed;
            }
            line.beat();
        };
        if waits {
            line.enter(phase);
        }
        offer
    }
}

/// Keeps an item for the receiver; returns how many older ones went for it. Of clocks only the
/// newest matters, and reports of the demuxer are joined, which keeps the rest to a handful per
/// session: only a source that changes its make-up without end reaches the bound.
fn carry(carried: &mut VecDeque<Item>, item: Item) -> u32 {
    match (carried.back_mut(), &item) {
        (Some(last @ Item::Clock(_)), Item::Clock(_)) => *last = item,
        (Some(Item::Packets(last)), Item::Packets(next)) => Arc::make_mut(last).join(next),
        _ => carried.push_back(item),
    }
    if carried.len() <= CARRIED_MAX {
        return 0;
    }
    carried.pop_front();
    1
}

impl LaneReceiver {
    /// The oldest item, if there is one.
    pub fn take(&self) -> Option<Item> {
        let mut carried = self.shared.carried.lock().unwrap_or_else(PoisonError::into_inner);
        let item = carried.pop_front().or_else(|| self.receiver.try_recv().ok());
        self.shared.received.fetch_add(item.as_ref().is_some_and(Item::is_frame).into(), Ordering::Relaxed);
        if let (Some(_), Some(room)) = (&item, &self.room) {
            // A token that lies there already says the same.
            let _ = room.try_send(());
        }
        item
    }

    /// True when nothing waits in the lane.
    pub fn is_empty(&self) -> bool {
        self.receiver.is_empty() && self.shared.carried.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

impl Drop for LaneReceiver {
    fn drop(&mut self) {
        // Release: a sender that sees the flag puts nothing more in after the drain below.
        self.shared.receiver_gone.store(true, Ordering::Release);
        self.shared.carried.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let frames = self.receiver.try_iter().filter(Item::is_frame).count();
        self.shared.meter.displaced.fetch_add(frames as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::PictureFacts;
    use crate::media_time::MediaTime;
    use crate::scripted::Scribe;
    use crate::track::SessionNumber;
    use proptest::prelude::*;

    /// A frame that carries its number as its time in milliseconds.
    fn frame(number: u64) -> Item {
        let at = MediaTime::from_millis(number as i64);
        Scribe::new(SessionNumber(1)).picture(at, MediaTime::from_millis(1), PictureFacts::default())
    }

    fn seq(item: &Item) -> Option<u64> {
        match item {
            Item::Video(frame) => Some(frame.stamp.media_time.as_millis() as u64),
            _ => None,
        }
    }

    fn capacity(frames: usize) -> NonZeroUsize {
        NonZeroUsize::new(frames).expect("tests use capacities above zero")
    }

    #[test]
    fn a_full_lane_drops_the_oldest_frame_and_counts_it() {
        let line = Lifeline::default();
        let (sender, receiver) = lane(capacity(2), WhenFull::DropOldest);
        assert_eq!(sender.offer(frame(0), &line), Offer::Taken);
        assert_eq!(sender.offer(frame(1), &line), Offer::Taken);
        assert_eq!(sender.offer(frame(2), &line), Offer::TakenDisplacing { dropped: 1 });
        assert_eq!(sender.meter().displaced(), 1);
        let left: Vec<_> = std::iter::from_fn(|| receiver.take()).filter_map(|item| seq(&item)).collect();
        assert_eq!(left, [1, 2]);
    }

    #[test]
    fn a_full_lane_that_drops_the_newest_refuses_frames_but_not_the_end() {
        let line = Lifeline::default();
        let (sender, receiver) = lane(capacity(1), WhenFull::DropNewest);
        assert_eq!(sender.offer(frame(0), &line), Offer::Taken);
        assert_eq!(sender.offer(frame(1), &line), Offer::Refused);
        assert_eq!(sender.offer(Item::Ended(crate::item::EndReason::Finished), &line), Offer::Taken);
        assert_eq!(sender.meter().refused(), 1);
        assert_eq!(receiver.take().as_ref().and_then(seq), Some(0));
        assert!(matches!(receiver.take(), Some(Item::Ended(_))));
    }

    #[test]
    fn a_waiting_sender_ends_by_the_cut() {
        let line = Lifeline::default();
        let (sender, _receiver) = lane(capacity(1), WhenFull::Wait);
        assert_eq!(sender.offer(frame(0), &line), Offer::Taken);
        line.cut(crate::lifeline::CutReason::Stopped);
        assert_eq!(sender.offer(frame(1), &line), Offer::Cut);
        let end = Item::Ended(crate::item::EndReason::Stopped);
        assert_eq!(sender.offer(end, &line), Offer::Taken, "the end always arrives");
    }

    #[test]
    fn a_waiting_sender_goes_on_when_something_is_taken() {
        let line = Arc::new(Lifeline::default());
        let (sender, receiver) = lane(capacity(1), WhenFull::Wait);
        assert_eq!(sender.offer(frame(0), &line), Offer::Taken);
        let waiter = line.clone();
        let thread = std::thread::spawn(move || (sender.offer(frame(1), &waiter), sender.len()));
        while line.phase() != Phase::Waiting {
            std::thread::yield_now();
        }
        assert_eq!(receiver.take().as_ref().and_then(seq), Some(0));
        assert_eq!(thread.join().unwrap(), (Offer::Taken, 1));
    }

    #[test]
    fn a_waiting_sender_ends_when_the_receiver_goes() {
        let line = Arc::new(Lifeline::default());
        let (sender, receiver) = lane(capacity(1), WhenFull::Wait);
        assert_eq!(sender.offer(frame(0), &line), Offer::Taken);
        let waiter = line.clone();
        let thread = std::thread::spawn(move || sender.offer(frame(1), &waiter));
        while line.phase() != Phase::Waiting {
            std::thread::yield_now();
        }
        drop(receiver);
        assert_eq!(thread.join().unwrap(), Offer::Closed);
    }

    #[test]
    fn reports_of_the_demuxer_do_not_pile_up_behind_an_actor_that_stands_still() {
        let line = Lifeline::default();
        let (sender, receiver) = lane(capacity(4), WhenFull::DropOldest);
        for number in 1..=10_000 {
            let facts = crate::item::PacketFacts {
                at: MediaTime::from_millis(100 * number),
                lasts: MediaTime::from_millis(100),
                bytes: 1,
                ..Default::default()
            };
            let _ = sender.offer(Item::Packets(Arc::new(facts)), &line);
        }
        let left: Vec<_> = std::iter::from_fn(|| receiver.take()).collect();
        assert!(left.len() <= 4 + RESERVE + 1, "{}", left.len());
        let bytes: u64 = left.iter().map(|item| if let Item::Packets(facts) = item { facts.bytes } else { 0 }).sum();
        assert_eq!(bytes, 10_000, "joined, not lost");
    }

    #[test]
    fn a_source_that_restarts_without_end_does_not_fill_memory() {
        let line = Lifeline::default();
        let (sender, receiver) = lane(capacity(2), WhenFull::DropOldest);
        for _ in 0..10_000 {
            let _ = sender.offer(Item::Ended(crate::item::EndReason::Finished), &line);
        }
        let left = std::iter::from_fn(|| receiver.take()).count() as u64;
        assert!(left <= (CARRIED_MAX + RESERVE + 2) as u64);
        assert_eq!(left + sender.meter().displaced(), 10_000, "every loss is counted");
    }

    #[test]
    fn frames_offered_to_a_receiver_that_went_are_counted() {
        let line = Lifeline::default();
        let (sender, receiver) = lane(capacity(4), WhenFull::DropOldest);
        assert_eq!(sender.offer(frame(0), &line), Offer::Taken);
        drop(receiver);
        assert_eq!(sender.offer(frame(1), &line), Offer::Closed);
        assert_eq!((sender.meter().displaced(), sender.meter().refused()), (1, 1));
    }

    #[test]
    fn a_lane_whose_receiver_went_is_closed_under_every_policy() {
        for when_full in [WhenFull::DropOldest, WhenFull::DropNewest, WhenFull::Wait] {
            let line = Lifeline::default();
            let (sender, receiver) = lane(capacity(1), when_full);
            drop(receiver);
            assert_eq!(sender.offer(frame(0), &line), Offer::Closed);
        }
    }

    proptest! {
        /// Against a naive model: order is kept, only frames go, and every one that goes is counted.
        #[test]
        fn nothing_but_frames_is_lost_and_order_is_kept(script in prop::collection::vec((0_u8..4, any::<bool>()), 1..200)) {
            let line = Lifeline::default();
            let (sender, receiver) = lane(capacity(4), WhenFull::DropOldest);
            let mut number = 0_i64;
            let (mut offered, mut got) = (Vec::new(), Vec::new());
            for (kind, read) in script {
                number += 1;
                if kind == 0 {
                    let item = Item::Gap(crate::item::Gap {
                        track: crate::track::TrackId::INPUT, from: MediaTime::ZERO,
                        to: MediaTime::from_nanos(number), why: crate::item::GapReason::Source });
                    prop_assert_eq!(sender.offer(item, &line), Offer::Taken);
                    offered.push((number, false));
                } else {
                    let _ = sender.offer(frame(number as u64), &line);
                    offered.push((number, true));
                }
                if read { got.extend(receiver.take()); }
            }
            got.extend(std::iter::from_fn(|| receiver.take()));
            let numbers: Vec<i64> = got.iter().map(|item| match item {
                Item::Gap(gap) => gap.to.as_nanos(),
                other => seq(other).expect("only gaps and frames were sent") as i64,
            }).collect();
            prop_assert!(numbers.is_sorted());
            let lost = offered.iter().filter(|(number, _)| !numbers.contains(number)).count() as u64;
            prop_assert!(offered.iter().all(|(number, is_frame)| *is_frame || numbers.contains(number)));
            prop_assert_eq!(lost, sender.meter().displaced());
        }
    }
}
