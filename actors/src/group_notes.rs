//! The notes of a detector group: passes on what its tallies tell, with whose it is.
//!
//! Owned by a detector group, on its arbiter; never waits.

use std::sync::Arc;

use crate::detector::Verdict;
use crate::detector_host::DetectorHost;
use crate::event::Wall;
use crate::media_time::MediaTime;
use crate::track::TrackInfo;
use crate::verdict_notes::{NotedSpan, VerdictNotes, VerdictSpan};

/// Where a group notes what its detectors say over time; nowhere, where nobody keeps it.
#[derive(Debug, Default)]
pub(crate) struct GroupNotes {
    notes: Option<Arc<VerdictNotes>>,
    spans: Vec<VerdictSpan>,
}

impl GroupNotes {
    /// Notes that go there.
    pub(crate) fn to(notes: Arc<VerdictNotes>) -> Self {
        Self { notes: Some(notes), spans: Vec::new() }
    }

    /// Takes a verdict as the lifecycle does.
    pub(crate) fn judge(
        &mut self,
        stream: &Arc<str>,
        track: &TrackInfo,
        host: &mut DetectorHost,
        (at, lasts): (MediaTime, MediaTime),
        verdict: &Verdict,
        now: Wall,
    ) {
        if self.notes.is_some() {
            host.tally.note(at, lasts, verdict, &mut self.spans);
            self.pass_on(stream, track, host, now);
        }
    }

    /// Passes on what a tally has, as at the end.
    pub(crate) fn flush(&mut self, stream: &Arc<str>, track: &TrackInfo, host: &mut DetectorHost, now: Wall) {
        host.tally.flush(&mut self.spans);
        self.pass_on(stream, track, host, now);
    }

    fn pass_on(&mut self, stream: &Arc<str>, track: &TrackInfo, host: &mut DetectorHost, now: Wall) {
        let Some(notes) = &self.notes else { return self.spans.clear() };
        notes.count_lost(host.tally.take_too_many());
        for span in self.spans.drain(..).filter(|_| notes.are_kept()) {
            notes.note(NotedSpan {
                stream: stream.clone(),
                detector: host.spec.number,
                track: track.track,
                secondary: track.secondary,
                ended_at: now,
                span,
            });
        }
    }
}
