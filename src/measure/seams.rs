//! Seams on the grid of coded blocks: what concealed and lost blocks leave behind.
//!
//! Fed eight rows at a time during the walk over luma. A side of a block is a seam when the step across it is
//! large and twice as steep as the picture beside it: fine texture has steps of any size, but they have their
//! like on either side. A block is torn when two or more of its four sides are seams, and more than in the
//! picture before; this is counted on the grid of 16 × 16 blocks and, for comparison, on the same grid
//! shifted by 8 in both directions, where coding puts no blocks. Both kinds of sides are judged by the rows
//! around every eighth, whatever a walk looks at. Sides at the edge of the picture are none, and what
//! is left over at the right and bottom is in no block.

use avwatch_actors::frame::SeamFacts;

use super::kernels::{Cpu, STRIP, SeamLimits, Side, seam_columns, seam_columns_len, seam_rows};
use super::seam_count::{SideCount, every_second};

/// Side of a block.
const BLOCK: usize = 16;
/// Rows of a half band: bands of both grids are made of two.
const HALF: usize = BLOCK / 2;
/// Rows of a half band that are looked at for vertical sides: those that are needed for horizontal ones.
const SIDE_ROWS: [usize; 4] = [0, 1, 6, 7];
const _: () = assert!(HALF == STRIP, "a half band is as high as a column of the grid is wide");
/// Step of a side, in levels, above which it is a seam.
const SEAM_ABOVE: f64 = 10.0;
/// How many times as large as the slopes beside it the step of a seam is.
const STEEPER: i32 = 2;

/// The blocks of one grid. Sets of blocks are words of 64 bits, for one row of blocks.
#[derive(Clone, Debug, Default)]
struct Blocks {
    /// 0, or 1 for the grid shifted by half a block.
    shift: usize,
    columns: usize,
    /// Blocks with a seam at their left, at their right, and above them.
    left: Vec<u64>,
    right: Vec<u64>,
    above: Vec<u64>,
    below: Vec<u64>,
    /// Seams around the blocks of the picture before, row by row; empty when there was none.
    before: Vec<SideCount>,
    now: Vec<SideCount>,
    torn: u32,
}

impl Blocks {
    fn new(shift: usize, width: usize) -> Self {
        let columns = width.saturating_sub(shift * HALF) / BLOCK;
        let none = || vec![0; columns.div_ceil(64)];
        Self { shift, columns, left: none(), right: none(), above: none(), below: none(), ..Self::default() }
    }

    /// Takes the vertical sides of a band: bit `n` of `seams` is that at column `8 · (n + 1)`.
    fn band(&mut self, seams: &[u64]) {
        // Of the shifted grid bit 0 is left of the first block, of the other bit 1 is right of it.
        for (word, sides) in self.left.iter_mut().enumerate() {
            *sides = every_second(seams, 2 * word, 1 - self.shift);
        }
        if self.shift == 0 {
            self.right.copy_from_slice(&self.left);
            let mut carried = 0;
            for sides in &mut self.left {
                (*sides, carried) = (*sides << 1 | carried, *sides >> 63);
            }
        } else {
            let nexts = self.left.iter().skip(1).chain(std::iter::once(&0));
            for ((right, sides), next) in self.right.iter_mut().zip(&self.left).zip(nexts) {
                *right = *sides >> 1 | *next << 63;
            }
        }
    }

    /// Takes the horizontal sides below the band and counts its blocks; above the first band there is none.
    fn close_band(&mut self, cpu: Cpu, rows: [&[u8]; 4], limits: SeamLimits, is_band: bool) {
        let first = self.shift * HALF;
        let rows = rows.map(|row| row.get(first..first + self.columns * BLOCK).unwrap_or(&[]));
        seam_rows(cpu, rows, limits, &mut self.below);
        if is_band {
            let first = self.now.len();
            for word in 0..self.below.len() {
                let count = SideCount::of(self.left[word], self.right[word], self.above[word], self.below[word]);
                if let Some(&before) = self.before.get(first + word) {
                    let inside = u64::MAX >> (64 - (self.columns - 64 * word).min(64));
                    self.torn += (count.two_or_more() & count.above(before) & inside).count_ones();
                }
                self.now.push(count);
            }
        }
        std::mem::swap(&mut self.above, &mut self.below);
    }

    /// Torn blocks and all blocks of the picture, which is the picture before from now on.
    fn finish(&mut self) -> (u32, u32) {
        let bands = self.now.len().checked_div(self.below.len()).unwrap_or(0);
        let found = (self.torn, (bands * self.columns) as u32);
        std::mem::swap(&mut self.before, &mut self.now);
        self.now.clear();
        self.above.fill(0);
        self.torn = 0;
        found
    }
}

/// Looks for seams while a picture is scanned.
pub(super) struct SeamFinder {
    /// What the columns of the grid of 8 added up to in the newest half band.
    sides: Vec<Side>,
    seams: Vec<u64>,
    /// Of the 8 rows of a vertical side, and of the 16 pixels of a horizontal one.
    limits: (SeamLimits, SeamLimits),
    grids: [Blocks; 2],
}

impl SeamFinder {
    /// For pictures of that width; `scale` is levels per code value of 8-bit rows.
    pub(super) fn new(width: usize, scale: f64) -> Self {
        // A step is doubled and summed over the samples of a side.
        let limits =
            |samples: usize| SeamLimits { step: (2.0 * SEAM_ABOVE / scale * samples as f64) as i32, steeper: STEEPER };
        let columns = seam_columns_len(width);
        Self {
            sides: vec![Side::default(); columns],
            seams: vec![0; columns.div_ceil(64)],
            limits: (limits(2 * SIDE_ROWS.len()), limits(BLOCK)),
            grids: [Blocks::new(0, width), Blocks::new(1, width)],
        }
    }

    /// True when a half band ends above row `y`, the second below its lower edge.
    pub(super) fn wants(y: usize) -> bool {
        y > HALF && y % HALF == 1
    }

    /// Which rows to hand in at row `y`: those for the vertical sides of the half band, and those around its lower edge.
    pub(super) fn rows(y: usize) -> ([usize; 4], [usize; 4]) {
        let edge = y - 1;
        let sides = SIDE_ROWS.map(|row| edge - HALF + row);
        (sides, [edge - 2, edge - 1, edge, y])
    }

    /// Takes the half band above row `y`, by the rows that are asked for, in 8-bit samples.
    pub(super) fn half_band(&mut self, cpu: Cpu, y: usize, sides: [&[u8]; 4], edge: [&[u8]; 4]) {
        let edges = y / HALF;
        // Halves 0 and 1 are the first band, 1 and 2 the first of the shifted grid.
        let grid = &mut self.grids[edges % 2];
        seam_columns(cpu, sides, self.limits.0, &mut self.sides, &mut self.seams);
        let is_band = edges > 1;
        if is_band {
            grid.band(&self.seams);
        }
        grid.close_band(cpu, edge, self.limits.1, is_band);
    }

    /// What was found; the next row begins a picture.
    pub(super) fn finish(&mut self) -> SeamFacts {
        let [(torn, blocks), (torn_shifted, blocks_shifted)] = self.grids.each_mut().map(Blocks::finish);
        SeamFacts { measured: true, torn, blocks, torn_shifted, blocks_shifted, grey_share: 0.0 }
    }
}
