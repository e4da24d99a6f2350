//! The report as one page for people: styles inside, no scripts, nothing fetched, everything escaped.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use avwatch_actors::track::TrackId;

use super::{Report, ReportEvent, ReportInput, plain};

/// Most marks on one timeline and rows of one table; the rest are counted, and all of them are in JSON.
const EVENTS_MAX: usize = 5_000;

/// Width of a timeline, in its own units.
const WIDTH: f64 = 1_000.0;

const STYLE: &str = "\
:root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}\
body{max-width:70rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.3rem}h2{font-size:1.1rem;margin:2.5rem 0 .5rem;overflow-wrap:anywhere}\
table{border-collapse:collapse;width:100%;margin:.7rem 0}\
th,td{text-align:left;padding:.2rem .8rem .2rem 0;border-bottom:1px solid #8884;vertical-align:top}\
.n{text-align:right;font-variant-numeric:tabular-nums}\
svg{width:100%;height:1.1rem;display:block;background:#8883;border-radius:3px}\
.v{color:#fff;border-radius:3px;padding:.1rem .5rem;font-size:.85rem}\
.pass{background:#1a7f37}.fail{background:#c62828}.error{background:#7b1fa2}\
.info{fill:#2b8cc4}.warning{fill:#e0a100}.minor{fill:#e07b00}.major{fill:#d13a1a}.critical{fill:#a0001c}\
td.sev{font-weight:600}p.cause{color:#c62828}";

pub(super) fn render(report: &Report) -> String {
    let mut page = Page(String::new());
    page.raw("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.raw("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">");
    page.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">");
    page.raw("<title>avwatch report</title><style>").raw(STYLE).raw("</style></head><body>\n<h1>avwatch report ");
    page.badge(report.verdict.name()).raw("</h1>\n<p>Profile ").text(&report.profile);
    page.raw(", failing from severity ")
        .text(report.fail_on.name())
        .raw(" on. avwatch ")
        .text(report.version)
        .raw(".</p>\n");
    for input in &report.inputs {
        write_input(&mut page, input);
    }
    page.raw("</body></html>\n");
    page.0
}

/// A page in the making: what comes from outside goes through [`Page::text`].
struct Page(String);

impl Page {
    /// Adds markup of our own.
    fn raw(&mut self, markup: &str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds text, escaped for elements and for quoted attributes.
    fn text(&mut self, text: &str) -> &mut Self {
        for c in plain(text).chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
        self
    }

    fn badge(&mut self, verdict: &str) -> &mut Self {
        self.raw("<span class=\"v ").text(verdict).raw("\">").text(verdict).raw("</span>")
    }

    fn cell(&mut self, class: &str, text: &str) -> &mut Self {
        self.raw("<td class=\"").raw(class).raw("\">").text(text).raw("</td>")
    }
}

fn write_input(page: &mut Page, input: &ReportInput) {
    page.raw("<h2>").badge(input.verdict.name()).raw(" ").text(&input.input).raw("</h2>\n");
    if let Some(cause) = &input.error {
        page.raw("<p class=\"cause\">").text(cause).raw("</p>\n");
    }
    if let (Some(container), Some(duration)) = (&input.container, input.duration_s) {
        page.raw("<p>").text(container).text(&format!(", {duration:.3} s")).raw("</p>\n");
    }
    if !input.tracks.is_empty() {
        write_tracks(page, input);
    }
    if !input.events.is_empty() {
        write_events(page, &input.events);
    } else if input.error.is_none() {
        page.raw("<p>No events.</p>\n");
    }
}

fn write_tracks(page: &mut Page, input: &ReportInput) {
    page.raw("<table><tbody>\n");
    for track in &input.tracks {
        page.raw("<tr>").cell("", &track.track.to_string()).raw("<td>").text(&track.describe());
        if let Some(measurements) = input.measurements.get(&track.track) {
            for (name, value, unit) in measurements.rows() {
                let value = value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1} {unit}"));
                page.raw("<br>").text(&format!("{name} {value}"));
            }
        }
        page.raw("</td></tr>\n");
        write_timeline(page, input, track.track);
    }
    // The input as a whole, and tracks that are missed: they have events, but nothing else to tell.
    let told = |track: &TrackId| input.tracks.iter().any(|info| info.track == *track);
    let others: BTreeSet<TrackId> = input.events.iter().map(|event| event.track).filter(|track| !told(track)).collect();
    for track in others {
        page.raw("<tr>").cell("", &track.to_string()).raw("<td></td></tr>\n");
        write_timeline(page, input, track);
    }
    page.raw("</tbody></table>\n");
}

