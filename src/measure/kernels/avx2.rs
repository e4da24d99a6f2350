//! Row kernels for CPUs with AVX2: about ten times as fast as what the baseline target allows.
//!
//! Each takes the vectors that fit and leaves the rest of the row to the portable kernel.

use std::arch::x86_64::*;

use super::portable::{self, Byte, Word};
use super::{RowInput, RowSums, STRIP, SeamLimits, Side, Spread, unpack, words_per_strip};

/// Pixels per vector of 8-bit samples.
const BYTES_AT_ONCE: usize = 32;
/// Pixels per vector of 16-bit samples.
const WORDS_AT_ONCE: usize = 16;

/// Loads 32 bytes from `offset` on.
#[target_feature(enable = "avx2")]
#[inline]
fn load(bytes: &[u8], offset: usize) -> __m256i {
    debug_assert!(offset + 32 <= bytes.len());
    // SAFETY: every caller's loop condition keeps `offset + 32` within the slice; loadu needs no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().add(offset).cast()) }
}

/// Adds four words to `strips[at..at + 4]`.
#[target_feature(enable = "avx2")]
#[inline]
fn add_to(strips: &mut [u64], at: usize, words: __m256i) {
    let slot: *mut __m256i = strips[at..at + 4].as_mut_ptr().cast();
    // SAFETY: the slice just taken holds exactly the 32 bytes that are read and written, unaligned.
    unsafe { _mm256_storeu_si256(slot, _mm256_add_epi64(_mm256_loadu_si256(slot), words)) }
}

/// The sum of four 64-bit lanes.
#[target_feature(enable = "avx2")]
#[inline]
fn total(lanes: __m256i) -> u64 {
    let mut words = [0_u64; 4];
    // SAFETY: the array is 32 bytes long; storeu needs no alignment.
    unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), lanes) }
    words[0].wrapping_add(words[1]).wrapping_add(words[2]).wrapping_add(words[3])
}

/// Adds pairs of unsigned 32-bit lanes into 64-bit lanes.
#[target_feature(enable = "avx2")]
#[inline]
fn widen(lanes: __m256i) -> __m256i {
    let low = _mm256_and_si256(lanes, _mm256_set1_epi64x(0xffff_ffff));
    _mm256_add_epi64(low, _mm256_srli_epi64(lanes, 32))
}

/// The running sums of a row in vectors.
struct Lanes {
    packed: __m256i,
    gradient: __m256i,
    difference: __m256i,
}

impl Lanes {
    #[target_feature(enable = "avx2")]
    #[inline]
    fn zero() -> Self {
        let zero = _mm256_setzero_si256();
        Self { packed: zero, gradient: zero, difference: zero }
    }

    /// Joins what the vectors hold with the tail; all lanes are 64 bits wide by now.
    #[target_feature(enable = "avx2")]
    fn join(self, tail: RowSums) -> RowSums {
        let (sum, dark, content) = unpack(total(self.packed));
        RowSums {
            sum: tail.sum + u64::from(sum),
            dark: tail.dark + dark,
            content: tail.content + content,
            gradient: tail.gradient + total(self.gradient),
            difference: tail.difference + total(self.difference),
        }
    }
}

/// Sums up a row of 8-bit samples.
#[target_feature(enable = "avx2")]
pub(super) fn row_u8<const LEVELS: bool, const CHANGE: bool>(input: &RowInput<'_>, strips: &mut [u64]) -> RowSums {
    let width = input.row.len();
    let zero = _mm256_setzero_si256();
    let one = _mm256_set1_epi8(1);
    // With no dark value at all, the limit would have to be below zero: count with weight 0 instead.
    let dark_one = _mm256_set1_epi8(i8::from(input.dark >= 0));
    let dark_limit = _mm256_set1_epi8(input.dark.clamp(0, 255) as u8 as i8);
    let content_limit = _mm256_set1_epi8(input.content.clamp(0, 255) as u8 as i8);
    let mut lanes = Lanes::zero();
    let mut x = 0;
    while x + BYTES_AT_ONCE < width {
        let current = load(input.row, x);
        let mut packed = _mm256_sad_epu8(current, zero);
        if LEVELS {
            let dark = _mm256_cmpeq_epi8(_mm256_min_epu8(current, dark_limit), current);
            let dark = _mm256_sad_epu8(_mm256_and_si256(dark, dark_one), zero);
            let plain = _mm256_cmpeq_epi8(_mm256_min_epu8(current, content_limit), current);
            let content = _mm256_sad_epu8(_mm256_andnot_si256(plain, one), zero);
            let counts = _mm256_or_si256(_mm256_slli_epi64(dark, 32), _mm256_slli_epi64(content, 48));
            packed = _mm256_or_si256(packed, counts);
            let gradient = _mm256_sad_epu8(current, load(input.row, x + 1));
            lanes.gradient = _mm256_add_epi64(lanes.gradient, gradient);
        }
        if CHANGE {
            let difference = _mm256_sad_epu8(current, load(input.previous, x));
            lanes.difference = _mm256_add_epi64(lanes.difference, difference);
        }
        add_to(strips, x / STRIP, packed);
        lanes.packed = _mm256_add_epi64(lanes.packed, packed);
        x += BYTES_AT_ONCE;
    }
    lanes.join(portable::row::<Byte, LEVELS, CHANGE>(input, x, strips))
}

