//! A session: packets of one open input in, items out.
//!
//! Owned and driven by the ingest thread. It decodes and measures on that thread, in internal time
//! until the earliest frame of all tracks is known, announces the session then, and tells counts and
//! clock about every 100 ms of media time. It never waits but for its demuxer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use avwatch_actors::item::Item;
use avwatch_actors::lifeline::{Lifeline, Phase};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::source::{FrameSource, SourceError};
use avwatch_actors::tier::{Tier, TierDial};
use avwatch_actors::track::{SessionInfo, SessionNumber, TrackId, TrackKind};
use ffmpeg_next::ffi;
use ffmpeg_next::packet::{Mut, Ref};

use super::clock::StreamClock;
use super::demuxer::Demuxer;
use super::group_hold::CATCH_UP;
use super::hls_ends::HlsEnds;
use super::inventory::{self, Inventory};
use super::outlet::Outlet;
use super::packet_meter::PacketMeter;
use super::packet_ring::PacketRing;
use super::ring_feed::RingFeed;
use super::select::{self, Chosen, Numbering};
use super::spec::{Address, InputSpec};
use super::stamper::{Work, pts_of};
use super::timeline::{Clockwork, Sound, Timeline};
use super::track_reader::{PacketOutcome, TrackReader};
use super::triage::Triage;
use super::ts_tables;
use super::ts_tap::TsTap;

/// How often counts and clock are told, in media time.
const PROGRESS: MediaTime = MediaTime::from_millis(100);
/// How much media time may pass until zero is fixed without having seen every track.
const ZERO_WITHIN: MediaTime = MediaTime::from_millis(1_000);
/// How many frames may wait for it.
const WAITING_MAX: usize = 512;
/// After so many packets without a frame, the session is announced without one.
const PACKETS_WITHOUT_FRAME_MAX: u32 = 500;
/// A packet further ahead than this does not move the clock: its time is wild.
const AHEAD_MAX: MediaTime = MediaTime::from_millis(10_000);
/// The longest normal distance of bursts of segmented inputs that do not say it themselves.
const SEGMENT_BURST: MediaTime = MediaTime::from_millis(10_000);

/// Containers that find packets by an index or carry tracks in chunks of any length.
const FREELY_INTERLEAVED: [&str; 6] = ["mov", "matroska", "avi", "mxf", "ogg", "asf"];

#[path = "session_end.rs"]
mod end;
#[path = "session_tiers.rs"]
mod tiers;

/// What tells the demuxer's tables apart from an earlier state, cheap enough to look at per packet.
type TableMark = (u32, u32, u32);

/// One open input with its tracks.
pub(crate) struct Session {
    demuxer: Demuxer,
    packet: ffmpeg_next::Packet,
    spec: Arc<InputSpec>,
    number: SessionNumber,
    numbering: Arc<Mutex<Numbering>>,
    /// The programme that was chosen: it stays chosen.
    program: Option<u32>,
    tracks: Vec<TrackReader>,
    /// Which track a stream of the demuxer is.
    by_index: Vec<Option<usize>>,
    table: TableMark,
    timeline: Timeline,
    outlet: Outlet,
    clock: StreamClock,
    told: Option<MediaTime>,
    meter: PacketMeter,
    packets_read: u32,
    /// Track and time of the first packet that yielded no frame before any did.
    undecoded_since: Option<(usize, i64)>,
    revision: Option<u32>,
    finished: bool,
    started: Instant,
    started_wall: SystemTime,
    /// The order of packets tells how sound and picture lie to each other.
    interleaved: bool,
    /// What the byte source shows of the transport packets, for MPEG-TS.
    tap: Option<Arc<Mutex<TsTap>>>,
    /// The newest byte of the input that packets have come from.
    reached: u64,
    /// When bytes last arrived that made no packets.
    idle_since: Option<Instant>,
    /// Where what was read is held for evidence.
    feed: Option<RingFeed>,
    /// Says how much is to be looked at, and how much is.
    dial: Arc<TierDial>,
    tier: Tier,
    /// What is left out is held: the stream is in triage.
    holds: bool,
    /// When to look at everything, where that is not always.
    triage: Triage,
}

