//! The minimum requirements test signals of EBU Tech 3341 (2023) Table 1 and EBU Tech 3342 (2023)
//! Table 1, synthesised, through the sound measurer. Tolerances are the documents' own.

use std::f64::consts::{PI, TAU};

use avwatch_actors::frame::LoudnessReading;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::ChannelRole::{self, Center, Left, Right, Surround};

use super::{MeasurePlan, SoundMeasurer};

const RATE: u32 = 48_000;
const PLAN: MeasurePlan = MeasurePlan {
    luma: false,
    chroma: false,
    motion: false,
    black_level: 0.0,
    sound: true,
    loudness: true,
    true_peak: true,
    pair: false,
    tops: false,
    lulls: false,
    mains: false,
    keep_pictures: false,
    keep_samples: false,
};
/// Silence, as a level of a tone.
const OFF: f64 = f64::NEG_INFINITY;

/// A 1 kHz sine through stretches of (seconds, peak level in dBFS).
fn tone(stretches: &[(f64, f64)]) -> Vec<f32> {
    let mut samples = Vec::new();
    for &(seconds, level) in stretches {
        let amplitude = 10.0_f64.powf(level / 20.0);
        for _ in 0..(seconds * f64::from(RATE)).round() as usize {
            let phase = TAU * 1_000.0 * samples.len() as f64 / f64::from(RATE);
            samples.push((amplitude * phase.sin()) as f32);
        }
    }
    samples
}

/// Measures in blocks of 1,024 samples, as AAC comes; returns the readings and the last one.
fn measure(roles: &[ChannelRole], channels: &[Vec<f32>]) -> (Vec<(f64, LoudnessReading)>, LoudnessReading) {
    let mut measurer = SoundMeasurer::new(&PLAN, RATE, roles);
    let mut readings = Vec::new();
    let mut from = 0;
    while from < channels[0].len() {
        let to = channels[0].len().min(from + 1_024);
        let block: Vec<&[f32]> = channels.iter().map(|channel| &channel[from..to]).collect();
        let measures = measurer.measure(MediaTime::from_ticks(from as i64, 1, RATE as i32), &block);
        readings.extend(measures.loudness.map(|reading| (to as f64 / f64::from(RATE), reading)));
        from = to;
    }
    let last = measurer.finish().loudness.expect("the plan asks for loudness");
    (readings, last)
}

fn stereo(samples: Vec<f32>) -> (Vec<(f64, LoudnessReading)>, LoudnessReading) {
    measure(&[Left, Right], &[samples.clone(), samples])
}

#[track_caller]
fn assert_near(found: Option<f64>, expected: f64, tolerance: f64) {
    let found = found.expect("a value");
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected} ± {tolerance}");
}

#[test]
fn tech_3341_cases_1_and_2_steady_tones() {
    for level in [-23.0, -33.0] {
        let (_, last) = stereo(tone(&[(20.0, level)]));
        for found in [last.momentary_lufs, last.short_term_lufs, last.integrated_lufs] {
            assert_near(found, level, 0.1);
        }
    }
}

#[test]
fn tech_3341_cases_3_to_5_gating() {
    let cases: [&[(f64, f64)]; 3] = [
        &[(10.0, -36.0), (60.0, -23.0), (10.0, -36.0)],
        &[(10.0, -72.0), (10.0, -36.0), (60.0, -23.0), (10.0, -36.0), (10.0, -72.0)],
        &[(20.0, -26.0), (20.1, -20.0), (20.0, -26.0)],
    ];
    for case in cases {
        assert_near(stereo(tone(case)).1.integrated_lufs, -23.0, 0.1);
    }
}

#[test]
fn tech_3341_case_6_five_channels() {
    let channels = [-28.0, -28.0, -24.0, -30.0, -30.0].map(|level| tone(&[(20.0, level)]));
    let (_, last) = measure(&[Left, Right, Center, Surround, Surround], &channels);
    assert_near(last.integrated_lufs, -23.0, 0.1);
}

#[test]
fn tech_3341_case_9_short_term_is_constant_after_3_s() {
    let (readings, _) = stereo(tone(&[(1.34, -20.0), (1.66, -30.0)].repeat(5)));
    for (_, reading) in readings.iter().filter(|(at, _)| *at >= 3.0 + 1_024.0 / f64::from(RATE)) {
        assert_near(reading.short_term_lufs, -23.0, 0.1);
    }
}

