//! Configuration as text: `config/default.toml`, and what `config show` prints.

use std::collections::BTreeMap;
use std::fmt::Write;

use avwatch_actors::severity::Severity;
use serde_json::Value as Json;
use toml::{Table, Value};

use crate::config::Loaded;
use crate::config::detector_row::{self, DetectorRow};
use crate::config::key_order::rank;
use crate::config::layer::{BY_NAME, LOGS, STREAMS};
use crate::config::origin::{KeyPath, Origin, Origins, is_bare};
use crate::config::schema::{COMMON_KEYS, Registry, merged, sentence};
use crate::config::settings::{LogInputSettings, LogRuleSettings, ReceiverSettings, Settings, StreamSettings};
use crate::config::shape::{Field, Shape, of};
use crate::config::span::Span;
use crate::detectors::OptionValue;
use crate::profile::Profile;

/// Longest comment line.
const WIDTH: usize = 110;

/// The text of `config/default.toml`: every key with unit, range and default.
pub fn default_toml() -> String {
    default_toml_of(&detector_row::built_in())
}

/// The resolved configuration as TOML, secrets hidden, with the place where each key was written.
pub fn resolved_toml(loaded: &Loaded) -> String {
    let mut text = String::new();
    // Serialising hides the secrets: their types print no other way.
    let tree = Table::try_from(&loaded.settings).unwrap_or_default();
    shown(&mut text, &tree, &KeyPath::root(), "", &loaded.origins);
    text.trim_start().to_owned()
}

/// Writes the values of a table, then the tables in it.
fn shown(text: &mut String, table: &Table, path: &KeyPath, header: &str, origins: &Origins) {
    let mut keys: Vec<&String> = table.keys().collect();
    keys.sort_by_key(|key| (rank(key), (*key).clone()));
    let is_table = |key: &&&String| matches!(table[**key], Value::Table(_));
    let (tables, values): (Vec<&String>, Vec<&String>) = keys.iter().partition(is_table);
    if !header.is_empty() && (!values.is_empty() || tables.is_empty()) {
        let _ = writeln!(text, "\n{header}"); // writing to a String cannot fail
    }
    for key in values {
        let line = format!("{} = {}", quoted(key), table[key]);
        match origins.of(&path.key(key)) {
            origin if origin == Origin::Default || !origins.contains(&path.key(key)) => text.push_str(&line),
            origin => {
                let _ = write!(text, "{line:<40} # {origin}"); // writing to a String cannot fail
            }
        }
        text.push('\n');
    }
    for key in tables {
        let Value::Table(below) = &table[key] else { continue };
        let path = path.key(key);
        let is_of_list = path.keys().len() == 2 && BY_NAME.contains(&path.keys()[0].as_str());
        if below.is_empty() && !origins.contains(&path) {
            continue;
        }
        let header = if is_of_list { format!("[[{}]]", path.keys()[0]) } else { format!("[{}]", header_of(&path)) };
        shown(text, below, &path, &header, origins);
    }
}

/// The header of a table: inside a stream or a log, without its name.
fn header_of(path: &KeyPath) -> String {
    let keys: Vec<&str> = path.keys().iter().map(String::as_str).collect();
    match keys.as_slice() {
        [list, _, below @ ..] if BY_NAME.contains(list) && !below.is_empty() => {
            let below = below.iter().map(|key| quoted(key)).collect::<Vec<_>>().join(".");
            format!("{list}.{below}")
        }
        keys => keys.iter().map(|key| quoted(key)).collect::<Vec<_>>().join("."),
    }
}

fn quoted(key: &str) -> String {
    if is_bare(key) { key.to_owned() } else { Value::String(key.to_owned()).to_string() }
}

const HEAD: &str = "\
# Every key of avwatch with its unit, range and default. Made from the program itself: `avwatch config schema`
# has the same for editors. A line that begins with '#' and no blank is a key that has no default, or one that
# depends on the profile; take the '#' away to set it. Units: durations are written \"500ms\", \"2s\", \"10m\", \"1h\".
#
# Layers, later wins: these defaults, /etc/avwatch/avwatch.toml, /etc/avwatch/conf.d/*.toml, --config files or
# folders in order, environment variables such as AVWATCH__SERVER__LISTEN, --set server.listen=127.0.0.1:9090.
";

