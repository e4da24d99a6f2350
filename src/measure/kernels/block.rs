//! Blocks of 16 samples side by side.

/// Samples of a block.
pub const BLOCK: usize = 16;

/// Sum of the absolute differences of two blocks of 8-bit samples.
#[cfg(target_arch = "x86_64")]
pub fn block_difference(one: &[u8; BLOCK], other: &[u8; BLOCK]) -> u32 {
    use std::arch::x86_64::{__m128i, _mm_cvtsi128_si32, _mm_loadu_si128, _mm_sad_epu8, _mm_unpackhi_epi64};
    // SAFETY: each array holds the 16 bytes that are read, unaligned; every x86-64 CPU has SSE2.
    unsafe {
        let load = |block: &[u8; BLOCK]| _mm_loadu_si128(block.as_ptr().cast::<__m128i>());
        let halves = _mm_sad_epu8(load(one), load(other));
        (_mm_cvtsi128_si32(halves) + _mm_cvtsi128_si32(_mm_unpackhi_epi64(halves, halves))) as u32
    }
}

/// Sum of the absolute differences of two blocks of 8-bit samples.
#[cfg(not(target_arch = "x86_64"))]
pub fn block_difference(one: &[u8; BLOCK], other: &[u8; BLOCK]) -> u32 {
    one.iter().zip(other).map(|(one, other)| u32::from(one.abs_diff(*other))).sum()
}
