//! What the API answers from, and its way to the store.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use actix_web::web::block;
use arc_swap::ArcSwap;
use avwatch_actors::event_desk::DeskHandle;
use avwatch_actors::status::Health;
use tokio::sync::{Semaphore, mpsc};

use super::problem::Problem;
use super::receivers::Tries;
use crate::access::Token;
use crate::catalogue::Catalogue;
use crate::config::Loaded;
use crate::desired::Desired;
use crate::live::LiveBoard;
use crate::node_snapshot::NodeSnapshot;
use crate::notify::Notifier;
use crate::service::ServiceCommand;
use crate::sinks::live_feed::LiveFeed;
use crate::sinks::store::{EventReader, StoreError};
use crate::stream_boards::Past;
use crate::telemetry::LevelControl;

/// Probes that may run at the same time.
pub(super) const PROBES_MAX: usize = 4;

/// Reports and replays of the past that may be made at the same time: each reads for seconds.
pub(super) const REPORTS_MAX: usize = 2;

/// Gives the newest snapshot at once, without waiting for anyone.
pub type SnapshotSource = Arc<dyn Fn() -> Arc<NodeSnapshot> + Send + Sync>;

/// What the API answers from.
#[derive(Clone)]
pub struct ApiState {
    /// The newest snapshot.
    pub snapshot: SnapshotSource,
    /// What the service is set to watch.
    pub catalogue: Arc<ArcSwap<Catalogue>>,
    /// What the health probes answer.
    pub health: Arc<Health>,
    /// The way to the event desk, and its board.
    pub desk: DeskHandle,
    /// Who listens right now.
    pub feed: Arc<LiveFeed>,
    /// What was asked for over the API.
    pub desired: Arc<Desired>,
    /// The configuration in force.
    pub loaded: Arc<ArcSwap<Loaded>>,
    /// The way to the service.
    pub commands: mpsc::Sender<ServiceCommand>,
    /// Who may do what.
    pub tokens: Arc<ArcSwap<Vec<Token>>>,
    /// What streams show now: small pictures and readings.
    pub live: Arc<LiveBoard>,
    /// What is kept of the past.
    pub past: Past,
    /// Who is notified.
    pub notifier: Arc<Notifier>,
    /// Where the event store is.
    pub data_dir: PathBuf,
    /// What is logged.
    pub levels: LevelControl,
}

/// The node as handlers see it. One for all of them.
pub(super) struct Node {
    pub snapshot: SnapshotSource,
    pub catalogue: Arc<ArcSwap<Catalogue>>,
    pub health: Arc<Health>,
    pub desk: DeskHandle,
    pub feed: Arc<LiveFeed>,
    pub desired: Arc<Desired>,
    pub loaded: Arc<ArcSwap<Loaded>>,
    pub commands: mpsc::Sender<ServiceCommand>,
    pub tokens: Arc<ArcSwap<Vec<Token>>>,
    /// Held by whoever changes what is desired, so that changes are taken over in their order.
    pub changing: tokio::sync::Mutex<()>,
    /// Held by whoever remarks on an event that has ended, until the store has the remark.
    pub remarking: tokio::sync::Mutex<()>,
    /// Whether other machines can reach the service.
    pub is_exposed: bool,
    /// How many probes run.
    pub probes: Arc<Semaphore>,
    /// How many reports are being made.
    pub reports: Arc<Semaphore>,
    /// Held by whoever reads when streams were seen: a day of thousands of them is a second of work.
    pub seen: Arc<Semaphore>,
    pub live: Arc<LiveBoard>,
    pub past: Past,
    pub notifier: Arc<Notifier>,
    /// Tries of receivers.
    pub tries: Tries,
    pub started: SystemTime,
    /// Cores that the process may use, as far as known. Asked once: the answer takes some 20 system calls, each of which
    /// is a place to lose the core where there are too few.
    pub cores: Option<usize>,
    pub levels: LevelControl,
    data_dir: PathBuf,
    /// Readers that nobody uses now: at most as many as threads that may block.
    readers: Mutex<Vec<EventReader>>,
}

impl Node {
    pub(super) fn new(state: ApiState, is_exposed: bool) -> Self {
        Self {
            snapshot: state.snapshot,
            catalogue: state.catalogue,
            health: state.health,
            desk: state.desk,
            feed: state.feed,
            desired: state.desired,
            loaded: state.loaded,
            commands: state.commands,
            tokens: state.tokens,
            changing: tokio::sync::Mutex::default(),
            remarking: tokio::sync::Mutex::default(),
            is_exposed,
            probes: Arc::new(Semaphore::new(PROBES_MAX)),
            reports: Arc::new(Semaphore::new(REPORTS_MAX)),
            seen: Arc::new(Semaphore::new(1)),
            live: state.live,
            past: state.past,
            notifier: state.notifier,
            tries: Tries::default(),
            started: SystemTime::now(),
            cores: std::thread::available_parallelism().map(Into::into).ok(),
            levels: state.levels,
            data_dir: state.data_dir,
            readers: Mutex::default(),
        }
    }

    pub(super) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Reads the store where blocking is allowed; bounded by the reader's own limits.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&mut EventReader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let node = self.clone();
        let answer = block(move || {
            let free = node.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut reader = free.unwrap_or_else(|| EventReader::new(node.data_dir()));
            let answer = query(&mut reader);
            node.readers.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            answer
        });
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                tracing::warn!(fault = %error, "the event store could not be read for the API");
                Err(Problem::unavailable("the event store cannot be read now"))
            }
            Err(_) => Err(Problem::unavailable("there is no thread to read the event store")),
        }
    }
}
