//! Seams across the columns and rows of the 8 × 8 grid on which pictures are coded, and differences of rows.
//!
//! For rows of 8-bit samples; deeper ones are narrowed first ([`narrow_row`]). Seams are told in bits, least
//! significant first, 64 to a word.

use super::Cpu;
#[cfg(target_arch = "x86_64")]
use super::avx2;
use super::{STRIP, portable};

/// Pixels of a side across which a seam of rows is judged.
const BLOCK: usize = 16;

/// What the pixels along a side add up to: `2 · step − before − after` and `before the one before + after`,
/// of the absolute differences of neighbours across it. The second is how steep the picture is beside the step,
/// which the step itself has no part in.
pub type Side = [i32; 2];

/// When a side is a seam.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeamLimits {
    /// What the step is above.
    pub step: i32,
    /// How many times as large as the slopes it is more than.
    pub steeper: i32,
}

impl SeamLimits {
    fn is_seam(self, [step, slopes]: Side) -> bool {
        step > self.step && step > self.steeper * slopes
    }
}

/// Number of columns `x = 8, 16, 24 …` that have a neighbour on either side.
pub fn seam_columns_len(width: usize) -> usize {
    width.saturating_sub(2) / STRIP
}

/// Judges every column `x = 8 · (n + 1)` by four rows and the four before them: sets bit `n` of `seams` if it
/// is a seam.
///
/// `sides` has an entry per column: what the rows before added up to, replaced by the same of these rows.
pub fn seam_columns(cpu: Cpu, rows: [&[u8]; 4], limits: SeamLimits, sides: &mut [Side], seams: &mut [u64]) {
    let width = rows[0].len();
    assert!(rows.iter().all(|row| row.len() == width), "rows are as wide as each other");
    assert!(sides.len() == seam_columns_len(width) && seams.len() * 64 >= sides.len(), "one entry per column");
    seams.fill(0);
    let from = match cpu {
        #[cfg(target_arch = "x86_64")]
        Cpu::Avx2(_) => {
            // SAFETY: `Cpu::Avx2` exists only where AVX2 was detected.
            unsafe { avx2::seam_columns(rows, limits, sides, seams) }
        }
        Cpu::Portable => 0,
    };
    for (n, side) in sides.iter_mut().enumerate().skip(from) {
        let x = STRIP * (n + 1);
        let difference = |at: usize| rows.iter().map(|row| i32::from(row[at].abs_diff(row[at - 1]))).sum::<i32>();
        let (before, after) = (difference(x - 1), difference(x + 1));
        let now = [2 * difference(x) - before - after, difference(x - 2) + after];
        let sums = [now[0] + side[0], now[1] + side[1]];
        seams[n / 64] |= u64::from(limits.is_seam(sums)) << (n % 64);
        *side = now;
    }
}

/// Judges the sides between the second and the third of four rows, 16 pixels each: sets bit `n` of `seams` if
/// the side from `16 · n` on is a seam. Slopes are those of the outer rows to the inner ones.
pub fn seam_rows(cpu: Cpu, rows: [&[u8]; 4], limits: SeamLimits, seams: &mut [u64]) {
    let width = rows[0].len();
    assert!(rows.iter().all(|row| row.len() == width), "rows are as wide as each other");
    assert!(seams.len() * 64 >= width / BLOCK, "one bit per side");
    seams.fill(0);
    let from = match cpu {
        #[cfg(target_arch = "x86_64")]
        Cpu::Avx2(_) => {
            // SAFETY: `Cpu::Avx2` exists only where AVX2 was detected.
            unsafe { avx2::seam_rows(rows, limits, seams) }
        }
        Cpu::Portable => 0,
    };
    for n in from..width / BLOCK {
        let [first, above, below, last] = rows.map(|row| &row[n * BLOCK..(n + 1) * BLOCK]);
        let difference = |one: &[u8], other: &[u8]| portable::row_difference(one, other) as i32;
        let slopes = difference(first, above) + difference(below, last);
        let side = [2 * difference(above, below) - slopes, slopes];
        seams[n / 64] |= u64::from(limits.is_seam(side)) << (n % 64);
    }
}

/// Sum of the absolute differences of two rows of the same width.
pub fn row_difference(cpu: Cpu, one: &[u8], other: &[u8]) -> u64 {
    assert!(one.len() == other.len(), "rows are as wide as each other");
    match cpu {
        #[cfg(target_arch = "x86_64")]
        Cpu::Avx2(_) => {
            // SAFETY: `Cpu::Avx2` exists only where AVX2 was detected.
            unsafe { avx2::row_difference(one, other) }
        }
        Cpu::Portable => portable::row_difference(one, other),
    }
}

/// Narrows a row of 9- to 16-bit little-endian samples to their upper 8 bits.
pub fn narrow_row(row: &[u8], depth: u8, narrow: &mut Vec<u8>) {
    let shift = u32::from(depth.clamp(9, 16)) - 8;
    narrow.clear();
    narrow.extend(row.as_chunks::<2>().0.iter().map(|sample| (u16::from_le_bytes(*sample) >> shift).min(255) as u8));
}