/// The text for a registry.
pub(crate) fn default_toml_of(registry: Registry<'_>) -> String {
    let shape = of(&merged(registry));
    let defaults = Table::try_from(Settings::default()).unwrap_or_default();
    let mut text = HEAD.to_owned();
    let empty = BTreeMap::new();
    let root = shape.fields().unwrap_or(&empty);
    let (sections, keys): (Vec<_>, Vec<_>) = ordered(root).into_iter().partition(|(_, field)| field.shape.is_table());
    for (key, field) in keys {
        setting(&mut text, key, field, defaults.get(key), false);
    }
    for (key, field) in sections {
        text.push('\n');
        comment(&mut text, &field.doc);
        match key {
            "detectors" => detector_sections(&mut text, registry),
            "profiles" => own_profile(&mut text, &field.shape),
            "receivers" => own_receivers(&mut text, &field.shape),
            STREAMS => stream(&mut text, &field.shape),
            LOGS => own_logs(&mut text, &field.shape),
            _ => {
                text.push_str(&format!("[{key}]\n"));
                let table = defaults.get(key).and_then(Value::as_table);
                let fields = field.shape.fields().map(ordered).unwrap_or_default();
                let (tables, values): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(_, field)| holds_tables(field));
                for (key, field) in values {
                    setting(&mut text, key, field, table.and_then(|table| table.get(key)), false);
                }
                for (below, field) in tables {
                    let path = format!("{key}.{below}");
                    own_tables(&mut text, &path, field);
                    inner_section(&mut text, &path, field, table.and_then(|table| table.get(below)));
                }
            }
        }
    }
    text
}

fn ordered(fields: &BTreeMap<String, Field>) -> Vec<(&str, &Field)> {
    let mut fields: Vec<(&str, &Field)> = fields.iter().map(|(key, field)| (key.as_str(), field)).collect();
    fields.sort_by_key(|(key, _)| (rank(key), *key));
    fields
}

/// Documentation, range and the line itself; a key without a default, or of an example, is switched off.
fn setting(text: &mut String, key: &str, field: &Field, default: Option<&Value>, example: bool) {
    gap(text);
    let mut doc = field.doc.clone();
    if let Shape::Word(words) = &field.shape {
        doc.push_str(&format!(" One of {}.", words.join(", ")));
    }
    let range = field.shape.range_words();
    if !range.is_empty() {
        doc.push_str(&format!(" Range:{range}."));
    }
    comment(text, &doc);
    let shown = field.example.as_ref().filter(|_| example || default.is_none()).and_then(toml_of);
    let value = shown.as_ref().or(default).map_or_else(|| "\"\"".to_owned(), Value::to_string);
    let off = if example || default.is_none() { "#" } else { "" };
    text.push_str(&format!("{off}{} = {value}\n", quoted(key)));
}

fn toml_of(json: &Json) -> Option<Value> {
    Value::try_from(json).ok()
}

/// A blank line, but none after a header.
fn gap(text: &mut String) {
    let last = text.trim_end_matches('\n').rsplit('\n').next().unwrap_or_default();
    let is_header = last.trim_start_matches('#').starts_with('[');
    if !is_header {
        text.push('\n');
    }
}

fn comment(text: &mut String, doc: &str) {
    let mut line = String::from("#");
    for word in doc.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    if line.len() > 1 {
        text.push_str(&line);
        text.push('\n');
    }
}

/// Every detector with its defaults, all switched off: they depend on the profile.
fn detector_sections(text: &mut String, registry: Registry<'_>) {
    comment(
        text,
        "The same keys stand in [profiles.NAME.detectors.…], [streams.detectors.…] and \
        [streams.tracks.\"audio:1\".detectors.…]. Per key the strongest wins: detector default < profile < [detectors] \
        < stream < track. The values shown are those of profile ott.",
    );
    for row in registry {
        text.push('\n');
        let standard = row.standard_ref.map(|rule| format!(" {rule}.")).unwrap_or_default();
        comment(
            text,
            &format!(
                "{} Score in {}.{standard} Defaults: {}.",
                sentence(row.summary),
                row.unit,
                row.source.trim_end_matches('.')
            ),
        );
        text.push_str(&format!("#[detectors.{}]\n", row.name));
        for key in COMMON_KEYS {
            let doc = match key {
                "enabled" => "Whether it runs.",
                "raise_after" => "Time in the condition until an event is raised.",
                "clear_after" => "Time without the condition until the event ends.",
                _ => "Time in the condition from which each severity applies, rising with the severity.",
            };
            by_profile(text, key, doc, |profile| common_default(row, key, profile));
        }
        for option in row.options {
            let mut doc = sentence(option.doc);
            let (low, high) = option.range;
            match (option.default)(Profile::default()) {
                OptionValue::Flag(_) => {}
                OptionValue::Span(_) => doc.push_str(&format!(" Range: from {low} s to {high} s.")),
                OptionValue::Maybe(_) => doc.push_str(&format!(" Range: from {low} to {high}, or \"none\".")),
                OptionValue::Number(_) => doc.push_str(&format!(" Range: from {low} to {high}.")),
            }
            by_profile(text, option.name, &doc, |profile| option_text(&(option.default)(profile)));
        }
    }
}

