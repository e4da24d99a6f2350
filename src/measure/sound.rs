//! The sound measurer: facts of every 10 ms hop, loudness and true peak of one audio track.
//!
//! One per audio track, owned by the session's decoding thread. Hops end at fixed sample numbers,
//! whatever blocks the decoder delivers, and are carried across blocks. It may never wait, judge or
//! keep a block. Samples that are not finite count as 0.

use std::array;

use avwatch_actors::frame::{CeilingFacts, ChannelHop, LoudnessReading, PairFacts, SoundHop, SoundHops};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::{CHANNELS_MAX, ChannelRole};

use super::cost::Timed;
use super::echoes::EchoTracker;
use super::kernels::{
    Cpu, Run, TRUE_PEAK_GAIN_MAX, TRUE_PEAK_TAPS, ceiling_counts, group_means, hop_sums, interpolated_peak,
    product_sum, quarter_bounds, quarters,
};
use super::loudness::LoudnessMeter;
use super::lulls::LullTracker;
use super::mains::MainsMeter;
use super::plan::MeasurePlan;
use super::tops::{PEAK_MIN, TopTracker};

/// Sample rates that are measured; others count as the nearest of these.
const SAMPLE_RATES: (u32, u32) = (2_000, 768_000);
/// Length of a hop.
const HOP: MediaTime = MediaTime::from_millis(10);
/// Hops in a second.
const HOPS_PER_SECOND: u64 = 100;
/// Hops between two readings of loudness: 100 ms.
const HOPS_PER_READING: u32 = 10;
/// How far the timestamps of blocks may be off the count of samples before the count gives in.
const DRIFT_MAX: MediaTime = MediaTime::from_millis(5);
/// Samples that the true-peak filter needs from before a hop.
const HISTORY: usize = TRUE_PEAK_TAPS - 1;
/// −3 dBTP, the strictest limit in use: every hop that might exceed it gets its true peak measured.
const TRUE_PEAK_OF_INTEREST: f32 = 0.708;
/// Samples are averaged down to so many a second where only what is low counts.
const LOW_GROUPS_HZ: u32 = 6_000;
/// Power from which on a channel carries sound, as far as echoes are concerned: −50 dBFS.
const SOUND_POWER: f32 = 1e-5;

/// Everything measured of one block of samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SoundMeasures {
    /// The hops that were completed; empty unless the plan asks for sound or true peak.
    pub hops: SoundHops,
    /// A reading, at most one every 100 ms.
    pub loudness: Option<LoudnessReading>,
}

/// Measures the samples of one track.
pub struct SoundMeasurer {
    plan: MeasurePlan,
    cpu: Cpu,
    sample_rate: u32,
    channels: Vec<ChannelState>,
    meter: Option<LoudnessMeter>,
    echoes: Option<EchoTracker>,
    mains: Option<MainsMeter>,
    /// The channels that make a stereo pair.
    pair: Option<(usize, usize)>,
    /// Bit `n` is set when channel `n` is an LFE among others.
    low_only: u32,
    /// Time of sample 0 since the last gap; absent until a block says it.
    origin: Option<MediaTime>,
    /// Samples taken, and hops completed, since the last gap.
    position: u64,
    hop: u64,
    /// Samples of the hop being filled.
    filled: usize,
    /// End of the last hop: hops never overlap.
    last_end: MediaTime,
    /// Hops that a gap completed before its time.
    pending: SoundHops,
    hops_since_reading: u32,
    sample_peak: f32,
    true_peak: f32,
}

/// What is kept of one channel.
struct ChannelState {
    /// The last samples before the hop, then the hop as far as it has come.
    samples: Vec<f32>,
    /// How many of the samples before the hop were really heard.
    heard: usize,
    run: Run,
    tops: Option<TopTracker>,
    lulls: Option<LullTracker>,
}

impl SoundMeasurer {
    /// A measurer that has heard nothing yet; `roles` has one entry per channel, of which the first 16 are measured.
    pub fn new(plan: &MeasurePlan, sample_rate: u32, roles: &[ChannelRole]) -> Self {
        Self::on(plan, Cpu::detect(), sample_rate, roles)
    }

