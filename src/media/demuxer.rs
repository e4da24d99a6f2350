//! The demuxer: packets out of an input, whatever it is, within stated bounds of time and memory.
//!
//! Owned by one session, used on its thread only. FFmpeg's error codes decide nothing that our own
//! flags can tell: a cut and a passed deadline are read from our patience, a broken connection from
//! the error that our byte source kept.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::source::SourceError;
use ffmpeg_next::packet::Mut;
use ffmpeg_next::{Packet, ffi};

use crate::media::bytes::{Patience, ReceiveCounts};
use crate::media::container::{Code, Container};
use crate::media::hls_ends::HlsEnds;
use crate::media::hls_gate::HlsGate;
use crate::media::io_context::FaultSlot;
use crate::media::opening;
use crate::media::packet_ring::PacketRing;
use crate::media::rtsp_answer;
use crate::media::spec::InputSpec;
use crate::media::ts_tap::TsTap;

/// Most refused packets in a row before an input counts as unreadable.
const INVALID_ROW_MAX: u32 = 500;

/// How long scrambled bytes may pass before the session hears that no packet comes of them.
const IDLE_AFTER: Duration = Duration::from_millis(500);

/// Wait before asking again when FFmpeg has nothing yet.
const RETRY: Duration = Duration::from_millis(10);

/// An open input that yields packets.
pub struct Demuxer {
    container: Container,
    parts: Parts,
    names: String,
    skipped: u64,
    truncated: bool,
    /// What ended a wait in a call that still yielded a packet: said by the next call.
    ending: Option<SourceError>,
    /// Only scrambled bytes arrive: told to the session once.
    idle: bool,
    /// Datagrams dropped here of which the session has heard.
    told_dropped: u64,
}

/// What a demuxer and its opening share.
pub(in crate::media) struct Parts {
    /// Decides how long to wait.
    pub(in crate::media) patience: Arc<Patience>,
    /// The first real error of a byte source.
    pub(in crate::media) fault: FaultSlot,
    /// The input's name without secrets.
    pub(in crate::media) what: String,
    /// FFmpeg's own protocols bring the bytes, so that only packets can be counted.
    pub(in crate::media) foreign: bool,
}

impl Parts {
    /// The error behind a failure, by our own flags first.
    pub(in crate::media) fn own_error(&self) -> Option<SourceError> {
        match self.patience.verdict() {
            Some(reason) => Some(self.patience.error(&reason, &self.what)),
            None => self.fault.take().or_else(|| {
                let why = rtsp_answer::refusal()?;
                Some(SourceError::Forbidden { what: self.what.clone(), why })
            }),
        }
    }
}

impl Demuxer {
    /// Opens an input and looks at its streams, all within `spec.limits.open`.
    ///
    /// Sets the lifeline's phase; fails by [`SourceError`] naming input and cause.
    pub fn open(spec: &InputSpec, line: &Arc<Lifeline>) -> Result<Self, SourceError> {
        Self::open_again(spec, &Arc::default(), line)
    }

    /// The same for an input that was opened before: it is refused ([`SourceError::Over`]) while its playlists are
    /// among those that have ended and were played.
    pub(in crate::media) fn open_again(
        spec: &InputSpec,
        ends: &Arc<Mutex<HlsEnds>>,
        line: &Arc<Lifeline>,
    ) -> Result<Self, SourceError> {
        let (container, parts) = opening::open(spec, ends, line)?;
        let names = container.format_names();
        Ok(Self { container, parts, names, skipped: 0, truncated: false, ending: None, idle: false, told_dropped: 0 })
    }

    /// Reads the next packet of any stream; false is a clean end, after which it may not be called.
    ///
    /// Waits no longer than the stall limit; the packet is blank after anything but `Ok(true)`.
    pub fn read(&mut self, packet: &mut Packet) -> Result<bool, SourceError> {
        if let Some(error) = self.ending.take() {
            return Err(error);
        }
        self.parts.patience.expect_packet();
        self.container.expect_packet(IDLE_AFTER);
        let mut invalid_row = 0_u32;
        loop {
            // SAFETY: the packet is valid; FFmpeg wants it blank and would leak what it holds.
            unsafe { ffi::av_packet_unref(packet.as_mut_ptr()) };
            // SAFETY: an open context and a blank packet of ours.
            let code = unsafe { ffi::av_read_frame(self.container.raw(), packet.as_mut_ptr()) };
            if code >= 0 {
                if self.parts.foreign {
                    self.parts.patience.arrived(packet.size());
                }
                // An interrupted demuxer may flush what it has: the wait must not begin anew after it.
                self.ending = self.parts.patience.verdict().is_some().then(|| self.own_error()).flatten();
                return Ok(true);
            }
            if let Some(error) = self.own_error() {
                return Err(error);
            }
            match code {
                ffi::AVERROR_EOF => {
                    self.container.gate().inspect(|gate| gate.played());
                    let broken = self.container.gate().and_then(HlsGate::break_off);
                    return broken.map_or(Ok(false), |why| Err(self.unreadable(why)));
                }
                code if code == -libc::EAGAIN && self.container.take_idle() => {
                    self.idle = true;
                    return Ok(true);
                }
                // Bounded by the stall deadline, which `own_error` asks in every round.
                code if code == -libc::EAGAIN => std::thread::sleep(RETRY),
                ffi::AVERROR_INVALIDDATA if invalid_row < INVALID_ROW_MAX => {
                    invalid_row += 1;
                    self.skipped += 1;
                }
                ffi::AVERROR_INVALIDDATA if self.container.at_end() => {
                    // The index promises more samples than the file holds: read as far as it goes.
                    self.truncated = true;
                    return Ok(false);
                }
                code => {
                    let trouble = self.container.gate().and_then(HlsGate::trouble);
                    return Err(self.unreadable(trouble.unwrap_or_else(|| Code(code).words())));
                }
            }
        }
    }

