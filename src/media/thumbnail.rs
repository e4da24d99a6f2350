//! Thumbnails: decoded pictures as small JPEG files, by libswscale and FFmpeg's MJPEG encoder.
//!
//! A [`Thumbnailer`] is owned by whoever records a session and runs on its thread. It keeps scaler and
//! encoder between pictures of one shape. A picture that cannot be made small gives none; nothing fails
//! because of it.

use std::ptr::{self, NonNull};
use std::str::FromStr;

use avwatch_actors::frame::{PictureView, Plane};
use ffmpeg_next::codec::{self, Id};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;
use ffmpeg_next::util::color::Range;
use ffmpeg_next::{Packet, Rational, ffi};

/// Widest and highest that a thumbnail may be.
const SIZE_MAX: f64 = 320.0;
/// FFmpeg's quantiser, 1 (best) to 31.
const QUALITY: i32 = 5;
/// Narrowest and widest pixel that is believed.
const ASPECTS: (f64, f64) = (0.25, 4.0);
/// The format of a JPEG: of full range, as the encoder is told.
const TARGET: Pixel = Pixel::YUV420P;

/// A small picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbnail {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// A JPEG file. Its colours are those of ITU-R BT.601, as JPEG has it, whatever the source said.
    pub jpeg: Vec<u8>,
}

/// What a scaler and an encoder are made for.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape {
    format: Pixel,
    full_range: bool,
    from: (u32, u32),
    to: (u32, u32),
}

/// Makes thumbnails.
#[derive(Default)]
pub struct Thumbnailer {
    works: Option<Works>,
}

/// Scaler and encoder for pictures of one shape.
struct Works {
    shape: Shape,
    scaler: Scaler,
    encoder: codec::encoder::video::Encoder,
    source: Video,
    count: i64,
}

impl Thumbnailer {
    /// Makes a thumbnail of at most 320 × 320 pixels, never larger than the picture; `pixel_aspect` is
    /// the width of a pixel over its height. Nothing when FFmpeg refuses.
    pub fn make(&mut self, view: &PictureView<'_>, pixel_aspect: f64) -> Option<Thumbnail> {
        let from = (u32::try_from(view.luma.width).ok()?, u32::try_from(view.luma.height).ok()?);
        let format = pixel_format(view)?;
        let shape = Shape { format, full_range: view.full_range, from, to: small(from, pixel_aspect) };
        if self.works.as_ref().is_none_or(|works| works.shape != shape) {
            self.works = Works::open(shape);
        }
        let jpeg = self.works.as_mut()?.make(view);
        if jpeg.is_none() {
            // An encoder that refused once is not asked again.
            self.works = None;
        }
        Some(Thumbnail { width: shape.to.0, height: shape.to.1, jpeg: jpeg? })
    }
}

impl Works {
    fn open(shape: Shape) -> Option<Self> {
        let scaler = Scaler::open(shape)?;
        let codec = codec::encoder::find(Id::MJPEG)?;
        let mut encoder = codec::context::Context::new_with_codec(codec).encoder().video().ok()?;
        encoder.set_width(shape.to.0);
        encoder.set_height(shape.to.1);
        encoder.set_format(TARGET);
        encoder.set_color_range(Range::JPEG);
        encoder.set_time_base(Rational(1, 1));
        // BITEXACT keeps FFmpeg's version out of the file.
        encoder.set_flags(codec::Flags::QSCALE | codec::Flags::BITEXACT);
        encoder.set_global_quality(QUALITY * ffi::FF_QP2LAMBDA);
        let encoder = encoder.open_as(codec).ok()?;
        let source = Video::new(shape.format, shape.from.0, shape.from.1);
        Some(Self { shape, scaler, encoder, source, count: 0 })
    }

