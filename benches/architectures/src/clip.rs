//! The clip: moving pictures and sound with planted defects, made by Debian's ffmpeg.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::page::figures::Planted;

/// Seconds of it.
pub const SECONDS: u64 = 20;

/// Its pictures: of a low rendition, whose objects are small.
pub const SIZE: &str = "640x360";

/// Pictures a second.
pub const FRAME_RATE: u32 = 25;

/// Of the pictures: 0.116 bits a pixel, as other measurements of the project have.
const BIT_RATE: &str = "670k";

/// Defects of the kinds that the published report names, and some more: when they begin and end, in seconds. The damage
/// is done from 16.2 s on, and lasts to the key frame at 18 s.
const PLANTED: [(&str, f64, f64); 6] = [
    ("blur", 1.0, 5.0),
    ("dropout", 2.0, 2.05),
    ("black", 6.0, 9.0),
    ("silence", 7.0, 10.0),
    ("freeze", 11.0, 14.0),
    ("block_corruption", 16.2, 18.0),
];

/// Packets of pictures that are damaged, from 16.2 s on one in ten.
const DAMAGED: usize = 12;

/// What is planted in it.
pub fn planted() -> Vec<Planted> {
    let of = |&(detector, start_s, end_s): &(&str, f64, f64)| Planted { detector: detector.to_owned(), start_s, end_s };
    PLANTED.iter().map(of).collect()
}

/// Makes the clip, unless it is there.
pub fn make(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("architectures.ts");
    if path.exists() {
        return Ok(path);
    }
    std::fs::create_dir_all(folder)?;
    let clean = folder.join("clean.ts");
    encode(&clean)?;
    let mut bytes = std::fs::read(&clean)?;
    let damaged = damage(&mut bytes);
    if damaged != DAMAGED {
        bail!("only {damaged} packets could be damaged");
    }
    // As a whole or not at all: what is there is taken for the clip.
    std::fs::write(&clean, bytes)?;
    std::fs::rename(&clean, &path)?;
    Ok(path)
}

fn encode(path: &Path) -> Result<()> {
    let (size, rate) = (SIZE, FRAME_RATE);
    let moving = format!("testsrc2=size={size}:rate={rate}:duration={SECONDS},noise=alls=12:allf=t,gblur=0.7");
    // Pictures with fine and coarse detail everywhere; 275 and 349 are the first and last picture of the freeze.
    let video = "[0][1]blend=all_mode=average,gblur=sigma=6:enable='between(t,1,4.99)',\
                 drawbox=c=black:t=fill:enable='between(t,6,8.99)',split[moving][still];\
                 [moving][still]freezeframes=first=275:last=349:replace=275,format=yuv420p[v]";
    let audio = "[2:a]volume=0:enable='between(t,7,10)+between(t,2,2.05)',aformat=channel_layouts=stereo[a]";
    // A little less than its seconds, so that none begins behind the last of them.
    let length = format!("{}.9", SECONDS - 1);
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i", &moving])
        .args(["-f", "lavfi", "-i", &format!("mandelbrot=size={size}:rate={rate}")])
        .args(["-f", "lavfi", "-i"])
        .arg(format!("anoisesrc=color=pink:amplitude=0.3:sample_rate=48000:duration={SECONDS}:seed=3"))
        .args(["-filter_complex", &format!("{video};{audio}"), "-map", "[v]", "-map", "[a]", "-t", &length])
        .args(["-c:v", "libx264", "-preset", "medium", "-profile:v", "high", "-bf", "3", "-threads", "1"])
        .args(["-g", "50", "-keyint_min", "50", "-sc_threshold", "0", "-b:v", BIT_RATE])
        .args(["-c:a", "aac", "-b:a", "128k", "-f", "mpegts"])
        .arg(path)
        .stdin(Stdio::null())
        .status()?;
    if made.success() { Ok(()) } else { bail!("ffmpeg could not make the clip") }
}

/// Overwrites parts of packets with pictures between 16.2 and 16.8 s, as losses on the way would. Returns of how many.
fn damage(bytes: &mut [u8]) -> usize {
    const PACKET: usize = 188;
    /// The packet identifier that ffmpeg gives the pictures.
    const PICTURES: u16 = 0x100;
    let (mut first, mut time, mut seen, mut damaged) = (None, 0.0, 0, 0);
    for packet in bytes.chunks_exact_mut(PACKET) {
        let identifier = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        if identifier != PICTURES {
            continue;
        }
        let (begins, has_more_header) = (packet[1] & 0x40 != 0, packet[3] & 0x20 != 0);
        if begins {
            let header = 4 + if has_more_header { 1 + usize::from(packet[4]) } else { 0 };
            let Some(stamp) = packet.get(header + 9..header + 14).map(presentation_s) else { continue };
            time = stamp - *first.get_or_insert(stamp);
        }
        seen += 1;
        let is_payload_only = !begins && !has_more_header;
        if is_payload_only && (16.2..16.8).contains(&time) && seen % 10 == 0 && damaged < DAMAGED {
            packet[100..].fill(0x55);
            damaged += 1;
        }
    }
    damaged
}

/// The presentation time stamp of a PES header, in seconds.
fn presentation_s(stamp: &[u8]) -> f64 {
    let part = |at: usize| u64::from(stamp[at]);
    let ticks = (part(0) >> 1 & 7) << 30 | part(1) << 22 | part(2) >> 1 << 15 | part(3) << 7 | part(4) >> 1;
    ticks as f64 / 90_000.0
}
