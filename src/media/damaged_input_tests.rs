//! Damaged and mutated input: bounded time, no panic, and evidence in the decoder's log.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use avwatch_actors::item::TimelineSign;
use ffmpeg_next::{Packet, ffi};

use crate::media::demuxer::Demuxer;
use crate::media::ffmpeg_log::{DecoderEvidence, take_evidence};
use crate::media::spec::Address;
use crate::media::test_media;
use crate::media::testing::{drain, mp4_index_first, open, refusal, transport_stream};
use crate::media::ts_tables::association;

/// Decodes the video of an input on this thread and adds up what the decoder's log told.
fn evidence_of(path: PathBuf) -> DecoderEvidence {
    let mut demuxer = open(Address::File(path)).unwrap();
    let mut packet = Packet::empty();
    let mut sum = DecoderEvidence::default();
    // SAFETY: a plain decoding loop over pointers that FFmpeg made here and that are freed at the end.
    unsafe {
        let stream = *(*demuxer.context()).streams;
        let decoder = ffi::avcodec_find_decoder((*(*stream).codecpar).codec_id);
        let mut context = ffi::avcodec_alloc_context3(decoder);
        ffi::avcodec_parameters_to_context(context, (*stream).codecpar);
        assert!(ffi::avcodec_open2(context, decoder, std::ptr::null_mut()) >= 0);
        let mut frame = ffi::av_frame_alloc();
        take_evidence();
        while demuxer.read(&mut packet).unwrap() {
            if packet.stream() == 0 {
                use ffmpeg_next::packet::Ref;
                ffi::avcodec_send_packet(context, packet.as_ptr());
                while ffi::avcodec_receive_frame(context, frame) >= 0 {}
                let seen = take_evidence();
                sum.missing_reference += seen.missing_reference;
                sum.concealed += seen.concealed;
                sum.invalid += seen.invalid;
            }
        }
        ffi::av_frame_free(&mut frame);
        ffi::avcodec_free_context(&mut context);
    }
    sum
}

#[test]
fn a_clean_stream_leaves_no_evidence_and_a_damaged_one_does() {
    assert_eq!(evidence_of(transport_stream()), DecoderEvidence::default());
    let mut bytes = std::fs::read(transport_stream()).unwrap();
    let mut dice = fastrand::Rng::with_seed(3);
    // Overwrite payload here and there, leaving packet headers alone.
    for packet in bytes.chunks_mut(188).skip(30).step_by(9) {
        packet[60..].iter_mut().for_each(|byte| *byte = dice.u8(..));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.ts");
    std::fs::write(&path, bytes).unwrap();
    let evidence = evidence_of(path);
    assert!(evidence.concealed > 0 && evidence.invalid > 0, "{evidence:?}");
}

/// The first part of a clip, under its own kind of name.
fn first_part(clip: &std::path::Path, extension: &str) -> (tempfile::TempDir, PathBuf) {
    let bytes = std::fs::read(clip).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("cut.{extension}"));
    std::fs::write(&path, &bytes[..bytes.len() * 6 / 10]).unwrap();
    (folder, path)
}

#[test]
fn half_a_matroska_file_is_told_to_be_cut_off() {
    let arguments = "-f lavfi -i testsrc2=s=160x90:d=8:r=25 -f lavfi -i anoisesrc=d=8:r=48000 -c:v libx264 \
        -preset ultrafast -g 25 -c:a aac";
    let whole = test_media::clip("mkv", arguments);
    let cut_off = |path: &std::path::Path| {
        let signs = test_media::hear(test_media::spec(path)).signs();
        signs.into_iter().find_map(|sign| match sign {
            TimelineSign::CutOff { missing } => Some(missing.as_secs_f64()),
            _ => None,
        })
    };
    assert_eq!(cut_off(&whole), None);
    let (_folder, cut) = first_part(&whole, "mkv");
    let missing = cut_off(&cut).expect("it is told");
    assert!((2.0..5.0).contains(&missing), "{missing}");
}

#[test]
fn a_picture_too_large_to_decode_is_refused_with_its_size() {
    let path = test_media::clip("mkv", "-f lavfi -i color=s=8192x8192:r=1:d=1 -c:v mjpeg -q:v 31");
    let refusal = refusal(Address::File(path));
    assert!(refusal.contains("a picture of 8192x8192 is larger than the limit of 35389440 pixels"), "{refusal}");
}

#[test]
fn a_picture_too_large_to_decode_is_refused_with_its_size_where_only_the_coded_stream_tells_it() {
    let path =
        test_media::clip("ts", "-f lavfi -i color=s=8192x8192:r=1:d=1 -c:v libx264 -preset ultrafast -threads 1");
    take_evidence();
    let refusal = refusal(Address::File(path));
    assert!(refusal.contains("a picture of 8192x8192 is larger than the limit of 35389440 pixels"), "{refusal}");
    assert_eq!(take_evidence(), DecoderEvidence::default(), "no decoder has taken memory for it");
}

#[test]
fn a_transport_stream_of_a_thousand_programmes_is_refused_and_told_so() {
    let mut bytes = Vec::new();
    for section in (0..4).map(|part| association(1, part * 250 + 1..part * 250 + 251)) {
        for (index, part) in [&[0], &section[..]].concat().chunks(184).enumerate() {
            bytes.extend([0x47, if index == 0 { 0x40 } else { 0 }, 0, 0x10]);
            bytes.extend(part);
            bytes.resize(bytes.len().next_multiple_of(188), 0xFF);
        }
    }
    bytes.extend(std::fs::read(transport_stream()).unwrap());
    let refusal = refusal(Address::File(test_media::assembled(&bytes)));
    assert!(refusal.contains("its programme table lists more than 256 programmes; give an address"), "{refusal}");
}

#[test]
fn an_archive_of_a_film_is_no_film() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.zip");
    // A ZIP file may hold what is in it as it is.
    let bytes = [b"PK\x03\x04\x0a\0\0\0\0\0".to_vec(), std::fs::read(transport_stream()).unwrap()].concat();
    std::fs::write(&path, bytes).unwrap();
    assert!(refusal(Address::File(path)).ends_with("it is an archive or compressed file; unpack it first"));
}

#[test]
fn mutated_files_end_in_bounded_time_without_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = fastrand::Rng::with_seed(11);
    for (round, source) in [transport_stream(), mp4_index_first()].into_iter().cycle().take(400).enumerate() {
        let mut bytes = std::fs::read(source).unwrap();
        for _ in 0..dice.usize(1..40) {
            let at = dice.usize(..bytes.len());
            match dice.u8(0..3) {
                0 => bytes[at] = dice.u8(..),
                1 => bytes.truncate(at.max(1)),
                _ => bytes[at] ^= 1 << dice.u8(0..8),
            }
        }
        let path = folder.path().join("mutated");
        std::fs::write(&path, bytes).unwrap();
        let start = Instant::now();
        let opened: Result<Demuxer, _> = open(Address::File(path));
        let packets = opened.map(|mut demuxer| drain(&mut demuxer).0);
        assert!(start.elapsed() < Duration::from_secs(2), "round {round}: {:?} {packets:?}", start.elapsed());
    }
}
