//! Chroma of a picture: one walk over a quarter of the rows of its chroma planes.
//!
//! Gives the picture's chroma facts and, cell by cell, the mean *tints*: movement of colour that luma
//! does not show.

use avwatch_actors::frame::{ChromaFacts, PictureView, Plane};

use super::kernels::{Cpu, STRIP, Spread, fetch_ahead, sample_at, spread_of_row, words_per_strip};
use super::levels::{Scale, ceiling, ratio, zero_limit};
use super::walk::{BAND, CHOSEN_IN_BAND, is_compared};

const _: () = assert!(BAND == STRIP, "cells are as many strips wide as bands high");

/// Bands ahead whose rows are fetched into the cache: the CPU does not foresee rows that are left out, and waits
/// for memory at each of them.
const BANDS_AHEAD: usize = 4;
/// Cells across a picture; they are whole numbers of strips wide and of bands high.
const COLUMNS_WANTED: usize = 80;

/// How the chroma planes are divided into cells; what is left over at the right and bottom is in none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TintGrid {
    /// Strips across and bands down a cell.
    side: usize,
    /// Cells across.
    pub(super) columns: usize,
    /// Cells down; 0 when the planes are smaller than a cell.
    pub(super) rows: usize,
}

impl TintGrid {
    fn new(width: usize, height: usize) -> Self {
        let (strips, bands) = (width / STRIP, height / BAND);
        let side = strips.div_ceil(COLUMNS_WANTED).max(1);
        let columns = strips / side;
        Self { side, columns, rows: if columns > 0 { bands / side } else { 0 } }
    }

    fn cells(&self) -> usize {
        self.columns * self.rows
    }
}

/// How the rows of a picture are read.
#[derive(Clone, Copy)]
struct Reading {
    cpu: Cpu,
    bytes: usize,
    top: u16,
}

/// Measures the chroma planes of one track's pictures; keeps nothing but room to work in.
#[derive(Default)]
pub(super) struct ChromaMeasurer {
    strips: Vec<u64>,
    /// Lowest sample of each row of Cb.
    lowest: Vec<u16>,
    /// Of Cb and of Cr.
    sums: [Vec<u64>; 2],
    spreads: [Spread; 2],
    grid: TintGrid,
    tints: Vec<f32>,
}

impl ChromaMeasurer {
    /// The cell means of Cb, then those of Cr, of the picture measured last, as normalised levels.
    pub(super) fn tints(&self) -> &[f32] {
        &self.tints
    }

    /// How that picture was divided.
    pub(super) fn grid(&self) -> TintGrid {
        self.grid
    }

    /// Measures a picture, whose planes must hold all their rows. Neutral without chroma.
    pub(super) fn measure(&mut self, cpu: Cpu, picture: &PictureView<'_>) -> ChromaFacts {
        self.tints.clear();
        self.grid = TintGrid::default();
        let Some([u, v]) = &picture.chroma else {
            return ChromaFacts::default();
        };
        let bytes = if picture.depth > 8 { 2 } else { 1 };
        let reading = Reading { cpu, bytes, top: ceiling(picture.depth) };
        let limit = zero_limit(picture.depth);
        self.grid = TintGrid::new(u.width, u.height);
        self.strips.clear();
        self.strips.resize(u.width.div_ceil(STRIP) * words_per_strip(bytes), 0);
        for sums in &mut self.sums {
            sums.clear();
            sums.resize(self.grid.cells(), 0);
        }
        self.spreads = [Spread::default(); 2];
        let mut lowest_u = std::mem::take(&mut self.lowest);
        lowest_u.clear();
        lowest_u.extend((0..u.height).map(|y| self.row(reading, u, y, 0)));
        let mut zeros = 0_u64;
        for (y, &lowest) in lowest_u.iter().enumerate() {
            let lowest_v = self.row(reading, v, y, 1);
            // Real content has no such values: only rows of damaged pictures are looked at in detail.
            if lowest < limit && lowest_v < limit {
                zeros += zeros_of_row(&picture.luma, u, v, y, bytes, limit);
            }
        }
        self.lowest = lowest_u;
        let scale = Scale::chroma(picture.depth, picture.full_range);
        let count = (self.grid.side * STRIP * self.grid.side * CHOSEN_IN_BAND) as u64;
        for sums in &self.sums {
            self.tints.extend(sums.iter().map(|&sum| scale.mean(sum, count)));
        }
        ChromaFacts {
            mean_u: scale.mean(self.spreads[0].sum, self.spreads[0].count),
            mean_v: scale.mean(self.spreads[1].sum, self.spreads[1].count),
            sigma_u: scale.sigma(&self.spreads[0]),
            sigma_v: scale.sigma(&self.spreads[1]),
            zero_share: ratio(zeros, self.spreads[0].count) as f32,
        }
    }

    /// Looks at a row of Cb (0) or Cr (1), or passes over it; returns its lowest sample, the highest there is of none.
    fn row(&mut self, reading: Reading, plane: &Plane<'_>, y: usize, which: usize) -> u16 {
        let row = plane.row(y, reading.bytes);
        let mut lowest = u16::MAX;
        if is_compared(y, plane.height) {
            let ahead = y + BANDS_AHEAD * BAND;
            if ahead < plane.height {
                fetch_ahead(plane.row(ahead, reading.bytes));
            }
            let spread = spread_of_row(reading.cpu, row, reading.bytes, reading.top, &mut self.strips);
            lowest = spread.lowest;
            self.spreads[which].add(&spread);
        }
        if y % BAND == BAND - 1 {
            self.end_band(y / BAND, reading.bytes, which);
        }
        lowest
    }

    /// Hands the strips gathered in a band to the cells that they lie in.
    fn end_band(&mut self, band: usize, bytes: usize, which: usize) {
        let (grid, words) = (self.grid, words_per_strip(bytes));
        let row = band / grid.side;
        if row < grid.rows {
            let cells = &mut self.sums[which][row * grid.columns..][..grid.columns];
            for (sum, strips) in cells.iter_mut().zip(self.strips.chunks_exact(grid.side * words)) {
                *sum += strips.iter().sum::<u64>();
            }
        }
        self.strips.fill(0);
    }
}

/// Chroma samples of a row that are zeroed together with the luma at their place.
fn zeros_of_row(luma: &Plane<'_>, u: &Plane<'_>, v: &Plane<'_>, y: usize, bytes: usize, limit: u16) -> u64 {
    let (row_u, row_v) = (u.row(y, bytes), v.row(y, bytes));
    let row_luma = luma.row(y * luma.height / u.height, bytes);
    let is_zero = |x: &usize| {
        sample_at(row_u, *x, bytes) < limit
            && sample_at(row_v, *x, bytes) < limit
            && sample_at(row_luma, x * luma.width / u.width, bytes) < limit
    };
    (0..u.width).filter(is_zero).count() as u64
}
