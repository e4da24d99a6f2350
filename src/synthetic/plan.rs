//! The defect plan: the ground truth of a recipe, for the source that follows it and for whoever
//! wants to know afterwards whether the detectors were right.
//!
//! Pure: no state, no clock, the same answer on every thread. Spans are half open. Those of pictures
//! begin and end where a picture does, those of sound at a sample (missing sound: at a block), those
//! of the input where they were written.

use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::TrackId;

use super::defect::{DefectKind, Place};
use super::recipe::{CodecChoice, FrameRate, Recipe};

/// Most entries of one answer of [`DefectPlan::truth_between`]; the earliest ones are kept.
pub const TRUTH_MAX: usize = 100_000;

/// Samples of an AAC frame.
pub(super) const AAC_FRAME: u32 = 1_024;

/// One stretch of the timeline on which something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedDefect {
    /// What was planted.
    pub kind: DefectKind,
    /// The detector that must recognise it.
    pub detector: &'static str,
    /// The track on which it must.
    pub track: TrackId,
    /// First moment at which it is there.
    pub from: MediaTime,
    /// First moment at which it is there no more; equal to `from` for moments.
    pub to: MediaTime,
}

/// When what is wrong, for ever.
#[derive(Clone, Debug)]
pub struct DefectPlan {
    entries: Vec<Entry>,
    cycle: Option<MediaTime>,
    end: MediaTime,
    /// Pictures, samples and audio blocks a second.
    frames: FrameRate,
    samples: FrameRate,
    blocks: FrameRate,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    kind: DefectKind,
    from: MediaTime,
    to: MediaTime,
}

impl DefectPlan {
    /// The plan of a recipe.
    pub fn new(recipe: &Recipe) -> Self {
        let entries = recipe.defects.iter();
        let rate = i32::try_from(recipe.sample_rate).expect("sample rates come from a short list");
        Self {
            entries: entries
                .map(|defect| Entry { kind: defect.kind, from: defect.from.into(), to: defect.to().into() })
                .collect(),
            cycle: recipe.cycle.map(MediaTime::from),
            end: recipe.duration.map_or(MediaTime::MAX, MediaTime::from),
            frames: recipe.fps,
            samples: FrameRate { numerator: rate, denominator: 1 },
            blocks: FrameRate { numerator: rate, denominator: block_samples(recipe) as i32 },
        }
    }

    /// What is wrong at that moment; moments are never.
    pub fn active(&self, at: MediaTime) -> Vec<PlannedDefect> {
        let mut found = self.truth_between(at, at + MediaTime::from_nanos(1));
        found.retain(|defect| defect.from < defect.to);
        found
    }

    /// Everything that is wrong at some moment of that half-open span, by onset, uncut; at most
    /// [`TRUTH_MAX`] entries.
    pub fn truth_between(&self, from: MediaTime, to: MediaTime) -> Vec<PlannedDefect> {
        let mut found = Vec::new();
        let mut visited = 0;
        // Quantising moves a span by less than a second (one picture at the slowest rate).
        let margin = MediaTime::from_millis(1_000);
        self.visit(from - margin, to, |entry| {
            let planned = self.quantise(entry);
            let is_moment = planned.kind.is_moment();
            let overlaps =
                if is_moment { planned.from >= from } else { planned.from < planned.to && planned.to > from };
            if overlaps && planned.from < to {
                found.push(planned);
            }
            visited += 1;
            found.len() < TRUTH_MAX && visited < 2 * TRUTH_MAX
        });
        found.sort_by_key(|planned| (planned.from, planned.track, planned.kind));
        found
    }

    /// The defect of pictures, of sound or of the input that is there at a moment, as written.
    pub(super) fn at(&self, place: Place, at: MediaTime) -> Option<PlannedDefect> {
        let mut found = None;
        self.visit(at, at + MediaTime::from_nanos(1), |entry| {
            if entry.kind.place() == place && entry.from <= at && at < entry.to {
                found = Some(self.quantise(entry));
            }
            found.is_none()
        });
        found
    }

