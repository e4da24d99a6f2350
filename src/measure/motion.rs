//! Change in cell means, of luma and of colour: against the previous picture and against a reference picture.
//!
//! The reference is the picture since which hardly anything moved. It is replaced as soon as more
//! than 2 % of the cells are over 10 levels away from it, which any fade, however slow, brings about
//! in the end; before that, the signed drift of the whole picture tells a slow fade, which keeps
//! its sign and grows, from requantisation, which does neither.

use avwatch_actors::frame::MotionFacts;
use avwatch_actors::media_time::MediaTime;

/// Smallest change of a cell that counts, in levels.
const ACTIVE_MIN: f32 = 4.0;
/// The same in units of the cells' noise.
const ACTIVE_NOISES: f32 = 6.0;
/// Median of the magnitudes to standard deviation, of normally distributed changes.
const MEDIAN_TO_SIGMA: f32 = 1.4826;
/// Of so many cells of colour one is looked at for their noise.
const NOISE_SAMPLE_STEP: usize = 8;
/// Distance of a cell to the reference that counts as drifted, in levels.
const DRIFTED_ABOVE: f32 = 10.0;
/// Share of drifted cells that makes a new reference.
const DRIFTED_SHARE_MAX: f64 = 0.02;

/// Cell means of the previous and of the reference picture.
#[derive(Default)]
pub(super) struct MotionMemory {
    previous: Vec<f32>,
    reference: Vec<f32>,
    reference_level: f32,
    reference_at: MediaTime,
    changes: Vec<f32>,
    sample: Vec<f32>,
    previous_tints: Vec<f32>,
}

/// What the scan of a picture found, in levels.
pub(super) struct Scanned<'a> {
    /// Mean levels of the cells.
    pub(super) means: &'a [f32],
    /// Mean chroma levels of the cells, which may be none.
    pub(super) tints: &'a [f32],
    /// Mean level of the picture.
    pub(super) level: f32,
    /// Mean absolute difference to the previous picture, of the rows that are compared, if there was one of the
    /// same format.
    pub(super) difference: Option<f32>,
    /// When the picture is shown.
    pub(super) at: MediaTime,
}

impl MotionMemory {
    /// Compares a picture with what is remembered, and remembers it.
    pub(super) fn measure(&mut self, scanned: &Scanned<'_>) -> MotionFacts {
        let means = scanned.means;
        let Some(difference) = scanned.difference.filter(|_| self.previous.len() == means.len()) else {
            self.refer_to(scanned);
            self.previous.clear();
            self.previous.extend_from_slice(means);
            self.remember_tints(scanned.tints);
            return MotionFacts { cells: means.len() as u16, ..MotionFacts::default() };
        };
        let mut facts = MotionFacts {
            compared: true,
            difference,
            cells: means.len() as u16,
            drift: scanned.level - self.reference_level,
            reference_age: (scanned.at - self.reference_at).max(MediaTime::ZERO),
            ..MotionFacts::default()
        };
        self.compare_cells(means, &mut facts);
        self.compare_tints(scanned.tints, &mut facts);
        // A single differing code value is at least 2⁻⁴⁰ on average over the rows that are compared, and shows in the mean
        // of its cell, in single precision, up to 8K of 10 bits; of more pixels or bits, a few of them do.
        facts.identical = difference == 0.0 && facts.largest == 0.0;
        let drifted = means.iter().zip(&self.reference).filter(|(now, then)| (**now - **then).abs() > DRIFTED_ABOVE);
        let drifted_share = drifted.count() as f64 / means.len() as f64;
        facts.drifted_share = drifted_share as f32;
        if drifted_share > DRIFTED_SHARE_MAX {
            facts.reference_replaced = true;
            facts.reference_age = MediaTime::ZERO;
            self.refer_to(scanned);
        }
        self.previous.copy_from_slice(means);
        facts
    }

    fn compare_cells(&mut self, means: &[f32], facts: &mut MotionFacts) {
        self.changes.clear();
        self.changes.extend(means.iter().zip(&self.previous).map(|(now, then)| (now - then).abs()));
        // The order of the changes does not matter below.
        facts.noise = noise_of(&mut self.changes);
        let active_above = ACTIVE_MIN.max(ACTIVE_NOISES * facts.noise);
        facts.active_cells = self.changes.iter().filter(|change| **change > active_above).count() as u16;
        facts.largest = largest_of(&self.changes);
    }

    /// Colour that moves at the same luma is movement too; what moves in both counts once.
    fn compare_tints(&mut self, tints: &[f32], facts: &mut MotionFacts) {
        if !tints.is_empty() && tints.len() == self.previous_tints.len() {
            self.changes.clear();
            self.changes.extend(tints.iter().zip(&self.previous_tints).map(|(now, then)| (now - then).abs()));
            let largest = largest_of(&self.changes);
            if largest > ACTIVE_MIN {
                let active_above = |noise: f32| ACTIVE_MIN.max(ACTIVE_NOISES * noise);
                let count = |above: f32| self.changes.iter().filter(|change| **change > above).count();
                // The more noise, the fewer are active: it matters only if some are without any.
                let mut active = count(ACTIVE_MIN);
                if active > usize::from(facts.active_cells) {
                    self.sample.clear();
                    self.sample.extend(self.changes.iter().step_by(NOISE_SAMPLE_STEP));
                    active = count(active_above(noise_of(&mut self.sample)));
                }
                facts.active_cells = facts.active_cells.max(active.min(usize::from(facts.cells)) as u16);
            }
            facts.largest = facts.largest.max(largest);
        }
        self.remember_tints(tints);
    }

    fn remember_tints(&mut self, tints: &[f32]) {
        self.previous_tints.clear();
        self.previous_tints.extend_from_slice(tints);
    }

    fn refer_to(&mut self, scanned: &Scanned<'_>) {
        self.reference.clear();
        self.reference.extend_from_slice(scanned.means);
        self.reference_level = scanned.level;
        self.reference_at = scanned.at;
    }
}

/// The largest of magnitudes; 0 of none. They lie in the order of their bits, and of integers many are compared at a time.
fn largest_of(magnitudes: &[f32]) -> f32 {
    f32::from_bits(magnitudes.iter().map(|magnitude| magnitude.to_bits()).max().unwrap_or(0))
}

/// Standard deviation of noise whose magnitudes these are, by their lower median; 0 of none.
fn noise_of(changes: &mut [f32]) -> f32 {
    if changes.is_empty() {
        return 0.0;
    }
    let middle = (changes.len() - 1) / 2;
    let (_, median, _) = changes.select_nth_unstable_by(middle, f32::total_cmp);
    MEDIAN_TO_SIGMA * *median
}
