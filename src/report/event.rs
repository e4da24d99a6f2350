//! One event of a report: a condition that lasted, or something that happened at one moment.

use std::cmp::Ordering;

use serde::Serialize;

use avwatch_actors::event::{ChangeKind, EventChange, EventEnd};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity;
use avwatch_actors::track::TrackId;

use super::six_decimals;

/// A condition that lasted, in seconds of media time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReportEvent {
    /// Name of the detector.
    pub detector: String,
    /// Number of the detector; orders events that begin together.
    #[serde(skip)]
    pub number: u16,
    /// The track that shows it.
    pub track: TrackId,
    /// The highest severity that it reached.
    pub severity: Severity,
    /// When the condition itself began.
    pub start_s: f64,
    /// When it ended; the end of the input when it is ongoing.
    pub end_s: f64,
    /// How long it lasted; 0 for what happened at one moment.
    pub duration_s: f64,
    /// It was still open at the end of the input.
    pub ongoing: bool,
    /// The worst score; nothing when the detector has no score.
    pub peak: Option<f64>,
    /// Unit of the peak.
    pub unit: String,
    /// What a person reads.
    pub message: String,
}

impl ReportEvent {
    /// Makes the record of an event from the last change of it.
    ///
    /// `number` is the detector's; `duration` is the end of the input. A change without an end, or
    /// with an end for another reason than the condition's clearing, means it was open to the end.
    pub fn from_change(change: &EventChange, number: u16, duration: MediaTime) -> Self {
        let (end, ongoing) = match (change.what, change.end) {
            (ChangeKind::Found, _) => (change.start, false),
            (ChangeKind::Ended(EventEnd::Cleared), Some(end)) => (end, false),
            (ChangeKind::Ended(_) | ChangeKind::Raised | ChangeKind::Escalated | ChangeKind::Ongoing, _) => {
                (duration, true)
            }
            (ChangeKind::Fading | ChangeKind::Holding, _) => (duration, true),
        };
        // An end before the start can only come of a broken timeline; a negative length helps nobody.
        let end = end.max(change.start);
        Self {
            detector: change.key.detector.to_string(),
            number,
            track: change.key.track,
            severity: change.severity,
            start_s: change.start.as_report_secs(),
            end_s: end.as_report_secs(),
            duration_s: (end - change.start).as_report_secs(),
            ongoing,
            peak: change.peak.map(f64::from),
            unit: change.unit.to_owned(),
            message: change.message.clone(),
        }
    }

    /// The order of a report: by start, then track, then detector number.
    ///
    /// The rest only breaks ties between events of one detector, so that the order is total.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        self.start_s
            .total_cmp(&other.start_s)
            .then_with(|| self.track.cmp(&other.track))
            .then_with(|| self.number.cmp(&other.number))
            .then_with(|| self.detector.cmp(&other.detector))
            .then_with(|| self.end_s.total_cmp(&other.end_s))
            .then_with(|| self.message.cmp(&other.message))
    }

    pub(super) fn round(&mut self) {
        self.start_s = six_decimals(self.start_s).unwrap_or(0.0);
        self.end_s = six_decimals(self.end_s).unwrap_or(self.start_s);
        self.duration_s = six_decimals(self.duration_s).unwrap_or(0.0);
        self.peak = self.peak.and_then(six_decimals);
    }

    /// Start and end as people read them: `8.000–11.000 s`, `8.000 s` for a moment.
    pub(super) fn span(&self) -> String {
        if self.duration_s == 0.0 && !self.ongoing {
            return format!("{:.3} s", self.start_s);
        }
        let ongoing = if self.ongoing { " (to the end)" } else { "" };
        format!("{:.3}–{:.3} s{ongoing}", self.start_s, self.end_s)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use avwatch_actors::event::{EventKey, Standing, Wall};
    use avwatch_actors::track::SessionNumber;

    use super::*;

    fn change(what: ChangeKind, start: i64, end: Option<i64>) -> EventChange {
        let wall = Wall(SystemTime::UNIX_EPOCH);
        EventChange {
            card: std::sync::Arc::default(),
            key: EventKey { stream: "a".into(), track: TrackId::video(0), detector: "black".into() },
            program: None,
            standing: Standing::Main,
            session: SessionNumber(1),
            what,
            start: MediaTime::from_millis(start),
            started_at: wall,
            end: end.map(MediaTime::from_millis),
            ended_at: None,
            changed_at: wall,
            severity: Severity::Warning,
            value: None,
            peak: Some(0.98),
            threshold: None,
            unit: "ratio",
            message: "picture black".to_owned(),
            wording: None,
        }
    }

    #[track_caller]
    fn check(what: ChangeKind, end: Option<i64>, expected: (f64, f64, bool)) {
        let event = ReportEvent::from_change(&change(what, 8_000, end), 1, MediaTime::from_millis(20_000));
        assert_eq!((event.end_s, event.duration_s, event.ongoing), expected);
    }

    #[test]
    fn a_cleared_event_ends_when_its_condition_did() {
        check(ChangeKind::Ended(EventEnd::Cleared), Some(11_000), (11.0, 3.0, false));
    }

    #[test]
    fn an_event_open_at_the_end_lasts_to_the_end() {
        check(ChangeKind::Raised, None, (20.0, 12.0, true));
        check(ChangeKind::Escalated, None, (20.0, 12.0, true));
        check(ChangeKind::Ended(EventEnd::Suspended), Some(19_960), (20.0, 12.0, true));
    }

    #[test]
    fn a_finding_has_no_length() {
        check(ChangeKind::Found, None, (8.0, 0.0, false));
    }

    #[test]
    fn a_broken_timeline_gives_no_negative_length() {
        check(ChangeKind::Ended(EventEnd::Cleared), Some(7_000), (8.0, 0.0, false));
    }

    #[test]
    fn a_peak_that_is_no_number_is_absent() {
        let mut event = ReportEvent::from_change(&change(ChangeKind::Raised, 0, None), 1, MediaTime::ZERO);
        event.peak = Some(f64::NAN);
        event.round();
        assert_eq!(event.peak, None);
    }
}
