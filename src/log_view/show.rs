//! Lines for people and for programs: nothing a line holds reaches the terminal unescaped.

use std::io::{self, Write};

use super::parse::unescaped;
use super::{Importance, Line, Pairs, Value};
use crate::telemetry::escape::{push_json_text, push_text};

/// Fields that have a place of their own, or are for machines.
const PLACED: [&[u8]; 7] = [b"time", b"level", b"target", b"message", b"stream", b"session", b"event"];

/// Writes lines.
pub struct Printer<W> {
    out: W,
    style: Style,
    text: String,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As they are.
    Json,
    /// For people.
    Plain,
    /// For people, in colours.
    Coloured,
}

impl<W: Write> Printer<W> {
    /// Writes to `out`.
    pub fn new(out: W, style: Style) -> Self {
        Self { out, style, text: String::new() }
    }

    /// Writes one line.
    ///
    /// # Errors
    /// What the output says.
    pub fn print(&mut self, line: &Line<'_>, bytes: &[u8]) -> io::Result<()> {
        self.text.clear();
        match self.style {
            // As they are, but for what a terminal would act on: in JSON an escape means the same.
            Style::Json => push_json_text(&mut self.text, &String::from_utf8_lossy(bytes)),
            Style::Plain => people(&mut self.text, line, bytes, false),
            Style::Coloured => people(&mut self.text, line, bytes, true),
        }
        self.text.push('\n');
        self.out.write_all(self.text.as_bytes())
    }

    /// Passes on what was written.
    ///
    /// # Errors
    /// What the output says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn people(out: &mut String, line: &Line<'_>, bytes: &[u8], colours: bool) {
    let (on, off) = match line.level {
        _ if !colours => ("", ""),
        Importance::Error => ("\u{1b}[31m", "\u{1b}[0m"),
        Importance::Warn => ("\u{1b}[33m", "\u{1b}[0m"),
        Importance::Info => ("\u{1b}[32m", "\u{1b}[0m"),
        Importance::Debug | Importance::Trace => ("\u{1b}[90m", "\u{1b}[0m"),
    };
    let level = line.level.name().to_ascii_uppercase();
    out.push_str(&format!("{} {on}{level:<5}{off} ", line.time.unwrap_or_default()));
    if !line.stream.is_empty() {
        push_text(out, &unescaped(line.stream));
        let session = Pairs::new(bytes).find(|(key, _)| *key == b"session");
        if let Some((_, Value::Bare(number))) = session {
            out.push('#');
            push_text(out, &String::from_utf8_lossy(number));
        }
        out.push_str("  ");
    }
    push_text(out, &unescaped(line.message));
    for (key, value) in Pairs::new(bytes).filter(|(key, _)| !PLACED.contains(key)) {
        out.push_str(if colours { " \u{1b}[90m" } else { " " });
        push_text(out, &unescaped(key));
        out.push('=');
        match value {
            Value::Text(inside) => {
                let text = unescaped(inside);
                let quote = if text.is_empty() || text.contains([' ', '=', '"']) { "\"" } else { "" };
                out.push_str(quote);
                push_text(out, &text);
                out.push_str(quote);
            }
            other => push_text(out, &String::from_utf8_lossy(other.bytes())),
        }
        if colours {
            out.push_str("\u{1b}[0m");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"time":"1970-01-01T00:00:01.000Z","level":"warn","target":"a::b","message":"it \"broke\"\n\u001b[2J","stream":"lobby","session":7,"fault":"two words","count":3,"event":{"a":1}}"#;

    fn printed(style: Style, text: &str) -> String {
        let mut printer = Printer::new(Vec::new(), style);
        printer.print(&Line::parse(text.as_bytes()).expect("it is a line"), text.as_bytes()).expect("memory takes it");
        String::from_utf8(printer.out).expect("it is text")
    }

    #[test]
    fn people_read_time_level_stream_message_and_fields() {
        let expected =
            "1970-01-01T00:00:01.000Z WARN  lobby#7  it \"broke\"\\n\\u{1b}[2J fault=\"two words\" count=3\n";
        assert_eq!(printed(Style::Plain, LINE), expected);
        assert!(printed(Style::Coloured, LINE).contains("\u{1b}[33mWARN \u{1b}[0m"));
    }

    #[test]
    fn programs_get_the_line_as_it_is_without_what_a_terminal_acts_on() {
        assert_eq!(printed(Style::Json, LINE), format!("{LINE}\n"));
        let hostile = LINE.replace("two words", "\u{9b}31m\u{202e}");
        let out = printed(Style::Json, &hostile);
        assert!(!out.trim_end().chars().any(|c| c.is_control() || c == '\u{202e}'), "{out:?}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("it is JSON");
        assert_eq!(read(&out), read(&hostile));
    }
}
