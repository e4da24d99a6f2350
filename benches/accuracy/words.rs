//! The published detectors, in the order of the document, and what stands beside each.

use super::event::Severity::{self, Info, Warning};
use super::event::Step;

/// What a detector watches; decides in what its onset is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watches {
    /// Pictures: onset in frames.
    Pictures,
    /// Sound: onset in milliseconds.
    Sound,
    /// The stream as a whole: onset in milliseconds.
    Stream,
}

/// A detector as it is published.
pub(crate) struct Word {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it watches.
    pub(crate) watches: Watches,
    /// The filter of FFmpeg beside it, if there is one.
    pub(crate) filter: Option<&'static str>,
    /// Its published ladder in profile `file`; used only while the detector is not built.
    published: &'static [(f64, Severity)],
}

impl Word {
    /// The published ladder.
    pub(crate) fn steps(&self) -> Vec<Step> {
        self.published.iter().map(|(after, severity)| Step { after: *after, severity: *severity }).collect()
    }
}

const fn word(
    name: &'static str,
    watches: Watches,
    filter: Option<&'static str>,
    published: &'static [(f64, Severity)],
) -> Word {
    Word { name, watches, filter, published }
}

use Watches::{Pictures, Sound, Stream};

/// Every published detector but those of the transport stream and of the monitor itself.
pub(crate) const WORDS: [Word; 33] = [
    word("black", Pictures, Some("blackdetect"), &[(0.5, Info), (2.0, Warning)]),
    word("freeze", Pictures, Some("freezedetect"), &[(1.0, Info), (2.0, Warning)]),
    word("block_corruption", Pictures, Some("blockdetect"), &[(0.2, Warning)]),
    word("blur", Pictures, Some("blurdetect"), &[(3.0, Warning)]),
    word("solid_color", Pictures, None, &[(2.0, Warning)]),
    word("color_bars", Pictures, None, &[(2.0, Warning)]),
    word("letterbox", Pictures, Some("cropdetect"), &[(2.0, Info)]),
    word("flash", Pictures, Some("photosensitivity"), &[(0.0, Warning)]),
    word("stutter", Pictures, None, &[(3.0, Warning)]),
    word("decode_error", Pictures, None, &[(0.0, Warning)]),
    word("format_change", Pictures, None, &[(0.0, Info)]),
    word("video_missing", Pictures, None, &[(1.0, Warning)]),
    word("gamut", Pictures, Some("signalstats"), &[(2.0, Info)]),
    word("interlacing", Pictures, Some("idet"), &[(2.0, Info)]),
    word("silence", Sound, Some("silencedetect"), &[(1.0, Info), (2.0, Warning)]),
    word("channel_silence", Sound, Some("silencedetect"), &[(3.0, Warning)]),
    word("loudness", Sound, Some("ebur128"), &[(0.0, Info)]),
    word("true_peak", Sound, Some("ebur128"), &[(0.0, Info)]),
    word("clipping", Sound, Some("astats"), &[(2.0, Warning)]),
    word("phase", Sound, Some("aphasemeter"), &[(2.0, Warning)]),
    word("mono", Sound, Some("aphasemeter"), &[(2.0, Info)]),
    word("dropout", Sound, None, &[(0.0, Warning)]),
    word("dc_offset", Sound, Some("astats"), &[(2.0, Info)]),
    word("hum", Sound, None, &[(2.0, Info)]),
    word("audio_missing", Sound, None, &[(1.0, Warning)]),
    word("av_sync", Stream, None, &[(0.0, Warning)]),
    word("timestamp", Stream, None, &[(0.0, Info)]),
    word("scrambled", Stream, None, &[(0.0, Warning)]),
    word("captions_missing", Stream, None, &[(0.0, Info)]),
    word("subtitles_missing", Stream, None, &[(0.0, Info)]),
    word("frame_rate", Stream, None, &[(3.0, Warning)]),
    word("bitrate", Stream, None, &[(3.0, Warning)]),
    word("input_down", Stream, None, &[]),
];
