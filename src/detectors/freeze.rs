//! Freeze: the picture stands still.
//!
//! Judged on how many cells of the picture (about 80 × 45 block means) changed by more than
//! `max(4, 6 × noise)` since the previous picture, over a window of one second (at least six
//! pictures, at most 240). A picture is *active* when a cell changed so, and by more than 7 or with
//! some cell away from the reference; or when all cells tremble by more than noise does. It is
//! *strong* when, besides, a cell changed by more than 10.
//!
//! - **Still**: fewer than a fifth of the window's pictures are strong and fewer than half of them
//!   active (at most a third to become still), for one second since the last movement. So coding a still anew at each key frame or
//!   small group of pictures, or one picture a second that differs, does not hide it; a box of
//!   12 × 12 pixels that moves all the time does prevent it.
//! - **Onset**: the first showing of the held picture, that is the last active picture of the
//!   movement. A weak one apart from it is a coding pulse, not movement.
//! - **End**: at once at a cut, else when the window is no longer still, or at a slow change;
//!   back-dated to the first picture of the new movement. After a cut each slide is its own still.
//! - **Slow change** is no freeze: a level that drifts steadily in one direction, or a reference
//!   picture that had to be replaced although no single picture was active, unless it is the movement
//!   before the still that had led away from it. After one, stillness must last for longer until it is believed.
//!
//! Score: time since the onset, unit `s`. All in media time and fixed order: deterministic.
//!
//! Sources: window, a fifth, and the cell threshold were measured on still pictures at 100 kb/s to
//! 1 Mb/s, under noise, and on films, fades, cameras and a moving box, which FFmpeg's `freezedetect`
//! misses or calls wrongly: stills of x264 at 100 kb/s pulse by up to 9 in every fourth picture,
//! noise by up to 7. Cells of the chroma planes count like those of luma, so that movement in colour
//! alone is seen. Hold times are the published defaults; `news-sport` halves them, `static-ok` begins
//! at 600 s, a common limit for slates and talk.
//!
//! Owned by the picture actor of a stream, on its arbiter. Sees facts only.

use std::collections::VecDeque;
use std::sync::Arc;

use avwatch_actors::detector::{Detector, LaneKind, Precedence, Situation, Verdicts, Worse};
use avwatch_actors::frame::VideoFrame;
use avwatch_actors::item::Item;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::{Info, Major, Warning};
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{TrackId, TrackInfo, TrackKind};

use super::kind::lasted;
use super::table::Table;
use super::{Defaults, DetectorKind};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 102,
    name: "freeze",
    summary: "The picture stands still",
    unit: "s",
    worse: Worse::Higher,
    lanes: &[LaneKind::Picture],
    precedence: Precedence::Still,
    cheapest: Tier::Keyframes,
    standard_ref: None,
    source: "Own measurements on coded stills, noise, fades and small motion; window rule after NTIA TM-09-456",
    options: &[],
    defaults,
    needs: |_, plan| plan.motion = true,
    threshold: |_| None,
    class_limits: |_| None,
    applies: |track| track.track.kind == TrackKind::Video,
    message,
    build: |_, _| Arc::new(|track: &TrackInfo| Box::new(Freeze::new(track.track)) as Box<dyn Detector>),
};

fn defaults(profile: Profile) -> Defaults {
    let table = Table {
        live: match profile {
            Profile::StaticOk => &[(600_000, Info), (900_000, Warning), (1_800_000, Major)],
            _ => &[(5_000, Info), (10_000, Warning), (30_000, Major)],
        },
        fast: &[(3_000, Info), (5_000, Warning), (15_000, Major)],
        file: &[(1_000, Info), (2_000, Warning)],
    };
    let mut defaults = table.defaults(profile);
    defaults.enabled = profile != Profile::Radio;
    defaults
}

fn message(situation: &Situation) -> String {
    format!("picture frozen for {}", lasted(situation))
}

