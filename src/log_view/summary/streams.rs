//! Streams: their sessions, restarts and uptime.
//!
//! A session's end says how long it lasted; one that is open at the end of the log lasted until
//! then. What lies before the first word about a stream's sessions is not known and not counted.

use std::collections::{BTreeMap, HashMap};

use super::report::StreamReport;
use crate::log_view::{Line, Moment};
use crate::sinks::event_log;

/// Streams that are counted apart.
const STREAMS_MAX: usize = 20_000;

/// Causes of restarts that are told apart for one stream.
const CAUSES_MAX: usize = 32;

/// The table.
#[derive(Debug, Default)]
pub(super) struct Streams {
    by_name: HashMap<Box<[u8]>, Story>,
    others: u64,
}

#[derive(Debug, Default)]
struct Story {
    lines: u64,
    raised: u64,
    sessions: u64,
    restarts: BTreeMap<Box<str>, u64>,
    /// Since when its sessions are known.
    begin: Option<Moment>,
    /// Up to where time was counted as up, so that none is counted twice.
    counted: Option<Moment>,
    open: Option<Moment>,
    up_millis: u64,
    lane_dropped: u64,
    receive_dropped: u64,
}

impl Streams {
    /// Takes a line about a stream.
    pub(super) fn take(&mut self, line: &Line<'_>, now: Moment) {
        let is_full = self.by_name.len() >= STREAMS_MAX;
        let story = match self.by_name.get_mut(line.stream) {
            Some(story) => story,
            None if is_full => {
                self.others += 1;
                return;
            }
            None => self.by_name.entry(line.stream[..line.stream.len().min(128)].into()).or_default(),
        };
        story.take(line, now);
    }

    /// The service started anew: what was open was so until `last`.
    pub(super) fn service_starts(&mut self, last: Moment) {
        for story in self.by_name.values_mut() {
            story.close(last);
        }
    }

    /// All of them, the least available first, and how many lines found no room.
    pub(super) fn finish(self, end: Moment) -> (Vec<StreamReport>, u64) {
        let mut streams: Vec<StreamReport> =
            self.by_name.into_iter().map(|(name, story)| story.report(&name, end)).collect();
        let rank = |stream: &StreamReport| stream.uptime.unwrap_or(f64::INFINITY);
        streams.sort_by(|one, two| {
            let by_restarts = || total(two).cmp(&total(one));
            rank(one).total_cmp(&rank(two)).then_with(by_restarts).then_with(|| one.stream.cmp(&two.stream))
        });
        (streams, self.others)
    }
}

fn total(stream: &StreamReport) -> u64 {
    stream.restarts.values().sum()
}

impl Story {
    fn take(&mut self, line: &Line<'_>, now: Moment) {
        self.lines += 1;
        self.lane_dropped += line.lane_dropped;
        self.receive_dropped += line.receive_dropped;
        self.raised += u64::from(line.state == b"raised" && line.target == event_log::TARGET.as_bytes());
        match line.life {
            b"open" => {
                self.begin.get_or_insert(now);
                self.close(now);
                self.open = Some(now);
                self.sessions += line.count();
            }
            b"end" => {
                let lasted = (line.lasted_s.max(0.0) * 1e3) as i64;
                let start = self.open.take().unwrap_or(Moment(now.0.saturating_sub(lasted)));
                self.begin.get_or_insert(start);
                if self.sessions == 0 {
                    // Its begin lies before the log.
                    self.sessions = 1;
                }
                self.count(start, now);
                self.restart(line);
            }
            _ => {}
        }
    }

    fn restart(&mut self, line: &Line<'_>) {
        if line.restart.is_empty() {
            return;
        }
        let cause = super::text(line.restart);
        let is_known = self.restarts.len() < CAUSES_MAX || self.restarts.contains_key(&cause);
        *self.restarts.entry(if is_known { cause } else { "other".into() }).or_default() += line.count();
    }

    fn close(&mut self, at: Moment) {
        if let Some(since) = self.open.take() {
            self.count(since, at);
        }
    }

    fn count(&mut self, from: Moment, to: Moment) {
        let from = self.counted.map_or(from, |counted| counted.max(from));
        self.up_millis += to.since(from);
        self.counted = self.counted.max(Some(to));
    }

    fn report(mut self, name: &[u8], end: Moment) -> StreamReport {
        self.close(end);
        let known = self.begin.map_or(0, |begin| end.since(begin));
        StreamReport {
            stream: super::text(name),
            lines: self.lines,
            events_raised: self.raised,
            sessions: self.sessions,
            restarts: self.restarts,
            up_s: self.up_millis as f64 / 1e3,
            known_s: known as f64 / 1e3,
            uptime: (known > 0).then(|| (self.up_millis as f64 / known as f64).min(1.0)),
            lane_dropped: self.lane_dropped,
            receive_dropped: self.receive_dropped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_order_of_words_makes_a_stream_be_up_longer_than_it_was_known(
            words in prop::collection::vec((0_i64..50, 0_usize..3, 0_u32..200), 1..40),
        ) {
            let (mut streams, mut now) = (Streams::default(), 1_000_000);
            for (passed, word, lasted) in words {
                now += passed * 1_000;
                let life: &[u8] = [b"open".as_slice(), b"end", b""][word];
                let lasted_s = f64::from(lasted);
                streams.take(&Line { stream: b"a", life, lasted_s, ..Line::default() }, Moment(now));
            }
            let (report, _) = streams.finish(Moment(now));
            prop_assert!(report[0].up_s <= report[0].known_s, "{:?}", report[0]);
        }
    }
}
