//! The segment tap: what the transport tap sees of an HLS session, one segment after the other.
//!
//! Owned by the session's playlist gate, used on its thread only. FFmpeg reads each segment to its end before it opens the
//! next one of a playlist, so that bytes here and the places of packets there are counted alike.

use std::sync::{Arc, Mutex, PoisonError};

use avwatch_actors::source::SourceError;

use super::bytes::{ByteSource, Extent, PrefixedSource};
use super::ts_tap::TsTap;

/// Bytes of a transport packet, and what each begins with.
const PACKET: usize = 188;
const SYNC: u8 = 0x47;

/// How many bytes of a segment must be known: a transport packet and the begin of the next.
pub(in crate::media) const SEGMENT_HEAD: usize = PACKET + 1;

/// Bytes of an AES-128 key, which comes the same way as segments.
const KEY_BYTES: usize = 16;

/// Sees the segments of a session.
#[derive(Default)]
pub(in crate::media) struct SegmentTap {
    tap: Arc<Mutex<TsTap>>,
    /// Whether all segments so far were transport streams; nothing before the first.
    is_transport: Option<bool>,
}

impl SegmentTap {
    /// The tap; nothing while other segments were seen, or none.
    pub(in crate::media) fn of_transport(&self) -> Option<Arc<Mutex<TsTap>>> {
        (self.is_transport == Some(true)).then(|| self.tap.clone())
    }

    /// Whether other segments were seen.
    pub(in crate::media) fn has_other(&self) -> bool {
        self.is_transport == Some(false)
    }

    /// Lets the tap see what is read of a segment; a key is none.
    pub(in crate::media) fn pass(&mut self, source: PrefixedSource) -> Box<dyn ByteSource> {
        let head = source.head();
        if head.len() <= KEY_BYTES {
            return Box::new(source);
        }
        let is_transport = head[0] == SYNC && head.get(PACKET) == Some(&SYNC);
        self.is_transport = Some(is_transport && self.is_transport.unwrap_or(true));
        Box::new(TappedSource { source, tap: self.tap.clone() })
    }
}

/// A segment that the tap sees.
struct TappedSource {
    source: PrefixedSource,
    tap: Arc<Mutex<TsTap>>,
}

impl ByteSource for TappedSource {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
        let count = self.source.read(buffer)?;
        self.tap.lock().unwrap_or_else(PoisonError::into_inner).feed(&buffer[..count]);
        Ok(count)
    }

    fn seek(&mut self, to: u64) -> Result<(), SourceError> {
        self.source.seek(to)
    }

    fn extent(&self) -> Extent {
        self.source.extent()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::bytes::MemorySource;

    fn read(tap: &mut SegmentTap, bytes: &[u8]) {
        let source = PrefixedSource::peek(Box::new(MemorySource::new(bytes.to_vec())), SEGMENT_HEAD).unwrap();
        let mut source = tap.pass(source);
        let mut buffer = [0; 100];
        while source.read(&mut buffer).unwrap() > 0 {}
    }

    fn transport(packets: usize) -> Vec<u8> {
        [[SYNC].as_slice(), &[0; PACKET - 1]].concat().repeat(packets)
    }

    #[test]
    fn segments_of_transport_packets_are_seen_and_keys_are_not() {
        let mut tap = SegmentTap::default();
        assert!(tap.of_transport().is_none(), "nothing was seen");
        read(&mut tap, &transport(3));
        read(&mut tap, &[SYNC; KEY_BYTES]);
        read(&mut tap, &transport(2));
        let seen = tap.of_transport().unwrap();
        assert_eq!(seen.lock().unwrap().position(), 5 * PACKET as u64);
    }

    #[test]
    fn nobody_takes_other_segments_for_transport_packets() {
        let mut tap = SegmentTap::default();
        read(&mut tap, &transport(3));
        read(&mut tap, b"not a packet, but longer than any key is");
        assert!(tap.of_transport().is_none());
    }
}
