//! Recipes of what accompanies a programme: sync markers, captions, subtitles, and rates that fall.
//!
//! Everything is seeded; times are whole frames at 25 pictures a second.

use super::media::{Clip, derived, encoded, written};
use super::recipes::{PICTURE, SOUND};

/// Length of every clip, in seconds.
const SECONDS: f64 = 12.0;

const X264: &[&str] = &["-c:v", "libx264", "-preset", "veryfast", "-g", "25", "-bf", "0", "-pix_fmt", "yuv420p"];

fn made(name: &str, extension: &str, graph: &str, more: &[&str]) -> Clip {
    let mut arguments: Vec<String> = ["-filter_complex", graph, "-map", "[v]", "-map", "[a]"].map(str::to_owned).into();
    arguments.extend(X264.iter().chain(more).map(|word| (*word).to_owned()));
    arguments.extend(["-t".to_owned(), SECONDS.to_string()]);
    Clip::new(encoded(name, extension, &arguments), SECONDS)
}

/// A flash of one picture every 2 s, and a beep of 40 ms that comes later by so many milliseconds.
///
/// The first flash, at 0 s, comes out of no darkness and is none: the first pair is that at 2 s.
pub fn markers(late_ms: i32, extension: &str) -> Clip {
    let late = f64::from(late_ms) / 1e3;
    let graph = format!(
        "color=c=black:s=320x180:r=25:d=12,drawbox=c=white:t=fill:enable='lt(mod(t+0.001,2),0.03)',format=yuv420p[v];\
         aevalsrc=s=48000:d=12:exprs='0.5*sin(2*PI*1000*t)*lt(mod(t-({late})+2,2),0.04)'[a]"
    );
    let sound: &[&str] = if extension == "mkv" { &["-c:a", "pcm_s16le"] } else { &["-c:a", "aac", "-b:a", "128k"] };
    made(&format!("markers-{late_ms}"), extension, &graph, sound)
}

/// A programme as a transport stream, of which only a still black picture and silence are left from 7 s on.
pub fn starved() -> Clip {
    let graph = format!("{PICTURE},lutyuv=y=16:u=128:v=128:enable='gte(t,7)'[v];{SOUND},volume=0:enable='gte(t,7)'[a]");
    made("starved", "ts", &graph, &["-crf", "18", "-c:a", "aac", "-b:a", "64k"])
}

/// A programme as a transport stream, with every other picture left out from 5 s on.
pub fn thinned() -> Clip {
    let graph = format!("{PICTURE},scale=320:180,select='lt(t,5)+mod(n,2)'[v];{SOUND}[a]");
    made("thinned", "ts", &graph, &["-fps_mode", "passthrough", "-c:a", "aac"])
}

/// Six lines of subtitles, the last one at 5.5 s, in Matroska (SubRip) or MP4 (timed text).
pub fn subtitles(extension: &str) -> Clip {
    let line =
        |second: u32| format!("{}\n00:00:0{second},500 --> 00:00:0{second},900\nLine number {second}\n\n", second + 1);
    let lines: String = (0..6).map(line).collect();
    let lines = written("lines", "srt", &lines);
    let graph = format!("{PICTURE},scale=320:180[v];{SOUND}[a]");
    let codec = if extension == "mp4" { "mov_text" } else { "srt" };
    let mut arguments: Vec<String> =
        ["-i", lines.to_str().expect("the build folder's path is UTF-8")].map(str::to_owned).into();
    arguments.extend(["-filter_complex", &graph, "-map", "[v]", "-map", "[a]", "-map", "0:s"].map(str::to_owned));
    arguments.extend(X264.iter().chain(&["-c:a", "aac", "-c:s", codec, "-t", "12"]).map(|word| (*word).to_owned()));
    Clip::new(encoded("subtitles", extension, &arguments), SECONDS)
}

/// What the place for captions of a picture holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Captions {
    /// Two letters in field 1 of line 21 (CEA-608).
    Text,
    /// Padding only.
    Padding,
    /// There is no place.
    None,
}

/// Captions with every picture of a transport stream until 6 s, and `then` until 12 s.
pub fn captions(then: Captions) -> Clip {
    let graph = format!("{PICTURE},scale=320:180[v]");
    let mut arguments: Vec<String> = ["-filter_complex", &graph, "-map", "[v]"].map(str::to_owned).into();
    arguments.extend(X264.iter().chain(&["-t", "12", "-f", "h264"]).map(|word| (*word).to_owned()));
    let bare = encoded("before-captions", "h264", &arguments);
    let with = derived("captions", &bare, &format!("{then:?}"), |bytes| {
        add_captions(&bytes, |picture| if picture < 150 { Captions::Text } else { then })
    });
    let path = with.to_str().expect("the build folder's path is UTF-8");
    let arguments = ["-f", "h264", "-r", "25", "-i", path, "-c", "copy"].map(str::to_owned);
    Clip::new(encoded(&format!("captions-{then:?}").to_lowercase(), "ts", &arguments), SECONDS)
}

/// Puts a unit with captions before the first slice of every picture of a raw H.264 stream.
fn add_captions(stream: &[u8], captions: impl Fn(usize) -> Captions) -> Vec<u8> {
    let (mut out, mut pictures, mut at) = (Vec::with_capacity(stream.len() * 2), 0, 0);
    while at < stream.len() {
        let is_slice =
            stream[at..].starts_with(&[0, 0, 1]) && matches!(stream.get(at + 3).map(|unit| unit & 0x1F), Some(1 | 5));
        // A slice that begins with block 0 has its first bit set: the number is coded as a single 1.
        if is_slice && stream.get(at + 4).is_some_and(|byte| byte & 0x80 != 0) {
            out.extend(caption_unit(captions(pictures)));
            pictures += 1;
        }
        out.push(stream[at]);
        at += 1;
    }
    assert_eq!(pictures, 300, "every picture was found");
    out
}

/// A supplemental unit (ITU-T H.264 Annex D) that holds `cc_data` of ATSC A/53 Part 4.
fn caption_unit(captions: Captions) -> Vec<u8> {
    let pair = match captions {
        Captions::Text => [0xFC, 0xC8, 0xE9],
        Captions::Padding => [0xFC, 0x80, 0x80],
        Captions::None => return Vec::new(),
    };
    // Country and provider, the identifier, the type of captions, one triplet.
    let mut data = vec![0xB5, 0x00, 0x31, b'G', b'A', b'9', b'4', 0x03, 0xC1, 0xFF];
    data.extend(pair);
    data.push(0xFF);
    let mut unit = vec![0, 0, 1, 6, 4, data.len() as u8];
    unit.extend(data);
    unit.push(0x80);
    unit
}
