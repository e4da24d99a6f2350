//! Block corruption: damaged or concealed blocks are to be seen, whatever the decoder says of them.
//!
//! The evidence is in the pixels, so it also tells damage that was baked in before the stream was coded,
//! and damage of HEVC, whose decoder reports nothing. A picture's *excess* is the number of torn blocks on the
//! grid of coded blocks less that on the grid shifted by 8, which content tears as often. A picture is a
//! *hit* when its excess is above the median of the last 10 s by more than `excess` per cent of the blocks
//! and by more than 3.5 times the deviation that chance gives such counts; where the decoder or the
//! transport has shown damage from which no key frame has recovered, a fifth of that and 1.5 deviations do.
//! Likewise when an area of at least 5 % turns to the values of an empty buffer (Y, Cb and Cr all below 8), or
//! one of at least 25 % (10 % where damage is known of) to mid-grey, which decoders put for missing references. The condition holds
//! from the first of three hits within one second until one second has passed with fewer. Score: the excess
//! above the median, in % of the blocks; of areas, their share in %.
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
use avwatch_actors::frame::{PictureFacts, SeamFacts, VideoFrame};
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
        doc: "Torn blocks beyond what is usual and what content tears, in per cent of all blocks.",
        default: |_| OptionValue::Number(0.5),
        range: (0.1, 50.0),
    }],
    defaults,
    needs: |_, plan| {
        plan.seams = true;
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
/// A hit lies so many deviations above the median: of counts, the root of their sum.
const DEVIATIONS: f32 = 3.5;
/// The same, and the part of the excess that does, where damage is known of.
const KNOWN_DEVIATIONS: f32 = 1.5;
const KNOWN_PART: f32 = 0.2;
/// Share of torn blocks above which a picture of which no damage is known is not damaged but another one.
const UNKNOWN_MAX: f32 = 0.5;
/// Least areas that are lost.
const EMPTY_MIN: f32 = 0.05;
const GREY_MIN: f32 = 0.25;
/// The same where damage is known of: test patterns and graphics have grey areas, too.
const GREY_KNOWN_MIN: f32 = 0.10;
/// An area as large as this is the whole picture: `solid_color` tells it.
const WHOLE: f32 = 0.95;

struct Corruption {
    excess: f32,
    usual: Baseline,
    usual_grey: Baseline,
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
            hits: VecDeque::with_capacity(HITS_MAX),
            class: 0,
            since: None,
            clear_since: None,
            after_hit: None,
        }
    }

    /// Whether a picture is a hit, and its excess above what is usual, as a share of the blocks.
    fn hit(&self, facts: &PictureFacts) -> (Option<Hit>, f32) {
        let seams = &facts.seams;
        let above = excess(seams) - self.usual.median();
        let empty = facts.chroma.zero_share;
        if (EMPTY_MIN..WHOLE).contains(&empty) {
            return (Some(Hit { class: 1, score: empty * 100.0 }), above);
        }
        let known = facts.signs.damaged && facts.signs.tuned;
        let grey = seams.grey_share - self.usual_grey.median();
        let grey_min = if known { GREY_KNOWN_MIN } else { GREY_MIN };
        if self.usual_grey.len() > 0 && grey >= grey_min && seams.grey_share < WHOLE {
            return (Some(Hit { class: 2, score: grey * 100.0 }), above);
        }
        let (part, deviations) = if known { (KNOWN_PART, KNOWN_DEVIATIONS) } else { (1.0, DEVIATIONS) };
        let chance = ((seams.torn + seams.torn_shifted + 1) as f32).sqrt() / seams.blocks.max(1) as f32;
        // So much at once and without a word from the decoder is another picture, not damage.
        let too_much = !known && above > UNKNOWN_MAX;
        let is_hit = above > (self.excess * part).max(deviations * chance) && !too_much;
        (is_hit.then_some(Hit { class: 0, score: above * 100.0 }), above)
    }

    /// Follows what is usual: all pictures but hits.
    fn learn(&mut self, facts: &PictureFacts) {
        self.usual.add(excess(&facts.seams));
        self.usual_grey.add(facts.seams.grey_share);
    }
}

