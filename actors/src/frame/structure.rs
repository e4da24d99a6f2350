//! Facts about the structure of a picture: seams of coded blocks, sharpness, flashes, test patterns,
//! gamut, fields and captions.
//!
//! Plain data like all facts. What is dear is measured at a rate of its own; such facts say with
//! `measured` whether they are of this picture.

/// Seams on the grid of coded blocks, and areas that a decoder filled for want of anything better.
///
/// The *step* of a side of a block is the mean absolute difference across it, less the mean of the
/// differences just before and just behind it; a side of 16 pixels is a *seam* when its step exceeds
/// 10 levels. A block is *torn* when two or more of its sides are seams, and none was in the picture
/// before. Content tears as many blocks of any grid; damage tears those that were coded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SeamFacts {
    /// Whether blocks were looked at in this picture; grey areas always are.
    pub measured: bool,
    /// Torn blocks on the grid of 16 × 16 pixels, against the last picture that was looked at; none if there was none.
    pub torn: u32,
    /// Blocks of that grid.
    pub blocks: u32,
    /// Torn blocks on the grid shifted by 8 pixels in both directions, which only content tears.
    pub torn_shifted: u32,
    /// Blocks of that grid.
    pub blocks_shifted: u32,
    /// Share of the area that is mid-grey in all planes: what decoders put for missing references.
    pub grey_share: f32,
}

impl SeamFacts {
    /// Torn blocks beyond those that content tears, as a share of all blocks.
    pub fn excess(&self) -> f32 {
        let share = |torn: u32, blocks: u32| torn as f32 / blocks.max(1) as f32;
        share(self.torn, self.blocks) - share(self.torn_shifted, self.blocks_shifted)
    }

    /// The standard deviation of [`Self::excess`] by chance, if content tore all of them.
    pub fn chance(&self) -> f32 {
        ((self.torn + self.torn_shifted + 1) as f32).sqrt() / self.blocks.max(1) as f32
    }
}

/// How sharp a picture is. All numbers are 0 for a picture without any detail.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SharpnessFacts {
    /// Whether it was looked at in this picture.
    pub measured: bool,
    /// Mean absolute difference at a distance of one pixel over that at four pixels, along rows:
    /// about 0.35 and more for sharp pictures, below 0.28 for blurred ones, 0.25 for ramps.
    pub across: f32,
    /// The same along columns.
    pub down: f32,
    /// Mean absolute difference at four pixels, in levels: how much detail there is to judge.
    pub detail: f32,
}

/// Changes of luminance that viewers would see as halves of flashes (ITU-R BT.1702).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FlashFacts {
    /// Share of the area whose luminance has risen by 20 cd/m² or more since its last low, the low
    /// being below 160 cd/m², told at the picture at which that is so first.
    pub up_share: f32,
    /// The same for falls since the last high.
    pub down_share: f32,
    /// Share of the area that turned to saturated red at this picture.
    pub red_on_share: f32,
    /// Share of the area that turned away from it.
    pub red_off_share: f32,
}

/// What a test pattern would show.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PatternFacts {
    /// Colour bars found side by side in the standard order (white, yellow, cyan, green, magenta, red, blue).
    pub bars: u8,
    /// Share of the width that they cover.
    pub bars_share: f32,
}

/// Levels outside the preferred range (EBU R 103).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GamutFacts {
    /// The other values are of this picture.
    pub measured: bool,
    /// Share of the area whose luma is below 5 or above 246.
    pub luma_share: f32,
    /// Share of the area of which red, green or blue is below 5 or above 246.
    pub rgb_share: f32,
}

/// How the two fields of a picture differ where it moves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FieldFacts {
    /// The other values are of this picture.
    pub measured: bool,
    /// Blocks that moved since the previous picture, of those that were looked at.
    pub moving_share: f32,
    /// Share of the moving blocks whose lines differ more from their neighbours than from the lines beyond, and that are
    /// not the previous picture's a line or two higher or lower.
    pub combed_share: f32,
    /// How badly this picture's top lines fit between the previous picture's bottom lines, in levels, over moving blocks.
    pub top_misfit: f32,
    /// The same of this picture's bottom lines and the previous picture's top lines.
    pub bottom_misfit: f32,
    /// How badly a line of this picture fits between its own neighbours, in the same blocks.
    pub own_misfit: f32,
    /// How badly the top lines fit as above, over combed blocks only; 0 where there are none.
    pub combed_top_misfit: f32,
    /// The same of the bottom lines.
    pub combed_bottom_misfit: f32,
}

/// Closed captions that came with a picture (ATSC A/53 Part 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptionFacts {
    /// There was a place for captions.
    pub carried: bool,
    /// There was something in it other than padding.
    pub spoken: bool,
}
