//! The judgement: what clones leave out together, and what they do twice.
//!
//! What any of them wants of a stream, one of them must run. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::division::Division;
use super::part::{ClonePart, Names};
use crate::config::Origin;

/// Streams, by name.
pub type Streams = BTreeSet<Arc<str>>;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// What is left out: the clones are incomplete.
    pub gaps: Vec<Finding>,
    /// What is allowed, but probably not meant.
    pub doubts: Vec<Finding>,
    /// Streams that any clone knows.
    pub streams: usize,
    /// Detectors that any clone wants on any stream.
    pub detectors: usize,
}

/// One thing that was found, with the clones in question by their places in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Detectors that no clone lists.
    Unlisted {
        /// The detectors.
        detectors: Names,
        /// Streams on which they are wanted.
        streams: Streams,
    },
    /// Shards that no clone takes.
    Shards {
        /// The clones that take the others.
        clones: Vec<usize>,
        /// The missing ones.
        numbers: Vec<u32>,
        /// How many there are.
        count: u32,
        /// Detectors that nobody runs there; all when absent.
        detectors: Option<Names>,
        /// Streams that fall there; there may be none yet.
        streams: Streams,
    },
    /// Clones that divide streams by different numbers.
    Divisions {
        /// The clones.
        clones: Vec<usize>,
        /// Detectors that nobody runs on the streams; all when absent.
        detectors: Option<Names>,
        /// Streams that fall to none of them; there may be none yet.
        streams: Streams,
    },
    /// Streams, or detectors on them, that only clones want to which they do not fall.
    Unheeded {
        /// The clones to which they fall.
        clones: Vec<usize>,
        /// The detectors.
        detectors: Names,
        /// The streams.
        streams: Streams,
        /// Where the first stream was written.
        at: Origin,
    },
    /// Detectors that several clones run on the same streams.
    Twice {
        /// The clones.
        clones: Vec<usize>,
        /// The detectors; all that are wanted there when absent.
        detectors: Option<Names>,
        /// The streams.
        streams: Streams,
    },
    /// Streams whose picture and sound no clone sees together.
    Apart {
        /// The streams.
        streams: Streams,
    },
    /// Clones whose events carry the same name.
    SameNode {
        /// The clones.
        clones: Vec<usize>,
    },
}

/// Judges clones.
pub fn judge(parts: &[ClonePart]) -> Judgement {
    let mut wanted = BTreeMap::<Arc<str>, Names>::new();
    for (stream, wish) in parts.iter().flat_map(|part| &part.wishes) {
        wanted.entry(stream.clone()).or_default().extend(wish.detectors.iter());
    }
    let all: Names = wanted.values().flatten().copied().collect();
    let mut judging = Judging { parts, wanted: &wanted, all: &all, found: Judgement::default() };
    judging.lists();
    judging.streams();
    judging.nodes();
    Judgement { streams: wanted.len(), detectors: all.len(), ..judging.found }
}

struct Judging<'a> {
    parts: &'a [ClonePart],
    /// What any clone wants of each stream.
    wanted: &'a BTreeMap<Arc<str>, Names>,
    /// Every detector that is wanted anywhere.
    all: &'a Names,
    found: Judgement,
}

/// Clones, and the detectors in question.
type Case = (Vec<usize>, Names);

