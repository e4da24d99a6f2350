//! The measure plan: what the enabled detectors of a stream need measured, and nothing more.

use avwatch_actors::media_time::MediaTime;

/// What to measure. Starts with nothing; every enabled detector adds what it needs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeasurePlan {
    /// Luma levels, percentiles, counts and gradient.
    pub luma: bool,
    /// Chroma means and spreads.
    pub chroma: bool,
    /// Change against the previous and the reference picture.
    pub motion: bool,
    /// Seams on the grid of coded blocks, and grey areas.
    pub seams: bool,
    /// Sharpness.
    pub sharpness: bool,
    /// Halves of flashes.
    pub flash: bool,
    /// Test patterns.
    pub pattern: bool,
    /// Levels outside the preferred range.
    pub gamut: bool,
    /// Fields of moving pictures.
    pub fields: bool,
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
    /// Hand out the pixels of one picture a second, for who shows what is on.
    pub stills: bool,
}

/// Distance of pictures that are handed out for stills.
const STILL_EVERY: MediaTime = MediaTime::from_millis(1_000);

impl MeasurePlan {
    /// Measures nothing.
    pub const NOTHING: Self = Self {
        luma: false,
        chroma: false,
        motion: false,
        seams: false,
        sharpness: false,
        flash: false,
        pattern: false,
        gamut: false,
        fields: false,
        sound: false,
        loudness: false,
        true_peak: false,
        pair: false,
        tops: false,
        lulls: false,
        mains: false,
        black_level: 0.0,
        keep_pictures: false,
        keep_samples: false,
        stills: false,
    };

    /// Measures the structure of pictures alone.
    #[cfg(test)]
    pub(crate) const STRUCTURE: Self =
        Self { seams: true, sharpness: true, flash: true, pattern: true, gamut: true, fields: true, ..Self::NOTHING };

    /// The same for a stream that is watched live: what its readings and stills show is measured,
    /// whatever detectors need.
    #[must_use]
    pub fn with_readings(self) -> Self {
        Self { luma: true, motion: true, sound: true, loudness: true, stills: true, ..self }
    }

    /// Whether the pixels of a picture at that time are handed out; `still` is when the last still was.
    pub(crate) fn wants_picture(&self, at: MediaTime, still: &mut Option<MediaTime>) -> bool {
        let is_due = self.stills && still.is_none_or(|last| at.distance(last) >= STILL_EVERY);
        if is_due {
            *still = Some(at);
        }
        is_due || self.keep_pictures
    }

    /// Whether pictures have to be walked over at all.
    pub(crate) fn any_picture(&self) -> bool {
        self.luma || self.chroma || self.motion || self.needs_cells() || self.sharpness || self.gamut || self.fields
    }

    /// Whether pictures are compared with the one before.
    pub(crate) fn needs_previous(&self) -> bool {
        self.motion || self.fields
    }

    /// Whether tints of cells are asked for.
    pub(crate) fn needs_cells(&self) -> bool {
        self.motion || self.seams || self.flash || self.pattern
    }
}