/// Length of the window, and the least time without movement that is called still.
const WINDOW: MediaTime = MediaTime::from_millis(1_000);
/// The window has at least this many pictures, so that a fifth of them means something at 1 fps.
const WINDOW_MIN: usize = 6;
/// And at most this many: one second at 240 pictures a second.
const WINDOW_MAX: usize = 240;
/// The window moves when one in this many of its pictures is strong, or one in so many active.
const STRONG_PART: usize = 5;
const ACTIVE_PART: usize = 2;
/// To become still, at most one in so many may be active.
const CALM_PART: usize = 3;
/// The largest change of a cell that still may be noise.
const EVIDENT: f32 = 7.0;
/// Cell noise above this is movement everywhere: noise of a picture averages out within a cell.
const NOISE_MAX: f32 = 2.0;
/// A change of some cell by more than this is strong: coding pulses stay below 9.
const STRONG: f32 = 10.0;
/// Strong pictures this close belong to the same movement (motion at a fifth of the frame rate).
const LINK_STRONG: usize = 5;
/// Weak ones must be this close.
const LINK_WEAK: usize = 2;
/// Active pictures in a row that one coding pulse may bring about, and by which pictures that are
/// coded from both sides foreshadow a movement.
const PULSE_MAX: usize = 3;
/// Least steady drift of the mean level over a quarter of the window that is a slow change.
const DRIFT_STEP: f32 = 0.1;
/// Levels this close are the same level, when a slow change has come to its end.
const DRIFT_SAME: f32 = 0.1;
/// A reference replaced at a smaller mean difference to the previous picture fell to slow change.
const CUT_DIFFERENCE: f32 = 2.0;
/// A reference is outdated by the movement before a still, not by the still, unless the share of drifted cells grew by more than
/// this since its onset: half of the 2 % for which it is replaced.
const DRIFTED_SINCE: f32 = 0.01;
/// Longest stillness demanded after a slow change.
const DOUBT_MAX: MediaTime = MediaTime::from_millis(20_000);
/// Stillness demanded after a drift of the level.
const DOUBT_AFTER_DRIFT: MediaTime = MediaTime::from_millis(2_000);

/// What is kept of a picture.
#[derive(Clone, Copy)]
struct Sample {
    at: MediaTime,
    end: MediaTime,
    active: bool,
    strong: bool,
    drift: f32,
}

/// `Unknown` until one second is known; the times are those of the first picture that was so.
#[derive(Clone, Copy)]
enum State {
    Unknown,
    Moving(MediaTime),
    Standing(MediaTime),
}

struct Freeze {
    track: TrackId,
    ring: VecDeque<Sample>,
    /// Active and strong samples in the ring.
    active: usize,
    strong: usize,
    state: State,
    /// Onset of what may turn out to be a still.
    candidate: MediaTime,
    /// Share of cells that the movement before it had carried away from the reference.
    carried: f32,
    /// Time without movement that is demanded now.
    demand: MediaTime,
    /// Pictures since the last active one, and since the last that belonged to the movement.
    quiet: usize,
    apart: usize,
    /// Active pictures close to each other, up to now.
    chain: usize,
    /// The level is drifting.
    drifting: bool,
    /// When the reference in use was taken.
    reference_at: MediaTime,
    /// First picture that differed from it in some cell, without a break until now.
    drifted_at: Option<MediaTime>,
    /// How long the previous picture lasted.
    interval: Option<MediaTime>,
}

impl Freeze {
    fn new(track: TrackId) -> Self {
        Self {
            track,
            ring: VecDeque::with_capacity(WINDOW_MAX + 1),
            active: 0,
            strong: 0,
            state: State::Unknown,
            candidate: MediaTime::ZERO,
            carried: 0.0,
            demand: WINDOW,
            quiet: 0,
            apart: 0,
            chain: 0,
            drifting: false,
            reference_at: MediaTime::ZERO,
            drifted_at: None,
            interval: None,
        }
    }

