//! Black: nothing is to be seen, but perhaps a station's logo.
//!
//! A picture is black when all of these hold (levels are normalised 8 bit code values):
//!
//! 1. `dark ≥ ratio`: the share of pixels at or below `pixel_level`, those of a learned logo
//!    counted as dark;
//! 2. `content_pixels ≤ max(32, 0.02 % of the pixels)`: next to no pixel is brighter than
//!    `pixel_level + 24` outside learned logo cells, so a title card is not black;
//! 3. `|Ū − 128| ≤ 8` and `|V̄ − 128| ≤ 8`: neither the blue of a missing signal nor the green of
//!    a zeroed buffer is black;
//! 4. no structure: mean horizontal gradient ≤ 1.5, or `p99.9 − p50 ≤ 24`, so that noise on black
//!    passes and a night scene with lights does not.
//!
//! While black, each limit is relaxed a little, so that noise at a limit does not chop one black
//! into many. Onset and end are exact to the frame. Class 0 is plain black, class 1 black with a
//! logo. Score: the dark share, unit `ratio`.
//!
//! Sources: `pixel_level` 16 + 0.10 · 219 and `ratio` 0.98 are FFmpeg's `blackdetect`; rules 2 to 4
//! were measured on title cards, solid colours and trailers, where rule 1 alone gives false alarms.
//! Hold times are the published defaults; `news-sport` halves them.
//!
//! Owned by the picture actor of a stream, on its arbiter. Sees facts only.

use std::sync::Arc;

use avwatch_actors::detector::{Detector, LaneKind, Precedence, Situation, Verdict, Verdicts, Worse};
use avwatch_actors::frame::PictureFacts;
use avwatch_actors::item::Item;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::{Critical, Info, Major, Warning};
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{TrackId, TrackInfo, TrackKind};

use super::kind::lasted;
use super::table::Table;
use super::{Defaults, DetectorKind, OptionDoc, OptionValue};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 101,
    name: "black",
    summary: "The picture is black, whether or not a logo is shown on it",
    unit: "ratio",
    worse: Worse::Higher,
    lanes: &[LaneKind::Picture],
    precedence: Precedence::Solid,
    cheapest: Tier::Keyframes,
    standard_ref: None,
    source: "FFmpeg blackdetect (pixel level, ratio); content, chroma and structure rules from own measurements",
    options: &[
        OptionDoc {
            name: "pixel_level",
            doc: "Highest luma that counts as black, as an 8 bit limited-range code value (black is 16, white 235).",
            default: |_| OptionValue::Number(37.9),
            range: (16.0, 80.0),
        },
        OptionDoc {
            name: "ratio",
            doc: "Share of the active picture that must be black, from 0 to 1.",
            default: |_| OptionValue::Number(0.98),
            range: (0.5, 1.0),
        },
    ],
    defaults,
    needs: |options, plan| {
        plan.luma = true;
        plan.chroma = true;
        plan.black_level = options.number("pixel_level") as f32;
    },
    threshold: |options| Some(options.number("ratio") as f32),
    class_limits: |_| None,
    applies: |track| track.track.kind == TrackKind::Video,
    message,
    build: |options, _| {
        let ratio = options.number("ratio") as f32;
        Arc::new(move |track: &TrackInfo| {
            Box::new(Black { track: track.track, ratio, state: State::Unknown }) as Box<dyn Detector>
        })
    },
};

fn defaults(profile: Profile) -> Defaults {
    let table = Table {
        live: &[(2_000, Info), (10_000, Major), (30_000, Critical)],
        fast: &[(1_000, Info), (5_000, Major), (15_000, Critical)],
        file: &[(500, Info), (2_000, Warning)],
    };
    let mut defaults = table.defaults(profile);
    defaults.enabled = profile != Profile::Radio;
    if profile == Profile::File {
        // A programme begins and ends in black.
        defaults.edge_grace = std::time::Duration::from_secs(2);
    }
    defaults
}

fn message(situation: &Situation) -> String {
    match situation.class {
        0 => format!("picture black for {}", lasted(situation)),
        _ => format!("picture black but for a logo for {}", lasted(situation)),
    }
}

/// The limits of the four rules.
struct Limits {
    ratio: f32,
    /// Content pixels that are allowed in any case, so that small pictures may have a few.
    content_pixels: f32,
    /// And as a share of all pixels.
    content_share: f32,
    chroma: f32,
    gradient: f32,
    spread: f32,
}

