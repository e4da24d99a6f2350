//! A stereo pair over the last 400 ms: how its channels go together, hop by hop.
//!
//! The correlation is `ρ = Σxy / √(Σx²·Σy²)` over the AC parts of 40 hops, and can be had only while
//! both channels are above −50 dBFS. A condition begins when ρ over the window says so; its onset is the
//! first of the hops in a row that say so by themselves, its end the first one that does not. Up to
//! two hops that say otherwise break no row: coding noise outweighs sound for so long. Plain state of
//! the detectors `phase` and `mono`; bounded, no allocation.

use avwatch_actors::detector::{Verdict, Verdicts};
use avwatch_actors::frame::{AudioFrame, ChannelHop, SoundHop};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::{CHANNELS_MAX, ChannelRole, TrackInfo};

use super::quiet::power_of;
use super::silence::roles_of;
use super::sound_judge::SoundJudge;

/// Hops in the window.
const WINDOW: usize = 40;
/// Both channels must be louder over the window.
const WINDOW_DBFS: f64 = -50.0;
/// A hop in which one is below this says nothing by itself.
const HOP_DBFS: f64 = -60.0;
/// With nothing to correlate for so long the condition does not hold.
const QUIET_MAX: MediaTime = MediaTime::from_millis(2_000);
/// Hops that do not break a row.
const STRAYS_MAX: u8 = 2;

/// Powers and covariance of a pair.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pair {
    left: f64,
    right: f64,
    product: f64,
}

impl Pair {
    /// The correlation; 0 when there is nothing to correlate.
    pub(super) fn correlation(&self) -> f64 {
        let scale = (self.left * self.right).sqrt();
        if scale > 0.0 { (self.product / scale).clamp(-1.0, 1.0) } else { 0.0 }
    }

    /// How much louder one channel is than the other, in dB.
    pub(super) fn imbalance_db(&self) -> f64 {
        (10.0 * (self.left / self.right).log10()).abs()
    }

    fn is_above(&self, dbfs: f64) -> bool {
        self.left.min(self.right) >= f64::from(power_of(dbfs))
    }
}

/// What a condition asks of a pair: over the window, and of a single hop.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub(super) over_window: fn(&Pair, f64) -> bool,
    pub(super) of_hop: fn(&Pair) -> bool,
    /// The correlation that is compared with over the window, to begin and to stay.
    pub(super) limits: (f64, f64),
    /// Judges what is left below some 5 kHz, where codecs put no noise of their own.
    pub(super) low: bool,
}

/// A row of hops that say the same.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    since: Option<MediaTime>,
    strays: u8,
}

impl Row {
    fn step(&mut self, at: MediaTime, belongs: bool) {
        if belongs {
            self.since.get_or_insert(at);
            self.strays = 0;
        } else if self.strays < STRAYS_MAX {
            self.strays += 1;
        } else {
            self.since = None;
        }
    }
}

/// Judges the pair of one track by a rule.
pub(super) struct PairJudge {
    rule: Rule,
    roles: [ChannelRole; CHANNELS_MAX],
    window: [Pair; WINDOW],
    filled: usize,
    next: usize,
    fits: Row,
    misfits: Row,
    /// Onset of the condition while it holds.
    holds: Option<MediaTime>,
    clear_since: Option<MediaTime>,
    quiet_since: Option<MediaTime>,
}

impl PairJudge {
    pub(super) fn new(track: &TrackInfo, rule: Rule) -> Self {
        Self::of(roles_of(track), rule)
    }

    fn of(roles: [ChannelRole; CHANNELS_MAX], rule: Rule) -> Self {
        Self {
            rule,
            roles,
            window: [Pair::default(); WINDOW],
            filled: 0,
            next: 0,
            fits: Row::default(),
            misfits: Row::default(),
            holds: None,
            clear_since: None,
            quiet_since: None,
        }
    }

    fn step(&mut self, hop: &SoundHop, left: &ChannelHop, right: &ChannelHop) -> Verdict {
        let facts = &hop.pair;
        let pair = if self.rule.low {
            Pair { left: facts.low_left.into(), right: facts.low_right.into(), product: facts.low_covariance.into() }
        } else {
            Pair { left: left.power.into(), right: right.power.into(), product: facts.covariance.into() }
        };
        self.window[self.next] = pair;
        self.next = (self.next + 1) % WINDOW;
        self.filled = (self.filled + 1).min(WINDOW);
        if pair.is_above(HOP_DBFS) {
            let fits = (self.rule.of_hop)(&pair);
            self.fits.step(hop.at, fits);
            self.misfits.step(hop.at, !fits);
        }
        let mut whole = Pair::default();
        for pair in &self.window[..self.filled] {
            whole.left += pair.left / self.filled as f64;
            whole.right += pair.right / self.filled as f64;
            whole.product += pair.product / self.filled as f64;
        }
        if self.filled < WINDOW || !whole.is_above(WINDOW_DBFS) {
            let since = *self.quiet_since.get_or_insert(hop.at);
            if self.filled < WINDOW || hop.at - since < QUIET_MAX {
                return Verdict::Undecided;
            }
            (self.fits, self.misfits, self.holds) = (Row::default(), Row::default(), None);
            return Verdict::Clear { since: *self.clear_since.get_or_insert(since), score: 0.0 };
        }
        self.quiet_since = None;
        let score = whole.correlation() as f32;
        let (begin, stay) = self.rule.limits;
        if (self.rule.over_window)(&whole, if self.holds.is_some() { stay } else { begin }) {
            let since = *self.holds.get_or_insert(self.fits.since.unwrap_or(hop.at));
            self.clear_since = None;
            Verdict::Faulty { since, score, class: 0 }
        } else {
            let ended = self.holds.take().map(|since| self.misfits.since.unwrap_or(hop.at).max(since));
            let since = *self.clear_since.get_or_insert(ended.unwrap_or(hop.at));
            Verdict::Clear { since, score }
        }
    }
}

impl SoundJudge for PairJudge {
    fn listen(&mut self, frame: &AudioFrame, out: &mut Verdicts) {
        let count = frame.hops.channel_count().min(self.roles.len());
        let Some((left, right)) = ChannelRole::stereo_pair(&self.roles[..count]) else { return };
        for (hop, channels) in frame.hops.iter() {
            let verdict = self.step(hop, &channels[left], &channels[right]);
            if verdict != Verdict::Undecided {
                out.say(verdict);
            }
        }
    }

    fn learn(&mut self, track: &TrackInfo) {
        let roles = roles_of(track);
        if roles != self.roles {
            *self = Self::of(roles, self.rule);
        }
    }

    fn begin(&mut self) {
        *self = Self::of(self.roles, self.rule);
    }
}
