//! What a log adds up to: faults, streams, events, detectors and losses.
//!
//! Lines come in the order of time, one by one; every table has a limit, and what finds no room in
//! it is counted. The result is plain data ([`SummaryReport`]) that text and JSON are made from.

mod faults;
mod latencies;
mod report;
mod streams;
mod text;

use std::collections::HashMap;

pub use latencies::Latencies;
pub use report::SummaryReport;

use super::{Importance, Line, Moment};
use crate::sinks::event_log;
use faults::Faults;
use report::{CpuReport, EventReport, LossReport};
use streams::Streams;

/// Kinds of events that are counted apart: detectors times severities.
const EVENTS_MAX: usize = 1_000;

/// Detectors whose CPU time is counted apart.
const DETECTORS_MAX: usize = 200;

/// What was gathered so far.
#[derive(Debug, Default)]
pub struct Summary {
    lines: u64,
    malformed: u64,
    by_level: [u64; 5],
    first: Option<Moment>,
    last: Option<Moment>,
    starts: u64,
    faults: Faults,
    streams: Streams,
    /// By detector and severity.
    events: HashMap<(Box<str>, Box<str>), EventReport>,
    other_events: u64,
    cpu: HashMap<Box<str>, f64>,
    lost_lines: u64,
    lane_dropped: u64,
    receive_dropped: u64,
}

impl Summary {
    /// Counts a line that is none.
    pub fn malformed(&mut self, count: u64) {
        self.malformed += count;
    }

    /// Takes one line.
    pub fn take(&mut self, line: &Line<'_>) {
        let now = line.time.unwrap_or_default();
        self.lines += 1;
        self.by_level[line.level as usize] += 1;
        self.first.get_or_insert(now);
        if line.life == b"service" {
            // Whatever was open when the service ended without a word was open until then.
            self.streams.service_starts(self.last.unwrap_or(now));
            self.starts += 1;
        }
        self.last = self.last.max(Some(now));
        if line.target == event_log::TARGET.as_bytes() {
            self.event(line);
        } else if line.level >= Importance::Warn {
            self.faults.take(line, now);
        }
        if !line.stream.is_empty() {
            self.streams.take(line, now);
        }
        self.lost_lines += line.dropped;
        self.lane_dropped += line.lane_dropped;
        self.receive_dropped += line.receive_dropped;
        if !line.cpu_of_detectors.is_empty() {
            self.cpu(line.cpu_of_detectors);
        }
    }

    fn event(&mut self, line: &Line<'_>) {
        let key = (text(line.detector), text(line.severity));
        let is_full = self.events.len() >= EVENTS_MAX;
        let entry = match self.events.get_mut(&key) {
            Some(entry) => entry,
            None if is_full => {
                self.other_events += 1;
                return;
            }
            None => {
                let fresh = EventReport { detector: key.0.clone(), severity: key.1.clone(), ..EventReport::default() };
                self.events.entry(key).or_insert(fresh)
            }
        };
        match line.state {
            b"raised" => entry.raised += 1,
            b"escalated" => entry.escalated += 1,
            b"suppressed" => entry.suppressed += 1,
            b"ended" => entry.ended += 1,
            _ => {}
        }
    }

    /// `freeze=1.25 black=0.5`.
    fn cpu(&mut self, pairs: &[u8]) {
        for pair in pairs.split(|byte| *byte == b' ') {
            let Some(at) = memchr::memchr(b'=', pair) else { continue };
            let seconds = std::str::from_utf8(&pair[at + 1..]).ok().and_then(|text| text.parse::<f64>().ok());
            let Some(seconds) = seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0) else { continue };
            let name = text(&pair[..at]);
            if self.cpu.len() < DETECTORS_MAX || self.cpu.contains_key(&name) {
                *self.cpu.entry(name).or_default() += seconds;
            }
        }
    }

    /// What it all adds up to.
    pub fn finish(self, latencies: &Latencies) -> SummaryReport {
        let end = self.last.unwrap_or_default();
        let (faults, other_faults) = self.faults.finish();
        let (streams, other_streams) = self.streams.finish(end);
        let mut events: Vec<EventReport> = self.events.into_values().collect();
        events.sort_by(|one, two| {
            (two.raised, &one.detector, &one.severity).cmp(&(one.raised, &two.detector, &two.severity))
        });
        let mut cpu: Vec<CpuReport> =
            self.cpu.into_iter().map(|(detector, seconds)| CpuReport { detector, seconds }).collect();
        cpu.sort_by(|one, two| two.seconds.total_cmp(&one.seconds).then_with(|| one.detector.cmp(&two.detector)));
        SummaryReport {
            schema: "avwatch.log-summary/1",
            first: self.first.map(|moment| moment.to_string()),
            last: self.last.map(|moment| moment.to_string()),
            lines: self.lines,
            malformed: self.malformed,
            by_level: Importance::ALL.map(|level| (level.name(), self.by_level[level as usize])).into(),
            service_starts: self.starts,
            faults,
            other_faults,
            streams,
            other_streams,
            events,
            other_events: self.other_events,
            latencies: latencies.report(),
            detectors: cpu,
            losses: LossReport {
                log_lines: self.lost_lines,
                lane_frames: self.lane_dropped,
                datagrams: self.receive_dropped,
                unreadable_latencies: latencies.unreadable(),
            },
        }
    }
}

