//! A decoded picture with its facts; the pixels are held by reference.

use std::fmt;

use crate::frame::{PictureFacts, Stamp};

/// One plane of a picture: rows of `width` samples of one or two bytes, `stride` bytes apart.
#[derive(Clone, Copy)]
pub struct Plane<'a> {
    /// The bytes, from the first byte of the top row; at least `stride × (height − 1) + row bytes`.
    pub bytes: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
    /// Samples per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl<'a> Plane<'a> {
    /// The bytes of one row, `bytes_per_sample` (1 or 2) each; empty when the row does not exist.
    pub fn row(&self, y: usize, bytes_per_sample: usize) -> &'a [u8] {
        if y >= self.height {
            return &[];
        }
        let start = y * self.stride;
        self.bytes.get(start..start + self.width * bytes_per_sample).unwrap_or(&[])
    }
}

/// A picture as planes: luma, then Cb and Cr where there are any.
#[derive(Clone, Copy)]
pub struct PictureView<'a> {
    /// Luma.
    pub luma: Plane<'a>,
    /// Cb and Cr; absent for grey pictures.
    pub chroma: Option<[Plane<'a>; 2]>,
    /// Bits per sample, 8 to 16; above 8 each sample is two bytes, little endian, in the low bits.
    pub depth: u8,
    /// Full range (0–255) instead of limited (16–235).
    pub full_range: bool,
}

/// The pixels of a picture, wherever they live. Reading is free of locks.
pub trait Picture: Send + Sync {
    /// A view of the planes.
    fn view(&self) -> PictureView<'_>;
}

/// One decoded picture, immutable, with its facts.
pub struct VideoFrame {
    /// Which frame this is, and when.
    pub stamp: Stamp,
    /// What was measured of it.
    pub facts: PictureFacts,
    picture: Option<Box<dyn Picture>>,
}

impl VideoFrame {
    /// Joins facts and, if a detector asked for them, pixels.
    pub fn new(stamp: Stamp, facts: PictureFacts, picture: Option<Box<dyn Picture>>) -> Self {
        Self { stamp, facts, picture }
    }

    /// The pixels, when a detector of the stream asked for them.
    pub fn picture(&self) -> Option<&dyn Picture> {
        self.picture.as_deref()
    }

    /// Takes the pixels away: the facts go on without them.
    pub fn take_picture(&mut self) -> Option<Box<dyn Picture>> {
        self.picture.take()
    }
}

impl fmt::Debug for VideoFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the pixels: a frame in a log line must stay a line.
        f.debug_struct("VideoFrame").field("stamp", &self.stamp).field("facts", &self.facts).finish_non_exhaustive()
    }
}
