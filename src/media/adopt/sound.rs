//! Sound: samples of a decoded frame as 32-bit floats, one slice per channel.

use std::ffi::CStr;
use std::slice;

use avwatch_actors::frame::Samples;
use avwatch_actors::track::{CHANNELS_MAX, ChannelRole};
use ffmpeg_next::ffi;

use super::AdoptError;

/// A sample type that samples of a frame may have.
trait Sample: Copy {
    /// Relative to full scale.
    fn to_float(self) -> f32;
}

impl Sample for u8 {
    fn to_float(self) -> f32 {
        (f32::from(self) - 128.0) / 128.0
    }
}
impl Sample for i16 {
    fn to_float(self) -> f32 {
        f32::from(self) / 32_768.0
    }
}
impl Sample for i32 {
    fn to_float(self) -> f32 {
        self as f32 / 2_147_483_648.0
    }
}
impl Sample for i64 {
    fn to_float(self) -> f32 {
        self as f32 / 9_223_372_036_854_775_808.0
    }
}
impl Sample for f32 {
    fn to_float(self) -> f32 {
        if self.is_finite() { self } else { 0.0 }
    }
}
impl Sample for f64 {
    fn to_float(self) -> f32 {
        (self as f32).to_float()
    }
}

/// The samples of one decoded frame, converted; reused from frame to frame.
#[derive(Default)]
pub(crate) struct Block {
    channels: Vec<Vec<f32>>,
}

impl Block {
    /// Converts the first [`CHANNELS_MAX`] channels of a frame.
    pub(crate) fn fill(&mut self, frame: &ffi::AVFrame) -> Result<(), AdoptError> {
        use ffi::AVSampleFormat::*;
        const FORMATS: [(ffi::AVSampleFormat, bool); 12] = [
            (AV_SAMPLE_FMT_U8, false),
            (AV_SAMPLE_FMT_U8P, true),
            (AV_SAMPLE_FMT_S16, false),
            (AV_SAMPLE_FMT_S16P, true),
            (AV_SAMPLE_FMT_S32, false),
            (AV_SAMPLE_FMT_S32P, true),
            (AV_SAMPLE_FMT_S64, false),
            (AV_SAMPLE_FMT_S64P, true),
            (AV_SAMPLE_FMT_FLT, false),
            (AV_SAMPLE_FMT_FLTP, true),
            (AV_SAMPLE_FMT_DBL, false),
            (AV_SAMPLE_FMT_DBLP, true),
        ];
        let (format, planar) = FORMATS
            .into_iter()
            .find(|(format, _)| *format as i32 == frame.format)
            .ok_or(AdoptError::UnknownFormat(frame.format))?;
        match format {
            AV_SAMPLE_FMT_U8 | AV_SAMPLE_FMT_U8P => self.convert::<u8>(frame, planar),
            AV_SAMPLE_FMT_S16 | AV_SAMPLE_FMT_S16P => self.convert::<i16>(frame, planar),
            AV_SAMPLE_FMT_S32 | AV_SAMPLE_FMT_S32P => self.convert::<i32>(frame, planar),
            AV_SAMPLE_FMT_S64 | AV_SAMPLE_FMT_S64P => self.convert::<i64>(frame, planar),
            AV_SAMPLE_FMT_FLT | AV_SAMPLE_FMT_FLTP => self.convert::<f32>(frame, planar),
            _ => self.convert::<f64>(frame, planar),
        }
    }

    fn convert<T: Sample>(&mut self, frame: &ffi::AVFrame, planar: bool) -> Result<(), AdoptError> {
        let coded = usize::try_from(frame.ch_layout.nb_channels).map_err(|_| AdoptError::OutOfBounds)?;
        let samples = usize::try_from(frame.nb_samples).map_err(|_| AdoptError::OutOfBounds)?;
        let measured = coded.min(CHANNELS_MAX);
        self.channels.resize_with(measured, Vec::new);
        for (channel, target) in self.channels.iter_mut().enumerate() {
            target.clear();
            let (plane, first, step, length) =
                if planar { (channel, 0, 1, samples) } else { (0, channel, coded, samples * coded) };
            let source: &[T] = plane_samples(frame, plane, length)?;
            if step == 1 {
                target.extend(source.iter().map(|sample| sample.to_float()));
            } else {
                target.extend(source.iter().skip(first).step_by(step).map(|sample| sample.to_float()));
            }
        }
        Ok(())
    }

