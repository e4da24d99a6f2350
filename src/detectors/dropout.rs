//! Drop-outs: sound is lost for a moment, or a stretch of it is played twice.
//!
//! Three signs, on any channel but LFE (the third on all together):
//!
//! - *lost samples*: at least 1 ms of exactly equal samples within ±0.001 of zero in the middle of sound: the 2 ms on
//!   either side are above −46 dBFS (RMS), about as loud as the 20 ms before, and not level themselves.
//!   From 30 ms on it must stand alone, with no other pause within a second, in sound that is not
//!   20 dB louder elsewhere; from 500 ms on it is a pause: gates, words and rhythms pause again and again;
//! - *notches*: what coding or concealment leaves of them (see `notch`);
//! - *stretches played twice*: at least 15 ms that are sample for sample what had been heard up to
//!   200 ms before, once to four times in a row, in sound and not in steady tones.
//!
//! Each counts from its first to its last sample (notches and repeated stretches are exact to about
//! 5 ms); the condition holds when `count` of them began within 10 s, since the first of those. Score: their number.
//! Class: which sign the newest one showed.
//!
//! Sources: own measurements; EBU QC 0051B names digital drop-outs without a number. Live it takes two,
//! in files one, as published.
//!
//! Owned by the sound actor of a stream, on its arbiter. Sees facts only.

use std::collections::VecDeque;
use std::sync::Arc;

use avwatch_actors::detector::{LaneKind, Precedence, Situation, Verdict, Verdicts, Worse};
use avwatch_actors::frame::{AudioFrame, ChannelHop, Echo, Lull, SoundHop};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::Warning;
use avwatch_actors::track::{CHANNELS_MAX, ChannelRole, TrackInfo, TrackKind};

use super::notch::NotchTracker;
use super::silence::roles_of;
use super::sound_judge::{OfSound, SoundJudge};
use super::table::{Table, info_only};
use super::{Defaults, DetectorKind, OptionDoc, OptionValue};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 208,
    name: "dropout",
    summary: "Sound is lost for a moment, or a stretch of it is played twice",
    unit: "count",
    worse: Worse::Higher,
    lanes: &[LaneKind::Sound],
    precedence: Precedence::Rest,
    standard_ref: None,
    source: "Own measurements of lost samples, concealment and repeated buffers",
    options: &[OptionDoc {
        name: "count",
        doc: "Drop-outs within 10 s from which on they are reported.",
        default: |profile| OptionValue::Number(if profile == Profile::File { 1.0 } else { 2.0 }),
        range: (1.0, 16.0),
    }],
    defaults,
    needs: |_, plan| {
        plan.sound = true;
        plan.lulls = true;
    },
    threshold: |options| Some(options.number("count") as f32),
    class_limits: |_| None,
    applies: |track| track.track.kind == TrackKind::Audio,
    message,
    build: |options, _| {
        let count = options.number("count").ceil() as usize;
        Arc::new(move |track: &TrackInfo| OfSound::boxed(track, Dropouts::new(track, count)))
    },
};

fn defaults(profile: Profile) -> Defaults {
    let live = &[(0, Warning)];
    let mut defaults = Table { live, fast: live, file: live }.defaults(profile);
    defaults.secondary_steps = Some(info_only(&defaults.steps));
    defaults
}

fn message(situation: &Situation) -> String {
    let what = match situation.class {
        NOTCH => "sound vanished for a moment",
        REPEATED => "a stretch of sound was played twice",
        _ => "sound dropped out",
    };
    match situation.peak.round() as u32 {
        0 | 1 => what.to_owned(),
        count => format!("{what}, {count} times within 10 s"),
    }
}

const LOST: u8 = 0;
const NOTCH: u8 = 1;
const REPEATED: u8 = 2;

