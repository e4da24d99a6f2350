//! Bars as an SVG file: no program is needed to draw or to see them.

use std::fmt::Write;

/// One bar.
pub struct Bar {
    pub name: String,
    pub value: f64,
    pub shown: String,
}

/// Horizontal bars, on a logarithmic scale where the values differ by more than a hundredfold.
pub fn bars(title: &str, bars: &[Bar]) -> String {
    const WIDTH: f64 = 760.0;
    const NAME: f64 = 240.0;
    const ROW: f64 = 34.0;
    let most = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    let least = bars.iter().map(|bar| bar.value).filter(|value| *value > 0.0).fold(most, f64::min);
    let is_wide = most / least > 100.0;
    let share = |value: f64| match (value > 0.0, is_wide) {
        (false, _) => 0.0,
        (true, true) => (value / least * 2.0).ln() / (most / least * 2.0).ln(),
        (true, false) => value / most,
    };
    let height = 50.0 + ROW * bars.len() as f64;
    let scale = if is_wide { " (logarithmic)" } else { "" };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"14\" role=\"img\" aria-label=\"{title}\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"10\" y=\"24\" font-size=\"16\">{title}{scale}</text>\n"
    );
    for (index, bar) in bars.iter().enumerate() {
        let y = 40.0 + ROW * index as f64;
        let length = (WIDTH - NAME - 130.0) * share(bar.value);
        let middle = y + 19.0;
        // Writing to a String cannot fail.
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{NAME}\" y=\"{}\" width=\"{length:.1}\" height=\"22\" fill=\"#2b6cb0\"/>\
             <text x=\"{:.1}\" y=\"{middle}\">{}</text>",
            NAME - 8.0,
            bar.name,
            y + 3.0,
            NAME + length + 6.0,
            bar.shown
        );
    }
    svg.push_str("</svg>\n");
    svg
}
