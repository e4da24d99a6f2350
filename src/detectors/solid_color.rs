//! Solid colour: the whole picture is one colour that is not black.
//!
//! Solid means that luma and chroma hardly vary over the picture: `σ_Y < spread`, `σ_Cb < 2`,
//! `σ_Cr < 2` in normalised 8 bit levels; to end it takes 1.5 times that. Black is `black`'s business:
//! a picture whose luma is at most 38 and whose chroma is neutral is none here. The class names
//! the colour, because it often tells the cause: green of zeroed buffers and mid-grey are what decoders
//! show when they lost the picture, blue is what devices show without a signal. Score: σ_Y in levels.
//!
//! Sources: limits from own measurements on coded colours of H.264, HEVC and MPEG-2, whose noise stays
//! below 1 level; hold times are the published defaults. `news-sport` halves them.
//!
//! Owned by the picture actor of a stream, on its arbiter. Sees facts only.

use std::sync::Arc;

use avwatch_actors::detector::{LaneKind, Precedence, Situation, Verdicts, Worse};
use avwatch_actors::frame::{PictureFacts, VideoFrame};
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
    number: 105,
    name: "solid_color",
    summary: "The whole picture is one colour other than black",
    unit: "level",
    worse: Worse::Lower,
    lanes: &[LaneKind::Picture],
    precedence: Precedence::Solid,
    cheapest: Tier::Keyframes,
    standard_ref: None,
    source: "Own measurements on coded solid colours",
    options: &[OptionDoc {
        name: "spread",
        doc: "Standard deviation of luma, in 8 bit levels, below which a picture is of one colour.",
        default: |_| OptionValue::Number(2.5),
        range: (0.5, 10.0),
    }],
    defaults,
    needs: |_, plan| {
        plan.luma = true;
        plan.chroma = true;
    },
    threshold: |options| Some(options.number("spread") as f32),
    class_limits: |_| None,
    applies: is_video,
    message,
    build: |options, _| {
        let spread = options.number("spread") as f32;
        Arc::new(move |track: &TrackInfo| OfPictures::boxed(track, Solid::new(spread)))
    },
};

fn defaults(profile: Profile) -> Defaults {
    let table = Table { live: &[(5_000, Major)], fast: &[(2_500, Major)], file: &[(2_000, Warning)] };
    let mut defaults = table.defaults(profile);
    defaults.enabled = profile != Profile::Radio;
    defaults
}

/// Largest deviation of chroma, in levels.
const CHROMA_SPREAD: f32 = 2.0;
/// What ends a solid colour is so many times what begins it.
const STAY: f32 = 1.5;
/// Highest luma that is black, in levels, where chroma is neutral within this much.
const BLACK_MAX: f32 = 38.0;
const NEUTRAL: f32 = 8.0;

/// The colours that mean something, by class: name, and mean levels of Y, Cb and Cr where they do.
const COLOURS: &[(&str, Option<[f32; 3]>)] = &[
    ("one colour", None),
    ("white", Some([235.0, 128.0, 128.0])),
    ("mid-grey, as decoders show for a missing reference,", Some([128.0, 128.0, 128.0])),
    ("the green of empty buffers, as decoders show for a lost picture,", Some([0.0, 0.0, 0.0])),
    ("blue, as devices show without a signal,", Some([36.0, 240.0, 114.0])),
    ("pink, as a picture without its chroma looks,", Some([128.0, 255.0, 255.0])),
];
/// How far each level may be from that of the named colour.
const COLOUR_OFF: [f32; 3] = [14.0, 26.0, 16.0];

fn message(situation: &Situation) -> String {
    let (name, _) = COLOURS.get(usize::from(situation.class)).unwrap_or(&COLOURS[0]);
    format!("picture {name} for {}", lasted(situation))
}

/// A colour that moves further than this, in levels, is another one.
const SAME_WITHIN: f32 = 12.0;

struct Solid {
    spread: f32,
    spell: Spell,
    /// Mean levels of Y, Cb and Cr when the spell began.
    colour: [f32; 3],
}

impl Solid {
    fn new(spread: f32) -> Self {
        Self { spread, spell: Spell::Unknown, colour: [0.0; 3] }
    }
}

fn levels(facts: &PictureFacts) -> [f32; 3] {
    [facts.luma.mean, facts.chroma.mean_u, facts.chroma.mean_v]
}

