//! The JSON Schema of the configuration, made from the settings and the registry of detectors.
//!
//! Beside the standard keywords it says `x-span` (the text is a duration), `x-minimum` and
//! `x-maximum` (bounds of durations).

use serde_json::{Map, Value, json};

use crate::config::detector_row::DetectorRow;
use crate::config::settings::Settings;
use crate::config::span::Span;
use crate::detectors::{OptionDoc, OptionValue};
use crate::profile::Profile;

/// The detectors, passed in so that tests can bring their own.
pub(crate) type Registry<'a> = &'a [DetectorRow];

/// Longest hold times.
const HOLD_MAX: &str = "24h";

/// Longest `clear_after`.
const CLEAR_MAX: &str = "1h";

/// Keys that every detector has.
pub(crate) const COMMON_KEYS: [&str; 4] = ["enabled", "raise_after", "clear_after", "severities"];

/// The schema of the merged configuration, where streams are a table by name.
pub(crate) fn merged(registry: Registry<'_>) -> Value {
    let mut root = schemars::schema_for!(Settings).to_value();
    if let Some(detectors) = root.pointer_mut("/$defs/Detectors") {
        *detectors = detectors_schema(registry);
    }
    without_null(&mut root);
    root
}

/// The schema of a configuration file, for editors: streams as they are written there.
pub(crate) fn of_files(registry: Registry<'_>) -> Value {
    let mut root = merged(registry);
    root["title"] = json!("avwatch configuration");
    for (key, required) in [("streams", json!(["name", "url"])), ("logs", json!(["name", "path", "rules"]))] {
        let by_name = root["properties"][key].take();
        let description = by_name["description"].clone();
        // `[[streams]]` needs a name; `[streams.NAME]`, as environment and `--set` make it, has one.
        let element = json!({ "allOf": [by_name["additionalProperties"]], "required": required });
        root["properties"][key] = json!({
            "description": description,
            "anyOf": [
                { "type": "array", "items": element },
                { "type": "object", "additionalProperties": by_name["additionalProperties"] },
            ],
        });
    }
    root
}

fn detectors_schema(registry: Registry<'_>) -> Value {
    let rows: Map<String, Value> = registry.iter().map(|row| (row.name.to_owned(), detector_schema(row))).collect();
    json!({ "type": "object", "properties": rows, "additionalProperties": false })
}

fn span_schema(description: &str, longest: &str) -> Map<String, Value> {
    let mut schema = match schemars::schema_for!(Span).to_value() {
        Value::Object(schema) => schema,
        _ => Map::new(),
    };
    schema.retain(|key, _| matches!(key.as_str(), "type" | "pattern" | "x-span"));
    schema.insert("description".to_owned(), json!(description));
    schema.insert("x-maximum".to_owned(), json!(longest));
    schema
}

fn detector_schema(row: &DetectorRow) -> Value {
    let severities: Map<String, Value> = avwatch_actors::severity::Severity::ALL
        .into_iter()
        .map(|severity| {
            let doc = format!("Time in the condition from which it is {severity}.");
            (severity.name().to_owned(), Value::Object(span_schema(&doc, HOLD_MAX)))
        })
        .collect();
    let mut properties = Map::new();
    properties.insert("enabled".to_owned(), json!({ "type": "boolean", "description": "Whether it runs." }));
    let raise_after = span_schema("Time in the condition until an event is raised.", HOLD_MAX);
    properties.insert("raise_after".to_owned(), Value::Object(raise_after));
    let clear_after = span_schema("Time without the condition until the event ends.", CLEAR_MAX);
    properties.insert("clear_after".to_owned(), Value::Object(clear_after));
    properties.insert(
        "severities".to_owned(),
        json!({
            "type": "object",
            "description": "Time in the condition from which each severity applies, rising with the severity.",
            "properties": severities,
            "additionalProperties": false,
        }),
    );
    for option in row.options {
        properties.insert(option.name.to_owned(), option_schema(option));
    }
    json!({
        "type": "object",
        "description": sentence(row.summary),
        "properties": properties,
        "additionalProperties": false,
    })
}

fn option_schema(option: &OptionDoc) -> Value {
    let (low, high) = option.range;
    let mut number = json!({ "type": "number" });
    // JSON knows no infinity: an open end has no keyword.
    if low.is_finite() {
        number["minimum"] = json!(low);
    }
    if high.is_finite() {
        number["maximum"] = json!(high);
    }
    let mut schema = match (option.default)(Profile::default()) {
        OptionValue::Number(_) => number,
        OptionValue::Maybe(_) => json!({ "anyOf": [number, { "const": "none" }] }),
        OptionValue::Flag(_) => json!({ "type": "boolean" }),
        OptionValue::Span(_) => {
            let mut span = span_schema("", HOLD_MAX);
            for (key, seconds) in [("x-minimum", low), ("x-maximum", high)] {
                if let Ok(bound) = std::time::Duration::try_from_secs_f64(seconds) {
                    span.insert(key.to_owned(), json!(Span(bound).to_string()));
                }
            }
            Value::Object(span)
        }
    };
    schema["description"] = json!(sentence(option.doc));
    schema
}

/// A summary of the registry as a sentence.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// Takes `null` out of types: TOML has none, an optional key is simply not written.
fn without_null(node: &mut Value) {
    match node {
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type") != Some(&json!("null")));
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    object.remove("anyOf");
                    for (key, value) in only {
                        object.entry(key).or_insert(value);
                    }
                }
            }
            if object.get("default") == Some(&Value::Null) {
                object.remove("default");
            }
            object.values_mut().for_each(without_null);
        }
        Value::Array(array) => array.iter_mut().for_each(without_null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
