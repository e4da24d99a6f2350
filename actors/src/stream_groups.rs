//! The detector actors of one stream: started, retuned, mended and moved.
//!
//! Part of the stream's supervisor, on the control arbiter. It knows which actor drains which lane
//! on which arbiter, and exchanges a lane together with its actor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use actix::prelude::*;

use crate::arbiters::{ArbiterLost, Seat};
use crate::bell::Bell;
use crate::detector::{DetectorSpec, LaneKind};
use crate::detector_actor::{DetectorActor, HangBell, Retune};
use crate::detector_group::{AtEnd, DetectorGroup};
use crate::event::StreamCard;
use crate::fan_out::{FanOut, Outlet};
use crate::group_clock::{ClockBook, GroupClock};
use crate::item::Item;
use crate::lane::{LaneReceiver, lane};
use crate::latency::LatencyBook;
use crate::lifeline::Lifeline;
use crate::meters::MeterBook;
use crate::setup::{Engine, StreamSetup};
use crate::tier::TierDial;

static GROUPS: AtomicU32 = AtomicU32::new(1);

const KINDS: [LaneKind; 3] = [LaneKind::Picture, LaneKind::Sound, LaneKind::Input];

struct RunningGroup {
    number: u32,
    kind: LaneKind,
    seat: Seat,
    running: RunningActor,
    /// Where the stream is, for the actor that may have to take this one's place.
    clock: ClockBook,
}

/// A detector actor with the flag that shuts it out.
pub struct RunningActor {
    /// Its address.
    pub actor: Addr<DetectorActor>,
    fence: Arc<AtomicBool>,
}

impl RunningActor {
    /// Shuts it out: it was replaced, or its stream is gone; nothing that it still says may count.
    pub fn fence(&self) {
        // Release pairs with the acquire in the actor.
        self.fence.store(true, Ordering::Release);
    }
}

/// What a lost arbiter cost a stream.
#[derive(Clone, Debug)]
pub struct Stranded {
    /// The detector of this stream that did not return, if it was one of this stream.
    pub culprit: Option<u16>,
    /// The lanes whose detectors were rebuilt.
    pub lanes: Vec<LaneKind>,
}

/// A detector that did not return once, with the settings that it had.
struct Barred {
    detector: u16,
    tuning: Option<String>,
}

/// The detector actors of one stream.
pub struct StreamGroups {
    engine: Engine,
    fan_out: Arc<FanOut>,
    latencies: Arc<LatencyBook>,
    groups: Vec<RunningGroup>,
    barred: Vec<Barred>,
}

impl StreamGroups {
    /// No actors yet.
    pub fn new(engine: Engine, fan_out: Arc<FanOut>, latencies: Arc<LatencyBook>) -> Self {
        Self { engine, fan_out, latencies, groups: Vec::new(), barred: Vec::new() }
    }

    /// Starts an actor for every lane that a detector drinks from.
    pub fn start_all(&mut self, setup: &StreamSetup, meters: &Arc<MeterBook>) {
        for kind in KINDS.into_iter().filter(|kind| is_wanted(setup, *kind)) {
            self.start(kind, setup, meters);
        }
    }

    /// Takes over new settings; starts actors for lanes that had none. A detector that did not return
    /// once gets another chance with other settings.
    pub fn retune(&mut self, setup: &StreamSetup, meters: &Arc<MeterBook>) {
        self.barred.retain(|barred| barred.tuning.is_some() && barred.tuning == tuning_of(setup, barred.detector));
        for group in &self.groups {
            group.running.actor.do_send(Retune {
                card: setup.card.clone(),
                specs: setup.specs.clone(),
                barred: self.barred(),
            });
        }
        for kind in KINDS.into_iter().filter(|kind| is_wanted(setup, *kind)) {
            if !self.groups.iter().any(|group| group.kind == kind) {
                self.start(kind, setup, meters);
            }
        }
    }

    /// Detectors that are not built again, because they did not return once.
    pub fn barred(&self) -> Vec<u16> {
        self.barred.iter().map(|barred| barred.detector).collect()
    }

    /// Rebuilds actors that have ended; tells which lanes they drained.
    pub fn mend(&mut self, setup: &StreamSetup, meters: &Arc<MeterBook>) -> Vec<LaneKind> {
        let gone: Vec<LaneKind> =
            self.groups.iter().filter(|group| !group.running.actor.connected()).map(|group| group.kind).collect();
        for kind in &gone {
            self.start(*kind, setup, meters);
        }
        gone
    }

