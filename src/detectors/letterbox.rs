//! Letterbox: black bars above and below, or beside, the picture.
//!
//! The bars are those that the measurer finds: edge zones without a pixel above the black level, as
//! wide on one side as on the other. The condition holds while they take `share` of the picture or
//! more. Pictures too dark to show where bars end say nothing, nor do pictures that are mostly black between
//! them, such as credits: what is beside their letters is no bar. Class 0 letterbox, 1 pillarbox,
//! 2 both. Score: the share of the picture that bars take, unit `ratio`.
//!
//! Sources: 5 % lets the few blanked lines of analogue sources pass, and tells 1.85 : 1 film within
//! 16 : 9 (4 %) from 2.0 : 1 (11 %) and wider. Films are letterboxed on purpose: `info` only, off
//! in `news-sport`.
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
    number: 107,
    name: "letterbox",
    summary: "Black bars take a part of the picture",
    unit: "ratio",
    worse: Worse::Higher,
    lanes: &[LaneKind::Picture],
    precedence: Precedence::Rest,
    cheapest: Tier::Keyframes,
    standard_ref: None,
    source: "Own measurements on letterboxed film",
    options: &[OptionDoc {
        name: "share",
        doc: "Share of the picture, from 0 to 1, that bars must take together.",
        default: |_| OptionValue::Number(0.05),
        range: (0.01, 0.8),
    }],
    defaults,
    needs: |_, plan| plan.luma = true,
    threshold: |options| Some(options.number("share") as f32),
    class_limits: |_| None,
    applies: is_video,
    message,
    build: |options, _| {
        let share = options.number("share") as f32;
        Arc::new(move |track: &TrackInfo| OfPictures::boxed(track, Letterbox { share, spell: Spell::Unknown }))
    },
};

fn defaults(profile: Profile) -> Defaults {
    let table = Table { live: &[(10_000, Info)], fast: &[(10_000, Info)], file: &[(2_000, Info)] };
    let mut defaults = table.defaults(profile);
    defaults.enabled = !matches!(profile, Profile::Radio | Profile::NewsSport);
    defaults
}

fn message(situation: &Situation) -> String {
    let what = match situation.class {
        0 => "above and below",
        1 => "beside",
        _ => "all around",
    };
    let percent = situation.peak * 100.0;
    format!("black bars {what} the picture, {percent:.0} % of it, for {}", lasted(situation))
}

/// Share of dark pixels between bars above which there is no picture between them.
const DARK_MAX: f32 = 0.6;

struct Letterbox {
    share: f32,
    spell: Spell,
}

impl PictureJudge for Letterbox {
    fn look(&mut self, frame: &VideoFrame, out: &mut Verdicts) {
        let luma = &frame.facts.luma;
        let share = 1.0 - luma.active_share;
        if luma.shows_bars && luma.dark_share <= DARK_MAX {
            self.spell.turn(share >= self.share, frame.stamp.media_time);
        }
        let class = match (luma.bar_rows > 0, luma.bar_columns > 0) {
            (_, false) => 0,
            (false, true) => 1,
            (true, true) => 2,
        };
        self.spell.say(share, class, out);
    }

    fn begin(&mut self) {
        self.spell = Spell::Unknown;
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::frame::{LumaFacts, PictureFacts};

    use super::super::testing::{Film, build, stretches, video_track};
    use super::*;

    fn picture(active_share: f32, bars: (u16, u16), shows_bars: bool) -> PictureFacts {
        let luma =
            LumaFacts { active_share, bar_rows: bars.0, bar_columns: bars.1, shows_bars, ..LumaFacts::default() };
        PictureFacts { luma, ..PictureFacts::default() }
    }

    fn found(film: Film) -> Vec<(f64, Option<f64>, u8)> {
        let mut detector = build(&KIND, Profile::File, &video_track(25.0), &[]);
        stretches(&mut *detector, &film.items).iter().map(|found| (found.start, found.end, found.class)).collect()
    }

    #[test]
    fn bars_are_told_by_where_they_are() {
        for (bars, class) in [((44, 0), 0), ((0, 80), 1), ((44, 80), 2)] {
            let film = Film::new(25.0).then(6.0, |_| picture(1.0, (0, 0), true));
            let film = film.then(4.0, |_| picture(0.75, bars, true)).then(1.0, |_| picture(1.0, (0, 0), true));
            assert_eq!(found(film), [(6.0, Some(10.0), class)]);
        }
    }

    #[test]
    fn a_dark_scene_neither_begins_nor_ends_bars() {
        let film = Film::new(25.0).then(2.0, |_| picture(0.75, (44, 0), true));
        let film = film.then(2.0, |_| picture(1.0, (0, 0), false)).then(2.0, |_| picture(0.75, (44, 0), true));
        assert_eq!(found(film), [(0.0, None, 0)]);
    }

    #[test]
    fn credits_on_black_are_not_letterboxed() {
        let luma = LumaFacts { dark_share: 0.77, ..picture(0.57, (1, 136), true).luma };
        let credits = PictureFacts { luma, ..PictureFacts::default() };
        assert_eq!(found(Film::new(25.0).then(6.0, |_| credits)), []);
        let film = Film::new(25.0).then(2.0, |_| picture(1.0, (0, 0), true)).then(6.0, |_| credits);
        assert_eq!(found(film), [], "nor after a film");
    }

    #[test]
    fn a_few_blanked_lines_are_no_bars() {
        assert_eq!(found(Film::new(25.0).then(4.0, |_| picture(0.97, (5, 0), true))), []);
    }
}
