//! RTP (RFC 3550): taking the header off a datagram, and counting what is missing between two.
//!
//! Only MPEG-TS is carried (payload type 33, or any dynamic one whose payload begins with a sync
//! byte): every other payload needs a session description. Reordering is left to the network.

/// First byte of every transport stream packet.
const SYNC: u8 = 0x47;

/// Bytes of the fixed header.
const HEADER_BYTES: usize = 12;

/// Longest jump of the sequence that counts as loss; beyond it the sender began anew.
const JUMP_MAX: u16 = 3_000;

/// What a datagram is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Datagram<'a> {
    /// Transport stream packets without RTP.
    Plain(&'a [u8]),
    /// The payload of an RTP packet with its number.
    Rtp {
        /// What it carries, header and padding taken off.
        payload: &'a [u8],
        /// Its number.
        sequence: u16,
    },
    /// An RTP packet of another payload type.
    Other {
        /// The payload type.
        payload_type: u8,
    },
}

impl<'a> Datagram<'a> {
    /// Looks at a datagram. What is no RTP passes as it is, for the demuxer to find its way.
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        if bytes.first() == Some(&SYNC) {
            return Self::Plain(bytes);
        }
        match parse(bytes) {
            Some(packet) if packet.payload.first() == Some(&SYNC) || packet.payload.is_empty() => {
                Self::Rtp { payload: packet.payload, sequence: packet.sequence }
            }
            Some(packet) if packet.payload_type == 33 => {
                Self::Rtp { payload: packet.payload, sequence: packet.sequence }
            }
            Some(packet) => Self::Other { payload_type: packet.payload_type },
            None => Self::Plain(bytes),
        }
    }
}

struct Packet<'a> {
    payload: &'a [u8],
    payload_type: u8,
    sequence: u16,
}

/// Reads header, CSRC list, extension and padding; `None` when it is no sound RTP packet.
fn parse(bytes: &[u8]) -> Option<Packet<'_>> {
    let header = bytes.get(..HEADER_BYTES)?;
    if header[0] >> 6 != 2 {
        return None;
    }
    let padded = header[0] & 0x20 != 0;
    let extended = header[0] & 0x10 != 0;
    let mut start = HEADER_BYTES + usize::from(header[0] & 0x0f) * 4;
    if extended {
        let words = bytes.get(start + 2..start + 4)?;
        start += 4 + usize::from(u16::from_be_bytes([words[0], words[1]])) * 4;
    }
    let mut payload = bytes.get(start..)?;
    if padded {
        let padding = usize::from(*payload.last()?);
        payload = payload.get(..payload.len().checked_sub(padding)?)?;
    }
    let sequence = u16::from_be_bytes([header[2], header[3]]);
    Some(Packet { payload, payload_type: header[1] & 0x7f, sequence })
}

/// Counts the packets missing from a sequence that wraps at 65,536.
#[derive(Debug, Default)]
pub(super) struct SequenceCount {
    expected: Option<u16>,
}

impl SequenceCount {
    /// Takes the number of a packet; returns how many are missing before it.
    ///
    /// A late one takes nothing back: to the demuxer it is out of place, as good as lost.
    pub(super) fn take(&mut self, sequence: u16) -> u16 {
        let ahead = self.expected.map_or(0, |expected| sequence.wrapping_sub(expected));
        let late = ahead > u16::MAX - JUMP_MAX;
        if !late {
            self.expected = Some(sequence.wrapping_add(1));
        }
        if ahead <= JUMP_MAX { ahead } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(first: u8, payload_type: u8, sequence: u16, rest: &[u8]) -> Vec<u8> {
        let [high, low] = sequence.to_be_bytes();
        let mut bytes = vec![first, payload_type, high, low, 0, 0, 0, 0, 1, 2, 3, 4];
        bytes.extend_from_slice(rest);
        bytes
    }

    #[test]
    fn header_sources_extension_and_padding_are_taken_off() {
        let plain = packet(0x80, 33, 7, &[SYNC, 1, 2]);
        assert_eq!(Datagram::of(&plain), Datagram::Rtp { payload: &[SYNC, 1, 2], sequence: 7 });
        // Two sources, an extension of one word, three bytes of padding, marker bit set.
        let mut rest = vec![0; 8];
        rest.extend_from_slice(&[0xbe, 0xde, 0, 1, 9, 9, 9, 9]);
        rest.extend_from_slice(&[SYNC, 1, 2, 0, 0, 3]);
        let full = packet(0xb2, 33 | 0x80, 8, &rest);
        assert_eq!(Datagram::of(&full), Datagram::Rtp { payload: &[SYNC, 1, 2], sequence: 8 });
    }

    #[test]
    fn what_is_no_sound_rtp_packet_passes_as_it_is() {
        let padded_too_far = packet(0xa0, 33, 7, &[SYNC, 200]);
        let extension_cut = packet(0x90, 33, 7, &[0, 0, 0, 9]);
        for bytes in [&[][..], &[0x80], &[SYNC; 188], &padded_too_far, &extension_cut, &[0x12; 40]] {
            assert_eq!(Datagram::of(bytes), Datagram::Plain(bytes));
        }
    }

    #[test]
    fn a_payload_that_needs_a_description_is_told() {
        assert_eq!(Datagram::of(&packet(0x80, 96, 1, &[0x65, 1, 2])), Datagram::Other { payload_type: 96 });
        assert!(matches!(Datagram::of(&packet(0x80, 96, 1, &[SYNC])), Datagram::Rtp { .. }));
    }

    #[test]
    fn gaps_are_counted_across_the_wrap_and_restarts_are_not() {
        let mut count = SequenceCount::default();
        let missing: Vec<u16> = [65_534, 65_535, 0, 3, 2, 4, 30_000, 30_001].map(|number| count.take(number)).to_vec();
        assert_eq!(missing, [0, 0, 0, 2, 0, 0, 0, 0]);
    }
}
