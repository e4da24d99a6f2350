//! The service: builds everything from the plan, runs until it is told to stop, and ends in order.
//!
//! Sinks first, then the desk, then the supervisors: nobody sends into the void. Runs on the main
//! thread, which becomes the control arbiter.

mod error;
mod folder;
mod holds;
mod streams;
mod upkeep;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix::prelude::*;
use arc_swap::ArcSwap;
use avwatch_actors::alarm_model::rules::AlarmRules;
use avwatch_actors::arbiters::{self, Arbiters};
use avwatch_actors::connect_bucket::ConnectBucket;
use avwatch_actors::cpu_accounts::CpuAccounts;
use avwatch_actors::event::Event;
use avwatch_actors::event_desk::{self, DeskHandle, DeskMessage, DeskParts};
use avwatch_actors::incident_stage::IncidentParts;
use avwatch_actors::lifeline::{CutReason, Lifeline};
use avwatch_actors::memory_budget::{MemoryBudget, MemoryPressure};
use avwatch_actors::monitor::{AddStream, Monitor, StopAll};
use avwatch_actors::setup::{Engine, StreamSetup};
use avwatch_actors::silence::Silence;
use avwatch_actors::sink::Sink;
use avwatch_actors::status::{Health, StatusBoard};
use tokio::sync::mpsc;
use url::Url;

use crate::access::Token;
use crate::api::{self, ApiState, LiveStates};
use crate::catalogue::Catalogue;
use crate::config::{Loaded, Plan, ServerPlan, Sources};
use crate::desired::{ApiStreams, Desired};
use crate::logs::{LogWatch, LogWatchParts};
use crate::media::bytes::OwnSockets;
use crate::media::ffmpeg_version::FfmpegVersion;
use crate::memory::granted;
use crate::memory::keeper::HeapKeeper;
use crate::node_snapshot::{BuildSnapshot, NodeSnapshot, resident_bytes};
use crate::notify::Notifier;
use crate::notify::heartbeat::{self, Heartbeat, HeartbeatPlan};
use crate::probes;
use crate::sinks;
use crate::sinks::live_feed::{LiveFeed, LiveSink};
use crate::sinks::store::{Retention, Store};
use crate::snapshot::snapshot;
use crate::stream_boards::StreamBoards;
use crate::telemetry::{LatencyLog, LatencyLogSettings, LevelControl};

pub use error::ServiceError;
use folder::DataFolder;
use holds::Holds;
pub use streams::ServiceCommand;
use streams::{Resolved, Whole};
use upkeep::Upkeep;

/// Commands of the API that may wait.
const COMMANDS_MAX: usize = 64;

/// How often signals are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often the snapshot for API and metrics is made.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(1);

/// How long the desk gets to store and deliver what it has.
const DESK_WITHIN: Duration = Duration::from_secs(4);

/// How long open connections get.
const SERVER_WITHIN: Duration = Duration::from_secs(2);

/// The requests of a person or of the system to the process, set by signals.
#[derive(Clone, Default)]
pub struct Requests {
    /// End in order.
    pub stop: Arc<AtomicBool>,
    /// Read the configuration again.
    pub reload: Arc<AtomicBool>,
}

impl ServiceError {
    /// True when it is the configuration or the machine's use that is wrong, not the program.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Api(_) | Self::Parts(_) | Self::DataDir { .. } | Self::Store(_) | Self::Desired(_) | Self::Notify(_)
        )
    }
}

/// Runs the service until it is asked to stop.
pub fn run(
    loaded: Loaded,
    sources: &Sources,
    requests: &Requests,
    ffmpeg: &FfmpegVersion,
    levels: &LevelControl,
) -> Result<(), ServiceError> {
    let folder = DataFolder::make(&loaded.plan.data_dir)?;
    let notifier = Notifier::new(&loaded.plan.receivers, &folder.path, address_of(&loaded.plan.server));
    let store = open_store(&loaded.plan, &folder.path)?.with_router(notifier.router());
    // Before anything is started: a stream that cannot be put together is a wrong configuration.
    let boards = Arc::new(StreamBoards::new(&loaded.plan, &folder.path)?);
    let desired = Arc::new(Desired::open(&folder.path)?);
    let api_streams = desired.streams()?;
    let whole = Whole::new(&loaded, &api_streams, &Resolved::new());
    let setups = whole.plan.streams.iter().map(|plan| boards.setup(plan)).collect::<Result<Vec<_>, _>>()?;
    boards.commons.update(&whole.plan);
    let tokens = desired.tokens(&loaded.plan.server.tokens)?;
    let feed = Arc::<LiveFeed>::default();
    let desk = start_desk(&whole.plan, store, &feed, &boards, &notifier, desired.silences()?)?;
    notifier.start(&desk)?;
    let parts = Parts {
        whole,
        setups,
        boards,
        api_streams,
        tokens,
        desk: desk.clone(),
        feed,
        desired,
        notifier: notifier.clone(),
        data_dir: folder.path.clone(),
        levels: levels.clone(),
    };
    let result = System::new().block_on(Service::run(loaded, parts, sources, requests, ffmpeg));
    finish_desk(&desk);
    // After the desk: what happened last may still leave.
    notifier.stop();
    drop(folder);
    result
}

