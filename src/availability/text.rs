//! The report for people at a terminal. Pure.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::{Figures, Noise, ServiceReport, lasted, percent};
use crate::report::plain;

/// Streams in the table; the rest are counted, and all of them are in the other formats.
const ROWS_MAX: usize = 500;
/// Worst events below it.
const WORST_MAX: usize = 10;

/// The report as tables.
pub(super) fn render(report: &ServiceReport) -> String {
    let mut text = format!("{} to {}, errors from {} on\n\n", report.since, report.until, report.from);
    // Writing into a String cannot fail, here and below.
    let mut table = table(&["STREAM", "AVAILABLE", "ERRORED", "EVENTS", "DETECT", "RECOVER", "WATCHED", "NOT WATCHED"]);
    for stream in report.streams.iter().take(ROWS_MAX) {
        table.add_row(row(&plain(&stream.stream), &stream.figures));
    }
    for (name, figures) in &report.groups {
        table.add_row(row(&format!("{} {} ({})", plain(&report.group_label), plain(name), figures.streams), figures));
    }
    table.add_row(row(&format!("all ({})", report.total.streams), &report.total));
    write_table(&mut text, &mut table, 1..8);
    if report.streams.len() > ROWS_MAX {
        let _ = writeln!(text, "and {} streams more; JSON and CSV have all", report.streams.len() - ROWS_MAX);
    }
    write_worst(&mut text, report);
    if let Some(noise) = &report.noise {
        write_noise(&mut text, noise);
    }
    text.push('\n');
    for line in &report.definitions {
        let _ = writeln!(text, "{line}");
    }
    for note in &report.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.to_vec());
    table
}

fn write_table(text: &mut String, table: &mut Table, numbers: std::ops::Range<usize>) {
    for column in numbers {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in table.lines() {
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

fn row(name: &str, figures: &Figures) -> Vec<String> {
    let times = |median: Option<f64>, max: Option<f64>| match (median, max) {
        (Some(median), Some(max)) => format!("{}, max {}", lasted(median), lasted(max)),
        _ => "–".to_owned(),
    };
    vec![
        name.to_owned(),
        figures.availability.map_or_else(|| "–".to_owned(), percent),
        lasted(figures.errored_s),
        figures.events.to_string(),
        times(figures.detect_median_s, figures.detect_max_s),
        times(figures.recover_median_s, figures.recover_max_s),
        lasted(figures.watched_s),
        lasted(figures.not_watched_s),
    ]
}

fn write_worst(text: &mut String, report: &ServiceReport) {
    let mut worst: Vec<_> = report
        .streams
        .iter()
        .flat_map(|stream| stream.worst.iter().map(move |event| (&stream.stream, event)))
        .collect();
    worst.sort_by(|(_, one), (_, other)| {
        other.severity.cmp(&one.severity).then(other.duration_s.total_cmp(&one.duration_s))
    });
    if worst.is_empty() {
        return;
    }
    let _ = writeln!(text, "\nworst events");
    let mut table = table(&["STREAM", "SEVERITY", "DETECTOR", "BEGAN", "LASTED", "MESSAGE"]);
    for (stream, event) in worst.into_iter().take(WORST_MAX) {
        let open = if event.ended_at.is_none() { ", open" } else { "" };
        table.add_row(vec![
            plain(stream),
            event.severity.to_string(),
            format!("{} {}", plain(&event.detector), plain(&event.track)),
            event.started_at.to_string(),
            lasted(event.duration_s) + open,
            plain(&event.message),
        ]);
    }
    write_table(text, &mut table, 4..5);
}

fn write_noise(text: &mut String, noise: &Noise) {
    let _ = writeln!(text, "\nnoisiest streams and detectors");
    let mut table = table(&["STREAM", "DETECTOR", "EVENTS", "A DAY", "OPEN", "MEDIAN", "FLAPS"]);
    for pair in &noise.pairs {
        table.add_row(vec![
            plain(&pair.stream),
            plain(&pair.detector),
            pair.events.to_string(),
            format!("{:.1}", pair.per_day),
            percent(pair.open_share),
            pair.median_s.map_or_else(|| "–".to_owned(), lasted),
            pair.flaps.to_string(),
        ]);
    }
    write_table(text, &mut table, 2..7);
    if noise.pairs.is_empty() {
        let _ = writeln!(text, "none");
    }
    for pair in noise.pairs.iter().filter(|pair| pair.suggestion.is_some()) {
        let words = pair.suggestion.as_deref().unwrap_or_default();
        let _ = write!(text, "\n{} {}: {words}", plain(&pair.stream), plain(&pair.detector));
        if let Some(config) = &pair.config {
            let _ = write!(text, "\n    {config}");
        }
        text.push('\n');
    }
    if !noise.candidates.is_empty() {
        let _ = writeln!(text, "\nobserved streams");
        let mut table = self::table(&["STREAM", "WATCHED", "ALARMS", "LAST", "READY TO GO LIVE"]);
        for candidate in &noise.candidates {
            table.add_row(vec![
                plain(&candidate.stream),
                lasted(candidate.watched_s),
                candidate.alarms.to_string(),
                candidate.last_alarm_at.map_or_else(|| "–".to_owned(), |at| at.to_string()),
                if candidate.ready { "yes" } else { "no" }.to_owned(),
            ]);
        }
        write_table(text, &mut table, 1..3);
    }
}
