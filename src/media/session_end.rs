//! The end of a session: what tracks still hold, and what a file lacks of what it promises.
//!
//! Part of the session, on the ingest thread.

use avwatch_actors::item::{TimelineMark, TimelineSign};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::{TrackId, TrackKind};

use super::super::spec::Address;
use super::super::stamper::Work;
use super::super::track_reader::TrackReader;
use super::Session;

/// A file may end this much before its header says so: rounding, estimates, padding.
const SHORT_MAX: MediaTime = MediaTime::from_millis(1_000);
/// The same for a file whose index points behind its end.
const CUT_SHORT_MAX: MediaTime = MediaTime::from_millis(100);

impl Session {
    /// Nothing more comes: what tracks still hold goes out, and what is missing is told.
    pub(super) fn finish(&mut self) {
        self.catch_up(usize::MAX);
        let work = &mut Work { timeline: &mut self.timeline, outlet: &mut self.outlet };
        for track in &mut self.tracks {
            track.finish(work);
            if let Some(end) = work.timeline.end(track.line()) {
                self.clock.delivered(track.line(), end);
            }
        }
        self.open_outlet(true);
        self.reached = u64::MAX;
        let end = self.clock.finish().unwrap_or_default();
        if let Some(missing) = self.cut_off() {
            let sign = TimelineSign::CutOff { missing };
            self.outlet.mark(TimelineMark { track: TrackId::INPUT, at: end, sign, source_time: None });
        }
        self.tell(end);
        self.finished = true;
    }

    /// How much a file lacks of what its header or index promises. A track alone may be declared
    /// wrongly, so all must lack it, unless the index points behind the end of the file.
    fn cut_off(&self) -> Option<MediaTime> {
        if !matches!(self.spec.address, Address::File(_) | Address::Stdin) {
            return None;
        }
        let inspected = self.tracks.iter().filter(|track| track.is_inspected());
        if self.demuxer.truncated() || self.demuxer.skipped() > 0 {
            return inspected.filter_map(TrackReader::missing).max().filter(|missing| *missing > CUT_SHORT_MAX);
        }
        // Subtitles count here: a file that is whole but for its pictures' last second may end in them.
        let spoken = |track: &&TrackReader| track.is_inspected() || track.chosen.track.kind == TrackKind::Subtitle;
        let missing = self.tracks.iter().filter(spoken).filter_map(TrackReader::missing).min();
        missing.filter(|missing| *missing > SHORT_MAX)
    }
}
