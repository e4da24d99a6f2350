//! Sums over the samples of one hop and channel.
//!
//! Floats are added in eight fixed lanes, however wide the CPU's vectors are, so that every CPU
//! gives the same bits.

use super::Cpu;

/// Lanes in which sums are kept.
const LANES: usize = 8;

/// What the samples of one channel and hop add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HopSums {
    /// Sum of the samples.
    pub sum: f64,
    /// Sum of the squared samples.
    pub squares: f64,
    /// Largest magnitude.
    pub peak: f32,
}

/// Sums up finite samples.
pub fn hop_sums(cpu: Cpu, samples: &[f32]) -> HopSums {
    match cpu {
        #[cfg(target_arch = "x86_64")]
        Cpu::Avx2(_) => {
            // SAFETY: `Cpu::Avx2` exists only where AVX2 was detected.
            unsafe { sums_avx2(samples) }
        }
        Cpu::Portable => sums(samples),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn sums_avx2(samples: &[f32]) -> HopSums {
    sums(samples)
}

#[inline(always)]
fn sums(samples: &[f32]) -> HopSums {
    let mut sum = [0.0_f64; LANES];
    let mut squares = [0.0_f64; LANES];
    let mut peak = [0.0_f32; LANES];
    let (chunks, rest) = samples.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            let value = f64::from(chunk[lane]);
            sum[lane] += value;
            squares[lane] += value * value;
            let magnitude = chunk[lane].abs();
            peak[lane] = if magnitude > peak[lane] { magnitude } else { peak[lane] };
        }
    }
    for (lane, &sample) in rest.iter().enumerate() {
        let value = f64::from(sample);
        sum[lane] += value;
        squares[lane] += value * value;
        peak[lane] = peak[lane].max(sample.abs());
    }
    HopSums { sum: sum.iter().sum(), squares: squares.iter().sum(), peak: peak.into_iter().fold(0.0, f32::max) }
}

/// Follows runs of equal samples across hops.
#[derive(Clone, Copy, Debug, Default)]
pub struct Run {
    last: Option<f32>,
    length: u32,
}

impl Run {
    /// Takes the next samples and returns the longest run that any of them belongs to, counting
    /// the run's earlier samples too. A run longer than `u16::MAX` counts as that.
    pub fn longest(&mut self, samples: &[f32]) -> u16 {
        const BLOCK: usize = 16;
        let mut longest = 0;
        let mut at = 0;
        while at < samples.len() {
            // Most sound has no two equal neighbours: look at a block at once.
            if let (Some(last), Some(block)) = (self.last, samples.get(at..at + BLOCK)) {
                let mut equal = usize::from(block[0] == last);
                for pair in 1..BLOCK {
                    equal += usize::from(block[pair] == block[pair - 1]);
                }
                if equal == 0 || equal == BLOCK {
                    self.length = if equal == 0 { 1 } else { self.length.saturating_add(BLOCK as u32) };
                    self.last = Some(block[BLOCK - 1]);
                    longest = longest.max(self.length);
                    at += BLOCK;
                    continue;
                }
            }
            let end = samples.len().min(at + BLOCK);
            for &sample in &samples[at..end] {
                self.length = if self.last == Some(sample) { self.length.saturating_add(1) } else { 1 };
                self.last = Some(sample);
                longest = longest.max(self.length);
            }
            at = end;
        }
        longest.min(u32::from(u16::MAX)) as u16
    }
}
