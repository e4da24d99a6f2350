//! Timestamp: presentation times jump, run backwards, overlap, or sound and picture shift against
//! each other.
//!
//! Point events (findings), on the input as a whole:
//!
//! - a gap, a backward jump or an overlap that the media side marked on a track's timeline; a jump
//!   that the source announced is nothing. A gap from `gap_warning` seconds on is a warning, and so
//!   is a file that ends before its header or index says so.
//! - a step of the skew (end of the newest sound minus end of the newest picture, in raw decoding
//!   time; not told of files whose interleaving is arbitrary): the
//!   median of the last second differs from the running median of the five seconds before it by
//!   more than 40 ms, and by more than three times the usual scatter, which interleaving causes.
//!
//! A gap or backward jump of a second or more that several tracks make together is one: the source
//! began anew, or lost a stretch of its programme. It is told of the track that shows it first.
//!
//! At most four marks of a kind and track in ten seconds are told one by one; the next one after
//! that says how many were not. Score: milliseconds, unit `ms`.
//!
//! Sources: 40 ms from EBU R 37 (the smaller limit, sound early); the scatter rule is ours.
//!
//! Owned by the input actor of a stream, on its arbiter. Sees what the demuxer saw.

use std::sync::Arc;

use avwatch_actors::detector::{Detector, FINDINGS_MAX, Finding, LaneKind, Precedence, Situation, Verdicts, Worse};
use avwatch_actors::item::{Item, PacketFacts, TimelineMark, TimelineSign};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::{Info, Warning};
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{TrackId, TrackInfo, TrackKind};

use super::table::Table;
use super::{DetectorKind, OptionDoc, OptionValue};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 302,
    name: "timestamp",
    summary: "Presentation times jump, run backwards or overlap, or sound and picture shift",
    unit: "ms",
    worse: Worse::Higher,
    lanes: &[LaneKind::Input],
    precedence: Precedence::Apart,
    cheapest: Tier::Transport,
    standard_ref: None,
    source: "EBU R 37 (40 ms); gap of 1 s from operational practice",
    options: &[
        OptionDoc {
            name: "gap_warning",
            doc: "Missing seconds from which on a gap is a warning, or \"none\" for info in any case.",
            default: |profile| OptionValue::Maybe((profile != Profile::File).then_some(1.0)),
            range: (0.0, 3_600.0),
        },
        OptionDoc {
            name: "skew_step_ms",
            doc: "Least sudden shift of sound against picture, in milliseconds, that is told.",
            default: |_| OptionValue::Number(40.0),
            range: (10.0, 10_000.0),
        },
    ],
    defaults: |profile| Table { live: &[(0, Info)], fast: &[(0, Info)], file: &[(0, Info)] }.defaults(profile),
    needs: |_, _| {},
    threshold: |_| None,
    class_limits: |_| None,
    applies: |track| track.track.kind == TrackKind::Input,
    message: |situation: &Situation| format!("timestamps off by {:.0} ms", situation.peak),
    build: |options, _| {
        let gap_warning = options.maybe("gap_warning").map(MediaTime::from_secs_f64);
        let step = options.number("skew_step_ms");
        Arc::new(move |_: &TrackInfo| Box::new(Timestamp::new(gap_warning, step)) as Box<dyn Detector>)
    },
};

/// Marks of a kind and track that are told one by one within [`SPELL`].
const TOLD_MAX: u32 = 4;
const SPELL: MediaTime = MediaTime::from_millis(10_000);
/// Kinds and tracks that are kept apart; more share the last place.
const KEPT_MAX: usize = 64;
/// Values of skew that make the new median, and those before them that make the running one.
const NEW: usize = 10;
const OLD: usize = 50;

/// The kinds of marks that are told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gap,
    Backward,
    Overlap,
}

/// From here on, other tracks are expected to jump along.
const JUMP: MediaTime = MediaTime::from_millis(1_000);
/// Tracks jump together when they do so within this much of each other, by amounts that differ less.
const TOGETHER: MediaTime = MediaTime::from_millis(5_000);

/// A jump that was told of the track that showed it first.
#[derive(Clone, Copy)]
struct Jump {
    track: TrackId,
    kind: Kind,
    at: MediaTime,
    by: MediaTime,
}

/// How often a kind was seen on a track lately.
struct Spell {
    track: TrackId,
    kind: Kind,
    began: MediaTime,
    told: u32,
    untold: u32,
}

struct Timestamp {
    gap_warning: Option<MediaTime>,
    skew_step: f64,
    spells: Vec<Spell>,
    jump: Option<Jump>,
    /// The newest values of skew in milliseconds, oldest first.
    skews: Vec<f64>,
    /// Room for sorting.
    sorted: Vec<f64>,
}

impl Timestamp {
    fn new(gap_warning: Option<MediaTime>, skew_step: f64) -> Self {
        Self {
            gap_warning,
            skew_step,
            spells: Vec::new(),
            jump: None,
            skews: Vec::with_capacity(NEW + OLD + 1),
            sorted: Vec::with_capacity(OLD),
        }
    }

