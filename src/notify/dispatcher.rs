//! A receiver's thread, `notify:NAME`: sends what waits in the outbox, until it was taken.
//!
//! It owns the receiver's channel and a connection to the store of its own, so a slow or dead receiver
//! delays nobody else. At most one message is on its way. When one is not taken it is tried again, as
//! [`Dispatch`] decides; what will not be taken is set aside, where people see it. Ends within two
//! seconds of its lifeline's cut; what was not sent stays in the outbox.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use avwatch_actors::event::{Event, Wall};
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::record::Record;
use avwatch_actors::worker::panic_message;

use super::channel::{Channel, Content, Links, Message, SendFailure};
use super::complaint::Complaint;
use super::dispatch::{Dispatch, Next, TRIED_FOR, Waiting};
use super::inbox::{Ear, Word};
use super::router::{Route, Router};
use super::urgent::Urgent;
use crate::sinks::store::{Formed, Outbox, StoreError};

/// Longest time between two looks at the outbox.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Pause after the outbox could not be used.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// How often it is seen to what a receiver does not take.
const CARE_EVERY: Duration = Duration::from_secs(10);

/// What a receiver does not take for so long goes to its fallback as well.
const RELAY_AFTER: Duration = Duration::from_secs(300);

/// Every open event, from the desk's board.
pub(super) type OpenEvents = Box<dyn Fn() -> Arc<Vec<Arc<Event>>> + Send>;

/// What a receiver's thread is made of.
pub(super) struct Dispatcher {
    pub(super) route: Route,
    pub(super) fallback: Option<Arc<str>>,
    pub(super) channel: Box<dyn Channel>,
    pub(super) outbox: Outbox,
    pub(super) dispatch: Dispatch,
    pub(super) complaint: Complaint,
    pub(super) router: Arc<ArcSwap<Router>>,
    pub(super) links: Arc<ArcSwap<Links>>,
    pub(super) open: OpenEvents,
    pub(super) ear: Ear,
    pub(super) line: Arc<Lifeline>,
    pub(super) urgent: Urgent,
    pub(super) started: Instant,
    /// Why the last message was not taken.
    pub(super) why: String,
    /// When it was last seen to what a receiver does not take.
    pub(super) cared_at: Duration,
    /// When open events are told again.
    pub(super) resend_at: Option<Duration>,
    /// A message that was taken while the outbox could not be written.
    pub(super) unsettled: Option<String>,
}

