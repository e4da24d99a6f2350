//! Row kernels in plain Rust, written so that the compiler can vectorise them on any CPU.
//!
//! Also the tails of the AVX2 kernels: what is left of a row when no full vector fits any more.

use super::{RowInput, RowSums, STRIP, Spread, pack, words_per_strip};

/// How a sample lies in memory.
pub(super) trait Sample {
    /// The bytes of a sample.
    type Raw: Copy;
    /// Its value.
    fn value(raw: Self::Raw) -> u32;
    /// A row of samples; an odd byte at the end is left out.
    fn samples(row: &[u8]) -> &[Self::Raw];
}

/// 8-bit samples.
pub(super) struct Byte;

impl Sample for Byte {
    type Raw = u8;
    #[inline(always)]
    fn value(raw: u8) -> u32 {
        u32::from(raw)
    }
    #[inline(always)]
    fn samples(row: &[u8]) -> &[u8] {
        row
    }
}

/// 9- to 16-bit samples in little endian.
pub(super) struct Word;

impl Sample for Word {
    type Raw = [u8; 2];
    #[inline(always)]
    fn value(raw: [u8; 2]) -> u32 {
        u32::from(u16::from_le_bytes(raw))
    }
    #[inline(always)]
    fn samples(row: &[u8]) -> &[[u8; 2]] {
        row.as_chunks::<2>().0
    }
}

/// Sums up a row from pixel `from` on, which must begin a strip.
///
/// Several short loops over a row that stays in the first cache: each of them vectorises, one
/// large loop would not. No sum can exceed 65,535², which fits 32 bits.
#[inline(always)]
pub(super) fn row<S: Sample, const LEVELS: bool, const CHANGE: bool>(
    input: &RowInput<'_>,
    from: usize,
    strips: &mut [u64],
) -> RowSums {
    let ceiling = u32::from(input.ceiling);
    let value = |raw: S::Raw| S::value(raw).min(ceiling);
    let row = &S::samples(input.row)[from..];
    let mut sums = RowSums::default();
    let words = words_per_strip(size_of::<S::Raw>());
    let strips = &mut strips[from / STRIP * words..];
    let (whole, rest) = row.as_chunks::<STRIP>();
    for (strip, pixels) in whole.iter().enumerate() {
        strips[strip * words] += strip_sums::<LEVELS, _>(pixels.map(value), input, &mut sums);
    }
    for &pixel in rest {
        strips[whole.len() * words] += strip_sums::<LEVELS, _>([value(pixel)], input, &mut sums);
    }
    if LEVELS && !row.is_empty() {
        let steps = row.iter().zip(&row[1..]).map(|(one, next)| value(*one).abs_diff(value(*next)));
        sums.gradient = steps.sum::<u32>().into();
    }
    if CHANGE {
        let previous = &S::samples(input.previous)[from..];
        let steps = row.iter().zip(previous).map(|(now, then)| value(*now).abs_diff(value(*then)));
        sums.difference = steps.sum::<u32>().into();
    }
    sums
}

/// Adds the pixels of a strip, or one of them, to the row's sums; returns them packed.
#[inline(always)]
fn strip_sums<const LEVELS: bool, const N: usize>(values: [u32; N], input: &RowInput<'_>, sums: &mut RowSums) -> u64 {
    let sum: u32 = values.iter().sum();
    let (mut dark, mut content) = (0, 0);
    if LEVELS {
        dark = values.iter().map(|value| u32::from(*value as i32 <= input.dark)).sum();
        content = values.iter().map(|value| u32::from(*value as i32 > input.content)).sum();
    }
    sums.sum += u64::from(sum);
    sums.dark += dark;
    sums.content += content;
    pack(sum, dark, content)
}

/// Samples whose sums fit into 32 bits: 256 × 255² and 256 × 65,535 do. A whole number of strips.
const CHUNK: usize = 256;

/// Measures the spread of a row; with `STRIPS`, adds the sum of each strip to its first word in `strips`.
#[inline(always)]
pub(super) fn spread<S: Sample, const STRIPS: bool>(row: &[u8], ceiling: u16, strips: &mut [u64]) -> Spread {
    let row = S::samples(row);
    let words = words_per_strip(size_of::<S::Raw>());
    let mut spread = Spread { count: row.len() as u64, ..Spread::default() };
    let (mut lowest, mut highest) = (u32::from(u16::MAX), 0);
    for chunk in row.chunks(CHUNK) {
        let mut sum = 0_u32;
        let mut squares_narrow = 0_u32;
        let mut squares_wide = 0_u64;
        for &raw in chunk {
            let value = S::value(raw).min(u32::from(ceiling));
            sum += value;
            if size_of::<S::Raw>() == 1 {
                squares_narrow += value * value;
            } else {
                squares_wide += u64::from(value * value);
            }
            lowest = lowest.min(value);
            highest = highest.max(value);
        }
        spread.sum += u64::from(sum);
        spread.squares += u64::from(squares_narrow) + squares_wide;
    }
    if STRIPS {
        for (strip, samples) in strips.chunks_mut(words).zip(row.chunks(STRIP)) {
            let sum: u32 = samples.iter().map(|&raw| S::value(raw).min(u32::from(ceiling))).sum();
            strip[0] += u64::from(sum);
        }
    }
    if spread.count > 0 {
        (spread.lowest, spread.highest) = (lowest as u16, highest as u16);
    }
    spread
}

/// Sum of the absolute differences of two 8-bit rows.
#[inline(always)]
pub(super) fn row_difference(one: &[u8], other: &[u8]) -> u64 {
    one.iter().zip(other).map(|(one, other)| u64::from(one.abs_diff(*other))).sum()
}
