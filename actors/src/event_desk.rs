//! The event desk: where all event changes converge, are judged together, committed and published.
//!
//! One thread, `desk`. Changes come over one lane that never drops; an event is in the store
//! before anyone is told of it, or goes out marked as not stored.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use tokio::sync::oneshot;

use crate::alarm_model::acts::{ActRequest, Refusal};
use crate::alarm_model::rules::AlarmRules;
use crate::alarm_model::{AlarmModel, Doubted, monitor_change};
use crate::detector::LaneKind;
use crate::event::{ChangeKind, Event, EventChange, EventEnd, Wall};
use crate::incident_stage::{IncidentBoard, IncidentParts, IncidentStage};
use crate::lifeline::Lifeline;
use crate::probe_report::ProbeReport;
use crate::record::Record;
use crate::severity::Severity;
use crate::silence::Silence;
use crate::sink::{EventStore, Sink, SinkError};
use crate::sink_thread::SinkThread;
use crate::store_thread::{Commit, StoreThread};
use crate::worker::{self, WorkEnd};

/// Places in the event lane.
pub const EVENT_LANE_MAX: usize = 8_192;

/// Changes judged and committed together.
const GROUP_MAX: usize = 256;

/// How often the desk looks at the clock when nothing happens.
const TICK: Duration = Duration::from_millis(500);

/// How long the store gets at the end, and then all sinks together.
const FINISH_WITHIN: Duration = Duration::from_secs(2);

/// What reaches the desk.
#[derive(Debug)]
pub enum DeskMessage {
    /// A condition changed.
    Change(Box<EventChange>),
    /// A detector actor has judged everything of a session that ended.
    Drained(LaneKind),
    /// A stream is gone: its open events end for that reason.
    Forget(Arc<str>, EventEnd),
    /// A stream's detectors were rebuilt: what they had open must be confirmed.
    Doubt(Arc<str>, Doubted),
    /// A person acts on an event; answered once the change is in the store, or marked as not stored.
    Act(Box<ActRequest>, oneshot::Sender<Result<Arc<Event>, Refusal>>),
    /// These silences hold from now on, and no others; answered like [`DeskMessage::Act`], with the
    /// number of open events that changed.
    Silence(Vec<Silence>, oneshot::Sender<usize>),
    /// What was found about the network of the monitor itself, as asked for by the stage of incidents.
    Probed(ProbeReport),
    /// Finish what came before this, then end; the sender is dropped when all is done.
    Stop(Sender<()>),
}

/// Who waits for a commit.
enum Waiting {
    Act(oneshot::Sender<Result<Arc<Event>, Refusal>>, Box<Event>),
    Silence(oneshot::Sender<usize>, usize),
}

/// Events by stream, detector and each severity that they reached.
pub type EventTotals = BTreeMap<(Arc<str>, Arc<str>, Severity), u64>;

/// What anyone may know of the desk. Written by the desk's thread.
#[derive(Default)]
pub struct DeskBoard {
    open: ArcSwap<Vec<Arc<Event>>>,
    totals: Mutex<EventTotals>,
    is_degraded: AtomicBool,
    unstored: AtomicU64,
    refused: AtomicU64,
    undelivered: Mutex<BTreeMap<&'static str, u64>>,
    off_air: ArcSwap<Vec<Arc<str>>>,
    is_gone: AtomicBool,
    sequence: AtomicU64,
    /// Open incidents.
    pub incidents: IncidentBoard,
}

impl DeskBoard {
    /// Every open event.
    pub fn open(&self) -> Arc<Vec<Arc<Event>>> {
        self.open.load_full()
    }

    /// Streams that are off the air by their schedule, by name.
    pub fn off_air(&self) -> Arc<Vec<Arc<str>>> {
        self.off_air.load_full()
    }

    /// Events by stream, detector and each severity that they reached.
    pub fn totals(&self) -> EventTotals {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True while the store takes nothing.
    pub fn is_degraded(&self) -> bool {
        self.is_degraded.load(Ordering::Relaxed)
    }

    /// Changes that were refused because too many events were open.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Changes that each sink never got, for being too far behind or broken.
    pub fn undelivered(&self) -> BTreeMap<&'static str, u64> {
        self.undelivered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The number of the newest change.
    pub fn sequence(&self) -> u64 {
        self.sequence.load(Ordering::Relaxed)
    }

    /// True once the desk's thread has ended: nothing is judged, stored or told any more.
    pub fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Relaxed)
    }

    /// Changes that wait to be stored, plus those that never will be.
    pub fn unstored(&self) -> u64 {
        self.unstored.load(Ordering::Relaxed)
    }
}

