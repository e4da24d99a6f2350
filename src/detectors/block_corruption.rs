//! Block corruption: damaged or concealed blocks are to be seen, whatever the decoder says of them.
//!
//! The evidence is in the pixels, so it also tells damage that was baked in before the stream was coded,
//! and damage of HEVC, whose decoder reports nothing. A picture's *excess* is the number of torn blocks on the
//! grid of coded blocks less that on the grid shifted by 8, which content tears as often, and less what is
//! usual: the median of the last 250 pictures, or what the last 12 have in common, of those whose blocks
//! were looked at. Damage comes in bursts between
//! pictures that tear hardly anything new, while squares of a pattern that move along the grid tear as
//! many in every picture. In units of the deviation that chance gives such counts, a picture with more than
//! 2 is a *hit*, if it has `excess` per cent of the blocks, and weighs the square of what is beyond. Three
//! hits within 2 s that weigh 6 together make the condition, half a second after the first of them, when
//! it is known what the pictures have in common: damage tears dozens of blocks at once, and stays
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
use super::in_common::InCommon;
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

/// How long what hits have in common is waited for, if pictures are so rare that there are not enough of them.
const SETTLED: MediaTime = MediaTime::from_millis(1_000);
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
#[derive(Clone, Copy)]
struct Look {
    /// The area that is lost, or the seams.
    class: u8,
    /// How bad it is in per cent.
    score: f32,
    /// Weight of a lost area or of concealment; 0 for none.
    lost: f32,
    torn: Torn,
    doubtful: bool,
}

/// Torn blocks of one picture.
#[derive(Clone, Copy, Default)]
struct Torn {
    /// Those beyond what content tears, as a share of all blocks, and the deviation that chance gives it.
    excess: f32,
    chance: f32,
}

impl Torn {
    /// Of a picture in which blocks were not looked at: what is usual.
    fn of(seams: &SeamFacts, usual: f32) -> Self {
        match seams.measured {
            true => Self { excess: seams.excess(), chance: seams.chance() },
            false => Self { excess: usual, chance: 1.0 },
        }
    }

    /// Deviations beyond what is usual.
    fn deviations(&self, usual: f32) -> f32 {
        ((self.excess - usual) / self.chance).min(DEVIATIONS_MAX)
    }
}

/// A hit that is remembered.
struct Hit {
    at: MediaTime,
    /// The first picture that shows the same damage, if less clearly.
    from: MediaTime,
    /// What it showed, of which torn blocks are weighed anew when it is known what is usual.
    look: Look,
    /// Pictures before it.
    seen: u64,
}

struct Corruption {
    excess: f32,
    usual: Baseline,
    common: InCommon,
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
    /// The last picture, and whether damage was known of then.
    last: (MediaTime, bool),
}

impl Corruption {
    fn new(excess: f32) -> Self {
        Self {
            excess,
            usual: Baseline::new(BASELINE),
            common: InCommon::default(),
            usual_grey: Baseline::new(BASELINE),
            hits: VecDeque::with_capacity(HITS_MAX),
            last_hit: MediaTime::ZERO,
            class: 0,
            doubtful: VecDeque::with_capacity(DOUBTFUL_MAX),
            known_since: None,
            since: None,
            clear_since: None,
            after: None,
            last: (MediaTime::ZERO, false),
        }
    }

    /// The share of blocks that is torn anyway. Where damage is known of, all pictures may have it in common.
    fn usual(&self, known: bool) -> f32 {
        let before = self.usual.median();
        if known { before } else { self.common.level().map_or(before, |level| level.max(before)) }
    }

    /// What a picture shows, by the evidence that is asked for.
    fn see(&self, facts: &PictureFacts, known: bool, bar: &Bar) -> Look {
        let seams = &facts.seams;
        let usual = self.usual(known);
        let torn = Torn::of(seams, usual);
        let lost = |class, share: f32| Look { class, score: share * 100.0, lost: THIRD, torn, doubtful: true };
        let empty = facts.chroma.zero_share;
        if (EMPTY_MIN..WHOLE).contains(&empty) {
            return lost(1, empty);
        }
        let grey = seams.grey_share - self.usual_grey.median();
        let grey_min = if known { GREY_KNOWN_MIN } else { GREY_MIN };
        if self.usual_grey.len() > 0 && grey >= grey_min && seams.grey_share < WHOLE {
            return lost(2, grey);
        }
        let above = torn.excess - usual;
        let hidden = if known && facts.signs.concealed && moves(facts) { THIRD } else { 0.0 };
        let doubtful = (torn.deviations(usual) > bar.doubtful && !too_much(above, known)) || hidden > 0.0;
        Look { class: 0, score: above * 100.0, lost: hidden, torn, doubtful }
    }

