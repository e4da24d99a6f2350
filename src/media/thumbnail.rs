//! Thumbnails: small pictures as JPEG files, by FFmpeg's MJPEG encoder.
//!
//! A [`Thumbnailer`] is owned by whoever records a session or serves live pictures, and runs on its
//! thread. It keeps the encoder between pictures of one size. A picture that cannot be made small gives
//! none; nothing fails because of it.

use avwatch_actors::frame::PictureView;
use ffmpeg_next::codec::{self, Id};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;
use ffmpeg_next::util::color::Range;
use ffmpeg_next::{Packet, Rational, ffi};

use super::small_picture::SmallPicture;

/// FFmpeg's quantiser, 1 (best) to 31.
const QUALITY: i32 = 5;
/// The format of a JPEG: of full range, as the encoder is told.
const TARGET: Pixel = Pixel::YUV420P;
/// Encoders that are kept, each for one size.
const ENCODERS_MAX: usize = 8;

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

/// Makes thumbnails.
#[derive(Default)]
pub struct Thumbnailer {
    /// The one that was used last comes last.
    works: Vec<Works>,
}

/// An encoder for pictures of one size.
struct Works {
    size: (u32, u32),
    encoder: codec::encoder::video::Encoder,
    count: i64,
}

impl Thumbnailer {
    /// Makes a thumbnail of at most 320 × 320 pixels, never larger than the picture; `pixel_aspect` is
    /// the width of a pixel over its height. Nothing when FFmpeg refuses.
    pub fn make(&mut self, view: &PictureView<'_>, pixel_aspect: f64) -> Option<Thumbnail> {
        self.encode(&SmallPicture::of(view, pixel_aspect)?)
    }

    /// Makes a JPEG file of a small picture. Nothing when FFmpeg refuses.
    pub fn encode(&mut self, picture: &SmallPicture) -> Option<Thumbnail> {
        let size = (picture.width, picture.height);
        let known = self.works.iter().position(|works| works.size == size);
        let mut works = match known {
            Some(place) => self.works.remove(place),
            None => Works::open(size)?,
        };
        // An encoder that refused once is not asked again.
        let jpeg = works.make(picture)?;
        if self.works.len() >= ENCODERS_MAX {
            self.works.remove(0);
        }
        self.works.push(works);
        Some(Thumbnail { width: size.0, height: size.1, jpeg })
    }
}

impl Works {
    fn open(size: (u32, u32)) -> Option<Self> {
        let codec = codec::encoder::find(Id::MJPEG)?;
        let mut encoder = codec::context::Context::new_with_codec(codec).encoder().video().ok()?;
        encoder.set_width(size.0);
        encoder.set_height(size.1);
        encoder.set_format(TARGET);
        encoder.set_color_range(Range::JPEG);
        encoder.set_time_base(Rational(1, 1));
        // BITEXACT keeps FFmpeg's version out of the file.
        encoder.set_flags(codec::Flags::QSCALE | codec::Flags::BITEXACT);
        encoder.set_global_quality(QUALITY * ffi::FF_QP2LAMBDA);
        let encoder = encoder.open_as(codec).ok()?;
        Some(Self { size, encoder, count: 0 })
    }

    fn make(&mut self, picture: &SmallPicture) -> Option<Vec<u8>> {
        let mut frame = Video::new(TARGET, self.size.0, self.size.1);
        for (number, plane) in picture.planes.iter().enumerate() {
            let (stride, width) = (frame.stride(number), frame.plane_width(number) as usize);
            let rows = frame.data_mut(number).chunks_mut(stride).zip(plane.chunks_exact(width));
            rows.for_each(|(into, row)| into[..width].copy_from_slice(row));
        }
        frame.set_color_range(Range::JPEG);
        frame.set_pts(Some(self.count));
        self.count += 1;
        // SAFETY: the frame is ours and exclusively borrowed; the field is a plain number.
        unsafe { (*frame.as_mut_ptr()).quality = QUALITY * ffi::FF_QP2LAMBDA };
        self.encoder.send_frame(&frame).ok()?;
        let mut packet = Packet::empty();
        self.encoder.receive_packet(&mut packet).ok()?;
        packet.data().map(<[u8]>::to_vec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use avwatch_actors::frame::Plane;

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
    fn sizes_beyond_those_that_are_kept_are_served_too() {
        let mut thumbnailer = Thumbnailer::default();
        for width in (64..).step_by(16).take(3 * ENCODERS_MAX) {
            let flat = Flat { size: (width, 64), chroma: None, ..Flat::plain([100, 0, 0]) };
            let made = flat.with_view(|view| thumbnailer.make(view, 1.0)).expect("is made");
            assert_eq!(decode(&made.jpeg).width(), made.width);
        }
        assert_eq!(thumbnailer.works.len(), ENCODERS_MAX);
    }

    #[test]
    fn a_depth_that_no_picture_has_gives_no_thumbnail() {
        let odd = Flat { depth: 11, ..Flat::plain([0; 3]) };
        let make = |view: &PictureView<'_>, depth| Thumbnailer::default().make(&PictureView { depth, ..*view }, 1.0);
        assert!(odd.with_view(|view| make(view, 7)).is_none());
        assert!(odd.with_view(|view| make(view, 17)).is_none());
        assert!(odd.with_view(|view| make(view, 11)).is_some());
    }
}
