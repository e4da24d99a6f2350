//! The monitor: the root actor, which owns every stream's supervisor.
//!
//! Lives on the control arbiter. Adds, changes and removes streams, replaces lost arbiters, and
//! ends everything in order.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;

use crate::alarm_model::monitor_change;
use crate::arbiters::ArbiterLost;
use crate::event::{ChangeKind, EventEnd, Wall};
use crate::event_desk::DeskMessage;
use crate::setup::{Engine, StreamSetup};
use crate::severity::Severity;
use crate::supervisor::{End, RetuneStream, Supervisor};
use crate::track::SessionNumber;

/// How long all streams together get to end.
pub const STOP_WITHIN: Duration = Duration::from_secs(5);

/// The actor.
pub struct Monitor {
    engine: Engine,
    streams: BTreeMap<Arc<str>, Addr<Supervisor>>,
    /// Setups that wait for the stream of the same name to end first.
    successors: HashMap<Arc<str>, StreamSetup>,
    stopping: Option<oneshot::Sender<()>>,
    is_degraded: bool,
}

impl Monitor {
    /// A monitor without streams.
    pub fn new(engine: Engine) -> Self {
        Self { engine, streams: BTreeMap::new(), successors: HashMap::new(), stopping: None, is_degraded: false }
    }

    /// `last_session` is the newest session of a stream of that name: numbers go on, never back.
    fn begin(&mut self, setup: StreamSetup, last_session: SessionNumber, ctx: &Context<Self>) {
        let name = setup.card.stream.clone();
        let supervisor = Supervisor::new(setup, last_session, self.engine.clone(), ctx.address()).start();
        self.streams.insert(name, supervisor);
        self.engine.board.health.set_streams(self.streams.len());
    }

    /// Says when more hangs than may, once per change.
    fn look_at_health(&mut self) {
        let health = &self.engine.board.health;
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
        ctx.run_interval(Duration::from_secs(1), |monitor, _| monitor.look_at_health());
    }
}

/// Adds a stream, or puts it in the place of the one of the same name once that has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AddStream(pub StreamSetup);

impl Handler<AddStream> for Monitor {
    type Result = ();
    fn handle(&mut self, AddStream(setup): AddStream, ctx: &mut Context<Self>) {
        let name = setup.card.stream.clone();
        match self.streams.get(&name) {
            Some(old) => {
                old.do_send(End(EventEnd::ConfigChanged));
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
            stream.do_send(End(EventEnd::StreamRemoved));
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
        if let Some(stream) = self.streams.get(&change.card.stream) {
            stream.do_send(change);
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
        if let Some(setup) = self.successors.remove(&name) {
            self.begin(setup, last_session, ctx);
        }
        if self.streams.is_empty()
            && let Some(done) = self.stopping.take()
        {
            // Nobody listening means that the limit has passed: the process is ending anyway.
            let _ = done.send(());
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
            detector = lost.call.detector,
            fault = "hang",
            "an arbiter stands still in a detector and is replaced"
        );
        self.engine.board.health.lose_arbiter();
        for stream in self.streams.values() {
            stream.do_send(lost);
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
        self.successors.clear();
        if self.streams.is_empty() {
            return Box::pin(async {});
        }
        let (done, all_gone) = oneshot::channel();
        self.stopping = Some(done);
        for stream in self.streams.values() {
            stream.do_send(End(EventEnd::Suspended));
        }
        Box::pin(async move {
            if tokio::time::timeout(STOP_WITHIN, all_gone).await.is_err() {
                tracing::warn!("not every stream ended in time");
            }
        })
    }
}
