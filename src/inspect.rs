//! Inspecting one input once, from open to end, with the parts that the service runs.
//!
//! The lanes wait instead of dropping, nothing is paced unless asked for, and the findings are
//! complete once every detector actor has acknowledged the end: so the same file gives the same
//! findings whatever the machine's load.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix::prelude::*;
use avwatch_actors::arbiters::Arbiters;
use avwatch_actors::bell::Bell;
use avwatch_actors::cpu_accounts::CpuAccounts;
use avwatch_actors::detector::{DetectorSpec, LaneKind};
use avwatch_actors::detector_actor::{DetectorActor, HangBell};
use avwatch_actors::detector_group::{AtEnd, DetectorGroup};
use avwatch_actors::event::{ChangeKind, EventChange, EventKey, StreamCard};
use avwatch_actors::event_desk::{DeskMessage, EVENT_LANE_MAX};
use avwatch_actors::fan_out::{FanOut, Outlet};
use avwatch_actors::ingest::{self, SessionNews, SessionParts};
use avwatch_actors::item::{EndReason, Item};
use avwatch_actors::lane::{WhenFull, lane};
use avwatch_actors::latency::{LatencyBook, StageHistograms};
use avwatch_actors::lifeline::{CutReason, Lifeline};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::meters::{MeterBook, SessionMeters};
use avwatch_actors::paced::Pace;
use avwatch_actors::source::{FrameSource, Opener, SourceError, SourceLimits};
use avwatch_actors::track::SessionNumber;
use crossbeam_channel::{Receiver, bounded};

/// Items that may wait in a lane: enough to keep both threads busy, few enough to stay small.
const LANE_PLACES: usize = 64;

/// How often the collector looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How long a cut session's thread gets to return.
const GRACE: Duration = Duration::from_secs(3);

/// How long after its session's end an actor may take over what still waits in its lane.
const DRAIN_WITHIN: Duration = Duration::from_secs(60);

/// What to inspect, and how far.
pub struct Inspection {
    /// What changes are labelled with.
    pub card: Arc<StreamCard>,
    /// Opens the input.
    pub opener: Arc<dyn Opener>,
    /// The detectors.
    pub specs: Arc<Vec<Arc<DetectorSpec>>>,
    /// How fast to read.
    pub pace: Pace,
    /// How much media time to inspect.
    pub media_max: Option<Duration>,
    /// How long it may take.
    pub wall_max: Option<Duration>,
}

/// What was found.
pub struct Findings {
    /// Readings of the session.
    pub meters: SessionMeters,
    /// The last change of every event, in order of arrival.
    pub changes: Vec<EventChange>,
    /// Why the input could not be opened, or not be read to its end.
    pub error: Option<Arc<SourceError>>,
    /// How long frames took, stage by stage.
    pub latencies: StageHistograms,
}

