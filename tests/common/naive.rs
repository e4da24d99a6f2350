//! A naive decoder: the `ffmpeg` binary with a pipe. Slow, simple, and not ours, so it can prove clips.

use std::path::Path;
use std::process::Command;

/// Width and height of every clip.
pub const SIZE: (usize, usize) = (640, 360);

/// A decoded picture of 4:2:0 with 8 bits in the range of its track.
pub struct Picture {
    pub y: Vec<u8>,
    pub u: Vec<u8>,
    pub v: Vec<u8>,
}

impl Picture {
    /// Share of luma samples that lie in `range`.
    pub fn share(&self, range: std::ops::RangeInclusive<u8>) -> f64 {
        self.y.iter().filter(|level| range.contains(level)).count() as f64 / self.y.len() as f64
    }

    /// Mean luma of each cell of 16 by 9 pixels: resists noise and coding.
    pub fn cells(&self) -> Vec<f64> {
        let (width, height) = SIZE;
        let (across, down) = (16, 9);
        let mut cells = vec![0.0; (width / across) * (height / down)];
        for (index, level) in self.y.iter().enumerate() {
            let (x, y) = (index % width, index / width);
            cells[y / down * (width / across) + x / across] += f64::from(*level) / (across * down) as f64;
        }
        cells
    }

    /// Largest change of a cell against another picture.
    pub fn change(&self, other: &Self) -> f64 {
        self.cells().iter().zip(other.cells()).map(|(one, two)| (one - two).abs()).fold(0.0, f64::max)
    }

    /// Peak signal-to-noise ratio of luma against another picture, in dB; 100 when they are equal.
    pub fn psnr(&self, other: &Self) -> f64 {
        let squares: u64 = self.y.iter().zip(&other.y).map(|(one, two)| u64::from(one.abs_diff(*two)).pow(2)).sum();
        if squares == 0 { 100.0 } else { 10.0 * (255.0_f64.powi(2) * self.y.len() as f64 / squares as f64).log10() }
    }
}

/// Mean of one plane.
pub fn mean(plane: &[u8]) -> f64 {
    plane.iter().map(|level| f64::from(*level)).sum::<f64>() / plane.len() as f64
}

/// Every picture of the first video track, in order; its code values are not stretched.
pub fn pictures(path: &Path) -> Vec<Picture> {
    let (width, height) = SIZE;
    let (luma, chroma) = (width * height, width * height / 4);
    let bytes = decode(path, &["-map", "0:v:0", "-vsync", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo"]);
    let cut = |frame: &[u8]| Picture {
        y: frame[..luma].to_vec(),
        u: frame[luma..luma + chroma].to_vec(),
        v: frame[luma + chroma..].to_vec(),
    };
    bytes.chunks_exact(luma + 2 * chroma).map(cut).collect()
}

/// Every sample of one audio track: one entry per stereo pair, full scale 1.
pub fn samples(path: &Path, track: usize) -> Vec<[f32; 2]> {
    let map = format!("0:a:{track}");
    let bytes = decode(path, &["-map", &map, "-ac", "2", "-f", "f32le"]);
    let read = |four: &[u8]| f32::from_le_bytes(four.try_into().expect("four bytes"));
    bytes.chunks_exact(8).map(|pair| [read(&pair[..4]), read(&pair[4..])]).collect()
}

/// One entry of `ffprobe` for the file's streams, such as `pix_fmt` or `codec_name`.
pub fn probe(path: &Path, select: &str, entry: &str) -> String {
    let asked = format!("stream={entry}");
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", select, "-show_entries", &asked, "-of", "csv=p=0"])
        .arg(path)
        .output()
        .expect("ffprobe is installed (scripts/setup)");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().next().unwrap_or_default().trim_end_matches(',').to_owned()
}

fn decode(path: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "quiet", "-threads", "1", "-i"])
        .arg(path)
        .args(arguments)
        .arg("-")
        .output()
        .expect("ffmpeg is installed (scripts/setup)");
    output.stdout
}
