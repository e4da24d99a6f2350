//! Conversion of pixel formats that cannot be read as planes, by libswscale.

use std::ptr;

use ffmpeg_next::ffi;

use super::AdoptError;
use super::picture::{OwnedFrame, describe, is_rgb, pixel_format, planar};

/// Keeps the scaler's context between pictures of one format.
pub(super) struct Converter {
    context: *mut ffi::SwsContext,
}

impl Default for Converter {
    fn default() -> Self {
        Self { context: ptr::null_mut() }
    }
}

impl Converter {
    /// Converts a picture to the nearest planar format, in the same size and range.
    pub(super) fn convert(&mut self, source: &OwnedFrame, full_range: bool) -> Result<OwnedFrame, AdoptError> {
        let from = source.get();
        let format = pixel_format(from.format).ok_or(AdoptError::UnknownFormat(from.format))?;
        let target_format = nearest(from.format)?;
        check_source(from)?;
        let mut target = OwnedFrame::empty()?;
        let into = target.get_mut();
        (into.format, into.width, into.height) = (target_format as i32, from.width, from.height);
        // SAFETY: formats and sizes are set and positive; the context is ours or null; both frames
        // are valid, the source's first plane was checked and the target's buffers are its own.
        unsafe {
            let code = ffi::av_frame_get_buffer(into, 0);
            if code < 0 {
                return Err(AdoptError::Conversion(code));
            }
            self.context = ffi::sws_getCachedContext(
                self.context,
                from.width,
                from.height,
                format,
                from.width,
                from.height,
                target_format,
                ffi::SWS_POINT,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null(),
            );
            if self.context.is_null() {
                return Err(AdoptError::Conversion(0));
            }
            let table = ffi::sws_getCoefficients(ffi::SWS_CS_DEFAULT);
            let range = i32::from(full_range);
            let target_range = if is_rgb(from.format) { 0 } else { range };
            // Formats without a range refuse this; they keep their only one.
            ffi::sws_setColorspaceDetails(self.context, table, range, table, target_range, 0, 1 << 16, 1 << 16);
            let code = ffi::sws_scale(
                self.context,
                from.data.as_ptr().cast::<*const u8>(),
                from.linesize.as_ptr(),
                0,
                from.height,
                into.data.as_ptr(),
                into.linesize.as_ptr(),
            );
            if code < 0 {
                return Err(AdoptError::Conversion(code));
            }
        }
        Ok(target)
    }
}

impl Drop for Converter {
    fn drop(&mut self) {
        // SAFETY: null or ours; freed once.
        unsafe { ffi::sws_freeContext(self.context) }
    }
}

/// Checks that every plane of a picture of any layout lies within the buffers of its frame.
fn check_source(frame: &ffi::AVFrame) -> Result<(), AdoptError> {
    let format = pixel_format(frame.format).ok_or(AdoptError::UnknownFormat(frame.format))?;
    let description = describe(frame.format)?;
    // SAFETY: plain computations on numbers; the format is known.
    let planes = unsafe { ffi::av_pix_fmt_count_planes(format) };
    for plane in 0..usize::try_from(planes).unwrap_or(0).min(4) {
        let subsampled = (plane == 1 || plane == 2) && description.log2_chroma_h > 0;
        let down = if subsampled { u32::from(description.log2_chroma_h) } else { 0 };
        let rows = usize::try_from(frame.height).map_err(|_| AdoptError::OutOfBounds)?.div_ceil(1 << down);
        // SAFETY: as above.
        let row = unsafe { ffi::av_image_get_linesize(format, frame.width, plane as i32) };
        let row = usize::try_from(row).map_err(|_| AdoptError::OutOfBounds)?;
        let stride = frame.linesize[plane];
        let reach =
            (stride.unsigned_abs() as usize).checked_mul(rows.saturating_sub(1)).ok_or(AdoptError::OutOfBounds)?;
        let data = frame.data[plane] as usize;
        let begin = if stride < 0 { data.checked_sub(reach) } else { Some(data) }.ok_or(AdoptError::OutOfBounds)?;
        let end = begin.checked_add(reach).and_then(|end| end.checked_add(row)).ok_or(AdoptError::OutOfBounds)?;
        let inside = frame.buf.iter().any(|buffer| {
            // SAFETY: entries are null or references that the frame holds.
            unsafe { buffer.as_ref() }.is_some_and(|buffer| {
                let first = buffer.data as usize;
                first <= begin && end <= first.saturating_add(buffer.size)
            })
        });
        if data == 0 || rows == 0 || row == 0 || !inside {
            return Err(AdoptError::OutOfBounds);
        }
    }
    Ok(())
}

/// The planar format that loses nothing of luma and least of chroma.
fn nearest(format: i32) -> Result<ffi::AVPixelFormat, AdoptError> {
    use ffi::AVPixelFormat::*;
    if planar(format)?.is_some() {
        // Only stored from the bottom up: the same format, turned.
        return pixel_format(format).ok_or(AdoptError::UnknownFormat(format));
    }
    let description = describe(format)?;
    if description.flags & u64::from(ffi::AV_PIX_FMT_FLAG_HWACCEL as u32) != 0 {
        return Err(AdoptError::UnknownFormat(format));
    }
    let depth = description.comp[0].depth;
    let chroma = match description.nb_components {
        1 | 2 if !is_rgb(format) => None,
        _ if is_rgb(format) => Some((0, 0)),
        _ => Some((description.log2_chroma_w, description.log2_chroma_h)),
    };
    Ok(match (chroma, depth) {
        (None, ..=8) => AV_PIX_FMT_GRAY8,
        (None, _) => AV_PIX_FMT_GRAY16LE,
        (Some((1, 1)), ..=8) => AV_PIX_FMT_YUV420P,
        (Some((1, 1)), 9..=10) => AV_PIX_FMT_YUV420P10LE,
        (Some((1, 1)), _) => AV_PIX_FMT_YUV420P16LE,
        (Some((1, 0)), ..=8) => AV_PIX_FMT_YUV422P,
        (Some((1, 0)), 9..=10) => AV_PIX_FMT_YUV422P10LE,
        (Some((1, 0)), _) => AV_PIX_FMT_YUV422P16LE,
        (Some(_), ..=8) => AV_PIX_FMT_YUV444P,
        (Some(_), 9..=10) => AV_PIX_FMT_YUV444P10LE,
        (Some(_), _) => AV_PIX_FMT_YUV444P16LE,
    })
}
