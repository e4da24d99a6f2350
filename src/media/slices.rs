//! Slices of H.264: what the first slice of a packet says of its picture, without decoding it.
//!
//! Pure; one reader per track, on its session's thread.

/// No more of a packet is searched for its first slice.
const HEAD_MAX: usize = 64 << 10;
/// The NAL unit that ends a sequence (ITU-T H.264, 7.3.2.5): its type is all there is of it.
const END_OF_SEQUENCE: u8 = 10;

/// What a slice says of its picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    /// It refers to no other, nor does any that follows refer to what came before.
    pub is_idr: bool,
    /// Others may refer to it.
    pub is_referred_to: bool,
}

/// How the NAL units of a track's packets are told apart (ITU-T H.264, Annex B; ISO/IEC 14496-15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    StartCodes,
    /// A length of so many bytes before each.
    Lengths(usize),
}

/// Reads the packets of one track of H.264.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SliceReader {
    framing: Framing,
}

impl SliceReader {
    /// For a track with that extra data of its decoder.
    pub(crate) fn new(extra_data: &[u8]) -> Self {
        let framing = match extra_data {
            [1, _, _, _, sizes, ..] => Framing::Lengths(usize::from(sizes & 3) + 1),
            _ => Framing::StartCodes,
        };
        Self { framing }
    }

    /// The first slice of a packet; none if there is none near its beginning.
    pub(crate) fn first(self, packet: &[u8]) -> Option<Slice> {
        let mut rest = match self.framing {
            Framing::StartCodes => &packet[..packet.len().min(HEAD_MAX)],
            Framing::Lengths(_) => packet,
        };
        loop {
            let (header, behind) = match self.framing {
                Framing::StartCodes => {
                    let at = rest.windows(3).position(|code| code == [0, 0, 1])?;
                    let unit = &rest[at + 3..];
                    (*unit.first()?, unit)
                }
                Framing::Lengths(size) => {
                    let (length, unit) = rest.split_at_checked(size)?;
                    let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
                    // One that reaches too far is none: such packets may have start codes all the same, as FFmpeg knows.
                    let (unit, behind) = unit.split_at_checked(length)?;
                    (*unit.first()?, behind)
                }
            };
            // 7.4.1: `nal_unit_type` and `nal_ref_idc`.
            let kind = header & 0x1F;
            if matches!(kind, 1..=5) {
                return Some(Slice { is_idr: kind == 5, is_referred_to: header & 0x60 != 0 });
            }
            rest = behind;
        }
    }

    /// A packet that ends the sequence: a decoder gives out then what it holds back, and goes on as it is.
    pub(crate) fn end_of_sequence(self) -> Vec<u8> {
        let before = match self.framing {
            Framing::StartCodes => 3,
            Framing::Lengths(size) => size,
        };
        let mut unit = vec![0; before];
        unit[before - 1] = 1;
        unit.push(END_OF_SEQUENCE);
        // FFmpeg looks for none in fewer bytes than four.
        if unit.len() < 4 { unit.repeat(2) } else { unit }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DELIMITER: [u8; 2] = [0x09, 0xF0];
    const LENGTHS: SliceReader = SliceReader { framing: Framing::Lengths(4) };
    const START_CODES: SliceReader = SliceReader { framing: Framing::StartCodes };

    fn with_start_codes(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&[0, 0, 0, 1], *unit].concat()).collect()
    }

    fn with_lengths(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&(unit.len() as u32).to_be_bytes(), *unit].concat()).collect()
    }

    #[test]
    fn the_first_slice_says_what_the_picture_is() {
        // The message holds what looks like a slice to who does not jump over it.
        let message = [0x06, 5, 2, 0x41, 0x01, 0x80];
        for (header, is_idr, is_referred_to) in [(0x01, false, false), (0x41, false, true), (0x65, true, true)] {
            let units: [&[u8]; 3] = [&DELIMITER, &message, &[header, 0x9A, 0x22]];
            let expected = Some(Slice { is_idr, is_referred_to });
            assert_eq!(START_CODES.first(&with_start_codes(&units)), expected);
            assert_eq!(LENGTHS.first(&with_lengths(&units)), expected);
        }
        assert_eq!(START_CODES.first(&with_start_codes(&[&DELIMITER])), None);
    }

    #[test]
    fn start_codes_where_lengths_were_announced_say_nothing() {
        // Read as lengths, a unit of one byte and a slice of gigabytes.
        let packet = with_start_codes(&[&DELIMITER, &[0x67, 1, 2], &[0x65, 0x9A]]);
        assert_eq!(LENGTHS.first(&packet), None);
        assert_eq!(LENGTHS.first(&[0, 0, 0, 0, 0x01]), None);
    }

    #[test]
    fn framing_is_what_the_extra_data_say() {
        let of = |extra: &[u8]| SliceReader::new(extra).framing;
        assert_eq!(of(&[1, 100, 0, 40, 0xFF, 0xE1]), Framing::Lengths(4));
        assert_eq!(of(&[1, 100, 0, 40, 0xFD, 0xE1]), Framing::Lengths(2));
        assert_eq!(of(&[0, 0, 0, 1, 0x67]), Framing::StartCodes);
        assert_eq!(of(&[]), Framing::StartCodes);
    }

    #[test]
    fn the_end_of_a_sequence_is_framed_like_the_rest() {
        assert_eq!(START_CODES.end_of_sequence(), [0, 0, 1, 10]);
        assert_eq!(LENGTHS.end_of_sequence(), [0, 0, 0, 1, 10]);
        for size in 1..=4 {
            let end = SliceReader { framing: Framing::Lengths(size) }.end_of_sequence();
            assert!(end.len() >= 4 && end.len().is_multiple_of(size + 1), "{end:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1_usize..=4) {
            START_CODES.first(&bytes);
            SliceReader { framing: Framing::Lengths(size) }.first(&bytes);
        }
    }
}
