//! Made-up findings for the tests of the report.

use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity;
use avwatch_actors::track::{AudioFormat, TrackId, TrackInfo, VideoFormat};

use super::{DetectorRef, Measurements, Report, ReportEvent, ReportInput, ReportTrack};

pub(super) fn event(detector: &str, number: u16, severity: Severity, start_ms: i64, end_ms: i64) -> ReportEvent {
    ReportEvent {
        detector: detector.to_owned(),
        number,
        track: TrackId::video(0),
        severity,
        start_s: start_ms as f64 / 1e3,
        end_s: end_ms as f64 / 1e3,
        duration_s: (end_ms - start_ms) as f64 / 1e3,
        ongoing: false,
        peak: Some(1.0),
        unit: "ratio".to_owned(),
        message: format!("picture {detector} for {:.1} s", (end_ms - start_ms) as f64 / 1e3),
    }
}

/// Twenty seconds of sound and picture without an event.
pub(super) fn input(name: &str) -> ReportInput {
    let video = VideoFormat {
        width: 1280,
        height: 720,
        frame_rate: 25.0,
        pixel_format: "yuv420p".to_owned(),
        ..VideoFormat::default()
    };
    let audio = AudioFormat { sample_rate: 48_000, channels: 2, layout: "stereo".to_owned(), roles: Vec::new() };
    let picture = TrackInfo { codec: "h264".to_owned(), video: Some(video), ..TrackInfo::bare(TrackId::video(0)) };
    let sound = TrackInfo { codec: "aac".to_owned(), audio: Some(audio), ..TrackInfo::bare(TrackId::audio(0)) };
    let mut input = ReportInput::opened(name, "mpegts", MediaTime::from_millis(20_000));
    input.tracks = vec![ReportTrack::new(&picture, 500, 1.0), ReportTrack::new(&sound, 938, 1.0)];
    input.measurements.insert(
        TrackId::audio(0),
        Measurements { integrated_lufs: Some(-23.1), true_peak_dbtp: Some(-1.3), ..Measurements::default() },
    );
    input.detectors = [(1, "black"), (2, "freeze"), (15, "silence")]
        .map(|(number, name)| DetectorRef { number, name: name.to_owned() })
        .to_vec();
    input
}

/// One input that fails, one that passes and one that could not be opened.
pub(super) fn example() -> Report {
    let mut bad = input("clip.ts");
    let mut silent = event("silence", 15, Severity::Info, 8_000, 9_500);
    silent.track = TrackId::audio(0);
    bad.events = vec![
        silent,
        event("freeze", 2, Severity::Info, 8_000, 9_000),
        event("black", 1, Severity::Warning, 8_000, 11_000),
    ];
    let missing = ReportInput::failed("gone.ts", "cannot open gone.ts: no such file or directory");
    Report::new("file", Severity::Warning, vec![bad, input("good.ts"), missing])
}
