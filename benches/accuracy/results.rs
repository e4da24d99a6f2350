//! Results: the scores of both sides, what they rest on, and the JSON file of all that.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::case::Case;
use super::event::{Event, Step};
use super::kitchen::Judged;
use super::material::Material;
use super::ours::Built;
use super::scores::{Clip, Score, score};
use super::thresholds::{RULES, Rule, best, events, of_spans};
use super::words::{WORDS, Watches, Word};

/// One detector: ours and the filter beside it.
pub(crate) struct Row {
    /// The detector.
    pub(crate) word: &'static Word,
    /// Our scores; nothing while it is not built.
    pub(crate) ours: Option<Score>,
    /// The filter's.
    pub(crate) theirs: Option<Score>,
    /// The threshold that the filter's number was read with.
    pub(crate) threshold: Option<f64>,
    /// How many defects were planted for it, of any length.
    pub(crate) planted: usize,
}

/// Everything that the documents say.
pub(crate) struct Results {
    /// A row per published detector.
    pub(crate) rows: Vec<Row>,
    /// How many clips of each kind: generated and real.
    pub(crate) counts: BTreeMap<&'static str, (usize, usize)>,
    /// Clips per encoding.
    pub(crate) encodings: BTreeMap<String, usize>,
    /// Seconds of all clips.
    pub(crate) seconds: f64,
    /// Largest differences to ebur128 in LU and dB, and over how many clips.
    pub(crate) loudness: (f64, f64, usize),
    /// Cases that came to nothing, and why.
    pub(crate) failures: Vec<(String, String)>,
    /// Real material that could not be had.
    pub(crate) missing: Vec<String>,
    /// Clips with another report the second time, and how many were compared.
    pub(crate) differing: (Vec<String>, usize),
    /// What may be told besides, with the reasons, and in how many clips.
    pub(crate) allowances: BTreeMap<(&'static str, &'static str), usize>,
}

/// The clips that came about, with their cases.
struct Set<'a> {
    clips: Vec<Clip<'a>>,
    judged: Vec<(&'a Case, &'a Judged)>,
}

/// Scores everything.
pub(crate) fn gather(
    cases: &[Case],
    judged: &[Result<Judged, String>],
    built: &Built,
    material: &Material,
    differing: (Vec<String>, usize),
) -> Results {
    let mut set = Set { clips: Vec::new(), judged: Vec::new() };
    let mut failures = Vec::new();
    for (case, judged) in cases.iter().zip(judged) {
        match judged {
            Ok(judged) => {
                set.clips.push(clip(case, judged));
                set.judged.push((case, judged));
            }
            Err(why) => failures.push((case.name.clone(), why.clone())),
        }
    }
    let rows = WORDS.iter().map(|word| row(word, &set, built)).collect();
    let mut results = Results {
        rows,
        counts: BTreeMap::new(),
        encodings: BTreeMap::new(),
        seconds: set.clips.iter().map(|clip| clip.seconds).sum(),
        loudness: loudness(&set),
        failures,
        missing: material.missing.clone(),
        differing,
        allowances: BTreeMap::new(),
    };
    for (case, judged) in &set.judged {
        let count = results.counts.entry(case.kind.word()).or_default();
        if case.real {
            count.1 += 1
        } else {
            count.0 += 1
        }
        let encoding = case.name.rsplit('.').next().unwrap_or_default();
        *results.encodings.entry(encoding.to_owned()).or_default() += 1;
        let mut reasons: Vec<_> = judged.made.allowed.iter().map(|allowed| (allowed.detector, allowed.why)).collect();
        reasons.sort_unstable();
        reasons.dedup();
        for reason in reasons {
            *results.allowances.entry(reason).or_default() += 1;
        }
    }
    results
}

fn clip<'a>(case: &'a Case, judged: &'a Judged) -> Clip<'a> {
    let made = &judged.made;
    let has = |detector: &str| judged.readings.spans.contains_key(detector);
    Clip {
        name: &case.name,
        kind: case.kind,
        seconds: made.seconds,
        fps: made.fps,
        tracks: (has("black"), has("silence")),
        truth: &made.truth,
        allowed: &made.allowed,
        asked: case.asked.as_ref().map(|asked| asked.detector),
    }
}

fn row(word: &'static Word, set: &Set<'_>, built: &Built) -> Row {
    let published = word.steps();
    let steps = built.steps(word.name).unwrap_or(&published);
    let ours = built
        .steps(word.name)
        .map(|steps| score(word, steps, &set.clips, |index| set.judged[index].1.report.events.clone()));
    let rule = RULES.iter().find(|rule| rule.detector == word.name);
    let (theirs, threshold) = match (word.filter, rule) {
        (None, _) => (None, None),
        (Some(_), None) => (Some(score(word, steps, &set.clips, |index| spans(word, steps, set.judged[index]))), None),
        (Some(_), Some(rule)) => searched(word, rule, steps, set),
    };
    let planted = set.clips.iter().flat_map(|clip| clip.truth).filter(|one| one.detector == word.name).count();
    Row { word, ours, theirs, threshold, planted }
}

