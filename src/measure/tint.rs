//! Means of Cb and Cr in the cells of a coarse grid: movement of colour that luma does not show.
//!
//! Two rows of eight are looked at, an even and an odd one, so that both fields are seen and a box
//! of 12 × 12 pixels cannot hide between them. Always the same rows: fine detail must not look
//! like movement.

use avwatch_actors::frame::{PictureView, Plane};

use super::levels::Scale;

/// Chroma samples across and down a strip; cells are whole numbers of strips wide and high.
const STRIP: usize = 8;
/// Cells across a picture.
const COLUMNS_WANTED: usize = 80;
/// Rows of each strip that are looked at.
const ROWS: [usize; 2] = [2, 5];

/// Appends the cell means of Cb, then those of Cr, as normalised levels; nothing without chroma or
/// when a plane is smaller than a strip. The planes must hold all their rows.
pub(super) fn measure(picture: &PictureView<'_>, full_range: bool, sums: &mut Vec<u64>, means: &mut Vec<f32>) {
    means.clear();
    let Some(planes) = &picture.chroma else { return };
    let scale = Scale::chroma(picture.depth, full_range);
    for plane in planes {
        let (strips, bands) = (plane.width / STRIP, plane.height / STRIP);
        let side = strips.div_ceil(COLUMNS_WANTED).max(1);
        let columns = strips / side;
        for row in 0..bands / side {
            sums.clear();
            sums.resize(columns, 0);
            for band in row * side..(row + 1) * side {
                for y in ROWS {
                    add_row(plane, band * STRIP + y, picture.depth, side, sums);
                }
            }
            let count = (side * STRIP * side * ROWS.len()) as u64;
            means.extend(sums.iter().map(|&sum| scale.mean(sum, count)));
        }
    }
}

/// Adds the samples of a row to the cells that they lie in; what is left over at the right is left out.
fn add_row(plane: &Plane<'_>, y: usize, depth: u8, side: usize, sums: &mut [u64]) {
    if depth == 8 {
        let cells = plane.row(y, 1).chunks_exact(side * STRIP);
        for (sum, cell) in sums.iter_mut().zip(cells) {
            *sum += cell.iter().map(|&sample| u32::from(sample)).sum::<u32>() as u64;
        }
    } else {
        let cells = plane.row(y, 2).chunks_exact(side * STRIP * 2);
        for (sum, cell) in sums.iter_mut().zip(cells) {
            *sum += cell.chunks_exact(2).map(|two| u32::from(u16::from_le_bytes([two[0], two[1]]))).sum::<u32>() as u64;
        }
    }
}
