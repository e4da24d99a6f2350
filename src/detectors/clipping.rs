//! Clipping: the waveform is cut off at one level, at full scale or, turned down later, below it.
//!
//! Looked for over the last second of each channel but LFE, with peaks above −26 dBFS. Four kinds of
//! evidence:
//!
//! - *plateaus*: at least three samples in a row within 0.2 % of the peak of their half wave, with a
//!   corner at both ends, within 1 % of the second's highest sample. They make up `share` of the
//!   samples or more. A sine, however low, has no corners; a limiter leaves no plateaus.
//! - *flat tops*, for what was clipped before lossy coding, which turns plateaus into ripples: half
//!   waves that hold 85 % of their peak for more than 70 % of the width at which they hold 50 % (a sine:
//!   53 %), all at one level within ±6 %, three times as many samples. Chords whose half waves differ less are told, too: where
//!   they are a fifth of all, by slow ripples on the tops, which square waves lack; and near full scale, where decoding carries
//!   samples beyond it.
//! - *ties*, for what is cut off rarely: over two seconds a quarter as many samples are exactly as high as
//!   the highest one, and nearly as many as are a little lower. Noise and music have one or two such
//!   samples, a limiter has many more below its ceiling than at it.
//! - *overs*: decoders give back what was clipped before lossy coding as samples beyond full scale, four
//!   times as many on all channels together. Whoever plays them cuts them off.
//!
//! A synthesiser draws level tops as well. So half waves must differ in length from one to the
//! next, which those of a steady square wave or of a clipped test tone do not (unless it is clipped
//! at full scale, where nothing but clipping looks so), and level runs elsewhere in the waveform, as
//! stairs and chords of square waves have, must be fewer than at the top. Lightly clipped sound, and noise
//! that was turned down, are not recognised any more after lossy coding. The condition spans from the first to
//! the last half wave with such a top. Score: the share of such samples in the last second, in percent.
//!
//! Sources: own measurements. Unclipped and limited programme has less than 0.02 % in plateaus, 6 dB too
//! much gives 1 to 9 %, 12 dB 19 to 37 %; after AAC or MP2 at 96 kbit/s 12 dB too much give 0.5 to 31 %
//! in flat tops, clean programme less than 0.1 %. Noise 18 dB too loud has 4 to 9 % of overs after AAC and Opus, music
//! limited to 0.9 and coded at 64 kbit/s less than 0.2 %. Hold times are the published defaults.
//!
//! Owned by the sound actor of a stream, on its arbiter. Sees facts only.

use std::sync::Arc;

use avwatch_actors::detector::{LaneKind, Precedence, Situation, Verdict, Verdicts, Worse};
use avwatch_actors::frame::{AudioFrame, CeilingFacts, ChannelHop, SoundHop, TopFacts};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::Warning;
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{CHANNELS_MAX, ChannelRole, TrackInfo, TrackKind};

use super::kind::lasted;
use super::silence::roles_of;
use super::sound_judge::{OfSound, SoundJudge};
use super::table::{Table, info_only};
use super::{Defaults, DetectorKind, OptionDoc, OptionValue};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 205,
    name: "clipping",
    summary: "The waveform is cut off at full scale, or was before it was turned down",
    unit: "%",
    worse: Worse::Higher,
    lanes: &[LaneKind::Sound],
    precedence: Precedence::Rest,
    cheapest: Tier::Audio,
    standard_ref: None,
    source: "Own measurements: clean and limited programme below 0.02 %, 6 dB too much 1 % and more",
    options: &[OptionDoc {
        name: "share",
        doc: "Share of samples on plateaus in a second, in percent, from which on sound is clipped.",
        default: |_| OptionValue::Number(0.1),
        range: (0.02, 50.0),
    }],
    defaults,
    needs: |_, plan| {
        plan.sound = true;
        plan.tops = true;
    },
    threshold: |options| Some(options.number("share") as f32),
    class_limits: |_| None,
    applies: |track| track.track.kind == TrackKind::Audio,
    message: |situation: &Situation| {
        format!("sound clipped for {}, up to {:.1} % of samples", lasted(situation), situation.peak)
    },
    build: |options, _| {
        let share = options.number("share") as f32 / 100.0;
        Arc::new(move |track: &TrackInfo| OfSound::boxed(track, Clipping::new(track, share)))
    },
};

