//! The kinds of defect that can be planted: one enum, and what each stands for.
//!
//! A new kind is one variant here, and one arm where pictures (`still.rs`, `source.rs`) or sound
//! (`sound.rs`) are made.

use avwatch_actors::track::TrackId;

/// Something wrong, on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DefectKind {
    /// The picture is black.
    Black,
    /// The picture at the onset stands still.
    Freeze,
    /// The picture is one colour: the blue of a missing signal.
    SolidColor,
    /// 75 % colour bars.
    ColorBars,
    /// No pictures arrive while time goes on.
    VideoMissing,
    /// Raw: pictures are marked as damaged. Encoded: bit errors in the packets.
    DecodeError,
    /// Digital silence on all channels.
    Silence,
    /// Digital silence on the right channel.
    ChannelSilence,
    /// No sound arrives while time goes on.
    AudioMissing,
    /// Far too loud and cut off at full scale.
    Clipping,
    /// Bursts between whose samples the signal exceeds full scale.
    TruePeak,
    /// The right channel is the left one upside down.
    Phase,
    /// Both channels are the same.
    Mono,
    /// Nothing arrives at all; the connection stays.
    Stall,
    /// The session ends at that moment.
    End,
}

/// What a defect does away with or changes; two of one place must not overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Picture,
    Sound,
    Input,
}

impl DefectKind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::Black,
        Self::Freeze,
        Self::SolidColor,
        Self::ColorBars,
        Self::VideoMissing,
        Self::DecodeError,
        Self::Silence,
        Self::ChannelSilence,
        Self::AudioMissing,
        Self::Clipping,
        Self::TruePeak,
        Self::Phase,
        Self::Mono,
        Self::Stall,
        Self::End,
    ];

    /// The word in a recipe: the detector's name, but for `stall` and `end`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stall => "stall",
            Self::End => "end",
            _ => self.detector(),
        }
    }

    /// The detector that must recognise it.
    pub const fn detector(self) -> &'static str {
        match self {
            Self::Black => "black",
            Self::Freeze => "freeze",
            Self::SolidColor => "solid_color",
            Self::ColorBars => "color_bars",
            Self::VideoMissing => "video_missing",
            Self::DecodeError => "decode_error",
            Self::Silence => "silence",
            Self::ChannelSilence => "channel_silence",
            Self::AudioMissing => "audio_missing",
            Self::Clipping => "clipping",
            Self::TruePeak => "true_peak",
            Self::Phase => "phase",
            Self::Mono => "mono",
            Self::Stall | Self::End => "input_down",
        }
    }

    /// Detectors that may rightly speak of it too: their events are no false alarms.
    pub const fn companions(self) -> &'static [&'static str] {
        match self {
            // A still or missing picture costs few bits; both are also what a still picture is.
            Self::Black | Self::SolidColor | Self::ColorBars => &["freeze", "bitrate"],
            Self::Freeze => &["stutter", "bitrate"],
            Self::VideoMissing => &["timestamp", "frame_rate", "bitrate", "av_sync", "stutter"],
            Self::DecodeError => &["block_corruption", "frame_rate", "stutter", "freeze", "blur"],
            Self::Silence => &["bitrate", "loudness", "dropout"],
            Self::ChannelSilence => &["loudness", "dropout"],
            Self::AudioMissing => &["timestamp", "bitrate", "av_sync", "dropout"],
            Self::Clipping => &["true_peak", "loudness"],
            Self::TruePeak => &["clipping", "loudness"],
            Self::Phase => &["loudness"],
            Self::Mono => &[],
            Self::Stall | Self::End => {
                &["video_missing", "audio_missing", "timestamp", "frame_rate", "bitrate", "dropout", "stutter"]
            }
        }
    }

    /// The track on which it must be recognised.
    pub const fn track(self) -> TrackId {
        match self.place() {
            Place::Picture => TrackId::video(0),
            Place::Sound => TrackId::audio(0),
            Place::Input => TrackId::INPUT,
        }
    }

    pub(super) const fn place(self) -> Place {
        match self {
            Self::Black
            | Self::Freeze
            | Self::SolidColor
            | Self::ColorBars
            | Self::VideoMissing
            | Self::DecodeError => Place::Picture,
            Self::Silence
            | Self::ChannelSilence
            | Self::AudioMissing
            | Self::Clipping
            | Self::TruePeak
            | Self::Phase
            | Self::Mono => Place::Sound,
            Self::Stall | Self::End => Place::Input,
        }
    }

    /// True for the one kind that is a moment and has no length.
    pub const fn is_moment(self) -> bool {
        matches!(self, Self::End)
    }

    /// Least number of channels without which it makes no sense.
    pub(super) const fn channels_min(self) -> u8 {
        match self {
            Self::ChannelSilence | Self::Phase | Self::Mono => 2,
            _ => match self.place() {
                Place::Sound => 1,
                Place::Picture | Place::Input => 0,
            },
        }
    }

    pub(super) fn by_name(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == word)
    }
}
