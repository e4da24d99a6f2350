//! Every kernel, on every path this CPU has, against its naive twin on random sizes and values.

use proptest::prelude::*;

use super::kernels::*;
use super::naive;

/// The paths to test: always the portable one, and the detected one where it differs.
fn paths() -> Vec<Cpu> {
    let mut paths = vec![Cpu::Portable, Cpu::detect()];
    paths.dedup();
    paths
}

/// Rows of bytes, of which some hold long flat parts, as pictures do.
fn row(width: usize, bytes: usize) -> impl Strategy<Value = Vec<u8>> {
    let random = prop::collection::vec(any::<u8>(), width * bytes);
    (random, 0..5_u8).prop_map(|(mut row, kind)| {
        match kind {
            0 => row.fill(0),
            1 => row.fill(255),
            2 => row.iter_mut().for_each(|byte| *byte = 16 + *byte % 4),
            _ => {}
        }
        row
    })
}

/// Two rows of the same width and format, with that format's ceiling.
fn two_rows() -> impl Strategy<Value = (Vec<u8>, Vec<u8>, usize, u16)> {
    (1_usize..300, 8_u32..=16).prop_flat_map(|(width, depth)| {
        let bytes = if depth > 8 { 2 } else { 1 };
        (row(width, bytes), row(width, bytes), Just(bytes), Just(((1_u32 << depth) - 1) as u16))
    })
}

