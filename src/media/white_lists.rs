//! White lists: which protocols, containers and decoders FFmpeg may use for an input.
//!
//! Compiled in, no configuration: what is not on a list cannot be reached by hostile bytes, however
//! many holes its code has. `live` is for everything from a network, `wide` for local files.

use crate::media::spec::WhiteList;

/// Containers of live streams.
const LIVE_FORMATS: &[&str] = &[
    "mpegts", "hls", "dash", "mov", "mp4", "flv", "live_flv", "rtsp", "matroska", "webm", "ogg", "mp3", "aac", "loas",
    "ac3", "eac3", "webvtt",
];

/// Containers of finished files, beside those of live streams.
const FILE_FORMATS: &[&str] = &[
    "mxf",
    "wav",
    "w64",
    "aiff",
    "caf",
    "au",
    "flac",
    "avi",
    "asf",
    "mpeg",
    "mpegvideo",
    "h264",
    "hevc",
    "m4v",
    "obu",
    "av1",
    "ivf",
    "vc1",
    "mjpeg",
    "dv",
    "gxf",
    "dts",
    "truehd",
    "nut",
];

/// Decoders of live streams.
const LIVE_DECODERS: &[&str] = &[
    "h264",
    "hevc",
    "mpeg2video",
    "mpeg1video",
    "mpeg4",
    "vp8",
    "vp9",
    "av1",
    "libdav1d",
    "libaom-av1",
    "aac",
    "aac_latm",
    "mp1",
    "mp1float",
    "mp2",
    "mp2float",
    "mp3",
    "mp3float",
    "ac3",
    "eac3",
    "dca",
    "s302m",
    "opus",
    "libopus",
    "vorbis",
    "pcm_alaw",
    "pcm_mulaw",
    "pcm_s16be",
    "pcm_s24be",
    "pcm_bluray",
    "g722",
    "g726",
    "g726le",
];

/// Decoders of finished files, beside those of live streams.
const FILE_DECODERS: &[&str] = &[
    "prores",
    "dnxhd",
    "cfhd",
    "ffv1",
    "v210",
    "rawvideo",
    "dvvideo",
    "jpeg2000",
    "libopenjpeg",
    "mjpeg",
    "vc1",
    "wmv3",
    "theora",
    "h263",
    "flv",
    "flac",
    "alac",
    "truehd",
    "mlp",
    "wmav1",
    "wmav2",
    "wmapro",
    "adpcm_ima_wav",
    "adpcm_ima_qt",
    "adpcm_ms",
    "pcm_dvd",
    "pcm_f16le",
    "pcm_f24le",
    "pcm_f32be",
    "pcm_f32le",
    "pcm_f64be",
    "pcm_f64le",
    "pcm_lxf",
    "pcm_s16be_planar",
    "pcm_s16le",
    "pcm_s16le_planar",
    "pcm_s24le",
    "pcm_s24le_planar",
    "pcm_s32be",
    "pcm_s32le",
    "pcm_s32le_planar",
    "pcm_s64be",
    "pcm_s64le",
    "pcm_s8",
    "pcm_s8_planar",
    "pcm_u8",
    "pcm_u16be",
    "pcm_u16le",
    "pcm_u24be",
    "pcm_u24le",
    "pcm_u32be",
    "pcm_u32le",
];

/// Names that a build of FFmpeg may lack: they need a library that it was not built with.
#[cfg(test)]
const OPTIONAL: &[&str] = &["libdav1d", "libaom-av1", "libopus", "libopenjpeg", "dash"];

