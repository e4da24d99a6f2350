//! Half waves and their tops: the numbers by which clipping is told from loudness.
//!
//! Clipping cuts half waves off at one level: their tops are level and their flanks end in corners,
//! while the top of a tone, however low, bends smoothly; a parabola whose top keeps within a range
//! `r` for `n` samples falls by no more than about `6 r / n` at the next one. Coding blurs corners and
//! leaves half waves that hold 85 % of their peak for most of the width at which they hold 50 %: a
//! sine does so for 53 %. Owned by the sound measurer, one per channel; may never judge.

use avwatch_actors::frame::TopFacts;

/// Half waves with lower peaks do not count: −26 dBFS.
pub(super) const PEAK_MIN: f32 = 0.05;
/// A half wave that gets longer is taken as if it had ended: sound does not, offsets do.
const WAVE_MAX: usize = 4_096;
/// Least samples in a level run.
const RUN_MIN: usize = 3;
/// How much a level run may vary, as a share of its half wave's peak.
const RUN_RANGE: f32 = 0.002;
/// Least product of a run's length and the step at either end, as a share of the peak: a corner.
const CORNER: f32 = 0.03;
/// Stairs lower than this share of the peak do not count.
const STAIRS_MIN: f32 = 0.1;
/// Plateaus at one level are no further apart than this.
const PLATEAU_SPREAD: f32 = 0.01;
/// Flat half waves at one level are no further apart than this.
const FLAT_SPREAD: f32 = 0.06;
/// Least samples above half the peak by which the shape of a half wave can be told.
const WIDTH_MIN: usize = 6;
/// Share of the width at 50 % of the peak that a flat half wave has at 85 %.
const FLATNESS: f32 = 0.7;

/// Follows the half waves of one channel.
#[derive(Default)]
pub(super) struct TopTracker {
    /// Magnitudes of the half wave so far.
    wave: Vec<f32>,
    is_negative: bool,
    /// Lengths of the last two half waves, the older one first; 0 for none.
    lengths: [f32; 2],
    facts: TopFacts,
}

impl TopTracker {
    /// Takes the samples of a hop and tells of the half waves that ended in it.
    pub(super) fn add(&mut self, samples: &[f32]) -> TopFacts {
        let mut rest = samples;
        while let Some(first) = rest.first() {
            let is_negative = *first < 0.0;
            if is_negative != self.is_negative || self.wave.len() >= WAVE_MAX {
                self.end_wave();
                self.is_negative = is_negative;
            }
            let room = &rest[..rest.len().min(WAVE_MAX - self.wave.len())];
            let same = find(room, |[sample]| (*sample < 0.0) != is_negative).unwrap_or(room.len());
            let (wave, next) = rest.split_at(same);
            self.wave.extend(wave.iter().map(|sample| sample.abs()));
            rest = next;
        }
        std::mem::take(&mut self.facts)
    }

    fn end_wave(&mut self) {
        // Magnitudes lie in the order of their bits, and of integers many are compared at a time.
        let peak = f32::from_bits(self.wave.iter().map(|sample| sample.to_bits()).max().unwrap_or(0));
        if peak >= PEAK_MIN {
            let length = self.wave.len() as f32;
            self.facts.waves += 1.0;
            self.facts.length += length;
            if self.lengths[0] > 0.0 {
                self.facts.unrest += (length - self.lengths[0]).powi(2);
            }
            self.lengths = [self.lengths[1], length];
            add_runs(&self.wave, peak, &mut self.facts);
            add_shape(&self.wave, peak, &mut self.facts);
        }
        self.wave.clear();
    }
}

/// The first place whose next samples are what is looked for. Most places are not: so many are asked at a time, without
/// a branch.
fn find<const COUNT: usize>(samples: &[f32], is_it: impl Fn(&[f32; COUNT]) -> bool) -> Option<usize> {
    const AT_ONCE: usize = 16;
    let mut from = 0;
    while let Some(ahead) = samples.get(from..from + AT_ONCE + COUNT - 1) {
        if ahead.array_windows().fold(false, |any, window| any | is_it(window)) {
            break;
        }
        from += AT_ONCE;
    }
    samples[from..].array_windows().position(is_it).map(|ahead| from + ahead)
}

/// Adds the level runs of one half wave.
fn add_runs(wave: &[f32], peak: f32, facts: &mut TopFacts) {
    let range = RUN_RANGE * peak;
    // Nearly all runs end at once: the next two samples decide.
    let begins = |run: &[f32; RUN_MIN]| ((run[1] - run[0]).abs() <= range) & ((run[2] - run[0]).abs() <= range);
    let mut from = 0;
    while let Some(ahead) = find(&wave[from..], begins) {
        from += ahead;
        let (mut low, mut high, mut to) = (wave[from], wave[from], from + 1);
        while to < wave.len() && high.max(wave[to]) - low.min(wave[to]) <= range {
            (low, high) = (low.min(wave[to]), high.max(wave[to]));
            to += 1;
        }
        let count = to - from;
        if count < RUN_MIN {
            from += 1;
            continue;
        }
        let (before, after) = (if from > 0 { wave[from - 1] } else { 0.0 }, wave.get(to).copied().unwrap_or(0.0));
        let step = (before - low).abs().min((after - low).abs());
        let is_cornered = step * count as f32 >= CORNER * peak;
        let is_top = high >= peak - range && before < low && after < low;
        match (is_cornered, is_top) {
            (true, true) => add_at_level(&mut facts.plateau, &mut facts.plateau_level, (count, peak), PLATEAU_SPREAD),
            (true, false) if high >= STAIRS_MIN * peak => facts.stairs += count as f32,
            (false, false) if high >= STAIRS_MIN * peak => facts.turns += count as f32,
            _ => {}
        }
        from = to;
    }
}

/// Adds what the width of one half wave at two heights tells.
fn add_shape(wave: &[f32], peak: f32, facts: &mut TopFacts) {
    let count_from = |level: f32| wave.iter().filter(|sample| **sample >= level).count();
    let wide = count_from(0.5 * peak);
    if wide < WIDTH_MIN {
        return;
    }
    let high = 0.85 * peak;
    let narrow = count_from(high);
    if narrow as f32 >= FLATNESS * wide as f32 {
        let sum: f32 = wave.iter().filter(|sample| **sample >= high).sum();
        add_at_level(&mut facts.flat, &mut facts.flat_level, (narrow, sum / narrow as f32), FLAT_SPREAD);
    }
}

/// Counts samples at the highest level of the hop; those at clearly lower levels are left out.
fn add_at_level(count: &mut f32, level: &mut f32, (more, at): (usize, f32), spread: f32) {
    if at * (1.0 - spread) > *level {
        (*count, *level) = (0.0, at);
    } else if at < *level * (1.0 - spread) {
        return;
    }
    *level = level.max(at);
    *count += more as f32;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_looked_for_is_found_where_it_is_first(samples in prop::collection::vec(-1.0_f32..1.0, 0..60), from in 0.0_f32..1.0) {
            let single = find(&samples, |[sample]| *sample > from);
            prop_assert_eq!(single, samples.iter().position(|sample| *sample > from));
            let rises = |three: &[f32]| three[0] < three[1] && three[1] < three[2] && three[2] > from;
            let triple = find(&samples, |three: &[f32; 3]| rises(three));
            prop_assert_eq!(triple, samples.windows(3).position(rises));
        }
    }
}