    /// The same on a CPU of choice.
    pub(super) fn on(plan: &MeasurePlan, cpu: Cpu, sample_rate: u32, roles: &[ChannelRole]) -> Self {
        let sample_rate = sample_rate.clamp(SAMPLE_RATES.0, SAMPLE_RATES.1);
        let roles = &roles[..roles.len().min(CHANNELS_MAX)];
        let hop_max = (u64::from(sample_rate) / HOPS_PER_SECOND) as usize + 1;
        let channel = |_| ChannelState::new(plan, sample_rate, hop_max);
        Self {
            plan: *plan,
            cpu,
            sample_rate,
            channels: roles.iter().map(channel).collect(),
            meter: (plan.loudness && !roles.is_empty()).then(|| LoudnessMeter::new(sample_rate, roles)),
            echoes: plan.lulls.then(|| EchoTracker::new(sample_rate)),
            mains: plan.mains.then(MainsMeter::new),
            pair: ChannelRole::stereo_pair(roles).filter(|_| plan.pair),
            low_only: low_only(roles),
            origin: None,
            position: 0,
            hop: 0,
            filled: 0,
            last_end: MediaTime::from_nanos(i64::MIN),
            pending: SoundHops::new(roles.len() as u8),
            hops_since_reading: 0,
            sample_peak: 0.0,
            true_peak: 0.0,
        }
    }

    /// Measures a block that begins at `at`: one slice per channel, all as long as the first.
    ///
    /// Hops are timed by counting samples from the first block on. Where the block's own time is
    /// more than 5 ms off, the count follows it: clocks drift over hours. A channel that is missing
    /// or too short is taken as silent there.
    pub fn measure(&mut self, at: MediaTime, channels: &[&[f32]]) -> SoundMeasures {
        let _timed = Timed::start();
        let mut hops = std::mem::replace(&mut self.pending, SoundHops::new(self.channels.len() as u8));
        self.follow(at);
        let length = channels.first().map_or(0, |first| first.len());
        debug_assert!(channels.iter().all(|channel| channel.len() == length));
        let mut taken = 0;
        while taken < length && !self.channels.is_empty() {
            let missing = self.hop_length() - self.filled;
            let count = missing.min(length - taken);
            for (index, state) in self.channels.iter_mut().enumerate() {
                let block = channels.get(index).and_then(|channel| channel.get(taken..taken + count)).unwrap_or(&[]);
                state.fill(self.filled, count, block);
            }
            self.filled += count;
            self.position += count as u64;
            taken += count;
            if count == missing {
                self.complete_hop(HOP, true, &mut hops);
            }
        }
        let due = self.hops_since_reading >= HOPS_PER_READING && self.gives_readings();
        if due {
            self.hops_since_reading = 0;
        }
        SoundMeasures { hops, loudness: due.then(|| self.reading()) }
    }

    /// Sound is missing: the next block, which begins at `at`, does not continue the last one.
    ///
    /// The hop being filled ends early and is handed out with the next block. Loudness goes on as
    /// if the gap had not been; true peak is not interpolated across it.
    pub fn gap(&mut self, at: MediaTime) {
        self.end_early();
        for channel in &mut self.channels {
            channel.forget(&self.plan, self.sample_rate);
        }
        self.echoes = self.plan.lulls.then(|| EchoTracker::new(self.sample_rate));
        self.origin = Some(at);
        self.position = 0;
        self.hop = 0;
    }

    /// Ends the session: the hop being filled, short as it is, and a last reading.
    pub fn finish(&mut self) -> SoundMeasures {
        self.end_early();
        let hops = std::mem::replace(&mut self.pending, SoundHops::new(self.channels.len() as u8));
        SoundMeasures { hops, loudness: self.gives_readings().then(|| self.reading()) }
    }

    /// Loudness and peaks up to now; what the plan does not ask for is `None`.
    pub fn reading(&self) -> LoudnessReading {
        let mut reading = self.meter.as_ref().map(LoudnessMeter::reading).unwrap_or_default();
        reading.sample_peak_dbfs = decibels(self.sample_peak).filter(|_| self.gives_readings());
        reading.true_peak_dbtp = decibels(self.true_peak).filter(|_| self.plan.true_peak);
        reading
    }

    fn gives_readings(&self) -> bool {
        (self.plan.loudness || self.plan.true_peak) && !self.channels.is_empty()
    }

    /// Keeps the count of samples near the time that blocks say.
    fn follow(&mut self, at: MediaTime) {
        let rate = i32::try_from(self.sample_rate).expect("rates are clamped");
        let counted = MediaTime::from_ticks(i64::try_from(self.position).unwrap_or(i64::MAX), 1, rate);
        match self.origin {
            Some(origin) if (origin + counted).distance(at) <= DRIFT_MAX => {}
            _ => self.origin = Some(at - counted),
        }
    }

