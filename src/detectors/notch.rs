//! Notches: sound that vanishes for 5 to 500 ms and goes on as if nothing had been.
//!
//! What is left of lost samples after lossy coding or concealment. Told quarter hop by quarter hop
//! (2.5 ms) by power and by the power of the steps from sample to sample, since Opus rings on through a
//! gap with what is dull, and AC-3 fills it with what is bright: one of them is 18 dB down for two quarters
//! or more, the steps once by 20 dB, with at most two quarters of transition on either side, between two times
//! 50 ms without a dip below −14 dB, equally loud within 5 dB and equally bright within 3 dB. Two things
//! tell it from programme:
//!
//! - every channel that was heard is down by 10 dB meanwhile, and by 3 dB in level: a rest that one
//!   channel has for itself is a beat of its tones;
//! - in the second before there is hardly a dip: speech, applause and gated rhythms are full of them.
//!
//! From 37.5 ms on the sound has had time to change, so that 8 dB of loudness and 6 dB of brightness are
//! as good as the same; but then the second that follows must be without dips, too. Sound on the two
//! sides of a gap is never compared.
//!
//! Plain state of the detector `dropout`; bounded, no allocation while listening.

use avwatch_actors::frame::{ChannelHop, SoundHop};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::ChannelRole;

/// Quarters of steady sound on either side: 50 ms.
const STEADY: usize = 20;
/// Quarters of transition between sound and notch.
const EDGES: usize = 2;
/// Least quarters of a notch.
const LOW_MIN: usize = 2;
/// From one more on a notch must stand alone.
const SHORT_MAX: usize = 14;
/// Most quarters: 500 ms.
const LOW_MAX: usize = 200;
/// Quarters in which others are looked for: 1 s.
const AROUND: usize = 400;
/// Least quarters since the begin or a seam for a short notch.
const HEARD_MIN: usize = 200;
/// Dips that are looked over within [`AROUND`].
const DIPS_MAX: usize = 4;
/// Quarters that are kept of each channel: a notch and what is around it.
const KEPT: usize = 1_024;
/// Sound that is lower is not listened to: −40 dBFS.
const POWER_MIN: f32 = 1e-4;
/// Channels that are lower need not vanish: −50 dBFS.
const HEARD: f32 = 1e-5;
/// Shares of the steps' power around it: of a notch, of its edges, of a dip.
const LOW: f32 = 0.016;
/// The same of its lowest quarter.
const LOWEST: f32 = 0.01;
const EDGE: f32 = 0.25;
const DIP: f32 = 0.04;
/// The same of another channel meanwhile, and of its level.
const OTHER: f32 = 0.1;
const OTHER_LEVEL: f32 = 0.5;
/// How much louder or brighter, as a factor of power, the sound may be on one side: short ones, and long.
const LOUDER: [f32; 2] = [3.0, 6.0];
const BRIGHTER: [f32; 2] = [2.0, 4.0];
/// Hops that begin further from the end of the last one do not continue it.
const SEAM: MediaTime = MediaTime::from_millis(1);
const HOP: MediaTime = MediaTime::from_millis(10);

/// Power of the sound and of its steps.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    power: f32,
    slope: f32,
}

impl Level {
    /// Whether next to nothing is left of a level: coders fill a gap with what is low or with what is bright, not with both.
    fn is_low(self, before: Self) -> bool {
        self.slope < LOW * before.slope || self.power < LOW * before.power
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Sound, or what is too low to tell.
    Sound,
    /// Down since the quarter `from`; the notch began at `begin`.
    Low { from: usize, begin: MediaTime, before: Level },
    /// Not down any more from the quarter `to` on; back since the quarter `back`, if it is.
    After { from: usize, to: usize, begin: MediaTime, before: Level, back: Option<(usize, MediaTime)> },
    /// It goes on as before, and a second without dips makes it one.
    Alone { begin: MediaTime, end: MediaTime, after: Level, until: usize, dips: usize },
}

/// What is kept of one channel; quarter `n` is at `n % KEPT`.
struct Channel {
    quarters: Vec<Level>,
    state: State,
}

impl Channel {
    fn at(&self, quarter: usize) -> Level {
        self.quarters[quarter % KEPT]
    }

