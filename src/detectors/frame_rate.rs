//! Frame rate: a picture track brings too few or too many pictures a second.
//!
//! Counted are the packets (coded pictures) of each picture track, not decoded ones: what is looked at
//! may be fewer by choice. The rate of the last 3 s is compared with the nominal one: what the
//! operator expects of the main track, else what the track declares, else its own median. Off is a
//! rate that differs by more than `tolerance` and by more than 1.5 pictures, which is what counting
//! at arbitrary moments costs: so soft telecine (24 coded pictures declared as 30, 20 % fewer) is none.
//! Off since the begin of the stretch in which the rate of a single second is off without pause.
//! The track that is off most is told. Score: the share by which it is off, unit `ratio`;
//! class 1 too few, 2 too many.
//!
//! Twice the declared rate of a track that is interlaced are its fields, packet by packet. A track
//! without any picture for 3 s is `video_missing`'s and nothing here. A stretch of more than a second
//! is a jump of the timeline and says nothing, nor does one in which this machine dropped datagrams.
//!
//! Sources: 20 % for 5 s is the published default; 3 s so that one of 12 pictures a second is counted to 3 %.
//!
//! Owned by the input actor of a stream, on its arbiter. Sees packet counts only.

use std::sync::Arc;

use avwatch_actors::detector::{LaneKind, Precedence, Situation, Verdicts, Worse};
use avwatch_actors::item::PacketFacts;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::{Info, Warning};
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{SessionInfo, TrackId, TrackInfo, TrackKind};

use super::baseline::Baseline;
use super::kind::lasted;
use super::packet_judge::{OfPackets, PacketJudge};
use super::sliding::{STRETCH_MAX, Sliding};
use super::spell::Spell;
use super::table::Table;
use super::{DetectorKind, OptionDoc, OptionValue};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 403,
    name: "frame_rate",
    summary: "Too few or too many pictures a second come",
    unit: "ratio",
    worse: Worse::Higher,
    lanes: &[LaneKind::Input],
    precedence: Precedence::Apart,
    cheapest: Tier::Transport,
    standard_ref: None,
    source: "Operational practice: 20 % off the nominal rate for 5 s",
    options: &[OptionDoc {
        name: "tolerance",
        doc: "Share of the nominal rate, from 0 to 1, by which the rate may differ from it.",
        default: |_| OptionValue::Number(0.2),
        range: (0.02, 0.9),
    }],
    defaults: |profile| {
        // Of a file there is nothing to be seen in time: off, but with a step for who turns it on.
        let table = Table { live: &[(5_000, Warning)], fast: &[(3_000, Warning)], file: &[(5_000, Info)] };
        let mut defaults = table.defaults(profile);
        defaults.enabled = !matches!(profile, Profile::File | Profile::Radio);
        defaults
    },
    needs: |_, _| {},
    threshold: |options| Some(options.number("tolerance") as f32),
    class_limits: |_| None,
    applies: |track| track.track.kind == TrackKind::Input,
    message: |situation: &Situation| {
        let word = if situation.class == MANY { "more" } else { "fewer" };
        format!("{:.0} % {word} pictures a second than due for {}", situation.peak * 100.0, lasted(situation))
    },
    build: |options, expect| {
        let (tolerance, expected) = (options.number("tolerance"), expect.frame_rate);
        Arc::new(move |_: &TrackInfo| {
            OfPackets::boxed(FrameRate { tolerance, expected, tracks: Vec::new(), state: Spell::Unknown })
        })
    },
};

/// Class of too few pictures.
const FEW: u8 = 1;
/// Class of too many pictures.
const MANY: u8 = 2;
/// Over what the rate is taken.
const WINDOW: MediaTime = MediaTime::from_millis(3_000);
/// Over what the onset is found.
const SECOND: MediaTime = MediaTime::from_millis(1_000);
/// What counting at arbitrary moments may be off by, in pictures.
const MISCOUNT: f64 = 1.5;
/// Windows that make the median of a track which declares nothing: ten minutes, and the least.
const HISTORY_MAX: usize = 200;
const HISTORY_MIN: usize = 3;
/// Where the double rate of a track lies that sends its fields apart.
const FIELDS: std::ops::Range<f64> = 1.9..2.1;

/// One picture track.
struct Pictures {
    track: TrackId,
    /// Pictures a second that are due, if that is known.
    nominal: Option<f64>,
    interlaced: bool,
    window: Sliding,
    second: Sliding,
    /// Whether the rate of the last second is off, and since when.
    second_off: Spell,
    history: Baseline,
    unrecorded: MediaTime,
}

/// A rate that is off, or not.
#[derive(Clone, Copy)]
struct Reading {
    off: bool,
    share: f32,
    class: u8,
    since: MediaTime,
}

