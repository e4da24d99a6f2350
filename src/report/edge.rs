//! Edge grace: what is normal at the head and the tail of a finished file weighs less there.
//!
//! Files open and close on black. Only detectors with a grace span use this, and only in profile
//! `file`; live streams have no head or tail.

use avwatch_actors::detector::Ladder;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity;

/// How far from head or tail an event may begin or end and still count as reaching it.
const REACH: MediaTime = MediaTime::from_millis(100);

/// The severity of an event when its time within `grace` of head and tail does not count.
///
/// The ladder judges the remaining time; what does not reach its first step has the severity of that
/// step, for the event itself stands. Never raises a severity. An event from the very head to the
/// very tail keeps its severity: that is no edge, that is the whole programme.
pub fn edge_grace(
    ladder: &Ladder,
    severity: Severity,
    event: (MediaTime, MediaTime),
    duration: MediaTime,
    grace: MediaTime,
) -> Severity {
    let (start, end) = event;
    if start <= REACH && end + REACH >= duration {
        return severity;
    }
    let counted = end.min(duration - grace) - start.max(grace);
    let lowest = ladder.steps.first().map_or(severity, |(_, lowest)| *lowest);
    ladder.severity_after(counted).unwrap_or(lowest).min(severity)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn check(event: (i64, i64), duration: i64, expected: Severity) {
        let ladder = Ladder {
            steps: vec![(Duration::from_millis(500), Severity::Info), (Duration::from_secs(2), Severity::Warning)],
            raise_after: Duration::from_millis(500),
            clear_after: Duration::from_millis(300),
            settle_after_change: Duration::ZERO,
        };
        let (start, end) = (MediaTime::from_millis(event.0), MediaTime::from_millis(event.1));
        let severity = ladder.severity_after(end - start).expect("the test's events are long enough");
        let grace = MediaTime::from_millis(2_000);
        assert_eq!(edge_grace(&ladder, severity, (start, end), MediaTime::from_millis(duration), grace), expected);
    }

    #[test]
    fn black_at_the_head_counts_from_two_seconds_on() {
        check((0, 3_000), 20_000, Severity::Info);
        check((0, 3_999), 20_000, Severity::Info);
        check((0, 4_000), 20_000, Severity::Warning);
    }

    #[test]
    fn black_in_the_middle_counts_in_full() {
        check((8_000, 11_000), 20_000, Severity::Warning);
        check((2_000, 4_000), 20_000, Severity::Warning);
    }

    #[test]
    fn black_at_the_tail_counts_up_to_two_seconds_before_it() {
        check((17_000, 20_000), 20_000, Severity::Info);
        check((16_000, 20_000), 20_000, Severity::Warning);
    }

    #[test]
    fn an_event_wholly_within_the_grace_span_keeps_its_lowest_severity() {
        check((0, 2_000), 20_000, Severity::Info);
        check((500, 3_400), 4_000, Severity::Info);
    }

    #[test]
    fn a_short_file_that_is_black_throughout_is_not_excused() {
        check((0, 3_000), 3_000, Severity::Warning);
        check((40, 2_960), 3_000, Severity::Warning);
    }

    #[test]
    fn a_severity_is_never_raised() {
        check((8_000, 9_000), 20_000, Severity::Info);
    }
}
