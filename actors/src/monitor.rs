//! The monitor: the root actor, which owns every stream's supervisor.
//!
//! Lives on the control arbiter. Adds, changes and removes streams, replaces lost arbiters, and
//! ends everything in order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;

use crate::alarm_model::{Doubted, monitor_change};
use crate::arbiters::ArbiterLost;
use crate::event::{ChangeKind, EventEnd, Wall};
use crate::event_desk::DeskMessage;
use crate::load_watch::{LoadWatch, ReadResident};
use crate::memory_budget::MemoryBudget;
use crate::setup::{Engine, StreamSetup};
use crate::severity::Severity;
use crate::supervisor::{End, RetuneStream, Supervisor};
use crate::track::SessionNumber;

/// How long all streams together get to end.
pub const STOP_WITHIN: Duration = Duration::from_secs(5);

/// A stream with its supervisor, and what it takes to make another one.
struct Running {
    supervisor: Addr<Supervisor>,
    setup: StreamSetup,
}

/// The actor.
pub struct Monitor {
    engine: Engine,
    streams: BTreeMap<Arc<str>, Running>,
    /// Setups that wait for the stream of the same name to end first.
    successors: HashMap<Arc<str>, StreamSetup>,
    /// Streams whose supervisor was found gone at the last look.
    missing: BTreeSet<Arc<str>>,
    /// Who waits for all streams to end.
    waiting: Vec<oneshot::Sender<()>>,
    is_stopping: bool,
    is_degraded: bool,
    /// Sheds load; absent where all is looked at whatever it takes.
    load: Option<LoadWatch>,
}

impl Monitor {
    /// A monitor without streams.
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            streams: BTreeMap::new(),
            successors: HashMap::new(),
            missing: BTreeSet::new(),
            waiting: Vec::new(),
            is_stopping: false,
            is_degraded: false,
            load: None,
        }
    }

    /// The same, shedding load to keep latency below `target`.
    #[must_use]
    pub fn with_target(self, target: Duration) -> Self {
        Self { load: Some(LoadWatch::new(target)), ..self }
    }

    /// The same, keeping the process within a budget of memory.
    #[must_use]
    pub fn with_memory(self, budget: MemoryBudget, resident: ReadResident) -> Self {
        // Without a target no stream is ever late.
        let load = self.load.unwrap_or_else(|| LoadWatch::new(Duration::MAX));
        Self { load: Some(load.with_memory(budget, resident)), ..self }
    }

    /// `last_session` is the newest session of a stream of that name: numbers go on, never back.
    fn begin(&mut self, setup: StreamSetup, last_session: SessionNumber, ctx: &Context<Self>) {
        let name = setup.card.stream.clone();
        let supervisor = Supervisor::new(setup.clone(), last_session, self.engine.clone(), ctx.address()).start();
        self.streams.insert(name, Running { supervisor, setup });
        self.engine.board.health.set_streams(self.streams.len());
    }

    /// Puts another supervisor in the place of one that ended without a word. Looked at twice: one
    /// that has just ended properly may have its word still under way.
    fn mend_streams(&mut self, ctx: &Context<Self>) {
        let is_gone = |running: &Running| !running.supervisor.connected();
        let gone: BTreeSet<Arc<str>> =
            self.streams.iter().filter(|(_, running)| is_gone(running)).map(|(name, _)| name.clone()).collect();
        let missing = std::mem::replace(&mut self.missing, gone);
        for name in missing.intersection(&self.missing.clone()) {
            let Some(running) = self.streams.remove(name) else { continue };
            tracing::error!(stream = &**name, fault = "panic", "a stream's supervisor ended; the stream begins anew");
            let published = self.engine.board.streams().into_iter().find(|status| status.card.stream == *name);
            let last_session = published.map_or(SessionNumber(0), |status| SessionNumber(status.session.0 + 1));
            self.tell(DeskMessage::Doubt(name.clone(), Doubted::Stream));
            self.begin(running.setup, last_session, ctx);
        }
    }

    fn tell(&self, message: DeskMessage) {
        if self.engine.desk.events.try_send(message).is_err() {
            tracing::error!("the event lane is full, a word of the monitor is lost");
        }
    }

    /// Sheds or restores streams as the load demands, and says so.
    fn look_at_load(&mut self) {
        let Some(load) = &mut self.load else { return };
        let setups = self.streams.values().map(|running| &running.setup);
        let Some(change) = load.look(setups, &self.engine.board) else { return };
        // With the lane full it is said again a second later.
        if self.engine.desk.events.try_send(DeskMessage::Change(Box::new(change.clone()))).is_ok() {
            load.was_told(&change);
        }
    }

    /// Says when more hangs than may, once per change.
    fn look_at_health(&mut self) {
        let health = &self.engine.board.health;
        if self.engine.desk.board.is_gone() && !self.is_stopping {
            health.lose_desk();
        }
        let is_over = health.is_over_budget();
        if is_over == self.is_degraded {
            return;
        }
        let (what, message) = if is_over {
            (
                ChangeKind::Raised,
                format!("{} threads hang and were abandoned; the service should be restarted", health.abandoned()),
            )
        } else {
            (ChangeKind::Ended(EventEnd::Cleared), "abandoned threads have returned".to_owned())
        };
        tracing::error!(fault = "monitor_degraded", "{message}");
        let change =
            monitor_change("monitor_degraded", what, Severity::Critical, message, Wall(std::time::SystemTime::now()));
        // With the lane full it is said again a second later.
        if self.engine.desk.events.try_send(DeskMessage::Change(Box::new(change))).is_ok() {
            self.is_degraded = is_over;
        }
    }
}

