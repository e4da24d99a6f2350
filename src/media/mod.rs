//! Media: the only place that knows FFmpeg. Bytes, demuxing, decoding, and adopting what comes out
//! as frames of our own.

pub mod address;
pub mod bytes;
mod container;
pub mod demuxer;
mod dictionary;
pub mod ffmpeg_log;
pub mod ffmpeg_version;
mod hls_gate;
mod hls_playlist;
mod interrupt;
mod io_context;
mod log_limit;
mod log_text;
mod mp4_order;
mod opening;
mod reaching;
mod recognise;
pub mod spec;
mod transport_options;
mod white_lists;

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod demuxer_file_tests;
#[cfg(test)]
mod demuxer_network_tests;
#[cfg(test)]
mod hls_tests;
#[cfg(test)]
mod protocol_tests;
#[cfg(test)]
mod test_server;
#[cfg(test)]
mod testing;
