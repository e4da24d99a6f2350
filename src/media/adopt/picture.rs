//! Pictures: planes of a decoded frame, held by its reference count.

use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;

use avwatch_actors::frame::{Picture, PictureView, Plane};
use ffmpeg_next::ffi;

use super::AdoptError;
use super::convert::Converter;

/// A plane as numbers: checked to lie within a buffer that the frame holds.
#[derive(Clone, Copy, Debug)]
struct PlaneShape {
    data: NonNull<u8>,
    length: usize,
    stride: usize,
    width: usize,
    height: usize,
}

/// How a pixel format lays out a picture that we can read as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Planar {
    pub depth: u8,
    /// Shifts from luma to chroma size; absent for grey.
    pub chroma: Option<(u8, u8)>,
}

/// A picture that keeps its frame alive.
pub(crate) struct HeldPicture {
    frame: NonNull<ffi::AVFrame>,
    luma: PlaneShape,
    chroma: Option<[PlaneShape; 2]>,
    depth: u8,
    full_range: bool,
}

// SAFETY: the frame is a reference of our own, never written again; FFmpeg's reference counts are
// atomic, so that the last holder may release it on any thread.
unsafe impl Send for HeldPicture {}
// SAFETY: as above; only shared reads are possible.
unsafe impl Sync for HeldPicture {}

impl HeldPicture {
    fn plane(&self, shape: PlaneShape) -> Plane<'_> {
        // SAFETY: `PlaneShape::of` found the range inside a buffer that `self.frame` keeps alive.
        let bytes = unsafe { slice::from_raw_parts(shape.data.as_ptr(), shape.length) };
        Plane { bytes, stride: shape.stride, width: shape.width, height: shape.height }
    }
}

impl Picture for HeldPicture {
    fn view(&self) -> PictureView<'_> {
        PictureView {
            luma: self.plane(self.luma),
            chroma: self.chroma.map(|planes| planes.map(|shape| self.plane(shape))),
            depth: self.depth,
            full_range: self.full_range,
        }
    }
}

impl Drop for HeldPicture {
    fn drop(&mut self) {
        // SAFETY: allocated by the adopter, freed once.
        unsafe { ffi::av_frame_free(&mut self.frame.as_ptr()) }
    }
}

/// A held picture that several frames and the measurer share.
pub(crate) struct SharedPicture(pub Arc<HeldPicture>);

impl Picture for SharedPicture {
    fn view(&self) -> PictureView<'_> {
        self.0.view()
    }
}

/// Adopts the pictures of one track; keeps the converter for formats that need one.
#[derive(Default)]
pub(crate) struct Adopter {
    converter: Converter,
}

impl Adopter {
    /// Takes over a decoded frame, leaving it empty.
    pub(crate) fn adopt(&mut self, frame: &mut ffi::AVFrame) -> Result<HeldPicture, AdoptError> {
        let full_range = is_full_range(frame);
        let held = OwnedFrame::taking(frame)?;
        match planar(held.format())? {
            Some(layout) if held.rows_ascend(layout) => held.into_picture(layout, full_range),
            _ => {
                let converted = self.converter.convert(&held, full_range)?;
                let layout = planar(converted.format())?.ok_or(AdoptError::Conversion(0))?;
                // A converted RGB picture is of limited range, whatever it was before.
                let full_range = full_range && !is_rgb(held.format());
                converted.into_picture(layout, full_range)
            }
        }
    }
}

/// A frame of our own, freed when dropped.
pub(super) struct OwnedFrame(NonNull<ffi::AVFrame>);

impl OwnedFrame {
    pub(super) fn empty() -> Result<Self, AdoptError> {
        // SAFETY: answers null or a frame that is ours.
        NonNull::new(unsafe { ffi::av_frame_alloc() }).map(Self).ok_or(AdoptError::Memory)
    }

    fn taking(frame: &mut ffi::AVFrame) -> Result<Self, AdoptError> {
        let held = Self::empty()?;
        // SAFETY: both frames are valid, the target is empty.
        unsafe { ffi::av_frame_move_ref(held.0.as_ptr(), frame) };
        Ok(held)
    }

    pub(super) fn get(&self) -> &ffi::AVFrame {
        // SAFETY: valid while `self` lives.
        unsafe { self.0.as_ref() }
    }

    pub(super) fn get_mut(&mut self) -> &mut ffi::AVFrame {
        // SAFETY: valid while `self` lives, and borrowed exclusively.
        unsafe { self.0.as_mut() }
    }

