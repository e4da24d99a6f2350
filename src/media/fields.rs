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

use super::slices::SliceReader;

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
                parser: Parser::open(parameters),
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
        let field = parser.field_of(packet);
        self.has_seen_any |= field.is_some();
        // An IDR picture begins with its first field, the other one is none (ITU-T H.264, 7.4.1.2.4).
        let begins = || packet.data().and_then(|bytes| self.slices.first(bytes)).is_some_and(|slice| slice.is_idr);
        self.pairs.next(field.map(|field| Field { may_join: field.may_join && !begins(), ..field }))
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
    /// A parser for a track with these parameters, if it is H.264.
    fn open(parameters: &ffi::AVCodecParameters) -> Option<Self> {
        if parameters.codec_id != ffi::AVCodecID::AV_CODEC_ID_H264 {
            return None;
        }
        // SAFETY: the parameters are valid. Parser and context are ours alone, and freed by `Drop` on every way out.
        unsafe {
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

    /// The field that a packet holds; nothing for a whole picture.
    fn field_of(&mut self, packet: &ffmpeg_next::Packet) -> Option<Field> {
        // SAFETY: parser and context live as long as this. The packet's data are valid for its size and
        // followed by the padding that every packet of libavformat has; the parser only reads them, and
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
        // The parser names an order for the second of two fields with the same number of their frame, as decoders join them.
        Some(Field { parity, may_join: parser.field_order != AV_FIELD_UNKNOWN })
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
    /// It may be of the same picture as the field before it.
    may_join: bool,
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
    fn next(&mut self, field: Option<Field>) -> Part {
        let part = match (self.first, field) {
            (_, None) => Part::Whole,
            (Some(first), Some(field)) if first != field.parity && field.may_join => Part::Second,
            (_, Some(_)) => Part::First,
        };
        self.first = field.map(|field| field.parity).filter(|_| part == Part::First);
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use Parity::{Bottom, Top};
    use Part::{First, Second, Whole};

    /// Fields of pictures of these numbers.
    fn parts(fields: &[Option<(Parity, u32)>]) -> Vec<Part> {
        let (mut pairs, mut before) = (Pairs::default(), None::<(Parity, u32)>);
        let mut part = |field: &Option<(Parity, u32)>| {
            let next = field.map(|(parity, frame)| {
                let may_join = before.is_some_and(|(first, number)| first != parity && number == frame);
                Field { parity, may_join }
            });
            before = *field;
            pairs.next(next)
        };
        fields.iter().map(&mut part).collect()
    }

    #[test]
    fn a_field_belongs_to_the_other_one_before_it_and_a_lost_one_to_none() {
        let (top, bottom) = (Some((Top, 0)), Some((Bottom, 0)));
        let fields = [top, bottom, top, bottom, None, bottom, top, top, top, bottom, bottom, None, top];
        let expected = [First, Second, First, Second, Whole, First, Second, First, First, Second, First, Whole, First];
        assert_eq!(parts(&fields), expected);
    }

    #[test]
    fn after_a_lost_field_pairs_are_found_again_at_the_next_picture_that_others_refer_to() {
        // The first field of the second picture is lost; nothing refers to the third.
        let fields: Vec<_> =
            [(Top, 0), (Bottom, 0), (Bottom, 1), (Top, 2), (Bottom, 2), (Top, 2), (Bottom, 2), (Top, 3), (Bottom, 3)]
                .map(Some)
                .into();
        assert_eq!(parts(&fields), [First, Second, First, First, Second, First, Second, First, Second]);
        // Those that share a number are told apart by their turn.
        let lost = [(Bottom, 1), (Top, 1), (Bottom, 1), (Top, 2), (Bottom, 2)].map(Some);
        assert_eq!(parts(&lost), [First, Second, First, First, Second]);
    }
}