    fn look(&mut self, facts: &PacketFacts, out: &mut Verdicts) {
        for mark in facts.marks.iter().take(FINDINGS_MAX) {
            self.mark(mark, out);
        }
        if let Some(skew) = facts.skew {
            self.skew(facts.at, skew, out);
        }
    }

    fn mark(&mut self, mark: &TimelineMark, out: &mut Verdicts) {
        let (kind, by, words) = match mark.sign {
            TimelineSign::Gap { missing } => (Kind::Gap, missing, "jumped forward, missing"),
            TimelineSign::Backward { by } => (Kind::Backward, by, "jumped back by"),
            TimelineSign::Overlap { by } => (Kind::Overlap, by, "overlap by"),
            TimelineSign::CutOff { missing } => {
                out.find(cut_off(mark.at, missing));
                return;
            }
            TimelineSign::Signalled => return,
        };
        let is_jump = by >= JUMP && kind != Kind::Overlap;
        if is_jump && self.is_known(Jump { track: mark.track, kind, at: mark.at, by }) {
            return;
        }
        let Some(untold) = self.tell(mark, kind) else { return };
        let warns = kind == Kind::Gap && self.gap_warning.is_some_and(|limit| by > limit);
        let more = if untold > 0 { format!(" ({untold} more before it)") } else { String::new() };
        let size =
            if is_jump { format!("{:.1} s", by.as_secs_f64()) } else { format!("{:.0} ms", by.as_secs_f64() * 1e3) };
        out.find(Finding {
            at: mark.at,
            severity: Some(if warns { Warning } else { Info }),
            score: Some((by.as_secs_f64() * 1e3) as f32),
            message: format!("times of {} {words} {size}{more}", mark.track),
        });
    }

    /// Whether another track has made this jump before.
    fn is_known(&mut self, jump: Jump) -> bool {
        // What sound and picture were to each other before it is no measure for what they are now.
        self.skews.clear();
        let is_same = |known: &Jump| {
            known.kind == jump.kind
                && known.track != jump.track
                && known.at.distance(jump.at) < TOGETHER
                && known.by.distance(jump.by) < TOGETHER
        };
        let is_known = self.jump.as_ref().is_some_and(is_same);
        if !is_known {
            self.jump = Some(jump);
        }
        is_known
    }

    /// Whether this one is told, and how many before it were not.
    fn tell(&mut self, mark: &TimelineMark, kind: Kind) -> Option<u32> {
        let found = self.spells.iter().position(|spell| spell.track == mark.track && spell.kind == kind);
        let index = match found {
            Some(index) => index,
            None if self.spells.len() < KEPT_MAX => {
                self.spells.push(Spell { track: mark.track, kind, began: mark.at, told: 0, untold: 0 });
                self.spells.len() - 1
            }
            None => KEPT_MAX - 1,
        };
        let spell = &mut self.spells[index];
        if mark.at.distance(spell.began) >= SPELL {
            spell.began = mark.at;
            spell.told = 0;
        }
        if spell.told >= TOLD_MAX {
            spell.untold = spell.untold.saturating_add(1);
            return None;
        }
        spell.told += 1;
        Some(std::mem::take(&mut spell.untold))
    }

    fn skew(&mut self, at: MediaTime, skew: MediaTime, out: &mut Verdicts) {
        if self.skews.len() == NEW + OLD {
            self.skews.remove(0);
        }
        self.skews.push(skew.as_secs_f64() * 1e3);
        // Two seconds before the newest one are the least that tell a usual skew.
        let Some(old) = self.skews.len().checked_sub(NEW).filter(|old| *old >= 2 * NEW) else { return };
        let (before, after) =
            (median(&mut self.sorted, &self.skews[..old]), median(&mut self.sorted, &self.skews[old..]));
        self.sorted.clear();
        self.sorted.extend(self.skews[..old].iter().map(|value| (value - before).abs()));
        let scatter = middle(&mut self.sorted);
        let step = after - before;
        if step.abs() > self.skew_step.max(3.0 * scatter) {
            // Half of the newest values are after the step, so it lies half a stretch back.
            let from = at - MediaTime::from_millis(NEW as i64 / 2 * 100);
            let direction = if step > 0.0 { "earlier" } else { "later" };
            out.find(Finding {
                at: from,
                severity: Some(Info),
                score: Some(step.abs() as f32),
                message: format!("sound shifted {:.0} ms {direction} against the picture", step.abs()),
            });
            // The new skew is the usual one from now on.
            self.skews.clear();
        }
    }
}

/// A file that ends too early is damaged, whatever the profile.
fn cut_off(at: MediaTime, missing: MediaTime) -> Finding {
    let message = format!("cut off: {:.1} s are missing of what header or index promise", missing.as_secs_f64());
    Finding { at, severity: Some(Warning), score: Some((missing.as_secs_f64() * 1e3) as f32), message }
}

fn median(room: &mut Vec<f64>, values: &[f64]) -> f64 {
    room.clear();
    room.extend_from_slice(values);
    middle(room)
}

