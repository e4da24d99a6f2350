//! Media: the only place that knows FFmpeg. Bytes, demuxing, decoding, and adopting what comes out
//! as frames of our own.

pub mod spec;
