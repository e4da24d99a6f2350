//! Limits that say when a node is past its capacity, and requirements that a run must meet. Pure.

use std::time::Duration;

use serde::Serialize;

use super::figures::{Trial, rounded};

/// When a trial has not held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The longest that 99 % of the frames may take from due to the last verdict.
    pub p99: Duration,
    /// The share of frames that may be dropped.
    pub drops: f64,
    /// The share of frames that must be judged.
    pub coverage: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { p99: Duration::from_millis(100), drops: 0.001, coverage: 0.999 }
    }
}

impl Limits {
    /// The limits that a trial broke, in words.
    pub fn broken(&self, trial: &Trial) -> Vec<String> {
        let mut broke = Vec::new();
        match trial.p99() {
            None => broke.push("latency: nothing was judged".to_owned()),
            Some(p99) if p99 > self.p99 => {
                broke.push(format!("latency: p99 {} above {}", millis(p99), millis(self.p99)));
            }
            Some(_) => {}
        }
        let drops = trial.drop_share();
        if drops > self.drops {
            broke.push(format!("drops: {:.3} % above {:.3} %", drops * 100.0, self.drops * 100.0));
        }
        if trial.frames.coverage < self.coverage {
            broke.push(format!("coverage: {:.5} below {:.5}", trial.frames.coverage, self.coverage));
        }
        broke
    }
}

fn millis(span: Duration) -> String {
    format!("{:.1} ms", span.as_secs_f64() * 1_000.0)
}

/// What a run must come to; what is absent is not asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Requirements {
    /// So many streams within the limits.
    pub streams: Option<u32>,
    /// p99 from due to verdict.
    pub p99: Option<Duration>,
    /// Recall.
    pub recall: Option<f64>,
    /// Precision.
    pub precision: Option<f64>,
    /// Coverage.
    pub coverage: Option<f64>,
    /// Share of frames dropped.
    pub drops: Option<f64>,
    /// Streams over those that bare decoding could sustain.
    pub baseline: Option<f64>,
    /// How far CPU per stream may be from that at a quarter of the streams, as a share.
    pub linear: Option<f64>,
}

/// What requirements are judged by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reached<'a> {
    /// Streams within the limits.
    pub streams: u32,
    /// The trial that counts: the one with the most streams that held, or the only one.
    pub trial: Option<&'a Trial>,
    /// Streams over those of bare decoding.
    pub baseline: Option<f64>,
    /// CPU per stream over that at a quarter.
    pub linear: Option<f64>,
}

/// One requirement and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Required {
    /// Its option, without `--require-`.
    pub name: &'static str,
    /// What was asked for.
    pub wanted: f64,
    /// What was reached; nothing when it is not known.
    pub reached: Option<f64>,
    /// Whether that is enough.
    pub met: bool,
}

impl Requirements {
    /// Judges all that were asked for, in the order of the options. What is not known is not met.
    pub fn judge(&self, reached: &Reached<'_>) -> Vec<Required> {
        let mut all = Vec::new();
        let mut at_least = |name, wanted: Option<f64>, value: Option<f64>| {
            let Some(wanted) = wanted else { return };
            all.push(Required {
                name,
                wanted,
                reached: value.map(rounded),
                met: value.is_some_and(|value| value >= wanted),
            });
        };
        let trial = reached.trial;
        at_least("streams", self.streams.map(f64::from), Some(f64::from(reached.streams)));
        at_least("recall", self.recall, trial.and_then(|trial| trial.accuracy.recall));
        at_least("precision", self.precision, trial.and_then(|trial| trial.accuracy.precision));
        at_least("coverage", self.coverage, trial.map(|trial| trial.frames.coverage));
        at_least("baseline", self.baseline, reached.baseline);
        let mut at_most = |name, wanted: Option<f64>, value: Option<f64>| {
            let Some(wanted) = wanted else { return };
            all.push(Required {
                name,
                wanted,
                reached: value.map(rounded),
                met: value.is_some_and(|value| value <= wanted),
            });
        };
        let in_ms = |span: Duration| span.as_secs_f64() * 1_000.0;
        at_most("p99", self.p99.map(in_ms), trial.and_then(Trial::p99).map(in_ms));
        at_most("drops", self.drops, trial.map(Trial::drop_share));
        at_most("linear", self.linear, reached.linear.map(|ratio| (ratio - 1.0).abs()));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::figures::{Accuracy, Frames, Percentiles};

    fn trial(p99: f64, dropped: u64, coverage: f64) -> Trial {
        Trial {
            frames: Frames { due: 10_000, judged: 10_000, dropped, receive_dropped: 0, coverage },
            latency_ms: [("total", Percentiles { count: 1, p99, ..Percentiles::default() })].into(),
            accuracy: Accuracy { recall: Some(0.9), ..Accuracy::default() },
            ..Trial::default()
        }
    }

    #[track_caller]
    fn breaks(trial: &Trial, word: &str) {
        let broke = Limits::default().broken(trial);
        assert!(broke.len() == 1 && broke[0].starts_with(word), "{broke:?}");
    }

    #[test]
    fn each_limit_breaks_alone() {
        assert_eq!(Limits::default().broken(&trial(100.0, 10, 0.999)), Vec::<String>::new());
        breaks(&trial(100.1, 0, 1.0), "latency");
        breaks(&trial(1.0, 11, 1.0), "drops");
        breaks(&trial(1.0, 0, 0.998), "coverage");
        breaks(&Trial { latency_ms: [].into(), ..trial(1.0, 0, 1.0) }, "latency: nothing");
    }

    #[test]
    fn only_what_was_asked_for_is_judged() {
        let trial = trial(40.0, 0, 1.0);
        let reached = Reached { streams: 4, trial: Some(&trial), baseline: None, linear: Some(0.95) };
        assert_eq!(Requirements::default().judge(&reached), []);
        let wanted = Requirements {
            streams: Some(5),
            p99: Some(Duration::from_millis(50)),
            recall: Some(0.95),
            baseline: Some(0.5),
            linear: Some(0.1),
            ..Requirements::default()
        };
        let met: Vec<_> = wanted.judge(&reached).into_iter().map(|one| (one.name, one.met)).collect();
        let expected = [("streams", false), ("recall", false), ("baseline", false), ("p99", true), ("linear", true)];
        assert_eq!(met, expected);
    }
}
