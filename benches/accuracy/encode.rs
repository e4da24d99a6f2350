//! Encodings: codec, bit rate and container of a clip, and the command that makes it.

use std::path::{Path, PathBuf};

use super::common::media::encoded;
use super::common::naive::probe;
use super::source::Source;

/// How pictures and sound are written.
#[derive(Clone, Debug)]
pub(crate) struct Encode {
    /// Part of the names of its clips.
    pub(crate) name: &'static str,
    extension: &'static str,
    /// Pictures a second that an interlaced encoding is fed with.
    fields: Option<f64>,
    /// Filter after the defect: pixel format, weaving of fields.
    picture_filter: &'static str,
    picture: &'static [&'static str],
    sound: &'static [&'static str],
}

const AAC: &[&str] = &["-c:a", "aac", "-b:a", "128k"];
const MP2: &[&str] = &["-c:a", "mp2", "-b:a", "192k"];
const OPUS: &[&str] = &["-c:a", "libopus", "-b:a", "96k"];
const AC3: &[&str] = &["-c:a", "ac3", "-b:a", "448k"];
const PCM: &[&str] = &["-c:a", "pcm_s16le"];

/// H.264 at a bit rate, with a key frame every two seconds.
macro_rules! h264 {
    ($name:literal, $rate:literal, $buffer:literal) => {
        Encode {
            name: $name,
            extension: "mp4",
            fields: None,
            picture_filter: "null",
            picture: &[
                "-c:v", "libx264", "-preset", "veryfast", "-g", "50", "-pix_fmt", "yuv420p", "-b:v", $rate, "-maxrate",
                $rate, "-bufsize", $buffer,
            ],
            sound: AAC,
        }
    };
}

pub(crate) const H264_100K: Encode = h264!("h264-100k", "100k", "200k");
pub(crate) const H264_300K: Encode = h264!("h264-300k", "300k", "600k");
pub(crate) const H264_1M: Encode = h264!("h264-1M", "1M", "2M");
pub(crate) const H264_3M: Encode = h264!("h264-3M", "3M", "6M");
pub(crate) const H264_6M: Encode = h264!("h264-6M", "6M", "12M");

/// H.264 in a transport stream, a key frame every second, no B-frames.
pub(crate) const H264_TS: Encode = Encode {
    name: "h264-ts",
    extension: "ts",
    picture: &[
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-crf",
        "21",
        "-g",
        "25",
        "-bf",
        "0",
        "-sc_threshold",
        "0",
        "-pix_fmt",
        "yuv420p",
    ],
    ..H264_1M
};
/// The same with AC-3.
pub(crate) const H264_AC3_TS: Encode = Encode { name: "h264-ac3-ts", sound: AC3, ..H264_TS };
/// H.264 with uncompressed sound, for what must be exact to the sample.
pub(crate) const H264_PCM: Encode = Encode {
    name: "h264-pcm",
    extension: "mkv",
    picture: &["-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-g", "50", "-pix_fmt", "yuv420p"],
    sound: PCM,
    ..H264_1M
};
/// H.264 in full range.
pub(crate) const H264_FULL: Encode = Encode {
    name: "h264-full-range",
    extension: "mp4",
    picture_filter: "scale=in_range=tv:out_range=pc,format=yuvj420p",
    picture: &[
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-crf",
        "21",
        "-g",
        "50",
        "-pix_fmt",
        "yuvj420p",
        "-color_range",
        "pc",
    ],
    sound: AAC,
    ..H264_1M
};
/// H.264 quantised so coarsely that its blocks show.
pub(crate) const H264_POOR: Encode = Encode {
    name: "h264-qp45",
    picture: &["-c:v", "libx264", "-preset", "veryfast", "-qp", "45", "-g", "50", "-pix_fmt", "yuv420p"],
    ..H264_1M
};
/// HEVC with 10 bits.
pub(crate) const HEVC_10: Encode = Encode {
    name: "hevc-10",
    picture_filter: "format=yuv420p10le",
    picture: &["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=50:bframes=3"],
    ..H264_1M
};
/// HEVC with 10 bits in a transport stream.
pub(crate) const HEVC_10_TS: Encode = Encode {
    name: "hevc-10-ts",
    extension: "ts",
    picture: &["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=25:bframes=0"],
    ..HEVC_10
};
/// MPEG-2, progressive, with short groups of pictures.
pub(crate) const MPEG2: Encode = Encode {
    name: "mpeg2",
    extension: "ts",
    picture: &["-c:v", "mpeg2video", "-b:v", "3M", "-maxrate", "4M", "-bufsize", "2M", "-g", "15"],
    sound: MP2,
    ..H264_1M
};
/// MPEG-2, interlaced, top field first.
pub(crate) const MPEG2_TFF: Encode = Encode {
    name: "mpeg2-tff",
    fields: Some(50.0),
    picture_filter: "tinterlace=mode=interleave_top,setfield=tff",
    picture: &["-c:v", "mpeg2video", "-b:v", "6M", "-g", "15", "-flags:v", "+ildct+ilme", "-top", "1"],
    ..MPEG2
};
/// MPEG-2, interlaced, bottom field first.
pub(crate) const MPEG2_BFF: Encode = Encode {
    name: "mpeg2-bff",
    picture_filter: "tinterlace=mode=interleave_bottom,setfield=bff",
    picture: &["-c:v", "mpeg2video", "-b:v", "6M", "-g", "15", "-flags:v", "+ildct+ilme", "-top", "0"],
    ..MPEG2_TFF
};
/// MPEG-2 whose top field comes first and whose flag says otherwise.
pub(crate) const MPEG2_WRONG: Encode =
    Encode { name: "mpeg2-wrong-order", picture_filter: "tinterlace=mode=interleave_top,setfield=bff", ..MPEG2_BFF };
