//! Chroma of a picture, from every second row of its chroma planes.

use std::ops::Range;

use avwatch_actors::frame::{ChromaFacts, PictureView, Plane};

use super::kernels::{Cpu, Spread, pass_over, sample_at, spread_of_row};
use super::levels::{Scale, ceiling, ratio, zero_limit};

/// Distance of the rows that are looked at.
const ROW_STEP: usize = 2;
/// Rows that are looked at in one plane before it is the other's turn: the CPU fetches ahead in one
/// plane at a time far better than in two at once.
const ROWS_AT_ONCE: usize = 32;

/// Measures chroma; `first_row` is 0 or 1, changing from picture to picture so that both fields
/// are seen. Neutral without chroma. The planes must hold all their rows.
pub(super) fn measure(cpu: Cpu, picture: &PictureView<'_>, first_row: usize) -> ChromaFacts {
    let Some([u, v]) = &picture.chroma else {
        return ChromaFacts::default();
    };
    let bytes = if picture.depth > 8 { 2 } else { 1 };
    let (top, limit) = (ceiling(picture.depth), zero_limit(picture.depth));
    let scale = Scale::chroma(picture.depth, picture.full_range);
    let (mut all_u, mut all_v) = (Spread::default(), Spread::default());
    let mut zeros = 0_u64;
    // A plane of a single row has no row 1.
    let rows: Range<usize> = first_row.min(u.height - 1)..u.height;
    for from in rows.clone().step_by(ROWS_AT_ONCE * ROW_STEP) {
        let some = (from..rows.end).step_by(ROW_STEP).take(ROWS_AT_ONCE);
        let mut lowest_u = [0; ROWS_AT_ONCE];
        for (y, lowest) in some.clone().zip(&mut lowest_u) {
            let row_u = look_at(cpu, u, y, bytes, top);
            *lowest = row_u.lowest;
            all_u.add(&row_u);
        }
        for (y, lowest) in some.zip(lowest_u) {
            let row_v = look_at(cpu, v, y, bytes, top);
            // Real content has no such values: only rows of damaged pictures are looked at in detail.
            if lowest < limit && row_v.lowest < limit {
                zeros += zeros_of_row(&picture.luma, u, v, y, bytes, limit);
            }
            all_v.add(&row_v);
        }
    }
    ChromaFacts {
        mean_u: scale.mean(all_u.sum, all_u.count),
        mean_v: scale.mean(all_v.sum, all_v.count),
        sigma_u: scale.sigma(&all_u),
        sigma_v: scale.sigma(&all_v),
        zero_share: ratio(zeros, all_u.count) as f32,
    }
}

/// The spread of one row, passing over the next.
fn look_at(cpu: Cpu, plane: &Plane<'_>, y: usize, bytes: usize, top: u16) -> Spread {
    let spread = spread_of_row(cpu, plane.row(y, bytes), bytes, top);
    if y + 1 < plane.height {
        pass_over(plane.row(y + 1, bytes));
    }
    spread
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
