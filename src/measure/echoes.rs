//! Echoes: stretches in which every sample of every channel is what it was a moment before, as
//! when a buffer is played twice.
//!
//! A rolling hash over the last 32 samples names every place; places whose hash falls into one of
//! 64 classes are anchors, about one in 1.3 ms at 48 kHz, wherever blocks begin. Anchors met again
//! within 200 ms at one and the same distance make an echo. A steady tone is one, too: how much of
//! the signal is no sum of up to four tones is measured along. Owned by the sound measurer, one per
//! track; may never judge.

use std::ops::Range;

use avwatch_actors::frame::Echo;

/// Samples that the rolling hash covers.
const WINDOW: usize = 32;
/// One in so many places is an anchor.
const ANCHOR_BITS: u32 = 6;
/// Anchors that are kept: some 2.7 s of them at 48 kHz, so that few are displaced too soon.
const TABLE_BITS: u32 = 11;
/// Anchors that may be missed within an echo: they were displaced by others.
const MISSED_MAX: u8 = 4;
/// Factor of the rolling hash (Knuth's multiplier for linear congruential generators).
const FACTOR: u64 = 6_364_136_223_846_793_005;
/// Samples kept: more than the tones are measured over.
const KEPT: usize = 1_024;
/// Samples that are taken in at a time; those by which tones are told are kept meanwhile.
const CHUNK: usize = 128;
/// Tones of which steady sound may be a sum.
const TONES: usize = 4;
/// The longest spacing of the samples by which tones are told; ten times as many of them as there are tones are looked at.
const SPACING_MAX: usize = KEPT / 48;
const _: () = assert!(SPACING_MAX * 10 * TONES + CHUNK <= KEPT, "tones are told by samples that are still kept");
/// Spacing and number of the samples by which tones are told, at 48 kHz: 0.25 ms, over 10 ms.
const SPACING_HZ: u32 = 4_000;
/// An echo that is shorter is not told.
const LEAST_MS: f32 = 5.0;
/// Full scale as an integer: what 16 bits can tell apart.
const FULL_SCALE: f32 = 32_768.0;

/// Follows one track.
pub(super) struct EchoTracker {
    per_ms: f32,
    spacing: usize,
    lag_max: u64,
    hash: u64,
    /// [`FACTOR`] to the power of [`WINDOW`].
    leaving: u64,
    kept: [u32; KEPT],
    /// Samples since the beginning.
    position: u64,
    /// Since when there has been sound.
    sound_since: u64,
    /// Hash and place of anchors.
    anchors: Vec<(u32, u32)>,
    run: Option<Run>,
}

/// An echo that lasts.
#[derive(Clone, Copy)]
struct Run {
    lag: u64,
    from: u64,
    to: u64,
    /// Anchors missed since then.
    missed: u8,
    /// Absent until it has lasted long enough to tell.
    unsteady: Option<f32>,
}

impl EchoTracker {
    pub(super) fn new(sample_rate: u32) -> Self {
        Self {
            per_ms: sample_rate as f32 / 1_000.0,
            spacing: (sample_rate / SPACING_HZ).clamp(1, SPACING_MAX as u32) as usize,
            lag_max: u64::from(sample_rate / 5),
            hash: 0,
            leaving: (0..WINDOW).fold(1, |power: u64, _| power.wrapping_mul(FACTOR)),
            kept: [0; KEPT],
            position: 0,
            sound_since: 0,
            anchors: vec![(0, 0); 1 << TABLE_BITS],
            run: None,
        }
    }

    /// Takes the next samples of all channels; `is_sound` says whether they are more than silence.
    pub(super) fn add(&mut self, channels: &[&[f32]], is_sound: bool) -> Echo {
        let count = channels.first().map_or(0, |channel| channel.len());
        let begin = self.position;
        let mut echo = Echo::default();
        if !is_sound {
            self.finish(begin, &mut echo);
            self.sound_since = begin + count as u64;
        }
        for from in (0..count).step_by(CHUNK) {
            let length = CHUNK.min(count - from);
            let first = self.position;
            self.mix(channels, from..from + length);
            let mut hash = self.hash;
            for position in first..first + length as u64 {
                let at = |position: u64| u64::from(self.kept[position as usize % KEPT]);
                let (enters, leaves) = (at(position), at(position.wrapping_sub(WINDOW as u64)));
                hash = hash.wrapping_mul(FACTOR).wrapping_add(enters.wrapping_sub(leaves.wrapping_mul(self.leaving)));
                // The high bits of such a hash are the good ones, once it is mixed.
                let name = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                if is_sound && name >> (64 - ANCHOR_BITS) == 0 {
                    self.position = position + 1;
                    self.anchor(name, begin, &mut echo);
                }
            }
            self.hash = hash;
            self.position = first + length as u64;
        }
        echo
    }

    /// Keeps the next samples, those of all channels as one.
    fn mix(&mut self, channels: &[&[f32]], range: Range<usize>) {
        let mut mixed = [0_u32; CHUNK];
        let mixed = &mut mixed[..range.len()];
        for (channel, factor) in channels.iter().zip((1_u32..).step_by(2)) {
            for (mixed, sample) in mixed.iter_mut().zip(&channel[range.clone()]) {
                // Saturates where the sample is absurdly large.
                *mixed = mixed.wrapping_add(((sample * FULL_SCALE) as i32 as u32).wrapping_mul(factor));
            }
        }
        let (to, from) = self.kept.split_at_mut(self.position as usize % KEPT);
        for (slot, mixed) in from.iter_mut().chain(to).zip(mixed) {
            *slot = *mixed;
        }
    }