impl Pictures {
    fn new(info: &TrackInfo, expected: Option<f64>) -> Self {
        let format = info.video.as_ref();
        let declared = format.map(|format| format.frame_rate).filter(|rate| *rate > 0.0);
        Self {
            track: info.track,
            nominal: expected.filter(|rate| *rate > 0.0 && !info.secondary).or(declared),
            interlaced: format.is_some_and(|format| format.interlaced),
            window: Sliding::new(WINDOW),
            second: Sliding::new(SECOND),
            second_off: Spell::Unknown,
            history: Baseline::new(HISTORY_MAX),
            unrecorded: MediaTime::ZERO,
        }
    }

    fn interrupt(&mut self) {
        self.window.clear();
        self.second.clear();
        self.second_off = Spell::Unknown;
        self.unrecorded = MediaTime::ZERO;
    }

    /// Takes the pictures of a stretch; nothing while the window is not full or no rate is due.
    fn look(&mut self, pictures: u32, facts: &PacketFacts, tolerance: f64) -> Option<Reading> {
        self.window.add(pictures.into(), facts.lasts);
        self.second.add(pictures.into(), facts.lasts);
        self.unrecorded += facts.lasts;
        let (count, lasts) = self.window.full()?;
        if count == 0 {
            // When pictures come again, the window must not be half empty.
            self.interrupt();
            return None;
        }
        let nominal = match self.nominal {
            Some(nominal) => nominal,
            None => self.usual(count as f64 / lasts.as_secs_f64())?,
        };
        let off = |(count, lasts): (u64, MediaTime)| self.off(count as f64, nominal * lasts.as_secs_f64(), tolerance);
        let second_off = self.second.full().is_some_and(|second| off(second).is_some());
        let reading = off((count, lasts));
        self.second_off.turn(second_off, facts.at - if second_off { SECOND } else { facts.lasts });
        let Some((share, class)) = reading else {
            return Some(Reading { off: false, share: 0.0, class: 0, since: facts.at - facts.lasts });
        };
        let since = match self.second_off {
            Spell::Holds(since) => since,
            Spell::Absent(_) | Spell::Unknown => facts.at - facts.lasts,
        };
        Some(Reading { off: true, share, class, since })
    }

    /// By how much a count differs from the one that is due, and in what direction, when too much.
    fn off(&self, count: f64, due: f64, tolerance: f64) -> Option<(f32, u8)> {
        let count = if self.interlaced && FIELDS.contains(&(count / due)) { count / 2.0 } else { count };
        let beyond = (count - due).abs() > tolerance * due + MISCOUNT;
        beyond.then(|| (((count - due).abs() / due) as f32, if count > due { MANY } else { FEW }))
    }

    /// The median of a track that declares no rate.
    fn usual(&mut self, rate: f64) -> Option<f64> {
        if self.unrecorded >= WINDOW {
            self.unrecorded = MediaTime::ZERO;
            self.history.add(rate as f32);
        }
        (self.history.len() >= HISTORY_MIN).then(|| self.history.median().into())
    }
}

struct FrameRate {
    tolerance: f64,
    expected: Option<f64>,
    /// As many as the session has, at most [`avwatch_actors::track::TRACKS_MAX`].
    tracks: Vec<Pictures>,
    state: Spell,
}

impl PacketJudge for FrameRate {
    fn look(&mut self, facts: &PacketFacts, out: &mut Verdicts) {
        if facts.lasts > STRETCH_MAX || facts.receive_dropped > 0 {
            self.tracks.iter_mut().for_each(Pictures::interrupt);
            return;
        }
        let mut worst: Option<Reading> = None;
        for pictures in &mut self.tracks {
            let counts = facts.tracks.iter().find(|(track, _)| *track == pictures.track);
            let count = counts.map_or(0, |(_, counts)| counts.packets);
            let Some(reading) = pictures.look(count, facts, self.tolerance) else { continue };
            if worst.is_none_or(|worst| reading.share > worst.share) {
                worst = Some(reading);
            }
        }
        // Nothing to judge is clear: a track without pictures is told by another word.
        let none = Reading { off: false, share: 0.0, class: 0, since: facts.at - facts.lasts };
        let reading = worst.unwrap_or(none);
        self.state.turn(reading.off, reading.since);
        self.state.say(reading.share, reading.class, out);
    }

