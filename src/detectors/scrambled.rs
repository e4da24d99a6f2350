//! Scrambled: a track's packets are encrypted where clear ones are due.
//!
//! The share of scrambled packets of the track that has the most, over each stretch that the
//! demuxer reports (about 100 ms). From `share` on it is faulty, since the begin of the stretch; it
//! is clear again below half of that in two stretches in a row: the first clear packets may be told
//! before the last scrambled ones. A stretch without packets of a track says nothing new of it,
//! for two seconds at most: a multiplex may deliver a track in bursts. With
//! `expect = { scrambled = true }` the detector is silent. Score: the share, unit `ratio`.
//!
//! Sources: transport_scrambling_control of ISO/IEC 13818-1; half of the packets, because a service
//! is scrambled as a whole or not at all, while single packets may be damaged.
//!
//! Owned by the input actor of a stream, on its arbiter. Sees packet counts only.

use std::sync::Arc;

use avwatch_actors::detector::{Detector, LaneKind, Precedence, Situation, Verdicts, Worse};
use avwatch_actors::item::{Item, PacketFacts};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::{Major, Warning};
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{TrackId, TrackInfo, TrackKind};

use super::kind::lasted;
use super::table::Table;
use super::{DetectorKind, OptionDoc, OptionValue};

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 404,
    name: "scrambled",
    summary: "Packets are encrypted although clear ones are expected",
    unit: "ratio",
    worse: Worse::Higher,
    lanes: &[LaneKind::Input],
    precedence: Precedence::Apart,
    cheapest: Tier::Transport,
    standard_ref: Some("ISO/IEC 13818-1 transport_scrambling_control"),
    source: "ISO/IEC 13818-1; hold time from operational practice",
    options: &[OptionDoc {
        name: "share",
        doc: "Share of scrambled packets of one track, from 0 to 1, from which on it counts as scrambled.",
        default: |_| OptionValue::Number(0.5),
        range: (0.01, 1.0),
    }],
    defaults: |profile| {
        Table { live: &[(5_000, Major)], fast: &[(3_000, Major)], file: &[(0, Warning)] }.defaults(profile)
    },
    needs: |_, _| {},
    threshold: |options| Some(options.number("share") as f32),
    class_limits: |_| None,
    applies: |track| track.track.kind == TrackKind::Input,
    message: |situation: &Situation| {
        format!("{:.0} % of a track's packets scrambled for {}", situation.peak * 100.0, lasted(situation))
    },
    build: |options, expect| {
        let share = options.number("share") as f32;
        let expected = expect.scrambled == Some(true);
        Arc::new(move |_: &TrackInfo| {
            Box::new(Scrambled { share, expected, tracks: Vec::new(), state: None, returning: None })
                as Box<dyn Detector>
        })
    },
};

/// How long the last word on a track holds.
const HELD_MAX: MediaTime = MediaTime::from_millis(2_000);

struct Scrambled {
    share: f32,
    expected: bool,
    /// The newest share of each track, and when it was told; as many as the stream has tracks.
    tracks: Vec<(TrackId, f32, MediaTime)>,
    /// Whether scrambled, and since when.
    state: Option<(bool, MediaTime)>,
    /// Begin of the first clear stretch after scrambled ones, until a second one confirms it.
    returning: Option<MediaTime>,
}

impl Scrambled {
    fn look(&mut self, facts: &PacketFacts, out: &mut Verdicts) {
        for (track, counts) in facts.tracks.iter().filter(|(_, counts)| counts.packets > 0) {
            self.tracks.retain(|(known, ..)| known != track);
            self.tracks.push((*track, counts.scrambled as f32 / counts.packets as f32, facts.at));
        }
        self.tracks.retain(|(_, _, at)| facts.at - *at <= HELD_MAX);
        let Some(share) = self.tracks.iter().map(|(_, share, _)| *share).reduce(f32::max) else { return };
        let was = self.state.is_some_and(|(scrambled, _)| scrambled);
        let scrambled = share >= if was { self.share / 2.0 } else { self.share };
        let begin = facts.at - facts.lasts;
        let since = match self.state {
            Some((before, since)) if before == scrambled => since,
            Some(_) if !scrambled && self.returning.is_none() => {
                self.returning = Some(begin);
                return;
            }
            Some(_) | None => self.returning.filter(|_| !scrambled).unwrap_or(begin),
        };
        self.returning = None;
        self.state = Some((scrambled, since));
        if scrambled {
            out.faulty(since, share);
        } else {
            out.clear(since, share);
        }
    }
}

impl Detector for Scrambled {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        match item {
            Item::Packets(facts) if !self.expected => self.look(facts, out),
            Item::Started(info) if info.revision == 0 => {
                (self.state, self.returning) = (None, None);
                self.tracks.clear();
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
    use avwatch_actors::item::PacketCounts;

    use super::super::testing::{at, build, build_expecting, stretches};
    use super::*;
    use crate::media::spec::Expect;
    use crate::profile::Profile;

    /// Stretches of 100 ms in which that many of ten video packets are scrambled.
    fn packets(scrambled: &[u32]) -> Vec<Item> {
        let stretch = |(index, scrambled): (usize, &u32)| {
            let counts = PacketCounts { packets: 10, scrambled: *scrambled, ..PacketCounts::default() };
            Item::Packets(Arc::new(PacketFacts {
                at: at((index + 1) as f64 * 0.1),
                lasts: at(0.1),
                tracks: vec![(TrackId::audio(0), PacketCounts::default()), (TrackId::video(0), counts)],
                ..PacketFacts::default()
            }))
        };
        scrambled.iter().enumerate().map(stretch).collect()
    }

    #[test]
    fn scrambled_packets_are_found_from_their_stretch_to_the_first_clear_one() {
        let input = TrackInfo::bare(TrackId::INPUT);
        let found = stretches(&mut *build(&KIND, Profile::Ott, &input, &[]), &packets(&[0, 10, 10, 4, 10, 0, 0]));
        assert_eq!((found.len(), found[0].start, found[0].end, found[0].score), (1, 0.1, Some(0.5), 1.0));
    }

    #[test]
    fn the_last_scrambled_packets_told_after_the_first_clear_ones_are_no_second_event() {
        let input = TrackInfo::bare(TrackId::INPUT);
        let found = stretches(&mut *build(&KIND, Profile::File, &input, &[]), &packets(&[10, 10, 10, 0, 10, 0, 0, 0]));
        assert_eq!((found.len(), found[0].start, found[0].end), (1, 0.0, Some(0.5)));
    }

    #[test]
    fn a_track_that_comes_in_bursts_is_scrambled_all_along() {
        let input = TrackInfo::bare(TrackId::INPUT);
        let mut items = packets(&[10; 40]);
        for item in items.iter_mut().step_by(3) {
            let Item::Packets(facts) = item else { continue };
            let clear_sound = PacketCounts { packets: 5, ..PacketCounts::default() };
            Arc::make_mut(facts).tracks =
                vec![(TrackId::audio(0), clear_sound), (TrackId::video(0), PacketCounts::default())];
        }
        let found = stretches(&mut *build(&KIND, Profile::Ott, &input, &[]), &items);
        assert_eq!((found.len(), found[0].start, found[0].end), (1, 0.1, None));
    }

    #[test]
    fn expected_scrambling_is_nothing() {
        let expect = Expect { scrambled: Some(true), ..Expect::default() };
        let input = TrackInfo::bare(TrackId::INPUT);
        let mut detector = build_expecting(&KIND, Profile::Ott, &input, &[], &expect);
        assert_eq!(stretches(&mut *detector, &packets(&[10; 10])), []);
    }
}
