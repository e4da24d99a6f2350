//! The innermost loops, chosen at run time by what the CPU can do.
//!
//! Pure functions over one row or one hop, called on the decoding thread. Each has a naive twin in
//! `naive.rs` against which it is tested on random sizes. They never read beyond the slices
//! they are given, and give the same numbers on every CPU.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod block;
mod ceiling;
mod histogram;
mod hop;
mod k_weighting;
mod portable;
mod quarters;
mod seam;
mod true_peak;

pub use block::{BLOCK, block_difference};
pub use ceiling::{CeilingCounts, ceiling_counts};
pub use histogram::{Every, Histogram};
pub use hop::{HopSums, Run, hop_sums};
pub use k_weighting::KWeighting;
pub use quarters::{GroupMeans, Quarters, group_means, product_sum, quarter_bounds, quarters};
pub use seam::{SeamLimits, Side, narrow_row, row_difference, seam_columns, seam_columns_len, seam_rows};
pub use true_peak::{TRUE_PEAK_GAIN_MAX, TRUE_PEAK_TAPS, interpolated_peak};

/// Pixels of one strip: the finest horizontal unit in which rows are summed.
pub const STRIP: usize = 8;

/// Which instructions may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cpu {
    /// What every CPU of the target has.
    Portable,
    /// AVX2, only ever made by [`Cpu::detect`].
    #[cfg(target_arch = "x86_64")]
    Avx2(Detected),
}

/// Proof that a feature was detected on this machine; it cannot be made elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detected(());

impl Cpu {
    /// The best that this machine can do.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            return Self::Avx2(Detected(()));
        }
        Self::Portable
    }
}

/// One row of luma, with what the kernels need to know of it.
#[derive(Clone, Copy)]
pub struct RowInput<'a> {
    /// The samples; one byte each, or two in little endian.
    pub row: &'a [u8],
    /// The same row of the previous picture, of the same length; not looked at unless change is wanted.
    pub previous: &'a [u8],
    /// Bytes of a sample, 1 or 2.
    pub bytes: usize,
    /// Highest code value that the depth allows; two-byte samples above it count as it.
    pub ceiling: u16,
    /// Highest code value that counts as dark; −1 for none.
    pub dark: i32,
    /// Highest code value that does not count as content; never negative.
    pub content: i32,
}

/// What one row adds up to, in raw code values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowSums {
    /// Sum of the samples.
    pub sum: u64,
    /// Pixels that are dark.
    pub dark: u32,
    /// Pixels that are content.
    pub content: u32,
    /// Sum of the absolute differences of neighbours.
    pub gradient: u64,
    /// Sum of the absolute differences to the previous picture.
    pub difference: u64,
}

/// Sum, dark and content count of a strip in one word, so that one addition updates all three:
/// bits 0–31 the sum, 32–47 dark, 48–63 content. Wide enough for 65,535 pixels.
pub(crate) const fn pack(sum: u32, dark: u32, content: u32) -> u64 {
    sum as u64 | (dark as u64) << 32 | (content as u64) << 48
}

/// The three parts of a packed word.
pub const fn unpack(packed: u64) -> (u32, u32, u32) {
    (packed as u32, (packed >> 32) as u32 & 0xffff, (packed >> 48) as u32)
}

/// Words per strip that a kernel writes: their packed sum is the strip's.
pub const fn words_per_strip(bytes: usize) -> usize {
    bytes
}

/// Sums up one row and adds its strips to `strips`.
///
/// `levels` asks for dark, content and gradient, `change` for the difference; what is not
/// asked for stays 0. `strips` has [`words_per_strip`] words for each begun strip of 8 pixels and
/// may gather rows until 65,535 pixels have gone into one strip. Rows are at most 65,535 pixels wide.
pub fn luma_row(cpu: Cpu, input: &RowInput<'_>, levels: bool, change: bool, strips: &mut [u64]) -> RowSums {
    let width = input.row.len() / input.bytes;
    assert!(strips.len() >= width.div_ceil(STRIP) * words_per_strip(input.bytes), "one entry per strip");
    assert!(!change || input.previous.len() >= input.row.len(), "previous rows are as wide");
    debug_assert!(width <= usize::from(u16::MAX) && input.content >= 0);
    match (levels, change) {
        (true, true) => dispatch::<true, true>(cpu, input, strips),
        (true, false) => dispatch::<true, false>(cpu, input, strips),
        (false, true) => dispatch::<false, true>(cpu, input, strips),
        (false, false) => dispatch::<false, false>(cpu, input, strips),
    }
}