/// Sums up a row of 9- to 14-bit samples. Two words a strip: a vector holds two strips, four words.
#[target_feature(enable = "avx2")]
pub(super) fn row_u16<const LEVELS: bool, const CHANGE: bool>(input: &RowInput<'_>, strips: &mut [u64]) -> RowSums {
    debug_assert!(input.ceiling <= super::AVX2_CEILING);
    let width = input.row.len() / 2;
    let ones = _mm256_set1_epi16(1);
    let minus_ones = _mm256_set1_epi16(-1);
    let ceiling = _mm256_set1_epi16(input.ceiling as i16);
    let dark_one = _mm256_set1_epi16(-i16::from(input.dark >= 0));
    let dark_limit = _mm256_set1_epi16(input.dark.clamp(0, 65_535) as u16 as i16);
    let content_limit = _mm256_set1_epi16(input.content.clamp(0, 65_535) as u16 as i16);
    let mut lanes = Lanes::zero();
    let mut x = 0;
    while x + WORDS_AT_ONCE < width {
        let current = _mm256_min_epu16(load(input.row, 2 * x), ceiling);
        let mut packed = widen(_mm256_madd_epi16(current, ones));
        if LEVELS {
            let dark = _mm256_cmpeq_epi16(_mm256_min_epu16(current, dark_limit), current);
            // −1 × −1 and −1 × 0: pairs of lanes count 0, 1 or 2.
            let dark = _mm256_madd_epi16(dark, dark_one);
            let plain = _mm256_cmpeq_epi16(_mm256_min_epu16(current, content_limit), current);
            let content = _mm256_madd_epi16(_mm256_andnot_si256(plain, minus_ones), minus_ones);
            let counts = widen(_mm256_or_si256(dark, _mm256_slli_epi32(content, 16)));
            packed = _mm256_or_si256(packed, _mm256_slli_epi64(counts, 32));
            let next = _mm256_min_epu16(load(input.row, 2 * (x + 1)), ceiling);
            lanes.gradient = _mm256_add_epi32(lanes.gradient, absolute_pairs(current, next));
        }
        if CHANGE {
            let previous = _mm256_min_epu16(load(input.previous, 2 * x), ceiling);
            lanes.difference = _mm256_add_epi32(lanes.difference, absolute_pairs(current, previous));
        }
        add_to(strips, x / STRIP * words_per_strip(2), packed);
        lanes.packed = _mm256_add_epi64(lanes.packed, packed);
        x += WORDS_AT_ONCE;
    }
    // 65,535 pixels × 16,383, an eighth of them in each lane, stay below 2³².
    lanes.gradient = widen(lanes.gradient);
    lanes.difference = widen(lanes.difference);
    lanes.join(portable::row::<Word, LEVELS, CHANGE>(input, x, strips))
}

/// Sums of neighbouring pairs of absolute differences; all values below 2¹⁵.
#[target_feature(enable = "avx2")]
#[inline]
fn absolute_pairs(one: __m256i, other: __m256i) -> __m256i {
    _mm256_madd_epi16(_mm256_abs_epi16(_mm256_sub_epi16(one, other)), _mm256_set1_epi16(1))
}

/// The lanes of a vector as bytes.
#[target_feature(enable = "avx2")]
#[inline]
fn lanes_of(vector: __m256i) -> [u8; 32] {
    let mut bytes = [0_u8; 32];
    // SAFETY: the array is 32 bytes long; storeu needs no alignment.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), vector) }
    bytes
}

