//! The answer for people. Pure.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::{Alarms, ReplayedFrom, Tuned};
use crate::report::plain;

/// The answer as a table, with what to know below it.
pub fn render(tuned: &Tuned) -> String {
    let mut text = format!("{} from {} to {}\n", tuned.detector, tuned.since, tuned.until);
    let asked: Vec<String> = tuned.asked.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    let asked = if asked.is_empty() { "as configured".to_owned() } else { asked.join(", ") };
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["STREAM", "RAISED", "CONFIGURED", "ASKED", "BY SEVERITY, ASKED", "REPLAYED FROM"]);
    for stream in &tuned.streams {
        let from = match stream.replayed_from {
            ReplayedFrom::Journal => "journal",
            ReplayedFrom::Events => "events",
        };
        table.add_row(row(&plain(&stream.stream), stream.raised, stream.configured, stream.tuned, from));
    }
    table.add_row(row("all", tuned.raised, tuned.configured, tuned.tuned, ""));
    for column in 1..4 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    // Writing into a String cannot fail, here and below.
    let _ = writeln!(text, "asked: {asked}\n");
    for line in table.lines() {
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let (now, then) = (tuned.configured.alarms, tuned.tuned.alarms);
    let _ = writeln!(text, "\n{then} alarms instead of {now}");
    for note in &tuned.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

fn row(name: &str, raised: Alarms, configured: Alarms, tuned: Alarms, from: &str) -> Vec<String> {
    let severities = [
        ("critical", tuned.critical),
        ("major", tuned.major),
        ("minor", tuned.minor),
        ("warning", tuned.warning),
        ("info", tuned.info),
    ];
    let told: Vec<String> =
        severities.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{count} {name}")).collect();
    vec![
        name.to_owned(),
        raised.alarms.to_string(),
        configured.alarms.to_string(),
        tuned.alarms.to_string(),
        told.join(", "),
        from.to_owned(),
    ]
}
