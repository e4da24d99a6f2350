//! The report for people.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::figures::Trial;
use super::report::LoadReport;
use super::run::counting;

/// Writes the report.
pub fn render(report: &LoadReport) -> String {
    let mut text = heading(report);
    text.push_str(&trials(report));
    if let Some(trial) = counting(&report.trials, &report.capacity) {
        text.push_str(&details(trial));
    }
    text.push_str(&conclusions(report));
    text
}

fn heading(report: &LoadReport) -> String {
    let [width, height] = report.size;
    let sound =
        if report.channels == 0 { "no sound".to_owned() } else { format!("{} channels of sound", report.channels) };
    let ways =
        if report.transports.is_empty() { String::new() } else { format!(", over {}", report.transports.join(", ")) };
    format!(
        "{} streams of {width}x{height}, {} pictures a second, {sound}{ways}; profile {}, seed {}\n\n",
        report.source, report.rate, report.profile, report.seed
    )
}

fn trials(report: &LoadReport) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "streams",
        "frames",
        "coverage",
        "dropped",
        "p50 ms",
        "p99 ms",
        "max ms",
        "CPU ms/stream/s",
        "cores",
        "recall",
        "precision",
        "",
    ]);
    for trial in &report.trials {
        let total = trial.latency_ms.get("total");
        let at = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.1}"));
        let share = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.3}"));
        table.add_row([
            trial.streams.to_string(),
            trial.frames.judged.to_string(),
            format!("{:.4}", trial.frames.coverage),
            (trial.frames.dropped + trial.frames.receive_dropped).to_string(),
            at(total.map(|total| total.p50)),
            at(total.map(|total| total.p99)),
            at(total.map(|total| total.max)),
            format!("{:.2}", trial.cpu.stream_ms),
            format!("{:.2}", trial.cpu.cores_used),
            share(trial.accuracy.recall),
            share(trial.accuracy.precision),
            if trial.held { "held".to_owned() } else { trial.broke.join("; ") },
        ]);
    }
    for column in table.column_iter_mut().take(11) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{}\n", table.trim_fmt())
}

fn details(trial: &Trial) -> String {
    let mut text = format!("\nAt {} streams:\n", trial.streams);
    // Writing to a string cannot fail.
    for (part, at) in &trial.latency_ms {
        let _ = writeln!(
            text,
            "  {part:<8} p50 {:>9.3} ms  p90 {:>9.3}  p99 {:>9.3}  max {:>9.3}",
            at.p50, at.p90, at.p99, at.max
        );
    }
    let stages: Vec<String> = trial.cpu.stages_ms.iter().map(|(stage, time)| format!("{stage} {time:.3}")).collect();
    let _ = writeln!(text, "  CPU      {} ms a stream and second", stages.join(", "));
    let _ = writeln!(
        text,
        "  memory   {:.2} MB a stream, {:.0} MB in all; one core carries {:.1} streams",
        trial.memory.per_stream as f64 / 1e6,
        trial.memory.after as f64 / 1e6,
        trial.cpu.streams_per_core
    );
    let accuracy = &trial.accuracy;
    let _ = writeln!(
        text,
        "  planted  {} of {} defects told; {} of {} events false",
        accuracy.found, accuracy.planted, accuracy.false_alarms, accuracy.events
    );
    if let Some(sender) = &trial.sender {
        let _ = writeln!(
            text,
            "  sender   {:.2} cores, at most {:.1} ms late, {:.1} Mb/s a stream",
            sender.cores_used,
            sender.latest_ms,
            sender.stream_bits_per_second / 1e6
        );
    }
    if trial.restarts > 0 {
        let _ = writeln!(text, "  restarts {}: {}", trial.restarts, trial.errors.join("; "));
    }
    for example in &accuracy.examples {
        let _ = writeln!(text, "  {example}");
    }
    text
}

fn conclusions(report: &LoadReport) -> String {
    let mut text = String::new();
    let capacity = &report.capacity;
    if capacity.searched {
        let per_core = capacity.streams_per_core.map_or(String::new(), |streams| format!(", {streams:.1} a core"));
        let limit = if capacity.limit.is_empty() { "no limit broke".to_owned() } else { capacity.limit.join("; ") };
        let _ = writeln!(text, "\nCapacity: {} streams{per_core}; beyond: {limit}", capacity.streams);
    }
    if let Some(baseline) = &report.baseline {
        let share = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.3}"));
        let _ = writeln!(
            text,
            "Bare decoding: {:.1} streams{}, {:.2} ms of CPU a stream and second; capacity over that {}, CPU of decoding over that of watching {}",
            baseline.streams,
            baseline.sustained.map_or(String::new(), |streams| format!(", {streams} in real time")),
            baseline.stream_ms,
            share(baseline.ratio),
            share(baseline.cpu_ratio)
        );
    }
    if let Some(linear) = report.linear {
        let growth = report.baseline.as_ref().and_then(|baseline| baseline.growth);
        let bare = growth.map_or(String::new(), |growth| format!("; of bare decoding {growth:.3}"));
        let _ = writeln!(text, "CPU per stream over that at a quarter of the streams: {linear:.3}{bare}");
    }
    for required in &report.required {
        let reached = required.reached.map_or("unknown".to_owned(), |value| value.to_string());
        let word = if required.met { "met" } else { "missed" };
        let _ = writeln!(text, "{word}: {} wanted {}, reached {reached}", required.name, required.wanted);
    }
    if report.stopped {
        text.push_str("stopped early: this is what was seen until then\n");
    }
    text
}
