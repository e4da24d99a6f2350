//! A track in triage: holding what is left out, and decoding it after all.
//!
//! Part of the track's reader, on its session's thread.

use std::time::{Duration, Instant};

use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::TrackKind;
use ffmpeg_next::ffi;
use ffmpeg_next::packet::Ref;

use super::{PacketOutcome, TrackReader};
use crate::media::group_hold::CATCH_UP;
use crate::media::stamper::Work;
use crate::media::thinning::Depth;

/// How long catching up may keep arriving packets waiting, once [`CATCH_UP_LEAST`] were decoded.
const CATCH_UP_WITHIN: Duration = Duration::from_millis(25);
/// The longest time between a key picture and what is shown before it, with room.
const AHEAD_MAX: MediaTime = MediaTime::from_millis(2_000);
/// Fewer would never reach what arrives.
const CATCH_UP_LEAST: usize = 2;

impl TrackReader {
    /// What was held is being decoded.
    pub(crate) fn is_catching_up(&self) -> bool {
        self.held.is_played()
    }

    /// Decodes a packet as deep as the tier demands, or behind those that are being caught up with.
    ///
    /// # Safety
    /// `stream` must be the packet's stream in an open input that no other thread uses meanwhile.
    pub(crate) unsafe fn packet(
        &mut self,
        stream: *const ffi::AVStream,
        packet: &ffmpeg_next::Packet,
        arrived: Instant,
        work: &mut Work<'_>,
    ) -> PacketOutcome {
        if self.held.is_played() && self.held.push(packet) {
            // It has its turn when those before it had theirs.
            self.seen = true;
            // SAFETY: the packet is valid and only read.
            let flags = unsafe { (*packet.as_ptr()).flags };
            return PacketOutcome { corrupt: flags & ffi::AV_PKT_FLAG_CORRUPT != 0, ..PacketOutcome::default() };
        }
        // SAFETY: by the caller's promise.
        unsafe { self.decode(stream, packet, arrived, work) }
    }

    /// Decodes at most so many of the packets that are held and being played; at [`CATCH_UP`] also no longer than what
    /// arrives may wait. What there is to count of them was counted when they arrived.
    ///
    /// # Safety
    /// As for [`Self::packet`].
    pub(crate) unsafe fn catch_up(&mut self, stream: *const ffi::AVStream, most: usize, work: &mut Work<'_>) {
        let begun = Instant::now();
        for number in 0..most {
            let is_late = most == CATCH_UP && number >= CATCH_UP_LEAST && begun.elapsed() >= CATCH_UP_WITHIN;
            if is_late || !self.held.is_played() {
                break;
            }
            let Some(packet) = self.held.next() else { break };
            // It arrived earlier, but was left lying on purpose: that is no delay of ours.
            // SAFETY: by the caller's promise.
            unsafe { self.decode(stream, &packet, Instant::now(), work) };
        }
    }

    /// Holds what is left out while key pictures are all that is decoded in triage, and plays it when
    /// everything is to be decoded.
    pub(super) fn set_holding(&mut self, depth: Depth, triage: bool) {
        let held = self.holds;
        self.holds = triage && depth == Depth::Keys && self.chosen.track.kind == TrackKind::Video;
        if self.holds == held {
            return;
        }
        if depth == Depth::All && held {
            self.shown_until = self.shown_alone;
            self.held.play();
        } else {
            self.held.clear();
            self.shown_until = None;
        }
        self.shown_alone = None;
    }
}

/// True for a picture that was shown by itself as the one at `until`, or belongs before it; raw times in ticks of `base`.
pub(super) fn was_shown(until: Option<i64>, at: Option<i64>, base: (i32, i32)) -> bool {
    let (Some(until), Some(at)) = (until, at) else { return false };
    // Times that stepped back lie further.
    at <= until && MediaTime::from_ticks(until.saturating_sub(at), base.0, base.1) <= AHEAD_MAX
}
