//! Measure once: fused passes over planes and samples that turn pictures and sound into facts.

mod plan;

pub use plan::MeasurePlan;
