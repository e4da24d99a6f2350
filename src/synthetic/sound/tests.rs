//! What the sound is and is not, checked on the samples.

use super::*;

fn maker(text: &str) -> (SoundMaker, u64) {
    let recipe: Recipe = text.parse().unwrap();
    let plan = Arc::new(DefectPlan::new(&recipe));
    (SoundMaker::new(&recipe, plan), u64::from(recipe.sample_rate))
}

/// The samples of a stretch, made in blocks of 20 ms.
fn samples(text: &str, seconds: std::ops::Range<u64>) -> Vec<Vec<f32>> {
    let (maker, rate) = maker(text);
    let mut all = vec![Vec::new(); usize::from(maker.channels)];
    let mut block = SoundBlock::default();
    for number in seconds.start * 50..seconds.end * 50 {
        maker.make(number * rate / 50, rate as usize / 50, &mut block);
        all.iter_mut().zip(&block.0).for_each(|(all, one)| all.extend_from_slice(one));
    }
    all
}

fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64
}

fn decibels(samples: &[f32]) -> f64 {
    10.0 * power(samples).max(1e-20).log10()
}

fn peak(samples: &[f32]) -> f32 {
    samples.iter().fold(0.0, |peak, sample| peak.max(sample.abs()))
}

fn correlation(one: &[f32], other: &[f32]) -> f64 {
    let product: f64 = one.iter().zip(other).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum();
    product / one.len() as f64 / (power(one) * power(other)).sqrt()
}

#[test]
fn the_same_seed_gives_the_same_samples_in_blocks_of_any_size() {
    let (maker, _) = maker("seed=7");
    let (mut one, mut other) = (SoundBlock::default(), SoundBlock::default());
    maker.make(500_000, 960, &mut one);
    maker.make(500_000 - 64, 1_024, &mut other);
    assert_eq!(one.0[0][..], other.0[0][64..]);
    assert_ne!(samples("seed=8", 0..1), samples("seed=7", 0..1));
}

#[test]
fn clean_sound_is_at_minus_23_lufs_with_peaks_below_minus_3_dbfs() {
    for text in ["seed=1", "seed=2&rate=44100", "seed=3&audio=1", "seed=4&audio=6&rate=32000"] {
        let (maker, rate) = maker(text);
        let all = samples(text, 0..78);
        let mut meter = ebur128::EbuR128::new(u32::from(maker.channels), rate as u32, ebur128::Mode::I).unwrap();
        meter.add_frames_planar_f32(&all.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        let loudness = meter.loudness_global().unwrap();
        assert!((loudness + 23.0).abs() < 1.0, "{text}: {loudness} LUFS");
        for channel in &all {
            assert!(peak(channel) < 0.708, "{text}: {}", peak(channel));
            let mean = channel.iter().map(|sample| f64::from(*sample)).sum::<f64>() / channel.len() as f64;
            assert!(mean.abs() < 0.001, "{text}: offset {mean}");
        }
    }
}

#[test]
fn clean_sound_is_never_silent_for_200_ms_on_any_channel() {
    for text in ["seed=1", "seed=5&audio=1", "seed=6&audio=6"] {
        for channel in samples(text, 0..78) {
            for (number, window) in channel.chunks_exact(4_800).enumerate() {
                assert!(decibels(window) > -50.0, "{text}: {} at {} ms", decibels(window), number * 100);
            }
        }
    }
}

#[test]
fn left_and_right_are_alike_but_never_the_same_nor_upside_down() {
    let all = samples("seed=1", 0..78);
    for (left, right) in all[0].chunks_exact(19_200).zip(all[1].chunks_exact(19_200)) {
        let alike = correlation(left, right);
        assert!((0.0..0.99).contains(&alike), "{alike}");
    }
}

#[test]
fn silence_is_where_the_plan_says_to_the_sample() {
    let all = samples("defects=silence@1.00001+1", 0..3);
    let first = all[0].iter().zip(&all[1]).position(|(left, right)| *left == 0.0 && *right == 0.0);
    assert_eq!(first, Some(48_001));
    assert!(all.iter().all(|channel| channel[48_001..96_001].iter().all(|sample| *sample == 0.0)));
    assert!(all.iter().all(|channel| channel[95_990..96_010].iter().any(|sample| *sample != 0.0)));
}

#[test]
fn a_silent_channel_is_the_right_one_alone() {
    let all = samples("defects=channel_silence@1+1", 1..2);
    assert_eq!(peak(&all[1]), 0.0);
    assert!(decibels(&all[0]) > -40.0);
}

#[test]
fn clipped_sound_lies_at_full_scale_in_runs() {
    let clipped = |text| {
        let all = samples(text, 1..2);
        all[0].windows(3).filter(|run| run.iter().all(|sample| sample.abs() >= 0.999)).count()
    };
    assert!(clipped("defects=clipping@1+1") > 480, "more than 1 % of the samples");
    assert_eq!(clipped("seed=1"), 0);
}

#[test]
fn true_peak_overs_exceed_full_scale_only_between_the_samples() {
    let all = samples("defects=true_peak@1+1", 1..2);
    let mut meter = ebur128::EbuR128::new(2, 48_000, ebur128::Mode::TRUE_PEAK).unwrap();
    meter.add_frames_planar_f32(&[&all[0], &all[1]]).unwrap();
    assert!(peak(&all[0]) < 0.99);
    assert!(meter.true_peak(0).unwrap() > 1.12, "{:?}", meter.true_peak(0));
}

#[test]
fn phase_and_mono_are_what_they_are_called() {
    let inverted = samples("defects=phase@1+1", 1..2);
    assert!(correlation(&inverted[0], &inverted[1]) < -0.999);
    let same = samples("defects=mono@1+1", 1..2);
    assert_eq!(same[0], same[1]);
}
