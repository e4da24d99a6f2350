//! The demuxer on files: good, damaged, and not media at all.

use std::path::{Path, PathBuf};

use avwatch_actors::source::SourceError;

use crate::media::spec::{Address, WhiteList};
use crate::media::testing::{clip, drain, mp4_index_first, mp4_index_last, open, refusal, spec, transport_stream};

fn file(path: &Path) -> Address {
    Address::File(path.to_owned())
}

/// A file with these bytes, kept as long as the folder.
fn written(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Bytes without any pattern.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut dice = fastrand::Rng::with_seed(seed);
    (0..count).map(|_| dice.u8(..)).collect()
}

#[test]
fn a_transport_stream_yields_all_its_packets() {
    let path = transport_stream();
    let mut demuxer = open(file(&path)).unwrap();
    assert_eq!(demuxer.container(), "mpegts");
    let duration = demuxer.duration().unwrap();
    assert!((900..1_200).contains(&duration.as_millis()), "{duration:?}");
    let (packets, end) = drain(&mut demuxer);
    end.unwrap();
    // 25 pictures and 48 blocks of 1,024 samples, give or take the codec's priming.
    assert!((70..80).contains(&packets), "{packets}");
    let size = std::fs::metadata(&path).unwrap().len();
    assert!(demuxer.counts().received_bytes >= size);
}

#[test]
fn an_mp4_is_read_wherever_its_index_stands() {
    for path in [mp4_index_last(), mp4_index_first()] {
        let mut demuxer = open(file(&path)).unwrap();
        assert_eq!(demuxer.container(), "mov");
        let (packets, end) = drain(&mut demuxer);
        end.unwrap();
        assert!((70..80).contains(&packets), "{packets}");
    }
}

#[test]
fn formats_of_finished_files_open_from_files() {
    for (name, options) in [
        ("clip.mxf", &["-c:v", "mpeg2video", "-c:a", "pcm_s16le", "-f", "mxf"][..]),
        ("clip.mkv", &["-c:v", "ffv1", "-c:a", "flac", "-f", "matroska"]),
        ("clip.mov", &["-c:v", "prores", "-c:a", "pcm_s24le", "-f", "mov"]),
        ("clip.wav", &["-vn", "-c:a", "pcm_s16le", "-f", "wav"]),
        ("clip.flac", &["-vn", "-c:a", "flac", "-f", "flac"]),
        ("clip.mp3", &["-vn", "-c:a", "libmp3lame", "-f", "mp3"]),
        ("clip.aac", &["-vn", "-c:a", "aac", "-f", "adts"]),
        ("clip.avi", &["-c:v", "mjpeg", "-c:a", "pcm_s16le", "-f", "avi"]),
        ("clip.h264", &["-an", "-c:v", "libx264", "-f", "h264"]),
        ("clip.webm", &["-c:v", "libvpx", "-c:a", "libopus", "-f", "webm"]),
        ("clip.flv", &["-c:v", "libx264", "-c:a", "aac", "-f", "flv"]),
        ("clip.mpg", &["-c:v", "mpeg2video", "-c:a", "mp2", "-f", "mpeg"]),
        ("clip.ac3", &["-vn", "-c:a", "ac3", "-f", "ac3"]),
        ("clip.ogg", &["-vn", "-c:a", "libvorbis", "-f", "ogg"]),
    ] {
        let mut demuxer = open(file(&clip(name, options))).unwrap_or_else(|error| panic!("{error}"));
        let (packets, end) = drain(&mut demuxer);
        assert!(packets > 0 && end.is_ok(), "{name}: {packets} packets, {end:?}");
    }
}

#[test]
fn a_codec_off_the_white_list_is_forbidden_by_name() {
    let path = clip("magic.mkv", &["-an", "-c:v", "huffyuv", "-f", "matroska"]);
    let error = open(file(&path)).err().unwrap();
    assert!(matches!(error, SourceError::Forbidden { .. }));
    assert!(error.to_string().ends_with("codec 'huffyuv' is not on the white list 'wide' of decoders"), "{error}");
}

