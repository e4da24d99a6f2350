//! The shape of the configuration: the JSON Schema made ready for typing and checking values.
//!
//! Built once per load. Values are checked layer by layer, so that a mistake that a later layer
//! covers up is still told, with its own place.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value as Json;
use toml::Value;

use crate::config::detector_row;
use crate::config::error::{Problem, nearest};
use crate::config::origin::KeyPath;
use crate::config::span::{SPAN_MAX, Span};

/// What may stand at a place.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// A table of known keys.
    Table(BTreeMap<String, Field>),
    /// A table of any keys.
    Map(Box<Shape>),
    /// A list.
    List(Box<Shape>),
    /// Any text.
    Text,
    /// One of these words.
    Word(Vec<String>),
    /// A whole number, bounds included.
    Integer { low: i64, high: i64 },
    /// A finite number, bounds included.
    Number { low: f64, high: f64 },
    /// A duration, bounds included.
    Span { low: Duration, high: Duration },
    /// On or off.
    Flag,
    /// Any of these.
    Either(Vec<Shape>),
}

/// A known key.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// What may stand there.
    pub(crate) shape: Shape,
    /// Its documentation.
    pub(crate) doc: String,
    /// An example, for keys without a default.
    pub(crate) example: Option<Json>,
}

/// Reads the shape from a schema.
pub(crate) fn of(schema: &Json) -> Shape {
    shape(schema, &schema["$defs"])
}

fn shape(node: &Json, definitions: &Json) -> Shape {
    if let Some(name) = node["$ref"].as_str() {
        return shape(&definitions[name.trim_start_matches("#/$defs/")], definitions);
    }
    if let Some(choices) = node["oneOf"].as_array().or(node["anyOf"].as_array()) {
        let shapes: Vec<Shape> = choices.iter().map(|choice| shape(choice, definitions)).collect();
        return either(shapes);
    }
    if let Some(words) = node["enum"].as_array() {
        return Shape::Word(words.iter().filter_map(Json::as_str).map(str::to_owned).collect());
    }
    if let Some(word) = node["const"].as_str() {
        return Shape::Word(vec![word.to_owned()]);
    }
    match node["type"].as_str() {
        Some("object") => table(node, definitions),
        Some("array") => Shape::List(Box::new(shape(&node["items"], definitions))),
        Some("boolean") => Shape::Flag,
        Some("integer") => integer(node),
        Some("number") => Shape::Number {
            low: node["minimum"].as_f64().unwrap_or(f64::MIN),
            high: node["maximum"].as_f64().unwrap_or(f64::MAX),
        },
        _ if node["x-span"] == Json::Bool(true) => {
            let bound = |key: &str| node[key].as_str().and_then(|text| text.parse::<Span>().ok()).map(|span| span.0);
            Shape::Span { low: bound("x-minimum").unwrap_or_default(), high: bound("x-maximum").unwrap_or(SPAN_MAX) }
        }
        _ => Shape::Text,
    }
}

/// Documented variants of an enum come as one word each: joined into one list of words.
fn either(shapes: Vec<Shape>) -> Shape {
    let mut words = Vec::new();
    for shape in &shapes {
        match shape {
            Shape::Word(more) => words.extend(more.iter().cloned()),
            _ => return Shape::Either(shapes),
        }
    }
    Shape::Word(words)
}

fn table(node: &Json, definitions: &Json) -> Shape {
    if node["additionalProperties"].is_object() {
        return Shape::Map(Box::new(shape(&node["additionalProperties"], definitions)));
    }
    let Some(properties) = node["properties"].as_object() else {
        return Shape::Table(BTreeMap::new());
    };
    let field = |(key, node): (&String, &Json)| {
        let doc = node["description"].as_str().unwrap_or_default().to_owned();
        let example = node["examples"].get(0).cloned();
        (key.clone(), Field { shape: shape(node, definitions), doc, example })
    };
    Shape::Table(properties.iter().map(field).collect())
}