fn open_store(plan: &Plan, folder: &Path) -> Result<Store, ServiceError> {
    let keep = Retention {
        days_max: plan.store.retention_days,
        rows_max: plan.store.rows_max,
        bytes_max: plan.store.bytes_max,
    };
    let store = Store::open(folder, keep)?;
    if let Some(moved) = &store.start_up().moved_aside {
        tracing::error!(fault = "store_corrupt", "the event store was damaged and was moved to {}", moved.display());
    }
    Ok(store)
}

/// What stands before the service runs.
struct Parts {
    whole: Whole,
    setups: Vec<StreamSetup>,
    api_streams: ApiStreams,
    tokens: Vec<Token>,
    boards: Arc<StreamBoards>,
    desk: DeskHandle,
    feed: Arc<LiveFeed>,
    desired: Arc<Desired>,
    notifier: Arc<Notifier>,
    data_dir: PathBuf,
    levels: LevelControl,
}

/// The address under which people reach the service, as far as the configuration tells.
fn address_of(plan: &ServerPlan) -> Option<Url> {
    plan.external_url.clone().or_else(|| reached_at(plan, plan.listen?))
}

/// The address of a server that listens there; none for one that listens everywhere.
fn reached_at(plan: &ServerPlan, listen: SocketAddr) -> Option<Url> {
    let scheme = if plan.tls.is_some() { "https" } else { "http" };
    let is_known = !listen.ip().is_unspecified() && listen.port() != 0;
    Url::parse(&format!("{scheme}://{listen}/")).ok().filter(|_| is_known)
}

fn start_desk(
    plan: &Plan,
    store: Store,
    feed: &Arc<LiveFeed>,
    boards: &StreamBoards,
    notifier: &Notifier,
    silences: Vec<Silence>,
) -> Result<DeskHandle, ServiceError> {
    let mut sinks: Vec<Box<dyn Sink>> = sinks::ALL.iter().map(|kind| (kind.build)()).collect();
    sinks.push(notifier.sink());
    sinks.push(Box::new(LiveSink(feed.clone())));
    let evidence_of = match boards.start_evidence(plan)? {
        Some((sink, evidence_of)) => {
            sinks.push(sink);
            evidence_of
        }
        None => Box::new(|_: &Event| None),
    };
    let commons = &boards.commons;
    let (ask_probes, prober) = probes::prober(&plan.incidents.probes, commons.needs_names.clone());
    let settings = plan.incidents.settings.clone();
    let holds = Holds::of(plan);
    let parts = DeskParts {
        node: plan.node.clone(),
        store: Some(Box::new(store)),
        sinks,
        silences,
        rules: Arc::new(plan.alarm_rules()),
        hold_of: Box::new(move |event| holds.hold(event)),
        evidence_of,
        incidents: IncidentParts { settings, table: commons.table.clone(), ask_probes },
    };
    let desk = event_desk::start(parts)?;
    prober.start(desk.events.clone())?;
    Ok(desk)
}

/// Tells a dead man's switch that all is well, as long as it is.
fn start_heartbeat(plan: Option<&HeartbeatPlan>, board: &Arc<StatusBoard>) -> Result<Option<Heartbeat>, ServiceError> {
    let Some(plan) = plan else { return Ok(None) };
    let board = board.clone();
    let is_healthy = move || board.health.is_ready() && !board.desk.is_degraded();
    Ok(Some(heartbeat::start(plan, is_healthy)?))
}

/// Lets the desk store and deliver what it has.
fn finish_desk(desk: &DeskHandle) {
    let (done, finished) = crossbeam_channel::bounded(1);
    if desk.events.send_timeout(DeskMessage::Stop(done), DESK_WITHIN).is_err() {
        tracing::error!("the event desk takes no more; events may not be stored");
        return;
    }
    // The desk drops its end when all is done.
    if finished.recv_timeout(DESK_WITHIN) == Err(crossbeam_channel::RecvTimeoutError::Timeout) {
        tracing::error!("the event desk did not finish in time; events may not be stored");
    }
}

