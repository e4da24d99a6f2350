//! Video missing: an announced or expected video track brings no pictures although the stream goes on.
//!
//! Definition, tolerance and score are those of `missing`. Hold times are the published defaults;
//! `news-sport` halves them.
//!
//! Off in profile `radio`, whose streams may carry a cover picture or none.
//!
//! Owned by the picture actor of a stream, on its arbiter. Sees stamps and the clock only.

use std::sync::Arc;

use avwatch_actors::detector::{Detector, LaneKind, Precedence, Worse};
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{TrackInfo, TrackKind};

use super::DetectorKind;
use super::missing::{self, Missing};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 112,
    name: "video_missing",
    summary: "An announced or expected video track brings no pictures although the stream goes on",
    unit: "s",
    worse: Worse::Higher,
    lanes: &[LaneKind::Picture],
    precedence: Precedence::Lost,
    cheapest: Tier::Keyframes,
    standard_ref: None,
    source: "Operational practice; tolerance of 1 s or three frame intervals",
    options: &[],
    defaults: |profile| {
        let mut defaults = missing::defaults(profile);
        defaults.enabled = profile != Profile::Radio;
        defaults
    },
    needs: |_, _| {},
    threshold: |_| None,
    class_limits: |_| None,
    applies: |track| track.track.kind == TrackKind::Video,
    message: |situation| missing::message("pictures", situation),
    build: |_, _| Arc::new(|track: &TrackInfo| Box::new(Missing::new(track)) as Box<dyn Detector>),
};
