//! One track of a session: packets in, frames out into the outlet.
//!
//! Owned by the session, on its thread. A track that cannot be decoded is counted, never fatal.

use std::sync::Arc;
use std::time::Instant;

use avwatch_actors::media_time::MediaTime;
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{SessionNumber, TrackInfo, TrackKind};
use ffmpeg_next::ffi;
use ffmpeg_next::packet::Ref;

use super::audio_reader::AudioReader;
use super::deblocking::UnfilteredPictures;
use super::decoder::{Decoder, Received, Sent};
use super::ffmpeg_log;
use super::fields::{FieldReader, Part};
use super::group_hold::GroupHold;
use super::inventory::StreamEntry;
use super::select::Chosen;
use super::signs::{Join, PacketTrouble};
use super::slices::{Slice, SliceReader};
use super::spec::{Deblocking, InputSpec};
use super::stamper::{Stamper, Work, pts_of};
use super::thinning::{Depth, Fate};
use super::video_reader::VideoReader;

/// Attempts to open a decoder, each at a key packet, before the track is given up.
const OPEN_ATTEMPTS_MAX: u8 = 16;
/// Errors in a row after which looking for frames pauses until the next packet.
const ERRORS_IN_A_ROW_MAX: u32 = 64;

/// How long a packet lasts when nothing says so, and the longest that one may claim to.
const PACKET_LASTS_UNKNOWN: MediaTime = MediaTime::from_millis(40);
const PACKET_LASTS_MAX: MediaTime = MediaTime::from_millis(10_000);

#[path = "track_alone.rs"]
mod alone;
#[path = "track_losses.rs"]
mod losses;
#[path = "track_replay.rs"]
mod replay;

use alone::Alone;
pub(crate) use losses::Hole;
use losses::Torn;

/// What a packet turned out to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PacketOutcome {
    /// Marked corrupt by the demuxer.
    pub corrupt: bool,
    /// Encrypted: not decoded.
    pub scrambled: bool,
    /// Refused by the decoder, or there is none.
    pub undecodable: bool,
    /// Packets that the tier in force does without: this one, or some before it.
    pub left_out: u32,
    /// Of those, second fields of a picture, as far as that is known.
    pub second_fields: u32,
}

/// What a track's frames are made into.
enum Side {
    Video(Box<VideoReader>),
    Audio(Box<AudioReader>),
    /// Only counted: subtitles, data, and what the operator ignores.
    Counted,
}

/// A track with its decoder.
pub(crate) struct TrackReader {
    /// What it was chosen as.
    pub chosen: Chosen,
    entry: StreamEntry,
    spec: Arc<InputSpec>,
    stamper: Stamper,
    decoder: Option<Decoder>,
    attempts: u8,
    /// Of H.264, decoded by one thread: reads what packets hold.
    slices: Option<SliceReader>,
    /// Of pictures that need not all be filtered: which.
    unfiltered: Option<UnfilteredPictures>,
    /// Where some packets may be fields and it matters: reads which.
    fields: Option<FieldReader>,
    /// The first field of a key picture that is decoded by itself: the other may come next.
    first_field: Option<Alone>,
    side: Side,
    /// Something of it arrived.
    seen: bool,
    /// A frame of it was shown.
    pub shown: bool,
    /// Raw end of the furthest packet.
    furthest: Option<i64>,
    join: Join,
    /// What is left out is held: it may be decoded after all.
    holds: bool,
    held: GroupHold,
    /// Raw time of the newest key picture that was shown by itself.
    shown_alone: Option<i64>,
    /// Up to this raw time nothing is shown: it was shown before, belongs before what was, or joins nothing.
    shown_until: Option<i64>,
    /// Datagrams were dropped here: until when packets lack them.
    torn: Option<Torn>,
}

