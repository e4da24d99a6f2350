//! The rig: the service's own parts around the streams of one trial.
//!
//! Desk, arbiters, monitor and supervisors are those of the service; there is no store and no HTTP server. Synthetic
//! streams are made in process; encoded ones are put together as the service does, with live readings and, where the configuration
//! keeps evidence, the ring of packets. Made, run and ended on the control arbiter.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix::prelude::*;
use avwatch_actors::arbiters::{self, Arbiters};
use avwatch_actors::connect_bucket::ConnectBucket;
use avwatch_actors::cpu_accounts::CpuAccounts;
use avwatch_actors::event::{Event, StreamCard};
use avwatch_actors::event_desk::{self, DeskError, DeskHandle, DeskMessage, DeskParts};
use avwatch_actors::incident_stage::IncidentParts;
use avwatch_actors::lane::WhenFull;
use avwatch_actors::lifeline::{CutReason, Lifeline};
use avwatch_actors::monitor::{AddStream, Monitor, StopAll};
use avwatch_actors::paced::Pace;
use avwatch_actors::record::Record;
use avwatch_actors::setup::{Engine, LaneSizes, SessionMode, StreamSetup};
use avwatch_actors::sink::{Sink, SinkError};
use avwatch_actors::status::{Health, StatusBoard};
use avwatch_actors::tier::TierDial;

use super::due::DueClock;
use super::material::{Encoded, Material, recipe_of};
use super::probe::{ProbeBook, StreamProbe};
use super::sender::{Sender, SenderBook};
use super::settings::{LoadSettings, LoadTier};
use crate::config::{Loaded, StreamPlan, UnknownProfile};
use crate::media::address;
use crate::media::spec::Address;
use crate::stream_boards::StreamBoards;
use crate::stream_parts::{self, PartsError, StreamDetectors};
use crate::synthetic::{DefectPlan, Drive, MakeCost, Reel, SyntheticOpener};

/// Opens a second: a trial is no returning origin that must be spared.
const OPENS_PER_SECOND: f64 = 1_000_000.0;
/// Events of a trial that are kept; more are counted as lost.
const EVENTS_MAX: usize = 1_000_000;
/// How long the desk gets to tell what it has.
const DESK_WITHIN: Duration = Duration::from_secs(4);
/// From adding the streams to the first frame that is due, and so much more for each stream: threads take time to start.
const LEAD: Duration = Duration::from_millis(500);
const LEAD_PER_STREAM: Duration = Duration::from_micros(500);

