//! Held packets: compressed packets and what their tracks are, kept beyond the demuxer that read them.
//!
//! A packet is held by FFmpeg's reference count, not copied. Immutable, so that several threads may hold the same;
//! whoever lets go last frees it.

use std::ptr::NonNull;

use ffmpeg_next::packet::{Mut, Ref};
use ffmpeg_next::{Packet, ffi};

/// What holding a packet takes beside its bytes: FFmpeg's own structures and allocation.
const OVERHEAD: u64 = 512;

/// A packet held by reference.
pub struct HeldPacket(Packet);

// SAFETY: never changed after it was made; FFmpeg's reference counts are atomic.
unsafe impl Sync for HeldPacket {}

impl HeldPacket {
    /// Holds a packet; nothing when memory is short or the packet is not counted by reference.
    pub(crate) fn of(packet: &Packet) -> Option<Self> {
        let mut held = Packet::empty();
        // SAFETY: both are valid packets, the target blank.
        let code = unsafe { ffi::av_packet_ref(held.as_mut_ptr(), packet.as_ptr()) };
        (code >= 0).then_some(Self(held))
    }

    /// Another reference to the same bytes, whose times may be changed.
    pub(super) fn reference(&self) -> Option<Packet> {
        Self::of(&self.0).map(|held| held.0)
    }

    /// What it takes in memory.
    pub(super) fn weight(&self) -> u64 {
        self.0.size() as u64 + OVERHEAD
    }
}

/// What is needed to write a track's packets into a file.
pub(crate) struct HeldTrack {
    /// Its number at the demuxer.
    pub(crate) index: usize,
    /// Its PID in a transport stream; elsewhere another number, or none.
    pub(super) pid: i32,
    /// Seconds per tick of its packets' times.
    pub(crate) base: (i32, i32),
    parameters: NonNull<ffi::AVCodecParameters>,
}

// SAFETY: owned, and never changed after it was made.
unsafe impl Send for HeldTrack {}
// SAFETY: as above; only shared reads are possible.
unsafe impl Sync for HeldTrack {}

impl HeldTrack {
    /// Copies what a demuxer knows of a stream; nothing when memory is short.
    ///
    /// # Safety
    /// `stream` must be a stream of an open input that no other thread uses meanwhile.
    pub(crate) unsafe fn of(stream: *const ffi::AVStream) -> Option<Self> {
        // SAFETY: by the caller's promise.
        let stream = unsafe { stream.as_ref()? };
        let mut held = Self::blank(usize::try_from(stream.index).unwrap_or(0), stream.time_base)?;
        held.pid = stream.id;
        // SAFETY: both are valid parameters; the target is ours.
        let code = unsafe { ffi::avcodec_parameters_copy(held.parameters.as_ptr(), stream.codecpar) };
        (code >= 0).then_some(held)
    }

    /// Copies what an open encoder says of the packets that it makes; nothing when memory is short.
    pub(crate) fn of_encoder(index: usize, encoder: &ffmpeg_next::codec::Context) -> Option<Self> {
        // SAFETY: an open codec context, only read.
        let context = unsafe { &*encoder.as_ptr() };
        let held = Self::blank(index, context.time_base)?;
        // SAFETY: the target is ours, the source valid.
        let code = unsafe { ffi::avcodec_parameters_from_context(held.parameters.as_ptr(), context) };
        (code >= 0).then_some(held)
    }

    fn blank(index: usize, base: ffi::AVRational) -> Option<Self> {
        // SAFETY: plain allocation.
        let parameters = NonNull::new(unsafe { ffi::avcodec_parameters_alloc() })?;
        Some(Self { index, pid: 0, base: (base.num, base.den), parameters })
    }

    /// The codec.
    pub(super) fn codec(&self) -> ffi::AVCodecID {
        // SAFETY: ours.
        unsafe { self.parameters.as_ref().codec_id }
    }

    /// Whether browsers everywhere decode it.
    pub(super) fn plays_in_browsers(&self) -> bool {
        use ffi::AVCodecID::{AV_CODEC_ID_AAC, AV_CODEC_ID_H264, AV_CODEC_ID_MP3};
        matches!(self.codec(), AV_CODEC_ID_H264 | AV_CODEC_ID_AAC | AV_CODEC_ID_MP3)
    }

    /// Whether it is of pictures.
    pub(super) fn is_video(&self) -> bool {
        self.kind() == ffi::AVMediaType::AVMEDIA_TYPE_VIDEO
    }

    /// Whether it is of pictures or sound.
    pub(super) fn is_media(&self) -> bool {
        self.is_video() || self.kind() == ffi::AVMediaType::AVMEDIA_TYPE_AUDIO
    }

    fn kind(&self) -> ffi::AVMediaType {
        // SAFETY: ours.
        unsafe { self.parameters.as_ref().codec_type }
    }

    /// The parameters, to be copied from.
    pub(super) fn parameters(&self) -> *const ffi::AVCodecParameters {
        self.parameters.as_ptr()
    }
}

impl Drop for HeldTrack {
    fn drop(&mut self) {
        // SAFETY: ours; freed once.
        unsafe { ffi::avcodec_parameters_free(&mut self.parameters.as_ptr()) }
    }
}
