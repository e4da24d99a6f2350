//! Frames: one decoded picture or block of samples, immutable, with its facts.
//!
//! Made by a session's thread, shared behind `Arc`, dropped wherever the last reader is done.

mod audio;
mod facts;
mod sound_facts;
mod stamp;
mod structure;
mod video;

pub use audio::{AudioFrame, Samples};
pub use facts::{ChromaFacts, DecodeSigns, LumaFacts, MotionFacts, PictureFacts};
pub use sound_facts::{
    CeilingFacts, ChannelHop, Echo, HARMONICS, Harmonic, LoudnessReading, Lull, MainsReading, PairFacts, SoundHop,
    SoundHops, TopFacts,
};
pub use stamp::{Repair, SourceTime, Stamp};
pub use structure::{CaptionFacts, FieldFacts, FlashFacts, GamutFacts, PatternFacts, SeamFacts, SharpnessFacts};
pub use video::{Picture, PictureView, Plane, VideoFrame};
