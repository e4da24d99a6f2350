//! Inspecting one input once, from open to end, with the parts that the service runs.
//!
//! The lanes wait instead of dropping, nothing is paced unless asked for, and the findings are
//! complete once every detector actor has acknowledged the end: so the same file gives the same
//! findings whatever the machine's load. Runs on the control arbiter, which it never blocks.

mod groups;
mod limited;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use avwatch_actors::arbiters::{Arbiters, STILL_MAX};
use avwatch_actors::detector::DetectorSpec;
use avwatch_actors::event::{EventChange, StreamCard};
use avwatch_actors::fan_out::FanOut;
use avwatch_actors::ingest::{self, SessionNews, SessionParts};
use avwatch_actors::item::EndReason;
use avwatch_actors::latency::{LatencyBook, StageHistograms};
use avwatch_actors::lifeline::{CutReason, Lifeline};
use avwatch_actors::meters::{MeterBook, SessionMeters};
use avwatch_actors::paced::Pace;
use avwatch_actors::source::{Opener, SourceError};
use avwatch_actors::track::SessionNumber;
use crossbeam_channel::{Receiver, bounded};

use crate::record::Recorder;
use groups::{Groups, Hang, Parts};
use limited::LimitedOpener;
use watch::{Look, Watch};

/// How often the inspection looks at what runs for it.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How long after its session's end an actor may take over what still waits in its lane.
const DRAIN_WITHIN: Duration = Duration::from_secs(60);

/// Items of a file that may wait before their detector actor is woken: a quarter of a lane.
const PATIENCE: usize = 16;

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
    /// Records what is inspected, when a report draws it.
    pub recorder: Option<Recorder>,
}

/// What was found.
pub struct Findings {
    /// Readings of the session.
    pub meters: SessionMeters,
    /// The last change of every event, in order of arrival.
    pub changes: Vec<EventChange>,
    /// Why the input could not be opened, or not be inspected to its end.
    pub error: Option<InspectError>,
    /// How long frames took, stage by stage.
    pub latencies: StageHistograms,
}

/// Why an input was not inspected to its end.
#[derive(Clone, Debug, thiserror::Error)]
pub enum InspectError {
    /// The input itself.
    #[error(transparent)]
    Source(#[from] Arc<SourceError>),
    /// A detector did not return: what it and those beside it would have found is not known.
    #[error(
        "cannot inspect {what}: the detector '{detector}' did not return within {} s; check without it: --set detectors.{detector}.enabled=false",
        STILL_MAX.as_secs()
    )]
    Hangs {
        /// The input.
        what: Arc<str>,
        /// The detector.
        detector: &'static str,
    },
    /// The detectors did not come to an end, and none of them is known to hang.
    #[error("cannot inspect {what}: its detectors did not come to an end")]
    Unfinished {
        /// The input.
        what: Arc<str>,
    },
}

/// Inspects an input on the running actix system. `stop` ends it early with what was seen until
/// then; `progress` is told the media time reached.
pub async fn inspect(
    work: Inspection,
    arbiters: &Arbiters,
    stop: &AtomicBool,
    progress: impl Fn(&SessionMeters),
) -> Findings {
    let (fan_out, meters) = (Arc::<FanOut>::default(), Arc::<MeterBook>::default());
    let latencies = Arc::<LatencyBook>::default();
    let (card, specs) = (work.card.clone(), work.specs.clone());
    let patience = if work.pace == Pace::Unbound { PATIENCE } else { 1 };
    let parts = Parts { card, specs, fan_out: fan_out.clone(), latencies: latencies.clone(), patience };
    let mut groups = Groups::start(&parts, arbiters);
    let opener: Arc<dyn Opener> = match work.media_max {
        Some(limit) => Arc::new(LimitedOpener { opener: work.opener, limit: limit.into() }),
        None => work.opener,
    };
    // Outside of the limit: what is past it is not recorded either.
    let opener = match &work.recorder {
        Some(recorder) => recorder.wrap(opener),
        None => opener,
    };
    let limits = opener.limits();
    let session =
        SessionParts { opener, fan_out, latencies: latencies.clone(), meters: meters.clone(), pace: work.pace };
    let mut run = match Run::start(&work.card.stream, session, Watch::new(&limits, work.wall_max)) {
        Ok(run) => run,
        Err(why) => {
            groups.finish();
            let fault = SourceError::Panicked { what: work.card.stream.to_string(), why: why.to_string() };
            let (meters, latencies) = (SessionMeters::default(), StageHistograms::default());
            return Findings { meters, changes: Vec::new(), error: Some(Arc::new(fault).into()), latencies };
        }
    };
    loop {
        groups.collect();
        if let Some(hang) = groups.find_hanging(arbiters) {
            run.give_up_detectors(&hang);
        }
        progress(&meters.read());
        if run.is_over(&groups, &meters, stop) {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Findings { meters: meters.read(), changes: groups.finish(), error: run.error(), latencies: latencies.take() }
}

/// The session under inspection.
struct Run {
    what: Arc<str>,
    line: Arc<Lifeline>,
    news: Receiver<SessionNews>,
    watch: Watch,
    /// How the session ended, and when that was seen.
    end: Option<(EndReason, Instant)>,
    /// What is wrong with the inspection, beside the input.
    fault: Option<InspectError>,
}

impl Run {
    fn start(what: &Arc<str>, parts: SessionParts, watch: Watch) -> std::io::Result<Self> {
        let line = Arc::<Lifeline>::default();
        let (say, news) = bounded(4);
        ingest::start(what, SessionNumber(1), parts, line.clone(), move |news| {
            // The inspection may have given the thread up; then nobody listens.
            let _ = say.try_send(news);
        })?;
        Ok(Self { what: what.clone(), line, news, watch, end: None, fault: None })
    }

    /// Looks at the session; true when there is nothing more to wait for.
    fn is_over(&mut self, groups: &Groups, meters: &MeterBook, stop: &AtomicBool) -> bool {
        for news in self.news.try_iter() {
            match news {
                SessionNews::Opened(_) => self.watch.opened(),
                SessionNews::Ended(_, reason) => self.end = Some((reason, Instant::now())),
            }
        }
        match &self.end {
            Some(_) if groups.are_done() => true,
            Some((_, since)) if since.elapsed() > DRAIN_WITHIN => {
                self.fault.get_or_insert(InspectError::Unfinished { what: self.what.clone() });
                true
            }
            Some(_) => false,
            None if self.watch.look(&self.line, meters, stop) == Look::GivenUp => {
                let fault = SourceError::Abandoned { what: self.what.to_string() };
                self.end = Some((EndReason::Failed(Arc::new(fault)), Instant::now()));
                true
            }
            None => false,
        }
    }

    /// A detector does not return, so its lane would fill and the session wait for ever: ends it.
    fn give_up_detectors(&mut self, hang: &Hang) {
        let what = self.what.clone();
        self.fault.get_or_insert(match *hang {
            Hang::Detector(detector) => InspectError::Hangs { what, detector },
            Hang::Arbiter => InspectError::Unfinished { what },
        });
        self.line.cut(CutReason::Stopped);
    }

    fn error(self) -> Option<InspectError> {
        match (self.fault, self.end) {
            (Some(fault), _) => Some(fault),
            (None, Some((EndReason::Failed(error), _))) => Some(error.into()),
            (None, Some((EndReason::Finished | EndReason::Stopped, _)) | None) => None,
        }
    }
}
