//! Subtitles missing: a subtitle track that spoke has fallen silent.
//!
//! A track counts once it has spoken in five different seconds, so that one forced line makes no
//! service of it. From the end of the stretch (about 100 ms) with its last subtitle on it is missing until the next
//! one. The track that has been missing longest is told. A reconnect counts as the begin of
//! silence, and a track that the new session lacks is missing like one that says nothing. Packets of
//! at most two bytes are the empty samples between two lines in MP4 (3GPP TS 26.245) and say nothing.
//! Score: seconds since the last subtitle, unit `s`; the class is the number of the track.
//!
//! Pauses of a minute occur in films, hence a warning only; after five minutes it is major. In files
//! the same minute holds, as `info`: a list of the pauses, where nobody is woken.
//!
//! Sources: 60 s and 300 s are the published defaults, the same as for captions.
//!
//! Owned by the input actor of a stream, on its arbiter. Sees packet counts only.

use std::sync::Arc;

use avwatch_actors::detector::{Detector, LaneKind, Precedence, Situation, Verdict, Verdicts, Worse};
use avwatch_actors::item::{Item, PacketCounts, PacketFacts};
use avwatch_actors::severity::Severity::{Info, Major, Warning};
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{TrackId, TrackInfo, TrackKind};

use super::DetectorKind;
use super::spoken::Spoken;
use super::table::Table;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 502,
    name: "subtitles_missing",
    summary: "A subtitle track that spoke has fallen silent",
    unit: "s",
    worse: Worse::Higher,
    lanes: &[LaneKind::Input],
    precedence: Precedence::Apart,
    cheapest: Tier::Transport,
    standard_ref: None,
    source: "Operational practice: 60 s and 300 s",
    options: &[],
    defaults: |profile| {
        let live = &[(60_000, Warning), (300_000, Major)];
        Table { live, fast: live, file: &[(60_000, Info)] }.defaults(profile)
    },
    needs: |_, _| {},
    threshold: |_| None,
    class_limits: |_| None,
    applies: |track| track.track.kind == TrackKind::Input,
    message: |situation: &Situation| {
        format!("no subtitles on subtitle:{} for {:.0} s", situation.class, situation.peak)
    },
    build: |_, _| Arc::new(|_: &TrackInfo| Box::new(SubtitlesMissing { tracks: Vec::new() }) as Box<dyn Detector>),
};

/// The largest packet that says nothing: the length of an empty text.
const EMPTY_BYTES_MAX: u64 = 2;

struct SubtitlesMissing {
    /// At most as many as there are numbers of subtitle tracks.
    tracks: Vec<(TrackId, Spoken)>,
}

impl SubtitlesMissing {
    fn look(&mut self, facts: &PacketFacts, out: &mut Verdicts) {
        for (track, counts) in facts.tracks.iter().filter(|(track, _)| track.kind == TrackKind::Subtitle) {
            if !speaks(counts) {
                continue;
            }
            let known = self.tracks.iter().position(|(known, _)| known == track);
            let index = known.unwrap_or_else(|| {
                self.tracks.push((*track, Spoken::default()));
                self.tracks.len() - 1
            });
            self.tracks[index].1.speak(facts.at);
        }
        let silent = self.tracks.iter().filter_map(|(track, spoken)| Some((track, spoken.silent_since()?)));
        let Some((track, since)) = silent.min_by_key(|(_, since)| *since) else { return };
        let lasts = (facts.at - since).as_secs_f64() as f32;
        if lasts > 0.0 {
            out.say(Verdict::Faulty { since, score: lasts, class: track.number });
        } else {
            out.clear(facts.at, 0.0);
        }
    }
}

/// Whether there is a packet that is not empty.
fn speaks(counts: &PacketCounts) -> bool {
    counts.bytes > EMPTY_BYTES_MAX * u64::from(counts.packets)
}

impl Detector for SubtitlesMissing {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        match item {
            Item::Packets(facts) => self.look(facts, out),
            Item::Started(info) if info.revision == 0 => {
                self.tracks.iter_mut().for_each(|(_, spoken)| spoken.resume(info.at));
            }
            Item::Video(_) | Item::Audio(_) | Item::Started(_) | Item::Clock(_) | Item::Gap(_) | Item::Ended(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Packets, Stretch, at, build, lasting, started, stretches, verdicts};
    use super::*;
    use crate::profile::Profile;

    const TRACK: TrackId = TrackId { kind: TrackKind::Subtitle, number: 1 };

    fn detector() -> Box<dyn Detector> {
        build(&KIND, Profile::Ott, &TrackInfo::bare(TrackId::INPUT), &[])
    }

    /// A line of that many bytes every three seconds.
    fn lines(packets: Packets, seconds: f64, bytes: u64) -> Packets {
        packets.then(seconds, TRACK, |index| {
            let packets = u32::from(index.is_multiple_of(30));
            PacketCounts { packets, bytes: bytes * u64::from(packets), ..PacketCounts::default() }
        })
    }

    fn silence(packets: Packets, seconds: f64) -> Packets {
        packets.then(seconds, TRACK, |_| PacketCounts::default())
    }

    fn last(items: &[Item]) -> Stretch {
        stretches(&mut *detector(), items).pop().expect("something is told")
    }

    #[test]
    fn subtitles_that_end_are_missing_since_the_last_one() {
        let found = last(&silence(lines(Packets::new(), 30.0, 40), 300.0).items);
        assert_eq!((found.start, found.end, found.class), (27.1, None, 1));
        assert!((found.score - 302.9).abs() < 0.2, "{found:?}");
    }

    #[test]
    fn a_steady_service_is_never_missing_for_a_minute() {
        let items = lines(Packets::new(), 600.0, 40).items;
        assert_eq!(lasting(&mut *detector(), &items, 60.0), []);
    }

    #[test]
    fn the_next_subtitle_ends_it() {
        let items = lines(silence(lines(Packets::new(), 30.0, 40), 100.0), 5.0, 40).items;
        assert_eq!(lasting(&mut *detector(), &items, 60.0), [(27.1, Some(130.1))]);
    }

    #[test]
    fn empty_samples_are_no_subtitles() {
        let found = last(&lines(lines(Packets::new(), 30.0, 40), 100.0, 2).items);
        assert_eq!((found.start, found.end), (27.1, None));
    }

    #[test]
    fn a_track_that_never_or_hardly_spoke_is_not_missed() {
        assert_eq!(stretches(&mut *detector(), &silence(Packets::new(), 600.0).items), []);
        assert_eq!(stretches(&mut *detector(), &silence(lines(Packets::new(), 9.0, 40), 600.0).items), []);
    }

    #[test]
    fn a_new_session_without_the_track_misses_it_from_its_begin() {
        let mut packets = lines(Packets::new(), 30.0, 40);
        packets.items.push(started(2, 0, 30.0, Vec::new()));
        let said = verdicts(&mut *detector(), &packets.bytes(90.0, |_| 1_000).items);
        let Some(Verdict::Faulty { since, score, .. }) = said.last() else { panic!("it is missed") };
        assert_eq!((*since, score.round()), (at(30.0), 90.0));
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
