//! Made-up sound for the detectors' tests, and what the real measurer says of it.

use std::f64::consts::TAU;
use std::sync::Arc;

use avwatch_actors::detector::Detector;
use avwatch_actors::frame::{AudioFrame, DecodeSigns};
use avwatch_actors::item::Item;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::{ChannelRole, TrackId};

use super::testing::{audio_track, build, lasting, stamp};
use super::{DetectorKind, Options};
use crate::measure::{MeasurePlan, SoundMeasurer};
use crate::profile::Profile;

/// Sound by channel.
#[derive(Clone, Debug)]
pub(super) struct Sound {
    pub(super) rate: u32,
    pub(super) channels: Vec<Vec<f32>>,
}

/// A small generator of numbers, the same on every machine.
struct Dice(u64);

impl Dice {
    /// From −1 to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1_u32 << 30) - 1.0
    }
}

impl Sound {
    /// As many channels as seeds, each made by a function of time and a die of its own.
    pub(super) fn make(rate: u32, seconds: f64, seeds: &[u64], mut sample: impl FnMut(f64, f64, u64) -> f64) -> Self {
        let count = (seconds * f64::from(rate)) as usize;
        let channel = |seed: &u64| {
            let mut dice = Dice(*seed * 7_919 + 1);
            let mut one = |index: usize| quantised(sample(index as f64 / f64::from(rate), dice.next(), *seed));
            (0..count).map(&mut one).collect()
        };
        Self { rate, channels: seeds.iter().map(channel).collect() }
    }

    /// Left and right of pink noise with a level in dBFS (RMS, roughly).
    pub(super) fn pink(rate: u32, seconds: f64, dbfs: f64) -> Self {
        let gain = 10f64.powf(dbfs / 20.0);
        let mut state = [0.0; 3];
        // Paul Kellet's economy filter; its output has about half the amplitude of white noise.
        Self::make(rate, seconds, &[1, 2], |_, white, _| {
            for (slot, (pole, share)) in state.iter_mut().zip([(0.997_65, 0.099), (0.963, 0.296_5), (0.57, 1.052_7)]) {
                *slot = pole * *slot + share * white;
            }
            gain * 0.7 * (state.iter().sum::<f64>() + 0.184_8 * white)
        })
    }

    /// Syllables of a gliding voice with pauses between words, a little room on either side.
    pub(super) fn speech(rate: u32, seconds: f64) -> Self {
        Self::make(rate, seconds, &[3, 4], |time, white, seed| {
            let syllable = (time * 4.3).fract();
            let word = ((time * 4.3) as u64 * 7 + 3) % 5;
            let envelope = if word == 0 { 0.0 } else { (syllable * 8.0).min(1.0) * ((1.0 - syllable) * 5.0).min(1.0) };
            let phase = TAU * (180.0 * time + 2.6 * (TAU * 0.7 * time).sin() + 0.02 * seed as f64);
            let voice: f64 = [(1.0, 0.5), (2.0, 0.45), (3.0, 0.2), (5.0, 0.22), (9.0, 0.1), (17.0, 0.04)]
                .iter()
                .map(|(order, level)| level * (order * phase + order * order).sin())
                .sum();
            0.3 * envelope * (voice + 0.08 * white) + 0.000_3 * white
        })
    }

    /// Chords that decay, a bass and a brush, each differently left and right.
    pub(super) fn music(rate: u32, seconds: f64) -> Self {
        Self::make(rate, seconds, &[5, 6], |time, white, seed| {
            let beat = (time * 2.0).fract() / 2.0;
            let bar = (time * 2.0) as usize;
            let root = [220.7, 261.9, 196.3, 294.1][bar / 2 % 4];
            let side = if seed == 5 { 1.0 } else { 0.6 };
            let chord: f64 = [(1.0, side), (1.259, 1.6 - side), (1.498, 0.7)]
                .iter()
                .map(|(ratio, level)| level * (TAU * root * ratio * time).sin() * (-4.0 * beat).exp())
                .sum();
            let bass = (TAU * root / 4.0 * time).sin() * (0.6 + 0.4 * (-3.0 * beat).exp());
            0.12 * chord + 0.22 * bass + 0.05 * white * (-30.0 * beat).exp() + 0.000_5 * white
        })
    }

    /// A tone left and right, in quadrature, so that it is neither mono nor out of phase.
    pub(super) fn tone(rate: u32, seconds: f64, frequency: f64, level: f64) -> Self {
        Self::make(rate, seconds, &[0, 1], |time, _, seed| {
            level * (TAU * (frequency * time + 0.25 * seed as f64)).sin()
        })
    }

    /// Square waves at these frequencies together.
    pub(super) fn square(rate: u32, seconds: f64, frequencies: &[f64], level: f64) -> Self {
        Self::make(rate, seconds, &[0, 1], |time, _, seed| {
            let one = |frequency: &f64| (TAU * (frequency * time + 0.25 * seed as f64)).sin().signum();
            level * frequencies.iter().map(one).sum::<f64>() / frequencies.len() as f64
        })
    }

