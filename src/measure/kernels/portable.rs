//! Row kernels in plain Rust, written so that the compiler can vectorise them on any CPU.
//!
//! Also the tails of the AVX2 kernels: what is left of a row when no full vector fits any more.

use super::{RowInput, RowSums, STRIP, Spread, pack, words_per_strip};

/// How a sample lies in memory.
pub(super) trait Sample {
    /// Bytes of a sample.
    const BYTES: usize;
    /// The sample at that index.
    fn at(bytes: &[u8], index: usize) -> u32;
}

/// 8-bit samples.
pub(super) struct Byte;

impl Sample for Byte {
    const BYTES: usize = 1;
    #[inline(always)]
    fn at(bytes: &[u8], index: usize) -> u32 {
        u32::from(bytes[index])
    }
}

/// 9- to 16-bit samples in little endian.
pub(super) struct Word;

impl Sample for Word {
    const BYTES: usize = 2;
    #[inline(always)]
    fn at(bytes: &[u8], index: usize) -> u32 {
        u32::from(u16::from_le_bytes([bytes[2 * index], bytes[2 * index + 1]]))
    }
}

/// Sums up a row from pixel `from` on, which must begin a strip.
#[inline(always)]
pub(super) fn row<S: Sample, const LEVELS: bool, const CHANGE: bool>(
    input: &RowInput<'_>,
    from: usize,
    strips: &mut [u64],
) -> RowSums {
    let width = input.row.len() / S::BYTES;
    let mut sums = RowSums::default();
    let mut x = from;
    // A full strip also needs the right neighbour of its last pixel.
    while x + STRIP < width {
        let packed = strip::<S, LEVELS, CHANGE, STRIP>(input, x, &mut sums);
        strips[x / STRIP * words_per_strip(S::BYTES)] += packed;
        x += STRIP;
    }
    while x < width {
        let packed = if x + 1 < width {
            strip::<S, LEVELS, CHANGE, 1>(input, x, &mut sums)
        } else {
            last_pixel::<S, LEVELS, CHANGE>(input, x, &mut sums)
        };
        strips[x / STRIP * words_per_strip(S::BYTES)] += packed;
        x += 1;
    }
    sums
}

/// Adds `N` pixels from `x` on, the last of which has a right neighbour; returns them packed.
#[inline(always)]
fn strip<S: Sample, const LEVELS: bool, const CHANGE: bool, const N: usize>(
    input: &RowInput<'_>,
    x: usize,
    sums: &mut RowSums,
) -> u64 {
    let ceiling = u32::from(input.ceiling);
    let row = &input.row[x * S::BYTES..(x + N + 1) * S::BYTES];
    let mut values = [0_u32; N];
    for (index, value) in values.iter_mut().enumerate() {
        *value = S::at(row, index).min(ceiling);
    }
    let sum: u32 = values.iter().sum();
    let (mut dark, mut content) = (0, 0);
    if LEVELS {
        let mut gradient = 0;
        for (index, &value) in values.iter().enumerate() {
            dark += u32::from(value as i32 <= input.dark);
            content += u32::from(value as i32 > input.content);
            gradient += value.abs_diff(S::at(row, index + 1).min(ceiling));
        }
        sums.gradient += u64::from(gradient);
    }
    if CHANGE {
        let previous = &input.previous[x * S::BYTES..(x + N) * S::BYTES];
        let mut difference = 0;
        for (index, &value) in values.iter().enumerate() {
            difference += value.abs_diff(S::at(previous, index).min(ceiling));
        }
        sums.difference += u64::from(difference);
    }
    sums.sum += u64::from(sum);
    sums.dark += dark;
    sums.content += content;
    pack(sum, dark, content)
}

/// Adds the last pixel of a row, which has no right neighbour.
#[inline(always)]
fn last_pixel<S: Sample, const LEVELS: bool, const CHANGE: bool>(
    input: &RowInput<'_>,
    x: usize,
    sums: &mut RowSums,
) -> u64 {
    let ceiling = u32::from(input.ceiling);
    let value = S::at(input.row, x).min(ceiling);
    let (mut dark, mut content) = (0, 0);
    if LEVELS {
        dark = u32::from(value as i32 <= input.dark);
        content = u32::from(value as i32 > input.content);
    }
    if CHANGE {
        sums.difference += u64::from(value.abs_diff(S::at(input.previous, x).min(ceiling)));
    }
    sums.sum += u64::from(value);
    sums.dark += dark;
    sums.content += content;
    pack(value, dark, content)
}

/// Samples whose sums fit into 32 bits: 256 × 255² and 256 × 65,535 do.
const CHUNK: usize = 256;

/// Measures the spread of a row.
#[inline(always)]
pub(super) fn spread<S: Sample>(row: &[u8], ceiling: u16) -> Spread {
    let mut spread = Spread { count: (row.len() / S::BYTES) as u64, ..Spread::default() };
    let (mut lowest, mut highest) = (u32::from(u16::MAX), 0);
    for chunk in row.chunks(CHUNK * S::BYTES) {
        let mut sum = 0_u32;
        let mut squares_narrow = 0_u32;
        let mut squares_wide = 0_u64;
        for index in 0..chunk.len() / S::BYTES {
            let value = S::at(chunk, index).min(u32::from(ceiling));
            sum += value;
            if S::BYTES == 1 {
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
    if spread.count > 0 {
        (spread.lowest, spread.highest) = (lowest as u16, highest as u16);
    }
    spread
}
