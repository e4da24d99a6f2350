//! Blur: the picture has lost its detail, against its own past.
//!
//! Sharpness is `max(across, down) − 0.25`, where each is the mean absolute difference at a distance of one
//! pixel over that at four pixels: 0.25 is what a ramp has, so nothing finer than four pixels is left
//! at 0. The larger of both directions counts, since a pan blurs only one. How much detail a programme
//! has is its own business, so it is judged against the median of its last `memory`: the condition holds
//! while sharpness is below `drop` of that median, or below 2.4 times that where nothing finer than four pixels
//! is left (below 0.025): scenes of shallow focus are softer than others, but have something sharp in them. It
//! ends at 1.3 times that. Pictures without contrast
//! (less than 1.5 levels over four pixels, or darker than 30 on average) say nothing, nor does a
//! programme whose own median is soft already (below 0.03). Score: sharpness over its median, unit `ratio`.
//!
//! Sources: ratio of differences after the idea of Crete et al. 2007 (how much a blur still changes);
//! limits from own measurements on films, their blurred and upscaled twins. Hold times are the published
//! defaults; live it is `info` only.
//!
//! Owned by the picture actor of a stream, on its arbiter. Sees facts only.

use std::sync::Arc;
use std::time::Duration;

use avwatch_actors::detector::{LaneKind, Precedence, Situation, Verdicts, Worse};
use avwatch_actors::frame::{PictureFacts, VideoFrame};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::{Info, Warning};
use avwatch_actors::tier::Tier;
use avwatch_actors::track::TrackInfo;

use super::baseline::Baseline;
use super::kind::lasted;
use super::picture_judge::{OfPictures, PictureJudge, is_video};
use super::spell::Spell;
use super::table::Table;
use super::{Defaults, DetectorKind, OptionDoc, OptionValue};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 104,
    name: "blur",
    summary: "The picture has lost its detail",
    unit: "ratio",
    worse: Worse::Lower,
    lanes: &[LaneKind::Picture],
    precedence: Precedence::Rest,
    cheapest: Tier::Light,
    standard_ref: None,
    source: "Own measurements on films and their blurred twins; idea after Crete et al. 2007",
    options: &[
        OptionDoc {
            name: "drop",
            doc: "Part of its usual sharpness, from 0 to 1, below which a picture is blurred.",
            default: |_| OptionValue::Number(0.25),
            range: (0.05, 0.9),
        },
        OptionDoc {
            name: "memory",
            doc: "Time of which the median is the usual sharpness.",
            default: |profile| {
                let hours = if profile == Profile::File { 1 } else { 24 };
                OptionValue::Span(Duration::from_secs(hours * 3_600))
            },
            range: (60.0, 7.0 * 86_400.0),
        },
    ],
    defaults,
    needs: |_, plan| {
        plan.luma = true;
        plan.sharpness = true;
    },
    threshold: |options| Some(options.number("drop") as f32),
    class_limits: |_| None,
    applies: is_video,
    message: |situation: &Situation| {
        format!("picture blurred to {:.0} % of its usual sharpness for {}", situation.peak * 100.0, lasted(situation))
    },
    build: |options, _| {
        let (drop, memory) = (options.number("drop") as f32, options.span("memory"));
        Arc::new(move |track: &TrackInfo| OfPictures::boxed(track, Blur::new(drop, memory)))
    },
};

fn defaults(profile: Profile) -> Defaults {
    let table = Table { live: &[(30_000, Info)], fast: &[(30_000, Info)], file: &[(3_000, Warning)] };
    let mut defaults = table.defaults(profile);
    defaults.enabled = profile != Profile::Radio;
    defaults
}