/// Tells where evidence of an event will be, if any is kept.
pub type EvidenceOf = Box<dyn Fn(&Event) -> Option<String> + Send>;

/// What a desk is made of.
pub struct DeskParts {
    /// Name of the node.
    pub node: Arc<str>,
    /// Where changes are made durable; absent only in tests and one-shot checks.
    pub store: Option<Box<dyn EventStore>>,
    /// Who is told.
    pub sinks: Vec<Box<dyn Sink>>,
    /// What was silenced before.
    pub silences: Vec<Silence>,
    /// What was configured of the alarm model.
    pub rules: Arc<AlarmRules>,
    /// The longest hold time of an event's detector: how long a confirmation may take.
    pub hold_of: Box<dyn Fn(&Event) -> Duration + Send>,
    /// Where evidence is; the same for every change of one event.
    pub evidence_of: EvidenceOf,
    /// What makes incidents of events.
    pub incidents: IncidentParts,
}

/// The way to the desk.
#[derive(Clone)]
pub struct DeskHandle {
    /// The event lane.
    pub events: Sender<DeskMessage>,
    /// What may be known.
    pub board: Arc<DeskBoard>,
    /// The rules of the alarm model; others that are put here hold within half a second.
    pub rules: Arc<ArcSwap<AlarmRules>>,
}

