//! Damaged and mutated input: bounded time, no panic, and evidence in the decoder's log.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use ffmpeg_next::{Packet, ffi};

use crate::media::demuxer::Demuxer;
use crate::media::ffmpeg_log::{DecoderEvidence, take_evidence};
use crate::media::spec::Address;
use crate::media::testing::{drain, mp4_index_first, open, transport_stream};

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
