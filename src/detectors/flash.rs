//! Flash: flashing pictures that can trigger photosensitive seizures.
//!
//! Half a flash is a rise or fall of luminance by 20 cd/m² or more, its darker end below 160 cd/m²,
//! over more than `area` of the picture within two pictures; a flash is two opposing halves, likewise
//! a change to and from saturated red. The condition holds while more than three flashes (more than
//! six halves) lie within any one second; class 1: four to six halves in every second for more than
//! four seconds, which viewers may not be shown for long either. Onset is the first half of the
//! first such second, the end that of the last. Score: flashes within a second.
//!
//! Sources: ITU-R BT.1702-2 (20 cd/m², 160 cd/m², a quarter of the picture, three flashes a second);
//! class 1 is the extended failure of the published analysers. Regular patterns of stripes are not judged.
//! Raised at once in every profile. Nothing overrules it: flashes between black and white are flashes.
//!
//! Owned by the picture actor of a stream, on its arbiter. Sees facts only.

use std::collections::VecDeque;
use std::sync::Arc;

use avwatch_actors::detector::{LaneKind, Precedence, Situation, Verdict, Verdicts, Worse};
use avwatch_actors::frame::VideoFrame;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::Warning;
use avwatch_actors::tier::Tier;
use avwatch_actors::track::TrackInfo;

use super::picture_judge::{OfPictures, PictureJudge, is_video};
use super::table::Table;
use super::{Defaults, DetectorKind, OptionDoc, OptionValue};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 108,
    name: "flash",
    summary: "The picture flashes more often than three times a second",
    unit: "flashes/s",
    worse: Worse::Higher,
    lanes: &[LaneKind::Picture],
    precedence: Precedence::Apart,
    cheapest: Tier::Full,
    standard_ref: Some("ITU-R BT.1702"),
    source: "ITU-R BT.1702-2: luminance, area and rate of harmful flashes",
    options: &[OptionDoc {
        name: "area",
        doc: "Share of the picture, from 0 to 1, that must change at once.",
        default: |_| OptionValue::Number(0.25),
        range: (0.05, 1.0),
    }],
    defaults,
    needs: |_, plan| plan.flash = true,
    threshold: |_| Some(FLASHES_MAX),
    class_limits: |_| None,
    applies: is_video,
    message,
    build: |options, _| {
        let area = options.number("area") as f32;
        Arc::new(move |track: &TrackInfo| OfPictures::boxed(track, Flash::new(area)))
    },
};

fn defaults(profile: Profile) -> Defaults {
    let at_once = &[(0, Warning)];
    let mut defaults = Table { live: at_once, fast: at_once, file: at_once }.defaults(profile);
    defaults.enabled = profile != Profile::Radio;
    defaults
}

fn message(situation: &Situation) -> String {
    let what = if situation.class == 0 { "" } else { " again and again" };
    format!("picture flashes {:.0} times a second{what}, for {:.1} s", situation.peak, situation.lasted.as_secs_f64())
}

/// Flashes that are allowed within a second.
const FLASHES_MAX: f32 = 3.0;
/// Halves that are.
const HALVES_MAX: usize = 6;
/// Halves in every second that are too many when they go on.
const HALVES_LASTING: usize = 4;
/// How long they may.
const LASTING_MAX: MediaTime = MediaTime::from_millis(4_000);
/// The window in which flashes are counted.
const WINDOW: MediaTime = MediaTime::from_millis(1_000);
/// Halves that are remembered: more than any picture rate brings in a second.
const REMEMBERED: usize = 512;

/// Halves of flashes of one sort: of luminance, or of red.
#[derive(Default)]
struct Halves {
    /// Shares of the picture before, up and down.
    before: (f32, f32),
    rose: Option<bool>,
    times: VecDeque<MediaTime>,
    /// Since when every second has held enough halves to be too many when that lasts.
    lasting_since: Option<MediaTime>,
}

impl Halves {
    /// Takes the shares that changed up and down at `at`.
    fn take(&mut self, (up, down): (f32, f32), area: f32, at: MediaTime) {
        let (all_up, all_down) = (up + self.before.0, down + self.before.1);
        self.before = (up, down);
        let half = if all_up > area && all_up >= all_down {
            Some(true)
        } else if all_down > area {
            Some(false)
        } else {
            None
        };
        while self.times.front().is_some_and(|first| at - *first >= WINDOW) {
            self.times.pop_front();
        }
        if self.times.is_empty() {
            self.rose = None;
        }
        if let Some(rose) = half.filter(|rose| self.rose != Some(*rose)) {
            self.rose = Some(rose);
            // What has been told is told: the rest of the same change is not another half.
            self.before = (0.0, 0.0);
            if self.times.len() < REMEMBERED {
                self.times.push_back(at);
            }
        }
        if self.times.len() < HALVES_LASTING {
            self.lasting_since = None;
        } else {
            let first = self.times[0];
            self.lasting_since.get_or_insert(first);
        }
    }