/// Why a desk could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The store could not say what was open.
    #[error(transparent)]
    Store(#[from] SinkError),
    /// The system refused a thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

struct Desk {
    model: AlarmModel,
    rules: Arc<ArcSwap<AlarmRules>>,
    /// Those that the model has.
    governed_by: Arc<AlarmRules>,
    incidents: IncidentStage,
    store: Option<StoreThread>,
    sinks: Vec<SinkThread>,
    hold_of: Box<dyn Fn(&Event) -> Duration + Send>,
    evidence_of: EvidenceOf,
    board: Arc<DeskBoard>,
    /// Who is answered after the next commit.
    waiting: Vec<Waiting>,
}

/// Starts the desk's thread; recovers what was open before it.
pub fn start(mut parts: DeskParts) -> Result<DeskHandle, DeskError> {
    let recovered = parts.store.as_mut().map(|store| store.recover()).transpose()?.unwrap_or_default();
    let recovered_sequence = recovered.sequence;
    let mut incidents = IncidentStage::new(parts.incidents, parts.node.clone());
    let mut model = AlarmModel::new(parts.node, recovered_sequence);
    // Nothing is open yet: this tells the model what held events back before.
    model.govern(parts.rules.clone(), wall());
    model.silence(parts.silences.clone(), wall());
    let now = Instant::now();
    incidents.recover(&recovered.incidents, &recovered.open, now);
    for event in recovered.open {
        let hold = (parts.hold_of)(&event);
        model.recover(event, hold, now);
    }
    let mut resettled = model.govern(parts.rules.clone(), wall());
    resettled.extend(model.silence(parts.silences, wall()));
    let board = Arc::new(DeskBoard { sequence: recovered_sequence.into(), ..DeskBoard::default() });
    let mut desk = Desk {
        model,
        rules: Arc::new(ArcSwap::new(parts.rules.clone())),
        governed_by: parts.rules,
        incidents,
        store: parts.store.map(StoreThread::start).transpose()?,
        sinks: parts.sinks.into_iter().map(SinkThread::start).collect::<Result<_, _>>()?,
        hold_of: parts.hold_of,
        evidence_of: parts.evidence_of,
        board: board.clone(),
        waiting: Vec::new(),
    };
    let rules = desk.rules.clone();
    // Silences and schedules that began or ended while nothing ran.
    desk.commit_and_publish(resettled);
    desk.publish_board();
    let (events, inbox) = bounded(EVENT_LANE_MAX);
    // The thread ends by `Stop` or when the last sender is gone.
    let gone = board.clone();
    let done = move |end| {
        gone.is_gone.store(true, Ordering::Relaxed);
        if let WorkEnd::Panicked(why) = end {
            tracing::error!(fault = "panic", "the event desk panicked: {why}");
        }
    };
    drop(worker::spawn("desk", Arc::<Lifeline>::default(), move |_| desk.run(&inbox), done)?);
    Ok(DeskHandle { events, board, rules })
}

impl Desk {
    fn run(mut self, inbox: &Receiver<DeskMessage>) {
        let stopped = self.work(inbox);
        let waiting = self.store.as_ref().map_or(0, StoreThread::waiting);
        if let Some(store) = self.store.take()
            && !store.finish(FINISH_WITHIN)
        {
            tracing::error!(fault = "store_degraded", changes = waiting, "not all changes were stored before the end");
        }
        SinkThread::finish(self.sinks, FINISH_WITHIN);
        drop(stopped);
    }

    /// Works until it is told to stop or nobody is left to tell it anything.
    fn work(&mut self, inbox: &Receiver<DeskMessage>) -> Option<Sender<()>> {
        loop {
            let first = match inbox.recv_timeout(TICK) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return None,
            };
            let mut stop = None;
            let mut events = self.govern();
            for message in first.into_iter().chain(inbox.try_iter().take(GROUP_MAX - 1)) {
                match message {
                    DeskMessage::Stop(done) => stop = Some(done),
                    other => events.extend(self.judge(other)),
                }
            }
            events.extend(self.model.tick(Instant::now(), wall()));
            self.count_reached();
            self.commit_and_publish(events);
            if stop.is_some() {
                // Behind the stop may be words of actors that were ending while it was sent.
                self.drain_rest(inbox);
                return stop;
            }
        }
    }

    fn drain_rest(&mut self, inbox: &Receiver<DeskMessage>) {
        let events: Vec<Event> =
            inbox.try_iter().take(EVENT_LANE_MAX).flat_map(|message| self.judge(message)).collect();
        self.commit_and_publish(events);
    }

    /// Takes over other rules, if there are.
    fn govern(&mut self) -> Vec<Event> {
        let rules = self.rules.load_full();
        if Arc::ptr_eq(&rules, &self.governed_by) {
            return Vec::new();
        }
        self.governed_by = rules.clone();
        self.model.govern(rules, wall())
    }

    fn judge(&mut self, message: DeskMessage) -> Vec<Event> {
        match message {
            DeskMessage::Change(change) => {
                let events = self.model.step(*change);
                self.count_reached();
                events
            }
            DeskMessage::Act(request, answer) => self.act(*request, answer),
            DeskMessage::Silence(silences, answer) => {
                let events = self.model.silence(silences, wall());
                self.waiting.push(Waiting::Silence(answer, events.len()));
                events
            }
            DeskMessage::Forget(stream, why) => {
                let mut totals = self.board.totals.lock().unwrap_or_else(PoisonError::into_inner);
                totals.retain(|(name, _, _), _| *name != stream);
                drop(totals);
                self.model.forget_stream(&stream, why, wall())
            }
            DeskMessage::Doubt(stream, whose) => {
                self.model.doubt_stream(&stream, whose, &self.hold_of, Instant::now());
                Vec::new()
            }
            DeskMessage::Probed(report) => {
                self.incidents.probed(report);
                Vec::new()
            }
            DeskMessage::Drained(_) | DeskMessage::Stop(_) => Vec::new(),
        }
    }

    fn act(&mut self, request: ActRequest, answer: oneshot::Sender<Result<Arc<Event>, Refusal>>) -> Vec<Event> {
        match self.model.act_as_asked(request, wall()) {
            Ok(acted) => {
                self.waiting.push(Waiting::Act(answer, Box::new(acted.event.clone())));
                let mut events = acted.others;
                events.extend(acted.is_change.then_some(acted.event));
                events.sort_by_key(|event| event.sequence);
                events
            }
            Err(refusal) => {
                // Nobody listening means that they waited long enough.
                let _ = answer.send(Err(refusal));
                Vec::new()
            }
        }
    }

    fn count_reached(&mut self) {
        let reached = self.model.take_reached();
        if !reached.is_empty() {
            let mut totals = self.board.totals.lock().unwrap_or_else(PoisonError::into_inner);
            for key in reached {
                *totals.entry(key).or_default() += 1;
            }
        }
    }

    fn commit_and_publish(&mut self, mut events: Vec<Event>) {
        self.publish_off_air();
        let incidents = self.incidents.judge(&mut events, &mut self.model, &self.board.incidents, wall());
        let has_backlog = self.store.as_ref().is_some_and(|store| store.waiting() > 0 || store.trouble().is_some());
        if events.is_empty() && incidents.is_empty() && !has_backlog {
            self.answer(Commit::Stored);
            return;
        }
        let events = events.into_iter().map(|event| Record::Event(Arc::new(self.with_evidence(event))));
        let incidents = incidents.into_iter().map(|incident| Record::Incident(Arc::new(incident)));
        let records: Vec<Record> = events.chain(incidents).collect();
        let commit = self.store.as_mut().map_or(Commit::Stored, |store| store.commit(&records));
        self.publish(records, commit);
        self.note_store_health();
        self.publish_board();
        self.answer(commit);
    }

    /// Answers those who waited for the commit. Nobody listening means that they waited long enough.
    fn answer(&mut self, commit: Commit) {
        for waiting in std::mem::take(&mut self.waiting) {
            match waiting {
                Waiting::Act(answer, event) => {
                    let mut event = self.with_evidence(*event);
                    if commit == Commit::Deferred {
                        event.stored = Some(false);
                    }
                    let _ = answer.send(Ok(Arc::new(event)));
                }
                Waiting::Silence(answer, changed) => {
                    let _ = answer.send(changed);
                }
            }
        }
    }

    fn publish(&mut self, records: Vec<Record>, commit: Commit) {
        for record in records {
            if let Record::Event(event) = &record {
                self.board.sequence.fetch_max(event.sequence, Ordering::Relaxed);
            }
            let told = match commit {
                Commit::Stored => record,
                Commit::Deferred => record.unstored(),
            };
            for sink in &self.sinks {
                sink.offer(&told);
            }
        }
    }

    /// Raises and ends `store_degraded`, which takes the same way as every event.
    fn note_store_health(&mut self) {
        let Some(store) = &self.store else { return };
        let trouble = store.trouble().map(str::to_owned);
        self.board.unstored.store(store.waiting() as u64 + store.lost(), Ordering::Relaxed);
        let was_degraded = self.board.is_degraded.swap(trouble.is_some(), Ordering::Relaxed);
        if was_degraded == trouble.is_some() {
            return;
        }
        let (what, message) = match trouble {
            Some(why) => (ChangeKind::Raised, format!("events are not being stored: {why}")),
            None => (ChangeKind::Ended(EventEnd::Cleared), "events are being stored again".to_owned()),
        };
        tracing::warn!(fault = "store_degraded", "{message}");
        let change = monitor_change("store_degraded", what, Severity::Major, message, wall());
        let events = self.model.step(change);
        self.count_reached();
        let records: Vec<Record> = events.into_iter().map(|event| Record::Event(Arc::new(event))).collect();
        let commit = self.store.as_mut().map_or(Commit::Stored, |store| store.commit(&records));
        self.publish(records, commit);
        let unstored = self.store.as_ref().map_or(0, |store| store.waiting() as u64 + store.lost());
        self.board.unstored.store(unstored, Ordering::Relaxed);
    }

    /// The event with where its evidence will be.
    fn with_evidence(&self, event: Event) -> Event {
        Event { evidence: (self.evidence_of)(&event), ..event }
    }

    fn publish_off_air(&self) {
        let off_air = self.model.off_air();
        if *self.board.off_air.load_full() != off_air {
            self.board.off_air.store(Arc::new(off_air));
        }
    }

    fn publish_board(&self) {
        let open = self.model.open_events().cloned();
        let mut open: Vec<Arc<Event>> = open.map(|event| Arc::new(self.with_evidence(event))).collect();
        open.sort_by(|a, b| a.id.cmp(&b.id));
        self.board.open.store(Arc::new(open));
        self.board.refused.store(self.model.refused(), Ordering::Relaxed);
        let undelivered = self.sinks.iter().map(|sink| (sink.name(), sink.lost())).collect();
        *self.board.undelivered.lock().unwrap_or_else(PoisonError::into_inner) = undelivered;
    }
}