impl TrackReader {
    /// Makes a track that has nothing yet; `line` is its number in the timeline.
    pub(crate) fn new(
        chosen: Chosen,
        entry: StreamEntry,
        spec: &Arc<InputSpec>,
        session: SessionNumber,
        line: usize,
    ) -> Self {
        let side = match chosen.track.kind {
            _ if chosen.ignored => Side::Counted,
            TrackKind::Video => Side::Video(Box::new(VideoReader::new(&spec.measure, &entry, entry.video.clone()))),
            TrackKind::Audio => Side::Audio(Box::new(AudioReader::new(&spec.measure, entry.audio.clone()))),
            TrackKind::Subtitle | TrackKind::Data | TrackKind::Input => Side::Counted,
        };
        let stamper = Stamper::new(chosen.track, session, line, entry.base);
        let spec = spec.clone();
        Self {
            chosen,
            entry,
            spec,
            stamper,
            decoder: None,
            attempts: 0,
            slices: None,
            unfiltered: None,
            fields: None,
            first_field: None,
            side,
            seen: false,
            shown: false,
            furthest: None,
            join: Join::default(),
            holds: false,
            held: GroupHold::default(),
            shown_alone: None,
            shown_until: None,
            torn: None,
        }
    }

    /// Its number in the timeline.
    pub(crate) fn line(&self) -> usize {
        self.stamper.line
    }

    /// Pictures or sound that are looked at.
    pub(crate) fn is_inspected(&self) -> bool {
        !matches!(self.side, Side::Counted)
    }

    /// PID or the container's own number.
    pub(crate) fn pid(&self) -> u32 {
        self.entry.id
    }

    /// A raw time of the track as time.
    pub(crate) fn nanos(&self, ticks: i64) -> MediaTime {
        MediaTime::from_ticks(ticks, self.entry.base.0, self.entry.base.1)
    }

    /// Takes down the raw end of a packet.
    pub(crate) fn reached(&mut self, end: i64) {
        self.furthest = Some(self.furthest.map_or(end, |furthest| furthest.max(end)));
    }

    /// How far the track's end lies behind what was read of it; nothing when no end is declared.
    pub(crate) fn missing(&self) -> Option<MediaTime> {
        let (start, lasts) = self.entry.declared?;
        let until = self.furthest.unwrap_or(start);
        Some(self.nanos(start.saturating_add(lasts).saturating_sub(until)).max(MediaTime::ZERO))
    }

    /// What is known of the track now.
    pub(crate) fn info(&self) -> TrackInfo {
        let (video, audio) = match &self.side {
            Side::Video(reader) => (reader.format.clone(), None),
            Side::Audio(reader) => (None, reader.format.clone()),
            Side::Counted => (self.entry.video.clone(), self.entry.audio.clone()),
        };
        TrackInfo {
            track: self.chosen.track,
            codec: self.entry.codec.clone(),
            video,
            audio,
            pid: (self.entry.id != 0).then_some(self.entry.id),
            language: self.entry.language.clone(),
            program: self.chosen.program,
            rendition: self.chosen.rendition.clone(),
            role: self.chosen.role.clone(),
            secondary: self.chosen.secondary,
            present: self.seen,
        }
    }