    /// Rebuilds the actors that lived on a lost arbiter elsewhere, without the detector that does
    /// not return; nothing when none did.
    pub fn leave_arbiter(
        &mut self,
        lost: ArbiterLost,
        setup: &StreamSetup,
        meters: &Arc<MeterBook>,
    ) -> Option<Stranded> {
        let is_here = |seat: &Seat| seat.place == lost.place && seat.generation == lost.generation;
        let stranded: Vec<(u32, LaneKind)> =
            self.groups.iter().filter(|group| is_here(&group.seat)).map(|group| (group.number, group.kind)).collect();
        if stranded.is_empty() {
            return None;
        }
        let call = lost.call.filter(|call| stranded.iter().any(|(number, _)| *number == call.group));
        let culprit = call.map(|call| call.detector);
        self.barred.extend(culprit.map(|detector| Barred { detector, tuning: tuning_of(setup, detector) }));
        let lanes: Vec<LaneKind> = stranded.into_iter().map(|(_, kind)| kind).collect();
        for kind in &lanes {
            self.start(*kind, setup, meters);
        }
        Some(Stranded { culprit, lanes })
    }

    /// Gives up every actor, for the caller to end.
    pub fn take_actors(&mut self) -> Vec<RunningActor> {
        self.groups
            .drain(..)
            .map(|group| {
                group.seat.leave();
                group.running
            })
            .collect()
    }

    /// Starts the actor of a lane, in the place of the one that was there.
    fn start(&mut self, kind: LaneKind, setup: &StreamSetup, meters: &Arc<MeterBook>) {
        let mut clock = GroupClock::default();
        if let Some(old) = self.groups.iter().position(|group| group.kind == kind) {
            let old = self.groups.swap_remove(old);
            old.running.fence();
            old.seat.leave();
            clock = old.clock.read();
        }
        let clock = ClockBook::of(clock);
        let capacity = match kind {
            LaneKind::Picture => setup.lanes.picture,
            LaneKind::Sound => setup.lanes.sound,
            LaneKind::Input => setup.lanes.input,
        };
        let (sender, receiver) = lane(capacity, setup.lanes.when_full);
        let number = GROUPS.fetch_add(1, Ordering::Relaxed);
        let others: Vec<&Seat> = self.groups.iter().map(|group| &group.seat).collect();
        let seat = self.engine.arbiters.choose_beside(&others);
        let fence = Arc::<AtomicBool>::default();
        let parts = GroupParts {
            number,
            kind,
            card: setup.card.clone(),
            specs: setup.specs.clone(),
            barred: self.barred(),
            fence: fence.clone(),
            engine: self.engine.clone(),
            seat: seat.clone(),
            latencies: self.latencies.clone(),
            clock: clock.clone(),
            meters: meters.clone(),
            dial: setup.dial.clone(),
        };
        let actor = DetectorActor::start_in_arbiter(&seat.arbiter, move |_| parts.build(receiver));
        let bell = Arc::new(Bell::new(actor.clone().recipient()));
        actor.do_send(HangBell(bell.clone()));
        self.fan_out.exchange(Outlet::new(kind, sender, Some(bell), 1));
        // After the exchange: a session that starts in between is heard of twice, not never.
        if let Some(info) = meters.read().info {
            self.fan_out.offer_to(kind, &Item::Started(info), &Lifeline::default());
        }
        self.groups.push(RunningGroup { number, kind, seat, running: RunningActor { actor, fence }, clock });
    }
}

fn tuning_of(setup: &StreamSetup, detector: u16) -> Option<String> {
    setup.specs.iter().find(|spec| spec.number == detector).map(|spec| spec.tuning.clone())
}

fn is_wanted(setup: &StreamSetup, kind: LaneKind) -> bool {
    setup.specs.iter().any(|spec| spec.lane == kind)
}

/// What it takes to build a detector actor on its arbiter.
struct GroupParts {
    number: u32,
    kind: LaneKind,
    card: Arc<StreamCard>,
    specs: Arc<Vec<Arc<DetectorSpec>>>,
    barred: Vec<u16>,
    fence: Arc<AtomicBool>,
    engine: Engine,
    seat: Seat,
    latencies: Arc<LatencyBook>,
    clock: ClockBook,
    meters: Arc<MeterBook>,
    dial: Arc<TierDial>,
}

impl GroupParts {
    fn build(self, receiver: LaneReceiver) -> DetectorActor {
        let accounts = self.engine.board.cpu.clone();
        let mut group =
            DetectorGroup::new(self.number, self.kind, self.card, &self.specs, accounts, self.seat.pulse, AtEnd::Keep);
        group = group.with_notes(self.engine.board.verdicts.clone());
        group.set_barred(self.barred);
        group.go_on(self.clock);
        group.watch_meters(self.meters);
        group.suspect_to(self.dial);
        DetectorActor::new(group, receiver, self.engine.desk.events, self.latencies).with_fence(self.fence)
    }
}
