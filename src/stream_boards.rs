//! What is kept of every stream beside its status: what it shows, its past, and evidence.
//!
//! Built with the service. It ties the live board, the journal and the rings of packets to the streams, so that a stream
//! which is added, changed or removed is so in all of them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use avwatch_actors::event::Event;
use avwatch_actors::event_desk::EvidenceOf;
use avwatch_actors::lane::WhenFull;
use avwatch_actors::memory_budget::MemoryPressure;
use avwatch_actors::setup::{LaneSizes, SessionMode, StreamSetup};
use avwatch_actors::sink::Sink;
use avwatch_actors::tier::TierDial;
use avwatch_actors::verdict_notes::VerdictNotes;

use crate::config::{Plan, StreamPlan};
use crate::evidence::{self, EvidenceCounts, EvidenceParts, Rings, Shelf};
use crate::journal::{Journal, JournalCounts, JournalKeep, JournalReader};
use crate::live::{LiveBoard, Pixels};
use crate::memory::granted;
use crate::node_snapshot::NodeSnapshot;
use crate::stream_commons::StreamCommons;
use crate::stream_parts::{self, PartsError};

/// The boards.
pub struct StreamBoards {
    /// What streams show now.
    pub live: Arc<LiveBoard>,
    /// Their last packets; absent when no evidence is kept.
    rings: Option<Arc<Rings>>,
    evidence: OnceLock<Arc<EvidenceCounts>>,
    journal: OnceLock<Arc<JournalCounts>>,
    /// What they have in common, for incidents.
    pub commons: StreamCommons,
    /// The folder for data.
    folder: PathBuf,
}

/// How the API reads what is kept: on threads that may block.
#[derive(Clone, Debug)]
pub struct Past {
    /// The journal.
    pub journal: Arc<JournalReader>,
    /// The evidence.
    pub shelf: Shelf,
}

impl StreamBoards {
    /// Boards without streams.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn new(plan: &Plan, folder: &Path) -> io::Result<Self> {
        let budget = || granted::for_packets(plan.evidence.memory);
        let rings = plan.evidence.from.map(|_| Arc::new(Rings::new(plan.evidence.ring, budget())));
        let (evidence, journal, commons) = (OnceLock::new(), OnceLock::new(), StreamCommons::new(plan));
        Ok(Self { live: Arc::new(LiveBoard::start()?), rings, evidence, journal, commons, folder: folder.to_owned() })
    }

    /// A stream as the engine runs it, shown on the boards.
    ///
    /// # Errors
    /// The stream cannot be put together.
    pub fn setup(&self, plan: &StreamPlan) -> Result<StreamSetup, PartsError> {
        let detectors = stream_parts::resolve_detectors(plan, &[])?;
        let pixels = if detectors.measure.keep_pictures { Pixels::ForDetectors } else { Pixels::ForLive };
        let ring = self.rings.as_ref().map(|rings| rings.ring_of(&plan.name, plan.priority));
        let dial = Arc::new(TierDial::new(plan.tiers));
        let opener = stream_parts::opener_with(plan, detectors.measure.with_readings(), ring, dial.clone())?;
        Ok(StreamSetup {
            card: stream_parts::card(plan),
            opener: self.live.watch(&plan.name, opener, pixels),
            specs: detectors.specs,
            pace: stream_parts::live_pace(&plan.input.address),
            lanes: LaneSizes { when_full: WhenFull::DropOldest, ..LaneSizes::default() },
            mode: SessionMode::Thread,
            dial,
            priority: plan.priority,
        })
    }

    /// Takes a stream off the boards; its past stays.
    pub fn remove(&self, stream: &str) {
        self.live.remove(stream);
        if let Some(rings) = &self.rings {
            rings.remove(stream);
        }
    }

    /// Starts the thread of evidence: its sink, and what events say of it. Nothing when none is kept.
    ///
    /// # Errors
    /// The system refuses the thread.
    pub fn start_evidence(&self, plan: &Plan) -> io::Result<Option<(Box<dyn Sink>, EvidenceOf)>> {
        let (Some(from), Some(rings)) = (plan.evidence.from, &self.rings) else { return Ok(None) };
        let shelf = Shelf::new(&self.folder, plan.evidence.bytes_max);
        let parts = EvidenceParts { rings: rings.clone(), live: self.live.clone(), shelf, from };
        let (sink, counts) = evidence::start(parts)?;
        self.evidence.get_or_init(|| counts);
        let rings = rings.clone();
        let evidence_of = move |event: &Event| {
            let is_kept = event.max_severity >= from && rings.get(&event.stream).is_some();
            is_kept.then(|| evidence::path_of(&event.id))
        };
        Ok(Some((Box::new(sink), Box::new(evidence_of))))
    }

    /// Starts the journal. Without one the past has a hole, but everything is watched.
    pub fn start_journal(
        &self,
        plan: &Plan,
        verdicts: Arc<VerdictNotes>,
        snapshot: impl Fn() -> Arc<NodeSnapshot> + Send + 'static,
    ) -> Option<Journal> {
        let journal = Journal::start(&self.folder, plan.journal, self.live.clone(), verdicts, snapshot)
            .inspect_err(|error| tracing::error!(fault = "journal", "the past of streams is not kept: {error}"))
            .ok()?;
        self.journal.get_or_init(|| journal.counts().clone());
        Some(journal)
    }

    /// Keeps fewer packets while memory is short.
    pub fn press(&self, pressure: MemoryPressure) {
        if let Some(rings) = &self.rings {
            rings.press(pressure);
        }
    }

    /// What was lost of it all since start, by what it was.
    pub fn lost(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("journal_seconds", self.journal.get().map_or(0, |counts| counts.lost())),
            ("evidence", self.evidence.get().map_or(0, |counts| counts.lost())),
            ("thumbnails", self.live.thumbnails_lost()),
        ]
    }

    /// How the API reads what is kept.
    pub fn past(&self, plan: &Plan) -> Past {
        Past::of(&self.folder, plan.journal, plan.evidence.bytes_max)
    }
}

impl Past {
    /// What is kept in a data folder.
    pub fn of(folder: &Path, journal: JournalKeep, evidence_bytes_max: u64) -> Self {
        let journal = Arc::new(JournalReader::new(folder, journal));
        Self { journal, shelf: Shelf::new(folder, evidence_bytes_max) }
    }
}
