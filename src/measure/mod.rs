//! Measure once: fused passes over planes and samples that turn pictures and sound into facts.

mod plan;
#[allow(missing_docs)]
mod stand_in;

pub use plan::MeasurePlan;
pub use stand_in::{PictureMeasurer, PictureMeasures, SoundMeasurer, SoundMeasures};
