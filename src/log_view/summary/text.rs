//! The summary for people: tables within the width of a terminal.

use std::fmt::{self, Write};

use super::report::{EventReport, FaultReport, StreamReport, SummaryReport};
use crate::telemetry::escape::push_text;

/// Rows of a table; JSON has all.
const ROWS_MAX: usize = 20;

/// Longest message of a row in characters.
const MESSAGE_MAX: usize = 100;

impl fmt::Display for SummaryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.first.as_deref().unwrap_or("-"), self.last.as_deref().unwrap_or("-"));
        writeln!(f, "{} lines from {first} to {last}", self.lines)?;
        let levels: Vec<String> = self
            .by_level
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(level, count)| format!("{count} {level}"))
            .collect();
        writeln!(f, "{}; service started {} times", levels.join(", "), self.service_starts)?;
        if self.malformed > 0 {
            writeln!(f, "{} lines are none of avwatch and were passed over", self.malformed)?;
        }
        self.faults(f)?;
        self.streams(f)?;
        self.events(f)?;
        self.latencies(f)?;
        self.detectors(f)?;
        let losses = &self.losses;
        writeln!(
            f,
            "\nLosses: {} log lines, {} frames not inspected, {} datagrams, {} entries of interval logs unreadable",
            losses.log_lines, losses.lane_frames, losses.datagrams, losses.unreadable_latencies
        )
    }
}

impl SummaryReport {
    fn faults(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "Faults", self.faults.len())?;
        for fault in self.faults.iter().take(ROWS_MAX) {
            let FaultReport { count, level, first, last, .. } = fault;
            let kind = fault.fault.as_deref().map(|kind| format!(" [{}]", clean(kind))).unwrap_or_default();
            writeln!(f, "{count:>9}  {level:<5}{kind} {}", clean(&fault.fingerprint))?;
            writeln!(f, "           {first} to {last}{}", of_streams(fault))?;
            if fault.example != fault.fingerprint {
                writeln!(f, "           e.g. {}", clean(&fault.example))?;
            }
        }
        rest(f, self.faults.len())?;
        if self.other_faults > 0 {
            writeln!(f, "{:>9}  others, for which the table had no room", self.other_faults)?;
        }
        Ok(())
    }

    fn streams(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "Streams", self.streams.len())?;
        if !self.streams.is_empty() {
            writeln!(f, "{:>9}  {:>10} {:>9} {:>8}  {:<24} restarts", "uptime", "up", "sessions", "events", "stream")?;
        }
        for stream in self.streams.iter().take(ROWS_MAX) {
            let StreamReport { up_s, sessions, events_raised, .. } = stream;
            let uptime = stream.uptime.map_or("-".to_owned(), |share| format!("{:.3} %", share * 100.0));
            let causes: Vec<String> =
                stream.restarts.iter().map(|(cause, count)| format!("{} {count}", clean(cause))).collect();
            let (up, name) = (span(*up_s), clean(&stream.stream));
            writeln!(f, "{uptime:>9}  {up:>10} {sessions:>9} {events_raised:>8}  {name:<24} {}", causes.join(", "))?;
        }
        rest(f, self.streams.len())
    }

    fn events(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "Events", self.events.len())?;
        if !self.events.is_empty() {
            writeln!(
                f,
                "{:>9}  {:>9} {:>9} {:>9}  {:<20} severity",
                "raised", "escalated", "held back", "ended", "detector"
            )?;
        }
        for event in self.events.iter().take(ROWS_MAX) {
            let (detector, severity) = (clean(&event.detector), clean(&event.severity));
            let EventReport { raised, escalated, suppressed, ended, .. } = event;
            writeln!(f, "{raised:>9}  {escalated:>9} {suppressed:>9} {ended:>9}  {detector:<20} {severity}")?;
        }
        rest(f, self.events.len())
    }

    fn latencies(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "Latencies in ms", self.latencies.len())?;
        if let Some(row) = self.latencies.first() {
            let title = format!("from, for {}", span(row.seconds as f64));
            writeln!(f, "{title:<25} {:<8} {:>10} {:>9} {:>9} {:>9}", "stage", "frames", "p50", "p99", "max")?;
        }
        for row in &self.latencies {
            let (from, stage, count) = (&row.from, clean(&row.stage), row.count);
            let (p50, p99, max) = (row.p50_ms, row.p99_ms, row.max_ms);
            writeln!(f, "{from:<25} {stage:<8} {count:>10} {p50:>9.2} {p99:>9.2} {max:>9.2}")?;
        }
        Ok(())
    }

    fn detectors(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "Busiest detectors", self.detectors.len())?;
        let all: f64 = self.detectors.iter().map(|cpu| cpu.seconds).sum();
        for cpu in self.detectors.iter().take(ROWS_MAX) {
            let share = if all > 0.0 { cpu.seconds / all * 100.0 } else { 0.0 };
            writeln!(f, "{:>8.1}s  {:>5.1} %  {}", cpu.seconds, share, clean(&cpu.detector))?;
        }
        rest(f, self.detectors.len())
    }
}

fn heading(f: &mut fmt::Formatter<'_>, title: &str, rows: usize) -> fmt::Result {
    writeln!(f, "\n{title}{}", if rows == 0 { ": none" } else { "" })
}

fn rest(f: &mut fmt::Formatter<'_>, rows: usize) -> fmt::Result {
    match rows.checked_sub(ROWS_MAX) {
        Some(more) if more > 0 => writeln!(f, "{:>9}  more; --format json has all", more),
        _ => Ok(()),
    }
}

fn of_streams(fault: &FaultReport) -> String {
    let names: Vec<String> = fault.streams.iter().take(3).map(|name| clean(name)).collect();
    match (fault.streams.len(), fault.more_streams) {
        (0, _) => String::new(),
        (1..=3, false) => format!(", {}", names.join(" ")),
        (count, false) => format!(", {} and {} more streams", names.join(" "), count - names.len()),
        (count, true) => format!(", {} and more than {} more streams", names.join(" "), count - names.len()),
    }
}

/// Foreign words without anything a terminal acts on, of a bounded length.
fn clean(text: &str) -> String {
    let mut out = String::new();
    let end = text.char_indices().nth(MESSAGE_MAX).map(|(at, _)| at);
    push_text(&mut out, &text[..end.unwrap_or(text.len())]);
    if end.is_some() {
        out.push('…');
    }
    out
}

/// Seconds as people say them: `2h 05m`.
fn span(seconds: f64) -> String {
    let mut text = String::new();
    let whole = seconds.max(0.0).round() as u64;
    let written = match whole {
        0..=59 => write!(text, "{whole}s"),
        60..=3_599 => write!(text, "{}m {:02}s", whole / 60, whole % 60),
        3_600..=86_399 => write!(text, "{}h {:02}m", whole / 3_600, whole / 60 % 60),
        _ => write!(text, "{}d {:02}h", whole / 86_400, whole / 3_600 % 24),
    };
    written.expect("writing to a string does not fail");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_two_units() {
        let said: Vec<String> = [5.0, 65.0, 3_700.0, 100_000.0].into_iter().map(span).collect();
        assert_eq!(said, ["5s", "1m 05s", "1h 01m", "1d 03h"]);
    }

    #[test]
    fn foreign_words_are_cut_and_escaped() {
        assert_eq!(clean("a\u{1b}[2J"), "a\\u{1b}[2J");
        assert_eq!(clean(&"x".repeat(200)).chars().count(), MESSAGE_MAX + 1);
    }
}
