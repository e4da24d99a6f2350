//! The notifier: all receivers of the service, their threads, and what is known of them.
//!
//! Made before the desk, since the store's commits ask its router; its threads are started once the desk
//! stands. Owned by the service; changed by a reload, asked by API and metrics, never waits for a
//! receiver but at the very end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use avwatch_actors::event::EventChange;
use avwatch_actors::event_desk::{DeskHandle, DeskMessage};
use avwatch_actors::lifeline::{CutReason, Lifeline};
use avwatch_actors::record::Record;
use avwatch_actors::sink::{Sink, SinkError};
use avwatch_actors::worker::{self, WorkEnd};
use url::Url;

use super::board::ReceiverBoard;
use super::build::{self, BuildError};
use super::channel::{Links, SEND_WITHIN};
use super::complaint::{Complaint, ToDesk};
use super::dispatch::Dispatch;
use super::dispatcher::{self, Dispatcher, OpenEvents};
use super::inbox::{Doorbell, Ear, Word};
use super::plan::ReceiverPlan;
use super::router::{Route, Router};
use super::urgent::{Ends, Urgent};
use crate::node_snapshot::ReceiverSnapshot;
use crate::sinks::store::{Outbox, StoreError};

/// How long threads get to end.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// How long a new thread of a receiver waits for the old one.
const HANDOVER_WITHIN: Duration = SEND_WITHIN.saturating_add(Duration::from_secs(2));

/// Why receivers cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// A channel cannot be made.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The outbox cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system refuses a thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// One receiver.
#[derive(Debug)]
struct Member {
    plan: ReceiverPlan,
    board: Arc<ReceiverBoard>,
    bell: Doorbell,
    /// Until its thread has it.
    ear: Option<Ear>,
    line: Arc<Lifeline>,
    handle: Option<JoinHandle<()>>,
}

impl Member {
    fn new(plan: &ReceiverPlan, board: Arc<ReceiverBoard>) -> Self {
        let (bell, ear) = Doorbell::new();
        Self { plan: plan.clone(), board, bell, ear: Some(ear), line: Arc::default(), handle: None }
    }

    /// Tells its thread to end.
    fn cut(&self) {
        self.line.cut(CutReason::Stopped);
        self.bell.ring();
    }

    fn is_running(&self) -> bool {
        self.handle.as_ref().is_some_and(|handle| !handle.is_finished())
    }
}

/// All receivers.
pub struct Notifier {
    data_dir: PathBuf,
    members: Mutex<BTreeMap<Arc<str>, Member>>,
    router: Arc<ArcSwap<Router>>,
    links: Arc<ArcSwap<Links>>,
    desk: Mutex<Option<DeskHandle>>,
}

/// What is known of a receiver.
#[derive(Clone, Debug)]
pub struct ReceiverView {
    /// How it is planned.
    pub plan: ReceiverPlan,
    /// How it goes.
    pub board: Arc<ReceiverBoard>,
}

impl Notifier {
    /// All planned receivers, none of them running yet.
    pub fn new(plans: &[ReceiverPlan], data_dir: &Path, base: Option<Url>) -> Arc<Self> {
        let members = plans.iter().map(|plan| (plan.name.clone(), Member::new(plan, Arc::default()))).collect();
        let notifier = Self {
            data_dir: data_dir.to_owned(),
            members: Mutex::new(members),
            router: Arc::default(),
            links: Arc::new(ArcSwap::from_pointee(Links { base })),
            desk: Mutex::default(),
        };
        notifier.publish_routes(&notifier.members.lock().unwrap_or_else(PoisonError::into_inner));
        Arc::new(notifier)
    }

    /// What the store asks with each commit.
    pub fn router(&self) -> Arc<ArcSwap<Router>> {
        self.router.clone()
    }

    /// Where the desk tells it of commits.
    pub fn sink(&self) -> Box<dyn Sink> {
        Box::new(WakingSink(self.router.clone()))
    }

    /// Says where people reach the service, if that was not known before.
    pub fn reached_at(&self, base: Url) {
        self.links.rcu(|links| Links { base: links.base.clone().or_else(|| Some(base.clone())) });
    }