    fn start(&mut self, info: &SessionInfo) {
        let videos = info.tracks.iter().filter(|track| track.track.kind == TrackKind::Video);
        self.tracks = videos.map(|track| Pictures::new(track, self.expected)).collect();
        if info.revision == 0 {
            self.state = Spell::Unknown;
        }
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::detector::Detector;
    use avwatch_actors::item::PacketCounts;

    use super::super::testing::{Packets, Stretch, at, build_expecting, lasting, started, stretches, video_track};
    use super::*;
    use crate::media::spec::Expect;

    fn detector(expected: Option<f64>) -> Box<dyn Detector> {
        let expect = Expect { frame_rate: expected, ..Expect::default() };
        build_expecting(&KIND, Profile::Ott, &TrackInfo::bare(TrackId::INPUT), &[], &expect)
    }

    /// Adds reports of pictures at that rate.
    fn at_rate(packets: Packets, seconds: f64, rate: f64) -> Packets {
        packets.then(seconds, TrackId::video(0), |index| {
            let until = |index: u64| (index as f64 * 0.1 * rate).floor() as u32;
            PacketCounts { packets: until(index + 1) - until(index), ..PacketCounts::default() }
        })
    }

    fn session(declared: f64) -> Packets {
        let mut packets = Packets::new();
        packets.items.push(started(1, 0, 0.0, vec![video_track(declared)]));
        packets
    }

    fn told(expected: Option<f64>, packets: Packets) -> Vec<Stretch> {
        stretches(&mut *detector(expected), &packets.items)
    }

    #[test]
    fn half_the_pictures_are_told_from_their_begin_to_their_end() {
        let packets = at_rate(at_rate(at_rate(session(25.0), 10.0, 25.0), 10.0, 12.5), 10.0, 25.0);
        let [found] = &told(None, packets)[..] else { panic!("one fall") };
        assert!((found.start - 10.0).abs() <= 0.7, "{found:?}");
        assert!(found.end.is_some_and(|end| (end - 20.0).abs() <= 2.5), "{found:?}");
        assert_eq!(found.class, FEW);
    }

    #[test]
    fn three_seconds_of_half_the_pictures_do_not_last_long_enough() {
        let packets = at_rate(at_rate(at_rate(session(25.0), 10.0, 25.0), 2.5, 12.5), 10.0, 25.0);
        assert_eq!(lasting(&mut *detector(None), &packets.items, 5.0), []);
    }

    #[test]
    fn rates_within_a_fifth_are_nothing_and_beyond_it_they_are_told() {
        for (rate, count) in [(25.0, 0), (20.5, 0), (29.5, 0), (18.0, 1), (32.0, 1), (50.0, 1)] {
            let found = told(None, at_rate(session(25.0), 30.0, rate));
            assert_eq!(found.len(), count, "{rate}: {found:?}");
            assert!(found.iter().all(|found| found.class == if rate > 25.0 { MANY } else { FEW }));
        }
    }

    #[test]
    fn soft_telecine_and_the_fields_of_interlaced_pictures_are_nothing() {
        assert_eq!(told(None, at_rate(session(30_000.0 / 1_001.0), 60.0, 24_000.0 / 1_001.0)), []);
        let mut packets = Packets::new();
        let mut track = video_track(25.0);
        track.video.iter_mut().for_each(|format| format.interlaced = true);
        packets.items.push(started(1, 0, 0.0, vec![track]));
        assert_eq!(told(None, at_rate(packets, 30.0, 50.0)), []);
    }

    #[test]
    fn what_the_operator_expects_counts_more_than_what_the_track_declares() {
        assert_eq!(told(Some(50.0), at_rate(session(25.0), 20.0, 25.0)).len(), 1);
        assert_eq!(told(Some(50.0), at_rate(session(25.0), 20.0, 50.0)), []);
    }

    #[test]
    fn a_track_that_declares_nothing_is_held_to_its_own_median() {
        let steady = at_rate(session(0.0), 30.0, 12.0);
        assert_eq!(told(None, at_rate(steady, 3.0, 12.0)), []);
        let falls = at_rate(at_rate(session(0.0), 30.0, 12.0), 10.0, 4.0);
        assert_eq!(told(None, falls).len(), 1);
    }

    #[test]
    fn a_track_without_pictures_is_told_by_another_word() {
        let mut packets = at_rate(at_rate(session(25.0), 10.0, 25.0), 20.0, 0.0);
        packets = at_rate(packets, 20.0, 25.0);
        assert_eq!(lasting(&mut *detector(None), &packets.items, 5.0), []);
    }

    #[test]
    fn a_slate_of_one_picture_in_two_seconds_is_nothing() {
        assert_eq!(told(None, at_rate(session(0.5), 60.0, 0.5)), []);
    }

    #[test]
    fn a_jump_of_the_timeline_is_no_low_rate() {
        let packets = at_rate(session(25.0), 10.0, 25.0).stretch(8.0, |facts| facts.tracks.clear());
        assert_eq!(told(None, at_rate(packets, 10.0, 25.0)), []);
    }

    #[test]
    fn pictures_that_this_machine_dropped_are_no_low_rate() {
        let mut packets = at_rate(session(25.0), 10.0, 25.0);
        for _ in 0..100 {
            packets = at_rate(packets, 0.1, 10.0).stretch(0.1, |facts| facts.receive_dropped = 20);
        }
        assert_eq!(told(None, at_rate(packets, 10.0, 25.0)), []);
    }

    #[test]
    fn it_is_a_warning_after_5_seconds_live_and_off_in_files() {
        let defaults = (KIND.defaults)(Profile::Ott);
        assert_eq!((defaults.enabled, defaults.steps), (true, vec![(at(5.0).to_duration(), Warning)]));
        assert!(!(KIND.defaults)(Profile::File).enabled);
    }
}
