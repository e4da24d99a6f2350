//! Levels outside the preferred range: EBU R 103.
//!
//! Four chroma samples side by side are averaged first, and luma over their area: the low-pass that the
//! recommendation asks for, so that overshoots of single pixels and noise do not count. Every 16th row of
//! chroma of every fifth picture is looked at: errors of level last, and cover areas.

use avwatch_actors::frame::{GamutFacts, PictureView};

use super::levels::{Scale, ratio};

/// Pictures from one measurement to the next.
const PICTURE_STEP: usize = 5;
/// Distance of the rows of chroma that are looked at.
const ROW_STEP: usize = 16;
/// Chroma samples side by side that are averaged.
const AVERAGED: usize = 4;
/// Preferred range of luma and of red, green and blue, in levels (EBU R 103: −5 % to 105 %).
const PREFERRED: std::ops::RangeInclusive<f32> = 5.0..=246.0;
/// Pictures higher than this, in rows, are of ITU-R BT.709, others of BT.601.
const SD_ROWS_MAX: usize = 576;

/// How Cb and Cr make up red, green and blue from luma, in levels.
#[derive(Clone, Copy)]
struct Matrix {
    red_of_v: f32,
    green_of_u: f32,
    green_of_v: f32,
    blue_of_u: f32,
}

impl Matrix {
    fn of(height: usize) -> Self {
        let (of_red, of_blue): (f32, f32) = if height > SD_ROWS_MAX { (0.2126, 0.0722) } else { (0.299, 0.114) };
        let of_green = 1.0 - of_red - of_blue;
        // Chroma spans 224 levels, luma 219.
        let (red_of_v, blue_of_u) = (2.0 * (1.0 - of_red) * 219.0 / 224.0, 2.0 * (1.0 - of_blue) * 219.0 / 224.0);
        Self {
            red_of_v,
            green_of_u: -blue_of_u * of_blue / of_green,
            green_of_v: -red_of_v * of_red / of_green,
            blue_of_u,
        }
    }
}

/// Measures pictures of one track; keeps nothing but room to work in.
#[derive(Default)]
pub(super) struct GamutMeter {
    /// Averages of two rows of luma, and of one of Cb and of Cr.
    averages: [Vec<f32>; 4],
}

impl GamutMeter {
    /// Measures the picture of that number, if it is its turn. The planes must hold all their rows.
    pub(super) fn measure(&mut self, picture: &PictureView<'_>, number: usize) -> GamutFacts {
        if !number.is_multiple_of(PICTURE_STEP) {
            return GamutFacts::default();
        }
        let luma_scale = Scale::luma(picture.depth, picture.full_range);
        let chroma_scale = Scale::chroma(picture.depth, picture.full_range);
        let bytes = if picture.depth > 8 { 2 } else { 1 };
        let matrix = Matrix::of(picture.luma.height);
        let Some([u, v]) = &picture.chroma else {
            return GamutFacts::default();
        };
        let (across, down) = (picture.luma.width.div_ceil(u.width), picture.luma.height.div_ceil(u.height));
        let (mut luma_outside, mut rgb_outside, mut all) = (0_u64, 0_u64, 0_u64);
        let [upper, lower, means_u, means_v] = &mut self.averages;
        for y in (number / PICTURE_STEP % ROW_STEP..u.height).step_by(ROW_STEP) {
            let row = |y: usize| picture.luma.row(y.min(picture.luma.height - 1), bytes);
            average(row(y * down), bytes, AVERAGED * across, upper);
            average(row(y * down + down - 1), bytes, AVERAGED * across, lower);
            average(u.row(y, bytes), bytes, AVERAGED, means_u);
            average(v.row(y, bytes), bytes, AVERAGED, means_v);
            for (((upper, lower), u), v) in upper.iter().zip(&*lower).zip(&*means_u).zip(&*means_v) {
                let luma = luma_scale.level(f64::from(upper.midpoint(*lower)));
                let cb = chroma_scale.level(f64::from(*u)) - 128.0;
                let cr = chroma_scale.level(f64::from(*v)) - 128.0;
                let red = luma + matrix.red_of_v * cr;
                let green = luma + matrix.green_of_u * cb + matrix.green_of_v * cr;
                let blue = luma + matrix.blue_of_u * cb;
                // Without branches, so that many are compared at a time.
                let inside = |level: f32| (level >= *PREFERRED.start()) & (level <= *PREFERRED.end());
                luma_outside += u64::from(!inside(luma));
                rgb_outside += u64::from(!(inside(red) & inside(green) & inside(blue)));
            }
            all += means_u.len() as u64;
        }
        GamutFacts {
            measured: true,
            luma_share: ratio(luma_outside, all) as f32,
            rgb_share: ratio(rgb_outside, all) as f32,
        }
    }
}

/// The means of so many samples side by side; what is left over at the end of the row makes one, too.
fn average(row: &[u8], bytes: usize, count: usize, means: &mut Vec<f32>) {
    means.clear();
    match (bytes, count) {
        (1, 4) => average_8bit::<4>(row, means),
        (1, 8) => average_8bit::<8>(row, means),
        (1, _) => means.extend(row.chunks(count).map(mean_8bit)),
        _ => means.extend(row.chunks(2 * count).map(|part| {
            let samples = part.as_chunks::<2>().0;
            let sum: u32 = samples.iter().map(|sample| u32::from(u16::from_le_bytes(*sample))).sum();
            sum as f32 / samples.len() as f32
        })),
    }
}

