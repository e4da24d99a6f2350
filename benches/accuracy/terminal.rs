//! The table on the terminal.

use comfy_table::{Table, presets};

use super::document::{largest, middle, percent};
use super::results::Results;
use super::scores::Score;

/// One line per detector that something was planted for, then what needs a look.
pub(crate) fn table(results: &Results) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "DETECTOR",
        "FOUND",
        "RECALL",
        "PRECISION",
        "F1",
        "ALARMS",
        "AN HOUR",
        "ONSET",
        "WORST",
        "FILTER",
        "RECALL",
        "PRECISION",
        "F1",
        "ALARMS",
    ]);
    for row in &results.rows {
        let told = row.ours.as_ref().is_some_and(|score| score.planted + score.false_alarms > 0);
        if row.planted == 0 && !told {
            continue;
        }
        let mut cells = vec![row.word.name.to_owned()];
        match &row.ours {
            None => cells.extend(std::iter::once("not built".to_owned()).chain(std::iter::repeat_n(String::new(), 7))),
            Some(score) => {
                cells.push(format!("{}/{}", score.found, score.planted));
                cells.extend(shares(score));
                let rate = score.alarms_per_hour();
                cells.push(rate.map_or_else(String::new, |(rate, upper)| format!("{rate:.0} (<= {upper:.0})")));
                cells.push(middle(&score.onsets));
                cells.push(largest(&score.onsets));
            }
        }
        if let (Some(score), Some(filter)) = (&row.theirs, row.word.filter) {
            cells.push(filter.to_owned());
            cells.extend(shares(score));
        }
        table.add_row(cells);
    }
    let mut text = format!("{table}\n\n");
    for row in &results.rows {
        let Some(score) = &row.ours else { continue };
        for (word, remarks) in [("missed", &score.misses), ("false", &score.alarms)] {
            for remark in remarks {
                text.push_str(&format!("{} {word}: {}: {}\n", row.word.name, remark.clip, remark.what));
            }
        }
    }
    for (name, why) in &results.failures {
        text.push_str(&format!("came to nothing: {name}: {why}\n"));
    }
    for name in &results.differing.0 {
        text.push_str(&format!("another report the second time: {name}\n"));
    }
    text.push_str(&format!("{} reports compared with themselves\n", results.differing.1));
    text
}

fn shares(score: &Score) -> [String; 4] {
    [percent(score.recall()), percent(score.precision()), percent(score.f1()), score.false_alarms.to_string()]
}
