//! The inventory: what FFmpeg says an input holds, read once into plain data of our own.
//!
//! Owned by the session, read on its thread. Nothing here is trusted: texts are read as bytes and
//! cleaned, lists are bounded, null pointers are skipped. It never decodes.

use std::ffi::CStr;

use avwatch_actors::track::{AudioFormat, VideoFormat};
use ffmpeg_next::ffi;

use super::adopt::{describe_layout, pixel_format_name};

/// Longest text from a container that is kept, in bytes.
const TEXT_BYTES_MAX: usize = 256;
/// Most programmes that are looked at.
const PROGRAMS_MAX: usize = 256;

/// What an elementary stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
    /// Subtitles, captions, teletext.
    Subtitle,
    /// Anything else with a clock of its own.
    Data,
    /// Cover art, fonts and other attachments: never inspected.
    Attachment,
}

/// One elementary stream as the demuxer describes it.
#[derive(Clone, Debug)]
pub(crate) struct StreamEntry {
    /// Number within the demuxer.
    pub index: usize,
    /// PID or the container's own number; 0 when it has none.
    pub id: u32,
    pub kind: Kind,
    pub codec: String,
    /// Seconds per tick as numerator and denominator.
    pub base: (i32, i32),
    /// Bits of the timestamp counter, when it wraps.
    pub wrap_bits: Option<u32>,
    /// Pictures a second, 0 when unknown.
    pub frame_rate: f64,
    /// Pictures come at one steady rate, as far as the container tells.
    pub steady: bool,
    pub language: Option<String>,
    pub role: Option<&'static str>,
    /// Start and length in ticks that header or index declare; nothing where they are only estimated.
    pub declared: Option<(i64, i64)>,
    /// What the container says of the pictures, when it does.
    pub video: Option<VideoFormat>,
    /// What the container says of the sound, when it does.
    pub audio: Option<AudioFormat>,
}

/// One programme (service) or one variant of an adaptive stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProgramEntry {
    pub number: u32,
    /// Bandwidth in bits a second: only variants of adaptive streams have one.
    pub bandwidth: Option<u64>,
    /// Indexes of its streams.
    pub streams: Vec<usize>,
}

/// Everything that the demuxer knows of an input.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inventory {
    pub programs: Vec<ProgramEntry>,
    pub streams: Vec<StreamEntry>,
}

impl Inventory {
    /// Reads the tables of an open input; `streams_max` bounds how many streams are looked at.
    ///
    /// # Safety
    /// `context` must be an open input that no other thread uses during the call.
    pub(crate) unsafe fn read(context: *mut ffi::AVFormatContext, streams_max: u32) -> Self {
        let mut inventory = Self::default();
        // SAFETY: by the caller's promise; FFmpeg keeps `nb_streams` valid pointers in `streams`.
        unsafe {
            let count = ((*context).nb_streams).min(streams_max) as usize;
            let method = (*context).duration_estimation_method;
            let is_declared = method == ffi::AVDurationEstimationMethod::AVFMT_DURATION_FROM_STREAM;
            for index in 0..count {
                let stream = *(*context).streams.add(index);
                if !stream.is_null() && !(*stream).codecpar.is_null() {
                    let mut entry = read_stream(stream, index);
                    // Matroska says only how long the whole lasts, counted from time 0.
                    let whole = || of_whole(context, entry.base).map(|lasts| (0, lasts));
                    entry.declared = entry.declared.or_else(whole).filter(|_| is_declared);
                    inventory.streams.push(entry);
                }
            }
            for number in 0..((*context).nb_programs as usize).min(PROGRAMS_MAX) {
                let program = *(*context).programs.add(number);
                if !program.is_null() {
                    inventory.programs.push(read_program(program, count));
                }
            }
        }
        inventory
    }
}

/// Tells the demuxer which streams to deliver; the others are not even assembled.
///
/// # Safety
/// `context` must be an open input that no other thread uses during the call.
pub(crate) unsafe fn deliver_only(context: *mut ffi::AVFormatContext, wanted: impl Fn(usize) -> bool) {
    use ffi::AVDiscard::{AVDISCARD_ALL, AVDISCARD_DEFAULT};
    // SAFETY: by the caller's promise; `discard` is a plain field that users may set at any time.
    unsafe {
        for index in 0..(*context).nb_streams as usize {
            let stream = *(*context).streams.add(index);
            if !stream.is_null() {
                (*stream).discard = if wanted(index) { AVDISCARD_DEFAULT } else { AVDISCARD_ALL };
            }
        }
        for number in 0..(*context).nb_programs as usize {
            let program = *(*context).programs.add(number);
            if program.is_null() || (*program).nb_stream_indexes == 0 {
                continue;
            }
            let streams = std::slice::from_raw_parts((*program).stream_index, (*program).nb_stream_indexes as usize);
            let any = streams.iter().any(|index| wanted(*index as usize));
            (*program).discard = if any { AVDISCARD_DEFAULT } else { AVDISCARD_ALL };
        }
    }
}

