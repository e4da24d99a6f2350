//! Closed captions that come with a picture: ATSC A/53 Part 4 `cc_data`, as FFmpeg hands it over.
//!
//! A place for captions is not a caption: CEA-608 pads with zeros (parity aside), CEA-708 with blocks
//! of size 0. What is told is whether there was anything else; the words are not read. Extended
//! data of line 21 (ratings, programme names) counts as speech: telling it apart needs more state than a picture.
//!
//! Used on the session's thread, on every decoded picture. The data is the sender's: nothing in it is trusted.

use avwatch_actors::frame::CaptionFacts;
use ffmpeg_next::ffi;

/// Triplets of a picture that are looked at: A/53 allows 31, and 24 pictures a second need 25.
const TRIPLETS_MAX: usize = 64;
/// Bytes of a triplet: marker, validity and type; then two of data.
const TRIPLET: usize = 3;
/// The data bits of a pair of line 21; the others are parity.
const WITHOUT_PARITY: u8 = 0x7F;

/// What came with a decoded frame.
pub(crate) fn facts_of(frame: &ffi::AVFrame) -> CaptionFacts {
    // SAFETY: the frame is valid; the entry that is returned, if any, belongs to it.
    let entry = unsafe { ffi::av_frame_get_side_data(frame, ffi::AVFrameSideDataType::AV_FRAME_DATA_A53_CC).as_ref() };
    let Some(entry) = entry.filter(|entry| !entry.data.is_null() && entry.size <= isize::MAX as usize) else {
        return CaptionFacts::default();
    };
    // SAFETY: `data` is not null and FFmpeg guarantees `size` initialised bytes behind it, which live as long
    // as the frame is borrowed and are not written meanwhile.
    facts(unsafe { std::slice::from_raw_parts(entry.data, entry.size) })
}

/// What these triplets say. Trailing bytes that make no triplet are left out.
fn facts(cc_data: &[u8]) -> CaptionFacts {
    let mut triplets = cc_data.chunks_exact(TRIPLET).take(TRIPLETS_MAX);
    CaptionFacts { carried: cc_data.len() >= TRIPLET, spoken: triplets.any(speaks) }
}

/// Whether a triplet is something other than padding.
fn speaks(triplet: &[u8]) -> bool {
    let [marker, one, two] = *triplet else { return false };
    let (valid, kind) = (marker & 0b100 != 0, marker & 0b11);
    match kind {
        _ if !valid => false,
        // Line 21, field 1 and 2.
        0 | 1 => (one | two) & WITHOUT_PARITY != 0,
        // The begin of a CEA-708 packet: its header, then the header of its first service block, three
        // bits of service number and five of size. Continuations tell nothing that the begin does not.
        3 => two >> 5 != 0 && two & 0x1F != 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPOKEN: CaptionFacts = CaptionFacts { carried: true, spoken: true };
    const CARRIED: CaptionFacts = CaptionFacts { carried: true, spoken: false };
    const NOTHING: CaptionFacts = CaptionFacts { carried: false, spoken: false };

    #[test]
    fn zeros_of_line_21_are_padding_with_and_without_parity() {
        assert_eq!(facts(&[0xFC, 0x80, 0x80, 0xFD, 0x80, 0x80]), CARRIED);
        assert_eq!(facts(&[0xFC, 0x00, 0x00]), CARRIED);
    }

    #[test]
    fn text_in_either_field_of_line_21_is_speech() {
        assert_eq!(facts(&[0xFC, 0xC8, 0xE9, 0xFD, 0x80, 0x80]), SPOKEN);
        assert_eq!(facts(&[0xFC, 0x80, 0x80, 0xFD, 0x80, 0x20]), SPOKEN);
    }

    #[test]
    fn a_pair_that_is_marked_as_not_valid_is_none() {
        assert_eq!(facts(&[0xF8, 0xC8, 0xE9]), CARRIED);
        assert_eq!(facts(&[0xFA, 0x00, 0x00, 0xFB, 0x42, 0x25]), CARRIED);
    }

    #[test]
    fn a_708_packet_speaks_when_its_first_block_is_of_a_service_and_not_empty() {
        assert_eq!(facts(&[0xFF, 0x02, 0x21, 0xFE, 0x41, 0x00]), SPOKEN);
        assert_eq!(facts(&[0xFF, 0x02, 0x20, 0xFE, 0x00, 0x00]), CARRIED, "a block of size 0");
        assert_eq!(facts(&[0xFF, 0x01, 0x00]), CARRIED, "the null block");
        assert_eq!(facts(&[0xFE, 0x41, 0x42]), CARRIED, "a continuation alone");
    }

    #[test]
    fn bytes_that_make_no_triplet_are_nothing() {
        assert_eq!(facts(&[]), NOTHING);
        assert_eq!(facts(&[0xFC, 0xC8]), NOTHING);
        assert_eq!(facts(&[0xFC, 0x80, 0x80, 0xFC, 0xC8]), CARRIED);
    }

    #[test]
    fn more_triplets_than_a_picture_can_have_are_not_walked() {
        let mut flood = [0xFC, 0x80, 0x80].repeat(100_000);
        flood.extend([0xFC, 0xC8, 0xE9]);
        assert_eq!(facts(&flood), CARRIED);
    }

    #[test]
    fn side_data_of_a_frame_is_read_and_a_frame_without_any_says_nothing() {
        let mut frame = ffmpeg_next::frame::Video::empty();
        // SAFETY: the frame is valid and nobody else's.
        assert_eq!(facts_of(unsafe { &*frame.as_ptr() }), NOTHING);
        let kind = ffi::AVFrameSideDataType::AV_FRAME_DATA_A53_CC;
        // SAFETY: as above; the new entry has room for the three bytes that are written.
        unsafe {
            let entry = ffi::av_frame_new_side_data(frame.as_mut_ptr(), kind, 3);
            assert!(!entry.is_null(), "out of memory");
            std::ptr::copy_nonoverlapping([0xFC_u8, 0xC8, 0xE9].as_ptr(), (*entry).data, 3);
        }
        // SAFETY: as above.
        assert_eq!(facts_of(unsafe { &*frame.as_ptr() }), SPOKEN);
    }
}
