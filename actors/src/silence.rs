//! Silences: what people said shall page nobody for a while.
//!
//! Plain data and pure matching. A silence marks events and holds notifications back; it never hides
//! an event. Maintenance is a silence that was planned.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::{Event, Wall};
use crate::track::TrackId;

/// Most silences that are in force or planned at the same time.
pub const SILENCES_MAX: usize = 1_000;

/// Why people are not to be notified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SilenceKind {
    /// Somebody knows already and wants no more of it.
    Silence,
    /// Somebody is going to work on it: planned ahead.
    Maintenance,
}

impl SilenceKind {
    /// The word in the API and in `suppressed_by`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::Maintenance => "maintenance",
        }
    }
}

/// Which events it is about. What is absent does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matchers {
    /// The stream's name; `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Labels that the event must have, with these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The detector's name; `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detector: Option<String>,
    /// The track.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<TrackId>,
}

impl Matchers {
    /// True when nothing restricts: it would silence everything.
    pub fn is_empty(&self) -> bool {
        self.stream.is_none() && self.labels.is_empty() && self.detector.is_none() && self.track.is_none()
    }

    /// Whether an event is meant.
    pub fn match_event(&self, event: &Event) -> bool {
        self.stream.as_deref().is_none_or(|pattern| fits(pattern, &event.stream))
            && self.detector.as_deref().is_none_or(|pattern| fits(pattern, &event.detector))
            && self.track.is_none_or(|track| track == event.track)
            && self.labels.iter().all(|(name, value)| event.labels.get(name) == Some(value))
    }
}

/// A silence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Unique.
    pub id: String,
    /// Why people are not to be notified.
    pub kind: SilenceKind,
    /// Which events it is about.
    pub matchers: Matchers,
    /// From when on.
    pub starts_at: Wall,
    /// Until when.
    pub until: Wall,
    /// Why, as people read it.
    pub reason: String,
    /// Who said so.
    pub author: String,
    /// When it was made.
    pub created_at: Wall,
}

impl Silence {
    /// Whether it is in force.
    pub fn is_active(&self, now: Wall) -> bool {
        self.starts_at <= now && now < self.until
    }

    /// What stands in the events that it marks.
    pub fn mark(&self) -> String {
        format!("{}:{}", self.kind.name(), self.id)
    }
}

/// Whether a text fits a pattern in which `*` stands for any characters.
pub fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, expected) in [
            ("lobby", "lobby", true),
            ("lobby", "lobby2", false),
            ("lobby*", "lobby", true),
            ("lobby*", "lobby-2", true),
            ("*", "", true),
            ("*", "anything", true),
            ("*-hd", "news-hd", true),
            ("*-hd", "news-sd", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "ac", false),
            ("ab*ba", "aba", false),
            ("a**c", "abc", true),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
