//! Block corruption: damaged or concealed blocks are to be seen, whatever the decoder says of them.
//!
//! The evidence is in the pixels, so it also tells damage that was baked in before the stream was coded,
//! and damage of HEVC, whose decoder reports nothing. Each picture's *excess* is the share of seams
//! (steps of more than 10 levels) on the grid of 16 × 16 blocks less that on the grid shifted by 8: content
//! puts as many on either. A picture is a *hit* when its excess is above the median of the last 10 s by more than
//! `excess` and by more than four times the median deviation; or when an area of at least 5 % turns
//! to the values of an empty buffer (Y, Cb and Cr all below 8), or one of at least 10 % to mid-grey, which
//! decoders put for missing references. The condition holds from the first of three hits within one
//! second until one second has passed with fewer. After a cut, values that stay the same are content,
//! and become the new median. Score: the excess above the median, in %; of areas, their share in %.
//!
//! Class 0 seams, 1 empty buffers, 2 mid-grey.
//!
//! Sources: own measurements on H.264, HEVC and MPEG-2 with lost packets and altered bytes against the
//! clean decode; the idea of comparing both grids keeps strong quantisation, which shows on both or
//! all the time, apart from damage. Hold times are the published defaults; `news-sport` halves them.
//!
//! Owned by the picture actor of a stream, on its arbiter. Sees facts only.

use std::collections::VecDeque;
use std::sync::Arc;

use avwatch_actors::detector::{LaneKind, Precedence, Situation, Verdict, Verdicts, Worse};
use avwatch_actors::frame::{PictureFacts, VideoFrame};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::{Major, Warning};
use avwatch_actors::track::TrackInfo;

use super::baseline::Baseline;
use super::kind::lasted;
use super::picture_judge::{OfPictures, PictureJudge, is_video};
use super::table::Table;
use super::{Defaults, DetectorKind, OptionDoc, OptionValue};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 103,
    name: "block_corruption",
    summary: "Damaged or concealed blocks are to be seen",
    unit: "%",
    worse: Worse::Higher,
    lanes: &[LaneKind::Picture],
    precedence: Precedence::Rest,
    standard_ref: None,
    source: "Own measurements on damaged H.264, HEVC and MPEG-2 against the clean decode",
    options: &[OptionDoc {
        name: "excess",
        doc: "Seams on the grid of blocks beyond what is usual, in per cent of all sides of blocks.",
        default: |_| OptionValue::Number(0.5),
        range: (0.1, 50.0),
    }],
    defaults,
    needs: |_, plan| {
        plan.seams = true;
        plan.motion = true;
        plan.chroma = true;
    },
    threshold: |options| Some(options.number("excess") as f32),
    class_limits: |_| None,
    applies: is_video,
    message,
    build: |options, _| {
        let excess = options.number("excess") as f32 / 100.0;
        Arc::new(move |track: &TrackInfo| OfPictures::boxed(track, Corruption::new(excess)))
    },
};

fn defaults(profile: Profile) -> Defaults {
    let table = Table {
        live: &[(2_000, Warning), (10_000, Major)],
        fast: &[(1_000, Warning), (5_000, Major)],
        file: &[(200, Warning)],
    };
    let mut defaults = table.defaults(profile);
    defaults.enabled = profile != Profile::Radio;
    defaults
}

fn message(situation: &Situation) -> String {
    let what = match situation.class {
        0 => "damaged blocks in the picture",
        1 => "part of the picture is empty, as of lost slices,",
        _ => "part of the picture is mid-grey, as of a missing reference,",
    };
    format!("{what} for {}", lasted(situation))
}

/// The window of hits, and how many make the condition.
const WINDOW: MediaTime = MediaTime::from_millis(1_000);
const HITS_MIN: usize = 3;
/// Hits that are remembered: those of one window at any picture rate in use.
const HITS_MAX: usize = 256;
/// The baseline: 10 s at 25 pictures a second.
const BASELINE: usize = 250;
/// A hit lies so many median deviations above the median.
const DEVIATIONS: f32 = 4.0;
/// Least areas that are lost.
const EMPTY_MIN: f32 = 0.05;
const GREY_MIN: f32 = 0.10;
/// An area as large as this is the whole picture: `solid_color` tells it.
const WHOLE: f32 = 0.95;
/// Share of cells that change with a cut.
const CUT_SHARE: f32 = 0.5;
/// Pictures after a cut whose excess tells whether it is content, and how far it may stray then.
const SETTLE: usize = 8;
const SETTLED_DEVIATION: f32 = 0.002;

struct Corruption {
    excess: f32,
    usual: Baseline,
    usual_grey: Baseline,
    /// What came since the last cut, until it is known for content or not.
    fresh: Option<Baseline>,
    hits: VecDeque<MediaTime>,
    class: u8,
    since: Option<MediaTime>,
    clear_since: Option<MediaTime>,
    /// The picture after the last hit.
    after_hit: Option<MediaTime>,
}

/// What one picture shows, and how bad it is in per cent.
struct Hit {
    class: u8,
    score: f32,
}

impl Corruption {
    fn new(excess: f32) -> Self {
        Self {
            excess,
            usual: Baseline::new(BASELINE),
            usual_grey: Baseline::new(BASELINE),
            fresh: None,
            hits: VecDeque::with_capacity(HITS_MAX),
            class: 0,
            since: None,
            clear_since: None,
            after_hit: None,
        }
    }