/// How long the whole input lasts by its header, in a stream's ticks.
///
/// SAFETY of the callers: `context` is an open input.
unsafe fn of_whole(context: *const ffi::AVFormatContext, base: (i32, i32)) -> Option<i64> {
    // SAFETY: by the caller's promise.
    let lasts = unsafe { (*context).duration };
    let (num, den) = (i128::from(base.0), i128::from(base.1));
    if lasts <= 0 || num <= 0 || den <= 0 {
        return None;
    }
    i64::try_from(i128::from(lasts) * den / (num * i128::from(ffi::AV_TIME_BASE))).ok()
}

/// SAFETY of the callers: `stream` and its `codecpar` are not null.
unsafe fn read_stream(stream: *mut ffi::AVStream, index: usize) -> StreamEntry {
    // SAFETY: checked by the caller; the fields are plain data.
    unsafe {
        let parameters = &*(*stream).codecpar;
        let disposition = (*stream).disposition;
        let attachment = disposition & (ffi::AV_DISPOSITION_ATTACHED_PIC | ffi::AV_DISPOSITION_STILL_IMAGE) != 0;
        let kind = match parameters.codec_type {
            _ if attachment => Kind::Attachment,
            ffi::AVMediaType::AVMEDIA_TYPE_VIDEO => Kind::Video,
            ffi::AVMediaType::AVMEDIA_TYPE_AUDIO => Kind::Audio,
            ffi::AVMediaType::AVMEDIA_TYPE_SUBTITLE => Kind::Subtitle,
            ffi::AVMediaType::AVMEDIA_TYPE_DATA => Kind::Data,
            _ => Kind::Attachment,
        };
        let average = ratio((*stream).avg_frame_rate);
        let lowest = ratio((*stream).r_frame_rate);
        let frame_rate = if average > 0.0 { average } else { lowest };
        let frame_rate = if frame_rate <= 1000.0 { frame_rate } else { 0.0 };
        let bits = (*stream).pts_wrap_bits;
        let (start, lasts) = ((*stream).start_time, (*stream).duration);
        let start = if start == ffi::AV_NOPTS_VALUE { 0 } else { start };
        StreamEntry {
            index,
            id: u32::try_from((*stream).id).unwrap_or(0),
            kind,
            codec: codec_name(parameters.codec_id),
            base: ((*stream).time_base.num, (*stream).time_base.den),
            wrap_bits: u32::try_from(bits).ok().filter(|bits| (16..63).contains(bits)),
            frame_rate,
            steady: is_steady(average, lowest),
            language: text((*stream).metadata, c"language").filter(|code| code != "und"),
            role: role_of(disposition),
            declared: (lasts > 0).then_some((start, lasts)),
            video: video_format(parameters, frame_rate, kind),
            audio: audio_format(parameters, kind),
        }
    }
}

fn video_format(parameters: &ffi::AVCodecParameters, frame_rate: f64, kind: Kind) -> Option<VideoFormat> {
    use ffi::AVFieldOrder::{AV_FIELD_PROGRESSIVE, AV_FIELD_UNKNOWN};
    if kind != Kind::Video || parameters.width <= 0 || parameters.height <= 0 {
        return None;
    }
    let aspect = ratio(parameters.sample_aspect_ratio);
    Some(VideoFormat {
        width: parameters.width.unsigned_abs(),
        height: parameters.height.unsigned_abs(),
        frame_rate,
        pixel_format: pixel_format_name(parameters.format),
        interlaced: !matches!(parameters.field_order, AV_FIELD_PROGRESSIVE | AV_FIELD_UNKNOWN),
        full_range: parameters.color_range == ffi::AVColorRange::AVCOL_RANGE_JPEG,
        pixel_aspect: if aspect > 0.0 { aspect } else { 1.0 },
    })
}

fn audio_format(parameters: &ffi::AVCodecParameters, kind: Kind) -> Option<AudioFormat> {
    if kind != Kind::Audio || parameters.sample_rate <= 0 || parameters.ch_layout.nb_channels <= 0 {
        return None;
    }
    let (layout, roles) = describe_layout(&parameters.ch_layout);
    Some(AudioFormat {
        sample_rate: parameters.sample_rate.unsigned_abs(),
        channels: u16::try_from(parameters.ch_layout.nb_channels).unwrap_or(u16::MAX),
        layout,
        roles,
    })
}

