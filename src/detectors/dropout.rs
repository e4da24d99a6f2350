//! Drop-outs: sound is lost for a moment, or a stretch of it is played twice.
//!
//! Three signs, on any channel but LFE (the last on all together):
//!
//! - *lost samples*: at least 1 ms of exactly equal samples within ±0.001 of zero in the middle of sound: the 2 ms on
//!   either side are above −46 dBFS (RMS), about as loud as the 20 ms before, and not level themselves.
//!   From 30 ms on it must stand alone, with no other pause within a second, in sound that is not
//!   20 dB louder elsewhere; from 500 ms on it is a pause: gates, words and rhythms pause again and again.
//!   For two seconds after a pause of zeros that fades out or in, zeros are how the programme pauses: so do
//!   voices from machines;
//! - *notches*: what coding or concealment leaves of them, on all channels together (see `notch`);
//! - *stretches played twice*: at least 15 ms that are sample for sample what had been heard up to
//!   200 ms before, once to four times in a row, in sound and not in steady tones.
//!
//! Where the times of the track run backwards or jump another stream begins, as `timestamp` tells: what
//! is lost there is no drop-out. Each counts from its first to its last sample (notches and repeated stretches are exact to about
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
use avwatch_actors::frame::{AudioFrame, ChannelHop, Echo, Lull, Repair, SoundHop};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::Warning;
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{CHANNELS_MAX, ChannelRole, TrackInfo, TrackKind};

use super::notch::Notches;
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
    cheapest: Tier::Audio,
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
/// What is closer to a place where the times of the track run backwards or jump belongs to it: the
/// sound of another stream begins there, with the delay of its encoder.
const SEAM: MediaTime = MediaTime::from_millis(50);
/// Least level (RMS) right before and after lost samples: −46 dBFS.
const EDGE_MIN: f32 = 0.005;
/// From here on a lull must stand alone, and is none any more.
const LONG_MS: f32 = 30.0;
const PAUSE_MS: f32 = 500.0;
/// Alone means that no other one is nearer.
const ALONE: MediaTime = MediaTime::from_millis(1_000);
/// For so long after a pause of its own, of at least so many milliseconds, zeros are how a programme pauses.
const OWN: MediaTime = MediaTime::from_millis(2_000);
const OWN_MIN_MS: f32 = 5.0;
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

struct Dropouts {
    count: usize,
    roles: [ChannelRole; CHANNELS_MAX],
    /// The level of loud hops of each channel, fading.
    loudest: Vec<f32>,
    notches: Notches,
    recent: VecDeque<Dropout>,
    /// A long lull that counts unless another pause follows soon.
    waiting: Option<Dropout>,
    /// End of the newest pause that the programme made itself, on each channel.
    own: Vec<Option<MediaTime>>,
    /// End of the newest long lull or pause, whatever it was.
    paused: Option<MediaTime>,
    /// Where times ran backwards or jumped last.
    seam: Option<MediaTime>,
    /// They have been off since then.
    off: bool,
    clear_since: Option<MediaTime>,
}

impl Dropouts {
    fn new(track: &TrackInfo, count: usize) -> Self {
        Self {
            count,
            roles: roles_of(track),
            loudest: Vec::new(),
            notches: Notches::new(0),
            recent: VecDeque::with_capacity(KEPT),
            waiting: None,
            own: Vec::new(),
            paused: None,
            seam: None,
            off: false,
            clear_since: None,
        }
    }

    fn reset(&mut self, channels: usize) {
        self.loudest = vec![0.0; channels];
        self.notches = Notches::new(channels);
        self.recent.clear();
        self.own = vec![None; channels];
        (self.waiting, self.paused, self.seam, self.clear_since) = (None, None, None, None);
    }

    /// Takes a hop; gives the newest drop-out that it revealed.
    fn step(&mut self, hop: &SoundHop, channels: &[ChannelHop]) -> Option<Dropout> {
        let mut found = None;
        for (number, facts) in channels.iter().enumerate().take(CHANNELS_MAX) {
            if self.roles[number] == ChannelRole::Lfe {
                continue;
            }
            self.loudest[number] = (self.loudest[number] * FADING).max(facts.power.sqrt());
            let lull = facts.lull;
            if lull.lasts_ms > 0.0 {
                found = self.lull(hop.at, number, &lull).or(found);
            }
        }
        if let Some((from, to)) = self.notches.step(hop, channels, &self.roles) {
            found = self.add(Dropout { from, to, sign: NOTCH }).or(found);
        }
        if hop.echo.lasts_ms > 0.0 && is_repetition(&hop.echo) {
            let to = hop.at + millis(hop.echo.ended_ms);
            found = self.add(Dropout { from: to - millis(hop.echo.lasts_ms), to, sign: REPEATED }).or(found);
        }
        found
    }

    fn lull(&mut self, hop: MediaTime, channel: usize, lull: &Lull) -> Option<Dropout> {
        let (loudest, own) = (self.loudest[channel], &mut self.own[channel]);
        let to = hop + millis(lull.ended_ms);
        let dropout = Dropout { from: to - millis(lull.lasts_ms), to, sign: LOST };
        if !is_sharp(lull) && lull.lasts_ms >= OWN_MIN_MS {
            *own = Some(to);
        }
        let is_lost = is_sharp(lull) && own.is_none_or(|own| dropout.from - own > OWN);
        if lull.lasts_ms < LONG_MS {
            return if is_lost { self.add(dropout) } else { None };
        }
        if self.waiting.is_some_and(|waiting| dropout.from - waiting.from < SAME) {
            // The same on another channel.
            return None;
        }
        let paused = self.paused.replace(to);
        let is_alone = paused.is_none_or(|paused| dropout.from - paused > ALONE);
        let waited = self.waiting.take().filter(|waiting| dropout.from - waiting.to > ALONE);
        let is_loud = lull.before.min(lull.after) >= LONG_LEVEL * loudest;
        if is_alone && is_loud && lull.lasts_ms < PAUSE_MS && is_lost {
            self.waiting = Some(dropout);
        }
        waited.and_then(|waited| self.add(waited))
    }

    /// Adds a drop-out unless it is known, or part of a seam.
    fn add(&mut self, dropout: Dropout) -> Option<Dropout> {
        if self.seam.is_some_and(|seam| dropout.from - SEAM <= seam && seam <= dropout.to + SEAM) {
            return None;
        }
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
        if self.loudest.len() != frame.hops.channel_count() {
            self.reset(frame.hops.channel_count());
        }
        // Once times lag, they may do so for ever.
        let off = matches!(frame.stamp.repair, Repair::Backward | Repair::Rebased);
        if off && !self.off {
            self.seam = Some(frame.stamp.media_time);
        }
        self.off = off;
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
        if let Some((from, to)) = is_last.then(|| self.notches.finish()).flatten() {
            newest = self.add(Dropout { from, to, sign: NOTCH }).or(newest);
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
#[path = "dropout_tests.rs"]
mod tests;
