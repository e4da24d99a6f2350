//! K-weighting: how loud sound of each frequency is heard (ITU-R BS.1770-5, Annex 1).
//!
//! Two filters one behind the other, a shelf that lifts treble and a high-pass, of two channels at a time, and of
//! what they leave the weighted mean square. A recursive filter waits for its own results: what is newest is added
//! last, so that a sample takes one multiplication and one addition longer than the one before it, and two channels
//! take no longer than one. Tests hold it against the `ebur128` crate. Owned by the loudness meter of a track.

use std::f64::consts::PI;

/// Channels that are filtered together.
const LANES: usize = 2;
/// What is smaller is taken for nothing once a hop is over, long before it is so small that CPUs get slow.
const NOTHING: f64 = 1e-30;

/// The shelf and the high-pass of the recommendation, of which it gives the coefficients at 48 kHz only: frequency in
/// hertz, gain in dB and quality that lead there, for other rates.
const SHELF: (f64, f64, f64) = (1_681.974_450_955_533, 3.999_843_853_973_347, 0.707_175_236_955_419_6);
const HIGH_PASS: (f64, f64) = (38.135_470_876_024_44, 0.500_327_037_323_877_3);
/// The exponent of the shelf's gain at its own frequency.
const SHELF_MIDDLE: f64 = 0.499_666_774_154_541_6;
/// A filter's frequency is at most this share of the sample rate, so that it is stable at rates too low for sound.
const SHARE_MAX: f64 = 0.45;

/// Filters of all channels of a track.
#[derive(Clone, Debug)]
pub struct KWeighting {
    shelf: Shelf,
    /// What the newest and the second newest value of the high-pass weigh.
    high_pass: [f64; 2],
    pairs: Vec<Pair>,
}

#[derive(Clone, Copy, Debug)]
struct Shelf {
    back: [f64; 2],
    forth: [f64; 3],
}

/// Two channels and where their filters stand.
#[derive(Clone, Copy, Debug)]
struct Pair {
    channels: [usize; LANES],
    weights: [f64; LANES],
    shelf: [[f64; LANES]; 2],
    high_pass: [[f64; LANES]; 2],
}

impl KWeighting {
    /// Filters for channels of those weights, which have heard nothing yet; channels that weigh nothing are left out.
    pub fn new(sample_rate: u32, weights: &[f64]) -> Self {
        let rate = f64::from(sample_rate);
        let heard: Vec<(usize, f64)> =
            weights.iter().copied().enumerate().filter(|(_, weight)| *weight > 0.0).collect();
        let pairs = heard.chunks(LANES).map(|pair| {
            let (first, second) = (pair[0], pair.get(1).copied().unwrap_or((pair[0].0, 0.0)));
            let (shelf, high_pass) = ([[0.0; LANES]; 2], [[0.0; LANES]; 2]);
            Pair { channels: [first.0, second.0], weights: [first.1, second.1], shelf, high_pass }
        });
        Self { shelf: Shelf::at(rate), high_pass: high_pass_at(rate), pairs: pairs.collect() }
    }

    /// Takes finite samples, one slice per channel, all of one length; returns the weighted sum of the channels' mean squares.
    pub fn energy(&mut self, channels: &[&[f32]]) -> f64 {
        debug_assert!(channels.iter().all(|channel| channel.len() == channels[0].len()));
        let mut energy = 0.0;
        for pair in &mut self.pairs {
            let [one, other] = pair.channels.map(|channel| channels[channel]);
            let squares = pair.filter(&self.shelf, self.high_pass, one, other);
            for (sum, weight) in squares.into_iter().zip(pair.weights) {
                energy += weight * sum / one.len().max(1) as f64;
            }
        }
        energy
    }
}

impl Pair {
    /// Filters as many samples as the shorter channel has; returns the sums of their squares.
    fn filter(&mut self, shelf: &Shelf, [newest, older]: [f64; 2], one: &[f32], other: &[f32]) -> [f64; LANES] {
        let Shelf { back, forth } = *shelf;
        let ([mut shelf1, mut shelf2], [mut high1, mut high2]) = (self.shelf, self.high_pass);
        let mut squares = [0.0; LANES];
        for (one, other) in one.iter().zip(other) {
            let sample = [f64::from(*one), f64::from(*other)];
            for lane in 0..LANES {
                let shelf0 = (sample[lane] - back[1] * shelf2[lane]) - back[0] * shelf1[lane];
                let lifted = (forth[2] * shelf2[lane] + forth[1] * shelf1[lane]) + forth[0] * shelf0;
                let high0 = (lifted - older * high2[lane]) - newest * high1[lane];
                let weighted = (high2[lane] - 2.0 * high1[lane]) + high0;
                squares[lane] += weighted * weighted;
                (shelf2[lane], shelf1[lane]) = (shelf1[lane], shelf0);
                (high2[lane], high1[lane]) = (high1[lane], high0);
            }
        }
        let settled = |state: f64| if state.abs() < NOTHING { 0.0 } else { state };
        self.shelf = [shelf1, shelf2].map(|lanes| lanes.map(settled));
        self.high_pass = [high1, high2].map(|lanes| lanes.map(settled));
        squares
    }
}

