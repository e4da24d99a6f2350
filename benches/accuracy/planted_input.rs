//! What is planted in coded streams: damage, missing tracks, time stamps, formats, captions.

use std::fs;
use std::path::PathBuf;

use super::case::{Allowed, Asked, Case, Kind, Made, Make};
use super::common::media::{Planted, derived, encoded};
use super::damage::{Evidence, baked, judged, noise};
use super::defect::{Defect, during};
use super::encode::{Encode, H264_1M, H264_3M, H264_AC3_TS, H264_PCM, H264_TS, HEVC_10, HEVC_10_TS, MPEG2, VP9, late};
use super::material::Material;
use super::menu::Menu;
use super::planted_picture::{edit, land, sky};
use super::source::{Sound, Source, clouds, surround};
use super::transport::{AUDIO_PID, VIDEO_PID, lossy, scrambled, span, without};

pub(super) fn add(menu: &mut Menu, material: &Material) {
    damage(menu, material);
    missing(menu);
    time_stamps(menu);
    formats(menu);
    markers(menu);
    captions(menu, material);
    rates(menu);
}

fn case(name: String, real: bool, make: Make) -> Case {
    Case { name, kind: Kind::Planted, real, asked: None, make }
}

/// The clean twin that a coded clip is made from.
fn twin(source: &Source, encode: &Encode) -> PathBuf {
    encode.cook(&format!("clean.{}.{}", source.name, encode.name), source, "null", "anull")
}

/// How pictures are damaged.
#[derive(Clone, Copy)]
enum Harm {
    /// Packets of a transport stream are lost: of a thousand so many, with a seed.
    Loss(u64, u64),
    /// One byte in so many is another one.
    Noise(u32),
    /// The same, decoded and encoded anew.
    Baked(u32),
}

fn damage(menu: &mut Menu, material: &Material) {
    let mut clips = vec![
        (land(3), &H264_TS, Harm::Loss(60, 1), Evidence::Stream),
        (sky(1), &H264_TS, Harm::Loss(100, 2), Evidence::Stream),
        (edit(3), &H264_TS, Harm::Loss(20, 3), Evidence::Stream),
        (land(3).with_sound("landscape3-surround", surround(2)), &H264_AC3_TS, Harm::Loss(40, 4), Evidence::Stream),
        (land(5), &HEVC_10_TS, Harm::Loss(60, 5), Evidence::Stream),
        (land(6), &MPEG2, Harm::Loss(30, 6), Evidence::Stream),
        (land(3), &H264_TS, Harm::Noise(1_500), Evidence::Stream),
        (land(1), &H264_3M, Harm::Noise(3_000), Evidence::Stream),
        (land(6), &MPEG2, Harm::Noise(2_000), Evidence::Stream),
        (land(4), &HEVC_10, Harm::Noise(2_000), Evidence::Perhaps),
        (land(3), &H264_TS, Harm::Baked(1_500), Evidence::Pictures),
        (edit(3), &H264_3M, Harm::Baked(2_000), Evidence::Pictures),
        (land(7), &H264_TS, Harm::Loss(30, 11), Evidence::Stream),
        (edit(8), &HEVC_10_TS, Harm::Loss(80, 12), Evidence::Stream),
        (sky(9), &H264_TS, Harm::Noise(2_500), Evidence::Stream),
        (land(9), &H264_3M, Harm::Baked(2_500), Evidence::Pictures),
        (sky(6), &H264_TS, Harm::Baked(2_000), Evidence::Pictures),
        (edit(5), &MPEG2, Harm::Loss(40, 13), Evidence::Stream),
    ];
    if let Some(bikes) = material.bikes() {
        clips.push((bikes.clone(), &H264_TS, Harm::Loss(60, 7), Evidence::Stream));
        clips.push((bikes.clone(), &HEVC_10_TS, Harm::Loss(60, 8), Evidence::Stream));
        clips.push((bikes, &H264_3M, Harm::Baked(2_000), Evidence::Pictures));
    }
    if let Some(sintel) = material.sintel() {
        clips.push((sintel.clone(), &H264_TS, Harm::Loss(60, 9), Evidence::Stream));
        clips.push((sintel, &H264_3M, Harm::Baked(2_000), Evidence::Pictures));
    }
    if let Some(carphone) = material.carphone() {
        clips.push((carphone, &H264_TS, Harm::Noise(1_500), Evidence::Stream));
    }
    if let Some(bunny) = material.bunny() {
        clips.push((bunny.clone(), &H264_TS, Harm::Noise(3_000), Evidence::Stream));
        clips.push((bunny, &HEVC_10_TS, Harm::Loss(40, 14), Evidence::Stream));
    }
    for (source, encode, harm, evidence) in clips {
        menu.twin(&source, encode, None);
        let word = match harm {
            Harm::Loss(each, _) => format!("loss-{each}-in-1000"),
            Harm::Noise(amount) => format!("noise-1-in-{amount}"),
            Harm::Baked(amount) => format!("baked-noise-1-in-{amount}"),
        };
        let name = format!("block_corruption-{word}.{}.{}", source.name, encode.name);
        let (real, encode, file) = (source.real, encode.clone(), name.clone());
        let make = move || {
            let clean = twin(&source, &encode);
            let fps = encode.fps(&source);
            // The trailer is black before.
            let (from, to) = if source.name == "sintel" { (5.2, 7.2) } else { (2.6, 4.6) };
            let (first, last) = ((from * fps) as u32, (to * fps) as u32);
            let path = match harm {
                Harm::Loss(each, seed) => {
                    let key = format!("{each} {seed} {from} {to}");
                    derived(&file, &clean, &key, |bytes| lossy(&bytes, VIDEO_PID, (from, to), each, seed))
                }
                Harm::Noise(amount) => noise(&file, &clean, amount, first, last),
                Harm::Baked(amount) => baked(&file, &noise(&format!("{file}-before"), &clean, amount, first, last)),
            };
            judged(path, &clean, source.seconds, fps, evidence)
        };
        menu.cases.push(case(name, real, Box::new(make)));
    }
}

