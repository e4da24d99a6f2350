//! Decode error: pictures or sound were damaged before or while they were decoded.
//!
//! A frame counts as damaged when the decoder reported an error, concealed parts, missed a
//! reference, a packet of it was marked corrupt, or it depends on a damaged frame (until a key frame
//! or recovery point was shown cleanly). Pictures count from the first key frame of a session on:
//! damage before it is only a late tune-in; of sound the first block is left out for the same reason.
//!
//! The condition spans from the first damaged frame to the end of the last one. Score: the share of
//! damaged frames in the last 10 s, in the unit `ratio`; a stream younger than that counts as if
//! the missing frames had been good. Class 0: any; 1: from `warning_share`; 2: from `major_share`;
//! class 0 is at most `info`, class 1 at most `warning`. In `file` any damage is a warning.
//!
//! A decoder of HEVC hides what H.264's tells: of 45 frames that altered bytes had visibly damaged it
//! flagged none, though it tells of missing references and broken units. The rest shows in pixels only.
//!
//! Sources: propagation until the next clean key frame from own measurements (flags alone show one
//! damaged frame in ten); shares are the published defaults.
//!
//! Owned by the picture and the sound actor of a stream, on their arbiters. Sees facts only.

use std::sync::Arc;
use std::time::Duration;

use avwatch_actors::detector::{ClassLimit, Detector, LaneKind, Precedence, Situation, Verdict, Verdicts, Worse};
use avwatch_actors::frame::{DecodeSigns, Stamp};
use avwatch_actors::item::Item;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::{Info, Major, Warning};
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{TrackId, TrackInfo, TrackKind};

use super::table::Table;
use super::{DetectorKind, OptionDoc, OptionValue};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 110,
    name: "decode_error",
    summary: "Pictures or sound are damaged by loss or coding errors",
    unit: "ratio",
    worse: Worse::Higher,
    lanes: &[LaneKind::Picture, LaneKind::Sound],
    precedence: Precedence::Apart,
    cheapest: Tier::Audio,
    standard_ref: None,
    source: "Own measurements of error propagation; shares are operational practice",
    options: &[
        OptionDoc {
            name: "warning_share",
            doc: "Share of damaged frames in 10 s, from 0 to 1, from which on it is a warning.",
            default: |profile| OptionValue::Number(if profile == Profile::File { 0.0 } else { 0.01 }),
            range: (0.0, 1.0),
        },
        OptionDoc {
            name: "major_share",
            doc: "Share of damaged frames in 10 s, from 0 to 1, from which on it is major.",
            default: |_| OptionValue::Number(0.05),
            range: (0.0, 1.0),
        },
    ],
    defaults: |profile| {
        let live = &[(0, Info), (0, Warning), (0, Major)];
        Table { live, fast: live, file: &[(0, Warning)] }.defaults(profile)
    },
    needs: |_, _| {},
    threshold: |_| None,
    class_limits: |_| Some(Arc::new(limit_of)),
    applies: |track| matches!(track.track.kind, TrackKind::Video | TrackKind::Audio),
    message: |situation: &Situation| format!("up to {} % of frames damaged", percent(situation.peak)),
    build: |options, _| {
        let shares = [options.number("warning_share") as f32, options.number("major_share") as f32];
        Arc::new(move |track: &TrackInfo| Box::new(DecodeError::new(track.track, shares)) as Box<dyn Detector>)
    },
};

fn limit_of(class: u8) -> Option<ClassLimit> {
    let at_most = |most| Some(ClassLimit { most, raise_after: Duration::ZERO });
    match class {
        0 => at_most(Info),
        1 => at_most(Warning),
        _ => None,
    }
}

/// A share in percent with the digits that matter.
fn percent(share: f32) -> String {
    let percent = share * 100.0;
    if percent < 10.0 { format!("{percent:.1}") } else { format!("{percent:.0}") }
}

/// The window is counted in parts of a second.
const PARTS: usize = 10;
const PART: MediaTime = MediaTime::from_millis(1_000);

struct DecodeError {
    track: TrackId,
    shares: [f32; 2],
    /// Frames and damaged ones per part of the window.
    parts: [(u32, u32); PARTS],
    newest: i64,
    /// First damaged frame of a stretch without a good one.
    damaged_since: Option<MediaTime>,
    clear_since: Option<MediaTime>,
}

impl DecodeError {
    fn new(track: TrackId, shares: [f32; 2]) -> Self {
        Self { track, shares, parts: [(0, 0); PARTS], newest: i64::MIN, damaged_since: None, clear_since: None }
    }

    fn look(&mut self, stamp: &Stamp, signs: &DecodeSigns, out: &mut Verdicts) {
        let judged = match self.track.kind {
            TrackKind::Video => signs.tuned,
            TrackKind::Audio | TrackKind::Subtitle | TrackKind::Data | TrackKind::Input => stamp.seq > 0,
        };
        let damaged = judged
            && (signs.damaged
                || signs.errors > 0
                || signs.concealed
                || signs.packet_corrupt
                || signs.reference_missing);
        let share = self.count(stamp, damaged);
        if damaged {
            let since = *self.damaged_since.get_or_insert(stamp.media_time);
            self.clear_since = Some(stamp.end());
            let class = self.shares.iter().filter(|limit| share >= **limit).count() as u8;
            out.say(Verdict::Faulty { since, score: share, class });
        } else {
            self.damaged_since = None;
            out.clear(*self.clear_since.get_or_insert(stamp.media_time), share);
        }
    }

