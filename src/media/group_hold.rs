//! A group hold: the packets of a track since its last key packet, for when they are decoded after all.
//!
//! One per track of pictures in triage, on its session's thread. Packets are held by reference. Once the
//! stream is to be looked at in full, decoding begins at the key packet that has passed already, and catches
//! up a few packets at a time: lanes have room for two seconds, not for a whole group at once.

use std::collections::VecDeque;

use ffmpeg_next::Packet;

use super::held_packet::HeldPacket;

/// Packets decoded for each that arrives, until the hold is empty.
pub(crate) const CATCH_UP: usize = 16;
/// The longest group that is held: 20 s of 50 pictures a second, and its bytes.
const PACKETS_MAX: usize = 1_000;
const BYTES_MAX: u64 = 8 << 20;

/// What is held, and whether it is being decoded.
#[derive(Default)]
pub(crate) struct GroupHold {
    packets: VecDeque<HeldPacket>,
    bytes: u64,
    is_played: bool,
}

impl GroupHold {
    /// Holds a packet of a track that idles. A group that is too long is let go of: decoding will begin at
    /// the next key packet.
    pub(crate) fn hold(&mut self, packet: &Packet, key: bool) {
        if key {
            self.clear();
        }
        if key || !self.packets.is_empty() {
            self.push(packet);
        }
        if self.packets.len() > PACKETS_MAX || self.bytes > BYTES_MAX {
            self.clear();
        }
    }

    /// Takes a packet while those before it are still being decoded; false when memory is short.
    pub(crate) fn push(&mut self, packet: &Packet) -> bool {
        let Some(held) = HeldPacket::of(packet) else { return false };
        self.bytes += held.weight();
        self.packets.push_back(held);
        true
    }

    /// Begins to play what is held, if there is anything.
    pub(crate) fn play(&mut self) {
        self.is_played = !self.packets.is_empty();
    }

    /// What is held is being decoded; what arrives has to wait behind it.
    pub(crate) fn is_played(&self) -> bool {
        self.is_played
    }

    /// The next packet to decode.
    pub(crate) fn next(&mut self) -> Option<Packet> {
        let held = self.packets.pop_front();
        self.is_played &= !self.packets.is_empty();
        let held = held?;
        self.bytes -= held.weight();
        held.reference()
    }

    /// Lets go of everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
