//! The report for people at a terminal.

use std::fmt::Write as _;
use std::io::IsTerminal;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};

use avwatch_actors::severity::Severity;
use avwatch_actors::track::TrackId;

use super::{Report, ReportEvent, ReportInput, ReportVerdict, plain, ticks};

/// Columns that a report may take: the names of inputs and of unusual tracks alone go past it.
const COLUMNS: usize = 100;

/// Cells of a timeline bar.
const BAR_CELLS: usize = 80;

/// Most distances between the ticks of its scale: each has room for its time.
const TICKS_MAX: f64 = 8.0;

/// Most rows of an input's table of events; the rest are counted, and all of them are in JSON.
const ROWS_MAX: usize = 500;

/// How text may look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// Without colour.
    pub const PLAIN: Self = Self { colour: false };
    /// With colour.
    pub const COLOUR: Self = Self { colour: true };

    /// Colour if standard output is a terminal that can show it and `NO_COLOR` is not set.
    pub fn of_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self { colour: std::io::stdout().is_terminal() && !refused && !dumb }
    }

    /// The text between a colour and its reset (ECMA-48 SGR codes).
    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn severity(self, severity: Severity, text: &str) -> String {
        let code = match severity {
            Severity::Info => "36",
            Severity::Warning | Severity::Minor => "33",
            Severity::Major => "31",
            Severity::Critical => "1;31",
        };
        self.paint(code, text)
    }

    fn verdict(self, verdict: ReportVerdict) -> String {
        match verdict {
            ReportVerdict::Pass => self.paint("1;32", "PASS"),
            ReportVerdict::Fail => self.paint("1;31", "FAIL"),
            ReportVerdict::Error => self.paint("1;35", "ERROR"),
        }
    }
}

pub(super) fn render(report: &Report, style: Style) -> String {
    let mut out = String::new();
    for input in &report.inputs {
        write_input(&mut out, input, style);
        out.push('\n');
    }
    if report.inputs.iter().any(|input| !input.events.is_empty()) {
        out.push_str("timeline: - nothing  i info  w warning  m minor  M major  C critical\n");
    }
    let count = |verdict| report.inputs.iter().filter(|input| input.verdict == verdict).count();
    line(
        &mut out,
        format_args!(
            "{} input{}, profile {}: {} passed, {} failed, {} could not be checked",
            report.inputs.len(),
            if report.inputs.len() == 1 { "" } else { "s" },
            plain(&report.profile),
            count(ReportVerdict::Pass),
            count(ReportVerdict::Fail),
            count(ReportVerdict::Error),
        ),
    );
    out
}

fn write_input(out: &mut String, input: &ReportInput, style: Style) {
    let mut head = format!("{}  {}", style.verdict(input.verdict), style.paint("1", &plain(&input.input)));
    if let Some(container) = &input.container {
        head.push_str(&format!("  {}", plain(container)));
    }
    if let Some(duration) = input.duration_s {
        head.push_str(&format!("  {duration:.3} s"));
    }
    line(out, format_args!("{head}"));
    if let Some(cause) = &input.error {
        line(out, format_args!("  {}", plain(cause)));
    }
    for track in &input.tracks {
        line(out, format_args!("  {:<8}  {}", track.track.to_string(), plain(&track.describe())));
    }
    for (track, measurements) in &input.measurements {
        let words = measurements.rows().map(|(name, value, unit)| match value {
            Some(value) => format!("{name} {value:.1} {unit}"),
            None => format!("{name} –"),
        });
        for (number, row) in wrapped(&words, COLUMNS - 12).iter().enumerate() {
            let name = if number == 0 { track.to_string() } else { String::new() };
            line(out, format_args!("  {name:<8}  {row}"));
        }
    }
    if input.error.is_none() || !input.tracks.is_empty() {
        write_timeline(out, input, style);
        write_events(out, input, style);
    }
}

/// One bar per track, each cell marked with the worst severity in it.
fn write_timeline(out: &mut String, input: &ReportInput, style: Style) {
    let Some(duration) = input.duration_s.filter(|duration| *duration > 0.0) else { return };
    let mut tracks: Vec<TrackId> = input.tracks.iter().map(|track| track.track).collect();
    tracks.extend(input.events.iter().map(|event| event.track));
    tracks.sort();
    tracks.dedup();
    out.push('\n');
    let width = tracks.iter().map(|track| track.to_string().len()).max().unwrap_or(0).max(8);
    for track in tracks {
        let events = input.events.iter().filter(|event| event.track == track);
        let bar: String = bar(events, duration)
            .iter()
            .map(|cell| cell.map_or_else(|| "-".to_owned(), |severity| style.severity(severity, mark(severity))))
            .collect();
        line(out, format_args!("  {:<width$}  {bar}", track.to_string()));
    }
    line(out, format_args!("  {:<width$}  {}", "", scale(duration)));
}

