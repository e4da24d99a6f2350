//! A watch over the sizes of coded pictures: whether those of the last half second are out of the ordinary.
//!
//! Pure, part of the triage of a session. Coders spend bits on what changes: a picture that stands still, is
//! black or a slate takes a small part of what the stream usually takes, and noise or torn pictures a
//! multiple. Key pictures are left out, which are large whatever happens. The ordinary is the median of the
//! last half minute, so that a new ordinary is taken for one after half of that.

use std::collections::VecDeque;

use avwatch_actors::media_time::MediaTime;

/// What is compared: as many pictures of all kinds as one group of B-frames repeats several times.
const WINDOW: MediaTime = MediaTime::from_millis(480);
/// Windows of which the ordinary is the median.
const WINDOWS: usize = 60;
/// Fewer do not tell what is ordinary.
const WINDOWS_LEAST: usize = 6;
/// A window with a sixth, or six times, the ordinary bytes is odd: scenes of a programme lie within a few times.
const FACTOR: u64 = 6;
/// Most pictures of a window: 120 a second for half a second, and some.
const PICTURES_MAX: usize = 64;

/// The sizes of late.
#[derive(Debug, Default)]
pub(crate) struct SizeWatch {
    window: VecDeque<(u32, MediaTime)>,
    bytes: u64,
    lasts: MediaTime,
    /// Since the last window was put into `ordinary`.
    since: MediaTime,
    ordinary: VecDeque<u64>,
    /// Their median.
    median: u64,
}

impl SizeWatch {
    /// Takes in a picture that is no key picture; true while the last half second is odd.
    pub(crate) fn is_odd(&mut self, bytes: u32, lasts: MediaTime) -> bool {
        self.window.push_back((bytes, lasts));
        self.bytes += u64::from(bytes);
        self.lasts += lasts;
        while let Some((bytes, lasts)) = self.window.front().copied()
            && (self.window.len() > PICTURES_MAX || self.lasts - lasts >= WINDOW)
        {
            self.window.pop_front();
            self.bytes -= u64::from(bytes);
            self.lasts = self.lasts - lasts;
        }
        if self.lasts < WINDOW && self.window.len() < PICTURES_MAX {
            return false;
        }
        let is_odd = self.ordinary.len() >= WINDOWS_LEAST
            && (self.bytes.saturating_mul(FACTOR) < self.median || self.bytes > self.median.saturating_mul(FACTOR));
        self.since += lasts;
        if self.since >= WINDOW {
            self.since = MediaTime::ZERO;
            self.remember();
        }
        is_odd
    }

    fn remember(&mut self) {
        if self.ordinary.len() == WINDOWS {
            self.ordinary.pop_front();
        }
        self.ordinary.push_back(self.bytes);
        let mut sorted: Vec<u64> = self.ordinary.iter().copied().collect();
        let middle = sorted.len() / 2;
        self.median = *sorted.select_nth_unstable(middle).1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: MediaTime = MediaTime::from_millis(40);

    fn seen(sizes: impl Iterator<Item = u32>) -> Vec<bool> {
        let mut watch = SizeWatch::default();
        sizes.map(|bytes| watch.is_odd(bytes, FRAME)).collect()
    }

    #[test]
    fn scenes_of_different_detail_are_ordinary() {
        let scenes = [8_000, 20_000, 5_000, 15_000, 30_000];
        let odd = seen((0..5_000).map(|number| scenes[number / 200 % 5] + (number % 3) as u32 * 700));
        assert!(!odd.contains(&true));
    }

    #[test]
    fn a_stand_still_and_a_burst_are_odd_until_they_are_the_new_ordinary() {
        for bytes in [100, 90_000] {
            let odd = seen((0..500).map(|_| 10_000).chain((0..1_500).map(|_| bytes)));
            assert!(!odd[..500].contains(&true));
            assert!(odd[513..800].iter().all(|odd| *odd), "{bytes}");
            assert!(!odd[1_000..].contains(&true), "{bytes}");
        }
    }

    #[test]
    fn nothing_is_odd_before_the_ordinary_is_known() {
        let odd = seen((0..60).map(|number| if number < 30 { 50_000 } else { 100 }));
        assert!(!odd.contains(&true));
    }
}
