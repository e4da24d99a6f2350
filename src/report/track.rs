//! Tracks and measurements of a report.

use serde::Serialize;

use avwatch_actors::frame::LoudnessReading;
use avwatch_actors::track::{TrackId, TrackInfo, TrackKind};

use super::six_decimals;

/// What is known of an inspected track.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReportTrack {
    /// Its name.
    pub track: TrackId,
    /// The codec in FFmpeg's words, such as `h264`; nothing when unknown.
    pub codec: Option<String>,
    /// What belongs to its kind.
    #[serde(flatten)]
    pub detail: TrackDetail,
    /// MPEG-TS packet id or the container's own number of the track.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// ISO 639 code as written in the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What the track is for, such as `descriptions`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Programme number in a multi-programme stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<u32>,
    /// Rendition or variant id of HLS and DASH.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rendition: Option<String>,
    /// Share of the track that was really inspected (0–1).
    pub coverage: Option<f64>,
}

/// What belongs to the kind of a track. What is unknown is nothing, never zero.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum TrackDetail {
    /// Of pictures.
    Video {
        /// Width in pixels.
        width: Option<u32>,
        /// Height in pixels.
        height: Option<u32>,
        /// Pictures a second.
        frame_rate: Option<f64>,
        /// In FFmpeg's words, such as `yuv420p`.
        pixel_format: Option<String>,
        /// Number of decoded pictures.
        frames: u64,
    },
    /// Of sound.
    Audio {
        /// Samples a second and channel.
        sample_rate: Option<u32>,
        /// Number of channels as coded.
        channels: Option<u16>,
        /// The layout in FFmpeg's words, such as `stereo`.
        layout: Option<String>,
    },
    /// Of anything else: nothing.
    Other {},
}

impl ReportTrack {
    /// Makes the record of a track: `frames` decoded frames (told for video only), `coverage` the
    /// share of it that was inspected.
    pub fn new(info: &TrackInfo, frames: u64, coverage: f64) -> Self {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let detail = match info.track.kind {
            TrackKind::Video => {
                let format = info.video.as_ref();
                TrackDetail::Video {
                    width: format.map(|format| format.width),
                    height: format.map(|format| format.height),
                    frame_rate: format.map(|format| format.frame_rate).filter(|rate| *rate > 0.0),
                    pixel_format: format.and_then(|format| text(&format.pixel_format)),
                    frames,
                }
            }
            TrackKind::Audio => {
                let format = info.audio.as_ref();
                TrackDetail::Audio {
                    sample_rate: format.map(|format| format.sample_rate),
                    channels: format.map(|format| format.channels),
                    layout: format.and_then(|format| text(&format.layout)),
                }
            }
            TrackKind::Subtitle | TrackKind::Data | TrackKind::Input => TrackDetail::Other {},
        };
        Self {
            track: info.track,
            codec: text(&info.codec),
            detail,
            pid: info.pid,
            language: info.language.clone(),
            role: info.role.clone(),
            program: info.program,
            rendition: info.rendition.clone(),
            coverage: Some(coverage),
        }
    }

    pub(super) fn round(&mut self) {
        self.coverage = self.coverage.and_then(six_decimals);
        if let TrackDetail::Video { frame_rate, .. } = &mut self.detail {
            *frame_rate = frame_rate.and_then(six_decimals);
        }
    }

    /// What a person reads of it: `h264 1280x720 25 fps yuv420p, 500 frames`.
    pub(super) fn describe(&self) -> String {
        let mut words = vec![self.codec.clone().unwrap_or_else(|| "unknown codec".to_owned())];
        match &self.detail {
            TrackDetail::Video { width, height, frame_rate, pixel_format, frames } => {
                if let (Some(width), Some(height)) = (width, height) {
                    words.push(format!("{width}x{height}"));
                }
                words.extend(frame_rate.map(|rate| format!("{rate} fps")));
                words.extend(pixel_format.clone());
                words.push(format!("({frames} frames)"));
            }
            TrackDetail::Audio { sample_rate, channels, layout } => {
                words.extend(sample_rate.map(|rate| format!("{rate} Hz")));
                words.extend(layout.clone().or_else(|| channels.map(|count| format!("{count} channels"))));
            }
            TrackDetail::Other {} => {}
        }
        words.extend(self.language.clone());
        words.extend(self.role.clone());
        words.extend(
            self.coverage.filter(|share| *share < 1.0).map(|share| format!("(coverage {:.1} %)", share * 100.0)),
        );
        words.join(" ")
    }
}

