//! The document: `docs/accuracy.md`, written from the results and from nothing else.

use std::fmt::Write as _;

use super::results::{Results, Row};
use super::scores::{Onset, Remark, Score};
use super::thresholds::RULES;
use super::words::Watches;

const HEAD: &str = include_str!("document_head.md");

/// The whole document. `date` and the version of FFmpeg are told; nothing of the machine is.
pub(crate) fn render(results: &Results, date: &str, ffmpeg: &str) -> String {
    let mut text = HEAD.replace("DATE", date).replace("FFMPEG", ffmpeg);
    text.push_str(&set(results));
    text.push_str("\n## Scores\n\n");
    text.push_str(SCORES);
    text.push_str(&table(results));
    text.push_str(&unbuilt(results));
    text.push_str(&onsets(results));
    text.push_str(&measurements(results));
    text.push_str(&filters(results));
    text.push_str(&allowances(results));
    text.push_str(&remarks(results));
    text
}

const SCORES: &str = "\
`found` is of planted; `alarms` are false ones at `warning` and above (from `info` on for detectors that never go beyond it),
on all clips; `an hour` those on clean clips alone, with the upper end of the 95 % interval in brackets. In the columns of a
filter the same is said of FFmpeg's.\n\n";

fn set(results: &Results) -> String {
    let mut text = String::from("\n| clips | generated | real material |\n|---|---|---|\n");
    let mut all = 0;
    for (kind, (generated, real)) in &results.counts {
        _ = writeln!(text, "| {kind} | {generated} | {real} |");
        all += generated + real;
    }
    _ = writeln!(text, "\n{all} clips of {:.0} minutes. Encodings: {}.", results.seconds / 60.0, encodings(results));
    for missing in &results.missing {
        _ = writeln!(text, "\n**Left out**, because it could not be had: {missing}.");
    }
    if !results.failures.is_empty() {
        text.push_str("\n**Came to nothing** and are in no figure:\n\n");
        for (name, why) in &results.failures {
            _ = writeln!(text, "- `{name}`: {}", why.lines().next().unwrap_or_default());
        }
    }
    let (differing, compared) = (&results.differing.0, results.differing.1);
    _ = writeln!(
        text,
        "\nOne clip in five was checked twice, the second time while twice as many threads as there are cores kept the machine busy: \
         {} of {compared} reports were the same byte for byte.",
        compared - differing.len()
    );
    for name in differing {
        _ = writeln!(text, "\n**Differs:** `{name}`.");
    }
    text
}

fn encodings(results: &Results) -> String {
    let all: Vec<String> = results.encodings.iter().map(|(name, count)| format!("{name} ({count})")).collect();
    all.join(", ")
}

/// A share as a percentage.
pub(crate) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", share * 100.0))
}

fn table(results: &Results) -> String {
    let mut text = String::from(
        "| detector | found | recall | precision | F1 | alarms | an hour | filter | recall | precision | F1 | alarms | an hour |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in results.rows.iter().filter(|row| row.planted > 0) {
        let ours = match &row.ours {
            None => "not built | | | | |".to_owned(),
            Some(score) => format!("{}/{} |{}", score.found, score.planted, columns(score)),
        };
        let theirs = match (&row.theirs, row.word.filter) {
            (Some(score), Some(filter)) => format!("{filter} |{}", columns(score)),
            _ => "none | | | | |".to_owned(),
        };
        _ = writeln!(text, "| `{}` | {ours} {theirs}", row.word.name);
    }
    text
}

fn columns(score: &Score) -> String {
    let rate =
        score.alarms_per_hour().map_or_else(|| "–".to_owned(), |(rate, upper)| format!("{rate:.0} (≤ {upper:.0})"));
    format!(
        " {} | {} | {} | {} | {rate} |",
        percent(score.recall()),
        percent(score.precision()),
        percent(score.f1()),
        score.false_alarms
    )
}

fn unbuilt(results: &Results) -> String {
    let names = |wanted: &dyn Fn(&&Row) -> bool| {
        let names: Vec<String> = results.rows.iter().filter(wanted).map(|row| format!("`{}`", row.word.name)).collect();
        names.join(", ")
    };
    let mut text = String::new();
    let unbuilt = names(&|row| row.ours.is_none() && row.planted > 0);
    if !unbuilt.is_empty() {
        _ = writeln!(text, "\nNot built when this was written, though their clips are part of the set: {unbuilt}.");
        text.push_str("What a built detector says on these clips counts against it unless it is listed as allowed.\n");
    }
    let nowhere = names(&|row| row.planted == 0);
    if !nowhere.is_empty() {
        _ = writeln!(
            text,
            "\nNothing is planted for {nowhere}: a finished file cannot show it, or its material could not be had."
        );
    }
    text
}