    fn hit(&self, facts: &PictureFacts) -> (Option<Hit>, f32) {
        let seams = &facts.seams;
        let above = seams.macroblock_share - seams.shifted_share - self.usual.median();
        let empty = facts.chroma.zero_share;
        if (EMPTY_MIN..WHOLE).contains(&empty) {
            return (Some(Hit { class: 1, score: empty * 100.0 }), above);
        }
        let grey = seams.grey_share - self.usual_grey.median();
        if self.usual_grey.len() > 0 && grey >= GREY_MIN && seams.grey_share < WHOLE {
            return (Some(Hit { class: 2, score: grey * 100.0 }), above);
        }
        let knows = self.usual.len() >= HITS_MIN;
        let is_hit = knows && above > self.excess.max(DEVIATIONS * self.usual.deviation());
        (is_hit.then_some(Hit { class: 0, score: above * 100.0 }), above)
    }

    /// Follows what is usual: all pictures but hits, and what stays the same after a cut.
    fn learn(&mut self, facts: &PictureFacts, is_hit: bool) {
        let motion = &facts.motion;
        let value = facts.seams.macroblock_share - facts.seams.shifted_share;
        if !motion.compared || f32::from(motion.active_cells) >= CUT_SHARE * f32::from(motion.cells.max(1)) {
            self.fresh = Some(Baseline::new(SETTLE));
        }
        if let Some(fresh) = &mut self.fresh {
            fresh.add(value);
            if fresh.len() == SETTLE {
                if fresh.deviation() <= SETTLED_DEVIATION {
                    let settled = fresh.median();
                    self.usual.clear();
                    (0..SETTLE).for_each(|_| self.usual.add(settled));
                }
                self.fresh = None;
            }
        }
        if !is_hit {
            self.usual.add(value);
            self.usual_grey.add(facts.seams.grey_share);
        }
    }
}

impl PictureJudge for Corruption {
    fn look(&mut self, frame: &VideoFrame, out: &mut Verdicts) {
        let at = frame.stamp.media_time;
        let (hit, above) = self.hit(&frame.facts);
        self.learn(&frame.facts, hit.is_some());
        while self.hits.front().is_some_and(|first| at - *first >= WINDOW) {
            self.hits.pop_front();
        }
        let mut score = above * 100.0;
        if let Some(hit) = hit {
            if self.hits.len() == HITS_MAX {
                self.hits.pop_front();
            }
            self.hits.push_back(at);
            (self.class, score) = (hit.class, hit.score);
            self.after_hit = None;
        } else {
            self.after_hit.get_or_insert(at);
        }
        if self.hits.len() >= HITS_MIN {
            let first = self.hits.front().copied().unwrap_or(at);
            let since = *self.since.get_or_insert(first);
            out.say(Verdict::Faulty { since, score, class: self.class });
            return;
        }
        if self.since.take().is_some() {
            self.clear_since = self.after_hit;
        }
        out.clear(*self.clear_since.get_or_insert(at), score);
    }

    fn begin(&mut self) {
        *self = Self::new(self.excess);
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::frame::{ChromaFacts, MotionFacts, SeamFacts};

    use super::super::testing::{Film, build, stretches, video_track};
    use super::*;

    fn picture(macroblock_share: f32, active_cells: u16) -> PictureFacts {
        let seams = SeamFacts { macroblock_share, shifted_share: 0.001, grey_share: 0.01 };
        let motion = MotionFacts { compared: true, cells: 3_600, active_cells, ..MotionFacts::default() };
        PictureFacts { seams, motion, ..PictureFacts::default() }
    }

    fn film(index: u64) -> PictureFacts {
        picture(0.002 + 0.000_5 * (index % 3) as f32, 600)
    }

    fn found(film: Film) -> Vec<(f64, Option<f64>, u8)> {
        let mut detector = build(&KIND, Profile::File, &video_track(25.0), &[]);
        stretches(&mut *detector, &film.items).iter().map(|found| (found.start, found.end, found.class)).collect()
    }

    #[test]
    fn damage_begins_with_the_first_damaged_picture_and_ends_with_the_first_intact_one() {
        let damage = |index: u64| picture(0.015 + 0.004 * (index % 7) as f32, 900);
        let film = Film::new(25.0).then(3.0, film).then(2.0, damage).then(4.0, film);
        assert_eq!(found(film), [(3.0, Some(5.0), 0)]);
    }

    #[test]
    fn one_or_two_pictures_with_seams_are_no_damage() {
        let film = Film::new(25.0).then(3.0, film).then(0.08, |_| picture(0.03, 900)).then(4.0, film);
        assert_eq!(found(film), []);
    }

    #[test]
    fn a_scene_with_edges_on_the_grid_is_content() {
        let chart = |index: u64| picture(0.027 + 0.000_1 * (index % 2) as f32, if index == 0 { 3_400 } else { 0 });
        let film = Film::new(25.0).then(3.0, film).then(4.0, chart).then(4.0, film);
        assert!(found(film).iter().all(|(start, end, _)| end.is_some_and(|end| end - start < 0.5)));
    }

    #[test]
    fn lost_slices_and_missing_references_are_named() {
        let empty = PictureFacts { chroma: ChromaFacts { zero_share: 0.4, ..ChromaFacts::default() }, ..film(0) };
        let grey = |_| PictureFacts { seams: SeamFacts { grey_share: 0.5, ..film(0).seams }, ..film(0) };
        assert_eq!(found(Film::new(25.0).then(2.0, film).then(1.0, |_| empty).then(2.0, film)), [(2.0, Some(3.0), 1)]);
        assert_eq!(found(Film::new(25.0).then(2.0, film).then(1.0, grey).then(2.0, film)), [(2.0, Some(3.0), 2)]);
    }
}
