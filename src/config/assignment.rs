//! Environment variables and `--set` arguments as layers.
//!
//! Both are texts: the shape of the configuration says which key is meant and which type it has.

use toml::{Table, Value};

use crate::config::error::Problem;
use crate::config::layer::Layer;
use crate::config::origin::{KeyPath, Origin};
use crate::config::shape::Shape;

/// What the names of our environment variables begin with.
pub const ENVIRONMENT_PREFIX: &str = "AVWATCH__";

/// One part of a key as written.
#[derive(Clone, Debug, PartialEq)]
struct Part {
    text: String,
    /// Quoted parts are one key, whatever is in them.
    quoted: bool,
}

/// How keys are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `AVWATCH__STREAMS__NEWS_HD__URL`: case is lost, and so is everything but letters, digits and `_`.
    Environment,
    /// `streams.news.hd.url`: exact, but the dots of a name need not be quoted.
    Set,
}

/// The layer of one environment variable; `known` are the layers below it.
pub(crate) fn from_environment(name: &str, text: &str, shape: &Shape, known: &[Layer]) -> Result<Layer, Problem> {
    let rest = name.strip_prefix(ENVIRONMENT_PREFIX).unwrap_or(name);
    let parts = rest.split("__").map(|part| Part { text: part.to_lowercase(), quoted: false }).collect::<Vec<_>>();
    let target = Resolver { root: shape, known, style: Style::Environment }.resolve(&parts)?;
    layer(target, text, &Origin::Environment { key: name.to_owned() })
}

/// The layer of one `--set KEY=VALUE`; `known` are the layers below it.
pub(crate) fn from_set(argument: &str, shape: &Shape, known: &[Layer]) -> Result<Layer, Problem> {
    let (parts, text) = split_set(argument)?;
    let target = Resolver { root: shape, known, style: Style::Set }.resolve(&parts)?;
    layer(target, text, &set_origin(argument))
}

/// The origin of a `--set` argument: its key, never its value.
pub(crate) fn set_origin(argument: &str) -> Origin {
    let end = key_end(argument).unwrap_or(0);
    Origin::Set { argument: argument[..end].trim().to_owned() }
}

/// The first part of a `--set` argument's key, for arguments that have one.
pub(crate) fn set_section(argument: &str) -> Option<String> {
    let (parts, _) = split_set(argument).ok()?;
    parts.into_iter().next().map(|part| part.text)
}

/// Where the key of a `--set` argument ends: at the first `=` outside quotes.
fn key_end(argument: &str) -> Option<usize> {
    let mut quote = None;
    for (at, letter) in argument.char_indices() {
        match (quote, letter) {
            (None, '=') => return Some(at),
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), letter) if open == letter => quote = None,
            _ => {}
        }
    }
    None
}

fn split_set(argument: &str) -> Result<(Vec<Part>, &str), Problem> {
    let malformed = || Problem::Syntax("write KEY=VALUE, such as server.listen=127.0.0.1:8080".to_owned());
    let end = key_end(argument).ok_or_else(malformed)?;
    let (key, value) = (argument[..end].trim(), &argument[end + 1..]);
    let mut parts = Vec::new();
    let mut rest = key;
    loop {
        let after = if let Some(quote) = rest.chars().next().filter(|letter| matches!(letter, '"' | '\'')) {
            let (inside, after) = rest[1..].split_once(quote).ok_or_else(malformed)?;
            parts.push(Part { text: inside.to_owned(), quoted: true });
            after
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            parts.push(Part { text: rest[..end].to_owned(), quoted: false });
            &rest[end..]
        };
        match after.strip_prefix('.') {
            Some(more) => rest = more,
            None if after.is_empty() => break,
            None => return Err(malformed()),
        }
    }
    if parts.iter().any(|part| part.text.is_empty()) { Err(malformed()) } else { Ok((parts, value)) }
}

fn layer((path, shape): (KeyPath, &Shape), text: &str, origin: &Origin) -> Result<Layer, Problem> {
    let value = typed(shape, text).ok_or_else(|| {
        let nearest = match shape {
            Shape::Word(words) => crate::config::error::nearest(text, words.iter().map(String::as_str)),
            _ => None,
        };
        Problem::WrongValue { path: path.clone(), expected: shape.expected(), nearest }
    })?;
    Ok(Layer::of_one(&path, value, origin))
}

