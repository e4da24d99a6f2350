//! What the sound measurer says of samples whose truth is known.

use avwatch_actors::frame::{ChannelHop, LoudnessReading, SoundHop};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::ChannelRole;
use proptest::prelude::*;

use super::kernels::Cpu;
use super::{MeasurePlan, SoundMeasurer, SoundMeasures, naive};

const STEREO: [ChannelRole; 2] = [ChannelRole::Left, ChannelRole::Right];

fn plan() -> MeasurePlan {
    MeasurePlan { sound: true, loudness: true, true_peak: true, ..MeasurePlan::default() }
}

fn sine(rate: u32, frequency: f64, amplitude: f64, count: usize) -> Vec<f32> {
    let step = std::f64::consts::TAU * frequency / f64::from(rate);
    (0..count).map(|index| (amplitude * (step * index as f64).sin()) as f32).collect()
}

fn millis(millis: i64) -> MediaTime {
    MediaTime::from_millis(millis)
}

/// Hops of all measures, flattened to (hop, channels).
fn flatten(all: &[SoundMeasures]) -> Vec<(SoundHop, Vec<ChannelHop>)> {
    all.iter().flat_map(|measures| measures.hops.iter()).map(|(hop, channels)| (*hop, channels.to_vec())).collect()
}

/// Measures one channel in blocks of the given length, without a gap, and finishes.
fn measure_mono(rate: u32, samples: &[f32], block: usize) -> Vec<SoundMeasures> {
    let mut measurer = SoundMeasurer::new(&plan(), rate, &[ChannelRole::Mono]);
    let mut all = Vec::new();
    for (index, chunk) in samples.chunks(block).enumerate() {
        let at = MediaTime::from_ticks((index * block) as i64, 1, rate as i32);
        all.push(measurer.measure(at, &[chunk]));
    }
    all.push(measurer.finish());
    all
}

proptest! {
    #[test]
    fn hops_do_not_depend_on_how_samples_come_in_blocks(
        rate in prop::sample::select(vec![8_000_u32, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000]),
        block in 1_usize..5_000,
        seed in any::<u32>(),
    ) {
        let samples: Vec<f32> = sine(rate, 100.0 + f64::from(seed % 900), 0.7, rate as usize / 3);
        let whole = flatten(&measure_mono(rate, &samples, samples.len()));
        let parts = flatten(&measure_mono(rate, &samples, block));
        prop_assert_eq!(&whole, &parts);
        // Each against the naive twin, at the boundaries that the rate implies.
        for (index, (hop, channels)) in whole.iter().enumerate() {
            let end_of = |hop: usize| (hop * rate as usize + 50) / 100;
            let part = &samples[end_of(index)..end_of(index + 1).min(samples.len())];
            let (mean, power, peak) = naive::hop(part);
            prop_assert!((f64::from(channels[0].mean) - mean).abs() < 1e-6);
            prop_assert!((f64::from(channels[0].power) - power).abs() < 1e-6);
            prop_assert_eq!(channels[0].peak, peak);
            prop_assert_eq!(hop.at, millis(10 * index as i64));
        }
    }

    #[test]
    fn skipping_the_interpolator_never_changes_the_highest_true_peak(
        levels in prop::collection::vec(0.0_f32..1.0, 1..30),
        frequency in 1_000.0_f64..20_000.0,
    ) {
        let mut samples = sine(48_000, frequency, 1.0, 480 * levels.len());
        for (hop, level) in samples.chunks_mut(480).zip(&levels) {
            hop.iter_mut().for_each(|sample| *sample *= level);
        }
        let reading = measure_mono(48_000, &samples, 1_000).pop().and_then(|last| last.loudness).expect("a last reading");
        let peak = samples.iter().fold(0.0_f64, |peak, sample| peak.max(f64::from(sample.abs())));
        let expected = 20.0 * naive::interpolated_peak(&samples).max(peak).log10();
        match reading.true_peak_dbtp {
            Some(found) => prop_assert!((found - expected).abs() < 1e-3, "{} {}", found, expected),
            None => prop_assert_eq!(peak, 0.0),
        }
    }
}

#[test]
fn every_cpu_path_gives_the_same_bits() {
    let left = sine(44_100, 997.0, 0.9, 44_100);
    let right = sine(44_100, 7_321.0, 0.4, 44_100);
    let measure = |cpu| {
        let mut measurer = SoundMeasurer::on(&plan(), cpu, 44_100, &STEREO);
        (measurer.measure(MediaTime::ZERO, &[&left, &right]), measurer.finish())
    };
    assert_eq!(measure(Cpu::Portable), measure(Cpu::detect()));
}

