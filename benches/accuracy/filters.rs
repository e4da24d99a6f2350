//! FFmpeg's own filters on a clip: one run of the `ffmpeg` binary, its metadata read into spans and
//! series. Nothing is judged here that a filter leaves open.
//!
//! Kept beside the results under a name that changes with the clip and with the graph; FFmpeg's
//! answer to the same bytes is the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::common::naive::probe;

/// Raised when readings must be taken anew although the graphs read the same.
const GENERATION: u32 = 2;

/// Shortest event of each filter that reports spans: the first hold time of the detector beside it.
const PICTURE: &str = "blackdetect=d=0.5,freezedetect=d=1,blockdetect,blurdetect,signalstats=stat=brng,idet,\
    cropdetect=reset=1:round=2:skip=0,photosensitivity=bypass=1,metadata=print:file=";
const SILENCE: &str = "silencedetect=d=1,ametadata=print:file=";
const CHANNELS: &str = "silencedetect=mono=1:d=3,ametadata=print:file=";
const PHASE: &str = "aphasemeter=video=0:phasing=1:duration=2,ametadata=print:file=";
const LEVELS: &str = "aresample=48000,asetnsamples=4800:p=0,astats=metadata=1:reset=1,ebur128=metadata=1:peak=true,ametadata=print:file=";

/// What the filters said of a clip.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Readings {
    /// Start and end of what a filter reports as a span, by the detector beside it.
    pub(crate) spans: BTreeMap<String, Vec<(f64, f64)>>,
    /// Time and value of what a filter gives as a number per frame, by the detector beside it.
    /// What is no number, such as blurdetect's answer where there are no edges, is absent.
    pub(crate) series: BTreeMap<String, Vec<(f64, Option<f64>)>>,
    /// Integrated loudness in LUFS and true peak in dBTP, as ebur128 has them at the end.
    pub(crate) loudness: Option<(f64, f64)>,
}

/// One frame's metadata.
struct Frame {
    at: f64,
    values: Vec<(String, String)>,
}

impl Frame {
    fn text(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.text(key)?.parse().ok().filter(|value: &f64| value.is_finite())
    }
}

