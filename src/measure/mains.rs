//! The spectrum around the multiples of the mains frequencies, once a second.
//!
//! All channels but LFE are averaged and brought down to 1,000 samples a second, whatever the rate
//! was; of the last 4,096 of those a Hann-windowed spectrum is taken once a second. A mains
//! frequency may be 0.2 Hz off. Owned by the sound measurer, one per track; may never judge.

use std::f64::consts::{PI, TAU};
use std::sync::OnceLock;

use avwatch_actors::frame::{HARMONICS, Harmonic, MainsReading};
use avwatch_actors::media_time::MediaTime;

/// Samples of a spectrum: 4.096 s.
const LENGTH: usize = 4_096;
/// Time that a spectrum covers.
const LASTS: MediaTime = MediaTime::from_millis(LENGTH as i64);
/// Bins for one hertz.
const BINS_PER_HZ: f64 = LENGTH as f64 / 1_000.0;
/// Parts into which a hop is averaged first: 4,000 samples a second.
const PARTS: usize = 40;
/// Of so many of those the low-pass filter makes one.
const DECIMATION: usize = 4;
/// Taps of the low-pass filter: it passes up to 360 Hz and stops from 640 Hz on.
const TAPS: usize = 39;
/// The mains frequencies.
const MAINS_HZ: [f64; 2] = [50.0, 60.0];
/// How far a mains frequency may be off, in hertz.
const TOLERANCE_HZ: f64 = 0.2;
/// Bins on either side of a peak that belong to it: a Hann window's main lobe.
const LOBE: usize = 3;
/// Neighbours reach so far from a peak: 9 Hz, short of the other mains frequency.
const NEIGHBOURS: usize = 36;
/// The highest neighbour is looked for so far from a peak: 5 Hz.
const NEAREST: usize = 20;
/// Hops between two readings: 1 s.
const HOPS_PER_READING: u32 = 100;
/// Larger samples are cut: nothing that is sound is lost, and sums stay finite.
const SAMPLE_MAX: f32 = 8.0;

/// Follows one track.
pub(super) struct MainsMeter {
    /// Averages of parts of hops that the filter still needs, the oldest first.
    parts: Vec<f32>,
    /// The last [`LENGTH`] filtered samples, as a ring.
    samples: Vec<f32>,
    next: usize,
    filled: usize,
    hops: u32,
    work: Vec<(f32, f32)>,
}

impl MainsMeter {
    pub(super) fn new() -> Self {
        Self {
            parts: vec![0.0; TAPS - 1],
            samples: vec![0.0; LENGTH],
            next: 0,
            filled: 0,
            hops: 0,
            work: vec![(0.0, 0.0); LENGTH],
        }
    }

    /// Takes a whole hop that ends at `until`; hops of fewer than 40 samples tell nothing.
    pub(super) fn add_hop(&mut self, channels: &[&[f32]], until: MediaTime) -> Option<MainsReading> {
        let count = channels.first().map_or(0, |channel| channel.len());
        if count < PARTS {
            return None;
        }
        for part in 0..PARTS {
            let (from, to) = (part * count / PARTS, (part + 1) * count / PARTS);
            let mut sum = 0.0;
            for channel in channels {
                for sample in &channel[from..to] {
                    sum += sample.clamp(-SAMPLE_MAX, SAMPLE_MAX);
                }
            }
            self.parts.push(sum / ((to - from) * channels.len()) as f32);
        }
        let taps = &tables().taps;
        for first in (0..PARTS).step_by(DECIMATION) {
            let window = &self.parts[first..first + TAPS];
            self.samples[self.next] = window.iter().zip(taps).map(|(sample, tap)| sample * tap).sum();
            self.next = (self.next + 1) % LENGTH;
        }
        self.parts.drain(..PARTS);
        self.filled = (self.filled + PARTS / DECIMATION).min(LENGTH);
        self.hops += 1;
        if self.hops < HOPS_PER_READING || self.filled < LENGTH {
            return None;
        }
        self.hops = 0;
        Some(self.reading(until))
    }

