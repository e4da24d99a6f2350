//! A record: what one log line says, and how it is written as JSON or as text.

use std::fmt::{self, Write};
use std::time::SystemTime;

use avwatch_actors::event::Wall;
use tracing::field::{Field, Visit};
use tracing::{Level, Metadata};

use super::LogFormat;
use super::escape::{push_json_string, push_json_text, push_text};
use crate::sinks::event_log;

/// Longest text of one value in bytes; the rest is cut off and marked with `…`.
const VALUE_BYTES_MAX: usize = 4 << 10;

/// Longest event record in an event log line.
const EVENT_BYTES_MAX: usize = 64 << 10;

/// The field of event log lines that holds the whole event as JSON.
const EVENT_FIELD: &str = "event";

/// A value of a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Flag(bool),
}

/// Fields of an event or of the spans around it, in order; a later value replaces an earlier one.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The text of a field; nothing for a number or flag.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(super) fn set(&mut self, name: &'static str, value: Value) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Takes over all fields of an inner scope.
    pub(super) fn extend(&mut self, inner: Fields) {
        for (name, value) in inner.0 {
            self.set(name, value);
        }
    }

    fn set_text(&mut self, field: &Field, text: Limited) {
        let text = text.finish();
        // `session = %number` arrives as text such as "#7"; machines want the number.
        let number = (field.name() == "session").then(|| text.trim_start_matches('#').parse().ok()).flatten();
        self.set(plain_name(field), number.map_or(Value::Text(text), Value::Unsigned));
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        let mut text = Limited::for_field(field);
        text.push(value);
        self.set_text(field, text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Limited::for_field(field);
        // Only a `Debug` that fails by itself ends here; what it wrote so far is kept.
        let _ = write!(text, "{value:?}");
        self.set_text(field, text);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(plain_name(field), Value::Signed(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(plain_name(field), Value::Unsigned(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(plain_name(field), Value::Float(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(plain_name(field), Value::Flag(value));
    }
}

/// `r#type` is written `type`.
fn plain_name(field: &Field) -> &'static str {
    field.name().trim_start_matches("r#")
}

/// Text that stops growing at its limit, so that a huge name costs nothing to refuse.
struct Limited {
    text: String,
    room: usize,
    cut: bool,
}

impl Limited {
    fn for_field(field: &Field) -> Self {
        let room = if field.name() == EVENT_FIELD { EVENT_BYTES_MAX } else { VALUE_BYTES_MAX };
        Self { text: String::new(), room, cut: false }
    }

    fn push(&mut self, text: &str) {
        if self.cut {
            return;
        }
        let end = text.floor_char_boundary(self.room);
        self.cut = end < text.len();
        self.room -= end;
        self.text.push_str(&text[..end]);
    }

    fn finish(mut self) -> String {
        if self.cut {
            self.text.push('…');
        }
        self.text
    }
}

impl Write for Limited {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        Ok(())
    }
}

/// The fields that every reader looks for first, in this order.
const CONVENTION: [&str; 4] = ["stream", "session", "detector", "fault"];

/// What one line says.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) time: SystemTime,
    pub(super) level: Level,
    pub(super) target: &'a str,
    pub(super) fields: &'a Fields,
}

impl<'a> Record<'a> {
    pub(super) fn new(metadata: &Metadata<'a>, fields: &'a Fields) -> Self {
        Self { time: SystemTime::now(), level: *metadata.level(), target: metadata.target(), fields }
    }

    /// The line, ended.
    pub(super) fn line(&self, format: LogFormat) -> String {
        let mut out = String::with_capacity(256);
        match format {
            LogFormat::Json => self.push_json(&mut out),
            LogFormat::Text => self.push_text(&mut out),
        }
        out.push('\n');
        out
    }

    /// All fields but the message, those of the convention first.
    fn ordered(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        let first = CONVENTION.into_iter().filter_map(|name| Some((name, self.fields.get(name)?)));
        let rest = self.fields.0.iter().filter(|(name, _)| *name != "message" && !CONVENTION.contains(name));
        first.chain(rest.map(|(name, value)| (*name, value)))
    }

    fn push_json(&self, out: &mut String) {
        out.push_str("{\"time\":\"");
        out.push_str(&Wall(self.time).to_string());
        out.push_str("\",\"level\":\"");
        out.push_str(level_name(self.level));
        out.push_str("\",\"target\":");
        push_json_string(out, self.target);
        out.push_str(",\"message\":");
        push_json_string(out, self.fields.text("message").unwrap_or_default());
        for (name, value) in self.ordered() {
            out.push(',');
            // A field must not pass for one of the line's own.
            let own = matches!(name, "time" | "level" | "target");
            push_json_string(out, &if own { format!("field_{name}") } else { name.to_owned() });
            out.push(':');
            match value {
                Value::Text(json) if name == EVENT_FIELD && self.is_event_record(json) => push_json_text(out, json),
                Value::Text(text) => push_json_string(out, text),
                Value::Float(number) if !number.is_finite() => out.push_str("null"),
                other => push_scalar(out, other),
            }
        }
        out.push('}');
    }

    /// True for a complete JSON object in a line of the event log: it is nested instead of quoted.
    fn is_event_record(&self, json: &str) -> bool {
        self.target == event_log::TARGET
            && json.starts_with('{')
            && !json.contains('\n')
            && serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok()
    }

    fn push_text(&self, out: &mut String) {
        out.push_str(&Wall(self.time).to_string());
        out.push(' ');
        out.push_str(match self.level {
            Level::ERROR => "ERROR",
            Level::WARN => "WARN ",
            Level::INFO => "INFO ",
            Level::DEBUG => "DEBUG",
            Level::TRACE => "TRACE",
        });
        out.push(' ');
        push_text(out, self.fields.text("message").unwrap_or_default());
        // The whole event is for machines; its message and main fields are there anyway.
        for (name, value) in self.ordered().filter(|(name, _)| *name != EVENT_FIELD) {
            out.push(' ');
            out.push_str(name);
            out.push('=');
            match value {
                Value::Text(text) if text.is_empty() || text.contains([' ', '"', '=']) => push_json_string(out, text),
                Value::Text(text) => push_text(out, text),
                other => push_scalar(out, other),
            }
        }
    }
}

fn push_scalar(out: &mut String, value: &Value) {
    let written = match value {
        Value::Text(text) => out.write_str(text),
        Value::Signed(number) => write!(out, "{number}"),
        Value::Unsigned(number) => write!(out, "{number}"),
        Value::Float(number) => write!(out, "{number}"),
        Value::Flag(flag) => write!(out, "{flag}"),
    };
    written.expect("writing to a string does not fail");
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}