/// Measures the spread of a row of 8-bit samples; with `STRIPS`, adds the sum of each strip to `strips`.
#[target_feature(enable = "avx2")]
pub(super) fn spread_u8<const STRIPS: bool>(row: &[u8], strips: &mut [u64]) -> Spread {
    let zero = _mm256_setzero_si256();
    let (mut sum, mut squares, mut highest) = (zero, zero, zero);
    let mut lowest = _mm256_set1_epi8(-1);
    let mut x = 0;
    while x + BYTES_AT_ONCE <= row.len() {
        let current = load(row, x);
        let sums = _mm256_sad_epu8(current, zero);
        if STRIPS {
            add_to(strips, x / STRIP, sums);
        }
        sum = _mm256_add_epi64(sum, sums);
        let low = _mm256_unpacklo_epi8(current, zero);
        let high = _mm256_unpackhi_epi8(current, zero);
        // 4 × 255² a lane and step: 65,535 samples stay below 2³².
        let both = _mm256_add_epi32(_mm256_madd_epi16(low, low), _mm256_madd_epi16(high, high));
        squares = _mm256_add_epi32(squares, both);
        lowest = _mm256_min_epu8(lowest, current);
        highest = _mm256_max_epu8(highest, current);
        x += BYTES_AT_ONCE;
    }
    let rest = if STRIPS { &mut strips[x / STRIP..] } else { strips };
    let mut spread = portable::spread::<Byte, STRIPS>(&row[x..], u16::from(u8::MAX), rest);
    if x > 0 {
        spread.add(&Spread {
            count: x as u64,
            sum: total(sum),
            squares: total(widen(squares)),
            lowest: lanes_of(lowest).into_iter().fold(u8::MAX, u8::min).into(),
            highest: lanes_of(highest).into_iter().fold(0, u8::max).into(),
        });
    }
    spread
}

/// Measures the spread of a row of 9- to 14-bit samples; with `STRIPS`, adds the sums of strips, two words each.
#[target_feature(enable = "avx2")]
pub(super) fn spread_u16<const STRIPS: bool>(row: &[u8], ceiling: u16, strips: &mut [u64]) -> Spread {
    debug_assert!(ceiling <= super::AVX2_CEILING);
    let zero = _mm256_setzero_si256();
    let ones = _mm256_set1_epi16(1);
    let top = _mm256_set1_epi16(ceiling as i16);
    let (mut sum, mut squares, mut highest) = (zero, zero, zero);
    let mut lowest = top;
    let mut x = 0;
    while x + WORDS_AT_ONCE <= row.len() / 2 {
        let current = _mm256_min_epu16(load(row, 2 * x), top);
        let sums = _mm256_madd_epi16(current, ones);
        if STRIPS {
            add_to(strips, x / STRIP * words_per_strip(2), widen(sums));
        }
        sum = _mm256_add_epi32(sum, sums);
        // 2 × 16,383² is the most that a signed lane must hold; then it is widened.
        squares = _mm256_add_epi64(squares, widen(_mm256_madd_epi16(current, current)));
        lowest = _mm256_min_epu16(lowest, current);
        highest = _mm256_max_epu16(highest, current);
        x += WORDS_AT_ONCE;
    }
    let rest = if STRIPS { &mut strips[x / STRIP * words_per_strip(2)..] } else { strips };
    let mut spread = portable::spread::<Word, STRIPS>(&row[2 * x..], ceiling, rest);
    if x > 0 {
        let (low, high) = (lanes_of(lowest), lanes_of(highest));
        let words = |bytes: &[u8; 32]| -> [u16; 16] {
            std::array::from_fn(|lane| u16::from_le_bytes([bytes[2 * lane], bytes[2 * lane + 1]]))
        };
        spread.add(&Spread {
            count: x as u64,
            sum: total(widen(sum)),
            squares: total(squares),
            lowest: words(&low).into_iter().fold(ceiling, u16::min),
            highest: words(&high).into_iter().fold(0, u16::max),
        });
    }
    spread
}

