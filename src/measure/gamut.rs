//! Levels outside the preferred range: EBU R 103.
//!
//! Luma is averaged over the area of a chroma sample first, which is the low-pass that the
//! recommendation asks for, so that overshoots of single pixels do not count. Every 16th row of
//! chroma of every fifth picture is looked at: errors of level last, and cover areas.

use avwatch_actors::frame::{GamutFacts, PictureView};

use super::kernels::sample_at;
use super::levels::{Scale, ratio};

/// Pictures from one measurement to the next.
const PICTURE_STEP: usize = 5;
/// Distance of the rows of chroma that are looked at.
const ROW_STEP: usize = 16;
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
        for x in 0..u.width {
            let (left, right) = (x * across, x * across + across - 1);
            let sum: u32 = rows
                .iter()
                .map(|row| u32::from(sample_at(row, left, bytes)) + u32::from(sample_at(row, right, bytes)))
                .sum();
            let luma = luma_scale.level(f64::from(sum) / 4.0);
            let cb = chroma_scale.level(f64::from(sample_at(row_u, x, bytes))) - 128.0;
            let cr = chroma_scale.level(f64::from(sample_at(row_v, x, bytes))) - 128.0;
            let red = luma + matrix.red_of_v * cr;
            let green = luma + matrix.green_of_u * cb + matrix.green_of_v * cr;
            let blue = luma + matrix.blue_of_u * cb;
            let inside = |level: f32| PREFERRED.contains(&level);
            luma_outside += u64::from(!inside(luma));
            rgb_outside += u64::from(!(inside(red) && inside(green) && inside(blue)));
        }
        all += u.width as u64;
    }
    GamutFacts {
        measured: true,
        luma_share: ratio(luma_outside, all) as f32,
        rgb_share: ratio(rgb_outside, all) as f32,
    }
}