    fn make(&mut self, view: &PictureView<'_>) -> Option<Vec<u8>> {
        self.fill(view);
        let mut target = Video::new(TARGET, self.shape.to.0, self.shape.to.1);
        self.scaler.scale(&self.source, &mut target)?;
        target.set_color_range(Range::JPEG);
        target.set_pts(Some(self.count));
        self.count += 1;
        // SAFETY: the frame is ours and exclusively borrowed; the field is a plain number.
        unsafe { (*target.as_mut_ptr()).quality = QUALITY * ffi::FF_QP2LAMBDA };
        self.encoder.send_frame(&target).ok()?;
        let mut packet = Packet::empty();
        self.encoder.receive_packet(&mut packet).ok()?;
        packet.data().map(<[u8]>::to_vec)
    }

    /// Copies the picture into a frame of FFmpeg's own: its scaler may read a little past the end of
    /// rows, which only FFmpeg's buffers allow.
    fn fill(&mut self, view: &PictureView<'_>) {
        let bytes = if view.depth > 8 { 2 } else { 1 };
        copy(&view.luma, bytes, &mut self.source, 0);
        match &view.chroma {
            Some([u, v]) => {
                copy(u, bytes, &mut self.source, 1);
                copy(v, bytes, &mut self.source, 2);
            }
            None => {
                let neutral = (1_u16 << (view.depth - 1)).to_le_bytes();
                for plane in 1..=2 {
                    self.source.data_mut(plane).chunks_mut(bytes).for_each(|sample| {
                        sample.copy_from_slice(&neutral[..sample.len()]);
                    });
                }
            }
        }
    }
}

/// Copies a plane, as many rows and samples as both have.
fn copy(plane: &Plane<'_>, bytes: usize, target: &mut Video, number: usize) {
    let stride = target.stride(number);
    for (y, row) in target.data_mut(number).chunks_mut(stride).enumerate() {
        let from = plane.row(y, bytes);
        let length = from.len().min(row.len());
        row[..length].copy_from_slice(&from[..length]);
    }
}

/// FFmpeg's name for how a picture is laid out; grey ones get chroma planes, because FFmpeg takes all
/// grey pictures for ones of full range.
fn pixel_format(view: &PictureView<'_>) -> Option<Pixel> {
    let shift = |luma: usize, chroma: usize| (0..=2).find(|shift| luma.div_ceil(1 << shift) == chroma);
    let shifts = match &view.chroma {
        Some([u, v]) if (u.width, u.height) == (v.width, v.height) => {
            (shift(view.luma.width, u.width)?, shift(view.luma.height, u.height)?)
        }
        Some(_) => return None,
        None => (1, 1),
    };
    let chroma = match shifts {
        (0, 0) => "444",
        (1, 0) => "422",
        (1, 1) => "420",
        (0, 1) => "440",
        (2, 0) => "411",
        (2, 2) => "410",
        _ => return None,
    };
    let depth = match view.depth {
        8 => String::new(),
        depth @ 9..=16 => format!("{depth}le"),
        _ => return None,
    };
    Pixel::from_str(&format!("yuv{chroma}p{depth}")).ok()
}

/// The size of a thumbnail: even, at least 2 × 2.
fn small((width, height): (u32, u32), pixel_aspect: f64) -> (u32, u32) {
    let aspect = if pixel_aspect.is_finite() && pixel_aspect > 0.0 { pixel_aspect } else { 1.0 };
    let shown = (f64::from(width) * aspect.clamp(ASPECTS.0, ASPECTS.1), f64::from(height));
    let factor = (SIZE_MAX / shown.0.max(shown.1)).min(1.0);
    let even = |length: f64| ((length * factor / 2.0).round() as u32 * 2).clamp(2, SIZE_MAX as u32);
    (even(shown.0), even(shown.1))
}

/// A scaler for one shape.
struct Scaler(NonNull<ffi::SwsContext>);