    /// Decodes a packet; what comes of it goes to the outlet.
    ///
    /// # Safety
    /// `stream` must be the packet's stream in an open input that no other thread uses meanwhile.
    unsafe fn decode(
        &mut self,
        stream: *const ffi::AVStream,
        packet: &ffmpeg_next::Packet,
        arrived: Instant,
        work: &mut Work<'_>,
    ) -> PacketOutcome {
        self.seen = true;
        // SAFETY: the packet is valid and only read.
        let (flags, pts, dts, duration, scrambled) = unsafe {
            let raw = &*packet.as_ptr();
            let kind = ffi::AVPacketSideDataType::AV_PKT_DATA_ENCRYPTION_INFO;
            let encryption = ffi::av_packet_get_side_data(raw, kind, std::ptr::null_mut());
            (raw.flags, pts_of(raw.pts), pts_of(raw.dts), raw.duration, !encryption.is_null())
        };
        let key = flags & ffi::AV_PKT_FLAG_KEY != 0;
        let corrupt = flags & ffi::AV_PKT_FLAG_CORRUPT != 0;
        let outcome = PacketOutcome { corrupt, scrambled, ..PacketOutcome::default() };
        if scrambled || !self.is_inspected() {
            if key && self.holds {
                // What follows belongs to a group that nobody can decode.
                self.held.clear();
            }
            return outcome;
        }
        if let Some(torn) = self.leaves_torn(packet, work) {
            return torn;
        }
        // SAFETY: by the caller's promise.
        let part = unsafe { self.part_of(stream, packet, key) };
        // What the parser wrote to the log is no evidence against the picture before.
        ffmpeg_log::take_evidence();
        // Decoding begins at no second field.
        let key = key && part != Part::Second;
        if self.holds {
            self.held.hold(packet, key);
        }
        let regains = key && self.stamper.thinning.has_lost() && self.stamper.thinning.awaits_key();
        let fate = self.stamper.admit(key, dts.or(pts), self.lasts(duration), work);
        if regains {
            // Pictures behind it that are shown before it refer to what was lost.
            self.shown_until = pts.map(|pts| pts.saturating_sub(1));
        }
        let first = self.first_field.take();
        let joined = first.filter(|_| part == Part::Second);
        if let (Some(first), None) = (first, joined) {
            self.give_out(first, work);
        }
        if fate == Fate::LeftOut && joined.is_none() {
            return PacketOutcome { left_out: 1, second_fields: u32::from(part == Part::Second), ..outcome };
        }
        // SAFETY: by the caller's promise.
        unsafe { self.keep_decoder(stream, key, work) };
        let slice = self.slices.zip(packet.data()).and_then(|(reader, bytes)| reader.first(bytes));
        let unfiltered = self.is_decoded_unfiltered(slice, part, corrupt);
        let sent_as = self.stamper.packet(arrived, key, unfiltered, dts.or(pts));
        // A frame carries the number of its first field.
        let number = if part == Part::Second { self.stamper.joins(sent_as, duration) } else { sent_as };
        self.join.packet(key, pts);
        let Some(decoder) = &mut self.decoder else { return PacketOutcome { undecodable: true, ..outcome } };
        if corrupt {
            self.stamper.trouble(number, pts, PacketTrouble { corrupt, ..PacketTrouble::default() });
        }
        decoder.set_filtering(!unfiltered);
        // What the parser or another track wrote to the log is no evidence against this packet.
        ffmpeg_log::take_evidence();
        let mut sent = decoder.send(Some(packet), sent_as);
        if sent == Sent::Full {
            self.receive(number, pts, work);
            sent = self.decoder.as_mut().map_or(Sent::Refused, |decoder| decoder.send(Some(packet), sent_as));
        }
        let refused = sent != Sent::Taken;
        self.heed_log(number, pts, refused);
        if fate == Fate::Decoded {
            self.receive(number, pts, work);
        } else {
            // Nothing follows from which it could be told apart: the decoder is told to give it out.
            let slice = joined.map_or(slice, |first| first.slice);
            self.receive_alone(Alone { slice, number, pts }, part, work);
        }
        let skipped = self.stamper.thinning.skipped();
        let count = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let second_fields = count(skipped.packets - skipped.pictures);
        PacketOutcome { undecodable: refused, left_out: count(skipped.packets), second_fields, ..outcome }
    }

    /// Whether a packet is to be decoded without filtering its picture.
    fn is_decoded_unfiltered(&mut self, slice: Option<Slice>, part: Part, corrupt: bool) -> bool {
        let is_whole = self.stamper.thinning.depth() == Depth::All;
        let Some(pictures) = self.unfiltered.as_mut().filter(|_| is_whole) else { return false };
        if corrupt {
            pictures.suspect();
        }
        // Both fields of a picture alike.
        if part == Part::Second { self.stamper.last_is_unfiltered() } else { pictures.takes(slice) }
    }

