//! The stamper: what packets and decoder say of a frame, and the stamp that it gets from it.
//!
//! One per track, on the session's thread. Packets are numbered in decoding order; the decoder hands
//! the number on to the frame, which so finds its packet again after reordering.

use std::time::Instant;

use avwatch_actors::frame::{DecodeSigns, SourceTime, Stamp};
use avwatch_actors::item::{Gap, GapReason, TimelineMark};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::{SessionNumber, TrackId};
use ffmpeg_next::ffi;

use super::outlet::Outlet;
use super::signs::{DamageTracker, PacketTrouble, ShownFrame};
use super::thinning::{Depth, Fate, Thinning};
use super::timeline::{JUMP, Placed, Timeline};

/// Packets remembered until their frame comes: more than any decoder holds back (a power of two).
const NOTES: usize = 128;

/// Shown pictures lie at most this far ahead of what is to be decoded; below a jump of the clock.
const SHOWN_AHEAD_MAX: MediaTime = MediaTime::from_millis(1_000);

/// What is further from the last frame was sent at a time that means nothing.
const DISPLACED_MAX: MediaTime = MediaTime::from_millis(40_000);
/// What was displaced is told in pieces as long as this: less than any detector of absence tolerates, and each wakes a thread.
const DISPLACED_APART: MediaTime = MediaTime::from_millis(400);

/// What is remembered of a packet.
#[derive(Clone, Copy)]
struct PacketNote {
    number: u64,
    arrived: Instant,
    key: bool,
    unfiltered: bool,
    /// Raw time at which it is to be decoded, as far as it says so.
    at: Option<i64>,
    /// Of a first field: raw time to the other one, which came in the next packet.
    fields_apart: Option<i64>,
}

/// Where the frames of a track are made, and with what.
pub(crate) struct Work<'a> {
    /// The session's timeline.
    pub timeline: &'a mut Timeline,
    /// Where frames and marks go.
    pub outlet: &'a mut Outlet,
}

/// Numbers packets and stamps frames of one track.
pub(crate) struct Stamper {
    /// The track.
    pub track: TrackId,
    session: SessionNumber,
    /// Its number in the timeline.
    pub line: usize,
    base: (i32, i32),
    damage: DamageTracker,
    /// What of the track is decoded.
    pub thinning: Thinning,
    notes: Vec<PacketNote>,
    packets: u64,
    frames: u64,
    /// Since when what was displaced has not been told.
    displaced: Option<MediaTime>,
}

impl Stamper {
    pub(crate) fn new(track: TrackId, session: SessionNumber, line: usize, base: (i32, i32)) -> Self {
        let damage = DamageTracker::new(true);
        let (thinning, notes) = (Thinning::default(), Vec::with_capacity(NOTES));
        Self { track, session, line, base, damage, thinning, notes, packets: 0, frames: 0, displaced: None }
    }

    /// A decoder was opened: its damage starts anew.
    pub(crate) fn decoder_opened(&mut self, intra_only: bool) {
        self.damage = DamageTracker::new(intra_only);
    }

    /// Decides on a packet that is to be decoded at the raw time `dts` and lasts `lasts`. What is not
    /// decoded at all takes its place on the timeline by when it would be.
    pub(crate) fn admit(&mut self, key: bool, dts: Option<i64>, lasts: MediaTime, work: &mut Work<'_>) -> Fate {
        let at = dts.map(|dts| MediaTime::from_ticks(dts, self.base.0, self.base.1));
        let fate = self.thinning.admit(key, at, lasts);
        if self.thinning.depth() == Depth::Nothing {
            self.pass(dts, lasts, work);
        } else if fate == Fate::LeftOut && self.thinning.has_lost() {
            self.displace(dts, lasts, work);
        }
        fate
    }

    /// A part of a packet was dropped here: it is not decoded.
    pub(crate) fn torn(&mut self, dts: Option<i64>, lasts: MediaTime, work: &mut Work<'_>) {
        if self.thinning.depth() != Depth::Nothing {
            self.thinning.leave_out(lasts);
            self.displace(dts, lasts, work);
        }
    }

    /// Says that something came and is not shown for what was lost here: so it is not missed.
    fn displace(&mut self, dts: Option<i64>, lasts: MediaTime, work: &mut Work<'_>) {
        let at = dts.and_then(|dts| work.timeline.peek(self.line, dts));
        let (Some(at), Some(end)) = (at, work.timeline.end(self.line)) else { return };
        let (from, to) = (self.displaced.unwrap_or(at), at + lasts);
        if at.distance(end) >= DISPLACED_MAX || from > to {
            self.displaced = None;
        } else if to - from < DISPLACED_APART {
            self.displaced = Some(from);
        } else {
            self.displaced = None;
            work.outlet.gap(Gap { track: self.track, from, to, why: GapReason::Displaced });
        }
    }