impl Scaler {
    fn open(shape: Shape) -> Option<Self> {
        // SAFETY: answers null or a context that is ours.
        let scaler = Self(NonNull::new(unsafe { ffi::sws_alloc_context() })?);
        let format = |pixel: Pixel| ffi::AVPixelFormat::from(pixel) as i64;
        let options = [
            (c"srcw", i64::from(shape.from.0)),
            (c"srch", i64::from(shape.from.1)),
            (c"src_format", format(shape.format)),
            (c"src_range", i64::from(shape.full_range)),
            (c"dstw", i64::from(shape.to.0)),
            (c"dsth", i64::from(shape.to.1)),
            (c"dst_format", format(TARGET)),
            (c"dst_range", 1),
            (c"sws_flags", i64::from(ffi::SWS_AREA)),
        ];
        for (name, value) in options {
            // SAFETY: the context is ours and begins with its class; names are terminated.
            let code = unsafe { ffi::av_opt_set_int(scaler.0.as_ptr().cast(), name.as_ptr(), value, 0) };
            if code < 0 {
                return None;
            }
        }
        // SAFETY: the context is ours and has its options; without filters.
        let code = unsafe { ffi::sws_init_context(scaler.0.as_ptr(), ptr::null_mut(), ptr::null_mut()) };
        (code >= 0).then_some(scaler)
    }

    /// Scales between frames of the shape that it was opened for.
    fn scale(&mut self, source: &Video, target: &mut Video) -> Option<()> {
        // SAFETY: both frames were allocated by FFmpeg in the formats and sizes of this context, and
        // live for the call; the target is exclusively borrowed.
        let rows = unsafe {
            let (from, into) = (&*source.as_ptr(), &*target.as_mut_ptr());
            ffi::sws_scale(
                self.0.as_ptr(),
                from.data.as_ptr().cast::<*const u8>(),
                from.linesize.as_ptr(),
                0,
                from.height,
                into.data.as_ptr(),
                into.linesize.as_ptr(),
            )
        };
        (rows > 0).then_some(())
    }
}

