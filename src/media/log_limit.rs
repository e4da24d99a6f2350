//! How many lines of FFmpeg's log we pass on: token buckets, and repeats folded.
//!
//! One for the process, behind a mutex that is only ever tried. A fixed table: never allocates.

use std::time::Instant;

/// Lines a second and in one burst, of one kind of context.
const KIND_RATE: f64 = 5.0;
const KIND_BURST: f64 = 20.0;

/// Lines a second, and in one burst, of the whole process.
const PROCESS_RATE: f64 = 200.0;

/// Kinds of context that are told apart; those that collide share a bucket.
const KINDS_MAX: usize = 64;

/// Counts what was held back since the last line of the kind that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::media) struct Passed {
    /// How often the previous line came again.
    pub(in crate::media) repeats: u32,
    /// How many other lines the limits held back.
    pub(in crate::media) withheld: u32,
}

/// The buckets.
pub(in crate::media) struct Throttle {
    process: Bucket,
    kinds: [Kind; KINDS_MAX],
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    filled: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Kind {
    bucket: Bucket,
    last_line: u64,
    repeats: u32,
    withheld: u32,
}

impl Throttle {
    /// With full buckets.
    pub(in crate::media) const fn new() -> Self {
        let kind = Kind { bucket: Bucket { tokens: KIND_BURST, filled: None }, last_line: 0, repeats: 0, withheld: 0 };
        Self { process: Bucket { tokens: PROCESS_RATE, filled: None }, kinds: [kind; KINDS_MAX] }
    }

    /// Whether a line may pass, and what was held back before it.
    pub(in crate::media) fn pass(&mut self, kind: &str, line: &str, now: Instant) -> Option<Passed> {
        let slot = (hash(kind) % KINDS_MAX as u64) as usize;
        let kind = &mut self.kinds[slot];
        let line = hash(line);
        // A bucket that is full again means a new occurrence rather than a repeat.
        kind.bucket.fill(KIND_RATE, KIND_BURST, now);
        if line == kind.last_line && kind.bucket.tokens < KIND_BURST {
            kind.repeats = kind.repeats.saturating_add(1);
            return None;
        }
        self.process.fill(PROCESS_RATE, PROCESS_RATE, now);
        if kind.bucket.tokens < 1.0 || self.process.tokens < 1.0 {
            kind.withheld = kind.withheld.saturating_add(1);
            return None;
        }
        kind.bucket.tokens -= 1.0;
        self.process.tokens -= 1.0;
        kind.last_line = line;
        let passed = Passed { repeats: kind.repeats, withheld: kind.withheld };
        kind.repeats = 0;
        kind.withheld = 0;
        Some(passed)
    }
}

impl Bucket {
    fn fill(&mut self, rate: f64, burst: f64, now: Instant) {
        let since = self.filled.map_or(0.0, |filled| now.saturating_duration_since(filled).as_secs_f64());
        self.tokens = (self.tokens + since * rate).min(burst);
        self.filled = Some(now);
    }
}

/// FNV-1a of 64 bit.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_of_one_kind_passes_its_burst_and_then_its_rate() {
        let mut throttle = Throttle::new();
        let start = Instant::now();
        let passed = (0..1_000).filter(|number| throttle.pass("h264", &number.to_string(), start).is_some()).count();
        assert_eq!(passed, 20);
        let later = start + Duration::from_secs(1);
        let passed: Vec<_> =
            (0..1_000).filter_map(|number| throttle.pass("h264", &format!("b{number}"), later)).collect();
        assert_eq!(passed.len(), 5);
        assert_eq!(passed[0], Passed { repeats: 0, withheld: 980 });
    }

    #[test]
    fn many_kinds_share_the_limit_of_the_process() {
        let mut throttle = Throttle::new();
        let now = Instant::now();
        let mut passed = 0;
        for kind in 0..64 {
            passed +=
                (0..20).filter(|number| throttle.pass(&kind.to_string(), &number.to_string(), now).is_some()).count();
        }
        assert_eq!(passed, 200);
    }

    #[test]
    fn repeats_are_folded_into_a_count() {
        let mut throttle = Throttle::new();
        let now = Instant::now();
        assert!(throttle.pass("hevc", "same", now).is_some());
        assert!((0..50).all(|_| throttle.pass("hevc", "same", now).is_none()));
        assert_eq!(throttle.pass("hevc", "other", now), Some(Passed { repeats: 50, withheld: 0 }));
    }
}
