//! Small pictures: a decoded picture made small by looking at a few of its samples.
//!
//! Runs on the thread that decoded it, so it has to be cheap: each small sample is the mean of eight,
//! spread over two rows and four columns of what it stands for, whatever the size of the picture.
//! Pure; owned by whoever asked.

use avwatch_actors::frame::{PictureView, Plane};

/// Widest and highest that a small picture may be.
const SIZE_MAX: f64 = 320.0;
/// Narrowest and widest pixel that is believed.
const ASPECTS: (f64, f64) = (0.25, 4.0);
/// Rows and columns that are looked at for a sample.
const ROWS: usize = 2;
const COLUMNS: usize = 4;
/// Highest sum of those samples, of 8 bit.
const SUM_MAX: usize = 255 * ROWS * COLUMNS;

/// A small picture in 4:2:0 and full range: Y, Cb and Cr without padding, as JPEG has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmallPicture {
    /// Width in pixels, even.
    pub width: u32,
    /// Height in pixels, even.
    pub height: u32,
    /// The planes.
    pub planes: [Vec<u8>; 3],
}

impl SmallPicture {
    /// Makes a picture small: at most 320 × 320 pixels, and not larger than it is; `pixel_aspect` is the
    /// width of a pixel over its height. Nothing when it has a depth or size that no picture has.
    pub fn of(view: &PictureView<'_>, pixel_aspect: f64) -> Option<Self> {
        let from = (u32::try_from(view.luma.width).ok()?, u32::try_from(view.luma.height).ok()?);
        if from.0 == 0 || from.1 == 0 || !(8..=16).contains(&view.depth) {
            return None;
        }
        let (width, height) = small(from, pixel_aspect);
        let size = (width as usize, height as usize);
        let half = (size.0 / 2, size.1 / 2);
        let (luma, chroma) = if view.full_range { (&FULL, &FULL) } else { (&LUMA, &CHROMA) };
        let colour = |place: usize| match &view.chroma {
            Some(planes) if planes[place].width > 0 && planes[place].height > 0 => {
                shrink(&planes[place], view.depth, half, chroma)
            }
            Some(_) | None => vec![128; half.0 * half.1],
        };
        Some(Self { width, height, planes: [shrink(&view.luma, view.depth, size, luma), colour(0), colour(1)] })
    }
}

/// Full-range levels by the sum of samples of limited range.
const LUMA: [u8; SUM_MAX + 1] = levels(16, 0, 219);
const CHROMA: [u8; SUM_MAX + 1] = levels(128, 128, 224);
/// The same where they are of full range already.
const FULL: [u8; SUM_MAX + 1] = levels(0, 0, 255);

/// (mean − zero) × 255 / range + base, rounded, by the sum.
const fn levels(zero: i64, base: i64, range: i64) -> [u8; SUM_MAX + 1] {
    let count = (ROWS * COLUMNS) as i64;
    let mut levels = [0; SUM_MAX + 1];
    let mut sum = 0;
    while sum <= SUM_MAX {
        let scaled = (sum as i64 - zero * count) * 255 * 2 + range * count;
        let level = scaled.div_euclid(2 * range * count) + base;
        levels[sum] = if level < 0 {
            0
        } else if level > 255 {
            255
        } else {
            level as u8
        };
        sum += 1;
    }
    levels
}

/// Where the samples lie that `many` small ones are made of, `each` for one.
fn places(from: usize, many: usize, each: usize) -> impl Iterator<Item = usize> {
    // In the middles of equal parts; below `from` since the last middle is.
    (0..many * each).map(move |place| (2 * place + 1) * from / (2 * many * each))
}

fn shrink(plane: &Plane<'_>, depth: u8, (width, height): (usize, usize), levels: &[u8; SUM_MAX + 1]) -> Vec<u8> {
    let columns: Vec<usize> = places(plane.width, width, COLUMNS).collect();
    let rows: Vec<usize> = places(plane.height, height, ROWS).collect();
    let mut small = vec![0; width * height];
    for (target, rows) in small.chunks_exact_mut(width).zip(rows.chunks_exact(ROWS)) {
        if depth == 8 {
            row_of_bytes(target, [plane.row(rows[0], 1), plane.row(rows[1], 1)], &columns, levels);
        } else {
            row_of_words(target, [plane.row(rows[0], 2), plane.row(rows[1], 2)], &columns, depth - 8, levels);
        }
    }
    small
}

