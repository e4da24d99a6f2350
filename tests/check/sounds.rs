//! What is planted in sound is told to the hop, and within 20 ms where a codec stands between.

use crate::common::binary::{assert_truth, check, events};
use crate::common::media::Clip;
use crate::common::recipes;

/// Uncompressed sound: the very hop.
const TO_THE_HOP: f64 = 1e-6;

/// Coded sound, as promised.
const CODED: f64 = 0.02;

#[track_caller]
fn told(clip: &Clip, tolerance: f64) {
    let (status, input) = check(&clip.path, &[]);
    assert_eq!(status, 1, "{}: {input:#}", clip.path.display());
    assert_truth(clip, &input, tolerance);
}

#[test]
fn silence_is_told_to_the_hop() {
    told(&recipes::silence(), TO_THE_HOP);
}

#[test]
fn dead_air_with_an_offset_and_a_click_now_and_then_is_one_silence() {
    told(&recipes::silence_with_clicks(), TO_THE_HOP);
}

#[test]
fn dead_air_with_an_offset_is_silence() {
    told(&recipes::silence_with_offset(), TO_THE_HOP);
}

#[test]
fn a_dead_channel_is_told_to_the_hop_and_is_no_silence() {
    told(&recipes::dead_channel(), TO_THE_HOP);
}

#[test]
fn of_two_tracks_the_silent_one_is_told_as_info_because_it_is_not_the_main_one() {
    let clip = recipes::two_sound_tracks();
    let (status, input) = check(&clip.path, &[]);
    assert_truth(&clip, &input, TO_THE_HOP);
    assert_eq!((status, events(&input, "silence")[0].3), (0, "info"));
}

#[test]
fn silence_in_aac_is_told_within_20_ms() {
    let [mp4, ..] = recipes::in_containers();
    let (_, input) = check(&mp4.path, &[]);
    let [(track, start, end, _)] = events(&input, "silence")[..] else { panic!("one silence: {input:#}") };
    assert_eq!(track, "audio:0");
    assert!((start - 6.0).abs() <= CODED && (end - 9.0).abs() <= CODED, "{start} to {end}");
}

#[test]
fn a_silence_in_mp2_is_told_within_20_ms() {
    told(&recipes::silence_mp2(), CODED);
}

#[test]
fn sound_alone_passes_and_is_measured() {
    let (status, input) = check(&recipes::calibrated_tone().path, &[]);
    assert_eq!(status, 0, "{input:#}");
    let loudness = input["measurements"]["audio:0"]["integrated_lufs"].as_f64().expect("is measured");
    assert!((loudness + 23.0).abs() <= 0.1, "{loudness}");
}
