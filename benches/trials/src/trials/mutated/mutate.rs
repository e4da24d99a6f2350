//! The seeds, and what is done to them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::harness::stopping::rtsp_answer;

/// A mutated input.
pub struct Mutant {
    /// In figures.
    pub kind: &'static str,
    /// Of its file.
    pub extension: &'static str,
    /// Whether it is served, or a file.
    pub is_served: bool,
    /// The whole of it; of RTSP all answers one after the other.
    pub bytes: Vec<u8>,
}

/// A seed by its kind, extension, share in a hundred cases and bytes.
type Seed = (&'static str, &'static str, u32, Vec<u8>);

/// The inputs before they are mutated.
pub struct Seeds {
    all: Vec<Seed>,
    /// A whole transport stream: what playlists lead to.
    pub segment: Vec<u8>,
}

/// Kinds that are served.
pub const PLAYLIST: &str = "hls";
pub const SEGMENT: &str = "hls_segment";
pub const RTSP: &str = "rtsp";

/// Kind, extension, share, and arguments of `ffmpeg`.
const FILES: &[(&str, &str, u32, &str)] = &[
    ("ts", "ts", 24, "-c:v libx264 -g 12 -c:a aac"),
    ("ts_hevc", "ts", 6, "-c:v libx265 -x265-params log-level=error:keyint=12 -c:a mp2"),
    ("ts_mpeg2", "ts", 6, "-c:v mpeg2video -g 12 -c:a ac3"),
    ("mp4", "mp4", 16, "-c:v libx264 -g 12 -c:a aac -movflags +faststart"),
    ("fmp4", "mp4", 8, "-c:v libx264 -g 12 -c:a aac -movflags frag_keyframe+empty_moov"),
    ("flv", "flv", 10, "-c:v libx264 -g 12 -c:a aac"),
    ("mkv", "mkv", 6, "-c:v libx264 -g 12 -c:a libopus"),
];

/// Two levels of playlist texts are mutated; what they name is there.
const PLAYLISTS: &[&str] = &[
    "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1.0,\na.ts\n#EXTINF:1.0,\nb.ts\n#EXT-X-ENDLIST\n",
    "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=500000,RESOLUTION=160x90,CODECS=\"avc1.42c01e,mp4a.40.2\"\nlive.m3u8?x=1\n",
    "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-KEY:METHOD=AES-128,URI=\"key\",IV=0x00000000000000000000000000000001\n\
     #EXT-X-BYTERANGE:18800@0\n#EXTINF:1.0,\na.ts\n#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z\n#EXTINF:1.0,\nb.ts\n",
];

impl Seeds {
    /// Makes them.
    ///
    /// # Errors
    /// `ffmpeg` fails.
    pub fn make(folder: &Path) -> Result<Self> {
        let mut all = Vec::new();
        for (kind, extension, share, arguments) in FILES {
            let path = folder.join(format!("seed-{kind}.{extension}"));
            let made = Command::new("ffmpeg")
                .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=1"])
                .args(["-f", "lavfi", "-i", "sine=r=48000:d=1", "-pix_fmt", "yuv420p"])
                .args(arguments.split(' '))
                .arg(&path)
                .output()
                .context("ffmpeg is needed")?;
            ensure!(made.status.success(), "{kind}: {}", String::from_utf8_lossy(&made.stderr));
            all.push((*kind, *extension, *share, std::fs::read(&path)?));
        }
        let segment = all[0].3.clone();
        for text in PLAYLISTS {
            all.push((PLAYLIST, "m3u8", 4, text.as_bytes().to_vec()));
        }
        all.push((SEGMENT, "ts", 4, segment.clone()));
        let answers = ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"].map(|method| rtsp_answer(method, "CSEQ"));
        // Where one ends and the next begins is part of what may be mutated.
        all.push((RTSP, "rtsp", 8, answers.join(&b"\0"[..])));
        Ok(Self { all, segment })
    }

    /// One of the seeds, changed in one to eight places.
    pub fn mutant(&self, dice: &mut fastrand::Rng) -> Mutant {
        let shares: u32 = self.all.iter().map(|seed| seed.2).sum();
        let mut pick = dice.u32(..shares);
        let mut seeds = self.all.iter();
        let seed = loop {
            let seed = seeds.next().expect("the pick is within the sum of all shares");
            match pick.checked_sub(seed.2) {
                Some(rest) => pick = rest,
                None => break seed,
            }
        };
        let (kind, extension, _, bytes) = seed;
        let mut bytes = bytes.clone();
        for _ in 0..dice.usize(1..=8) {
            mutate(&mut bytes, dice);
        }
        Mutant { kind, extension, is_served: matches!(*kind, PLAYLIST | SEGMENT | RTSP), bytes }
    }
}

/// Numbers at which lengths and counts go wrong.
const ODD: [u32; 8] = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, u32::MAX];
/// Words at which parsers of text go wrong.
const WORDS: [&[u8]; 8] = [b"-1", b"99999999999999999999", b"\r\n\r\n", b"\0", b"../", b"%s%n", b"\xff\xfe", b"nan"];

/// Changes one place. Headers are where parsers are: every other place is in the first kilobyte.
fn mutate(bytes: &mut Vec<u8>, dice: &mut fastrand::Rng) {
    if bytes.is_empty() {
        return bytes.push(dice.u8(..));
    }
    let reach = if dice.bool() { bytes.len() } else { bytes.len().min(1_024) };
    let at = dice.usize(..reach);
    let length = dice.usize(1..=64).min(bytes.len() - at);
    match dice.u32(..8) {
        0 => bytes[at] ^= 1 << dice.u32(..8),
        1 => bytes[at..at + length].iter_mut().for_each(|byte| *byte = dice.u8(..)),
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..at + length)),
        4 => {
            let part = bytes[at..at + length].to_vec();
            let to = dice.usize(..=bytes.len());
            bytes.splice(to..to, part);
        }
        5 => {
            let odd = dice.choice(ODD).expect("there are some").to_be_bytes();
            let count = length.min(4);
            bytes[at..at + count].copy_from_slice(&odd[4 - count..]);
        }
        6 => drop(bytes.splice(at..at, dice.choice(WORDS).expect("there are some").iter().copied())),
        _ => bytes[at..at + length].fill(if dice.bool() { 0 } else { 0xFF }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_dice_give_the_same_mutant_and_nearly_all_differ_from_their_seed() {
        let seed = b"0123456789".repeat(50);
        let all = |number: u64| {
            let (mut dice, mut bytes) = (fastrand::Rng::with_seed(number), seed.clone());
            mutate(&mut bytes, &mut dice);
            bytes
        };
        assert_eq!(all(7), all(7));
        assert!((0..1_000).filter(|number| all(*number) != seed).count() > 950);
    }

    #[test]
    fn what_has_become_empty_can_still_be_mutated() {
        let (mut dice, mut bytes) = (fastrand::Rng::with_seed(1), Vec::new());
        (0..10_000).for_each(|_| mutate(&mut bytes, &mut dice));
    }
}
