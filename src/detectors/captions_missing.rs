//! Captions missing: pictures that used to bring closed captions bring none.
//!
//! A track counts once captions were spoken in five different seconds, so that a title or a test
//! makes no service of it. From the end of the last picture with a caption on they are missing until the
//! next one, whether their place is still there and padded (class 1) or gone (class 2). A reconnect
//! counts as the begin of silence. Score: seconds since the last caption, unit `s`.
//!
//! Spoken programmes seldom pause for a minute, music and sport may, hence a warning only; after five
//! minutes it is major. In files the same minute holds, as `info`: a list of the pauses, where nobody is woken.
//! There is no key to declare captions: only what was seen is missed.
//!
//! Sources: 60 s and 300 s are the published defaults; padding by ATSC A/53 Part 4, CEA-608 and CEA-708.
//!
//! Owned by the picture actor of a stream, on its arbiter. Sees facts only.

use std::sync::Arc;

use avwatch_actors::detector::{Detector, LaneKind, Precedence, Situation, Verdict, Verdicts, Worse};
use avwatch_actors::frame::{CaptionFacts, Stamp};
use avwatch_actors::item::Item;
use avwatch_actors::severity::Severity::{Info, Major, Warning};
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{TrackInfo, TrackKind};

use super::DetectorKind;
use super::spoken::Spoken;
use super::table::Table;
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 501,
    name: "captions_missing",
    summary: "Pictures that used to bring closed captions bring none",
    unit: "s",
    worse: Worse::Higher,
    lanes: &[LaneKind::Picture],
    precedence: Precedence::Apart,
    cheapest: Tier::Full,
    standard_ref: Some("ATSC A/53 Part 4"),
    source: "Operational practice: 60 s and 300 s",
    options: &[],
    defaults: |profile| {
        let live = &[(60_000, Warning), (300_000, Major)];
        let mut defaults = Table { live, fast: live, file: &[(60_000, Info)] }.defaults(profile);
        defaults.enabled = profile != Profile::Radio;
        defaults
    },
    needs: |_, _| {},
    threshold: |_| None,
    class_limits: |_| None,
    applies: |track| track.track.kind == TrackKind::Video,
    message: |situation: &Situation| {
        let what = if situation.class == GONE { "captions no longer carried" } else { "no captions" };
        format!("{what} for {:.0} s", situation.peak)
    },
    build: |_, _| {
        Arc::new(|_: &TrackInfo| Box::new(CaptionsMissing { spoken: Spoken::default() }) as Box<dyn Detector>)
    },
};

/// Class of captions whose place is there and padded.
const PADDED: u8 = 1;
/// Class of captions without a place.
const GONE: u8 = 2;

struct CaptionsMissing {
    spoken: Spoken,
}

impl CaptionsMissing {
    fn look(&mut self, stamp: &Stamp, captions: CaptionFacts, out: &mut Verdicts) {
        if captions.spoken {
            self.spoken.speak(stamp.end());
        }
        let Some(since) = self.spoken.silent_since() else { return };
        if captions.spoken {
            out.clear(stamp.media_time, 0.0);
            return;
        }
        let class = if captions.carried { PADDED } else { GONE };
        let score = (stamp.end() - since).as_secs_f64() as f32;
        out.say(Verdict::Faulty { since, score, class });
    }
}

impl Detector for CaptionsMissing {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        match item {
            Item::Video(frame) => self.look(&frame.stamp, frame.facts.captions, out),
            Item::Started(info) if info.revision == 0 => self.spoken.resume(info.at),
            Item::Audio(_) | Item::Started(_) | Item::Packets(_) | Item::Clock(_) | Item::Gap(_) | Item::Ended(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::frame::PictureFacts;

    use super::super::testing::{Film, Stretch, build, lasting, stretches, video_track};
    use super::*;

    fn captions(carried: bool, spoken: bool) -> PictureFacts {
        PictureFacts { captions: CaptionFacts { carried, spoken }, ..PictureFacts::default() }
    }

    /// Loads a caption for half a second of every four, as captions that pop on do.
    fn popping(index: u64) -> PictureFacts {
        captions(true, index % 100 < 13)
    }

    fn detector() -> Box<dyn Detector> {
        build(&KIND, Profile::Ott, &video_track(25.0), &[])
    }

    fn last(film: &Film) -> Stretch {
        stretches(&mut *detector(), &film.items).pop().expect("something is told")
    }

    #[test]
    fn captions_that_turn_into_padding_are_missing_since_the_last_one() {
        let found = last(&Film::new(25.0).then(20.0, |_| captions(true, true)).then(70.0, |_| captions(true, false)));
        assert_eq!((found.start, found.end, found.class), (20.0, None, PADDED));
        assert!((found.score - 70.0).abs() < 0.01, "{found:?}");
    }

    #[test]
    fn captions_that_lose_their_place_are_missing_likewise() {
        let found = last(&Film::new(25.0).then(20.0, |_| captions(true, true)).then(70.0, |_| captions(false, false)));
        assert_eq!((found.start, found.end, found.class), (20.0, None, GONE));
    }

    #[test]
    fn the_next_caption_ends_it_to_the_picture() {
        let film = Film::new(25.0).then(20.0, |_| captions(true, true)).then(70.0, |_| captions(true, false));
        let film = film.then(5.0, |_| captions(true, true));
        assert_eq!(lasting(&mut *detector(), &film.items, 60.0), [(20.0, Some(90.0))]);
    }

    #[test]
    fn captions_that_pop_on_are_never_missing_for_a_minute() {
        let film = Film::new(25.0).then(300.0, popping);
        assert_eq!(lasting(&mut *detector(), &film.items, 60.0), []);
    }

    #[test]
    fn a_programme_that_never_or_hardly_had_captions_misses_none() {
        for spoken in [0, 75] {
            let film = Film::new(25.0).then(200.0, |index| captions(true, index < spoken));
            assert_eq!(stretches(&mut *detector(), &film.items), []);
        }
    }

    #[test]
    fn it_is_a_warning_after_60_and_major_after_300_seconds_live_and_info_in_files() {
        let steps = |profile| -> Vec<_> {
            (KIND.defaults)(profile).steps.into_iter().map(|(hold, severity)| (hold.as_secs(), severity)).collect()
        };
        assert_eq!(steps(Profile::Ott), [(60, Warning), (300, Major)]);
        assert_eq!(steps(Profile::File), [(60, Info)]);
    }
}
