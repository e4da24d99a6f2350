//! Facts: what detectors ask of a picture, measured once in one pass, and what the decoder said.
//!
//! Plain data without pointers, so that measuring could move to another process. Luma and chroma
//! levels are *normalised code values*: 8 bit, limited range, black 16 and white 235, whatever the
//! depth and range of the source, so that no detector needs to know them. Facts are numbers, never
//! judgements.

use super::structure::{CaptionFacts, FieldFacts, FlashFacts, GamutFacts, PatternFacts, SeamFacts, SharpnessFacts};
use crate::media_time::MediaTime;

/// What the decoder and the packets said about a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeSigns {
    /// Decoder errors since the previous frame of the track.
    pub errors: u16,
    /// The decoder concealed parts of this frame.
    pub concealed: bool,
    /// A packet of this frame was marked corrupt by the demuxer (lost or damaged transport packets).
    pub packet_corrupt: bool,
    /// A picture that this one refers to is missing.
    pub reference_missing: bool,
    /// Damage in this frame or in one that it depends on: set from the first evidence until a
    /// key frame or recovery point has been shown cleanly.
    pub damaged: bool,
    /// A random access point (IDR, CRA, intra picture that opens a GOP).
    pub key: bool,
    /// The first key frame of the session has been seen: damage before it is only a late tune-in.
    pub tuned: bool,
}

/// Luma of one picture. Levels in normalised code values; shares are of the active picture (0–1).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LumaFacts {
    /// Mean level.
    pub mean: f32,
    /// Standard deviation.
    pub sigma: f32,
    /// Lowest level among the sampled rows.
    pub min: f32,
    /// Highest level among the sampled rows.
    pub max: f32,
    /// Level below which 1 % of the pixels lie.
    pub p1: f32,
    /// Median level.
    pub p50: f32,
    /// Level below which 99 % of the pixels lie.
    pub p99: f32,
    /// Level below which 99.9 % of the pixels lie.
    pub p999: f32,
    /// Share of pixels at or below the black level that the measurer was told.
    pub dark_share: f32,
    /// Share of pixels more than 24 above that black level and outside learned logo cells.
    pub content_share: f32,
    /// Number of those pixels.
    pub content_pixels: u32,
    /// Number of pixels more than 24 above the black level inside learned logo cells.
    pub logo_pixels: u32,
    /// Mean absolute horizontal difference of neighbouring pixels.
    pub gradient: f32,
    /// Share of the picture's area that is active, bars excluded; 1 when there are none.
    pub active_share: f32,
    /// Height of the bars above and below the active picture, each, in pixels.
    pub bar_rows: u16,
    /// Width of the bars beside it, each, in pixels.
    pub bar_columns: u16,
    /// The picture is bright enough to show where bars end; else those learned last are told.
    pub shows_bars: bool,
}

/// Chroma of one picture. A picture without chroma reads as neutral: 128 and no spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChromaFacts {
    /// Mean of Cb.
    pub mean_u: f32,
    /// Mean of Cr.
    pub mean_v: f32,
    /// Standard deviation of Cb.
    pub sigma_u: f32,
    /// Standard deviation of Cr.
    pub sigma_v: f32,
    /// Share of the area where Y, Cb and Cr are all below 8: what a zeroed buffer looks like.
    pub zero_share: f32,
}

impl Default for ChromaFacts {
    fn default() -> Self {
        Self { mean_u: 128.0, mean_v: 128.0, sigma_u: 0.0, sigma_v: 0.0, zero_share: 0.0 }
    }
}

/// How a picture differs from the previous one and from a reference, in block means.
///
/// The luma plane is divided into about 80 × 45 cells, the chroma planes into up to as many; a
/// cell's mean resists noise and coding.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MotionFacts {
    /// False for the first picture and after a change of size or format: nothing to compare with.
    pub compared: bool,
    /// True when the previous picture had the same pixels in every row that is compared, and the same mean in
    /// every cell.
    pub identical: bool,
    /// Mean absolute luma difference to the previous picture, of a quarter of the rows.
    pub difference: f32,
    /// Number of cells.
    pub cells: u16,
    /// Cells whose mean changed by more than max(4, 6 × noise) since the previous picture, of luma
    /// or of the chroma planes, whichever are more.
    pub active_cells: u16,
    /// Robust estimate of the cells' temporal noise: 1.4826 × median change.
    pub noise: f32,
    /// Largest change of a cell mean, of luma or chroma.
    pub largest: f32,
    /// Share of cells that differ by more than 10 from the reference picture.
    pub drifted_share: f32,
    /// Mean signed difference of the whole picture's level to the reference picture.
    pub drift: f32,
    /// Time since the reference picture, which is replaced when more than 2 % of the cells drifted.
    pub reference_age: MediaTime,
    /// True when this picture became the new reference because too much had drifted.
    pub reference_replaced: bool,
}

/// Everything measured of one picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PictureFacts {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Bits per sample of the source.
    pub depth: u8,
    /// The decoder says that this picture holds two fields.
    pub interlaced: bool,
    /// The decoder says that the top field comes first; says nothing of progressive pictures.
    pub top_first: bool,
    /// What the decoder said.
    pub signs: DecodeSigns,
    /// Luma.
    pub luma: LumaFacts,
    /// Chroma.
    pub chroma: ChromaFacts,
    /// Change.
    pub motion: MotionFacts,
    /// Seams of coded blocks.
    pub seams: SeamFacts,
    /// Sharpness.
    pub sharpness: SharpnessFacts,
    /// Halves of flashes.
    pub flash: FlashFacts,
    /// Test patterns.
    pub pattern: PatternFacts,
    /// Levels outside the preferred range.
    pub gamut: GamutFacts,
    /// Fields.
    pub fields: FieldFacts,
    /// Closed captions.
    pub captions: CaptionFacts,
}
