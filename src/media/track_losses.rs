//! A track and the datagrams that this machine dropped, or segments that it came too late for: what lacks them is not
//! looked at.
//!
//! Part of the track's reader, on its session's thread. What comes of a torn packet would look as if the source had
//! sent it so. Pictures go on at the next key packet that came whole. Sound goes on a second later than it is whole: FFmpeg's
//! parser joins the rest of a torn block to the next ones, and takes up to 8 kB for one block (the most that an ADTS
//! header can say) before it has found its way back. The first block then, which joins nothing, is not shown.

use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::TrackKind;
use ffmpeg_next::packet::Ref;

use super::{PacketOutcome, TrackReader};
use crate::media::signs::Join;
use crate::media::stamper::{Work, pts_of};
use crate::media::thinning::Depth;

/// A track is taken for torn no longer than so much of its own time: some sources begin no packet for minutes.
const TORN_MAX: MediaTime = MediaTime::from_millis(5_000);

/// For so long sound is taken for torn from its first whole packet on.
const RESYNC: MediaTime = MediaTime::from_millis(1_000);

/// What this machine dropped of an input.
#[derive(Clone, Copy)]
pub(crate) struct Hole {
    /// All of it came before that byte.
    pub whole_from: u64,
    /// How long it lasts; zero where nobody knows.
    pub lasts: MediaTime,
    /// How far the input had come before it.
    pub since: Option<MediaTime>,
}

/// From where on packets of a track are whole again.
#[derive(Clone, Copy)]
pub(super) struct Torn {
    /// They begin at or behind that byte of the input.
    whole_from: u64,
    /// How far the input had come before the hole.
    since: Option<MediaTime>,
    /// When the first that does is sent.
    regained: Option<MediaTime>,
    /// For how long they are taken for torn at most.
    left: MediaTime,
}

impl TrackReader {
    /// Something of the input was dropped here.
    pub(crate) fn lose(&mut self, hole: Hole, work: &mut Work<'_>) {
        if !self.is_inspected() {
            return;
        }
        let is_sound = self.chosen.track.kind == TrackKind::Audio;
        // Of a hole before this one the end may not have come yet.
        let since = self.torn.filter(|torn| torn.regained.is_none()).map_or(hole.since, |torn| torn.since);
        self.torn = Some(Torn { whole_from: hole.whole_from, since, regained: None, left: TORN_MAX });
        // What is held, also while it is played, came before the hole, and its group cannot go on behind it.
        self.held.clear();
        // A field may lack the other.
        self.fields = None;
        let depth = self.stamper.thinning.depth();
        let refers = !is_sound && matches!(depth, Depth::All | Depth::References);
        let awaited = self.stamper.thinning.awaits_key();
        // First: what comes out now may have lost those that were to be shown before it.
        self.stamper.thinning.lose(is_sound, hole.lasts);
        if refers && !awaited {
            let number = self.stamper.next_number();
            self.drain(number, None, work);
            if let Some(decoder) = &self.decoder {
                self.stamper.decoder_opened(decoder.intra_only());
                self.join = Join::Awaited;
            }
        } else if self.first_field.take().is_some() {
            self.forget();
        }
    }

    /// Leaves out a packet of which parts may be among what was dropped. Of blocks that came together, all but the first
    /// have no position: they are as that one is.
    pub(super) fn leaves_torn(&mut self, packet: &ffmpeg_next::Packet, work: &mut Work<'_>) -> Option<PacketOutcome> {
        let torn = self.torn?;
        // SAFETY: the packet is valid and only read.
        let raw = unsafe { &*packet.as_ptr() };
        let (shown, sent) = (pts_of(raw.pts), pts_of(raw.dts));
        let is_whole = u64::try_from(raw.pos).is_ok_and(|position| position >= torn.whole_from);
        let is_sound = self.chosen.track.kind == TrackKind::Audio;
        let at = sent.or(shown).map(|time| self.nanos(time)).filter(|_| is_whole);
        let regained = torn.regained.or(at);
        if let (None, Some(_), Some(since)) = (torn.regained, regained, torn.since) {
            self.stamper.tell_hole(since, sent.or(shown), work);
        }
        let is_in_step = !is_sound || at.zip(regained).is_some_and(|(at, since)| at - since >= RESYNC);
        let lasts = self.lasts(raw.duration);
        let left = torn.left - lasts;
        if left > MediaTime::ZERO && !(is_whole && is_in_step) {
            self.torn = Some(Torn { regained, left, ..torn });
            self.stamper.torn(sent.or(shown), lasts, work);
            return Some(PacketOutcome { left_out: 1, ..PacketOutcome::default() });
        }
        self.torn = None;
        if is_sound {
            self.shown_until = shown;
        }
        None
    }
}