    fn mean(&self, quarters: std::ops::Range<usize>) -> Level {
        let count = quarters.len() as f32;
        let sum = quarters.fold(Level::default(), |sum, quarter| {
            let Level { power, slope } = self.at(quarter);
            Level { power: sum.power + power, slope: sum.slope + slope }
        });
        Level { power: sum.power / count, slope: sum.slope / count }
    }

    fn dips(&self, quarters: std::ops::Range<usize>, of: Level) -> usize {
        quarters.filter(|quarter| self.at(*quarter).slope < DIP * of.slope).count()
    }

    /// The level of steady sound that a quarter falls off from.
    fn falls(&self, quarter: usize) -> Option<Level> {
        let edge = quarter.checked_sub(EDGES + 1)?;
        let level = self.at(quarter);
        let full = self.at(edge);
        let may_be = Level { power: full.power / EDGE, slope: full.slope / EDGE };
        if quarter < HEARD_MIN || !level.is_low(may_be) {
            return None;
        }
        let span = edge + 1 - STEADY..edge + 1;
        let before = self.mean(span.clone());
        let falls = level.is_low(before) && full.slope >= EDGE * before.slope;
        let earlier = span.start.saturating_sub(AROUND)..span.start;
        (falls && before.power >= POWER_MIN && self.dips(span, before) == 0 && self.dips(earlier, before) <= DIPS_MAX)
            .then_some(before)
    }

    /// Whether this channel, if it was heard at all, was down meanwhile.
    fn is_down(&self, from: usize, to: usize) -> bool {
        let before = self.mean(from - EDGES - STEADY..from - EDGES);
        if before.power < HEARD {
            return true;
        }
        let inside = from + 1..(to - 1).max(from + 2);
        inside.into_iter().all(|quarter| self.at(quarter).slope <= OTHER * before.slope)
            && self.mean(from..to).power <= OTHER_LEVEL * before.power
    }
}

/// Follows all channels of one track.
pub(super) struct Notches {
    channels: Vec<Channel>,
    /// Quarters since the begin or the last seam.
    count: usize,
    /// End of the last hop.
    end: MediaTime,
}

impl Notches {
    pub(super) fn new(channels: usize) -> Self {
        let channel = |_| Channel { quarters: vec![Level::default(); KEPT], state: State::Sound };
        Self { channels: (0..channels).map(channel).collect(), count: 0, end: MediaTime::ZERO }
    }

    /// Takes the next hop; gives begin and end of a notch that was found.
    pub(super) fn step(
        &mut self,
        hop: &SoundHop,
        channels: &[ChannelHop],
        roles: &[ChannelRole],
    ) -> Option<(MediaTime, MediaTime)> {
        if hop.at.distance(self.end) > SEAM || hop.lasts.distance(HOP) > SEAM {
            self.forget();
        }
        self.end = hop.at + hop.lasts;
        let lasts = MediaTime::from_nanos(hop.lasts.as_nanos() / 4);
        let (mut found, mut at) = (None, hop.at);
        for quarter in 0..4 {
            for (state, facts) in self.channels.iter_mut().zip(channels) {
                let level = Level { power: facts.quarters[quarter], slope: facts.slopes[quarter] };
                state.quarters[self.count % KEPT] = level;
            }
            for channel in 0..self.channels.len().min(channels.len()) {
                if roles[channel] != ChannelRole::Lfe {
                    found = self.turn(channel, at, lasts, roles).or(found);
                }
            }
            self.count += 1;
            at += lasts;
        }
        found
    }

    /// The track ends: what waits for a second without dips will hear no more of them.
    pub(super) fn finish(&mut self) -> Option<(MediaTime, MediaTime)> {
        let waiting = |channel: &mut Channel| match channel.state {
            State::Alone { begin, end, .. } => {
                channel.state = State::Sound;
                Some((begin, end))
            }
            State::Sound | State::Low { .. } | State::After { .. } => None,
        };
        self.channels.iter_mut().filter_map(waiting).last()
    }