fn defaults(profile: Profile) -> Defaults {
    let live = &[(3_000, Warning)];
    let mut defaults = Table { live, fast: live, file: &[(2_000, Warning)] }.defaults(profile);
    defaults.secondary_steps = Some(info_only(&defaults.steps));
    defaults
}

/// Hops in the window, and in that of ties.
const WINDOW: usize = 100;
const LONG: usize = 200;
/// Judged once in so many hops.
const JUDGED_EVERY: usize = 5;
/// Plateaus this close to the highest sample, and to each other, are at one level.
const PLATEAU_SPREAD: f32 = 0.01;
/// Samples above this share of the highest one are near it.
const NEAR: f32 = 0.95;
/// Flat tops this close to each other are at one level.
const FLAT_SPREAD: f32 = 0.06;
/// Flat tops lower than this share of the highest sample are no rail: coding adds overshoot, not half as much again.
const FLAT_HEIGHT: f32 = 0.6;
/// How many more samples must be in flat tops than in plateaus.
const FLAT_FACTOR: f32 = 3.0;
/// Least relative change of length from half wave to half wave, by plateaus and by flat tops.
const VARIETY: f32 = 0.3;
const FLAT_VARIETY: f32 = 0.6;
/// From this share of samples in flat tops on they may differ less, if there are so many more turns than stairs.
const BROAD: f32 = 0.2;
const BROAD_VARIETY: f32 = 0.15;
const BROAD_TURNS: f32 = 10.0;
/// Where samples lie beyond full scale, tops from this level on may differ less, too, if there are so many more of them than is
/// enough otherwise.
const HIGH: f32 = 0.85;
const HIGH_FACTOR: f32 = 2.0;
/// From here on a plateau is at full scale: the highest sample of 16 bits is 0.99997.
const FULL_SCALE: f32 = 0.999_9;
/// Samples this close to the highest one are as high: two steps of 16 bits.
const TIE: f32 = 2.0 / 32_768.0;
/// Ties that are as good as plateaus, as a share of those, and as one of the samples a little lower.
const TIES: f32 = 0.25;
const TIES_NEAR: f32 = 0.85;
/// How many more overs there must be than samples in plateaus.
const OVERS: f32 = 4.0;
/// Share of what makes clipping by flat tops, ties or overs that is enough for it to stay.
const STAY: f32 = 0.4;
/// Evidence this far apart belongs together.
const APART: MediaTime = MediaTime::from_millis(300);

/// What is kept of a hop of one channel.
#[derive(Clone, Copy, Default)]
struct Kept {
    at: MediaTime,
    until: MediaTime,
    peak: f32,
    tops: TopFacts,
    ceiling: CeilingFacts,
}

/// What the last second of one channel says.
#[derive(Clone, Copy, Default)]
struct Opinion {
    share: f32,
    is_clipped: bool,
    first: Option<MediaTime>,
    last: Option<MediaTime>,
}

impl Opinion {
    /// Adds that of another channel.
    fn add(&mut self, other: &Self) {
        let earlier = |one: Option<MediaTime>, two: Option<MediaTime>| one.into_iter().chain(two).min();
        self.share += other.share;
        self.first = earlier(self.first, other.first);
        self.last = self.last.max(other.last);
    }
}

struct Clipping {
    share: f32,
    roles: [ChannelRole; CHANNELS_MAX],
    /// The window of each channel, one after the other, as rings with one place.
    kept: Vec<Kept>,
    channels: usize,
    next: usize,
    filled: usize,
    until_judged: usize,
    holds: Option<MediaTime>,
    last: MediaTime,
    clear_since: Option<MediaTime>,
}

impl Clipping {
    fn new(track: &TrackInfo, share: f32) -> Self {
        Self {
            share,
            roles: roles_of(track),
            kept: Vec::new(),
            channels: 0,
            next: 0,
            filled: 0,
            until_judged: JUDGED_EVERY,
            holds: None,
            last: MediaTime::ZERO,
            clear_since: None,
        }
    }

