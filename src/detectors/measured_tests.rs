//! The detectors of sound on samples whose truth is known, through the real measurer: what is
//! planted must be told where it is, and nothing of what is clean.

use avwatch_actors::track::ChannelRole::{self, Center, Left, Lfe, Mono, Right, Surround};

use super::measured::{Sound, told};
use super::testing::STEREO;
use super::{DetectorKind, clipping, dc_offset, dropout, hum, mono, phase};

const ALL: [&DetectorKind; 6] =
    [&clipping::KIND, &phase::KIND, &mono::KIND, &dropout::KIND, &dc_offset::KIND, &hum::KIND];

/// Panics unless that is told, each time within `tolerance` seconds of the truth.
#[track_caller]
fn assert_told(kind: &'static DetectorKind, sound: &Sound, truth: &[(f64, f64)], tolerance: f64) {
    let found = told(kind, STEREO, sound);
    let seconds = sound.channels[0].len() as f64 / f64::from(sound.rate);
    let near = found.len() == truth.len()
        && found.iter().zip(truth).all(|((start, end), (from, to))| {
            (start - from).abs() <= tolerance && (end.unwrap_or(seconds) - to).abs() <= tolerance
        });
    assert!(near, "{}: told {found:?}, planted {truth:?}", kind.name);
}

#[track_caller]
fn assert_clean(name: &str, sound: &Sound) {
    for kind in ALL {
        let found = told(kind, STEREO, sound);
        assert!(found.is_empty(), "{} on {name}: {found:?}", kind.name);
    }
}

#[test]
fn clean_programme_of_any_rate_trips_nothing() {
    for rate in [44_100, 48_000] {
        assert_clean("speech", &Sound::speech(rate, 10.0));
        assert_clean("music", &Sound::music(rate, 10.0));
        assert_clean("pink noise", &Sound::pink(rate, 10.0, -20.0));
    }
    assert_clean("music at 32 kHz", &Sound::music(32_000, 10.0));
    assert_clean("speech at 8 kHz", &Sound::speech(8_000, 10.0));
    assert_clean("music at 96 kHz", &Sound::music(96_000, 6.0));
}

#[test]
fn silence_and_quiet_passages_trip_nothing() {
    assert_clean("silence", &Sound::tone(48_000, 8.0, 0.0, 0.0));
    assert_clean("quiet noise", &Sound::pink(48_000, 8.0, -75.0));
    assert_clean("dithered silence", &Sound::make(48_000, 8.0, &[1, 2], |_, white, _| white / 32_768.0));
    let quiet = Sound::music(48_000, 10.0).with(3.0, 7.0, |_, _, sample| 0.003 * f64::from(sample));
    assert_clean("quiet passage", &quiet);
}

#[test]
fn tones_of_any_pitch_and_a_sweep_trip_nothing() {
    for frequency in [50.0, 60.0, 63.0, 100.0, 440.0, 997.0, 1_000.0, 3_000.0, 10_000.0] {
        for level in [0.05, 0.5, 0.999] {
            assert_clean(&format!("{frequency} Hz at {level}"), &Sound::tone(48_000, 7.0, frequency, level));
        }
    }
    let sweep = |time: f64, _, seed| {
        0.5 * (std::f64::consts::TAU * (50.0 * time + 600.0 * time * time + 0.25 * seed as f64)).sin()
    };
    assert_clean("sweep", &Sound::make(48_000, 9.0, &[0, 1], sweep));
}

#[test]
fn synthesisers_below_full_scale_trip_nothing() {
    assert_clean("square wave", &Sound::square(48_000, 7.0, &[220.3], 0.5));
    assert_clean("low square wave", &Sound::square(48_000, 7.0, &[55.1], 0.7));
    assert_clean("chord of square waves", &Sound::square(48_000, 7.0, &[220.3, 277.1, 329.9], 0.6));
    let frequency_modulation = |time: f64, _, seed: u64| {
        let turns = 220.0 * time + 0.25 * seed as f64;
        0.5 * (std::f64::consts::TAU * turns + 3.0 * (std::f64::consts::TAU * 77.0 * time).sin()).sin()
    };
    assert_clean("frequency modulation", &Sound::make(48_000, 7.0, &[0, 1], frequency_modulation));
}

#[test]
fn loud_and_limited_programme_is_not_clipped() {
    for sound in [Sound::music(48_000, 8.0), Sound::speech(48_000, 8.0), Sound::pink(48_000, 8.0, -15.0)] {
        assert_eq!(told(&clipping::KIND, STEREO, &sound.clone().limited(12.0, 0.5)), []);
        assert_eq!(told(&clipping::KIND, STEREO, &sound.limited(9.0, 0.999)), []);
    }
}

