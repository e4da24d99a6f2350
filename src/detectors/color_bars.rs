//! Colour bars: a test pattern is on air.
//!
//! Bars means that at least `bars` of the seven standard colours stand side by side in their order
//! (white, yellow, cyan, green, magenta, red, blue), at 75 % or 100 %, of ITU-R BT.601 or BT.709, and
//! cover at least half the width. To end it, two fewer must be left. Score: bars in order.
//!
//! Sources: colours and order are those of SMPTE RP 219-1, SMPTE EG 1 and EBU bars; the least number
//! leaves one bar to a logo or caption. Hold times are the published defaults; `news-sport` halves them.
//!
//! Owned by the picture actor of a stream, on its arbiter. Sees facts only.

use std::sync::Arc;

use avwatch_actors::detector::{LaneKind, Precedence, Situation, Verdicts, Worse};
use avwatch_actors::frame::VideoFrame;
use avwatch_actors::severity::Severity::{Major, Warning};
use avwatch_actors::tier::Tier;
use avwatch_actors::track::TrackInfo;

use super::kind::lasted;
use super::picture_judge::{OfPictures, PictureJudge, is_video};
use super::spell::Spell;
use super::table::Table;
use super::{Defaults, DetectorKind, OptionDoc, OptionValue};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 106,
    name: "color_bars",
    summary: "Colour bars are shown",
    unit: "bars",
    worse: Worse::Higher,
    lanes: &[LaneKind::Picture],
    precedence: Precedence::Pattern,
    cheapest: Tier::Keyframes,
    standard_ref: Some("SMPTE RP 219-1"),
    source: "SMPTE RP 219-1, SMPTE EG 1 and EBU bars",
    options: &[OptionDoc {
        name: "bars",
        doc: "Number of standard colours that must stand side by side in their order.",
        default: |_| OptionValue::Number(6.0),
        range: (4.0, 7.0),
    }],
    defaults,
    needs: |_, plan| plan.pattern = true,
    threshold: |options| Some(options.number("bars") as f32),
    class_limits: |_| None,
    applies: is_video,
    message: |situation: &Situation| format!("colour bars for {}", lasted(situation)),
    build: |options, _| {
        let bars = options.number("bars") as f32;
        Arc::new(move |track: &TrackInfo| OfPictures::boxed(track, Bars { bars, spell: Spell::Unknown }))
    },
};

fn defaults(profile: Profile) -> Defaults {
    let table = Table { live: &[(5_000, Major)], fast: &[(2_500, Major)], file: &[(2_000, Warning)] };
    let mut defaults = table.defaults(profile);
    defaults.enabled = profile != Profile::Radio;
    defaults
}

/// Least share of the width that the bars cover.
const WIDTH_MIN: f32 = 0.5;
/// Bars that may be lost before the pattern has ended.
const SLACK: f32 = 2.0;

struct Bars {
    bars: f32,
    spell: Spell,
}

impl PictureJudge for Bars {
    fn look(&mut self, frame: &VideoFrame, out: &mut Verdicts) {
        let pattern = &frame.facts.pattern;
        let found = f32::from(pattern.bars);
        let holds = match self.spell {
            Spell::Holds(_) => found >= self.bars - SLACK,
            Spell::Absent(_) | Spell::Unknown => found >= self.bars && pattern.bars_share >= WIDTH_MIN,
        };
        self.spell.turn(holds, frame.stamp.media_time);
        self.spell.say(found, 0, out);
    }

    fn begin(&mut self) {
        self.spell = Spell::Unknown;
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::frame::{PatternFacts, PictureFacts};

    use super::super::testing::{Film, build, stretches, video_track};
    use super::*;

    fn shown(bars: u8, bars_share: f32) -> Vec<(f64, Option<f64>)> {
        let pattern = PatternFacts { bars, bars_share };
        let with = PictureFacts { pattern, ..PictureFacts::default() };
        let items = Film::new(25.0).then(2.0, |_| PictureFacts::default()).then(3.0, |_| with);
        let items = items.then(1.0, |_| PictureFacts::default()).items;
        let mut detector = build(&KIND, Profile::File, &video_track(25.0), &[]);
        stretches(&mut *detector, &items).iter().map(|found| (found.start, found.end)).collect()
    }

    #[test]
    fn six_of_seven_bars_in_order_are_a_pattern() {
        assert_eq!(shown(7, 0.75), [(2.0, Some(5.0))]);
        assert_eq!(shown(6, 0.7), [(2.0, Some(5.0))]);
    }

    #[test]
    fn a_few_stripes_or_small_bars_are_none() {
        assert_eq!(shown(5, 0.9), []);
        assert_eq!(shown(7, 0.3), []);
    }
}
