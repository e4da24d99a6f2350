//! Interlacing: the picture is made of two fields, and the stream says otherwise.
//!
//! Where the picture moves, lines of woven fields differ more from their neighbours than from the lines
//! beyond (they are *combed*), and the lines of the first field fit the previous picture better than
//! those of the second. Both together tell two fields, where the combed blocks favour the same field as all
//! that moves, and lines fit their own neighbours no better than those of the other field before, which are
//! as far in time: fine detail that moves in whole pictures also favours one field, and thin lines comb, but
//! the one has little to do with the other, and lines fit their neighbours best. Every measured picture with
//! movement votes: two fields while declared progressive (class 0), or with the fields in the other order than
//! declared (class 1), or in agreement. The condition holds when at least 6 of the last 10 votes are for the
//! same fault, from the first of these on. When fewer than 3 are, it has ended with the first vote after the
//! last for it. Only every fourth picture is measured: where the stream changes its declaration between two
//! votes, or begins less than a second before the first vote, the fault begins there. Still pictures do not
//! vote: they show no fields.
//! Score: the share of votes for the fault, unit `ratio`.
//!
//! Sources: combing and the order of fields are judged as in FFmpeg's `idet`, over moving blocks only,
//! because its sums over whole pictures call every sixth picture of progressive film interlaced; limits
//! from own measurements. `info` only, off in `news-sport`.
//!
//! Owned by the picture actor of a stream, on its arbiter. Sees facts only.

use std::collections::VecDeque;
use std::sync::Arc;

use avwatch_actors::detector::{LaneKind, Precedence, Situation, Verdict, Verdicts, Worse};
use avwatch_actors::frame::{FieldFacts, PictureFacts, VideoFrame};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::Info;
use avwatch_actors::tier::Tier;
use avwatch_actors::track::TrackInfo;

use super::kind::lasted;
use super::picture_judge::{OfPictures, PictureJudge, is_video};
use super::table::Table;
use super::{Defaults, DetectorKind};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 114,
    name: "interlacing",
    summary: "The fields of the picture are not as the stream declares",
    unit: "ratio",
    worse: Worse::Higher,
    lanes: &[LaneKind::Picture],
    precedence: Precedence::Rest,
    cheapest: Tier::Full,
    standard_ref: None,
    source: "FFmpeg idet, over moving blocks only; limits from own measurements",
    options: &[],
    defaults,
    needs: |_, plan| plan.fields = true,
    threshold: |_| Some(VOTES_MIN as f32 / VOTES as f32),
    class_limits: |_| None,
    applies: is_video,
    message,
    build: |_, _| Arc::new(move |track: &TrackInfo| OfPictures::boxed(track, Interlacing::default())),
};

fn defaults(profile: Profile) -> Defaults {
    let table = Table { live: &[(10_000, Info)], fast: &[(10_000, Info)], file: &[(2_000, Info)] };
    let mut defaults = table.defaults(profile);
    defaults.enabled = !matches!(profile, Profile::Radio | Profile::NewsSport);
    defaults
}

fn message(situation: &Situation) -> String {
    let what = match situation.class {
        0 => "interlaced picture in a stream declared progressive",
        _ => "fields in the other order than declared",
    };
    format!("{what} for {}", lasted(situation))
}

/// Votes that are remembered, and how many of them make the condition.
const VOTES: usize = 10;
const VOTES_MIN: usize = 6;
/// With fewer it ends: pictures of which the small part that moves shows no combs come between others.
const VOTES_KEPT: usize = 3;
/// Least share of blocks that must move for a picture to vote.
const MOVING_MIN: f32 = 0.01;
/// Share of the moving blocks that is combed in pictures of two fields: whole ones of soft detail have none at all.
const COMBED_MIN: f32 = 0.002;
/// How much worse the later field fits the picture before: as well as the other in progressive pictures.
const ORDER_RATIO: f32 = 1.25;
/// The same over combed blocks alone, of which there may be a handful.
const COMBED_ORDER_RATIO: f32 = 1.1;
/// Least misfit of lines between their own neighbours, as a share of that of the earlier field in the picture before:
/// both are half a picture apart in pictures of two fields, of which nearly all have more than this; whole ones of a
/// moving test pattern have less in 98 of 100 cases.
const OWN_SHARE: f32 = 0.7;
/// Order of all that moves, and of combed blocks, that needs no such proof: the later field is one and a half pictures
/// away and the earlier a half, three times as far, which soft pictures show; a moving test pattern never has both.
const DECISIVE_RATIO: f32 = 2.0;

