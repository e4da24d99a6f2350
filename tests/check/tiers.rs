//! What each tier finds of what was planted, and that a cheaper tier never invents anything.

use serde_json::Value;

use crate::common::binary::{check, events};
use crate::common::media::Clip;
use crate::common::recipes::{self, Coding};

/// A group of pictures of these clips, and as much for sound.
const GROUP: f64 = 2.1;

fn coverage(input: &Value, track: &str) -> f64 {
    let tracks = input["tracks"].as_array().expect("tracks are a list");
    let track = tracks.iter().find(|one| one["track"] == track).expect("the clip has it");
    track["coverage"].as_f64().expect("is a number")
}

/// Exactly one event of the detector, begun and ended within a group of pictures of the truth.
#[track_caller]
fn assert_found(clip: &Clip, tier: &str, detector: &str, tolerance: f64) {
    let (_, input) = check(&clip.path, &["--tier", tier]);
    let planted = clip.truth.iter().find(|planted| planted.detector == detector).expect("it was planted");
    let [(track, start, end, _)] = events(&input, detector)[..] else { panic!("one {detector} in {tier}: {input:#}") };
    assert_eq!(track, planted.track);
    assert!((start - planted.start).abs() <= tolerance, "{tier}: from {start}, planted {planted:?}");
    assert!((end - planted.end).abs() <= tolerance, "{tier}: to {end}, planted {planted:?}");
}

#[test]
fn black_is_found_wherever_pictures_are_looked_at_and_elsewhere_coverage_says_that_they_are_not() {
    let clip = recipes::black();
    for (tier, tolerance) in [("full", 0.02), ("light", 0.2), ("keyframes", GROUP)] {
        assert_found(&clip, tier, "black", tolerance);
    }
    for tier in ["audio", "transport"] {
        let (status, input) = check(&clip.path, &["--tier", tier]);
        assert_eq!((status, coverage(&input, "video:0")), (0, 0.0), "{tier}: {input:#}");
        assert_eq!(input["events"], Value::Array(Vec::new()), "{tier}");
    }
}

#[test]
fn silence_is_found_to_the_sample_wherever_sound_is_looked_at() {
    let clip = recipes::silence();
    for tier in ["full", "light", "keyframes", "audio"] {
        assert_found(&clip, tier, "silence", 0.05);
        let (_, input) = check(&clip.path, &["--tier", tier]);
        assert_eq!(coverage(&input, "audio:0"), 1.0, "{tier}");
    }
    let (_, input) = check(&clip.path, &["--tier", "transport"]);
    assert_eq!((coverage(&input, "audio:0"), events(&input, "silence").len()), (0.0, 0));
}

#[test]
fn a_clean_programme_passes_in_every_tier_and_coding() {
    let mut clips = vec![recipes::clean(), recipes::clean_transport_stream()];
    clips.extend(Coding::ALL.into_iter().map(recipes::clean_in));
    for clip in clips {
        for tier in ["light", "keyframes", "audio", "transport"] {
            let (status, input) = check(&clip.path, &["--tier", tier]);
            let told = &input["events"];
            assert_eq!((status, &input["verdict"]), (0, &Value::from("pass")), "{} {tier}: {told:#}", clip.path_text());
            let loud: Vec<&Value> =
                told.as_array().expect("a list").iter().filter(|event| event["severity"] != "info").collect();
            assert!(loud.is_empty(), "{} {tier}: {loud:?}", clip.path_text());
        }
    }
}

#[test]
fn an_unknown_tier_is_refused_with_those_that_there_are() {
    let output = crate::common::binary::avwatch().args(["check", "x", "--tier", "half"]).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("full, light, keyframes, audio, transport"), "{said}");
}
