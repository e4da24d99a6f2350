//! Bit rate: hardly any bits come, measured against the stream's own last ten minutes.
//!
//! Counted are the bytes of all tracks' packets by media time, so neither stuffing nor the bursts of a
//! segmented input count. Faulty is a stream whose last 2 s hold less than `share` of the median of such
//! windows over the last 10 minutes, since the begin of those 2 s; it is clear from the first
//! stretch (about 100 ms) on that brings the window above it. Nothing is said before three windows
//! are known. Low windows do not enter the median until the fall has lasted 5 minutes, which is when it
//! would be the median of ten minutes: then the lower rate is the usual one, and the condition is
//! over. The history survives a reconnect unless tracks or formats differ. A stretch of more than a
//! second is a jump of the timeline and says nothing, nor does one in which this machine dropped datagrams. Score: share of the median, unit `ratio`.
//!
//! A coder at a variable bit rate may spend that little on a still picture, and then that is told:
//! it is what a slate in place of the programme looks like. Streams of which it is usual have a low
//! median, or `share` is lowered.
//!
//! Sources: 10 % of the 10-minute median for 10 s is operational practice, and the published default;
//! 2 s because that is the longest usual distance of key frames.
//!
//! Owned by the input actor of a stream, on its arbiter. Sees packet counts only.

use std::sync::Arc;

use avwatch_actors::detector::{LaneKind, Precedence, Situation, Verdicts, Worse};
use avwatch_actors::item::PacketFacts;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::{Info, Warning};
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{SessionInfo, TrackInfo, TrackKind};

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
    number: 402,
    name: "bitrate",
    summary: "The bit rate has collapsed against the stream's own last ten minutes",
    unit: "ratio",
    worse: Worse::Lower,
    lanes: &[LaneKind::Input],
    precedence: Precedence::Apart,
    cheapest: Tier::Transport,
    standard_ref: None,
    source: "Operational practice: 10 % of the 10-minute median for 10 s",
    options: &[OptionDoc {
        name: "share",
        doc: "Share of the 10-minute median, from 0 to 1, below which the bit rate has collapsed.",
        default: |_| OptionValue::Number(0.1),
        range: (0.001, 0.9),
    }],
    defaults: |profile| {
        // Of a file there is nothing to be seen in time: off, but with a step for who turns it on.
        let table = Table { live: &[(10_000, Warning)], fast: &[(5_000, Warning)], file: &[(10_000, Info)] };
        let mut defaults = table.defaults(profile);
        defaults.enabled = profile != Profile::File;
        defaults
    },
    needs: |_, _| {},
    threshold: |options| Some(options.number("share") as f32),
    class_limits: |_| None,
    applies: |track| track.track.kind == TrackKind::Input,
    message: |situation: &Situation| {
        format!("bit rate down to {:.1} % of its usual value for {}", situation.peak * 100.0, lasted(situation))
    },
    build: |options, _| {
        let share = options.number("share") as f32;
        Arc::new(move |_: &TrackInfo| OfPackets::boxed(Bitrate::new(share)))
    },
};

/// Over what the rate is taken.
const WINDOW: MediaTime = MediaTime::from_millis(2_000);
/// Windows of ten minutes.
const HISTORY_MAX: usize = 300;
/// Windows before which nothing is said: less is the begin of a programme, not its usual rate.
const HISTORY_MIN: usize = 3;
/// Low windows in a row after which low is usual.
const LOW_MAX: usize = HISTORY_MAX / 2;

struct Bitrate {
    share: f32,
    window: Sliding,
    /// Bytes a second of the windows so far.
    history: Baseline,
    /// Time since the last window entered the history.
    unrecorded: MediaTime,
    /// Low windows in a row.
    low: usize,
    state: Spell,
    /// What the history is of.
    tracks: Vec<TrackInfo>,
}

impl Bitrate {
    fn new(share: f32) -> Self {
        Self {
            share,
            window: Sliding::new(WINDOW),
            history: Baseline::new(HISTORY_MAX),
            unrecorded: MediaTime::ZERO,
            low: 0,
            state: Spell::Unknown,
            tracks: Vec::new(),
        }
    }

    fn record(&mut self, rate: f32) {
        if self.state.holds() {
            self.low += 1;
            if self.low < LOW_MAX {
                return;
            }
            self.history = Baseline::new(HISTORY_MAX);
            for _ in 0..HISTORY_MIN {
                self.history.add(rate);
            }
        }
        self.low = 0;
        self.history.add(rate);
    }

    /// What comes next does not join what came before.
    fn interrupt(&mut self) {
        self.window.clear();
        self.unrecorded = MediaTime::ZERO;
    }
}

impl PacketJudge for Bitrate {
    /// Takes what the demuxer saw; the verdict is repeated with every stretch, so that time is credited.
    fn look(&mut self, facts: &PacketFacts, out: &mut Verdicts) {
        if facts.lasts > STRETCH_MAX || facts.receive_dropped > 0 {
            self.interrupt();
            return;
        }
        self.window.add(facts.tracks.iter().map(|(_, counts)| counts.bytes).sum(), facts.lasts);
        self.unrecorded += facts.lasts;
        let Some(rate) = self.window.rate() else { return };
        if self.history.len() >= HISTORY_MIN && self.history.median() > 0.0 {
            let share = rate as f32 / self.history.median();
            let low = share < self.share;
            self.state.turn(low, if low { facts.at - WINDOW } else { facts.at - facts.lasts });
            self.state.say(share, 0, out);
        }
        if self.unrecorded >= WINDOW {
            self.unrecorded = MediaTime::ZERO;
            self.record(rate as f32);
        }
    }

