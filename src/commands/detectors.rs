//! `avwatch detectors`: the registry as a list, for people and for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use serde::Serialize;

use avwatch_actors::detector::{LaneKind, Worse};
use avwatch_actors::severity::Severity;

use crate::detectors::{Defaults, DetectorKind, OptionDoc, OptionValue};
use crate::profile::Profile;

use super::cli::{DetectorsArgs, ListFormat};

/// Widest line of the text, in columns: two thirds of a common screen, and what a mail can show.
const WIDTH: u16 = 100;

/// Name and version of the list's schema.
pub const SCHEMA: &str = "avwatch.detectors/1";

/// The list of `kinds` (the registry, [`crate::detectors::ALL`]) as asked for.
///
/// # Errors
///
/// Never for a registry of finite numbers; the library that writes JSON says it may.
pub fn render(kinds: &[&DetectorKind], args: &DetectorsArgs) -> Result<Vec<u8>, serde_json::Error> {
    let profiles = args.profile.map_or_else(|| Profile::ALL.to_vec(), |profile| vec![profile]);
    match args.format {
        ListFormat::Text => Ok(text(kinds, &profiles).into_bytes()),
        ListFormat::Json => json(kinds, &profiles),
    }
}

#[derive(Serialize)]
struct List {
    schema: &'static str,
    version: &'static str,
    detectors: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    number: u16,
    summary: &'static str,
    unit: &'static str,
    worse: Worse,
    lanes: &'static [LaneKind],
    standard_ref: Option<&'static str>,
    source: &'static str,
    options: Vec<OptionRow>,
    profiles: BTreeMap<&'static str, ProfileRow>,
}

#[derive(Serialize)]
struct OptionRow {
    name: &'static str,
    doc: &'static str,
    min: f64,
    max: f64,
}

#[derive(Serialize)]
struct ProfileRow {
    enabled: bool,
    steps: Vec<StepRow>,
    secondary_steps: Option<Vec<StepRow>>,
    clear_after_s: f64,
    options: BTreeMap<&'static str, serde_json::Value>,
}

#[derive(Serialize)]
struct StepRow {
    after_s: f64,
    severity: Severity,
}

