//! Fields: tells which packets hold a field of a picture, of video that is coded field by field.
//!
//! H.264 alone sends the two fields of one picture as packets of their own that a decoder makes one frame
//! of: of MPEG-2 and VC-1 both are in one packet, and of HEVC each is a frame. A frame lasts as long as both;
//! what a decoder skipped by itself is told from what it was given; and a key picture by itself is whole with
//! both. FFmpeg's own parser reads the headers; owned by a track of a session, used on its thread only.

use std::ptr::{self, NonNull};

use ffmpeg_next::ffi;
use ffmpeg_next::packet::Ref;

use ffi::AVPictureStructure::{AV_PICTURE_STRUCTURE_BOTTOM_FIELD, AV_PICTURE_STRUCTURE_TOP_FIELD};

/// The largest packet that is parsed, in bytes; no coded field is larger, and sizes fit the parser's type.
const PACKET_MAX: usize = 64 << 20;

/// What of a picture a packet holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it, as far as is known.
    #[default]
    Whole,
    /// A field; the other one may follow.
    First,
    /// The other field of the picture that began with the packet before.
    Second,
}

/// Reads the headers of one track's packets.
pub(crate) struct FieldReader {
    parser: NonNull<ffi::AVCodecParserContext>,
    context: NonNull<ffi::AVCodecContext>,
    pairs: Pairs,
    has_seen_any: bool,
}

impl FieldReader {
    /// A reader for a stream whose fields may come apart; nothing for any other.
    ///
    /// # Safety
    /// `stream` must belong to an open input that no other thread uses during the call.
    pub(crate) unsafe fn open(stream: *const ffi::AVStream) -> Option<Self> {
        // SAFETY: by the caller's promise the stream and its parameters are valid. Parser and context are
        // ours alone, and freed by `Drop` on every way out.
        unsafe {
            let parameters = (*stream).codecpar;
            let codec = (*parameters).codec_id;
            if codec != ffi::AVCodecID::AV_CODEC_ID_H264 {
                return None;
            }
            let mut context = NonNull::new(ffi::avcodec_alloc_context3(ptr::null()))?;
            let Some(mut parser) = NonNull::new(ffi::av_parser_init(codec as i32)) else {
                ffi::avcodec_free_context(&mut ptr::from_mut(context.as_mut()));
                return None;
            };
            // A packet is a whole field or picture already.
            parser.as_mut().flags |= ffi::PARSER_FLAG_COMPLETE_FRAMES;
            let opened = Self { parser, context, pairs: Pairs::default(), has_seen_any: false };
            // It has no decoder: the parser reads from it how the stream is packed.
            (ffi::avcodec_parameters_to_context(opened.context.as_ptr(), parameters) >= 0).then_some(opened)
        }
    }

    /// What the next packet holds.
    pub(crate) fn part_of(&mut self, packet: &ffmpeg_next::Packet) -> Part {
        // SAFETY: parser and context live as long as this. The packet's data are valid for its size and
        // followed by the padding that every packet of libavformat has; the parser only reads them, and
        // with whole frames what it hands out points into them and is not used.
        let parity = unsafe {
            let raw = &*packet.as_ptr();
            let size = usize::try_from(raw.size).unwrap_or(0);
            if raw.data.is_null() || size == 0 || size > PACKET_MAX {
                return self.pairs.next(None);
            }
            let (mut out, mut out_size) = (ptr::null_mut(), 0);
            ffi::av_parser_parse2(
                self.parser.as_ptr(),
                self.context.as_ptr(),
                &mut out,
                &mut out_size,
                raw.data,
                raw.size,
                raw.pts,
                raw.dts,
                raw.pos,
            );
            match self.parser.as_ref().picture_structure {
                AV_PICTURE_STRUCTURE_TOP_FIELD => Some(Parity::Top),
                AV_PICTURE_STRUCTURE_BOTTOM_FIELD => Some(Parity::Bottom),
                _ => None,
            }
        };
        self.has_seen_any |= parity.is_some();
        self.pairs.next(parity)
    }

    /// Whether any packet yet held a field.
    pub(crate) fn has_seen_any(&self) -> bool {
        self.has_seen_any
    }
}

impl Drop for FieldReader {
    fn drop(&mut self) {
        // SAFETY: both were allocated by `open` and are freed once.
        unsafe {
            ffi::av_parser_close(self.parser.as_ptr());
            ffi::avcodec_free_context(&mut self.context.as_ptr());
        }
    }
}

/// Which lines of a picture a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parity {
    Top,
    Bottom,
}

/// Finds what belongs together: a field and the other one right after it.
#[derive(Debug, Default)]
struct Pairs {
    /// A field that came and still lacks the other.
    first: Option<Parity>,
}

impl Pairs {
    /// Takes the next packet: a field, or nothing for a whole picture.
    fn next(&mut self, field: Option<Parity>) -> Part {
        let part = match (self.first, field) {
            (_, None) => Part::Whole,
            (Some(first), Some(field)) if first != field => Part::Second,
            (_, Some(_)) => Part::First,
        };
        self.first = field.filter(|_| part == Part::First);
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_belongs_to_the_other_one_before_it_and_a_lost_one_to_none() {
        let (top, bottom) = (Some(Parity::Top), Some(Parity::Bottom));
        let mut pairs = Pairs::default();
        let packets = [top, bottom, top, bottom, None, bottom, top, top, top, bottom, bottom, None, top];
        let parts: Vec<Part> = packets.into_iter().map(|field| pairs.next(field)).collect();
        let expected =
            [1, 2, 1, 2, 0, 1, 2, 1, 1, 2, 1, 0, 1].map(|part| [Part::Whole, Part::First, Part::Second][part]);
        assert_eq!(parts, expected);
    }
}