/// Torn blocks beyond those that content tears, as a share of all blocks.
fn excess(seams: &SeamFacts) -> f32 {
    let share = |torn: u32, blocks: u32| torn as f32 / blocks.max(1) as f32;
    share(seams.torn, seams.blocks) - share(seams.torn_shifted, seams.blocks_shifted)
}

impl PictureJudge for Corruption {
    fn look(&mut self, frame: &VideoFrame, out: &mut Verdicts) {
        let at = frame.stamp.media_time;
        let (hit, above) = self.hit(&frame.facts);
        if hit.is_none() {
            self.learn(&frame.facts);
        }
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
    use avwatch_actors::frame::{ChromaFacts, DecodeSigns};

    use super::super::testing::{Film, build, stretches, video_track};
    use super::*;

    fn picture(torn: u32, torn_shifted: u32) -> PictureFacts {
        let seams = SeamFacts { torn, blocks: 880, torn_shifted, blocks_shifted: 820, grey_share: 0.01 };
        PictureFacts { seams, ..PictureFacts::default() }
    }

    fn film(index: u64) -> PictureFacts {
        picture((index % 3) as u32, (index % 4) as u32)
    }

    fn found(film: Film) -> Vec<(f64, Option<f64>, u8)> {
        let mut detector = build(&KIND, Profile::File, &video_track(25.0), &[]);
        stretches(&mut *detector, &film.items).iter().map(|found| (found.start, found.end, found.class)).collect()
    }

    #[test]
    fn damage_begins_with_the_first_damaged_picture_and_ends_with_the_first_intact_one() {
        let film =
            Film::new(25.0).then(3.0, film).then(2.0, |index| picture(25 + (index % 7) as u32, 2)).then(4.0, film);
        assert_eq!(found(film), [(3.0, Some(5.0), 0)]);
    }

    #[test]
    fn one_or_two_torn_pictures_are_no_damage() {
        assert_eq!(found(Film::new(25.0).then(3.0, film).then(0.08, |_| picture(40, 2)).then(4.0, film)), []);
    }

    #[test]
    fn content_that_tears_both_grids_is_no_damage() {
        let chart = |index: u64| picture(90 + (index % 5) as u32, 84);
        assert_eq!(found(Film::new(25.0).then(3.0, film).then(4.0, chart).then(4.0, film)), []);
    }

    #[test]
    fn a_board_of_squares_that_jumps_is_no_damage() {
        let board = |index: u64| picture(if index.is_multiple_of(3) { 800 } else { 0 }, 0);
        assert_eq!(found(Film::new(25.0).then(6.0, board)), []);
    }

    #[test]
    fn where_the_decoder_reports_damage_less_evidence_will_do() {
        let torn = |signs: DecodeSigns| move |_| PictureFacts { signs, ..picture(6, 1) };
        let known = DecodeSigns { damaged: true, tuned: true, ..DecodeSigns::default() };
        let shown = |signs| found(Film::new(25.0).then(3.0, film).then(1.0, torn(signs)).then(3.0, film));
        assert_eq!(shown(known), [(3.0, Some(4.0), 0)]);
        assert_eq!(shown(DecodeSigns::default()), []);
    }

    #[test]
    fn lost_slices_and_missing_references_are_named() {
        let empty = PictureFacts { chroma: ChromaFacts { zero_share: 0.4, ..ChromaFacts::default() }, ..film(0) };
        let grey = |_| PictureFacts { seams: SeamFacts { grey_share: 0.5, ..film(0).seams }, ..film(0) };
        assert_eq!(found(Film::new(25.0).then(2.0, film).then(1.0, |_| empty).then(2.0, film)), [(2.0, Some(3.0), 1)]);
        assert_eq!(found(Film::new(25.0).then(2.0, film).then(1.0, grey).then(2.0, film)), [(2.0, Some(3.0), 2)]);
    }
}