    /// The input had come to `since`, then something was dropped here up to a packet that is to be decoded at `dts`: no
    /// track is missed in between. Told before any clock passes it. Not by a track that comes back when another one is
    /// well behind the hole: what it lacks since is no hole of the input; nor where the hole is too short to be missed or so
    /// long that the timeline takes it for another clock.
    pub(crate) fn tell_hole(&self, since: MediaTime, dts: Option<i64>, work: &mut Work<'_>) {
        let Some(to) = dts.and_then(|dts| work.timeline.peek(self.line, dts)) else { return };
        let was_passed = work.timeline.others_end(self.line).is_some_and(|end| end - since >= DISPLACED_APART);
        if !was_passed && to - since >= DISPLACED_APART && to - since < JUMP + self.thinning.unknown() {
            work.outlet.gap(Gap { track: TrackId::INPUT, from: since, to, why: GapReason::Displaced });
        }
    }

    /// Moves the timeline on by a packet that is not decoded.
    fn pass(&mut self, dts: Option<i64>, lasts: MediaTime, work: &mut Work<'_>) {
        let Some(dts) = dts else { return };
        if let (Some(end), Some(at)) = (work.timeline.end(self.line), work.timeline.peek(self.line, dts)) {
            // Pictures that were shown lie ahead of those that are to be decoded: that is no step back.
            if at < end && end - at < SHOWN_AHEAD_MAX {
                return;
            }
        }
        let before = work.timeline.end(self.line);
        work.timeline.bridge(self.line, Some(dts), MediaTime::ZERO, self.thinning.unknown());
        let placed = work.timeline.place(self.line, Some(dts), lasts);
        let source_time = Some(SourceTime { pts: None, dts: Some(dts), base: self.base });
        self.tell(&placed, before, source_time, work);
        self.thinning.passed();
    }

    /// Marks and holes of a place go to the outlet; `before` is where the track ended. After a loss of ours nobody knows what the
    /// source did.
    fn tell(
        &mut self,
        placed: &Placed,
        before: Option<MediaTime>,
        source_time: Option<SourceTime>,
        work: &mut Work<'_>,
    ) {
        if self.thinning.has_lost() {
            self.displaced = None;
            if let Some(from) = before.filter(|before| *before < placed.at) {
                work.outlet.gap(Gap { track: self.track, from, to: placed.at, why: GapReason::Displaced });
            }
            return;
        }
        if let Some(sign) = placed.sign {
            work.outlet.mark(TimelineMark { track: self.track, at: placed.at, sign, source_time });
        }
        if let Some(from) = placed.gap_from {
            work.outlet.gap(Gap { track: self.track, from, to: placed.at, why: GapReason::Source });
        }
    }

