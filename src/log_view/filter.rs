//! What is asked for: stream, level, time and words. Pure.

use super::{Importance, Line, Moment};

/// A filter; what is absent lets everything pass.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Lines of these streams.
    pub streams: Vec<String>,
    /// Lines of this importance or more.
    pub level: Option<Importance>,
    /// Lines from then on.
    pub since: Option<Moment>,
    /// Lines before then.
    pub until: Option<Moment>,
    /// Lines of which any part matches, as they stand.
    pub words: Option<regex::bytes::Regex>,
}

impl Filter {
    /// Whether the line is asked for.
    pub fn passes(&self, line: &Line<'_>, bytes: &[u8]) -> bool {
        let is_of_stream =
            self.streams.is_empty() || self.streams.iter().any(|stream| stream.as_bytes() == line.stream);
        is_of_stream
            && self.level.is_none_or(|level| line.level >= level)
            && self.since.is_none_or(|since| line.time >= Some(since))
            && self.until.is_none_or(|until| line.time < Some(until))
            && self.words.as_ref().is_none_or(|words| words.is_match(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_asked_for_must_hold() {
        let text = br#"{"time":"1970-01-01T00:00:01.000Z","level":"warn","message":"it broke","stream":"lobby"}"#;
        let line = Line::parse(text).expect("it is a line");
        let words = |words: &str| Some(regex::bytes::Regex::new(words).expect("it is right"));
        let with = |change: fn(&mut Filter)| {
            let mut filter = Filter { streams: vec!["roof".into(), "lobby".into()], ..Filter::default() };
            change(&mut filter);
            filter
        };
        assert!(with(|_| ()).passes(&line, text));
        assert!(!with(|filter| filter.streams = vec!["roof".into()]).passes(&line, text));
        assert!(with(|filter| filter.level = Some(Importance::Warn)).passes(&line, text));
        assert!(!with(|filter| filter.level = Some(Importance::Error)).passes(&line, text));
        assert!(with(|filter| filter.since = Some(Moment(1_000))).passes(&line, text));
        assert!(!with(|filter| filter.until = Some(Moment(1_000))).passes(&line, text));
        assert!(Filter { words: words("br.ke"), ..with(|_| ()) }.passes(&line, text));
        assert!(!Filter { words: words("^x"), ..with(|_| ()) }.passes(&line, text));
    }
}
