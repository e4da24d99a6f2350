//! Live thumbnails: small pictures of what streams show, coded on one thread for all of them.
//!
//! Session threads make pictures small, which takes a quarter of a millisecond and lets go of the decoder's
//! memory; coding takes longer and an encoder takes memory, so one thread does it for all. Its
//! queue is bounded; a picture that finds no room is dropped and counted, the next one comes soon.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::worker;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::board::LiveStream;
use crate::media::small_picture::SmallPicture;
use crate::media::thumbnail::Thumbnailer;

/// Pictures that may wait to be coded: 86 KB each.
const WAITING_MAX: usize = 64;

/// Age from which a picture no longer shows what is on.
pub const STALE_AFTER: Duration = Duration::from_secs(5);

/// A small picture of what a stream showed.
#[derive(Clone, Debug)]
pub struct LiveThumbnail {
    /// When it passed.
    pub taken: SystemTime,
    /// The same on the clock that never jumps: for its age.
    pub at: Instant,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// A JPEG file.
    pub jpeg: Arc<[u8]>,
}

impl LiveThumbnail {
    /// How long ago it passed.
    pub fn age(&self) -> Duration {
        self.at.elapsed()
    }

    /// Whether it is too old to show what is on.
    pub fn is_stale(&self) -> bool {
        self.age() > STALE_AFTER
    }
}

/// A picture that waits to be coded.
pub(super) struct Taken {
    pub(super) live: Arc<LiveStream>,
    pub(super) taken: SystemTime,
    pub(super) at: Instant,
    pub(super) picture: SmallPicture,
}

/// A session's way to the thread.
#[derive(Clone)]
pub(super) struct ThumbnailSender {
    queue: Sender<Taken>,
    lost: Arc<AtomicU64>,
}

impl ThumbnailSender {
    pub(super) fn send(&self, taken: Taken) {
        match self.queue.try_send(taken) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                // Relaxed: a count of its own.
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// The thread `thumbnails`; it ends when the last sender is gone.
pub(super) struct Thumbnails {
    sender: ThumbnailSender,
}

impl Thumbnails {
    pub(super) fn start() -> std::io::Result<Self> {
        let (queue, inbox) = bounded(WAITING_MAX);
        let work = move |_: &Arc<Lifeline>| code_all(&inbox);
        drop(worker::spawn_lasting("thumbnails", Arc::default(), work, |end| {
            if let worker::WorkEnd::Panicked(why) = end {
                tracing::error!(fault = "panic", "live pictures are no longer made: {why}");
            }
        })?);
        Ok(Self { sender: ThumbnailSender { queue, lost: Arc::default() } })
    }

    pub(super) fn sender(&self) -> ThumbnailSender {
        self.sender.clone()
    }

    pub(super) fn lost(&self) -> u64 {
        self.sender.lost.load(Ordering::Relaxed)
    }
}

fn code_all(inbox: &Receiver<Taken>) {
    worker::step_back();
    let mut thumbnailer = Thumbnailer::default();
    for Taken { live, taken, at, picture } in inbox {
        if let Some(thumbnail) = thumbnailer.encode(&picture) {
            let (width, height) = (thumbnail.width, thumbnail.height);
            live.show(LiveThumbnail { taken, at, width, height, jpeg: thumbnail.jpeg.into() });
        }
    }
}
