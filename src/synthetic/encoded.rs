//! `codec=h264`: the same pictures and sound through a real encoder and decoder, packet by packet.
//!
//! No container in between: what is tested and loaded is decoding. The packets may be held for evidence. Owned by one source, on its
//! session's thread; neither codec starts threads of its own. Pictures come out one for one, for the
//! encoder has neither look-ahead nor B pictures; sound comes out two AAC frames after it went in.
//! Bit errors are put into the packets, so damage is what the decoder makes of it.

use std::collections::VecDeque;
use std::sync::Arc;

use avwatch_actors::frame::{DecodeSigns, Picture, PictureView, Plane};
use avwatch_actors::source::SourceError;
use ffmpeg_next::{ChannelLayout, Dictionary, Error, Packet, codec, decoder, encoder, format, frame, picture};

use super::picture::YuvPicture;
use super::plan::AAC_FRAME;
use super::recipe::Recipe;
use super::sound::SoundBlock;
use crate::media::held_packet::HeldTrack;

/// Bytes altered in a packet that is to be damaged.
const DAMAGED_BYTES: usize = 6;
/// AAC bits a second and channel.
const AUDIO_BIT_RATE: usize = 96_000;

/// A decoded picture, held by reference to the decoder's buffer. Made only of 4:2:0 with 8 bit.
struct DecodedPicture(frame::Video);

impl Picture for DecodedPicture {
    fn view(&self) -> PictureView<'_> {
        let plane = |index| Plane {
            bytes: self.0.data(index),
            stride: self.0.stride(index),
            width: self.0.plane_width(index) as usize,
            height: self.0.plane_height(index) as usize,
        };
        PictureView { luma: plane(0), chroma: Some([plane(1), plane(2)]), depth: 8, full_range: false }
    }
}

/// A picture with what the decoder said of it.
pub(super) type SignedPicture = (Arc<dyn Picture>, DecodeSigns);

/// What became of one picture.
pub(super) struct Decoded {
    /// The decoder's picture; none when it refused the packet.
    pub(super) picture: Option<SignedPicture>,
    /// The packet.
    pub(super) packet: Packet,
    /// Whether the decoder refused it.
    pub(super) refused: bool,
}

/// H.264 forth and back.
pub(super) struct VideoCodec {
    encoder: encoder::video::Encoder,
    decoder: decoder::Video,
    input: frame::Video,
    errors: u16,
    damaged: bool,
    what: Arc<str>,
}

impl VideoCodec {
    /// Opens encoder and decoder; `what` names the input in errors.
    pub(super) fn open(recipe: &Recipe, what: &Arc<str>) -> Result<Self, SourceError> {
        let failed = |error| cannot_open(what, "H.264", error);
        let found =
            encoder::find_by_name("libx264").ok_or_else(|| cannot_open(what, "H.264", Error::EncoderNotFound))?;
        let mut context = codec::Context::new_with_codec(found).encoder().video().map_err(failed)?;
        context.set_width(recipe.width);
        context.set_height(recipe.height);
        context.set_format(format::Pixel::YUV420P);
        context.set_time_base((recipe.fps.denominator, recipe.fps.numerator));
        context.set_frame_rate(Some((recipe.fps.numerator, recipe.fps.denominator)));
        // Parameter sets beside the packets: a file that is made of them wants them there.
        context.set_flags(codec::Flags::GLOBAL_HEADER);
        let distance = recipe.fps.key_distance();
        context.set_gop(u32::try_from(distance).unwrap_or(u32::MAX));
        let mut options = Dictionary::new();
        options.set("preset", "ultrafast");
        options.set("tune", "zerolatency");
        options.set("crf", "26");
        options.set("forced-idr", "1");
        options.set("threads", "1");
        options.set("x264-params", "log=-1:threads=1:sliced-threads=0:scenecut=0");
        let encoder = context.open_as_with(found, options).map_err(failed)?;

        let found = decoder::find(codec::Id::H264).ok_or_else(|| cannot_open(what, "H.264", Error::DecoderNotFound))?;
        let mut context = codec::Context::from_parameters(&encoder).map_err(failed)?;
        context.set_flags(codec::Flags::LOW_DELAY | codec::Flags::OUTPUT_CORRUPT);
        context.set_threading(codec::threading::Config::count(1));
        let decoder = context.decoder().open_as(found).and_then(decoder::Opened::video).map_err(failed)?;
        let input = frame::Video::new(format::Pixel::YUV420P, recipe.width, recipe.height);
        Ok(Self { encoder, decoder, input, errors: 0, damaged: false, what: what.clone() })
    }