fn row_of_bytes(target: &mut [u8], [upper, lower]: [&[u8]; ROWS], columns: &[usize], levels: &[u8; SUM_MAX + 1]) {
    let sample = |row: &[u8], x: usize| usize::from(row.get(x).copied().unwrap_or(0));
    for (small, columns) in target.iter_mut().zip(columns.chunks_exact(COLUMNS)) {
        let sum: usize = columns.iter().map(|x| sample(upper, *x) + sample(lower, *x)).sum();
        *small = levels[sum.min(SUM_MAX)];
    }
}

fn row_of_words(
    target: &mut [u8],
    [upper, lower]: [&[u8]; ROWS],
    columns: &[usize],
    shift: u8,
    levels: &[u8; SUM_MAX + 1],
) {
    let sample = |row: &[u8], x: usize| match row.get(2 * x..2 * x + 2) {
        Some(bytes) => usize::from(u16::from_le_bytes([bytes[0], bytes[1]])),
        None => 0,
    };
    for (small, columns) in target.iter_mut().zip(columns.chunks_exact(COLUMNS)) {
        let sum: usize = columns.iter().map(|x| sample(upper, *x) + sample(lower, *x)).sum();
        *small = levels[(sum >> shift).min(SUM_MAX)];
    }
}

/// The size of a small picture: even, at least 2 × 2.
fn small((width, height): (u32, u32), pixel_aspect: f64) -> (u32, u32) {
    let aspect = if pixel_aspect.is_finite() && pixel_aspect > 0.0 { pixel_aspect } else { 1.0 };
    let shown = (f64::from(width) * aspect.clamp(ASPECTS.0, ASPECTS.1), f64::from(height));
    let factor = (SIZE_MAX / shown.0.max(shown.1)).min(1.0);
    let even = |length: f64| ((length * factor / 2.0).round() as u32 * 2).clamp(2, SIZE_MAX as u32);
    (even(shown.0), even(shown.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A grey picture of 8 bit and full range whose samples are made by `level`.
    fn grey(width: usize, height: usize, level: impl Fn(usize, usize) -> u8) -> SmallPicture {
        let bytes: Vec<u8> = (0..width * height).map(|index| level(index % width, index / width)).collect();
        let luma = Plane { bytes: &bytes, stride: width, width, height };
        SmallPicture::of(&PictureView { luma, chroma: None, depth: 8, full_range: true }, 1.0).expect("is made")
    }

    #[test]
    fn what_is_where_in_the_picture_stays_there() {
        let small = grey(1_920, 1_080, |x, y| match (x < 960, y < 540) {
            (true, true) => 10,
            (false, true) => 90,
            (true, false) => 170,
            (false, false) => 250,
        });
        assert_eq!((small.width, small.height), (320, 180));
        let at = |x: usize, y: usize| small.planes[0][y * 320 + x];
        let corners = [at(0, 0), at(319, 0), at(0, 179), at(319, 179)];
        assert_eq!(corners, [10, 90, 170, 250]);
        assert_eq!([at(159, 89), at(160, 89), at(159, 90), at(160, 90)], corners, "the middle is sharp");
    }

    #[test]
    fn fine_detail_becomes_its_mean_instead_of_a_pattern() {
        let small = grey(1_920, 1_080, |x, y| if (x + y) % 2 == 0 { 0 } else { 200 });
        let (lowest, highest) = (small.planes[0].iter().min(), small.planes[0].iter().max());
        assert!(lowest >= Some(&50) && highest <= Some(&150), "{lowest:?} {highest:?}");
    }

    #[test]
    fn a_ramp_is_as_its_exact_mean_within_two_levels() {
        let small = grey(1_280, 720, |x, _| (x / 5) as u8);
        for x in 0..320 {
            let exact: usize = (4 * x..4 * x + 4).map(|x| x / 5).sum::<usize>() / 4;
            assert!(usize::from(small.planes[0][x]).abs_diff(exact) <= 2);
        }
    }

    #[test]
    fn planes_that_hold_less_than_they_say_give_dark_samples_and_no_panic() {
        let luma = Plane { bytes: &[200; 40], stride: 64, width: 64, height: 64 };
        let small = SmallPicture::of(&PictureView { luma, chroma: None, depth: 10, full_range: false }, 1.0);
        assert_eq!(small.expect("is made").planes[0][64 * 64 - 1], 0);
    }
}