/// How long before the first vote of a session its first picture may lie to be of the same sort.
const LEAD_MAX: MediaTime = MediaTime::from_millis(1_000);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Vote {
    Agrees,
    Woven,
    WrongOrder,
}

#[derive(Default)]
struct Interlacing {
    votes: VecDeque<(Vote, MediaTime)>,
    fault: Option<(Vote, MediaTime)>,
    clear_since: Option<MediaTime>,
    /// What the last picture was declared to be.
    declared: Option<(bool, bool)>,
    /// Since when pictures may be of the sort that the next vote tells: the first one of the session, or the
    /// first of another declaration since the last vote.
    since_when: Option<MediaTime>,
}

fn vote(facts: &PictureFacts) -> Option<Vote> {
    let fields = &facts.fields;
    if !fields.measured || fields.moving_share < MOVING_MIN {
        return None;
    }
    Some(match (top_first(fields), facts.interlaced) {
        (None, _) => Vote::Agrees,
        (Some(_), false) => Vote::Woven,
        (Some(top_first), true) if top_first == facts.top_first => Vote::Agrees,
        (Some(_), true) => Vote::WrongOrder,
    })
}

/// Whether the top field comes first; nothing in a picture that is not made of two.
fn top_first(fields: &FieldFacts) -> Option<bool> {
    let FieldFacts { combed_share, own_misfit, .. } = *fields;
    let overall = earlier(fields.top_misfit, fields.bottom_misfit, ORDER_RATIO)?;
    let combed = earlier(fields.combed_top_misfit, fields.combed_bottom_misfit, COMBED_ORDER_RATIO)?;
    let better = fields.top_misfit.min(fields.bottom_misfit);
    let is_decisive = |top: f32, bottom: f32| earlier(top, bottom, DECISIVE_RATIO).is_some();
    let is_decided = is_decisive(fields.top_misfit, fields.bottom_misfit)
        && is_decisive(fields.combed_top_misfit, fields.combed_bottom_misfit);
    let is_as_far = own_misfit >= OWN_SHARE * better || is_decided;
    (combed_share >= COMBED_MIN && overall == combed && is_as_far).then_some(overall)
}

/// Whether the top field fits better, by at least that much; nothing when neither does.
fn earlier(top: f32, bottom: f32, ratio: f32) -> Option<bool> {
    (top.max(bottom) > ratio * top.min(bottom)).then_some(top < bottom)
}

impl Interlacing {
    /// How many of the last votes are for a fault.
    fn count(&self, fault: Vote) -> usize {
        self.votes.iter().filter(|(vote, _)| *vote == fault).count()
    }

    fn turn(&mut self, vote: Vote, at: MediaTime) {
        if self.votes.len() == VOTES {
            self.votes.pop_front();
        }
        self.votes.push_back((vote, at));
        match self.fault {
            None => {
                let is_told = |(vote, _): &&(Vote, MediaTime)| *vote != Vote::Agrees && self.count(*vote) >= VOTES_MIN;
                self.fault = self.votes.iter().find(is_told).copied();
            }
            Some((fault, _)) if self.count(fault) < VOTES_KEPT => {
                let last = self.votes.iter().rposition(|(vote, _)| *vote == fault);
                let after = last.and_then(|last| self.votes.get(last + 1));
                self.clear_since = Some(after.map_or(at, |(_, at)| *at));
                self.fault = None;
            }
            Some(_) => {}
        }
        self.clear_since.get_or_insert(at);
    }
}

impl PictureJudge for Interlacing {
    fn look(&mut self, frame: &VideoFrame, out: &mut Verdicts) {
        let (at, facts) = (frame.stamp.media_time, &frame.facts);
        let declared = (facts.interlaced, facts.interlaced && facts.top_first);
        if self.declared.replace(declared) != Some(declared) {
            self.since_when = Some(at);
        }
        if let Some(vote) = vote(facts) {
            let since = self.since_when.take().filter(|since| at - *since < LEAD_MAX);
            self.turn(vote, since.unwrap_or(at));
        }
        match (self.fault, self.clear_since) {
            (Some((fault, since)), _) => {
                let score = self.count(fault) as f32 / self.votes.len().max(1) as f32;
                out.say(Verdict::Faulty { since, score, class: u8::from(fault == Vote::WrongOrder) });
            }
            (None, Some(since)) => out.clear(since, 0.0),
            (None, None) => {}
        }
    }

    fn begin(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Film, build, stretches, video_track};
    use super::*;