    fn look(&mut self, frame: &VideoFrame, out: &mut Verdicts) {
        let (at, end, motion) = (frame.stamp.media_time, frame.stamp.end(), &frame.facts.motion);
        let known = motion.compared;
        // Below `EVIDENT` it may be noise, which never carries a cell away from the reference.
        let evident = motion.active_cells > 0 && (motion.largest > EVIDENT || motion.drifted_share > 0.0);
        let active = known && !motion.identical && (evident || motion.noise > NOISE_MAX);
        let sample = Sample { at, end, active, strong: active && motion.largest > STRONG, drift: motion.drift };
        if self.ring.is_empty() {
            // An instance that begins amid a track has not seen what was before its first picture.
            self.candidate = at;
        }
        if !known {
            self.begin(sample);
        } else {
            let is_cut = motion.difference >= CUT_DIFFERENCE;
            let moves = is_cut || sample.strong || (active && !self.stands());
            let is_of_before = !moves && motion.drifted_share - self.carried <= DRIFTED_SINCE;
            let replaced = motion.reference_replaced && !is_of_before;
            let slow = replaced && !active && !is_cut;
            self.drifted_at = if motion.drifted_share > 0.0 || slow { self.drifted_at.or(Some(at)) } else { None };
            self.push(sample);
            self.follow(sample, motion.drifted_share);
            self.judge(sample, replaced, slow);
            if motion.reference_replaced {
                self.restart(sample);
            }
        }
        let held_long = self.is_long(frame.stamp.lasts);
        self.interval = Some(frame.stamp.lasts);
        if held_long && !matches!(self.state, State::Standing(_) if !sample.active) {
            self.state = State::Standing(at);
            // What was before it says nothing about what comes after so long a picture.
            self.restart(Sample { active: false, strong: false, ..sample });
        }
        match self.state {
            State::Unknown => {}
            State::Moving(since) => out.clear(since, 0.0),
            // The window will tell whether this is a pulse or the first movement.
            State::Standing(since) if sample.active && since < at => {}
            State::Standing(since) => out.faulty(since, (end - since).as_secs_f64() as f32),
        }
    }

    /// A picture that cannot be compared: a change of format within a session is a movement.
    fn begin(&mut self, sample: Sample) {
        if !matches!(self.state, State::Unknown) {
            self.state = State::Moving(sample.at);
        }
        self.restart(sample);
        self.candidate = sample.at;
        self.demand = WINDOW;
        self.quiet = 0;
        self.apart = 0;
        self.chain = 0;
        self.drifting = false;
    }

    /// Drifts are told against the reference: with a new one, the window begins anew.
    fn restart(&mut self, sample: Sample) {
        self.ring.clear();
        self.ring.push_back(Sample { drift: 0.0, ..sample });
        self.active = usize::from(sample.active);
        self.strong = usize::from(sample.strong);
        self.reference_at = sample.at;
        self.carried = 0.0;
        self.drifted_at = None;
        self.drifting = false;
    }

    fn push(&mut self, sample: Sample) {
        self.ring.push_back(sample);
        self.active += usize::from(sample.active);
        self.strong += usize::from(sample.strong);
        while self.ring.len() > WINDOW_MAX || (self.ring.len() > WINDOW_MIN && self.ring[0].end + WINDOW <= sample.end)
        {
            let Some(old) = self.ring.pop_front() else { break };
            self.active -= usize::from(old.active);
            self.strong -= usize::from(old.strong);
        }
    }

    /// Keeps the onset of a possible still: the last picture of the movement, pulses apart from it.
    fn follow(&mut self, sample: Sample, drifted_share: f32) {
        self.quiet += 1;
        self.apart += 1;
        if sample.active {
            self.chain = if self.quiet <= LINK_WEAK { self.chain + 1 } else { 1 };
            let linked = sample.strong || self.apart <= LINK_WEAK || self.chain > PULSE_MAX;
            if linked && !self.stands() {
                self.candidate = sample.at;
                self.carried = drifted_share;
                self.apart = 0;
            }
            self.quiet = 0;
        }
        let drifting = self.drifts();
        if drifting {
            self.candidate = sample.at;
            self.demand = self.demand.max(DOUBT_AFTER_DRIFT);
        } else if self.drifting {
            self.candidate = self.settled_at(sample.drift).max(self.candidate_floor());
        }
        self.drifting = drifting;
    }

    fn judge(&mut self, sample: Sample, replaced: bool, slow: bool) {
        let moved = if slow {
            self.demand = ((sample.at - self.reference_at) + (sample.at - self.reference_at)).clamp(WINDOW, DOUBT_MAX);
            Some(self.drifted_at.unwrap_or(sample.at))
        } else if replaced || self.moving() {
            self.demand = WINDOW;
            Some(self.movement_began().unwrap_or(sample.at))
        } else if self.drifting {
            Some(self.left_at())
        } else {
            None
        };
        if replaced {
            self.candidate = sample.at;
        }
        self.state = match (moved, self.state) {
            (Some(_), State::Moving(since)) => State::Moving(since),
            (Some(began), State::Standing(since)) => {
                self.candidate = self.candidate.max(sample.at);
                State::Moving(began.max(since))
            }
            (Some(began), State::Unknown) => State::Moving(began),
            (None, State::Standing(since)) => State::Standing(since),
            (None, State::Unknown | State::Moving(_)) if self.calm() && sample.end - self.candidate >= self.demand => {
                self.demand = WINDOW;
                State::Standing(self.candidate)
            }
            (None, state) => state,
        };
    }

