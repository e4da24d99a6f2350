//! The detector actor: drains one lane of one stream and hosts its detector group.
//!
//! Lives on a detector arbiter, never on the control arbiter. It never waits: when the event lane
//! is full it stops draining, keeps what it has, and looks again a moment later.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// So much time may they take; what is under way is finished. A thousand items of usual detectors fit in: it
/// matters when one of them is slow and others wait for the arbiter.
const DRAIN_FOR: Duration = Duration::from_millis(10);

/// How long to leave a full event lane alone.
const EVENT_LANE_RETRY: Duration = Duration::from_millis(10);

/// The actor.
pub struct DetectorActor {
    group: DetectorGroup,
    lane: LaneReceiver,
    bell: Option<Arc<Bell>>,
    events: Sender<DeskMessage>,
    latencies: Arc<LatencyBook>,
    /// Set once the actor was replaced: nothing that it still says may count.
    fence: Arc<AtomicBool>,
    /// Changes that the event lane had no room for. At most the changes of one item, of a retune and
    /// of the end: nothing more is drained before these are gone.
    unsent: VecDeque<DeskMessage>,
    /// A look at a full event lane is under way; one is enough.
    will_look: bool,
    is_retired: bool,
    batch: Vec<(Stage, Duration)>,
}

/// Hands an actor the bell that rings it. Sent once, before the first nudge.
#[derive(Message)]
#[rtype(result = "()")]
pub struct HangBell(pub Arc<Bell>);

/// Ends the actor.
#[derive(Message, Clone, Copy)]
#[rtype(result = "()")]
pub enum Retire {
    /// Every open event ends for that reason.
    Ending(EventEnd),
    /// Nothing more is said: whoever comes next confirms what is open.
    InSilence,
}

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
            fence: Arc::default(),
            unsent: VecDeque::new(),
            will_look: false,
            is_retired: false,
            batch: Vec::with_capacity(2 * DRAIN_MAX),
        }
    }

    /// The same actor, shut out once that flag is set.
    #[must_use]
    pub fn with_fence(self, fence: Arc<AtomicBool>) -> Self {
        Self { fence, ..self }
    }

    fn is_fenced(&self) -> bool {
        // Acquire pairs with the release of the supervisor that put another actor in this one's place.
        self.fence.load(Ordering::Acquire)
    }

    fn drain(&mut self, ctx: &mut Context<Self>) {
        if self.is_fenced() {
            ctx.stop();
            return;
        }
        if self.is_retired {
            return;
        }
        if !self.send_events() {
            self.look_again(ctx);
            return;
        }
        let begin = Instant::now();
        for _ in 0..DRAIN_MAX {
            let Some(item) = self.lane.take() else { break };
            let now = self.handle_item(&item);
            // The call may have lasted until after the actor was replaced.
            if self.is_fenced() {
                ctx.stop();
                return;
            }
            if !self.send_events() || now.saturating_duration_since(begin) >= DRAIN_FOR {
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

    /// Has the detectors judge an item; returns when they had.
    fn handle_item(&mut self, item: &Item) -> Instant {
        let begin = Instant::now();
        self.group.handle(item, Wall(SystemTime::now()));
        let stamp = match item {
            Item::Video(frame) => Some(&frame.stamp),
            Item::Audio(frame) => Some(&frame.stamp),
            Item::Started(_) | Item::Packets(_) | Item::Clock(_) | Item::Gap(_) | Item::Ended(_) => None,
        };
        let end = Instant::now();
        if let Some(stamp) = stamp {
            self.batch.push((Stage::Queue, between(stamp.ready, begin)));
            self.batch.push((Stage::Inspect, between(begin, end)));
            self.batch.push((Stage::Total, between(stamp.arrived, end)));
        }
        self.unsent.extend(self.group.drain_changes().map(|change| DeskMessage::Change(Box::new(change))));
        if let Item::Ended(_) = item {
            self.unsent.push_back(DeskMessage::Drained(self.group.kind()));
        }
        end
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

    /// Nudges go on while the event lane is full; only one of them may wind up the clock.
    fn look_again(&mut self, ctx: &mut Context<Self>) {
        if !std::mem::replace(&mut self.will_look, true) {
            ctx.run_later(EVENT_LANE_RETRY, |actor, ctx| {
                actor.will_look = false;
                actor.drain(ctx);
            });
        }
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
    fn handle(&mut self, retire: Retire, ctx: &mut Context<Self>) {
        self.is_retired = true;
        let Retire::Ending(why) = retire else {
            self.group.note_all(Wall(SystemTime::now()));
            self.unsent.clear();
            ctx.stop();
            return;
        };
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
    /// Those that are not built, because they did not return once.
    pub barred: Vec<u16>,
}

impl Handler<Retune> for DetectorActor {
    type Result = ();
    fn handle(&mut self, message: Retune, ctx: &mut Context<Self>) {
        self.group.set_barred(message.barred);
        self.group.retune(message.card, &message.specs, Wall(SystemTime::now()));
        self.unsent.extend(self.group.drain_changes().map(|change| DeskMessage::Change(Box::new(change))));
        self.drain(ctx);
    }
}

impl DetectorActor {
    fn finish_retiring(&mut self, ctx: &mut Context<Self>) {
        if self.is_fenced() || self.send_events() {
            ctx.stop();
        } else {
            ctx.run_later(EVENT_LANE_RETRY, Self::finish_retiring);
        }
    }
}