#[test]
fn a_sine_on_an_offset_gives_mean_and_ac_power() {
    let samples: Vec<f32> = sine(48_000, 1_000.0, 0.5, 480).iter().map(|sample| sample + 0.25).collect();
    let hop = flatten(&measure_mono(48_000, &samples, 480))[0].1[0];
    assert!((hop.mean - 0.25).abs() < 1e-6 && (hop.power - 0.125).abs() < 1e-6 && (hop.peak - 0.75).abs() < 1e-6);
    assert!((hop.level_dbfs() + 9.03).abs() < 0.01);
}

#[test]
fn an_offset_alone_has_no_power() {
    let hop = flatten(&measure_mono(48_000, &[0.002; 480], 480))[0].1[0];
    assert!(hop.level_dbfs() < -150.0 && (hop.mean - 0.002).abs() < 1e-9);
}

#[test]
fn a_run_of_equal_samples_is_counted_on_across_hops() {
    let mut samples = sine(48_000, 1_000.0, 0.5, 480 * 3);
    samples[470..970].fill(0.0);
    let hops = flatten(&measure_mono(48_000, &samples, 200));
    let runs: Vec<u16> = hops.iter().map(|(_, channels)| channels[0].equal_run).collect();
    assert_eq!(runs, [10, 490, 500]);
}

#[test]
fn a_short_hop_comes_only_at_the_end() {
    let hops = flatten(&measure_mono(48_000, &[0.5; 480 * 2 + 120], 333));
    let lengths: Vec<_> = hops.iter().map(|(hop, _)| hop.lasts.as_nanos()).collect();
    assert_eq!(lengths, [10_000_000, 10_000_000, 2_500_000]);
    assert_eq!(hops[2].0.at, millis(20));
}

#[test]
fn a_gap_ends_the_hop_and_begins_time_anew() {
    let mut measurer = SoundMeasurer::new(&plan(), 48_000, &[ChannelRole::Mono]);
    let first = measurer.measure(millis(100), &[&[0.5; 600]]);
    measurer.gap(millis(900));
    let second = measurer.measure(millis(900), &[&[0.5; 480]]);
    let hops = flatten(&[first, second]);
    let times: Vec<_> = hops.iter().map(|(hop, _)| (hop.at.as_nanos(), hop.lasts.as_nanos())).collect();
    assert_eq!(times, [(100_000_000, 10_000_000), (110_000_000, 2_500_000), (900_000_000, 10_000_000)]);
    assert_eq!(hops[2].1[0].equal_run, 480, "a run does not reach across a gap");
}

#[test]
fn hops_follow_timestamps_that_drift_and_never_overlap() {
    let mut measurer = SoundMeasurer::new(&plan(), 48_000, &[ChannelRole::Mono]);
    // Blocks of 10 ms whose timestamps say 10.1 ms: a clock that is 1 % off.
    let mut all = Vec::new();
    for index in 0..1_000 {
        all.push(measurer.measure(MediaTime::from_micros(10_100 * index), &[&[0.1; 480]]));
    }
    let hops = flatten(&all);
    for (index, (hop, _)) in hops.iter().enumerate() {
        assert!(hop.at.distance(MediaTime::from_micros(10_100 * index as i64)) <= millis(5), "{index}");
    }
    assert!(hops.windows(2).all(|pair| pair[0].0.at + pair[0].0.lasts <= pair[1].0.at));
}

#[test]
fn jitter_of_timestamps_does_not_move_hops() {
    let mut measurer = SoundMeasurer::new(&plan(), 48_000, &[ChannelRole::Mono]);
    // Milliseconds, as FLV rounds them, of blocks of 1,024 samples.
    for index in 0..500_i64 {
        let measures = measurer.measure(millis(index * 1_024_000 / 48_000), &[&[0.1; 1_024]]);
        assert!(measures.hops.iter().all(|(hop, _)| hop.at.as_nanos() % 10_000_000 == 0));
    }
}

#[test]
fn what_is_not_a_number_counts_as_silence_and_poisons_nothing() {
    let mut samples = sine(48_000, 1_000.0, 0.5, 480 * 600);
    let clean = measure_mono(48_000, &samples, 1_024).pop().and_then(|last| last.loudness).expect("a reading");
    samples[700] = f32::NAN;
    samples[800] = f32::INFINITY;
    samples[900] = f32::NEG_INFINITY;
    let all = measure_mono(48_000, &samples, 1_024);
    for (_, channels) in flatten(&all) {
        let hop = channels[0];
        assert!(hop.mean.is_finite() && hop.power.is_finite() && hop.true_peak < 1.5 && hop.peak <= 0.5);
    }
    let reading = all.last().and_then(|last| last.loudness).expect("a reading");
    let close = |one: Option<f64>, other: Option<f64>| (one.expect("a value") - other.expect("a value")).abs() < 0.05;
    assert!(close(reading.integrated_lufs, clean.integrated_lufs));
    assert!(close(reading.short_term_lufs, clean.short_term_lufs));
}

