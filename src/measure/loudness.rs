//! Loudness of one audio track by EBU R 128: windows and gates over the K-weighted energies of hops.
//!
//! The `ebur128` crate is not used for it: asked for its 400 ms window on every hop, as EBU Tech 3341 cases 13 and 14 need, it
//! adds up 40 times as many samples, its short-term mode keeps 3 s of filtered samples (2.3 MB for 48 kHz stereo), its
//! histogram counts every block as the middle of its bin, which puts a steady tone up to 0.05 LU off, and it filters one
//! channel after the other. Tests hold all of it against the crate's exact modes.
//!
//! Left, right and centre count once, surrounds 1.41 times, LFE not at all. A mono track counts as
//! one channel, as BS.1770 says, not as the two loudspeakers it may be played on. [`ChannelRole`] knows
//! no angles: rear and height channels, which BS.1770-5 weighs 1.0, are weighed as surrounds.

use avwatch_actors::frame::LoudnessReading;
use avwatch_actors::track::ChannelRole;

use super::gate::{GatedBlocks, lufs};
use super::kernels::KWeighting;

/// Hops of 10 ms in the momentary window of 400 ms.
const MOMENTARY_HOPS: usize = 40;
/// Hops in the short-term window of 3 s.
const SHORT_TERM_HOPS: usize = 300;
/// Hops from one gating block to the next, 100 ms: 400 ms blocks overlap by three quarters.
const BLOCK_HOPS: usize = 10;
/// What surrounds weigh (ITU-R BS.1770-5): 1.5 dB.
const SURROUND: f64 = 1.41;

/// Measures the loudness of a track.
pub(super) struct LoudnessMeter {
    weighting: KWeighting,
    /// Mean squares of the last 3 s of hops, as a ring.
    energies: [f64; SHORT_TERM_HOPS],
    next: usize,
    filled: usize,
    hops_to_block: usize,
    blocks: GatedBlocks,
    short_terms: GatedBlocks,
    momentary: f64,
    short_term: f64,
    momentary_max: f64,
    short_term_max: f64,
}

impl LoudnessMeter {
    /// A meter for those channels.
    pub(super) fn new(sample_rate: u32, roles: &[ChannelRole]) -> Self {
        let weights: Vec<f64> = roles.iter().copied().map(weight_of).collect();
        Self {
            weighting: KWeighting::new(sample_rate, &weights),
            energies: [0.0; SHORT_TERM_HOPS],
            next: 0,
            filled: 0,
            hops_to_block: BLOCK_HOPS,
            blocks: GatedBlocks::new(),
            short_terms: GatedBlocks::new(),
            momentary: 0.0,
            short_term: 0.0,
            momentary_max: 0.0,
            short_term_max: 0.0,
        }
    }

    /// Takes a hop of finite samples. One that is not `whole` is heard but moves no window.
    pub(super) fn add_hop(&mut self, channels: &[&[f32]], whole: bool) {
        let energy = self.weighting.energy(channels);
        if !whole {
            return;
        }
        self.energies[self.next] = energy;
        self.next = (self.next + 1) % SHORT_TERM_HOPS;
        self.filled = (self.filled + 1).min(SHORT_TERM_HOPS);
        self.hops_to_block -= 1;
        let block_ends = self.hops_to_block == 0;
        if block_ends {
            self.hops_to_block = BLOCK_HOPS;
        }
        if self.filled >= MOMENTARY_HOPS {
            self.momentary = self.mean_of_last(MOMENTARY_HOPS);
            self.momentary_max = self.momentary_max.max(self.momentary);
            if block_ends {
                self.blocks.add(self.momentary);
            }
        }
        if self.filled == SHORT_TERM_HOPS {
            self.short_term = mean(&self.energies);
            self.short_term_max = self.short_term_max.max(self.short_term);
            if block_ends {
                self.short_terms.add(self.short_term);
            }
        }
    }

    /// The loudness so far; a window that has never been full, silence and too little sound for
    /// gating give `None`. Peaks are not measured here.
    pub(super) fn reading(&self) -> LoudnessReading {
        let level = |energy: f64| Some(lufs(energy)).filter(|level| level.is_finite());
        LoudnessReading {
            momentary_lufs: level(self.momentary),
            short_term_lufs: level(self.short_term),
            integrated_lufs: self.blocks.integrated(),
            loudness_range_lu: self.short_terms.range(),
            momentary_max_lufs: level(self.momentary_max),
            short_term_max_lufs: level(self.short_term_max),
            ..LoudnessReading::default()
        }
    }

    /// Mean energy of the newest hops.
    fn mean_of_last(&self, hops: usize) -> f64 {
        let mut last = [0.0; MOMENTARY_HOPS];
        for (index, energy) in last.iter_mut().enumerate() {
            *energy = self.energies[(self.next + SHORT_TERM_HOPS - hops + index) % SHORT_TERM_HOPS];
        }
        mean(&last)
    }
}

/// What a channel weighs in the sum.
fn weight_of(role: ChannelRole) -> f64 {
    match role {
        ChannelRole::Left | ChannelRole::Right | ChannelRole::Center | ChannelRole::Mono | ChannelRole::Other => 1.0,
        ChannelRole::Surround => SURROUND,
        ChannelRole::Lfe => 0.0,
    }
}

/// The mean of energies, added in four fixed lanes; their number is a multiple of four.
fn mean(energies: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    for four in energies.as_chunks::<4>().0 {
        for lane in 0..4 {
            sums[lane] += four[lane];
        }
    }
    sums.iter().sum::<f64>() / energies.len() as f64
}
