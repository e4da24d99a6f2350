//! Facts of sound: what detectors ask of a block of samples, measured once in one pass.
//!
//! Plain data in one flat slice per block, so that measuring could move to another process. Sample
//! values are relative to full scale (−1 to 1). Facts are numbers, never judgements.

use crate::media_time::MediaTime;

/// One channel during one hop. Sample values are relative to full scale (−1 to 1).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ChannelHop {
    /// Mean of the samples: the DC offset.
    pub mean: f32,
    /// Mean of the squared samples after the mean is taken off: the AC power.
    pub power: f32,
    /// Largest magnitude.
    pub peak: f32,
    /// Largest magnitude of the four times oversampled signal (ITU-R BS.1770-5 Annex 2), or the
    /// sample peak when that is so low that the true peak cannot matter.
    pub true_peak: f32,
    /// Samples in the longest run of exactly equal values.
    pub equal_run: u16,
    /// How flat the tops of its half waves are; measured for clipping.
    pub tops: TopFacts,
    /// How its highest samples lie; measured for clipping.
    pub ceiling: CeilingFacts,
    /// A run of equal samples near zero that ended; measured for drop-outs.
    pub lull: Lull,
    /// Mean squares of the four quarters of the hop; measured for drop-outs.
    pub quarters: [f32; 4],
    /// Mean squared differences of neighbouring samples in the four quarters: how much of it is bright;
    /// measured for drop-outs.
    pub slopes: [f32; 4],
}

/// Tops of the half waves (stretches of samples with one sign) that ended in a hop.
///
/// Half waves below −26 dBFS do not count. Shares are numbers of samples over those of the hop; a half
/// wave that began before the hop counts as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TopFacts {
    /// Half waves.
    pub waves: f32,
    /// Their lengths in samples, added up.
    pub length: f32,
    /// Squared differences of each length to that of the half wave before the last, added up.
    pub unrest: f32,
    /// Share of samples in plateaus: at least three in a row within 0.2 % of their half wave's peak, with a
    /// corner at both ends. Only plateaus within 1 % of the highest one of the hop count.
    pub plateau: f32,
    /// Level of that highest plateau.
    pub plateau_level: f32,
    /// Share of samples in level runs with corners that are not at their half wave's peak: stairs.
    pub stairs: f32,
    /// Share of samples in the same without corners: slow turns.
    pub turns: f32,
    /// Share of samples at 85 % or more of the peak of half waves that hold it for most of their width. Only
    /// half waves within 6 % of the highest such one of the hop count.
    pub flat: f32,
    /// Mean of those samples for that highest one.
    pub flat_level: f32,
}

/// The highest samples of a hop, as shares of its samples. Nothing is counted below −26 dBFS.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CeilingFacts {
    /// As high as the highest one, but for two steps of 16 bits.
    pub ties: f32,
    /// Between 95 % and 99.9 % of the highest one.
    pub near: f32,
    /// Beyond full scale, which only decoders of lossy codecs and floating-point samples are.
    pub over: f32,
}

/// A run of at least 1 ms of equal samples within ±0.001 of zero, and the sound around it.
///
/// Told in the hop that holds the 2nd millisecond after it; the longest one if there are several.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lull {
    /// How long it was, in milliseconds; 0 for none.
    pub lasts_ms: f32,
    /// When it ended, in milliseconds after the hop's begin; may lie before it.
    pub ended_ms: f32,
    /// Root mean square of the 2 ms before it.
    pub before: f32,
    /// Root mean square of the 20 ms before it.
    pub earlier: f32,
    /// Root mean square of the 2 ms after it.
    pub after: f32,
    /// Share of samples in those two times 2 ms that differ from their predecessor.
    pub alive: f32,
}

impl ChannelHop {
    /// The AC level in dBFS (a full-scale square wave is 0 dB), −200 for none.
    pub fn level_dbfs(&self) -> f32 {
        power_to_decibels(self.power)
    }
}

/// Converts a mean square to dB, with a floor of −200 dB.
fn power_to_decibels(power: f32) -> f32 {
    if power <= 1e-20 { -200.0 } else { 10.0 * power.log10() }
}

/// A sample-exact stretch of 10 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SoundHop {
    /// When it begins.
    pub at: MediaTime,
    /// For how long: 10 ms, less only at the end of a session or before a gap.
    pub lasts: MediaTime,
    /// How front left and right go together; measured for phase and mono, and 0 for tracks without
    /// such a pair.
    pub pair: PairFacts,
    /// A stretch that repeated an earlier one and ended; measured for drop-outs.
    pub echo: Echo,
}

/// How the channels of a stereo pair go together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PairFacts {
    /// Mean product of their AC parts: their covariance.
    pub covariance: f32,
    /// The same of means over a sixth of a millisecond: of what is left below some 5 kHz.
    pub low_covariance: f32,
    /// AC power of the left channel's means.
    pub low_left: f32,
    /// AC power of the right channel's means.
    pub low_right: f32,
}