/// What was measured over the whole of an audio track (EBU R 128, ITU-R BS.1770-5).
///
/// What cannot be had, such as the loudness of silence, is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Measurements {
    /// Gated loudness of the programme, in LUFS.
    pub integrated_lufs: Option<f64>,
    /// Loudness range, in LU.
    pub loudness_range_lu: Option<f64>,
    /// Highest momentary loudness, in LUFS.
    pub momentary_max_lufs: Option<f64>,
    /// Highest short-term loudness, in LUFS.
    pub short_term_max_lufs: Option<f64>,
    /// Highest true peak, in dBTP.
    pub true_peak_dbtp: Option<f64>,
    /// Highest sample peak, in dBFS.
    pub sample_peak_dbfs: Option<f64>,
}

impl From<&LoudnessReading> for Measurements {
    fn from(reading: &LoudnessReading) -> Self {
        Self {
            integrated_lufs: reading.integrated_lufs,
            loudness_range_lu: reading.loudness_range_lu,
            momentary_max_lufs: reading.momentary_max_lufs,
            short_term_max_lufs: reading.short_term_max_lufs,
            true_peak_dbtp: reading.true_peak_dbtp,
            sample_peak_dbfs: reading.sample_peak_dbfs,
        }
    }
}

impl Measurements {
    /// Each measurement with its name and unit, in the order of the schema.
    pub(super) fn rows(&self) -> [(&'static str, Option<f64>, &'static str); 6] {
        [
            ("integrated", self.integrated_lufs, "LUFS"),
            ("range", self.loudness_range_lu, "LU"),
            ("momentary max", self.momentary_max_lufs, "LUFS"),
            ("short-term max", self.short_term_max_lufs, "LUFS"),
            ("true peak", self.true_peak_dbtp, "dBTP"),
            ("sample peak", self.sample_peak_dbfs, "dBFS"),
        ]
    }

    pub(super) fn round(&mut self) {
        for value in [
            &mut self.integrated_lufs,
            &mut self.loudness_range_lu,
            &mut self.momentary_max_lufs,
            &mut self.short_term_max_lufs,
            &mut self.true_peak_dbtp,
            &mut self.sample_peak_dbfs,
        ] {
            *value = value.and_then(six_decimals);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn record(info: &TrackInfo) -> Value {
        serde_json::to_value(ReportTrack::new(info, 0, 0.5)).expect("is JSON")
    }

    #[test]
    fn what_is_unknown_of_a_track_is_null() {
        let unknown = json!({"track": "video:0", "codec": null, "width": null, "height": null, "frame_rate": null,
            "pixel_format": null, "frames": 0, "coverage": 0.5});
        assert_eq!(record(&TrackInfo::bare(TrackId::video(0))), unknown);
    }

    #[test]
    fn what_a_container_says_of_a_track_is_told() {
        let track = TrackId { kind: TrackKind::Subtitle, number: 1 };
        let info = TrackInfo {
            codec: "dvb_subtitle".to_owned(),
            pid: Some(0x104),
            language: Some("deu".to_owned()),
            program: Some(7),
            ..TrackInfo::bare(track)
        };
        let told = json!({"track": "subtitle:1", "codec": "dvb_subtitle", "pid": 260, "language": "deu",
            "program": 7, "coverage": 0.5});
        assert_eq!(record(&info), told);
        assert_eq!(ReportTrack::new(&info, 0, 0.5).describe(), "dvb_subtitle deu (coverage 50.0 %)");
    }
}