fn json(kinds: &[&DetectorKind], profiles: &[Profile]) -> Result<Vec<u8>, serde_json::Error> {
    let detectors = kinds.iter().map(|kind| row(kind, profiles)).collect();
    let list = List { schema: SCHEMA, version: env!("CARGO_PKG_VERSION"), detectors };
    let mut bytes = serde_json::to_vec_pretty(&list)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn row(kind: &DetectorKind, profiles: &[Profile]) -> Row {
    let steps = |steps: &[(Duration, Severity)]| {
        steps.iter().map(|(hold, severity)| StepRow { after_s: hold.as_secs_f64(), severity: *severity }).collect()
    };
    let of_profile = |profile: &Profile| {
        let defaults = (kind.defaults)(*profile);
        let row = ProfileRow {
            enabled: defaults.enabled,
            steps: steps(&defaults.steps),
            secondary_steps: defaults.secondary_steps.as_deref().map(steps),
            clear_after_s: defaults.clear_after.as_secs_f64(),
            options: kind.options.iter().map(|option| (option.name, value((option.default)(*profile)))).collect(),
        };
        (profile.name(), row)
    };
    let options =
        kind.options.iter().map(|&OptionDoc { name, doc, range: (min, max), .. }| OptionRow { name, doc, min, max });
    Row {
        name: kind.name,
        number: kind.number,
        summary: kind.summary,
        unit: kind.unit,
        worse: kind.worse,
        lanes: kind.lanes,
        standard_ref: kind.standard_ref,
        source: kind.source,
        options: options.collect(),
        profiles: profiles.iter().map(of_profile).collect(),
    }
}

/// A value as configuration writes it.
fn value(value: OptionValue) -> serde_json::Value {
    match value {
        OptionValue::Number(number) | OptionValue::Maybe(Some(number)) => number.into(),
        OptionValue::Maybe(None) => "none".into(),
        OptionValue::Span(span) => words(span).into(),
        OptionValue::Flag(flag) => flag.into(),
    }
}

/// A span of time as configuration writes it: `500ms`, `2s`, `10m`.
fn words(span: Duration) -> String {
    match span.as_millis() {
        0 => "0s".to_owned(),
        millis if millis % 60_000 == 0 => format!("{}m", millis / 60_000),
        millis if millis % 1_000 == 0 => format!("{}s", millis / 1_000),
        millis => format!("{millis}ms"),
    }
}

fn text(kinds: &[&DetectorKind], profiles: &[Profile]) -> String {
    let mut watched = table(["NO", "DETECTOR", "UNIT", "WATCHES"]);
    let mut alarms = table(["DETECTOR", "PROFILE", "HOLD TIMES AND SEVERITIES", "CLEAR"]);
    let mut options = table(["OPTION", "DEFAULT", "RANGE", "MEANING"]);
    let mut sources = table(["DETECTOR", "SOURCE OF DEFAULTS", "RULE"]);
    for kind in kinds {
        watched.add_row([&kind.number.to_string(), kind.name, kind.unit, kind.summary]);
        sources.add_row([kind.name, kind.source, kind.standard_ref.unwrap_or_default()]);
        let mut name = kind.name.to_owned();
        for (names, defaults) in grouped(profiles, kind.defaults) {
            alarms.add_row([std::mem::take(&mut name), names, ladder(&defaults), words(defaults.clear_after)]);
        }
        for option in kind.options {
            let name = format!("{}.{}", kind.name, option.name);
            let range = format!("{} to {}", option.range.0, option.range.1);
            options.add_row([&name, &exceptions(profiles, option.default), &range, option.doc]);
        }
    }
    let blocks = [watched, alarms, options, sources].map(|table| trimmed(&table.to_string()));
    blocks.join("\n")
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    // Long cells wrap within their column.
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(header);
    // Names stay whole: people search for them.
    if let Some(names) = table.column_mut(0) {
        names.set_constraint(ColumnConstraint::ContentWidth);
    }
    table
}

fn trimmed(table: &str) -> String {
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// The profiles that share a default, together: `ott, broadcast-eu`, or `all`.
fn grouped<T: PartialEq>(profiles: &[Profile], default: impl Fn(Profile) -> T) -> Vec<(String, T)> {
    let mut groups: Vec<(Vec<&str>, T)> = Vec::new();
    for profile in profiles {
        let value = default(*profile);
        match groups.iter_mut().find(|(_, other)| *other == value) {
            Some((names, _)) => names.push(profile.name()),
            None => groups.push((vec![profile.name()], value)),
        }
    }
    let all = groups.len() == 1 && profiles.len() > 1;
    groups.into_iter().map(|(names, value)| (if all { "all".to_owned() } else { names.join(", ") }, value)).collect()
}

/// The default of most profiles, then in a line each those that differ.
fn exceptions(profiles: &[Profile], default: fn(Profile) -> OptionValue) -> String {
    let of_most = |value: &OptionValue| profiles.iter().filter(|profile| default(**profile) == *value).count();
    let mut groups = grouped(profiles, default);
    groups.sort_by_key(|(_, value)| std::cmp::Reverse(of_most(value)));
    let lines = groups.into_iter().enumerate().map(|(index, (names, value))| match index {
        0 => shown(value),
        _ => format!("{names}: {}", shown(value)),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn ladder(defaults: &Defaults) -> String {
    if !defaults.enabled {
        return "off".to_owned();
    }
    let steps = |steps: &[(Duration, Severity)]| {
        steps.iter().map(|(hold, severity)| format!("{severity} {}", words(*hold))).collect::<Vec<_>>().join(", ")
    };
    match &defaults.secondary_steps {
        Some(secondary) => format!("{}; secondary {}", steps(&defaults.steps), steps(secondary)),
        None => steps(&defaults.steps),
    }
}

fn shown(default: OptionValue) -> String {
    match value(default) {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use avwatch_actors::detector::{Detector, Precedence, Verdicts};
    use avwatch_actors::item::Item;

    use super::*;

    struct Idle;

    impl Detector for Idle {
        fn inspect(&mut self, _: &Item, _: &mut Verdicts) {}
    }

    fn defaults(profile: Profile) -> Defaults {
        let steps = match profile {
            Profile::File => {
                vec![(Duration::from_millis(500), Severity::Info), (Duration::from_secs(2), Severity::Warning)]
            }
            _ => vec![(Duration::from_secs(600), Severity::Major)],
        };
        let clear_after = Duration::from_secs(10);
        Defaults {
            enabled: profile != Profile::Radio,
            steps,
            secondary_steps: None,
            clear_after,
            edge_grace: Duration::ZERO,
            settle_after_change: Duration::ZERO,
        }
    }

    static KIND: DetectorKind = DetectorKind {
        number: 1,
        name: "black",
        summary: "picture that is black",
        unit: "ratio",
        worse: Worse::Higher,
        lanes: &[LaneKind::Picture],
        precedence: Precedence::Solid,
        cheapest: avwatch_actors::tier::Tier::Full,
        standard_ref: Some("EBU QC 0051B"),
        source: "own measurements",
        options: &[OptionDoc {
            name: "level",
            doc: "highest level that is black",
            default: |profile| OptionValue::Maybe((profile != Profile::File).then_some(37.5)),
            range: (16.0, 60.0),
        }],
        defaults,
        needs: |_, _| {},
        threshold: |_| None,
        class_limits: |_| None,
        applies: |_| true,
        message: |_| String::new(),
        build: |_, _| Arc::new(|_| Box::new(Idle)),
    };

    fn list(profile: Option<Profile>, format: ListFormat) -> String {
        String::from_utf8(render(&[&KIND], &DetectorsArgs { profile, format }).expect("renders")).expect("is UTF-8")
    }

    #[test]
    fn people_see_what_is_watched_when_it_alarms_and_what_can_be_set() {
        let text = list(None, ListFormat::Text);
        for words in
            ["picture that is black", "own measurements", "EBU QC 0051B", "info 500ms, warning 2s", "major 10m"]
        {
            assert!(text.contains(words), "{words} is not in\n{text}");
        }
        assert!(text.contains("ott, broadcast-eu, broadcast-us, static-ok, news-sport"), "{text}");
        let radio = text.lines().find(|line| line.trim_start().starts_with("radio")).expect("a line for radio");
        assert!(radio.contains("off"), "{radio}");
        assert!(text.contains("black.level") && text.contains("16 to 60"), "{text}");
    }

    #[test]
    fn a_profile_can_be_picked() {
        let text = list(Some(Profile::File), ListFormat::Text);
        assert!(text.contains("info 500ms, warning 2s") && !text.contains("major"), "{text}");
    }

    #[test]
    fn programs_get_every_field_for_every_profile() {
        let list: serde_json::Value = serde_json::from_str(&list(None, ListFormat::Json)).expect("is JSON");
        assert_eq!(list["schema"], SCHEMA);
        let row = &list["detectors"][0];
        assert_eq!((row["name"].as_str(), row["number"].as_u64()), (Some("black"), Some(1)));
        assert_eq!((row["worse"].as_str(), row["lanes"][0].as_str()), (Some("higher"), Some("picture")));
        assert_eq!(row["profiles"].as_object().expect("an object").len(), Profile::ALL.len());
        let file = &row["profiles"]["file"];
        assert_eq!(file["steps"][0], serde_json::json!({"after_s": 0.5, "severity": "info"}));
        assert_eq!((file["options"]["level"].as_str(), file["clear_after_s"].as_f64()), (Some("none"), Some(10.0)));
        assert_eq!(row["profiles"]["ott"]["options"]["level"], 37.5);
    }

    #[test]
    fn the_registry_itself_can_be_listed() {
        for format in [ListFormat::Text, ListFormat::Json] {
            let bytes = render(crate::detectors::ALL, &DetectorsArgs { profile: None, format }).expect("renders");
            let text = String::from_utf8(bytes).expect("is UTF-8");
            for kind in crate::detectors::ALL {
                let begin = kind.summary.split(' ').take(3).collect::<Vec<_>>().join(" ");
                assert!(text.contains(kind.name) && text.contains(&begin), "{}", kind.name);
                for option in kind.options {
                    assert!(text.contains(option.name), "{} is cut", option.name);
                }
            }
        }
    }

    #[test]
    fn no_line_for_people_is_wider_than_a_hundred_columns() {
        let args = DetectorsArgs { profile: None, format: ListFormat::Text };
        let text = String::from_utf8(render(crate::detectors::ALL, &args).expect("renders")).expect("is UTF-8");
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }

    #[test]
    fn of_the_defaults_of_an_option_the_exceptions_are_named() {
        let default = |profile| OptionValue::Number(if profile == Profile::Radio { -50.0 } else { -60.0 });
        assert_eq!(exceptions(&Profile::ALL, default), "-60.0\nradio: -50.0");
        assert_eq!(exceptions(&[Profile::Radio], default), "-50.0");
    }

    #[test]
    fn spans_are_written_as_configuration_writes_them() {
        let spans = [0, 500, 1_500, 2_000, 60_000, 90_000, 600_000].map(|millis| words(Duration::from_millis(millis)));
        assert_eq!(spans, ["0s", "500ms", "1500ms", "2s", "1m", "90s", "10m"]);
    }
}
