//! Deblocking: which pictures go through the filter that smooths the edges of coded blocks.
//!
//! H.264 filters every picture after it is decoded (ITU-T H.264, 8.7), for the eye and for the pictures that refer to
//! it. To pictures that no other refers to, B-pictures as a rule, it makes no difference to what follows whether they
//! are filtered, and of what is measured only seams of blocks and sharpness tell the difference. While a stream is
//! well these are looked at in the other pictures alone, and those are decoded unfiltered, which saves up to a
//! tenth of decoding. As soon as something looks like damage, every picture is filtered and looked at for a while.
//!
//! Pure, one per track of pictures, on its session's thread.

use avwatch_actors::frame::PictureFacts;

/// Pictures that are filtered after the last that looked damaged: two seconds at 25 a second, for which hits of
/// `block_corruption` count together.
const WARY: u32 = 50;
/// Torn blocks beyond what content tears that look like damage: deviations of what chance gives, as of a hit of
/// `block_corruption`, and half the share of all blocks that it asks for.
const DEVIATIONS: f32 = 2.0;
const EXCESS_MIN: f32 = 0.000_5;
/// No more of a packet is read for its first slice.
const HEAD_MAX: usize = 64 << 10;

/// How the NAL units of a track's packets are told apart (ITU-T H.264, Annex B; ISO/IEC 14496-15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    StartCodes,
    /// A length of so many bytes before each.
    Lengths(usize),
}

/// Decides for one track of H.264 which packets are decoded unfiltered.
#[derive(Debug)]
pub(crate) struct UnfilteredPictures {
    framing: Framing,
    /// Pictures that are still to be filtered, all of them.
    wary: u32,
}

impl UnfilteredPictures {
    /// For a track with that extra data of its decoder.
    pub(crate) fn new(extra_data: &[u8]) -> Self {
        let framing = match extra_data {
            [1, _, _, _, sizes, ..] => Framing::Lengths(usize::from(sizes & 3) + 1),
            _ => Framing::StartCodes,
        };
        Self { framing, wary: 0 }
    }

    /// Whether a packet is to be decoded unfiltered: no other picture refers to it, and nothing looks like damage.
    pub(crate) fn takes(&self, packet: &[u8]) -> bool {
        let head = &packet[..packet.len().min(HEAD_MAX)];
        self.wary == 0 && is_referred_to(head, self.framing) == Some(false)
    }

    /// Something is wrong with a packet.
    pub(crate) fn suspect(&mut self) {
        self.wary = WARY;
    }

    /// Takes in what a picture showed.
    pub(crate) fn saw(&mut self, facts: &PictureFacts) {
        let seams = &facts.seams;
        let is_torn = seams.measured && seams.excess() > EXCESS_MIN.max(DEVIATIONS * seams.chance());
        if facts.signs.damaged || is_torn {
            self.wary = WARY;
        } else {
            self.wary = self.wary.saturating_sub(1);
        }
    }
}

/// Whether other pictures may refer to that of a packet, as its first slice says (7.4.1, `nal_ref_idc`).
fn is_referred_to(packet: &[u8], framing: Framing) -> Option<bool> {
    let mut rest = packet;
    loop {
        let (header, behind) = match framing {
            Framing::StartCodes => {
                let at = rest.windows(3).position(|code| code == [0, 0, 1])?;
                let unit = &rest[at + 3..];
                (*unit.first()?, unit)
            }
            Framing::Lengths(size) => {
                let (length, unit) = rest.split_at_checked(size)?;
                let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
                // The slice itself may reach beyond what is read of the packet.
                (*unit.first()?, unit.get(length..).unwrap_or_default())
            }
        };
        if matches!(header & 0x1F, 1..=5) {
            return Some(header & 0x60 != 0);
        }
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::frame::{DecodeSigns, SeamFacts};
    use proptest::prelude::*;

    use super::*;

    const NON_REFERENCE: u8 = 0x01;
    const REFERENCE: u8 = 0x41;
    const DELIMITER: [u8; 2] = [0x09, 0xF0];

    fn with_start_codes(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&[0, 0, 0, 1], *unit].concat()).collect()
    }

    fn with_lengths(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&(unit.len() as u32).to_be_bytes(), *unit].concat()).collect()
    }

    fn calm() -> UnfilteredPictures {
        UnfilteredPictures::new(&[])
    }

    #[test]
    fn a_picture_is_referred_to_as_its_first_slice_says() {
        // The message holds what looks like a slice to who does not jump over it.
        let message = [0x06, 5, 2, REFERENCE, NON_REFERENCE, 0x80];
        for (slice, expected) in [(NON_REFERENCE, false), (REFERENCE, true), (0x65, true), (0x21, true)] {
            let units: [&[u8]; 3] = [&DELIMITER, &message, &[slice, 0x9A, 0x22]];
            assert_eq!(is_referred_to(&with_start_codes(&units), Framing::StartCodes), Some(expected));
            assert_eq!(is_referred_to(&with_lengths(&units), Framing::Lengths(4)), Some(expected));
        }
        assert_eq!(is_referred_to(&with_start_codes(&[&DELIMITER]), Framing::StartCodes), None);
        // A slice longer than what is read of it.
        assert_eq!(is_referred_to(&[0, 9, NON_REFERENCE, 1], Framing::Lengths(2)), Some(false));
    }

    #[test]
    fn framing_is_what_the_extra_data_say() {
        let of = |extra: &[u8]| UnfilteredPictures::new(extra).framing;
        assert_eq!(of(&[1, 100, 0, 40, 0xFF, 0xE1]), Framing::Lengths(4));
        assert_eq!(of(&[1, 100, 0, 40, 0xFD, 0xE1]), Framing::Lengths(2));
        assert_eq!(of(&[0, 0, 0, 1, 0x67]), Framing::StartCodes);
        assert_eq!(of(&[]), Framing::StartCodes);
    }

    #[test]
    fn after_damage_every_picture_is_filtered_for_a_while() {
        let packet = with_start_codes(&[&[NON_REFERENCE, 1]]);
        let seams =
            SeamFacts { measured: true, torn: 40, blocks: 8_160, blocks_shifted: 7_973, ..SeamFacts::default() };
        let torn = PictureFacts { seams, ..PictureFacts::default() };
        let damaged =
            PictureFacts { signs: DecodeSigns { damaged: true, ..DecodeSigns::default() }, ..PictureFacts::default() };
        for facts in [torn, damaged] {
            let mut pictures = calm();
            assert!(pictures.takes(&packet));
            pictures.saw(&facts);
            for _ in 0..WARY {
                assert!(!pictures.takes(&packet));
                pictures.saw(&PictureFacts::default());
            }
            assert!(pictures.takes(&packet));
        }
        let mut pictures = calm();
        pictures.suspect();
        assert!(!pictures.takes(&packet));
    }

    #[test]
    fn what_content_tears_by_chance_is_no_damage() {
        for (torn, torn_shifted) in [(0, 0), (3, 0), (60, 52), (400, 390)] {
            let seams =
                SeamFacts { measured: true, torn, torn_shifted, blocks: 8_160, blocks_shifted: 7_973, grey_share: 0.0 };
            let mut pictures = calm();
            pictures.saw(&PictureFacts { seams, ..PictureFacts::default() });
            assert_eq!(pictures.wary, 0, "{torn} and {torn_shifted}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1_usize..=4) {
            is_referred_to(&bytes, Framing::StartCodes);
            is_referred_to(&bytes, Framing::Lengths(size));
        }
    }
}