#[test]
fn tech_3341_case_10_short_term_maximum_wherever_the_tone_begins() {
    for file in 0..20 {
        let (_, last) = stereo(tone(&[(f64::from(file) * 0.15, OFF), (3.0, -23.0), (1.0, OFF)]));
        assert_near(last.short_term_max_lufs, -23.0, 0.1);
    }
}

#[test]
fn tech_3341_case_11_short_term_maximum_of_a_rising_row_of_tones() {
    let mut stretches = Vec::new();
    for step in 0..20 {
        let start = f64::from(step) * 0.15;
        stretches.extend([(start, OFF), (3.0, -38.0 + f64::from(step)), (3.0 - start, OFF)]);
        let (_, last) = stereo(tone(&stretches));
        assert_near(last.short_term_max_lufs, -38.0 + f64::from(step), 0.1);
    }
}

#[test]
fn tech_3341_case_12_momentary_is_constant_after_1_s() {
    let (readings, _) = stereo(tone(&[(0.18, -20.0), (0.22, -30.0)].repeat(25)));
    for (_, reading) in readings.iter().filter(|(at, _)| *at >= 1.0) {
        assert_near(reading.momentary_lufs, -23.0, 0.1);
    }
}

#[test]
fn tech_3341_case_13_momentary_maximum_wherever_the_tone_begins() {
    for file in 0..20 {
        let (_, last) = stereo(tone(&[(f64::from(file) * 0.02, OFF), (0.4, -23.0), (1.0, OFF)]));
        assert_near(last.momentary_max_lufs, -23.0, 0.1);
    }
}

#[test]
fn tech_3341_case_14_momentary_maximum_of_a_rising_row_of_tones() {
    let mut stretches = Vec::new();
    for step in 0..20 {
        let start = f64::from(step) * 0.02;
        stretches.extend([(start, OFF), (0.4, -38.0 + f64::from(step)), (0.4 - start, OFF)]);
        let (_, last) = stereo(tone(&stretches));
        assert_near(last.momentary_max_lufs, -38.0 + f64::from(step), 0.1);
    }
}

/// A sine of `1 / period` of the sample rate, with 10 ms fades.
fn peak_tone(period: f64, amplitude: f64, degrees: f64) -> Vec<f32> {
    let count = RATE as usize / 2;
    let fade = f64::from(RATE) / 100.0;
    let sample = |index: usize| {
        let envelope = (index as f64 / fade).min((count - index) as f64 / fade).min(1.0);
        (envelope * amplitude * (TAU * index as f64 / period + degrees.to_radians()).sin()) as f32
    };
    (0..count).map(sample).collect()
}

#[track_caller]
fn assert_true_peak(samples: Vec<f32>, expected: f64) {
    let found = stereo(samples).1.true_peak_dbtp.expect("a peak");
    assert!(found <= expected + 0.2 && found >= expected - 0.4, "{found} is not {expected} +0.2/−0.4");
}

#[test]
fn tech_3341_cases_15_to_19_true_peaks_of_tones() {
    assert_true_peak(peak_tone(4.0, 0.50, 0.0), -6.0);
    assert_true_peak(peak_tone(4.0, 0.50, 45.0), -6.0);
    assert_true_peak(peak_tone(6.0, 0.50, 60.0), -6.0);
    assert_true_peak(peak_tone(8.0, 0.50, 67.5), -6.0);
    assert_true_peak(peak_tone(4.0, 1.41, 45.0), 3.0);
}

/// fs/6 at 0.50 with one period of fs/4 at 1.00 in the middle, made at 4 × 48 kHz, low-passed and
/// decimated from that offset.
fn peak_burst(offset: usize) -> Vec<f32> {
    let count = 4 * RATE as usize / 4;
    let middle = count / 2 / 24 * 24;
    let fade = 4.0 * f64::from(RATE) / 100.0;
    let fine: Vec<f64> = (0..count)
        .map(|index| {
            let envelope = (index as f64 / fade).min((count - index) as f64 / fade).min(1.0);
            match index.checked_sub(middle) {
                Some(within) if within < 16 => (TAU * within as f64 / 16.0).sin(),
                Some(after) if after >= 16 => envelope * 0.5 * (TAU * (after - 16) as f64 / 24.0).sin(),
                _ => envelope * 0.5 * (TAU * index as f64 / 24.0).sin(),
            }
        })
        .collect();
    // A windowed sinc that passes up to 20 kHz and stops from 28 kHz on.
    const HALF: i32 = 96;
    let taps: Vec<f64> = (-HALF..=HALF)
        .map(|tap| {
            let x = f64::from(tap) / 4.0;
            let sinc = if tap == 0 { 1.0 } else { (PI * x).sin() / (PI * x) };
            let window = 0.42
                + 0.5 * (PI * f64::from(tap) / f64::from(HALF)).cos()
                + 0.08 * (TAU * f64::from(tap) / f64::from(HALF)).cos();
            sinc * window / 4.0
        })
        .collect();
    let at = |index: usize| fine.get(index).copied().unwrap_or(0.0);
    (HALF as usize + offset..count)
        .step_by(4)
        .map(|center| {
            taps.iter().enumerate().map(|(tap, weight)| weight * at(center + tap - HALF as usize)).sum::<f64>() as f32
        })
        .collect()
}

