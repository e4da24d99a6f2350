//! Sound that is early or late by flash-and-beep markers is told by how much, and nothing else is.

use crate::common::binary::{check, events};
use crate::common::data_recipes::markers;
use crate::common::media::Clip;
use crate::common::{recipes, sound_recipes};

/// What is told of a clip with markers: start, severity, milliseconds and message.
fn told(clip: &Clip) -> Option<(f64, String, f64, String)> {
    let input = check(&clip.path, &[]).1;
    let [(track, start, end, severity)] = events(&input, "av_sync")[..] else {
        assert_eq!(events(&input, "av_sync"), []);
        return None;
    };
    assert_eq!((track, end), ("input", input["duration_s"].as_f64().expect("is a number")));
    let event = input["events"].as_array()?.iter().find(|event| event["detector"] == "av_sync")?;
    let text = |key: &str| event[key].as_str().expect("is a text").to_owned();
    assert_eq!(text("unit"), "ms");
    Some((start, severity.to_owned(), event["peak"].as_f64()?, text("message")))
}

#[test]
fn sound_that_is_120_ms_late_is_a_warning_by_ebu_r_37_in_every_container() {
    for extension in ["mkv", "ts", "mp4"] {
        let (start, severity, off, message) = told(&markers(120, extension)).expect("it is late");
        assert!((off - 120.0).abs() < 10.0, "{extension}: {off} ms");
        assert!((start - 2.0).abs() < 0.05, "{extension}: from {start}");
        assert_eq!(severity, "warning");
        assert!(message.ends_with(" ms late (flash-and-beep markers)"), "{message}");
    }
}

#[test]
fn sound_that_is_100_ms_early_is_major_by_itu_r_bt_1359_1() {
    let (start, severity, off, message) = told(&markers(-100, "mkv")).expect("it is early");
    assert!((off - 100.0).abs() < 1.5 && (start - 1.9).abs() < 0.002, "{off} ms from {start}");
    assert_eq!((severity.as_str(), message.as_str()), ("major", "sound 100 ms early (flash-and-beep markers)"));
}

#[test]
fn sound_that_is_200_ms_late_is_major_by_itu_r_bt_1359_1() {
    let (_, severity, off, _) = told(&markers(200, "ts")).expect("it is late");
    assert!((off - 200.0).abs() < 10.0 && severity == "major", "{off} ms, {severity}");
}

#[test]
fn markers_that_coincide_or_stay_within_ebu_r_37_are_nothing() {
    for (late_ms, extension) in [(0, "mkv"), (0, "ts"), (0, "mp4"), (50, "mkv"), (-30, "mkv")] {
        assert_eq!(told(&markers(late_ms, extension)), None, "{late_ms} ms in {extension}");
    }
}

#[test]
fn ordinary_programmes_say_nothing_of_sync() {
    let mut clips = vec![recipes::clean(), recipes::black(), recipes::silence_with_clicks()];
    clips.extend(sound_recipes::misleading());
    for clip in clips {
        assert_eq!(told(&clip), None, "{}", clip.path.display());
    }
}