/// What changes the bytes of a track between two times.
type Change = fn(&[u8], u16, f64, f64) -> Vec<u8>;

/// Changes the bytes of a clean transport stream.
fn changed(
    menu: &mut Menu,
    (source, encode): (&Source, &Encode),
    label: &str,
    (track, change): (u16, Change),
    (from, to): (f64, f64),
    told: &[(&'static str, &'static str)],
    allowed: &[(&'static str, &'static str)],
) {
    menu.twin(source, encode, None);
    let name = format!("{label}.{}.{}", source.name, encode.name);
    let (source, encode, file) = (source.clone(), encode.clone(), name.clone());
    let told = told.to_vec();
    let allowed: Vec<Allowed> = allowed.iter().map(|(detector, why)| Allowed::always(detector, why)).collect();
    let real = source.real;
    let make = move || {
        let clean = twin(&source, &encode);
        let path = derived(&file, &clean, &format!("{from} {to}"), |bytes| change(&bytes, track, from, to));
        let bytes = fs::read(&clean).map_err(|error| error.to_string())?;
        let (start, end) = span(&bytes, track, from, to).ok_or("the stream has no such frames")?;
        let truth = told.iter().map(|(detector, track)| Planted { detector, track, start, end }).collect();
        Ok(Made { path, seconds: source.seconds, fps: encode.fps(&source), truth, allowed: allowed.clone() })
    };
    menu.cases.push(case(name, real, Box::new(make)));
}

const LOST: (&str, &str) = ("decode_error", "pictures around the hole lack what they refer to");
const TORN: (&str, &str) = ("block_corruption", "pictures behind the hole refer to others than were meant");
const HOLE: (&str, &str) = ("timestamp", "the hole is a gap in the track's time stamps");
const LAST: (&str, &str) = ("freeze", "nothing but the last picture is to be seen meanwhile");