/// The readings of a clip, taken once.
pub(crate) fn read(path: &Path, seconds: f64, folder: &Path) -> Result<Readings, String> {
    let stem = path.file_name().and_then(|name| name.to_str()).ok_or("the clip has no name")?;
    let kept = folder.join(format!("{stem}.{GENERATION}.json"));
    if let Ok(text) = fs::read_to_string(&kept)
        && let Ok(readings) = serde_json::from_str(&text)
    {
        return Ok(readings);
    }
    let work = folder.join(format!(".{stem}"));
    fs::create_dir_all(&work).map_err(|error| error.to_string())?;
    let readings = measure(path, seconds, &work);
    fs::remove_dir_all(&work).map_err(|error| error.to_string())?;
    let readings = readings?;
    let text = serde_json::to_string(&readings).map_err(|error| error.to_string())?;
    fs::write(&kept, &text).map_err(|error| error.to_string())?;
    // Read back, so that the first run has the same digits as later ones.
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

fn measure(path: &Path, seconds: f64, work: &Path) -> Result<Readings, String> {
    let mut readings = Readings::default();
    let (video, audio) = (probe(path, "v:0", "codec_name"), probe(path, "a:0", "channels"));
    if !video.is_empty() {
        let frames = run(path, &[("[0:v:0]", PICTURE, work.join("v"))])?.remove(0);
        picture(path, &frames, seconds, &mut readings);
    }
    // A track may be declared of which no block ever comes.
    let channels: usize = audio.parse().unwrap_or(0);
    if channels > 0 {
        sound(path, channels, seconds, work, &mut readings)?;
    }
    Ok(readings)
}

/// Runs graphs, each of which writes its metadata into a file; gives their frames.
fn run(path: &Path, graphs: &[(&str, &str, PathBuf)]) -> Result<Vec<Vec<Frame>>, String> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "fatal", "-i"]).arg(path);
    for (input, graph, file) in graphs {
        // Quoted twice: once for the graph, once for the filter's options.
        let file = file.display().to_string();
        command.args(["-filter_complex", &format!("{input}{graph}'{file}'")]);
    }
    let output = command.args(["-f", "null", "-"]).output().expect("ffmpeg is installed (scripts/setup)");
    if !output.status.success() {
        return Err(format!("the filters fail: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    graphs.iter().map(|(_, _, file)| frames(&fs::read_to_string(file).unwrap_or_default())).collect()
}

fn frames(text: &str) -> Result<Vec<Frame>, String> {
    let mut frames: Vec<Frame> = Vec::new();
    for line in text.lines() {
        if line.starts_with("frame:") {
            let at = line.rsplit("pts_time:").next().and_then(|time| time.trim().parse().ok());
            frames.push(Frame { at: at.ok_or("a frame has no time")?, values: Vec::new() });
        } else if let (Some((key, value)), Some(frame)) = (line.split_once('='), frames.last_mut()) {
            frame.values.push((key.trim_start_matches("lavfi.").to_owned(), value.to_owned()));
        }
    }
    Ok(frames)
}

/// Spans between two keys whose values are times; what is open at the end lasts to the end.
fn spans(frames: &[Frame], start: &str, end: &str, seconds: f64, shortest: f64) -> Vec<(f64, f64)> {
    let mut spans = Vec::new();
    let mut open: Option<f64> = None;
    for frame in frames {
        if let Some(to) = frame.number(end)
            && let Some(from) = open.take()
        {
            spans.push((from, to));
        }
        if let Some(from) = frame.number(start) {
            open.get_or_insert(from);
        }
    }
    spans.extend(open.map(|from| (from, seconds)));
    // blackdetect writes its start at the first black picture, however short the black will be.
    spans.retain(|(from, to)| to - from >= shortest - 0.000_5);
    spans
}

fn picture(path: &Path, frames: &[Frame], seconds: f64, readings: &mut Readings) {
    let mut keep = |detector: &str, spans| readings.spans.insert(detector.to_owned(), spans);
    keep("black", spans(frames, "black_start", "black_end", seconds, 0.5));
    keep("freeze", spans(frames, "freezedetect.freeze_start", "freezedetect.freeze_end", seconds, 1.0));
    let mut series = |detector: &str, value: &dyn Fn(&Frame) -> Option<f64>| {
        let values = frames.iter().map(|frame| (frame.at, value(frame))).collect();
        readings.series.insert(detector.to_owned(), values);
    };
    series("block_corruption", &|frame| frame.number("block"));
    series("blur", &|frame| frame.number("blur"));
    series("gamut", &|frame| frame.number("signalstats.BRNG"));
    series("flash", &|frame| frame.number("photosensitivity.badness"));
    let size = |entry: &str| probe(path, "v:0", entry).parse::<f64>().unwrap_or(f64::NAN);
    let (width, height) = (size("width"), size("height"));
    series("letterbox", &|frame| {
        let edge = |key: &str| frame.number(&format!("cropdetect.{key}"));
        let (across, down) = (edge("x2")? - edge("x1")? + 1.0, edge("y2")? - edge("y1")? + 1.0);
        Some((1.0 - across / width).max(1.0 - down / height))
    });
    // The field that is shown first is the second letter: "tt", "bt", "bb", "tb".
    let order = probe(path, "v:0", "field_order");
    series("interlacing", &|frame| {
        let contradicts = match frame.text("idet.multiple.current_frame")? {
            "tff" => !matches!(order.as_str(), "tt" | "bt"),
            "bff" => !matches!(order.as_str(), "bb" | "tb"),
            _ => false,
        };
        Some(f64::from(u8::from(contradicts)))
    });
}

fn sound(path: &Path, channels: usize, seconds: f64, work: &Path, readings: &mut Readings) -> Result<(), String> {
    let mut graphs = vec![
        ("[0:a:0]", SILENCE, work.join("silence")),
        ("[0:a:0]", CHANNELS, work.join("channels")),
        ("[0:a:0]", LEVELS, work.join("levels")),
    ];
    if channels == 2 {
        graphs.push(("[0:a:0]", PHASE, work.join("phase")));
    }
    let all = run(path, &graphs)?;
    let mut keep = |detector: &str, spans| readings.spans.insert(detector.to_owned(), spans);
    keep("silence", spans(&all[0], "silence_start", "silence_end", seconds, 1.0));
    keep("channel_silence", single_channels(&all[1], channels, seconds));
    if let Some(phase) = all.get(3) {
        keep("mono", spans(phase, "aphasemeter.mono_start", "aphasemeter.mono_end", seconds, 2.0));
        keep("phase", spans(phase, "aphasemeter.out_phase_start", "aphasemeter.out_phase_end", seconds, 2.0));
    }
    let levels = &all[2];
    let mut series = |detector: &str, key: &str| {
        let values = levels.iter().map(|frame| (frame.at, frame.number(key).map(f64::abs))).collect();
        readings.series.insert(detector.to_owned(), values);
    };
    series("clipping", "astats.Overall.Flat_factor");
    series("dc_offset", "astats.Overall.DC_offset");
    series("true_peak", "r128.true_peak");
    // What is left over at the end and fills no block has no values.
    let last = |key: &str| levels.iter().rev().find_map(|frame| frame.number(key));
    readings.loudness =
        last("r128.I").zip(last("r128.true_peak")).map(|(integrated, peak)| (integrated, 20.0 * peak.log10()));
    Ok(())
}

/// Spans in which a channel is silent while another one is not.
fn single_channels(frames: &[Frame], channels: usize, seconds: f64) -> Vec<(f64, f64)> {
    let of_channel = |channel: usize| {
        let (start, end) = (format!("silence_start.{channel}"), format!("silence_end.{channel}"));
        spans(frames, &start, &end, seconds, 3.0)
    };
    let all: Vec<Vec<(f64, f64)>> = (1..=channels).map(of_channel).collect();
    let covers = |spans: &[(f64, f64)], from: f64, to: f64| {
        spans.iter().any(|(start, end)| end.min(to) - start.max(from) > 0.9 * (to - from))
    };
    let mut single: Vec<(f64, f64)> = Vec::new();
    for (from, to) in all.iter().flatten().copied() {
        let everywhere = all.iter().all(|spans| covers(spans, from, to));
        // Several dead channels are one event, as with us.
        let told = single.iter().any(|(start, end)| end.min(to) > start.max(from));
        if !everywhere && !told {
            single.push((from, to));
        }
    }
    single.sort_by(|a, b| a.0.total_cmp(&b.0));
    single
}