#[test]
fn gates_words_fades_and_rhythms_are_no_dropouts() {
    let gate = |period: f64, share: f64| {
        move |time: f64, _: usize, sample: f32| if (time / period).fract() < share { f64::from(sample) } else { 0.0 }
    };
    let clean = |name: &str, sound: Sound| {
        let found = told(&dropout::KIND, STEREO, &sound);
        assert!(found.is_empty(), "{name}: {found:?}");
    };
    clean("music gated at eighths", Sound::music(48_000, 8.0).with(2.0, 6.0, gate(0.25, 0.5)));
    clean("music gated at sixteenths", Sound::pink(48_000, 8.0, -20.0).with(2.0, 6.0, gate(0.125, 0.6)));
    let words = |time: f64, _: usize, sample: f32| {
        let place = (time * 2.3).fract();
        f64::from(sample) * (place * 20.0).min(1.0) * ((0.6 - place) * 20.0).clamp(0.0, 1.0)
    };
    clean("words with digital silence between", Sound::pink(48_000, 8.0, -18.0).with(0.0, 8.0, words));
    let fade = |time: f64, _: usize, sample: f32| f64::from(sample) * ((time - 4.0).abs() - 0.5).clamp(0.0, 1.0);
    clean("fade to zero and back", Sound::music(48_000, 8.0).with(2.0, 6.0, fade));
    let clicks = |time: f64, _, _| if (time * 2.0).fract() < 0.001 { 0.5 } else { 0.0 };
    clean("clicks in digital silence", Sound::make(48_000, 8.0, &[0, 1], clicks));
    let pips = |time: f64, _, _| {
        if time.fract() < 0.1 { 0.3 * (std::f64::consts::TAU * 1_000.0 * time).sin() } else { 0.0 }
    };
    clean("pips", Sound::make(48_000, 8.0, &[0, 1], pips));
    let beats = |frequency: f64| {
        move |time: f64, _, _| {
            let tone = |frequency: f64| (std::f64::consts::TAU * frequency * time).sin();
            0.2 * (tone(440.3) + tone(440.3 + frequency))
        }
    };
    for frequency in [3.0, 11.0, 20.0, 30.0, 57.0] {
        clean("beats", Sound::make(48_000, 6.0, &[0, 1], beats(frequency)));
    }
}

#[test]
fn clipping_is_told_at_full_scale_and_after_it_was_turned_down() {
    for rate in [44_100, 48_000] {
        for sound in [Sound::music(rate, 10.0), Sound::speech(rate, 10.0), Sound::pink(rate, 10.0, -15.0)] {
            assert_told(&clipping::KIND, &sound.clone().clipped(3.0, 7.0, 12.0, 1.0), &[(3.0, 7.0)], 0.3);
            assert_told(&clipping::KIND, &sound.clipped(3.0, 7.0, 12.0, 0.6), &[(3.0, 7.0)], 0.3);
        }
    }
    assert_told(&clipping::KIND, &Sound::music(48_000, 9.0).clipped(3.0, 7.0, 6.0, 1.0), &[(3.0, 7.0)], 0.5);
}

#[test]
fn an_inverted_channel_is_told_whatever_its_level() {
    let inverted = |gain: f64| {
        move |_: f64, channel: usize, sample: f32| if channel == 1 { -gain * f64::from(sample) } else { sample.into() }
    };
    for gain in [1.0, 0.7] {
        for sound in [Sound::speech(48_000, 10.0), Sound::music(44_100, 10.0)] {
            let both = Sound { channels: vec![sound.channels[0].clone(); 2], rate: sound.rate };
            let mut spoilt = both.with(3.0, 7.0, inverted(gain));
            // Different on either side before and after.
            for (index, sample) in spoilt.channels[1].iter_mut().enumerate() {
                let time = index as f64 / f64::from(sound.rate);
                if !(3.0..7.0).contains(&time) {
                    *sample = sound.channels[1][index];
                }
            }
            let found = told(&phase::KIND, STEREO, &spoilt);
            assert_eq!(found.len(), 1, "{found:?}");
            let (start, end) = (found[0].0, found[0].1.unwrap_or(10.0));
            // Speech may pause at either moment.
            assert!((start - 3.0).abs() <= 0.3 && (end - 7.0).abs() <= 0.45, "{found:?}");
        }
    }
}

#[test]
fn dual_mono_is_told_to_the_hop() {
    let sound = Sound::pink(48_000, 10.0, -20.0);
    let left = sound.channels[0].clone();
    let same = |time: f64, _: usize, _: f32| f64::from(left[(time * 48_000.0).round() as usize]);
    assert_told(&mono::KIND, &sound.with(3.0, 7.0, same), &[(3.0, 7.0)], 0.02);
}

#[test]
fn lost_samples_are_told_to_the_sample() {
    for (rate, lasts) in [(48_000, 0.012), (48_000, 0.0015), (44_100, 0.0213), (48_000, 0.1)] {
        for sound in [Sound::pink(rate, 8.0, -20.0), Sound::music(rate, 8.0)] {
            let lost = sound.with(3.3, 3.3 + lasts, |_, _, _| 0.0).with(5.9, 5.9 + lasts, |_, _, _| 0.0);
            assert_told(&dropout::KIND, &lost, &[(3.3, 3.3 + lasts), (5.9, 5.9 + lasts)], 0.001);
        }
    }
}

