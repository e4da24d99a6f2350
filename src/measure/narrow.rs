//! Rows of luma as 8-bit samples: as they are, or narrowed once and kept for the rows below.

use avwatch_actors::frame::Plane;

use super::kernels::narrow_row;

/// Rows that are kept: the kernels look at most nine rows back.
const KEPT: usize = 16;

/// The last rows of a deep plane as 8-bit samples.
#[derive(Default)]
pub(super) struct NarrowRows {
    rows: [Vec<u8>; KEPT],
    /// Which row each slot holds.
    held: [Option<usize>; KEPT],
}

impl NarrowRows {
    /// Forgets the rows of the picture before.
    pub(super) fn clear(&mut self) {
        self.held = [None; KEPT];
    }

    /// Narrows these rows, unless they are 8-bit or held already. They lie within 16 rows.
    pub(super) fn prepare(&mut self, plane: &Plane<'_>, depth: u8, rows: &[usize]) {
        if depth == 8 {
            return;
        }
        for &y in rows {
            if self.held[y % KEPT] != Some(y) {
                narrow_row(plane.row(y, 2), depth, &mut self.rows[y % KEPT]);
                self.held[y % KEPT] = Some(y);
            }
        }
    }

    /// A row that is 8-bit, or was prepared.
    pub(super) fn row<'a>(&'a self, plane: &Plane<'a>, depth: u8, y: usize) -> &'a [u8] {
        if depth == 8 { plane.row(y, 1) } else { &self.rows[y % KEPT] }
    }
}
