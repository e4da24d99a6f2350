//! Durations as people write them: `2s`, `500ms`, `10m`, `1h`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest duration that is accepted: a year.
pub(crate) const SPAN_MAX: Duration = Duration::from_secs(365 * 86_400);

/// Units with their length in nanoseconds, longest first.
const UNITS: [(&str, u64); 4] =
    [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000)];

/// A duration of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A text that is no duration; never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a duration such as \"2s\", \"500ms\", \"10m\" or \"1h\"")]
pub struct SpanError;

impl FromStr for Span {
    type Err = SpanError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').ok_or(SpanError)?;
        let (number, unit) = text.split_at(digits);
        let (_, nanos) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or(SpanError)?;
        let span = match number.parse::<u64>() {
            Ok(whole) => Duration::from_nanos(whole.checked_mul(nanos).ok_or(SpanError)?),
            Err(_) if number.starts_with('.') || number.ends_with('.') => return Err(SpanError),
            Err(_) => {
                let number: f64 = number.parse().map_err(|_| SpanError)?;
                Duration::try_from_secs_f64(number * nanos as f64 / 1e9).map_err(|_| SpanError)?
            }
        };
        if span > SPAN_MAX { Err(SpanError) } else { Ok(Self(span)) }
    }
}

/// A moment as people write it: RFC 3339, or a span such as `1h` or `7d` for that long ago.
pub fn moment(text: &str) -> Option<SystemTime> {
    let days =
        text.strip_suffix('d').and_then(|days| days.parse::<u64>().ok()).and_then(|days| days.checked_mul(86_400));
    let ago = days.map(Duration::from_secs).filter(|ago| *ago <= SPAN_MAX);
    if let Some(ago) = ago.or_else(|| text.parse::<Span>().ok().map(|Span(ago)| ago)) {
        return SystemTime::now().checked_sub(ago);
    }
    text.parse::<jiff::Timestamp>().map(Into::into).ok()
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos() as u64;
        if nanos == 0 {
            return f.write_str("0s");
        }
        match UNITS.into_iter().find(|(_, length)| nanos.is_multiple_of(*length)) {
            // 90 s is easier to read than 1.5 m, but 3600 s is not easier than 1 h.
            Some((unit, length)) => write!(f, "{}{unit}", nanos / length),
            None => write!(f, "{}ms", nanos as f64 / 1e6),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SpanVisitor)
    }
}

/// Refuses while the text is being read: whoever reads still knows where it stood.
struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as 2s")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Span, E> {
        text.parse().map_err(|_| E::custom("not a duration"))
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // `x-span` tells our own reader of the schema that the text is a duration.
        json_schema!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$", "x-span": true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_the_same() {
        for text in ["2s", "500ms", "10m", "1h", "90s", "0s", "1500ms", "0.5ms", "8760h"] {
            assert_eq!(text.parse::<Span>().expect(text).to_string(), text);
        }
        assert_eq!("1.5s".parse(), Ok(Span(Duration::from_millis(1500))));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "2",
            "s",
            "2 s",
            "-2s",
            "2S",
            "1d",
            "1h30m",
            "1.2.3s",
            "1.s",
            ".5s",
            "8761h",
            "99999999999999999999s",
            "१s",
        ] {
            assert_eq!(text.parse::<Span>(), Err(SpanError), "{text}");
        }
    }
}