    /// The same sound with every sample of a stretch changed: by time and channel.
    pub(super) fn with(mut self, from: f64, to: f64, change: impl Fn(f64, usize, f32) -> f64) -> Self {
        let rate = f64::from(self.rate);
        for (number, channel) in self.channels.iter_mut().enumerate() {
            let end = channel.len();
            let (first, last) = ((from * rate).round() as usize, ((to * rate).round() as usize).min(end));
            for (index, sample) in channel[first..last].iter_mut().enumerate() {
                *sample = quantised(change((first + index) as f64 / rate, number, *sample));
            }
        }
        self
    }

    /// Too loud by that many decibels and cut off, then brought to `level`, in that stretch.
    pub(super) fn clipped(self, from: f64, to: f64, decibels: f64, level: f64) -> Self {
        let peak = self.peak();
        let gain = 10f64.powf(decibels / 20.0) / peak;
        self.with(from, to, |_, _, sample| level * (f64::from(sample) * gain).clamp(-1.0, 1.0))
    }

    /// As loud, but limited: a gain that follows the highest sample of the 5 ms around it.
    pub(super) fn limited(mut self, decibels: f64, level: f64) -> Self {
        let gain = 10f64.powf(decibels / 20.0) / self.peak();
        let reach = self.rate as usize / 400;
        for channel in &mut self.channels {
            let loud: Vec<f64> = channel.iter().map(|sample| f64::from(*sample) * gain).collect();
            let peaks: Vec<f64> =
                loud.chunks(reach).map(|chunk| chunk.iter().fold(1.0, |peak, sample| sample.abs().max(peak))).collect();
            let wanted = |block: usize| {
                let around = &peaks[block.saturating_sub(1)..(block + 2).min(peaks.len())];
                1.0 / around.iter().fold(1.0_f64, |peak, other| peak.max(*other))
            };
            for (index, sample) in channel.iter_mut().enumerate() {
                let (block, place) = (index / reach, (index % reach) as f64 / reach as f64);
                let next = (block + 1).min(peaks.len() - 1);
                *sample = quantised(level * loud[index] * (wanted(block) * (1.0 - place) + wanted(next) * place));
            }
        }
        self
    }

    fn peak(&self) -> f64 {
        f64::from(self.channels.iter().flatten().fold(0.0_f32, |peak, sample| peak.max(sample.abs())))
    }

    /// A stretch of that length is played again right after itself.
    pub(super) fn repeated(mut self, from: f64, lasts: f64, times: usize) -> Self {
        let rate = f64::from(self.rate);
        let (first, count) = ((from * rate) as usize, (lasts * rate) as usize);
        for channel in &mut self.channels {
            let copy = channel[first..first + count].to_vec();
            for time in 1..=times {
                let at = first + time * count;
                channel[at..at + count].copy_from_slice(&copy);
            }
        }
        self
    }
}

/// What 16 bits can hold.
fn quantised(sample: f64) -> f32 {
    ((sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) / 32_768.0) as f32
}

/// The blocks of a track as a session delivers them, with what a detector needs of them measured.
pub(super) fn measured(kind: &DetectorKind, roles: &[ChannelRole], sound: &Sound) -> Vec<Item> {
    let mut plan = MeasurePlan::default();
    (kind.needs)(&Options::defaults(kind, Profile::File), &mut plan);
    let mut measurer = SoundMeasurer::new(&plan, sound.rate, roles);
    let mut items = Vec::new();
    let time = |samples: usize| MediaTime::from_ticks(samples as i64, 1, sound.rate as i32);
    let count = sound.channels[0].len();
    for (seq, from) in (0_u64..).zip((0..count).step_by(1_024)) {
        let to = count.min(from + 1_024);
        let block: Vec<&[f32]> = sound.channels.iter().map(|channel| &channel[from..to]).collect();
        let measures = measurer.measure(time(from), &block);
        let stamp = stamp(TrackId::audio(0), seq, time(from), time(to));
        items.push(Item::Audio(Arc::new(AudioFrame::new(stamp, DecodeSigns::default(), measures.hops, None, None))));
    }
    let stamp = stamp(TrackId::audio(0), items.len() as u64, time(count), time(count));
    let hops = measurer.finish().hops;
    items.push(Item::Audio(Arc::new(AudioFrame::new(stamp, DecodeSigns::default(), hops, None, None))));
    items
}

/// What a detector tells of a sound in a file, for its first hold time and longer.
pub(super) fn told(kind: &'static DetectorKind, roles: &[ChannelRole], sound: &Sound) -> Vec<(f64, Option<f64>)> {
    let mut detector: Box<dyn Detector> = build(kind, Profile::File, &audio_track(roles), &[]);
    let hold = (kind.defaults)(Profile::File).steps[0].0.as_secs_f64();
    lasting(&mut *detector, &measured(kind, roles, sound), hold)
}
