//! Input down: nothing arrives from a stream's source.
//!
//! Not judged here: when everything stops, no item arrives that a detector could judge. The
//! stream's state machine speaks instead, on control time. This row gives its event the number,
//! name, listing and configuration keys; the instance never says anything.
//!
//! The published hold times are those of steady transports (UDP, SRT, RTMP, RTSP): warning after
//! 3 s, critical after 10 s. For HLS and DASH they are 1.5 and 3 target durations, known only once
//! the playlist is: the stream's limits override the steps. Off in `file`. Score: seconds, unit `s`.
//!
//! Source: operational practice; players give up a playlist at 3.5 target durations.

use std::sync::Arc;

use avwatch_actors::detector::{Detector, LaneKind, Precedence, Verdicts, Worse};
use avwatch_actors::item::Item;
use avwatch_actors::severity::Severity::{Critical, Warning};
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{TrackInfo, TrackKind};

use super::DetectorKind;
use super::kind::lasted;
use super::table::Table;
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 401,
    name: "input_down",
    summary: "Nothing arrives from the source",
    unit: "s",
    worse: Worse::Higher,
    lanes: &[LaneKind::Input],
    precedence: Precedence::Apart,
    cheapest: Tier::Transport,
    standard_ref: None,
    source: "Operational practice; HLS and DASH by target duration (players give up at 3.5)",
    options: &[],
    defaults: |profile| {
        let steps = &[(3_000, Warning), (10_000, Critical)];
        let mut defaults = Table { live: steps, fast: steps, file: steps }.defaults(profile);
        defaults.enabled = profile != Profile::File;
        defaults
    },
    needs: |_, _| {},
    threshold: |_| None,
    class_limits: |_| None,
    applies: |track| track.track.kind == TrackKind::Input,
    message: |situation| format!("nothing arrived for {}", lasted(situation)),
    build: |_, _| Arc::new(|_: &TrackInfo| Box::new(Never) as Box<dyn Detector>),
};

/// Says nothing: see the page's head.
struct Never;

impl Detector for Never {
    fn inspect(&mut self, _: &Item, _: &mut Verdicts) {}
}
