//! Synthetic: pictures and sound made in this process, with planted defects and their ground truth.
//!
//! What `synthetic:?size=1280x720&fps=25&defects=black@10+2,silence@20+3&seed=7` opens: the demo, the
//! load test and every test that needs to know exactly what is wrong when. The same recipe always
//! gives the same pictures and samples. Runs on the session's thread; it opens nothing, spawns
//! nothing and never paces itself: the engine's pacing decorator does that.

mod clip;
mod contents;
mod defect;
mod drive;
mod encoded;
mod picture;
mod plan;
mod recipe;
mod sound;
mod source;
mod still;
mod texture;
mod tracks;

pub use clip::{ClipError, SECONDS_PER_KEY, clip_length, encode};
pub use defect::DefectKind;
pub use drive::{Drive, MakeCost, Reel};
pub use plan::{DefectPlan, PlannedDefect, TRUTH_MAX};
pub use recipe::{CodecChoice, DEFECTS_MAX, Defect, FrameRate, Recipe, RecipeError};
pub use source::{SyntheticOpener, SyntheticSource};