/// Drop-outs are counted over this time.
const WINDOW: MediaTime = MediaTime::from_millis(10_000);
/// Most drop-outs that are kept: the highest `count`.
const KEPT: usize = 16;
/// Those closer than this are one: channels and signs differ by so much.
const SAME: MediaTime = MediaTime::from_millis(20);
/// Least level (RMS) right before and after lost samples: −46 dBFS.
const EDGE_MIN: f32 = 0.005;
/// From here on a lull must stand alone, and is none any more.
const LONG_MS: f32 = 30.0;
const PAUSE_MS: f32 = 500.0;
/// Alone means that no other one is nearer.
const ALONE: MediaTime = MediaTime::from_millis(1_000);
/// Long lulls are none in sound that is more than 20 dB louder elsewhere.
const LONG_LEVEL: f32 = 0.1;
/// How long a loud hop is remembered, as a factor of its level per hop: −20 dB in 1.5 s.
const FADING: f32 = 0.985;
/// Least distance between a stretch and its repetition.
const LAG_MIN_MS: f32 = 15.0;
/// How much shorter than the distance a repetition may be told: see `Echo`.
const SHORTER_MS: f32 = 9.0;
/// Most repetitions in a row.
const REPETITIONS_MAX: f32 = 4.0;
/// Least sound before the first copy.
const SOUND_MIN_MS: f32 = 20.0;
/// Below this share of the power the stretch is nothing but steady tones.
const UNSTEADY_MIN: f32 = 3e-4;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Dropout {
    from: MediaTime,
    to: MediaTime,
    sign: u8,
}

struct Channel {
    notch: NotchTracker,
    /// The level of loud hops, fading.
    loudest: f32,
}

struct Dropouts {
    count: usize,
    roles: [ChannelRole; CHANNELS_MAX],
    channels: Vec<Channel>,
    recent: VecDeque<Dropout>,
    /// A long lull that counts unless another pause follows soon.
    waiting: Option<Dropout>,
    /// End of the newest long lull or pause, whatever it was.
    paused: Option<MediaTime>,
    clear_since: Option<MediaTime>,
}

impl Dropouts {
    fn new(track: &TrackInfo, count: usize) -> Self {
        Self {
            count,
            roles: roles_of(track),
            channels: Vec::new(),
            recent: VecDeque::with_capacity(KEPT),
            waiting: None,
            paused: None,
            clear_since: None,
        }
    }

    fn reset(&mut self, channels: usize) {
        self.channels.clear();
        self.channels.resize_with(channels, || Channel { notch: NotchTracker::new(), loudest: 0.0 });
        self.recent.clear();
        (self.waiting, self.paused, self.clear_since) = (None, None, None);
    }

    /// Takes a hop; gives the newest drop-out that it revealed.
    fn step(&mut self, hop: &SoundHop, channels: &[ChannelHop]) -> Option<Dropout> {
        let mut found = None;
        for (number, facts) in channels.iter().enumerate().take(CHANNELS_MAX) {
            if self.roles[number] == ChannelRole::Lfe {
                continue;
            }
            let state = &mut self.channels[number];
            state.loudest = (state.loudest * FADING).max(facts.power.sqrt());
            let (lull, loudest) = (facts.lull, state.loudest);
            if let Some((from, to)) = state.notch.step(hop, facts) {
                found = self.add(Dropout { from, to, sign: NOTCH }).or(found);
            }
            if lull.lasts_ms > 0.0 {
                found = self.lull(hop.at, &lull, loudest).or(found);
            }
        }
        if hop.echo.lasts_ms > 0.0 && is_repetition(&hop.echo) {
            let to = hop.at + millis(hop.echo.ended_ms);
            found = self.add(Dropout { from: to - millis(hop.echo.lasts_ms), to, sign: REPEATED }).or(found);
        }
        found
    }

    fn lull(&mut self, hop: MediaTime, lull: &Lull, loudest: f32) -> Option<Dropout> {
        let to = hop + millis(lull.ended_ms);
        let dropout = Dropout { from: to - millis(lull.lasts_ms), to, sign: LOST };
        if lull.lasts_ms < LONG_MS {
            return if is_sharp(lull) { self.add(dropout) } else { None };
        }
        if self.waiting.is_some_and(|waiting| dropout.from - waiting.from < SAME) {
            // The same on another channel.
            return None;
        }
        let paused = self.paused.replace(to);
        let is_alone = paused.is_none_or(|paused| dropout.from - paused > ALONE);
        let waited = self.waiting.take().filter(|waiting| dropout.from - waiting.to > ALONE);
        let is_loud = lull.before.min(lull.after) >= LONG_LEVEL * loudest;
        if is_alone && is_loud && lull.lasts_ms < PAUSE_MS && is_sharp(lull) {
            self.waiting = Some(dropout);
        }
        waited.and_then(|waited| self.add(waited))
    }

