//! The measure plan: what the enabled detectors of a stream need measured, and nothing more.

/// What to measure. Starts with nothing; every enabled detector adds what it needs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeasurePlan {
    /// Luma levels, percentiles, counts and gradient.
    pub luma: bool,
    /// Chroma means and spreads.
    pub chroma: bool,
    /// Change against the previous and the reference picture.
    pub motion: bool,
    /// Levels of every 10 ms hop.
    pub sound: bool,
    /// Loudness by EBU R 128.
    pub loudness: bool,
    /// True peak by ITU-R BS.1770-5 Annex 2.
    pub true_peak: bool,
    /// How the front left and right channels go together.
    pub pair: bool,
    /// How flat the tops of half waves are.
    pub tops: bool,
    /// Runs of equal samples, notches and repeated stretches.
    pub lulls: bool,
    /// The spectrum around the multiples of the mains frequencies, once a second.
    pub mains: bool,
    /// The highest level that still counts as black, in normalised code values (16–235).
    pub black_level: f32,
    /// Hand the pixels to the detectors.
    pub keep_pictures: bool,
    /// Hand the samples to the detectors.
    pub keep_samples: bool,
}