#[test]
fn tech_3341_cases_20_to_23_true_peaks_between_any_samples() {
    for offset in 0..4 {
        assert_true_peak(peak_burst(offset), 0.0);
    }
}

#[test]
fn tech_3342_cases_1_to_4_loudness_range() {
    let cases: [(&[f64], f64); 4] = [
        (&[-20.0, -30.0], 10.0),
        (&[-20.0, -15.0], 5.0),
        (&[-40.0, -20.0], 20.0),
        (&[-50.0, -35.0, -20.0, -35.0, -50.0], 15.0),
    ];
    for (levels, expected) in cases {
        let stretches: Vec<_> = levels.iter().map(|level| (20.0, *level)).collect();
        assert_near(stereo(tone(&stretches)).1.loudness_range_lu, expected, 1.0);
    }
}

#[test]
fn windows_summed_here_equal_those_of_the_crate() {
    let samples = tone(&[(2.0, -30.0), (0.35, -12.0), (1.3, -41.0), (0.77, -20.0)]);
    let mut crate_meter = ebur128::EbuR128::new(1, RATE, ebur128::Mode::S).expect("a valid format");
    crate_meter.add_frames_f32(&samples).expect("one channel");
    let (_, last) = measure(&[ChannelRole::Mono], &[samples]);
    assert_near(last.momentary_lufs, crate_meter.loudness_momentary().expect("mode M"), 1e-9);
    assert_near(last.short_term_lufs, crate_meter.loudness_shortterm().expect("mode S"), 1e-9);
}

/// Half a minute of noise whose level changes every 50 ms, much of it below one gate or the other.
fn programme(seed: u64) -> Vec<f32> {
    let mut dice = seed;
    let mut level = 0.0;
    (0..30 * RATE as usize)
        .map(|index| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if index % 2_400 == 0 {
                // Changes slowly over 60 dB, with short steps on top.
                let slow = 30.0 + 30.0 * (TAU * index as f64 / (11.0 * f64::from(RATE)) + seed as f64).sin();
                level = 10.0_f64.powf(-(slow + (dice >> 60) as f64) / 20.0);
            }
            (level * ((dice >> 33) as f64 / f64::from(1_u32 << 31) - 0.5)) as f32
        })
        .collect()
}

/// Loudness range by the algorithm of EBU Tech 3342 (2023), on short-term levels every 100 ms.
fn naive_range(levels: &[f64]) -> f64 {
    let energy = |level: f64| 10.0_f64.powf(level / 10.0);
    let mut kept: Vec<f64> = levels.iter().copied().filter(|level| *level > -70.0).collect();
    let mean = kept.iter().map(|level| energy(*level)).sum::<f64>() / kept.len() as f64;
    kept.retain(|level| energy(*level) > mean / 100.0);
    kept.sort_by(f64::total_cmp);
    let percentile = |share: f64| kept[((kept.len() - 1) as f64 * share).round() as usize];
    percentile(0.95) - percentile(0.10)
}

#[test]
fn gated_measures_equal_those_without_a_histogram() {
    for seed in 0..6 {
        let samples = programme(seed);
        let mut crate_meter = ebur128::EbuR128::new(1, RATE, ebur128::Mode::I | ebur128::Mode::S).expect("a format");
        let mut levels = Vec::new();
        for block in samples.chunks(RATE as usize / 10) {
            crate_meter.add_frames_f32(block).expect("one channel");
            levels.push(crate_meter.loudness_shortterm().expect("mode S"));
        }
        let (_, last) = measure(&[ChannelRole::Mono], &[samples]);
        // What is left is the one bin of 0.1 LU that a gate cuts, and bins taken as their mean.
        assert_near(last.integrated_lufs, crate_meter.loudness_global().expect("mode I"), 0.03);
        assert_near(last.loudness_range_lu, naive_range(&levels[29..]), 0.1);
    }
}