/// Judges columns of the grid of 8 by four rows and those before them; returns how many were judged.
#[target_feature(enable = "avx2")]
pub(super) fn seam_columns(rows: [&[u8]; 4], limits: SeamLimits, sides: &mut [Side], seams: &mut [u64]) -> usize {
    /// Columns judged at once, and the pixel from which the differences that they need begin.
    const AT_ONCE: usize = 4;
    const FIRST: usize = 5;
    // Of the eight differences from three before a column on: that before, the step, that after, none; then
    // the one before that before, that after, and none.
    let order = _mm256_broadcastsi128_si256(_mm_setr_epi8(1, 2, 3, -1, 0, 3, -1, -1, 9, 10, 11, -1, 8, 11, -1, -1));
    let weights = _mm256_set1_epi64x(i64::from_le_bytes([-1_i8, 2, -1, 0, 1, 1, 0, 0].map(|weight| weight as u8)));
    let ones = _mm256_set1_epi16(1);
    let step_limit = _mm256_set1_epi32(limits.step);
    let steeper = _mm256_set1_epi32(limits.steeper);
    let width = rows[0].len();
    let mut done = 0;
    while STRIP * done + FIRST + BYTES_AT_ONCE < width {
        let x = STRIP * done + FIRST;
        let mut sums = _mm256_setzero_si256();
        for row in rows {
            let (now, next) = (load(row, x), load(row, x + 1));
            let steps = _mm256_or_si256(_mm256_subs_epu8(now, next), _mm256_subs_epu8(next, now));
            sums = _mm256_add_epi16(sums, _mm256_maddubs_epi16(_mm256_shuffle_epi8(steps, order), weights));
        }
        let now = _mm256_madd_epi16(sums, ones);
        let slot: *mut __m256i = sides[done..done + AT_ONCE].as_mut_ptr().cast();
        // SAFETY: the slice just taken holds exactly the 32 bytes that are read and written, unaligned.
        let both = unsafe {
            let before = _mm256_loadu_si256(slot);
            _mm256_storeu_si256(slot, now);
            _mm256_add_epi32(before, now)
        };
        let steep = _mm256_mullo_epi32(_mm256_srli_epi64(both, 32), steeper);
        let seam = _mm256_and_si256(_mm256_cmpgt_epi32(both, step_limit), _mm256_cmpgt_epi32(both, steep));
        let bits = _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_slli_epi64(seam, 32)));
        seams[done / 64] |= (bits as u64) << (done % 64);
        done += AT_ONCE;
    }
    done
}

/// Judges the sides of 16 pixels between the second and the third of four rows; returns how many were judged.
#[target_feature(enable = "avx2")]
pub(super) fn seam_rows(rows: [&[u8]; 4], limits: SeamLimits, seams: &mut [u64]) -> usize {
    /// Sides judged at once.
    const AT_ONCE: usize = 2;
    let step_limit = _mm256_set1_epi64x(limits.step.into());
    let steeper = _mm256_set1_epi64x(limits.steeper.into());
    let [first, above, below, last] = rows;
    let width = first.len();
    let mut x = 0;
    let mut done = 0;
    while x + BYTES_AT_ONCE <= width {
        let (upper, lower) = (load(above, x), load(below, x));
        let step = _mm256_sad_epu8(upper, lower);
        let slopes = _mm256_add_epi64(_mm256_sad_epu8(load(first, x), upper), _mm256_sad_epu8(lower, load(last, x)));
        // Both halves of a side to each of them.
        let whole = |halves: __m256i| _mm256_add_epi64(halves, _mm256_shuffle_epi32(halves, 0b01_00_11_10));
        let (step, slopes) = (whole(_mm256_sub_epi64(_mm256_slli_epi64(step, 1), slopes)), whole(slopes));
        let steep = _mm256_mul_epu32(slopes, steeper);
        let seam = _mm256_and_si256(_mm256_cmpgt_epi64(step, step_limit), _mm256_cmpgt_epi64(step, steep));
        let bits = _mm256_movemask_pd(_mm256_castsi256_pd(seam));
        seams[done / 64] |= ((bits & 1 | bits >> 1 & 2) as u64) << (done % 64);
        x += BYTES_AT_ONCE;
        done += AT_ONCE;
    }
    done
}

/// Sum of the absolute differences of two 8-bit rows.
#[target_feature(enable = "avx2")]
pub(super) fn row_difference(one: &[u8], other: &[u8]) -> u64 {
    let mut sum = _mm256_setzero_si256();
    let mut x = 0;
    while x + BYTES_AT_ONCE <= one.len() {
        sum = _mm256_add_epi64(sum, _mm256_sad_epu8(load(one, x), load(other, x)));
        x += BYTES_AT_ONCE;
    }
    total(sum) + portable::row_difference(&one[x..], &other[x..])
}