    fn reset(&mut self, channels: usize) {
        self.channels = channels;
        self.kept.clear();
        self.kept.resize(channels * LONG, Kept::default());
        (self.next, self.filled, self.until_judged) = (0, 0, JUDGED_EVERY);
        (self.holds, self.last, self.clear_since) = (None, MediaTime::ZERO, None);
    }

    fn keep(&mut self, hop: &SoundHop, channels: &[ChannelHop]) {
        for (number, channel) in channels.iter().enumerate() {
            let (at, until) = (hop.at, hop.at + hop.lasts);
            let ChannelHop { peak, tops, ceiling, .. } = *channel;
            self.kept[number * LONG + self.next] = Kept { at, until, peak, tops, ceiling };
        }
        self.next = (self.next + 1) % LONG;
        self.filled = (self.filled + 1).min(LONG);
    }

    fn judge(&mut self, now: MediaTime) -> Verdict {
        let only_lfe = self.roles[..self.channels.min(CHANNELS_MAX)].iter().all(|role| *role == ChannelRole::Lfe);
        let mut worst = Opinion::default();
        let mut overs = Opinion::default();
        for (channel, role) in (0..self.channels).zip(self.roles) {
            if role == ChannelRole::Lfe && !only_lfe {
                continue;
            }
            let opinion = self.opinion(channel);
            if (opinion.is_clipped, opinion.share) > (worst.is_clipped, worst.share) {
                worst = opinion;
            }
            overs.add(&self.evidence(channel, WINDOW, |kept| kept.ceiling.over));
        }
        overs.is_clipped = overs.share >= OVERS * self.share * self.ease();
        if (overs.is_clipped, overs.share) > (worst.is_clipped, worst.share) {
            worst = overs;
        }
        let score = 100.0 * worst.share;
        if worst.is_clipped {
            // What was told before is over, and not told twice.
            let since = *self.holds.get_or_insert(worst.first.unwrap_or(now).max(self.last));
            self.last = worst.last.unwrap_or(now);
            self.clear_since = None;
            return Verdict::Faulty { since, score, class: 0 };
        }
        let ended = self.holds.take().map(|since| self.last.max(since));
        Verdict::Clear { since: *self.clear_since.get_or_insert(ended.unwrap_or(now)), score }
    }

    /// Less is enough for clipping to stay than to begin.
    fn ease(&self) -> f32 {
        if self.holds.is_some() { STAY } else { 1.0 }
    }

    /// The last hops of a channel, the newest first.
    fn window(&self, channel: usize, hops: usize) -> impl Iterator<Item = &Kept> {
        let (newer, older) = self.kept[channel * LONG..(channel + 1) * LONG].split_at(self.next);
        newer.iter().rev().chain(older.iter().rev()).take(self.filled.min(hops))
    }

    fn opinion(&self, channel: usize) -> Opinion {
        let mut sum = TopFacts::default();
        let mut peak = 0.0_f32;
        for kept in self.window(channel, WINDOW) {
            peak = peak.max(kept.peak);
            sum.waves += kept.tops.waves;
            sum.length += kept.tops.length;
            sum.unrest += kept.tops.unrest;
            sum.stairs += kept.tops.stairs;
            sum.turns += kept.tops.turns;
            sum.flat += kept.tops.flat;
        }
        if sum.waves == 0.0 {
            return Opinion::default();
        }
        // Independent lengths differ from each other by √2 times their deviation.
        let variety = (0.5 * sum.unrest / sum.waves).sqrt() / (sum.length / sum.waves);
        let plateaus = self.at_level(channel, peak, PLATEAU_SPREAD, |tops| (tops.plateau, tops.plateau_level));
        let is_varied = variety >= VARIETY || peak >= FULL_SCALE;
        if plateaus.share >= self.share && plateaus.share * WINDOW as f32 >= 2.0 * sum.stairs && is_varied {
            return Opinion { is_clipped: true, ..plateaus };
        }
        if variety >= FLAT_VARIETY {
            let ties = self.ties(channel);
            if ties.is_clipped {
                return ties;
            }
        }
        let least = FLAT_FACTOR * self.share * self.ease();
        if sum.flat < least * WINDOW as f32 || variety < BROAD_VARIETY {
            return plateaus;
        }
        let (level, flat) = self.densest_flat(channel, FLAT_HEIGHT * peak);
        let elsewhere = 1.5 * (sum.turns + sum.stairs) * self.ease();
        let is_varied = variety >= FLAT_VARIETY && flat.share >= least && flat.share * WINDOW as f32 >= elsewhere;
        let is_broad = flat.share >= BROAD * self.ease() && sum.turns >= BROAD_TURNS * sum.stairs;
        let is_high = peak > 1.0
            && level >= HIGH
            && variety >= VARIETY
            && flat.share * WINDOW as f32 >= HIGH_FACTOR * elsewhere.max(least * WINDOW as f32);
        Opinion { is_clipped: is_varied || is_broad || is_high, ..flat }
    }

