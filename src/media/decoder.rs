//! One track's decoder: packets in, FFmpeg frames out, errors counted and never fatal.
//!
//! Owned by one track of a session, used on its thread only. Limits on codecs, picture sizes and
//! block sizes are set before it opens. Damaged frames are delivered, not hidden: the monitor is
//! here to see them.

use std::ffi::CString;
use std::ptr::{self, NonNull};

use ffmpeg_next::ffi;
use ffmpeg_next::packet::Ref;

use super::spec::InputSpec;
use super::thinning::Depth;

const AGAIN: i32 = ffi::AVERROR(libc::EAGAIN);

/// Why a track cannot be decoded. The session goes on without it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecoderError {
    #[error("no decoder for codec {0}")]
    Unsupported(String),
    #[error("codec {codec} is not on the white list or refuses its parameters ({code})")]
    Refused { codec: String, code: i32 },
    #[error("out of memory")]
    Memory,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Taken,
    /// Frames must be received first.
    Full,
    /// Consumed with an error.
    Refused,
}

/// What a look for a frame brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// [`Decoder::frame`] holds it until the next look.
    Frame,
    /// More packets are needed.
    Hungry,
    /// Flushed: nothing more will come.
    End,
    /// Something could not be decoded; looking on makes sense.
    Error,
}

/// A decoder of one track.
pub(crate) struct Decoder {
    context: NonNull<ffi::AVCodecContext>,
    frame: NonNull<ffi::AVFrame>,
    codec: ffi::AVCodecID,
    intra_only: bool,
}

impl Decoder {
    /// Opens a decoder for a stream's parameters.
    ///
    /// # Safety
    /// `stream` must belong to an open input that no other thread uses during the call.
    pub(crate) unsafe fn open(stream: *const ffi::AVStream, spec: &InputSpec) -> Result<Self, DecoderError> {
        // SAFETY: by the caller's promise the stream and its parameters are valid; the context is
        // ours alone, and freed by `Drop` on every way out.
        unsafe {
            let parameters = (*stream).codecpar;
            let codec = (*parameters).codec_id;
            let name = super::inventory::codec_name(codec);
            let decoder = ffi::avcodec_find_decoder(codec);
            if decoder.is_null() {
                return Err(DecoderError::Unsupported(name));
            }
            let context = NonNull::new(ffi::avcodec_alloc_context3(decoder)).ok_or(DecoderError::Memory)?;
            let Some(frame) = NonNull::new(ffi::av_frame_alloc()) else {
                ffi::avcodec_free_context(&mut context.as_ptr());
                return Err(DecoderError::Memory);
            };
            let opened = Self { context, frame, codec, intra_only: is_intra_only(codec) };
            let raw = context.as_ptr();
            let code = ffi::avcodec_parameters_to_context(raw, parameters);
            if code < 0 {
                return Err(DecoderError::Refused { codec: name, code });
            }
            (*raw).pkt_timebase = (*stream).time_base;
            (*raw).thread_count = i32::from(spec.decode_threads.max(1));
            (*raw).flags |= ffi::AV_CODEC_FLAG_OUTPUT_CORRUPT as i32;
            (*raw).max_pixels = i64::try_from(spec.size.pixels).unwrap_or(i64::MAX);
            (*raw).max_samples = i64::from(spec.size.samples);
            let list = CString::new(spec.list.decoders()).expect("names of decoders hold no zero byte");
            (*raw).codec_whitelist = ffi::av_strdup(list.as_ptr());
            if (*raw).codec_whitelist.is_null() {
                return Err(DecoderError::Memory);
            }
            let code = ffi::avcodec_open2(raw, decoder, ptr::null_mut());
            if code < 0 {
                return Err(DecoderError::Refused { codec: name, code });
            }
            Ok(opened)
        }
    }

    /// The codec that it was opened for.
    pub(crate) fn codec(&self) -> ffi::AVCodecID {
        self.codec
    }

    /// What the container says of the coding; empty if that is nothing.
    pub(crate) fn extra_data(&self) -> &[u8] {
        // SAFETY: the context is open and ours, and its extra data are as long as it says, if there are any.
        unsafe {
            let context = self.context.as_ref();
            match usize::try_from(context.extradata_size) {
                Ok(size) if !context.extradata.is_null() => std::slice::from_raw_parts(context.extradata, size),
                _ => &[],
            }
        }
    }

