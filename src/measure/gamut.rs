//! Levels outside the preferred range: EBU R 103.
//!
//! Four chroma samples side by side are averaged first, and luma over their area: the low-pass that the
//! recommendation asks for, so that overshoots of single pixels and noise do not count. Every 16th row of
//! chroma of every fifth picture is looked at: errors of level last, and cover areas.

use avwatch_actors::frame::{GamutFacts, PictureView};

use super::kernels::sample_at;
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

/// Measures the picture of that number, if it is its turn. The planes must hold all their rows.
pub(super) fn measure(picture: &PictureView<'_>, number: usize) -> GamutFacts {
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
    let (across, down) = (picture.luma.width / u.width, picture.luma.height / u.height);
    if across == 0 || down == 0 {
        return GamutFacts::default();
    }
    let (mut luma_outside, mut rgb_outside, mut all) = (0_u64, 0_u64, 0_u64);
    for y in (number / PICTURE_STEP % ROW_STEP..u.height).step_by(ROW_STEP) {
        let (row_u, row_v) = (u.row(y, bytes), v.row(y, bytes));
        let rows: [&[u8]; 2] = [picture.luma.row(y * down, bytes), picture.luma.row(y * down + down - 1, bytes)];
        let sample = |row: &[u8], x: usize| u32::from(sample_at(row, x, bytes));
        for x in (0..u.width).step_by(AVERAGED) {
            let to = (x + AVERAGED).min(u.width);
            let count = (to - x) as f64;
            let of_luma = |row: &[u8], x: usize| sample(row, x * across) + sample(row, x * across + across - 1);
            let sum: u32 = rows.iter().map(|row| (x..to).map(|x| of_luma(row, x)).sum::<u32>()).sum();
            let of_chroma = |row: &[u8]| (x..to).map(|x| sample(row, x)).sum::<u32>();
            let luma = luma_scale.level(f64::from(sum) / (4.0 * count));
            let cb = chroma_scale.level(f64::from(of_chroma(row_u)) / count) - 128.0;
            let cr = chroma_scale.level(f64::from(of_chroma(row_v)) / count) - 128.0;
            let red = luma + matrix.red_of_v * cr;
            let green = luma + matrix.green_of_u * cb + matrix.green_of_v * cr;
            let blue = luma + matrix.blue_of_u * cb;
            let inside = |level: f32| PREFERRED.contains(&level);
            luma_outside += u64::from(!inside(luma));
            rgb_outside += u64::from(!(inside(red) && inside(green) && inside(blue)));
        }
        all += u.width.div_ceil(AVERAGED) as u64;
    }
    GamutFacts {
        measured: true,
        luma_share: ratio(luma_outside, all) as f32,
        rgb_share: ratio(rgb_outside, all) as f32,
    }
}