impl Dispatcher {
    /// Works until the lifeline is cut.
    pub(super) fn run(&mut self) {
        self.resend_at = self.channel.resend_every();
        while !self.line.is_cut() {
            let wait = self.turn();
            for word in self.ear.listen(wait) {
                self.hear(word);
            }
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Does what is due; returns how long there is nothing to do.
    fn turn(&mut self) -> Duration {
        self.resend();
        let wait = match self.send_due() {
            Ok(wait) => wait,
            Err(error) => {
                tracing::warn!(receiver = &*self.route.name, fault = %error, "the outbox cannot be used now");
                STORE_PAUSE
            }
        };
        let until_resend = self.resend_at.map_or(LOOK_EVERY, |at| at.saturating_sub(self.now()));
        wait.min(LOOK_EVERY).min(until_resend)
    }

    /// The outbox goes first, so that no end overtakes its raise. What could not be stored is told when
    /// there is nothing else, or when the outbox cannot be used either.
    fn send_due(&mut self) -> Result<Duration, StoreError> {
        match self.send_stored() {
            Ok(Some(wait)) => Ok(wait),
            Ok(None) => Ok(self.send_unstored().unwrap_or(LOOK_EVERY)),
            Err(error) => self.send_unstored().ok_or(error),
        }
    }

    /// Nothing when nothing waits in the outbox.
    fn send_stored(&mut self) -> Result<Option<Duration>, StoreError> {
        self.settle()?;
        let (waiting, parked) = self.outbox.waiting(&self.route.name, SystemTime::now())?;
        self.publish(waiting, parked);
        match self.dispatch.next(self.now(), waiting) {
            Next::Idle => Ok(None),
            Next::Wait(left) => {
                self.care()?;
                Ok(Some(left))
            }
            Next::Send => self.send_next().map(|()| Some(Duration::ZERO)),
        }
    }

    /// While nothing is taken: says so, and gives what waits to the fallback. Also during a long pause that the
    /// receiver asked for.
    fn care(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        let Some(lasts) = self.dispatch.failing_for(now) else { return Ok(()) };
        if now.saturating_sub(self.cared_at) < CARE_EVERY {
            return Ok(());
        }
        self.cared_at = now;
        self.complaint.failing(lasts, &self.why);
        self.relay()
    }

    /// Nothing when all is stored.
    fn send_unstored(&mut self) -> Option<Duration> {
        // What the store took after all was told from the outbox.
        if let Ok(stored) = self.outbox.stored(&self.urgent.queued()) {
            self.urgent.drop_stored(&stored);
        }
        let waiting = self.urgent.waiting(self.now())?;
        match self.dispatch.next(self.now(), waiting) {
            Next::Send => {
                self.send_urgent();
                Some(Duration::ZERO)
            }
            Next::Wait(left) => Some(left),
            Next::Idle => None,
        }
    }

    /// Takes out of the outbox what was told already.
    fn settle(&mut self) -> Result<(), StoreError> {
        if let Some(id) = &self.unsettled {
            self.outbox.taken(&self.route.name, id)?;
            self.unsettled = None;
        }
        let told = self.urgent.told();
        if !told.is_empty() {
            let came = self.outbox.forget(&self.route.name, &told)?;
            self.urgent.came(&came);
        }
        Ok(())
    }

    fn publish(&mut self, waiting: Waiting, parked: u64) {
        self.route.board.waits(waiting.changes + u64::from(waiting.has_message), waiting.oldest, parked);
        let dropped = self.route.board.dropped_total();
        self.complaint.lost(dropped);
    }

    fn send_next(&mut self) -> Result<(), StoreError> {
        let Some(formed) = self.outbox.next(&self.route.name, SystemTime::now())? else { return Ok(()) };
        let Formed { id, created, age, records, is_full } = formed;
        if records.is_empty() {
            // Nothing of it can be read any more; it was told of when it was tried.
            return self.outbox.taken(&self.route.name, &id);
        }
        match self.send(&id, created, Content::Changes(records)) {
            Ok(()) => {
                self.taken(is_full);
                self.unsettled = Some(id);
                self.settle()
            }
            Err(SendFailure::Later { why, .. }) if age >= TRIED_FOR => {
                self.park(&id, &format!("{why}; it was tried for a day"))
            }
            Err(SendFailure::Later { why, after }) => {
                self.failed(&why, after);
                self.outbox.failed(&self.route.name, &id, &why)?;
                self.relay()
            }
            Err(SendFailure::Refused { why }) => self.park(&id, &why),
        }
    }

    fn send_urgent(&mut self) {
        let Some(message) = self.urgent.next(Wall(SystemTime::now())) else { return };
        match self.send(&message.id, message.created, Content::Changes(message.records)) {
            Ok(()) => {
                self.taken(false);
                self.urgent.settled();
            }
            Err(SendFailure::Later { why, after }) => self.failed(&why, after),
            Err(SendFailure::Refused { why }) => {
                self.urgent.set_aside();
                self.dispatch.left(self.now(), false);
                self.route.board.failed(Wall(SystemTime::now()), &why);
            }
        }
    }

    fn taken(&mut self, is_full: bool) {
        self.dispatch.left(self.now(), is_full);
        self.route.board.taken(Wall(SystemTime::now()));
        self.complaint.well();
    }

    fn failed(&mut self, why: &str, after: Option<Duration>) {
        if self.line.is_cut() {
            return;
        }
        self.dispatch.failed(self.now(), after, fastrand::f64());
        self.why = why.to_owned();
        self.route.board.failed(Wall(SystemTime::now()), why);
        tracing::warn!(receiver = &*self.route.name, "a notification was not taken and is tried again: {why}");
        if let Some(lasts) = self.dispatch.failing_for(self.now()) {
            self.complaint.failing(lasts, why);
        }
    }

    fn park(&mut self, id: &str, why: &str) -> Result<(), StoreError> {
        let (name, now) = (&self.route.name, SystemTime::now());
        let fallback = self.fallback();
        if let Err(error) = self.outbox.park(name, id, why, fallback.as_ref(), now) {
            // It must not leave again every second until the outbox can be written.
            self.dispatch.failed(self.started.elapsed(), None, 1.0);
            return Err(error);
        }
        self.route.board.parked(Wall(now), why);
        self.dispatch.left(self.started.elapsed(), false);
        tracing::error!(receiver = &**name, id, "a notification was not taken and is parked: {why}");
        self.complaint.parked(why);
        self.ring_others(fallback.is_some());
        Ok(())
    }

    /// Gives what has waited too long to the fallback as well.
    fn relay(&mut self) -> Result<(), StoreError> {
        let Some(fallback) = self.fallback() else { return Ok(()) };
        let copied = self.outbox.relay(&self.route.name, &fallback, RELAY_AFTER, SystemTime::now())?;
        if copied > 0 {
            tracing::warn!(receiver = &*self.route.name, changes = copied, "notifications go to '{}'", fallback.name);
            self.ring_others(true);
        }
        Ok(())
    }

    fn fallback(&self) -> Option<Route> {
        let name = self.fallback.as_ref()?;
        self.router.load().routes.iter().find(|route| route.name == *name).cloned()
    }

    fn ring_others(&self, is_wanted: bool) {
        if is_wanted {
            for route in &self.router.load().routes {
                route.ring();
            }
        }
    }

    /// Tells open events again, for channels that want that.
    fn resend(&mut self) {
        let (Some(every), Some(due)) = (self.channel.resend_every(), self.resend_at) else { return };
        let now = self.now();
        if now < due {
            return;
        }
        self.resend_at = Some(now + every);
        let open = (self.open)();
        let told = open.iter().filter(|event| event.suppressed_by.is_none() && self.route.hears_of(event));
        let told: Vec<Arc<Event>> = told.cloned().collect();
        let channel = &mut self.channel;
        if let Err(failure) = guarded(|| channel.resend(&told)) {
            tracing::warn!(receiver = &*self.route.name, "open events were not taken: {failure}");
            self.route.board.failed(Wall(SystemTime::now()), &failure.to_string());
        }
    }

    fn hear(&mut self, word: Word) {
        match word {
            Word::Unstored(records) => {
                let lost = self.urgent.offer(&self.route, &records, self.now());
                if lost > 0 {
                    self.route.board.dropped(lost);
                }
            }
            Word::Try { by, answer } => {
                let id = uuid::Uuid::now_v7().to_string();
                let sent = self.send(&id, Wall(SystemTime::now()), Content::Test { by });
                if sent.is_ok() {
                    self.route.board.well(Wall(SystemTime::now()));
                    self.dispatch.found(self.now());
                    self.complaint.well();
                }
                // Nobody listening means that they waited long enough.
                let _ = answer.send(sent.map_err(|failure| failure.to_string()));
            }
        }
    }

    fn send(&mut self, id: &str, created_at: Wall, content: Content) -> Result<(), SendFailure> {
        let links = Links::clone(&self.links.load());
        let message = Message { id: id.to_owned(), created_at, receiver: self.route.name.clone(), links, content };
        let channel = &mut self.channel;
        guarded(|| channel.send(&message))
    }
}

/// Calls a channel; a panic of it is a failure like any other.
fn guarded(call: impl FnOnce() -> Result<(), SendFailure>) -> Result<(), SendFailure> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let why = format!("the channel panicked: {}", panic_message(&*panic));
        tracing::error!(fault = "panic", "{why}");
        Err(SendFailure::Later { why, after: None })
    })
}

/// Whether records hold something of which receivers may have to be told at once.
pub(super) fn unstored(records: &[Record]) -> Vec<Record> {
    let is_unstored = |record: &&Record| match record {
        Record::Event(event) => event.stored == Some(false),
        Record::Incident(incident) => incident.stored == Some(false),
    };
    records.iter().filter(is_unstored).cloned().collect()
}
