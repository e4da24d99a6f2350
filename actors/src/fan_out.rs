//! The fan-out: offers each item to every lane that is interested in it.
//!
//! Owned by a stream, used by its session's thread; the outlets can be exchanged while a session
//! runs, which is how detectors are retuned and rebuilt without a new session.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use crate::bell::Bell;
use crate::detector::LaneKind;
use crate::item::Item;
use crate::lane::{LaneMeter, LaneSender, Offer};
use crate::lifeline::Lifeline;
use crate::media_time::MediaTime;
use crate::track::TrackKind;

/// Clocks and counts that come closer than this to the last clock that rang wait for what comes next, or for
/// [`FanOut::ring_waiting`]: nothing is judged by them to a quarter of a second, and each would wake a thread in every
/// lane.
const CLOCKS_APART: MediaTime = MediaTime::from_millis(200);
/// The same of blocks of sound, which last some 20 ms each, where the thread does not say when it waits: a picture's time.
const SOUND_APART: MediaTime = MediaTime::from_millis(40);

/// A thread that says when it waits rings then, or with the first item after this time: waking an actor's thread costs as
/// much as judging some ten frames, and takes the core away from decoding.
const OWED_MAX: Duration = Duration::from_millis(20);
/// No ring is owed.
const NONE: i64 = i64::MIN;

/// One lane with its bell.
#[derive(Debug)]
pub struct Outlet {
    kind: LaneKind,
    lane: LaneSender,
    bell: Option<Arc<Bell>>,
    patience: usize,
    /// When a clock, and when sound last rang, in nanoseconds of media time. They are not measured by each other: where sound
    /// lags behind in the multiplex, either would seem far from the other each time.
    clock_rang: AtomicI64,
    sound_rang: AtomicI64,
    /// Since when a ring is owed, in nanoseconds after `base`.
    owed_since: AtomicI64,
    base: Instant,
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
    /// An outlet into a lane of that kind, with the bell of the actor that drains it; none where the caller drains by
    /// hand. `patience` is how many items may wait before it rings for frames and clocks: 1 where every frame is waited
    /// for, more where only the end is, since waking a thread costs more than judging a frame.
    pub fn new(kind: LaneKind, lane: LaneSender, bell: Option<Arc<Bell>>, patience: usize) -> Self {
        let never = || AtomicI64::new(i64::MIN);
        let (owed_since, base) = (AtomicI64::new(NONE), Instant::now());
        Self { kind, lane, bell, patience, clock_rang: never(), sound_rang: never(), owed_since, base }
    }

    fn offer(&self, item: &Item, line: &Lifeline) -> Delivery {
        match self.lane.offer(item.clone(), line) {
            Offer::Taken | Offer::TakenDisplacing { .. } | Offer::Refused => {
                if self.bell.is_some() && self.rings_for(item, line) {
                    self.ring_or_owe(item, line, Instant::now());
                }
                Delivery::Done
            }
            // An actor that ended; the lane counts, and its supervisor exchanges the outlets.
            Offer::Closed => Delivery::Done,
            Offer::Cut => Delivery::Cut,
        }
    }

    fn ring_or_owe(&self, item: &Item, line: &Lifeline, now: Instant) {
        let now = i64::try_from(now.saturating_duration_since(self.base).as_nanos()).unwrap_or(i64::MAX);
        // Relaxed: nothing is ordered by it, and a ring too many does no harm.
        let since = self.owed_since.load(Ordering::Relaxed);
        // Nothing follows an end that would ring.
        let is_awaited = matches!(item, Item::Started(_) | Item::Ended(_));
        let is_over = since != NONE && now - since >= OWED_MAX.as_nanos() as i64;
        if is_awaited || is_over || !line.tells_idle() || self.lane.is_full() {
            self.ring();
        } else if since == NONE {
            self.owed_since.store(now, Ordering::Relaxed);
        }
    }

    fn owes(&self) -> bool {
        self.owed_since.load(Ordering::Relaxed) != NONE
    }

    fn ring(&self) {
        self.owed_since.store(NONE, Ordering::Relaxed);
        if let Some(bell) = &self.bell {
            bell.ring();
        }
    }

    /// Whether the actor is woken now that an item is in the lane.
    fn rings_for(&self, item: &Item, line: &Lifeline) -> bool {
        let is_awaited = self.lane.len() >= self.patience;
        let (rang, at, apart) = match item {
            Item::Video(_) => return is_awaited,
            // It rings with what else was made before a wait.
            Item::Audio(_) if line.tells_idle() => return is_awaited,
            Item::Started(_) | Item::Gap(_) | Item::Ended(_) => return true,
            Item::Clock(at) => (&self.clock_rang, *at, CLOCKS_APART),
            Item::Packets(facts) => (&self.clock_rang, facts.at, CLOCKS_APART),
            Item::Audio(block) => (&self.sound_rang, block.stamp.media_time, SOUND_APART),
        };
        // What waits must not fill the lane: nobody would make room.
        let is_due = is_awaited && is_apart(rang, at, apart) || self.lane.is_full();
        if is_due && !matches!(item, Item::Packets(_)) {
            // Relaxed: one thread offers, and nothing is ordered by it.
            rang.store(at.as_nanos(), Ordering::Relaxed);
        }
        is_due
    }
}

