//! Half waves, lulls, echoes and mains readings against naive twins and planted truth.

use avwatch_actors::frame::{ChannelHop, Echo, Lull, MainsReading, SoundHop, TopFacts};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::ChannelRole::{self, Left, Lfe, Mono, Other, Right};
use proptest::prelude::*;

use super::kernels::Cpu;
use super::{MeasurePlan, SoundMeasurer, naive};

const PLAN: fn() -> MeasurePlan =
    || MeasurePlan { sound: true, pair: true, tops: true, lulls: true, mains: true, ..MeasurePlan::default() };

/// Numbers from −1 to 1, the same on every machine.
fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut dice = seed.wrapping_mul(7_919).wrapping_add(1);
    let mut next = || {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Slow noise: neighbours are alike, as in sound.
fn rumble(seed: u64, count: usize) -> Vec<f32> {
    let mut state = [0.0_f32; 2];
    let one = |white: &f32| {
        state[0] += 0.08 * (white - state[0]);
        state[1] += 0.08 * (state[0] - state[1]);
        4.0 * state[1]
    };
    noise(seed, count).iter().map(one).collect()
}

type Hops = Vec<(SoundHop, Vec<ChannelHop>)>;

fn measure(rate: u32, roles: &[ChannelRole], channels: &[&[f32]]) -> (Hops, Vec<MainsReading>) {
    let mut measurer = SoundMeasurer::new(&PLAN(), rate, roles);
    let (mut hops, mut readings) = (Vec::new(), Vec::new());
    for from in (0..channels[0].len()).step_by(1_000) {
        let to = channels[0].len().min(from + 1_000);
        let block: Vec<&[f32]> = channels.iter().map(|channel| &channel[from..to]).collect();
        let measures = measurer.measure(MediaTime::from_ticks(from as i64, 1, rate as i32), &block);
        hops.extend(measures.hops.iter().map(|(hop, channels)| (*hop, channels.to_vec())));
        readings.extend(measures.hops.mains().copied());
    }
    hops.extend(measurer.finish().hops.iter().map(|(hop, channels)| (*hop, channels.to_vec())));
    (hops, readings)
}

fn lulls(hops: &Hops) -> Vec<(f64, Lull)> {
    let told = hops.iter().filter(|(_, channels)| channels[0].lull.lasts_ms > 0.0);
    told.map(|(hop, channels)| (hop.at.as_secs_f64(), channels[0].lull)).collect()
}

fn echoes(hops: &Hops) -> Vec<(f64, Echo)> {
    hops.iter().filter(|(hop, _)| hop.echo.lasts_ms > 0.0).map(|(hop, _)| (hop.at.as_secs_f64(), hop.echo)).collect()
}

proptest! {
    #[test]
    fn tops_are_the_naive_twins(seed in any::<u64>(), rail in 0.1_f32..1.0) {
        let samples: Vec<f32> = rumble(seed, 9_600).iter().map(|sample| sample.clamp(-rail, rail)).collect();
        let [plateau, stairs, turns] = naive::tops(&samples, 0.05);
        let (hops, _) = measure(48_000, &[Mono], &[&samples]);
        let sum = |part: &dyn Fn(&TopFacts) -> f32| {
            hops.iter().map(|(_, channels)| part(&channels[0].tops)).sum::<f32>() * 480.0
        };
        prop_assert!((sum(&|tops| tops.stairs) - stairs as f32).abs() < 0.01);
        prop_assert!((sum(&|tops| tops.turns) - turns as f32).abs() < 0.01);
        // Hops keep only their highest plateaus: all of them where the rail is, at most all elsewhere.
        prop_assert!(sum(&|tops| tops.plateau) <= plateau as f32 + 0.01);
        let at_rail = sum(&|tops| if tops.plateau_level > 0.99 * rail { tops.plateau } else { 0.0 });
        let highest = naive::tops(&samples, 0.995 * rail)[0];
        prop_assert!(at_rail + 0.01 >= highest as f32, "{} {}", at_rail, highest);
    }

    #[test]
    fn lulls_are_the_naive_twins(
        rate in prop::sample::select(vec![44_100_u32, 48_000]),
        lengths in prop::collection::vec((1_100_usize..3_000, 1_usize..2_000), 1..8),
    ) {
        let mut samples = Vec::new();
        for (sound, lull) in &lengths {
            samples.extend(noise(samples.len() as u64, *sound).iter().map(|sample| 0.3 * sample));
            samples.resize(samples.len() + lull, 0.000_5);
        }
        samples.extend(noise(1, 600));
        let expected = naive::lulls(&samples, rate as usize / 1_000, 0.001);
        let (hops, _) = measure(rate, &[Mono], &[&samples]);
        let told = lulls(&hops);
        prop_assert_eq!(told.len(), expected.len());
        let per_ms = f64::from(rate) / 1_000.0;
        for ((at, lull), (from, to)) in told.iter().zip(expected) {
            prop_assert!((f64::from(lull.lasts_ms) - (to - from) as f64 / per_ms).abs() < 1e-3);
            // A hop of 44.1 kHz holds 441 samples, so its begin is exact.
            prop_assert!((1_000.0 * at + f64::from(lull.ended_ms) - to as f64 / per_ms).abs() < 1e-3);
            prop_assert!(lull.before > 0.1 && lull.earlier > 0.1 && lull.after > 0.1 && lull.alive > 0.99);
        }
    }

    #[test]
    fn a_stretch_that_comes_twice_is_an_echo(seed in any::<u64>(), begin in 4_000_usize..9_000, length in 1_600_usize..8_000) {
        let mut channels = [noise(seed, 30_000), rumble(seed ^ 5, 30_000)];
        for channel in &mut channels {
            channel.copy_within(begin..begin + length, begin + length);
        }
        let (hops, _) = measure(48_000, &[Left, Right], &[&channels[0], &channels[1]]);
        let told = echoes(&hops);
        prop_assert_eq!(told.len(), 1, "{:?}", told);
        let (at, echo) = told[0];
        prop_assert!((f64::from(echo.lag_ms) - length as f64 / 48.0).abs() < 1e-3);
        // Anchors lie at random, 1.3 ms apart on average: those at both ends are missed together by more than
        // 30 ms in one case of 10⁸, and so are all of a stretch of 33 ms.
        let missing = length as f32 / 48.0 - echo.lasts_ms;
        prop_assert!((-0.1..30.0).contains(&missing), "{}", missing);
        let end = (begin + 2 * length) as f64 / 48.0;
        prop_assert!((1_000.0 * at + f64::from(echo.ended_ms) - end).abs() < 30.0);
        prop_assert!(echo.unsteady > 0.01, "{}", echo.unsteady);
    }
}

#[test]
fn noise_has_no_echo_and_no_lull() {
    let samples = rumble(9, 480_000);
    let (hops, _) = measure(48_000, &[Mono], &[&samples]);
    assert_eq!((echoes(&hops), lulls(&hops)), (vec![], vec![]));
}

#[test]
fn up_to_four_steady_tones_are_told_from_everything_else() {
    // 440 Hz comes again after 25 ms, to the bit of 16.
    let tone = |index: usize| {
        let turns = |frequency: f64| (std::f64::consts::TAU * frequency * index as f64 / 48_000.0).sin();
        ((0.2 * (turns(440.0) + turns(560.0) + turns(1_240.0)) * 32_768.0).round() / 32_768.0) as f32
    };
    let mut samples: Vec<f32> = (0..48_000).map(tone).collect();
    samples.extend(noise(4, 48_000));
    let (hops, _) = measure(48_000, &[Mono], &[&samples]);
    let told = echoes(&hops);
    assert!(told.iter().all(|(_, echo)| echo.unsteady < 1e-5), "{told:?}");
    assert!(told.iter().any(|(_, echo)| echo.lasts_ms > 500.0), "{told:?}");
}

#[test]
fn quarters_and_slopes_are_the_naive_twins() {
    let samples = rumble(3, 4_410);
    let (hops, _) = measure(44_100, &[Mono], &[&samples]);
    for (index, (_, channels)) in hops.iter().enumerate().skip(1) {
        let hop = &samples[index * 441..(index + 1) * 441];
        for (found, expected) in channels[0].quarters.iter().zip(naive::quarters(hop)) {
            assert!((f64::from(*found) - expected).abs() < 1e-6);
        }
        for (found, expected) in channels[0].slopes.iter().zip(naive::slopes(samples[index * 441 - 1], hop)) {
            assert!((f64::from(*found) - expected).abs() < 1e-6);
        }
    }
}

#[test]
fn the_covariance_is_that_of_the_front_pair() {
    let (one, two) = (rumble(1, 4_800), rumble(2, 4_800));
    let shifted: Vec<f32> = one.iter().map(|sample| 0.25 - 0.5 * sample).collect();
    let (hops, _) = measure(48_000, &[Lfe, Right, Left], &[&two, &shifted, &one]);
    for (hop, channels) in &hops {
        assert!((hop.pair.covariance + 0.5 * channels[2].power).abs() < 1e-6);
    }
    let (hops, _) = measure(48_000, &[Other, Other], &[&one, &one]);
    assert!(hops.iter().all(|(hop, channels)| (hop.pair.covariance - channels[0].power).abs() < 1e-6));
    for (index, (hop, _)) in hops.iter().enumerate() {
        let samples = &one[480 * index..480 * (index + 1)];
        let means: Vec<f32> = samples.chunks(8).map(|group| group.iter().sum::<f32>() / 8.0).collect();
        let (_, power, _) = naive::hop(&means);
        for found in [hop.pair.low_left, hop.pair.low_right, hop.pair.low_covariance] {
            assert!((f64::from(found) - power).abs() < 1e-6);
        }
    }
    let (hops, _) = measure(48_000, &[Left, Lfe], &[&one, &one]);
    assert!(hops.iter().all(|(hop, _)| hop.pair.covariance == 0.0));
}

#[test]
fn mains_readings_give_level_and_distance_of_each_multiple() {
    for (rate, mains) in [(48_000, 50.0), (44_100, 59.9), (8_000, 50.1)] {
        let sample = |(index, white): (usize, f32)| {
            let tone = |order: f64| (std::f64::consts::TAU * mains * order * index as f64 / f64::from(rate)).sin();
            (0.02 * tone(1.0) + 0.005 * tone(3.0) + 0.000_1 * f64::from(white)) as f32
        };
        let samples: Vec<f32> = noise(1, 6 * rate as usize).into_iter().enumerate().map(sample).collect();
        let silence = vec![0.5; samples.len()];
        let (_, readings) = measure(rate, &[Mono, Lfe], &[&samples, &silence]);
        assert_eq!(readings.len(), 2, "the first 4.1 s are not enough");
        let grid = usize::from(mains > 55.0);
        for reading in readings {
            let [first, second, third, ..] = reading.grids[grid];
            // 0.02 is −37.0 dBFS RMS; between two bins a Hann window shows up to 1.4 dB less.
            assert!((first.level_dbfs + 37.7).abs() < 1.0, "{first:?}");
            assert!((third.level_dbfs + 49.7).abs() < 1.0, "{third:?}");
            assert!(first.above_median_db > 30.0 && first.above_highest_db > 20.0, "{first:?}");
            assert!(second.level_dbfs < -90.0, "{second:?}");
        }
    }
}

#[test]
fn what_nobody_asked_for_is_not_measured() {
    let samples = rumble(1, 9_600);
    let plan = MeasurePlan { sound: true, ..MeasurePlan::default() };
    let measures = SoundMeasurer::new(&plan, 48_000, &[Left, Right]).measure(MediaTime::ZERO, &[&samples, &samples]);
    for (hop, channels) in measures.hops.iter() {
        assert_eq!(hop.pair.covariance, 0.0);
        assert_eq!((channels[0].tops, channels[0].quarters, channels[0].slopes), Default::default());
    }
}

#[test]
fn every_cpu_path_gives_the_same_bits_of_waves_too() {
    let (left, right) = (rumble(1, 300_000), rumble(2, 300_000));
    let measure = |cpu| {
        let mut measurer = SoundMeasurer::on(&PLAN(), cpu, 48_000, &[Left, Right]);
        measurer.measure(MediaTime::ZERO, &[&left, &right])
    };
    assert_eq!(measure(Cpu::Portable), measure(Cpu::detect()));
}
