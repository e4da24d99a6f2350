//! Adopting: decoded FFmpeg frames as pictures and samples of our own, by reference.
//!
//! Everything that FFmpeg says about a frame's memory is checked here, once, against the buffers
//! that hold it; behind this edge there are slices. Used on the session's thread; what it hands out
//! may be read on any thread and is never written again.

mod convert;
mod picture;
mod sound;

pub(crate) use picture::{Adopter, HeldPicture, SharedPicture, is_full_range, pixel_format_name};
pub(crate) use sound::{Block, OwnedSamples, describe_layout};

/// Why a frame cannot be looked at. It is counted as a decoder error.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AdoptError {
    #[error("a plane lies outside its buffer")]
    OutOfBounds,
    #[error("unknown format {0}")]
    UnknownFormat(i32),
    #[error("the format cannot be converted ({0})")]
    Conversion(i32),
    #[error("out of memory")]
    Memory,
}
