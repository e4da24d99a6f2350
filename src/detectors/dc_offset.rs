//! DC offset: the sound of a channel does not swing around zero.
//!
//! The mean of the samples over `window` is further from zero than `limit` (relative to full scale), and it
//! is a constant, not slow noise, rumble or sub-bass that swings to both sides:
//!
//! - it is five standard errors from zero, by how quarters, eighths, sixteenths and 32nds of the window
//!   scatter, whichever says most: slow noise scatters little in small parts, or little by chance in large ones;
//! - it is one and a half times what eighths differ by from those a window earlier, over five windows. (An
//!   offset that comes and goes in that time is twice that, and one that stays any number of times.)
//!
//! LFE channels are not watched. The mean follows an offset slowly, so onset and end are looked up
//! afterwards: the moment that splits the last two windows best into two levels. Programme with strong bass can put
//! them off by some tens of milliseconds. It ends below `limit` or a quarter of its level. Score: the
//! magnitude of the mean.
//!
//! Sources: 0.005 (−46 dBFS) over 10 s is broadcast practice; in files 2 s, so that every
//! occurrence can be listed. Hold times are the published defaults. `info`, and off in `news-sport`.
//!
//! Owned by the sound actor of a stream, on its arbiter. Sees facts only.

use std::sync::Arc;
use std::time::Duration;

use avwatch_actors::detector::{LaneKind, Precedence, Situation, Verdict, Verdicts, Worse};
use avwatch_actors::frame::{AudioFrame, ChannelHop};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::Info;
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{CHANNELS_MAX, ChannelRole, TrackInfo, TrackKind};

use super::kind::lasted;
use super::silence::roles_of;
use super::sound_judge::{OfSound, SoundJudge};
use super::table::Table;
use super::{Defaults, DetectorKind, OptionDoc, OptionValue};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 209,
    name: "dc_offset",
    summary: "The sound of a channel does not swing around zero",
    unit: "full scale",
    worse: Worse::Higher,
    lanes: &[LaneKind::Sound],
    precedence: Precedence::Rest,
    cheapest: Tier::Audio,
    standard_ref: None,
    source: "Broadcast practice: a mean above 0.005 (-46 dBFS) over 10 s",
    options: &[
        OptionDoc {
            name: "limit",
            doc: "Mean of the samples, relative to full scale, above which there is an offset.",
            default: |_| OptionValue::Number(0.005),
            range: (0.000_1, 0.5),
        },
        OptionDoc {
            name: "window",
            doc: "Time over which the mean is taken.",
            default: |profile| OptionValue::Span(Duration::from_secs(if profile == Profile::File { 2 } else { 10 })),
            range: (0.5, 60.0),
        },
    ],
    defaults,
    needs: |_, plan| plan.sound = true,
    threshold: |options| Some(options.number("limit") as f32),
    class_limits: |_| None,
    applies: |track| track.track.kind == TrackKind::Audio,
    message: |situation: &Situation| format!("DC offset up to {:.3} for {}", situation.peak, lasted(situation)),
    build: |options, _| {
        let limit = options.number("limit");
        let hops = (options.span("window").as_millis() / 10).max(1) as usize;
        Arc::new(move |track: &TrackInfo| OfSound::boxed(track, DcOffset::new(track, limit, hops)))
    },
};

fn defaults(profile: Profile) -> Defaults {
    let live = &[(10_000, Info)];
    let mut defaults = Table { live, fast: live, file: &[(2_000, Info)] }.defaults(profile);
    defaults.enabled = profile != Profile::NewsSport;
    defaults
}

/// The mean must be so many standard errors from zero.
const STANDARD_ERRORS: f64 = 5.0;
/// Numbers of parts of a window by which its scatter is told.
const SCALES: [usize; 4] = [4, 8, 16, 32];
/// How many times what it differs by from window to window the mean must be.
const STEADINESS: f64 = 1.5;
/// Eighths that are kept: of five windows.
const PARTS: usize = 8;
const PARTS_KEPT: usize = 5 * PARTS;
/// Nothing scatters less than the samples of 16 bits do.
const SCATTER_MIN: f64 = 1e-5;
/// Below this share of its level an offset is over.
const OVER: f64 = 0.25;