/// A key whose default depends on the profile.
fn by_profile(text: &mut String, key: &str, doc: &str, default: impl Fn(Profile) -> String) {
    let usual = default(Profile::default());
    let others: Vec<String> = Profile::ALL
        .into_iter()
        .map(|profile| (profile, default(profile)))
        .filter(|(_, value)| *value != usual)
        .map(|(profile, value)| format!("{profile}: {value}"))
        .collect();
    let others = if others.is_empty() { String::new() } else { format!(" In profile {}.", others.join("; ")) };
    gap(text);
    comment(text, &format!("{doc}{others}"));
    text.push_str(&format!("#{key} = {usual}\n"));
}

fn common_default(row: &DetectorRow, key: &str, profile: Profile) -> String {
    let Some(defaults) = row.common.get(&profile) else { return String::new() };
    match key {
        "enabled" => defaults.enabled.to_string(),
        "raise_after" => {
            let first = defaults.steps.first().map(|(hold, _)| Span(*hold)).unwrap_or_default();
            format!("\"{first}\"")
        }
        "clear_after" => format!("\"{}\"", Span(defaults.clear_after)),
        _ => {
            let steps: BTreeMap<Severity, Span> =
                defaults.steps.iter().map(|(hold, severity)| (*severity, Span(*hold))).collect();
            let steps: Vec<String> = steps.iter().map(|(severity, hold)| format!("{severity} = \"{hold}\"")).collect();
            if steps.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", steps.join(", ")) }
        }
    }
}

fn option_text(value: &OptionValue) -> String {
    match value {
        OptionValue::Number(number) | OptionValue::Maybe(Some(number)) => Value::Float(*number).to_string(),
        OptionValue::Maybe(None) => "\"none\"".to_owned(),
        OptionValue::Span(span) => format!("\"{}\"", Span(*span)),
        OptionValue::Flag(flag) => flag.to_string(),
    }
}

/// Whether a key stands for tables with names of one's own.
fn holds_tables(field: &Field) -> bool {
    match &field.shape {
        Shape::Map(inner) => inner.is_table(),
        Shape::Table(_) => true,
        _ => false,
    }
}

/// A section within a section.
fn inner_section(text: &mut String, path: &str, field: &Field, defaults: Option<&Value>) {
    let Some(fields) = field.shape.fields() else { return };
    gap(text);
    comment(text, &field.doc);
    text.push_str(&format!("[{path}]\n"));
    for (key, field) in ordered(fields) {
        setting(text, key, field, defaults.and_then(|table| table.get(key)), false);
    }
}

/// One table as an example.
fn own_tables(text: &mut String, path: &str, field: &Field) {
    let Shape::Map(inner) = &field.shape else { return };
    gap(text);
    comment(text, &field.doc);
    text.push_str(&format!("#[{path}.mine]\n"));
    for (key, field) in inner.fields().map(ordered).unwrap_or_default() {
        setting(text, key, field, None, true);
    }
}

/// Receivers as examples: one for each way to reach people, since a receiver has one of them only.
fn own_receivers(text: &mut String, shape: &Shape) {
    let Shape::Map(inner) = shape else { return };
    let fields = inner.fields().map(ordered).unwrap_or_default();
    let (channels, keys): (Vec<_>, Vec<_>) =
        fields.into_iter().partition(|(_, field)| matches!(field.shape, Shape::Table(_)));
    text.push_str("#[receivers.mine]\n");
    let defaults = Table::try_from(ReceiverSettings::default()).unwrap_or_default();
    for (key, field) in keys {
        setting(text, key, field, defaults.get(key), true);
    }
    for (index, (channel, field)) in channels.into_iter().enumerate() {
        gap(text);
        comment(text, &field.doc);
        let name = if index == 0 { "mine".to_owned() } else { format!("my-{channel}") };
        text.push_str(&format!("#[receivers.{name}.{channel}]\n"));
        let defaults = defaults.get(channel).and_then(Value::as_table);
        for (key, field) in field.shape.fields().map(ordered).unwrap_or_default() {
            setting(text, key, field, defaults.and_then(|table| table.get(key)), true);
        }
    }
}