impl PictureJudge for Solid {
    fn look(&mut self, frame: &VideoFrame, out: &mut Verdicts) {
        let levels = levels(&frame.facts);
        if self.spell.holds() && levels.iter().zip(self.colour).any(|(now, then)| (now - then).abs() > SAME_WITHIN) {
            // Whatever is shown now is something else: flashes between two colours are no solid colour.
            self.spell = Spell::Unknown;
        }
        let factor = if self.spell.holds() {
            STAY
        } else {
            self.colour = levels;
            1.0
        };
        self.spell.turn(is_solid(&frame.facts, self.spread, factor), frame.stamp.media_time);
        self.spell.say(frame.facts.luma.sigma, class_of(&frame.facts), out);
    }

    fn begin(&mut self) {
        *self = Self::new(self.spread);
    }
}

fn is_solid(facts: &PictureFacts, spread: f32, factor: f32) -> bool {
    let (luma, chroma) = (&facts.luma, &facts.chroma);
    let neutral = (chroma.mean_u - 128.0).abs() <= NEUTRAL && (chroma.mean_v - 128.0).abs() <= NEUTRAL;
    luma.sigma < spread * factor
        && chroma.sigma_u < CHROMA_SPREAD * factor
        && chroma.sigma_v < CHROMA_SPREAD * factor
        && !(neutral && luma.mean <= BLACK_MAX)
}

fn class_of(facts: &PictureFacts) -> u8 {
    let levels = levels(facts);
    let near = |colour: &[f32; 3]| {
        levels.iter().zip(colour).zip(COLOUR_OFF).all(|((level, wanted), off)| (level - wanted).abs() <= off)
    };
    let class = COLOURS.iter().position(|(_, colour)| colour.as_ref().is_some_and(near));
    class.unwrap_or(0) as u8
}

#[cfg(test)]
mod tests {
    use avwatch_actors::frame::{ChromaFacts, LumaFacts};
    use avwatch_actors::media_time::MediaTime;

    use super::super::testing::{Film, build, stretches, video_track};
    use super::*;

    fn picture(levels: [f32; 3], sigma: f32) -> PictureFacts {
        let luma = LumaFacts { mean: levels[0], sigma, ..LumaFacts::default() };
        let chroma = ChromaFacts { mean_u: levels[1], mean_v: levels[2], ..ChromaFacts::default() };
        PictureFacts { width: 640, height: 360, luma, chroma, ..PictureFacts::default() }
    }

    fn film() -> PictureFacts {
        picture([90.0, 120.0, 132.0], 40.0)
    }

    fn shown(facts: PictureFacts) -> Vec<(f64, Option<f64>, u8)> {
        let items = Film::new(25.0).then(2.0, |_| film()).then(3.0, |_| facts).then(1.0, |_| film()).items;
        let mut detector = build(&KIND, Profile::File, &video_track(25.0), &[]);
        stretches(&mut *detector, &items).iter().map(|found| (found.start, found.end, found.class)).collect()
    }

    #[test]
    fn colours_begin_and_end_at_the_exact_frame_and_are_named_by_their_cause() {
        for (levels, class) in [
            ([180.0, 60.0, 60.0], 0),
            ([235.0, 128.0, 128.0], 1),
            ([128.0, 128.0, 128.0], 2),
            ([0.0, 0.0, 0.0], 3),
            ([32.0, 240.0, 118.0], 4),
            ([35.0, 216.0, 114.0], 4),
            ([126.0, 252.0, 250.0], 5),
        ] {
            assert_eq!(shown(picture(levels, 0.4)), [(2.0, Some(5.0), class)], "{levels:?}");
        }
    }

    #[test]
    fn black_is_not_a_solid_colour() {
        assert_eq!(shown(picture([16.0, 128.0, 128.0], 0.0)), []);
        assert_eq!(shown(picture([30.0, 127.0, 129.0], 0.5)), []);
    }

    #[test]
    fn a_foggy_picture_is_not_a_solid_colour() {
        assert_eq!(shown(picture([150.0, 128.0, 128.0], 3.0)), []);
    }

    #[test]
    fn the_message_names_the_cause() {
        let situation = Situation { lasted: MediaTime::from_millis(3_000), peak: 0.0, class: 3 };
        let expected = "picture the green of empty buffers, as decoders show for a lost picture, for 3.0 s";
        assert_eq!(message(&situation), expected);
    }
}