/// Whether a time is so far from the last that rang.
fn is_apart(rang: &AtomicI64, at: MediaTime, apart: MediaTime) -> bool {
    at.as_nanos().abs_diff(rang.load(Ordering::Relaxed)) >= apart.as_nanos().unsigned_abs()
}

impl FanOut {
    /// Puts an outlet in the place of the one of its kind, or beside the others. The next item
    /// goes to it.
    pub fn exchange(&self, outlet: Outlet) {
        let mut outlets: Vec<Arc<Outlet>> = self.outlets.load().iter().cloned().collect();
        for old in outlets.iter().filter(|old| old.kind == outlet.kind) {
            // What still waits there is lost with its actor.
            let lost = old.lane.meter().displaced() + old.lane.frames_waiting();
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

    /// Rings where a ring is owed. To be called on the session's thread before it waits.
    pub fn ring_owed(&self) {
        self.outlets.load().iter().filter(|outlet| outlet.owes()).for_each(|outlet| outlet.ring());
    }

    /// Rings for what waits without having rung. To be called now and then: where a source falls silent, nothing follows
    /// that would.
    pub fn ring_waiting(&self) {
        for outlet in self.outlets.load().iter().filter(|outlet| !outlet.lane.is_empty()) {
            if let Some(bell) = &outlet.bell {
                bell.ring();
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

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::frame::{PictureFacts, SoundHops};
    use crate::lane::{WhenFull, lane};
    use crate::scripted::Scribe;
    use crate::track::SessionNumber;

    fn outlet(capacity: usize, patience: usize) -> (Outlet, crate::lane::LaneReceiver) {
        let (sender, receiver) = lane(NonZeroUsize::new(capacity).expect("above zero"), WhenFull::Wait);
        (Outlet::new(LaneKind::Picture, sender, None, patience), receiver)
    }

    /// Whether each of the items would ring.
    fn rings(outlet: &Outlet, items: &[Item]) -> Vec<bool> {
        let ring = |item: &Item| {
            assert_eq!(outlet.offer(item, &Lifeline::default()), Delivery::Done);
            outlet.rings_for(item, &Lifeline::default())
        };
        items.iter().map(ring).collect()
    }

    fn clock(millis: i64) -> Item {
        Item::Clock(MediaTime::from_millis(millis))
    }

    fn picture(millis: i64) -> Item {
        let at = MediaTime::from_millis(millis);
        Scribe::new(SessionNumber(1)).picture(at, MediaTime::from_millis(40), PictureFacts::default())
    }

    fn block(millis: i64) -> Item {
        let at = MediaTime::from_millis(millis);
        Scribe::new(SessionNumber(1)).sound(at, MediaTime::from_millis(20), SoundHops::new(2), None)
    }

    #[test]
    fn every_picture_rings_and_of_ten_clocks_five() {
        let (outlet, _receiver) = outlet(64, 1);
        let items: Vec<Item> = (0..10).map(|number| clock(number * 100)).collect();
        assert_eq!(rings(&outlet, &items), [true, false].repeat(5));
        assert_eq!(rings(&outlet, &[picture(940), clock(950), picture(980)]), [true, false, true]);
        assert_eq!(rings(&outlet, &[clock(0), clock(100)]), [true, false], "a session that begins anew");
    }

    #[test]
    fn sound_rings_every_40_milliseconds_and_at_once_after_a_pause() {
        let (outlet, _receiver) = outlet(64, 1);
        let blocks: Vec<Item> = (0..8).map(|number| block(number * 20)).collect();
        assert_eq!(rings(&outlet, &blocks), [true, false].repeat(4));
        assert_eq!(rings(&outlet, &[block(1_000), block(2_000), block(2_020)]), [true, true, false]);
    }

    #[test]
    fn a_thread_that_tells_when_it_waits_owes_its_rings_until_then_or_for_20_milliseconds() {
        let (outlet, _receiver) = outlet(64, 1);
        let line = Lifeline::default();
        let owes = |item: &Item, millis| {
            outlet.ring_or_owe(item, &line, outlet.base + Duration::from_millis(millis));
            outlet.owes()
        };
        assert!(!owes(&block(0), 0), "it never says when it waits");
        line.idled(Duration::ZERO);
        assert_eq!([10, 15, 29, 30, 31].map(|millis| owes(&block(0), millis)), [true, true, true, false, true]);
        assert!(!owes(&Item::Ended(crate::item::EndReason::Finished), 32), "nothing follows an end");
    }

    #[test]
    fn what_would_fill_a_lane_is_rung_for_at_once() {
        let (outlet, _receiver) = outlet(2, 1);
        let line = Lifeline::default();
        line.idled(Duration::ZERO);
        for (millis, owes) in [(0, true), (40, false)] {
            assert_eq!(outlet.offer(&block(millis), &line), Delivery::Done);
            outlet.ring_or_owe(&block(millis), &line, outlet.base);
            assert_eq!(outlet.owes(), owes);
        }
    }

    #[test]
    fn sound_far_behind_the_clock_wakes_no_oftener_for_that() {
        let (outlet, _receiver) = outlet(64, 1);
        let items: Vec<Item> = (0..20).flat_map(|number| [clock(700 + number * 20), block(number * 20)]).collect();
        let rung = rings(&outlet, &items);
        assert_eq!(rung.iter().step_by(2).filter(|rang| **rang).count(), 2, "clocks");
        assert_eq!(rung.iter().skip(1).step_by(2).filter(|rang| **rang).count(), 10, "blocks");
    }

    /// Counts what it is nudged.
    struct Listener(Arc<AtomicU64>);

    impl actix::Actor for Listener {
        type Context = actix::Context<Self>;
    }

    impl actix::Handler<crate::bell::Nudge> for Listener {
        type Result = ();
        fn handle(&mut self, _: crate::bell::Nudge, _: &mut Self::Context) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A lane whose bell is counted.
    struct Belfry {
        bell: Arc<Bell>,
        heard: Arc<AtomicU64>,
        receiver: crate::lane::LaneReceiver,
    }

    impl Belfry {
        /// Of that kind, in `fan_out`. On a running actix system.
        fn raise(fan_out: &FanOut, kind: LaneKind) -> Self {
            let heard = Arc::new(AtomicU64::new(0));
            let bell = Arc::new(Bell::new(actix::Actor::start(Listener(heard.clone())).recipient()));
            let (sender, receiver) = lane(NonZeroUsize::MIN.saturating_add(63), WhenFull::DropOldest);
            fan_out.exchange(Outlet::new(kind, sender, Some(bell.clone()), 1));
            Self { bell, heard, receiver }
        }

        /// How often it was rung so far.
        async fn count(&self) -> u64 {
            // The actor has its turn.
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
            self.bell.answer();
            self.heard.load(Ordering::Relaxed)
        }

        fn empty(&self) {
            while self.receiver.take().is_some() {}
        }
    }

    #[test]
    fn what_was_made_before_a_wait_is_rung_for_once_then() {
        actix::System::new().block_on(async {
            let fan_out = Arc::new(FanOut::default());
            let pictures = Belfry::raise(&fan_out, LaneKind::Picture);
            let sound = Belfry::raise(&fan_out, LaneKind::Sound);
            let line = Lifeline::default();
            let rung = fan_out.clone();
            line.before_waiting(move || rung.ring_owed());
            line.idled(Duration::ZERO);
            for turn in 1..=3 {
                line.rests();
                // Blocks that come sooner after each other than they ring where nobody tells of waits.
                for item in [picture(turn * 80), block(turn * 20), picture(turn * 80 + 40)] {
                    assert_eq!(fan_out.offer(&item, &line), Delivery::Done);
                }
                line.rests();
                assert_eq!((pictures.count().await, sound.count().await), (turn as u64, turn as u64));
                pictures.empty();
                sound.empty();
            }
        });
    }

    #[test]
    fn a_clock_that_did_not_ring_is_rung_for_when_the_source_falls_silent() {
        actix::System::new().block_on(async {
            let fan_out = FanOut::default();
            let input = Belfry::raise(&fan_out, LaneKind::Input);
            for (millis, rung) in [(0, 1), (100, 1)] {
                assert_eq!(fan_out.offer(&clock(millis), &Lifeline::default()), Delivery::Done);
                assert_eq!(input.count().await, rung, "{millis}");
            }
            fan_out.ring_waiting();
            assert_eq!(input.count().await, 2);
            input.empty();
            fan_out.ring_waiting();
            assert_eq!(input.count().await, 2, "nothing waits");
        });
    }

    #[test]
    fn clocks_that_wait_in_a_lane_that_is_exchanged_are_no_lost_frames() {
        let fan_out = FanOut::default();
        let (first, receiver) = outlet(64, 1);
        fan_out.exchange(first);
        for item in [picture(0), clock(0), picture(40), clock(100), picture(80)] {
            assert_eq!(fan_out.offer(&item, &Lifeline::default()), Delivery::Done);
        }
        assert!(receiver.take().is_some_and(|item| item.is_frame()));
        fan_out.exchange(outlet(64, 1).0);
        assert_eq!(fan_out.dropped(), (2, 0));
    }

    #[test]
    fn a_short_lane_full_of_clocks_rings_for_the_next() {
        let (outlet, _receiver) = outlet(2, 1);
        assert_eq!(rings(&outlet, &[clock(0), clock(10)]), [true, true]);
    }

    #[test]
    fn where_only_the_end_is_waited_for_it_rings_for_many_together() {
        let (outlet, _receiver) = outlet(64, 4);
        assert_eq!(rings(&outlet, &[picture(0), clock(40), picture(40), picture(80)]), [false, false, false, true]);
        assert_eq!(rings(&outlet, &[Item::Ended(crate::item::EndReason::Finished)]), [true]);
    }
}