impl Session {
    /// Opens an input and chooses its tracks.
    pub(crate) fn open(
        spec: &Arc<InputSpec>,
        number: SessionNumber,
        numbering: &Arc<Mutex<Numbering>>,
        ends: &Arc<Mutex<HlsEnds>>,
        ring: Option<&Arc<PacketRing>>,
        dial: &Arc<TierDial>,
        line: &Arc<Lifeline>,
    ) -> Result<Self, SourceError> {
        let (started, started_wall) = (Instant::now(), SystemTime::now());
        let demuxer = Demuxer::open_again(spec, ends, line)?;
        line.enter(Phase::Reading);
        let tap = demuxer.tap();
        let feed = ring.map(|ring| RingFeed::begin(ring, number, &demuxer));
        let interleaved = !FREELY_INTERLEAVED.contains(&demuxer.container()) && !demuxer.has_other_segments();
        let mut session = Self {
            demuxer,
            packet: ffmpeg_next::Packet::empty(),
            spec: spec.clone(),
            number,
            numbering: numbering.clone(),
            program: spec.selection.program,
            tracks: Vec::new(),
            by_index: Vec::new(),
            table: (0, 0, 0),
            timeline: Timeline::default(),
            outlet: Outlet::default(),
            clock: StreamClock::default(),
            told: None,
            meter: PacketMeter::default(),
            packets_read: 0,
            undecoded_since: None,
            revision: None,
            finished: false,
            started,
            started_wall,
            interleaved,
            tap,
            reached: 0,
            idle_since: None,
            feed,
            tier: dial.wanted(),
            holds: dial.is_triage(),
            dial: dial.clone(),
            triage: Triage::default(),
        };
        session
            .look_at_tables()
            .map_err(|why| SourceError::NoTracks { what: spec.address.to_string(), why: why.to_string() })?;
        Ok(session)
    }

    /// Reads the demuxer's tables and adds the tracks that are new; true when there were any.
    fn look_at_tables(&mut self) -> Result<bool, select::NothingChosen> {
        self.table = self.table_mark();
        // SAFETY: the input is open, and the session is the only one to use it.
        let inventory = unsafe { Inventory::read(self.demuxer.context(), self.spec.size.streams) };
        let mut wish = self.spec.selection.clone();
        wish.program = self.program;
        let chosen = {
            // A number is either given or not: a poisoned table is still a valid one.
            let mut numbering = self.numbering.lock().unwrap_or_else(PoisonError::into_inner);
            select::choose(&inventory, &wish, &self.spec.tracks, &mut numbering)?
        };
        self.program = self.program.or_else(|| chosen.iter().find_map(|one| one.program));
        let mut added = false;
        for one in chosen {
            if self.track_at(one.index).is_none() {
                self.add_track(one, &inventory);
                added = true;
            }
        }
        self.tracks_in_order();
        if added && let Some(feed) = &mut self.feed {
            // SAFETY: the input is open, and the session is the only one to use it.
            unsafe { feed.tracks(self.demuxer.context(), &self.tracks) };
        }
        let wanted = |index: usize| self.track_at(index).is_some_and(|track| !self.tracks[track].chosen.ignored);
        // SAFETY: as above.
        unsafe { inventory::deliver_only(self.demuxer.context(), wanted) };
        Ok(added)
    }

    fn add_track(&mut self, chosen: Chosen, inventory: &Inventory) {
        let Some(entry) = inventory.streams.iter().find(|stream| stream.index == chosen.index) else { return };
        let sound = if chosen.track.kind == TrackKind::Audio { Sound::Yes } else { Sound::No };
        let clockwork = Clockwork { base: entry.base, wrap_bits: entry.wrap_bits, sound, steady: entry.steady };
        let line = self.timeline.add(clockwork);
        self.meter.add(chosen.track);
        let mut track = TrackReader::new(chosen, entry.clone(), &self.spec, self.number, line);
        track.set_tier(
            self.tier,
            self.dial.is_triage(),
            &mut Work { timeline: &mut self.timeline, outlet: &mut self.outlet },
        );
        self.tracks.push(track);
    }