/// Sharpness of a ramp, which has no detail.
const RAMP: f32 = 0.25;
/// Least contrast over four pixels, in levels, and least mean luma of a picture that says something.
const DETAIL_MIN: f32 = 1.5;
const LUMA_MIN: f32 = 30.0;
/// Sharpness below which nothing finer than four pixels is left, and how many times `drop` it may be then.
const NOTHING_FINE: f32 = 0.025;
const SOFTER: f32 = 2.4;
/// A programme whose usual sharpness is below this is soft by nature.
const USUAL_MIN: f32 = 0.03;
/// What ends a blur is so many times what begins it.
const STAY: f32 = 1.3;
/// Values of which the usual sharpness is the median, evenly spread over the memory.
const VALUES_MAX: usize = 720;
/// Values that are needed before anything is said: a second of pictures or so.
const VALUES_MIN: usize = 10;
/// Values are taken at least this far apart, so that a young memory fills with distinct scenes.
const STEP_MIN: MediaTime = MediaTime::from_millis(100);

struct Blur {
    drop: f32,
    memory: Duration,
    usual: Baseline,
    /// Sum and count of the sharpness since the last value, and when that was taken.
    gathered: (f32, u32),
    taken_at: Option<MediaTime>,
    began_at: Option<MediaTime>,
    /// That of the last picture that was looked at.
    score: f32,
    spell: Spell,
}

impl Blur {
    fn new(drop: f32, memory: Duration) -> Self {
        let usual = Baseline::new(VALUES_MAX);
        Self {
            drop,
            memory,
            usual,
            gathered: (0.0, 0),
            taken_at: None,
            began_at: None,
            score: 1.0,
            spell: Spell::Unknown,
        }
    }

    /// Time between values: short at first, and longer as there is more to remember.
    fn step(&self, at: MediaTime) -> MediaTime {
        let age = at - self.began_at.unwrap_or(at);
        let spread = MediaTime::from_nanos(age.as_nanos() / VALUES_MAX as i64);
        let most = MediaTime::from(self.memory / VALUES_MAX as u32);
        spread.clamp(STEP_MIN, most.max(STEP_MIN))
    }

    /// Remembers what is usual. Blurred pictures teach nothing, or a long blur would become usual.
    fn learn(&mut self, sharpness: f32, at: MediaTime) {
        self.began_at.get_or_insert(at);
        self.gathered = (self.gathered.0 + sharpness, self.gathered.1 + 1);
        let taken_at = *self.taken_at.get_or_insert(at);
        if at - taken_at >= self.step(at) {
            self.usual.add(self.gathered.0 / self.gathered.1 as f32);
            self.gathered = (0.0, 0);
            self.taken_at = Some(at);
        }
    }
}

/// How sharp a picture is, if it says so.
fn sharpness(facts: &PictureFacts) -> Option<f32> {
    let sharp = &facts.sharpness;
    let says = sharp.detail >= DETAIL_MIN && facts.luma.mean >= LUMA_MIN;
    says.then(|| (sharp.across.max(sharp.down) - RAMP).max(0.0))
}

impl PictureJudge for Blur {
    fn look(&mut self, frame: &VideoFrame, out: &mut Verdicts) {
        if !frame.facts.sharpness.measured {
            self.spell.say(self.score, 0, out);
            return;
        }
        let at = frame.stamp.media_time;
        let usual = self.usual.median();
        let knows = self.usual.len() >= VALUES_MIN && usual >= USUAL_MIN;
        let mut score = 1.0;
        if let Some(sharpness) = sharpness(&frame.facts) {
            if knows {
                score = sharpness / usual;
                let stay = if self.spell.holds() { STAY } else { 1.0 };
                let far_below = score < self.drop * stay;
                let nothing_fine = score < self.drop * SOFTER * stay && sharpness < NOTHING_FINE * stay;
                self.spell.turn(far_below || nothing_fine, at);
            }
            if !self.spell.holds() {
                self.learn(sharpness, at);
            }
        }
        if !knows && self.spell == Spell::Unknown {
            self.spell.turn(false, at);
        }
        self.score = score;
        self.spell.say(score, 0, out);
    }