    /// Calls for every defect of sound in a stretch of samples: kind, first sample, first one after it.
    pub(super) fn each_sound_defect(&self, from: u64, to: u64, mut call: impl FnMut(DefectKind, u64, u64)) {
        self.visit(self.samples.time_of(from), self.samples.time_of(to), |entry| {
            if entry.kind.place() == Place::Sound {
                let first = self.samples.first_at(entry.from).max(from);
                let end = self.samples.first_at(entry.to).min(to);
                if first < end {
                    call(entry.kind, first, end);
                }
            }
            true
        });
    }

    /// The first stall or end from that moment on: with its span.
    pub(super) fn next_input_defect(&self, at: MediaTime) -> Option<PlannedDefect> {
        let horizon = self.cycle.map_or(MediaTime::MAX, |cycle| at + cycle + cycle);
        let mut found = None;
        self.visit(at, horizon, |entry| {
            let ahead = if entry.kind.is_moment() { entry.from > at } else { entry.to > at };
            if entry.kind.place() == Place::Input && ahead && found.is_none() {
                found = Some(self.quantise(entry));
            }
            found.is_none()
        });
        found
    }

    /// Calls for every occurrence that may touch the span, by cycle and onset, while it says true.
    fn visit(&self, from: MediaTime, to: MediaTime, mut call: impl FnMut(Entry) -> bool) {
        let from = from.max(MediaTime::ZERO);
        let to = to.min(self.end);
        if self.entries.is_empty() {
            return;
        }
        let mut shift = match self.cycle {
            Some(cycle) => MediaTime::from_nanos(from.as_nanos() / cycle.as_nanos() * cycle.as_nanos()),
            None => MediaTime::ZERO,
        };
        while shift < to {
            let first = self.first_ending_after(from - shift);
            for entry in &self.entries[first..] {
                let occurrence = Entry { from: entry.from + shift, to: (entry.to + shift).min(self.end), ..*entry };
                if occurrence.from >= to {
                    return;
                }
                if occurrence.to >= from && !call(occurrence) {
                    return;
                }
            }
            match self.cycle {
                Some(cycle) => shift += cycle,
                None => return,
            }
        }
    }

    /// Where to begin in the entries: all before it are over by then. A scan, for entries are in
    /// order of onset, not of end, and few.
    fn first_ending_after(&self, at: MediaTime) -> usize {
        self.entries.iter().position(|entry| entry.to >= at).unwrap_or(self.entries.len())
    }

    fn quantise(&self, entry: Entry) -> PlannedDefect {
        let Entry { kind, from, to } = entry;
        let (from, to) = match (kind.place(), kind) {
            (Place::Picture, _) => (on(self.frames, from), on(self.frames, to)),
            (Place::Sound, DefectKind::AudioMissing) => (on(self.blocks, from), on(self.blocks, to)),
            (Place::Sound, _) => (on(self.samples, from), on(self.samples, to)),
            (Place::Input, _) => (from, to),
        };
        PlannedDefect { kind, detector: kind.detector(), track: kind.track(), from, to }
    }
}

/// The first grid point at or after that time.
fn on(grid: FrameRate, time: MediaTime) -> MediaTime {
    grid.time_of(grid.first_at(time))
}

