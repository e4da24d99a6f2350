//! The gated statistics of EBU R 128: integrated loudness and loudness range from block energies.
//!
//! Blocks are kept as a histogram of 0.1 LU with the energy of each bin, so memory is fixed however
//! long a session lasts, and only the one bin in which a threshold falls is taken or left as a whole.

/// Absolute gate of ITU-R BS.1770-5, in LUFS: the lower end of the histogram.
const ABSOLUTE_GATE: f64 = -70.0;
/// Bins in one LU.
const BINS_PER_LU: f64 = 10.0;
/// Loudest block that is believed, in LUFS: one broken sample must not drown a whole session.
const LOUDEST: f64 = 10.0;
/// Bins, from the gate to the loudest.
const BINS: usize = 800;
/// Relative gate of integrated loudness (BS.1770-5), in LU.
const INTEGRATED_GATE: f64 = -10.0;
/// Relative gate of loudness range (EBU Tech 3342), in LU.
const RANGE_GATE: f64 = -20.0;
/// Percentiles between which loudness range is taken.
const RANGE_PERCENTILES: (f64, f64) = (0.10, 0.95);
/// BS.1770: the K-weighted mean square of a 997 Hz tone lies 0.691 dB above its loudness.
const OFFSET_DECIBELS: f64 = 0.691;

/// The loudness of a K-weighted mean square; −∞ of 0.
pub(super) fn lufs(energy: f64) -> f64 {
    10.0 * energy.log10() - OFFSET_DECIBELS
}

/// The K-weighted mean square of a loudness.
fn energy_of(lufs: f64) -> f64 {
    10.0_f64.powf((lufs + OFFSET_DECIBELS) / 10.0)
}

#[derive(Clone, Copy, Default)]
struct Bin {
    count: u64,
    energy: f64,
}

/// Blocks above the absolute gate.
pub(super) struct GatedBlocks {
    bins: Box<[Bin; BINS]>,
}

impl GatedBlocks {
    /// No blocks yet.
    pub(super) fn new() -> Self {
        Self { bins: Box::new([Bin::default(); BINS]) }
    }

    /// Adds a block, unless it is too quiet.
    pub(super) fn add(&mut self, energy: f64) {
        let energy = energy.min(energy_of(LOUDEST));
        let loudness = lufs(energy);
        if loudness > ABSOLUTE_GATE {
            let bin = &mut self.bins[(((loudness - ABSOLUTE_GATE) * BINS_PER_LU) as usize).min(BINS - 1)];
            bin.count += 1;
            bin.energy += energy;
        }
    }

    /// Integrated loudness of the blocks in LUFS; none without any.
    pub(super) fn integrated(&self) -> Option<f64> {
        let (count, energy) = total(self.above(INTEGRATED_GATE));
        (count > 0).then(|| lufs(energy / count as f64)).filter(|loudness| loudness.is_finite())
    }

    /// Loudness range of the blocks in LU; none without any.
    pub(super) fn range(&self) -> Option<f64> {
        let bins = self.above(RANGE_GATE);
        let (count, _) = total(bins);
        if count == 0 {
            return None;
        }
        let percentile = |share: f64| {
            let rank = ((count - 1) as f64 * share).round() as u64;
            let mut below = 0;
            let bin = bins.iter().find(|bin| {
                below += bin.count;
                below > rank
            });
            bin.map(|bin| lufs(bin.energy / bin.count as f64))
        };
        let range = percentile(RANGE_PERCENTILES.1)? - percentile(RANGE_PERCENTILES.0)?;
        range.is_finite().then_some(range)
    }

    /// The bins whose mean lies above the mean of all blocks shifted by `relative` LU.
    fn above(&self, relative: f64) -> &[Bin] {
        let (count, energy) = total(&self.bins[..]);
        let threshold = energy / count.max(1) as f64 * 10.0_f64.powf(relative / 10.0);
        let is_above = |bin: &Bin| bin.count > 0 && bin.energy > threshold * bin.count as f64;
        // Bins rise, and with them their means: what lies above is the end of the histogram.
        let first = self.bins.iter().position(is_above).unwrap_or(BINS);
        &self.bins[first..]
    }
}

fn total(bins: &[Bin]) -> (u64, f64) {
    bins.iter().fold((0, 0.0), |(count, energy), bin| (count + bin.count, energy + bin.energy))
}