/// An offset that lasts.
#[derive(Clone, Copy)]
struct Offset {
    since: MediaTime,
    sign: f64,
    /// The largest mean of a window so far.
    level: f64,
}

/// One channel.
struct Channel {
    /// Means of the hops of the last two windows, as a ring.
    means: Vec<f32>,
    /// Sum of those of the last window.
    sum: f64,
    /// Means of eighths of a window, as a ring; that of the newest is not complete.
    parts: [f64; PARTS_KEPT],
    holds: Option<Offset>,
}

struct DcOffset {
    limit: f64,
    hops: usize,
    roles: [ChannelRole; CHANNELS_MAX],
    channels: Vec<Channel>,
    next: usize,
    /// Hops since the begin, at most two windows of them; eighths of a window, at most all that are kept.
    filled: usize,
    parts: usize,
    /// Hops since the begin.
    heard: u64,
    clear_since: Option<MediaTime>,
}

impl DcOffset {
    fn new(track: &TrackInfo, limit: f64, hops: usize) -> Self {
        let roles = roles_of(track);
        let hops = hops.max(SCALES[SCALES.len() - 1]);
        Self { limit, hops, roles, channels: Vec::new(), next: 0, filled: 0, parts: 0, heard: 0, clear_since: None }
    }

    fn reset(&mut self, channels: usize) {
        let means = 2 * self.hops;
        let channel = || Channel { means: vec![0.0; means], sum: 0.0, parts: [0.0; PARTS_KEPT], holds: None };
        self.channels.clear();
        self.channels.resize_with(channels, channel);
        (self.next, self.filled, self.parts, self.heard, self.clear_since) = (0, 0, 0, 0, None);
    }

    fn step(&mut self, until: MediaTime, channels: &[ChannelHop]) -> Verdict {
        let (hops, next) = (self.hops, self.next);
        self.filled = (self.filled + 1).min(2 * hops);
        self.heard += 1;
        let mut worst: Option<(MediaTime, f64)> = None;
        let mut ended = None;
        let mut highest = 0.0_f64;
        let part = (hops / PARTS) as u64;
        let ends_part = self.heard.is_multiple_of(part);
        let slot = (self.heard / part) as usize % PARTS_KEPT;
        for ((state, facts), role) in self.channels.iter_mut().zip(channels).zip(self.roles) {
            if role == ChannelRole::Lfe {
                continue;
            }
            // Absurd samples would stay in the sum for ever.
            state.add(facts.mean.clamp(-8.0, 8.0), next, hops);
            if ends_part {
                state.parts[slot] = state.mean(next, 0..part as usize);
            }
            if self.filled < hops {
                continue;
            }
            let offset = state.sum / hops as f64;
            highest = highest.max(offset.abs());
            if let Some(over) = state.holds.filter(|held| offset * held.sign <= self.limit.max(OVER * held.level)) {
                state.holds = None;
                let (tail, ..) = state.split(next, self.filled);
                ended = ended.max(Some((until - MediaTime::from_millis(10 * tail as i64)).max(over.since)));
            }
            let kept = self.parts + usize::from(ends_part);
            if state.holds.is_none() && offset.abs() > self.limit && state.is_constant(next, hops, slot, kept) {
                let (tail, level, before) = state.split(next, self.filled);
                let back = if before * level > 0.5 * level * level { self.filled } else { tail };
                let since = until - MediaTime::from_millis(10 * back as i64);
                state.holds = Some(Offset { since, sign: offset.signum(), level: offset.abs() });
            }
            if let Some(held) = &mut state.holds {
                held.level = held.level.max(offset.abs());
                if worst.is_none_or(|(_, most)| offset.abs() > most) {
                    worst = Some((worst.map_or(held.since, |(earlier, _)| held.since.min(earlier)), offset.abs()));
                }
            }
        }
        self.next = (next + 1) % (2 * hops);
        self.parts = (self.parts + usize::from(ends_part)).min(PARTS_KEPT);
        match worst {
            Some((since, offset)) => {
                self.clear_since = None;
                Verdict::Faulty { since, score: offset as f32, class: 0 }
            }
            None if self.filled < hops => Verdict::Undecided,
            None => {
                Verdict::Clear { since: *self.clear_since.get_or_insert(ended.unwrap_or(until)), score: highest as f32 }
            }
        }
    }
}