    fn start(&mut self, info: &SessionInfo) {
        let known = &self.tracks;
        let same = known.len() == info.tracks.len()
            && known.iter().zip(&info.tracks).all(|(before, now)| {
                before.track == now.track && before.rendition == now.rendition && !now.is_other_format_than(before)
            });
        if !same {
            *self = Self { tracks: info.tracks.clone(), ..Self::new(self.share) };
        } else if info.revision == 0 {
            self.interrupt();
            self.state = Spell::Unknown;
        }
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::detector::Detector;

    use super::super::testing::{Packets, at, build, lasting, started, stretches, video_track};
    use super::*;

    fn detector() -> Box<dyn Detector> {
        build(&KIND, Profile::Ott, &TrackInfo::bare(avwatch_actors::track::TrackId::INPUT), &[])
    }

    #[test]
    fn a_fall_below_a_tenth_is_told_from_its_begin_to_its_end() {
        let items = Packets::new().bytes(20.0, |_| 50_000).bytes(20.0, |_| 4_000).bytes(5.0, |_| 50_000).items;
        let [found] = &stretches(&mut *detector(), &items)[..] else { panic!("one fall") };
        assert!((found.start - 20.0).abs() < 0.2 && found.end.is_some_and(|end| (end - 40.0).abs() < 0.2), "{found:?}");
        assert!((found.score - 0.1).abs() < 0.03, "{found:?}");
    }

    #[test]
    fn a_fall_to_a_fifth_is_nothing() {
        let items = Packets::new().bytes(20.0, |_| 50_000).bytes(60.0, |_| 10_000).items;
        assert_eq!(stretches(&mut *detector(), &items), []);
    }

    #[test]
    fn key_frames_every_two_seconds_and_little_between_them_are_nothing() {
        let gop = |index: u64| if index.is_multiple_of(20) { 400_000 } else { 2_000 };
        let items = Packets::new().bytes(120.0, gop).items;
        assert_eq!(stretches(&mut *detector(), &items), []);
    }

    #[test]
    fn pauses_of_a_burst_are_shorter_than_the_hold_time() {
        let items = Packets::new().bytes(60.0, |index| if index % 80 < 30 { 100_000 } else { 0 }).items;
        assert_eq!(lasting(&mut *detector(), &items, 10.0), []);
    }

    #[test]
    fn a_burst_at_the_begin_is_not_the_usual_rate() {
        let items = Packets::new().bytes(2.0, |_| 100_000).bytes(30.0, |_| 2_000).items;
        assert_eq!(stretches(&mut *detector(), &items), []);
    }

    #[test]
    fn a_rate_that_stays_low_for_five_minutes_is_the_usual_one_however_old_the_stream_is() {
        for before in [30.0, 900.0] {
            let items = Packets::new().bytes(before, |_| 50_000).bytes(400.0, |_| 1_000).items;
            let [found] = &stretches(&mut *detector(), &items)[..] else { panic!("one fall") };
            let end = found.end.expect("it is over");
            assert!((end - before - 300.0).abs() < 3.0, "{found:?}");
        }
    }

    #[test]
    fn a_jump_of_the_timeline_is_no_low_rate() {
        let mut packets = Packets::new().bytes(20.0, |_| 50_000);
        packets = packets.stretch(15.0, |facts| facts.bytes = 1);
        let items = packets.bytes(20.0, |_| 50_000).items;
        assert_eq!(stretches(&mut *detector(), &items), []);
    }

    #[test]
    fn bytes_that_this_machine_dropped_are_no_low_rate() {
        let mut packets = Packets::new().bytes(20.0, |_| 50_000);
        for _ in 0..100 {
            packets = packets.bytes(0.1, |_| 1).stretch(0.1, |facts| facts.receive_dropped = 20);
        }
        let items = packets.bytes(20.0, |_| 50_000).items;
        assert_eq!(stretches(&mut *detector(), &items), []);
    }

    #[test]
    fn a_reconnect_keeps_the_history_and_another_size_does_not() {
        let small = || {
            let mut small = video_track(25.0);
            small.video.iter_mut().for_each(|format| (format.width, format.height) = (320, 180));
            small
        };
        for (track, count) in [(video_track(25.0), 1), (small(), 0)] {
            let mut packets = Packets::new();
            packets.items.push(started(1, 0, 0.0, vec![video_track(25.0)]));
            packets = packets.bytes(20.0, |_| 50_000);
            packets.items.push(started(2, 0, 20.0, vec![track]));
            let items = packets.bytes(20.0, |_| 1_000).items;
            assert_eq!(lasting(&mut *detector(), &items, 10.0).len(), count);
        }
    }

    #[test]
    fn it_is_a_warning_after_10_seconds_live_and_off_in_files() {
        let defaults = (KIND.defaults)(Profile::Ott);
        assert_eq!((defaults.enabled, defaults.steps), (true, vec![(at(10.0).to_duration(), Warning)]));
        assert!(!(KIND.defaults)(Profile::File).enabled);
    }
}
