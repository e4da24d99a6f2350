//! Counts of the highest samples of one hop.

use super::Cpu;

/// Samples this close to the highest one are as high: two steps of 16 bits.
const TIE: f32 = 2.0 / 32_768.0;
/// Shares of the highest sample between which others are near it.
const NEAR: (f32, f32) = (0.95, 0.999);

/// How many samples of a hop are how high.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CeilingCounts {
    /// As high as the highest one, but for two steps of 16 bits.
    pub ties: u32,
    /// Between 95 % and 99.9 % of the highest one.
    pub near: u32,
    /// Beyond full scale.
    pub over: u32,
}

/// Counts magnitudes of finite samples, of which `peak` is the largest.
pub fn ceiling_counts(cpu: Cpu, samples: &[f32], peak: f32) -> CeilingCounts {
    match cpu {
        #[cfg(target_arch = "x86_64")]
        Cpu::Avx2(_) => {
            // SAFETY: `Cpu::Avx2` exists only where AVX2 was detected.
            unsafe { counts_avx2(samples, peak) }
        }
        Cpu::Portable => counts(samples, peak),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn counts_avx2(samples: &[f32], peak: f32) -> CeilingCounts {
    counts(samples, peak)
}

#[inline(always)]
fn counts(samples: &[f32], peak: f32) -> CeilingCounts {
    let (tie, low, high) = (peak - TIE, NEAR.0 * peak, NEAR.1 * peak);
    let (mut ties, mut near, mut over) = (0_u32, 0_u32, 0_u32);
    for sample in samples {
        let magnitude = sample.abs();
        ties += u32::from(magnitude >= tie);
        near += u32::from(magnitude >= low) & u32::from(magnitude < high);
        over += u32::from(magnitude > 1.0);
    }
    CeilingCounts { ties, near, over }
}