fn middle(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

impl Detector for Timestamp {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        match item {
            Item::Packets(facts) => self.look(facts, out),
            Item::Started(info) if info.revision == 0 => {
                self.spells.clear();
                self.jump = None;
                self.skews.clear();
            }
            Item::Video(_) | Item::Audio(_) | Item::Started(_) | Item::Clock(_) | Item::Gap(_) | Item::Ended(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, build, findings};
    use super::*;

    fn detector(profile: Profile) -> Box<dyn Detector> {
        build(&KIND, profile, &TrackInfo::bare(TrackId::INPUT), &[])
    }

    fn marked(signs: &[TimelineSign]) -> Vec<Item> {
        let item = |(index, sign): (usize, &TimelineSign)| {
            let time = at(index as f64 * 0.1);
            let mark = TimelineMark { track: TrackId::video(0), at: time, sign: *sign, source_time: None };
            Item::Packets(Arc::new(PacketFacts { at: time, marks: vec![mark], ..PacketFacts::default() }))
        };
        signs.iter().enumerate().map(item).collect()
    }

    fn skewed(count: usize, skew: impl Fn(usize) -> f64) -> Vec<Item> {
        let item = |index: usize| {
            let facts =
                PacketFacts { at: at(index as f64 * 0.1), skew: Some(at(skew(index))), ..PacketFacts::default() };
            Item::Packets(Arc::new(facts))
        };
        (0..count).map(item).collect()
    }

    #[test]
    fn a_gap_of_more_than_a_second_is_a_warning_live_and_info_in_a_file() {
        let items = marked(&[TimelineSign::Gap { missing: at(1.5) }, TimelineSign::Gap { missing: at(0.5) }]);
        let severities = |profile| -> Vec<_> {
            findings(&mut *detector(profile), &items).into_iter().map(|finding| finding.severity).collect()
        };
        assert_eq!(severities(Profile::Ott), [Some(Warning), Some(Info)]);
        assert_eq!(severities(Profile::File), [Some(Info), Some(Info)]);
    }

    #[test]
    fn backward_jumps_and_overlaps_are_told_with_their_track_and_size() {
        let items = marked(&[TimelineSign::Backward { by: at(0.3) }, TimelineSign::Overlap { by: at(0.02) }]);
        let messages: Vec<_> =
            findings(&mut *detector(Profile::Ott), &items).into_iter().map(|finding| finding.message).collect();
        assert_eq!(messages, ["times of video:0 jumped back by 300 ms", "times of video:0 overlap by 20 ms"]);
    }

    #[test]
    fn a_sender_that_begins_anew_is_told_once_for_all_its_tracks() {
        let jump = |track, at_s, by| TimelineMark {
            track,
            at: at(at_s),
            sign: TimelineSign::Backward { by: at(by) },
            source_time: None,
        };
        let (video, audio) = (TrackId::video(0), TrackId::audio(0));
        let facts =
            |at_s, marks| Item::Packets(Arc::new(PacketFacts { at: at(at_s), marks, ..PacketFacts::default() }));
        let items = [
            facts(20.0, vec![jump(video, 19.9, 18.5), jump(audio, 20.0, 18.7)]),
            facts(30.0, vec![jump(audio, 29.5, 8.0)]),
            facts(30.1, vec![jump(video, 29.6, 8.2)]),
        ];
        let messages: Vec<_> =
            findings(&mut *detector(Profile::Ott), &items).into_iter().map(|finding| finding.message).collect();
        assert_eq!(messages, ["times of video:0 jumped back by 18.5 s", "times of audio:0 jumped back by 8.0 s"]);
    }

    #[test]
    fn a_file_that_is_cut_off_is_a_warning_that_says_how_much_is_missing() {
        let found = findings(&mut *detector(Profile::File), &marked(&[TimelineSign::CutOff { missing: at(9.64) }]));
        assert_eq!(found[0].severity, Some(Warning));
        assert_eq!(found[0].message, "cut off: 9.6 s are missing of what header or index promise");
    }

    #[test]
    fn a_signalled_jump_is_nothing() {
        assert_eq!(findings(&mut *detector(Profile::Ott), &marked(&[TimelineSign::Signalled])), []);
    }

    #[test]
    fn a_stream_of_marks_is_told_four_times_in_ten_seconds_and_then_counted() {
        let items = marked(&[TimelineSign::Backward { by: at(0.3) }; 101]);
        let found = findings(&mut *detector(Profile::Ott), &items);
        assert_eq!(found.len(), 5);
        assert!(found[4].message.ends_with("(96 more before it)"), "{}", found[4].message);
    }

    #[test]
    fn a_step_of_the_skew_is_told_once() {
        let items = skewed(200, |index| if index < 100 { 0.02 } else { 0.12 });
        let found = findings(&mut *detector(Profile::Ott), &items);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].message, "sound shifted 100 ms earlier against the picture");
        assert!((found[0].at.as_secs_f64() - 10.0).abs() <= 0.2, "{}", found[0].at);
    }

    #[test]
    fn the_scatter_of_interleaving_is_no_step() {
        let items = skewed(600, |index| ((index * 7919) % 13) as f64 * 0.012 - 0.07);
        assert_eq!(findings(&mut *detector(Profile::Ott), &items), []);
    }
}
