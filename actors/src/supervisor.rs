//! The supervisor of one stream: acts out what [`StreamLife`] decides.
//!
//! An actor on the control arbiter. It starts and cuts sessions, keeps the stream's detector actors
//! alive, speaks for the input when nothing flows, and publishes the stream's status once a second.
//! It never waits and opens nothing itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use crossbeam_channel::TrySendError;

use crate::alarm_model::Doubted;
use crate::arbiters::ArbiterLost;
use crate::detector::{DetectorSpec, LaneKind};
use crate::event::{ChangeKind, EventEnd, StreamCard};
use crate::event_desk::DeskMessage;
use crate::fan_out::FanOut;
use crate::ingest::{self, SessionNews, SessionParts};
use crate::input_watch::InputWatch;
use crate::item::EndReason;
use crate::latency::{LatencyBook, Percentiles, Stage, StageHistograms};
use crate::lifeline::{CutReason, Lifeline};
use crate::meters::MeterBook;
use crate::monitor::Monitor;
use crate::setup::{Engine, SessionMode, StreamSetup};
use crate::status::{HELD, StreamStatus};
use crate::stream_groups::StreamGroups;
use crate::stream_life::{Effect, Input, StreamLife};
use crate::tier::TierRange;
use crate::track::{SessionNumber, TrackId};

#[path = "supervisor_end.rs"]
mod end;
#[path = "supervisor_parts.rs"]
mod parts;

use parts::{control_now, dice, look_at, own_change, wall};

/// How long a stream waits for memory before it asks again.
const HELD_FOR: Duration = Duration::from_secs(2);

/// What is said of it meanwhile.
const NO_MEMORY: &str = "not opened: the process takes more memory than it may (limits.memory)";

/// How often a supervisor looks at its session.
const TICK: Duration = Duration::from_millis(250);

/// Ticks between two publications of the status.
const TICKS_PER_PUBLICATION: u64 = 4;

/// Changes that wait for room in the event lane; a supervisor makes a handful.
const UNSENT_MAX: usize = 256;

/// The actor.
pub struct Supervisor {
    setup: StreamSetup,
    engine: Engine,
    monitor: Addr<Monitor>,
    life: StreamLife,
    watch: InputWatch,
    fan_out: Arc<FanOut>,
    latencies: Arc<LatencyBook>,
    meters: Arc<MeterBook>,
    lines: BTreeMap<SessionNumber, Arc<Lifeline>>,
    groups: StreamGroups,
    frames_before: BTreeMap<TrackId, u64>,
    receive_dropped_before: u64,
    restarts: BTreeMap<&'static str, u64>,
    last_error: Option<String>,
    /// The newest session that opened, and when.
    opened: Option<(SessionNumber, Instant)>,
    /// A session of it was open before, if only under another supervisor.
    was_open: bool,
    /// It waits for memory.
    is_held: bool,
    unsent: VecDeque<DeskMessage>,
    ticks: u64,
    ending: Option<EventEnd>,
}

impl Supervisor {
    /// A supervisor for a stream; it begins as soon as it is started.
    pub fn new(setup: StreamSetup, last_session: SessionNumber, engine: Engine, monitor: Addr<Monitor>) -> Self {
        let now = control_now();
        let limits = setup.opener.limits();
        let fan_out = Arc::<FanOut>::default();
        let latencies = Arc::<LatencyBook>::default();
        let groups = StreamGroups::new(engine.clone(), fan_out.clone(), latencies.clone());
        let watch = InputWatch::new(setup.specs.iter().find(|spec| spec.name == "input_down"), now);
        Self {
            life: StreamLife::new(limits, last_session, now),
            watch,
            setup,
            engine,
            monitor,
            fan_out,
            latencies,
            meters: Arc::default(),
            lines: BTreeMap::new(),
            groups,
            frames_before: BTreeMap::new(),
            receive_dropped_before: 0,
            restarts: BTreeMap::new(),
            last_error: None,
            opened: None,
            was_open: last_session > SessionNumber(0),
            is_held: false,
            unsent: VecDeque::new(),
            ticks: 0,
            ending: None,
        }
    }

    fn stream(&self) -> &Arc<str> {
        &self.setup.card.stream
    }