    fn format(&self) -> i32 {
        self.get().format
    }

    /// False for pictures stored from the bottom up, which a view cannot express.
    fn rows_ascend(&self, layout: Planar) -> bool {
        let planes = if layout.chroma.is_some() { 3 } else { 1 };
        self.get().linesize[..planes].iter().all(|stride| *stride > 0)
    }

    fn into_picture(self, layout: Planar, full_range: bool) -> Result<HeldPicture, AdoptError> {
        let frame = self.get();
        let width = usize::try_from(frame.width).map_err(|_| AdoptError::OutOfBounds)?;
        let height = usize::try_from(frame.height).map_err(|_| AdoptError::OutOfBounds)?;
        let luma = PlaneShape::of(frame, 0, (width, height), layout.depth)?;
        let chroma = match layout.chroma {
            Some((across, down)) => {
                // Odd sizes round up: the last column of chroma serves one column of luma.
                let size = (width.div_ceil(1 << across), height.div_ceil(1 << down));
                Some([PlaneShape::of(frame, 1, size, layout.depth)?, PlaneShape::of(frame, 2, size, layout.depth)?])
            }
            None => None,
        };
        let picture = HeldPicture { frame: self.0, luma, chroma, depth: layout.depth, full_range };
        // The picture frees the frame from now on.
        std::mem::forget(self);
        Ok(picture)
    }
}

impl Drop for OwnedFrame {
    fn drop(&mut self) {
        // SAFETY: ours, freed once.
        unsafe { ffi::av_frame_free(&mut self.0.as_ptr()) }
    }
}

impl PlaneShape {
    /// Checks one plane against the buffers of its frame.
    fn of(frame: &ffi::AVFrame, plane: usize, (width, height): (usize, usize), depth: u8) -> Result<Self, AdoptError> {
        let data = NonNull::new(frame.data[plane]).ok_or(AdoptError::OutOfBounds)?;
        let stride = usize::try_from(frame.linesize[plane]).map_err(|_| AdoptError::OutOfBounds)?;
        let row = width.checked_mul(if depth > 8 { 2 } else { 1 }).ok_or(AdoptError::OutOfBounds)?;
        if width == 0 || height == 0 || stride < row {
            return Err(AdoptError::OutOfBounds);
        }
        let length =
            stride.checked_mul(height - 1).and_then(|above| above.checked_add(row)).ok_or(AdoptError::OutOfBounds)?;
        let begin = data.as_ptr() as usize;
        let end = begin.checked_add(length).ok_or(AdoptError::OutOfBounds)?;
        let inside = frame.buf.iter().any(|buffer| {
            // SAFETY: entries are null or references that the frame holds.
            unsafe { buffer.as_ref() }.is_some_and(|buffer| {
                let first = buffer.data as usize;
                first <= begin && end <= first.saturating_add(buffer.size)
            })
        });
        if inside { Ok(Self { data, length, stride, width, height }) } else { Err(AdoptError::OutOfBounds) }
    }
}

/// The pixel format of that number, if the library knows it.
pub(super) fn describe(format: i32) -> Result<&'static ffi::AVPixFmtDescriptor, AdoptError> {
    let format = pixel_format(format).ok_or(AdoptError::UnknownFormat(format))?;
    // SAFETY: answers null or a static description.
    unsafe { ffi::av_pix_fmt_desc_get(format).as_ref() }.ok_or(AdoptError::UnknownFormat(format as i32))
}

/// The name of a pixel format in FFmpeg's words; empty for one that the library does not know.
pub(crate) fn pixel_format_name(format: i32) -> String {
    let Ok(description) = describe(format) else { return String::new() };
    // SAFETY: descriptions carry a static, terminated name.
    unsafe { std::ffi::CStr::from_ptr(description.name) }.to_string_lossy().into_owned()
}

/// A number from FFmpeg as the enum that its functions take; absent when the headers do not know it.
pub(super) fn pixel_format(format: i32) -> Option<ffi::AVPixelFormat> {
    let known = ffi::AVPixelFormat::AV_PIX_FMT_YUV420P as i32..ffi::AVPixelFormat::AV_PIX_FMT_NB as i32;
    // SAFETY: the enum of the bindings is dense from YUV420P (0) to NB, and the number lies within.
    known.contains(&format).then(|| unsafe { std::mem::transmute::<i32, ffi::AVPixelFormat>(format) })
}

