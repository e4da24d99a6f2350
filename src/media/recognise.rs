//! What a pile of bytes is: the first look at an input, before any demuxer runs.
//!
//! FFmpeg's probing takes text for subtitles and noise for raw audio; here its guess is judged by
//! score and white list, and everything refused gets a cause that a person understands.

use std::ffi::{CStr, CString};
use std::ptr::{null, null_mut};

use avwatch_actors::source::SourceError;
use ffmpeg_next::ffi;

use crate::media::container::Code;
use crate::media::io_context::IoContext;
use crate::media::spec::WhiteList;

/// Guesses of FFmpeg at or below this are chance: noise reaches it, real streams do not.
const SCORE_MIN: i32 = 10;

/// Most bytes that recognising may read.
const PROBE_BYTES_MAX: u32 = 1 << 20;

/// Formats that lead to other inputs; they are opened in ways of their own.
const LEADING_ELSEWHERE: [&str; 4] = ["hls", "dash", "rtsp", "webvtt"];

/// How archives and compressed files begin: ZIP, gzip, 7z, xz, Zstandard, bzip2, RAR. FFmpeg would find
/// a transport stream that lies in one as it is.
const PACKED: [&[u8]; 7] = [
    b"PK\x03\x04",
    b"\x1f\x8b\x08",
    b"7z\xbc\xaf\x27\x1c",
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",
    b"BZh",
    b"Rar!\x1a\x07",
];

/// What the first bytes already show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::media) enum Head {
    /// Nothing came at all.
    Empty,
    /// An HLS playlist.
    Playlist,
    /// A DASH manifest.
    Manifest,
    /// Some text, such as a web page or a log.
    Text,
    /// An archive or a compressed file, in which media may lie but not be looked at.
    Packed,
    /// Anything else: to be probed.
    Binary,
}

impl Head {
    /// Looks at the first bytes of an input.
    pub(in crate::media) fn of(bytes: &[u8]) -> Self {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if text.is_empty() {
            return Self::Empty;
        }
        if text.starts_with(b"#EXTM3U") {
            return Self::Playlist;
        }
        if PACKED.iter().any(|magic| bytes.starts_with(magic)) {
            return Self::Packed;
        }
        let start = &text[..text.len().min(1_024)];
        if !start.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..=0xff)) {
            return Self::Binary;
        }
        if start.windows(4).any(|window| window == b"<MPD") {
            return Self::Manifest;
        }
        // Valid UTF-8 up to a character cut off at the end.
        let valid = std::str::from_utf8(start).map_or_else(|error| error.error_len().is_none(), |_| true);
        if valid { Self::Text } else { Self::Binary }
    }
}

/// Asks FFmpeg what the bytes are, and holds its answer against score and white list.
///
/// `file_name` may help the guess by its extension. Reading rewinds itself.
pub(in crate::media) fn recognise(
    io: &IoContext,
    file_name: &str,
    list: WhiteList,
    what: &str,
) -> Result<*const ffi::AVInputFormat, SourceError> {
    let not_media = |why: String| SourceError::NotMedia { what: what.to_owned(), why };
    let name = CString::new(file_name).unwrap_or_default();
    let mut format = null();
    // SAFETY: a living AVIOContext, a valid text, a pointer of ours to fill in.
    let score =
        unsafe { ffi::av_probe_input_buffer2(io.raw(), &mut format, name.as_ptr(), null_mut(), 0, PROBE_BYTES_MAX) };
    if score < 0 && score != ffi::AVERROR_INVALIDDATA && score != ffi::AVERROR_EOF {
        return Err(SourceError::Read { what: what.to_owned(), why: Code(score).words() });
    }
    if format.is_null() || score <= SCORE_MIN {
        return Err(not_media("no audio or video format was recognised in it".to_owned()));
    }
    // SAFETY: formats are static, and so are their names.
    let names = unsafe { CStr::from_ptr((*format).name) }.to_string_lossy();
    if LEADING_ELSEWHERE.iter().any(|other| names.split(',').any(|name| name == *other)) {
        return Err(not_media(format!("it is {names}, which cannot be read from a file or pipe")));
    }
    if !list.allows_format(&names) {
        let why = format!("it looks like '{names}', which is not on the white list '{}' of containers", list.name());
        return Err(SourceError::Forbidden { what: what.to_owned(), why });
    }
    Ok(format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_playlists_manifests_and_text() {
        assert_eq!(Head::of(b""), Head::Empty);
        assert_eq!(Head::of(b"\xef\xbb\xbf"), Head::Empty);
        assert_eq!(Head::of(b"\xef\xbb\xbf#EXTM3U\n"), Head::Playlist);
        assert_eq!(Head::of(b"<?xml version=\"1.0\"?>\n<MPD xmlns="), Head::Manifest);
        assert_eq!(Head::of(b"<html>404 \xc3\xa4"), Head::Text);
        assert_eq!(Head::of("größe".repeat(300).as_bytes()), Head::Text);
        assert_eq!(Head::of(&[0x47, 0x40, 0x11, 0x10]), Head::Binary);
        assert_eq!(Head::of(b"PK\x03\x04\x14\x00"), Head::Packed);
        assert_eq!(Head::of(b"\x1f\x8b\x08\x00"), Head::Packed);
        assert_eq!(Head::of(b"\xff\xfb\x90\xc4ab"), Head::Binary);
    }
}