impl Channel {
    fn add(&mut self, mean: f32, next: usize, hops: usize) {
        let leaves = self.means[(next + hops) % (2 * hops)];
        self.means[next] = mean;
        self.sum += f64::from(mean) - f64::from(leaves);
        if next == 0 {
            // Rounding does not add up.
            self.sum = self.mean(next, 0..hops) * hops as f64;
        }
    }

    /// The mean of a hop, counted back from the newest one.
    fn back(&self, newest: usize, back: usize) -> f64 {
        let count = self.means.len();
        f64::from(self.means[(newest + count - back) % count])
    }

    /// The mean of hops counted back from the newest one.
    fn mean(&self, newest: usize, hops: std::ops::Range<usize>) -> f64 {
        let count = hops.len() as f64;
        hops.map(|back| self.back(newest, back)).sum::<f64>() / count
    }

    /// Whether the mean of the window is a constant rather than slow noise.
    fn is_constant(&self, newest: usize, hops: usize, part: usize, parts: usize) -> bool {
        let mean = self.sum / hops as f64;
        let standard_error = |scale: usize| {
            let mut part_means = [0.0; SCALES[SCALES.len() - 1]];
            for (index, slot) in part_means[..scale].iter_mut().enumerate() {
                *slot = self.mean(newest, index * hops / scale..(index + 1) * hops / scale);
            }
            let scatter = part_means[..scale].iter().map(|part| (part - mean).powi(2)).sum::<f64>();
            (scatter / ((scale - 1) * scale) as f64).sqrt()
        };
        let error = SCALES.map(standard_error).into_iter().fold(SCATTER_MIN, f64::max);
        if mean.abs() < STANDARD_ERRORS * error {
            return false;
        }
        let part_at = |back: usize| self.parts[(part + PARTS_KEPT - back) % PARTS_KEPT];
        let parts = parts.min(PARTS_KEPT);
        let pairs = parts.saturating_sub(PARTS);
        let squares = (0..pairs).map(|back| (part_at(back) - part_at(back + PARTS)).powi(2)).sum::<f64>();
        let differs = if pairs > 0 { (0.5 * squares / pairs as f64).sqrt() } else { 0.0 };
        mean.abs() >= STEADINESS * differs
    }

    /// Splits the last `count` hops where their two parts differ most, by least squares: hops of the
    /// later part, its mean and that of the earlier one.
    fn split(&self, newest: usize, count: usize) -> (usize, f64, f64) {
        let total: f64 = (0..count).map(|back| self.back(newest, back)).sum();
        let (mut sum, mut most, mut best) = (0.0, f64::NEG_INFINITY, (count, total / count as f64, 0.0));
        for tail in 1..count {
            sum += self.back(newest, tail - 1);
            let (level, before) = (sum / tail as f64, (total - sum) / (count - tail) as f64);
            let explained = level * sum + before * (total - sum);
            if explained > most {
                (most, best) = (explained, (tail, level, before));
            }
        }
        best
    }
}

