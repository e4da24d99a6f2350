//! Programme sound: notes that answer each other left and right, and somebody speaking over them.
//!
//! Two loops of different length that coincide every 77 s, made once per sample rate and layout and
//! shared by all streams; a block of sound is a mix of two copies. Loudness is set to −23 LUFS
//! when the loops are made. The seed decides where in the loops a stream begins. Between two notes
//! or syllables there is always a third one, so it is never silent.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use avwatch_actors::frame::Samples;
use avwatch_actors::track::ChannelRole;

use super::defect::DefectKind;
use super::plan::DefectPlan;
use super::recipe::Recipe;

/// Length of the loop of notes and of the loop of speech, in seconds.
const MUSIC_SECONDS: usize = 7;
const VOICE_SECONDS: usize = 11;
/// EBU R 128 target level.
const TARGET_LUFS: f64 = -23.0;
/// Programme level when the loudness cannot be measured: what the loops come to, roughly.
const DEFAULT_GAIN: f32 = 0.25;
/// A burst of [`BURST_LEN`] samples every so many samples makes true-peak overs.
const BURST_EVERY: u64 = 960;
const BURST_LEN: u64 = 240;

/// How much of left notes, right notes and voice goes into a channel.
type Mix = [f32; 3];

/// The roles and mixes of a number of channels; none for numbers that no recipe can hold.
const fn layout(channels: u8) -> &'static [(ChannelRole, Mix)] {
    match channels {
        1 => &[(ChannelRole::Mono, [0.5, 0.5, 1.0])],
        2 => &[(ChannelRole::Left, [1.0, 0.0, 0.7]), (ChannelRole::Right, [0.0, 1.0, 0.7])],
        6 => &[
            (ChannelRole::Left, [1.0, 0.0, 0.1]),
            (ChannelRole::Right, [0.0, 1.0, 0.1]),
            (ChannelRole::Center, [0.1, 0.1, 1.0]),
            (ChannelRole::Lfe, [0.2, 0.2, 0.0]),
            (ChannelRole::Surround, [0.5, 0.1, 0.0]),
            (ChannelRole::Surround, [0.1, 0.5, 0.0]),
        ],
        _ => &[],
    }
}

/// The roles of the channels of a recipe.
pub(super) fn roles(channels: u8) -> Vec<ChannelRole> {
    layout(channels).iter().map(|(role, _)| *role).collect()
}

/// The layout in FFmpeg's words.
pub(super) const fn layout_name(channels: u8) -> &'static str {
    match channels {
        1 => "mono",
        2 => "stereo",
        6 => "5.1",
        _ => "",
    }
}

/// Samples by channel, as a frame carries them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SoundBlock(pub(super) Vec<Vec<f32>>);

impl Samples for SoundBlock {
    fn channels(&self) -> usize {
        self.0.len()
    }

    fn channel(&self, channel: usize) -> &[f32] {
        self.0.get(channel).map_or(&[], Vec::as_slice)
    }
}

/// Makes the sound of one stream.
pub(super) struct SoundMaker {
    programme: Arc<Programme>,
    plan: Arc<DefectPlan>,
    channels: u8,
    start: [u64; 2],
}

impl SoundMaker {
    /// Makes the maker for a recipe with sound.
    pub(super) fn new(recipe: &Recipe, plan: Arc<DefectPlan>) -> Self {
        let programme = Programme::shared(recipe.sample_rate, recipe.channels);
        let mut dice = fastrand::Rng::with_seed(recipe.seed ^ 0x5eed_0002);
        let start = [dice.u64(0..1 << 32), dice.u64(0..1 << 32)];
        Self { programme, plan, channels: recipe.channels, start }
    }

    /// Fills a block with `count` samples a channel, beginning with that sample of the stream.
    pub(super) fn make(&self, from: u64, count: usize, block: &mut SoundBlock) {
        block.0.resize_with(usize::from(self.channels), Vec::new);
        let programme = &*self.programme;
        for (channel, (_, mix)) in block.0.iter_mut().zip(layout(self.channels)) {
            channel.clear();
            channel.resize(count, 0.0);
            let loops = [&programme.notes[0], &programme.notes[1], &programme.voice];
            for (index, (samples, share)) in loops.into_iter().zip(mix).enumerate() {
                let start = self.start[index / 2] + from;
                add_looped(channel, samples, (start % samples.len() as u64) as usize, share * programme.gain);
            }
        }
        self.plan.each_sound_defect(from, from + count as u64, |kind, first, end| {
            let range = (first - from) as usize..(end - from) as usize;
            spoil(kind, block, range, first);
        });
    }
}