    /// The next number, for what is no packet: the end of what came before.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.packet(Instant::now(), false, false, None)
    }

    /// Numbers a packet that is to be decoded at the raw time `at`; whether it is decoded `unfiltered`.
    pub(crate) fn packet(&mut self, arrived: Instant, key: bool, unfiltered: bool, at: Option<i64>) -> u64 {
        let number = self.packets;
        self.packets += 1;
        let note = PacketNote { number, arrived, key, unfiltered, at, fields_apart: None };
        match self.notes.get_mut(number as usize % NOTES) {
            Some(slot) => *slot = note,
            None => self.notes.push(note),
        }
        number
    }

    /// The packet of that number, which lasts `duration` if that is above 0, holds the second field of the picture that
    /// the one before it began; gives the number of that one.
    pub(crate) fn joins(&mut self, number: u64, duration: i64) -> u64 {
        self.thinning.joins();
        let first = number.saturating_sub(1);
        let at = |number| self.note(number).and_then(|note| note.at);
        let apart = at(first).zip(at(number)).and_then(|(first, second)| second.checked_sub(first));
        // Where both came in one packet of the stream, only the first has a time.
        let apart = apart.filter(|apart| *apart > 0).or((duration > 0).then_some(duration));
        if let Some(note) = self.notes.get_mut(first as usize % NOTES) {
            note.fields_apart = apart;
        }
        first
    }

    /// Takes down what was wrong with a packet.
    pub(crate) fn trouble(&mut self, number: u64, pts: Option<i64>, trouble: PacketTrouble) {
        self.damage.packet(number, pts, trouble);
    }

    /// A frame could not be adopted: an error that is told with the next one.
    pub(crate) fn lost_frame(&mut self) {
        let number = self.packets.saturating_sub(1);
        self.damage.packet(number, None, PacketTrouble { errors: 1, ..PacketTrouble::default() });
    }

    /// What is known of a frame beside its contents. To be called once per frame, as it is shown.
    pub(crate) fn signs(&mut self, frame: &ffi::AVFrame) -> DecodeSigns {
        let marks = ffi::FF_DECODE_ERROR_INVALID_BITSTREAM
            | ffi::FF_DECODE_ERROR_MISSING_REFERENCE
            | ffi::FF_DECODE_ERROR_DECODE_SLICES;
        let note = self.note_of(frame);
        let is_alone = self.thinning.depth() == Depth::Keys;
        self.damage.shown(ShownFrame {
            packet: note.map_or(self.packets.saturating_sub(1), |note| note.number),
            pts: pts_of(frame.pts),
            key: frame.key_frame == 1 || note.is_some_and(|note| note.key),
            // Of a picture by itself decoders mark what was to come before it.
            marked: !is_alone
                && (frame.flags & ffi::AV_FRAME_FLAG_CORRUPT != 0 || frame.decode_error_flags & marks != 0),
            concealed: frame.decode_error_flags & ffi::FF_DECODE_ERROR_CONCEALMENT_ACTIVE != 0,
        })
    }

    /// Gives a frame its place on the timeline; holes and marks go to the outlet.
    pub(crate) fn place(&mut self, frame: &ffi::AVFrame, lasts: MediaTime, work: &mut Work<'_>) -> (Stamp, Placed) {
        let (pts, dts) = (pts_of(frame.pts), pts_of(frame.pkt_dts));
        let source_time = SourceTime { pts, dts, base: self.base };
        // AVI and raw streams have decoding times only; FFmpeg's guess is made from these.
        let sent = pts.or(pts_of(frame.best_effort_timestamp));
        let before = work.timeline.end(self.line);
        let left_out = self.thinning.left_out();
        let bridged = left_out.map(|(known, most)| work.timeline.bridge(self.line, sent, known, most));
        let placed = work.timeline.place(self.line, sent, lasts);
        self.tell(&placed, before, Some(source_time), work);
        self.thinning.shown(bridged.unwrap_or_default(), lasts);
        let arrived = self.note_of(frame).map(|note| note.arrived);
        let mut stamp = self.stamp(placed.at, lasts, arrived);
        stamp.source_time = Some(source_time);
        stamp.repair = placed.repair;
        (stamp, placed)
    }

    /// A stamp with the next number, ready now.
    pub(crate) fn stamp(&mut self, at: MediaTime, lasts: MediaTime, arrived: Option<Instant>) -> Stamp {
        let now = Instant::now();
        let seq = self.frames;
        self.frames += 1;
        Stamp {
            track: self.track,
            session: self.session,
            seq,
            media_time: at,
            lasts,
            source_time: None,
            repair: avwatch_actors::frame::Repair::None,
            arrived: arrived.unwrap_or(now),
            ready: now,
        }
    }

    /// Whether a frame was decoded unfiltered.
    pub(crate) fn is_unfiltered(&self, frame: &ffi::AVFrame) -> bool {
        self.note_of(frame).is_some_and(|note| note.unfiltered)
    }

    /// Whether the packet that was numbered last is decoded unfiltered.
    pub(crate) fn last_is_unfiltered(&self) -> bool {
        self.packets.checked_sub(1).and_then(|number| self.note(number)).is_some_and(|note| note.unfiltered)
    }

    /// Raw time between the two fields of a frame, where each came in a packet of its own.
    pub(crate) fn fields_apart(&self, frame: &ffi::AVFrame) -> Option<i64> {
        self.note_of(frame).and_then(|note| note.fields_apart)
    }

    /// How many frames were stamped.
    pub(crate) fn frames(&self) -> u64 {
        self.frames
    }

    /// The note of the packet that a frame came from; absent when the decoder lost its number.
    fn note_of(&self, frame: &ffi::AVFrame) -> Option<PacketNote> {
        u64::try_from(frame.reordered_opaque).ok().and_then(|number| self.note(number))
    }

    fn note(&self, number: u64) -> Option<PacketNote> {
        self.notes.get(number as usize % NOTES).filter(|note| note.number == number).copied()
    }
}

/// A timestamp of FFmpeg, whose absence is a number too.
pub(crate) fn pts_of(timestamp: i64) -> Option<i64> {
    (timestamp != ffi::AV_NOPTS_VALUE).then_some(timestamp)
}