    /// What a file of the packets needs to know.
    pub(super) fn held_track(&self, index: usize) -> Option<HeldTrack> {
        HeldTrack::of_encoder(index, &self.encoder)
    }

    /// Encodes a picture as number `number`, perhaps as a key picture, perhaps damages the packet,
    /// and decodes it.
    pub(super) fn pass(
        &mut self,
        made: &YuvPicture,
        number: u64,
        key: bool,
        damage: bool,
    ) -> Result<Decoded, SourceError> {
        for (index, (plane, width)) in made.planes().into_iter().enumerate() {
            let stride = self.input.stride(index);
            let rows = self.input.data_mut(index).chunks_mut(stride);
            for (to, from) in rows.zip(plane.chunks_exact(width)) {
                to[..width].copy_from_slice(from);
            }
        }
        self.input.set_kind(if key { picture::Type::I } else { picture::Type::None });
        self.input.set_pts(Some(number as i64));
        let mut packet = Packet::empty();
        let sent = self.encoder.send_frame(&self.input);
        sent.and_then(|()| self.encoder.receive_packet(&mut packet)).map_err(|error| cannot_read(&self.what, error))?;
        if damage && let Some(bytes) = packet.data_mut() {
            flip(bytes, number);
        }
        let mut frame = frame::Video::empty();
        let decoded = self.decoder.send_packet(&packet).and_then(|()| self.decoder.receive_frame(&mut frame));
        let mut outcome = Decoded { picture: None, packet, refused: false };
        if decoded.is_err() || frame.format() != format::Pixel::YUV420P {
            outcome.refused = true;
            self.errors = self.errors.saturating_add(1);
            self.damaged = true;
            return Ok(outcome);
        }
        let signs = self.signs(&frame, damage);
        outcome.picture = Some((Arc::new(DecodedPicture(frame)), signs));
        Ok(outcome)
    }

    fn signs(&mut self, frame: &frame::Video, damage: bool) -> DecodeSigns {
        let concealed = frame.has_decode_errors() || frame.is_corrupt();
        let bad = damage || concealed;
        // Damage lives on in every picture that refers to this one, until a clean key picture.
        self.damaged = bad || (self.damaged && !frame.is_key());
        DecodeSigns {
            errors: std::mem::take(&mut self.errors).saturating_add(u16::from(concealed)),
            concealed,
            packet_corrupt: damage,
            reference_missing: false,
            damaged: self.damaged,
            key: frame.is_key(),
            tuned: true,
        }
    }
}

/// One block of sound that went through the codec.
pub(super) struct DecodedSound {
    /// The number of the block.
    pub(super) number: u64,
    /// Its samples.
    pub(super) block: SoundBlock,
    /// The packet.
    pub(super) packet: Packet,
}

/// AAC forth and back.
pub(super) struct SoundCodec {
    encoder: encoder::audio::Encoder,
    decoder: decoder::Audio,
    input: frame::Audio,
    /// Number of the next block to encode.
    fed: u64,
    /// Decoded blocks; never more than the two that the codec delays.
    ready: VecDeque<DecodedSound>,
    first: u64,
    what: Arc<str>,
}