/// Samples of one audio block: 20 ms, or an AAC frame.
pub(super) fn block_samples(recipe: &Recipe) -> u32 {
    match recipe.codec {
        CodecChoice::Raw => recipe.sample_rate / 50,
        CodecChoice::H264 => AAC_FRAME,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> DefectPlan {
        DefectPlan::new(&text.parse().unwrap())
    }

    fn spans(found: &[PlannedDefect]) -> Vec<(&'static str, i64, i64)> {
        found.iter().map(|defect| (defect.detector, defect.from.as_millis(), defect.to.as_millis())).collect()
    }

    const MS: fn(i64) -> MediaTime = MediaTime::from_millis;

    #[test]
    fn spans_of_pictures_begin_and_end_with_a_picture() {
        let plan = plan("fps=29.97&defects=black@10+2");
        let truth = plan.truth_between(MS(0), MS(60_000));
        let frame = |number| MediaTime::from_ticks(number, 1_001, 30_000);
        assert_eq!((truth[0].from, truth[0].to), (frame(300), frame(360)));
    }

    #[test]
    fn spans_of_sound_begin_and_end_with_a_sample() {
        let plan = plan("rate=44100&defects=silence@0.00001+1.5");
        let truth = plan.truth_between(MS(0), MS(60_000));
        let sample = |number| MediaTime::from_ticks(number, 1, 44_100);
        assert_eq!((truth[0].from, truth[0].to), (sample(1), sample(66_151)));
    }

    #[test]
    fn defects_come_again_every_cycle_until_the_end() {
        let plan = plan("loop=10&duration=25&defects=black@2+1,silence@4+2");
        assert_eq!(
            spans(&plan.truth_between(MS(0), MediaTime::MAX)),
            [
                ("black", 2_000, 3_000),
                ("silence", 4_000, 6_000),
                ("black", 12_000, 13_000),
                ("silence", 14_000, 16_000),
                ("black", 22_000, 23_000),
                ("silence", 24_000, 25_000)
            ]
        );
        assert_eq!(spans(&plan.truth_between(MS(12_500), MS(14_001))).len(), 2);
        assert_eq!(spans(&plan.truth_between(MS(13_000), MS(14_000))), []);
    }

    #[test]
    fn active_tells_what_is_wrong_at_a_moment() {
        let plan = plan("loop=60&defects=black@10+2,silence@11+3,end@11.5");
        assert_eq!(spans(&plan.active(MS(9_999))), []);
        assert_eq!(spans(&plan.active(MS(10_000))), [("black", 10_000, 12_000)]);
        assert_eq!(spans(&plan.active(MS(71_500))), [("black", 70_000, 72_000), ("silence", 71_000, 74_000)]);
        assert_eq!(spans(&plan.active(MS(12_000))), [("silence", 11_000, 14_000)]);
    }

    #[test]
    fn an_endless_truth_is_cut_at_its_maximum() {
        let plan = plan("loop=1&defects=black@0+0.5");
        assert_eq!(plan.truth_between(MS(0), MediaTime::MAX).len(), TRUTH_MAX);
    }

    #[test]
    fn the_next_stall_or_end_is_found_across_cycles_and_never_twice() {
        let plan = plan("loop=30&defects=stall@5+2,end@20");
        let next = |at| plan.next_input_defect(MS(at)).map(|defect| (defect.kind, defect.from.as_millis()));
        assert_eq!(next(0), Some((DefectKind::Stall, 5_000)));
        assert_eq!(next(6_000), Some((DefectKind::Stall, 5_000)));
        assert_eq!(next(7_000), Some((DefectKind::End, 20_000)));
        assert_eq!(next(20_000), Some((DefectKind::Stall, 35_000)));
    }

    #[test]
    fn every_defect_of_a_stretch_of_samples_is_told_with_its_samples() {
        let plan = plan("defects=silence@1+0.03,mono@1.03+1");
        let mut told = Vec::new();
        plan.each_sound_defect(48_960, 49_920, |kind, from, to| told.push((kind, from, to)));
        assert_eq!(told, [(DefectKind::Silence, 48_960, 49_440), (DefectKind::Mono, 49_440, 49_920)]);
    }

    #[test]
    fn a_place_is_asked_for_its_own_defects_only() {
        let plan = plan("defects=black@1+1,silence@1+1");
        let kind = |place| plan.at(place, MS(1_500)).map(|defect| defect.kind);
        assert_eq!(kind(Place::Picture), Some(DefectKind::Black));
        assert_eq!(kind(Place::Sound), Some(DefectKind::Silence));
        assert_eq!(kind(Place::Input), None);
    }
}