    /// Adds a drop-out unless it is known.
    fn add(&mut self, dropout: Dropout) -> Option<Dropout> {
        let is_known = |known: &Dropout| dropout.from <= known.to + SAME && known.from <= dropout.to + SAME;
        if self.recent.iter().any(is_known) {
            return None;
        }
        if self.recent.len() == KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(dropout);
        Some(dropout)
    }
}

/// A span as facts give it.
fn millis(millis: f32) -> MediaTime {
    MediaTime::from_micros((f64::from(millis) * 1_000.0).round() as i64)
}

/// Whether the sound goes on at full level right up to both edges.
fn is_sharp(lull: &Lull) -> bool {
    let Lull { before, earlier, after, alive, .. } = *lull;
    before.min(after) >= EDGE_MIN
        && alive >= 0.5
        && (0.25 * earlier..=4.0 * earlier).contains(&before)
        && (0.125 * earlier..=8.0 * earlier).contains(&after)
}

/// Whether an echo is a buffer played again.
fn is_repetition(echo: &Echo) -> bool {
    let times = ((echo.lasts_ms + 0.5 * SHORTER_MS) / echo.lag_ms).round();
    let missing = times * echo.lag_ms - echo.lasts_ms;
    echo.lag_ms >= LAG_MIN_MS
        && (1.0..=REPETITIONS_MAX).contains(&times)
        && (-1.0..=SHORTER_MS).contains(&missing)
        && echo.sound_ms >= SOUND_MIN_MS
        && echo.unsteady >= UNSTEADY_MIN
}

impl SoundJudge for Dropouts {
    fn listen(&mut self, frame: &AudioFrame, out: &mut Verdicts) {
        if self.channels.len() != frame.hops.channel_count() {
            self.reset(frame.hops.channel_count());
        }
        let mut newest = None;
        for (hop, channels) in frame.hops.iter() {
            newest = self.step(hop, channels).or(newest);
        }
        let now = frame.stamp.end();
        let is_last = frame.stamp.lasts == MediaTime::ZERO;
        if let Some(waiting) = self.waiting.filter(|waiting| is_last || now - waiting.to > ALONE) {
            self.waiting = None;
            newest = self.add(waiting).or(newest);
        }
        while self.recent.front().is_some_and(|oldest| now - oldest.from > WINDOW) {
            self.recent.pop_front();
        }
        let score = self.recent.len() as f32;
        if let Some((newest, first)) = newest.zip(self.recent.front()).filter(|_| self.recent.len() >= self.count) {
            self.clear_since = Some(newest.to);
            // In files each one is told by itself.
            let since = if self.count == 1 { newest.from } else { first.from };
            out.say(Verdict::Faulty { since, score: if self.count == 1 { 1.0 } else { score }, class: newest.sign });
        } else if let Some((hop, _)) = frame.hops.iter().next() {
            out.clear(*self.clear_since.get_or_insert(hop.at), score);
        }
    }

    fn learn(&mut self, track: &TrackInfo) {
        self.roles = roles_of(track);
    }

