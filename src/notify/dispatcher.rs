//! A receiver's thread, `notify:NAME`: sends what waits in the outbox, until it was taken.
//!
//! It owns the receiver's channel and a connection to the store of its own, so a slow or dead receiver
//! delays nobody else. At most one message is on its way. When one is not taken it is tried again, as
//! [`Dispatch`] decides, and is set aside while others are taken; what will not be taken is parked, where people see
//! it. Ends within two seconds of its lifeline's cut; what was not sent stays in the outbox.

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
use super::dispatch::{Dispatch, Next, TRIED_FOR, Turn, pause};
use super::inbox::{Ear, Word};
use super::router::{Route, Router};
use super::urgent::{Ends, Urgent};
use crate::sinks::store::{ASIDE_MAX, Backlog, Formed, Outbox, StoreError};

/// Longest time between two looks at the outbox.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Pause after the outbox could not be used.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// For so long others may keep the thread from the outbox before it says so.
const STORE_PATIENCE: Duration = Duration::from_secs(10);

/// How often it says that the outbox cannot be used.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// How often it is seen to what a receiver does not take.
const CARE_EVERY: Duration = Duration::from_secs(10);

/// How long the thread rests after a panic.
const PANIC_PAUSE: Duration = Duration::from_secs(1);

/// What a receiver does not take for so long goes to its fallback as well.
const RELAY_AFTER: Duration = Duration::from_secs(300);

/// Every open event, from the desk's board.
pub(super) type OpenEvents = Box<dyn Fn() -> Arc<Vec<Arc<Event>>> + Send>;

/// What time it is: since the thread began, and by the wall.
pub(super) type Clock = Box<dyn Fn() -> (Duration, SystemTime) + Send>;

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
    /// Whether ends that are not stored may leave: not while the outbox held anything when it was last looked at.
    pub(super) ends: Ends,
    pub(super) clock: Clock,
    /// Why the last message was not taken.
    pub(super) why: String,
    /// When it was last seen to what a receiver does not take.
    pub(super) cared_at: Duration,
    /// When open events are told again.
    pub(super) resend_at: Option<Duration>,
    /// A message that was taken while the outbox could not be written.
    pub(super) unsettled: Option<String>,
    /// Since when the outbox cannot be used, if it cannot.
    pub(super) shut_out_since: Option<Duration>,
    /// When that was last said.
    pub(super) shut_out_said: Option<Duration>,
    /// Messages that are set aside now.
    pub(super) aside: u64,
    /// For how long the oldest change has waited.
    pub(super) oldest: Duration,
    /// When something was last taken.
    pub(super) taken_at: Option<SystemTime>,
}

