//! Stutter: a moving picture that stops and jumps on, again and again.
//!
//! A *jolt* is a picture shown for 100 ms or more, and shorter than 1 s (longer is `freeze`'s business), at
//! least two intervals of the frame rate and 60 ms longer or shorter than the one before or behind it, while
//! the whole picture moves: `motion` or more of it with each of the changes. What is held longer has to jump
//! further: where the changes are alike, movement is so slow that it goes by whole pixels, and it is no jolt;
//! where the shorter hold ends with the larger change, it speaks against one. A repeated picture and one that is shown
//! for long by its timestamps are the same to a viewer. The condition holds while three or more jolts
//! begin within 2 s; onset is the begin of the first of them, the end that of the last. Steady rhythms have
//! none, because pictures of another rate are shown for one interval more or less in turn: film in 25, 30 or 60
//! pictures a second, animation on twos or threes. Score: jolts within 2 s.
//!
//! Sources: 100 ms are 2.5 intervals at 25 pictures a second, where viewers begin to call motion jerky
//! (ITU-T P.910 on frame freezing); other limits from own measurements. Hold times are the published defaults.
//!
//! Owned by the picture actor of a stream, on its arbiter. Sees facts only.

use std::collections::VecDeque;
use std::sync::Arc;

use avwatch_actors::detector::{LaneKind, Precedence, Situation, Verdict, Verdicts, Worse};
use avwatch_actors::frame::{MotionFacts, VideoFrame};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::Warning;
use avwatch_actors::tier::Tier;
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
    unit: "jolts",
    worse: Worse::Higher,
    lanes: &[LaneKind::Picture],
    precedence: Precedence::Rest,
    cheapest: Tier::Full,
    standard_ref: None,
    source: "Own measurements on repeated and dropped pictures and on film, animation and pulldown",
    options: &[OptionDoc {
        name: "motion",
        doc: "Share of the picture, from 0 to 1, that must move with each change.",
        default: |_| OptionValue::Number(0.1),
        range: (0.02, 1.0),
    }],
    defaults,
    needs: |_, plan| plan.motion = true,
    threshold: |_| Some(JOLTS_MIN as f32),
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

/// Least and longest time of a picture that is held.
const HOLD_MIN: MediaTime = MediaTime::from_millis(100);
const HOLD_MAX: MediaTime = MediaTime::from_millis(1_000);
/// By how much its neighbour is shorter or longer, in intervals of the frame rate and at least.
const UNEVEN_INTERVALS: i64 = 2;
const UNEVEN_MIN: MediaTime = MediaTime::from_millis(60);
/// Change after the longer of two holds, in terms of that after the shorter one: of a jolt at least, and of
/// what speaks against one at most.
const FURTHER_MIN: f32 = 1.1;
const AGAINST_BELOW: f32 = 0.8;
/// Jolts in the window that make stutter.
const JOLTS_MIN: i32 = 3;
const WINDOW: MediaTime = MediaTime::from_millis(2_000);
/// Jolts that are remembered; the window cannot hold more.
const JOLTS_MAX: usize = 32;
/// When cells change by more than this on average, all of the picture moves: no cell stands out then.
const ALL_MOVES: f32 = 1.2;

/// One picture on show.
#[derive(Clone, Copy)]
struct Shown {
    from: MediaTime,
    /// How much of the picture moved when it came.
    moved: f32,
    /// Mean difference to the picture before.
    difference: f32,
}

/// Two holds of uneven length, one after the other.
#[derive(Clone, Copy)]
struct Jolt {
    from: MediaTime,
    to: MediaTime,
    /// 1 for a jolt, −1 for what speaks against one.
    counts: i32,
}

struct Stutter {
    motion: f32,
    shown: Option<Shown>,
    /// How long the picture before was shown, if all of it moved, and the change after it.
    before: Option<(MediaTime, f32)>,
    /// Interval of the frame rate: the shortest lately.
    interval: MediaTime,
    /// The jolts in the window, and what speaks against them.
    jolts: VecDeque<Jolt>,
    since: Option<MediaTime>,
    clear_since: Option<MediaTime>,
}

impl Stutter {
    fn new(motion: f32) -> Self {
        Self {
            motion,
            shown: None,
            before: None,
            interval: MediaTime::ZERO,
            jolts: VecDeque::with_capacity(JOLTS_MAX),
            since: None,
            clear_since: None,
        }
    }