    fn begin(&mut self) {
        self.reset(0);
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::item::Item;

    use super::super::testing::{STEREO, Track, audio_track, build, level, stretches};
    use super::*;

    const SHARP: Lull = Lull { lasts_ms: 12.0, ended_ms: 4.0, before: 0.1, earlier: 0.1, after: 0.1, alive: 1.0 };

    /// Ten seconds of sound with a lull told in each of these hops.
    fn with_lulls(lulls: &[(u64, Lull)]) -> Vec<Item> {
        let hop = |index: u64| {
            let lull = lulls.iter().find(|(at, _)| *at == index).map(|(_, lull)| *lull).unwrap_or_default();
            vec![ChannelHop { lull, ..level(-20.0) }, level(-20.0)]
        };
        Track::new().then(10.0, hop).items
    }

    fn found(profile: Profile, items: &[Item]) -> Vec<(f64, Option<f64>)> {
        let found = stretches(&mut *build(&KIND, profile, &audio_track(STEREO), &[]), items);
        found.into_iter().map(|stretch| (stretch.start, stretch.end)).collect()
    }

    #[test]
    fn in_a_file_every_one_is_told_to_the_sample() {
        let items = with_lulls(&[(200, SHARP), (600, Lull { lasts_ms: 1.0, ended_ms: -1.0, ..SHARP })]);
        assert_eq!(found(Profile::File, &items), [(1.992, Some(2.004)), (5.998, Some(5.999))]);
    }

    #[test]
    fn live_it_takes_two_within_ten_seconds() {
        assert_eq!(found(Profile::Ott, &with_lulls(&[(200, SHARP)])), []);
        let items = with_lulls(&[(200, SHARP), (600, SHARP)]);
        assert_eq!(found(Profile::Ott, &items), [(1.992, Some(6.004))]);
    }

    #[test]
    fn what_fades_or_begins_softly_or_is_level_is_no_dropout() {
        for lull in [
            Lull { before: 0.01, ..SHARP },
            Lull { before: 0.5, ..SHARP },
            Lull { after: 0.002, ..SHARP },
            Lull { before: 0.004, earlier: 0.004, after: 0.004, ..SHARP },
            Lull { alive: 0.1, ..SHARP },
        ] {
            assert_eq!(found(Profile::File, &with_lulls(&[(500, lull)])), [], "{lull:?}");
        }
    }

    #[test]
    fn a_longer_one_counts_only_when_it_stands_alone() {
        let long = Lull { lasts_ms: 200.0, ..SHARP };
        assert_eq!(found(Profile::File, &with_lulls(&[(500, long)])), [(4.804, Some(5.004))]);
        assert_eq!(found(Profile::File, &with_lulls(&[(450, long), (500, long), (550, long)])), []);
        assert_eq!(found(Profile::File, &with_lulls(&[(500, Lull { lasts_ms: 800.0, ..SHARP })])), []);
        let faint = Lull { before: 0.006, earlier: 0.006, after: 0.006, ..long };
        assert_eq!(found(Profile::File, &with_lulls(&[(500, faint)])), []);
    }

    #[test]
    fn the_same_on_both_channels_is_one() {
        let both = |index: u64| {
            let lull = if index == 300 { SHARP } else { Lull::default() };
            vec![ChannelHop { lull, ..level(-20.0) }; 2]
        };
        assert_eq!(found(Profile::Ott, &Track::new().then(6.0, both).items), []);
    }

    #[test]
    fn a_buffer_played_again_is_told_and_a_steady_tone_is_not() {
        let echo = Echo { lasts_ms: 19.5, lag_ms: 21.3, ended_ms: 3.0, sound_ms: 900.0, unsteady: 0.5 };
        let with = |echo: Echo| {
            let hop = move |index: u64| {
                let echo = if index == 300 { echo } else { Echo::default() };
                (SoundHop { echo, ..SoundHop::default() }, vec![level(-20.0); 2])
            };
            found(Profile::File, &Track::new().then_hops(6.0, hop).items)
        };
        assert_eq!(with(echo), [(2.9835, Some(3.003))]);
        assert_eq!(with(Echo { lasts_ms: 41.0, ..echo }).len(), 1);
        for other in [
            Echo { unsteady: 1e-6, ..echo },
            Echo { sound_ms: 0.0, ..echo },
            Echo { lag_ms: 5.0, ..echo },
            Echo { lasts_ms: 300.0, ..echo },
            Echo { lasts_ms: 25.0, ..echo },
        ] {
            assert_eq!(with(other), [], "{other:?}");
        }
    }

    #[test]
    fn a_notch_in_steady_sound_is_told_by_quarter_hops() {
        let hop = |down: std::ops::Range<u64>, after: f32| {
            move |index: u64| {
                let loud = if index < 300 { 0.01 } else { 0.01 * after };
                let power = |quarter: u64| if down.contains(&(4 * index + quarter)) { 1e-6 } else { loud };
                vec![ChannelHop { quarters: std::array::from_fn(|n| power(n as u64)), slope: 0.001, ..level(-20.0) }; 2]
            }
        };
        let told = |down, after| found(Profile::File, &Track::new().then(6.0, hop(down, after)).items);
        assert_eq!(told(1_190..1_196, 1.0), [(2.975, Some(2.99))]);
        // Too short, too long, and louder afterwards.
        assert_eq!(told(1_190..1_191, 1.0), []);
        assert_eq!(told(1_190..1_206, 1.0), []);
        assert_eq!(told(1_190..1_200, 3.0), []);
    }

    #[test]
    fn messages_say_what_and_how_often() {
        let situation = |peak, class| Situation { lasted: MediaTime::ZERO, peak, class };
        assert_eq!(message(&situation(1.0, LOST)), "sound dropped out");
        assert_eq!(message(&situation(3.0, REPEATED)), "a stretch of sound was played twice, 3 times within 10 s");
    }
}
