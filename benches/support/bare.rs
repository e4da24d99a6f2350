//! Bare decoding: what libavformat and libavcodec alone take for picture and sound of a file.
//!
//! The counterpart of the benches of the whole service. Same libraries, same settings as
//! `src/media` (one thread, damaged frames delivered), every packet of both tracks decoded, every
//! frame dropped at once.

use ffmpeg_next::media::Type;
use ffmpeg_next::packet::Mut as _;
use ffmpeg_next::{Packet, codec, decoder, ffi, format, frame};

/// Pictures and blocks of sound that were decoded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Decoded {
    /// Pictures.
    pub(crate) pictures: u64,
    /// Blocks of sound.
    pub(crate) blocks: u64,
}

enum Track {
    Video(decoder::Video),
    Audio(decoder::Audio),
}

/// Decodes the first video and the first audio track. `pace` is called before every picture with
/// its number and may wait.
pub(crate) fn decode(path: &str, mut pace: impl FnMut(u64)) -> Result<Decoded, ffmpeg_next::Error> {
    let mut input = format::input(path)?;
    let mut tracks: Vec<Option<Track>> = Vec::new();
    tracks.resize_with(input.streams().count(), || None);
    for kind in [Type::Video, Type::Audio] {
        let Some(stream) = input.streams().find(|stream| stream.parameters().medium() == kind) else { continue };
        let mut context = codec::Context::from_parameters(stream.parameters())?;
        // SAFETY: the context is ours and not open yet; these are plain fields.
        unsafe {
            (*context.as_mut_ptr()).pkt_timebase = stream.time_base().into();
            (*context.as_mut_ptr()).thread_count = 1;
            (*context.as_mut_ptr()).flags |= ffi::AV_CODEC_FLAG_OUTPUT_CORRUPT as i32;
        }
        tracks[stream.index()] = Some(match kind {
            Type::Video => Track::Video(context.decoder().video()?),
            _ => Track::Audio(context.decoder().audio()?),
        });
    }
    let mut decoded = Decoded::default();
    let mut packet = Packet::empty();
    loop {
        match packet.read(&mut input) {
            Ok(()) => {}
            Err(ffmpeg_next::Error::Eof) => break,
            Err(error) => return Err(error),
        }
        if let Some(track) = tracks.get_mut(packet.stream()).and_then(Option::as_mut) {
            step(track, Some(&packet), &mut decoded, &mut pace)?;
        }
        // SAFETY: the packet is ours; the decoder holds its own reference to the data.
        unsafe { ffi::av_packet_unref(packet.as_mut_ptr()) };
    }
    for track in tracks.iter_mut().flatten() {
        step(track, None, &mut decoded, &mut pace)?;
    }
    Ok(decoded)
}

fn step(
    track: &mut Track,
    packet: Option<&Packet>,
    decoded: &mut Decoded,
    pace: &mut impl FnMut(u64),
) -> Result<(), ffmpeg_next::Error> {
    match track {
        Track::Video(decoder) => {
            match packet {
                Some(packet) => decoder.send_packet(packet)?,
                None => decoder.send_eof()?,
            }
            let mut picture = frame::Video::empty();
            while decoder.receive_frame(&mut picture).is_ok() {
                pace(decoded.pictures);
                decoded.pictures += 1;
            }
        }
        Track::Audio(decoder) => {
            match packet {
                Some(packet) => decoder.send_packet(packet)?,
                None => decoder.send_eof()?,
            }
            let mut block = frame::Audio::empty();
            while decoder.receive_frame(&mut block).is_ok() {
                decoded.blocks += 1;
            }
        }
    }
    Ok(())
}