fn missing(menu: &mut Menu) {
    let video = [("video_missing", "video:0")];
    let audio = [("audio_missing", "audio:0")];
    let seen = [LOST, HOLE, LAST, TORN];
    changed(menu, (&land(3), &H264_TS), "video_missing-hole", (VIDEO_PID, without), (3.0, 6.0), &video, &seen);
    changed(menu, (&land(5), &HEVC_10_TS), "video_missing-hole", (VIDEO_PID, without), (4.0, 7.0), &video, &seen);
    changed(menu, (&land(6), &MPEG2), "video_missing-hole", (VIDEO_PID, without), (3.0, 6.0), &video, &seen);
    changed(menu, (&sky(1), &H264_TS), "video_missing-to-the-end", (VIDEO_PID, without), (6.0, 10.0), &video, &seen);
    changed(menu, (&sky(1), &H264_TS), "video_missing-hole", (VIDEO_PID, without), (2.0, 4.4), &video, &seen);
    changed(menu, (&land(7), &H264_TS), "video_missing-hole", (VIDEO_PID, without), (5.0, 7.2), &video, &seen);
    let heard = [("decode_error", "the blocks of sound around the hole are cut"), HOLE];
    changed(menu, (&land(3), &H264_TS), "audio_missing-hole", (AUDIO_PID, without), (3.0, 6.0), &audio, &heard);
    let theatre = land(3).with_sound("landscape3-surround", surround(2));
    changed(menu, (&theatre, &H264_AC3_TS), "audio_missing-hole", (AUDIO_PID, without), (4.0, 7.0), &audio, &heard);
    changed(menu, (&sky(1), &H264_TS), "audio_missing-to-the-end", (AUDIO_PID, without), (6.0, 10.0), &audio, &heard);
    let told = [("scrambled", "input")];
    let why = "what is scrambled cannot be decoded";
    let allowed = [
        ("video_missing", why),
        ("decode_error", why),
        ("timestamp", why),
        ("block_corruption", why),
        ("freeze", why),
        ("solid_color", why),
    ];
    changed(menu, (&land(3), &H264_TS), "scrambled-video", (VIDEO_PID, scrambled), (3.0, 6.0), &told, &allowed);
    changed(menu, (&land(6), &MPEG2), "scrambled-video", (VIDEO_PID, scrambled), (2.0, 8.0), &told, &allowed);
    changed(menu, (&land(5), &HEVC_10_TS), "scrambled-video", (VIDEO_PID, scrambled), (3.0, 7.0), &told, &allowed);
    changed(menu, (&sky(1), &H264_TS), "scrambled-video", (VIDEO_PID, scrambled), (4.0, 8.0), &told, &allowed);
    changed(menu, (&land(7), &H264_TS), "scrambled-video", (VIDEO_PID, scrambled), (2.0, 5.0), &told, &allowed);
    changed(menu, (&edit(5), &MPEG2), "scrambled-video", (VIDEO_PID, scrambled), (5.0, 9.0), &told, &allowed);
}

/// A jump of time stamps is told where it lands, once for each track.
fn jumps(at: f64, seconds: f64, path: PathBuf) -> Made {
    let truth = vec![Planted { detector: "timestamp", track: "input", start: at, end: at }];
    let why = "nothing is shown or heard while the time stamps jump";
    let mut allowed: Vec<Allowed> = ["video_missing", "audio_missing", "freeze", "decode_error"]
        .map(|detector| Allowed::always(detector, why))
        .into();
    let why = "the tracks jump one after the other, and each is told";
    allowed.push(Allowed { detector: "timestamp", from: at - 0.5, to: at + 1.0, why });
    let late = late(&path);
    Made { path, seconds, fps: 25.0, truth, allowed }.later(late)
}

