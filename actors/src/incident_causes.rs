//! The chain of causes of an incident: what was first, and what followed from it, in words.
//!
//! Pure. Which detector explains which is one small table of ranks; within a rank what began first
//! comes first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::event::Wall;

/// Names of streams that a line names; how many more there are is said.
const NAMED_MAX: usize = 5;

/// Lines of a chain.
const LINES_MAX: usize = 12;

/// How close to the cause a detector stands: 0 is a cause, higher ones follow from lower ones.
fn rank(detector: &str) -> u8 {
    match detector {
        "input_down" | "stream_quarantined" => 0,
        // Said by what feeds the input: why it is down, if it is.
        "log_errors" | "log_http_errors" | "log_slow_segments" => 0,
        // What viewers notice in the end.
        "log_rebuffering" => 6,
        "scrambled" => 1,
        "decode_error" | "bitrate" | "frame_rate" | "timestamp" | "block_corruption" => 2,
        "video_missing" | "audio_missing" => 3,
        "silence" | "channel_silence" | "captions_missing" | "subtitles_missing" => 5,
        transport if transport.starts_with("ts_") || transport.starts_with("manifest_") => 1,
        loss if loss.ends_with("_loss") => 1,
        // Of the picture and the sound themselves.
        _ => 4,
    }
}

/// One condition over all streams of an incident.
#[derive(Clone, Debug)]
struct Link {
    streams: BTreeSet<Arc<str>>,
    began: Wall,
    /// All of its events are explained by other events.
    is_explained: bool,
}

/// What is known of an incident's conditions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chain(BTreeMap<Arc<str>, Link>);

impl Chain {
    /// Adds an event.
    pub(crate) fn add(&mut self, detector: &Arc<str>, stream: &Arc<str>, began: Wall, is_explained: bool) {
        let fresh = || Link { streams: BTreeSet::new(), began, is_explained: true };
        let link = self.0.entry(detector.clone()).or_insert_with(fresh);
        link.streams.insert(stream.clone());
        link.began = link.began.min(began);
        link.is_explained &= is_explained;
    }

    /// Detectors from cause to consequence.
    fn ordered(&self) -> Vec<(&Arc<str>, &Link)> {
        let mut links: Vec<_> = self.0.iter().collect();
        links.sort_by_key(|(detector, link)| (link.is_explained, rank(detector), link.began, (*detector).clone()));
        links
    }

    /// The detectors that are not explained by others, the first cause first.
    pub(crate) fn detectors(&self) -> Vec<&str> {
        let links = self.ordered();
        links.into_iter().filter(|(_, link)| !link.is_explained).map(|(detector, _)| &**detector).collect()
    }

    /// The chain in words. `names` says whether streams are named.
    pub(crate) fn lines(&self, names: Naming) -> Vec<String> {
        let links = self.ordered();
        let (explained, own): (Vec<_>, Vec<_>) = links.into_iter().partition(|(_, link)| link.is_explained);
        let mut lines: Vec<String> = own
            .iter()
            .take(LINES_MAX)
            .map(|(detector, link)| match names {
                Naming::Streams => format!("{detector} on {}", named(&link.streams)),
                Naming::None => detector.to_string(),
            })
            .collect();
        if !explained.is_empty() {
            let detectors: Vec<&str> = explained.iter().take(LINES_MAX).map(|(detector, _)| &***detector).collect();
            lines.push(format!("{} suppressed", detectors.join(", ")));
        }
        lines
    }
}

/// Whether a chain names the streams of each condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// It does: there are several.
    Streams,
    /// It does not: they are all of one stream.
    None,
}

fn named(streams: &BTreeSet<Arc<str>>) -> String {
    let names: Vec<&str> = streams.iter().take(NAMED_MAX).map(|name| &**name).collect();
    match streams.len() - names.len() {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    fn wall(second: u64) -> Wall {
        Wall(SystemTime::UNIX_EPOCH + Duration::from_secs(second))
    }

    #[test]
    fn a_chain_goes_from_cause_to_consequence_whatever_was_told_first() {
        let mut chain = Chain::default();
        chain.add(&"silence".into(), &"a".into(), wall(1), false);
        chain.add(&"black".into(), &"a".into(), wall(2), true);
        chain.add(&"decode_error".into(), &"a".into(), wall(3), false);
        for name in ["g", "f", "e", "d", "c", "b", "a"] {
            chain.add(&"input_down".into(), &name.into(), wall(4), false);
        }
        assert_eq!(
            chain.lines(Naming::Streams),
            ["input_down on a, b, c, d, e and 2 more", "decode_error on a", "silence on a", "black suppressed"]
        );
        assert_eq!(chain.detectors(), ["input_down", "decode_error", "silence"]);
    }

    #[test]
    fn what_the_log_of_a_packager_says_stands_before_the_input_that_went_down_after_it() {
        let mut chain = Chain::default();
        for (detector, began) in [("log_rebuffering", 1), ("input_down", 4), ("log_http_errors", 2), ("black", 3)] {
            chain.add(&detector.into(), &"a".into(), wall(began), detector == "black");
        }
        assert_eq!(chain.lines(Naming::None), ["log_http_errors", "input_down", "log_rebuffering", "black suppressed"]);
    }
}
