//! What a run is asked to do, checked.

use std::time::Duration;

use avwatch_actors::media_time::MediaTime;
use avwatch_actors::tier::{Tier, TierRange};

use super::limits::{Limits, Requirements};
use super::schedule::{HOLD, PICTURE_KINDS, SOUND_KINDS};
use super::sender::Carriage;
use crate::synthetic::SECONDS_PER_KEY;

/// Where frames come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum SourceKind {
    /// Frames made in process: engine and detectors only.
    #[default]
    Synthetic,
    /// A clip encoded once and sent as MPEG-TS over loopback: the whole ingest.
    Encoded,
}

impl SourceKind {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Synthetic => "synthetic",
            Self::Encoded => "encoded",
        }
    }
}

/// How many streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// So many.
    Fixed(u32),
    /// As many as hold.
    Search {
        /// How many to begin with.
        first: u32,
        /// Never more than these.
        most: u32,
    },
}

/// How much of encoded streams is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LoadTier {
    /// Every frame
    #[default]
    Full,
    /// Key pictures and every sound
    Keyframes,
    /// Key pictures, and every frame while something is suspicious
    Triage,
}

impl LoadTier {
    /// The name in options and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Keyframes => "keyframes",
            Self::Triage => "triage",
        }
    }

    /// What the dial of a stream says.
    pub const fn range(self) -> TierRange {
        match self {
            Self::Full => TierRange::from(Tier::Full),
            Self::Keyframes => TierRange::from(Tier::Keyframes),
            Self::Triage => TierRange::triage(),
        }
    }
}

/// What a run is asked to do.
#[derive(Clone, Debug)]
pub struct LoadSettings {
    /// Where frames come from.
    pub source: SourceKind,
    /// How many streams.
    pub streams: Streams,
    /// Measured time of each trial.
    pub seconds: Duration,
    /// Size of the pictures.
    pub size: (u32, u32),
    /// Pictures a second.
    pub rate: u32,
    /// Channels of sound; 0 for none.
    pub channels: u8,
    /// How much of it is looked at.
    pub tier: LoadTier,
    /// Least length of the clip.
    pub clip: Duration,
    /// Mean distance between two planted defects of a track.
    pub apart: Duration,
    /// How encoded streams travel, by turns.
    pub ways: Vec<Carriage>,
    /// What schedules are drawn from.
    pub seed: u64,
    /// The profile.
    pub profile: String,
    /// Settings, as `--set` has them.
    pub sets: Vec<String>,
    /// Compare with bare decoding.
    pub baseline: bool,
    /// Measure a quarter of the streams first.
    pub quarter: bool,
    /// When a trial has not held.
    pub limits: Limits,
    /// What the run must come to.
    pub requirements: Requirements,
}

/// Key pictures of an encoded clip.
const KEYS_PER_SECOND: f64 = 1.0 / SECONDS_PER_KEY as f64;

impl LoadSettings {
    /// Settings of the detectors of what is planted, under those of the command line: events come and go within seconds,
    /// so that a run of half a minute has enough of them.
    pub fn all_sets(&self) -> Vec<String> {
        let mut sets = Vec::new();
        for kind in PICTURE_KINDS.into_iter().chain(SOUND_KINDS) {
            for key in ["raise_after", "clear_after"] {
                sets.push(format!("detectors.{}.{key}={}s", kind.detector(), HOLD.as_secs()));
            }
        }
        sets.extend(self.sets.iter().cloned());
        sets
    }

    /// How far apart the pictures that are looked at are, where not all are.
    pub fn pictures_apart(&self) -> MediaTime {
        match self.tier {
            LoadTier::Keyframes => MediaTime::from_millis(1_000 * i64::from(SECONDS_PER_KEY)),
            // What is suspicious is looked at in full.
            LoadTier::Full | LoadTier::Triage => MediaTime::ZERO,
        }
    }

    /// Frames a second of a track.
    pub fn frames_per_second(&self, is_sound: bool) -> f64 {
        match (is_sound, self.source) {
            (false, _) if self.tier != LoadTier::Full => KEYS_PER_SECOND,
            (false, _) => f64::from(self.rate),
            (true, SourceKind::Synthetic) => 50.0,
            (true, SourceKind::Encoded) => 48_000.0 / 1_024.0,
        }
    }
}