    /// Counts the frame and returns the share of damaged ones in the window.
    fn count(&mut self, stamp: &Stamp, damaged: bool) -> f32 {
        let part = stamp.media_time.as_nanos().div_euclid(PART.as_nanos());
        let slot = |part: i64| part.rem_euclid(PARTS as i64) as usize;
        let first = self.newest.saturating_add(1).max(part.saturating_sub(PARTS as i64 - 1));
        for passed in first..=part {
            self.parts[slot(passed)] = (0, 0);
        }
        self.newest = self.newest.max(part);
        let newest = &mut self.parts[slot(self.newest)];
        newest.0 = newest.0.saturating_add(1);
        newest.1 = newest.1.saturating_add(u32::from(damaged));
        let frames: u32 = self.parts.iter().map(|(frames, _)| frames).sum();
        let bad: u32 = self.parts.iter().map(|(_, damaged)| damaged).sum();
        let window = PART.as_nanos() * PARTS as i64;
        let expected = window as f32 / stamp.lasts.as_nanos().max(1_000_000) as f32;
        bad as f32 / expected.max(frames as f32).max(1.0)
    }
}

impl Detector for DecodeError {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        match item {
            Item::Video(frame) if frame.stamp.track == self.track => self.look(&frame.stamp, &frame.facts.signs, out),
            Item::Audio(frame) if frame.stamp.track == self.track => self.look(&frame.stamp, &frame.signs, out),
            Item::Started(info) if info.revision == 0 => {
                // What was counted stays: a source that reconnects at each error is no better for it.
                self.damaged_since = None;
                self.clear_since = None;
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
mod tests {
    use avwatch_actors::frame::PictureFacts;

    use super::super::testing::{Film, STEREO, Stretch, Track, audio_track, build, stretches, video_track};
    use super::*;

    fn signs(damaged: bool) -> PictureFacts {
        let signs = DecodeSigns { tuned: true, damaged, ..DecodeSigns::default() };
        PictureFacts { signs, ..PictureFacts::default() }
    }

    fn found(profile: Profile, items: &[Item]) -> Vec<Stretch> {
        stretches(&mut *build(&KIND, profile, &video_track(25.0), &[]), items)
    }

    #[test]
    fn damage_spans_from_its_first_frame_to_the_end_of_its_last() {
        let items = Film::new(25.0).then(4.0, |_| signs(false)).then(2.0, |_| signs(true)).then(1.0, |_| signs(false));
        let found = found(Profile::File, &items.items);
        assert_eq!((found.len(), found[0].start, found[0].end), (1, 4.0, Some(6.0)));
        assert_eq!(found[0].score, 50.0 / 250.0);
    }

    #[test]
    fn damage_before_the_first_key_frame_is_only_a_late_tune_in() {
        let untuned = |_| {
            let signs = DecodeSigns { damaged: true, errors: 3, ..DecodeSigns::default() };
            PictureFacts { signs, ..PictureFacts::default() }
        };
        let items = Film::new(25.0).then(2.0, untuned).then(2.0, |_| signs(false)).items;
        assert_eq!(found(Profile::File, &items), []);
    }

    #[test]
    fn live_one_frame_is_info_one_percent_a_warning_and_five_percent_major() {
        for (frames, class, most) in [(1, 0, Some(Info)), (3, 1, Some(Warning)), (13, 2, None)] {
            let items = Film::new(25.0).then(12.0, |index| signs((280..280 + frames).contains(&index))).items;
            let found = found(Profile::Ott, &items);
            assert_eq!((found.len(), found[0].class), (1, class));
            assert_eq!(limit_of(class).map(|limit| limit.most), most);
        }
    }

    #[test]
    fn in_a_file_one_damaged_frame_is_a_warning() {
        let items = Film::new(25.0).then(2.0, |index| signs(index == 20)).items;
        assert_eq!(found(Profile::File, &items)[0].class, 1);
    }

    #[test]
    fn one_bad_frame_at_the_start_is_not_taken_for_a_share_of_all() {
        let items = Film::new(25.0).then(0.2, |index| signs(index == 1)).items;
        assert_eq!(found(Profile::Ott, &items)[0].class, 0);
    }

    #[test]
    fn damaged_sound_counts_but_for_the_first_block() {
        let bad = DecodeSigns { errors: 1, ..DecodeSigns::default() };
        let good = DecodeSigns::default();
        let items = Track::new().signs(1, bad).signs(10, good).signs(2, bad).signs(5, good).items;
        let found = stretches(&mut *build(&KIND, Profile::File, &audio_track(STEREO), &[]), &items);
        assert_eq!((found.len(), found[0].start, found[0].end), (1, 0.22, Some(0.26)));
    }

    #[test]
    fn every_kind_of_evidence_counts() {
        let good = DecodeSigns { tuned: true, ..DecodeSigns::default() };
        for bad in [
            DecodeSigns { errors: 1, ..good },
            DecodeSigns { concealed: true, ..good },
            DecodeSigns { packet_corrupt: true, ..good },
            DecodeSigns { reference_missing: true, ..good },
        ] {
            let facts =
                move |index| PictureFacts { signs: if index == 5 { bad } else { good }, ..PictureFacts::default() };
            assert_eq!(found(Profile::File, &Film::new(25.0).then(1.0, facts).items).len(), 1, "{bad:?}");
        }
    }
}