    fn stands(&self) -> bool {
        matches!(self.state, State::Standing(_))
    }

    /// The window holds more strong or active pictures than coding or noise bring about.
    fn moving(&self) -> bool {
        let count = self.ring.len().max(WINDOW_MIN);
        self.strong * STRONG_PART >= count || self.active * ACTIVE_PART >= count
    }

    /// So few pictures of the window are active that the picture may have come to stand still.
    fn calm(&self) -> bool {
        self.active * CALM_PART <= self.ring.len().max(WINDOW_MIN)
    }

    /// The first picture of the movement that reaches to the newest picture: the first strong one,
    /// unless the movement had been weak for longer than coding foreshadows a strong one.
    fn movement_began(&self) -> Option<MediaTime> {
        let (mut began, mut strong, mut weak_before) = (None, None, 0);
        let mut gap = 0;
        for sample in self.ring.iter().rev() {
            gap += 1;
            if sample.active {
                if began.is_some() && gap > if sample.strong { LINK_STRONG } else { LINK_WEAK } {
                    break;
                }
                began = Some(sample.at);
                weak_before += 1;
                if sample.strong {
                    strong = began;
                    weak_before = 0;
                }
                gap = 0;
            }
        }
        strong.filter(|_| weak_before <= PULSE_MAX).or(began)
    }

    /// The mean level moves steadily in one direction, a quarter of the window after the other.
    /// A step, as a key frame may bring, moves at most two of the three differences.
    fn drifts(&self) -> bool {
        let count = self.ring.len();
        if count < 8 {
            return false;
        }
        let mut quarters = [0.0_f32; 4];
        let mut sizes = [0.0_f32; 4];
        for (index, sample) in self.ring.iter().enumerate() {
            quarters[index * 4 / count] += sample.drift;
            sizes[index * 4 / count] += 1.0;
        }
        for (quarter, size) in quarters.iter_mut().zip(sizes) {
            *quarter /= size;
        }
        let rises = quarters.windows(2).all(|pair| pair[1] - pair[0] >= DRIFT_STEP);
        let falls = quarters.windows(2).all(|pair| pair[0] - pair[1] >= DRIFT_STEP);
        rises || falls
    }

    /// The earliest picture of the window from which on the level has been what it is now.
    fn settled_at(&self, drift: f32) -> MediaTime {
        let same = self.ring.iter().rev().take_while(|sample| (sample.drift - drift).abs() <= DRIFT_SAME);
        same.last().map_or(self.candidate, |sample| sample.at)
    }

    /// The first picture of the window at which the level had left where the window began.
    fn left_at(&self) -> MediaTime {
        let first = self.ring.front().map_or(0.0, |sample| sample.drift);
        let left = self.ring.iter().find(|sample| (sample.drift - first).abs() > DRIFT_STEP);
        left.map_or(self.candidate, |sample| sample.at)
    }

    /// The last active picture of the window: no still begins before it.
    fn candidate_floor(&self) -> MediaTime {
        let last = self.ring.iter().rev().find(|sample| sample.active);
        last.map_or(self.reference_at, |sample| sample.at)
    }

    /// One picture shown for so long, unlike the one before it, is a still by itself.
    fn is_long(&self, lasts: MediaTime) -> bool {
        let usual = self.interval.unwrap_or(WINDOW);
        lasts >= WINDOW && lasts.as_nanos() / 4 >= usual.as_nanos()
    }
}

impl Detector for Freeze {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        match item {
            Item::Video(frame) if frame.stamp.track == self.track => self.look(frame, out),
            Item::Started(info) if info.revision == 0 => {
                let ring = std::mem::take(&mut self.ring);
                *self = Self { ring, ..Self::new(self.track) };
                self.ring.clear();
            }
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

#[cfg(test)]
#[path = "freeze_tests.rs"]
mod tests;
