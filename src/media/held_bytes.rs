//! Held bytes: a transport stream as it was received, handed to the ring of its stream.
//!
//! Owned by whoever sees all bytes of a session, in the order in which FFmpeg reads them: only then are bytes here and
//! the places of packets there counted alike.

use std::sync::Arc;

use super::packet_ring::{PacketRing, What};

/// Counts bytes, and holds them once there is a ring for them.
#[derive(Debug, Default)]
pub(super) struct HeldBytes {
    position: u64,
    /// Its lock is taken inside those of its owners, never the other way round.
    ring: Option<Arc<PacketRing>>,
}

impl HeldBytes {
    /// Holds the bytes that pass from now on in a ring.
    pub(super) fn keep_in(&mut self, ring: &Arc<PacketRing>) {
        self.ring = Some(ring.clone());
    }

    /// Takes the next bytes.
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        if let Some(ring) = &self.ring {
            ring.push(None, false, What::Bytes(self.position, bytes.into()));
        }
        self.position += bytes.len() as u64;
    }

    /// How many bytes have passed.
    pub(super) fn position(&self) -> u64 {
        self.position
    }
}