proptest! {
    #[test]
    fn luma_rows_sum_up_as_the_naive_twin(
        (row, previous, bytes, ceiling) in two_rows(),
        dark in -1_i32..70_000,
        content in 0_i32..70_000,
        small in any::<bool>(),
        levels in any::<bool>(),
        change in any::<bool>(),
    ) {
        // Most thresholds should fall among the values of the format.
        let (dark, content) = if small { (dark % 256, content % 256) } else { (dark, content) };
        let values = naive::samples(&row, bytes, ceiling);
        let before = naive::samples(&previous, bytes, ceiling);
        let expected = naive::luma_row(&values, &before, i64::from(dark), i64::from(content));
        for cpu in paths() {
            let input = RowInput { row: &row, previous: &previous, bytes, ceiling, dark, content };
            let mut strips = vec![0; values.len().div_ceil(STRIP) * words_per_strip(bytes)];
            let sums = luma_row(cpu, &input, levels, change, &mut strips);
            prop_assert_eq!(sums.sum, expected[0]);
            let of_levels = [u64::from(sums.dark), u64::from(sums.content), sums.gradient];
            prop_assert_eq!(of_levels.as_slice(), if levels { &expected[1..4] } else { &[0; 3] });
            prop_assert_eq!(sums.difference, if change { expected[4] } else { 0 });
            for (strip, chunk) in values.chunks(STRIP).enumerate() {
                let words = words_per_strip(bytes);
                let packed = strips[strip * words..][..words].iter().sum();
                let part = naive::luma_row(chunk, chunk, i64::from(dark), i64::from(content));
                let counts = if levels { (part[1] as u32, part[2] as u32) } else { (0, 0) };
                prop_assert_eq!(unpack(packed), (part[0] as u32, counts.0, counts.1));
            }
        }
    }

    #[test]
    fn spreads_are_those_of_the_naive_twin((row, other, bytes, ceiling) in two_rows()) {
        let [first, second] = [&row, &other].map(|row| naive::samples(row, bytes, ceiling));
        let both = naive::spread(&[first.clone(), second.clone()].concat());
        for cpu in paths() {
            let words = words_per_strip(bytes);
            let mut strips = vec![0; first.len().div_ceil(STRIP) * words];
            let with_strips = spread_of_row(cpu, &row, bytes, ceiling, &mut strips);
            for (strip, chunk) in strips.chunks(words).zip(first.chunks(STRIP)) {
                prop_assert_eq!(strip.iter().sum::<u64>(), chunk.iter().sum::<u64>());
            }
            let mut spread = spread_of_row(cpu, &row, bytes, ceiling, &mut []);
            prop_assert_eq!(spread, with_strips);
            let found = [spread.sum, spread.squares, spread.lowest.into(), spread.highest.into()];
            prop_assert_eq!(found, naive::spread(&first));
            spread.add(&spread_of_row(cpu, &other, bytes, ceiling, &mut []));
            let found = [spread.sum, spread.squares, spread.lowest.into(), spread.highest.into()];
            prop_assert_eq!((found, spread.count as usize), (both, first.len() + second.len()));
        }
    }

    #[test]
    fn percentiles_are_those_of_sorted_samples((row, _, bytes, ceiling) in two_rows()) {
        let depth = 16 - ceiling.leading_zeros() as u8;
        let shift = depth.saturating_sub(10);
        let values: Vec<u64> =
            naive::samples(&row, bytes, ceiling).iter().map(|value| value >> shift << shift).collect();
        let ways = [(Every::Second, 0), (Every::Second, 1), (Every::Fourth, 0), (Every::Fourth, 3)];
        for (every, skipped) in ways {
            let sampled: Vec<u64> = values.iter().copied().skip(skipped).step_by(every.step()).collect();
            let mut histogram = Histogram::new(depth, every);
            histogram.add_row(&[7; 64], 1 - skipped.min(1));
            histogram.clear();
            histogram.add_row(&row, skipped);
            let asked = [0, 10, 500, 990, 999, 1000];
            let expected = asked.map(|per_mille| naive::level(&sampled, per_mille) as u32);
            prop_assert_eq!(histogram.levels(asked), expected);
        }
    }

    #[test]
    fn hops_sum_up_as_the_naive_twin(samples in prop::collection::vec(-1.5_f32..1.5, 1..700), offset in -1.0_f32..1.0) {
        let samples: Vec<f32> = samples.iter().map(|sample| sample + offset).collect();
        let (mean, power, peak) = naive::hop(&samples);
        let count = samples.len() as f64;
        let first = hop_sums(Cpu::Portable, &samples);
        prop_assert!((first.sum / count - mean).abs() < 1e-12);
        prop_assert!((first.squares / count - (first.sum / count).powi(2) - power).abs() < 1e-12);
        prop_assert_eq!(first.peak, peak);
        // Not just close: the same bits on every path.
        prop_assert_eq!(hop_sums(Cpu::detect(), &samples), first);
    }

    #[test]
    fn quarters_slopes_and_products_are_the_naive_twins(
        pairs in prop::collection::vec((-1.5_f32..1.5, -1.5_f32..1.5), 0..700),
        before in -1.0_f32..1.0,
    ) {
        let (one, other): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
        let first = quarters(Cpu::Portable, before, &one);
        let bounds = quarter_bounds(one.len());
        let (expected, slopes) = (naive::quarters(&one), naive::slopes(before, &one));
        for quarter in 0..4 {
            let count = (bounds[quarter + 1] - bounds[quarter]).max(1) as f64;
            prop_assert!((first.squares[quarter] / count - expected[quarter]).abs() < 1e-12);
            prop_assert!((first.steps[quarter] / count - slopes[quarter]).abs() < 1e-12);
        }
        let product = product_sum(Cpu::Portable, &one, &other);
        prop_assert!((product / one.len().max(1) as f64 - naive::mean_product(&one, &other, 0)).abs() < 1e-12);
        prop_assert_eq!(quarters(Cpu::detect(), before, &one), first);
        prop_assert_eq!(product_sum(Cpu::detect(), &one, &other), product);
    }

    #[test]
    fn the_highest_samples_are_counted_as_the_naive_twin_does(
        samples in prop::collection::vec(-1.5_f32..1.5, 0..700),
        rail in 0.1_f32..1.5,
    ) {
        let samples: Vec<f32> = samples.iter().map(|sample| sample.clamp(-rail, rail)).collect();
        let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        let found = ceiling_counts(Cpu::Portable, &samples, peak);
        prop_assert_eq!([found.ties, found.near, found.over].map(|count| count as usize), naive::ceiling(&samples));
        prop_assert_eq!(ceiling_counts(Cpu::detect(), &samples, peak), found);
    }

    #[test]
    fn runs_are_found_across_any_cuts(samples in prop::collection::vec(0_u8..3, 0..300), repeat in 1_usize..40, cut in 1_usize..50) {
        let samples: Vec<f32> = samples.iter().flat_map(|value| vec![f32::from(*value); repeat]).collect();
        let mut run = Run::default();
        let longest = samples.chunks(cut).map(|chunk| run.longest(chunk)).max().unwrap_or(0);
        prop_assert_eq!(usize::from(longest), naive::longest_run(&samples));
    }

    #[test]
    fn the_interpolated_peak_is_the_naive_twins(samples in prop::collection::vec(-1.0_f32..1.0, 0..200)) {
        let expected = naive::interpolated_peak(&samples);
        let first = interpolated_peak(Cpu::Portable, &samples);
        // Twelve products in single precision.
        prop_assert!((f64::from(first) - expected).abs() < 1e-6);
        prop_assert_eq!(interpolated_peak(Cpu::detect(), &samples), first);
        let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        prop_assert!(first <= peak * TRUE_PEAK_GAIN_MAX);
    }
}

#[test]
fn the_largest_gain_of_the_interpolator_is_the_stated_one() {
    // The worst case for phase 1: full scale with the sign of each coefficient.
    let signs = [-1.0, 1.0, -1.0, 1.0, -1.0, 1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0];
    let peak = naive::interpolated_peak(&signs);
    assert!(peak <= f64::from(TRUE_PEAK_GAIN_MAX) && peak > f64::from(TRUE_PEAK_GAIN_MAX) - 0.001, "{peak}");
}

