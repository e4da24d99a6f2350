//! Tracks and sessions: what one successful open of a stream turned out to hold.
//!
//! Written by the media side when a session starts and again whenever its make-up changes;
//! read by everyone after that. Plain data.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use serde::{Deserialize, Serialize, Serializer};

use crate::media_time::MediaTime;
use crate::tier::Tier;

/// Most tracks of one kind that a session may hold; more are refused when the input is opened.
pub const TRACKS_MAX: u8 = 64;

/// Most audio channels of one track that are measured; more are counted but not looked at.
pub const CHANNELS_MAX: usize = 16;

/// What kind of elementary stream a track is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrackKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
    /// Subtitles or captions in a track of their own.
    Subtitle,
    /// Anything else that carries a clock of its own, such as SCTE-35.
    Data,
    /// The input as a whole.
    Input,
}

/// Names one track of a stream: `video:0`, `audio:1`, or `input` for the stream as a whole.
///
/// Numbered by first appearance; a track keeps its number while its PID or rendition id stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackId {
    /// The kind of track.
    pub kind: TrackKind,
    /// Number within its kind, below [`TRACKS_MAX`].
    pub number: u8,
}

impl TrackId {
    /// The stream as a whole.
    pub const INPUT: Self = Self { kind: TrackKind::Input, number: 0 };

    /// The video track of that number.
    pub const fn video(number: u8) -> Self {
        Self { kind: TrackKind::Video, number }
    }

    /// The audio track of that number.
    pub const fn audio(number: u8) -> Self {
        Self { kind: TrackKind::Audio, number }
    }
}

impl fmt::Display for TrackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TrackKind::Video => write!(f, "video:{}", self.number),
            TrackKind::Audio => write!(f, "audio:{}", self.number),
            TrackKind::Subtitle => write!(f, "subtitle:{}", self.number),
            TrackKind::Data => write!(f, "data:{}", self.number),
            TrackKind::Input => f.write_str("input"),
        }
    }
}

/// A word that names no track.
#[derive(Debug, thiserror::Error)]
#[error("unknown track '{0}': use video:N, audio:N, subtitle:N, data:N or input")]
pub struct UnknownTrack(pub String);

impl FromStr for TrackId {
    type Err = UnknownTrack;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownTrack(word.to_owned());
        if word == "input" {
            return Ok(Self::INPUT);
        }
        let (kind, number) = word.split_once(':').ok_or_else(unknown)?;
        let kind = match kind {
            "video" => TrackKind::Video,
            "audio" => TrackKind::Audio,
            "subtitle" => TrackKind::Subtitle,
            "data" => TrackKind::Data,
            _ => return Err(unknown()),
        };
        let number = number.parse().ok().filter(|number| *number < TRACKS_MAX).ok_or_else(unknown)?;
        Ok(Self { kind, number })
    }
}

impl Serialize for TrackId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TrackId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Counts the successful opens of a stream from 1; everything a session produces carries it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionNumber(pub u64);

impl fmt::Display for SessionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// What one audio channel is for, as far as judgement differs by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelRole {
    /// Front left.
    Left,
    /// Front right.
    Right,
    /// Front centre.
    Center,
    /// Low-frequency effects: silent for most of a programme, excluded from loudness.
    Lfe,
    /// Any surround, side, back or height channel.
    Surround,
    /// The only channel of a mono track.
    Mono,
    /// A channel of unknown place.
    #[default]
    Other,
}

impl ChannelRole {
    /// The name used in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
            Self::Center => "center",
            Self::Lfe => "lfe",
            Self::Surround => "surround",
            Self::Mono => "mono",
            Self::Other => "channel",
        }
    }

    /// The channels that make a stereo pair: front left and right, or the only two of a track that
    /// does not say what they are for.
    pub fn stereo_pair(roles: &[Self]) -> Option<(usize, usize)> {
        let place = |role: Self| roles.iter().position(|known| *known == role);
        match (place(Self::Left), place(Self::Right)) {
            (Some(left), Some(right)) => Some((left, right)),
            _ if roles == [Self::Other; 2] => Some((0, 1)),
            _ => None,
        }
    }
}