    /// Samples per channel.
    pub(crate) fn len(&self) -> usize {
        self.channels.first().map_or(0, Vec::len)
    }

    /// A stretch of every channel, in an array of which as many entries as there are channels count.
    pub(crate) fn stretch(&self, from: usize, to: usize) -> ([&[f32]; CHANNELS_MAX], usize) {
        let mut slices: [&[f32]; CHANNELS_MAX] = [&[]; CHANNELS_MAX];
        for (slice, channel) in slices.iter_mut().zip(&self.channels) {
            *slice = channel.get(from..to).unwrap_or(&[]);
        }
        (slices, self.channels.len())
    }
}

/// The samples of one plane, checked against the buffers of the frame.
fn plane_samples<T: Sample>(frame: &ffi::AVFrame, plane: usize, length: usize) -> Result<&[T], AdoptError> {
    let planes = usize::try_from(frame.ch_layout.nb_channels).unwrap_or(0).max(1);
    if plane >= planes || frame.extended_data.is_null() {
        return Err(AdoptError::OutOfBounds);
    }
    let bytes = length.checked_mul(size_of::<T>()).ok_or(AdoptError::OutOfBounds)?;
    // SAFETY: `extended_data` has one entry per plane; only the pointer itself is read here.
    let data = unsafe { *frame.extended_data.add(plane) };
    let begin = data as usize;
    let end = begin.checked_add(bytes).ok_or(AdoptError::OutOfBounds)?;
    let holds = |buffer: *mut ffi::AVBufferRef| {
        // SAFETY: entries are null or references that the frame holds.
        unsafe { buffer.as_ref() }.is_some_and(|buffer| {
            let first = buffer.data as usize;
            first <= begin && end <= first.saturating_add(buffer.size)
        })
    };
    let extended = usize::try_from(frame.nb_extended_buf).unwrap_or(0);
    let inside = frame.buf.iter().any(|buffer| holds(*buffer))
        // SAFETY: `extended_buf` has `nb_extended_buf` entries.
        || (0..extended).any(|entry| holds(unsafe { *frame.extended_buf.add(entry) }));
    if data.is_null() || !inside || !begin.is_multiple_of(align_of::<T>()) {
        return Err(AdoptError::OutOfBounds);
    }
    // SAFETY: aligned, and inside a buffer that the frame holds for as long as it is borrowed.
    Ok(unsafe { slice::from_raw_parts(data.cast::<T>(), length) })
}

/// Samples copied out of a block, for detectors that ask for them.
pub(crate) struct OwnedSamples {
    channels: usize,
    samples: Vec<f32>,
}

impl OwnedSamples {
    /// Copies as many channels as there are slices; all are of one length.
    pub(crate) fn copy(channels: &[&[f32]]) -> Self {
        Self { channels: channels.len(), samples: channels.concat() }
    }
}

impl Samples for OwnedSamples {
    fn channels(&self) -> usize {
        self.channels
    }

    fn channel(&self, channel: usize) -> &[f32] {
        let length = self.samples.len().checked_div(self.channels).unwrap_or(0);
        if channel >= self.channels {
            return &[];
        }
        &self.samples[channel * length..(channel + 1) * length]
    }
}

/// The name of a layout and the role of each measured channel.
pub(crate) fn describe_layout(layout: &ffi::AVChannelLayout) -> (String, Vec<ChannelRole>) {
    let mut text = [0_u8; 256];
    // SAFETY: the layout is valid; at most the given size is written, terminated.
    let name = unsafe {
        ffi::av_channel_layout_describe(layout, text.as_mut_ptr().cast(), text.len());
        CStr::from_bytes_until_nul(&text).map_or(String::new(), |name| name.to_string_lossy().into_owned())
    };
    let channels = usize::try_from(layout.nb_channels).unwrap_or(0);
    let known = layout.order == ffi::AVChannelOrder::AV_CHANNEL_ORDER_NATIVE;
    let roles = (0..channels.min(CHANNELS_MAX))
        .map(|channel| match (known, channels) {
            (_, 1) => ChannelRole::Mono,
            (true, _) => native_role(layout, channel),
            (false, 2) => [ChannelRole::Left, ChannelRole::Right][channel],
            (false, _) => ChannelRole::Other,
        })
        .collect();
    (name, roles)
}