fn integer(node: &Json) -> Shape {
    let (least, most) = match node["format"].as_str() {
        Some("uint8") => (0, i64::from(u8::MAX)),
        Some("uint16") => (0, i64::from(u16::MAX)),
        Some("uint32") => (0, i64::from(u32::MAX)),
        Some("uint64" | "uint") => (0, i64::MAX),
        _ => (i64::MIN, i64::MAX),
    };
    Shape::Integer { low: node["minimum"].as_i64().unwrap_or(least), high: node["maximum"].as_i64().unwrap_or(most) }
}

impl Shape {
    /// The known keys of a table.
    pub(crate) fn fields(&self) -> Option<&BTreeMap<String, Field>> {
        match self {
            Self::Table(fields) => Some(fields),
            _ => None,
        }
    }

    /// Whether keys may stand below it.
    pub(crate) fn is_table(&self) -> bool {
        matches!(self, Self::Table(_) | Self::Map(_))
    }

    /// What is expected, in words: `an integer from 0 to 9`.
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Table(_) | Self::Map(_) => "a table".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Text => "a text".to_owned(),
            Self::Word(words) if words.len() == 1 => format!("\"{}\"", words.concat()),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Flag => "true or false".to_owned(),
            Self::Either(shapes) => shapes.iter().map(Self::expected).collect::<Vec<_>>().join(" or "),
            Self::Integer { .. } => format!("a whole number{}", self.range_words()),
            Self::Number { .. } => format!("a number{}", self.range_words()),
            Self::Span { .. } => format!("a duration such as \"2s\", \"500ms\" or \"10m\"{}", self.range_words()),
        }
    }

    /// The bounds in words, with a leading space; empty when there are none worth saying.
    pub(crate) fn range_words(&self) -> String {
        let (low, high) = match self {
            Self::Integer { low, high } => (
                (*low > i64::MIN).then(|| low.to_string()),
                // The ends of the number types are no bounds that anyone meant.
                (![i64::from(u32::MAX), i64::MAX].contains(high)).then(|| high.to_string()),
            ),
            Self::Number { low, high } => {
                ((*low > f64::MIN).then(|| low.to_string()), (*high < f64::MAX).then(|| high.to_string()))
            }
            Self::Span { low, high } => (
                (*low > Duration::ZERO || *high < SPAN_MAX).then(|| Span(*low).to_string()),
                (*high < SPAN_MAX).then(|| Span(*high).to_string()),
            ),
            Self::Either(shapes) => return shapes.iter().map(Self::range_words).collect(),
            _ => (None, None),
        };
        match (low, high) {
            (Some(low), Some(high)) => format!(" from {low} to {high}"),
            (Some(low), None) => format!(" from {low}"),
            (None, Some(high)) => format!(" up to {high}"),
            (None, None) => String::new(),
        }
    }

    /// Checks a value, removes from it what does not fit, and tells each problem once.
    ///
    /// Returns whether the value itself can stay.
    pub(crate) fn fit(&self, value: &mut Value, path: &KeyPath, root: &Shape, tell: &mut dyn FnMut(Problem)) -> bool {
        match (self, value) {
            (Self::Table(fields), Value::Table(table)) => {
                table.retain(|key, value| {
                    let below = path.key(key);
                    match fields.get(key) {
                        Some(field) => field.shape.fit(value, &below, root, tell),
                        None => {
                            tell(root.unknown(&below, fields, value.as_str()));
                            false
                        }
                    }
                });
                true
            }
            (Self::Map(inner), Value::Table(table)) => {
                table.retain(|key, value| inner.fit(value, &path.key(key), root, tell));
                true
            }
            (Self::List(inner), Value::Array(list)) => {
                let mut index = 0;
                list.retain_mut(|value| {
                    index += 1;
                    inner.fit(value, &path.index(index - 1), root, tell)
                });
                true
            }
            (shape, value) => {
                let fits = shape.fits_leaf(value);
                if !fits {
                    let nearest = match (shape, value.as_str()) {
                        (Self::Word(words), Some(word)) => nearest(word, words.iter().map(String::as_str)),
                        _ => None,
                    };
                    tell(Problem::WrongValue { path: path.clone(), expected: shape.expected(), nearest });
                }
                fits
            }
        }
    }

    /// Calls `change` on every free text; where it returns false the text is taken out.
    pub(crate) fn texts(
        &self,
        value: &mut Value,
        path: &KeyPath,
        change: &mut dyn FnMut(&mut String, &KeyPath) -> bool,
    ) -> bool {
        match (self, value) {
            (Self::Text, Value::String(text)) => change(text, path),
            (Self::Table(fields), Value::Table(table)) => {
                table.retain(|key, value| {
                    fields.get(key).is_none_or(|field| field.shape.texts(value, &path.key(key), change))
                });
                true
            }
            (Self::Map(inner), Value::Table(table)) => {
                table.retain(|key, value| inner.texts(value, &path.key(key), change));
                true
            }
            (Self::List(inner), Value::Array(list)) => {
                let mut index = 0;
                list.retain_mut(|value| {
                    index += 1;
                    inner.texts(value, &path.index(index - 1), change)
                });
                true
            }
            _ => true,
        }
    }

    fn fits_leaf(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text, Value::String(_)) | (Self::Flag, Value::Boolean(_)) => true,
            (Self::Word(words), Value::String(word)) => words.contains(word),
            (Self::Integer { low, high }, Value::Integer(number)) => (low..=high).contains(&number),
            (Self::Number { low, high }, Value::Float(number)) => number.is_finite() && (low..=high).contains(&number),
            (Self::Number { low, high }, Value::Integer(number)) => (*low..=*high).contains(&(*number as f64)),
            (Self::Span { low, high }, Value::String(text)) => {
                text.parse::<Span>().is_ok_and(|span| (*low..=*high).contains(&span.0))
            }
            (Self::Either(shapes), value) => shapes.iter().any(|shape| shape.fits_leaf(value)),
            _ => false,
        }
    }

    /// What to say of an unknown key: reserved, misspelt, a word where a table of that name is meant, or in the wrong
    /// section.
    pub(crate) fn unknown(&self, path: &KeyPath, siblings: &BTreeMap<String, Field>, text: Option<&str>) -> Problem {
        let key = path.last().unwrap_or_default();
        let keys = path.keys();
        if keys.len() >= 2
            && keys[keys.len() - 2] == "detectors"
            && let Some(problem) = detector_row::refused(key, path)
        {
            return problem;
        }
        let near = nearest(key, siblings.keys().map(String::as_str))
            .or_else(|| table_meant(path, siblings, text?))
            .or_else(|| section_meant(key, siblings, self.fields()?));
        let known = siblings.keys().cloned().collect();
        Problem::UnknownKey { path: path.clone(), nearest: near, known }
    }
}

/// The table that is meant by a word, as in `kind = "slack"` for `[receivers.mine.slack]`.
fn table_meant(path: &KeyPath, siblings: &BTreeMap<String, Field>, word: &str) -> Option<String> {
    let tables = siblings.iter().filter(|(_, field)| field.shape.fields().is_some());
    let table = nearest(word, tables.map(|(name, _)| name.as_str()))?;
    Some(format!("[{}]", path.parent()?.key(&table)))
}

/// The section in which a key stands: one below the same table if there are any with it, and it is the only one; else one at
/// the top.
fn section_meant(key: &str, siblings: &BTreeMap<String, Field>, top: &BTreeMap<String, Field>) -> Option<String> {
    let mut here = sections_with(key, siblings);
    match (here.next(), here.next()) {
        (None, _) => sections_with(key, top).next(),
        (one, None) => one,
        (Some(_), Some(_)) => None,
    }
}

fn sections_with(key: &str, fields: &BTreeMap<String, Field>) -> impl Iterator<Item = String> {
    let has_it = move |field: &Field| field.shape.fields().is_some_and(|fields| fields.contains_key(key));
    fields.iter().filter(move |(_, field)| has_it(field)).map(move |(section, _)| format!("{section}.{key}"))
}
