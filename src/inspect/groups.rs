//! The detector actors of one inspection: started, watched, and retired with it.
//!
//! Owned by the inspection, on the control arbiter; the actors live on detector arbiters. It stands
//! where [`avwatch_actors::stream_groups`] stands in the service, but never rebuilds an actor: what
//! was lost with it would make two checks of the same file differ.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix::prelude::*;
use avwatch_actors::arbiters::{Arbiters, Seat, SeatWatch};
use avwatch_actors::bell::Bell;
use avwatch_actors::cpu_accounts::CpuAccounts;
use avwatch_actors::detector::{DetectorSpec, LaneKind};
use avwatch_actors::detector_actor::{DetectorActor, HangBell, Retire};
use avwatch_actors::detector_group::{AtEnd, DetectorGroup};
use avwatch_actors::event::{ChangeKind, EventChange, EventKey, StreamCard};
use avwatch_actors::event_desk::{DeskMessage, EVENT_LANE_MAX};
use avwatch_actors::fan_out::{FanOut, Outlet};
use avwatch_actors::lane::{WhenFull, lane};
use avwatch_actors::latency::LatencyBook;
use crossbeam_channel::{Receiver, Sender, bounded};

/// Items that may wait in a lane: enough to keep both threads busy, few enough to stay small.
const LANE_PLACES: usize = 64;

const KINDS: [LaneKind; 3] = [LaneKind::Picture, LaneKind::Sound, LaneKind::Input];

/// One detector actor.
struct Running {
    kind: LaneKind,
    number: u32,
    seat: Seat,
    actor: Addr<DetectorActor>,
    /// Shuts it out: nothing that it still says counts.
    fence: Arc<AtomicBool>,
    /// It has judged everything, or never will.
    is_done: bool,
}

/// What stands still.
pub(super) enum Hang {
    /// This detector does not return.
    Detector(&'static str),
    /// An arbiter, though no detector is in call.
    Arbiter,
}

/// What the actors are made of.
pub(super) struct Parts {
    pub(super) card: Arc<StreamCard>,
    pub(super) specs: Arc<Vec<Arc<DetectorSpec>>>,
    pub(super) fan_out: Arc<FanOut>,
    pub(super) latencies: Arc<LatencyBook>,
    /// Items that may wait before an actor is woken.
    pub(super) patience: usize,
}

/// The detector actors, and what they have said.
pub(super) struct Groups {
    running: Vec<Running>,
    specs: Arc<Vec<Arc<DetectorSpec>>>,
    inbox: Receiver<DeskMessage>,
    watch: SeatWatch,
    open: BTreeMap<EventKey, EventChange>,
    done: Vec<EventChange>,
}

impl Groups {
    /// Starts an actor for every lane that a detector drinks from.
    pub(super) fn start(parts: &Parts, arbiters: &Arbiters) -> Self {
        let (events, inbox) = bounded(EVENT_LANE_MAX);
        let accounts = Arc::<CpuAccounts>::default();
        let wanted = KINDS.into_iter().filter(|kind| parts.specs.iter().any(|spec| spec.lane == *kind));
        let running = (1..).zip(wanted).map(|(number, kind)| run(number, kind, parts, arbiters, &events, &accounts));
        Self {
            running: running.collect(),
            specs: parts.specs.clone(),
            inbox,
            watch: SeatWatch::default(),
            open: BTreeMap::new(),
            done: Vec::new(),
        }
    }

    /// Takes what the actors have said since the last time.
    pub(super) fn collect(&mut self) {
        for message in self.inbox.try_iter() {
            match message {
                DeskMessage::Change(change) => note(&mut self.open, &mut self.done, *change),
                DeskMessage::Drained(kind) => {
                    self.running.iter_mut().filter(|group| group.kind == kind).for_each(|group| group.is_done = true);
                }
                DeskMessage::Forget(..)
                | DeskMessage::Doubt(..)
                | DeskMessage::Act(..)
                | DeskMessage::Silence(..)
                | DeskMessage::Probed(_)
                | DeskMessage::Stop(_) => {}
            }
        }
    }

    /// True when every actor has judged everything or never will.
    pub(super) fn are_done(&self) -> bool {
        self.running.iter().all(|group| group.is_done)
    }

    /// Looks for a detector that does not return. Its arbiter is replaced, and the actors that live
    /// there are given up.
    pub(super) fn find_hanging(&mut self, arbiters: &Arbiters) -> Option<Hang> {
        let seats: Vec<Seat> =
            self.running.iter().filter(|group| !group.is_done).map(|group| group.seat.clone()).collect();
        let mut found = None;
        for lost in self.watch.look(&seats) {
            arbiters.replace(lost.place, lost.generation);
            let here =
                |group: &&mut Running| group.seat.place == lost.place && group.seat.generation == lost.generation;
            let mut numbers = Vec::new();
            for group in self.running.iter_mut().filter(here) {
                // Release pairs with the acquire in the actor.
                group.fence.store(true, Ordering::Release);
                group.is_done = true;
                numbers.push(group.number);
            }
            let call = lost.call.filter(|call| numbers.contains(&call.group));
            let spec = call.and_then(|call| self.specs.iter().find(|spec| spec.number == call.detector));
            found = Some(spec.map_or(Hang::Arbiter, |spec| Hang::Detector(spec.name)));
        }
        found
    }

    /// Ends the actors; gives the last change of every event, in order of arrival.
    pub(super) fn finish(mut self) -> Vec<EventChange> {
        self.collect();
        for group in self.running {
            group.seat.leave();
            // One that hangs hears of it when it returns, if ever.
            group.actor.do_send(Retire::InSilence);
        }
        self.done.extend(self.open.into_values());
        self.done
    }
}

fn run(
    number: u32,
    kind: LaneKind,
    parts: &Parts,
    arbiters: &Arbiters,
    events: &Sender<DeskMessage>,
    accounts: &Arc<CpuAccounts>,
) -> Running {
    let places = NonZeroUsize::new(LANE_PLACES).expect("the constant is above zero");
    let (sender, receiver) = lane(places, WhenFull::Wait);
    let seat = arbiters.choose();
    let fence = Arc::<AtomicBool>::default();
    let (card, specs, accounts) = (parts.card.clone(), parts.specs.clone(), accounts.clone());
    let (pulse, events, latencies, shut) = (seat.pulse.clone(), events.clone(), parts.latencies.clone(), fence.clone());
    let actor = DetectorActor::start_in_arbiter(&seat.arbiter, move |_| {
        let group = DetectorGroup::new(number, kind, card, &specs, accounts, pulse, AtEnd::Settle);
        DetectorActor::new(group, receiver, events, latencies).with_fence(shut)
    });
    let bell = Arc::new(Bell::new(actor.clone().recipient()));
    actor.do_send(HangBell(bell.clone()));
    parts.fan_out.exchange(Outlet::new(kind, sender, Some(bell), parts.patience));
    Running { kind, number, seat, actor, fence, is_done: false }
}

/// Keeps the last change of every event.
fn note(open: &mut BTreeMap<EventKey, EventChange>, done: &mut Vec<EventChange>, change: EventChange) {
    match change.what {
        ChangeKind::Raised | ChangeKind::Escalated | ChangeKind::Ongoing => {
            open.insert(change.key.clone(), change);
        }
        ChangeKind::Ended(_) => {
            open.remove(&change.key);
            done.push(change);
        }
        ChangeKind::Found => done.push(change),
        ChangeKind::Fading | ChangeKind::Holding => {}
    }
}
