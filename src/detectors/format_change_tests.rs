//! What is told of a change of format, and what is not.

use avwatch_actors::severity::Severity;

use super::super::testing::{STEREO, audio_track, build_expecting, findings, started, video_track};
use super::*;
use crate::profile::Profile;

/// What an instance for that track says of these announcements, one session each.
fn told(track: &TrackInfo, expect: &Expect, sessions: Vec<Vec<TrackInfo>>) -> Vec<(String, Option<Severity>)> {
    let mut detector = build_expecting(&KIND, Profile::Ott, track, &[], expect);
    let items: Vec<Item> = sessions
        .into_iter()
        .enumerate()
        .map(|(index, tracks)| started(index as u64 + 1, 0, index as f64 * 10.0, tracks))
        .collect();
    findings(&mut *detector, &items).into_iter().map(|finding| (finding.message, finding.severity)).collect()
}

fn sized(width: u32, height: u32) -> TrackInfo {
    let mut track = video_track(25.0);
    track.video = track.video.map(|format| VideoFormat { width, height, ..format });
    track
}

fn input() -> TrackInfo {
    TrackInfo::bare(TrackId::INPUT)
}

#[test]
fn the_first_announcement_and_an_equal_one_are_not_told() {
    let sessions = vec![vec![video_track(25.0)], vec![video_track(25.0)]];
    assert_eq!(told(&video_track(25.0), &Expect::default(), sessions), []);
}

#[test]
fn a_reconnect_in_another_size_is_told_with_both() {
    let sessions = vec![vec![sized(1280, 720)], vec![sized(1920, 1080)]];
    let words = "size changed from 1280x720 to 1920x1080".to_owned();
    assert_eq!(told(&video_track(25.0), &Expect::default(), sessions), [(words, Some(Info))]);
}

#[test]
fn a_change_within_a_session_is_told_at_its_place() {
    let mut detector = build_expecting(&KIND, Profile::Ott, &video_track(25.0), &[], &Expect::default());
    let items = [started(1, 0, 0.0, vec![sized(1280, 720)]), started(1, 1, 4.0, vec![sized(640, 360)])];
    let found = findings(&mut *detector, &items);
    assert_eq!((found.len(), found[0].at.as_secs_f64()), (1, 4.0));
}

#[test]
fn frame_rates_within_one_percent_are_the_same() {
    let told =
        |other| told(&video_track(30.0), &Expect::default(), vec![vec![video_track(30.0)], vec![video_track(other)]]);
    assert_eq!(told(29.97), []);
    assert_eq!(told(25.0), [("frame rate changed from 30 to 25".to_owned(), Some(Info))]);
}

#[test]
fn depth_scan_and_range_are_told_together() {
    let mut other = video_track(25.0);
    other.video = other.video.map(|format| VideoFormat {
        pixel_format: "yuv420p10le".to_owned(),
        interlaced: true,
        full_range: true,
        ..format
    });
    let words = "pixel format changed from yuv420p to yuv420p10le, scan changed from progressive to interlaced, \
                 range changed from limited to full";
    let sessions = vec![vec![video_track(25.0)], vec![other]];
    assert_eq!(told(&video_track(25.0), &Expect::default(), sessions), [(words.to_owned(), Some(Info))]);
}

#[test]
fn a_field_that_was_unknown_is_learned_and_not_forgotten() {
    let bare = TrackInfo::bare(TrackId::video(0));
    let sessions = vec![vec![bare.clone()], vec![video_track(25.0)], vec![bare], vec![sized(1280, 720)]];
    let words = "size changed from 640x360 to 1280x720".to_owned();
    assert_eq!(told(&video_track(25.0), &Expect::default(), sessions), [(words, Some(Info))]);
}

#[test]
fn sample_rate_and_channels_are_told() {
    let mut other = audio_track(&[avwatch_actors::track::ChannelRole::Mono]);
    other.audio = other.audio.map(|format| AudioFormat { sample_rate: 44_100, ..format });
    let sessions = vec![vec![audio_track(STEREO)], vec![other]];
    let words = "sample rate changed from 48000 to 44100, channels changed from 2 to 1".to_owned();
    assert_eq!(told(&audio_track(STEREO), &Expect::default(), sessions), [(words, Some(Info))]);
}

#[test]
fn a_contradiction_to_expect_is_a_warning_told_once_until_it_is_right_again() {
    let expect = Expect { codec: Some("hevc".to_owned()), ..Expect::default() };
    let mut right = video_track(25.0);
    right.codec = "hevc".to_owned();
    let wrong = video_track(25.0);
    let sessions = vec![vec![wrong.clone()], vec![wrong.clone()], vec![right], vec![wrong.clone()]];
    let told = told(&wrong, &expect, sessions);
    assert_eq!(
        told,
        [
            ("codec is h264, expected hevc".to_owned(), Some(Warning)),
            ("codec changed from h264 to hevc".to_owned(), Some(Info)),
            ("codec changed from hevc to h264, codec is h264, expected hevc".to_owned(), Some(Warning)),
        ]
    );
}

#[test]
fn a_track_that_goes_and_returns_is_told_and_one_that_was_only_late_is_not() {
    let late = TrackInfo { present: false, ..audio_track(STEREO) };
    let both = || vec![video_track(25.0), audio_track(STEREO)];
    let sessions = vec![vec![video_track(25.0), late], both(), vec![video_track(25.0)], both()];
    assert_eq!(
        told(&input(), &Expect::default(), sessions),
        [("audio:0 disappeared".to_owned(), Some(Info)), ("audio:0 appeared (aac)".to_owned(), Some(Info)),]
    );
}

#[test]
fn too_few_audio_tracks_contradict_expect() {
    let expect = Expect { audio_tracks: Some(2), ..Expect::default() };
    let told = told(&input(), &expect, vec![vec![video_track(25.0), audio_track(STEREO)]]);
    assert_eq!(told, [("1 audio tracks, expected 2".to_owned(), Some(Warning))]);
}
