//! The material of a run: what all its trials show, made once.
//!
//! Synthetic: a reel of pictures that all streams share. Encoded: a clip with planted defects and, where those are to lie far apart,
//! its twin without any, written into a temporary folder that goes with the run, and read into memory.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::clip::{Clip, ClipFault};
use super::rota::Rota;
use super::schedule::{self, Rounds};
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

/// What an encoded run sends.
pub struct Encoded {
    /// Round by round.
    pub rota: Arc<Rota>,
    /// The ground truth, over all rounds.
    pub plan: Arc<DefectPlan>,
    /// How streams travel, by turns.
    pub ways: Vec<Carriage>,
    /// What is sent most of the time: the clip without defects, where there is one.
    pub file: PathBuf,
    folder: TempFolder,
}

impl Encoded {
    /// A folder for data, for the time of the run.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// What all trials show.
pub enum Material {
    /// Frames made in process.
    Made(Arc<Reel>),
    /// Clips that are sent.
    Sent(Box<Encoded>),
}

impl Material {
    /// Makes it; takes about as long as the clips last for those that are sent.
    ///
    /// # Errors
    /// See [`MaterialError`].
    pub fn make(settings: &LoadSettings) -> Result<Self, MaterialError> {
        match settings.source {
            SourceKind::Synthetic => {
                Ok(Self::Made(Arc::new(Reel::new(&recipe_of(settings, settings.seed, settings.apart)))))
            }
            SourceKind::Encoded => Ok(Self::Sent(Box::new(encode(settings)?))),
        }
    }
}

fn encode(settings: &LoadSettings) -> Result<Encoded, MaterialError> {
    let folder = TempFolder::new()?;
    let Rounds { every, apart } = schedule::rounds(settings.apart, settings.clip);
    let recipe = recipe_of(settings, settings.seed, apart);
    let length = synthetic::clip_length(settings.rate, recipe.cycle.unwrap_or_default().max(settings.clip));
    // Once per round, wherever the round ends.
    let recipe = Recipe { cycle: None, duration: Some(length), ..recipe };
    let clip = |name: &str, recipe: &Recipe| -> Result<(Clip, PathBuf), MaterialError> {
        let file = folder.path().join(name);
        synthetic::encode(recipe, &file)?;
        Ok((Clip::read(std::fs::read(&file)?, length)?, file))
    };
    let (faulty, file) = clip("clip.ts", &recipe)?;
    let (clean, file) = match every {
        1 => (None, file),
        _ => clip("clean.ts", &Recipe { defects: Vec::new(), ..recipe.clone() })
            .map(|(clip, file)| (Some(clip), file))?,
    };
    let rota = Arc::new(Rota::new(faulty, clean, every)?);
    let plan = Arc::new(DefectPlan::new(&Recipe { cycle: Some(length * every), duration: None, ..recipe }));
    Ok(Encoded { rota, plan, ways: settings.ways.clone(), file, folder })
}

/// The recipe of a stream of that seed, defects of a track on average that far apart.
pub fn recipe_of(settings: &LoadSettings, seed: u64, apart: Duration) -> Recipe {
    let schedule = schedule::draw(seed, settings.channels > 0, apart);
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