/// Woven fields that are coded and flagged as progressive pictures.
pub(crate) const H264_WOVEN: Encode = Encode {
    name: "h264-woven",
    fields: Some(50.0),
    picture_filter: "tinterlace=mode=interleave_top,setfield=prog",
    picture: &["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-g", "50", "-pix_fmt", "yuv420p"],
    ..H264_1M
};
/// Woven fields in the one order, coded by H.264 as the other.
pub(crate) const H264_WRONG: Encode = Encode {
    name: "h264-wrong-order",
    picture_filter: "tinterlace=mode=interleave_top,setfield=bff",
    picture: &[
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-crf",
        "20",
        "-g",
        "50",
        "-pix_fmt",
        "yuv420p",
        "-flags:v",
        "+ildct+ilme",
        "-x264-params",
        "bff=1",
    ],
    ..H264_WOVEN
};
/// H.264 interlaced as it should be.
pub(crate) const H264_TFF: Encode = Encode {
    name: "h264-tff",
    picture_filter: "tinterlace=mode=interleave_top,setfield=tff",
    picture: &[
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-crf",
        "20",
        "-g",
        "50",
        "-pix_fmt",
        "yuv420p",
        "-flags:v",
        "+ildct+ilme",
        "-x264-params",
        "tff=1",
    ],
    ..H264_WOVEN
};
/// VP9 and Opus.
pub(crate) const VP9: Encode = Encode {
    name: "vp9",
    extension: "webm",
    picture: &["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M", "-g", "50"],
    sound: OPUS,
    ..H264_1M
};

/// Sound alone.
macro_rules! sound {
    ($name:literal, $extension:literal, $codec:expr) => {
        Encode { name: $name, extension: $extension, fields: None, picture_filter: "", picture: &[], sound: $codec }
    };
}

pub(crate) const ONLY_PCM: Encode = sound!("pcm", "wav", PCM);
pub(crate) const ONLY_AAC: Encode = sound!("aac", "m4a", AAC);
pub(crate) const ONLY_MP2: Encode = sound!("mp2", "ts", MP2);
pub(crate) const ONLY_OPUS: Encode = sound!("opus", "ogg", OPUS);
pub(crate) const ONLY_AC3: Encode = sound!("ac3", "ts", AC3);

/// How much later the pictures of a transport stream begin than its sound, in seconds.
///
/// Encoders of sound put a block before the first sample, and a transport stream has no way to say
/// so; reports count from the first frame of any track.
pub(crate) fn late(path: &Path) -> f64 {
    if path.extension().is_none_or(|extension| extension != "ts") {
        return 0.0;
    }
    let start = |track: &str| probe(path, track, "start_time").parse::<f64>().ok();
    match (start("v:0"), start("a:0")) {
        (Some(pictures), Some(sound)) => (pictures - sound).max(0.0),
        _ => 0.0,
    }
}

impl Encode {
    /// Makes the clip of a source, with filters after its pictures and its sound.
    pub(crate) fn cook(&self, name: &str, source: &Source, picture: &str, sound: &str) -> PathBuf {
        let mut arguments: Vec<String> = Vec::new();
        for input in &source.inputs {
            arguments.extend(["-i".to_owned(), input.display().to_string()]);
        }
        let mut graphs = Vec::new();
        let mut encode: Vec<&str> = Vec::new();
        if let Some(pictures) = source.pictures.as_ref().filter(|_| !self.picture.is_empty()) {
            let rate = self.fields.unwrap_or(pictures.fps).to_string();
            let graph = pictures.graph.replace("RATE", &rate);
            graphs.push(format!("{graph},{picture},{}[v]", self.picture_filter));
            arguments.extend(["-map".to_owned(), "[v]".to_owned()]);
            encode.extend(self.picture);
        }
        if let Some(heard) = source.sound.as_ref().filter(|_| !self.sound.is_empty()) {
            // Encoders take blocks of their own size only, the last one excepted.
            graphs.push(format!("{},{sound},asetnsamples=n={}:p=0[a]", heard.0, self.block()));
            arguments.extend(["-map".to_owned(), "[a]".to_owned()]);
            encode.extend(self.sound);
        }
        arguments.extend(["-filter_complex".to_owned(), graphs.join(";")]);
        arguments.extend(["-t".to_owned(), source.seconds.to_string()]);
        arguments.extend(encode.iter().map(|word| (*word).to_owned()));
        encoded(name, self.extension, &arguments)
    }

    /// Samples in a block of the sound's codec.
    fn block(&self) -> u32 {
        match self.sound.get(1) {
            Some(&"mp2") => 1_152,
            Some(&"libopus") => 960,
            Some(&"ac3") => 1_536,
            Some(_) | None => 1_024,
        }
    }

    /// Pictures a second of the clips.
    pub(crate) fn fps(&self, source: &Source) -> f64 {
        match (self.fields, &source.pictures) {
            (Some(fields), _) => fields / 2.0,
            (None, Some(pictures)) => pictures.fps,
            (None, None) => 25.0,
        }
    }
}
