//! Video that is coded field by field, made in process: no encoder at hand makes any.
//!
//! A minimal H.264 stream (ITU-T H.264, 7.3) of grey pictures, each of two field pictures in access units of
//! their own: a key field with DC prediction and no residual, and fields in which every macroblock is skipped.
//! For tests.

use std::path::{Path, PathBuf};

use ffmpeg_next::{Packet, codec, encoder, format};

use super::test_media::raw;

/// Size of a picture in macroblocks; a field has half the rows.
const COLUMNS: u32 = 20;
const ROWS: u32 = 12;
/// Pictures from key picture to key picture.
const GROUP: u32 = 25;

/// Bits of a payload, most significant first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn fixed(&mut self, value: u32, width: u32) {
        for place in (0..width).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = (value >> place & 1) as u8;
            *self.bytes.last_mut().expect("just pushed") |= bit << (7 - self.used % 8);
            self.used += 1;
        }
    }

    fn flags(&mut self, flags: &[u32]) {
        flags.iter().for_each(|flag| self.fixed(*flag, 1));
    }

    /// An unsigned Exp-Golomb code; all signed values here are zero, which is the same code.
    fn golomb(&mut self, value: u32) {
        let width = 32 - (value + 1).leading_zeros();
        self.fixed(0, width - 1);
        self.fixed(value + 1, width);
    }

    fn golombs(&mut self, values: &[u32]) {
        values.iter().for_each(|value| self.golomb(*value));
    }

    /// A NAL unit of that type with a start code, and emulation prevention.
    fn unit(mut self, reference: u8, kind: u8) -> Vec<u8> {
        self.fixed(1, 1);
        let mut unit = vec![0, 0, 0, 1, reference << 5 | kind];
        let mut zeros = 0;
        for byte in self.bytes {
            if zeros >= 2 && byte <= 3 {
                unit.push(3);
                zeros = 0;
            }
            unit.push(byte);
            zeros = if byte == 0 { zeros + 1 } else { 0 };
        }
        unit
    }
}

/// Main profile, 25 pictures a second, order of pictures in 8 bits, fields allowed.
fn sequence() -> Vec<u8> {
    let mut bits = Bits::default();
    [77, 0, 30].iter().for_each(|byte| bits.fixed(*byte, 8));
    bits.golombs(&[0, 0, 0, 4, 1]);
    bits.flags(&[0]);
    bits.golombs(&[COLUMNS - 1, ROWS / 2 - 1]);
    bits.flags(&[0, 0, 1, 0, 1, 0, 0, 0, 0, 1]);
    bits.fixed(1, 32);
    bits.fixed(50, 32);
    bits.flags(&[1, 0, 0, 0, 0]);
    bits.unit(3, 7)
}

fn pictures() -> Vec<u8> {
    let mut bits = Bits::default();
    bits.golombs(&[0, 0]);
    bits.flags(&[0, 0]);
    bits.golombs(&[0, 0, 0]);
    bits.flags(&[0, 0, 0]);
    bits.golombs(&[0, 0, 0]);
    bits.flags(&[0, 0, 0]);
    bits.unit(3, 8)
}

/// One field of a picture that is number `place` of its group.
fn field(place: u32, bottom: bool, is_reference: bool, frame_number: u32) -> Vec<u8> {
    let is_key = place == 0 && !bottom;
    let macroblocks = COLUMNS * ROWS / 2;
    let mut bits = Bits::default();
    bits.golombs(&[0, if is_key { 7 } else { 5 }, 0]);
    bits.fixed(frame_number % 16, 4);
    bits.flags(&[1, bottom.into()]);
    if is_key {
        bits.golomb(0);
    }
    bits.fixed((2 * place + u32::from(bottom)) % 256, 8);
    if !is_key {
        bits.flags(&[1]);
        bits.golomb(0);
        bits.flags(&[0]);
    }
    match (is_key, is_reference) {
        (true, _) => bits.flags(&[0, 0]),
        (false, true) => bits.flags(&[0]),
        (false, false) => {}
    }
    bits.golomb(0);
    if is_key {
        for _ in 0..macroblocks {
            bits.golombs(&[3, 0, 0]);
            bits.flags(&[1]);
        }
    } else {
        bits.golomb(macroblocks);
    }
    let (reference, kind) = (if is_reference { 3 } else { 0 }, if is_key { 5 } else { 1 });
    bits.unit(reference, kind)
}

/// A file of so many pictures, kept with the clips.
pub(crate) fn file(count: u32) -> PathBuf {
    raw("h264", &stream(count))
}

/// The same as a clip with its fields in packets of their own, but with both in one packet: as some files have them,
/// and as a transport stream that gives one time for both.
pub(crate) fn in_pairs(clip: &Path, extension: &str) -> PathBuf {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join(format!("pairs.{extension}"));
    let mut input = format::input(clip).expect("opens");
    let mut output = format::output(&path).expect("a container for this");
    let (number, base, parameters) = {
        let stream = input.streams().next().expect("pictures");
        (stream.index(), stream.time_base(), stream.parameters())
    };
    let mut track = output.add_stream(encoder::find(codec::Id::None)).expect("a track");
    track.set_parameters(parameters);
    // SAFETY: the track is the output's own, and nobody else has it. The tag is of the container that was read.
    unsafe { (*track.parameters().as_mut_ptr()).codec_tag = 0 };
    output.write_header().expect("it can be written");
    let target = output.stream(0).expect("a track").time_base();
    let fields: Vec<Packet> =
        input.packets().filter(|(from, _)| from.index() == number).map(|(_, packet)| packet).collect();
    for [first, second] in fields.as_chunks::<2>().0 {
        let mut both = Packet::copy(&[first.data().expect("bytes"), second.data().expect("bytes")].concat());
        both.set_stream(0);
        both.set_flags(first.flags());
        both.set_pts(first.pts());
        both.set_dts(first.dts());
        both.set_duration(2 * first.duration());
        both.rescale_ts(base, target);
        both.write_interleaved(&mut output).expect("it can be written");
    }
    output.write_trailer().expect("it can be written");
    drop(output);
    raw(extension, &std::fs::read(&path).expect("it was written"))
}

/// So many pictures of two fields each; nothing refers to every second picture of a group.
fn stream(count: u32) -> Vec<u8> {
    let delimiter = || vec![0, 0, 0, 1, 9, 0xf0];
    let (mut stream, mut frame_number) = (Vec::new(), 0);
    for place in (0..count).map(|number| number % GROUP) {
        let is_reference = place.is_multiple_of(2);
        if place == 0 {
            frame_number = 0;
        }
        stream.extend(delimiter());
        if place == 0 {
            stream.extend(sequence());
            stream.extend(pictures());
        }
        stream.extend(field(place, false, is_reference, frame_number));
        stream.extend(delimiter());
        stream.extend(field(place, true, is_reference, frame_number));
        frame_number += u32::from(is_reference);
    }
    stream
}
