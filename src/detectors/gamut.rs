//! Gamut: luma, or red, green or blue, lie outside the preferred range.
//!
//! The condition holds while more than `share` of the picture lies outside 5 to 246 (8 bit levels; −5 %
//! to 105 %), of luma after averaging over the area of a chroma sample, or of the red, green or blue
//! that luma and chroma make. Measured on every fifth picture; onset and end are those of the measured
//! pictures. Score: the larger of both shares, unit `ratio`.
//!
//! Source: EBU R 103 v3.0 (range, averaging, 1 %). `info` only, off in `news-sport`.
//!
//! Owned by the picture actor of a stream, on its arbiter. Sees facts only.

use std::sync::Arc;

use avwatch_actors::detector::{LaneKind, Precedence, Situation, Verdicts, Worse};
use avwatch_actors::frame::VideoFrame;
use avwatch_actors::severity::Severity::Info;
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
    number: 113,
    name: "gamut",
    summary: "Levels lie outside the preferred range",
    unit: "ratio",
    worse: Worse::Higher,
    lanes: &[LaneKind::Picture],
    precedence: Precedence::Rest,
    cheapest: Tier::Keyframes,
    standard_ref: Some("EBU R 103"),
    source: "EBU R 103 v3.0",
    options: &[OptionDoc {
        name: "share",
        doc: "Share of the picture, from 0 to 1, that may lie outside the preferred range.",
        default: |_| OptionValue::Number(0.01),
        range: (0.0, 1.0),
    }],
    defaults,
    needs: |_, plan| plan.gamut = true,
    threshold: |options| Some(options.number("share") as f32),
    class_limits: |_| None,
    applies: is_video,
    message: |situation: &Situation| {
        let percent = situation.peak * 100.0;
        format!("{percent:.1} % of the picture outside the preferred range for {}", lasted(situation))
    },
    build: |options, _| {
        let share = options.number("share") as f32;
        Arc::new(move |track: &TrackInfo| OfPictures::boxed(track, Gamut { share, newest: 0.0, spell: Spell::Unknown }))
    },
};

fn defaults(profile: Profile) -> Defaults {
    let table = Table { live: &[(10_000, Info)], fast: &[(10_000, Info)], file: &[(2_000, Info)] };
    let mut defaults = table.defaults(profile);
    defaults.enabled = !matches!(profile, Profile::Radio | Profile::NewsSport);
    defaults
}

struct Gamut {
    share: f32,
    newest: f32,
    spell: Spell,
}

impl PictureJudge for Gamut {
    fn look(&mut self, frame: &VideoFrame, out: &mut Verdicts) {
        let gamut = &frame.facts.gamut;
        if gamut.measured {
            self.newest = gamut.luma_share.max(gamut.rgb_share);
            self.spell.turn(self.newest > self.share, frame.stamp.media_time);
        }
        self.spell.say(self.newest, 0, out);
    }

    fn begin(&mut self) {
        self.spell = Spell::Unknown;
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::frame::{GamutFacts, PictureFacts};

    use super::super::testing::{Film, build, stretches, video_track};
    use super::*;

    #[test]
    fn one_per_cent_is_tolerated_and_unmeasured_pictures_change_nothing() {
        let picture = |share: f32| {
            move |index: u64| {
                let measured = index.is_multiple_of(5);
                let gamut = GamutFacts { measured, rgb_share: if measured { share } else { 0.0 }, luma_share: 0.0 };
                PictureFacts { gamut, ..PictureFacts::default() }
            }
        };
        let found = |share| {
            let film = Film::new(25.0).then(2.0, picture(0.0)).then(3.0, picture(share)).then(1.0, picture(0.0));
            let mut detector = build(&KIND, Profile::File, &video_track(25.0), &[]);
            let found = stretches(&mut *detector, &film.items);
            found.iter().map(|found| (found.start, found.end)).collect::<Vec<_>>()
        };
        assert_eq!(found(0.01), []);
        assert_eq!(found(0.011), [(2.0, Some(5.0))]);
    }
}