    /// The samples that are exactly as high as the highest one of the long window.
    fn ties(&self, channel: usize) -> Opinion {
        let peak = self.window(channel, LONG).fold(0.0_f32, |peak, kept| peak.max(kept.peak));
        let is_tied = |kept: &Kept| kept.peak >= peak - TIE;
        let mut opinion = self.evidence(channel, LONG, |kept| if is_tied(kept) { kept.ceiling.ties } else { 0.0 });
        let (mut near, mut stairs) = (0.0, 0.0);
        for kept in self.window(channel, LONG) {
            stairs += kept.tops.stairs;
            if is_tied(kept) {
                near += kept.ceiling.near;
            } else if kept.peak >= NEAR * peak {
                near += kept.ceiling.near + kept.ceiling.ties;
            }
        }
        opinion.is_clipped = opinion.share >= TIES * self.share * self.ease()
            && opinion.share * LONG as f32 >= TIES_NEAR * near * self.ease()
            && opinion.share * LONG as f32 >= 2.0 * stairs;
        opinion
    }

    /// How large a share of a window is evidence, and from when until when there is any.
    fn evidence(&self, channel: usize, hops: usize, part: impl Fn(&Kept) -> f32) -> Opinion {
        let mut opinion = Opinion::default();
        for kept in self.window(channel, hops) {
            let share = part(kept);
            if share > 0.0 {
                opinion.share += share / hops as f32;
                opinion.last.get_or_insert(kept.until);
                opinion.first = Some(kept.at);
            }
        }
        opinion
    }

    /// The level at which there are most flat tops, if one is high enough, and those at it.
    fn densest_flat(&self, channel: usize, lowest: f32) -> (f32, Opinion) {
        let mut densest = (0.0, Opinion::default());
        for kept in self.window(channel, WINDOW).filter(|kept| kept.tops.flat > 0.0 && kept.tops.flat_level >= lowest) {
            let opinion =
                self.at_level(channel, kept.tops.flat_level, FLAT_SPREAD, |tops| (tops.flat, tops.flat_level));
            if opinion.share > densest.1.share {
                densest = (kept.tops.flat_level, opinion);
            }
        }
        densest
    }

    /// What of the window is at that level: `part` gives a hop's share and its level.
    fn at_level(&self, channel: usize, level: f32, spread: f32, part: fn(&TopFacts) -> (f32, f32)) -> Opinion {
        let mut opinion = Opinion::default();
        for kept in self.window(channel, WINDOW) {
            let (share, at) = part(&kept.tops);
            if share == 0.0 || (at - level).abs() > spread * level {
                continue;
            }
            opinion.share += share / WINDOW as f32;
            opinion.last.get_or_insert(kept.until);
            if opinion.first.is_none_or(|first| first - kept.until <= APART) {
                opinion.first = Some(kept.at);
            }
        }
        opinion
    }
}

impl SoundJudge for Clipping {
    fn listen(&mut self, frame: &AudioFrame, out: &mut Verdicts) {
        if self.channels != frame.hops.channel_count() {
            self.reset(frame.hops.channel_count());
        }
        for (hop, channels) in frame.hops.iter() {
            self.keep(hop, channels);
            self.until_judged -= 1;
            if self.until_judged == 0 {
                self.until_judged = JUDGED_EVERY;
                out.say(self.judge(hop.at));
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
#[path = "clipping_tests.rs"]
mod tests;
