//! What the last pictures have in common: a level that all of them reach, as opposed to bursts.

/// Pictures that are looked at.
const PICTURES: usize = 12;
/// Fewer have nothing in common yet.
const LEAST: usize = 6;
/// How many times its second lowest value a number may have that is always there: counts of moving patterns stay within it.
const SPREAD: f32 = 2.0;

/// The last twelve values of a number.
#[derive(Clone, Debug, Default)]
pub(super) struct InCommon {
    values: [f32; PICTURES],
    seen: u64,
    level: Option<f32>,
}

impl InCommon {
    /// Takes a value.
    pub(super) fn add(&mut self, value: f32) {
        self.values[(self.seen % PICTURES as u64) as usize] = value;
        self.seen += 1;
        let count = (self.seen as usize).min(PICTURES);
        self.level = (count >= LEAST).then(|| level(self.values, count));
    }

    /// The median, or twice the second lowest value if that is less; one that lies apart changes neither. None of fewer than six.
    pub(super) fn level(&self) -> Option<f32> {
        self.level
    }

    /// Values taken so far.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// Whether the level rests on values since `seen` alone.
    pub(super) fn settled_since(&self, seen: u64) -> bool {
        self.seen - seen >= PICTURES as u64
    }
}

fn level(mut values: [f32; PICTURES], count: usize) -> f32 {
    let values = &mut values[..count];
    values.sort_unstable_by(f32::total_cmp);
    values[(count - 1) / 2].min(SPREAD * values[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level_of(values: &[f32]) -> Option<f32> {
        let mut common = InCommon::default();
        for value in values {
            common.add(*value);
        }
        common.level()
    }

    #[test]
    fn what_is_in_every_picture_is_in_common_and_bursts_are_not() {
        // Torn blocks of FFmpeg's testsrc2 at 1280x720, and of pictures of which two packets in five were lost.
        assert_eq!(level_of(&[39.0, 35.0, 34.0, 32.0, 29.0, 29.0, 41.0, 33.0, 36.0, 31.0, 30.0, 38.0]), Some(33.0));
        assert_eq!(level_of(&[30.0, 2.0, 36.0, 38.0, 28.0, 26.0, 38.0, 19.0, 13.0, 31.0, 30.0, 5.0]), Some(10.0));
        assert_eq!(level_of(&[1.0, 0.0, 47.0, 0.0, 8.0, 0.0, 4.0, 0.0, 47.0, -1.0, 1.0, 0.0]), Some(0.0));
    }

    #[test]
    fn a_few_pictures_have_nothing_in_common_and_old_ones_are_forgotten() {
        assert_eq!(level_of(&[30.0; 5]), None);
        let mut common = InCommon::default();
        for _ in 0..20 {
            common.add(0.0);
        }
        let before = common.seen();
        for _ in 0..12 {
            assert!(!common.settled_since(before));
            common.add(30.0);
        }
        assert!(common.settled_since(before));
        assert_eq!(common.level(), Some(30.0));
    }
}