impl Drop for Scaler {
    fn drop(&mut self) {
        // SAFETY: ours; freed once.
        unsafe { ffi::sws_freeContext(self.0.as_ptr()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One colour throughout.
    struct Flat {
        size: (usize, usize),
        chroma: Option<(usize, usize)>,
        depth: u8,
        full_range: bool,
        levels: [u16; 3],
    }

    impl Flat {
        /// As an 8-bit picture of 1280 × 720 in 4:2:0 and limited range.
        fn plain(levels: [u16; 3]) -> Self {
            Self { size: (1_280, 720), chroma: Some((640, 360)), depth: 8, full_range: false, levels }
        }

        /// Makes its thumbnail and decodes that again: size, and Y, Cb, Cr of its middle.
        fn seen(&self, aspect: f64) -> ((u32, u32), [u8; 3]) {
            let thumbnail = self.with_view(|view| Thumbnailer::default().make(view, aspect)).expect("is made");
            let picture = decode(&thumbnail.jpeg);
            assert_eq!((picture.width(), picture.height()), (thumbnail.width, thumbnail.height));
            (self::size(&picture), middle(&picture))
        }

        fn with_view<T>(&self, use_it: impl FnOnce(&PictureView<'_>) -> T) -> T {
            let plane = |(width, height): (usize, usize), level: u16| {
                let bytes: Vec<u8> = match self.depth {
                    8 => vec![level as u8; width * height],
                    _ => level.to_le_bytes().repeat(width * height),
                };
                (bytes, width, height)
            };
            let chroma = self.chroma.unwrap_or((1, 1));
            let planes =
                [plane(self.size, self.levels[0]), plane(chroma, self.levels[1]), plane(chroma, self.levels[2])];
            let [luma, u, v] = planes.each_ref().map(|(bytes, width, height)| Plane {
                bytes,
                stride: bytes.len() / height,
                width: *width,
                height: *height,
            });
            let chroma = self.chroma.map(|_| [u, v]);
            use_it(&PictureView { luma, chroma, depth: self.depth, full_range: self.full_range })
        }
    }

    fn size(picture: &Video) -> (u32, u32) {
        (picture.width(), picture.height())
    }

    /// Decodes a JPEG with FFmpeg.
    fn decode(jpeg: &[u8]) -> Video {
        ffmpeg_next::init().expect("FFmpeg starts");
        let codec = ffmpeg_next::decoder::find(Id::MJPEG).expect("there is one");
        let mut decoder = codec::context::Context::new_with_codec(codec)
            .decoder()
            .open_as(codec)
            .expect("opens")
            .video()
            .expect("is one");
        decoder.send_packet(&Packet::copy(jpeg)).expect("is a picture");
        let mut picture = Video::empty();
        decoder.receive_frame(&mut picture).expect("is decoded");
        assert_eq!(picture.format(), Pixel::YUVJ420P);
        picture
    }

    fn middle(picture: &Video) -> [u8; 3] {
        [0, 1, 2].map(|plane| {
            let (y, x) = (picture.plane_height(plane) as usize / 2, picture.plane_width(plane) as usize / 2);
            picture.data(plane)[y * picture.stride(plane) + x]
        })
    }

    #[track_caller]
    fn check(flat: &Flat, expected: [u8; 3]) {
        let (size, colour) = flat.seen(1.0);
        assert_eq!(size, (320, 180));
        let near = colour.iter().zip(&expected).all(|(is, should)| is.abs_diff(*should) <= 2);
        assert!(near, "{colour:?} is not {expected:?}");
    }

    /// Levels of a JPEG for those of limited range: (Y − 16) × 255/219, (C − 128) × 255/224 + 128.
    #[test]
    fn black_white_and_red_keep_their_colour() {
        check(&Flat::plain([16, 128, 128]), [0, 128, 128]);
        check(&Flat::plain([235, 128, 128]), [255, 128, 128]);
        check(&Flat::plain([81, 90, 240]), [76, 85, 255]);
    }

    #[test]
    fn range_depth_and_layout_do_not_change_the_colour() {
        let red = Flat::plain([81, 90, 240]);
        check(&Flat { full_range: true, levels: [76, 85, 255], ..red }, [76, 85, 255]);
        let deep = Flat { depth: 10, levels: [81 << 2, 90 << 2, 240 << 2], ..Flat::plain([0; 3]) };
        check(&deep, [76, 85, 255]);
        check(&Flat { chroma: Some((640, 720)), ..deep }, [76, 85, 255]);
        check(&Flat { chroma: Some((1_280, 720)), levels: [81, 90, 240], depth: 8, ..deep }, [76, 85, 255]);
        check(&Flat { chroma: None, ..Flat::plain([126, 0, 0]) }, [128, 128, 128]);
        check(&Flat { chroma: None, depth: 12, ..Flat::plain([126 << 4, 0, 0]) }, [128, 128, 128]);
    }

    #[test]
    fn a_thumbnail_has_the_shape_of_the_picture_as_it_is_shown() {
        let size = |size: (usize, usize), aspect| {
            let chroma = Some((size.0.div_ceil(2), size.1.div_ceil(2)));
            Flat { size, chroma, ..Flat::plain([100, 128, 128]) }.seen(aspect).0
        };
        assert_eq!(size((720, 576), 64.0 / 45.0), (320, 180), "anamorphic");
        assert_eq!(size((720, 1_280), 1.0), (180, 320), "upright");
        assert_eq!(size((161, 91), 1.0), (162, 92), "small and odd");
        assert_eq!(size((2_048, 64), f64::NAN), (320, 10), "very wide");
    }

    #[test]
    fn one_thumbnailer_serves_pictures_of_all_shapes_with_the_same_bytes() {
        let (wide, red) = (Flat::plain([81, 90, 240]), Flat { chroma: None, ..Flat::plain([60, 0, 0]) });
        let mut thumbnailer = Thumbnailer::default();
        let mut make = |flat: &Flat| flat.with_view(|view| thumbnailer.make(view, 1.0)).expect("is made");
        let first = (make(&wide), make(&wide), make(&red));
        assert_eq!(first.0, first.1);
        assert_eq!((make(&wide), make(&red)), (first.0, first.2));
    }

    #[test]
    fn a_depth_that_no_format_has_gives_no_thumbnail() {
        let odd = Flat { depth: 11, ..Flat::plain([0; 3]) };
        assert!(odd.with_view(|view| Thumbnailer::default().make(view, 1.0)).is_none());
    }
}