    /// Starts a thread for each receiver, now that the desk stands.
    ///
    /// # Errors
    /// A receiver cannot be put together.
    pub fn start(&self, desk: &DeskHandle) -> Result<(), NotifyError> {
        *self.desk.lock().unwrap_or_else(PoisonError::into_inner) = Some(desk.clone());
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        self.tidy_up(&members)?;
        for member in members.values_mut() {
            self.start_member(member, desk, None)?;
        }
        Ok(())
    }

    /// Whether these receivers can be put together; changes nothing.
    ///
    /// # Errors
    /// One of them cannot.
    pub fn check(&self, plans: &[ReceiverPlan]) -> Result<(), NotifyError> {
        plans.iter().try_for_each(|plan| {
            build::channel(plan, &self.links.load(), &Arc::default())?;
            Ok(())
        })
    }

    /// Whether a receiver has no thread: it could not start, or ended.
    pub fn has_stopped(&self) -> bool {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.values().any(|member| !member.is_running())
    }

    /// Takes another set of receivers over. Those that stay as they are go on undisturbed.
    ///
    /// # Errors
    /// A receiver cannot be put together; all of them are as they were then. What fails later concerns one receiver
    /// only: it is logged, the others are taken over.
    pub fn reload(&self, plans: &[ReceiverPlan]) -> Result<(), NotifyError> {
        // Whatever is wrong with a plan shows before anything is changed.
        self.check(plans)?;
        let Some(desk) = self.desk.lock().unwrap_or_else(PoisonError::into_inner).clone() else { return Ok(()) };
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let mut old = std::mem::take(&mut *members);
        let mut fresh = Vec::new();
        for plan in plans {
            match old.remove(&plan.name) {
                Some(member) if member.plan == *plan && member.is_running() => {
                    members.insert(plan.name.clone(), member);
                }
                known => {
                    if let Some(member) = &known {
                        member.cut();
                    }
                    let (board, handle) = known.map_or_else(Default::default, |member| (member.board, member.handle));
                    members.insert(plan.name.clone(), Member::new(plan, board));
                    fresh.push((plan.name.clone(), handle));
                }
            }
        }
        // No change is routed to those who are gone before what they had goes.
        self.publish_routes(&members);
        for member in old.values() {
            member.cut();
        }
        for (name, handle) in fresh {
            if let Some(member) = members.get_mut(&name)
                && let Err(error) = self.start_member(member, &desk, handle)
            {
                // Its changes wait in the outbox; the next reload tries again.
                tracing::error!(
                    fault = "receiver",
                    receiver = &*name,
                    "a receiver does not work until the next reload: {error}"
                );
            }
        }
        if let Err(error) = self.tidy_up(&members) {
            tracing::warn!(fault = "outbox", "what waited for receivers that are gone is dropped later: {error}");
        }
        Ok(())
    }

    /// Ends all threads; what was not sent stays in the outbox.
    pub fn stop(&self) {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.values().for_each(Member::cut);
        let until = Instant::now() + STOP_WITHIN;
        while Instant::now() < until && members.values().any(Member::is_running) {
            std::thread::sleep(Duration::from_millis(10));
        }
        for member in members.values_mut().filter(|member| member.is_running()) {
            tracing::warn!(receiver = &*member.plan.name, "the thread of a receiver did not end in time");
        }
    }

    /// What is known of every receiver, by name.
    pub fn views(&self) -> Vec<ReceiverView> {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let view = |member: &Member| ReceiverView { plan: member.plan.clone(), board: member.board.clone() };
        members.values().map(view).collect()
    }

    /// What the metrics show.
    pub fn snapshot(&self) -> Vec<ReceiverSnapshot> {
        let view = |view: ReceiverView| {
            let (pending, oldest) = view.board.pending();
            ReceiverSnapshot { name: view.plan.name, outcomes: view.board.outcomes(), pending, oldest }
        };
        self.views().into_iter().map(view).collect()
    }

