//! Seams on the grid of coded blocks: what concealed and lost blocks leave behind.
//!
//! Fed row by row during the walk over luma. Vertical sides are judged over bands of 16 rows, of
//! which every second is looked at; horizontal ones by the rows around every eighth. What is left
//! over at the right and bottom edge, and the edges themselves, are no sides.

use avwatch_actors::frame::SeamFacts;

use super::kernels::{Cpu, SEAM_ROWS_MAX, STRIP, SeamColumns, StepWeight, add_strip_differences};

/// Side of a macroblock, and rows of a band.
const BLOCK: usize = 16;
/// Distance of the rows of a band that are looked at for vertical sides.
const ROW_STEP: usize = 2;
const _: () = assert!(BLOCK / ROW_STEP <= SEAM_ROWS_MAX, "a band's rows fit into the sums");
/// Step of a side, in levels, above which it is a seam.
const SEAM_ABOVE: f64 = 10.0;

/// Sides of one grid.
#[derive(Clone, Copy, Debug, Default)]
struct Sides {
    seams: u32,
    all: u32,
}

impl Sides {
    fn count(&mut self, is_seam: bool) {
        self.seams += u32::from(is_seam);
        self.all += 1;
    }

    fn share(self) -> f32 {
        self.seams as f32 / self.all.max(1) as f32
    }
}

/// Looks for seams while a picture is scanned.
pub(super) struct SeamFinder {
    height: usize,
    columns: SeamColumns,
    strips: Vec<i64>,
    /// Sums above which a vertical and a horizontal side is a seam.
    limits: (i32, i64),
    macroblocks: Sides,
    shifted: Sides,
}

impl SeamFinder {
    /// For pictures of that size; `scale` is levels per code value of 8-bit rows.
    pub(super) fn new(width: usize, height: usize, scale: f64) -> Self {
        // A step is doubled and summed over the samples of a side.
        let limit = |samples: usize| 2.0 * SEAM_ABOVE / scale * samples as f64;
        Self {
            height,
            columns: SeamColumns::new(width),
            strips: vec![0; width / STRIP],
            limits: (limit(BLOCK / ROW_STEP) as i32, limit(BLOCK) as i64),
            macroblocks: Sides::default(),
            shifted: Sides::default(),
        }
    }

    /// True when row `y` and the one before it are to be handed in.
    pub(super) fn wants(y: usize) -> bool {
        y.is_multiple_of(ROW_STEP) || matches!(y % STRIP, 1 | 7)
    }

    /// Takes row `y`, in 8-bit samples, and the one before it; of row 0, itself.
    pub(super) fn row(&mut self, cpu: Cpu, y: usize, row: &[u8], before: &[u8]) {
        if y.is_multiple_of(ROW_STEP) {
            self.columns.add_row(cpu, row);
        }
        let whole = self.strips.len() * STRIP;
        let (row, before) = (&row[..whole], &before[..whole]);
        match y % STRIP {
            7 => {
                self.strips.fill(0);
                add_strip_differences(cpu, row, before, StepWeight::Negative, &mut self.strips);
            }
            0 if y > 0 => add_strip_differences(cpu, row, before, StepWeight::Twice, &mut self.strips),
            1 if y > 1 => {
                add_strip_differences(cpu, row, before, StepWeight::Negative, &mut self.strips);
                self.end_horizontal(y - 1);
            }
            _ => {}
        }
    }

    /// Ends the band that row `y` is the last of, if it is.
    pub(super) fn row_done(&mut self, y: usize) {
        if y % BLOCK != BLOCK - 1 {
            return;
        }
        for number in 1..=self.columns.len() {
            let is_seam = self.columns.step(number) > self.limits.0;
            if number.is_multiple_of(2) { self.macroblocks.count(is_seam) } else { self.shifted.count(is_seam) }
        }
        self.columns.clear();
    }

    /// Judges the horizontal sides at row `y`, a multiple of 8.
    fn end_horizontal(&mut self, y: usize) {
        debug_assert!(y < self.height);
        let grid = if y.is_multiple_of(BLOCK) { &mut self.macroblocks } else { &mut self.shifted };
        for pair in self.strips.chunks_exact(BLOCK / STRIP) {
            grid.count(pair.iter().sum::<i64>() > self.limits.1);
        }
    }

    /// What was found; the next row begins a picture.
    pub(super) fn finish(&mut self) -> SeamFacts {
        self.columns.clear();
        let (macroblocks, shifted) = (std::mem::take(&mut self.macroblocks), std::mem::take(&mut self.shifted));
        SeamFacts { macroblock_share: macroblocks.share(), shifted_share: shifted.share(), grey_share: 0.0 }
    }
}