    /// No frame refers to another.
    pub(crate) fn intra_only(&self) -> bool {
        self.intra_only
    }

    /// Decodes that deep from the next packet on.
    pub(crate) fn set_depth(&mut self, depth: Depth) {
        let skipped = match depth {
            Depth::References => ffi::AVDiscard::AVDISCARD_NONREF,
            // Of the others the decoder is given only what is to be decoded.
            Depth::All | Depth::Keys | Depth::Nothing => ffi::AVDiscard::AVDISCARD_DEFAULT,
        };
        // SAFETY: the context is open and ours; decoders read the field with every packet.
        unsafe { (*self.context.as_ptr()).skip_frame = skipped };
    }

    /// Whether every picture from the next packet on is filtered after decoding, or of H.264 only what others refer to.
    pub(crate) fn set_filtering(&mut self, all: bool) {
        let skipped = if all { ffi::AVDiscard::AVDISCARD_DEFAULT } else { ffi::AVDiscard::AVDISCARD_NONREF };
        // SAFETY: the context is open and ours; decoders read the field with every packet.
        unsafe { (*self.context.as_ptr()).skip_loop_filter = skipped };
    }

    /// Forgets everything before the next packet. To be called once all frames were received.
    pub(crate) fn forget(&mut self) {
        // SAFETY: the context is open and ours.
        unsafe { ffi::avcodec_flush_buffers(self.context.as_ptr()) };
    }

    /// Hands over a packet under a number that its frame will carry; `None` begins the flush.
    pub(crate) fn send(&mut self, packet: Option<&ffmpeg_next::Packet>, number: u64) -> Sent {
        let packet = packet.map_or(ptr::null(), |packet| packet.as_ptr());
        // SAFETY: the context is open and ours; FFmpeg takes its own reference to the packet's data.
        let code = unsafe {
            (*self.context.as_ptr()).reordered_opaque = number as i64;
            ffi::avcodec_send_packet(self.context.as_ptr(), packet)
        };
        match code {
            0.. => Sent::Taken,
            AGAIN => Sent::Full,
            // A second flush is no error: nothing is left to send.
            ffi::AVERROR_EOF if packet.is_null() => Sent::Taken,
            _ => Sent::Refused,
        }
    }

    /// Looks for the next frame in the order of presentation.
    pub(crate) fn receive(&mut self) -> Received {
        // SAFETY: both are valid and ours; the call unreferences the frame first.
        match unsafe { ffi::avcodec_receive_frame(self.context.as_ptr(), self.frame.as_ptr()) } {
            0.. => {
                self.correct_sample_rate();
                Received::Frame
            }
            AGAIN => Received::Hungry,
            ffi::AVERROR_EOF => Received::End,
            _ => Received::Error,
        }
    }

    /// FFmpeg's MPEG audio decoders stamp the first frame after a change with the rate before it.
    fn correct_sample_rate(&mut self) {
        use ffi::AVCodecID::{AV_CODEC_ID_MP1, AV_CODEC_ID_MP2, AV_CODEC_ID_MP3};
        if matches!(self.codec, AV_CODEC_ID_MP1 | AV_CODEC_ID_MP2 | AV_CODEC_ID_MP3) {
            // SAFETY: both are valid and ours; these decoders deliver a frame before they read the next.
            unsafe { self.frame.as_mut().sample_rate = self.context.as_ref().sample_rate };
        }
    }

    /// The frame of the last [`Received::Frame`].
    pub(crate) fn frame(&mut self) -> &mut ffi::AVFrame {
        // SAFETY: allocated when opened, freed only when dropped; `&mut self` makes it exclusive.
        unsafe { self.frame.as_mut() }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        super::heap::note_closed();
        // SAFETY: both were allocated by `open` and are freed once.
        unsafe {
            ffi::av_frame_free(&mut self.frame.as_ptr());
            ffi::avcodec_free_context(&mut self.context.as_ptr());
        }
    }
}

fn is_intra_only(codec: ffi::AVCodecID) -> bool {
    // SAFETY: answers null or a static description.
    unsafe {
        let description = ffi::avcodec_descriptor_get(codec);
        !description.is_null()
            && ((*description).type_ == ffi::AVMediaType::AVMEDIA_TYPE_AUDIO
                || (*description).props & ffi::AV_CODEC_PROP_INTRA_ONLY != 0)
    }
}
