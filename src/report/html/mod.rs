//! The report as one page for people: what was found, when, and what it looked and sounded like.
//!
//! Styles and pictures inside, no scripts, nothing fetched, everything escaped; a policy in the page
//! lets the browser refuse what should slip in all the same. Well-formed XML but for its first line.

mod axis;
mod curve;
mod page;
mod plots;
mod stills;
#[cfg(test)]
mod tests;
mod timeline;

use avwatch_actors::severity::Severity;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use super::{Report, ReportEvent, ReportInput};
use axis::Axis;
pub(crate) use page::Page;

/// Most bands with a name on the timeline and rows of the table of an input; the rest are counted and
/// show in the strips, and all of them are in JSON.
const EVENTS_MAX: usize = 1_000;

/// The style of every page of ours.
pub(crate) const STYLE: &str = include_str!("style.css");

/// Which input of the page something belongs to.
#[derive(Clone, Copy)]
struct Place(usize);

impl Place {
    /// What the ids of its parts begin with.
    fn id(self) -> String {
        format!("i{}", self.0)
    }
}

pub(super) fn render(report: &Report) -> String {
    let mut page = Page::default();
    page.raw("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>");
    page.raw("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>");
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    page.put(format_args!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; \
         style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'\"/>"
    ));
    page.raw("<title>avwatch report: ").raw(report.verdict.name()).raw("</title><style>").raw(STYLE);
    page.raw("</style></head><body>\n<h1>avwatch report ").badge(report.verdict.name());
    page.raw("</h1>\n<p class=\"dim\">Profile ").text(&report.profile);
    page.raw(", failing from severity ").text(report.fail_on.name()).raw(" on. avwatch ").text(report.version);
    page.raw(".</p>\n");
    if report.inputs.len() > 1 {
        write_contents(&mut page, report);
    }
    let points_max = plots::points_max(report.inputs.iter().filter_map(|input| input.record.as_ref()));
    let bytes_max = stills::bytes_max(report.inputs.len());
    for (number, input) in report.inputs.iter().enumerate() {
        write_input(&mut page, input, Place(number), points_max, bytes_max);
    }
    page.raw("</body></html>\n");
    page.0
}

/// The inputs, with links to them.
fn write_contents(page: &mut Page, report: &Report) {
    page.raw("<table><thead><tr><th>Verdict</th><th>Input</th><th>Events</th></tr></thead><tbody>\n");
    for (number, input) in report.inputs.iter().enumerate() {
        page.raw("<tr><td>").badge(input.verdict.name());
        page.put(format_args!("</td><td><a href=\"#{}\">", Place(number).id())).text(&input.input).raw("</a></td><td>");
        write_counts(page, input);
        page.raw("</td></tr>\n");
    }
    page.raw("</tbody></table>\n");
}

fn write_input(page: &mut Page, input: &ReportInput, place: Place, points_max: usize, bytes_max: usize) {
    page.put(format_args!("<section id=\"{}\"><h2>", place.id())).badge(input.verdict.name());
    page.raw(" ").text(&input.input).raw("</h2>\n");
    if let Some(cause) = &input.error {
        page.raw("<p class=\"cause\">").text(cause).raw("</p>\n");
    }
    if let (Some(container), Some(duration)) = (&input.container, input.duration_s) {
        page.raw("<p>").text(container).put(format_args!(", {duration:.3} s. "));
        write_counts(page, input);
        page.raw("</p>\n");
    }
    if !input.tracks.is_empty() {
        write_tracks(page, input);
        write_measurements(page, input);
    }
    if let Some(axis) = Axis::new(input.duration_s) {
        timeline::write(page, input, axis, place);
        if let Some(record) = &input.record {
            stills::write(page, input, record, place, bytes_max);
            plots::write(page, input, record, axis, points_max);
        }
    }
    if !input.events.is_empty() {
        write_events(page, input, place);
    }
    if !input.detectors.is_empty() {
        let names: Vec<&str> = input.detectors.iter().map(|detector| &*detector.name).collect();
        page.put(format_args!("<details><summary>Watched by {} detectors</summary><p>", names.len()));
        page.text(&names.join(", ")).raw("</p></details>\n");
    }
    page.raw("</section>\n");
}

/// How many events there are of each severity, the worst first.
fn write_counts(page: &mut Page, input: &ReportInput) {
    if input.events.is_empty() {
        page.raw(if input.error.is_none() { "No events." } else { "" });
    }
    for severity in Severity::ALL.into_iter().rev() {
        let count = input.events.iter().filter(|event| event.severity == severity).count();
        if count > 0 {
            page.put(format_args!("<span class=\"s {severity}\"><b>{count} {severity}</b></span> "));
        }
    }
}

fn write_tracks(page: &mut Page, input: &ReportInput) {
    page.raw("<table><thead><tr><th>Track</th><th>What it is</th></tr></thead><tbody>\n");
    for track in &input.tracks {
        page.raw("<tr>").cell("w", &track.track.to_string()).cell("", &track.describe()).raw("</tr>\n");
    }
    page.raw("</tbody></table>\n");
}

fn write_measurements(page: &mut Page, input: &ReportInput) {
    let Some(first) = input.measurements.values().next() else { return };
    page.raw("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"loudness\"><table><thead><tr><th>Loudness</th>");
    for (name, _, unit) in first.rows() {
        page.put(format_args!("<th class=\"n\">{name}, {unit}</th>"));
    }
    page.raw("</tr></thead><tbody>\n");
    for (track, measurements) in &input.measurements {
        page.raw("<tr>").cell("w", &track.to_string());
        for (_, value, _) in measurements.rows() {
            page.cell("n", &value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1}")));
        }
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n");
}

fn write_events(page: &mut Page, input: &ReportInput, place: Place) {
    page.raw(
        "<h3>Events</h3>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"events\"><table><thead><tr>",
    );
    page.raw("<th>Severity</th><th>Track</th><th>Detector</th><th class=\"n\">Start</th><th class=\"n\">End</th>");
    page.raw("<th class=\"n\">Lasted</th><th class=\"n\">Worst</th><th>Message</th></tr></thead><tbody>\n");
    let has_bands = Axis::new(input.duration_s).is_some();
    for (number, event) in input.events.iter().enumerate().take(EVENTS_MAX) {
        page.put(format_args!("<tr id=\"{}e{number}\"><td>", place.id())).severity(event.severity.name());
        page.raw("</td>").cell("w", &event.track.to_string()).raw("<td class=\"w\">");
        if has_bands {
            page.put(format_args!("<a href=\"#{}b{number}\">", place.id())).text(&event.detector).raw("</a>");
        } else {
            page.text(&event.detector);
        }
        page.raw("</td>").cell("n", &format!("{:.3} s", event.start_s));
        let end = if event.ongoing { "to the end".to_owned() } else { format!("{:.3} s", event.end_s) };
        page.cell("n", &end).cell("n", &format!("{:.3} s", event.duration_s)).cell("n", &worst(event));
        page.cell("m", &event.message).raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n");
    if input.events.len() > EVENTS_MAX {
        let more = input.events.len() - EVENTS_MAX;
        page.put(format_args!("<p>And {more} more; the JSON report lists all.</p>\n"));
    }
}

/// The worst score with its unit.
fn worst(event: &ReportEvent) -> String {
    event.peak.map_or_else(String::new, |peak| format!("{} {}", (peak * 1e3).round() / 1e3 + 0.0, event.unit))
}