/// Adds samples that repeat, beginning at `start`.
fn add_looped(to: &mut [f32], samples: &[f32], mut start: usize, gain: f32) {
    if gain == 0.0 {
        return;
    }
    let mut done = 0;
    while done < to.len() {
        let count = (samples.len() - start).min(to.len() - done);
        for (to, sample) in to[done..done + count].iter_mut().zip(&samples[start..start + count]) {
            *to += sample * gain;
        }
        done += count;
        start = 0;
    }
}

/// Puts a defect into a part of a block that begins with sample `first` of the stream.
fn spoil(kind: DefectKind, block: &mut SoundBlock, range: std::ops::Range<usize>, first: u64) {
    let every = |block: &mut SoundBlock, change: &dyn Fn(usize, &mut f32)| {
        for channel in &mut block.0 {
            channel[range.clone()].iter_mut().enumerate().for_each(|(index, sample)| change(index, sample));
        }
    };
    match kind {
        DefectKind::Silence => every(block, &|_, sample| *sample = 0.0),
        DefectKind::ChannelSilence => block.0[1][range].fill(0.0),
        DefectKind::Clipping => every(block, &|_, sample| *sample = (*sample * 12.0).clamp(-1.0, 1.0)),
        DefectKind::TruePeak => every(block, &|index, sample| *sample = over(first + index as u64, *sample)),
        DefectKind::Phase | DefectKind::Mono => {
            let (left, others) = block.0.split_at_mut(1);
            for (left, right) in left[0][range.clone()].iter_mut().zip(&mut others[0][range]) {
                if kind == DefectKind::Phase {
                    *right = -0.9 * *left;
                } else {
                    *left = 0.5 * (*left + *right);
                    *right = *left;
                }
            }
        }
        // Not a matter of samples.
        DefectKind::Black
        | DefectKind::Freeze
        | DefectKind::SolidColor
        | DefectKind::ColorBars
        | DefectKind::VideoMissing
        | DefectKind::DecodeError
        | DefectKind::AudioMissing
        | DefectKind::Stall
        | DefectKind::End => {}
    }
}

/// A tone of a quarter of the sample rate, sampled at 45°: samples at 0.95, the signal at 1.34.
fn over(number: u64, sample: f32) -> f32 {
    let place = number % BURST_EVERY;
    if place >= BURST_LEN {
        return sample;
    }
    let window = (place as f32 / BURST_LEN as f32 * std::f32::consts::PI).sin().sqrt();
    let sign = if place % 4 < 2 { 1.0 } else { -1.0 };
    0.95 * window * sign
}

/// A programme that somebody may still hold, by sample rate and number of channels.
type Entry = ((u32, u8), Weak<Programme>);

/// The loops of one sample rate, and the gain of one layout.
struct Programme {
    notes: [Vec<f32>; 2],
    voice: Vec<f32>,
    gain: f32,
}

impl Programme {
    /// The programme of that rate and layout; made by the first who asks and freed after the last.
    fn shared(sample_rate: u32, channels: u8) -> Arc<Self> {
        // At most one entry per rate and layout that a recipe can ask for.
        static SHARED: Mutex<Vec<Entry>> = Mutex::new(Vec::new());
        // A panic while making one leaves the list as it was.
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (sample_rate, channels);
        if let Some(programme) = shared.iter().find(|(held, _)| *held == key).and_then(|(_, weak)| weak.upgrade()) {
            return programme;
        }
        shared.retain(|(held, _)| *held != key);
        let programme = Arc::new(Self::make(sample_rate, channels));
        shared.push((key, Arc::downgrade(&programme)));
        programme
    }

    fn make(sample_rate: u32, channels: u8) -> Self {
        let rate = sample_rate as usize;
        let sine: Vec<f32> =
            (0..SINE_LEN).map(|n| (n as f32 / SINE_LEN as f32 * std::f32::consts::TAU).sin()).collect();
        let mut dice = fastrand::Rng::with_seed(0x50_0d);
        let mut programme =
            Self { notes: make_notes(rate, &sine, &mut dice), voice: make_voice(rate, &sine, &mut dice), gain: 1.0 };
        programme.gain = programme.gain_to_target(sample_rate, channels).unwrap_or(DEFAULT_GAIN);
        programme
    }

