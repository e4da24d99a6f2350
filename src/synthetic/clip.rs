//! A clip: a recipe encoded once, as MPEG-TS that can be sent in a loop without a seam.
//!
//! H.264 with B pictures and closed groups of two seconds, AAC for sound. Length is a whole number of pictures and of
//! AAC frames, so that the next round goes on where this one ends. Runs on the caller's thread (x264 takes threads of its
//! own) and takes about as long as the clip lasts; the file is written as a whole or not at all.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ffmpeg_next::{ChannelLayout, Dictionary, Error, Packet, Rational, codec, encoder, format, frame};

use super::contents::Contents;
use super::defect::{DefectKind, Place};
use super::picture::YuvPicture;
use super::plan::{AAC_FRAME, DefectPlan};
use super::recipe::{CodecChoice, FrameRate, Recipe};
use super::sound::{SoundBlock, SoundMaker};

/// From one key picture to the next, as services on the internet send (Apple's HLS Authoring Specification asks for two seconds).
pub const SECONDS_PER_KEY: u32 = 2;
/// Bits a pixel: 6 Mb/s for 1080p25.
const BITS_PER_PIXEL: f64 = 0.116;
/// Least bits a second of the pictures.
const VIDEO_BITS_MIN: f64 = 200_000.0;
/// AAC bits a second and channel.
const AUDIO_BITS: usize = 64_000;
/// When the first picture is shown, on the clip's own clock: decoding times before it stay above zero.
const FIRST_AT: Duration = Duration::from_secs(1);
/// Samples a second of the sound.
const SAMPLE_RATE: u32 = 48_000;

