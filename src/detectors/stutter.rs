//! Stutter: a moving picture that stops and jumps on, again and again.
//!
//! A *hold* is one picture shown for 100 ms or more, at least 2.5 times as long as is usual at the
//! time (the median of the last 32 pictures), and shorter than 1 s (longer is `freeze`'s
//! business), while `motion` or more of the picture moved right before and right after it. A repeated
//! picture and one that is shown for long by its timestamps are the same to a viewer. The condition
//! holds while two or more holds begin within 2 s; onset is the begin of the first of them, the end that
//! of the last. Steady rhythms, such as film in 25 or 60 pictures a second or animation on twos, have no
//! holds, because their pictures are all about as long. Score: holds within 2 s.
//!
//! Sources: 100 ms are 2.5 intervals at 25 pictures a second, where viewers begin to call motion jerky
//! (ITU-T P.910 on frame freezing); other limits from own measurements. Hold times are the published defaults.
//!
//! Owned by the picture actor of a stream, on its arbiter. Sees facts only.

use std::collections::VecDeque;
use std::sync::Arc;

use avwatch_actors::detector::{LaneKind, Precedence, Situation, Verdict, Verdicts, Worse};
use avwatch_actors::frame::VideoFrame;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::Warning;
use avwatch_actors::track::TrackInfo;

use super::kind::lasted;
use super::picture_judge::{OfPictures, PictureJudge, is_video};
use super::table::Table;
use super::{Defaults, DetectorKind, OptionDoc, OptionValue};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 109,
    name: "stutter",
    summary: "Movement stops and jumps on, again and again",
    unit: "holds",
    worse: Worse::Higher,
    lanes: &[LaneKind::Picture],
    precedence: Precedence::Rest,
    standard_ref: None,
    source: "Own measurements on repeated and dropped pictures and on film, animation and pulldown",
    options: &[OptionDoc {
        name: "motion",
        doc: "Share of the picture, from 0 to 1, that must move right before and after a hold.",
        default: |_| OptionValue::Number(0.2),
        range: (0.02, 1.0),
    }],
    defaults,
    needs: |_, plan| plan.motion = true,
    threshold: |_| Some(HOLDS_MIN as f32),
    class_limits: |_| None,
    applies: is_video,
    message: |situation: &Situation| format!("movement stutters for {}", lasted(situation)),
    build: |options, _| {
        let motion = options.number("motion") as f32;
        Arc::new(move |track: &TrackInfo| OfPictures::boxed(track, Stutter::new(motion)))
    },
};

fn defaults(profile: Profile) -> Defaults {
    let table = Table { live: &[(10_000, Warning)], fast: &[(5_000, Warning)], file: &[(3_000, Warning)] };
    let mut defaults = table.defaults(profile);
    defaults.enabled = profile != Profile::Radio;
    defaults
}

/// Least and longest time of a hold.
const HOLD_MIN: MediaTime = MediaTime::from_millis(100);
const HOLD_MAX: MediaTime = MediaTime::from_millis(1_000);
/// A hold is at least so many times as long as is usual, in halves.
const USUAL_HALVES: i64 = 5;
/// Pictures of which the usual length is the median.
const USUAL_OF: usize = 32;
/// Holds in the window that make stutter.
const HOLDS_MIN: usize = 2;
const WINDOW: MediaTime = MediaTime::from_millis(2_000);
/// Holds that are remembered; the window cannot hold more.
const HOLDS_MAX: usize = 32;

struct Stutter {
    motion: f32,
    /// When the picture on show first came, and how much of the picture moved with it.
    shown: Option<(MediaTime, f32)>,
    /// How long the last pictures were shown.
    lengths: VecDeque<MediaTime>,
    sorted: Vec<MediaTime>,
    /// Begin and end of the holds in the window.
    holds: VecDeque<(MediaTime, MediaTime)>,
    since: Option<MediaTime>,
    clear_since: Option<MediaTime>,
}

impl Stutter {
    fn new(motion: f32) -> Self {
        Self {
            motion,
            shown: None,
            lengths: VecDeque::with_capacity(USUAL_OF),
            sorted: Vec::with_capacity(USUAL_OF),
            holds: VecDeque::with_capacity(HOLDS_MAX),
            since: None,
            clear_since: None,
        }
    }

    /// Another picture comes at `at`, and `moved` of the picture with it.
    fn change(&mut self, at: MediaTime, moved: f32) {
        let Some((from, moved_before)) = self.shown.replace((at, moved)) else { return };
        let length = at - from;
        let usual = self.usual();
        let is_long = length >= HOLD_MIN && 2 * length.as_nanos() >= USUAL_HALVES * usual.as_nanos();
        let moves = moved_before >= self.motion && moved >= self.motion;
        if is_long && moves && length < HOLD_MAX && self.lengths.len() >= USUAL_OF / 4 && self.holds.len() < HOLDS_MAX {
            self.holds.push_back((from, at));
        }
        if self.lengths.len() == USUAL_OF {
            self.lengths.pop_front();
        }
        self.lengths.push_back(length);
    }