/// The running service, on the control arbiter.
struct Service {
    /// What runs: the configuration's streams and the API's.
    plan: Plan,
    loaded: Arc<ArcSwap<Loaded>>,
    api_streams: ApiStreams,
    resolved: Resolved,
    commands: mpsc::Receiver<ServiceCommand>,
    /// Kept, so that the commands never end while the service runs.
    _command: mpsc::Sender<ServiceCommand>,
    monitor: Addr<Monitor>,
    arbiters: Arc<Arbiters>,
    /// What the desk goes by.
    rules: Arc<ArcSwap<AlarmRules>>,
    board: Arc<StatusBoard>,
    boards: Arc<StreamBoards>,
    snapshot: Arc<ArcSwap<NodeSnapshot>>,
    catalogue: Arc<ArcSwap<Catalogue>>,
    feed: Arc<LiveFeed>,
    states: LiveStates,
    notifier: Arc<Notifier>,
    logs: LogWatch,
    build: BuildSnapshot,
    last_reload: Option<bool>,
    levels: LevelControl,
    upkeep: Upkeep,
}

impl Service {
    async fn run(
        loaded: Loaded,
        parts: Parts,
        sources: &Sources,
        requests: &Requests,
        ffmpeg: &FfmpegVersion,
    ) -> Result<(), ServiceError> {
        let Parts { whole, setups, boards, api_streams, tokens, desk, feed, desired, notifier, data_dir, levels } =
            parts;
        let catalogue = Arc::new(ArcSwap::from_pointee(whole.catalogue()));
        let Whole { plan, resolved } = whole;
        let loaded = Arc::new(ArcSwap::from_pointee(loaded));
        let (command, commands) = mpsc::channel(COMMANDS_MAX);
        let health = Arc::<Health>::default();
        let accounts = Arc::new(CpuAccounts::new(f64::from(plan.limits.detector_core_percent) / 100.0));
        let board = Arc::new(StatusBoard::new(accounts, desk.board.clone(), health.clone()));
        let build = BuildSnapshot { version: env!("CARGO_PKG_VERSION"), ffmpeg: ffmpeg.version.as_str().into() };
        let receivers = notifier.snapshot();
        let shared = Arc::new(ArcSwap::from_pointee(snapshot(&board, &boards, receivers, build.clone(), None)));
        // Before any actor is made: a port in use ends the service while there is nothing to end.
        let source = shared.clone();
        let state = ApiState {
            snapshot: Arc::new(move || source.load_full()),
            catalogue: catalogue.clone(),
            health: health.clone(),
            desk: desk.clone(),
            feed: feed.clone(),
            desired,
            loaded: loaded.clone(),
            commands: command.clone(),
            tokens: Arc::new(ArcSwap::from_pointee(tokens)),
            live: boards.live.clone(),
            past: boards.past(&plan),
            notifier: notifier.clone(),
            data_dir,
            levels: levels.clone(),
        };
        let own = loaded.load().own.clone();
        let server = plan.server.listen.map(|listen| serve(listen, &plan.server, state, &own)).transpose()?;
        let server = server.map(|(server, address)| {
            if let Some(base) = reached_at(&plan.server, address) {
                notifier.reached_at(base);
            }
            server
        });
        let arbiters = Arbiters::start(plan.runtime.detector_arbiters.get());
        let limits = &plan.limits;
        let bucket = ConnectBucket::new(
            f64::from(limits.opens_per_second),
            f64::from(limits.opens_per_second_per_host),
            Instant::now(),
        );
        let rules = desk.rules.clone();
        let engine = Engine { arbiters: arbiters.clone(), bucket: Arc::new(bucket), desk, board: board.clone() };
        let memory = MemoryBudget::new(granted::for_process(limits.memory));
        tracing::info!(bytes = memory.bytes(), "the process may take so much memory");
        let monitor = Monitor::new(engine.clone())
            .with_target(limits.latency_target)
            .with_memory(memory, Box::new(resident_bytes))
            .start();
        let watchdog = Arc::<Lifeline>::default();
        arbiters::watch(arbiters.clone(), health.clone(), watchdog.clone(), monitor.clone().recipient())?;
        let newest = shared.clone();
        let logs = LogWatch::start(LogWatchParts {
            inputs: Arc::new(ArcSwap::from_pointee(plan.logs.clone())),
            catalogue: catalogue.clone(),
            desk: engine.desk.clone(),
        })?;
        let _latencies = latency_log(&plan, &board);
        let pressed = health.clone();
        let _heap = HeapKeeper::start(move || pressed.pressure() > MemoryPressure::Ease)?;
        let _journal = boards.start_journal(&plan, board.verdicts.clone(), move || newest.load_full());
        let states = LiveStates::default();
        let snapshot = shared;
        let mut service = Self {
            plan,
            loaded,
            api_streams,
            resolved,
            commands,
            _command: command,
            monitor,
            arbiters,
            rules,
            board,
            boards,
            snapshot,
            catalogue,
            feed,
            states,
            notifier,
            logs,
            build,
            last_reload: None,
            levels,
            upkeep: Upkeep::new(),
        };
        for setup in setups {
            service.monitor.do_send(AddStream(setup));
        }
        health.set_ready(true);
        let _heartbeat = start_heartbeat(service.plan.heartbeat.as_ref(), &service.board)?;
        notify(&[sd_notify::NotifyState::Ready]);
        tracing::info!(streams = service.plan.streams.len(), "watching");
        service.attend(sources, requests).await;
        tracing::info!("stopping");
        notify(&[sd_notify::NotifyState::Stopping]);
        health.set_ready(false);
        service.feed.close();
        if let Some(server) = server {
            // Bounded here as well: a stuck connection may not hold the end up.
            let _ = tokio::time::timeout(SERVER_WITHIN, server.stop(true)).await;
        }
        if service.monitor.send(StopAll).await.is_err() {
            tracing::error!("the monitor ended before it was told to");
        }
        service.upkeep.speak(&service.board);
        watchdog.cut(CutReason::Stopped);
        Ok(())
    }