/// Foreign words of a bounded length.
fn text(bytes: &[u8]) -> Box<str> {
    /// No name of ours is longer.
    const NAME_BYTES_MAX: usize = 128;
    String::from_utf8_lossy(&bytes[..bytes.len().min(NAME_BYTES_MAX)]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summed(lines: &[String]) -> SummaryReport {
        let mut summary = Summary::default();
        for line in lines {
            summary.take(&Line::parse(line.as_bytes()).unwrap_or_else(|| panic!("no line: {line}")));
        }
        summary.finish(&Latencies::default())
    }

    fn line(second: u32, rest: &str) -> String {
        format!("{{\"time\":\"2026-11-28T00:{:02}:{:02}.000Z\",{rest}}}", second / 60, second % 60)
    }

    #[test]
    fn the_same_fault_with_other_numbers_is_one_with_its_count() {
        let fault = |second, stream: &str, message: &str, more: &str| {
            line(second, &format!("\"level\":\"warn\",\"message\":\"{message}\",\"stream\":\"{stream}\"{more}"))
        };
        let report = summed(&[
            fault(1, "a", "session ended: no bytes for 3 s", ",\"fault\":\"stalled\""),
            fault(9, "b", "session ended: no bytes for 12 s", ",\"fault\":\"stalled\",\"repeated\":4"),
            fault(20, "b", "session ended: no bytes for 12 s", ",\"fault\":\"stalled\",\"repeated\":2,\"sum\":true"),
            fault(5, "a", "quite another", ""),
        ]);
        assert_eq!(report.faults.len(), 2);
        let first = &report.faults[0];
        assert_eq!((first.count, &*first.fingerprint), (8, "session ended: no bytes for <n> s"));
        assert_eq!(
            (first.first.as_str(), first.last.as_str()),
            ("2026-11-28T00:00:01.000Z", "2026-11-28T00:00:20.000Z")
        );
        assert_eq!(
            (first.example.as_str(), first.streams.clone()),
            ("session ended: no bytes for 3 s", vec!["a".into(), "b".into()])
        );
    }

    #[test]
    fn restarts_and_uptime_of_a_stream_follow_from_its_sessions() {
        let life = |second, life: &str, more: &str| {
            line(second, &format!("\"level\":\"info\",\"message\":\"m\",\"stream\":\"a\",\"life\":\"{life}\"{more}"))
        };
        let report = summed(&[
            life(0, "open", ""),
            life(60, "end", ",\"lasted_s\":60,\"restart\":\"stalled\""),
            life(80, "open", ""),
            line(100, "\"level\":\"info\",\"message\":\"later\""),
        ]);
        let stream = &report.streams[0];
        assert_eq!((&*stream.stream, stream.sessions, stream.restarts["stalled"]), ("a", 2, 1));
        assert_eq!((stream.up_s, stream.known_s, stream.uptime), (80.0, 100.0, Some(0.8)));
    }

    #[test]
    fn a_session_that_a_crash_cut_off_was_open_until_the_last_word() {
        let report = summed(&[
            line(0, "\"level\":\"info\",\"message\":\"m\",\"stream\":\"a\",\"life\":\"open\""),
            line(10, "\"level\":\"info\",\"message\":\"m\""),
            line(40, "\"level\":\"info\",\"message\":\"avwatch starts\",\"life\":\"service\""),
            line(50, "\"level\":\"info\",\"message\":\"m\""),
        ]);
        assert_eq!((report.streams[0].up_s, report.streams[0].known_s, report.service_starts), (10.0, 50.0, 1));
    }

    #[test]
    fn events_cpu_time_and_losses_are_counted() {
        let event = "\"level\":\"warn\",\"target\":\"avwatch::event\",\"message\":\"m\",\"stream\":\"a\",\"detector\":\"black\",\"severity\":\"major\"";
        let report = summed(&[
            line(0, &format!("{event},\"state\":\"raised\",\"event\":{{\"a\":1}}")),
            line(1, &format!("{event},\"state\":\"ended\",\"event\":{{\"a\":1}}")),
            line(2, "\"level\":\"info\",\"message\":\"m\",\"cpu_of_detectors\":\"black=1.5 freeze=2\""),
            line(3, "\"level\":\"info\",\"message\":\"m\",\"cpu_of_detectors\":\"black=1.5\""),
            line(4, "\"level\":\"warn\",\"message\":\"m\",\"dropped\":7"),
            line(5, "\"level\":\"warn\",\"message\":\"m\",\"stream\":\"a\",\"lane_dropped\":3,\"receive_dropped\":2"),
        ]);
        assert_eq!((report.events[0].raised, report.events[0].ended), (1, 1));
        let cpu: Vec<_> = report.detectors.iter().map(|cpu| (&*cpu.detector, cpu.seconds)).collect();
        assert_eq!(cpu, [("black", 3.0), ("freeze", 2.0)]);
        let losses = &report.losses;
        assert_eq!((losses.log_lines, losses.lane_frames, losses.datagrams), (7, 3, 2));
    }
}
