//! Changes to the bytes of a transport stream: packets lost, scrambled, or another stream after it.

use super::common::damage::{PACKET, pid, presentation_time};

/// PID of the video and of the first audio track in FFmpeg's transport streams.
pub(crate) const VIDEO_PID: u16 = 0x100;
pub(crate) const AUDIO_PID: u16 = 0x101;

/// Takes all packets of a track out of a stream from one time of presentation until before another.
pub(crate) fn without(bytes: &[u8], track: u16, from: f64, to: f64) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    walk(bytes, track, from, to, |packet, inside| {
        if !inside {
            kept.extend_from_slice(packet);
        }
    });
    kept
}

/// From the first frame of a track in a span of time to the first one after it, as reports count.
///
/// A packet of sound holds several blocks, so a hole in it is not where it was asked for.
pub(crate) fn span(bytes: &[u8], track: u16, from: f64, to: f64) -> Option<(f64, f64)> {
    let mut first: Option<f64> = None;
    let mut frames = Vec::new();
    let mut newest = 0.0_f64;
    for packet in bytes.chunks_exact(PACKET) {
        let Some(at) = presentation_time(packet) else { continue };
        first = Some(first.map_or(at, |first| first.min(at)));
        newest = newest.max(at);
        if pid(packet) == track {
            frames.push(at);
        }
    }
    let zero = first?;
    let next = |than: f64| frames.iter().map(|at| at - zero).filter(|at| *at >= than - 0.000_1).reduce(f64::min);
    Some((next(from)?, next(to).unwrap_or(newest - zero)))
}

/// Marks the packets of a track as scrambled and makes noise of what they carry.
pub(crate) fn scrambled(bytes: &[u8], track: u16, from: f64, to: f64) -> Vec<u8> {
    let mut all = Vec::with_capacity(bytes.len());
    let mut dice = fastrand::Rng::with_seed(17);
    walk(bytes, track, from, to, |packet, inside| {
        let mut packet = packet.to_vec();
        if inside {
            packet[3] |= 0x80;
            let header = 4 + if packet[3] & 0x20 != 0 { 1 + usize::from(packet[4]) } else { 0 };
            for byte in packet.iter_mut().skip(header) {
                *byte = dice.u8(..);
            }
        }
        all.extend_from_slice(&packet);
    });
    all
}

/// Loses single packets of a track, `each` of a thousand, in a span of time.
pub(crate) fn lossy(bytes: &[u8], track: u16, (from, to): (f64, f64), each: u64, seed: u64) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut dice = fastrand::Rng::with_seed(seed);
    walk(bytes, track, from, to, |packet, inside| {
        if !inside || dice.u64(..1_000) >= each {
            kept.extend_from_slice(packet);
        }
    });
    kept
}

/// Calls `each` with every packet and whether it belongs to a frame of the track within the span.
fn walk(bytes: &[u8], track: u16, from: f64, to: f64, mut each: impl FnMut(&[u8], bool)) {
    let mut first: Option<f64> = None;
    let mut frame = None;
    for packet in bytes.chunks_exact(PACKET) {
        // Times count from the first frame of any track, as the report's do.
        let at = presentation_time(packet);
        if let Some(at) = at {
            first = Some(first.map_or(at, |first| first.min(at)));
        }
        if pid(packet) != track {
            each(packet, false);
            continue;
        }
        if let (Some(at), Some(first)) = (at, first) {
            frame = Some(at - first);
        }
        // A tenth of a millisecond for what the 90 kHz clock cannot say.
        let inside = frame.is_some_and(|at| at >= from - 0.000_1 && at < to - 0.000_1);
        each(packet, inside);
    }
}
