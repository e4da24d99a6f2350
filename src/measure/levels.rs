//! Raw code values to normalised ones and back: 8 bit, limited range, black 16, white 235.
//!
//! Nothing is clamped: a limited-range 5 stays 5, a full-range 0 becomes 16.

use super::kernels::Spread;

/// Span of normalised luma, black to white.
const LUMA_SPAN: f64 = 219.0;
/// Span of normalised chroma.
const CHROMA_SPAN: f64 = 224.0;
/// A level that far above the black level counts as content.
pub(super) const CONTENT_ABOVE_BLACK: f64 = 24.0;
/// Below this raw 8-bit code value in all planes, a pixel is what a zeroed buffer holds.
const ZERO_BELOW: u32 = 8;

/// How one plane's code values map to levels: `level = offset + raw × scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    /// Level of code value 0.
    pub(super) offset: f64,
    /// Levels per code value.
    pub(super) scale: f64,
}

impl Scale {
    /// Of luma with that depth and range.
    pub(super) fn luma(depth: u8, full_range: bool) -> Self {
        if full_range {
            return Self { offset: 16.0, scale: LUMA_SPAN / f64::from(ceiling(depth)) };
        }
        Self { offset: 0.0, scale: limited_scale(depth) }
    }

    /// Of chroma with that depth and range: 128 is neutral.
    pub(super) fn chroma(depth: u8, full_range: bool) -> Self {
        if full_range {
            let scale = CHROMA_SPAN / f64::from(ceiling(depth));
            let neutral = f64::from(1_u32 << (depth - 1));
            return Self { offset: 128.0 - neutral * scale, scale };
        }
        Self { offset: 0.0, scale: limited_scale(depth) }
    }

    /// The level of a raw code value or of a mean of them.
    pub(super) fn level(self, raw: f64) -> f32 {
        (self.offset + raw * self.scale) as f32
    }

    /// The mean level of samples.
    pub(super) fn mean(self, sum: u64, count: u64) -> f32 {
        self.level(ratio(sum, count))
    }

    /// The standard deviation of samples, exact in integers up to the last root.
    pub(super) fn sigma(self, spread: &Spread) -> f32 {
        let (count, sum) = (u128::from(spread.count), u128::from(spread.sum));
        let variance = u128::from(spread.squares) * count - sum * sum;
        if count == 0 { 0.0 } else { ((variance as f64).sqrt() / count as f64 * self.scale) as f32 }
    }

    /// A mean difference of levels from a sum of raw ones.
    pub(super) fn span(self, sum: u64, count: u64) -> f32 {
        (ratio(sum, count) * self.scale) as f32
    }

    /// The highest raw code value whose level is at most `level`; −1 when there is none.
    pub(super) fn highest_at_most(self, level: f64) -> i32 {
        // The hair keeps a level that is exactly a code value on its side despite float division.
        let raw = ((level - self.offset) / self.scale + 1e-6).floor();
        raw.clamp(-1.0, f64::from(u16::MAX)) as i32
    }
}

fn limited_scale(depth: u8) -> f64 {
    1.0 / f64::from(1_u32 << (depth - 8))
}

/// Highest code value of a depth.
pub(super) fn ceiling(depth: u8) -> u16 {
    ((1_u32 << depth) - 1) as u16
}

/// Code values below this one are what zeroed buffers hold, in the depth's own scale. Raw on
/// purpose: a zeroed buffer is zero whatever range it is declared to have.
pub(super) fn zero_limit(depth: u8) -> u16 {
    (ZERO_BELOW << (depth - 8)) as u16
}

/// A share or mean; 0 of nothing.
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn black_and_white_are_16_and_235_in_every_depth_and_range() {
        for depth in 8..=16_u8 {
            let limited = Scale::luma(depth, false);
            assert_eq!(limited.level(f64::from(16_u32 << (depth - 8))), 16.0);
            assert_eq!(limited.level(f64::from(235_u32 << (depth - 8))), 235.0);
            let full = Scale::luma(depth, true);
            assert_eq!(full.level(0.0), 16.0);
            assert_eq!(full.level(f64::from(ceiling(depth))), 235.0);
            for range in [false, true] {
                assert_eq!(Scale::chroma(depth, range).level(f64::from(1_u32 << (depth - 1))), 128.0);
            }
        }
    }

    #[test]
    fn levels_beyond_the_limited_range_are_not_clamped() {
        assert_eq!(Scale::luma(8, false).level(5.0), 5.0);
        assert_eq!(Scale::luma(10, false).level(1020.0), 255.0);
    }

    #[test]
    fn a_threshold_on_a_code_value_includes_it() {
        assert_eq!(Scale::luma(8, false).highest_at_most(32.0), 32);
        assert_eq!(Scale::luma(10, false).highest_at_most(32.0), 128);
        assert_eq!(Scale::luma(8, true).highest_at_most(16.0), 0);
        assert_eq!(Scale::luma(8, true).highest_at_most(15.0), -1);
        assert_eq!(Scale::luma(8, true).highest_at_most(235.0), 255);
    }
}