    /// Weight of what a picture shows, by what is usual now; 0 if it is no hit.
    fn weight(&self, look: &Look, known: bool, bar: &Bar) -> f32 {
        let usual = self.usual(known);
        let (above, deviations) = (look.torn.excess - usual, look.torn.deviations(usual));
        let is_torn = deviations > bar.hit && above > self.excess * bar.part && !too_much(above, known);
        let torn = if is_torn { (deviations - bar.hit).powi(2) / bar.unit } else { 0.0 };
        if look.class == 0 { torn.max(look.lost) } else { look.lost }
    }

    /// Since when the condition holds, and how bad it is, once hits are enough for it to begin: at the end of all pictures by what
    /// is known of what they have in common by then.
    fn begins(&self, is_end: bool) -> Option<(MediaTime, f32)> {
        let ((at, known), bar) = (self.last, bar(self.last.1));
        let weights = self.hits.iter().map(|hit| (hit, self.weight(&hit.look, known, bar)));
        let mut weights = weights.filter(|(_, weight)| *weight > 0.0).peekable();
        let (first, _) = *weights.peek()?;
        let is_known = known || is_end && self.common.level().is_some();
        let settled = is_known || self.common.settled_since(first.seen) || at - first.at >= SETTLED;
        let (mut count, mut areas, mut sum, mut score) = (0, 0, 0.0, 0.0_f32);
        for (hit, weight) in weights {
            count += 1;
            areas += usize::from(hit.look.class != 0);
            sum += weight;
            score = score.max(hit.look.score);
        }
        let enough = count >= bar.hits_min && sum >= 1.0 && (settled || areas >= bar.hits_min);
        enough.then_some((first.from, score))
    }

    /// Since when doubtful pictures lead up to a hit at `at`.
    fn onset(&self, at: MediaTime) -> MediaTime {
        let first = self.known_since.or(self.doubtful.front().copied()).unwrap_or(at);
        first.max(at - WINDOW).min(at)
    }

    /// Follows what is usual: all pictures but hits.
    fn learn(&mut self, facts: &PictureFacts) {
        if facts.seams.measured {
            self.usual.add(facts.seams.excess());
        }
        self.usual_grey.add(facts.seams.grey_share);
    }

    /// Follows what pictures have in common: all but those that repeat the one before, which tear nothing.
    fn compare(&mut self, facts: &PictureFacts) {
        let seams = &facts.seams;
        if seams.measured && (seams.torn + seams.torn_shifted > 0 || moves(facts)) {
            self.common.add(seams.excess());
        }
    }

    /// Takes down a picture that is doubtful or a hit.
    fn remember(&mut self, look: &Look, is_hit: bool, at: MediaTime, known: bool) {
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
        if is_hit {
            if self.hits.len() == HITS_MAX {
                self.hits.pop_front();
            }
            self.hits.push_back(Hit { at, from: self.onset(at), look: *look, seen: self.common.seen() });
            (self.class, self.last_hit) = (look.class, at);
        }
    }
}

fn bar(known: bool) -> &'static Bar {
    if known { &KNOWN } else { &UNKNOWN }
}

/// So much at once and without a word from the decoder is another picture, not damage.
fn too_much(above: f32, known: bool) -> bool {
    !known && above > UNKNOWN_MAX
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
        let bar = bar(known);
        self.last = (at, known);
        let look = self.see(facts, known, bar);
        let is_hit = self.weight(&look, known, bar) > 0.0;
        if !is_hit {
            self.learn(facts);
        }
        self.remember(&look, is_hit, at, known);
        self.compare(facts);
        let quiet = at - self.last_hit;
        let begins = if self.since.is_none() { self.begins(false) } else { None };
        let score = begins.map_or(look.score, |(_, score)| score);
        if is_hit || (known && quiet < WINDOW) {
            self.after = None;
        } else {
            self.after.get_or_insert(at);
        }
        if begins.is_some() || self.since.is_some() && quiet < if known { WINDOW } else { QUIET } {
            let since = *self.since.get_or_insert(begins.map_or(at, |(from, _)| from));
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

    fn end(&mut self, out: &mut Verdicts) {
        if self.since.is_none()
            && let Some((since, score)) = self.begins(true)
        {
            out.say(Verdict::Faulty { since, score, class: self.class });
        }
    }
}

#[cfg(test)]
#[path = "block_corruption_tests.rs"]
mod tests;