    fn reading(&mut self, until: MediaTime) -> MainsReading {
        let tables = tables();
        for (index, slot) in self.work.iter_mut().enumerate() {
            *slot = (self.samples[(self.next + index) % LENGTH] * tables.window[index], 0.0);
        }
        transform(&mut self.work, &tables.turns);
        let power = |bin: usize| {
            let (re, im) = self.work[bin];
            // A tone of amplitude a has a peak of a·LENGTH/4 under a Hann window, and the power a²/2.
            8.0 * (re * re + im * im) / (LENGTH * LENGTH) as f32
        };
        let harmonic = |mains: f64, order: usize| {
            let middle = (mains * order as f64 * BINS_PER_HZ).round() as usize;
            let off = (TOLERANCE_HZ * order as f64 * BINS_PER_HZ).ceil() as usize;
            let peak = (middle - off..=middle + off)
                .fold(middle, |best, bin| if power(bin) > power(best) { bin } else { best });
            let sides = |reach: usize| (peak - reach..peak - LOBE).chain(peak + LOBE + 1..=peak + reach);
            let highest = sides(NEAREST).fold(0.0_f32, |highest, bin| highest.max(power(bin)));
            let mut neighbours = [0.0_f32; 2 * (NEIGHBOURS - LOBE)];
            neighbours.iter_mut().zip(sides(NEIGHBOURS)).for_each(|(slot, bin)| *slot = power(bin));
            neighbours.sort_unstable_by(f32::total_cmp);
            let level_dbfs = decibels(power(peak));
            Harmonic {
                level_dbfs,
                above_median_db: level_dbfs - decibels(neighbours[neighbours.len() / 2]),
                above_highest_db: level_dbfs - decibels(highest),
            }
        };
        let grids =
            MAINS_HZ.map(|mains| -> [Harmonic; HARMONICS] { std::array::from_fn(|index| harmonic(mains, index + 1)) });
        MainsReading { until, lasts: LASTS, grids }
    }
}

/// A power in dB, with a floor of −200 dB.
fn decibels(power: f32) -> f32 {
    10.0 * power.max(1e-20).log10()
}

/// What every meter needs and nobody changes.
struct Tables {
    taps: [f32; TAPS],
    window: Vec<f32>,
    turns: Vec<(f32, f32)>,
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        // A windowed sinc (Hamming) that halves the amplitude at 500 Hz.
        let tap = |index: usize| {
            let x = index as f64 - (TAPS / 2) as f64;
            let angle = PI * x / DECIMATION as f64;
            let sinc = if x == 0.0 { 1.0 } else { angle.sin() / angle };
            (sinc / DECIMATION as f64 * (0.54 + 0.46 * (TAU * x / (TAPS - 1) as f64).cos())) as f32
        };
        let share = |index: usize| TAU * index as f64 / LENGTH as f64;
        Tables {
            taps: std::array::from_fn(tap),
            window: (0..LENGTH).map(|index| (0.5 - 0.5 * share(index).cos()) as f32).collect(),
            turns: (0..LENGTH / 2).map(|index| (share(index).cos() as f32, -share(index).sin() as f32)).collect(),
        }
    })
}

/// The discrete Fourier transform in place, by Cooley and Tukey; the length is a power of two and
/// `turns` are the first half of its roots of unity.
///
/// Our own because a library would choose other instructions, and so other bits, on another CPU.
fn transform(values: &mut [(f32, f32)], turns: &[(f32, f32)]) {
    let length = values.len();
    let bits = length.trailing_zeros();
    for index in 0..length {
        let mirrored = index.reverse_bits() >> (usize::BITS - bits);
        if index < mirrored {
            values.swap(index, mirrored);
        }
    }
    let mut half = 1;
    while half < length {
        let stride = length / (2 * half);
        for block in values.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (index, (one, other)) in low.iter_mut().zip(high).enumerate() {
                let (cos, sin) = turns[index * stride];
                let turned = (other.0 * cos - other.1 * sin, other.0 * sin + other.1 * cos);
                (*one, *other) = ((one.0 + turned.0, one.1 + turned.1), (one.0 - turned.0, one.1 - turned.1));
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::super::naive;
    use super::*;

    #[test]
    fn the_transform_is_the_naive_twins() {
        let samples: Vec<f32> = (0..LENGTH).map(|index| ((index * index) % 97) as f32 / 97.0 - 0.5).collect();
        let mut values: Vec<(f32, f32)> = samples.iter().map(|sample| (*sample, 0.0)).collect();
        transform(&mut values, &tables().turns);
        for bin in [0, 1, 205, 246, 1_229, 2_047, 4_095] {
            let (re, im) = naive::fourier(&samples, bin);
            let (found_re, found_im) = values[bin];
            // Twelve additions of single precision over values of up to a few hundred.
            assert!((f64::from(found_re) - re).abs() < 1e-2 && (f64::from(found_im) - im).abs() < 1e-2, "{bin}");
        }
    }
}