    /// Has a receiver try a message. The answer comes over the channel; nothing when there is no such
    /// receiver, false when it has no time.
    pub fn try_out(
        &self,
        receiver: &str,
        by: String,
        answer: crossbeam_channel::Sender<Result<(), String>>,
    ) -> Option<bool> {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.get(receiver).map(|member| member.bell.say(Word::Try { by, answer }))
    }

    /// Has a receiver's thread look at its outbox.
    pub fn ring(&self, receiver: &str) {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(member) = members.get(receiver) {
            member.bell.ring();
        }
    }

    fn publish_routes(&self, members: &BTreeMap<Arc<str>, Member>) {
        let route = |member: &Member| Route::new(&member.plan, member.board.clone(), member.bell.clone());
        self.router.store(Arc::new(Router { routes: members.values().map(route).collect() }));
    }

    /// Removes what waits for receivers that are no longer there.
    fn tidy_up(&self, members: &BTreeMap<Arc<str>, Member>) -> Result<(), NotifyError> {
        let names: Vec<Arc<str>> = members.keys().cloned().collect();
        Outbox::new(&self.data_dir).keep_only(&names)?;
        Ok(())
    }

    fn start_member(
        &self,
        member: &mut Member,
        desk: &DeskHandle,
        before: Option<JoinHandle<()>>,
    ) -> Result<(), NotifyError> {
        let Some(ear) = member.ear.take() else { return Ok(()) };
        let plan = &member.plan;
        let channel = build::channel(plan, &self.links.load(), &member.line)?;
        let open = desk.board.clone();
        let open: OpenEvents = Box::new(move || open.open());
        let dispatcher = Dispatcher {
            route: Route::new(plan, member.board.clone(), member.bell.clone()),
            fallback: plan.fallback.clone(),
            channel,
            outbox: Outbox::new(&self.data_dir),
            dispatch: Dispatch::new(plan.group_interval),
            complaint: Complaint::new(plan.name.clone(), to_desk(desk), member.board.dropped_total()),
            router: self.router.clone(),
            links: self.links.clone(),
            open,
            ear,
            line: member.line.clone(),
            urgent: Urgent::default(),
            ends: Ends::Go,
            clock: Box::new({
                let started = Instant::now();
                move || (started.elapsed(), SystemTime::now())
            }),
            aside: 0,
            oldest: Duration::ZERO,
            taken_at: None,
            resend_at: None,
            unsettled: None,
            shut_out_since: None,
            shut_out_said: None,
            why: String::new(),
            cared_at: Duration::ZERO,
        };
        let name = plan.name.clone();
        let work = move |line: &Arc<Lifeline>| {
            wait_for(before, line);
            dispatcher.run();
        };
        let done = move |end| {
            if let WorkEnd::Panicked(why) = end {
                tracing::error!(fault = "panic", receiver = &*name, "the thread of a receiver panicked: {why}");
            }
        };
        member.handle = Some(worker::spawn(&format!("notify:{}", plan.name), member.line.clone(), work, done)?);
        Ok(())
    }
}

/// Waits for the thread that served a receiver before: at most one message may be on its way.
fn wait_for(before: Option<JoinHandle<()>>, line: &Lifeline) {
    let until = Instant::now() + HANDOVER_WITHIN;
    let is_there = || before.as_ref().is_some_and(|handle| !handle.is_finished());
    while is_there() && !line.is_cut() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The way to the desk that never waits.
fn to_desk(desk: &DeskHandle) -> ToDesk {
    let events = desk.events.clone();
    Box::new(move |change: EventChange| events.try_send(DeskMessage::Change(Box::new(change))).is_ok())
}

/// Wakes the receivers' threads after a commit, and hands them what could not be stored.
struct WakingSink(Arc<ArcSwap<Router>>);

impl Sink for WakingSink {
    fn name(&self) -> &'static str {
        "notifications"
    }

    fn deliver(&mut self, changes: &[Record]) -> Result<(), SinkError> {
        let unstored = Arc::new(dispatcher::unstored(changes));
        for route in &self.0.load().routes {
            route.ring();
            if !unstored.is_empty()
                && let Some(bell) = &route.bell
                && !bell.say(Word::Unstored(unstored.clone()))
            {
                route.lost_unstored(unstored.len() as u64);
            }
        }
        Ok(())
    }
}
