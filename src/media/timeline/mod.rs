//! The timeline: gives every frame of a session its media time, whatever the source sent.
//!
//! Pure, one per session, on its thread. It promises that the frames of a track never go back in
//! time and never begin twice at the same moment, and that a jump which all tracks make (a restart
//! of the sender, a spliced file, a wrap) moves them together, so that sound stays with its picture.
//!
//! | what the source does | what the timeline does |
//! |---|---|
//! | no timestamp | counts on from the previous frame |
//! | counter wraps | unwraps |
//! | hole below [`JUMP`] | keeps it, tells a gap |
//! | small step back | counts on until the source has caught up |
//! | jump by more than [`JUMP`] forward or [`STEP_BACK`] back | counts one frame on; if the next agrees with it, moves the offset |
//!
//! A single wild timestamp therefore changes nothing but its own frame.

mod track_line;

#[cfg(test)]
mod tests;

use avwatch_actors::frame::Repair;
use avwatch_actors::item::TimelineSign;
use avwatch_actors::media_time::MediaTime;

use track_line::{Candidate, TrackLine};
pub(crate) use track_line::{Clockwork, Sound};

/// From this distance on, forward is a jump of the clock and no hole in the programme.
pub(crate) const JUMP: MediaTime = MediaTime::from_millis(10_000);
/// From this distance on, backward is a jump of the clock and no overlap.
const STEP_BACK: MediaTime = MediaTime::from_millis(1_000);
/// No track that begins late begins so far behind the others: its clock is another one.
const LATE_MAX: MediaTime = MediaTime::from_millis(4_000);
/// Two tracks jump together when their jumps differ by no more than this.
const TOGETHER: MediaTime = MediaTime::from_millis(5_000);

/// Where a frame belongs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Placed {
    /// When it is shown or heard.
    pub at: MediaTime,
    /// What was done to get there.
    pub repair: Repair,
    /// What the source did, if it is worth a mark.
    pub sign: Option<TimelineSign>,
    /// Where the hole before it begins, if there is one.
    pub gap_from: Option<MediaTime>,
}

/// The offset from raw to media time, and how often it was changed for all tracks.
#[derive(Clone, Copy, Debug, Default)]
struct Epoch {
    number: u32,
    shift: MediaTime,
}

/// The timeline of one session.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    tracks: Vec<TrackLine>,
    epoch: Option<Epoch>,
}

impl Timeline {
    /// Adds a track; tracks are numbered from 0 in the order they are added.
    pub(crate) fn add(&mut self, clockwork: Clockwork) -> usize {
        self.tracks.push(TrackLine::new(clockwork));
        self.tracks.len() - 1
    }

    /// The source announced a jump: the next one is not its fault.
    pub(crate) fn announce(&mut self, track: usize) {
        self.tracks[track].announced = true;
    }

    /// When the last frame of a track ends, if it had one.
    pub(crate) fn end(&self, track: usize) -> Option<MediaTime> {
        self.tracks[track].end
    }

    /// Where a raw time of a track would be, without moving anything. For packets that are not decoded.
    pub(crate) fn peek(&self, track: usize, raw: i64) -> Option<MediaTime> {
        let epoch = self.epoch?;
        let line = &self.tracks[track];
        Some(line.nanos(line.unwrapped(raw).0) + line.shift.unwrap_or(epoch.shift))
    }

    /// True once any raw time has its place.
    pub(crate) fn has_begun(&self) -> bool {
        self.epoch.is_some()
    }

    /// Begins the timeline at a raw time, for inputs of which nothing decodes; later calls do nothing.
    pub(crate) fn begin(&mut self, track: usize, raw: i64) {
        let raw = self.tracks[track].nanos(raw);
        self.epoch.get_or_insert(Epoch { number: 0, shift: MediaTime::ZERO - raw });
    }

    /// Moves the end of a track over what was left out on purpose before the frame at `raw`: at most
    /// `most`, and by `known` where the frame has no time of its own. Tells by how much.
    pub(crate) fn bridge(&mut self, track: usize, raw: Option<i64>, known: MediaTime, most: MediaTime) -> MediaTime {
        let Some(end) = self.tracks[track].end else { return MediaTime::ZERO };
        let ahead = match raw.and_then(|raw| self.peek(track, raw)) {
            Some(at) => (at - end).clamp(MediaTime::ZERO, most),
            None => known,
        };
        self.tracks[track].end = Some(end + ahead);
        ahead
    }

    /// Gives the next frame of a track, in the order of presentation, its place. `lasts` is above zero.
    pub(crate) fn place(&mut self, track: usize, raw: Option<i64>, lasts: MediaTime) -> Placed {
        let lasts = lasts.max(MediaTime::from_nanos(1));
        let placed = match raw {
            Some(raw) => self.place_sent(track, raw, lasts),
            None => self.count_on(track),
        };
        let line = &mut self.tracks[track];
        debug_assert!(line.start.is_none_or(|start| placed.at > start), "media time goes on");
        line.start = Some(placed.at);
        line.end = Some(placed.at + lasts);
        placed
    }

    fn count_on(&mut self, track: usize) -> Placed {
        let at = match self.tracks[track].end {
            Some(end) => end,
            // A first frame without a time begins with the others.
            None => self.others_end(track).unwrap_or_default(),
        };
        Placed { at, repair: Repair::Counted, sign: None, gap_from: None }
    }

