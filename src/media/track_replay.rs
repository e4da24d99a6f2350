//! A track in triage: holding what is left out, and decoding it after all.
//!
//! Part of the track's reader, on its session's thread.

use std::time::Instant;

use avwatch_actors::track::TrackKind;
use ffmpeg_next::ffi;
use ffmpeg_next::packet::Ref;

use super::{PacketOutcome, TrackReader};
use crate::media::group_hold::CATCH_UP;
use crate::media::stamper::Work;
use crate::media::thinning::Depth;

impl TrackReader {
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
            self.seen = true;
            // SAFETY: by the caller's promise.
            return unsafe { self.catch_up(stream, CATCH_UP, work) };
        }
        if self.holds {
            // SAFETY: the packet is valid and only read.
            let flags = unsafe { (*packet.as_ptr()).flags };
            self.held.hold(packet, flags & ffi::AV_PKT_FLAG_KEY != 0);
        }
        // SAFETY: by the caller's promise.
        unsafe { self.decode(stream, packet, arrived, work) }
    }

    /// Decodes so many of the packets that are held and being played.
    ///
    /// # Safety
    /// As for [`Self::packet`].
    pub(crate) unsafe fn catch_up(
        &mut self,
        stream: *const ffi::AVStream,
        packets: usize,
        work: &mut Work<'_>,
    ) -> PacketOutcome {
        let mut outcome = PacketOutcome::default();
        for _ in 0..packets {
            if !self.held.is_played() {
                break;
            }
            let Some(packet) = self.held.next() else { break };
            // It arrived earlier, but was left lying on purpose: that is no delay of ours.
            // SAFETY: by the caller's promise.
            let one = unsafe { self.decode(stream, &packet, Instant::now(), work) };
            outcome.corrupt |= one.corrupt;
            outcome.scrambled |= one.scrambled;
            outcome.undecodable |= one.undecodable;
        }
        outcome
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
