//! Defects: filters that plant something at known times, and what must be told of it.

use super::case::Allowed;
use super::common::media::Planted;

/// Something to plant in a clip.
#[derive(Clone, Debug)]
pub(crate) struct Defect {
    /// What was planted, for the clip's name.
    pub(crate) label: String,
    /// Filter after the source's pictures.
    pub(crate) picture: String,
    /// Filter after the source's sound.
    pub(crate) sound: String,
    /// What must be told.
    pub(crate) truth: Vec<Planted>,
    /// What may be told besides.
    pub(crate) allowed: Vec<Allowed>,
}

impl Defect {
    /// Nothing is planted.
    pub(crate) fn none() -> Self {
        Self {
            label: String::new(),
            picture: "null".to_owned(),
            sound: "anull".to_owned(),
            truth: Vec::new(),
            allowed: Vec::new(),
        }
    }

    /// A filter for the pictures.
    pub(crate) fn picture(label: impl Into<String>, filter: impl Into<String>) -> Self {
        Self { label: label.into(), picture: filter.into(), ..Self::none() }
    }

    /// A filter for the sound.
    pub(crate) fn sound(label: impl Into<String>, filter: impl Into<String>) -> Self {
        Self { label: label.into(), sound: filter.into(), ..Self::none() }
    }

    /// A detector must tell it on the first video track.
    pub(crate) fn seen(self, detector: &'static str, from: f64, to: f64) -> Self {
        self.told(detector, "video:0", from, to)
    }

    /// A detector must tell it on the first audio track.
    pub(crate) fn heard(self, detector: &'static str, from: f64, to: f64) -> Self {
        self.told(detector, "audio:0", from, to)
    }

    /// A detector must tell it.
    pub(crate) fn told(mut self, detector: &'static str, track: &'static str, start: f64, end: f64) -> Self {
        self.truth.push(Planted { detector, track, start, end });
        self
    }

    /// A detector may tell it.
    pub(crate) fn allow(mut self, detector: &'static str, why: &'static str) -> Self {
        self.allowed.push(Allowed::always(detector, why));
        self
    }
}

/// The condition of a filter that acts from a time until before another.
pub(crate) fn during(from: f64, to: f64) -> String {
    // Half a millisecond earlier, so that no rounding of a time base puts a frame on the wrong side.
    format!("gte(t,{})*lt(t,{})", from - 0.000_5, to - 0.000_5)
}

/// Fills the picture with one code value of each plane.
pub(crate) fn paint((y, u, v): (u8, u8, u8), from: f64, to: f64) -> String {
    format!("lutyuv=y={y}:u={u}:v={v}:enable='{}'", during(from, to))
}

/// A box of a colour.
pub(crate) fn draw(place: &str, colour: &str, from: f64, to: f64) -> String {
    format!("drawbox={place}:c={colour}:t=fill:enable='{}'", during(from, to))
}

/// Shows the picture at `from` until `to`, the clip's length staying as it was.
pub(crate) fn hold(from: f64, to: f64, fps: f64, seconds: f64) -> String {
    let frames = |seconds: f64| (seconds * fps).round() as u32;
    let (first, count) = (frames(from), frames(to) - frames(from));
    // The filter repeats the frame before the one that it is told to start at.
    let start = first + 1;
    format!("loop=loop={}:size=1:start={start},setpts=N/{fps}/TB,trim=end_frame={}", count - 1, frames(seconds))
}

/// Another picture over the whole of this one.
pub(crate) fn cover(source: &str, size: (u32, u32), from: f64, to: f64) -> String {
    let (width, height) = size;
    format!(
        "null[under];{source}=s={width}x{height}:r=25:d=12,format=yuv420p[over];\
         [under][over]overlay=shortest=1:enable='{}',format=yuv420p",
        during(from, to)
    )
}

/// Exact samples at 48 kHz: the channels are given by these expressions in a span of time.
pub(crate) fn channels(expressions: &[&str], from: f64, to: f64) -> String {
    let when = format!("gte(n,{})*lt(n,{})", from * 48_000.0, to * 48_000.0);
    let each: Vec<String> = expressions
        .iter()
        .enumerate()
        .map(|(index, expression)| format!("if({when},{expression},val({index}))"))
        .collect();
    format!("aeval=c=same:exprs='{}'", each.join("|"))
}

/// The same expression for each of `count` channels; `CH` stands for the channel's number.
pub(crate) fn each_channel(expression: &str, count: usize, from: f64, to: f64) -> String {
    let each: Vec<String> = (0..count).map(|index| expression.replace("CH", &index.to_string())).collect();
    channels(&each.iter().map(String::as_str).collect::<Vec<_>>(), from, to)
}
