//! Clips that are damaged on purpose: lost packets, cut files, things that are no media.

use std::fs;
use std::path::PathBuf;

use super::media::{Clip, FPS, derived, encoded};
use super::recipes;

pub const PACKET: usize = 188;

/// PID of the video track in FFmpeg's transport streams.
const VIDEO_PID: u16 = 0x100;

/// A transport stream that lost packets of its video between 4 s and 5 s.
///
/// The truth runs from the first frame that lost something to the next key frame after the last.
pub fn lost_packets() -> Clip {
    let source = recipes::clean_transport_stream();
    let bytes = fs::read(&source.path).expect("the source clip was just made");
    let (kept, span) = lose_packets(&bytes, 4.0, 5.0, 24);
    let path = derived("lost-packets", &source.path, "seed 24, 4 s to 5 s", |_| kept);
    Clip::new(path, source.seconds).with("decode_error", "video:0", span.0, span.1)
}

/// The clean transport stream cut in the middle of a packet, at about 60 %.
pub fn cut_transport_stream() -> Clip {
    let source = recipes::clean_transport_stream();
    let path = derived("cut-ts", &source.path, "60 %", |mut bytes| {
        bytes.truncate(bytes.len() * 6 / 10 / PACKET * PACKET + 100);
        bytes
    });
    Clip::new(path, source.seconds * 0.6)
}

/// The clean programme in that codec, with a key frame every two seconds, as Matroska.
pub fn before_damage(codec: &str) -> Clip {
    let source = recipes::clean();
    let mut arguments =
        ["-i", source.path_text(), "-t", "8", "-c:v", codec, "-preset", "ultrafast", "-g", "50"].to_vec();
    if codec == "libx265" {
        arguments.extend(["-x265-params", "log-level=error:keyint=50"]);
    }
    arguments.extend(["-c:a", "pcm_s16le"]);
    let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
    Clip::new(encoded(&format!("whole-{codec}"), "mkv", &arguments), 8.0)
}

/// The same with twelve whole frames missing from 4.2 s until before 4.68 s, as if never sent. What
/// follows is coded against them, up to the next key frame.
pub fn dropped_frames(codec: &str) -> Clip {
    filtered(&format!("dropped-{codec}"), codec, "noise=drop='between(n,105,116)'").with(
        "decode_error",
        "video:0",
        4.68,
        6.0,
    )
}

/// The same with bytes altered in the frames from 4.2 s until before 4.6 s; key frames stay whole.
pub fn altered_bytes(codec: &str) -> Clip {
    let filter = "noise=amount='if(between(n,105,114)*not(key),400,0)'";
    filtered(&format!("altered-{codec}"), codec, filter).with("decode_error", "video:0", 4.2, 6.0)
}

/// What a decoder makes of the clip with altered bytes, coded anew: nothing but the pictures tells of it.
pub fn coded_anew() -> Clip {
    let source = altered_bytes("libx264");
    let mut arguments: Vec<String> = ["-threads", "1", "-flags", "+output_corrupt", "-i"].map(str::to_owned).into();
    arguments.push(source.path_text().to_owned());
    let coding = "-map 0:v -c:v libx264 -preset veryfast -crf 20 -g 50 -pix_fmt yuv420p";
    arguments.extend(coding.split(' ').map(str::to_owned));
    let clip = Clip::new(encoded("altered-coded-anew", "mp4", &arguments), source.seconds);
    clip.with("block_corruption", "video:0", 4.2, 6.0).without(&["decode_error"])
}

/// A clip whose coded video went through a filter of bit streams.
fn filtered(name: &str, codec: &str, filter: &str) -> Clip {
    let source = before_damage(codec);
    let arguments = ["-i", source.path_text(), "-map", "0", "-c", "copy", "-bsf:v", filter].map(str::to_owned);
    Clip::new(encoded(name, "mkv", &arguments), source.seconds)
}

/// An MP4 file cut before its index (`moov`): nothing of it can be read.
pub fn mp4_without_index() -> PathBuf {
    derived("no-index", &recipes::clean().path, "60 %", |mut bytes| {
        bytes.truncate(bytes.len() * 6 / 10);
        bytes
    })
}

/// Text under a name that promises media.
pub fn no_media() -> PathBuf {
    derived("no-media", &recipes::clean().path, "text", |_| b"This is a letter, not a film.\n".repeat(200))
}

/// A small generator of numbers (xorshift64*), so that losses are the same on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % bound
    }
}

/// Takes `count` packets out of the video between two times (seconds of presentation).
pub fn lose_packets(bytes: &[u8], from: f64, to: f64, count: usize) -> (Vec<u8>, (f64, f64)) {
    let mut frame = None;
    let mut first_pts = None;
    let mut inside = Vec::new();
    for (index, packet) in bytes.chunks_exact(PACKET).enumerate() {
        if pid(packet) != VIDEO_PID {
            continue;
        }
        if let Some(pts) = presentation_time(packet) {
            frame = Some(pts - *first_pts.get_or_insert(pts));
        }
        if let Some(at) = frame.filter(|at| (from..to).contains(at)) {
            inside.push((index, at));
        }
    }
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut lost = Vec::new();
    while lost.len() < count.min(inside.len()) {
        let pick = inside[dice.below(inside.len() as u64) as usize];
        if !lost.contains(&pick) {
            lost.push(pick);
        }
    }
    let start = lost.iter().map(|(_, at)| *at).fold(f64::MAX, f64::min);
    let last = lost.iter().map(|(_, at)| *at).fold(0.0, f64::max);
    // A key frame every second, so the picture is whole again at the next full second.
    let end = ((last * FPS).round() / FPS).floor() + 1.0;
    let kept = bytes.chunks(PACKET).enumerate().filter(|(index, _)| !lost.iter().any(|(lost, _)| lost == index));
    (kept.flat_map(|(_, packet)| packet).copied().collect(), (start, end))
}

pub fn pid(packet: &[u8]) -> u16 {
    u16::from(packet[1] & 0x1f) << 8 | u16::from(packet[2])
}

/// The presentation time in seconds if a frame begins in this packet (ISO/IEC 13818-1, 2.4.3).
pub fn presentation_time(packet: &[u8]) -> Option<f64> {
    if packet[1] & 0x40 == 0 {
        return None;
    }
    let adaptation = if packet[3] & 0x20 != 0 { 1 + usize::from(packet[4]) } else { 0 };
    let pes = packet.get(4 + adaptation..)?;
    if pes.get(..3)? != [0, 0, 1] || pes.get(7)? & 0x80 == 0 {
        return None;
    }
    let part = |index: usize| pes.get(index).copied().map(u64::from);
    let ticks = (part(9)? >> 1 & 7) << 30 | part(10)? << 22 | (part(11)? >> 1) << 15 | part(12)? << 7 | part(13)? >> 1;
    Some(ticks as f64 / 90_000.0)
}
