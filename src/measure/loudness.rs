//! Loudness of one audio track by EBU R 128, on the `ebur128` crate.
//!
//! The crate filters, gates and keeps histograms, so its memory is bounded however long a session
//! lasts (3 s of filtered samples: 2.3 MB for 48 kHz stereo). Momentary and short-term loudness are
//! summed here from its 10 ms energies: asking the crate for its 400 ms window on every hop, as EBU
//! Tech 3341 cases 13 and 14 need, would add up 40 times as many samples.
//!
//! Left, right and centre count once, surrounds 1.41 times, LFE not at all. A mono track counts as
//! one channel, as BS.1770 says, not as the two loudspeakers it may be played on. [`ChannelRole`] knows
//! no angles: rear and height channels, which BS.1770-5 weighs 1.0, are weighed as surrounds.

use avwatch_actors::frame::LoudnessReading;
use avwatch_actors::track::ChannelRole;
use ebur128::{Channel, EbuR128, Mode};

/// Hops of 10 ms in the momentary window of 400 ms.
const MOMENTARY_HOPS: usize = 40;
/// Hops in the short-term window of 3 s.
const SHORT_TERM_HOPS: usize = 300;
/// A hop, in milliseconds.
const HOP_MILLIS: u32 = 10;

/// Measures the loudness of a track.
pub(super) struct LoudnessMeter {
    meter: EbuR128,
    /// Mean squares of the last 3 s of hops, as a ring.
    energies: [f64; SHORT_TERM_HOPS],
    next: usize,
    filled: usize,
    momentary: f64,
    short_term: f64,
    momentary_max: f64,
    short_term_max: f64,
}

impl LoudnessMeter {
    /// A meter for those channels, 1 to 16, and a rate that the crate takes (16 Hz to 2.8 MHz).
    pub(super) fn new(sample_rate: u32, roles: &[ChannelRole]) -> Self {
        let mode = Mode::I | Mode::M | Mode::S | Mode::LRA | Mode::HISTOGRAM;
        let mut meter = EbuR128::new(roles.len() as u32, sample_rate, mode).expect("rate and channels are in range");
        let channels: Vec<Channel> = roles.iter().copied().map(channel_of).collect();
        meter.set_channel_map(&channels).expect("one entry per channel, none of them dual mono");
        Self {
            meter,
            energies: [0.0; SHORT_TERM_HOPS],
            next: 0,
            filled: 0,
            momentary: 0.0,
            short_term: 0.0,
            momentary_max: 0.0,
            short_term_max: 0.0,
        }
    }

    /// Takes a hop of finite samples. One that is not `whole` is heard but moves no window.
    pub(super) fn add_hop(&mut self, channels: &[&[f32]], whole: bool) {
        self.meter.add_frames_planar_f32(channels).expect("as many channels as announced, all of one length");
        if !whole {
            return;
        }
        let level = self.meter.loudness_window(HOP_MILLIS).expect("mode M, and 10 ms are less than its window");
        self.energies[self.next] = energy_of(level);
        self.next = (self.next + 1) % SHORT_TERM_HOPS;
        self.filled = (self.filled + 1).min(SHORT_TERM_HOPS);
        if self.filled >= MOMENTARY_HOPS {
            self.momentary = self.mean_of_last(MOMENTARY_HOPS);
            self.momentary_max = self.momentary_max.max(self.momentary);
        }
        if self.filled == SHORT_TERM_HOPS {
            self.short_term = mean(&self.energies);
            self.short_term_max = self.short_term_max.max(self.short_term);
        }
    }

    /// The loudness so far; a window that has never been full, silence and too little sound for
    /// gating give `None`. Peaks are not measured here.
    pub(super) fn reading(&self) -> LoudnessReading {
        // Of fewer than two blocks the crate says 0: a range that nobody can have heard.
        let range = self.meter.loudness_range().ok().filter(|_| self.filled == SHORT_TERM_HOPS);
        LoudnessReading {
            momentary_lufs: lufs(self.momentary),
            short_term_lufs: lufs(self.short_term),
            integrated_lufs: self.meter.loudness_global().ok().filter(|level| level.is_finite()),
            loudness_range_lu: range.filter(|range| range.is_finite()),
            momentary_max_lufs: lufs(self.momentary_max),
            short_term_max_lufs: lufs(self.short_term_max),
            ..LoudnessReading::default()
        }
    }

    /// Mean energy of the newest hops.
    fn mean_of_last(&self, hops: usize) -> f64 {
        let mut last = [0.0; MOMENTARY_HOPS];
        for (index, energy) in last.iter_mut().enumerate() {
            *energy = self.energies[(self.next + SHORT_TERM_HOPS - hops + index) % SHORT_TERM_HOPS];
        }
        mean(&last)
    }
}

fn channel_of(role: ChannelRole) -> Channel {
    match role {
        ChannelRole::Left => Channel::Left,
        ChannelRole::Right => Channel::Right,
        ChannelRole::Center | ChannelRole::Mono | ChannelRole::Other => Channel::Center,
        ChannelRole::Lfe => Channel::Unused,
        ChannelRole::Surround => Channel::LeftSurround,
    }
}

/// The mean of energies, added in four fixed lanes; their number is a multiple of four.
fn mean(energies: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    for four in energies.as_chunks::<4>().0 {
        for lane in 0..4 {
            sums[lane] += four[lane];
        }
    }
    sums.iter().sum::<f64>() / energies.len() as f64
}

/// BS.1770: the K-weighted mean square of a 997 Hz tone lies 0.691 dB above its loudness.
const OFFSET_DECIBELS: f64 = 0.691;

fn energy_of(lufs: f64) -> f64 {
    // Silence is −∞ and gives 0.
    10.0_f64.powf((lufs + OFFSET_DECIBELS) / 10.0)
}

fn lufs(energy: f64) -> Option<f64> {
    let level = 10.0 * energy.log10() - OFFSET_DECIBELS;
    level.is_finite().then_some(level)
}