impl Limits {
    /// To become black.
    const fn enter(ratio: f32) -> Self {
        Self { ratio, content_pixels: 32.0, content_share: 0.000_2, chroma: 8.0, gradient: 1.5, spread: 24.0 }
    }

    /// To stay black.
    const fn stay(ratio: f32) -> Self {
        Self {
            ratio: ratio - 0.01,
            content_pixels: 48.0,
            content_share: 0.000_3,
            chroma: 10.0,
            gradient: 2.0,
            spread: 28.0,
        }
    }
}

struct Black {
    track: TrackId,
    ratio: f32,
    state: State,
}

/// `Unknown` until the first picture, then either, since the first picture that was so.
enum State {
    Unknown,
    Black(MediaTime),
    Normal(MediaTime),
}

impl Detector for Black {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        match item {
            Item::Video(frame) if frame.stamp.track == self.track => {
                let now = frame.stamp.media_time;
                let limits = match self.state {
                    State::Black(_) => Limits::stay(self.ratio),
                    State::Normal(_) | State::Unknown => Limits::enter(self.ratio),
                };
                let (dark, logo) = darkness(&frame.facts);
                self.state = match (is_black(&frame.facts, dark, &limits), &self.state) {
                    (true, State::Black(since)) => State::Black(*since),
                    (true, State::Normal(_) | State::Unknown) => State::Black(now),
                    (false, State::Normal(since)) => State::Normal(*since),
                    (false, State::Black(_) | State::Unknown) => State::Normal(now),
                };
                match self.state {
                    State::Black(since) => out.say(Verdict::Faulty { since, score: dark, class: u8::from(logo) }),
                    State::Normal(since) => out.clear(since, dark),
                    State::Unknown => {}
                }
            }
            Item::Started(info) if info.revision == 0 => self.state = State::Unknown,
            Item::Video(_)
            | Item::Audio(_)
            | Item::Started(_)
            | Item::Packets(_)
            | Item::Clock(_)
            | Item::Gap(_)
            | Item::Ended(_) => {}
        }
    }
}

/// Number of pixels that the shares of the luma facts refer to.
fn active_pixels(facts: &PictureFacts) -> f32 {
    (facts.width as f32 * facts.height as f32 * facts.luma.active_share).max(1.0)
}

/// The dark share with learned logo pixels counted as dark, and whether there is a logo.
fn darkness(facts: &PictureFacts) -> (f32, bool) {
    let logo = facts.luma.logo_pixels as f32;
    ((facts.luma.dark_share + logo / active_pixels(facts)).min(1.0), logo > Limits::enter(1.0).content_pixels)
}

fn is_black(facts: &PictureFacts, dark: f32, limits: &Limits) -> bool {
    let (luma, chroma) = (&facts.luma, &facts.chroma);
    let content_max = limits.content_pixels.max(limits.content_share * active_pixels(facts));
    dark >= limits.ratio
        && luma.content_pixels as f32 <= content_max
        && (chroma.mean_u - 128.0).abs() <= limits.chroma
        && (chroma.mean_v - 128.0).abs() <= limits.chroma
        && (luma.gradient <= limits.gradient || luma.p999 - luma.p50 <= limits.spread)
}

#[cfg(test)]
mod tests {
    use avwatch_actors::frame::{ChromaFacts, LumaFacts};
    use avwatch_actors::media_time::MediaTime;

    use super::super::testing::{Film, build, lasting, started, stretches, video_track};
    use super::*;

    fn black() -> PictureFacts {
        let luma = LumaFacts {
            mean: 16.0,
            p50: 16.0,
            p99: 16.0,
            p999: 16.0,
            dark_share: 1.0,
            active_share: 1.0,
            ..LumaFacts::default()
        };
        PictureFacts { width: 640, height: 360, depth: 8, luma, ..PictureFacts::default() }
    }

    fn film() -> PictureFacts {
        let luma = LumaFacts {
            mean: 90.0,
            p50: 85.0,
            p99: 200.0,
            p999: 230.0,
            dark_share: 0.1,
            content_share: 0.8,
            content_pixels: 180_000,
            gradient: 5.0,
            active_share: 1.0,
            ..LumaFacts::default()
        };
        PictureFacts { luma, ..black() }
    }

    fn detector() -> Box<dyn Detector> {
        build(&KIND, Profile::File, &video_track(25.0), &[])
    }

    fn never(facts: PictureFacts, why: &str) {
        let items = Film::new(25.0).then(4.0, |_| film()).then(4.0, |_| facts).items;
        assert_eq!(stretches(&mut *detector(), &items), [], "{why}");
    }

