//! The material of a run: what all its trials show, made once.
//!
//! Synthetic: a reel of pictures that all streams share. Encoded: one clip with planted defects, written into a temporary folder
//! that goes with the run, and read into memory.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::clip::{Clip, ClipFault};
use super::schedule;
use super::sender::Carriage;
use super::settings::{LoadSettings, SourceKind};
use super::temp_folder::TempFolder;
use crate::synthetic::{self, ClipError, DefectPlan, FrameRate, Recipe, Reel};

/// Why there is no material.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// The clip could not be encoded.
    #[error(transparent)]
    Encode(#[from] ClipError),
    /// What was encoded cannot be sent.
    #[error(transparent)]
    Clip(#[from] ClipFault),
    /// The temporary folder cannot be used.
    #[error("cannot use a temporary folder: {0}")]
    Folder(#[from] io::Error),
}

/// The clip of an encoded run.
pub struct Encoded {
    /// As it is sent.
    pub clip: Arc<Clip>,
    /// Its ground truth, round after round.
    pub plan: Arc<DefectPlan>,
    /// How streams travel, by turns.
    pub ways: Vec<Carriage>,
    folder: TempFolder,
}

impl Encoded {
    /// The file.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("clip.ts")
    }

    /// A folder for data, for the time of the run.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// What all trials show.
pub enum Material {
    /// Frames made in process.
    Made(Arc<Reel>),
    /// A clip that is sent.
    Sent(Box<Encoded>),
}

impl Material {
    /// Makes it; takes about as long as the clip lasts for one that is sent.
    ///
    /// # Errors
    /// See [`MaterialError`].
    pub fn make(settings: &LoadSettings) -> Result<Self, MaterialError> {
        let recipe = recipe_of(settings, settings.seed);
        match settings.source {
            SourceKind::Synthetic => Ok(Self::Made(Arc::new(Reel::new(&recipe)))),
            SourceKind::Encoded => {
                let folder = TempFolder::new()?;
                let cycle = recipe.cycle.unwrap_or_default();
                let length = synthetic::clip_length(settings.rate, cycle.max(settings.clip));
                // Once per round, wherever the round ends.
                let recipe = Recipe { cycle: None, duration: Some(length), ..recipe };
                let file = folder.path().join("clip.ts");
                synthetic::encode(&recipe, &file)?;
                let clip = Arc::new(Clip::read(std::fs::read(&file)?, length)?);
                let plan = Arc::new(DefectPlan::new(&Recipe { cycle: Some(length), duration: None, ..recipe }));
                Ok(Self::Sent(Box::new(Encoded { clip, plan, ways: settings.ways.clone(), folder })))
            }
        }
    }
}

/// The recipe of a stream of that seed.
pub fn recipe_of(settings: &LoadSettings, seed: u64) -> Recipe {
    let schedule = schedule::draw(seed, settings.channels > 0, settings.apart);
    Recipe {
        width: settings.size.0,
        height: settings.size.1,
        fps: FrameRate { numerator: i32::try_from(settings.rate).unwrap_or(i32::MAX), denominator: 1 },
        seed,
        channels: settings.channels,
        defects: schedule.defects,
        cycle: Some(schedule.cycle.max(Duration::from_secs(1))),
        ..Recipe::default()
    }
}