    fn unreadable(&self, why: String) -> SourceError {
        SourceError::Read { what: self.parts.what.clone(), why }
    }

    /// The error behind a failure or an ended wait, with what the gate of an HLS session has seen.
    fn own_error(&self) -> Option<SourceError> {
        let error = self.parts.own_error()?;
        Some(opening::with_hindrance(error, self.container.gate().map(HlsGate::hindrance)))
    }

    /// True once after a read that brought no packet, only the news that nothing but scrambled
    /// bytes arrives.
    pub(in crate::media) fn take_idle(&mut self) -> bool {
        std::mem::take(&mut self.idle)
    }

    /// The container in FFmpeg's words: the first of its names, such as `mpegts` or `mov`.
    pub fn container(&self) -> &str {
        self.names.split(',').next().unwrap_or_default()
    }

    /// What has arrived so far: bytes, and datagrams that were lost.
    pub fn counts(&self) -> ReceiveCounts {
        self.parts.patience.counts()
    }

    /// Once after this machine dropped something: the byte of the input before which all of it was lost, and how long it
    /// lasts if that is known.
    pub(in crate::media) fn take_hole(&mut self) -> Option<(u64, Duration)> {
        let dropped = self.counts().receive_dropped;
        let before = std::mem::replace(&mut self.told_dropped, dropped);
        (before != dropped).then(|| self.parts.patience.take_hole())
    }

    /// Packets that FFmpeg could not read and skipped.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Whether the input ended before its index said so.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// Whether the source announced a discontinuity since the last call. Only HLS is heard so far:
    /// the first packet read after the call that returns true is at most one segment away from it.
    pub fn take_discontinuity(&mut self) -> bool {
        self.container.gate_mut().is_some_and(HlsGate::take_discontinuity)
    }

    /// Longest time between two bursts that is normal: the target duration of HLS, else zero.
    pub fn burst(&self) -> Duration {
        self.container.gate().map_or(Duration::ZERO, HlsGate::target)
    }

    /// The stall limit in force.
    pub fn stall_limit(&self) -> Duration {
        self.parts.patience.stall_limit()
    }

    /// How long the input says it is; `None` for live ones and where it does not say.
    pub fn duration(&self) -> Option<Duration> {
        // SAFETY: an open context.
        let ticks = unsafe { (*self.context()).duration };
        let micros = u64::try_from(ticks).ok().filter(|ticks| *ticks > 0)?;
        Some(Duration::from_micros(micros))
    }

    /// What the transport tap sees, for MPEG-TS that arrives through our own byte source.
    pub(in crate::media) fn tap(&self) -> Option<Arc<Mutex<TsTap>>> {
        (self.container() == "mpegts").then(|| self.container.tap()).flatten()
    }

    /// Holds the transport packets that are read from now on as they are received; false where none are seen.
    pub(in crate::media) fn keep_bytes_in(&self, ring: &Arc<PacketRing>) -> bool {
        if let Some(tap) = self.tap() {
            tap.lock().unwrap_or_else(PoisonError::into_inner).keep_in(ring);
            return true;
        }
        self.container.gate().is_some_and(|gate| gate.keep_bytes_in(ring))
    }

    /// Whether this is HLS of segments that are no transport streams, in which sound may come seconds after its picture.
    pub(in crate::media) fn has_other_segments(&self) -> bool {
        self.container.gate().is_some_and(HlsGate::has_other_segments)
    }

    /// The format context, for streams and programmes; valid until this demuxer is dropped, and to
    /// be used on this thread only.
    pub(in crate::media) fn context(&self) -> *mut ffi::AVFormatContext {
        self.container.raw()
    }
}
