//! What streams show now: a reading of every second, and a small picture of the last few.
//!
//! A decorator around each stream's opener ([`LiveBoard::watch`]) reads them off the items that pass, on the
//! session's thread; [`LiveStream`] holds the newest of them for whoever asks, who never waits for a
//! stream. Pictures are made small on that thread and coded on one thread for all streams.

mod board;
mod dating;
mod gauge;
mod reading;
mod tap;
mod thumbnails;

#[cfg(test)]
mod tests;

pub use board::{LiveBoard, LiveStream, READINGS_MAX};
pub use gauge::Gauge;
pub use reading::{ChannelLevel, FLOOR_DB, PictureReading, SoundReading, StreamReading};
pub use tap::Pixels;
pub use thumbnails::{LiveThumbnail, STALE_AFTER};