/// The events of a filter that reports spans, and of ebur128 against a target.
fn spans(word: &Word, steps: &[Step], (case, judged): (&Case, &Judged)) -> Vec<Event> {
    let track = if word.watches == Watches::Pictures { "video:0" } else { "audio:0" };
    if word.name == "loudness" {
        let asked = case.asked.as_ref().is_some_and(|asked| asked.detector == "loudness");
        let off = judged.readings.loudness.is_some_and(|(integrated, _)| (integrated + 23.0).abs() > 0.5);
        let whole = [(judged.made.seconds, judged.made.seconds)];
        return if asked && off { of_spans(word.name, track, &whole, steps) } else { Vec::new() };
    }
    judged.readings.spans.get(word.name).map_or_else(Vec::new, |spans| of_spans(word.name, track, spans, steps))
}

/// The scores of a filter that gives a number, at the threshold that suits it best.
fn searched(word: &Word, rule: &Rule, steps: &[Step], set: &Set<'_>) -> (Option<Score>, Option<f64>) {
    let at = |threshold: f64| {
        score(word, steps, &set.clips, |index| {
            let judged = set.judged[index].1;
            let series = judged.readings.series.get(rule.detector).map_or(&[][..], Vec::as_slice);
            events(rule, series, threshold, steps, judged.made.seconds)
        })
    };
    let threshold = rule.fixed.or_else(|| {
        let all = set.judged.iter().filter_map(|(_, judged)| judged.readings.series.get(rule.detector));
        let mut values: Vec<f64> = all.flatten().filter_map(|(_, value)| *value).collect();
        best(&mut values, |threshold| at(threshold).f1().unwrap_or(0.0))
    });
    (threshold.map(at), threshold)
}

/// The largest differences between our measurements and ebur128's, where both have one.
fn loudness(set: &Set<'_>) -> (f64, f64, usize) {
    let mut worst = (0.0_f64, 0.0_f64, 0);
    for (_, judged) in &set.judged {
        let (Some(ours), Some(theirs)) = (judged.report.loudness, judged.readings.loudness) else { continue };
        // Below the gate there is nothing to compare.
        if theirs.0 <= -69.0 || !theirs.1.is_finite() {
            continue;
        }
        worst = (worst.0.max((ours.0 - theirs.0).abs()), worst.1.max((ours.1 - theirs.1).abs()), worst.2 + 1);
    }
    worst
}

/// The results as JSON.
pub(crate) fn json(results: &Results, cases: &[Case], judged: &[Result<Judged, String>]) -> Value {
    let side = |score: &Score| {
        json!({
            "planted": score.planted, "found": score.found, "recall": score.recall(), "precision": score.precision(),
            "f1": score.f1(), "false_alarms": score.false_alarms, "clean_alarms": score.clean_alarms,
            "clean_hours": score.clean_hours,
            "alarms_per_hour": score.alarms_per_hour().map(|(rate, _)| rate),
            "alarms_per_hour_upper_95": score.alarms_per_hour().map(|(_, upper)| upper),
            "onsets": score.onsets.iter().map(|onset| onset.off).collect::<Vec<_>>(),
            "misses": score.misses.iter().map(|one| [&one.clip, &one.what]).collect::<Vec<_>>(),
            "alarms": score.alarms.iter().map(|one| [&one.clip, &one.what]).collect::<Vec<_>>(),
        })
    };
    let rows: Vec<Value> = results
        .rows
        .iter()
        .map(|row| {
            json!({
                "detector": row.word.name, "built": row.ours.is_some(), "planted": row.planted,
                "avwatch": row.ours.as_ref().map(side), "filter": row.word.filter,
                "threshold": row.threshold, "ffmpeg": row.theirs.as_ref().map(side),
            })
        })
        .collect();
    let clips: Vec<Value> = cases.iter().zip(judged).map(|(case, judged)| clip_json(case, judged)).collect();
    json!({
        "schema": "avwatch.accuracy/1", "detectors": rows, "clips": clips, "missing": results.missing,
        "compared_twice": results.differing.1, "differing": results.differing.0,
    })
}

fn clip_json(case: &Case, judged: &Result<Judged, String>) -> Value {
    match judged {
        Err(why) => json!({"name": case.name, "kind": case.kind.word(), "error": why}),
        Ok(judged) => json!({
            "name": case.name, "kind": case.kind.word(), "real": case.real,
            "file": judged.made.path.file_name().map(|name| name.to_string_lossy()),
            "truth": judged.made.truth.iter().map(|one| json!([one.detector, one.track, one.start, one.end])).collect::<Vec<_>>(),
            "events": judged.report.events,
        }),
    }
}

/// Writes the JSON file.
pub(crate) fn write(value: &Value, path: &Path) -> Result<(), String> {
    let text = serde_json::to_string_pretty(value).map_err(|error| error.to_string())?;
    std::fs::write(path, text + "\n").map_err(|error| error.to_string())
}