    /// Another picture comes, and `moved` of the picture with it.
    fn change(&mut self, next: Shown) {
        let at = next.from;
        let Some(shown) = self.shown.replace(next) else { return };
        let length = at - shown.from;
        let moves = shown.moved >= self.motion && next.moved >= self.motion && length < HOLD_MAX;
        let before = std::mem::replace(&mut self.before, moves.then_some((length, next.difference)));
        let (true, Some((before, difference_before))) = (moves, before) else { return };
        let (longer, shorter) = match length > before {
            true => (next.difference, difference_before),
            false => (difference_before, next.difference),
        };
        let uneven = MediaTime::from_nanos(self.interval.as_nanos() * UNEVEN_INTERVALS).max(UNEVEN_MIN);
        // Half an interval of slack: timestamps are rounded.
        let is_uneven = length.distance(before).as_nanos() + self.interval.as_nanos() / 2 >= uneven.as_nanos();
        let counts = match () {
            () if longer >= FURTHER_MIN * shorter => 1,
            () if longer < AGAINST_BELOW * shorter => -1,
            () => return,
        };
        if length.max(before) >= HOLD_MIN && is_uneven && self.jolts.len() < JOLTS_MAX {
            let (from, to) = if before > length { (shown.from - before, shown.from) } else { (shown.from, at) };
            self.jolts.push_back(Jolt { from, to, counts });
        }
    }

    fn judge(&mut self, at: MediaTime, out: &mut Verdicts) {
        let mut last_end = None;
        while self.jolts.front().is_some_and(|jolt| at - jolt.to >= WINDOW) {
            last_end = self.jolts.pop_front().filter(|jolt| jolt.counts > 0).map(|jolt| jolt.to).or(last_end);
        }
        let first = self.jolts.iter().find(|jolt| jolt.counts > 0).map(|jolt| jolt.from);
        let count = self.jolts.iter().map(|jolt| jolt.counts).sum::<i32>().max(0);
        let score = count as f32;
        let goes_on = self.since.is_some() && first.is_some();
        if count >= JOLTS_MIN || goes_on {
            let first = first.unwrap_or(at);
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

/// How much of the picture moved, from 0 to 1.
fn moved(motion: &MotionFacts) -> f32 {
    if motion.noise > ALL_MOVES { 1.0 } else { f32::from(motion.active_cells) / f32::from(motion.cells.max(1)) }
}

impl PictureJudge for Stutter {
    fn look(&mut self, frame: &VideoFrame, out: &mut Verdicts) {
        let (at, motion) = (frame.stamp.media_time, &frame.facts.motion);
        let lasts = frame.stamp.lasts;
        self.interval = if self.interval == MediaTime::ZERO { lasts } else { self.interval.min(lasts) };
        if !motion.compared {
            self.shown = Some(Shown { from: at, moved: 0.0, difference: 0.0 });
            self.before = None;
        } else if !motion.identical && (motion.active_cells > 0 || motion.noise > ALL_MOVES) {
            self.change(Shown { from: at, moved: moved(motion), difference: motion.difference });
        }
        self.judge(at, out);
    }

    fn begin(&mut self) {
        *self = Self::new(self.motion);
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::frame::PictureFacts;

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
        let moves = |index: u64| rhythm[index as usize % rhythm.len()];
        // What is held longer jumps further.
        let held = |index: u64| (0..index).rev().take_while(|before| !moves(*before)).count() as f32;
        let jerky = |index: u64| {
            let PictureFacts { motion, .. } = picture(moves(index), share);
            let motion = MotionFacts { difference: motion.difference * (1.0 + held(index)), ..motion };
            PictureFacts { motion, ..PictureFacts::default() }
        };
        let film = film.then(10.0, jerky).then(4.0, smooth);
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
    fn pictures_that_come_at_random_stutter() {
        let rhythm = [true, false, false, true, true, false, false, false, false, true, false, true, false, false];
        assert_eq!(found(25.0, &rhythm, 0.6).len(), 1);
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
    fn a_slow_zoom_that_goes_by_whole_pixels_does_not_stutter() {
        // The picture moves on now and then, by one pixel or by two, however long it stood still.
        let rhythm = [0.0, 5.0, 0.0, 0.0, 14.0, 5.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 5.0, 14.0, 0.0, 0.0, 0.0, 5.0, 14.0];
        let zoom = |index: u64| {
            let difference = rhythm[index as usize % rhythm.len()];
            let motion = MotionFacts { difference, ..picture(difference > 0.0, 0.6).motion };
            PictureFacts { motion, ..PictureFacts::default() }
        };
        let mut detector = build(&KIND, Profile::File, &video_track(25.0), &[]);
        assert_eq!(stretches(&mut *detector, &Film::new(25.0).then(12.0, zoom).items), []);
    }

    #[test]
    fn one_held_picture_is_no_stutter() {
        let film = Film::new(25.0).then(2.0, |_| picture(true, 0.6)).then(0.4, |_| picture(false, 0.6));
        let items = film.then(4.0, |_| picture(true, 0.6)).items;
        let mut detector = build(&KIND, Profile::File, &video_track(25.0), &[]);
        assert_eq!(stretches(&mut *detector, &items), []);
    }
}