impl Shelf {
    fn at(rate: f64) -> Self {
        let (frequency, gain, quality) = SHELF;
        let k = slope(frequency, rate);
        let high = 10.0_f64.powf(gain / 20.0);
        let middle = high.powf(SHELF_MIDDLE);
        let norm = 1.0 + k / quality + k * k;
        Self {
            back: [2.0 * (k * k - 1.0) / norm, (1.0 - k / quality + k * k) / norm],
            forth: [
                (high + middle * k / quality + k * k) / norm,
                2.0 * (k * k - high) / norm,
                (high - middle * k / quality + k * k) / norm,
            ],
        }
    }
}

/// A frequency as the bilinear transform has it.
fn slope(frequency: f64, rate: f64) -> f64 {
    (PI * (frequency / rate).min(SHARE_MAX)).tan()
}

fn high_pass_at(rate: f64) -> [f64; 2] {
    let (frequency, quality) = HIGH_PASS;
    let k = slope(frequency, rate);
    let norm = 1.0 + k / quality + k * k;
    [2.0 * (k * k - 1.0) / norm, (1.0 - k / quality + k * k) / norm]
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebur128::{Channel, EbuR128, Mode};
    use proptest::prelude::*;

    #[test]
    fn at_48_khz_the_coefficients_are_those_of_the_recommendation() {
        let Shelf { back, forth } = Shelf::at(48_000.0);
        let found = [forth[0], forth[1], forth[2], back[0], back[1]];
        let printed = [
            1.535_124_859_586_97,
            -2.691_696_189_406_38,
            1.198_392_810_852_85,
            -1.690_659_293_182_41,
            0.732_480_774_215_85,
        ];
        assert!(found.iter().zip(printed).all(|(found, printed)| (found - printed).abs() < 1e-12), "{found:?}");
        let found = high_pass_at(48_000.0);
        let printed = [-1.990_047_454_833_98, 0.990_072_250_366_21];
        assert!(found.iter().zip(printed).all(|(found, printed)| (found - printed).abs() < 1e-12), "{found:?}");
    }

    #[test]
    fn silence_after_sound_leaves_nothing_that_slows_a_cpu_down() {
        let mut filters = KWeighting::new(48_000, &[1.0, 1.0]);
        let loud = [0.5_f32; 480];
        assert!(filters.energy(&[&loud, &loud]) > 0.0);
        let silence = [0.0_f32; 480];
        for _ in 0..3_000 {
            filters.energy(&[&silence, &silence]);
            let states = filters.pairs.iter().flat_map(|pair| [pair.shelf, pair.high_pass]).flatten().flatten();
            assert!(states.into_iter().all(|state| state == 0.0 || state.is_normal()), "{:?}", filters.pairs);
        }
        assert_eq!(filters.energy(&[&silence, &silence]), 0.0);
    }

    #[test]
    fn at_the_lowest_rate_the_filters_are_stable() {
        let mut filters = KWeighting::new(2_000, &[1.0]);
        let sound: Vec<f32> = (0..20).map(|index| if index % 2 == 0 { 0.5 } else { -0.5 }).collect();
        assert!((0..6_000).map(|_| filters.energy(&[&sound])).all(|energy| energy < 10.0));
    }

    proptest! {
        #[test]
        fn energies_are_those_of_the_ebur128_crate(
            rate in prop::sample::select(vec![8_000_u32, 22_050, 44_100, 48_000, 96_000, 192_000]),
            map in prop::collection::vec(0_usize..3, 1..7),
            seed in any::<u64>(),
        ) {
            let weights: Vec<f64> = map.iter().map(|kind| [1.0, 1.41, 0.0][*kind]).collect();
            let channels: Vec<Channel> =
                map.iter().map(|kind| [Channel::Center, Channel::LeftSurround, Channel::Unused][*kind]).collect();
            let mut twin = EbuR128::new(map.len() as u32, rate, Mode::M).expect("a valid format");
            twin.set_channel_map(&channels).expect("one entry per channel");
            let mut filters = KWeighting::new(rate, &weights);
            let (hop, mut state) = (rate as usize / 100, seed);
            for _ in 0..30 {
                let sound: Vec<Vec<f32>> = map.iter().map(|_| (0..hop).map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 40) as f32 / (1 << 23) as f32 - 1.0
                }).collect()).collect();
                let slices: Vec<&[f32]> = sound.iter().map(Vec::as_slice).collect();
                twin.add_frames_planar_f32(&slices).expect("as many channels as announced");
                let expected = twin.loudness_window(10).expect("less than the window");
                let found = 10.0 * filters.energy(&slices).log10() - 0.691;
                prop_assert!(found == expected || (found - expected).abs() < 1e-6, "{found} is not {expected}");
            }
        }
    }
}
