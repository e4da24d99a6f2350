//! Stand-in for the white lists. Replaced by the real ones when they are merged.

use super::spec::WhiteList;

impl WhiteList {
    /// FFmpeg's `codec_whitelist`.
    pub(in crate::media) fn decoders(self) -> String {
        "h264,hevc,mpeg2video,mpeg1video,mpeg4,vp8,vp9,libdav1d,av1,prores,dnxhd,ffv1,rawvideo,png,mjpeg,aac,aac_latm,mp2,mp3,mp3float,mp2float,ac3,eac3,dca,s302m,opus,vorbis,flac,alac,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s32le,pcm_f32le,pcm_u8,pcm_bluray".to_owned()
    }
}
