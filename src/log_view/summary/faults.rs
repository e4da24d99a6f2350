//! Faults by fingerprint.

use std::collections::{BTreeSet, HashMap};

use super::report::FaultReport;
use crate::log_view::fold::fold;
use crate::log_view::parse::unescaped;
use crate::log_view::{Line, Moment};

/// Fingerprints that are counted apart; all others are counted together.
const FAULTS_MAX: usize = 10_000;

/// Streams that are named of one fault.
const STREAMS_MAX: usize = 100;

/// Longest example in bytes.
const EXAMPLE_BYTES_MAX: usize = 300;

/// The table.
#[derive(Debug, Default)]
pub(super) struct Faults {
    by_key: HashMap<Box<[u8]>, Fault>,
    others: u64,
    key: Vec<u8>,
}

#[derive(Debug)]
struct Fault {
    count: u64,
    first: Moment,
    last: Moment,
    level: &'static str,
    fault: Box<str>,
    example: String,
    streams: BTreeSet<Box<str>>,
    more_streams: bool,
}

impl Faults {
    /// Counts a line.
    pub(super) fn take(&mut self, line: &Line<'_>, now: Moment) {
        self.key.clear();
        self.key.push(line.level as u8);
        self.key.extend_from_slice(&line.fault[..line.fault.len().min(100)]);
        self.key.push(0);
        fold(line.message, line.stream, &mut self.key);
        let is_full = self.by_key.len() >= FAULTS_MAX;
        let fault = match self.by_key.get_mut(self.key.as_slice()) {
            Some(fault) => fault,
            None if is_full => {
                self.others += line.count();
                return;
            }
            None => self.by_key.entry(self.key.as_slice().into()).or_insert_with(|| Fault::new(line, now)),
        };
        fault.count += line.count();
        fault.first = fault.first.min(now);
        fault.last = fault.last.max(now);
        fault.note_stream(line.stream);
    }

    /// All of them, the most frequent first, and how many lines found no room.
    pub(super) fn finish(self) -> (Vec<FaultReport>, u64) {
        let mut faults: Vec<FaultReport> = self.by_key.into_iter().map(|(key, fault)| fault.report(&key)).collect();
        faults.sort_by(|one, two| {
            (two.count, &one.first, &one.fingerprint).cmp(&(one.count, &two.first, &two.fingerprint))
        });
        (faults, self.others)
    }
}

impl Fault {
    fn new(line: &Line<'_>, now: Moment) -> Self {
        let mut example = unescaped(line.message);
        example.truncate(example.floor_char_boundary(EXAMPLE_BYTES_MAX));
        Self {
            count: 0,
            first: now,
            last: now,
            level: line.level.name(),
            fault: super::text(line.fault),
            example,
            streams: BTreeSet::new(),
            more_streams: false,
        }
    }

    fn note_stream(&mut self, stream: &[u8]) {
        let known = std::str::from_utf8(stream).is_ok_and(|name| self.streams.contains(name));
        if known || stream.is_empty() {
            return;
        }
        if self.streams.len() < STREAMS_MAX {
            self.streams.insert(super::text(stream));
        } else {
            self.more_streams = true;
        }
    }

    fn report(self, key: &[u8]) -> FaultReport {
        let words = key.iter().position(|byte| *byte == 0).map_or(key, |end| &key[end + 1..]);
        FaultReport {
            fingerprint: unescaped(words),
            fault: (!self.fault.is_empty()).then_some(self.fault),
            level: self.level,
            count: self.count,
            first: self.first.to_string(),
            last: self.last.to_string(),
            example: self.example,
            streams: self.streams.into_iter().collect(),
            more_streams: self.more_streams,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_view::Importance;

    #[test]
    fn what_finds_no_room_in_the_table_is_counted() {
        let mut faults = Faults::default();
        for number in 0..FAULTS_MAX + 5 {
            // Words of letters alone, so that nothing is folded.
            let word: Vec<u8> = number.to_string().bytes().map(|digit| digit - b'0' + b'k').collect();
            let line = Line { message: &word, level: Importance::Warn, ..Line::default() };
            faults.take(&line, Moment(0));
        }
        let (all, others) = faults.finish();
        assert_eq!((all.len(), others), (FAULTS_MAX, 5));
    }
}
