//! The live board: the newest readings and pictures of every stream.
//!
//! Written by session threads and by the thread that codes pictures, read on any thread. Every lock is
//! held for a copy of pointers; nobody waits for a stream. It holds one entry per configured stream.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use avwatch_actors::source::Opener;

use super::reading::StreamReading;
use super::tap::{Pixels, TappedOpener};
use super::thumbnails::{LiveThumbnail, Thumbnails};

/// Readings of a stream that are kept; when the journal does not fetch them the oldest go, counted.
pub const READINGS_MAX: usize = 64;

/// How old a reading may be to be the newest one: a second, until it is complete, and a burst.
const NEWEST_WITHIN: Duration = Duration::from_secs(15);

/// How long one question for a picture counts as looking.
const LOOKED_AT_WITHIN: Duration = Duration::from_secs(15);

/// The board.
pub struct LiveBoard {
    streams: Mutex<BTreeMap<Arc<str>, Arc<LiveStream>>>,
    thumbnails: Thumbnails,
}

impl LiveBoard {
    /// An empty board; starts the thread that codes pictures.
    ///
    /// # Errors
    /// The system refuses the thread.
    pub fn start() -> std::io::Result<Self> {
        Ok(Self { streams: Mutex::default(), thumbnails: Thumbnails::start()? })
    }

    /// An opener that opens the same, and shows what passes on this board. A stream of that name goes on where
    /// an earlier one was.
    pub fn watch(&self, stream: &str, opener: Arc<dyn Opener>, pixels: Pixels) -> Arc<dyn Opener> {
        let live = self.lock().entry(stream.into()).or_default().clone();
        Arc::new(TappedOpener { opener, pixels, live, thumbnails: self.thumbnails.sender() })
    }

    /// Takes a stream off the board.
    pub fn remove(&self, stream: &str) {
        self.lock().remove(stream);
    }

    /// What a stream shows.
    pub fn stream(&self, name: &str) -> Option<Arc<LiveStream>> {
        self.lock().get(name).cloned()
    }

    /// Every stream, by name.
    pub fn streams(&self) -> Vec<(Arc<str>, Arc<LiveStream>)> {
        self.lock().iter().map(|(name, live)| (name.clone(), live.clone())).collect()
    }

    /// Pictures that found no room in the queue before the thread that codes them.
    pub fn thumbnails_lost(&self) -> u64 {
        self.thumbnails.lost()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<LiveStream>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one stream shows.
#[derive(Debug, Default)]
pub struct LiveStream {
    thumbnail: ArcSwapOption<LiveThumbnail>,
    /// When somebody last asked for it.
    asked: ArcSwapOption<Instant>,
    newest: ArcSwapOption<(Instant, Arc<StreamReading>)>,
    recent: Mutex<Recent>,
    lost: AtomicU64,
}

/// The last readings.
#[derive(Debug, Default)]
struct Recent {
    readings: VecDeque<Arc<StreamReading>>,
    /// How many of them, the newest, the journal has not fetched.
    unfetched: usize,
}

impl LiveStream {
    /// The newest small picture, however old: it says when it was taken. While somebody asks, a new one is made
    /// every two seconds, else every five.
    pub fn thumbnail(&self) -> Option<Arc<LiveThumbnail>> {
        self.asked.store(Some(Arc::new(Instant::now())));
        self.thumbnail.load_full()
    }

    /// The same for who keeps pictures instead of looking at them.
    pub fn newest_thumbnail(&self) -> Option<Arc<LiveThumbnail>> {
        self.thumbnail.load_full()
    }

    /// Whether somebody looks at the pictures.
    pub(super) fn is_looked_at(&self) -> bool {
        self.asked.load().as_ref().is_some_and(|asked| asked.elapsed() <= LOOKED_AT_WITHIN)
    }

    /// The newest reading; nothing when the stream has told none for a while.
    pub fn reading(&self) -> Option<Arc<StreamReading>> {
        let newest = self.newest.load();
        let (at, reading) = &**newest.as_ref()?;
        (at.elapsed() <= NEWEST_WITHIN).then(|| reading.clone())
    }

    /// Takes the readings since the last call, in order: for the journal alone, which keeps them.
    pub fn take_readings(&self) -> Vec<Arc<StreamReading>> {
        let mut recent = self.recent();
        let fetched = recent.readings.len() - recent.unfetched;
        recent.unfetched = 0;
        recent.readings.range(fetched..).cloned().collect()
    }

    /// The readings of the last minute, in order.
    pub fn recent_readings(&self) -> Vec<Arc<StreamReading>> {
        self.recent().readings.iter().cloned().collect()
    }

    /// Readings that nobody took in time.
    pub fn readings_lost(&self) -> u64 {
        // Relaxed: a count of its own.
        self.lost.load(Ordering::Relaxed)
    }

    pub(super) fn show(&self, thumbnail: LiveThumbnail) {
        self.thumbnail.store(Some(Arc::new(thumbnail)));
    }

    pub(super) fn tell(&self, reading: StreamReading) {
        let reading = Arc::new(reading);
        self.newest.store(Some(Arc::new((Instant::now(), reading.clone()))));
        let mut recent = self.recent();
        recent.readings.push_back(reading);
        recent.unfetched += 1;
        if recent.readings.len() > READINGS_MAX {
            recent.readings.pop_front();
        }
        if recent.unfetched > READINGS_MAX {
            recent.unfetched = READINGS_MAX;
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Held for a push or for a copy, by the session's thread, the journal's and the one of evidence.
    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
