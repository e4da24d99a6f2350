//! Block corruption: damaged or concealed blocks are to be seen, whatever the decoder says of them.
//!
//! The evidence is in the pixels, so it also tells damage that was baked in before the stream was coded,
//! and damage of HEVC, whose decoder reports nothing. A picture's *excess* is the number of torn blocks on the
//! grid of coded blocks less that on the grid shifted by 8, which content tears as often, and less the
//! median of the last 10 s. In units of the deviation that chance gives such counts, a picture with more than
//! 2 is a *hit*, if it has `excess` per cent of the blocks, and weighs the square of what is beyond. Three
//! hits within 2 s that weigh 6 together make the condition: damage tears dozens of blocks at once, and stays
//! until they are coded anew, while coarse coding tears a few now and then. Where the decoder or the transport
//! has shown damage from which no key frame has recovered, less will do: more than 1 deviation, a fifth of
//! the excess, two hits that weigh 1.5; and a picture that moves and was concealed in part is one, too.
//! So is an area of at least 5 % that turns to the values of an empty buffer (Y, Cb and Cr all below 8), or
//! one of at least 25 % (10 % where damage is known of) to mid-grey, which decoders put for missing references.
//!
//! The condition begins with the first hit, or with an earlier picture that shows the same less clearly: up
//! to 0.4 s earlier, or, where damage is known of, since it began. It ends with the first picture after the last
//! hit, when there has been none for a second; damage that is known of lasts until the picture that recovers
//! from it, if hits are not further apart than 2 s. Score: the excess in % of the blocks; of areas, their share in %.
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
use avwatch_actors::tier::Tier;
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
    cheapest: Tier::Light,
    standard_ref: None,
    source: "Own measurements on damaged H.264, HEVC and MPEG-2 against the clean decode",
    options: &[OptionDoc {
        name: "excess",
        doc: "Torn blocks beyond what is usual and what content tears, in per cent of all blocks.",
        default: |_| OptionValue::Number(0.1),
        range: (0.02, 50.0),
    }],
    defaults,
    needs: |_, plan| {
        plan.seams = true;
        plan.chroma = true;
        plan.motion = true;
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

/// The window of hits.
const WINDOW: MediaTime = MediaTime::from_millis(2_000);
/// Without a hit for so long the condition ends, unless known damage goes on.
const QUIET: MediaTime = MediaTime::from_millis(1_000);
/// Hits that are remembered: those of one window at any picture rate in use.
const HITS_MAX: usize = 512;
/// How long before a hit pictures that show the same less clearly count.
const DOUBTFUL: MediaTime = MediaTime::from_millis(400);
const DOUBTFUL_MAX: usize = 64;
/// The baseline: 10 s at 25 pictures a second.
const BASELINE: usize = 250;
/// Deviations that count at most: one picture is no more than a hint.
const DEVIATIONS_MAX: f32 = 6.0;
/// Weight of a lost area, and of a picture concealed in part: three of them do.
const THIRD: f32 = 0.34;
/// Share of torn blocks above which a picture of which no damage is known is not damaged but another one.
const UNKNOWN_MAX: f32 = 0.5;
/// Least share of cells that move, or noise of all cells, in a picture in which concealment shows.
const MOVING_MIN: f32 = 0.02;
const ALL_MOVES: f32 = 1.2;
/// Least areas that are lost.
const EMPTY_MIN: f32 = 0.05;
const GREY_MIN: f32 = 0.25;
/// The same where damage is known of: test patterns and graphics have grey areas, too.
const GREY_KNOWN_MIN: f32 = 0.10;
/// An area as large as this is the whole picture: `solid_color` tells it.
const WHOLE: f32 = 0.95;

/// How much evidence is asked for.
struct Bar {
    /// Deviations above which a picture is a hit, and above which it is doubtful.
    hit: f32,
    doubtful: f32,
    /// Part of the option `excess` that a hit must have.
    part: f32,
    /// Squared deviations that weigh 1, which is what hits must weigh together, and how many there must be.
    unit: f32,
    hits_min: usize,
}

/// Where only the pixels tell of damage, and where it is known of.
const UNKNOWN: Bar = Bar { hit: 2.0, doubtful: 1.5, part: 1.0, unit: 6.0, hits_min: 3 };
const KNOWN: Bar = Bar { hit: 1.0, doubtful: 0.6, part: 0.2, unit: 1.5, hits_min: 2 };

/// What one picture shows.
struct Look {
    /// The area that is lost, or the seams.
    class: u8,
    /// How bad it is in per cent.
    score: f32,
    /// Weight as a hit; 0 for none.
    weight: f32,
    doubtful: bool,
}

/// A hit that is remembered.
struct Hit {
    at: MediaTime,
    /// The first picture that shows the same damage, if less clearly.
    from: MediaTime,
    weight: f32,
}

struct Corruption {
    excess: f32,
    usual: Baseline,
    usual_grey: Baseline,
    hits: VecDeque<Hit>,
    last_hit: MediaTime,
    class: u8,
    /// Doubtful pictures of late, and the first one since known damage began.
    doubtful: VecDeque<MediaTime>,
    known_since: Option<MediaTime>,
    since: Option<MediaTime>,
    clear_since: Option<MediaTime>,
    /// The first picture after the last one that counts as damaged.
    after: Option<MediaTime>,
}

impl Corruption {
    fn new(excess: f32) -> Self {
        Self {
            excess,
            usual: Baseline::new(BASELINE),
            usual_grey: Baseline::new(BASELINE),
            hits: VecDeque::with_capacity(HITS_MAX),
            last_hit: MediaTime::ZERO,
            class: 0,
            doubtful: VecDeque::with_capacity(DOUBTFUL_MAX),
            known_since: None,
            since: None,
            clear_since: None,
            after: None,
        }
    }

    /// What a picture shows, by the evidence that is asked for.
    fn see(&self, facts: &PictureFacts, known: bool, bar: &Bar) -> Look {
        let seams = &facts.seams;
        let lost = |class, share: f32| Look { class, score: share * 100.0, weight: THIRD, doubtful: true };
        let empty = facts.chroma.zero_share;
        if (EMPTY_MIN..WHOLE).contains(&empty) {
            return lost(1, empty);
        }
        let grey = seams.grey_share - self.usual_grey.median();
        let grey_min = if known { GREY_KNOWN_MIN } else { GREY_MIN };
        if self.usual_grey.len() > 0 && grey >= grey_min && seams.grey_share < WHOLE {
            return lost(2, grey);
        }
        let above = excess(seams) - self.usual.median();
        let chance = ((seams.torn + seams.torn_shifted + 1) as f32).sqrt() / seams.blocks.max(1) as f32;
        let deviations = (above / chance).min(DEVIATIONS_MAX);
        // So much at once and without a word from the decoder is another picture, not damage.
        let too_much = !known && above > UNKNOWN_MAX;
        let is_hit = deviations > bar.hit && above > self.excess * bar.part && !too_much;
        let torn = if is_hit { (deviations - bar.hit).powi(2) / bar.unit } else { 0.0 };
        let hidden = if known && facts.signs.concealed && moves(facts) { THIRD } else { 0.0 };
        let doubtful = (deviations > bar.doubtful && !too_much) || hidden > 0.0;
        Look { class: 0, score: above * 100.0, weight: torn.max(hidden), doubtful }
    }

    /// Since when doubtful pictures lead up to a hit at `at`.
    fn onset(&self, at: MediaTime) -> MediaTime {
        let first = self.known_since.or(self.doubtful.front().copied()).unwrap_or(at);
        first.max(at - WINDOW).min(at)
    }

    /// Follows what is usual: all pictures but hits.
    fn learn(&mut self, facts: &PictureFacts) {
        self.usual.add(excess(&facts.seams));
        self.usual_grey.add(facts.seams.grey_share);
    }

    /// Takes down a picture that is doubtful or a hit.
    fn remember(&mut self, look: &Look, at: MediaTime, known: bool) {
        while self.doubtful.front().is_some_and(|first| at - *first > DOUBTFUL) {
            self.doubtful.pop_front();
        }
        while self.hits.front().is_some_and(|first| at - first.at >= WINDOW) {
            self.hits.pop_front();
        }
        if !known {
            self.known_since = None;
        }
        if look.doubtful {
            if known {
                self.known_since.get_or_insert(at);
            }
            if self.doubtful.len() < DOUBTFUL_MAX {
                self.doubtful.push_back(at);
            }
        }
        if look.weight > 0.0 {
            if self.hits.len() == HITS_MAX {
                self.hits.pop_front();
            }
            self.hits.push_back(Hit { at, from: self.onset(at), weight: look.weight });
            (self.class, self.last_hit) = (look.class, at);
        }
    }
}

/// Torn blocks beyond those that content tears, as a share of all blocks.
fn excess(seams: &SeamFacts) -> f32 {
    let share = |torn: u32, blocks: u32| torn as f32 / blocks.max(1) as f32;
    share(seams.torn, seams.blocks) - share(seams.torn_shifted, seams.blocks_shifted)
}

/// Whether so much moves that blocks taken from another picture show.
fn moves(facts: &PictureFacts) -> bool {
    let motion = &facts.motion;
    motion.noise > ALL_MOVES || f32::from(motion.active_cells) > MOVING_MIN * f32::from(motion.cells)
}

impl PictureJudge for Corruption {
    fn look(&mut self, frame: &VideoFrame, out: &mut Verdicts) {
        let at = frame.stamp.media_time;
        let facts = &frame.facts;
        let known = facts.signs.damaged && facts.signs.tuned;
        let bar = if known { &KNOWN } else { &UNKNOWN };
        let look = self.see(facts, known, bar);
        let is_hit = look.weight > 0.0;
        if !is_hit {
            self.learn(facts);
        }
        self.remember(&look, at, known);
        let (score, quiet) = (look.score, at - self.last_hit);
        let weight: f32 = self.hits.iter().map(|hit| hit.weight).sum();
        let begins = is_hit && self.hits.len() >= bar.hits_min && weight >= 1.0;
        if is_hit || (known && quiet < WINDOW) {
            self.after = None;
        } else {
            self.after.get_or_insert(at);
        }
        if begins || self.since.is_some() && quiet < if known { WINDOW } else { QUIET } {
            let first = self.hits.front().map_or(at, |hit| hit.from);
            let since = *self.since.get_or_insert(first);
            out.say(Verdict::Faulty { since, score, class: self.class });
            return;
        }
        if self.since.take().is_some() {
            self.clear_since = self.after;
            self.hits.clear();
        }
        out.clear(*self.clear_since.get_or_insert(at), score);
    }

    fn begin(&mut self) {
        *self = Self::new(self.excess);
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::frame::{ChromaFacts, DecodeSigns, MotionFacts};

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
    fn a_burst_now_and_then_is_damage_that_stays_in_between() {
        // As of altered bytes in one picture of ten, in pictures that were coded anew afterwards.
        let bursts = |index: u64| if index.is_multiple_of(10) { picture(40, 3) } else { film(index) };
        let found = found(Film::new(25.0).then(3.0, film).then(2.0, bursts).then(4.0, film));
        assert_eq!(found, [(3.0, Some(4.64), 0)], "to the end of the last burst");
    }

    #[test]
    fn coarse_coding_that_tears_a_few_blocks_now_and_then_is_no_damage() {
        let coarse = |index: u64| if index.is_multiple_of(5) { picture(8, 1) } else { picture(1, 0) };
        assert_eq!(found(Film::new(25.0).then(3.0, |_| picture(0, 0)).then(4.0, coarse)), []);
    }

    #[test]
    fn damage_begins_with_the_first_picture_that_shows_it_less_clearly() {
        let begin = |index: u64| picture([5, 0, 6, 2][index as usize % 4], 1);
        let found =
            found(Film::new(25.0).then(3.0, film).then(0.16, begin).then(1.0, |_| picture(30, 2)).then(3.0, film));
        assert_eq!((found.len(), found[0].1), (1, Some(4.16)));
        assert!((2.88..=3.0).contains(&found[0].0), "{found:?}");
    }

    #[test]
    fn concealed_parts_of_moving_pictures_are_damage_and_those_of_a_still_picture_are_not() {
        let signs = DecodeSigns { damaged: true, tuned: true, concealed: true, ..DecodeSigns::default() };
        let shown = |active_cells: u16| {
            let motion = MotionFacts { compared: true, cells: 3_600, active_cells, ..MotionFacts::default() };
            found(
                Film::new(25.0)
                    .then(3.0, film)
                    .then(1.0, |_| PictureFacts { signs, motion, ..picture(1, 1) })
                    .then(3.0, film),
            )
        };
        assert_eq!(shown(900), [(3.0, Some(4.0), 0)]);
        assert_eq!(shown(0), []);
    }

    #[test]
    fn known_damage_lasts_until_the_picture_that_recovers_from_it() {
        let signs = DecodeSigns { damaged: true, tuned: true, ..DecodeSigns::default() };
        let shown = |index: u64| PictureFacts { signs, ..if index < 10 { picture(20, 1) } else { picture(0, 0) } };
        assert_eq!(found(Film::new(25.0).then(3.0, film).then(1.6, shown).then(3.0, film)), [(3.0, Some(4.6), 0)]);
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