    fn tracks_in_order(&mut self) {
        self.tracks.sort_by_key(|track| track.chosen.track);
        self.by_index.clear();
        for (position, track) in self.tracks.iter().enumerate() {
            let index = track.chosen.index;
            if self.by_index.len() <= index {
                self.by_index.resize(index + 1, None);
            }
            self.by_index[index] = Some(position);
        }
    }

    fn track_at(&self, index: usize) -> Option<usize> {
        self.by_index.get(index).copied().flatten()
    }

    fn table_mark(&self) -> TableMark {
        // SAFETY: the input is open; the numbers are plain fields, the pointers are FFmpeg's own.
        unsafe {
            let context = &*self.demuxer.context();
            let programs = (0..context.nb_programs as usize).map(|number| *context.programs.add(number));
            let entries =
                programs.filter_map(|program| program.as_ref().map(|program| program.nb_stream_indexes)).sum();
            (context.nb_streams, context.nb_programs, entries)
        }
    }

    /// Reads one packet, or ends the session.
    fn pump(&mut self) -> Result<(), SourceError> {
        if !self.demuxer.read(&mut self.packet)? {
            self.finish();
            return Ok(());
        }
        if self.demuxer.take_idle() {
            self.idle();
            return Ok(());
        }
        let arrived = Instant::now();
        self.heed_losses();
        self.follow_dial();
        self.idle_since = Some(arrived);
        self.packets_read = self.packets_read.saturating_add(1);
        if self.table_mark() != self.table && self.look_at_tables().unwrap_or(false) {
            // A programme that is gone from the tables keeps its tracks: they are missed, not forgotten.
            let at = self.clock.now().unwrap_or_default();
            self.outlet.changed(at);
        }
        // SAFETY: the packet was just filled.
        let position = u64::try_from(unsafe { (*self.packet.as_ptr()).pos }).unwrap_or(0);
        self.reached = self.reached.max(position);
        // SAFETY: the packet was just filled; its stream index is below the number of streams.
        let index = usize::try_from(unsafe { (*self.packet.as_ptr()).stream_index }).unwrap_or(usize::MAX);
        if let Some(position) = self.track_at(index) {
            self.hold(position);
            self.weigh(position);
            self.decode(position, index, arrived);
        }
        if self.tracks.iter().any(TrackReader::is_catching_up) {
            self.catch_up(CATCH_UP);
        }
        // SAFETY: the packet is ours; what the decoder needs of it has its own reference.
        unsafe { ffi::av_packet_unref(self.packet.as_mut_ptr()) };
        self.open_outlet(false);
        self.tell_progress();
        self.heed_tables()
    }

    /// A live session ends when the programme map gives a PID another codec, which FFmpeg does not
    /// see: it would decode the new one as the old one for ever. The next session opens with it. A
    /// file cannot be opened again in its middle, and is read on.
    fn heed_tables(&self) -> Result<(), SourceError> {
        let (Some(tap), Address::Url(url)) = (&self.tap, &self.spec.address) else { return Ok(()) };
        let tap = tap.lock().unwrap_or_else(PoisonError::into_inner);
        for track in self.tracks.iter().filter(|track| track.is_inspected()) {
            let change = u16::try_from(track.pid()).ok().and_then(|pid| tap.codec_change(pid));
            if let Some((before, now)) = change {
                let (before, now) = (ts_tables::name_of(before), ts_tables::name_of(now));
                let why = format!("{} changed from {before} to {now}: it is opened again", track.chosen.track);
                return Err(SourceError::Read { what: url.to_string(), why });
            }
        }
        Ok(())
    }

