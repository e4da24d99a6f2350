//! Fields: tells which packets hold a field of a picture, of video that is coded field by field.
//!
//! H.264 alone sends the two fields of one picture as packets of their own that a decoder makes one frame
//! of: of MPEG-2 and VC-1 both are in one packet, and of HEVC each is a frame. A frame lasts as long as both;
//! what a decoder skipped by itself is told from what it was given; and a key picture by itself is whole with
//! both. FFmpeg's own parser reads the headers; owned by a track of a session, used on its thread only.

use std::ptr::{self, NonNull};

use ffmpeg_next::ffi;
use ffmpeg_next::packet::Ref;

use ffi::AVFieldOrder::AV_FIELD_UNKNOWN;
use ffi::AVPictureStructure::{AV_PICTURE_STRUCTURE_BOTTOM_FIELD, AV_PICTURE_STRUCTURE_TOP_FIELD};

use super::slices::{Slice, SliceReader};

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
    codec: ffi::AVCodecID,
    /// Absent where fields do not come apart.
    parser: Option<Parser>,
    slices: SliceReader,
    pairs: Pairs,
    has_seen_any: bool,
}

impl FieldReader {
    /// A reader for a stream as it is coded now.
    ///
    /// # Safety
    /// `stream` must belong to an open input that no other thread uses during the call.
    pub(crate) unsafe fn open(stream: *const ffi::AVStream) -> Self {
        // SAFETY: by the caller's promise the stream and its parameters are valid, and its extra data as long as
        // they say, if there are any.
        unsafe {
            let parameters = &*(*stream).codecpar;
            let extra_data = match usize::try_from(parameters.extradata_size) {
                Ok(size) if !parameters.extradata.is_null() => std::slice::from_raw_parts(parameters.extradata, size),
                _ => &[],
            };
            Self {
                codec: parameters.codec_id,
                parser: Parser::open(stream),
                slices: SliceReader::new(extra_data),
                pairs: Pairs::default(),
                has_seen_any: false,
            }
        }
    }

    /// Whether it reads what that stream is coded with now.
    ///
    /// # Safety
    /// As for [`Self::open`].
    pub(crate) unsafe fn reads(&self, stream: *const ffi::AVStream) -> bool {
        // SAFETY: by the caller's promise.
        unsafe { (*(*stream).codecpar).codec_id == self.codec }
    }

    /// What the next packet holds.
    pub(crate) fn part_of(&mut self, packet: &ffmpeg_next::Packet) -> Part {
        let Some(parser) = &mut self.parser else { return Part::Whole };
        let parsed = parser.parse(packet);
        self.has_seen_any |= parsed.is_some();
        self.pairs.next(parsed.map(|(parity, shares_frame)| Field {
            parity,
            shares_frame,
            slice: packet.data().and_then(|bytes| self.slices.first(bytes)),
        }))
    }

    /// Whether any packet yet held a field.
    pub(crate) fn has_seen_any(&self) -> bool {
        self.has_seen_any
    }
}

/// FFmpeg's parser of H.264.
struct Parser {
    parser: NonNull<ffi::AVCodecParserContext>,
    context: NonNull<ffi::AVCodecContext>,
}

impl Parser {
    /// A parser for a stream, if it is H.264.
    ///
    /// # Safety
    /// As for [`FieldReader::open`].
    unsafe fn open(stream: *const ffi::AVStream) -> Option<Self> {
        // SAFETY: by the caller's promise the stream and its parameters are valid. Parser and context are ours alone,
        // and freed by `Drop` on every way out.
        unsafe {
            let parameters = &*(*stream).codecpar;
            if parameters.codec_id != ffi::AVCodecID::AV_CODEC_ID_H264 {
                return None;
            }
            let mut context = NonNull::new(ffi::avcodec_alloc_context3(ptr::null()))?;
            let Some(mut parser) = NonNull::new(ffi::av_parser_init(parameters.codec_id as i32)) else {
                ffi::avcodec_free_context(&mut ptr::from_mut(context.as_mut()));
                return None;
            };
            // A packet is a whole field or picture already.
            parser.as_mut().flags |= ffi::PARSER_FLAG_COMPLETE_FRAMES;
            let opened = Self { parser, context };
            // It has no decoder: the parser reads from it how the stream is packed.
            (ffi::avcodec_parameters_to_context(opened.context.as_ptr(), parameters) >= 0).then_some(opened)
        }
    }