/// A log as an example, with one rule.
fn own_logs(text: &mut String, shape: &Shape) {
    text.push_str("#[[logs]]\n");
    let defaults = Table::try_from(LogInputSettings::default()).unwrap_or_default();
    let Shape::Map(log) = shape else { return };
    example_table(text, log, &defaults);
    let rules = log.fields().and_then(|fields| fields.get("rules"));
    let Some(Field { shape: Shape::Map(rule), doc, .. }) = rules else { return };
    gap(text);
    comment(text, doc);
    text.push_str("#[logs.rules.mine]\n");
    let defaults = Table::try_from(LogRuleSettings::default()).unwrap_or_default();
    example_table(text, rule, &defaults);
    let thresholds = rule.fields().and_then(|fields| fields.get("thresholds"));
    let Some(Field { shape, doc, .. }) = thresholds else { return };
    gap(text);
    comment(text, doc);
    text.push_str("#[logs.rules.mine.thresholds]\n");
    example_table(text, shape, &Table::new());
}

/// The keys of a table that are no tables of tables, switched off.
fn example_table(text: &mut String, shape: &Shape, defaults: &Table) {
    for (key, field) in shape.fields().map(ordered).unwrap_or_default() {
        match &field.shape {
            Shape::Table(_) => {}
            Shape::Map(inner) if inner.is_table() => {}
            _ => setting(text, key, field, defaults.get(key), true),
        }
    }
}

/// A profile as an example.
fn own_profile(text: &mut String, shape: &Shape) {
    text.push_str("#[profiles.mine]\n");
    let Shape::Map(profile) = shape else { return };
    for (key, field) in profile.fields().map(ordered).unwrap_or_default() {
        if !field.shape.is_table() {
            setting(text, key, field, Some(&Value::String("ott".to_owned())), true);
        }
    }
    gap(text);
    comment(text, "Detectors of a profile stand in [profiles.mine.detectors.NAME], with the keys of [detectors.NAME].");
}

/// A stream as an example, with every key at its default or an example.
fn stream(text: &mut String, shape: &Shape) {
    text.push_str("#[[streams]]\n");
    let Shape::Map(stream) = shape else { return };
    let defaults = Table::try_from(StreamSettings::default()).unwrap_or_default();
    let fields = stream.fields().map(ordered).unwrap_or_default();
    // What is written as one value stands before the first table below the stream.
    for (key, field) in fields.iter().filter(|(_, field)| !matches!(field.shape, Shape::Table(_))) {
        match &field.shape {
            Shape::Map(inner) if inner.is_table() => {}
            _ => setting(text, key, field, defaults.get(*key), true),
        }
    }
    for (key, field) in fields {
        let (header, below) = match (&field.shape, key) {
            (_, "detectors") => continue,
            (Shape::Table(below), _) => (format!("#[streams.{key}]\n"), below),
            (Shape::Map(inner), _) => match inner.fields() {
                Some(below) => (format!("#[streams.{key}.\"audio:1\"]\n"), below),
                None => continue,
            },
            _ => continue,
        };
        gap(text);
        comment(text, &field.doc);
        text.push_str(&header);
        let table = defaults.get(key).and_then(Value::as_table);
        let example = field.example.as_ref();
        for (key, field) in ordered(below).into_iter().filter(|(_, field)| !field.shape.is_table()) {
            let example = example.and_then(|example| example.get(key)).cloned();
            let field = Field { example: field.example.clone().or(example), ..field.clone() };
            let none = of_shape(&field.shape);
            let default = table.and_then(|table| table.get(key)).unwrap_or(&none);
            setting(text, key, &field, Some(default), true);
        }
    }
    gap(text);
    comment(text, "Detectors of a stream stand in [streams.detectors.NAME], with the keys of [detectors.NAME].");
}

/// Some value of a shape, for a key of an example that has neither default nor example.
fn of_shape(shape: &Shape) -> Value {
    match shape {
        Shape::Flag => Value::Boolean(false),
        Shape::Integer { low, .. } => Value::Integer((*low).max(0)),
        Shape::Number { low, .. } => Value::Float(low.max(0.0)),
        Shape::List(_) => Value::Array(Vec::new()),
        Shape::Table(_) | Shape::Map(_) => Value::Table(Table::new()),
        Shape::Span { low, .. } => Value::String(Span(*low).to_string()),
        Shape::Text | Shape::Word(_) | Shape::Either(_) => Value::String(String::new()),
    }
}