    /// Holds the packet for evidence, before a decoder can fail on it.
    fn hold(&self, position: usize) {
        let (Some(feed), Some(track)) = (&self.feed, self.tracks.get(position)) else { return };
        // SAFETY: the packet was just filled.
        let raw = unsafe { &*self.packet.as_ptr() };
        // Clips begin with what a key packet shows; all others are placed in the order in which they come.
        let is_key = raw.flags & ffi::AV_PKT_FLAG_KEY != 0;
        let (shown, sent) = (pts_of(raw.pts), pts_of(raw.dts));
        let time = if is_key { shown.or(sent) } else { sent.or(shown) };
        let at = time.and_then(|time| self.timeline.peek(track.line(), time));
        feed.packet(track, &self.packet, at);
    }

    fn decode(&mut self, position: usize, index: usize, arrived: Instant) {
        let track = &mut self.tracks[position];
        let work = &mut Work { timeline: &mut self.timeline, outlet: &mut self.outlet };
        // SAFETY: the session alone uses the open input; the index was found in its table.
        let (outcome, raw) = unsafe {
            let stream = *(*self.demuxer.context()).streams.add(index);
            (track.packet(stream, &self.packet, arrived, work), &*self.packet.as_ptr())
        };
        let (id, line) = (track.chosen.track, track.line());
        let inspected = track.is_inspected();
        let timestamp = pts_of(raw.pts);
        let (size, dts) = (u64::try_from(raw.size).unwrap_or(0), pts_of(raw.dts).or(timestamp));
        if let Some(pts) = timestamp.or(dts) {
            track.reached(pts.saturating_add(raw.duration.max(0)));
        }
        // By decoding time: how far pictures are sent ahead of their turn is the coder's choice.
        let end = dts.map(|dts| track.nanos(dts.saturating_add(raw.duration.max(0))));
        let main = !track.chosen.secondary;
        self.count(id, size, outcome);
        match (id.kind, end) {
            (TrackKind::Video, Some(end)) if main && self.interleaved => self.meter.picture_until(end),
            (TrackKind::Audio, Some(end)) if main && self.interleaved => self.meter.sound_until(end),
            _ => {}
        }
        if let Some(end) = self.timeline.end(line) {
            self.clock.delivered(line, end);
        }
        if outcome.left_out > 0
            && let Some(at) = dts.and_then(|dts| self.timeline.peek(line, dts))
            && self.clock.now().is_none_or(|now| at - now < AHEAD_MAX)
        {
            // It came, though it is not looked at: its track is not late.
            self.clock.delivered(line, at);
        }
        if inspected
            && (outcome.scrambled || outcome.undecodable)
            && let Some(dts) = dts
        {
            self.pass(position, dts);
        }
    }

    fn count(&mut self, track: TrackId, size: u64, outcome: PacketOutcome) {
        let Some(counts) = self.meter.counts(track) else { return };
        counts.packets += 1;
        counts.bytes += size;
        counts.corrupt += u32::from(outcome.corrupt);
        counts.scrambled += u32::from(outcome.scrambled);
        counts.undecodable += u32::from(outcome.undecodable);
        counts.left_out += outcome.left_out;
        counts.second_fields += outcome.second_fields;
    }

    /// A packet that yields no frame moves the clock all the same, or absence would never show.
    fn pass(&mut self, position: usize, dts: i64) {
        let line = self.tracks[position].line();
        let (first_line, first) = *self.undecoded_since.get_or_insert((line, dts));
        if first_line == line && self.tracks[position].nanos(dts.saturating_sub(first)) >= ZERO_WITHIN {
            self.timeline.begin(line, first);
        }
        let Some(at) = self.timeline.peek(line, dts) else { return };
        let now = self.clock.now();
        if now.is_none_or(|now| at - now < AHEAD_MAX) {
            self.clock.passed(at);
        }
    }

