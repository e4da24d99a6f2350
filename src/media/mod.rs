//! Media: the only place that knows FFmpeg. Bytes, demuxing, decoding, and adopting what comes out
//! as frames of our own.

pub mod address;
mod adopt;
mod audio_reader;
mod avio_source;
pub mod bare;
pub mod bare_live;
pub mod bytes;
mod captions;
mod clock;
mod coded_size;
mod container;
mod deblocking;
mod decoder;
pub mod demuxer;
mod dictionary;
pub mod ffmpeg_log;
pub mod ffmpeg_version;
mod fields;
pub mod film;
mod group_hold;
pub mod heap;
mod held_bytes;
pub(crate) mod held_packet;
mod hls_ends;
mod hls_gate;
mod hls_lag;
mod hls_playlist;
mod interrupt;
mod inventory;
mod io_context;
mod log_limit;
mod log_text;
mod mp4_order;
mod opener;
mod opening;
mod outlet;
mod packet_meter;
pub mod packet_ring;
mod reaching;
mod recognise;
pub mod remux;
mod ring_feed;
mod rtsp_answer;
mod segments;
mod select;
mod session;
mod signs;
mod size_watch;
mod slices;
pub mod small_picture;
pub mod spec;
mod stamper;
mod thinning;
pub mod thumbnail;
mod timeline;
mod track_reader;
pub(crate) mod transport_options;
pub(crate) mod triage;
mod ts_tables;
mod ts_tap;
mod video_reader;
mod white_lists;

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod damaged_input_tests;
#[cfg(test)]
mod deblocking_tests;
#[cfg(test)]
mod decode_tests;
#[cfg(test)]
mod demuxer_file_tests;
#[cfg(test)]
mod demuxer_network_tests;
#[cfg(test)]
mod field_coded;
#[cfg(test)]
mod hls_lag_tests;
#[cfg(test)]
mod hls_tests;
#[cfg(test)]
mod losses_tests;
#[cfg(test)]
mod protocol_tests;
#[cfg(test)]
mod reach_tests;
#[cfg(test)]
mod test_media;
#[cfg(test)]
mod test_server;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tier_tests;
#[cfg(test)]
mod triage_tests;

pub use opener::MediaOpener;
