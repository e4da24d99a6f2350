//! Quiet runs: since when a signal is silent, told hop by hop, whatever its DC offset and despite
//! a click now and then.
//!
//! A hop of 10 ms is loud when its AC power reaches the level, or when the AC power of the last
//! 100 ms does (low tones hide from a single hop). Up to three loud hops in a row are a click and do
//! not end a run, if it is quiet for half a second before and after them and no other click was in
//! the second before. Sound that comes sooner ends the run at the click, later sound at itself.
//! While a run lasts, loud means 3 dB above the level. Plain state of the sound detectors; bounded,
//! no allocation.

use avwatch_actors::frame::{ChannelHop, SoundHop};
use avwatch_actors::media_time::MediaTime;

/// A run, once begun, ends only at this much above the level.
const HYSTERESIS_DB: f64 = 3.0;
/// Hops over which low tones are looked for: 100 ms.
const SPAN: usize = 10;
/// A click lasts no longer than this: coding smears one sample over so much.
pub(super) const CLICK_LASTS: MediaTime = MediaTime::from_millis(30);
/// Quiet of this length before and after it makes a click.
const CLICK_APART: MediaTime = MediaTime::from_millis(500);
/// Two clicks are at least so far apart.
const CLICKS_APART: MediaTime = MediaTime::from_millis(1_000);

/// Converts a level in dBFS to a mean square.
pub(super) fn power_of(dbfs: f64) -> f32 {
    10f64.powf(dbfs / 10.0) as f32
}

/// Converts a mean square to dBFS, −200 for none.
pub(super) fn dbfs_of(power: f32) -> f32 {
    ChannelHop { power, ..ChannelHop::default() }.level_dbfs()
}

/// The last 100 ms of one channel.
#[derive(Clone, Debug, Default)]
pub(super) struct ChannelSpan {
    means: [f32; SPAN],
    powers: [f32; SPAN],
    filled: usize,
    next: usize,
}

impl ChannelSpan {
    /// The AC power of the next hop or of the last 100 ms, whichever is more.
    ///
    /// A hop that is loud by itself starts the span afresh: so the end of sound is exact to the
    /// hop, and a step of the DC offset that comes with it is not taken for sound.
    pub(super) fn power(&mut self, hop: &ChannelHop, limit: f32) -> f32 {
        if hop.power >= limit {
            self.filled = 0;
            self.next = 0;
            return hop.power;
        }
        self.means[self.next] = hop.mean;
        self.powers[self.next] = hop.power;
        self.next = (self.next + 1) % SPAN;
        self.filled = (self.filled + 1).min(SPAN);
        let count = self.filled as f32;
        let mean = self.means[..self.filled].iter().sum::<f32>() / count;
        let mut power = 0.0;
        for (hop_mean, hop_power) in self.means[..self.filled].iter().zip(&self.powers) {
            power += hop_power + (hop_mean - mean) * (hop_mean - mean);
        }
        hop.power.max(power / count)
    }
}

/// How a signal stands after a hop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Quiet {
    /// Silent since then.
    Silent(MediaTime),
    /// Silent but for this very hop, which the next ones will explain.
    Clicked,
    /// Not silent since then.
    Loud(MediaTime),
}

/// Joins hops to runs. One per signal: a channel, or a track taken as a whole.
#[derive(Clone, Debug)]
pub(super) struct QuietRun {
    enter: f32,
    stay: f32,
    /// Begin of the run that lasts now.
    run: Option<MediaTime>,
    /// Begin and end of the newest tolerated click of the run.
    click: Option<(MediaTime, MediaTime)>,
    /// Since when there is no run.
    loud_since: Option<MediaTime>,
}

impl QuietRun {
    /// A signal that is silent below that level in dBFS.
    pub(super) fn new(level_dbfs: f64) -> Self {
        Self {
            enter: power_of(level_dbfs),
            stay: power_of(level_dbfs + HYSTERESIS_DB),
            run: None,
            click: None,
            loud_since: None,
        }
    }

    /// The AC power from which on the next hop is loud.
    pub(super) fn limit(&self) -> f32 {
        if self.run.is_some() { self.stay } else { self.enter }
    }

    /// Takes the next hop with its AC power.
    pub(super) fn step(&mut self, hop: &SoundHop, power: f32) -> Quiet {
        if power < self.limit() {
            self.loud_since = None;
            return Quiet::Silent(*self.run.get_or_insert(hop.at));
        }
        let until = hop.at + hop.lasts;
        match (self.run, self.click) {
            (Some(_), Some((from, to))) if hop.at == to && until - from <= CLICK_LASTS => {
                self.click = Some((from, until));
                Quiet::Clicked
            }
            (Some(_), Some((from, to))) if hop.at - to < CLICK_APART => self.end(from),
            (Some(_), Some((_, to))) if hop.at - to < CLICKS_APART => self.end(hop.at),
            (Some(run), None) if hop.at - run < CLICK_APART => self.end(hop.at),
            (Some(_), _) => {
                self.click = Some((hop.at, until));
                Quiet::Clicked
            }
            (None, _) => Quiet::Loud(*self.loud_since.get_or_insert(hop.at)),
        }
    }

    /// Ends the run: there has been sound since then.
    fn end(&mut self, since: MediaTime) -> Quiet {
        self.run = None;
        self.click = None;
        self.loud_since = Some(since);
        Quiet::Loud(since)
    }
}
