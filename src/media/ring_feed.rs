//! The feed of a packet ring: hands what a session reads to the ring of its stream.
//!
//! Owned by the session, on its thread. It takes references and never waits but for the ring's short lock.

use std::sync::Arc;

use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::{SessionNumber, TrackId, TrackKind};
use ffmpeg_next::packet::Ref;
use ffmpeg_next::{Packet, ffi};

use super::demuxer::Demuxer;
use super::held_packet::{HeldPacket, HeldTrack};
use super::packet_ring::{Form, PacketRing, What};
use super::track_reader::TrackReader;

/// Feeds one ring from one session.
pub(crate) struct RingFeed {
    ring: Arc<PacketRing>,
    form: Form,
    /// The track whose key frames clips begin with.
    main: Option<TrackId>,
}

impl RingFeed {
    /// Begins a session; where its bytes cannot be held, packets are.
    pub(crate) fn begin(ring: &Arc<PacketRing>, session: SessionNumber, demuxer: &Demuxer) -> Self {
        let form = if demuxer.keep_bytes_in(ring) { Form::Transport } else { Form::Packets };
        ring.begin(session, form);
        Self { ring: ring.clone(), form, main: None }
    }

    /// The tracks are known, or there are more of them.
    ///
    /// # Safety
    /// `context` must be an open input that no other thread uses meanwhile, and the tracks be of it.
    pub(crate) unsafe fn tracks(&mut self, context: *const ffi::AVFormatContext, tracks: &[TrackReader]) {
        let inspected = || tracks.iter().filter(|track| track.is_inspected());
        let of_kind = |kind| inspected().find(|track| track.chosen.track.kind == kind).map(|track| track.chosen.track);
        self.main = of_kind(TrackKind::Video).or_else(|| of_kind(TrackKind::Audio));
        let held = inspected().filter_map(|track| {
            // SAFETY: by the caller's promise; the index was found in this input's table.
            unsafe { HeldTrack::of(*(*context).streams.add(track.chosen.index)) }
        });
        self.ring.set_tracks(held.map(Arc::new).collect());
    }

    /// Holds a packet of a track; `at` is where on the timeline it is decoded.
    pub(crate) fn packet(&self, track: &TrackReader, packet: &Packet, at: Option<MediaTime>) {
        if !track.is_inspected() {
            return;
        }
        // SAFETY: the packet is valid and only read.
        let (flags, place) = unsafe { ((*packet.as_ptr()).flags, (*packet.as_ptr()).pos) };
        let is_key = Some(track.chosen.track) == self.main && flags & ffi::AV_PKT_FLAG_KEY != 0;
        match self.form {
            Form::Packets => {
                if let Some(held) = HeldPacket::of(packet) {
                    self.ring.push(at, is_key, What::Packet(track.chosen.index, Arc::new(held)));
                }
            }
            Form::Transport => {
                if let (Ok(place), Some(at)) = (u64::try_from(place), at) {
                    self.ring.push(Some(at), is_key, What::Mark(place));
                }
            }
        }
    }
}
