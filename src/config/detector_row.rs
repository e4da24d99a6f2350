//! What configuration needs to know of a detector: the one seam to the registry.

use std::collections::BTreeMap;
use std::time::Duration;

use avwatch_actors::detector::LaneKind;
use avwatch_actors::severity::Severity;
use avwatch_actors::track::TrackKind;

use crate::config::error::Problem;
use crate::config::origin::KeyPath;
use crate::detectors::{DetectorKind, OptionDoc};
use crate::profile::Profile;

/// One detector as configuration sees it.
pub(crate) struct DetectorRow {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) standard_ref: Option<&'static str>,
    pub(crate) source: &'static str,
    pub(crate) options: &'static [OptionDoc],
    /// Kinds of track that it can be set on.
    pub(crate) watches: Vec<TrackKind>,
    /// Defaults of the common keys by profile.
    pub(crate) common: BTreeMap<Profile, CommonDefaults>,
}

/// Defaults of the keys that every detector has.
#[derive(Clone)]
pub(crate) struct CommonDefaults {
    pub(crate) enabled: bool,
    pub(crate) steps: Vec<(Duration, Severity)>,
    pub(crate) clear_after: Duration,
}

impl From<&DetectorKind> for DetectorRow {
    fn from(kind: &DetectorKind) -> Self {
        let common = |profile: Profile| {
            let defaults = (kind.defaults)(profile);
            let (enabled, steps, clear_after) = (defaults.enabled, defaults.steps, defaults.clear_after);
            (profile, CommonDefaults { enabled, steps, clear_after })
        };
        Self {
            name: kind.name,
            summary: kind.summary,
            unit: kind.unit,
            standard_ref: kind.standard_ref,
            source: kind.source,
            options: kind.options,
            watches: [kind.lane].iter().map(track_kind).collect(),
            common: Profile::ALL.into_iter().map(common).collect(),
        }
    }
}

fn track_kind(lane: &LaneKind) -> TrackKind {
    match lane {
        LaneKind::Picture => TrackKind::Video,
        LaneKind::Sound => TrackKind::Audio,
        LaneKind::Input => TrackKind::Input,
    }
}

/// The rows of the registry that is built in.
pub(crate) fn built_in() -> Vec<DetectorRow> {
    crate::detectors::ALL.iter().map(|kind| DetectorRow::from(*kind)).collect()
}

/// What to say of a name that is no detector of this version, when it is one that people may know.
pub(crate) fn refused(name: &str, path: &KeyPath) -> Option<Problem> {
    if TRANSPORT.contains(&name) {
        let why = "the name is reserved for a transport detector that this version does not have".to_owned();
        return Some(Problem::NotAvailable { path: path.clone(), why });
    }
    if CONTENT.contains(&name) {
        let why = "this version does not have the detector".to_owned();
        return Some(Problem::NotAvailable { path: path.clone(), why });
    }
    MONITOR.contains(&name).then(|| {
        let why = "is a condition of the monitor itself and has no settings".to_owned();
        Problem::Invalid { path: path.clone(), why }
    })
}

/// Detectors of content; those that are built are in the registry and never asked for here.
const CONTENT: [&str; 33] = [
    "black",
    "freeze",
    "block_corruption",
    "blur",
    "solid_color",
    "color_bars",
    "letterbox",
    "flash",
    "stutter",
    "decode_error",
    "format_change",
    "video_missing",
    "gamut",
    "interlacing",
    "silence",
    "channel_silence",
    "loudness",
    "true_peak",
    "clipping",
    "phase",
    "mono",
    "dropout",
    "dc_offset",
    "hum",
    "audio_missing",
    "av_sync",
    "timestamp",
    "input_down",
    "bitrate",
    "frame_rate",
    "scrambled",
    "captions_missing",
    "subtitles_missing",
];

/// Names of detectors of transport, refused until they are built.
const TRANSPORT: [&str; 19] = [
    "ts_sync",
    "ts_continuity",
    "ts_pat",
    "ts_pmt",
    "ts_pid",
    "ts_pcr",
    "ts_pts",
    "ts_tei",
    "ts_crc",
    "ts_cat",
    "rtp_loss",
    "srt_loss",
    "manifest_stale",
    "manifest_sequence",
    "manifest_http",
    "manifest_variant",
    "scte35_missing",
    "scte35_timing",
    "rendition_mismatch",
];

/// Names of conditions of the monitor itself.
const MONITOR: [&str; 6] = [
    "monitor_degraded",
    "monitor_overload",
    "notification_failed",
    "store_degraded",
    "detector_disabled",
    "stream_quarantined",
];