/// The scale below the bars: a tick stands at the cell that begins at its time.
fn scale(duration: f64) -> String {
    let mut scale = String::new();
    for tick in ticks::ticks(duration, TICKS_MAX) {
        let place = (tick / duration * BAR_CELLS as f64) as usize;
        let blanks = place.saturating_sub(scale.len());
        scale.extend(std::iter::repeat_n(' ', blanks));
        scale.push_str(&format!("|{}", ticks::label(tick, duration)));
    }
    scale
}

/// Joins words with commas into lines of at most that many columns.
fn wrapped(words: &[String], columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (number, word) in words.iter().enumerate() {
        let comma = if number + 1 < words.len() { "," } else { "" };
        match lines.last_mut() {
            Some(last) if last.chars().count() + word.chars().count() + 2 <= columns => {
                last.push_str(&format!(" {word}{comma}"));
            }
            _ => lines.push(format!("{word}{comma}")),
        }
    }
    lines
}

fn bar<'a>(events: impl Iterator<Item = &'a ReportEvent>, duration: f64) -> [Option<Severity>; BAR_CELLS] {
    let mut cells = [None; BAR_CELLS];
    for event in events {
        // Casts from float saturate; an event always marks at least one cell.
        let first = ((event.start_s / duration * BAR_CELLS as f64) as usize).min(BAR_CELLS - 1);
        let last = ((event.end_s / duration * BAR_CELLS as f64).ceil() as usize).clamp(first + 1, BAR_CELLS);
        for cell in &mut cells[first..last] {
            *cell = (*cell).max(Some(event.severity));
        }
    }
    cells
}

const fn mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "i",
        Severity::Warning => "w",
        Severity::Minor => "m",
        Severity::Major => "M",
        Severity::Critical => "C",
    }
}