    /// Looks after signals, commands, snapshot and the system's watchdog until it is asked to stop.
    async fn attend(&mut self, sources: &Sources, requests: &Requests) {
        let mut published = Instant::now();
        while !requests.stop.load(Ordering::Relaxed) {
            if let Ok(Some(command)) = tokio::time::timeout(LOOK_EVERY, self.commands.recv()).await {
                self.obey(command, sources);
            }
            if requests.reload.swap(false, Ordering::Relaxed) {
                // What came of it is in the log.
                let _ = self.reload(sources);
            }
            if published.elapsed() >= SNAPSHOT_EVERY {
                published = Instant::now();
                let receivers = self.notifier.snapshot();
                let newest = snapshot(&self.board, &self.boards, receivers, self.build.clone(), self.last_reload);
                let newest = Arc::new(newest);
                self.states.tell(&self.feed, &self.catalogue.load(), &newest);
                self.snapshot.store(newest);
                self.upkeep.look(&self.board);
                self.boards.press(self.board.health.pressure());
                if self.board.health.is_live() {
                    notify(&[sd_notify::NotifyState::Watchdog]);
                }
            }
        }
    }
}

/// Begins to write latencies beside the log files, if there are any.
fn latency_log(plan: &Plan, board: &Arc<StatusBoard>) -> Option<LatencyLog> {
    let directory = plan.log.directory.clone().filter(|_| !plan.log.latency_interval.is_zero())?;
    let settings = LatencyLogSettings {
        directory,
        interval: plan.log.latency_interval,
        file_bytes_max: plan.log.file_bytes_max,
        files_max: plan.log.files_max as usize,
    };
    match LatencyLog::start(settings, board.clone()) {
        Ok(log) => Some(log),
        Err(error) => {
            tracing::error!(fault = "latency_log", "latencies are not written: {error}");
            None
        }
    }
}

/// Begins to answer over HTTP.
fn serve(
    listen: SocketAddr,
    plan: &ServerPlan,
    state: ApiState,
    own: &OwnSockets,
) -> Result<(actix_web::dev::ServerHandle, SocketAddr), ServiceError> {
    let (server, handle, address) = api::serve(listen, plan, state)?;
    // Before any stream is opened.
    own.add(address);
    actix::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!("the HTTP server ended: {error}");
        }
    });
    let scheme = if plan.tls.is_some() { "https" } else { "http" };
    tracing::info!("listening on {scheme}://{address}");
    if plan.tls.is_none() && !api::is_loopback(address.ip()) {
        tracing::warn!(
            "tokens travel in the clear beyond loopback: set server.tls_certificate, or use a proxy that does"
        );
    }
    Ok((handle, address))
}

/// Tells systemd, where it listens.
fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("cannot tell the service manager: {error}");
    }
}