    fn apply(&mut self, input: Input, ctx: &mut Context<Self>) {
        let mut inputs = VecDeque::from([input]);
        // Each effect asks at most one more question, so this ends.
        while let Some(input) = inputs.pop_front() {
            for effect in self.life.step(input, control_now()) {
                match effect {
                    Effect::Ask => inputs.push_back(self.ask_bucket()),
                    Effect::Open(session) => inputs.extend(self.open(session, ctx)),
                    Effect::Cut(session, why) => self.cut(session, why),
                    Effect::Abandon(session) => self.abandon(session),
                    Effect::Quarantined(wait) => self.report_quarantine(Some(wait)),
                    Effect::Released => self.report_quarantine(None),
                    Effect::Stopped => self.leave(ctx),
                }
            }
        }
    }

    /// Asks for room: of memory first, then of opens.
    fn ask_bucket(&mut self) -> Input {
        let pressure = self.engine.board.health.pressure();
        // Who was open before has had its memory: it may come back while others are refused.
        self.is_held = pressure.sheds() || (pressure.refuses() && !self.was_open);
        if self.is_held {
            return Input::Deferred(HELD_FOR);
        }
        match self.engine.bucket.take(self.setup.opener.host(), control_now()) {
            Ok(()) => Input::Granted,
            Err(wait) => Input::Deferred(wait),
        }
    }

    fn open(&mut self, session: SessionNumber, ctx: &mut Context<Self>) -> Option<Input> {
        self.keep_totals();
        let line = Arc::<Lifeline>::default();
        self.lines.insert(session, line.clone());
        let parts = SessionParts {
            opener: self.setup.opener.clone(),
            fan_out: self.fan_out.clone(),
            latencies: self.latencies.clone(),
            meters: self.meters.clone(),
            pace: self.setup.pace,
        };
        tracing::debug!(stream = &**self.stream(), session = session.0, "opening");
        let (supervisor, health, thread) = (ctx.address(), self.engine.board.health.clone(), line.clone());
        let news = move |news| {
            // Said here and not by the supervisor, which may be gone when a hanging thread returns.
            if matches!(news, SessionNews::Ended(..)) && thread.returned() {
                health.returned();
            }
            supervisor.do_send(News(news));
        };
        if self.setup.mode == SessionMode::Inline {
            ctx.spawn(actix::fut::wrap_future(ingest::play(session, parts, line, news)));
            return None;
        }
        match ingest::start(self.stream(), session, parts, line, news) {
            Ok(_) => None,
            Err(error) => {
                let fault =
                    crate::source::SourceError::Panicked { what: "thread start".into(), why: error.to_string() };
                Some(Input::Ended(session, EndReason::Failed(Arc::new(fault)), dice()))
            }
        }
    }

    fn cut(&mut self, session: SessionNumber, why: CutReason) {
        if let Some(line) = self.lines.get(&session) {
            line.cut(why);
        }
    }

    fn abandon(&mut self, session: SessionNumber) {
        tracing::error!(
            stream = &**self.stream(),
            session = session.0,
            life = "end",
            lasted_s = self.lasted(session),
            restart = "abandoned",
            fault = "hang",
            "a session's thread did not return after its cut and was abandoned"
        );
        // Counted first, so that its return can never be counted before.
        self.engine.board.health.abandon();
        if !self.lines.get(&session).is_some_and(|line| line.fence()) {
            self.engine.board.health.returned();
        }
        self.count_end("abandoned");
    }

    fn note_end(&mut self, session: SessionNumber, reason: &EndReason) {
        let Some(line) = self.lines.remove(&session) else { return };
        if line.is_fenced() {
            return;
        }
        let (stream, lasted_s) = (&**self.stream(), self.lasted(session));
        let (session, life) = (session.0, "end");
        match reason {
            EndReason::Failed(error) => {
                let fault = error.cause();
                tracing::warn!(stream, session, life, lasted_s, restart = fault, fault, "session ended: {error}");
                self.last_error = Some(error.to_string());
                self.count_end(error.cause());
            }
            EndReason::Finished => {
                let restart = "finished";
                tracing::info!(stream, session, life, lasted_s, restart, "session ended: the source finished");
                self.last_error = Some("the source finished".to_owned());
                self.count_end("finished");
            }
            EndReason::Stopped => tracing::info!(stream, session, life, lasted_s, "session stopped"),
        }
    }

    /// How long a session has been open, in seconds; 0 for one that never opened.
    fn lasted(&self, session: SessionNumber) -> f64 {
        let opened = self.opened.filter(|(opened, _)| *opened == session);
        opened.map_or(0.0, |(_, when)| control_now().saturating_duration_since(when).as_secs_f64())
    }

    fn count_end(&mut self, cause: &'static str) {
        *self.restarts.entry(cause).or_default() += 1;
    }

