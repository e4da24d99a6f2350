//! The manifest: `evidence.json`, which says what there is of an event and what is missing.

use avwatch_actors::event::{Event, Wall};
use serde::{Deserialize, Serialize};

/// Name and version of its schema.
pub const SCHEMA: &str = "avwatch.evidence/1";

/// What there is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: String,
    /// The event's id.
    pub event: String,
    /// The stream.
    pub stream: String,
    /// The detector.
    pub detector: String,
    /// The track.
    pub track: String,
    /// When the condition began.
    pub started_at: Wall,
    /// When all of this had been written.
    pub written_at: Wall,
    /// What was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<ClipPart>,
    /// The same in a file that browsers play, beside transport packets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub film: Option<FilmPart>,
    /// Small pictures, in order of time.
    pub pictures: Vec<PicturePart>,
    /// The file with the facts over time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// What is missing, and why, in sentences; empty when everything is there.
    pub missing: Vec<String>,
}

/// A clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipPart {
    /// The file.
    pub file: String,
    /// Its container: `mpegts`, `mp4` or `matroska`.
    pub container: String,
    /// Its size.
    pub bytes: u64,
    /// How long before the begin of the condition it begins, in seconds; negative when it begins after it.
    pub before_s: f64,
    /// How long after the begin of the condition it ends, in seconds.
    pub after_s: f64,
    /// It begins with a key frame, so that it can be decoded from its first picture on.
    pub key: bool,
}

/// A film.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FilmPart {
    /// The file, an MP4.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// The codecs of the clip's tracks that are not in it, for browsers do not play them.
    pub left_out: Vec<String>,
}

/// A small picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PicturePart {
    /// The file, a JPEG.
    pub file: String,
    /// What it shows: `onset` the begin of the condition, `raised` what was on when the event was raised, `end` when it ended,
    /// `strip` a moment of the clip.
    pub shows: String,
    /// When it was shown, in seconds after the begin of the condition; may be negative.
    pub at_s: f64,
}

impl Manifest {
    /// Of an event of which there is nothing yet.
    pub(super) fn of(event: &Event) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            event: event.id.clone(),
            stream: event.stream.to_string(),
            detector: event.detector.to_string(),
            track: event.track.to_string(),
            started_at: event.started_at,
            written_at: event.changed_at,
            clip: None,
            film: None,
            pictures: Vec::new(),
            trace: None,
            missing: Vec::new(),
        }
    }
}
