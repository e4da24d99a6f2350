//! Seams on the grid of coded blocks: what concealed and lost blocks leave behind.
//!
//! Fed row by row during the walk over luma. A side of a block is a seam when the step across it is large
//! and twice as steep as the picture beside it: fine texture has steps of any size, but they have their like
//! on either side. A block is torn when two or more of its four sides are seams, and more than in the
//! picture before; this is counted on the grid of 16 × 16 blocks and, for comparison, on the same grid
//! shifted by 8 in both directions, where coding puts no blocks. Vertical sides are judged by every second
//! row, horizontal ones by the rows around every eighth. Sides at the edge of the picture are none, and what
//! is left over at the right and bottom is in no block.

use avwatch_actors::frame::SeamFacts;

use super::kernels::{Cpu, SEAM_ROWS_MAX, STRIP, SeamColumns, StepWeight, add_strip_differences};

/// Side of a block.
const BLOCK: usize = 16;
/// Rows of a half band: bands of both grids are made of two.
const HALF: usize = BLOCK / 2;
/// Distance of the rows that are looked at for vertical sides.
const ROW_STEP: usize = 2;
const _: () = assert!(2 * HALF / ROW_STEP <= SEAM_ROWS_MAX && HALF == STRIP, "a band fits into the sums");
/// Step of a side, in levels, above which it is a seam.
const SEAM_ABOVE: f64 = 10.0;
/// How many times as large as the slopes beside it the step of a seam is.
const STEEPER: i16 = 2;
/// Sides of a block that make it torn.
const TORN_SIDES: u8 = 2;

/// The blocks of one grid.
#[derive(Clone, Debug, Default)]
struct Blocks {
    /// 0, or 1 for the grid shifted by half a block.
    shift: usize,
    /// Per column of blocks: seams at its left and right, and above it.
    beside: Vec<u8>,
    above: Vec<u8>,
    /// Seams around each block in the picture before; empty when there was none.
    before: Vec<u8>,
    now: Vec<u8>,
    torn: u32,
}

impl Blocks {
    fn new(shift: usize, width: usize) -> Self {
        let columns = width.saturating_sub(shift * HALF) / BLOCK;
        Self { shift, beside: vec![0; columns], above: vec![0; columns], ..Self::default() }
    }

    /// Takes the vertical sides of a band: `seams[n]` is that at column `8 · n`, 1 for a seam.
    fn band(&mut self, seams: &[u8]) {
        // The column behind the last block may be the edge, which is no side.
        let right = seams.get(2 + self.shift..).unwrap_or(&[]).iter().step_by(2).chain(std::iter::repeat(&0));
        let left = seams.get(self.shift..).unwrap_or(&[]).iter().step_by(2);
        for ((beside, left), right) in self.beside.iter_mut().zip(left).zip(right) {
            *beside = left + right;
        }
    }

    /// Takes the horizontal sides below the band, each the sum of two strips, and counts its blocks.
    /// Of `strips`, the first are twice the steps, the others less the slopes beside them.
    fn below(&mut self, strips: [&[i64]; 2], limit: i64, closes_band: bool) {
        let [steps, slopes] = strips.map(|strips| strips.get(self.shift..).unwrap_or(&[]).as_chunks::<2>().0);
        let begun = self.now.len();
        for (((step, slope), above), beside) in steps.iter().zip(slopes).zip(&mut self.above).zip(&self.beside) {
            let slope = -(slope[0] + slope[1]);
            let step = step[0] + step[1] - slope;
            let below = u8::from(step > limit && step > slope * i64::from(STEEPER));
            let above = std::mem::replace(above, below);
            if closes_band {
                self.now.push(beside + above + below);
            }
        }
        let before = self.before.get(begun..).unwrap_or(&[]);
        let torn = self.now[begun..].iter().zip(before).filter(|(now, before)| **now >= TORN_SIDES && now > before);
        self.torn += torn.count() as u32;
    }

