//! Readings: what was measured of a stream in one second, as plain data.
//!
//! Made by a [`super::Gauge`] from the facts that frames carry; immutable afterwards. What was not measured
//! is absent, never NaN.

use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::{SessionNumber, TrackId};
use serde::Serialize;

/// The lowest level that is told: what is below it reads as this.
pub const FLOOR_DB: f32 = -120.0;

/// One second of a stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StreamReading {
    /// The second on the clock on the wall that it belongs to, counted from the beginning of 1970. It is
    /// never in the future; two readings may bear the same one when a burst plays faster than real time.
    pub second: u64,
    /// The session.
    pub session: SessionNumber,
    /// Where it begins on the session's own timeline.
    #[serde(skip)]
    pub at: MediaTime,
    /// Bits received in that second; absent where nothing is told of packets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<f64>,
    /// Pictures, by track in order of appearance.
    pub pictures: Vec<PictureReading>,
    /// Sound, by track in order of appearance.
    pub sounds: Vec<SoundReading>,
}

impl StreamReading {
    /// Pictures shown in that second, of the first video track; absent without one.
    pub fn frame_rate(&self) -> Option<f64> {
        self.pictures.first().map(|picture| f64::from(picture.frames))
    }
}

/// One second of a video track.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PictureReading {
    /// The track.
    pub track: TrackId,
    /// Pictures that began in that second.
    pub frames: u16,
    /// Of them, damaged.
    pub damaged: u16,
    /// Mean luma, as an 8-bit code value of limited range (black 16, white 235).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub luma_mean: Option<f32>,
    /// Mean absolute difference of each picture to the one before, in the same levels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<f32>,
    /// Share of the second for which there were decoded pictures, 0 to 1.
    pub coverage: f32,
}

/// One second of an audio track.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SoundReading {
    /// The track.
    pub track: TrackId,
    /// Highest momentary loudness (400 ms) in that second, in LUFS; absent for silence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentary_lufs: Option<f32>,
    /// Short-term loudness (3 s) at its end, in LUFS; absent for silence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_term_lufs: Option<f32>,
    /// The channels in their order.
    pub channels: Vec<ChannelLevel>,
    /// Share of the second for which there was decoded sound, 0 to 1.
    pub coverage: f32,
}

/// The level of one channel, not below [`FLOOR_DB`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ChannelLevel {
    /// Root mean square without DC, in dBFS (a full-scale square wave is 0 dB).
    pub rms_dbfs: f32,
    /// Highest sample, in dBFS.
    pub peak_dbfs: f32,
}

/// A mean square in dB.
pub(super) fn power_db(power: f64) -> f32 {
    ((10.0 * power.max(1e-30).log10()) as f32).max(FLOOR_DB)
}

/// A magnitude in dB.
pub(super) fn level_db(magnitude: f32) -> f32 {
    power_db(f64::from(magnitude) * f64::from(magnitude))
}
