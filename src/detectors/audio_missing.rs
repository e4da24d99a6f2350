//! Audio missing: an announced or expected audio track brings no sound although the stream goes on.
//!
//! Definition, tolerance and score are those of `missing`. Hold times are the published defaults;
//! `news-sport` halves them.
//!
//! Owned by the sound actor of a stream, on its arbiter. Sees stamps and the clock only.

use std::sync::Arc;

use avwatch_actors::detector::{Detector, LaneKind, Precedence, Worse};
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{TrackInfo, TrackKind};

use super::DetectorKind;
use super::missing::{self, Missing};

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 211,
    name: "audio_missing",
    summary: "An announced or expected audio track brings no sound although the stream goes on",
    unit: "s",
    worse: Worse::Higher,
    lanes: &[LaneKind::Sound],
    precedence: Precedence::Rest,
    cheapest: Tier::Audio,
    standard_ref: None,
    source: "Operational practice; tolerance of 1 s or three frame intervals",
    options: &[],
    defaults: missing::defaults,
    needs: |_, _| {},
    threshold: |_| None,
    class_limits: |_| None,
    applies: |track| track.track.kind == TrackKind::Audio,
    message: |situation| missing::message("sound", situation),
    build: |_, _| Arc::new(|track: &TrackInfo| Box::new(Missing::new(track)) as Box<dyn Detector>),
};
