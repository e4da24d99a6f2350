//! The report for spreadsheets: RFC 4180, a row for the total, each group and each stream.
//!
//! Names come from strangers: a field that a spreadsheet would take for a formula is quoted with an apostrophe before it.

use super::{Figures, ServiceReport};

const HEADER: [&str; 15] = [
    "kind",
    "name",
    "group",
    "mode",
    "availability_percent",
    "watched_s",
    "not_watched_s",
    "maintenance_s",
    "errored_s",
    "events",
    "detect_median_s",
    "detect_max_s",
    "recover_median_s",
    "recover_max_s",
    "worst",
];

/// The report as rows.
pub(super) fn render(report: &ServiceReport) -> String {
    let mut text = HEADER.join(",") + "\r\n";
    row(&mut text, ["total", "", "", ""], &report.total, "");
    for (name, figures) in &report.groups {
        row(&mut text, ["group", name, name, ""], figures, "");
    }
    for stream in &report.streams {
        let group = stream.group.as_deref().unwrap_or_default();
        let worst = stream.worst.first().map_or_else(String::new, |event| {
            format!("{} {} at {} for {:.1} s", event.severity, event.detector, event.started_at, event.duration_s)
        });
        row(
            &mut text,
            ["stream", &stream.stream, group, stream.mode.as_deref().unwrap_or_default()],
            &stream.figures,
            &worst,
        );
    }
    text
}

fn row(text: &mut String, words: [&str; 4], figures: &Figures, worst: &str) {
    let maybe = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.3}"));
    let mut fields: Vec<String> = words.iter().map(|word| field(word)).collect();
    fields.push(figures.availability.map_or_else(String::new, |share| format!("{:.5}", (share * 1e7).floor() / 1e5)));
    for seconds in [figures.watched_s, figures.not_watched_s, figures.maintenance_s, figures.errored_s] {
        fields.push(format!("{seconds:.3}"));
    }
    fields.push(figures.events.to_string());
    let times = [figures.detect_median_s, figures.detect_max_s, figures.recover_median_s, figures.recover_max_s];
    fields.extend(times.map(maybe));
    fields.push(field(worst));
    text.push_str(&fields.join(","));
    text.push_str("\r\n");
}

/// A field of text: harmless to spreadsheets, and quoted where RFC 4180 asks for it.
fn field(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn formulas_commas_and_quotes_are_made_harmless() {
        assert_eq!(field("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
        assert_eq!(field("@a"), "'@a");
        assert_eq!(field("-1+2"), "'-1+2");
        assert_eq!(field("a,b"), "\"a,b\"");
        assert_eq!(field("two\nlines"), "\"two\nlines\"");
        assert_eq!(field("north"), "north");
    }
}
