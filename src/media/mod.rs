//! Media: the only place that knows FFmpeg. Bytes, demuxing, decoding, and adopting what comes out
//! as frames of our own.

mod adopt;
mod audio_reader;
mod clock;
#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod decode_tests;
mod decoder;
mod demuxer;
mod ffmpeg_log;
mod inventory;
mod opener;
mod outlet;
mod packet_meter;
mod select;
mod session;
mod signs;
pub mod spec;
mod stamper;
#[cfg(test)]
mod test_media;
mod timeline;
mod track_reader;
mod ts_tap;
mod video_reader;
mod white_lists;

pub use opener::MediaOpener;