fn write_events(out: &mut String, input: &ReportInput, style: Style) {
    out.push('\n');
    if input.events.is_empty() {
        out.push_str("  no events\n");
        return;
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    // Messages are broken within their column; what is short stays whole.
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(COLUMNS as u16 - 1);
    table.set_header(["SEVERITY", "TRACK", "DETECTOR", "START", "END", "LASTED", "MESSAGE"]);
    for event in input.events.iter().take(ROWS_MAX) {
        table.add_row([
            event.severity.to_string(),
            event.track.to_string(),
            event.detector.clone(),
            format!("{:.3} s", event.start_s),
            if event.ongoing { "to the end".to_owned() } else { format!("{:.3} s", event.end_s) },
            format!("{:.3} s", event.duration_s),
            plain(&event.message),
        ]);
    }
    for index in 0..=5 {
        if let Some(column) = table.column_mut(index) {
            column.set_constraint(ColumnConstraint::ContentWidth);
            column.set_cell_alignment(if index < 3 { CellAlignment::Left } else { CellAlignment::Right });
        }
    }
    // Painted after the layout, so that no escape sequence counts as width. The first cell of a line
    // that only goes on with a message is blank.
    let mut events = input.events.iter();
    for (number, row) in table.to_string().lines().enumerate() {
        let begins = number > 0 && !row.starts_with("  ");
        let severity = if begins { events.next().map(|event| event.severity) } else { None };
        let row = match severity {
            Some(severity) => row.replacen(severity.name(), &style.severity(severity, severity.name()), 1),
            None => row.to_owned(),
        };
        line(out, format_args!(" {row}"));
    }
    if input.events.len() > ROWS_MAX {
        line(out, format_args!("  and {} more; --format json lists all", input.events.len() - ROWS_MAX));
    }
}

/// Adds a line without trailing blanks.
fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    let from = out.len();
    // Writing into a String cannot fail.
    let _ = out.write_fmt(text);
    let end = out[from..].trim_end().len();
    out.truncate(from + end);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{event, example, input};
    use super::*;

    #[test]
    fn a_person_reads_inputs_tracks_loudness_events_and_the_sum() {
        let expected = "\
FAIL  clip.ts  mpegts  20.000 s
  video:0   h264 1280x720 25 fps yuv420p (500 frames)
  audio:0   aac 48000 Hz stereo
  audio:0   integrated -23.1 LUFS, range –, momentary max –, short-term max –, true peak -1.3 dBTP,
            sample peak –

  video:0   --------------------------------wwwwwwwwwwww------------------------------------
  audio:0   --------------------------------iiiiii------------------------------------------
            |0 s                |5 s                |10 s               |15 s               |20 s

  SEVERITY  TRACK    DETECTOR    START       END   LASTED  MESSAGE
  warning   video:0  black     8.000 s  11.000 s  3.000 s  picture black for 3.0 s
  info      video:0  freeze    8.000 s   9.000 s  1.000 s  picture freeze for 1.0 s
  info      audio:0  silence   8.000 s   9.500 s  1.500 s  picture silence for 1.5 s

";
        let text = render(&example(), Style::PLAIN);
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("ERROR  gone.ts\n  cannot open gone.ts: no such file or directory\n"), "{text}");
        assert!(text.ends_with("3 inputs, profile file: 1 passed, 1 failed, 1 could not be checked\n"), "{text}");
    }

    #[test]
    fn many_tracks_and_long_messages_stay_within_their_columns() {
        let mut wide = input("a.ts");
        wide.duration_s = Some(5_400.0);
        wide.events = (0..4).map(|n| event("block_corruption", 3, Severity::Major, n * 1_000_000, 5_400_000)).collect();
        wide.events[1].track = TrackId::audio(12);
        wide.events[2].message =
            "a message that takes more room than there is, because it tells what, where and why".into();
        let text = render(&Report::new("file", Severity::Warning, vec![wide]), Style::PLAIN);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        assert!(text.contains("  audio:12  -"), "{text}");
        assert!(text.contains("  |0:00:00     |0:15:00     |0:30:00"), "{text}");
        let painted = render(&Report::new("file", Severity::Warning, vec![input("a.ts")]), Style::COLOUR);
        assert!(painted.contains("no events"), "{painted}");
    }

    #[test]
    fn every_event_is_painted_though_messages_take_several_lines() {
        let mut input = input("a.ts");
        input.events = vec![event("black", 1, Severity::Major, 0, 1_000); 2];
        input.events[0].message = "words ".repeat(40);
        input.events[1].severity = Severity::Critical;
        let text = render(&Report::new("file", Severity::Warning, vec![input]), Style::COLOUR);
        assert!(text.contains("\u{1b}[31mmajor\u{1b}[0m") && text.contains("\u{1b}[1;31mcritical\u{1b}[0m"), "{text}");
    }

    #[test]
    fn colour_is_only_used_when_asked_for() {
        assert!(!render(&example(), Style::PLAIN).contains('\u{1b}'));
        let painted = render(&example(), Style::COLOUR);
        assert!(painted.contains("\u{1b}[33mwarning\u{1b}[0m"), "{painted}");
        assert!(painted.contains("\u{1b}[1;31mFAIL\u{1b}[0m"), "{painted}");
    }

    #[test]
    fn a_short_event_marks_a_cell_and_the_worst_one_shows() {
        let events = [
            event("black", 1, Severity::Info, 0, 20_000),
            event("flash", 8, Severity::Critical, 19_999, 19_999),
            event("flash", 8, Severity::Warning, 30_000, 30_000),
        ];
        let bar = bar(events.iter(), 20.0);
        assert_eq!(bar[0], Some(Severity::Info));
        assert_eq!(bar[BAR_CELLS - 1], Some(Severity::Critical));
    }

    #[test]
    fn a_hostile_name_does_not_steer_the_terminal() {
        let mut input = input("a\u{1b}]0;owned\u{7}.ts");
        input.events = vec![event("black", 1, Severity::Info, 0, 1_000)];
        input.events[0].message = "x\u{1b}[2Jy\nz".to_owned();
        let text = render(&Report::new("file", Severity::Warning, vec![input]), Style::PLAIN);
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{text}");
        assert!(text.contains("x?[2Jy?z"), "{text}");
    }

    #[test]
    fn a_very_long_list_is_shortened_and_says_so() {
        let mut input = input("a.ts");
        input.events = vec![event("black", 1, Severity::Info, 0, 1_000); ROWS_MAX + 3];
        let text = render(&Report::new("file", Severity::Warning, vec![input]), Style::PLAIN);
        assert_eq!(text.matches("picture black").count(), ROWS_MAX);
        assert!(text.contains("and 3 more; --format json lists all"), "{text}");
    }
}
