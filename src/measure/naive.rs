//! The naive twins: what the kernels mean, written as plainly as possible.
//!
//! Used by tests and, included by path, by the benches; never in production. Uses nothing but `std`.
#![allow(unreachable_pub, dead_code)] // The benches include this file and do not use all of it.

/// The samples of a row as numbers; two-byte ones in little endian, cut at the ceiling.
pub fn samples(row: &[u8], bytes: usize, ceiling: u16) -> Vec<u64> {
    if bytes == 1 {
        return row.iter().map(|&byte| u64::from(byte)).collect();
    }
    row.chunks_exact(2).map(|pair| u64::from(u16::from_le_bytes([pair[0], pair[1]]).min(ceiling))).collect()
}

/// Sum, dark count, content count, gradient and difference of a row of samples.
pub fn luma_row(row: &[u64], previous: &[u64], dark: i64, content: i64) -> [u64; 5] {
    let mut sums = [0; 5];
    for (x, &value) in row.iter().enumerate() {
        sums[0] += value;
        sums[1] += u64::from(value as i64 <= dark);
        sums[2] += u64::from(value as i64 > content);
        if let Some(&next) = row.get(x + 1) {
            sums[3] += value.abs_diff(next);
        }
        sums[4] += value.abs_diff(previous[x]);
    }
    sums
}

/// Sum, sum of squares, lowest and highest sample of a row.
pub fn spread(row: &[u64]) -> [u64; 4] {
    let sum = row.iter().sum();
    let squares = row.iter().map(|value| value * value).sum();
    [sum, squares, row.iter().copied().min().unwrap_or(0), row.iter().copied().max().unwrap_or(0)]
}

/// The level at or below which `per_mille` thousandths of the samples lie; 0 of none.
pub fn level(row: &[u64], per_mille: u64) -> u64 {
    if row.is_empty() {
        return 0;
    }
    let mut sorted = row.to_vec();
    sorted.sort_unstable();
    let rank = (row.len() as u64 * per_mille).div_ceil(1000).max(1);
    sorted[rank as usize - 1]
}

/// `2·|Y(x) − Y(x−1)| − |Y(x−1) − Y(x−2)| − |Y(x+1) − Y(x)|` for every inner multiple of 8.
pub fn seam_steps(row: &[u8]) -> Vec<i32> {
    let step = |x: usize| i32::from(row[x].abs_diff(row[x - 1]));
    let columns = (8..row.len().saturating_sub(1)).step_by(8);
    columns.map(|x| 2 * step(x) - step(x - 1) - step(x + 1)).collect()
}

/// Sum of the absolute differences of two rows.
pub fn difference(one: &[u8], other: &[u8]) -> u64 {
    (0..one.len()).map(|x| u64::from(one[x].abs_diff(other[x]))).sum()
}

/// Mean, AC power and peak of samples.
pub fn hop(samples: &[f32]) -> (f64, f64, f32) {
    let count = samples.len() as f64;
    let mean = samples.iter().map(|&sample| f64::from(sample)).sum::<f64>() / count;
    let power = samples.iter().map(|&sample| (f64::from(sample) - mean).powi(2)).sum::<f64>() / count;
    (mean, power, samples.iter().fold(0.0, |peak, sample| peak.max(sample.abs())))
}

/// The longest run of equal samples.
pub fn longest_run(samples: &[f32]) -> usize {
    samples.chunk_by(|one, next| one == next).map(<[f32]>::len).max().unwrap_or(0)
}

/// ITU-R BS.1770-5 Annex 2 Table 1, phases 0 and 1; phase 3 is phase 0 reversed, 2 is 1 reversed.
const TABLE: [[f64; 12]; 2] = [
    [
        0.0017089843750,
        0.0109863281250,
        -0.0196533203125,
        0.0332031250000,
        -0.0594482421875,
        0.1373291015625,
        0.9721679687500,
        -0.1022949218750,
        0.0476074218750,
        -0.0266113281250,
        0.0148925781250,
        -0.0083007812500,
    ],
    [
        -0.0291748046875,
        0.0292968750000,
        -0.0517578125000,
        0.0891113281250,
        -0.1665039062500,
        0.4650878906250,
        0.7797851562500,
        -0.2003173828125,
        0.1015625000000,
        -0.0582275390625,
        0.0330810546875,
        -0.0189208984375,
    ],
];

/// The largest interpolated magnitude where the filter is full: a textbook convolution.
pub fn interpolated_peak(samples: &[f32]) -> f64 {
    let mut peak = 0.0_f64;
    for newest in 11..samples.len() {
        for phase in 0..4 {
            let mut sum = 0.0;
            for tap in 0..12 {
                let coefficient = match phase {
                    0 => TABLE[0][tap],
                    1 => TABLE[1][tap],
                    2 => TABLE[1][11 - tap],
                    _ => TABLE[0][11 - tap],
                };
                sum += coefficient * f64::from(samples[newest - tap]);
            }
            peak = peak.max(sum.abs());
        }
    }
    peak
}
