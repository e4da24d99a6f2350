//! Steps across the columns of the 8 × 8 grid on which pictures are coded, and differences of rows.
//!
//! For rows of 8-bit samples; deeper ones are narrowed first ([`narrow_row`]).

use super::Cpu;
#[cfg(target_arch = "x86_64")]
use super::avx2;
use super::{STRIP, portable};

/// Pixels of a block, for which [`SeamColumns`] keeps [`LANES`] sums.
const BLOCK: usize = 16;
/// Sums per block: one for each pair of neighbouring differences.
const LANES: usize = BLOCK / 2;
/// Weight of the difference between a pixel of a block and the next one: `2 · step − before − after`
/// for the grid columns at 8 and at 16, the last of which ends in the next block. The difference before
/// `before` has a sum of its own: with `after` it tells how steep the picture is beside the step.
const WEIGHTS: [i8; BLOCK] = [-1, 0, 0, 0, 0, -1, -1, 2, -1, 0, 0, 0, 0, -1, -1, 2];
/// Rows that may be added before the sums might overflow: 64 × 2 × 255 stays below 2¹⁵.
pub const SEAM_ROWS_MAX: usize = 64;

/// For every column `x = 8, 16, 24 …` the sum over rows of `2·|Y(x) − Y(x−1)| − |Y(x−1) − Y(x−2)| − |Y(x+1) − Y(x)|`:
/// how much steeper the picture is at the edge of a coded block than beside it.
#[derive(Clone, Debug, Default)]
pub struct SeamColumns {
    width: usize,
    lanes: Vec<i16>,
}

impl SeamColumns {
    /// For rows of that width.
    pub fn new(width: usize) -> Self {
        Self { width, lanes: vec![0; width.div_ceil(BLOCK) * LANES] }
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.lanes.fill(0);
    }

    /// Adds a row, at most [`SEAM_ROWS_MAX`] of them in all.
    pub fn add_row(&mut self, cpu: Cpu, row: &[u8]) {
        assert!(row.len() == self.width, "rows are as wide as promised");
        let from = match cpu {
            #[cfg(target_arch = "x86_64")]
            Cpu::Avx2(_) => {
                // SAFETY: `Cpu::Avx2` exists only where AVX2 was detected.
                unsafe { avx2::seam_columns(row, &WEIGHTS, &mut self.lanes) }
            }
            Cpu::Portable => 0,
        };
        for (x, pair) in row.windows(2).enumerate().skip(from) {
            let weight = i16::from(WEIGHTS[x % BLOCK]);
            if weight != 0 {
                self.lanes[x / 2] += weight * i16::from(pair[0].abs_diff(pair[1]));
            }
        }
    }

    /// Number of columns of the grid that have a neighbour on either side.
    pub fn len(&self) -> usize {
        self.width.saturating_sub(2) / STRIP
    }

    /// True when rows are too narrow for any.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sums at the columns `8 · n`, into `steps[n]` for `n` from 1 to [`SeamColumns::len`]; `steps[0]` is
    /// 0, since there is no step at the edge. The sums of `|Y(x−2) − Y(x−3)| + |Y(x+1) − Y(x)|` there, which
    /// the step itself has no part in, go into `slopes`.
    pub fn steps(&self, steps: &mut Vec<i16>, slopes: &mut Vec<i16>) {
        let blocks = self.lanes.as_chunks::<LANES>().0;
        let nexts = || blocks.iter().skip(1).map(|lanes| lanes[0]).chain(std::iter::once(0));
        for sums in [&mut *steps, &mut *slopes] {
            sums.resize(2 * blocks.len() + 1, 0);
            sums[0] = 0;
        }
        for ((slot, lanes), next) in steps[1..].as_chunks_mut::<2>().0.iter_mut().zip(blocks).zip(nexts()) {
            *slot = [lanes[3] + lanes[4], lanes[7] + next];
        }
        for ((slot, lanes), next) in slopes[1..].as_chunks_mut::<2>().0.iter_mut().zip(blocks).zip(nexts()) {
            *slot = [-lanes[2] - lanes[4], -lanes[6] - next];
        }
        steps.truncate(self.len() + 1);
        slopes.truncate(self.len() + 1);
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

/// Adds to each whole strip of 8 pixels the absolute differences of two rows there, twice or negative.
pub fn add_strip_differences(cpu: Cpu, one: &[u8], other: &[u8], weight: StepWeight, strips: &mut [i64]) {
    assert!(one.len() == other.len() && strips.len() == one.len() / STRIP, "one entry per whole strip");
    let from = match cpu {
        #[cfg(target_arch = "x86_64")]
        Cpu::Avx2(_) => {
            // SAFETY: `Cpu::Avx2` exists only where AVX2 was detected.
            unsafe { avx2::add_strip_differences(one, other, weight == StepWeight::Twice, strips) }
        }
        Cpu::Portable => 0,
    };
    let rest = one.chunks_exact(STRIP).zip(other.chunks_exact(STRIP)).zip(strips).skip(from);
    for ((one, other), strip) in rest {
        let difference = portable::row_difference(one, other) as i64;
        *strip += if weight == StepWeight::Twice { 2 * difference } else { -difference };
    }
}

/// What differences count in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepWeight {
    /// The step itself.
    Twice,
    /// Its neighbours.
    Negative,
}

/// Narrows a row of 9- to 16-bit little-endian samples to their upper 8 bits.
pub fn narrow_row(row: &[u8], depth: u8, narrow: &mut Vec<u8>) {
    let shift = u32::from(depth.clamp(9, 16)) - 8;
    narrow.clear();
    narrow.extend(row.as_chunks::<2>().0.iter().map(|sample| (u16::from_le_bytes(*sample) >> shift).min(255) as u8));
}