/// A stretch in which all channels were sample for sample what they had been a moment before.
///
/// Told in the hop in which it ended. Times are exact to about 3 ms: it is a little longer than said.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Echo {
    /// How long it was, in milliseconds; 0 for none.
    pub lasts_ms: f32,
    /// How long before it the original was, in milliseconds.
    pub lag_ms: f32,
    /// When it ended, in milliseconds after the hop's begin; may lie before it.
    pub ended_ms: f32,
    /// How long there had been sound before the original began, in milliseconds.
    pub sound_ms: f32,
    /// Share of its power that is not a sum of up to four steady tones.
    pub unsteady: f32,
}

/// The multiples of one mains frequency in a [`MainsReading`].
pub const HARMONICS: usize = 6;

/// One multiple of a mains frequency.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Harmonic {
    /// Its level in dBFS (a full-scale square wave is 0 dB).
    pub level_dbfs: f32,
    /// How far it is above the median of its neighbours within 9 Hz, in dB.
    pub above_median_db: f32,
    /// How far it is above the highest of those within 5 Hz, in dB.
    pub above_highest_db: f32,
}

/// The spectrum around the multiples of 50 and 60 Hz, of all channels but LFE together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MainsReading {
    /// Up to when it reaches.
    pub until: MediaTime,
    /// Over what time it was taken.
    pub lasts: MediaTime,
    /// For 50 and for 60 Hz, the multiples from the first on.
    pub grids: [[Harmonic; HARMONICS]; 2],
}

/// The hops completed by one block of samples: `hops[i]` has its channels at `channels[i * count ..]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SoundHops {
    channel_count: u8,
    hops: Vec<SoundHop>,
    channels: Vec<ChannelHop>,
    /// Rare and large.
    mains: Option<Box<MainsReading>>,
}

impl SoundHops {
    /// Makes an empty set for that many channels, at most [`crate::track::CHANNELS_MAX`].
    pub fn new(channel_count: u8) -> Self {
        Self { channel_count, hops: Vec::new(), channels: Vec::new(), mains: None }
    }

    /// Adds a hop; `channels` must have one entry per channel.
    pub fn push(&mut self, hop: SoundHop, channels: &[ChannelHop]) {
        debug_assert_eq!(channels.len(), usize::from(self.channel_count));
        self.hops.push(hop);
        self.channels.extend_from_slice(channels);
    }

    /// Moves every hop by the same amount, as when the origin of a timeline becomes known.
    pub fn shift(&mut self, by: MediaTime) {
        for hop in &mut self.hops {
            hop.at += by;
        }
        if let Some(mains) = &mut self.mains {
            mains.until += by;
        }
    }

    /// Adds a reading of the mains frequencies; a block holds at most one, the newest.
    pub fn set_mains(&mut self, reading: MainsReading) {
        self.mains = Some(Box::new(reading));
    }

    /// The reading of the mains frequencies that these hops completed, about one a second.
    pub fn mains(&self) -> Option<&MainsReading> {
        self.mains.as_deref()
    }

    /// Number of channels of every hop.
    pub fn channel_count(&self) -> usize {
        usize::from(self.channel_count)
    }

    /// Number of hops.
    pub fn len(&self) -> usize {
        self.hops.len()
    }

    /// True when the block completed no hop.
    pub fn is_empty(&self) -> bool {
        self.hops.is_empty()
    }

    /// Each hop with its channels, in time order.
    pub fn iter(&self) -> impl Iterator<Item = (&SoundHop, &[ChannelHop])> {
        // A track without channels yields no hop; `max(1)` only keeps `chunks` from panicking.
        self.hops.iter().zip(self.channels.chunks(self.channel_count().max(1)))
    }
}

/// Loudness and peaks of an audio track up to a moment (EBU R 128, ITU-R BS.1770-5).
///
/// A value that cannot be had, such as the loudness of silence, is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct LoudnessReading {
    /// Of the last 400 ms, in LUFS.
    pub momentary_lufs: Option<f64>,
    /// Of the last 3 s, in LUFS.
    pub short_term_lufs: Option<f64>,
    /// Gated, since the session began, in LUFS.
    pub integrated_lufs: Option<f64>,
    /// Loudness range since the session began, in LU (EBU Tech 3342).
    pub loudness_range_lu: Option<f64>,
    /// Highest momentary loudness so far, in LUFS.
    pub momentary_max_lufs: Option<f64>,
    /// Highest short-term loudness so far, in LUFS.
    pub short_term_max_lufs: Option<f64>,
    /// Highest true peak so far, in dBTP.
    pub true_peak_dbtp: Option<f64>,
    /// Highest sample peak so far, in dBFS.
    pub sample_peak_dbfs: Option<f64>,
}
