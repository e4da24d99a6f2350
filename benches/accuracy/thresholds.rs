//! Filters that give a number per frame: runs above a threshold become events, and the threshold is
//! the one with the best F1 over the whole truth set.
//!
//! That is more than fair to the filter: no operator could choose it without the truth.

use super::event::{Event, Step, severity_after};

/// A pause in a run that does not end it, in seconds: what `check` takes to clear in files.
const PAUSE_SECONDS: f64 = 0.3;
/// Thresholds that are tried, from the values that occur.
const TRIED: usize = 80;

/// How a filter that gives a number per frame is read.
pub(crate) struct Rule {
    /// The detector that the filter stands beside.
    pub(crate) detector: &'static str,
    /// The filter and the number, for the document.
    pub(crate) number: &'static str,
    /// The track that it looks at.
    pub(crate) track: &'static str,
    /// A threshold that its documentation or a standard gives; otherwise the best one is searched for.
    pub(crate) fixed: Option<f64>,
    /// What is no number counts as more than any number.
    pub(crate) nothing_is_much: bool,
    /// The number never falls: what is over the threshold once is over it to the end.
    pub(crate) lasting: bool,
}

const RULE: Rule =
    Rule { detector: "", number: "", track: "video:0", fixed: None, nothing_is_much: false, lasting: false };

/// Every filter of this kind.
pub(crate) const RULES: [Rule; 9] = [
    Rule { detector: "block_corruption", number: "blockdetect, `lavfi.block`", ..RULE },
    Rule { detector: "blur", number: "blurdetect, `lavfi.blur`", nothing_is_much: true, ..RULE },
    Rule { detector: "gamut", number: "signalstats, `BRNG`", ..RULE },
    Rule { detector: "flash", number: "photosensitivity, `badness`", ..RULE },
    Rule { detector: "letterbox", number: "cropdetect with `reset=1`, share of the picture cut off", ..RULE },
    Rule {
        detector: "interlacing",
        number: "idet, `multiple.current_frame` against the declared field order",
        fixed: Some(0.5),
        ..RULE
    },
    Rule { detector: "clipping", number: "astats over 100 ms, `Flat_factor`", track: "audio:0", ..RULE },
    Rule { detector: "dc_offset", number: "astats over 100 ms, `DC_offset`", track: "audio:0", ..RULE },
    Rule {
        detector: "true_peak",
        number: "ebur128 with `peak=true`, -1 dBTP",
        track: "audio:0",
        fixed: Some(0.891_250_9),
        lasting: true,
        ..RULE
    },
];

/// The events of a series above a threshold.
pub(crate) fn events(
    rule: &Rule,
    series: &[(f64, Option<f64>)],
    threshold: f64,
    steps: &[Step],
    seconds: f64,
) -> Vec<Event> {
    let over = |value: Option<f64>| value.map_or(rule.nothing_is_much, |value| value > threshold);
    let step = series.windows(2).map(|pair| pair[1].0 - pair[0].0).fold(f64::MAX, f64::min).min(1.0);
    let mut runs: Vec<(f64, f64)> = Vec::new();
    for (at, _) in series.iter().filter(|(_, value)| over(*value)) {
        match runs.last_mut() {
            Some(last) if at - last.1 < PAUSE_SECONDS => last.1 = at + step,
            Some(_) | None => runs.push((*at, at + step)),
        }
    }
    if rule.lasting {
        runs.truncate(1);
        runs.iter_mut().for_each(|run| run.1 = seconds);
    }
    of_spans(rule.detector, rule.track, &runs, steps)
}

/// Events of spans, weighed by the ladder of the detector that they stand beside.
pub(crate) fn of_spans(detector: &str, track: &str, spans: &[(f64, f64)], steps: &[Step]) -> Vec<Event> {
    let event = |(start, end): &(f64, f64)| {
        let severity = severity_after(steps, end - start)?;
        Some(Event { detector: detector.to_owned(), track: track.to_owned(), severity, start: *start, end: *end })
    };
    spans.iter().filter_map(event).collect()
}

/// The threshold of the best score, from values that occur; the lowest of equals.
pub(crate) fn best(values: &mut Vec<f64>, score: impl Fn(f64) -> f64) -> Option<f64> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    values.dedup();
    let mut best: Option<(f64, f64)> = None;
    let tried = TRIED.min(values.len());
    for index in 0..tried {
        // Finer towards the top, where defects are.
        let place = 1.0 - (1.0 - index as f64 / (tried - 1).max(1) as f64).powi(2);
        let threshold = values[((values.len() - 1) as f64 * place) as usize];
        let reached = score(threshold);
        if best.is_none_or(|(most, _)| reached > most) {
            best = Some((reached, threshold));
        }
    }
    best.map(|(_, threshold)| threshold)
}
