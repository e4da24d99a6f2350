//! Notches: sound that vanishes for 5 to 35 ms and goes on as if nothing had been.
//!
//! What is left of lost samples after lossy coding or concealment. Told quarter hop by quarter hop
//! (2.5 ms) by level: at least 20 dB down for two quarters or more, with one quarter of transition on either
//! side, between two times 50 ms without another dip below −14 dB, equally loud within 3 dB and equally bright
//! within 2 dB. Speech does the first, and beats, tremolo and vocal fry do the second, but none
//! of them both. Plain state of the detector `dropout`; bounded, no allocation.

use avwatch_actors::frame::{ChannelHop, SoundHop};
use avwatch_actors::media_time::MediaTime;

/// Quarters of steady sound on either side: 50 ms.
const STEADY: usize = 20;
/// Quarters kept: one more, for the transition.
const KEPT: usize = STEADY + 1;
/// Most quarters of a notch: 35 ms.
const LOW_MAX: u8 = 14;
/// Least ones.
const LOW_MIN: u8 = 2;
/// Sound that is lower is not listened to: −40 dBFS.
const POWER_MIN: f32 = 1e-4;
/// Shares of the power around it: of a notch, until it is over, of a transition, of a dip.
const LOW: f32 = 0.01;
const LOW_STILL: f32 = 0.016;
const EDGE: f32 = 0.25;
const DIP: f32 = 0.04;
/// How much louder or brighter, as a factor of power, the sound may be on one side.
const POWER_RATIO: f32 = 2.0;
const BRIGHTNESS_RATIO: f32 = 1.6;

/// The power of a quarter hop, and the squared steps from sample to sample of its hop.
#[derive(Clone, Copy, Debug, Default)]
struct Quarter {
    power: f32,
    slope: f32,
}

/// Power and brightness of [`STEADY`] quarters without a dip.
#[derive(Clone, Copy, Debug)]
struct Steady {
    power: f32,
    brightness: f32,
}

impl Steady {
    /// None if there are dips in them. `bright` are those whose whole hop is outside the notch.
    fn of(quarters: &[Quarter], bright: std::ops::Range<usize>) -> Option<Self> {
        let power = quarters.iter().map(|quarter| quarter.power).sum::<f32>() / quarters.len() as f32;
        let is_steady = power >= POWER_MIN && quarters.iter().all(|quarter| quarter.power >= DIP * power);
        let (slopes, powers) = quarters[bright]
            .iter()
            .fold((0.0, 0.0), |(slopes, powers), quarter| (slopes + quarter.slope, powers + quarter.power));
        is_steady.then_some(Self { power, brightness: slopes / powers })
    }

    fn goes_on_as(&self, other: &Self) -> bool {
        let within = |one: f32, two: f32, ratio: f32| one <= ratio * two && two <= ratio * one;
        within(self.power, other.power, POWER_RATIO) && within(self.brightness, other.brightness, BRIGHTNESS_RATIO)
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Sound, or what is too low to tell.
    Sound,
    /// Down since then.
    Low { from: MediaTime, before: Steady, count: u8 },
    /// Back since `to`; listening whether it goes on as before.
    After { from: MediaTime, to: MediaTime, before: Steady },
}

/// Follows one channel.
#[derive(Clone, Debug)]
pub(super) struct NotchTracker {
    state: State,
    quarters: [Quarter; KEPT],
    filled: usize,
}

impl NotchTracker {
    pub(super) fn new() -> Self {
        Self { state: State::Sound, quarters: [Quarter::default(); KEPT], filled: 0 }
    }

    /// Takes the next hop; gives begin and end of a notch that was found.
    pub(super) fn step(&mut self, hop: &SoundHop, channel: &ChannelHop) -> Option<(MediaTime, MediaTime)> {
        let lasts = MediaTime::from_nanos(hop.lasts.as_nanos() / 4);
        let mut found = None;
        let mut at = hop.at;
        for power in channel.quarters {
            found = self.quarter(at, at + lasts, Quarter { power, slope: channel.slope }).or(found);
            at += lasts;
        }
        found
    }

    fn quarter(&mut self, at: MediaTime, until: MediaTime, quarter: Quarter) -> Option<(MediaTime, MediaTime)> {
        match self.state {
            State::Sound => {
                if let Some((from, before)) = self.falls(at, until - at, quarter.power) {
                    self.state = State::Low { from, before, count: 1 };
                    self.filled = 0;
                } else {
                    self.keep(quarter);
                }
                None
            }
            State::Low { from, before, count } => {
                if quarter.power < LOW_STILL * before.power {
                    self.state =
                        if count < LOW_MAX { State::Low { from, before, count: count + 1 } } else { State::Sound };
                } else if count < LOW_MIN {
                    self.state = State::Sound;
                } else {
                    // This quarter is the transition, unless the sound is already back.
                    let is_back = quarter.power >= EDGE * before.power;
                    let to = if is_back { at } else { until };
                    self.state = State::After { from, to, before };
                    if is_back {
                        self.keep(quarter);
                    }
                }
                None
            }
            State::After { from, to, before } => {
                if self.filled == 0 && quarter.power < EDGE * before.power {
                    self.state = State::Sound;
                    return None;
                }
                self.keep(quarter);
                if self.filled < STEADY {
                    return None;
                }
                self.state = State::Sound;
                // The first hop after it may have begun inside.
                let after = Steady::of(&self.quarters[..STEADY], 4..STEADY)?;
                after.goes_on_as(&before).then_some((from, to))
            }
        }
    }

    /// Whether a quarter falls off from steady sound: since when, and from what.
    fn falls(&self, at: MediaTime, lasts: MediaTime, power: f32) -> Option<(MediaTime, Steady)> {
        if self.filled < KEPT || power >= LOW / DIP * self.quarters[KEPT - 2].power {
            return None;
        }
        // The hop of the newest quarters may reach into the notch.
        let before = Steady::of(&self.quarters[..STEADY], 0..STEADY - 4)?;
        let is_sharp = power < LOW * before.power && self.quarters[KEPT - 2].power >= EDGE * before.power;
        let transition = self.quarters[KEPT - 1].power < EDGE * before.power;
        is_sharp.then_some((if transition { at - lasts } else { at }, before))
    }

    fn keep(&mut self, quarter: Quarter) {
        if self.filled == KEPT {
            self.quarters.copy_within(1.., 0);
            self.filled -= 1;
        }
        self.quarters[self.filled] = quarter;
        self.filled += 1;
    }
}