/// Highest code value for which the two-byte AVX2 kernel's signed multiplications are exact.
#[cfg(target_arch = "x86_64")]
const AVX2_CEILING: u16 = (1 << 14) - 1;

fn dispatch<const LEVELS: bool, const CHANGE: bool>(cpu: Cpu, input: &RowInput<'_>, strips: &mut [u64]) -> RowSums {
    match (cpu, input.bytes) {
        #[cfg(target_arch = "x86_64")]
        (Cpu::Avx2(_), 1) => {
            // SAFETY: `Cpu::Avx2` exists only where AVX2 was detected.
            unsafe { avx2::row_u8::<LEVELS, CHANGE>(input, strips) }
        }
        #[cfg(target_arch = "x86_64")]
        (Cpu::Avx2(_), _) if input.ceiling <= AVX2_CEILING => {
            // SAFETY: as above.
            unsafe { avx2::row_u16::<LEVELS, CHANGE>(input, strips) }
        }
        (_, 1) => portable::row::<portable::Byte, LEVELS, CHANGE>(input, 0, strips),
        _ => portable::row::<portable::Word, LEVELS, CHANGE>(input, 0, strips),
    }
}

/// What the samples of a row tell without their order, in raw code values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// Number of samples.
    pub count: u64,
    /// Sum of the samples.
    pub sum: u64,
    /// Sum of the squared samples.
    pub squares: u64,
    /// Lowest sample; 0 of none.
    pub lowest: u16,
    /// Highest sample; 0 of none.
    pub highest: u16,
}

impl Spread {
    /// Adds the samples of another row.
    pub fn add(&mut self, row: &Self) {
        self.lowest = if self.count == 0 { row.lowest } else { self.lowest.min(row.lowest) };
        self.highest = self.highest.max(row.highest);
        self.count += row.count;
        self.sum += row.sum;
        self.squares += row.squares;
    }
}

/// Measures the spread of one row, which is not empty; `bytes` and `ceiling` as in [`RowInput`].
///
/// `strips` is empty, or has [`words_per_strip`] words for each begun strip, to which the strip's sum is added.
pub fn spread_of_row(cpu: Cpu, row: &[u8], bytes: usize, ceiling: u16, strips: &mut [u64]) -> Spread {
    if strips.is_empty() {
        return dispatch_spread::<false>(cpu, row, bytes, ceiling, strips);
    }
    assert!(strips.len() >= (row.len() / bytes).div_ceil(STRIP) * words_per_strip(bytes), "one entry per strip");
    dispatch_spread::<true>(cpu, row, bytes, ceiling, strips)
}

fn dispatch_spread<const STRIPS: bool>(cpu: Cpu, row: &[u8], bytes: usize, ceiling: u16, strips: &mut [u64]) -> Spread {
    match (cpu, bytes) {
        #[cfg(target_arch = "x86_64")]
        (Cpu::Avx2(_), 1) => {
            // SAFETY: `Cpu::Avx2` exists only where AVX2 was detected.
            unsafe { avx2::spread_u8::<STRIPS>(row, strips) }
        }
        #[cfg(target_arch = "x86_64")]
        (Cpu::Avx2(_), _) if ceiling <= AVX2_CEILING => {
            // SAFETY: as above.
            unsafe { avx2::spread_u16::<STRIPS>(row, ceiling, strips) }
        }
        (_, 1) => portable::spread::<portable::Byte, STRIPS>(row, u16::from(u8::MAX), strips),
        _ => portable::spread::<portable::Word, STRIPS>(row, ceiling, strips),
    }
}

/// Bytes of a cache line.
const CACHE_LINE: usize = 64;

/// Asks the CPU to fetch a row into its second cache that will be read soon; changes nothing else.
///
/// The first one is small, and what waits for memory there holds up what is computed.
pub fn fetch_ahead(row: &[u8]) {
    for line in row.chunks(CACHE_LINE) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a prefetch reads nothing and cannot fault; every x86-64 CPU has it.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = line;
    }
}

/// The sample at that index: the slow way, for the few places that look at single samples.
pub fn sample_at(row: &[u8], index: usize, bytes: usize) -> u16 {
    if bytes == 1 { u16::from(row[index]) } else { u16::from_le_bytes([row[2 * index], row[2 * index + 1]]) }
}
