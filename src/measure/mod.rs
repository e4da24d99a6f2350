//! Measure once: fused passes over planes and samples that turn pictures and sound into facts.
//!
//! A [`PictureMeasurer`] and a [`SoundMeasurer`] belong to the thread that decodes a track; they
//! keep the big intermediates (cell means, the reference picture, the logo mask, filter states)
//! and publish only the reduced facts. They judge nothing, allocate nothing per picture in steady
//! state, and compute only what the [`MeasurePlan`] asks for. Kernels count in integers and add
//! floats in one fixed order, so that every CPU gives the same facts.

mod bars;
mod chroma;
pub mod cost;
mod echoes;
mod fields;
mod flash;
mod gamut;
mod gate;
mod grey;
mod grid;
#[doc(hidden)]
pub mod kernels; // Public for the benches only.
mod levels;
mod logo;
mod loudness;
mod lulls;
mod mains;
mod markers;
mod motion;
#[cfg(test)]
mod naive;
mod narrow;
mod pattern;
mod picture;
mod plan;
mod seam_count;
mod seams;
mod sharpness;
mod sound;
mod structure;
mod tops;
mod walk;

#[cfg(test)]
mod ebu_tests;
#[cfg(test)]
mod kernel_tests;
#[cfg(test)]
mod picture_tests;
#[cfg(test)]
mod sound_tests;
#[cfg(test)]
mod structure_tests;
#[cfg(test)]
mod walk_tests;
#[cfg(test)]
mod wave_tests;

pub use markers::MarkerFinder;
pub use picture::{PictureMeasurer, PictureMeasures};
pub use plan::MeasurePlan;
pub use sound::{SoundMeasurer, SoundMeasures};
pub use structure::StructureMeasures;