fn time_stamps(menu: &mut Menu) {
    let gaps: [(&str, f64, Source, &'static Encode); 5] = [
        ("gap-300-ms", 0.3, land(3), &H264_TS),
        ("gap-2-s", 2.0, land(6), &MPEG2),
        ("gap-500-ms", 0.5, sky(1), &H264_TS),
        ("gap-1.2-s", 1.2, land(7), &H264_TS),
        ("gap-700-ms", 0.7, edit(5), &MPEG2),
    ];
    for (label, gap, source, encode) in gaps {
        menu.twin(&source, encode, None);
        let name = format!("timestamp-{label}.{}.{}", source.name, encode.name);
        let file = name.clone();
        let make = move || {
            let clean = twin(&source, encode).display().to_string();
            let step = format!("if(gte(DTS*TB,6.38),{gap}/TB,0)");
            let filter = format!("setts=pts='PTS+{step}':dts='DTS+{step}'");
            let words = ["-i", &clean, "-map", "0", "-c", "copy", "-bsf:v", &filter, "-bsf:a", &filter];
            let path = encoded(&file, "ts", &words.map(str::to_owned));
            Ok(jumps(6.4 + gap, 10.0 + gap, path))
        };
        menu.cases.push(case(name, false, Box::new(make)));
    }
    // The sender starts over: the same five seconds once more, without a word.
    let source = Source { name: "landscape3-5-s".to_owned(), ..land(3).lasting(5.0) };
    let name = format!("timestamp-back-5-s.{}.{}", source.name, H264_TS.name);
    let file = name.clone();
    let make = move || {
        let path = derived(&file, &twin(&source, &H264_TS), "twice", |bytes| [bytes.clone(), bytes].concat());
        Ok(jumps(5.0, 10.0, path))
    };
    menu.cases.push(case(name, false, Box::new(make)));
}

/// Two streams one after the other under the same PIDs.
fn formats(menu: &mut Menu) {
    let smaller = |mut source: Source| {
        source.name += "-480x272";
        if let Some(pictures) = &mut source.pictures {
            pictures.graph += ",scale=480:272";
        }
        source
    };
    let one_channel = |mut source: Source| {
        source.name += "-mono";
        source.sound = source.sound.map(|sound| Sound(sound.0 + ",pan=mono|c0=c0"));
        source
    };
    let clips: [(&str, Source, &'static str, &Encode); 6] = [
        ("size", smaller(land(5)), "video:0", &HEVC_10_TS),
        ("size", smaller(sky(2)), "video:0", &H264_TS),
        ("channels", one_channel(sky(3)), "audio:0", &MPEG2),
        ("size", smaller(land(4)), "video:0", &H264_TS),
        ("size", smaller(land(4)), "video:0", &MPEG2),
        ("channels", one_channel(land(4)), "audio:0", &H264_AC3_TS),
    ];
    for (label, second, track, encode) in clips {
        let first = Source { name: "landscape3-5-s".to_owned(), ..land(3).lasting(5.0) };
        let name = format!("format_change-{label}.{}.{}", second.name, encode.name);
        let (second, file) = (second.lasting(5.0), name.clone());
        let make = move || {
            let before = twin(&first, encode);
            let after = twin(&second, encode).display().to_string();
            let words = ["-i", &after, "-map", "0", "-c", "copy", "-output_ts_offset", "5"].map(str::to_owned);
            let after = encoded(&format!("{file}-second"), "ts", &words);
            let after = fs::read(after).map_err(|error| error.to_string())?;
            let path = derived(&file, &before, "joined", |bytes| [bytes, after].concat());
            let truth = vec![Planted { detector: "format_change", track, start: 5.0, end: 5.0 }];
            let mut allowed = vec![
                Allowed { detector: "decode_error", from: 4.8, to: 5.4, why: "the second stream begins anew" },
                Allowed { detector: "timestamp", from: 4.7, to: 5.4, why: "the seam of the two streams" },
                Allowed {
                    detector: "format_change",
                    from: 4.8,
                    to: 5.4,
                    why: "more than one thing changes at the seam",
                },
            ];
            if label == "channels" {
                allowed.push(Allowed::always("mono", "the second stream has one channel"));
            }
            let late = late(&path);
            Ok(Made { path, seconds: 10.0, fps: 25.0, truth, allowed }.later(late))
        };
        menu.cases.push(case(name, false, Box::new(make)));
    }
}

/// Flash and beep every two seconds, the beep late or early.
fn markers(menu: &mut Menu) {
    let marked = |late: f64| {
        let picture = "color=c=black:s=640x360:r=RATE:d=12,format=yuv420p,\
            drawbox=c=white:t=fill:enable='lt(mod(n,50),2)*gte(n,25)'"
            .to_owned();
        let beep = format!("if(lt(mod(t-{late}+0.000001,2),0.08)*gte(t-{late},1),0.5*sin(2*PI*1000*t),0)");
        let sound = Sound(format!("aevalsrc='{beep}|{beep}':s=48000:d=12"));
        Source::generated(format!("markers-{:+}-ms", late * 1_000.0), Some(picture), Some(sound)).lasting(12.0)
    };
    let why = "markers on black, with silence between them";
    let allow = |defect: Defect| {
        ["black", "freeze", "silence", "mono", "flash", "true_peak", "dropout", "solid_color"]
            .iter()
            .fold(defect, |defect, detector| defect.allow(detector, why))
    };
    let clips: [(f64, &Encode); 6] =
        [(0.12, &H264_PCM), (-0.1, &H264_PCM), (0.2, &H264_3M), (0.16, &H264_3M), (-0.24, &H264_PCM), (-0.3, &H264_3M)];
    for (late, encode) in clips {
        let source = marked(late);
        let name = format!("av_sync-beep.{}.{}", source.name, encode.name);
        // Nothing tells of it before the first pair, whose flash comes at 2 s.
        let defect = allow(Defect::none()).told("av_sync", "input", 2.0 + f64::min(late, 0.0), 12.0);
        menu.cases.push(super::menu::planted(name, &source, encode, defect));
    }
    for encode in [&H264_PCM, &H264_3M] {
        let source = marked(0.0);
        let name = format!("clean.{}.{}", source.name, encode.name);
        menu.cases.push(super::menu::clean(name, &source, encode, allow(Defect::none())));
    }
}

/// The minute after which these are told is longer than clips are: with a shorter one they are checked.
fn soon(detector: &'static str, hold: &'static str) -> Option<Asked> {
    Some(Asked { detector, arguments: vec!["--set", hold] })
}

/// Captions and subtitles that were there for five seconds and more, and cease. The trailer's own pause after
/// 7 s is shorter than what is asked for; a subtitle counts when it comes.
fn captions(menu: &mut Menu, material: &Material) {
    let asked = || soon("captions_missing", "detectors.captions_missing.raise_after=3s");
    if let Some(sintel) = material.sintel() {
        let from = 5.0;
        for encode in [&H264_TS, &H264_3M] {
            let filter = format!("sidedata=mode=delete:type=A53_CC:enable='{}'", during(from, 20.0));
            let defect = Defect::picture("cease", filter).told("captions_missing", "video:0", from, sintel.seconds);
            menu.plant_asking(&sintel, encode, defect, asked());
        }
    }
    let line = |index: u32| format!("{index}\n00:00:0{index},100 --> 00:00:0{index},900\nLine {index}\n\n");
    let words: String = (0..6).map(line).collect();
    let files: [(Source, &'static Encode, &'static str, &'static str); 3] =
        [(sky(1), &H264_PCM, "srt", "mkv"), (land(2), &H264_1M, "mov_text", "mp4"), (sky(4), &VP9, "webvtt", "webm")];
    for (source, encode, codec, extension) in files {
        let name = format!("subtitles_missing-cease-{codec}.{}.{}", source.name, encode.name);
        menu.twin(&source, encode, None);
        let (file, words) = (name.clone(), words.clone());
        let make = move || {
            let clean = twin(&source, encode);
            let text = derived("subtitles", &clean, &words, |_| words.as_bytes().to_vec());
            let inputs = [clean.display().to_string(), text.display().to_string()];
            let words = ["-i", &inputs[0], "-f", "srt", "-i", &inputs[1], "-map", "0", "-map", "1", "-c", "copy"];
            let words = [words.as_slice(), &["-c:s", codec]].concat();
            let path = encoded(&file, extension, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
            let truth = vec![Planted { detector: "subtitles_missing", track: "input", start: 5.1, end: 10.0 }];
            Ok(Made { path, seconds: 10.0, fps: 25.0, truth, allowed: Vec::new() })
        };
        let asked = soon("subtitles_missing", "detectors.subtitles_missing.raise_after=1s");
        menu.cases.push(Case { asked, ..case(name, false, Box::new(make)) });
    }
}

/// Bit rate and frame rate: judged live only, so these are checked with a live profile.
fn rates(menu: &mut Menu) {
    let live =
        |detector, hold: &'static str| Some(Asked { detector, arguments: vec!["--profile", "ott", "--set", hold] });
    for (seed, encode) in [(3, &H264_TS), (7, &H264_TS), (5, &HEVC_10_TS)] {
        let slow = format!("select='if({},not(mod(n,2)),1)'", during(4.0, 12.0));
        let defect = Defect::picture("half", slow).told("frame_rate", "input", 4.0, 12.0);
        let defect =
            defect.allow("stutter", "every other picture is missing").allow("timestamp", "so are their time stamps");
        let source = Source { name: format!("landscape{seed}-12-s"), ..land(seed).lasting(12.0) };
        menu.plant_asking(&source, encode, defect, live("frame_rate", "detectors.frame_rate.raise_after=3s"));
    }
    for (seed, encode) in [(1, &H264_TS), (2, &MPEG2)] {
        let flat = format!("lutyuv=y=90:u=120:v=130:enable='{}'", during(5.0, 12.0));
        let source = Source::generated(format!("clouds{seed}-alone"), Some(clouds(seed)), None).lasting(12.0);
        let defect = Defect::picture("collapse", flat).told("bitrate", "input", 5.0, 12.0);
        let defect = defect
            .allow("solid_color", "what takes next to no bits is a flat picture")
            .allow("freeze", "and a still one");
        menu.plant_asking(&source, encode, defect, live("bitrate", "detectors.bitrate.raise_after=3s"));
    }
}