    /// Every fourth picture is measured.
    fn picture(interlaced: bool, top_first: bool, fields: FieldFacts) -> impl Fn(u64) -> PictureFacts {
        move |index| {
            let fields = if index.is_multiple_of(4) { fields } else { FieldFacts::default() };
            PictureFacts { interlaced, top_first, fields, ..PictureFacts::default() }
        }
    }

    fn woven() -> FieldFacts {
        // Made of two fields, the top one first.
        FieldFacts {
            measured: true,
            moving_share: 0.3,
            combed_share: 0.6,
            top_misfit: 8.0,
            bottom_misfit: 16.0,
            own_misfit: 8.0,
            combed_top_misfit: 9.0,
            combed_bottom_misfit: 18.0,
        }
    }

    fn film() -> FieldFacts {
        FieldFacts {
            combed_share: 0.0,
            top_misfit: 9.0,
            bottom_misfit: 9.2,
            own_misfit: 4.0,
            combed_top_misfit: 0.0,
            combed_bottom_misfit: 0.0,
            ..woven()
        }
    }

    #[test]
    fn thin_lines_that_move_in_whole_pictures_are_no_fields() {
        // A few blocks of a small picture comb and some detail moves up, as in a test pattern of 320x180.
        let pattern = FieldFacts { combed_share: 0.05, own_misfit: 5.0, ..woven() };
        let other_field = FieldFacts { combed_top_misfit: 18.0, combed_bottom_misfit: 9.0, ..woven() };
        let neither_field = FieldFacts { combed_bottom_misfit: 9.5, ..woven() };
        for fields in [pattern, other_field, neither_field] {
            assert_eq!(found(picture(false, false, fields)), [], "{fields:?}");
            assert_eq!(found(picture(true, false, fields)), [], "{fields:?}");
        }
    }

    fn found(facts: impl Fn(u64) -> PictureFacts) -> Vec<(f64, u8)> {
        let mut detector = build(&KIND, Profile::File, &video_track(25.0), &[]);
        let found = stretches(&mut *detector, &Film::new(25.0).then(4.0, facts).items);
        found.iter().map(|found| (found.start, found.class)).collect()
    }

    #[test]
    fn woven_fields_in_a_progressive_stream_are_told_from_the_first_picture_on() {
        assert_eq!(found(picture(false, false, woven())), [(0.0, 0)]);
    }

    #[test]
    fn woven_fields_of_which_not_every_movement_combs_are_told_once() {
        // Of ten votes four are for it, after a second in which all were.
        let sometimes = |index: u64| {
            let vote = index / 4;
            let fields = if vote < 7 || vote.is_multiple_of(5) || vote % 5 == 2 { woven() } else { film() };
            picture(false, false, fields)(index)
        };
        assert_eq!(found(sometimes), [(0.0, 0)]);
    }

    #[test]
    fn a_wrong_order_of_fields_is_told_and_the_right_one_is_not() {
        assert_eq!(found(picture(true, false, woven())), [(0.0, 1)]);
        assert_eq!(found(picture(true, true, woven())), []);
    }

    #[test]
    fn film_is_not_interlaced_whatever_the_stream_declares() {
        assert_eq!(found(picture(false, false, film())), []);
        assert_eq!(found(picture(true, false, film())), [], "progressive pictures in an interlaced stream are common");
    }

    #[test]
    fn a_fault_begins_with_the_picture_that_is_declared_otherwise_and_with_the_first_of_a_stream() {
        // Votes come with the pictures 3, 7, 11 …; from 50 on the declaration is another.
        let late = |index: u64| {
            let fields = if index % 4 == 3 { woven() } else { FieldFacts::default() };
            PictureFacts { interlaced: true, top_first: index < 50, fields, ..PictureFacts::default() }
        };
        assert_eq!(found(late), [(2.0, 1)]);
        let always = |index: u64| PictureFacts { top_first: false, ..late(index) };
        assert_eq!(found(always), [(0.0, 1)]);
    }

    #[test]
    fn soft_woven_pictures_are_told_by_the_order_of_their_fields_alone() {
        let soft = FieldFacts { bottom_misfit: 17.0, combed_bottom_misfit: 19.0, own_misfit: 5.0, ..woven() };
        assert_eq!(found(picture(false, false, soft)), [(0.0, 0)]);
    }

    #[test]
    fn a_still_picture_keeps_what_was_said() {
        let still = FieldFacts { moving_share: 0.0, ..woven() };
        let mut detector = build(&KIND, Profile::File, &video_track(25.0), &[]);
        let items =
            Film::new(25.0).then(3.0, picture(false, false, woven())).then(3.0, picture(false, false, still)).items;
        let found = stretches(&mut *detector, &items);
        assert_eq!((found.len(), found[0].end), (1, None));
    }
}