    fn begin(&mut self) {
        // What is usual outlives a session: it is the same programme.
        self.spell = Spell::Unknown;
        self.gathered = (0.0, 0);
        (self.taken_at, self.began_at, self.score) = (None, None, 1.0);
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::frame::{LumaFacts, SharpnessFacts};

    use super::super::testing::{Film, build, lasting, video_track};
    use super::*;

    fn picture(across: f32, down: f32, detail: f32) -> PictureFacts {
        let luma = LumaFacts { mean: 90.0, ..LumaFacts::default() };
        PictureFacts {
            luma,
            sharpness: SharpnessFacts { measured: true, across, down, detail },
            ..PictureFacts::default()
        }
    }

    fn found(blurred: PictureFacts) -> Vec<(f64, Option<f64>)> {
        let sharp = |index: u64| picture(0.40 + 0.02 * (index % 5) as f32, 0.42, 8.0);
        let film = Film::new(25.0).then(4.0, sharp).then(4.0, |_| blurred).then(2.0, sharp);
        let mut detector = build(&KIND, Profile::File, &video_track(25.0), &[]);
        lasting(&mut *detector, &film.items, 1.0)
    }

    #[test]
    fn a_blur_begins_and_ends_at_the_exact_frame() {
        assert_eq!(found(picture(0.26, 0.26, 5.0)), [(4.0, Some(8.0))]);
    }

    #[test]
    fn pictures_that_were_not_looked_at_neither_end_a_blur_nor_hide_it() {
        let every_third = |index: u64, facts: PictureFacts| match index % 3 {
            0 => facts,
            _ => PictureFacts { sharpness: SharpnessFacts::default(), ..facts },
        };
        let sharp = |index: u64| every_third(index, picture(0.42, 0.42, 8.0));
        let film = Film::new(25.0)
            .then(3.96, sharp)
            .then(3.96, |index| every_third(index, picture(0.26, 0.26, 5.0)))
            .then(3.0, sharp);
        let mut detector = build(&KIND, Profile::File, &video_track(25.0), &[]);
        assert_eq!(lasting(&mut *detector, &film.items, 1.0), [(3.96, Some(7.92))]);
    }

    #[test]
    fn a_pan_a_dark_scene_and_fog_are_no_blur() {
        assert_eq!(found(picture(0.26, 0.40, 5.0)), [], "a pan blurs one direction");
        assert_eq!(found(picture(0.26, 0.26, 1.0)), [], "fog has no contrast");
        let dark = PictureFacts { luma: LumaFacts { mean: 24.0, ..LumaFacts::default() }, ..picture(0.26, 0.26, 4.0) };
        assert_eq!(found(dark), []);
    }

    #[test]
    fn a_softer_scene_is_no_blur() {
        assert_eq!(found(picture(0.31, 0.30, 6.0)), []);
    }

    #[test]
    fn a_blur_of_a_programme_that_is_half_soft_already_is_told_and_a_scene_of_shallow_focus_is_not() {
        let soft_film = |last: PictureFacts| {
            let film = Film::new(25.0).then(4.0, |_| picture(0.295, 0.29, 8.0)).then(4.0, move |_| last);
            let mut detector = build(&KIND, Profile::File, &video_track(25.0), &[]);
            lasting(&mut *detector, &film.items, 1.0)
        };
        assert_eq!(soft_film(picture(0.27, 0.272, 4.0)), [(4.0, None)]);
        assert_eq!(soft_film(picture(0.277, 0.276, 7.0)), []);
    }

    #[test]
    fn a_programme_that_is_soft_by_nature_is_none() {
        let film = Film::new(25.0).then(8.0, |_| picture(0.27, 0.27, 6.0)).then(4.0, |_| picture(0.25, 0.25, 4.0));
        let mut detector = build(&KIND, Profile::File, &video_track(25.0), &[]);
        assert_eq!(lasting(&mut *detector, &film.items, 1.0), []);
    }
}