/// Why a clip could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// FFmpeg refuses.
    #[error("cannot encode the clip: {0}")]
    Encode(#[from] Error),
    /// This FFmpeg lacks an encoder.
    #[error("cannot encode the clip: this FFmpeg has no {0} encoder")]
    NoEncoder(&'static str),
    /// The recipe has no whole rate or no length.
    #[error("cannot encode the clip: {0}")]
    Recipe(&'static str),
}

/// The shortest length from `least` on that is a whole number of pictures and of AAC frames.
pub fn clip_length(rate: u32, least: Duration) -> Duration {
    // Pictures p with p / rate * 48000 / 1024 whole: p is a multiple of 8 rate / gcd(375, 8 rate).
    let rate = u64::from(rate.max(1));
    let step = 8 * rate / gcd(375, 8 * rate);
    let pictures = (least.as_secs_f64() * rate as f64).ceil() as u64;
    let pictures = pictures.max(1).div_ceil(step) * step;
    Duration::from_nanos((pictures * 1_000_000_000).div_ceil(rate))
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Encodes a recipe of a stated `duration`, as made by [`clip_length`], into that file.
///
/// # Errors
/// An encoder is missing or refuses, the file cannot be written, or the recipe has no whole number of pictures a second.
pub fn encode(recipe: &Recipe, to: &Path) -> Result<(), ClipError> {
    let duration = recipe.duration.ok_or(ClipError::Recipe("it has no length"))?;
    if recipe.fps.denominator != 1 {
        return Err(ClipError::Recipe("pictures a second must be a whole number"));
    }
    ffmpeg_next::init()?;
    let recipe = Recipe { codec: CodecChoice::Raw, sample_rate: SAMPLE_RATE, ..recipe.clone() };
    let plan = Arc::new(DefectPlan::new(&recipe));
    let pictures = (duration.as_secs_f64() * recipe.fps.as_f64()).round() as u64;
    let mut output = format::output_as(to, "mpegts")?;
    let mut video = open_video(&recipe)?;
    output.add_stream(encoder::find(codec::Id::H264))?.set_parameters(&video);
    let mut packets = encode_pictures(&recipe, &plan, pictures, &mut video)?;
    if recipe.channels > 0 {
        let mut audio = open_audio(&recipe)?;
        output.add_stream(encoder::find(codec::Id::AAC))?.set_parameters(&audio);
        let blocks = (duration.as_secs_f64() * f64::from(SAMPLE_RATE) / f64::from(AAC_FRAME)).round() as u64;
        packets.extend(encode_sound(&recipe, plan, blocks, &mut audio)?);
    }
    write(&mut output, packets, recipe.fps)
}

/// A packet with its track; times in the track's own base.
type Tracked = (usize, Packet);

/// Time bases of the two tracks.
fn base_of(track: usize, fps: FrameRate) -> Rational {
    if track == 0 { Rational(1, fps.numerator) } else { Rational(1, SAMPLE_RATE as i32) }
}

fn write(output: &mut format::context::Output, mut packets: Vec<Tracked>, fps: FrameRate) -> Result<(), ClipError> {
    let mut options = Dictionary::new();
    // One AAC frame in each PES packet: sound does not wait for the next frames.
    options.set("pes_payload_size", "16");
    // A receiver that joins, and a segment, begin with the tables.
    options.set("mpegts_flags", "+pat_pmt_at_frames");
    output.write_header_with(options)?;
    let first = FIRST_AT.as_secs() as i64 * 90_000;
    for (track, packet) in &mut packets {
        let target = output.stream(*track).map_or(Rational(1, 90_000), |stream| stream.time_base());
        packet.set_stream(*track);
        packet.rescale_ts(base_of(*track, fps), target);
        packet.set_pts(packet.pts().map(|time| time + first));
        packet.set_dts(packet.dts().map(|time| time + first));
        packet.set_position(-1);
    }
    packets.sort_by_key(|(track, packet)| (packet.dts(), *track));
    for (_, packet) in &packets {
        packet.write_interleaved(output)?;
    }
    output.write_trailer()?;
    Ok(())
}

fn open_video(recipe: &Recipe) -> Result<encoder::video::Encoder, ClipError> {
    let found = encoder::find_by_name("libx264").ok_or(ClipError::NoEncoder("H.264 (libx264)"))?;
    let mut context = codec::Context::new_with_codec(found).encoder().video()?;
    let (rate, pixels) = (recipe.fps.numerator, f64::from(recipe.width) * f64::from(recipe.height));
    let bits = (pixels * f64::from(rate) * BITS_PER_PIXEL).max(VIDEO_BITS_MIN);
    context.set_width(recipe.width);
    context.set_height(recipe.height);
    context.set_format(format::Pixel::YUV420P);
    context.set_time_base((1, rate));
    context.set_frame_rate(Some((rate, 1)));
    context.set_bit_rate(bits as usize);
    context.set_gop(rate as u32 * SECONDS_PER_KEY);
    context.set_max_b_frames(2);
    let mut options = Dictionary::new();
    options.set("preset", "veryfast");
    options.set("maxrate", &format!("{:.0}", bits * 1.2));
    options.set("bufsize", &format!("{:.0}", bits * 2.0));
    options.set("x264-params", "log=-1:scenecut=0:open-gop=0:bframes=2:b-adapt=0:b-pyramid=none");
    Ok(context.open_as_with(found, options)?)
}

fn encode_pictures(
    recipe: &Recipe,
    plan: &DefectPlan,
    count: u64,
    encoder: &mut encoder::video::Encoder,
) -> Result<Vec<Tracked>, ClipError> {
    let mut contents = Contents::new(recipe, None);
    let mut packets = Vec::new();
    for number in 0..count {
        let at = recipe.fps.time_of(number);
        let defect = plan.at(Place::Picture, at).map(|defect| (defect.kind, defect.from));
        let picture = contents.picture(recipe, number, defect.filter(|(kind, _)| is_shown(*kind)));
        let mut input = frame::Video::new(format::Pixel::YUV420P, recipe.width, recipe.height);
        fill(&mut input, &picture);
        input.set_pts(Some(number as i64));
        encoder.send_frame(&input)?;
        take(&mut packets, 0, |packet| encoder.receive_packet(packet));
    }
    encoder.send_eof()?;
    take(&mut packets, 0, |packet| encoder.receive_packet(packet));
    Ok(packets)
}

/// Whether a defect is one of the pixels; others would need damage to packets.
const fn is_shown(kind: DefectKind) -> bool {
    matches!(kind, DefectKind::Black | DefectKind::Freeze | DefectKind::SolidColor | DefectKind::ColorBars)
}

/// Luma is softened twice: the grain of the texture moves with it, so it would be coded in key pictures and predicted in all others,
/// and give key pictures more than half of the bits. So they take about a quarter, in a programme less.
fn fill(input: &mut frame::Video, picture: &YuvPicture) {
    for (index, (plane, width)) in picture.planes().into_iter().enumerate() {
        let stride = input.stride(index);
        let rows = input.data_mut(index).chunks_mut(stride);
        if index == 0 {
            let mut once = vec![0; plane.len()];
            soften(plane, width, once.chunks_exact_mut(width));
            soften(&once, width, rows);
            continue;
        }
        for (to, from) in rows.zip(plane.chunks_exact(width)) {
            to[..width].copy_from_slice(from);
        }
    }
}

/// Weighs each pixel with its neighbours, 1:2:1 in both directions; the edge repeats.
fn soften<'a>(plane: &[u8], width: usize, to: impl Iterator<Item = &'a mut [u8]>) {
    let rows: Vec<&[u8]> = plane.chunks_exact(width).collect();
    let mut sums = vec![0_u16; width + 2];
    for (y, to) in to.take(rows.len()).enumerate() {
        let (above, here, below) = (rows[y.saturating_sub(1)], rows[y], rows[(y + 1).min(rows.len() - 1)]);
        for (sum, ((above, here), below)) in sums[1..].iter_mut().zip(above.iter().zip(here).zip(below)) {
            *sum = u16::from(*above) + 2 * u16::from(*here) + u16::from(*below);
        }
        (sums[0], sums[width + 1]) = (sums[1], sums[width]);
        for (to, sums) in to.iter_mut().zip(sums.windows(3)) {
            *to = ((sums[0] + 2 * sums[1] + sums[2] + 8) >> 4) as u8;
        }
    }
}

/// Takes every packet that is ready.
fn take(packets: &mut Vec<Tracked>, track: usize, mut receive: impl FnMut(&mut Packet) -> Result<(), Error>) {
    loop {
        let mut packet = Packet::empty();
        if receive(&mut packet).is_err() {
            return;
        }
        packets.push((track, packet));
    }
}

fn open_audio(recipe: &Recipe) -> Result<encoder::audio::Encoder, ClipError> {
    let found = encoder::find_by_name("aac").ok_or(ClipError::NoEncoder("AAC"))?;
    let mut context = codec::Context::new_with_codec(found).encoder().audio()?;
    context.set_rate(SAMPLE_RATE as i32);
    context.set_format(format::Sample::F32(format::sample::Type::Planar));
    context.set_channel_layout(ChannelLayout::default(i32::from(recipe.channels)));
    context.set_time_base((1, SAMPLE_RATE as i32));
    context.set_bit_rate(AUDIO_BITS * usize::from(recipe.channels));
    Ok(context.open_as(found)?)
}

/// Encodes one block more than asked for, as the encoder delays by one, and keeps what is heard within the clip.
fn encode_sound(
    recipe: &Recipe,
    plan: Arc<DefectPlan>,
    blocks: u64,
    encoder: &mut encoder::audio::Encoder,
) -> Result<Vec<Tracked>, ClipError> {
    let maker = SoundMaker::new(recipe, plan);
    let layout = ChannelLayout::default(i32::from(recipe.channels));
    let sample = format::Sample::F32(format::sample::Type::Planar);
    let mut packets = Vec::new();
    let mut block = SoundBlock::default();
    for number in 0..=blocks {
        let from = number % blocks * u64::from(AAC_FRAME);
        maker.make(from, AAC_FRAME as usize, &mut block);
        let mut input = frame::Audio::new(sample, AAC_FRAME as usize, layout);
        input.set_rate(SAMPLE_RATE);
        for (index, channel) in block.0.iter().enumerate() {
            input.plane_mut::<f32>(index).copy_from_slice(channel);
        }
        input.set_pts(Some(number as i64 * i64::from(AAC_FRAME)));
        encoder.send_frame(&input)?;
        take(&mut packets, 1, |packet| encoder.receive_packet(packet));
    }
    encoder.send_eof()?;
    take(&mut packets, 1, |packet| encoder.receive_packet(packet));
    let end = blocks as i64 * i64::from(AAC_FRAME);
    packets.retain(|(_, packet)| packet.pts().is_some_and(|pts| (0..end).contains(&pts)));
    Ok(packets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_clip_is_a_whole_number_of_pictures_and_of_aac_frames(rate in 1_u32..=60, least in 1_u64..60) {
            let length = clip_length(rate, Duration::from_secs(least));
            prop_assert!(length >= Duration::from_secs(least));
            let pictures = (length.as_secs_f64() * f64::from(rate)).round();
            let samples = pictures * 48_000.0 / f64::from(rate);
            prop_assert_eq!(samples % 1_024.0, 0.0);
            // Not much longer than asked for: the step is at most 1.6 s of pictures at 5 a second, 25.6 s at worst.
            prop_assert!(length <= Duration::from_secs(least) + Duration::from_secs(26), "{:?}", length);
        }
    }
}