impl Actor for Monitor {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(Duration::from_secs(1), |monitor, ctx| {
            monitor.look_at_health();
            if !monitor.is_stopping {
                monitor.mend_streams(ctx);
                monitor.look_at_load();
            }
        });
    }
}

/// Adds a stream, or puts it in the place of the one of the same name once that has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AddStream(pub StreamSetup);

impl Handler<AddStream> for Monitor {
    type Result = ();
    fn handle(&mut self, AddStream(setup): AddStream, ctx: &mut Context<Self>) {
        if self.is_stopping {
            return;
        }
        let name = setup.card.stream.clone();
        match self.streams.get(&name) {
            Some(old) => {
                old.supervisor.do_send(End(EventEnd::ConfigChanged));
                self.successors.insert(name, setup);
            }
            None => self.begin(setup, SessionNumber(0), ctx),
        }
    }
}

/// Removes a stream; its open events end.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RemoveStream(pub Arc<str>);

impl Handler<RemoveStream> for Monitor {
    type Result = ();
    fn handle(&mut self, RemoveStream(name): RemoveStream, _: &mut Context<Self>) {
        self.successors.remove(&name);
        if let Some(stream) = self.streams.get(&name) {
            stream.supervisor.do_send(End(EventEnd::StreamRemoved));
        }
    }
}

/// Changes a stream's detectors and labels without a new session.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ChangeStream(pub RetuneStream);

impl Handler<ChangeStream> for Monitor {
    type Result = ();
    fn handle(&mut self, ChangeStream(change): ChangeStream, _: &mut Context<Self>) {
        if let Some(stream) = self.streams.get_mut(&change.card.stream) {
            (stream.setup.card, stream.setup.specs) = (change.card.clone(), change.specs.clone());
            stream.setup.priority = change.priority;
            stream.supervisor.do_send(change);
        }
    }
}

/// A stream's supervisor has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub struct StreamGone(pub Arc<str>, pub SessionNumber);

impl Handler<StreamGone> for Monitor {
    type Result = ();
    fn handle(&mut self, StreamGone(name, last_session): StreamGone, ctx: &mut Context<Self>) {
        self.streams.remove(&name);
        self.engine.board.health.set_streams(self.streams.len());
        match self.successors.remove(&name) {
            Some(setup) => self.begin(setup, last_session, ctx),
            None if self.is_stopping => {}
            // It may have been removed while it ended to make room for a successor.
            None => {
                self.engine.board.remove(&name);
                self.tell(DeskMessage::Forget(name, EventEnd::StreamRemoved));
            }
        }
        if self.streams.is_empty() {
            for done in self.waiting.drain(..) {
                // Nobody listening means that the limit has passed: the process is ending anyway.
                let _ = done.send(());
            }
        }
    }
}

impl Handler<ArbiterLost> for Monitor {
    type Result = ();
    fn handle(&mut self, lost: ArbiterLost, _: &mut Context<Self>) {
        if !self.engine.arbiters.replace(lost.place, lost.generation) {
            return;
        }
        tracing::error!(
            place = lost.place,
            detector = lost.call.map(|call| call.detector),
            fault = "hang",
            "an arbiter stands still and is replaced"
        );
        self.engine.board.health.lose_arbiter();
        for stream in self.streams.values() {
            stream.supervisor.do_send(lost);
        }
    }
}

/// Ends every stream; the answer comes when all have ended, or after [`STOP_WITHIN`].
#[derive(Message)]
#[rtype(result = "()")]
pub struct StopAll;

impl Handler<StopAll> for Monitor {
    type Result = ResponseFuture<()>;
    fn handle(&mut self, _: StopAll, _: &mut Context<Self>) -> ResponseFuture<()> {
        self.is_stopping = true;
        self.successors.clear();
        if self.streams.is_empty() {
            return Box::pin(async {});
        }
        let (done, all_gone) = oneshot::channel();
        self.waiting.push(done);
        for stream in self.streams.values() {
            stream.supervisor.do_send(End(EventEnd::Suspended));
        }
        Box::pin(async move {
            if tokio::time::timeout(STOP_WITHIN, all_gone).await.is_err() {
                tracing::warn!("not every stream ended in time");
            }
        })
    }
}