fn onsets(results: &Results) -> String {
    let mut text = String::from(
        "\n## Onsets\n\nDistance of the event's begin from the truth, of what was found. Pictures in frames (held when within one), sound \
         and streams in milliseconds (held when within 20 ms on uncompressed sound; a codec smears an edge over its own block).\n\n\
         | detector | unit | median | largest | held | uncompressed: largest | filter: median | largest |\n|---|---|---|---|---|---|---|---|\n",
    );
    for row in &results.rows {
        let Some(score) = row.ours.as_ref().filter(|score| !score.onsets.is_empty()) else { continue };
        let pictures = row.word.watches == Watches::Pictures;
        let limit = if pictures { 1.0 } else { 20.0 };
        let held = score.onsets.iter().filter(|onset| onset.off.abs() <= limit + 0.02).count();
        let exact: Vec<Onset> = score.onsets.iter().copied().filter(|onset| onset.exact).collect();
        let exact = if pictures { "–".to_owned() } else { largest(&exact) };
        let theirs = row.theirs.as_ref().map_or(&[][..], |score| &score.onsets);
        _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {held}/{} | {exact} | {} | {} |",
            row.word.name,
            if pictures { "frames" } else { "ms" },
            middle(&score.onsets),
            largest(&score.onsets),
            score.onsets.len(),
            middle(theirs),
            largest(theirs),
        );
    }
    text
}

/// The median of the distances.
pub(crate) fn middle(onsets: &[Onset]) -> String {
    let mut sorted: Vec<f64> = onsets.iter().map(|onset| onset.off.abs()).collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).map_or_else(|| "–".to_owned(), |middle| format!("{middle:.1}"))
}

/// The largest distance, with its sign.
pub(crate) fn largest(onsets: &[Onset]) -> String {
    let largest = onsets.iter().map(|onset| onset.off).max_by(|a, b| a.abs().total_cmp(&b.abs()));
    largest.map_or_else(|| "–".to_owned(), |largest| format!("{largest:+.1}"))
}

fn measurements(results: &Results) -> String {
    let (integrated, peak, count) = results.loudness;
    format!(
        "\n## Measurements\n\nOver {count} clips with sound, integrated loudness differs from ebur128's by at most {integrated:.2} LU \
         and true peak by at most {peak:.2} dB.\n"
    )
}

fn filters(results: &Results) -> String {
    let mut text = String::from(
        "\n## How FFmpeg's filters were read\n\nFilters that report spans (blackdetect, freezedetect, silencedetect, aphasemeter) have their default \
         thresholds; their least duration is the first hold time of the detector beside them. A filter that gives a number per frame has no \
         alarm of its own: runs above a threshold are taken as events, pauses under 0.3 s bridged, and the threshold is the one with the \
         best F1 over this very set, which no operator could know. Their events are weighed by the same ladder as ours.\n\n\
         | detector | number | threshold |\n|---|---|---|\n",
    );
    for rule in &RULES {
        let row = results.rows.iter().find(|row| row.word.name == rule.detector);
        let threshold = row.and_then(|row| row.threshold).map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
        let how = if rule.fixed.is_some() { "given" } else { "best F1" };
        _ = writeln!(text, "| `{}` | {} | {threshold} ({how}) |", rule.detector, rule.number);
    }
    text
}

fn allowances(results: &Results) -> String {
    let mut text = String::from(
        "\n## What else may be told\n\nEvents that are neither found nor false, because they are true of the clip although they were not what was \
         planted.\n\n| detector | why | clips |\n|---|---|---|\n",
    );
    for ((detector, why), count) in &results.allowances {
        _ = writeln!(text, "| `{detector}` | {why} | {count} |");
    }
    text
}

fn remarks(results: &Results) -> String {
    let mut text = String::from(
        "\n## Every miss and every false alarm\n\nOf avwatch. The clips are in `target/test-media`, by these names.\n",
    );
    let mut none = Vec::new();
    for row in &results.rows {
        let Some(score) = &row.ours else { continue };
        if score.misses.is_empty() && score.alarms.is_empty() {
            if score.planted > 0 {
                none.push(format!("`{}`", row.word.name));
            }
            continue;
        }
        _ = writeln!(text, "\n`{}`\n", row.word.name);
        list(&mut text, "missed", &score.misses);
        list(&mut text, "false", &score.alarms);
    }
    if !none.is_empty() {
        _ = writeln!(text, "\nNeither a miss nor a false alarm: {}.", none.join(", "));
    }
    text
}

fn list(text: &mut String, word: &str, remarks: &[Remark]) {
    for remark in remarks {
        _ = writeln!(text, "- {word}: `{}`: {}", remark.clip, remark.what);
    }
}