/// How a format is laid out, when it can be read without conversion.
pub(super) fn planar(format: i32) -> Result<Option<Planar>, AdoptError> {
    use ffi::{
        AV_PIX_FMT_FLAG_BAYER, AV_PIX_FMT_FLAG_BE, AV_PIX_FMT_FLAG_BITSTREAM, AV_PIX_FMT_FLAG_FLOAT,
        AV_PIX_FMT_FLAG_HWACCEL, AV_PIX_FMT_FLAG_PAL, AV_PIX_FMT_FLAG_RGB,
    };
    let description = describe(format)?;
    let foreign = AV_PIX_FMT_FLAG_BAYER
        | AV_PIX_FMT_FLAG_BE
        | AV_PIX_FMT_FLAG_BITSTREAM
        | AV_PIX_FMT_FLAG_FLOAT
        | AV_PIX_FMT_FLAG_HWACCEL
        | AV_PIX_FMT_FLAG_PAL
        | AV_PIX_FMT_FLAG_RGB;
    let colours = match description.nb_components {
        1 => 1,
        3 | 4 => 3,
        _ => return Ok(None),
    };
    let depth = description.comp[0].depth;
    if description.flags & foreign as u64 != 0 || !(8..=16).contains(&depth) {
        return Ok(None);
    }
    let sample = if depth > 8 { 2 } else { 1 };
    let plain = description.comp[..colours].iter().enumerate().all(|(plane, component)| {
        component.plane == plane as i32
            && component.step == sample
            && component.offset == 0
            && component.shift == 0
            && component.depth == depth
    });
    let chroma = (colours == 3).then_some((description.log2_chroma_w, description.log2_chroma_h));
    Ok(plain.then_some(Planar { depth: depth as u8, chroma }))
}

pub(super) fn is_rgb(format: i32) -> bool {
    describe(format)
        .is_ok_and(|description| description.flags & (ffi::AV_PIX_FMT_FLAG_RGB | ffi::AV_PIX_FMT_FLAG_PAL) as u64 != 0)
}