/// The same of a number that the compiler knows, so that it unrolls the sum.
fn average_8bit<const COUNT: usize>(row: &[u8], means: &mut Vec<f32>) {
    let (parts, rest) = row.as_chunks::<COUNT>();
    means.extend(parts.iter().map(|part| mean_8bit(part)));
    means.extend((!rest.is_empty()).then(|| mean_8bit(rest)));
}

#[inline]
fn mean_8bit(samples: &[u8]) -> f32 {
    samples.iter().map(|sample| u32::from(*sample)).sum::<u32>() as f32 / samples.len() as f32
}

#[cfg(test)]
mod tests {
    use avwatch_actors::frame::Plane;
    use proptest::prelude::*;

    use super::*;

    /// Samples of a plane, and its size.
    type Samples = (Vec<u16>, usize, usize);

    fn plane<'a>(bytes: &'a [u8], (_, width, height): &Samples, bytes_each: usize) -> Plane<'a> {
        Plane { bytes, width: *width, height: *height, stride: width * bytes_each }
    }

    /// Shares of groups of four chroma samples outside in luma and in colour, one group after the other.
    fn naive([luma, u, v]: [&Samples; 3], depth: u8, number: usize) -> (f32, f32) {
        let (across, down) = (luma.1.div_ceil(u.1), luma.2.div_ceil(u.2));
        let matrix = Matrix::of(luma.2);
        let (luma_scale, chroma_scale) = (Scale::luma(depth, false), Scale::chroma(depth, false));
        let (mut outside, mut all) = ([0_u32; 2], 0_u32);
        for y in (number / PICTURE_STEP % ROW_STEP..u.2).step_by(ROW_STEP) {
            for x in (0..u.1).step_by(AVERAGED) {
                let to = (x + AVERAGED).min(u.1);
                let mean = |samples: Vec<u16>| {
                    samples.iter().map(|sample| f64::from(*sample)).sum::<f64>() / samples.len() as f64
                };
                let of_rows = |plane: &Samples, rows: &[usize], from: usize, to: usize| {
                    let row = |row: usize| &plane.0[row.min(plane.2 - 1) * plane.1..][from..to.min(plane.1)];
                    mean(rows.iter().flat_map(|y| row(*y).to_vec()).collect())
                };
                let y_level =
                    luma_scale.level(of_rows(luma, &[y * down, y * down + down - 1], x * across, to * across));
                let cb = chroma_scale.level(of_rows(u, &[y], x, to)) - 128.0;
                let cr = chroma_scale.level(of_rows(v, &[y], x, to)) - 128.0;
                let red = y_level + matrix.red_of_v * cr;
                let green = y_level + matrix.green_of_u * cb + matrix.green_of_v * cr;
                let blue = y_level + matrix.blue_of_u * cb;
                outside[0] += u32::from(!PREFERRED.contains(&y_level));
                outside[1] += u32::from([red, green, blue].iter().any(|level| !PREFERRED.contains(level)));
                all += 1;
            }
        }
        (outside[0] as f32 / all.max(1) as f32, outside[1] as f32 / all.max(1) as f32)
    }

    proptest! {
        #[test]
        fn shares_are_the_naive_twins(
            (width, height) in (1_usize..40, 1_usize..40),
            (across, down) in prop::sample::select(vec![(1_usize, 1_usize), (2, 1), (2, 2), (4, 1)]),
            (lacks_column, lacks_row) in any::<(bool, bool)>(),
            depth in prop::sample::select(vec![8_u8, 10]),
            number in 0_usize..20,
            seed in any::<u32>(),
        ) {
            let mut dice = seed;
            let mut samples = |width: usize, height: usize, middle: u16, spread: u16| -> Samples {
                let drawn = (0..width * height).map(|_| {
                    dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let level = i32::from(middle) + (dice >> 16) as i32 % (2 * i32::from(spread)) - i32::from(spread);
                    (level.clamp(0, 255) as u16) << (depth - 8)
                });
                (drawn.collect(), width, height)
            };
            // Of an odd size, the last chroma sample stands for fewer of luma.
            let less = |lacks: bool, times: usize| usize::from(lacks && times > 1);
            let size = (width * across - less(lacks_column, across), height * down - less(lacks_row, down));
            let luma = samples(size.0, size.1, 128, 150);
            let (u, v) = (samples(width, height, 128, 60), samples(width, height, 128, 60));
            let bytes = if depth > 8 { 2 } else { 1 };
            let coded = |samples: &Samples| -> Vec<u8> {
                samples.0.iter().flat_map(|sample| sample.to_le_bytes()[..bytes].to_vec()).collect()
            };
            let (coded_luma, coded_u, coded_v) = (coded(&luma), coded(&u), coded(&v));
            let chroma = Some([plane(&coded_u, &u, bytes), plane(&coded_v, &v, bytes)]);
            let picture =
                PictureView { luma: plane(&coded_luma, &luma, bytes), chroma, depth, full_range: false };
            let found = GamutMeter::default().measure(&picture, number);
            prop_assert_eq!(found.measured, number % PICTURE_STEP == 0);
            if found.measured {
                prop_assert_eq!((found.luma_share, found.rgb_share), naive([&luma, &u, &v], depth, number));
            }
        }
    }
}
