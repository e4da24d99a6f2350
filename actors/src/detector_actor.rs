//! The detector actor: drains one lane of one stream and hosts its detector group.
//!
//! Lives on a detector arbiter, never on the control arbiter. It never waits: when the event lane
//! is full it stops draining, keeps what it has, and looks again a moment later.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use actix::prelude::*;
use crossbeam_channel::{Sender, TrySendError};

use crate::bell::{Bell, Nudge};
use crate::detector::DetectorSpec;
use crate::detector_group::DetectorGroup;
use crate::event::{EventEnd, StreamCard, Wall};
use crate::event_desk::DeskMessage;
use crate::item::Item;
use crate::lane::LaneReceiver;
use crate::latency::{LatencyBook, Stage, between};

/// Items handled before the arbiter's other actors get their turn.
const DRAIN_MAX: usize = 32;

/// How long to leave a full event lane alone.
const EVENT_LANE_RETRY: Duration = Duration::from_millis(10);

/// The actor.
pub struct DetectorActor {
    group: DetectorGroup,
    lane: LaneReceiver,
    bell: Option<Arc<Bell>>,
    events: Sender<DeskMessage>,
    latencies: Arc<LatencyBook>,
    /// Changes that the event lane had no room for. At most the changes of one item: nothing more
    /// is drained before these are gone.
    unsent: VecDeque<DeskMessage>,
    batch: Vec<(Stage, Duration)>,
}

/// Hands an actor the bell that rings it. Sent once, before the first nudge.
#[derive(Message)]
#[rtype(result = "()")]
pub struct HangBell(pub Arc<Bell>);

/// Ends every open event for that reason, and the actor.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Retire(pub EventEnd);

impl DetectorActor {
    /// An actor for a group; it is told of its bell by [`HangBell`].
    pub fn new(
        group: DetectorGroup,
        lane: LaneReceiver,
        events: Sender<DeskMessage>,
        latencies: Arc<LatencyBook>,
    ) -> Self {
        Self {
            group,
            lane,
            bell: None,
            events,
            latencies,
            unsent: VecDeque::new(),
            batch: Vec::with_capacity(2 * DRAIN_MAX),
        }
    }

    fn drain(&mut self, ctx: &mut Context<Self>) {
        if !self.send_events() {
            self.look_again(ctx);
            return;
        }
        for _ in 0..DRAIN_MAX {
            let Some(item) = self.lane.take() else { break };
            self.handle_item(&item);
            if !self.send_events() {
                break;
            }
        }
        self.group.book();
        self.latencies.record(&mut self.batch);
        if !self.unsent.is_empty() {
            self.look_again(ctx);
        } else if !self.lane.is_empty()
            && let Some(bell) = &self.bell
        {
            bell.ring();
        }
    }

    fn handle_item(&mut self, item: &Item) {
        let begin = Instant::now();
        self.group.handle(item, Wall(SystemTime::now()));
        let stamp = match item {
            Item::Video(frame) => Some(&frame.stamp),
            Item::Audio(frame) => Some(&frame.stamp),
            Item::Started(_) | Item::Packets(_) | Item::Clock(_) | Item::Gap(_) | Item::Ended(_) => None,
        };
        if let Some(stamp) = stamp {
            let end = Instant::now();
            self.batch.push((Stage::Queue, between(stamp.ready, begin)));
            self.batch.push((Stage::Inspect, between(begin, end)));
            self.batch.push((Stage::Total, between(stamp.arrived, end)));
        }
        self.unsent.extend(self.group.drain_changes().map(|change| DeskMessage::Change(Box::new(change))));
        if let Item::Ended(_) = item {
            self.unsent.push_back(DeskMessage::Drained(self.group.kind()));
        }
    }

    /// True when everything that there was to say has been said.
    fn send_events(&mut self) -> bool {
        while let Some(message) = self.unsent.pop_front() {
            match self.events.try_send(message) {
                Ok(()) => {}
                Err(TrySendError::Full(message)) => {
                    self.unsent.push_front(message);
                    return false;
                }
                // The desk is gone: the process is ending.
                Err(TrySendError::Disconnected(_)) => self.unsent.clear(),
            }
        }
        true
    }

    fn look_again(&self, ctx: &mut Context<Self>) {
        ctx.run_later(EVENT_LANE_RETRY, |actor, ctx| actor.drain(ctx));
    }
}

impl Actor for DetectorActor {
    type Context = Context<Self>;
}

impl Handler<HangBell> for DetectorActor {
    type Result = ();
    fn handle(&mut self, HangBell(bell): HangBell, _: &mut Context<Self>) {
        self.bell = Some(bell);
    }
}

impl Handler<Nudge> for DetectorActor {
    type Result = ();
    fn handle(&mut self, _: Nudge, ctx: &mut Context<Self>) {
        if let Some(bell) = &self.bell {
            bell.answer();
        }
        self.drain(ctx);
    }
}

impl Handler<Retire> for DetectorActor {
    type Result = ();
    fn handle(&mut self, Retire(why): Retire, ctx: &mut Context<Self>) {
        self.group.end_all(why, Wall(SystemTime::now()));
        self.unsent.extend(self.group.drain_changes().map(|change| DeskMessage::Change(Box::new(change))));
        self.finish_retiring(ctx);
    }
}

/// Takes over new settings without a new session.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Retune {
    /// What events say of the stream.
    pub card: Arc<StreamCard>,
    /// Every detector of the stream.
    pub specs: Arc<Vec<Arc<DetectorSpec>>>,
}

impl Handler<Retune> for DetectorActor {
    type Result = ();
    fn handle(&mut self, message: Retune, ctx: &mut Context<Self>) {
        self.group.retune(message.card, &message.specs, Wall(SystemTime::now()));
        self.unsent.extend(self.group.drain_changes().map(|change| DeskMessage::Change(Box::new(change))));
        self.drain(ctx);
    }
}

impl DetectorActor {
    fn finish_retiring(&mut self, ctx: &mut Context<Self>) {
        if self.send_events() {
            ctx.stop();
        } else {
            ctx.run_later(EVENT_LANE_RETRY, Self::finish_retiring);
        }
    }
}
