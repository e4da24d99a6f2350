//! A decoded block of samples with its facts.

use std::fmt;

use crate::frame::{DecodeSigns, LoudnessReading, SoundHops, Stamp};

/// The samples of a block, wherever they live. Reading is free of locks.
pub trait Samples: Send + Sync {
    /// Number of channels.
    fn channels(&self) -> usize;
    /// The samples of one channel, relative to full scale; empty when the channel does not exist.
    fn channel(&self, channel: usize) -> &[f32];
}

/// One decoded block of samples, immutable, with its facts.
pub struct AudioFrame {
    /// Which block this is, and when.
    pub stamp: Stamp,
    /// What the decoder said.
    pub signs: DecodeSigns,
    /// Facts of every hop that this block completed; the first may have begun in an earlier block.
    pub hops: SoundHops,
    /// A reading of loudness, at most one every 100 ms.
    pub loudness: Option<LoudnessReading>,
    samples: Option<Box<dyn Samples>>,
}

impl AudioFrame {
    /// Joins facts and, if a detector asked for them, samples.
    pub fn new(
        stamp: Stamp,
        signs: DecodeSigns,
        hops: SoundHops,
        loudness: Option<LoudnessReading>,
        samples: Option<Box<dyn Samples>>,
    ) -> Self {
        Self { stamp, signs, hops, loudness, samples }
    }

    /// The samples, when a detector of the stream asked for them.
    pub fn samples(&self) -> Option<&dyn Samples> {
        self.samples.as_deref()
    }
}

impl fmt::Debug for AudioFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AudioFrame").field("stamp", &self.stamp).field("hops", &self.hops.len()).finish_non_exhaustive()
    }
}
