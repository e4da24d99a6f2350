//! Lines of foreign logs → fields. Pure; nothing of a line is trusted, and its parts are limited.

mod common;
mod json;
mod logfmt;
mod pattern;

use std::borrow::Cow;

use super::plan::Pattern;

/// Fields of one line that are looked at; more are left out.
const FIELDS_MAX: usize = 128;

/// Fields of a line, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Fields<'a> {
    /// The first field of that name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
    }

    pub(super) fn push(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        if self.0.len() < FIELDS_MAX {
            self.0.push((name.into(), value.into()));
        }
    }
}

/// Form of the lines.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Format {
    /// One JSON object a line.
    Json,
    /// key=value pairs.
    Logfmt,
    /// Access logs.
    Common,
    /// By a regular expression with named groups.
    Regex(Pattern),
}

impl Format {
    /// Every field that its lines can have, where that is known.
    pub(crate) fn fields(&self) -> Option<Vec<&str>> {
        match self {
            Self::Json | Self::Logfmt => None,
            Self::Common => Some(common::FIELDS.iter().chain(&common::EXTRA).copied().collect()),
            Self::Regex(pattern) => Some(pattern.0.capture_names().flatten().collect()),
        }
    }

    /// The fields of a line; nothing when it has another form.
    pub(super) fn parse<'a>(&self, line: &'a str) -> Option<Fields<'a>> {
        match self {
            Self::Json => json::parse(line),
            Self::Logfmt => logfmt::parse(line),
            Self::Common => common::parse(line),
            Self::Regex(pattern) => pattern::parse(pattern, line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_line_upsets_any_format(line in ".{0,200}", marks in r#"[\[\]"\\= {}:,]{0,40}"#) {
            let pattern = Pattern::new("(?<a>.)(?<b>.+)?").unwrap();
            for format in [Format::Json, Format::Logfmt, Format::Common, Format::Regex(pattern)] {
                format.parse(&line);
                format.parse(&marks);
                format.parse(&format!("{{\"a\":{marks}"));
            }
        }
    }
}
