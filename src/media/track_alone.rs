//! Pictures of a track that are decoded by themselves, and those whose two fields come apart.
//!
//! Part of the track's reader, on its session's thread. It decides of no packet whether it is decoded.

use ffmpeg_next::ffi;

use super::{Side, TrackReader};
use crate::media::decoder::Sent;
use crate::media::ffmpeg_log;
use crate::media::fields::{FieldReader, Part};
use crate::media::slices::Slice;
use crate::media::stamper::Work;
use crate::media::thinning::Depth;

/// A packet that was decoded by itself: what its first slice said, its number, and its raw time.
#[derive(Clone, Copy)]
pub(super) struct Alone {
    pub slice: Option<Slice>,
    pub number: u64,
    pub pts: Option<i64>,
}

impl TrackReader {
    /// What of a picture a packet holds, where that matters.
    ///
    /// SAFETY of the callers: as for [`Self::packet`].
    pub(super) unsafe fn part_of(
        &mut self,
        stream: *const ffi::AVStream,
        packet: &ffmpeg_next::Packet,
        key: bool,
    ) -> Part {
        let depth = self.stamper.thinning.depth();
        let is_needed = match (&self.side, depth) {
            // Where no picture is interlaced, all come whole.
            (Side::Video(reader), Depth::All) => reader.may_be_interlaced(),
            (Side::Video(_), Depth::References | Depth::Keys) => true,
            _ => false,
        };
        // SAFETY: by the caller's promise.
        if self.fields.as_ref().is_some_and(|fields| !is_needed || !unsafe { fields.reads(stream) }) {
            self.fields = None;
        }
        if !is_needed {
            return Part::Whole;
        }
        // SAFETY: by the caller's promise.
        let fields = self.fields.get_or_insert_with(|| unsafe { FieldReader::open(stream) });
        // Where key pictures come whole, those between them are taken to do so, too.
        let matters = depth != Depth::Keys || key || fields.has_seen_any();
        if matters { fields.part_of(packet) } else { Part::Whole }
    }

    /// Receives what was decoded by itself; the first field of a picture waits for the other.
    pub(super) fn receive_alone(&mut self, alone: Alone, part: Part, work: &mut Work<'_>) {
        if part != Part::First {
            self.give_out(alone, work);
            return;
        }
        let shown = self.stamper.frames();
        self.receive(alone.number, alone.pts, work);
        // A packet may hold both fields all the same.
        self.first_field = (self.stamper.frames() == shown).then_some(alone);
    }

    /// Receives a picture that was decoded by itself. To begin anew costs a decoder all its tables, and one that begins
    /// with an IDR picture as it is does the same: that the sequence has ended is told it instead.
    pub(super) fn give_out(&mut self, Alone { slice, number, pts }: Alone, work: &mut Work<'_>) {
        let shown = self.stamper.frames();
        self.receive(number, pts, work);
        let is_held = self.stamper.frames() == shown;
        let ends = self.slices.filter(|_| is_held && slice.is_some_and(|slice| slice.is_idr));
        if let (Some(slices), Some(decoder)) = (ends, &mut self.decoder) {
            let end = ffmpeg_next::Packet::copy(&slices.end_of_sequence());
            match decoder.send(Some(&end), number) {
                Sent::Taken => self.receive(number, pts, work),
                // A field lacks the other: what the decoder says to that is nothing against the packet.
                Sent::Full | Sent::Refused => drop(ffmpeg_log::take_evidence()),
            }
        }
        if self.stamper.frames() == shown {
            self.drain(number, pts, work);
        }
    }

    /// Receives everything that the decoder has, and lets it begin anew.
    pub(super) fn drain(&mut self, number: u64, pts: Option<i64>, work: &mut Work<'_>) {
        let Some(decoder) = &mut self.decoder else { return };
        if decoder.send(None, number) == Sent::Full {
            self.receive(number, pts, work);
            if let Some(decoder) = &mut self.decoder {
                decoder.send(None, number);
            }
        }
        self.receive(number, pts, work);
        self.forget();
    }

    /// Lets the decoder begin anew.
    pub(super) fn forget(&mut self) {
        if let Some(decoder) = &mut self.decoder {
            decoder.forget();
        }
    }
}
