//! Counting the seams around 64 blocks at once, in the bits of words.

/// How many of their four sides are seams, of 64 blocks: the bits of each block's count, the lowest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SideCount([u64; 3]);

impl SideCount {
    /// From the sets of blocks that have a seam at each of their sides.
    pub(super) fn of(left: u64, right: u64, above: u64, below: u64) -> Self {
        let (one_beside, two_beside) = (left ^ right, left & right);
        let (one_level, two_level) = (above ^ below, above & below);
        let carry = one_beside & one_level;
        Self([one_beside ^ one_level, two_beside ^ two_level ^ carry, two_beside & two_level])
    }

    /// The blocks that have two seams or more.
    pub(super) fn two_or_more(self) -> u64 {
        self.0[1] | self.0[2]
    }

    /// The blocks that have more than another count says.
    pub(super) fn above(self, other: Self) -> u64 {
        let Self([now_0, now_1, now_2]) = self;
        let Self([then_0, then_1, then_2]) = other;
        let more_0 = now_0 & !then_0;
        let more_1 = now_1 & !then_1 | !(now_1 ^ then_1) & more_0;
        now_2 & !then_2 | !(now_2 ^ then_2) & more_1
    }
}

/// Every second bit of the words `from` and `from + 1`, from bit `first` (0 or 1) on, as one word; words that
/// are not there are 0.
pub(super) fn every_second(words: &[u64], from: usize, first: usize) -> u64 {
    let half = |at: usize| {
        let mut bits = words.get(at).copied().unwrap_or(0) >> first & 0x5555_5555_5555_5555;
        for (shift, mask) in [
            (1, 0x3333_3333_3333_3333),
            (2, 0x0f0f_0f0f_0f0f_0f0f),
            (4, 0x00ff_00ff_00ff_00ff),
            (8, 0x0000_ffff_0000_ffff),
            (16, 0x0000_0000_ffff_ffff),
        ] {
            bits = (bits | bits >> shift) & mask;
        }
        bits
    };
    half(from) | half(from + 1) << 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bit(word: u64, index: usize) -> u32 {
        (word >> index & 1) as u32
    }

    proptest! {
        #[test]
        fn blocks_are_counted_as_one_by_one(now in any::<[u64; 4]>(), then in any::<[u64; 4]>()) {
            let of = |[left, right, above, below]: [u64; 4]| SideCount::of(left, right, above, below);
            let (two, more) = (of(now).two_or_more(), of(now).above(of(then)));
            for index in 0..64 {
                let count = |sides: [u64; 4]| sides.iter().map(|side| bit(*side, index)).sum::<u32>();
                prop_assert_eq!(bit(two, index) == 1, count(now) >= 2);
                prop_assert_eq!(bit(more, index) == 1, count(now) > count(then));
            }
        }

        #[test]
        fn every_second_bit_is_kept_in_order(words in prop::collection::vec(any::<u64>(), 0..4), first in 0_usize..2) {
            let bits = every_second(&words, 0, first);
            for index in 0..64 {
                let at = 2 * index + first;
                prop_assert_eq!(bit(bits, index), words.get(at / 64).map_or(0, |word| bit(*word, at % 64)));
            }
        }
    }
}
