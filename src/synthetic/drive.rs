//! The drive: what a load test tells its synthetic sources beside their recipes.
//!
//! A driven source keeps to a schedule: each frame is due at a moment that is known beforehand, is begun no sooner, and
//! counts as arrived at that moment however late its thread got round to it. So a latency holds all the time for which
//! the machine kept a frame waiting. Pictures come from a reel that all streams of a size share, and what making them
//! costs is counted apart. Shared by all streams of a trial; immutable but for the counter.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use avwatch_actors::media_time::MediaTime;

use super::defect::DefectKind;
use super::picture::{PictureMaker, YuvPicture};
use super::recipe::Recipe;
use super::still::Stills;
use crate::measure::cost::thread_cpu;

/// Pictures of a reel, and most bytes of them; never fewer than 8 pictures.
const PICTURES: usize = 64;
const BYTES_MAX: usize = 128 << 20;
/// Distance of two streams in the reel: prime, so that neighbours do not show the same.
const STRIDE: u64 = 7_919;

/// Programme pictures and stills that many streams show.
pub struct Reel {
    pictures: Vec<Arc<YuvPicture>>,
    stills: Vec<(DefectKind, Arc<YuvPicture>)>,
}

impl Reel {
    /// The pictures of a recipe's programme, painted once.
    pub fn new(recipe: &Recipe) -> Self {
        let bytes = recipe.width as usize * recipe.height as usize * 3 / 2;
        let count = (BYTES_MAX / bytes).clamp(8, PICTURES) as u64;
        let mut maker = PictureMaker::new(recipe);
        let stills =
            DefectKind::ALL.into_iter().filter_map(|kind| Some((kind, Stills::default().of(kind, recipe)?))).collect();
        Self { pictures: (0..count).map(|number| maker.make(number)).collect(), stills }
    }

    pub(super) fn picture(&self, number: u64, seed: u64) -> Arc<YuvPicture> {
        let place = number.wrapping_add(seed.wrapping_mul(STRIDE)) % self.pictures.len() as u64;
        self.pictures[place as usize].clone()
    }

    pub(super) fn still(&self, kind: DefectKind) -> Option<Arc<YuvPicture>> {
        self.stills.iter().find(|(held, _)| *held == kind).map(|(_, picture)| picture.clone())
    }
}

/// CPU time that making frames took.
#[derive(Debug, Default)]
pub struct MakeCost(AtomicU64);

impl MakeCost {
    /// Everything so far.
    pub fn total(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// The schedule of one stream, and what it shares with the others.
#[derive(Clone)]
pub struct Drive {
    /// When media time zero is due.
    pub begin: Instant,
    /// Where pictures come from.
    pub reel: Arc<Reel>,
    /// Where the cost of making frames is counted.
    pub cost: Arc<MakeCost>,
}

impl Drive {
    /// When what is at that media time is due.
    pub fn due(&self, at: MediaTime) -> Instant {
        self.begin + at.to_duration()
    }

    /// Counts CPU time of this thread until it is dropped.
    pub(super) fn timer(&self) -> MakeTimer {
        MakeTimer { cost: self.cost.clone(), begin: thread_cpu() }
    }
}

/// A running count.
pub(super) struct MakeTimer {
    cost: Arc<MakeCost>,
    begin: Duration,
}

impl Drop for MakeTimer {
    fn drop(&mut self) {
        // Relaxed: a count of its own.
        self.cost.0.fetch_add(thread_cpu().saturating_sub(self.begin).as_nanos() as u64, Ordering::Relaxed);
    }
}