impl SoundCodec {
    /// Opens encoder and decoder for sound that begins with that block.
    pub(super) fn open(recipe: &Recipe, first: u64, what: &Arc<str>) -> Result<Self, SourceError> {
        let failed = |error| cannot_open(what, "AAC", error);
        let found = encoder::find_by_name("aac").ok_or_else(|| cannot_open(what, "AAC", Error::EncoderNotFound))?;
        let layout = ChannelLayout::default(i32::from(recipe.channels));
        let sample = format::Sample::F32(format::sample::Type::Planar);
        let rate = i32::try_from(recipe.sample_rate).expect("sample rates come from a short list");
        let mut context = codec::Context::new_with_codec(found).encoder().audio().map_err(failed)?;
        context.set_rate(rate);
        context.set_format(sample);
        context.set_channel_layout(layout);
        context.set_time_base((1, rate));
        context.set_bit_rate(AUDIO_BIT_RATE * usize::from(recipe.channels));
        context.set_flags(codec::Flags::GLOBAL_HEADER);
        let encoder = context.open_as(found).map_err(failed)?;
        // AAC without a container is unreadable without the encoder's parameters.
        let context = codec::Context::from_parameters(&encoder).map_err(failed)?;
        let decoder = context.decoder().audio().map_err(failed)?;
        let mut input = frame::Audio::new(sample, AAC_FRAME as usize, layout);
        input.set_rate(recipe.sample_rate);
        Ok(Self { encoder, decoder, input, fed: first, ready: VecDeque::new(), first, what: what.clone() })
    }

    /// What a file of the packets needs to know.
    pub(super) fn held_track(&self, index: usize) -> Option<HeldTrack> {
        HeldTrack::of_encoder(index, &self.encoder)
    }

    /// The next decoded block. `make` fills the block of a number with [`AAC_FRAME`] samples a channel.
    pub(super) fn next(&mut self, make: &mut dyn FnMut(u64, &mut SoundBlock)) -> Result<DecodedSound, SourceError> {
        let mut made = SoundBlock::default();
        // The codec delays by two blocks; more than eight without an answer means that it is broken.
        for _ in 0..8 {
            if let Some(block) = self.ready.pop_front() {
                return Ok(block);
            }
            make(self.fed, &mut made);
            self.feed(&made).map_err(|error| cannot_read(&self.what, error))?;
        }
        Err(cannot_read(&self.what, Error::InvalidData))
    }

    fn feed(&mut self, block: &SoundBlock) -> Result<(), Error> {
        for (index, channel) in block.0.iter().enumerate() {
            self.input.plane_mut::<f32>(index).copy_from_slice(channel);
        }
        self.input.set_pts(Some(self.fed as i64 * i64::from(AAC_FRAME)));
        self.fed += 1;
        self.encoder.send_frame(&self.input)?;
        let mut packet = Packet::empty();
        while self.encoder.receive_packet(&mut packet).is_ok() {
            let mut frame = frame::Audio::empty();
            self.decoder.send_packet(&packet)?;
            while self.decoder.receive_frame(&mut frame).is_ok() {
                // What the encoder puts before the first sample (its priming) is no sound.
                let start = packet.pts().unwrap_or_default();
                if start >= (self.first as i64) * i64::from(AAC_FRAME) && frame.samples() == AAC_FRAME as usize {
                    let channels = (0..frame.planes()).map(|index| frame.plane::<f32>(index).to_vec()).collect();
                    let number = start as u64 / u64::from(AAC_FRAME);
                    self.ready.push_back(DecodedSound { number, block: SoundBlock(channels), packet: packet.clone() });
                }
            }
        }
        Ok(())
    }
}

impl Drop for SoundCodec {
    fn drop(&mut self) {
        // Drained, so that the encoder does not complain of sound left inside. It holds two blocks;
        // an encoder that cannot be drained is freed all the same.
        let mut packet = Packet::empty();
        let drained = self.encoder.send_eof().is_ok();
        while drained && self.encoder.receive_packet(&mut packet).is_ok() {}
    }
}

/// Alters bytes behind the headers, always the same ones for the same picture number.
fn flip(bytes: &mut [u8], number: u64) {
    let mut dice = fastrand::Rng::with_seed(number ^ 0xdead);
    let (from, to) = (bytes.len() / 4, bytes.len());
    if to - from < 4 {
        return;
    }
    for _ in 0..DAMAGED_BYTES {
        bytes[dice.usize(from..to)] ^= dice.u8(1..=255);
    }
}

fn cannot_open(what: &str, codec: &str, error: Error) -> SourceError {
    let why = format!("no {codec} encoder and decoder for this recipe in this FFmpeg ({error})");
    SourceError::Forbidden { what: what.to_owned(), why }
}

fn cannot_read(what: &str, error: Error) -> SourceError {
    SourceError::Read { what: what.to_owned(), why: format!("cannot encode: {error}") }
}