    /// The first half of too many, and the class of it.
    fn too_many(&self, at: MediaTime) -> Option<(MediaTime, u8)> {
        if self.times.len() > HALVES_MAX {
            return self.times.front().map(|first| (*first, 0));
        }
        self.lasting_since.filter(|since| at - *since > LASTING_MAX).map(|since| (since, 1))
    }
}

struct Flash {
    area: f32,
    luminance: Halves,
    red: Halves,
    flashing: Option<MediaTime>,
    calm_since: Option<MediaTime>,
}

impl Flash {
    fn new(area: f32) -> Self {
        let (luminance, red) = (Halves::default(), Halves::default());
        Self { area, luminance, red, flashing: None, calm_since: None }
    }
}

impl PictureJudge for Flash {
    fn look(&mut self, frame: &VideoFrame, out: &mut Verdicts) {
        let (at, facts) = (frame.stamp.media_time, &frame.facts.flash);
        self.luminance.take((facts.up_share, facts.down_share), self.area, at);
        self.red.take((facts.red_on_share, facts.red_off_share), self.area, at);
        let score = self.luminance.times.len().max(self.red.times.len()) as f32 / 2.0;
        let newest = self.luminance.times.back().max(self.red.times.back()).copied();
        let (luminance, red) = (self.luminance.too_many(at), self.red.too_many(at));
        match luminance.into_iter().chain(red).min() {
            Some((first, class)) => {
                let since = *self.flashing.get_or_insert(first);
                out.say(Verdict::Faulty { since, score, class });
            }
            None => {
                if self.flashing.take().is_some() {
                    self.calm_since = newest;
                }
                out.clear(*self.calm_since.get_or_insert(at), score);
            }
        }
    }

    fn begin(&mut self) {
        *self = Self::new(self.area);
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::frame::{FlashFacts, PictureFacts};

    use super::super::testing::{Film, build, stretches, video_track};
    use super::*;

    /// A picture that changes its whole area every so many pictures, up and down in turn.
    fn every(pictures: u64, share: f32) -> impl Fn(u64) -> PictureFacts {
        move |index| {
            let mut flash = FlashFacts::default();
            if index.is_multiple_of(pictures) {
                let up = (index / pictures).is_multiple_of(2);
                (flash.up_share, flash.down_share) = if up { (share, 0.0) } else { (0.0, share) };
            }
            PictureFacts { flash, ..PictureFacts::default() }
        }
    }

    fn found(pictures: u64, share: f32, seconds: f64) -> Vec<(f64, Option<f64>, u8)> {
        let film = Film::new(25.0).then(2.0, |_| PictureFacts::default()).then(seconds, every(pictures, share));
        let items = film.then(3.0, |_| PictureFacts::default()).items;
        let mut detector = build(&KIND, Profile::File, &video_track(25.0), &[]);
        stretches(&mut *detector, &items).iter().map(|found| (found.start, found.end, found.class)).collect()
    }

    #[test]
    fn more_than_three_flashes_a_second_are_told_from_the_first_to_the_last_half() {
        // A half every three pictures: 4.2 flashes a second.
        assert_eq!(found(3, 1.0, 3.0), [(2.0, Some(4.88), 0)]);
    }

    #[test]
    fn three_flashes_a_second_and_fewer_are_allowed_unless_they_go_on() {
        // A half every five pictures: 2.5 flashes a second, five halves.
        assert_eq!(found(5, 1.0, 3.0), []);
        assert_eq!(found(5, 1.0, 8.0).first().map(|found| (found.0, found.2)), Some((2.0, 1)));
        // One flash a second may go on for ever.
        assert_eq!(found(12, 1.0, 10.0), []);
    }

    #[test]
    fn a_quarter_of_the_picture_may_flash() {
        assert_eq!(found(3, 0.25, 4.0), []);
        assert_eq!(found(3, 0.26, 4.0).len(), 1);
    }

    #[test]
    fn a_change_that_takes_two_pictures_is_one_half() {
        let film = |index: u64| {
            let mut flash = FlashFacts::default();
            // Half of the area a picture later than the other.
            match index % 6 {
                0 | 1 => flash.up_share = 0.5,
                3 | 4 => flash.down_share = 0.5,
                _ => {}
            }
            PictureFacts { flash, ..PictureFacts::default() }
        };
        let mut detector = build(&KIND, Profile::File, &video_track(25.0), &[]);
        let found = stretches(&mut *detector, &Film::new(25.0).then(3.0, film).items);
        assert_eq!((found.len(), found[0].score), (1, 4.5), "nine halves in 25 pictures");
    }

    #[test]
    fn cuts_and_a_photographers_flash_are_none() {
        let cuts = |index: u64| every(4, 1.0)(if index < 12 { index } else { 1 });
        let mut detector = build(&KIND, Profile::File, &video_track(25.0), &[]);
        assert_eq!(stretches(&mut *detector, &Film::new(25.0).then(4.0, cuts).items), []);
    }
}