    /// Adds the ending session's counts to the totals, before the next session's begin at zero.
    fn keep_totals(&mut self) {
        let meters = self.meters.read();
        if meters.info.as_ref().is_some_and(|info| Some(info.session) != self.life.session()) {
            for track in &meters.tracks {
                *self.frames_before.entry(track.track).or_default() += track.frames;
            }
            self.receive_dropped_before += meters.receive_dropped;
            self.meters.clear();
        }
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        let look =
            self.life.session().and_then(|session| self.lines.get(&session)).map(|line| look_at(line, &self.meters));
        self.apply(Input::Tick(look), ctx);
        self.watch_input();
        self.send_events();
        self.mend_groups();
        self.ticks += 1;
        self.fan_out.ring_waiting();
        if self.ticks.is_multiple_of(TICKS_PER_PUBLICATION) {
            self.publish();
        }
    }

    fn watch_input(&mut self) {
        let now = control_now();
        if self.is_held {
            return self.watch.excuse(now);
        }
        let error = self.last_error.as_deref().filter(|_| !self.life.is_live());
        let session = self.life.session().unwrap_or_default();
        if self.ending.is_none()
            && let Some(change) = self.watch.look(self.meters.frames(), self.meters.burst(), error, now)
        {
            let change = change.complete(&self.setup.card, session, wall());
            self.unsent.push_back(DeskMessage::Change(Box::new(change)));
        }
    }

    fn report_quarantine(&mut self, wait: Option<Duration>) {
        let (what, message) = match wait {
            Some(wait) => {
                let cause = self.last_error.as_deref().unwrap_or("repeated internal failures");
                (
                    ChangeKind::Raised,
                    format!("quarantined for {} min after repeated failures of ours: {cause}", wait.as_secs() / 60),
                )
            }
            None => (ChangeKind::Ended(EventEnd::Cleared), "quarantine over, trying again".to_owned()),
        };
        tracing::warn!(stream = &**self.stream(), fault = "quarantine", "{message}");
        let change = own_change(&self.setup.card, "stream_quarantined", what, message);
        self.unsent.push_back(DeskMessage::Change(Box::new(change)));
    }

    fn send_events(&mut self) {
        while let Some(message) = self.unsent.pop_front() {
            match self.engine.desk.events.try_send(message) {
                Ok(()) => {}
                Err(TrySendError::Full(message)) => {
                    self.unsent.push_front(message);
                    break;
                }
                // The desk is gone: the process is ending, or the monitor says that it should.
                Err(TrySendError::Disconnected(_)) => self.unsent.clear(),
            }
        }
        let lost = self.unsent.len().saturating_sub(UNSENT_MAX);
        if lost > 0 {
            self.unsent.truncate(UNSENT_MAX);
            tracing::error!(
                stream = &**self.stream(),
                lost,
                "the event lane stayed full, changes of the stream are lost"
            );
        }
    }

    /// Rebuilds detector actors that are gone: their arbiter ended, or they panicked themselves.
    fn mend_groups(&mut self) {
        if self.ending.is_some() {
            return;
        }
        let lanes = self.groups.mend(&self.setup, &self.meters);
        if !lanes.is_empty() {
            tracing::error!(stream = &**self.stream(), fault = "panic", "a detector actor ended; it is rebuilt");
            self.doubt(&lanes);
        }
    }

    /// What these lanes have open must be confirmed: the new actors know nothing of it.
    fn doubt(&mut self, lanes: &[LaneKind]) {
        for lane in lanes {
            self.unsent.push_back(DeskMessage::Doubt(self.stream().clone(), Doubted::Lane(*lane)));
        }
        // That some are barred is no detector's word, and is known.
        for detector in self.groups.barred() {
            self.report_barred(detector);
        }
    }

