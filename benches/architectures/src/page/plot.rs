//! Plots as SVG files: no program is needed to draw or to see them.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const COLORS: [&str; 6] = ["#2b6cb0", "#dd6b20", "#718096", "#38a169", "#805ad5", "#d53f8c"];

/// A bar of one or more parts, in the order of the legend.
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) parts: Vec<f64>,
    pub(crate) shown: String,
}

/// Horizontal bars on a linear scale, so that lengths compare as amounts do.
pub(crate) fn bars(title: &str, legend: &[&str], bars: &[Bar]) -> String {
    const NAME: f64 = 240.0;
    const ROW: f64 = 34.0;
    let total = |bar: &Bar| bar.parts.iter().sum::<f64>();
    let most = bars.iter().map(total).fold(f64::MIN_POSITIVE, f64::max);
    let scale = (WIDTH - NAME - 130.0) / most;
    let height = 76.0 + ROW * bars.len() as f64;
    let mut svg = head(title, height);
    // Writing to a String cannot fail.
    for (index, (name, color)) in legend.iter().zip(COLORS).enumerate() {
        let x = 10.0 + 122.0 * index as f64;
        let _ = writeln!(svg, "<rect x=\"{x}\" y=\"36\" width=\"12\" height=\"12\" fill=\"{color}\"/>");
        let _ = writeln!(svg, "<text x=\"{}\" y=\"47\" font-size=\"12\">{name}</text>", x + 17.0);
    }
    for (index, bar) in bars.iter().enumerate() {
        let y = 64.0 + ROW * index as f64;
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", NAME - 8.0, y + 16.0, bar.name);
        let mut x = NAME;
        for (part, color) in bar.parts.iter().zip(COLORS) {
            let length = part * scale;
            let _ =
                writeln!(svg, "<rect x=\"{x:.1}\" y=\"{y}\" width=\"{length:.1}\" height=\"22\" fill=\"{color}\"/>");
            x += length;
        }
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{}\">{}</text>", x + 6.0, y + 16.0, bar.shown);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Points of one line, from left to right.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Lines over a logarithmic axis from 1 on; values above `top` are drawn at the top. `limit` is a line across.
pub(crate) fn lines(title: &str, across: &str, lines: &[Line], top: f64, limit: f64) -> String {
    let (left, right, upper, lower): (f64, f64, f64, f64) = (60.0, WIDTH - 20.0, 60.0, 300.0);
    let widest = lines.iter().flat_map(|line| &line.points).map(|point| point.0).fold(2.0, f64::max);
    let x_of = |x: f64| left + (right - left) * x.max(1.0).ln() / widest.ln();
    let y_of = |y: f64| lower - (lower - upper) * y.clamp(0.0, top) / top;
    let mut svg = head(title, lower + 46.0);
    let rule = |svg: &mut String, y: f64, dash: &str| {
        let _ =
            writeln!(svg, "<line x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#a0aec0\"{dash}/>");
    };
    for step in 0..=4 {
        let y = top * f64::from(step) / 4.0;
        rule(&mut svg, y_of(y), "");
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" font-size=\"12\">{y}</text>",
            left - 8.0,
            y_of(y) + 4.0
        );
    }
    rule(&mut svg, y_of(limit), " stroke-dasharray=\"6 4\" stroke-width=\"2\"");
    let ticks = std::iter::successors(Some(1.0), |tick| Some(tick * 2.0)).take_while(|tick| *tick <= widest);
    for tick in ticks {
        let (x, y) = (x_of(tick), lower + 18.0);
        let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\" font-size=\"12\">{tick}</text>");
    }
    let (x, y) = ((left + right) / 2.0, lower + 38.0);
    let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" font-size=\"12\">{across}</text>");
    for (index, (line, color)) in lines.iter().zip(COLORS).enumerate() {
        let points: Vec<String> = line.points.iter().map(|&(x, y)| format!("{:.1},{:.1}", x_of(x), y_of(y))).collect();
        let path = points.join(" ");
        let _ = writeln!(svg, "<polyline points=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>");
        for &(x, y) in &line.points {
            let _ = writeln!(svg, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{color}\"/>", x_of(x), y_of(y));
        }
        let (x, y) = (left + 10.0 + 180.0 * index as f64, 44.0);
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" font-size=\"12\" fill=\"{color}\">● {}</text>", line.name);
    }
    svg.push_str("</svg>\n");
    svg
}

fn head(title: &str, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"14\" role=\"img\" aria-label=\"{title}\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"10\" y=\"24\" font-size=\"16\">{title}</text>\n"
    )
}
