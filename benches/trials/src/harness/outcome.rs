//! What a trial saw, and whether that is good enough.

use serde_json::{Map, Value, json};

/// Figures and pass lines of one run.
#[derive(Default)]
pub struct Outcome {
    figures: Map<String, Value>,
    pass: Map<String, Value>,
    missed: Vec<String>,
}

impl Outcome {
    /// One that came to no end.
    pub fn broken(why: String) -> Self {
        let mut outcome = Self::default();
        outcome.note("error", why.chars().take(ERROR_MAX).collect::<String>());
        outcome.missed.push("error".to_owned());
        outcome
    }

    /// Notes a figure that is not judged.
    pub fn note(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        let value = value.as_f64().filter(|_| value.is_f64()).map_or(value, rounded);
        self.figures.insert(name.to_owned(), value);
    }

    /// A figure that may be at most that.
    pub fn at_most(&mut self, name: &str, value: f64, limit: f64) {
        self.judge(name, value, "at_most", limit, value <= limit);
    }

    /// A figure that must be at least that.
    pub fn at_least(&mut self, name: &str, value: f64, limit: f64) {
        self.judge(name, value, "at_least", limit, value >= limit);
    }

    /// Things that may not occur at all; the first few are shown.
    pub fn none(&mut self, name: &str, found: &[String]) {
        self.at_most(name, found.len() as f64, 0.0);
        if !found.is_empty() {
            self.note(&format!("{name}_examples"), found.iter().take(EXAMPLES).cloned().collect::<Vec<_>>());
        }
    }

    fn judge(&mut self, name: &str, value: f64, word: &str, limit: f64, holds: bool) {
        // NaN is a reading that could not be had: it holds nowhere, and JSON has no word for it.
        self.figures.insert(name.to_owned(), rounded(value));
        self.pass.insert(name.to_owned(), json!({ word: rounded(limit) }));
        if !holds {
            self.missed.push(name.to_owned());
        }
    }

    /// Whether every pass line was met, and there was one.
    pub fn passed(&self) -> bool {
        self.missed.is_empty() && !self.pass.is_empty()
    }

    /// The parts of the record that are of the outcome.
    pub fn json(&self) -> Map<String, Value> {
        let verdict = if self.passed() { "pass" } else { "fail" };
        let mut json = Map::new();
        json.insert("figures".to_owned(), Value::Object(self.figures.clone()));
        json.insert("pass".to_owned(), Value::Object(self.pass.clone()));
        json.insert("missed".to_owned(), json!(self.missed));
        json.insert("verdict".to_owned(), json!(verdict));
        json
    }
}

/// Characters of an error: what a service said to its end may be long.
const ERROR_MAX: usize = 400;

/// Examples shown of what may not occur.
const EXAMPLES: usize = 5;

/// Three decimals are enough of any figure; whole numbers stay whole.
fn rounded(value: f64) -> Value {
    let value = (value * 1e3).round() / 1e3;
    if value.fract() == 0.0 && value.abs() < 1e15 { json!(value as i64) } else { json!(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_line_fails_and_so_does_a_reading_that_could_not_be_had() {
        let mut outcome = Outcome::default();
        assert!(!outcome.passed(), "nothing was judged");
        outcome.at_most("a", 1.0, 1.0);
        assert!(outcome.passed());
        outcome.at_least("b", f64::NAN, 0.0);
        assert!(!outcome.passed());
        assert_eq!(outcome.json()["missed"], json!(["b"]));
    }

    #[test]
    fn what_may_not_occur_is_shown_when_it_does() {
        let mut outcome = Outcome::default();
        outcome.none("lost", &[]);
        assert!(outcome.passed());
        outcome.none("lost", &["x".to_owned()]);
        assert!(!outcome.passed());
        assert_eq!(outcome.json()["figures"], json!({ "lost": 1, "lost_examples": ["x"] }));
    }
}