    /// Samples of the current hop: its ends are at the rounded multiples of a hundredth of the rate.
    fn hop_length(&self) -> usize {
        let end_of = |hops: u64| (hops * u64::from(self.sample_rate) + HOPS_PER_SECOND / 2) / HOPS_PER_SECOND;
        (end_of(self.hop + 1) - end_of(self.hop)) as usize
    }

    /// Completes the hop being filled, if any sample is in it, before its time.
    fn end_early(&mut self) {
        if self.filled == 0 {
            return;
        }
        let rate = i32::try_from(self.sample_rate).expect("rates are clamped");
        let lasts = MediaTime::from_ticks(self.filled as i64, 1, rate);
        let mut hops = std::mem::take(&mut self.pending);
        self.complete_hop(lasts, false, &mut hops);
        self.pending = hops;
    }

    fn complete_hop(&mut self, lasts: MediaTime, whole: bool, hops: &mut SoundHops) {
        let begin = self.origin.unwrap_or_default() + MediaTime::from_millis(10 * self.hop as i64);
        let at = begin.max(self.last_end);
        self.last_end = at + lasts;
        let mut facts = [ChannelHop::default(); CHANNELS_MAX];
        for (state, facts) in self.channels.iter_mut().zip(&mut facts) {
            *facts = state.facts(self.cpu, self.filled);
            self.sample_peak = self.sample_peak.max(facts.peak);
            if self.plan.true_peak {
                facts.true_peak = state.true_peak(self.cpu, self.filled, facts.peak, self.true_peak);
                self.true_peak = self.true_peak.max(facts.true_peak);
            }
        }
        let mut hop = SoundHop { at, lasts, ..SoundHop::default() };
        self.measure_together(&mut hop, &facts, whole, hops);
        if self.plan.sound || self.plan.true_peak {
            hops.push(hop, &facts[..self.channels.len()]);
        }
        for state in &mut self.channels {
            state.shift(self.filled);
        }
        self.filled = 0;
        self.hop += 1;
        self.hops_since_reading = self.hops_since_reading.saturating_add(1);
    }

    /// Measures what concerns several channels of a hop.
    fn measure_together(
        &mut self,
        hop: &mut SoundHop,
        facts: &[ChannelHop; CHANNELS_MAX],
        whole: bool,
        hops: &mut SoundHops,
    ) {
        let (filled, count) = (self.filled, self.channels.len());
        let slices: [&[f32]; CHANNELS_MAX] =
            array::from_fn(|index| self.channels.get(index).map_or(&[][..], |state| state.hop(filled)));
        let slices = &slices[..count];
        if let Some(meter) = &mut self.meter {
            meter.add_hop(slices, whole);
        }
        if let Some((left, right)) = self.pair {
            let product = product_sum(self.cpu, slices[left], slices[right]) / filled as f64;
            let means = f64::from(facts[left].mean) * f64::from(facts[right].mean);
            let cut = |value: f64| value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32;
            let group = (self.sample_rate / LOW_GROUPS_HZ).max(1) as usize;
            let low = group_means(slices[left], slices[right], group);
            hop.pair = PairFacts {
                covariance: cut(product - means),
                low_covariance: cut(low.covariance),
                low_left: cut(low.one),
                low_right: cut(low.other),
            };
        }
        if let Some(echoes) = &mut self.echoes {
            let is_sound = facts[..count].iter().any(|channel| channel.power >= SOUND_POWER);
            hop.echo = echoes.add(slices, is_sound);
        }
        if let Some(mains) = self.mains.as_mut().filter(|_| whole) {
            let (mut heard, mut full) = ([&[][..]; CHANNELS_MAX], 0);
            for (_, slice) in slices.iter().enumerate().filter(|(channel, _)| self.low_only >> channel & 1 == 0) {
                heard[full] = slice;
                full += 1;
            }
            if let Some(reading) = mains.add_hop(&heard[..full], hop.at + hop.lasts) {
                hops.set_mains(reading);
            }
        }
    }
}

/// The LFE channels of a track that has others, as bits.
fn low_only(roles: &[ChannelRole]) -> u32 {
    let mut bits = 0_u32;
    for (channel, _) in roles.iter().enumerate().filter(|(_, role)| **role == ChannelRole::Lfe) {
        bits |= 1 << channel;
    }
    if bits.count_ones() as usize == roles.len() { 0 } else { bits }
}

impl ChannelState {
    fn new(plan: &MeasurePlan, sample_rate: u32, hop_max: usize) -> Self {
        let samples = vec![0.0; HISTORY + hop_max];
        let mut state = Self { samples, heard: 0, run: Run::default(), tops: None, lulls: None };
        state.forget(plan, sample_rate);
        state
    }

