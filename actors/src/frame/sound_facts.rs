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
}

/// The hops completed by one block of samples: `hops[i]` has its channels at `channels[i * count ..]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SoundHops {
    channel_count: u8,
    hops: Vec<SoundHop>,
    channels: Vec<ChannelHop>,
}

impl SoundHops {
    /// Makes an empty set for that many channels, at most [`crate::track::CHANNELS_MAX`].
    pub fn new(channel_count: u8) -> Self {
        Self { channel_count, hops: Vec::new(), channels: Vec::new() }
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