impl Dispatcher {
    /// Works until the lifeline is cut. After a panic it begins anew: what waits is on disk, and nobody else
    /// would send it.
    pub(super) fn run(mut self) {
        while let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.work())) {
            let why = panic_message(&*panic);
            tracing::error!(
                fault = "panic",
                receiver = &*self.route.name,
                "the thread of a receiver panicked and begins anew: {why}"
            );
            self.route.board.panicked();
            self.complaint.panicked(&why);
            let until = Instant::now() + PANIC_PAUSE;
            while !self.line.is_cut() && Instant::now() < until {
                std::thread::sleep(PANIC_PAUSE / 20);
            }
        }
    }

    /// The process is new, the receiver's settings are, or a fault of ours was in the way: what was set aside is worth a try now.
    fn begin(&mut self) {
        self.resend_at = self.channel.resend_every();
        if let Err(error) = self.outbox.wake(&self.route.name, self.wall()) {
            tracing::warn!(
                receiver = &*self.route.name,
                fault = "outbox",
                "messages that were set aside wait on: {error}"
            );
        }
    }

    fn work(&mut self) {
        self.begin();
        while !self.line.is_cut() {
            let wait = self.turn();
            for word in self.ear.listen(wait) {
                self.hear(word);
            }
        }
    }

    fn now(&self) -> Duration {
        (self.clock)().0
    }

    fn wall(&self) -> SystemTime {
        (self.clock)().1
    }

    /// Does what is due; returns how long there is nothing to do.
    pub(super) fn turn(&mut self) -> Duration {
        self.resend();
        let wait = match self.send_due() {
            Ok(wait) => wait,
            Err(error) => {
                self.shut_out(&error);
                STORE_PAUSE
            }
        };
        let until_resend = self.resend_at.map_or(LOOK_EVERY, |at| at.saturating_sub(self.now()));
        wait.min(LOOK_EVERY).min(until_resend)
    }

    /// The outbox cannot be used. That somebody else writes is no fault, until it lasts.
    fn shut_out(&mut self, error: &StoreError) {
        let now = self.now();
        let since = *self.shut_out_since.get_or_insert(now);
        if error.is_busy() && now.saturating_sub(since) < STORE_PATIENCE {
            tracing::debug!(receiver = &*self.route.name, "the outbox is busy: {error}");
        } else if self.shut_out_said.is_none_or(|said| now.saturating_sub(said) >= SAID_EVERY) {
            self.shut_out_said = Some(now);
            tracing::warn!(receiver = &*self.route.name, fault = "outbox", "the outbox cannot be used now: {error}");
        }
    }

    /// The outbox goes first, so that no end overtakes its raise. What could not be stored is told when
    /// there is nothing else, or when the outbox cannot be used either.
    fn send_due(&mut self) -> Result<Duration, StoreError> {
        let sent = self.send_stored();
        if sent.is_ok() {
            (self.shut_out_since, self.shut_out_said) = (None, None);
        }
        match sent {
            Ok(Some(wait)) => Ok(wait),
            Ok(None) => Ok(self.send_unstored().unwrap_or(LOOK_EVERY)),
            Err(error) => self.send_unstored().ok_or(error),
        }
    }

    /// Nothing when nothing waits in the outbox but what was set aside.
    fn send_stored(&mut self) -> Result<Option<Duration>, StoreError> {
        self.settle()?;
        let Backlog { waiting, pending, oldest, parked } = self.outbox.backlog(&self.route.name, self.wall())?;
        (self.aside, self.oldest) = (waiting.aside, oldest);
        self.ends = if pending == 0 { Ends::Go } else { Ends::Wait };
        self.route.board.waits(pending, oldest, parked);
        self.complaint.lost(self.route.board.dropped_total());
        if self.dispatch.is_stuck(self.now(), waiting) {
            self.set_aside()?;
            return Ok(Some(Duration::ZERO));
        }
        if waiting.aside > 0 {
            self.care()?;
        }
        match self.dispatch.next(self.now(), waiting) {
            Next::Idle => Ok(None),
            Next::Wait(left) => {
                self.care()?;
                let is_front = waiting.has_message || waiting.changes > 0;
                Ok(is_front.then_some(left).or_else(|| self.send_unstored()).or(Some(left)))
            }
            Next::Send(turn) => self.send_next(turn).map(|()| Some(Duration::ZERO)),
        }
    }

    /// Takes the message in front out of the way of the others.
    fn set_aside(&mut self) -> Result<(), StoreError> {
        let (name, now) = (self.route.name.clone(), self.wall());
        if let Some(oldest) = self.outbox.too_many_aside(&name)? {
            self.park(&oldest, None, &format!("{ASIDE_MAX} messages are not taken: {}", self.why))?;
        }
        self.outbox.set_aside(&name, now + pause(0, fastrand::f64()))?;
        self.dispatch.set_aside(self.now());
        tracing::warn!(receiver = &*name, "a notification is set aside while others are sent: {}", self.why);
        Ok(())
    }

    /// While something is not taken: says so, and gives what waits to the fallback. Also during a long pause that the
    /// receiver asked for.
    fn care(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        let lasts = self.dispatch.failing_for(now);
        if (lasts.is_none() && self.aside == 0) || now.saturating_sub(self.cared_at) < CARE_EVERY {
            return Ok(());
        }
        self.cared_at = now;
        match lasts {
            Some(lasts) => self.complaint.failing(lasts, &self.why),
            None => self.complaint.aside(self.oldest, &self.why),
        }
        self.relay()
    }

    /// Nothing when all is stored.
    fn send_unstored(&mut self) -> Option<Duration> {
        // What the store took after all was told from the outbox.
        while let Ok(stored) = self.outbox.stored(&self.urgent.queued(self.ends))
            && self.urgent.drop_stored(&stored)
        {}
        let waiting = self.urgent.waiting(self.now(), self.ends)?;
        match self.dispatch.next(self.now(), waiting) {
            Next::Send(_) => {
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

    fn send_next(&mut self, turn: Turn) -> Result<(), StoreError> {
        let Some(formed) = self.outbox.next(&self.route.name, turn, self.wall())? else { return Ok(()) };
        let Formed { id, created, age, records, is_full, attempts, tried } = formed;
        if records.is_empty() {
            // Nothing of it can be read any more; it was told of when it was tried.
            return self.outbox.taken(&self.route.name, &id);
        }
        match self.send(&id, created, Content::Changes(records)) {
            Ok(()) => {
                self.unsettled = Some(id);
                self.aside -= u64::from(turn == Turn::Aside).min(self.aside);
                self.taken(turn, is_full);
                self.settle()
            }
            Err(SendFailure::GoesOn { .. }) => {
                self.goes_on(turn);
                Ok(())
            }
            // Left in the middle: it leaves again after the next start.
            Err(SendFailure::Later { .. }) if self.line.is_cut() => Ok(()),
            Err(SendFailure::Later { why, after }) if age >= TRIED_FOR => {
                self.failed(turn, &why, after);
                self.dispatch.parked(turn);
                self.park(&id, None, &format!("{why}; it was tried for a day"))
            }
            Err(SendFailure::Later { why, after }) => {
                self.failed(turn, &why, after);
                self.again(turn, &id, attempts, tried, &why, after)?;
                self.relay()
            }
            Err(SendFailure::Refused { why }) => self.park(&id, Some(turn), &why),
        }
    }

    /// Notes that a message was not taken, and when it is tried again if it was set aside.
    fn again(
        &mut self,
        turn: Turn,
        id: &str,
        attempts: u32,
        tried: Option<SystemTime>,
        why: &str,
        after: Option<Duration>,
    ) -> Result<(), StoreError> {
        let (name, now) = (self.route.name.clone(), self.wall());
        let rest = after.unwrap_or_else(|| pause(attempts, fastrand::f64()));
        let due = (turn == Turn::Aside).then_some(now + rest);
        if let Err(error) = self.outbox.failed(&name, id, why, due, now) {
            // Its pause could not be written down: it holds for all, or the receiver would be asked every second.
            self.dispatch.failed(self.now(), Turn::Front, after, 1.0);
            return Err(error);
        }
        // Others were taken since it was last tried: something in it is the cause.
        let is_its_own = tried.is_some_and(|tried| self.taken_at.is_some_and(|taken| taken > tried));
        if (is_its_own || self.dispatch.is_hopeless(self.now())) && self.outbox.halve(&name, id, now)? {
            tracing::warn!(receiver = &*name, id, "a notification is sent in halves: one of them may be taken");
            if !is_its_own {
                self.dispatch.set_aside(self.now());
            }
        }
        Ok(())
    }

    fn send_urgent(&mut self) {
        let Some(message) = self.urgent.next(Wall(self.wall()), self.ends) else { return };
        match self.send(&message.id, message.created, Content::Changes(message.records.into())) {
            Ok(()) => {
                self.taken(Turn::Front, false);
                self.urgent.settled();
            }
            Err(SendFailure::GoesOn { .. }) => self.goes_on(Turn::Front),
            Err(SendFailure::Later { why, after }) => self.failed(Turn::Front, &why, after),
            Err(SendFailure::Refused { why }) => {
                self.urgent.set_aside();
                self.answered(Turn::Front, false);
                self.route.board.failed(Wall(self.wall()), &why);
            }
        }
    }

    fn taken(&mut self, turn: Turn, is_full: bool) {
        let now = self.wall();
        self.answered(turn, is_full);
        self.taken_at = Some(now);
        self.route.board.taken(Wall(now));
        if self.aside == 0 {
            self.complaint.well();
        }
    }

    /// A part of a message was taken; the rest leaves in the next turn.
    fn goes_on(&mut self, turn: Turn) {
        self.dispatch.goes_on(turn);
        self.taken_at = Some(self.wall());
        self.route.board.well(Wall(self.wall()));
    }

    /// The receiver is there: what was set aside while it was not need not wait any longer.
    fn answered(&mut self, turn: Turn, is_full: bool) {
        let was_away = self.dispatch.left(self.now(), turn, is_full);
        if was_away && let Err(error) = self.outbox.wake(&self.route.name, self.wall()) {
            tracing::warn!(
                receiver = &*self.route.name,
                fault = "outbox",
                "messages that were set aside wait on: {error}"
            );
        }
    }

    fn failed(&mut self, turn: Turn, why: &str, after: Option<Duration>) {
        if self.line.is_cut() {
            return;
        }
        self.dispatch.failed(self.now(), turn, after, fastrand::f64());
        self.why = why.to_owned();
        self.route.board.failed(Wall(self.wall()), why);
        tracing::warn!(receiver = &*self.route.name, "a notification was not taken and is tried again: {why}");
        if let Some(lasts) = self.dispatch.failing_for(self.now()) {
            self.complaint.failing(lasts, why);
        }
    }

    /// Sets a message aside for good. With a turn, the receiver itself decided so: it is there.
    fn park(&mut self, id: &str, answered: Option<Turn>, why: &str) -> Result<(), StoreError> {
        let (name, now) = (self.route.name.clone(), self.wall());
        let fallback = self.fallback();
        if let Err(error) = self.outbox.park(&name, id, why, fallback.as_ref(), now) {
            // It must not leave again every second until the outbox can be written.
            self.dispatch.failed(self.now(), Turn::Front, None, 1.0);
            return Err(error);
        }
        self.route.board.parked(Wall(now), why);
        if let Some(turn) = answered {
            self.answered(turn, false);
        }
        tracing::error!(receiver = &*name, id, "a notification was not taken and is parked: {why}");
        self.complaint.parked(why);
        self.ring_others(fallback.is_some());
        Ok(())
    }

    /// Gives what has waited too long to the fallback as well.
    fn relay(&mut self) -> Result<(), StoreError> {
        let Some(fallback) = self.fallback() else { return Ok(()) };
        let copied = self.outbox.relay(&self.route.name, &fallback, RELAY_AFTER, self.wall())?;
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
            self.route.board.failed(Wall(self.wall()), &failure.to_string());
        }
    }

    fn hear(&mut self, word: Word) {
        match word {
            Word::Unstored(records) => {
                let lost = self.urgent.offer(&self.route, &records, self.now());
                self.route.lost_unstored(lost);
            }
            Word::Try { by, answer } => {
                let id = uuid::Uuid::now_v7().to_string();
                let sent = self.send(&id, Wall(self.wall()), Content::Test { by });
                if sent.is_ok() {
                    self.taken_at = Some(self.wall());
                    self.route.board.well(Wall(self.wall()));
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