    #[test]
    fn black_begins_and_ends_at_the_exact_frame() {
        let items = Film::new(25.0).then(4.0, |_| film()).then(3.0, |_| black()).then(1.0, |_| film()).items;
        let found = stretches(&mut *detector(), &items);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].start, found[0].end, found[0].score, found[0].class), (4.0, Some(7.0), 1.0, 0));
    }

    #[test]
    fn black_until_the_end_counts_the_last_frame_to_its_end() {
        let items = Film::new(25.0).then(2.0, |_| film()).then(2.0, |_| black()).items;
        assert_eq!(stretches(&mut *detector(), &items)[0].held, 2.0);
    }

    #[test]
    fn a_title_card_is_not_black() {
        let mut card = black();
        card.luma.dark_share = 0.985;
        card.luma.content_pixels = 2_900;
        card.luma.p999 = 210.0;
        card.luma.gradient = 1.2;
        never(card, "white text covers less than 2 % but is content");
    }

    #[test]
    fn full_screen_blue_is_not_black() {
        for (mean, mean_u, mean_v) in [(32.0, 240.0, 118.0), (35.0, 212.0, 114.0)] {
            let mut blue = black();
            blue.luma.mean = mean;
            blue.chroma = ChromaFacts { mean_u, mean_v, ..ChromaFacts::default() };
            never(blue, "blue of a missing signal");
        }
    }

    #[test]
    fn the_green_of_a_zeroed_buffer_is_not_black() {
        let mut green = black();
        green.luma.mean = 0.0;
        green.chroma = ChromaFacts { mean_u: 0.0, mean_v: 0.0, zero_share: 1.0, ..ChromaFacts::default() };
        never(green, "zeroed planes");
    }

    #[test]
    fn a_night_scene_with_lights_is_not_black() {
        let mut night = black();
        night.luma = LumaFacts { dark_share: 0.985, p999: 60.0, gradient: 2.4, content_pixels: 30, ..night.luma };
        never(night, "structure");
    }

    #[test]
    fn noise_on_black_is_black() {
        let mut noisy = black();
        noisy.luma = LumaFacts { p50: 17.0, p999: 30.0, gradient: 4.0, dark_share: 0.999, ..noisy.luma };
        let items = Film::new(25.0).then(4.0, |_| noisy).items;
        assert_eq!(stretches(&mut *detector(), &items)[0].held, 4.0);
    }

    #[test]
    fn black_with_a_learned_logo_is_black_of_its_own_class() {
        let mut logo = black();
        logo.luma = LumaFacts { dark_share: 0.97, logo_pixels: 5_000, p999: 200.0, gradient: 0.4, ..logo.luma };
        let items = Film::new(25.0).then(1.0, |_| film()).then(3.0, |_| logo).items;
        let found = stretches(&mut *detector(), &items);
        assert_eq!((found.len(), found[0].class, found[0].start), (1, 1, 1.0));
        let situation = Situation { lasted: MediaTime::from_millis(3_000), peak: 1.0, class: 1 };
        assert_eq!(message(&situation), "picture black but for a logo for 3.0 s");
    }

    #[test]
    fn a_share_that_trembles_at_the_limit_stays_one_black() {
        let trembling = |index: u64| {
            let mut facts = black();
            facts.luma.dark_share = if index.is_multiple_of(2) { 0.982 } else { 0.975 };
            facts
        };
        let items = Film::new(25.0).then(4.0, trembling).items;
        assert_eq!(lasting(&mut *detector(), &items, 0.5), [(0.0, None)]);
    }

    #[test]
    fn a_new_session_begins_a_new_judgement() {
        let mut items = Film::new(25.0).then(1.0, |_| black()).items;
        items.push(started(2, 0, 5.0, vec![video_track(25.0)]));
        items.extend(Film::from(25.0, 5.0).then(1.0, |_| black()).items);
        let since = match super::super::testing::verdicts(&mut *detector(), &items).last() {
            Some(Verdict::Faulty { since, .. }) => since.as_secs_f64(),
            other => panic!("{other:?}"),
        };
        assert_eq!(since, 5.0);
    }

    #[test]
    fn the_message_says_for_how_long() {
        let situation = Situation { lasted: MediaTime::from_millis(3_000), peak: 1.0, class: 0 };
        assert_eq!(message(&situation), "picture black for 3.0 s");
    }
}
