//! The words of a detector group: what its lifecycles and detectors say, as changes of events.
//!
//! Part of the detector group, on its arbiter. Pure but for the clocks that it is handed.

use std::sync::Arc;

use super::{AtEnd, DetectorGroup};
use crate::detector::{Finding, Situation};
use crate::detector_host::DetectorHost;
use crate::event::{ChangeKind, EventChange, EventKey, Standing, StreamCard, Wall};
use crate::event_lifecycle::{Change, What};
use crate::group_parts::{earlier, finite};
use crate::media_time::MediaTime;
use crate::severity::Severity;
use crate::track::{SessionNumber, TrackId};
use crate::wording::Wording;

impl DetectorGroup {
    /// Raises `detector_disabled`, which lasts until the stream's detectors are built anew.
    pub fn report_disabled(&mut self, track: TrackId, message: &str, now: Wall) {
        let at = self.clock.now();
        self.changes.push(EventChange {
            card: self.card.clone(),
            key: EventKey { stream: self.card.stream.clone(), track, detector: "detector_disabled".into() },
            program: None,
            standing: Standing::Main,
            session: self.session_number(),
            what: ChangeKind::Raised,
            start: at,
            started_at: now,
            end: None,
            ended_at: None,
            changed_at: now,
            severity: Severity::Major,
            value: None,
            peak: None,
            threshold: None,
            unit: "",
            message: message.to_owned(),
            wording: None,
        });
    }

    pub(super) fn emit_findings(&mut self, seat: usize, now: Wall) {
        for host in 0..self.seats[seat].hosts.len() {
            for finding in std::mem::take(&mut self.seats[seat].hosts[host].findings) {
                self.emit_finding(seat, host, finding, now);
            }
        }
    }

    pub(super) fn emit(&mut self, seat: usize, host: usize, change: Option<Change>, at: MediaTime, now: Wall) {
        let Some(change) = change else { return };
        let seat = &self.seats[seat];
        let spec = &seat.hosts[host].spec;
        if self.at_end == AtEnd::Settle && matches!(change.what, What::Fading | What::Holding) {
            // Only the desk judges pictures and sound together.
            return;
        }
        let situation = Situation { lasted: change.lasted, peak: change.peak, class: change.class };
        self.changes.push(EventChange {
            card: self.card_of(seat.info.track, &seat.hosts[host]),
            key: EventKey { stream: self.card.stream.clone(), track: seat.info.track, detector: spec.name.into() },
            program: seat.info.program,
            standing: Standing::of(&seat.info),
            session: self.session_number(),
            what: change.what.into(),
            start: change.start,
            started_at: earlier(now, at - change.start),
            end: change.end,
            ended_at: change.end.map(|end| earlier(now, at - end)),
            changed_at: now,
            severity: change.severity,
            value: finite(change.value),
            peak: finite(change.peak),
            threshold: spec.threshold,
            unit: spec.unit,
            message: (spec.message)(&situation),
            wording: Some(Wording::new(spec.message, situation)),
        });
    }

    fn emit_finding(&mut self, seat: usize, host: usize, finding: Finding, now: Wall) {
        let at = finding.at + self.clock.offset();
        let newest = self.clock.now();
        let seat = &self.seats[seat];
        let spec = &seat.hosts[host].spec;
        let lowest = (spec.ladder)(&seat.info).steps.first().map_or(Severity::Info, |(_, severity)| *severity);
        let when = earlier(now, newest - at);
        self.changes.push(EventChange {
            card: self.card_of(seat.info.track, &seat.hosts[host]),
            key: EventKey { stream: self.card.stream.clone(), track: seat.info.track, detector: spec.name.into() },
            program: seat.info.program,
            standing: Standing::of(&seat.info),
            session: self.session_number(),
            what: ChangeKind::Found,
            start: at,
            started_at: when,
            end: Some(at),
            ended_at: Some(when),
            changed_at: now,
            severity: finding.severity.unwrap_or(lowest),
            value: finding.score.and_then(finite),
            peak: finding.score.and_then(finite),
            threshold: spec.threshold,
            unit: spec.unit,
            message: finding.message,
            wording: None,
        });
    }

    fn session_number(&self) -> SessionNumber {
        self.session.as_ref().map_or(SessionNumber(0), |session| session.session)
    }

    /// The card as it is at this moment: with the coverage of the track, and of what a throttled detector saw of it.
    fn card_of(&self, track: TrackId, host: &DetectorHost) -> Arc<StreamCard> {
        let of_track = self.meters.as_ref().and_then(|meters| meters.coverage_of(track));
        let coverage = match (of_track, host.coverage()) {
            (Some(of_track), Some(seen)) => Some(of_track * seen),
            (of_track, seen) => of_track.or(seen),
        };
        match coverage {
            Some(_) => Arc::new(StreamCard { coverage, ..(*self.card).clone() }),
            None => self.card.clone(),
        }
    }
}