fn wall() -> Wall {
    Wall(SystemTime::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_became_critical_is_counted_as_critical_too() {
        let parts = DeskParts {
            node: "n".into(),
            store: None,
            sinks: Vec::new(),
            silences: Vec::new(),
            rules: Arc::default(),
            hold_of: Box::new(|_| Duration::ZERO),
            evidence_of: Box::new(|_| None),
            incidents: IncidentParts::default(),
        };
        let desk = start(parts).unwrap();
        for (what, severity) in [(ChangeKind::Raised, Severity::Warning), (ChangeKind::Escalated, Severity::Critical)] {
            let change = monitor_change("store_degraded", what, severity, String::new(), wall());
            desk.events.send(DeskMessage::Change(Box::new(change))).unwrap();
        }
        let (done, finished) = bounded(1);
        desk.events.send(DeskMessage::Stop(done)).unwrap();
        // The desk drops its end when all is done.
        assert_eq!(finished.recv_timeout(Duration::from_secs(10)), Err(RecvTimeoutError::Disconnected));
        let counted: Vec<(Severity, u64)> =
            desk.board.totals().into_iter().map(|((_, _, severity), count)| (severity, count)).collect();
        assert_eq!(counted, [(Severity::Warning, 1), (Severity::Critical, 1)]);
    }
}