/// The role of a channel in a layout that is a mask: the place of its n-th set bit.
fn native_role(layout: &ffi::AVChannelLayout, channel: usize) -> ChannelRole {
    // SAFETY: in native order the union holds the mask.
    let mut mask = unsafe { layout.u.mask };
    for _ in 0..channel {
        mask &= mask.wrapping_sub(1);
    }
    // Bits of the mask are the numbers of FFmpeg's AVChannel.
    match mask.trailing_zeros() {
        0 | 29 => ChannelRole::Left,
        1 | 30 => ChannelRole::Right,
        2 => ChannelRole::Center,
        3 | 35 => ChannelRole::Lfe,
        4 | 5 | 8..=17 | 36..=40 => ChannelRole::Surround,
        _ => ChannelRole::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ffi::AVSampleFormat::{self, *};

    /// A stereo frame with the given raw bytes in its planes.
    fn check(format: AVSampleFormat, planes: &[&[u8]], samples: i32, expected: [&[f32]; 2]) {
        // SAFETY: the frame is ours; planes are written within the sizes that FFmpeg allocated.
        unsafe {
            let mut frame = ffi::av_frame_alloc();
            (*frame).format = format as i32;
            (*frame).nb_samples = samples;
            ffi::av_channel_layout_default(&mut (*frame).ch_layout, 2);
            assert_eq!(ffi::av_frame_get_buffer(frame, 0), 0);
            for (plane, bytes) in planes.iter().enumerate() {
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), (*frame).data[plane], bytes.len());
            }
            let mut block = Block::default();
            block.fill(&*frame).expect("valid");
            let (channels, count) = block.stretch(0, samples as usize);
            assert_eq!(&channels[..count], &expected, "{format:?}");
            (*frame).nb_samples = 1 << 20;
            assert_eq!(block.fill(&*frame), Err(AdoptError::OutOfBounds), "{format:?}");
            ffi::av_frame_free(&mut frame);
        }
    }

    fn bytes<const N: usize>(parts: &[[u8; N]]) -> Vec<u8> {
        parts.concat()
    }

    #[test]
    fn every_sample_format_becomes_floats_relative_to_full_scale() {
        check(AV_SAMPLE_FMT_U8, &[&[128, 0, 192, 64]], 2, [&[0.0, 0.5], &[-1.0, -0.5]]);
        let pairs = bytes(&[16_384_i16, -32_768, 0, 8_192].map(i16::to_ne_bytes));
        check(AV_SAMPLE_FMT_S16, &[&pairs], 2, [&[0.5, 0.0], &[-1.0, 0.25]]);
        check(AV_SAMPLE_FMT_S16P, &[&pairs[..4], &pairs[4..]], 2, [&[0.5, -1.0], &[0.0, 0.25]]);
        let long = bytes(&[1_i32 << 30, i32::MIN].map(i32::to_ne_bytes));
        check(AV_SAMPLE_FMT_S32, &[&long], 1, [&[0.5], &[-1.0]]);
        let float = bytes(&[0.25_f32, f32::NAN].map(f32::to_ne_bytes));
        check(AV_SAMPLE_FMT_FLTP, &[&float[..4], &float[4..]], 1, [&[0.25], &[0.0]]);
        let double = bytes(&[0.25_f64, -0.75].map(f64::to_ne_bytes));
        check(AV_SAMPLE_FMT_DBL, &[&double], 1, [&[0.25], &[-0.75]]);
    }

    #[test]
    fn channels_get_their_roles_from_the_layout() {
        let describe = |channels| {
            // SAFETY: a zeroed layout is the empty one, which FFmpeg fills in.
            let mut layout: ffi::AVChannelLayout = unsafe { std::mem::zeroed() };
            // SAFETY: as above.
            unsafe { ffi::av_channel_layout_default(&mut layout, channels) };
            describe_layout(&layout)
        };
        use ChannelRole::*;
        assert_eq!(describe(1), ("mono".to_owned(), vec![Mono]));
        assert_eq!(describe(2), ("stereo".to_owned(), vec![Left, Right]));
        assert_eq!(describe(6), ("5.1".to_owned(), vec![Left, Right, Center, Lfe, Surround, Surround]));
        assert_eq!(describe(24).1.len(), CHANNELS_MAX);
    }

    #[test]
    fn kept_samples_are_read_by_channel() {
        let kept = OwnedSamples::copy(&[&[0.1, 0.2], &[0.3, 0.4]]);
        assert_eq!((kept.channels(), kept.channel(1), kept.channel(2)), (2, &[0.3, 0.4][..], &[][..]));
    }
}