/// Reads a text as the type that the shape asks for; bounds are checked later, with all other values.
fn typed(shape: &Shape, text: &str) -> Option<Value> {
    let trimmed = text.trim();
    match shape {
        Shape::Text | Shape::Word(_) | Shape::Span { .. } => {
            let quoted = trimmed.len() >= 2 && trimmed.starts_with('"') && trimmed.ends_with('"');
            let unquoted = if quoted { trimmed.parse::<Value>().ok().filter(Value::is_str) } else { None };
            let value = unquoted.unwrap_or_else(|| Value::String(text.to_owned()));
            match (shape, value.as_str()) {
                (Shape::Word(words), Some(word)) if !words.iter().any(|known| known == word) => None,
                _ => Some(value),
            }
        }
        Shape::Integer { .. } => trimmed.replace('_', "").parse().ok().map(Value::Integer),
        Shape::Number { .. } => trimmed.parse().ok().map(Value::Float),
        Shape::Flag => trimmed.parse().ok().map(Value::Boolean),
        Shape::Either(shapes) => shapes.iter().find_map(|shape| typed(shape, text)),
        Shape::List(_) if trimmed.is_empty() => Some(Value::Array(Vec::new())),
        Shape::List(_) if trimmed.starts_with('[') => trimmed.parse::<Value>().ok(),
        Shape::List(inner) => {
            trimmed.split(',').map(|part| typed(inner, part.trim())).collect::<Option<_>>().map(Value::Array)
        }
        Shape::Table(_) | Shape::Map(_) => trimmed.parse::<Value>().ok().filter(Value::is_table),
    }
}

/// Finds the key that is meant by its parts.
struct Resolver<'a> {
    root: &'a Shape,
    known: &'a [Layer],
    style: Style,
}

impl<'a> Resolver<'a> {
    fn resolve(&self, parts: &[Part]) -> Result<(KeyPath, &'a Shape), Problem> {
        let (mut path, mut shape, mut rest) = (KeyPath::root(), self.root, parts);
        while let Some((first, after)) = rest.split_first() {
            match shape {
                Shape::Table(fields) => {
                    path = path.key(&first.text);
                    let Some(field) = fields.get(&first.text) else {
                        return Err(self.root.unknown(&path, fields, None));
                    };
                    (shape, rest) = (&field.shape, after);
                }
                Shape::Map(inner) => {
                    let (name, taken) = self.name(rest, &path, inner)?;
                    path = path.key(&name);
                    (shape, rest) = (inner, &rest[taken..]);
                }
                _ => {
                    let why = format!("is {}, which has no keys", shape.expected());
                    return Err(Problem::Invalid { path, why });
                }
            }
        }
        Ok((path, shape))
    }

    /// The name that the next parts mean in a table of any keys, and how many parts it takes.
    fn name(&self, parts: &[Part], path: &KeyPath, inner: &Shape) -> Result<(String, usize), Problem> {
        if parts[0].quoted {
            return Ok((parts[0].text.clone(), 1));
        }
        let joined = |count: usize| -> String {
            let separator = if self.style == Style::Set { "." } else { "__" };
            parts[..count].iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(separator)
        };
        // The longest name that exists; a leaf's name is everything that is left.
        let least = if inner.is_table() { 1 } else { parts.len() };
        for count in (least..=parts.len()).rev() {
            if let Some(name) = self.known_name(&joined(count), path)? {
                return Ok((name, count));
            }
        }
        // A new name ends where the rest is a key.
        let ends = |count: &usize| match (inner, parts.get(*count)) {
            (Shape::Table(fields), Some(next)) => fields.contains_key(&next.text),
            _ => false,
        };
        let count = (least..parts.len()).find(ends).unwrap_or(least);
        Ok((joined(count), count))
    }

    /// The existing key that the word means, if any.
    fn known_name(&self, word: &str, path: &KeyPath) -> Result<Option<String>, Problem> {
        let tables: Vec<&Table> = self.known.iter().filter_map(|layer| layer.table_at(path)).collect();
        let mut names: Vec<&String> = tables.iter().flat_map(|table| table.keys()).collect();
        names.sort();
        names.dedup();
        match self.style {
            Style::Set => names.retain(|name| name.as_str() == word),
            Style::Environment => names.retain(|name| as_variable(name) == as_variable(word)),
        }
        match names.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some((*only).clone())),
            several => {
                let names = several.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" and ");
                let why = format!("means several: {names}");
                Err(Problem::Invalid { path: path.key(word), why })
            }
        }
    }
}

/// A name as the part of an environment variable's name.
fn as_variable(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' }).collect()
}
