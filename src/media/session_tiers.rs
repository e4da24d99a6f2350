//! A session and how much of its stream is looked at: following the dial, triage, and what this machine dropped.
//!
//! Part of the session, on the ingest thread.

use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::TrackKind;
use ffmpeg_next::ffi;
use ffmpeg_next::packet::Ref;

use super::super::stamper::{Work, pts_of};
use super::super::track_reader::{Hole, TrackReader};
use super::super::triage::PacketSigns;
use super::Session;

impl Session {
    /// What this machine dropped since the last packet is taken for no fault of the source.
    pub(super) fn heed_losses(&mut self) {
        let Some((whole_from, lasts)) = self.demuxer.take_hole() else { return };
        let hole = Hole { whole_from, lasts: lasts.into(), since: self.clock.reached() };
        let work = &mut Work { timeline: &mut self.timeline, outlet: &mut self.outlet };
        for track in &mut self.tracks {
            track.lose(hole, work);
        }
    }

    /// Takes over another tier, from this packet on.
    pub(super) fn follow_dial(&mut self) {
        let wanted = self.triage.tier(&self.dial);
        let triage = self.dial.is_triage();
        if triage && !self.dial.is_shed() && self.tracks.iter().any(TrackReader::is_catching_up) {
            // What waits to be decoded came, and would be missed.
            return;
        }
        if (wanted, triage) == (self.tier, self.holds) {
            return;
        }
        let is_other = wanted != self.tier;
        (self.tier, self.holds) = (wanted, triage);
        let work = &mut Work { timeline: &mut self.timeline, outlet: &mut self.outlet };
        for track in &mut self.tracks {
            track.set_tier(wanted, triage, work);
        }
        if is_other {
            let at = self.clock.now().unwrap_or_default();
            self.outlet.changed(at);
        }
    }

    /// Decodes packets that were held, so many of each track: nothing arrives behind which they could come.
    pub(super) fn catch_up(&mut self, packets: usize) {
        let work = &mut Work { timeline: &mut self.timeline, outlet: &mut self.outlet };
        for track in &mut self.tracks {
            // SAFETY: the session alone uses the open input; the index was found in its table.
            unsafe {
                let stream = *(*self.demuxer.context()).streams.add(track.chosen.index);
                track.catch_up(stream, packets, work);
            }
        }
    }

    /// In triage, looks at a packet of the main pictures without decoding it.
    pub(super) fn weigh(&mut self, position: usize) {
        if !self.dial.is_triage() {
            return;
        }
        let is_main =
            |track: &super::TrackReader| track.chosen.track.kind == TrackKind::Video && !track.chosen.secondary;
        let first = self.tracks.iter().position(|track| is_main(track) && track.is_inspected());
        if first != Some(position) {
            return;
        }
        let track = &self.tracks[position];
        // SAFETY: the packet was just filled.
        let raw = unsafe { &*self.packet.as_ptr() };
        let signs = PacketSigns {
            at: pts_of(raw.dts).map(|ticks| track.nanos(ticks)),
            lasts: track.lasts(raw.duration),
            key: raw.flags & ffi::AV_PKT_FLAG_KEY != 0,
            corrupt: raw.flags & ffi::AV_PKT_FLAG_CORRUPT != 0,
            bytes: u32::try_from(raw.size).unwrap_or(0),
            dropped_here: self.demuxer.counts().receive_dropped,
        };
        if let Some(suspicion) = self.triage.packet(&signs) {
            let at = signs.at.map(MediaTime::as_secs_f64);
            tracing::debug!(stream = %self.spec.name, session = %self.number, ?suspicion, ?at, "looked at in full");
        }
    }
}