#[test]
fn a_notch_that_is_not_quite_zero_is_told() {
    for lasts in [0.012, 0.02, 0.03] {
        let notch = |_: f64, _: usize, sample: f32| 0.02 * f64::from(sample);
        let sound = Sound::pink(48_000, 8.0, -20.0).with(3.303, 3.303 + lasts, notch);
        assert_told(&dropout::KIND, &sound, &[(3.303, 3.303 + lasts)], 0.006);
    }
}

#[test]
fn a_buffer_that_is_played_twice_is_told_whatever_its_length() {
    for (lasts, times) in [(0.02, 1), (1_024.0 / 48_000.0, 1), (0.04, 2), (0.1, 1)] {
        for sound in [Sound::pink(48_000, 8.0, -20.0), Sound::music(48_000, 8.0)] {
            let end = 3.3 + lasts * (1 + times) as f64;
            assert_told(&dropout::KIND, &sound.repeated(3.3, lasts, times), &[(3.3 + lasts, end)], 0.008);
        }
    }
}

#[test]
fn an_offset_is_told_around_where_it_is() {
    let shifted = |_: f64, channel: usize, sample: f32| f64::from(sample) + if channel == 1 { 0.05 } else { 0.0 };
    for sound in [Sound::speech(48_000, 11.0), Sound::music(44_100, 11.0)] {
        assert_told(&dc_offset::KIND, &sound.with(3.0, 7.0, shifted), &[(3.0, 7.0)], 0.05);
    }
}

#[test]
fn hum_of_either_mains_is_told_within_a_second() {
    // The third multiple of 60 Hz is where this voice is: it masks it.
    for (rate, mains, third) in [(48_000, 50.0, 3.0), (44_100, 60.0, 5.0), (48_000, 49.9, 3.0)] {
        let tone = |time: f64, order: f64| (std::f64::consts::TAU * mains * order * time + order).sin();
        let humming = |time: f64, _: usize, sample: f32| {
            f64::from(sample) + 0.02 * tone(time, 1.0) + 0.01 * tone(time, 2.0) + 0.0063 * tone(time, third)
        };
        let quieter = Sound::speech(rate, 16.0).with(0.0, 16.0, |_, _, sample| 0.3 * f64::from(sample));
        assert_told(&hum::KIND, &quieter.with(4.0, 16.0, humming), &[(4.0, 16.0)], 1.1);
    }
}

#[test]
fn bass_notes_and_single_tones_of_a_mains_frequency_are_no_hum() {
    let notes = |time: f64, white: f64, _| {
        let beat = (time * 2.0).fract();
        let tone = |order: f64| (std::f64::consts::TAU * 50.0 * order * time).sin() / order;
        0.2 * (tone(1.0) + tone(2.0) + tone(3.0) + tone(4.0)) * (-3.0 * beat).exp() + 0.001 * white
    };
    assert_eq!(told(&hum::KIND, STEREO, &Sound::make(48_000, 14.0, &[1, 2], notes)), []);
    let tone = |time: f64, white: f64, _| 0.1 * (std::f64::consts::TAU * 50.0 * time).sin() + 0.01 * white;
    assert_eq!(told(&hum::KIND, STEREO, &Sound::make(48_000, 14.0, &[1, 2], tone)), []);
}

#[test]
fn mono_tracks_and_surround_are_judged_as_far_as_they_can_be() {
    let stereo = Sound::music(48_000, 8.0).clipped(2.0, 7.0, 12.0, 0.5);
    let mono_track = Sound { channels: vec![stereo.channels[0].clone()], rate: 48_000 };
    assert_eq!(told(&clipping::KIND, &[Mono], &mono_track).len(), 1);
    assert_eq!(told(&phase::KIND, &[Mono], &mono_track), []);
    let roles: [ChannelRole; 6] = [Left, Right, Center, Lfe, Surround, Surround];
    let clean = Sound::music(48_000, 8.0);
    let low = Sound::tone(48_000, 8.0, 35.0, 0.5).with(0.0, 8.0, |_, _, sample| f64::from(sample) + 0.1);
    let [left, right] = [0, 1].map(|channel| clean.channels[channel].clone());
    let channels = vec![left.clone(), right.clone(), left.clone(), low.channels[0].clone(), right, left];
    let surround = Sound { channels, rate: 48_000 };
    for kind in ALL {
        let found = told(kind, &roles, &surround);
        assert!(found.is_empty() || !(kind.applies)(&super::testing::audio_track(&roles)), "{}: {found:?}", kind.name);
    }
    let lost = surround.with(4.0, 4.012, |_, channel, sample| if channel == 2 { 0.0 } else { sample.into() });
    assert_eq!(told(&dropout::KIND, &roles, &lost).len(), 1);
}
