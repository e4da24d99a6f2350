//! What accompanies a programme is missed when it ends: bits, pictures, captions, subtitles.

use serde_json::Value;

use crate::common::binary::{check, events};
use crate::common::data_recipes::{Captions, captions, starved, subtitles, thinned};
use crate::common::media::Clip;
use crate::common::recipes;

/// Hold times that fit into a clip of 12 s.
const SOON: [&str; 6] = [
    "--set",
    "detectors.bitrate.severities={ warning = \"3s\" }",
    "--set",
    "detectors.captions_missing.severities={ info = \"3s\" }",
    "--set",
    "detectors.subtitles_missing.severities={ info = \"3s\" }",
];

fn report(clip: &Clip, arguments: &[&str]) -> Value {
    check(&clip.path, &[arguments, &SOON].concat()).1
}

/// Panics unless the detector tells exactly one event, from `start` to the end; gives its message.
#[track_caller]
fn told_to_the_end<'a>(input: &'a Value, detector: &str, start: f64, tolerance: f64) -> &'a str {
    let [(_, told, end, _)] = events(input, detector)[..] else { panic!("{detector} is told once: {input:#}") };
    assert!((told - start).abs() <= tolerance, "{detector} from {told}");
    assert!((end - 12.0).abs() < 0.2, "{detector} until {end}");
    let event = input["events"].as_array().into_iter().flatten().find(|event| event["detector"] == detector);
    event.and_then(|event| event["message"].as_str()).expect("it has a message")
}

#[test]
fn a_stream_that_is_starved_of_bits_is_told_live_and_not_in_a_file() {
    let input = report(&starved(), &["--profile", "ott"]);
    let message = told_to_the_end(&input, "bitrate", 7.0, 0.5);
    assert!(message.starts_with("bit rate down to "), "{message}");
    assert_eq!(events(&input, "frame_rate"), []);
    assert_eq!(events(&report(&starved(), &[]), "bitrate"), []);
}

#[test]
fn a_stream_that_loses_half_of_its_pictures_is_told_live_after_5_seconds() {
    let input = check(&thinned().path, &["--profile", "ott"]).1;
    let message = told_to_the_end(&input, "frame_rate", 5.0, 1.0);
    assert!(message.contains("% fewer pictures a second than due"), "{message}");
    assert_eq!(events(&input, "bitrate"), []);
}

#[test]
fn a_clean_stream_has_its_usual_rates() {
    for clip in [recipes::clean_transport_stream(), recipes::clean()] {
        let input = report(&clip, &["--profile", "ott"]);
        for detector in ["bitrate", "frame_rate", "captions_missing", "subtitles_missing", "av_sync"] {
            assert_eq!(events(&input, detector), [], "{detector} in {}", clip.path.display());
        }
    }
}

#[test]
fn captions_that_end_are_missed_to_the_picture_whether_padded_or_gone() {
    let cases = [(Captions::Padding, "no captions for 6 s"), (Captions::None, "captions no longer carried for 6 s")];
    for (then, words) in cases {
        let input = report(&captions(then), &[]);
        assert_eq!(told_to_the_end(&input, "captions_missing", 6.0, 1e-3), words);
    }
}

#[test]
fn captions_that_go_on_are_not_missed() {
    assert_eq!(events(&report(&captions(Captions::Text), &[]), "captions_missing"), []);
}

#[test]
fn subtitles_that_end_are_missed_from_the_last_one() {
    for extension in ["mkv", "mp4"] {
        let input = report(&subtitles(extension), &[]);
        let message = told_to_the_end(&input, "subtitles_missing", 5.5, 0.5);
        assert!(message.starts_with("no subtitles on subtitle:0 for "), "{message}");
    }
}
