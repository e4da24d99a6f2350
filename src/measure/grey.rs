//! Mid-grey areas: what decoders put where the picture that they should copy from is missing.

use super::chroma::TintGrid;
use super::grid::Grid;

/// Largest distance of a cell's level from 128 that is mid-grey.
const LUMA_OFF_MAX: f32 = 2.0;
/// The same of Cb and Cr.
const CHROMA_OFF_MAX: f32 = 1.5;

/// Share of the cells whose luma, Cb and Cr are all 128; a picture without chroma has no such cells.
pub(super) fn share(grid: &Grid, means: &[f32], tints: &[f32], tint_grid: TintGrid) -> f32 {
    if tint_grid.rows == 0 || tints.is_empty() {
        return 0.0;
    }
    let plane = tints.len() / 2;
    let is_neutral = |cell: usize| {
        let y = (2 * (cell / grid.columns) + 1) * tint_grid.rows / (2 * grid.rows);
        let x = (2 * (cell % grid.columns) + 1) * tint_grid.columns / (2 * grid.columns);
        let at = y * tint_grid.columns + x;
        [tints[at], tints[plane + at]].iter().all(|level| (level - 128.0).abs() <= CHROMA_OFF_MAX)
    };
    let is_grey = |cell: &usize| (means[*cell] - 128.0).abs() <= LUMA_OFF_MAX && is_neutral(*cell);
    (0..means.len()).filter(is_grey).count() as f32 / means.len() as f32
}
