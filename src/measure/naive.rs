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

/// `|Y(x−2) − Y(x−3)| + |Y(x+1) − Y(x)|` for every inner multiple of 8.
pub fn seam_slopes(row: &[u8]) -> Vec<i32> {
    let step = |x: usize| i32::from(row[x].abs_diff(row[x - 1]));
    let columns = (8..row.len().saturating_sub(1)).step_by(8);
    columns.map(|x| step(x - 2) + step(x + 1)).collect()
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

/// Mean squares of the four quarters of a hop, each from `n·count/4` on.
pub fn quarters(samples: &[f32]) -> [f64; 4] {
    let bound = |quarter: usize| samples.len() * quarter / 4;
    std::array::from_fn(|quarter| mean_product(&samples[bound(quarter)..bound(quarter + 1)], samples, bound(quarter)))
}

/// Mean product of samples and as many others from a place on; 0 of none.
pub fn mean_product(one: &[f32], other: &[f32], from: usize) -> f64 {
    let sum: f64 = one.iter().zip(&other[from..]).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum();
    if one.is_empty() { 0.0 } else { sum / one.len() as f64 }
}

/// Mean squared differences of neighbouring samples in the four quarters, the first one's to `before`.
pub fn slopes(before: f32, samples: &[f32]) -> [f64; 4] {
    let steps: Vec<f64> = (0..samples.len())
        .map(|index| {
            let last = if index == 0 { before } else { samples[index - 1] };
            (f64::from(samples[index]) - f64::from(last)).powi(2)
        })
        .collect();
    let bound = |quarter: usize| samples.len() * quarter / 4;
    std::array::from_fn(|quarter| {
        let part = &steps[bound(quarter)..bound(quarter + 1)];
        part.iter().sum::<f64>() / part.len().max(1) as f64
    })
}

/// One bin of the discrete Fourier transform.
pub fn fourier(samples: &[f32], bin: usize) -> (f64, f64) {
    let step = std::f64::consts::TAU * bin as f64 / samples.len() as f64;
    let term = |(index, sample): (usize, &f32)| {
        let angle = step * index as f64;
        (f64::from(*sample) * angle.cos(), -f64::from(*sample) * angle.sin())
    };
    samples.iter().enumerate().map(term).fold((0.0, 0.0), |sum, term| (sum.0 + term.0, sum.1 + term.1))
}

/// The tops of half waves whose peak is at least `least`: samples on plateaus, on stairs and in turns.
pub fn tops(samples: &[f32], least: f32) -> [usize; 3] {
    let mut found = [0; 3];
    // The last half wave has not ended.
    let waves: Vec<&[f32]> = samples.chunk_by(|one, next| (*one < 0.0) == (*next < 0.0)).collect();
    for wave in waves.split_last().map_or(&[][..], |(_, ended)| ended) {
        let wave: Vec<f32> = wave.iter().map(|sample| sample.abs()).collect();
        let peak = wave.iter().copied().fold(0.0, f32::max);
        let mut from = 0;
        while peak >= least && from < wave.len() {
            let spread = |to: usize| {
                let part = &wave[from..to];
                part.iter().copied().fold(0.0, f32::max) - part.iter().copied().fold(f32::MAX, f32::min)
            };
            let to = (from + 1..=wave.len()).take_while(|to| spread(*to) <= 0.002 * peak).last().unwrap_or(from + 1);
            if to - from < 3 {
                from += 1;
                continue;
            }
            let low = wave[from..to].iter().copied().fold(f32::MAX, f32::min);
            let high = wave[from..to].iter().copied().fold(0.0, f32::max);
            let before = if from == 0 { 0.0 } else { wave[from - 1] };
            let after = wave.get(to).copied().unwrap_or(0.0);
            let is_cornered = (before - low).abs().min((after - low).abs()) * (to - from) as f32 >= 0.03 * peak;
            let is_top = high >= peak - 0.002 * peak && before < low && after < low;
            if is_top {
                // A smooth top is what tones have.
                found[0] += if is_cornered { to - from } else { 0 };
            } else if high >= 0.1 * peak {
                found[if is_cornered { 1 } else { 2 }] += to - from;
            }
            from = to;
        }
    }
    found
}

/// How many magnitudes are within 2/32768 of the highest, between 95 % and 99.9 % of it, and beyond 1.
pub fn ceiling(samples: &[f32]) -> [usize; 3] {
    let magnitudes: Vec<f32> = samples.iter().map(|sample| sample.abs()).collect();
    let peak = magnitudes.iter().copied().fold(0.0, f32::max);
    let count = |holds: &dyn Fn(f32) -> bool| magnitudes.iter().filter(|magnitude| holds(**magnitude)).count();
    [
        count(&|magnitude| magnitude >= peak - 2.0 / 32_768.0),
        count(&|magnitude| magnitude >= 0.95 * peak && magnitude < 0.999 * peak),
        count(&|magnitude| magnitude > 1.0),
    ]
}

/// Runs of at least `least` samples equal to each other and within ±`most` of zero: (from, to).
pub fn lulls(samples: &[f32], least: usize, most: f32) -> Vec<(usize, usize)> {
    let mut lulls = Vec::new();
    let mut from = 0;
    for run in samples.chunk_by(|one, next| one == next) {
        if run.len() >= least && run[0].abs() <= most {
            lulls.push((from, from + run.len()));
        }
        from += run.len();
    }
    lulls
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