    fn usual(&mut self) -> MediaTime {
        self.sorted.clear();
        self.sorted.extend(&self.lengths);
        let middle = self.sorted.len() / 2;
        if self.sorted.is_empty() { MediaTime::ZERO } else { *self.sorted.select_nth_unstable(middle).1 }
    }

    fn judge(&mut self, at: MediaTime, out: &mut Verdicts) {
        let mut last_end = None;
        while self.holds.front().is_some_and(|(_, end)| at - *end >= WINDOW) {
            last_end = self.holds.pop_front().map(|(_, end)| end);
        }
        let score = self.holds.len() as f32;
        let goes_on = self.since.is_some() && !self.holds.is_empty();
        if self.holds.len() >= HOLDS_MIN || goes_on {
            let first = self.holds.front().map_or(at, |(from, _)| *from);
            let since = *self.since.get_or_insert(first);
            out.say(Verdict::Faulty { since, score, class: 0 });
            return;
        }
        if self.since.take().is_some() {
            self.clear_since = last_end.or(Some(at));
        }
        out.clear(*self.clear_since.get_or_insert(at), score);
    }
}

impl PictureJudge for Stutter {
    fn look(&mut self, frame: &VideoFrame, out: &mut Verdicts) {
        let (at, motion) = (frame.stamp.media_time, &frame.facts.motion);
        if !motion.compared {
            self.shown = Some((at, 0.0));
        } else if !motion.identical && motion.active_cells > 0 {
            self.change(at, f32::from(motion.active_cells) / f32::from(motion.cells.max(1)));
        }
        self.judge(at, out);
    }

    fn begin(&mut self) {
        *self = Self::new(self.motion);
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::frame::{MotionFacts, PictureFacts};

    use super::super::testing::{Film, build, stretches, video_track};
    use super::*;

    fn picture(moves: bool, share: f32) -> PictureFacts {
        let active_cells = if moves { (3_600.0 * share) as u16 } else { 0 };
        let motion = MotionFacts {
            compared: true,
            identical: !moves,
            cells: 3_600,
            active_cells,
            difference: if moves { 6.0 } else { 0.0 },
            ..MotionFacts::default()
        };
        PictureFacts { motion, ..PictureFacts::default() }
    }

    /// Two seconds of smooth movement, ten in the rhythm (true: the picture moves), two smooth.
    fn found(fps: f64, rhythm: &[bool], share: f32) -> Vec<(f64, Option<f64>)> {
        let smooth = |_| picture(true, share);
        let film = Film::new(fps).then(2.0, smooth);
        let film = film.then(10.0, |index| picture(rhythm[index as usize % rhythm.len()], share)).then(4.0, smooth);
        let mut detector = build(&KIND, Profile::File, &video_track(fps), &[]);
        stretches(&mut *detector, &film.items).iter().map(|found| (found.start, found.end)).collect()
    }

    #[test]
    fn movement_that_stands_still_for_a_fifth_of_every_second_stutters() {
        let mut rhythm = [true; 25];
        rhythm[10..15].fill(false);
        let found = found(25.0, &rhythm, 0.6);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].0, found[0].1), (2.36, Some(11.6)), "from the picture held first until the last jump");
    }

    #[test]
    fn film_in_other_rates_does_not_stutter() {
        let mut film_in_25 = [true; 25];
        film_in_25[24] = false;
        assert_eq!(found(25.0, &film_in_25, 0.6), []);
        assert_eq!(found(60.0, &[true, false, true, false, false], 0.6), [], "film in 60 pictures a second");
        assert_eq!(found(25.0, &[true, false], 0.6), [], "animation on twos");
        assert_eq!(found(24.0, &[true, false, false], 0.6), [], "animation on threes");
    }

    #[test]
    fn a_scene_in_which_little_moves_does_not_stutter() {
        let mut rhythm = [true; 25];
        rhythm[10..18].fill(false);
        assert_eq!(found(25.0, &rhythm, 0.05), []);
    }

    #[test]
    fn one_hold_is_no_stutter() {
        let film = Film::new(25.0).then(2.0, |_| picture(true, 0.6)).then(0.4, |_| picture(false, 0.6));
        let items = film.then(4.0, |_| picture(true, 0.6)).items;
        let mut detector = build(&KIND, Profile::File, &video_track(25.0), &[]);
        assert_eq!(stretches(&mut *detector, &items), []);
    }
}