#[test]
fn the_live_list_refuses_what_only_files_may_be() {
    let mut spec = spec(file(&clip("clip.wav", &["-vn", "-c:a", "pcm_s16le", "-f", "wav"])), 5_000);
    spec.list = WhiteList::Live;
    let error = crate::media::demuxer::Demuxer::open(&spec, &Default::default()).err().unwrap();
    assert!(matches!(error, SourceError::Forbidden { .. }), "{error}");
    assert!(error.to_string().contains("'wav'") && error.to_string().contains("'live'"), "{error}");
}

#[test]
fn what_is_no_media_is_refused_with_a_cause() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, words) in [
        ("empty.ts", Vec::new(), "the file is empty"),
        ("notes.ts", b"1\n00:00:01,000 --> 00:00:02,000\nHello\n".repeat(50), "it is text, not audio or video"),
        ("page.mp4", b"<!DOCTYPE html><html>not found</html>".to_vec(), "it is text, not audio or video"),
        ("list.m3u8", b"#EXTM3U\n#EXT-X-VERSION:3\n".to_vec(), "it is an HLS playlist"),
        ("zeros.ts", vec![0; 300_000], "no audio or video format was recognised"),
        ("one.ts", vec![0x47], "it is text, not audio or video"),
        ("few.ts", vec![0x47, 0, 1], "no audio or video format was recognised"),
    ] {
        let words_given = refusal(file(&written(&folder, name, &bytes)));
        assert!(words_given.contains(name) && words_given.contains(words), "{words_given}");
    }
}

#[test]
fn noise_is_never_taken_for_media() {
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..12 {
        let length = [100, 5_000, 300_000, 2_000_000][seed as usize % 4];
        let words = refusal(file(&written(&folder, "noise.bin", &noise(seed, length))));
        assert!(words.contains("noise.bin"), "{words}");
    }
}

#[test]
fn a_transport_stream_is_read_as_far_as_it_goes() {
    let whole = std::fs::read(transport_stream()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut demuxer = open(file(&written(&folder, "half.ts", &whole[..whole.len() / 2]))).unwrap();
    let (packets, end) = drain(&mut demuxer);
    end.unwrap();
    assert!((20..60).contains(&packets), "{packets}");
}

#[test]
fn a_cut_off_mp4_is_read_as_far_as_it_goes_or_its_missing_index_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let last = std::fs::read(mp4_index_last()).unwrap();
    let words = refusal(file(&written(&folder, "last.mp4", &last[..last.len() / 2])));
    assert!(words.contains("its index (moov) is missing"), "{words}");
    let first = std::fs::read(mp4_index_first()).unwrap();
    let mut demuxer = open(file(&written(&folder, "first.mp4", &first[..first.len() * 3 / 4]))).unwrap();
    let (packets, end) = drain(&mut demuxer);
    assert!(end.is_ok() && (10..74).contains(&packets), "{packets} packets, {end:?}");
}

#[test]
fn damage_in_the_middle_does_not_end_the_reading() {
    let mut bytes = std::fs::read(transport_stream()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 2_000].copy_from_slice(&noise(1, 2_000));
    let folder = tempfile::tempdir().unwrap();
    let mut demuxer = open(file(&written(&folder, "damaged.ts", &bytes))).unwrap();
    let (packets, end) = drain(&mut demuxer);
    assert!(end.is_ok() && packets > 50, "{packets} packets, {end:?}");
}

#[test]
fn a_cut_before_opening_means_stopped() {
    let line = std::sync::Arc::new(avwatch_actors::lifeline::Lifeline::default());
    line.cut(avwatch_actors::lifeline::CutReason::Stopped);
    let error = crate::media::demuxer::Demuxer::open(&spec(file(&transport_stream()), 5_000), &line).err().unwrap();
    assert!(matches!(error, SourceError::Stopped), "{error}");
}