    /// Torn blocks and all blocks of the picture, which is the picture before from now on.
    fn finish(&mut self) -> (u32, u32) {
        let found = (self.torn, self.now.len() as u32);
        std::mem::swap(&mut self.before, &mut self.now);
        self.now.clear();
        self.above.fill(0);
        self.torn = 0;
        found
    }
}

/// Looks for seams while a picture is scanned.
pub(super) struct SeamFinder {
    columns: SeamColumns,
    /// Steps of this half band and the one before, by column of the grid of 8, with the slopes beside them,
    /// and the seams of both together.
    half: [Vec<i16>; 2],
    half_before: [Vec<i16>; 2],
    seams: Vec<u8>,
    /// By strip, twice the steps of a row of horizontal sides, and less the slopes beside them.
    steps: Vec<i64>,
    slopes: Vec<i64>,
    /// Sums above which a vertical and a horizontal side is a seam.
    limits: (i16, i64),
    grids: [Blocks; 2],
}

impl SeamFinder {
    /// For pictures of that width; `scale` is levels per code value of 8-bit rows.
    pub(super) fn new(width: usize, scale: f64) -> Self {
        // A step is doubled and summed over the samples of a side.
        let limit = |samples: usize| 2.0 * SEAM_ABOVE / scale * samples as f64;
        let columns = SeamColumns::new(width);
        Self {
            half: [0; 2].map(|sum| vec![sum; columns.len() + 1]),
            half_before: [0; 2].map(|sum| vec![sum; columns.len() + 1]),
            seams: Vec::with_capacity(columns.len() + 1),
            columns,
            steps: vec![0; width / STRIP],
            slopes: vec![0; width / STRIP],
            limits: (limit(BLOCK / ROW_STEP) as i16, limit(BLOCK) as i64),
            grids: [Blocks::new(0, width), Blocks::new(1, width)],
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
        let whole = self.steps.len() * STRIP;
        let (row, before) = (&row[..whole], &before[..whole]);
        match y % STRIP {
            7 => {
                self.slopes.fill(0);
                add_strip_differences(cpu, row, before, StepWeight::Negative, &mut self.slopes);
            }
            0 if y > 0 => {
                self.steps.fill(0);
                add_strip_differences(cpu, row, before, StepWeight::Twice, &mut self.steps);
            }
            1 if y > 1 => {
                add_strip_differences(cpu, row, before, StepWeight::Negative, &mut self.slopes);
                let half = (y - 1) / HALF;
                // Halves 0 and 1 are the first band, 1 and 2 the first of the shifted grid.
                let grid = &mut self.grids[half % 2];
                grid.below([&self.steps, &self.slopes], self.limits.1, half >= 2);
            }
            _ => {}
        }
    }

    /// Ends the half band that row `y` is the last of, if it is.
    pub(super) fn row_done(&mut self, y: usize) {
        if y % HALF != HALF - 1 {
            return;
        }
        let half = y / HALF;
        std::mem::swap(&mut self.half, &mut self.half_before);
        let [steps, slopes] = &mut self.half;
        self.columns.steps(steps, slopes);
        self.columns.clear();
        if half > 0 {
            let limit = self.limits.0;
            let both = |of: usize| self.half[of].iter().zip(&self.half_before[of]).map(|(now, before)| now + before);
            let is_seam = |(step, slope): (i16, i16)| u8::from(step > limit && step > slope * STEEPER);
            self.seams.clear();
            self.seams.extend(both(0).zip(both(1)).map(is_seam));
            self.grids[(half + 1) % 2].band(&self.seams);
        }
    }

    /// What was found; the next row begins a picture.
    pub(super) fn finish(&mut self) -> SeamFacts {
        self.columns.clear();
        let [(torn, blocks), (torn_shifted, blocks_shifted)] = self.grids.each_mut().map(Blocks::finish);
        SeamFacts { torn, blocks, torn_shifted, blocks_shifted, grey_share: 0.0 }
    }
}