/// What the frame says, else what its format says, else limited.
pub(crate) fn is_full_range(frame: &ffi::AVFrame) -> bool {
    use ffi::AVPixelFormat::*;
    match frame.color_range {
        ffi::AVColorRange::AVCOL_RANGE_JPEG => true,
        ffi::AVColorRange::AVCOL_RANGE_MPEG => false,
        _ => [AV_PIX_FMT_YUVJ411P, AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUVJ440P, AV_PIX_FMT_YUVJ444P]
            .iter()
            .any(|format| *format as i32 == frame.format),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ffi::AVPixelFormat::{self, *};

    /// A frame of that format with a ramp in its first plane.
    fn ramp(format: AVPixelFormat, width: i32, height: i32) -> OwnedFrame {
        let mut frame = OwnedFrame::empty().expect("memory");
        let raw = frame.get_mut();
        (raw.format, raw.width, raw.height) = (format as i32, width, height);
        // SAFETY: format and size are set; the buffers are then written within their sizes.
        unsafe {
            assert_eq!(ffi::av_frame_get_buffer(raw, 0), 0);
            for buffer in raw.buf.iter().filter_map(|buffer| buffer.as_ref()) {
                std::ptr::write_bytes(buffer.data, 128, buffer.size);
            }
            for y in 0..height as usize {
                let row = raw.data[0].add(y * raw.linesize[0] as usize);
                for x in 0..width as usize {
                    *row.add(x) = (16 + (x + y) % 200) as u8;
                }
            }
        }
        frame
    }

    fn adopt(mut frame: OwnedFrame) -> Result<HeldPicture, AdoptError> {
        Adopter::default().adopt(frame.get_mut())
    }

    #[test]
    fn planar_pictures_are_taken_as_they_are() {
        for (format, depth, chroma) in [
            (AV_PIX_FMT_YUV420P, 8, Some((161, 121))),
            (AV_PIX_FMT_YUV422P, 8, Some((161, 241))),
            (AV_PIX_FMT_YUV444P, 8, Some((321, 241))),
            (AV_PIX_FMT_YUVA420P, 8, Some((161, 121))),
            (AV_PIX_FMT_YUV410P, 8, Some((81, 61))),
            (AV_PIX_FMT_YUV420P10LE, 10, Some((161, 121))),
            (AV_PIX_FMT_YUV422P12LE, 12, Some((161, 241))),
            (AV_PIX_FMT_GRAY8, 8, None),
            (AV_PIX_FMT_GRAY16LE, 16, None),
        ] {
            let frame = ramp(format, 321, 241);
            let first = frame.get().data[0];
            let picture = adopt(frame).expect("plain");
            let view = picture.view();
            assert_eq!(view.luma.bytes.as_ptr(), first.cast_const(), "{format:?}: no copy");
            assert_eq!((view.depth, view.luma.width, view.luma.height), (depth, 321, 241));
            assert_eq!(view.chroma.map(|planes| (planes[0].width, planes[0].height)), chroma, "{format:?}");
        }
    }

    #[test]
    fn every_other_format_is_converted_to_the_nearest_planar_one() {
        for (format, depth, chroma) in [
            (AV_PIX_FMT_NV12, 8, Some((160, 120))),
            (AV_PIX_FMT_P010LE, 10, Some((160, 120))),
            (AV_PIX_FMT_YUYV422, 8, Some((160, 240))),
            (AV_PIX_FMT_UYVY422, 8, Some((160, 240))),
            (AV_PIX_FMT_RGB24, 8, Some((320, 240))),
            (AV_PIX_FMT_BGRA, 8, Some((320, 240))),
            (AV_PIX_FMT_GBRP10LE, 10, Some((320, 240))),
            (AV_PIX_FMT_PAL8, 8, Some((320, 240))),
            (AV_PIX_FMT_YUV420P10BE, 10, Some((160, 120))),
            (AV_PIX_FMT_MONOBLACK, 8, None),
            (AV_PIX_FMT_YA8, 8, None),
        ] {
            let picture = adopt(ramp(format, 320, 240)).unwrap_or_else(|error| panic!("{format:?}: {error}"));
            let view = picture.view();
            assert_eq!((view.depth, view.luma.width, view.luma.height), (depth, 320, 240), "{format:?}");
            assert_eq!(view.chroma.map(|planes| (planes[0].width, planes[0].height)), chroma, "{format:?}");
        }
    }

    #[test]
    fn luma_survives_the_conversion_of_interleaved_chroma_exactly() {
        let picture = adopt(ramp(AV_PIX_FMT_NV12, 320, 240)).expect("convertible");
        let view = picture.view();
        for y in [0, 119, 239] {
            let row = view.luma.row(y, 1);
            assert!((0..320).all(|x| usize::from(row[x]) == 16 + (x + y) % 200), "row {y}");
        }
    }

    #[test]
    fn a_picture_stored_from_the_bottom_up_is_turned() {
        let mut frame = ramp(AV_PIX_FMT_GRAY8, 64, 48);
        let raw = frame.get_mut();
        // SAFETY: the last row lies within the buffer.
        raw.data[0] = unsafe { raw.data[0].add(47 * raw.linesize[0] as usize) };
        raw.linesize[0] = -raw.linesize[0];
        let picture = adopt(frame).expect("turned");
        assert_eq!(picture.view().luma.row(0, 1)[0], 16 + 47);
        assert_eq!(picture.view().luma.row(47, 1)[0], 16);
    }

    #[test]
    fn a_plane_outside_its_buffer_is_refused() {
        let mut taller = ramp(AV_PIX_FMT_YUV420P, 64, 48);
        taller.get_mut().height = 4_800;
        assert_eq!(adopt(taller).err(), Some(AdoptError::OutOfBounds));
        let mut wider = ramp(AV_PIX_FMT_YUV420P, 64, 48);
        wider.get_mut().width = 4_096;
        assert_eq!(adopt(wider).err(), Some(AdoptError::OutOfBounds));
        let mut missing = ramp(AV_PIX_FMT_YUV420P, 64, 48);
        missing.get_mut().data[1] = std::ptr::null_mut();
        assert_eq!(adopt(missing).err(), Some(AdoptError::OutOfBounds));
        let mut unknown = ramp(AV_PIX_FMT_YUV420P, 64, 48);
        unknown.get_mut().format = 99_999;
        assert_eq!(adopt(unknown).err(), Some(AdoptError::UnknownFormat(99_999)));
    }

    #[test]
    fn range_comes_from_the_frame_then_the_format() {
        let full = |format, range| {
            let mut frame = ramp(format, 16, 16);
            frame.get_mut().color_range = range;
            adopt(frame).expect("plain").view().full_range
        };
        use ffi::AVColorRange::*;
        assert!(full(AV_PIX_FMT_YUVJ420P, AVCOL_RANGE_UNSPECIFIED));
        assert!(full(AV_PIX_FMT_YUV420P, AVCOL_RANGE_JPEG));
        assert!(!full(AV_PIX_FMT_YUV420P, AVCOL_RANGE_UNSPECIFIED));
    }
}
