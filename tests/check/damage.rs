//! Damage leaves evidence: what was lost is told with its time, though the decoder hides it.

use serde_json::Value;

use crate::common::binary::{check, events};
use crate::common::media::{Clip, FPS};
use crate::common::{damage, recipes};

/// Events of `decode_error` and `timestamp` on the video, by start.
fn evidence(input: &Value) -> Vec<(f64, f64)> {
    let mut found: Vec<(f64, f64)> = ["decode_error", "timestamp"]
        .iter()
        .flat_map(|detector| events(input, detector))
        .filter(|(track, ..)| *track == "video:0")
        .map(|(_, start, end, _)| (start, end))
        .collect();
    found.sort_by(|one, two| one.0.total_cmp(&two.0));
    found
}

#[test]
fn lost_packets_are_told_until_the_picture_is_whole_again() {
    let clip = damage::lost_packets();
    let (status, input) = check(&clip.path, &[]);
    assert_eq!(status, 1, "{input:#}");
    let planted = &clip.truth[0];
    let told = events(&input, "decode_error");
    let video: Vec<_> = told.iter().filter(|(track, ..)| *track == "video:0").collect();
    let (first, last) = (video.first().expect("damage is told"), video.last().expect("damage is told"));
    // A transport stream's time begins with the priming of its sound; a frame either way is the
    // packet in which the loss is seen.
    let near = |one: f64, two: f64| (one - two).abs() <= 2.0 / FPS;
    assert!(near(first.1, planted.start) && near(last.2, planted.end), "{planted:?}: {told:?}");
}

#[track_caller]
fn dropped_frames_are_told(codec: &str) {
    let clip = damage::dropped_frames(codec);
    let (status, input) = check(&clip.path, &[]);
    assert_eq!(status, 1, "{input:#}");
    let found = evidence(&input);
    let first = found.first().unwrap_or_else(|| panic!("nothing is told: {input:#}"));
    // FFmpeg's decoder withholds a few frames after such a gap: the first one shown is damaged.
    let late = first.0 - clip.truth[0].start;
    assert!((-0.001..=5.0 / FPS).contains(&late), "{:?}: {found:?}", clip.truth);
    let (_, end) = found.last().expect("has a first one");
    assert!((end - clip.truth[0].end).abs() < 0.001, "{:?}: {found:?}", clip.truth);
    assert_eq!(events(&input, "timestamp").len(), 1, "the jump is told too: {input:#}");
}

#[test]
fn whole_frames_that_are_missing_are_told_in_h264() {
    dropped_frames_are_told("libx264");
}

#[test]
fn whole_frames_that_are_missing_are_told_in_hevc() {
    dropped_frames_are_told("libx265");
}

#[test]
fn altered_bytes_in_h264_are_told_from_the_first_damaged_frame_on() {
    let clip = damage::altered_bytes("libx264");
    let (status, input) = check(&clip.path, &[]);
    assert_eq!(status, 1, "{input:#}");
    let found = evidence(&input);
    let first = found.first().unwrap_or_else(|| panic!("nothing is told: {input:#}"));
    assert!((first.0 - clip.truth[0].start).abs() <= 3.0 / FPS, "{:?}: {found:?}", clip.truth);
}

#[test]
fn damage_that_was_coded_anew_is_told_although_the_stream_is_whole() {
    let clip = damage::coded_anew();
    let (status, input) = check(&clip.path, &[]);
    assert_eq!(status, 1, "{input:#}");
    assert_eq!(evidence(&input), [], "the stream itself is whole");
    let told = events(&input, "block_corruption");
    let [(track, start, end, severity)] = told[..] else { panic!("one event: {input:#}") };
    assert_eq!((track, severity), ("video:0", "warning"));
    let planted = &clip.truth[0];
    // Bytes are altered until 4.6 s; the first pictures hide it.
    assert!((planted.start..4.6).contains(&start), "{planted:?}: {told:?}");
    assert!((5.5..planted.end + 0.1).contains(&end), "{planted:?}: {told:?}");
}

#[test]
fn a_whole_stream_shows_no_damage() {
    for clip in [recipes::clean_transport_stream(), damage::before_damage("libx264"), damage::before_damage("libx265")]
    {
        let (status, input) = check(&clip.path, &[]);
        assert_eq!((status, evidence(&input)), (0, Vec::new()), "{}: {input:#}", clip.path.display());
    }
}

/// Clips with damage, for a look at all of them at once.
fn all() -> [Clip; 3] {
    [damage::lost_packets(), damage::dropped_frames("libx264"), damage::altered_bytes("libx264")]
}

#[test]
fn damage_is_told_of_the_picture_and_of_nothing_else() {
    for clip in all() {
        let (_, input) = check(&clip.path, &[]);
        for detector in ["black", "silence", "channel_silence", "video_missing", "audio_missing", "scrambled"] {
            assert_eq!(events(&input, detector), [], "{}: {input:#}", clip.path.display());
        }
    }
}