#[test]
fn absurdly_large_samples_stay_finite_and_are_forgotten() {
    let mut samples = sine(48_000, 1_000.0, 0.1, 480 * 600);
    samples[500..520].fill(f32::MAX);
    let all = measure_mono(48_000, &samples, 480);
    for (_, channels) in flatten(&all) {
        assert!(channels[0].power.is_finite() && channels[0].true_peak.is_finite());
    }
    let reading = all.last().and_then(|last| last.loudness).expect("a reading");
    assert!((reading.short_term_lufs.expect("heard 3 s") + 23.0).abs() < 0.1, "{reading:?}");
    assert!(reading.integrated_lufs.expect("heard") <= 10.1, "{reading:?}");
}

#[test]
fn silence_and_too_little_sound_have_no_loudness() {
    let last =
        |samples: &[f32]| measure_mono(48_000, samples, 480).pop().and_then(|last| last.loudness).expect("a reading");
    let silent = last(&[0.0; 48_000 * 4]);
    assert_eq!(silent, LoudnessReading::default());
    let short = last(&sine(48_000, 1_000.0, 0.5, 48_000));
    assert!(short.momentary_lufs.is_some() && short.short_term_lufs.is_none() && short.short_term_max_lufs.is_none());
}

#[test]
fn readings_come_every_100_ms() {
    let samples = sine(48_000, 1_000.0, 0.5, 48_000);
    let all = measure_mono(48_000, &samples, 480);
    assert_eq!(all[..100].iter().filter(|measures| measures.loudness.is_some()).count(), 10);
}

#[test]
fn only_what_the_plan_asks_for_is_measured() {
    let samples = sine(48_000, 1_000.0, 0.5, 48_000);
    let measure =
        |plan: MeasurePlan| SoundMeasurer::new(&plan, 48_000, &STEREO).measure(millis(0), &[&samples, &samples]);
    let sound = measure(MeasurePlan { sound: true, ..MeasurePlan::default() });
    assert!(sound.loudness.is_none() && sound.hops.len() == 100);
    assert!(sound.hops.iter().all(|(_, channels)| channels[0].true_peak == channels[0].peak));
    let loudness = measure(MeasurePlan { loudness: true, ..MeasurePlan::default() });
    let reading = loudness.loudness.expect("a reading");
    assert!(loudness.hops.is_empty() && reading.integrated_lufs.is_some() && reading.true_peak_dbtp.is_none());
    assert!((reading.sample_peak_dbfs.expect("a peak") + 6.02).abs() < 0.01);
}

#[test]
fn a_mono_track_counts_once_and_not_as_two_loudspeakers() {
    // BS.1770-5: 0 dBFS at 997 Hz in one channel is −3.01 LKFS.
    let samples = sine(48_000, 997.0, 1.0, 48_000 * 5);
    let reading = measure_mono(48_000, &samples, 4_800).pop().and_then(|last| last.loudness).expect("a reading");
    assert!((reading.integrated_lufs.expect("loud") + 3.01).abs() < 0.02, "{reading:?}");
}

#[test]
fn lfe_is_left_out_and_surrounds_weigh_more() {
    let tone = sine(48_000, 1_000.0, 0.1, 48_000 * 4);
    let silence = vec![0.0; tone.len()];
    let loudness = |role: ChannelRole| {
        let mut measurer = SoundMeasurer::new(&plan(), 48_000, &[ChannelRole::Left, role]);
        measurer.measure(millis(0), &[&silence, &tone]);
        measurer.reading().integrated_lufs
    };
    assert_eq!(loudness(ChannelRole::Lfe), None);
    let difference = loudness(ChannelRole::Surround).expect("heard") - loudness(ChannelRole::Right).expect("heard");
    assert!((difference - 10.0 * 1.41_f64.log10()).abs() < 1e-3);
}

#[test]
fn impossible_formats_do_no_harm() {
    let mut none = SoundMeasurer::new(&plan(), 0, &[]);
    assert_eq!(none.measure(millis(0), &[&[0.5; 100]]), SoundMeasures::default());
    assert_eq!(none.finish(), SoundMeasures::default());
    let roles = [ChannelRole::Other; 40];
    let mut many = SoundMeasurer::new(&plan(), u32::MAX, &roles);
    let block = vec![0.5; 10_000];
    let measures = many.measure(millis(0), &[&block[..]; 40]);
    assert_eq!((measures.hops.channel_count(), measures.hops.len()), (16, 1));
}