    fn place_sent(&mut self, track: usize, raw: i64, lasts: MediaTime) -> Placed {
        let line = &mut self.tracks[track];
        let (ticks, wrapped) = line.unwrap(raw);
        let raw = line.nanos(ticks);
        let epoch = *self.epoch.get_or_insert(Epoch { number: 0, shift: MediaTime::ZERO - raw });
        let mut placed = match (line.shift, line.end) {
            (Some(shift), Some(end)) => {
                let distance = raw + shift - end;
                if distance >= JUMP || distance <= MediaTime::ZERO - STEP_BACK {
                    self.jump(track, raw, lasts, epoch)
                } else {
                    line.candidate = None;
                    line.settle(raw + shift)
                }
            }
            _ => self.first(track, raw, epoch),
        };
        if wrapped && placed.repair == Repair::None {
            placed.repair = Repair::Wrapped;
        }
        let line = &mut self.tracks[track];
        if placed.sign.is_some() && line.announced {
            placed.sign = Some(TimelineSign::Signalled);
            line.announced = false;
        }
        placed
    }

    /// The first frame of a track joins the others, unless its clock has nothing to do with theirs.
    fn first(&mut self, track: usize, raw: MediaTime, epoch: Epoch) -> Placed {
        let counted = self.tracks[track].end;
        let others = counted.or_else(|| self.others_end(track));
        // Others may be about to move to a new clock: this track already has it.
        let mut jumping = self.tracks.iter().filter_map(|line| line.candidate);
        let moving = jumping.find(|candidate| candidate.raw.distance(raw) < TOGETHER);
        let shift = moving.map_or(epoch.shift, |candidate| candidate.placed - candidate.raw);
        let line = &mut self.tracks[track];
        line.epoch = epoch.number;
        let at = raw + shift;
        let foreign = |end: MediaTime| at - end >= JUMP || end - at >= LATE_MAX;
        match others {
            Some(end) if counted.is_some() || foreign(end) => {
                line.shift = Some(end - raw);
                Placed { at: end, repair: Repair::Rebased, sign: None, gap_from: None }
            }
            _ => {
                line.shift = Some(shift);
                let repair = if moving.is_some() { Repair::Rebased } else { Repair::None };
                Placed { at, repair, sign: None, gap_from: None }
            }
        }
    }

    /// The clock of a track jumped: follow the others, or wait for a second frame that says the same.
    fn jump(&mut self, track: usize, raw: MediaTime, lasts: MediaTime, epoch: Epoch) -> Placed {
        let line = &mut self.tracks[track];
        let (Some(shift), Some(end)) = (line.shift, line.end) else { return self.first(track, raw, epoch) };
        let distance = raw + shift - end;
        let sign = Some(match distance >= MediaTime::ZERO {
            true => TimelineSign::Gap { missing: distance },
            false => TimelineSign::Backward { by: MediaTime::ZERO - distance },
        });
        let follows = line.epoch != epoch.number && (raw + epoch.shift).distance(end) < TOGETHER;
        if follows {
            let told = line.candidate.take().is_some();
            let shift = self.make_room(track, end - (raw + epoch.shift));
            let line = &mut self.tracks[track];
            line.move_to(epoch.number, shift);
            let settled = line.settle(raw + shift);
            return Placed { repair: Repair::Rebased, sign: if told { None } else { sign }, ..settled };
        }
        match line.candidate {
            Some(candidate) if raw.distance(candidate.next_raw) < STEP_BACK => {
                self.confirm(track, raw, candidate, epoch)
            }
            _ => {
                line.candidate = Some(Candidate { raw, next_raw: raw + lasts, placed: end, end_before: end });
                Placed { at: end, repair: Repair::Rebased, sign, gap_from: None }
            }
        }
    }

    /// Moves the new clock on, for all that follow it, when a track would overlap its own old end.
    ///
    /// Counting on would do for this track, but would part it from the others.
    fn make_room(&mut self, track: usize, overlap: MediaTime) -> MediaTime {
        let Some(epoch) = &mut self.epoch else { return MediaTime::ZERO };
        if overlap > MediaTime::ZERO {
            epoch.shift += overlap;
            for (other, line) in self.tracks.iter_mut().enumerate() {
                if other != track && line.epoch == epoch.number {
                    line.shift = line.shift.map(|shift| shift + overlap);
                }
            }
        }
        epoch.shift
    }

    /// Two frames agree on the new clock: it holds, for this track now and for those that follow it.
    fn confirm(&mut self, track: usize, raw: MediaTime, candidate: Candidate, epoch: Epoch) -> Placed {
        // What the other tracks still had of the old programme ends before the new one begins.
        let old_end = self
            .tracks
            .iter()
            .enumerate()
            .filter(|(other, line)| *other != track && line.epoch == epoch.number)
            .filter_map(|(_, line)| line.candidate.map(|own| own.end_before).or(line.end))
            .filter(|end| end.distance(candidate.end_before) < TOGETHER)
            .fold(candidate.placed, MediaTime::max);
        let next = Epoch { number: epoch.number + 1, shift: old_end - candidate.raw };
        self.epoch = Some(next);
        let line = &mut self.tracks[track];
        line.candidate = None;
        line.move_to(next.number, next.shift);
        let settled = line.settle(raw + next.shift);
        Placed { repair: Repair::Rebased, sign: None, ..settled }
    }

    /// The furthest end among the other tracks.
    pub(crate) fn others_end(&self, track: usize) -> Option<MediaTime> {
        self.tracks.iter().enumerate().filter(|(other, _)| *other != track).filter_map(|(_, line)| line.end).max()
    }
}