impl Judging<'_> {
    /// The clones for which something holds, by their places.
    fn those(&self, holds: impl Fn(&ClonePart) -> bool) -> Vec<usize> {
        self.parts.iter().enumerate().filter(|(_, part)| holds(part)).map(|(place, _)| place).collect()
    }

    /// The detectors in question, unless they are all.
    fn unless_all(&self, detectors: Names) -> Option<Names> {
        Some(detectors).filter(|detectors| detectors != self.all)
    }

    /// Streams on which any of the detectors is wanted and to which no clone of these attends.
    fn left_by(&self, clones: &[usize], detectors: &Names) -> Streams {
        let is_wanted = |names: &Names| !names.is_disjoint(detectors);
        let is_left = |stream: &str| !clones.iter().any(|place| self.parts[*place].share.has(stream));
        let streams = self.wanted.iter().filter(|(stream, names)| is_wanted(names) && is_left(stream));
        streams.map(|(stream, _)| stream.clone()).collect()
    }

    /// Whether the lists of detectors and the shards leave anything out, whatever streams there are.
    fn lists(&mut self) {
        let mut by_clones = BTreeMap::<Vec<usize>, Names>::new();
        for detector in self.all {
            by_clones.entry(self.those(|part| part.share.runs(detector))).or_default().insert(detector);
        }
        for (clones, detectors) in by_clones {
            let streams = self.left_by(&clones, &detectors);
            if clones.is_empty() {
                self.found.gaps.push(Finding::Unlisted { detectors, streams });
                continue;
            }
            let shards: Vec<_> = clones.iter().map(|place| self.parts[*place].share.shard).collect();
            let detectors = self.unless_all(detectors);
            match Division::of(&shards) {
                Division::Whole => {}
                Division::Missing { numbers, count } => {
                    self.found.gaps.push(Finding::Shards { clones, numbers, count, detectors, streams });
                }
                Division::Mixed => self.found.gaps.push(Finding::Divisions { clones, detectors, streams }),
            }
        }
    }

    /// What becomes of each stream.
    fn streams(&mut self) {
        let (mut unheeded, mut twice) = (BTreeMap::<Case, Streams>::new(), BTreeMap::<Case, Streams>::new());
        let mut apart = Streams::new();
        for (stream, wanted) in self.wanted {
            let (mut by_takers, mut by_runners) = (BTreeMap::<_, Names>::new(), BTreeMap::<_, Names>::new());
            for detector in wanted {
                let takers = self.those(|part| part.takes(stream, detector));
                let runners = self.those(|part| part.runs(stream, detector));
                if runners.len() > 1 {
                    by_runners.entry(runners).or_default().insert(*detector);
                } else if runners.is_empty() && !takers.is_empty() {
                    // What nobody takes was found by the lists.
                    by_takers.entry(takers).or_default().insert(*detector);
                }
            }
            for (cases, by_clones) in [(&mut unheeded, by_takers), (&mut twice, by_runners)] {
                for case in by_clones {
                    cases.entry(case).or_default().insert(stream.clone());
                }
            }
            if self.is_apart(stream) {
                apart.insert(stream.clone());
            }
        }
        for ((clones, detectors), streams) in unheeded {
            let at = self.written_at(&streams);
            self.found.gaps.push(Finding::Unheeded { clones, detectors, streams, at });
        }
        for ((clones, detectors), streams) in twice {
            let is_all = streams.iter().all(|stream| self.wanted[stream] == detectors);
            let detectors = Some(detectors).filter(|_| !is_all);
            self.found.doubts.push(Finding::Twice { clones, detectors, streams });
        }
        if !apart.is_empty() {
            self.found.doubts.push(Finding::Apart { streams: apart });
        }
    }

    /// Whether some clones see the pictures of a stream and others its sound, but none both.
    fn is_apart(&self, stream: &str) -> bool {
        let sees = |part: &ClonePart| ["black", "freeze"].iter().any(|name| part.runs(stream, name));
        let hears = |part: &ClonePart| part.runs(stream, "silence");
        let combines = |part: &ClonePart| part.wishes.get(stream).is_some_and(|wish| wish.combines);
        let parts = || self.parts.iter();
        let both = parts().any(|part| sees(part) && hears(part));
        parts().any(combines) && parts().any(sees) && parts().any(hears) && !both
    }

    /// Where the first of these streams was written.
    fn written_at(&self, streams: &Streams) -> Origin {
        let wish = streams.first().and_then(|stream| self.parts.iter().find_map(|part| part.wishes.get(stream)));
        wish.map(|wish| wish.at.clone()).unwrap_or_default()
    }

    fn nodes(&mut self) {
        let mut by_name = BTreeMap::<&str, Vec<usize>>::new();
        for (place, part) in self.parts.iter().enumerate() {
            if let Some((name, _)) = &part.node {
                by_name.entry(name).or_default().push(place);
            }
        }
        let same = by_name.into_values().filter(|clones| clones.len() > 1);
        self.found.doubts.extend(same.map(|clones| Finding::SameNode { clones }));
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