    fn anchor(&mut self, name: u64, begin: u64, echo: &mut Echo) {
        let slot = (name >> (64 - ANCHOR_BITS - TABLE_BITS)) as usize & ((1 << TABLE_BITS) - 1);
        // Names and places are short: what matters is near, and 32 bits tell a few thousand apart.
        let (name, position) = (name as u32, self.position as u32);
        let (known, place) = std::mem::replace(&mut self.anchors[slot], (name, position));
        let lag = u64::from(position.wrapping_sub(place));
        let is_echo = known == name && lag <= self.lag_max;
        match self.run {
            Some(run) if is_echo && run.lag == lag => {
                let is_long = (self.position - run.from) as f32 >= LEAST_MS * self.per_ms;
                let unsteady = run.unsteady.or_else(|| is_long.then(|| self.unsteady()));
                self.run = Some(Run { to: self.position, unsteady, missed: 0, ..run });
            }
            // What stood there was displaced by something newer than the original: that tells nothing.
            Some(run) if known != name && lag < run.lag && run.missed < MISSED_MAX => {
                self.run = Some(Run { missed: run.missed + 1, ..run })
            }
            _ => {
                self.finish(begin, echo);
                if is_echo {
                    let from = self.position.saturating_sub(WINDOW as u64);
                    self.run = Some(Run { lag, from, to: self.position, missed: 0, unsteady: None });
                }
            }
        }
    }

    /// Ends the echo that lasts; it is told if it was long enough.
    fn finish(&mut self, hop: u64, echo: &mut Echo) {
        let Some(Run { lag, from, to, unsteady: Some(unsteady), .. }) = self.run.take() else { return };
        let millis = |samples: i64| samples as f32 / self.per_ms;
        let lasts_ms = millis((to - from) as i64);
        if lasts_ms <= echo.lasts_ms {
            return;
        }
        *echo = Echo {
            lasts_ms,
            lag_ms: millis(lag as i64),
            ended_ms: millis(to as i64 - hop as i64),
            sound_ms: millis(from as i64 - lag as i64 - self.sound_since as i64).max(0.0),
            unsteady,
        };
    }

    /// The share of the newest samples' power that is no sum of up to four steady tones.
    ///
    /// With k tones, sampled at any spacing, `x[n+k] + x[n−k]` is a fixed linear combination of the
    /// sums of symmetric pairs further in. Its best fit leaves what is no tone.
    fn unsteady(&self) -> f32 {
        let spacing = self.spacing;
        let reach = TONES * spacing;
        let end = self.position as usize;
        let at = |back: usize| f64::from(self.kept[end.wrapping_sub(1 + back) % KEPT] as i32);
        let (mut normal, mut power) = ([[0.0_f64; TONES + 1]; TONES], 0.0_f64);
        let count = (reach * 8).min(KEPT - 2 * reach);
        for middle in reach..reach + count {
            let pair = |tone: usize| at(middle - tone * spacing) + at(middle + tone * spacing);
            let row: [f64; TONES + 1] = std::array::from_fn(|tone| if tone == 0 { at(middle) } else { pair(tone) });
            power += row[TONES] * row[TONES];
            for one in 0..TONES {
                for other in 0..=TONES {
                    normal[one][other] += row[one] * row[other];
                }
            }
        }
        let explained = explained(normal);
        if power > 0.0 { ((power - explained) / power).clamp(0.0, 1.0) as f32 } else { 0.0 }
    }
}

/// How much of the right-hand side's power the best fit of these normal equations explains
/// (Cholesky's decomposition; a column that depends on the others explains nothing more).
fn explained<const N: usize, const M: usize>(normal: [[f64; M]; N]) -> f64 {
    let mut factor = [[0.0_f64; N]; N];
    let mut solved = [0.0_f64; N];
    let mut explained = 0.0;
    for row in 0..N {
        for column in 0..row {
            let known: f64 = (0..column).map(|k| factor[row][k] * factor[column][k]).sum();
            let pivot = factor[column][column];
            factor[row][column] = if pivot > 0.0 { (normal[row][column] - known) / pivot } else { 0.0 };
        }
        let left = normal[row][row] - (0..row).map(|k| factor[row][k] * factor[row][k]).sum::<f64>();
        let pivot = if left > 1e-9 * normal[row][row] { left.sqrt() } else { 0.0 };
        factor[row][row] = pivot;
        let known: f64 = (0..row).map(|k| factor[row][k] * solved[k]).sum();
        solved[row] = if pivot > 0.0 { (normal[row][M - 1] - known) / pivot } else { 0.0 };
        explained += solved[row] * solved[row];
    }
    explained
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn how_many_samples_come_at_a_time_makes_no_difference(cuts in prop::collection::vec(1_usize..700, 1..8), seed in any::<u32>()) {
            let mut dice = seed;
            let sound: Vec<f32> = (0..cuts.iter().sum())
                .map(|_| {
                    dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (dice >> 8) as f32 / (1 << 23) as f32 - 1.0
                })
                .collect();
            let (mut single, mut cut) = (EchoTracker::new(48_000), EchoTracker::new(48_000));
            for sample in sound.chunks(1) {
                single.add(&[sample, sample], true);
            }
            let mut rest = &sound[..];
            for length in cuts {
                let (now, later) = rest.split_at(length);
                cut.add(&[now, now], true);
                rest = later;
            }
            prop_assert_eq!((single.hash, single.position, single.kept), (cut.hash, cut.position, cut.kept));
            prop_assert_eq!(single.anchors, cut.anchors);
        }
    }
}
