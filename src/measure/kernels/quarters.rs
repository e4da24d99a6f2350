//! Sums over parts of one hop and over two channels of it.
//!
//! Floats are added in eight fixed lanes, however wide the CPU's vectors are, so that every CPU
//! gives the same bits.

use super::Cpu;

/// Lanes in which sums are kept.
const LANES: usize = 8;

/// Sums of squares of four quarters of a hop, and of their steps from sample to sample.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quarters {
    /// Sum of the squared samples of each quarter.
    pub squares: [f64; 4],
    /// Sum of the squared differences of each sample of a quarter to the one before it.
    pub steps: [f64; 4],
}

/// The four parts of that many samples: as equal as can be, and all of them together.
pub fn quarter_bounds(count: usize) -> [usize; 5] {
    [0, count / 4, count / 2, count * 3 / 4, count]
}

/// Sums up the quarters of finite samples; the first one follows on `before`.
pub fn quarters(cpu: Cpu, before: f32, samples: &[f32]) -> Quarters {
    match cpu {
        #[cfg(target_arch = "x86_64")]
        Cpu::Avx2(_) => {
            // SAFETY: `Cpu::Avx2` exists only where AVX2 was detected.
            unsafe { quarters_avx2(before, samples) }
        }
        Cpu::Portable => sum_quarters(before, samples),
    }
}

/// The sum of the products of two channels' samples, as many as the shorter one has.
pub fn product_sum(cpu: Cpu, one: &[f32], other: &[f32]) -> f64 {
    match cpu {
        #[cfg(target_arch = "x86_64")]
        Cpu::Avx2(_) => {
            // SAFETY: as above.
            unsafe { products_avx2(one, other) }
        }
        Cpu::Portable => products(one, other),
    }
}

/// Means of groups of two channels' samples: the AC powers and the covariance of those means.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GroupMeans {
    /// Power of the first channel.
    pub one: f64,
    /// Power of the second channel.
    pub other: f64,
    /// Their covariance.
    pub covariance: f64,
}

/// Averages groups of `group` samples, which is not 0, and tells how those of two channels go
/// together; samples that fill no group are left out.
pub fn group_means(one: &[f32], other: &[f32], group: usize) -> GroupMeans {
    let mut sums = [0.0_f64; 5];
    let mut count = 0.0;
    for (one, other) in one.chunks_exact(group).zip(other.chunks_exact(group)) {
        let [one, other] = [one, other].map(|samples| f64::from(samples.iter().sum::<f32>() / group as f32));
        for (sum, term) in sums.iter_mut().zip([one, other, one * one, other * other, one * other]) {
            *sum += term;
        }
        count += 1.0;
    }
    if count == 0.0 {
        return GroupMeans::default();
    }
    let [one, other, one_squared, other_squared, product] = sums.map(|sum| sum / count);
    GroupMeans {
        one: (one_squared - one * one).max(0.0),
        other: (other_squared - other * other).max(0.0),
        covariance: product - one * other,
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn quarters_avx2(before: f32, samples: &[f32]) -> Quarters {
    sum_quarters(before, samples)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn products_avx2(one: &[f32], other: &[f32]) -> f64 {
    products(one, other)
}

#[inline(always)]
fn sum_quarters(before: f32, samples: &[f32]) -> Quarters {
    let bounds = quarter_bounds(samples.len());
    let mut sums = Quarters::default();
    let mut before = before;
    for quarter in 0..4 {
        let part = &samples[bounds[quarter]..bounds[quarter + 1]];
        sums.squares[quarter] = products(part, part);
        sums.steps[quarter] = steps(before, part);
        before = part.last().copied().unwrap_or(before);
    }
    sums
}

#[inline(always)]
fn steps(before: f32, samples: &[f32]) -> f64 {
    let Some(first) = samples.first() else { return 0.0 };
    let step = f64::from(*first) - f64::from(before);
    let mut sums = [0.0_f64; LANES];
    let (earlier, _) = samples.split_at(samples.len() - 1);
    let (chunks, rest) = samples[1..].as_chunks::<LANES>();
    let (earlier_chunks, earlier_rest) = earlier.as_chunks::<LANES>();
    for (chunk, earlier) in chunks.iter().zip(earlier_chunks) {
        for lane in 0..LANES {
            let step = f64::from(chunk[lane]) - f64::from(earlier[lane]);
            sums[lane] += step * step;
        }
    }
    for (lane, (sample, earlier)) in rest.iter().zip(earlier_rest).enumerate() {
        let step = f64::from(*sample) - f64::from(*earlier);
        sums[lane] += step * step;
    }
    step * step + sums.iter().sum::<f64>()
}

#[inline(always)]
fn products(one: &[f32], other: &[f32]) -> f64 {
    let count = one.len().min(other.len());
    let mut sums = [0.0_f64; LANES];
    let (chunks, rest) = one[..count].as_chunks::<LANES>();
    let (other_chunks, other_rest) = other[..count].as_chunks::<LANES>();
    for (chunk, other) in chunks.iter().zip(other_chunks) {
        for lane in 0..LANES {
            sums[lane] += f64::from(chunk[lane]) * f64::from(other[lane]);
        }
    }
    for (lane, (sample, other)) in rest.iter().zip(other_rest).enumerate() {
        sums[lane] += f64::from(*sample) * f64::from(*other);
    }
    sums.iter().sum()
}