/// What is known of a video track's pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VideoFormat {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Pictures a second, 0 when unknown.
    pub frame_rate: f64,
    /// The pixel format in FFmpeg's words, such as `yuv420p10le`.
    pub pixel_format: String,
    /// True when the container or codec says that the pictures are interlaced.
    pub interlaced: bool,
    /// True when code values use the full range (0–255) instead of the limited one (16–235).
    pub full_range: bool,
    /// Pixel width over pixel height, 1 when unknown.
    pub pixel_aspect: f64,
}

/// What is known of an audio track's samples.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AudioFormat {
    /// Samples a second and channel.
    pub sample_rate: u32,
    /// Number of channels as coded; only the first [`CHANNELS_MAX`] are measured.
    pub channels: u16,
    /// The layout in FFmpeg's words, such as `5.1(side)`.
    pub layout: String,
    /// The role of each measured channel, in order.
    pub roles: Vec<ChannelRole>,
}

/// One elementary stream of a session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrackInfo {
    /// Its name.
    pub track: TrackId,
    /// The codec in FFmpeg's words, such as `h264`; empty when unknown.
    pub codec: String,
    /// Present for video tracks whose format is known.
    pub video: Option<VideoFormat>,
    /// Present for audio tracks whose format is known.
    pub audio: Option<AudioFormat>,
    /// MPEG-TS packet id or the container's own number of the track.
    pub pid: Option<u32>,
    /// ISO 639 code as written in the container, cleaned of control characters.
    pub language: Option<String>,
    /// Programme (service) number in a multi-programme stream.
    pub program: Option<u32>,
    /// Rendition or variant id of HLS and DASH.
    pub rendition: Option<String>,
    /// What the track is for, such as `descriptions`; absent for the main ones.
    pub role: Option<String>,
    /// True for tracks that are not the main one of their kind: their silence is `info` only.
    pub secondary: bool,
    /// False for a track that was announced or expected but of which nothing has been seen.
    pub present: bool,
}

impl TrackInfo {
    /// A track of which only the name is known.
    pub fn bare(track: TrackId) -> Self {
        Self {
            track,
            codec: String::new(),
            video: None,
            audio: None,
            pid: None,
            language: None,
            program: None,
            rendition: None,
            role: None,
            secondary: false,
            present: true,
        }
    }
}

impl TrackInfo {
    /// True when codec, size, pixel format, sample rate or number of channels are known of both and
    /// differ: what was measured before and what is measured now do not compare.
    pub fn is_other_format_than(&self, before: &Self) -> bool {
        let differs = |before: &str, now: &str| !before.is_empty() && !now.is_empty() && before != now;
        let video = matches!((&before.video, &self.video), (Some(before), Some(now))
            if before.width > 0 && now.width > 0
                && ((before.width, before.height) != (now.width, now.height)
                    || differs(&before.pixel_format, &now.pixel_format)));
        let audio = matches!((&before.audio, &self.audio), (Some(before), Some(now))
            if before.channels > 0 && now.channels > 0
                && (before.sample_rate, before.channels) != (now.sample_rate, now.channels));
        video || audio || differs(&before.codec, &self.codec)
    }
}

/// What a session holds. Sent first, and again within the session whenever its make-up changes.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    /// Configured name of the stream.
    pub stream: Arc<str>,
    /// Number of the session.
    pub session: SessionNumber,
    /// 0 for the first announcement of a session, then counting its changes.
    pub revision: u32,
    /// Where on the timeline this make-up begins.
    pub at: MediaTime,
    /// The container in FFmpeg's words, such as `mpegts`.
    pub container: String,
    /// Every inspected or announced track, video first, then by number.
    pub tracks: Vec<TrackInfo>,
    /// How much of it is looked at from here on.
    pub tier: Tier,
    /// Longest time between two bursts that is normal for this kind of input; zero for steady ones.
    pub burst: MediaTime,
    /// When the session began, for latency.
    pub started: Instant,
    /// When the session began, for what people read.
    pub started_wall: SystemTime,
}

impl SessionInfo {
    /// The track of that name, if this session has it.
    pub fn track(&self, track: TrackId) -> Option<&TrackInfo> {
        self.tracks.iter().find(|info| info.track == track)
    }
}