    /// What comes does not continue what was.
    fn forget(&mut self, plan: &MeasurePlan, sample_rate: u32) {
        self.heard = 0;
        self.run = Run::default();
        self.tops = plan.tops.then(TopTracker::default);
        self.lulls = plan.lulls.then(|| LullTracker::new(sample_rate));
    }

    /// The samples of the hop so far.
    fn hop(&self, filled: usize) -> &[f32] {
        &self.samples[HISTORY..HISTORY + filled]
    }

    /// Puts `count` samples behind the `filled` ones; zeros where the block is too short.
    fn fill(&mut self, filled: usize, count: usize, block: &[f32]) {
        let room = &mut self.samples[HISTORY + filled..HISTORY + filled + count];
        if block.len() < room.len() {
            room.fill(0.0);
        }
        for (slot, &sample) in room.iter_mut().zip(block) {
            *slot = if sample.is_finite() { sample } else { 0.0 };
        }
    }

    fn facts(&mut self, cpu: Cpu, filled: usize) -> ChannelHop {
        let samples = &self.samples[HISTORY..HISTORY + filled];
        let sums = hop_sums(cpu, samples);
        let count = filled as f64;
        let mean = sums.sum / count;
        // Absurdly large samples are finite as f64 but not as f32.
        let power = (sums.squares / count - mean * mean).clamp(0.0, f64::from(f32::MAX));
        let equal_run = self.run.longest(samples);
        let (mean, power) = (mean as f32, power as f32);
        let mut facts =
            ChannelHop { mean, power, peak: sums.peak, true_peak: sums.peak, equal_run, ..ChannelHop::default() };
        if let Some(tops) = &mut self.tops {
            facts.tops = tops.add(samples);
            for count in [&mut facts.tops.plateau, &mut facts.tops.stairs, &mut facts.tops.turns, &mut facts.tops.flat]
            {
                *count /= filled as f32;
            }
            if sums.peak >= PEAK_MIN {
                let counts = ceiling_counts(cpu, samples, sums.peak);
                let share = |count: u32| count as f32 / filled as f32;
                facts.ceiling =
                    CeilingFacts { ties: share(counts.ties), near: share(counts.near), over: share(counts.over) };
            }
        }
        if let Some(lulls) = &mut self.lulls {
            facts.lull = lulls.add(samples, equal_run);
            let before = if self.heard > 0 { self.samples[HISTORY - 1] } else { samples[0] };
            let sums = quarters(cpu, before, samples);
            let bounds = quarter_bounds(filled);
            let mean_of = |sum: f64, count: usize| (sum / count.max(1) as f64).min(f64::from(f32::MAX)) as f32;
            facts.quarters = array::from_fn(|index| mean_of(sums.squares[index], bounds[index + 1] - bounds[index]));
            facts.slopes = array::from_fn(|index| mean_of(sums.steps[index], bounds[index + 1] - bounds[index]));
        }
        facts
    }

    /// The true peak of the hop, or its sample peak when that is so low that it does not matter.
    ///
    /// An interpolated value exceeds the largest sample in its window of 12 at most by
    /// [`TRUE_PEAK_GAIN_MAX`]. So a hop that stays, gain included, below both `highest` and the
    /// limits in use can change neither the highest true peak nor a verdict, and is not filtered:
    /// the maximum stays exact. Windows that reach back before the session or a gap are left out,
    /// since they would measure the edge and not the sound.
    fn true_peak(&self, cpu: Cpu, filled: usize, peak: f32, highest: f32) -> f32 {
        let samples = &self.samples[HISTORY - self.heard..HISTORY + filled];
        let history = &samples[..self.heard];
        let window_peak = history.iter().fold(peak, |peak, sample| peak.max(sample.abs()));
        if window_peak * TRUE_PEAK_GAIN_MAX <= highest.min(TRUE_PEAK_OF_INTEREST) {
            return peak;
        }
        peak.max(interpolated_peak(cpu, samples).min(f32::MAX))
    }

    /// Makes the end of the hop the history of the next one.
    fn shift(&mut self, filled: usize) {
        self.samples.copy_within(filled..filled + HISTORY, 0);
        self.heard = (self.heard + filled).min(HISTORY);
    }
}

/// A magnitude in dB relative to full scale; none for 0.
fn decibels(magnitude: f32) -> Option<f64> {
    (magnitude > 0.0).then(|| 20.0 * f64::from(magnitude).log10())
}
