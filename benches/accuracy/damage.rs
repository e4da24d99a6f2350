//! Damaged clips, and the truth about them: each picture compared with the one that was meant.
//!
//! A picture is damaged below 40 dB PSNR of luma, visibly so below 30 dB. Both streams are decoded
//! on one thread, so that the comparison is the same on every run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::case::{Allowed, Made};
use super::common::media::{Planted, derived, encoded};
use super::encode::late;

/// Below this, in dB, a picture is not what was sent.
const DAMAGED_DB: f64 = 40.0;
/// Below this, in dB, a viewer sees it.
const VISIBLE_DB: f64 = 30.0;
/// Damage that pauses for less is one.
const JOIN_SECONDS: f64 = 0.5;
/// Visible damage that is shorter is not asked for.
const SHORTEST_SECONDS: f64 = 0.2;

/// What a damaged clip is expected to bring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// The stream itself shows that something is missing or broken.
    Stream,
    /// It may show it or not: decoders of this codec hide most of what they meet.
    Perhaps,
    /// Only the pictures show it: damage that was there before this encoding, or that decoders hide.
    Pictures,
}

/// Replaces bytes of the coded pictures with numbers from `first` to `last`, `amount` as the
/// `noise` bit stream filter means it.
pub(crate) fn noise(name: &str, clean: &Path, amount: u32, first: u32, last: u32) -> PathBuf {
    let filter = format!("noise=amount='if(between(n,{first},{last}),{amount},0)'");
    let extension = clean.extension().and_then(|text| text.to_str()).unwrap_or("mp4");
    let arguments = ["-i", &clean.display().to_string(), "-c", "copy", "-bsf:v", &filter].map(str::to_owned);
    encoded(name, extension, &arguments)
}

/// Decodes a damaged clip and encodes what comes of it anew: nothing but the pictures tells of it.
pub(crate) fn baked(name: &str, damaged: &Path) -> PathBuf {
    let mut arguments: Vec<String> = ["-threads", "1", "-flags", "+output_corrupt", "-i"].map(str::to_owned).into();
    arguments.push(damaged.display().to_string());
    // Without the sound, before which the pictures of a transport stream begin later than at 0.
    let encode = "-map 0:v -vf setpts=PTS-STARTPTS -c:v libx264 -preset veryfast -crf 20 -g 50 -pix_fmt yuv420p";
    arguments.extend(encode.split(' ').map(str::to_owned));
    encoded(name, "mp4", &arguments)
}

/// A damaged clip with its truth, by comparison with the clean one.
pub(crate) fn judged(path: PathBuf, clean: &Path, seconds: f64, fps: f64, evidence: Evidence) -> Result<Made, String> {
    let quality = quality(&path, clean)?;
    let spans = |limit: f64| -> Vec<(f64, f64)> {
        let mut spans: Vec<(f64, f64)> = Vec::new();
        for (index, _) in quality.iter().enumerate().filter(|(_, db)| **db < limit) {
            let (from, to) = (index as f64 / fps, (index + 1) as f64 / fps);
            match spans.last_mut() {
                Some(last) if from - last.1 < JOIN_SECONDS => last.1 = to,
                Some(_) | None => spans.push((from, to)),
            }
        }
        spans
    };
    let (damaged, visible) = (spans(DAMAGED_DB), spans(VISIBLE_DB));
    if visible.is_empty() {
        return Err(format!("{} shows no damage: the recipe must be mended", path.display()));
    }
    let mut truth = Vec::new();
    for (start, end) in visible.iter().copied().filter(|(start, end)| end - start >= SHORTEST_SECONDS) {
        truth.push(Planted { detector: "block_corruption", track: "video:0", start, end });
    }
    if evidence == Evidence::Stream {
        for (start, end) in damaged.iter().copied() {
            truth.push(Planted { detector: "decode_error", track: "video:0", start, end });
        }
    }
    let mut allowed = Vec::new();
    for (from, to) in damaged {
        let why = "the picture is damaged there, if less visibly";
        allowed.push(Allowed { detector: "block_corruption", from, to, why });
        if evidence != Evidence::Pictures {
            let why = "pictures that depend on damaged ones count until the next clean key frame";
            allowed.push(Allowed { detector: "decode_error", from: from - 0.1, to: to + 2.0, why });
        }
        let why = "altered bytes make colours that no camera would";
        allowed.push(Allowed { detector: "gamut", from: from - 0.1, to: to + 0.2, why });
        let why = "a decoder that has lost pictures repeats the last one or shows a grey one";
        for detector in ["freeze", "stutter", "solid_color", "video_missing", "timestamp"] {
            allowed.push(Allowed { detector, from: from - 0.1, to: to + 1.0, why });
        }
    }
    // Damage that was baked in is in another container, and begins at 0.
    let late = if path.extension() == clean.extension() { late(clean) } else { 0.0 };
    Ok(Made { path, seconds, fps, truth, allowed }.later(late))
}

/// PSNR of luma of each picture of the clean clip against the one shown at its time, in dB.
fn quality(damaged: &Path, clean: &Path) -> Result<Vec<f64>, String> {
    // Beside the clip, so that it is as lasting as the clip.
    let path = derived("psnr", damaged, "luma per picture from the first", |_| measure(damaged, clean).into_bytes());
    let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
    let values: Vec<f64> = text
        .lines()
        .filter_map(|line| line.split(' ').find_map(|word| word.strip_prefix("psnr_y:")))
        .map(|value| value.parse().unwrap_or(f64::INFINITY))
        .collect();
    if values.is_empty() { Err(format!("{} cannot be compared", damaged.display())) } else { Ok(values) }
}

fn measure(damaged: &Path, clean: &Path) -> String {
    let input = |path: &Path| {
        let fixed = ["-threads", "1", "-flags", "+output_corrupt", "-i"].map(str::to_owned);
        fixed.into_iter().chain([path.display().to_string()]).collect::<Vec<_>>()
    };
    // The clean clip comes first: it gives the pace, and a picture that is missing is compared with the last one.
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "fatal"])
        .args(input(clean))
        .args(input(damaged))
        .args([
            "-filter_complex",
            "[0:v:0]format=yuv420p,setpts=PTS-STARTPTS[a];[1:v:0]format=yuv420p,setpts=PTS-STARTPTS[b];\
             [a][b]psnr=stats_file=-",
            "-f",
            "null",
            "-",
        ])
        .output()
        .expect("ffmpeg is installed (scripts/setup)");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