    /// Fixes zero when every inspected track has shown a frame, or waiting for more is no use.
    fn open_outlet(&mut self, at_end: bool) {
        if self.outlet.is_open() {
            return;
        }
        let mut decoded = self.tracks.iter().filter(|track| track.is_inspected() && track.is_decoded());
        let complete = decoded.all(|track| track.shown);
        let waited = match (
            self.outlet.earliest(),
            self.tracks.iter().filter_map(|track| self.timeline.end(track.line())).max(),
        ) {
            (Some(earliest), Some(newest)) => newest - earliest >= ZERO_WITHIN,
            _ => self.timeline.has_begun() || self.packets_read >= PACKETS_WITHOUT_FRAME_MAX,
        };
        if complete || waited || at_end || self.outlet.len() >= WAITING_MAX {
            self.outlet.open();
        }
    }

    fn tell_progress(&mut self) {
        // While a group is decoded after all, the clock is ahead of pictures that are not missing.
        if !self.outlet.is_open() || self.tracks.iter().any(TrackReader::is_catching_up) {
            return;
        }
        let Some(now) = self.clock.now() else { return };
        if self.told.is_none_or(|told| now - told >= PROGRESS) {
            self.tell(now);
        }
    }

    fn tell(&mut self, now: MediaTime) {
        self.told = Some(now);
        for mark in self.outlet.take_marks() {
            self.meter.mark(mark);
        }
        self.ask_tap();
        let counts = self.demuxer.counts();
        let mut facts = self.meter.take(now, counts.received_bytes, counts.receive_dropped);
        facts.markers = self.outlet.take_markers();
        self.outlet.progress(facts);
    }

    /// Bytes arrive but make no packets: they are scrambled. Time goes on by the clock on the wall,
    /// the only one that is left.
    fn idle(&mut self) {
        self.catch_up(CATCH_UP);
        self.reached = u64::MAX;
        self.outlet.open();
        let (now, since) = (Instant::now(), self.idle_since.unwrap_or(self.started));
        let at = self.clock.now().unwrap_or_default() + now.saturating_duration_since(since).into();
        self.idle_since = Some(now);
        self.clock.passed(at);
        self.tell(at);
        // Positions count again once packets come.
        self.reached = 0;
    }

    /// Adds what only the transport packets tell.
    fn ask_tap(&mut self) {
        let Some(tap) = &self.tap else { return };
        let mut tap = tap.lock().unwrap_or_else(PoisonError::into_inner);
        tap.advance(self.reached);
        for track in &self.tracks {
            let Ok(pid) = u16::try_from(track.pid()) else { continue };
            let seen = tap.take(pid);
            if seen.discontinuities > 0 {
                self.timeline.announce(track.line());
            }
            let Some(counts) = self.meter.counts(track.chosen.track).filter(|_| seen.scrambled > 0) else { continue };
            *counts = seen.told_in(*counts);
        }
    }

    /// The session's make-up as it is now.
    fn info(&mut self, at: MediaTime) -> SessionInfo {
        let revision = self.revision.map_or(0, |revision| revision + 1);
        self.revision = Some(revision);
        let container = self.demuxer.container().to_owned();
        let segmented = container.contains("hls") || container.contains("dash");
        SessionInfo {
            stream: self.spec.name.clone(),
            session: self.number,
            revision,
            at,
            container,
            tracks: self.tracks.iter().map(TrackReader::info).collect(),
            tier: self.tier,
            burst: match self.demuxer.burst() {
                Duration::ZERO if segmented => SEGMENT_BURST,
                target => target.into(),
            },
            started: self.started,
            started_wall: self.started_wall,
        }
    }
}

impl FrameSource for Session {
    fn next(&mut self) -> Result<Option<Item>, SourceError> {
        loop {
            if self.outlet.is_open() && self.revision.is_none() {
                let info = self.info(MediaTime::ZERO);
                return Ok(Some(Item::Started(Arc::new(info))));
            }
            if let Some(item) = self.next_waiting() {
                return Ok(Some(item));
            }
            if self.finished {
                return Ok(None);
            }
            self.pump()?;
        }
    }
}

impl Session {
    fn next_waiting(&mut self) -> Option<Item> {
        // The outlet is taken out for the call: announcing a change reads the whole session.
        let mut outlet = std::mem::take(&mut self.outlet);
        let item = outlet.pop(|at| self.info(at));
        self.outlet = outlet;
        item
    }
}