/// Inspects an input on the running actix system. `stop` ends it early with what was seen until
/// then; `progress` is told the media time reached.
pub async fn inspect(
    work: Inspection,
    arbiters: &Arbiters,
    stop: &AtomicBool,
    progress: impl Fn(&SessionMeters),
) -> Findings {
    let (events, inbox) = bounded(EVENT_LANE_MAX);
    let (fan_out, meters) = (Arc::<FanOut>::default(), Arc::<MeterBook>::default());
    let latencies = Arc::<LatencyBook>::default();
    let accounts = Arc::<CpuAccounts>::default();
    let mut undrained = 0;
    for kind in [LaneKind::Picture, LaneKind::Sound, LaneKind::Input] {
        if !work.specs.iter().any(|spec| spec.lane == kind) {
            continue;
        }
        undrained += 1;
        let places = NonZeroUsize::new(LANE_PLACES).expect("the constant is above zero");
        let (sender, receiver) = lane(places, WhenFull::Wait);
        let seat = arbiters.choose();
        let (card, specs, accounts) = (work.card.clone(), work.specs.clone(), accounts.clone());
        let (pulse, events, latencies) = (seat.pulse.clone(), events.clone(), latencies.clone());
        let actor = DetectorActor::start_in_arbiter(&seat.arbiter, move |_| {
            let group = DetectorGroup::new(undrained, kind, card, &specs, accounts, pulse, AtEnd::Settle);
            DetectorActor::new(group, receiver, events, latencies)
        });
        let bell = Arc::new(Bell::new(actor.clone().recipient()));
        actor.do_send(HangBell(bell.clone()));
        fan_out.exchange(Outlet { kind, lane: sender, bell: Some(bell) });
    }
    drop(events);
    let line = Arc::<Lifeline>::default();
    let opener: Arc<dyn Opener> = match work.media_max {
        Some(limit) => Arc::new(LimitedOpener { opener: work.opener, limit: limit.into() }),
        None => work.opener,
    };
    let parts = SessionParts {
        opener: opener.clone(),
        fan_out: fan_out.clone(),
        latencies: latencies.clone(),
        meters: meters.clone(),
        pace: work.pace,
    };
    let (say, news) = bounded(4);
    let started = ingest::start(&work.card.stream, SessionNumber(1), parts, line.clone(), move |news| {
        // The inspection may have given the thread up; then nobody listens.
        let _ = say.try_send(news);
    });
    if let Err(error) = started {
        let fault = SourceError::Panicked { what: work.card.stream.to_string(), why: error.to_string() };
        return Findings {
            meters: SessionMeters::default(),
            changes: Vec::new(),
            error: Some(Arc::new(fault)),
            latencies: StageHistograms::default(),
        };
    }
    let mut watch = Watch::new(&opener.limits(), work.wall_max);
    let mut findings = Collector::default();
    let mut end: Option<(EndReason, Instant)> = None;
    loop {
        undrained -= findings.collect(&inbox);
        for news in news.try_iter() {
            match news {
                SessionNews::Opened(_) => watch.opened(),
                SessionNews::Ended(_, reason) => end = Some((reason, Instant::now())),
            }
        }
        progress(&meters.read());
        match &end {
            Some(_) if undrained == 0 => break,
            Some((_, since)) if since.elapsed() > DRAIN_WITHIN => break,
            Some(_) => {}
            None if watch.look(&line, &meters, stop) == Look::GivenUp => {
                let fault = SourceError::Abandoned { what: work.card.stream.to_string() };
                end = Some((EndReason::Failed(Arc::new(fault)), Instant::now()));
                break;
            }
            None => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let error = match end {
        Some((EndReason::Failed(error), _)) => Some(error),
        Some((EndReason::Finished | EndReason::Stopped, _)) | None => None,
    };
    Findings { meters: meters.read(), changes: findings.into_changes(), error, latencies: latencies.take() }
}

/// Keeps the last change of every event.
#[derive(Default)]
struct Collector {
    open: BTreeMap<EventKey, EventChange>,
    done: Vec<EventChange>,
}

impl Collector {
    /// Takes what is there; returns how many actors have acknowledged the end.
    fn collect(&mut self, inbox: &Receiver<DeskMessage>) -> u32 {
        let mut drained = 0;
        for message in inbox.try_iter() {
            match message {
                DeskMessage::Change(change) => self.note(*change),
                DeskMessage::Drained(_) => drained += 1,
                DeskMessage::Forget(..) | DeskMessage::Doubt(..) | DeskMessage::Stop(_) => {}
            }
        }
        drained
    }

    fn note(&mut self, change: EventChange) {
        match change.what {
            ChangeKind::Raised | ChangeKind::Escalated | ChangeKind::Ongoing => {
                self.open.insert(change.key.clone(), change);
            }
            ChangeKind::Ended(_) => {
                self.open.remove(&change.key);
                self.done.push(change);
            }
            ChangeKind::Found => self.done.push(change),
        }
    }

    fn into_changes(mut self) -> Vec<EventChange> {
        self.done.extend(self.open.into_values());
        self.done
    }
}

#[derive(PartialEq, Eq)]
enum Look {
    Fine,
    /// The thread did not return after its cut.
    GivenUp,
}

/// Cuts a session that takes too long, and gives it up when it does not heed the cut.
struct Watch {
    limits: SourceLimits,
    wall_max: Option<Duration>,
    begin: Instant,
    is_open: bool,
    progress: (u64, Instant),
    cut: Option<Instant>,
}

impl Watch {
    fn new(limits: &SourceLimits, wall_max: Option<Duration>) -> Self {
        let now = Instant::now();
        Self { limits: *limits, wall_max, begin: now, is_open: false, progress: (0, now), cut: None }
    }

    fn opened(&mut self) {
        self.is_open = true;
        self.progress.1 = Instant::now();
    }

    fn look(&mut self, line: &Lifeline, meters: &MeterBook, stop: &AtomicBool) -> Look {
        let now = Instant::now();
        // A full lane beats too: what is slow here is the machine, not the source.
        let progress = line.progress_count().wrapping_add(meters.frames()).wrapping_add(line.beats());
        if progress != self.progress.0 {
            self.progress = (progress, now);
        }
        if let Some(cut) = self.cut {
            return if now - cut > GRACE { Look::GivenUp } else { Look::Fine };
        }
        let is_late = self.wall_max.is_some_and(|limit| now - self.begin > limit);
        let reason = if stop.load(Ordering::Relaxed) || (is_late && self.is_open) {
            CutReason::Stopped
        } else if !self.is_open && now - self.begin > self.limits.open + GRACE {
            CutReason::OpenLimit
        } else if self.is_open && now - self.progress.1 > self.limits.stall + GRACE {
            CutReason::Stalled
        } else {
            return Look::Fine;
        };
        line.cut(reason);
        self.cut = Some(now);
        Look::Fine
    }
}

/// Ends a source cleanly after so much media time: by the stream's own clock, so that it ends at
/// the same frame every time.
struct LimitedOpener {
    opener: Arc<dyn Opener>,
    limit: MediaTime,
}

impl Opener for LimitedOpener {
    fn open(&self, session: SessionNumber, line: &Arc<Lifeline>) -> Result<Box<dyn FrameSource>, SourceError> {
        Ok(Box::new(Limited { source: self.opener.open(session, line)?, limit: self.limit }))
    }

    fn limits(&self) -> SourceLimits {
        self.opener.limits()
    }

    fn host(&self) -> Option<&str> {
        self.opener.host()
    }
}

struct Limited {
    source: Box<dyn FrameSource>,
    limit: MediaTime,
}

impl FrameSource for Limited {
    fn next(&mut self) -> Result<Option<Item>, SourceError> {
        loop {
            let Some(item) = self.source.next()? else { return Ok(None) };
            match &item {
                // The clock runs behind the newest frame of every track that still delivers.
                Item::Clock(at) if *at >= self.limit => return Ok(None),
                Item::Video(frame) if frame.stamp.media_time >= self.limit => {}
                Item::Audio(frame) if frame.stamp.media_time >= self.limit => {}
                _ => return Ok(Some(item)),
            }
        }
    }
}