    /// Something may be wrong with the pictures: all are filtered for a while.
    fn suspect(&mut self) {
        if let Some(pictures) = &mut self.unfiltered {
            pictures.suspect();
        }
    }

    /// Decodes as deep as the tier demands, from the next packet on; in triage from the last key packet on,
    /// when that is to be everything.
    pub(crate) fn set_tier(&mut self, tier: Tier, triage: bool, work: &mut Work<'_>) {
        let depth = Depth::of(self.chosen.track.kind, tier);
        let before = self.stamper.thinning.depth();
        if !self.is_inspected() {
            return;
        }
        self.set_holding(depth, triage);
        if depth == before {
            return;
        }
        if triage && depth == Depth::All {
            self.suspect();
        }
        let intra = self.chosen.track.kind == TrackKind::Audio;
        if self.first_field.take().is_some() && self.is_catching_up() {
            // It comes again with the others of its group.
            self.forget();
        }
        let continues = |depth| matches!(depth, Depth::All | Depth::References);
        // First: what comes out now may have lost those that were to be shown before it.
        self.stamper.thinning.go_to(depth, intra);
        if !(continues(before) && continues(depth)) {
            // What it still holds was let in before.
            let number = self.stamper.next_number();
            self.drain(number, None, work);
        }
        if depth == Depth::Nothing {
            if let Side::Audio(reader) = &mut self.side {
                reader.leave(&mut self.stamper, work);
            }
            // A decoder that is not used gives its memory back.
            self.decoder = None;
            self.attempts = 0;
        }
        if let Some(decoder) = &mut self.decoder {
            decoder.set_depth(depth);
            if !continues(before) || !continues(depth) {
                // By itself, no picture depends on another.
                self.stamper.decoder_opened(depth == Depth::Keys || decoder.intra_only());
                self.join = Join::Awaited;
            }
        }
    }

    /// True while anything of it is decoded.
    pub(crate) fn is_decoded(&self) -> bool {
        self.stamper.thinning.depth() != Depth::Nothing
    }

    /// How long a packet lasts, as the container says, else by the rate of frames.
    pub(crate) fn lasts(&self, duration: i64) -> MediaTime {
        if duration > 0 {
            return self.nanos(duration).min(PACKET_LASTS_MAX);
        }
        match self.entry.frame_rate {
            rate if rate > 0.0 => MediaTime::from_secs_f64(1.0 / rate).min(PACKET_LASTS_MAX),
            _ => PACKET_LASTS_UNKNOWN,
        }
    }

    /// Gets what the decoder still holds; it can be used again only after it was opened anew.
    pub(crate) fn flush(&mut self, work: &mut Work<'_>) {
        let Some(decoder) = &mut self.decoder else { return };
        let number = self.stamper.next_number();
        decoder.send(None, number);
        self.receive(number, None, work);
        self.decoder = None;
        self.first_field = None;
    }

    /// Ends the track: flushes, and sends what its measurer still holds.
    pub(crate) fn finish(&mut self, work: &mut Work<'_>) {
        self.flush(work);
        if let Side::Audio(reader) = &mut self.side {
            reader.finish(&mut self.stamper, work);
        }
    }