    /// Which lines the field has that a packet holds, and whether its frame has the same number as that of the field
    /// before it, which has the other lines; nothing for a whole picture.
    fn parse(&mut self, packet: &ffmpeg_next::Packet) -> Option<(Parity, bool)> {
        // SAFETY: parser and context live as long as this. The packet's data are valid for its size and
        // followed by the padding that every packet of libavformat has, as its references do; the parser only reads them, and
        // with whole frames what it hands out points into them and is not used.
        let parser = unsafe {
            let raw = &*packet.as_ptr();
            let size = usize::try_from(raw.size).unwrap_or(0);
            if raw.data.is_null() || size == 0 || size > PACKET_MAX {
                return None;
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
            self.parser.as_ref()
        };
        let parity = match parser.picture_structure {
            AV_PICTURE_STRUCTURE_TOP_FIELD => Parity::Top,
            AV_PICTURE_STRUCTURE_BOTTOM_FIELD => Parity::Bottom,
            _ => return None,
        };
        // The parser names the order of two such fields.
        Some((parity, parser.field_order != AV_FIELD_UNKNOWN))
    }
}

impl Drop for Parser {
    fn drop(&mut self) {
        // SAFETY: both were allocated by `open` and are freed once.
        unsafe {
            ffi::av_parser_close(self.parser.as_ptr());
            ffi::avcodec_free_context(&mut self.context.as_ptr());
        }
    }
}

/// A field, as its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    parity: Parity,
    /// Its frame has the same number as that of the field before it, which has the other lines.
    shares_frame: bool,
    slice: Option<Slice>,
}

/// Which lines of a picture a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parity {
    Top,
    Bottom,
}

/// Finds what belongs together: a field and the other one right after it.
///
/// Pictures that no other refers to share their number with the one after them, so turns count, too. Once these are out of
/// step by a lost field, what others refer to and where a sequence begins puts them right.
#[derive(Debug, Default)]
struct Pairs {
    /// A field that came and still lacks the other.
    first: Option<Field>,
}

impl Pairs {
    /// Takes the next packet: a field, or nothing for a whole picture.
    fn next(&mut self, field: Option<Field>) -> Part {
        let Some(field) = field else {
            self.first = None;
            return Part::Whole;
        };
        let joins = self.first.is_some_and(|first| field.joins(first));
        self.first = (!joins).then_some(field);
        if joins { Part::Second } else { Part::First }
    }
}

impl Field {
    /// Whether it is of the same frame as the field before it, as decoders tell it (ITU-T H.264, 7.4.1.2.4): others refer
    /// to both or to none, and it begins no sequence that the first did not begin.
    fn joins(self, first: Self) -> bool {
        let is_alike = match (first.slice, self.slice) {
            (Some(first), Some(second)) => {
                first.is_referred_to == second.is_referred_to && (first.is_idr || !second.is_idr)
            }
            _ => true,
        };
        first.parity != self.parity && self.shares_frame && is_alike
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use Parity::{Bottom, Top};
    use Part::{First, Second, Whole};

    const REFERENCE: Slice = Slice { is_idr: false, is_referred_to: true };
    const NON_REFERENCE: Slice = Slice { is_idr: false, is_referred_to: false };
    const IDR: Slice = Slice { is_idr: true, is_referred_to: true };

    /// Fields of frames with these numbers.
    fn parts(fields: &[Option<(Parity, u32, Slice)>]) -> Vec<Part> {
        let (mut pairs, mut before) = (Pairs::default(), None::<(Parity, u32)>);
        let mut part = |field: &Option<(Parity, u32, Slice)>| {
            let next = field.map(|(parity, frame, slice)| {
                let shares_frame = before.is_some_and(|(first, number)| first != parity && number == frame);
                Field { parity, shares_frame, slice: Some(slice) }
            });
            before = field.map(|(parity, frame, _)| (parity, frame));
            pairs.next(next)
        };
        fields.iter().map(&mut part).collect()
    }

    #[test]
    fn a_field_belongs_to_the_other_one_before_it_and_a_lost_one_to_none() {
        let (top, bottom) = (Some((Top, 0, REFERENCE)), Some((Bottom, 0, REFERENCE)));
        let fields = [top, bottom, top, bottom, None, bottom, top, top, top, bottom, bottom, None, top];
        let expected = [First, Second, First, Second, Whole, First, Second, First, First, Second, First, Whole, First];
        assert_eq!(parts(&fields), expected);
    }

    #[test]
    fn after_a_lost_field_pairs_are_found_again_at_the_next_picture_that_others_refer_to() {
        // The first field of the second picture is lost; nothing refers to the third.
        let fields = [
            (Top, 0, REFERENCE),
            (Bottom, 0, REFERENCE),
            (Bottom, 1, REFERENCE),
            (Top, 2, NON_REFERENCE),
            (Bottom, 2, NON_REFERENCE),
            (Top, 2, REFERENCE),
            (Bottom, 2, REFERENCE),
        ];
        assert_eq!(parts(&fields.map(Some)), [First, Second, First, First, Second, First, Second]);
        // Of pictures to which nothing refers one lost its first field, and the key picture shares their number.
        let fields = [
            (Bottom, 1, NON_REFERENCE),
            (Top, 1, NON_REFERENCE),
            (Bottom, 1, NON_REFERENCE),
            (Top, 1, REFERENCE),
            (Bottom, 1, REFERENCE),
        ];
        assert_eq!(parts(&fields.map(Some)), [First, Second, First, First, Second]);
    }

    #[test]
    fn an_idr_picture_is_no_second_field_of_what_came_before() {
        let fields = [(Bottom, 0, REFERENCE), (Top, 0, IDR), (Bottom, 0, REFERENCE), (Top, 0, IDR), (Bottom, 0, IDR)];
        assert_eq!(parts(&fields.map(Some)), [First, First, Second, First, Second]);
    }
}
