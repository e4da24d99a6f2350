//! Where the index of an MP4 file stands: before its samples, or after them.
//!
//! A file with the index last can only be read by jumping to its end. Judged from the first bytes,
//! so that a pipe is refused at once instead of being read for hours.

/// The words for an MP4 whose index cannot be reached.
pub(in crate::media) const INDEX_LAST: &str = "the index is at the end of the file; it can only be read from a \
     seekable file (rewrite it with the index first, such as by 'ffmpeg -movflags +faststart')";

/// What the first bytes of an MP4 show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::media) enum Mp4Order {
    /// Not an MP4 at all.
    Other,
    /// The index, or a fragment, comes before any sample.
    IndexFirst,
    /// Samples come before the index.
    IndexLast,
    /// The bytes end before it can be told.
    Unknown,
}

/// Walks the top-level boxes in the first bytes of an input.
pub(in crate::media) fn order_of(head: &[u8]) -> Mp4Order {
    let mut at = 0_usize;
    loop {
        let Some(header) = head.get(at..).and_then(|rest| rest.get(..8)) else {
            return if at == 0 { Mp4Order::Other } else { Mp4Order::Unknown };
        };
        let kind = &header[4..8];
        match kind {
            b"moov" | b"moof" | b"sidx" => return Mp4Order::IndexFirst,
            b"mdat" => return Mp4Order::IndexLast,
            b"ftyp" | b"styp" | b"free" | b"skip" | b"wide" | b"uuid" | b"pdin" | b"emsg" | b"prft" | b"meta" => {}
            _ => return Mp4Order::Other,
        }
        let short = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
        let size = match short {
            1 => match head.get(at + 8..at + 16).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()) {
                Some(bytes) => u64::from_be_bytes(bytes),
                None => return Mp4Order::Unknown,
            },
            short => u64::from(short),
        };
        // Smaller than its own header (0 means up to the end): no further box can follow.
        let next = usize::try_from(size).ok().filter(|size| *size >= 8).and_then(|size| at.checked_add(size));
        match next {
            Some(next) => at = next,
            None => return Mp4Order::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxes(list: &[(&[u8; 4], u32)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, size) in list {
            bytes.extend_from_slice(&size.to_be_bytes());
            bytes.extend_from_slice(*kind);
            bytes.resize(bytes.len() + *size as usize - 8, 0);
        }
        bytes
    }

    #[test]
    fn the_order_of_index_and_samples_is_told() {
        assert_eq!(order_of(&boxes(&[(b"ftyp", 32), (b"free", 8), (b"mdat", 100)])), Mp4Order::IndexLast);
        assert_eq!(order_of(&boxes(&[(b"ftyp", 32), (b"moov", 100)])), Mp4Order::IndexFirst);
        assert_eq!(order_of(&boxes(&[(b"styp", 16), (b"moof", 100)])), Mp4Order::IndexFirst);
        assert_eq!(order_of(&boxes(&[(b"ftyp", 32), (b"free", 100)])[..64]), Mp4Order::Unknown);
        assert_eq!(order_of(b"\x47\x40\x11\x10 and so on"), Mp4Order::Other);
        assert_eq!(order_of(b""), Mp4Order::Other);
    }

    #[test]
    fn absurd_sizes_end_the_walk() {
        for size in [0_u32, 4, 7] {
            let mut bytes = boxes(&[(b"ftyp", 32)]);
            bytes[..4].copy_from_slice(&size.to_be_bytes());
            assert_eq!(order_of(&bytes), Mp4Order::Unknown);
        }
        let mut huge = boxes(&[(b"ftyp", 32)]);
        huge[..4].copy_from_slice(&1_u32.to_be_bytes());
        huge[8..16].copy_from_slice(&u64::MAX.to_be_bytes());
        assert_eq!(order_of(&huge), Mp4Order::Unknown);
    }
}