impl SoundJudge for DcOffset {
    fn listen(&mut self, frame: &AudioFrame, out: &mut Verdicts) {
        if self.channels.len() != frame.hops.channel_count() {
            self.reset(frame.hops.channel_count());
        }
        for (hop, channels) in frame.hops.iter() {
            let verdict = self.step(hop.at + hop.lasts, channels);
            if verdict != Verdict::Undecided {
                out.say(verdict);
            }
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

    use super::super::testing::{STEREO, Track, audio_track, build, lasting, level};
    use super::*;

    fn offset(mean: f32) -> ChannelHop {
        ChannelHop { mean, ..level(-20.0) }
    }

    fn found(profile: Profile, roles: &[ChannelRole], items: &[Item], hold: f64) -> Vec<(f64, Option<f64>)> {
        lasting(&mut *build(&KIND, profile, &audio_track(roles), &[]), items, hold)
    }

    #[test]
    fn an_offset_of_one_channel_is_told_from_its_onset_to_its_end() {
        let items = Track::new()
            .then(3.0, |_| vec![offset(0.0); 2])
            .then(4.0, |_| vec![offset(0.0), offset(-0.02)])
            .then(4.0, |_| vec![offset(0.0); 2]);
        assert_eq!(found(Profile::File, STEREO, &items.items, 2.0), [(3.0, Some(7.0))]);
    }

    #[test]
    fn an_offset_below_the_limit_is_none() {
        let items = Track::new().then(30.0, |_| vec![offset(0.004); 2]).items;
        assert_eq!(found(Profile::File, STEREO, &items, 2.0), []);
    }

    #[test]
    fn live_the_mean_is_taken_over_ten_seconds() {
        let items = Track::new().then(9.0, |_| vec![offset(0.02); 2]).then(9.0, |_| vec![offset(-0.02); 2]).items;
        assert_eq!(found(Profile::Ott, STEREO, &items, 10.0), []);
        let items = Track::new().then(22.0, |_| vec![offset(0.02); 2]).items;
        assert_eq!(found(Profile::Ott, STEREO, &items, 10.0), [(0.0, None)]);
    }

    /// Noise of hop means that is the slower the smaller `pace` is.
    fn slow_noise(seed: u64, pace: f32, level: f32) -> impl Fn(u64) -> Vec<ChannelHop> {
        let mut dice = seed;
        let (mut state, mut means) = (0.0_f32, Vec::new());
        for _ in 0..4_000 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state += pace * ((dice >> 40) as f32 / (1_u32 << 23) as f32 - 1.0 - state);
            means.push(level * state / pace.sqrt());
        }
        move |index| vec![offset(means[index as usize]); 2]
    }

    #[test]
    fn slow_noise_is_no_offset() {
        for seed in 1..9 {
            for pace in [1.0, 0.3, 0.1, 0.03] {
                let items = Track::new().then(40.0, slow_noise(seed, pace, 0.04)).items;
                assert_eq!(found(Profile::File, STEREO, &items, 2.0), [], "seed {seed}, pace {pace}");
            }
        }
    }

    #[test]
    fn an_offset_under_slow_noise_is_told_where_it_is() {
        for seed in 1..9 {
            let noise = slow_noise(seed, 0.5, 0.025);
            let with = |from: u64| {
                let noise = &noise;
                move |index: u64| {
                    noise(from + index)
                        .into_iter()
                        .map(|hop| offset(hop.mean + if from == 300 { 0.05 } else { 0.0 }))
                        .collect()
                }
            };
            let items = Track::new().then(3.0, with(0)).then(5.0, with(300)).then(4.0, with(800)).items;
            let told = found(Profile::File, STEREO, &items, 2.0);
            assert_eq!(told.len(), 1, "seed {seed}: {told:?}");
            let (start, end) = (told[0].0, told[0].1.unwrap_or(f64::NAN));
            assert!((start - 3.0).abs() <= 0.1 && (end - 8.0).abs() <= 0.1, "seed {seed}: {told:?}");
        }
    }

    #[test]
    fn sub_bass_and_lfe_are_no_offset() {
        let bass = |index: u64| vec![offset(0.3 * (index as f32 * 0.13).sin()); 2];
        assert_eq!(found(Profile::File, STEREO, &Track::new().then(20.0, bass).items, 2.0), []);
        let roles = [ChannelRole::Left, ChannelRole::Lfe];
        let items = Track::new().then(10.0, |_| vec![offset(0.0), offset(0.1)]).items;
        assert_eq!(found(Profile::File, &roles, &items, 2.0), []);
    }

    #[test]
    fn it_is_off_in_news() {
        assert!(!defaults(Profile::NewsSport).enabled && defaults(Profile::Radio).enabled);
    }
}