fn write_timeline(page: &mut Page, input: &ReportInput, track: TrackId) {
    let Some(duration) = input.duration_s.filter(|duration| *duration > 0.0) else { return };
    page.raw("<tr><td colspan=\"2\"><svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"timeline of ");
    page.text(&track.to_string()).raw("\">");
    let mut events: Vec<&ReportEvent> =
        input.events.iter().filter(|event| event.track == track).take(EVENTS_MAX).collect();
    // The worst is drawn last and so stays visible.
    events.sort_by_key(|event| event.severity);
    for event in events {
        let from = (event.start_s / duration * WIDTH).clamp(0.0, WIDTH - 2.0);
        let width = (event.duration_s / duration * WIDTH).clamp(2.0, WIDTH - from);
        let severity = event.severity.name();
        // Writing into a String cannot fail.
        let _ = write!(
            page.0,
            "<rect class=\"{severity}\" x=\"{from:.1}\" y=\"0\" width=\"{width:.1}\" height=\"10\"><title>"
        );
        page.text(&format!("{} {}: {}", event.detector, event.span(), event.message)).raw("</title></rect>");
    }
    page.raw("</svg></td></tr>\n");
}

fn write_events(page: &mut Page, events: &[ReportEvent]) {
    page.raw("<table><thead><tr><th>Severity</th><th>Track</th><th>Detector</th><th class=\"n\">Start</th>");
    page.raw("<th class=\"n\">End</th><th class=\"n\">Lasted</th><th>Message</th></tr></thead><tbody>\n");
    for event in events.iter().take(EVENTS_MAX) {
        page.raw("<tr>")
            .cell("sev", event.severity.name())
            .cell("", &event.track.to_string())
            .cell("", &event.detector);
        let end = if event.ongoing { "to the end".to_owned() } else { format!("{:.3} s", event.end_s) };
        page.cell("n", &format!("{:.3} s", event.start_s)).cell("n", &end);
        page.cell("n", &format!("{:.3} s", event.duration_s)).cell("", &event.message).raw("</tr>\n");
    }
    page.raw("</tbody></table>\n");
    if events.len() > EVENTS_MAX {
        page.raw("<p>")
            .text(&format!("And {} more; the JSON report lists all.", events.len() - EVENTS_MAX))
            .raw("</p>\n");
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::severity::Severity;

    use super::super::fixture::{event, example, input};
    use super::*;

    #[test]
    fn every_event_has_a_row_and_a_mark_on_its_track() {
        let page = render(&example());
        assert_eq!(page.matches("<rect class=\"warning\" x=\"400.0\" y=\"0\" width=\"150.0\"").count(), 1, "{page}");
        assert_eq!(page.matches("<td class=\"sev\">").count(), 3);
        assert!(page.contains("cannot open gone.ts"), "{page}");
    }

    #[test]
    fn every_severity_has_a_colour() {
        for severity in Severity::ALL {
            assert!(STYLE.contains(&format!(".{severity}{{fill:")), "{severity}");
        }
    }

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let mut hostile = input("<script>alert(1)</script>.ts");
        hostile.events = vec![event("black", 1, Severity::Info, 0, 1_000)];
        hostile.events[0].message = "\"><img src=x onerror='x'>&".to_owned();
        let page = render(&Report::new("file", Severity::Warning, vec![hostile]));
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
        assert!(page.contains("&quot;&gt;&lt;img src=x onerror=&#39;x&#39;&gt;&amp;"), "{page}");
    }

    #[test]
    fn the_page_fetches_nothing() {
        let page = render(&example());
        for word in ["http://", "https://", "url(", "src=", "href="] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn an_event_of_a_track_that_is_missing_has_a_timeline_too() {
        let mut missed = input("a.ts");
        missed.events = vec![event("audio_missing", 25, Severity::Warning, 0, 20_000)];
        missed.events[0].track = TrackId::audio(1);
        let page = render(&Report::new("file", Severity::Warning, vec![missed]));
        assert!(page.contains("aria-label=\"timeline of audio:1\""), "{page}");
    }

    #[test]
    fn an_event_at_the_very_end_stays_on_the_timeline() {
        let mut late = input("a.ts");
        late.events = vec![event("flash", 8, Severity::Warning, 20_000, 20_000)];
        let page = render(&Report::new("file", Severity::Warning, vec![late]));
        assert!(page.contains("x=\"998.0\" y=\"0\" width=\"2.0\""), "{page}");
    }
}