proptest! {
    #[test]
    fn seams_of_columns_are_those_of_the_naive_twin(
        rows in (1_usize..300).prop_flat_map(|width| prop::array::uniform8(row(width, 1))),
        step in 0_i32..2_000,
        steeper in 0_i32..4,
    ) {
        let limits = SeamLimits { step, steeper };
        let sums = |rows: &[Vec<u8>], of: fn(&[u8]) -> Vec<i32>| -> Vec<i32> {
            let each: Vec<Vec<i32>> = rows.iter().map(|row| of(row)).collect();
            (0..each[0].len()).map(|column| each.iter().map(|sums| sums[column]).sum()).collect()
        };
        let (steps, slopes) = (sums(&rows, naive::seam_steps), sums(&rows, naive::seam_slopes));
        for cpu in paths() {
            let columns = seam_columns_len(rows[0].len());
            let mut sides = vec![Side::default(); columns];
            let mut seams = vec![u64::MAX; columns.div_ceil(64)];
            for half in rows.chunks_exact(4) {
                seam_columns(cpu, std::array::from_fn(|y| &half[y][..]), limits, &mut sides, &mut seams);
            }
            prop_assert_eq!(columns, steps.len());
            for column in 0..columns {
                let expected = steps[column] > step && steps[column] > steeper * slopes[column];
                prop_assert_eq!(seams[column / 64] >> (column % 64) & 1 == 1, expected, "column {}", column);
            }
        }
    }

    #[test]
    fn seams_of_rows_are_those_of_the_naive_twin(
        rows in (1_usize..300).prop_flat_map(|width| prop::array::uniform4(row(width, 1))),
        step in 0_i32..4_000,
        steeper in 0_i32..4,
    ) {
        let limits = SeamLimits { step, steeper };
        for cpu in paths() {
            let sides = rows[0].len() / 16;
            let mut seams = vec![u64::MAX; sides.div_ceil(64)];
            seam_rows(cpu, std::array::from_fn(|y| &rows[y][..]), limits, &mut seams);
            for side in 0..sides {
                let difference = |above: usize| {
                    let part = side * 16..(side + 1) * 16;
                    naive::difference(&rows[above][part.clone()], &rows[above + 1][part]) as i32
                };
                let slopes = difference(0) + difference(2);
                let sum = 2 * difference(1) - slopes;
                let expected = sum > step && sum > steeper * slopes;
                prop_assert_eq!(seams[side / 64] >> (side % 64) & 1 == 1, expected, "side {}", side);
            }
        }
    }

    #[test]
    fn differences_of_rows_are_those_of_the_naive_twin(
        (row, other) in (1_usize..300).prop_flat_map(|width| (row(width, 1), row(width, 1))),
    ) {
        for cpu in paths() {
            prop_assert_eq!(row_difference(cpu, &row, &other), naive::difference(&row, &other));
        }
    }

    #[test]
    fn differences_of_blocks_are_those_of_the_naive_twin(one in any::<[u8; BLOCK]>(), other in any::<[u8; BLOCK]>()) {
        prop_assert_eq!(u64::from(block_difference(&one, &other)), naive::difference(&one, &other));
    }

    #[test]
    fn narrowed_samples_keep_their_upper_eight_bits((row, _, bytes, _) in two_rows(), depth in 9_u8..=16) {
        prop_assume!(bytes == 2);
        let mut narrow = Vec::new();
        narrow_row(&row, depth, &mut narrow);
        let ceiling = ((1_u32 << depth) - 1) as u16;
        let expected: Vec<u64> = naive::samples(&row, 2, ceiling).iter().map(|value| value >> (depth - 8)).collect();
        prop_assert_eq!(narrow.iter().map(|value| u64::from(*value)).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn widest_rows_do_not_overflow() {
    for (bytes, ceiling) in [(1, 255), (2, (1 << 14) - 1), (2, u16::MAX)] {
        let row = vec![255; 65_535 * bytes];
        let previous = vec![0; 65_535 * bytes];
        let values = naive::samples(&row, bytes, ceiling);
        let expected = naive::luma_row(&values, &naive::samples(&previous, bytes, ceiling), -1, 0);
        for cpu in paths() {
            let input = RowInput { row: &row, previous: &previous, bytes, ceiling, dark: -1, content: 0 };
            let mut strips = vec![0; 65_535_usize.div_ceil(STRIP) * words_per_strip(bytes)];
            let sums = luma_row(cpu, &input, true, true, &mut strips);
            assert_eq!((sums.sum, sums.content), (expected[0], 65_535));
            assert_eq!((sums.gradient, sums.difference), (expected[3], expected[4]));
            let spread = spread_of_row(cpu, &row, bytes, ceiling, &mut []);
            assert_eq!(
                [spread.sum, spread.squares, spread.lowest.into(), spread.highest.into()],
                naive::spread(&values)
            );
        }
    }
}