    fn publish(&mut self) {
        let mut latencies = StageHistograms::default();
        self.latencies.drain_into(&mut latencies);
        self.engine.board.absorb(&latencies);
        let mut meters = self.meters.read();
        if !self.watch.is_flowing() {
            // The session's thread reads its meters when something comes; now nothing does.
            (meters.bitrate, meters.frame_rate) = (0.0, 0.0);
        }
        let mut frames = self.frames_before.clone();
        for track in &meters.tracks {
            *frames.entry(track.track).or_default() += track.frames;
        }
        self.engine.board.publish(StreamStatus {
            card: self.setup.card.clone(),
            state: if self.is_held { HELD } else { self.life.state_name() },
            tier: meters.tier().unwrap_or_else(|| self.setup.dial.wanted()),
            tiers: self.setup.dial.range(),
            up: self.life.is_live() && self.watch.is_flowing(),
            session: self.life.session().unwrap_or_default(),
            receive_dropped: self.receive_dropped_before + meters.receive_dropped,
            meters,
            frames,
            lane_dropped: self.fan_out.dropped(),
            restarts: self.restarts.clone(),
            last_error: if self.is_held { Some(NO_MEMORY.to_owned()) } else { self.last_error.clone() },
            abandoned: self.life.abandoned(),
            latency: Percentiles::of(latencies.stage(Stage::Total)),
            at: wall(),
        });
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // Were the supervisor to end by a panic, its session must not go on without one.
        for line in self.lines.values() {
            line.cut(CutReason::Stopped);
        }
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Context<Self>) {
        self.groups.start_all(&self.setup, &self.meters);
        ctx.run_interval(TICK, Self::tick);
        self.apply(Input::Start, ctx);
        self.publish();
    }
}

/// What a session's thread has to tell.
#[derive(Message)]
#[rtype(result = "()")]
struct News(SessionNews);

impl Handler<News> for Supervisor {
    type Result = ();
    fn handle(&mut self, News(news): News, ctx: &mut Context<Self>) {
        match news {
            SessionNews::Opened(session) => {
                self.opened = Some((session, control_now()));
                self.was_open = true;
                tracing::info!(stream = &**self.stream(), session = session.0, life = "open", "session open");
                self.apply(Input::Opened(session), ctx);
            }
            SessionNews::Ended(session, reason) => {
                self.note_end(session, &reason);
                self.apply(Input::Ended(session, reason, dice()), ctx);
            }
        }
    }
}

/// Ends the stream: its session is cut, its actors end, and the monitor is told.
#[derive(Message, Clone, Copy)]
#[rtype(result = "()")]
pub struct End(pub EventEnd);

impl Handler<End> for Supervisor {
    type Result = ();
    fn handle(&mut self, End(why): End, ctx: &mut Context<Self>) {
        self.ending = Some(why);
        self.apply(Input::Stop, ctx);
    }
}

/// Takes over new detectors and labels without a new session.
#[derive(Message, Clone)]
#[rtype(result = "()")]
pub struct RetuneStream {
    /// What events say of it from now on.
    pub card: Arc<StreamCard>,
    /// Its detectors from now on.
    pub specs: Arc<Vec<Arc<DetectorSpec>>>,
    /// Between which tiers it may move from now on.
    pub tiers: TierRange,
    /// Who is shed last under load, from now on.
    pub priority: u8,
}

impl Handler<RetuneStream> for Supervisor {
    type Result = ();
    fn handle(&mut self, message: RetuneStream, _: &mut Context<Self>) {
        self.setup.card = message.card;
        self.setup.priority = message.priority;
        self.setup.dial.set_range(message.tiers);
        self.setup.specs = message.specs;
        self.watch.retune(self.setup.specs.iter().find(|spec| spec.name == "input_down"));
        let was_barred = !self.groups.barred().is_empty();
        self.groups.retune(&self.setup, &self.meters);
        if was_barred && self.groups.barred().is_empty() {
            let what = ChangeKind::Ended(EventEnd::ConfigChanged);
            let change = own_change(&self.setup.card, "detector_disabled", what, "built anew".to_owned());
            self.unsent.push_back(DeskMessage::Change(Box::new(change)));
        }
    }
}

impl Handler<ArbiterLost> for Supervisor {
    type Result = ();
    fn handle(&mut self, lost: ArbiterLost, _: &mut Context<Self>) {
        let Some(stranded) = self.groups.leave_arbiter(lost, &self.setup, &self.meters) else { return };
        self.doubt(&stranded.lanes);
        if stranded.culprit.is_none() {
            tracing::warn!(stream = &**self.stream(), "detectors were rebuilt on another arbiter, theirs stood still");
        }
    }
}

impl Supervisor {
    /// Says that a detector that did not return will not be built again.
    fn report_barred(&mut self, detector: u16) {
        let name = self.setup.specs.iter().find(|spec| spec.number == detector).map_or("unknown", |spec| spec.name);
        let message = format!("{name} disabled: it did not return from a call within 2 s");
        tracing::error!(stream = &**self.stream(), detector = name, fault = "hang", "{message}");
        let change = own_change(&self.setup.card, "detector_disabled", ChangeKind::Raised, message);
        self.unsent.push_back(DeskMessage::Change(Box::new(change)));
    }
}