    /// Opens a decoder when there is none or the codec changed.
    ///
    /// SAFETY of the callers: as for [`Self::packet`].
    unsafe fn keep_decoder(&mut self, stream: *const ffi::AVStream, key: bool, work: &mut Work<'_>) {
        // SAFETY: the stream is valid, its parameters were seen not to be null when it was listed.
        let codec = unsafe { (*(*stream).codecpar).codec_id };
        if self.decoder.as_ref().is_some_and(|decoder| decoder.codec() != codec) {
            self.flush(work);
            self.attempts = 0;
            self.entry.codec = super::inventory::codec_name(codec);
            if let Some(end) = work.timeline.end(self.stamper.line) {
                work.outlet.changed(end);
            }
        }
        let may_try = self.attempts == 0 || (key && self.attempts < OPEN_ATTEMPTS_MAX);
        if self.decoder.is_some() || !may_try {
            return;
        }
        self.attempts += 1;
        // SAFETY: by the caller's promise.
        match unsafe { Decoder::open(stream, &self.spec) } {
            Ok(mut decoder) => {
                let depth = self.stamper.thinning.depth();
                decoder.set_depth(depth);
                self.stamper.decoder_opened(depth == Depth::Keys || decoder.intra_only());
                // Several threads hold pictures back, and say what is wrong too late.
                let is_h264 = codec == ffi::AVCodecID::AV_CODEC_ID_H264 && self.spec.decode_threads <= 1;
                let may_differ = is_h264 && self.spec.deblocking == Deblocking::References;
                self.slices = is_h264.then(|| SliceReader::new(decoder.extra_data()));
                self.unfiltered = may_differ.then(UnfilteredPictures::default);
                self.decoder = Some(decoder);
                self.join = Join::Awaited;
            }
            Err(error) if self.attempts == 1 => {
                tracing::warn!(stream = %self.spec.name, track = %self.chosen.track, %error, "cannot decode a track");
            }
            Err(_) => {}
        }
    }

    /// Takes every frame that the decoder has ready.
    fn receive(&mut self, number: u64, pts: Option<i64>, work: &mut Work<'_>) {
        let Some(decoder) = &mut self.decoder else { return };
        let mut errors = 0;
        while errors < ERRORS_IN_A_ROW_MAX {
            match decoder.receive() {
                Received::Hungry | Received::End => break,
                Received::Error => {
                    errors += 1;
                    let trouble = PacketTrouble { errors: 1, ..PacketTrouble::default() };
                    self.stamper.trouble(number, pts, trouble);
                }
                Received::Frame => {
                    errors = 0;
                    let frame = decoder.frame();
                    let at = pts_of(frame.pts).or(pts_of(frame.best_effort_timestamp));
                    let was_shown = replay::was_shown(self.shown_until, at, self.entry.base);
                    if was_shown {
                        // It is seen all the same: from the key picture on, damage counts.
                        if self.stamper.signs(frame).damaged
                            && let Some(pictures) = &mut self.unfiltered
                        {
                            pictures.suspect();
                        }
                        continue;
                    }
                    self.shown_until = None;
                    let made = match &mut self.side {
                        Side::Video(reader) => reader.frame(frame, &mut self.stamper, work).map(|(facts, lasts)| {
                            if let Some(pictures) = &mut self.unfiltered {
                                pictures.saw(&facts, lasts);
                            }
                        }),
                        Side::Audio(reader) => reader.frame(frame, &mut self.stamper, work),
                        Side::Counted => Ok(()),
                    };
                    self.shown |= made.is_ok();
                    if made.is_err() {
                        self.stamper.lost_frame();
                    }
                    if self.holds {
                        self.shown_alone = at.or(self.shown_alone);
                    }
                }
            }
        }
        self.heed_log(number, pts, false);
    }

    /// What the decoder wrote to its log is evidence, for some codecs the only one.
    fn heed_log(&mut self, number: u64, pts: Option<i64>, refused: bool) {
        let said = ffmpeg_log::take_evidence();
        // What was before a key picture by itself, or before the first one, is missing and nobody's loss.
        let is_cut_off = self.stamper.thinning.depth() == Depth::Keys || self.join == Join::Open;
        let errors = said.invalid.saturating_add(u32::from(refused && said.invalid == 0));
        let trouble = PacketTrouble {
            corrupt: false,
            errors: u16::try_from(errors).unwrap_or(u16::MAX),
            concealed: said.concealed > 0,
            reference_missing: said.missing_reference > 0 && !is_cut_off,
        };
        if trouble.any() {
            self.suspect();
        }
        self.stamper.trouble(number, pts, trouble);
    }
}