/// SAFETY of the callers: `program` is not null.
unsafe fn read_program(program: *mut ffi::AVProgram, stream_count: usize) -> ProgramEntry {
    // SAFETY: checked by the caller; `stream_index` holds `nb_stream_indexes` numbers, or is null with none.
    unsafe {
        let count = (*program).nb_stream_indexes as usize;
        let streams = if count == 0 { &[][..] } else { std::slice::from_raw_parts((*program).stream_index, count) };
        ProgramEntry {
            number: u32::try_from((*program).id).unwrap_or(0),
            bandwidth: text((*program).metadata, c"variant_bitrate").and_then(|number| number.parse().ok()),
            streams: streams.iter().map(|index| *index as usize).filter(|index| *index < stream_count).collect(),
        }
    }
}

/// A container whose average rate is its base rate, or half of it (fields), is steady.
fn is_steady(average: f64, lowest: f64) -> bool {
    if average <= 0.0 || lowest <= 0.0 {
        return true;
    }
    let times = lowest / average;
    (times - 1.0).abs() < 0.02 || (times - 2.0).abs() < 0.02
}

/// The name of a codec in FFmpeg's words.
pub(crate) fn codec_name(id: ffi::AVCodecID) -> String {
    if id == ffi::AVCodecID::AV_CODEC_ID_NONE {
        return String::new();
    }
    // SAFETY: FFmpeg answers every id with a static, terminated ASCII string.
    unsafe { CStr::from_ptr(ffi::avcodec_get_name(id)) }.to_string_lossy().into_owned()
}

/// A ratio as a number; 0 when it is none.
pub(crate) fn ratio(value: ffi::AVRational) -> f64 {
    if value.num <= 0 || value.den <= 0 { 0.0 } else { f64::from(value.num) / f64::from(value.den) }
}

fn role_of(disposition: i32) -> Option<&'static str> {
    const ROLES: [(i32, &str); 7] = [
        (ffi::AV_DISPOSITION_VISUAL_IMPAIRED, "descriptions"),
        (ffi::AV_DISPOSITION_HEARING_IMPAIRED, "hearing_impaired"),
        (ffi::AV_DISPOSITION_COMMENT, "commentary"),
        (ffi::AV_DISPOSITION_CLEAN_EFFECTS, "clean_effects"),
        (ffi::AV_DISPOSITION_KARAOKE, "karaoke"),
        (ffi::AV_DISPOSITION_DUB, "dub"),
        (ffi::AV_DISPOSITION_LYRICS, "lyrics"),
    ];
    ROLES.iter().find(|(bit, _)| disposition & bit != 0).map(|(_, name)| *name)
}

/// A metadata value, cleaned; absent when there is none or nothing printable in it.
///
/// SAFETY of the callers: `metadata` is null or a dictionary that FFmpeg owns.
unsafe fn text(metadata: *const ffi::AVDictionary, key: &CStr) -> Option<String> {
    // SAFETY: `av_dict_get` takes null for an empty dictionary; values are terminated bytes of any kind.
    let bytes = unsafe {
        let entry = ffi::av_dict_get(metadata, key.as_ptr(), std::ptr::null(), 0);
        if entry.is_null() || (*entry).value.is_null() {
            return None;
        }
        CStr::from_ptr((*entry).value).to_bytes()
    };
    clean(bytes)
}

/// Bytes from a container as text: lossy, without control characters, at most 256 bytes.
fn clean(bytes: &[u8]) -> Option<String> {
    let mut cleaned = String::new();
    // The bound before the conversion keeps a megabyte of metadata from being converted first.
    for letter in String::from_utf8_lossy(&bytes[..bytes.len().min(TEXT_BYTES_MAX * 4)]).chars() {
        if letter.is_control() {
            continue;
        }
        if cleaned.len() + letter.len_utf8() > TEXT_BYTES_MAX {
            break;
        }
        cleaned.push(letter);
    }
    (!cleaned.is_empty()).then_some(cleaned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_from_containers_are_cleaned_and_bounded() {
        assert_eq!(clean(b"d\x1b[31meu\n").as_deref(), Some("d[31meu"));
        assert_eq!(clean(b"\xff\xfe").as_deref(), Some("\u{fffd}\u{fffd}"));
        assert_eq!(clean(b"\x00\x07"), None);
        assert_eq!(clean(&[b'x'; 5000]).map(|text| text.len()), Some(TEXT_BYTES_MAX));
    }

    #[test]
    fn field_rates_are_steady_and_mixed_rates_are_not() {
        assert!(is_steady(25.0, 25.0));
        assert!(is_steady(25.0, 50.0));
        assert!(!is_steady(17.3, 90.0));
    }
}
