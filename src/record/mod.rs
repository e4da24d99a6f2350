//! The record of an inspection: what was measured over time, and a few pictures, for reports that
//! draw it.
//!
//! Kept only when a report asks for it. A [`Recorder`] stands between a source and the fan-out and
//! notes what passes, on the session's thread; the command takes the [`Record`] when the session is
//! over. Memory is bounded whatever the length of the input: curves are [`Series`] of a fixed number
//! of buckets, pictures are [`Stills`] that are thinned out evenly. Everything goes by media time, so
//! the same input gives the same record.

mod recorder;
mod series;
mod stills;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use avwatch_actors::track::{ChannelRole, TrackId};

use crate::measure::MeasurePlan;

pub use recorder::{Pictures, Recorder};
pub use series::{Point, Series};
pub use stills::{Still, Stills};

/// What was measured over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Of the tracks of pictures.
    pub pictures: BTreeMap<TrackId, PictureRecord>,
    /// Of the tracks of sound.
    pub sounds: BTreeMap<TrackId, SoundRecord>,
}

/// What was measured of one track of pictures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PictureRecord {
    /// Mean luma, in normalised code values.
    pub mean: Series,
    /// The level below which 1 % of the pixels lie.
    pub p1: Series,
    /// The level below which 99 % of the pixels lie.
    pub p99: Series,
    /// Mean absolute difference to the previous picture, in levels; of pictures that could be compared.
    pub difference: Series,
    /// Pictures, small.
    pub stills: Stills,
}

/// What was measured of one track of sound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SoundRecord {
    /// Loudness of the last 400 ms, in LUFS; what has none is left out.
    pub momentary: Series,
    /// Loudness of the last 3 s, in LUFS; what has none is left out.
    pub short_term: Series,
    /// Its measured channels.
    pub channels: Vec<ChannelRecord>,
}

/// What was measured of one channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChannelRecord {
    /// What it is for.
    pub role: ChannelRole,
    /// Mean square of the samples, the mean taken off.
    pub power: Series,
    /// Largest magnitude of the samples.
    pub peak: Series,
}

/// Adds to a measure plan what a record is made of.
pub fn add_needs(plan: &mut MeasurePlan) {
    plan.luma = true;
    plan.motion = true;
    plan.sound = true;
    plan.loudness = true;
    plan.keep_pictures = true;
}
