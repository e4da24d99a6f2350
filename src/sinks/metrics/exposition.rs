//! A strict reader of text format 0.0.4 for tests: it refuses what Prometheus would, and more.

use std::collections::{BTreeMap, BTreeSet};

/// One sample: name, labels, value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// Reads an answer; the error names the line at fault.
///
/// Every sample must follow the HELP and TYPE of its family, no family or series may come twice,
/// counters end in `_total` and are not negative, histograms rise and end with `+Inf` = count.
pub(crate) fn parse(text: &str) -> Result<Vec<Sample>, String> {
    let mut samples = Vec::new();
    let mut family: Option<(String, String)> = None;
    let (mut helped, mut typed, mut series) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("the last line is not ended".to_owned());
    }
    for line in text.lines() {
        let fault = |why: &str| format!("{why}: {line}");
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, _) = rest.split_once(' ').ok_or_else(|| fault("no help"))?;
            helped.insert(name.to_owned()).then_some(()).ok_or_else(|| fault("second help"))?;
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or_else(|| fault("no type"))?;
            typed.insert(name.to_owned()).then_some(()).ok_or_else(|| fault("second type"))?;
            helped.contains(name).then_some(()).ok_or_else(|| fault("type without help"))?;
            ["counter", "gauge", "histogram"].contains(&kind).then_some(()).ok_or_else(|| fault("unknown type"))?;
            (kind != "counter" || name.ends_with("_total")).then_some(()).ok_or_else(|| fault("counter name"))?;
            family = Some((name.to_owned(), kind.to_owned()));
        } else {
            let sample = sample(line).ok_or_else(|| fault("not a sample"))?;
            let (name, kind) = family.as_ref().ok_or_else(|| fault("sample without family"))?;
            let suffix = sample.name.strip_prefix(name.as_str()).ok_or_else(|| fault("sample of another family"))?;
            let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            suffixes.contains(&suffix).then_some(()).ok_or_else(|| fault("wrong suffix"))?;
            (kind == "gauge" || sample.value >= 0.0).then_some(()).ok_or_else(|| fault("negative"))?;
            let unique = series.insert((sample.name.clone(), sample.labels.clone()));
            unique.then_some(()).ok_or_else(|| fault("series twice"))?;
            samples.push(sample);
        }
    }
    histograms(&samples)?;
    Ok(samples)
}

fn sample(line: &str) -> Option<Sample> {
    let name_end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(name_end);
    let name_character = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(name_character) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (key, after) = rest.split_once("=\"")?;
            if key.is_empty() || !key.chars().all(name_character) {
                return None;
            }
            let (value, after) = quoted(after)?;
            if labels.insert(key.to_owned(), value).is_some() {
                return None;
            }
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ')?;
    let value: f64 = value.parse().ok()?;
    value.is_finite().then(|| Sample { name: name.to_owned(), labels, value })
}

/// The text up to the closing quotation mark, unescaped, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[index + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                same @ ('"' | '\\') => same,
                _ => return None,
            }),
            other => value.push(other),
        }
    }
    None
}

fn histograms(samples: &[Sample]) -> Result<(), String> {
    let mut rows: BTreeMap<_, Vec<(f64, f64)>> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.labels.contains_key("le")) {
        let mut labels = sample.labels.clone();
        let bound = labels.remove("le").unwrap_or_default().replace("+Inf", "inf");
        let bound = bound.parse().map_err(|_| format!("bound {bound}"))?;
        let name = sample.name.trim_end_matches("_bucket").to_owned();
        rows.entry((name, labels)).or_default().push((bound, sample.value));
    }
    for ((name, labels), buckets) in rows {
        if !buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1) {
            return Err(format!("{name} {labels:?} does not rise"));
        }
        let count = samples.iter().find(|sample| sample.name == format!("{name}_count") && sample.labels == labels);
        let last = buckets.last().filter(|(bound, _)| bound.is_infinite()).map(|(_, count)| *count);
        if last.is_none() || last != count.map(|sample| sample.value) {
            return Err(format!("{name} {labels:?}: +Inf {last:?} is not the count {count:?}"));
        }
    }
    Ok(())
}