impl WhiteList {
    /// The name in messages.
    pub(in crate::media) const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Wide => "wide",
        }
    }

    /// FFmpeg's `format_whitelist`.
    pub(in crate::media) fn formats(self) -> String {
        self.join(LIVE_FORMATS, FILE_FORMATS)
    }

    /// FFmpeg's `codec_whitelist`.
    pub(in crate::media) fn decoders(self) -> String {
        self.join(LIVE_DECODERS, FILE_DECODERS)
    }

    /// Whether a container may be read; one of its comma-separated names on the list is enough.
    pub(in crate::media) fn allows_format(self, names: &str) -> bool {
        names.split(',').any(|name| self.holds(LIVE_FORMATS, FILE_FORMATS, name))
    }

    /// Whether a decoder may be used, by FFmpeg's name of it.
    pub(in crate::media) fn allows_decoder(self, name: &str) -> bool {
        self.holds(LIVE_DECODERS, FILE_DECODERS, name)
    }

    fn join(self, live: &[&str], file: &[&str]) -> String {
        match self {
            Self::Live => live.join(","),
            Self::Wide => [live, file].concat().join(","),
        }
    }

    fn holds(self, live: &[&str], file: &[&str], name: &str) -> bool {
        live.contains(&name) || (self == Self::Wide && file.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use ffmpeg_next::ffi;

    use super::*;

    #[test]
    fn every_listed_container_exists() {
        let mut known = Vec::new();
        let mut cursor = std::ptr::null_mut();
        // SAFETY: the documented way to walk the static list of demuxers; names are static C strings.
        unsafe {
            while let Some(format) = ffi::av_demuxer_iterate(&mut cursor).as_ref() {
                known.push(std::ffi::CStr::from_ptr(format.name).to_str().unwrap().to_owned());
            }
        }
        for name in [LIVE_FORMATS, FILE_FORMATS].concat() {
            let exists = known.iter().any(|names| names.split(',').any(|known| known == name));
            assert!(exists || OPTIONAL.contains(&name), "no demuxer is called {name}");
        }
    }

    #[test]
    fn every_listed_decoder_exists() {
        for name in [LIVE_DECODERS, FILE_DECODERS].concat() {
            let text = CString::new(name).unwrap();
            // SAFETY: a valid C string; the answer is null or static.
            let found = unsafe { !ffi::avcodec_find_decoder_by_name(text.as_ptr()).is_null() };
            assert!(found || OPTIONAL.contains(&name), "no decoder is called {name}");
        }
    }

    #[test]
    fn what_ffmpeg_picks_for_the_common_codecs_is_on_the_live_list() {
        use ffi::AVCodecID::*;
        for id in [
            AV_CODEC_ID_H264,
            AV_CODEC_ID_HEVC,
            AV_CODEC_ID_MPEG2VIDEO,
            AV_CODEC_ID_AV1,
            AV_CODEC_ID_VP8,
            AV_CODEC_ID_VP9,
            AV_CODEC_ID_AAC,
            AV_CODEC_ID_AAC_LATM,
            AV_CODEC_ID_MP2,
            AV_CODEC_ID_MP3,
            AV_CODEC_ID_AC3,
            AV_CODEC_ID_EAC3,
            AV_CODEC_ID_DTS,
            AV_CODEC_ID_S302M,
            AV_CODEC_ID_OPUS,
            AV_CODEC_ID_VORBIS,
        ] {
            // SAFETY: decoders are static, and so are their names.
            let name = unsafe { std::ffi::CStr::from_ptr((*ffi::avcodec_find_decoder(id)).name) };
            assert!(WhiteList::Live.allows_decoder(name.to_str().unwrap()), "{name:?}");
        }
    }

    #[test]
    fn the_wide_list_holds_the_live_one_and_more() {
        assert!(WhiteList::Wide.allows_format("mov,mp4,m4a,3gp,3g2,mj2"));
        assert!(WhiteList::Wide.allows_format("mxf") && !WhiteList::Live.allows_format("mxf"));
        assert!(WhiteList::Wide.allows_decoder("prores") && !WhiteList::Live.allows_decoder("prores"));
        for never in ["magicyuv", "ffwavesynth", "g2m"] {
            assert!(!WhiteList::Wide.allows_decoder(never));
        }
        for never in ["concat", "lavfi", "tedcaptions", "image2", "sdp"] {
            assert!(!WhiteList::Wide.allows_format(never));
        }
    }
}