    /// What comes does not continue what was.
    fn forget(&mut self) {
        self.count = 0;
        self.channels.iter_mut().for_each(|channel| channel.state = State::Sound);
    }

    /// Judges the newest quarter, which begins at `at`, of one channel.
    fn turn(
        &mut self,
        channel: usize,
        at: MediaTime,
        lasts: MediaTime,
        roles: &[ChannelRole],
    ) -> Option<(MediaTime, MediaTime)> {
        let (now, state) = (self.count, &self.channels[channel]);
        let slope = state.at(now).slope;
        let (next, found) = match state.state {
            State::Sound => match state.falls(now) {
                Some(before) => {
                    let edges = (1..=EDGES).take_while(|back| state.at(now - back).slope < EDGE * before.slope);
                    let begin = edges.fold(at, |begin, _| begin - lasts);
                    (State::Low { from: now, begin, before }, None)
                }
                None => (State::Sound, None),
            },
            State::Low { from, before, .. } if state.at(now).is_low(before) => {
                (if now - from < LOW_MAX { state.state } else { State::Sound }, None)
            }
            State::Low { from, begin, before } if now - from >= LOW_MIN => {
                let back = (slope >= EDGE * before.slope).then_some((now, at));
                (State::After { from, to: now, begin, before, back }, None)
            }
            State::Low { .. } => (State::Sound, None),
            State::After { from, to, begin, before, back: None } => {
                let back = (slope >= EDGE * before.slope).then_some((now, at));
                let waits = back.is_some() || now < to + EDGES;
                (if waits { State::After { from, to, begin, before, back } } else { State::Sound }, None)
            }
            State::After { back: Some((back, _)), .. } if now < back + STEADY => (state.state, None),
            State::After { from, to, begin, before, back: Some((back, end)) } => {
                self.goes_on(channel, (from, to, back), (begin, end), before, roles)
            }
            State::Alone { begin, end, after, until, dips } => {
                let dips = dips + usize::from(slope < DIP * after.slope);
                match (dips > DIPS_MAX, now >= until) {
                    (true, _) => (State::Sound, None),
                    (false, true) => (State::Sound, Some((begin, end))),
                    (false, false) => (State::Alone { begin, end, after, until, dips }, None),
                }
            }
        };
        self.channels[channel].state = next;
        found
    }

    /// Whether the sound since the quarter `back` is what was there before.
    fn goes_on(
        &mut self,
        channel: usize,
        (from, to, back): (usize, usize, usize),
        (begin, end): (MediaTime, MediaTime),
        before: Level,
        roles: &[ChannelRole],
    ) -> (State, Option<(MediaTime, MediaTime)>) {
        let state = &self.channels[channel];
        // The first quarter may have begun inside.
        let span = back + 1..back + 1 + STEADY;
        let after = state.mean(span.clone());
        let long = usize::from(to - from > SHORT_MAX);
        let within = |one: f32, two: f32, ratio: f32| one <= ratio * two && two <= ratio * one;
        let is_same = within(after.power, before.power, LOUDER[long])
            && within(after.slope * before.power, before.slope * after.power, BRIGHTER[long]);
        let mut heard = self.channels.iter().zip(roles).filter(|(_, role)| **role != ChannelRole::Lfe);
        let is_deep = (from..to).any(|quarter| state.at(quarter).slope < LOWEST * before.slope);
        if !is_same || !is_deep || state.dips(span, after) > 0 || !heard.all(|(other, _)| other.is_down(from, to)) {
            return (State::Sound, None);
        }
        if long == 1 {
            let heard_enough = from >= AROUND + STEADY;
            // A little longer than lost samples wait, which are exact.
            let until = back + AROUND + STEADY;
            let alone = State::Alone { begin, end, after, until, dips: 0 };
            return (if heard_enough { alone } else { State::Sound }, None);
        }
        // Another one soon after is not to count it as a dip.
        for quarter in from - EDGES..to + EDGES {
            self.channels[channel].quarters[quarter % KEPT] = before;
        }
        (State::Sound, Some((begin, end)))
    }
}