    /// The gain that brings the mix to the target loudness.
    fn gain_to_target(&self, sample_rate: u32, channels: u8) -> Option<f32> {
        let mut meter = ebur128::EbuR128::new(u32::from(channels), sample_rate, ebur128::Mode::I).ok()?;
        let mixes: Vec<Vec<f32>> = layout(channels)
            .iter()
            .map(|(_, mix)| {
                let mut channel = vec![0.0; self.voice.len()];
                for (samples, share) in [&self.notes[0], &self.notes[1], &self.voice].into_iter().zip(mix) {
                    add_looped(&mut channel, samples, 0, *share);
                }
                channel
            })
            .collect();
        let planes: Vec<&[f32]> = mixes.iter().map(Vec::as_slice).collect();
        meter.add_frames_planar_f32(&planes).ok()?;
        let loudness = meter.loudness_global().ok().filter(|loudness| loudness.is_finite())?;
        Some(10_f64.powf((TARGET_LUFS - loudness) / 20.0) as f32)
    }
}

const SINE_LEN: usize = 4_096;

/// A partial: phase and step in turns, level.
struct Partial {
    phase: f32,
    step: f32,
    level: f32,
}

impl Partial {
    fn next(&mut self, sine: &[f32], bend: f32) -> f32 {
        self.phase = (self.phase + self.step * bend).fract();
        sine[(self.phase * SINE_LEN as f32) as usize % SINE_LEN] * self.level
    }
}

/// Half-second notes, alternately more left and more right, each beginning while the last one sounds.
fn make_notes(rate: usize, sine: &[f32], dice: &mut fastrand::Rng) -> [Vec<f32>; 2] {
    const SCALE: [f32; 8] = [233.1, 261.6, 293.7, 349.2, 392.0, 466.2, 523.3, 587.3];
    let len = rate * MUSIC_SECONDS;
    // A floor of hiss keeps any two samples from being equal for long.
    let hiss = |dice: &mut fastrand::Rng| (0..len).map(|_| (dice.f32() - 0.5) * 0.004).collect::<Vec<f32>>();
    let mut sides = [hiss(dice), hiss(dice)];
    let note_len = rate / 2;
    for note in 0..MUSIC_SECONDS * 4 {
        let pitch = SCALE[dice.usize(0..SCALE.len())];
        let mut partials: Vec<Partial> = [1.0, 0.45, 0.25, 0.12]
            .into_iter()
            .zip(1_u8..)
            .map(|(level, order)| Partial { phase: 0.0, step: pitch * f32::from(order) / rate as f32, level })
            .collect();
        let pan = if note % 2 == 0 { [1.0, 0.45] } else { [0.45, 1.0] };
        let start = note * rate / 4;
        for index in 0..note_len {
            let time = index as f32 / note_len as f32;
            let envelope = (time * 25.0).min(1.0) * (1.0 - time).sqrt();
            let tone: f32 = partials.iter_mut().map(|partial| partial.next(sine, 1.0)).sum();
            for (side, share) in sides.iter_mut().zip(pan) {
                side[(start + index) % len] += tone * envelope * share * 0.5;
            }
        }
    }
    sides
}

/// Syllables of 120 to 260 ms with a gliding pitch and two formants; pauses of 30 to 150 ms.
fn make_voice(rate: usize, sine: &[f32], dice: &mut fastrand::Rng) -> Vec<f32> {
    let len = rate * VOICE_SECONDS;
    let mut voice = vec![0.0; len];
    let millis = |count: usize| count * rate / 1_000;
    let mut start = 0;
    loop {
        let lasts = millis(dice.usize(120..260));
        if start + lasts > len {
            return voice;
        }
        let pitch = 95.0 + 80.0 * dice.f32();
        let glide = 0.85 + 0.3 * dice.f32();
        let formants = [350.0 + 450.0 * dice.f32(), 1_000.0 + 1_200.0 * dice.f32()];
        let mut partials: Vec<Partial> = (1_u8..=16)
            .map(|order| {
                let frequency = pitch * f32::from(order);
                let near = |formant: f32| 1.0 / (1.0 + ((frequency - formant) / 160.0).powi(2));
                let level = near(formants[0]) + 0.5 * near(formants[1]) + 0.02;
                Partial { phase: dice.f32(), step: frequency / rate as f32, level }
            })
            .collect();
        for index in 0..lasts {
            let time = index as f32 / lasts as f32;
            let envelope = (time * 6.0).min(1.0) * ((1.0 - time) * 4.0).min(1.0);
            let bend = 1.0 + (glide - 1.0) * time;
            let tone: f32 = partials.iter_mut().map(|partial| partial.next(sine, bend)).sum();
            voice[start + index] = tone * envelope * 0.35;
        }
        start += lasts + millis(dice.usize(30..150));
    }
}

#[cfg(test)]
mod tests;
