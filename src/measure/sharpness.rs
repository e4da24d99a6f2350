//! Sharpness: how much of the change over four pixels happens within one.
//!
//! Fed row by row during the walk over luma; every 16th row and the four before it are looked at.

use avwatch_actors::frame::SharpnessFacts;

use super::kernels::{Cpu, row_difference};

/// Distance of the rows that are looked at.
pub(super) const ROW_STEP: usize = 16;
/// The first of them: away from the edge and from the grid of coded blocks.
const FIRST_ROW: usize = 6;
/// The larger distance of pixels, in pixels.
pub(super) const FAR: usize = 4;

/// Sums of differences of one direction.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    near: u64,
    far: u64,
}

impl Sums {
    fn ratio(self) -> f32 {
        if self.far == 0 { 0.0 } else { (self.near as f64 / self.far as f64) as f32 }
    }
}

/// Measures sharpness while a picture is scanned.
#[derive(Default)]
pub(super) struct SharpnessMeter {
    across: Sums,
    down: Sums,
    samples: u64,
}

impl SharpnessMeter {
    /// The rows that a walk leaves out and that are asked for at the first row of that kind from row `y` on, which is
    /// a multiple of [`ROW_STEP`].
    pub(super) fn left_out(y: usize) -> [usize; 2] {
        [y + FIRST_ROW - FAR, y + FIRST_ROW - 1]
    }

    /// True when row `y`, the one before it and the one four before it are to be handed in.
    pub(super) fn wants(y: usize) -> bool {
        y % ROW_STEP == FIRST_ROW
    }

    /// Takes a row of 8-bit samples with the one before it and the one four before it.
    pub(super) fn row(&mut self, cpu: Cpu, row: &[u8], before: &[u8], far_before: &[u8]) {
        if row.len() <= FAR {
            return;
        }
        let width = row.len() - FAR;
        let first = &row[..width];
        self.across.near += row_difference(cpu, first, &row[1..=width]);
        self.across.far += row_difference(cpu, first, &row[FAR..]);
        self.down.near += row_difference(cpu, first, &before[..width]);
        self.down.far += row_difference(cpu, first, &far_before[..width]);
        self.samples += width as u64;
    }

    /// What was found, in levels of `scale` per code value; the next row begins a picture.
    pub(super) fn finish(&mut self, scale: f64) -> SharpnessFacts {
        let Self { across, down, samples } = std::mem::take(self);
        let mean = (across.far + down.far) as f64 / (2 * samples.max(1)) as f64;
        SharpnessFacts { measured: true, across: across.ratio(), down: down.ratio(), detail: (mean * scale) as f32 }
    }
}
