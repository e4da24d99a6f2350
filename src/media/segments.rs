//! The segments of an HLS session, one after the other: of which kind they are, and their bytes for evidence.
//!
//! Owned by the session's playlist gate, used on its thread only. FFmpeg reads each segment of a playlist to its end
//! before it opens the next one. Nothing is counted per PID here, as for other transport streams: FFmpeg's tracks of HLS
//! have numbers of their own.

use std::sync::{Arc, Mutex, PoisonError};

use avwatch_actors::source::SourceError;

use super::bytes::{ByteSource, Extent, PrefixedSource};
use super::held_bytes::HeldBytes;
use super::packet_ring::PacketRing;
use super::ts_tap::{PACKET, SYNC};

/// How many bytes of a segment must be known: a transport packet and the begin of the next.
pub(in crate::media) const SEGMENT_HEAD: usize = PACKET + 1;

/// Bytes of an AES-128 key, which comes the same way as segments.
const KEY_BYTES: usize = 16;

/// What the segments of a session were so far.
#[derive(Default)]
pub(in crate::media) struct Segments {
    held: Arc<Mutex<HeldBytes>>,
    /// Whether all of them were transport streams; nothing before the first.
    is_transport: Option<bool>,
}

impl Segments {
    /// Holds the bytes of segments from now on; false, and nothing is held, when they are no transport streams.
    pub(in crate::media) fn keep_in(&self, ring: &Arc<PacketRing>) -> bool {
        let is_transport = self.is_transport == Some(true);
        if is_transport {
            lock(&self.held).keep_in(ring);
        }
        is_transport
    }

    /// Whether others were seen.
    pub(in crate::media) fn has_other(&self) -> bool {
        self.is_transport == Some(false)
    }

    /// How many bytes of segments have passed.
    pub(in crate::media) fn position(&self) -> u64 {
        lock(&self.held).position()
    }

    /// Looks at a segment before FFmpeg reads it; a key is none.
    pub(in crate::media) fn pass(&mut self, source: PrefixedSource) -> Box<dyn ByteSource> {
        let head = source.head();
        if head.len() <= KEY_BYTES {
            return Box::new(source);
        }
        let is_transport = head[0] == SYNC && head.get(PACKET) == Some(&SYNC);
        self.is_transport = Some(is_transport && self.is_transport.unwrap_or(true));
        Box::new(Segment { source, held: self.held.clone() })
    }
}

/// A segment whose bytes may be held.
struct Segment {
    source: PrefixedSource,
    held: Arc<Mutex<HeldBytes>>,
}

impl ByteSource for Segment {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
        let count = self.source.read(buffer)?;
        lock(&self.held).pass(&buffer[..count]);
        Ok(count)
    }

    fn seek(&mut self, to: u64) -> Result<(), SourceError> {
        self.source.seek(to)
    }

    fn extent(&self) -> Extent {
        self.source.extent()
    }
}

fn lock(held: &Mutex<HeldBytes>) -> std::sync::MutexGuard<'_, HeldBytes> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::media::bytes::MemorySource;

    fn read(segments: &mut Segments, bytes: &[u8]) {
        let source = PrefixedSource::peek(Box::new(MemorySource::new(bytes.to_vec())), SEGMENT_HEAD).unwrap();
        let mut source = segments.pass(source);
        let mut buffer = [0; 100];
        while source.read(&mut buffer).unwrap() > 0 {}
    }

    fn transport(packets: usize) -> Vec<u8> {
        [[SYNC].as_slice(), &[0; PACKET - 1]].concat().repeat(packets)
    }

    fn ring() -> Arc<PacketRing> {
        Arc::new(PacketRing::new(Duration::from_secs(30), u64::MAX))
    }

    #[test]
    fn bytes_of_transport_segments_are_held_and_keys_are_not() {
        let (mut segments, ring) = (Segments::default(), ring());
        assert!(!segments.keep_in(&ring), "nothing was seen");
        read(&mut segments, &transport(3));
        read(&mut segments, &[SYNC; KEY_BYTES]);
        assert!(segments.keep_in(&ring) && ring.bytes() == 0, "what came before is gone");
        read(&mut segments, &transport(2));
        assert_eq!(lock(&segments.held).position(), 5 * PACKET as u64);
        assert!(ring.bytes() >= 2 * PACKET as u64);
    }

    #[test]
    fn nobody_takes_other_segments_for_transport_packets() {
        let (mut segments, ring) = (Segments::default(), ring());
        read(&mut segments, &transport(3));
        read(&mut segments, b"not a packet, but longer than any key is");
        assert!(segments.has_other() && !segments.keep_in(&ring));
    }
}
