//! Writes `docs/reliability.md` from the kept results.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::harness::results;
use crate::trials::ALL;

const HEAD: &str = include_str!("page_head.md");

/// Writes the page.
///
/// # Errors
/// The results cannot be read, or the page not be written.
pub fn write(results: &Path, page: &Path) -> Result<()> {
    let text = render(&results::read(results)?)?;
    std::fs::write(page, text).with_context(|| page.display().to_string())
}

fn render(records: &[Value]) -> Result<String> {
    let mut page = HEAD.to_owned();
    let mut trials: Vec<_> = ALL.iter().collect();
    trials.sort_by_key(|trial| trial.id[1..].parse::<u32>().ok());
    page.push_str("\n| trial | verdict | when | took | command |\n|---|---|---|---|---|\n");
    for trial in &trials {
        let record = records.iter().find(|record| record["trial"] == trial.id);
        let line = match record {
            Some(record) => format!(
                "| [{} {}](#{}) | {} | {} | {} s | `{}` |",
                trial.id,
                trial.name,
                anchor(trial.id, trial.name),
                text(&record["verdict"]),
                text(&record["at"]),
                record["took_s"],
                text(&record["command"]),
            ),
            None => format!("| {} {} | not run yet | – | – | `scripts/trials {}` |", trial.id, trial.name, trial.name),
        };
        writeln!(page, "{line}")?;
    }
    for trial in &trials {
        let Some(record) = records.iter().find(|record| record["trial"] == trial.id) else { continue };
        write!(page, "\n## {} {}\n\n{}.\n\n", trial.id, trial.name, capital(trial.what))?;
        let (version, build) = (text(&record["avwatch"]), text(&record["build"]));
        writeln!(page, "{version} ({build}), seed {}, {}.\n", record["seed"], text(&record["machine"]))?;
        page.push_str("| figure | value | pass line |\n|---|---|---|\n");
        for (name, value) in record["figures"].as_object().into_iter().flatten() {
            writeln!(page, "| {} | {} | {} |", name.replace('_', " "), shown(value), line(record, name))?;
        }
    }
    Ok(page)
}

/// The pass line of a figure in words, and whether it was missed.
fn line(record: &Value, name: &str) -> String {
    let line = &record["pass"][name];
    let words = match (line.get("at_most"), line.get("at_least")) {
        (Some(most), _) if most == 0 => "none".to_owned(),
        (Some(most), _) => format!("at most {most}"),
        (_, Some(least)) => format!("at least {least}"),
        _ => return "–".to_owned(),
    };
    let missed = record["missed"].as_array().is_some_and(|missed| missed.iter().any(|other| other == name));
    if missed { format!("{words}: **missed**") } else { words }
}

fn shown(value: &Value) -> String {
    match value {
        // Examples are lines of logs and paths: whatever they hold must not break the table.
        Value::String(text) => format!("`{}`", text.replace(['`', '|', '\n'], " ")),
        Value::Array(all) => all.iter().map(shown).collect::<Vec<_>>().join("<br>"),
        Value::Object(all) => {
            all.iter().map(|(name, value)| format!("{name} {}", shown(value))).collect::<Vec<_>>().join(", ")
        }
        Value::Null => "could not be read".to_owned(),
        other => other.to_string(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("–")
}

fn anchor(id: &str, name: &str) -> String {
    format!("{}-{name}", id.to_lowercase())
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_missed_line_stands_out_and_text_from_logs_breaks_no_table() {
        let record = json!({
            "trial": "R12", "at": "2026-11-29T00:00Z", "took_s": 3, "command": "scripts/trials kills", "verdict": "fail",
            "figures": { "lost": 2, "lost_examples": ["a|b`c"] }, "pass": { "lost": { "at_most": 0 } }, "missed": ["lost"],
        });
        let page = render(&[record]).unwrap();
        assert!(page.contains("| lost | 2 | none: **missed** |"), "{page}");
        assert!(page.contains("| lost examples | `a b c` | – |"), "{page}");
    }
}