/// Why a trial cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum RigError {
    /// The desk cannot start.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// A stream cannot be put together.
    #[error(transparent)]
    Parts(#[from] PartsError),
    /// There is no such profile.
    #[error(transparent)]
    Profile(#[from] UnknownProfile),
    /// The system refuses a thread or socket.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// The newest state of every event.
#[derive(Default)]
pub struct Collected {
    /// By id.
    pub events: HashMap<String, Arc<Event>>,
    /// Events that there was no room for.
    pub lost: u64,
}

struct Collector(Arc<Mutex<Collected>>);

impl Sink for Collector {
    fn name(&self) -> &'static str {
        "load"
    }

    fn deliver(&mut self, changes: &[Record]) -> Result<(), SinkError> {
        let mut collected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for event in changes.iter().filter_map(Record::event) {
            if collected.events.len() < EVENTS_MAX || collected.events.contains_key(&event.id) {
                collected.events.insert(event.id.clone(), event.clone());
            } else {
                collected.lost += 1;
            }
        }
        Ok(())
    }
}

/// One stream under test.
pub struct Subject {
    /// Its name.
    pub name: Arc<str>,
    /// What is noted of it.
    pub probe: Arc<StreamProbe>,
    /// Its ground truth.
    pub plan: Arc<DefectPlan>,
}

impl Subject {
    /// The same stream, for who outlives the rig.
    pub fn share(&self) -> Self {
        Self { name: self.name.clone(), probe: self.probe.clone(), plan: self.plan.clone() }
    }
}

/// The parts of one trial.
pub struct Rig {
    /// What is published of the streams.
    pub board: Arc<StatusBoard>,
    /// Latencies.
    pub book: Arc<ProbeBook>,
    /// The streams.
    pub subjects: Vec<Subject>,
    /// What making frames cost.
    pub made: Arc<MakeCost>,
    /// What the sender counts; absent where nothing is sent.
    pub sent: Option<Arc<SenderBook>>,
    /// What the detectors are.
    pub detectors: StreamDetectors,
    collected: Arc<Mutex<Collected>>,
    desk: DeskHandle,
    monitor: Addr<Monitor>,
    watchdog: Arc<Lifeline>,
    sender: Option<(Arc<Lifeline>, std::thread::JoinHandle<()>)>,
    /// Kept for the time of the trial.
    _boards: Option<StreamBoards>,
}

/// A stream ready to be added.
struct Prepared {
    subject: Subject,
    setup: StreamSetup,
}

impl Rig {
    /// Starts so many streams. Must be called on an actix system.
    ///
    /// # Errors
    /// See [`RigError`].
    pub fn start(
        loaded: &Loaded,
        settings: &LoadSettings,
        material: &Material,
        streams: u32,
    ) -> Result<Self, RigError> {
        let collected = Arc::<Mutex<Collected>>::default();
        let desk = event_desk::start(DeskParts {
            node: loaded.plan.node.clone(),
            store: None,
            sinks: vec![Box::new(Collector(collected.clone()))],
            silences: Vec::new(),
            rules: Arc::default(),
            hold_of: Box::new(|_| Duration::ZERO),
            evidence_of: Box::new(|_| None),
            incidents: IncidentParts::default(),
        })?;
        let health = Arc::<Health>::default();
        let board = Arc::new(StatusBoard::new(Arc::<CpuAccounts>::default(), desk.board.clone(), health.clone()));
        let arbiters = Arbiters::start(loaded.plan.runtime.detector_arbiters.get());
        let bucket = Arc::new(ConnectBucket::new(OPENS_PER_SECOND, OPENS_PER_SECOND, Instant::now()));
        let engine = Engine { arbiters: arbiters.clone(), bucket, desk: desk.clone(), board: board.clone() };
        let monitor = Monitor::new(engine).start();
        let watchdog = Arc::<Lifeline>::default();
        arbiters::watch(arbiters, health, watchdog.clone(), monitor.clone().recipient())?;
        let plan = loaded.input("load", Address::Synthetic(String::new()), &settings.profile)?;
        let mut rig = Self {
            board,
            book: Arc::default(),
            subjects: Vec::new(),
            made: Arc::default(),
            sent: None,
            detectors: stream_parts::resolve_detectors(&plan, &[])?,
            collected,
            desk,
            monitor,
            watchdog,
            sender: None,
            _boards: None,
        };
        let begin = Instant::now() + LEAD + LEAD_PER_STREAM * streams;
        let prepared = match material {
            Material::Made(reel) => rig.prepare_made(settings, &stream_parts::card(&plan), reel, begin, streams),
            Material::Sent(encoded) => rig.prepare_sent(loaded, settings, encoded, begin, streams)?,
        };
        for Prepared { subject, setup } in prepared {
            rig.subjects.push(subject);
            rig.monitor.do_send(AddStream(setup));
        }
        Ok(rig)
    }

    fn prepare_made(
        &self,
        settings: &LoadSettings,
        card: &Arc<StreamCard>,
        reel: &Arc<Reel>,
        begin: Instant,
        streams: u32,
    ) -> Vec<Prepared> {
        let one = |number: u32| {
            let name = name_of(number);
            let recipe = recipe_of(settings, settings.seed.wrapping_add(u64::from(number)), settings.apart);
            // Spread over a second, so that frames of all streams do not come at once.
            let begin = begin + Duration::from_secs_f64((f64::from(number) * 0.618).fract());
            let clock = DueClock::Made { begin, pictures: recipe.fps };
            let probe = StreamProbe::new(number as usize, clock, self.book.clone());
            let drive = Drive { begin, reel: reel.clone(), cost: self.made.clone() };
            let opener = SyntheticOpener::new(&name, recipe, self.detectors.measure).with_drive(drive);
            let plan = opener.plan().clone();
            let dial = Arc::<TierDial>::default();
            let setup = StreamSetup {
                card: Arc::new(StreamCard { stream: name.clone(), title: None, ..(**card).clone() }),
                opener: Arc::new(opener),
                specs: Arc::new(self.detectors.specs.iter().cloned().chain(probe.specs()).collect()),
                // It keeps to its own schedule.
                pace: Pace::Unbound,
                lanes: LaneSizes { when_full: WhenFull::DropOldest, ..LaneSizes::default() },
                dial,
                priority: 5,
                mode: SessionMode::Thread,
            };
            Prepared { subject: Subject { name, probe, plan }, setup }
        };
        (0..streams).map(one).collect()
    }

    fn prepare_sent(
        &mut self,
        loaded: &Loaded,
        settings: &LoadSettings,
        encoded: &Encoded,
        begin: Instant,
        streams: u32,
    ) -> Result<Vec<Prepared>, RigError> {
        let boards = StreamBoards::new(&loaded.plan, encoded.folder())?;
        let (sender, offers) = Sender::prepare(encoded.rota.clone(), streams as usize, &encoded.ways, begin)?;
        let mut prepared = Vec::new();
        for (number, (url, zero)) in (0..streams).zip(offers.urls.iter().zip(offers.zeros)) {
            let name = name_of(number);
            let address = address::parse(url).map_err(|error| io::Error::other(format!("{url}: it {error}")))?;
            let plan = loaded.input(&name, address, &settings.profile)?;
            let rota = encoded.rota.clone();
            let plan = StreamPlan { tiers: settings.tier.range(), ..plan };
            // What is left out on purpose is due on nobody's schedule.
            let is_fetched = url.ends_with(".m3u8") || settings.tier != LoadTier::Full;
            let clock = if is_fetched { DueClock::Fetched { rota } } else { DueClock::Sent { zero, rota } };
            let probe = StreamProbe::new(number as usize, clock, self.book.clone());
            let mut setup = boards.setup(&plan)?;
            setup.specs = Arc::new(setup.specs.iter().cloned().chain(probe.specs()).collect());
            let subject = Subject { name, probe, plan: encoded.plan.clone() };
            prepared.push(Prepared { subject, setup });
        }
        let line = Arc::<Lifeline>::default();
        self.sender = Some((line.clone(), sender.start(line)?));
        self.sent = Some(offers.book);
        self._boards = Some(boards);
        Ok(prepared)
    }

    /// Streams that deliver.
    pub fn up(&self) -> u32 {
        self.board.streams().iter().filter(|stream| stream.up).count() as u32
    }

    /// Ends everything in order; what events came to.
    pub async fn stop(self) -> Collected {
        if self.monitor.send(StopAll).await.is_err() {
            tracing::error!("the monitor ended before it was told to");
        }
        self.watchdog.cut(CutReason::Stopped);
        if let Some((line, thread)) = self.sender {
            line.cut(CutReason::Stopped);
            // It looks at the cut every few milliseconds.
            drop(thread.join());
        }
        let (done, finished) = crossbeam_channel::bounded(1);
        // Blocks the control arbiter, on which nothing runs any more.
        if self.desk.events.send_timeout(DeskMessage::Stop(done), DESK_WITHIN).is_ok() {
            // The desk drops its end when all is done; when it does not, what it told so far counts.
            let _ = finished.recv_timeout(DESK_WITHIN);
        }
        // Ends the arbiters; in a moment, on threads of their own.
        System::current().stop();
        tokio::time::sleep(Duration::from_millis(50)).await;
        std::mem::take(&mut *self.collected.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn name_of(number: u32) -> Arc<str> {
    format!("load-{number:05}").into()
}
