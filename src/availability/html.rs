//! The report as one page: style inside, no scripts, nothing fetched, everything from outside escaped. Pure.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use super::{Figures, Noise, ServiceReport, StreamReport, lasted, percent};
use crate::report::{Page, STYLE};

/// What this page adds to the common style: bars for availability.
const BARS: &str = "svg.bar{display:inline-block;width:7rem;height:.7rem;margin-right:.5rem;vertical-align:-.05rem}\n\
svg .up{fill:#1a7f37}svg .down{fill:var(--major)}tr.sum td{font-weight:600}\n";

/// The report as a page.
pub(super) fn render(report: &ServiceReport) -> String {
    let mut page = Page::default();
    let style = format!("{STYLE}{BARS}");
    let hash = BASE64_STANDARD.encode(Sha256::digest(&style));
    page.raw("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>");
    page.raw("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>");
    page.put(format_args!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{hash}'; \
         base-uri 'none'; form-action 'none'\"/>"
    ));
    page.raw("<title>avwatch service report</title><style>").raw(&style).raw("</style></head><body>\n");
    page.raw("<h1>Service report</h1>\n<p class=\"dim\">").text(&report.since.to_string()).raw(" to ");
    page.text(&report.until.to_string()).raw(", errors from severity ").text(report.from.name()).raw(" on.</p>\n");
    write_summary(&mut page, report);
    write_streams(&mut page, report);
    write_worst(&mut page, report);
    if let Some(noise) = &report.noise {
        write_noise(&mut page, noise);
    }
    page.raw("<section><h2>What the figures mean</h2>\n");
    for text in report.definitions.iter().chain(&report.notes) {
        page.raw("<p>").text(text).raw("</p>\n");
    }
    page.raw("</section></body></html>\n");
    page.0
}

const COLUMNS: [&str; 7] =
    ["Errored", "Events", "Time to detect", "Time to recover", "Watched", "Not watched", "Maintenance"];

fn begin_table(page: &mut Page, first: &str) {
    page.raw("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"availability\"><table><thead><tr><th>");
    page.text(first).raw("</th><th>Availability</th>");
    for column in COLUMNS {
        page.put(format_args!("<th class=\"n\">{column}</th>"));
    }
    page.raw("</tr></thead><tbody>\n");
}

fn write_row(page: &mut Page, name: &str, figures: &Figures, class: &str) {
    page.put(format_args!("<tr class=\"{class}\">")).cell("", name).raw("<td class=\"w\">");
    match figures.availability {
        Some(share) => {
            page.raw("<svg class=\"bar\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">");
            page.raw("<rect class=\"down\" width=\"100\" height=\"10\"/>");
            let width = share.clamp(0.0, 1.0) * 100.0;
            page.put(format_args!("<rect class=\"up\" width=\"{width:.1}\" height=\"10\"/></svg>"));
            page.text(&percent(share));
        }
        None => {
            page.raw("not watched");
        }
    }
    page.raw("</td>");
    let times = |median: Option<f64>, max: Option<f64>| match (median, max) {
        (Some(median), Some(max)) => format!("{}, max {}", lasted(median), lasted(max)),
        _ => "–".to_owned(),
    };
    page.cell("n", &lasted(figures.errored_s)).cell("n", &figures.events.to_string());
    page.cell("n", &times(figures.detect_median_s, figures.detect_max_s));
    page.cell("n", &times(figures.recover_median_s, figures.recover_max_s));
    page.cell("n", &lasted(figures.watched_s)).cell("n", &lasted(figures.not_watched_s));
    page.cell("n", &lasted(figures.maintenance_s)).raw("</tr>\n");
}

fn write_summary(page: &mut Page, report: &ServiceReport) {
    begin_table(page, "Group");
    for (name, figures) in &report.groups {
        write_row(page, &format!("{name} ({} streams)", figures.streams), figures, "");
    }
    write_row(page, &format!("all ({} streams)", report.total.streams), &report.total, "sum");
    page.raw("</tbody></table></div>\n");
}

fn write_streams(page: &mut Page, report: &ServiceReport) {
    page.raw("<section><h2>Streams, the least available first</h2>\n");
    begin_table(page, "Stream");
    let mut streams: Vec<&StreamReport> = report.streams.iter().collect();
    let share = |stream: &StreamReport| stream.figures.availability.unwrap_or(2.0);
    streams.sort_by(|one, other| share(one).total_cmp(&share(other)).then_with(|| one.stream.cmp(&other.stream)));
    for stream in streams {
        let name = match &stream.mode {
            Some(mode) if mode == "observe" => format!("{} (observed)", stream.stream),
            Some(_) | None => stream.stream.clone(),
        };
        write_row(page, &name, &stream.figures, "");
    }
    page.raw("</tbody></table></div></section>\n");
}

fn write_worst(page: &mut Page, report: &ServiceReport) {
    if report.streams.iter().all(|stream| stream.worst.is_empty()) {
        return;
    }
    page.raw("<section><h2>Worst events</h2>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"events\"><table><thead><tr>");
    page.raw("<th>Stream</th><th>Severity</th><th>Detector</th><th>Began</th><th class=\"n\">Lasted</th><th>Message</th></tr></thead><tbody>\n");
    for stream in &report.streams {
        for event in &stream.worst {
            page.raw("<tr>").cell("", &stream.stream).raw("<td>").severity(event.severity.name()).raw("</td>");
            page.cell("w", &format!("{} {}", event.detector, event.track)).cell("w", &event.started_at.to_string());
            let open = if event.ended_at.is_none() { ", open" } else { "" };
            page.cell("n", &(lasted(event.duration_s) + open)).cell("m", &event.message).raw("</tr>\n");
        }
    }
    page.raw("</tbody></table></div></section>\n");
}

fn write_noise(page: &mut Page, noise: &Noise) {
    page.raw("<section><h2>Noisiest streams and detectors</h2>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"noise\"><table><thead><tr>");
    page.raw("<th>Stream</th><th>Detector</th><th class=\"n\">Events</th><th class=\"n\">A day</th><th class=\"n\">Open</th>");
    page.raw("<th class=\"n\">Median</th><th class=\"n\">Flaps</th><th>What to do</th></tr></thead><tbody>\n");
    for pair in &noise.pairs {
        page.raw("<tr>").cell("", &pair.stream).cell("w", &pair.detector).cell("n", &pair.events.to_string());
        page.cell("n", &format!("{:.1}", pair.per_day)).cell("n", &percent(pair.open_share));
        page.cell("n", &pair.median_s.map_or_else(|| "–".to_owned(), lasted)).cell("n", &pair.flaps.to_string());
        let words = [pair.suggestion.as_deref(), pair.config.as_deref()];
        page.cell("m", &words.into_iter().flatten().collect::<Vec<_>>().join(": ")).raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n");
    if !noise.candidates.is_empty() {
        page.raw("<h3>Observed streams</h3><table><thead><tr><th>Stream</th><th class=\"n\">Watched</th><th class=\"n\">Alarms</th>");
        page.raw("<th>Ready to go live</th></tr></thead><tbody>\n");
        for candidate in &noise.candidates {
            page.raw("<tr>").cell("", &candidate.stream).cell("n", &lasted(candidate.watched_s));
            page.cell("n", &candidate.alarms.to_string())
                .cell("", if candidate.ready { "yes" } else { "no" })
                .raw("</tr>\n");
        }
        page.raw("</tbody></table>\n");
    }
    page.raw("</section>\n");
}
