//! The clip: moving pictures and sound with planted defects, made by Debian's ffmpeg.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

/// Seconds of it.
pub const SECONDS: u64 = 20;

/// Makes the clip, unless it is there: black from 6 to 9 s, frozen from 12 to 15 s, silent from 7 to 11 s.
pub fn make(folder: &Path, size: &str) -> Result<PathBuf> {
    let path = folder.join(format!("architectures-{size}.ts"));
    if path.exists() {
        return Ok(path);
    }
    std::fs::create_dir_all(folder)?;
    let pictures = format!("testsrc2=size={size}:rate=25:duration={SECONDS}");
    let video = "[0:v]noise=alls=4:allf=t,drawbox=c=black:t=fill:enable='between(t,6,8.99)',\
                 loop=loop=74:size=1:start=300,trim=duration=20,format=yuv420p[v]";
    let audio = "[1:a]volume=0:enable='between(t,7,11)'[a]";
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", &pictures, "-f", "lavfi", "-i"])
        .arg(format!("anoisesrc=color=pink:amplitude=0.3:sample_rate=48000:duration={SECONDS}"))
        .args(["-filter_complex", &format!("{video};{audio}"), "-map", "[v]", "-map", "[a]"])
        .args(["-c:v", "libx264", "-preset", "veryfast", "-g", "50", "-b:v", "4M", "-threads", "1"])
        .args(["-c:a", "aac", "-b:a", "128k", "-f", "mpegts"])
        .arg(&path)
        .stdin(Stdio::null())
        .status()?;
    if !made.success() {
        bail!("ffmpeg could not make the clip");
    }
    Ok(path)
}
