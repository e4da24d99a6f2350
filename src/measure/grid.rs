//! The grid of cells over a luma plane: about 80 × 45 of them on 16:9.
//!
//! A cell's side is the multiple of 8 pixels nearest to a 80th of the width, at least 8. What is
//! left over at the right and bottom belongs to the last column and row, which are up to twice as
//! large there; every pixel belongs to exactly one cell. Rows of pixels are those of the walk over the plane.

use super::kernels::{STRIP, unpack};
use super::walk::Walk;

/// Cells across a picture.
const COLUMNS_WANTED: usize = 80;
/// Most cells of a picture; tall ones get larger cells.
const CELLS_MAX: usize = 16_384;

/// How a plane is divided into cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Grid {
    width: usize,
    /// Rows of the walk, and of a cell.
    height: usize,
    down: usize,
    side: usize,
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl Grid {
    /// The grid of a plane of at least 1 × 1 pixels.
    pub(super) fn new(width: usize, height: usize) -> Self {
        let units = (width + COLUMNS_WANTED * STRIP / 2) / (COLUMNS_WANTED * STRIP);
        let mut side = STRIP * units.max(1);
        let count = |side: usize| ((width / side).max(1), (height / side).max(1));
        while count(side).0 * count(side).1 > CELLS_MAX {
            side += STRIP;
        }
        let (columns, rows) = count(side);
        let walk = Walk::over(height);
        Self { width, height: walk.rows(), down: walk.rows_of(side), side, columns, rows }
    }

    /// Number of cells.
    pub(super) fn cells(&self) -> usize {
        self.columns * self.rows
    }

    /// The row of cells that ends with this row of the walk, if one does.
    pub(super) fn row_ending(&self, number: usize) -> Option<usize> {
        if number + 1 == self.height {
            return Some(self.rows - 1);
        }
        let row = (number + 1) / self.down;
        ((number + 1).is_multiple_of(self.down) && row < self.rows).then(|| row - 1)
    }

    /// Rows of the walk in a row of cells.
    pub(super) fn pixel_rows(&self, row: usize) -> usize {
        if row + 1 == self.rows { self.height - row * self.down } else { self.down }
    }

    /// Columns of pixels in a column of cells.
    pub(super) fn pixel_columns(&self, column: usize) -> usize {
        if column + 1 == self.columns { self.width - column * self.side } else { self.side }
    }

    /// Pixels of a cell.
    #[cfg(test)]
    pub(super) fn pixels(&self, cell: usize) -> usize {
        self.pixel_columns(cell % self.columns) * self.pixel_rows(cell / self.columns)
    }
}

/// What the pixels of each cell add up to.
#[derive(Default)]
pub(super) struct CellSums {
    /// Sums of raw code values.
    pub(super) sums: Vec<u64>,
    /// Content pixels.
    pub(super) content: Vec<u32>,
}

impl CellSums {
    /// Room for all cells of a grid, all zero.
    pub(super) fn clear(&mut self, grid: &Grid) {
        self.sums.clear();
        self.sums.resize(grid.cells(), 0);
        self.content.clear();
        self.content.resize(grid.cells(), 0);
    }

    /// Adds the strips of one whole row of cells.
    pub(super) fn add_row(&mut self, grid: &Grid, row: usize, strips: &[u64]) {
        let strips_per_cell = grid.side / STRIP;
        for column in 0..grid.columns {
            let from = column * strips_per_cell;
            let to = if column + 1 == grid.columns { strips.len() } else { from + strips_per_cell };
            let cell = row * grid.columns + column;
            for &packed in &strips[from..to] {
                let (sum, _, content) = unpack(packed);
                self.sums[cell] += u64::from(sum);
                self.content[cell] += content;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_sizes_get_about_80_by_45_cells() {
        for (width, height, columns, rows) in
            [(1920, 1080, 80, 45), (1280, 720, 80, 45), (3840, 2160, 80, 45), (640, 360, 80, 45), (720, 576, 90, 72)]
        {
            let grid = Grid::new(width, height);
            assert_eq!((grid.columns, grid.rows), (columns, rows), "{width}x{height}");
        }
    }

    #[test]
    fn every_pixel_belongs_to_one_cell() {
        for (width, height) in [(1, 1), (7, 9), (8, 8), (17, 31), (1921, 1083), (720, 577), (64, 65_535), (65_535, 3)] {
            let grid = Grid::new(width, height);
            assert!(grid.cells() <= CELLS_MAX);
            let walked = Walk::over(height).rows();
            assert_eq!((0..grid.cells()).map(|cell| grid.pixels(cell)).sum::<usize>(), width * walked);
            assert_eq!(
                (0..walked).filter_map(|y| grid.row_ending(y)).collect::<Vec<_>>(),
                Vec::from_iter(0..grid.rows)
            );
        }
    }
}
