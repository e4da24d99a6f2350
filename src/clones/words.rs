//! Findings in words, each with the place to look at.

use super::judge::{Finding, Streams};
use super::part::{ClonePart, Names};

/// Most names in one line; the rest is counted.
const NAMES_MAX: usize = 5;

impl Finding {
    /// One line for people.
    pub fn words(&self, parts: &[ClonePart]) -> String {
        match self {
            Self::Unlisted { detectors, streams } => {
                let written = parts.iter().find(|part| part.share.detectors.is_some());
                let at = written.map(|part| format!("{}: ", part.detectors_at)).unwrap_or_default();
                format!("{at}no clone runs {}, wanted on {}", some(detectors), counted(streams))
            }
            Self::Shards { clones, numbers, count, detectors, streams } => {
                let at = clones.first().map(|place| format!("{}: ", parts[*place].shard_at)).unwrap_or_default();
                let shards: Vec<String> = numbers.iter().map(|number| format!("{number}/{count}")).collect();
                let of = detectors.as_ref().map(|names| format!(" with {}", some(names))).unwrap_or_default();
                format!(
                    "{at}no clone takes shard {}{of}: {}",
                    list(&shards),
                    left(streams, "no stream falls there yet")
                )
            }
            Self::Divisions { clones, detectors, streams } => {
                let places = clones.iter().map(|place| &parts[*place]);
                let shards: Vec<String> =
                    places.filter_map(|part| Some(format!("{} at {}", part.share.shard?, part.shard_at))).collect();
                let of = detectors.as_ref().map(|names| format!(" for {}", some(names))).unwrap_or_default();
                format!(
                    "clones divide streams by different numbers{of}, {}: {}",
                    list(&shards),
                    left(streams, "only by chance is every stream watched now")
                )
            }
            Self::Unheeded { clones, detectors, streams, at } => {
                let falls = if streams.len() == 1 { "falls" } else { "fall" };
                let is_unknown =
                    streams.iter().all(|stream| clones.iter().all(|place| !parts[*place].wishes.contains_key(stream)));
                let why = match (is_unknown, clones.len()) {
                    (true, 1) => "which does not have it in its configuration",
                    (true, _) => "which do not have it in their configurations",
                    (false, 1) => "which does not want that",
                    (false, _) => "which do not want that",
                };
                let (what, to) = (some(detectors), named(clones, parts));
                format!("{at}: no clone runs {what} on {}: {falls} to {to}, {why}", counted(streams))
            }
            Self::Twice { clones, detectors, streams } => {
                let run = |names: &Names| format!("run {} on", some(names));
                let what = detectors.as_ref().map_or_else(|| "watch".to_owned(), run);
                let all = if clones.len() == 2 { "both" } else { "all" };
                format!("{} {all} {what} {}", named(clones, parts), counted(streams))
            }
            Self::Apart { streams } => format!(
                "no clone runs both black or freeze and silence on {}: picture and sound that are gone together are \
                 not judged together there",
                counted(streams)
            ),
            Self::SameNode { clones } => {
                let places = clones.iter().filter_map(|place| parts[*place].node.as_ref());
                let places: Vec<String> = places.map(|(_, at)| at.to_string()).collect();
                format!("{} have the same 'node': their events cannot be told apart", list(&places))
            }
        }
    }
}

/// What becomes of streams that nobody takes.
fn left(streams: &Streams, none: &str) -> String {
    match streams.len() {
        0 => none.to_owned(),
        1 => format!("{} is not watched", counted(streams)),
        _ => format!("not watched are {}", counted(streams)),
    }
}

/// How many, and which.
fn counted(streams: &Streams) -> String {
    let names: Vec<String> = streams.iter().map(|name| name.to_string()).collect();
    match names.as_slice() {
        [one] => format!("stream {one}"),
        several => format!("{} streams: {}", several.len(), list(several)),
    }
}

fn some(names: &Names) -> String {
    list(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
}

fn named(clones: &[usize], parts: &[ClonePart]) -> String {
    list(&clones.iter().map(|place| parts[*place].name.clone()).collect::<Vec<_>>())
}

/// Names as people list them; the rest is counted.
fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        names if names.len() > NAMES_MAX => {
            format!("{} and {} more", names[..NAMES_MAX].join(", "), names.len() - NAMES_MAX)
        }
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
