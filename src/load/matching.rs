//! Matching: which event tells which planted defect, per stream. Pure.
//!
//! An event goes with one defect of the same detector and track that it touches, its onset within [`ONSET_WITHIN`] of the
//! defect's. What no event goes with was missed. An event that goes with none is a false alarm, unless it is rightly said of another
//! defect nearby (its companions), or reaches out of the span that was watched.

use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::TrackId;

use crate::synthetic::PlannedDefect;

/// How far onsets may be apart: an event of 5 pictures a second is exact to 0.2 s, one that waits for a second of
/// stillness to 1 s.
pub const ONSET_WITHIN: MediaTime = MediaTime::from_millis(1_200);
/// How far an onset may lie beyond the distance of the pictures that were looked at.
const EXACT_WITHIN: MediaTime = MediaTime::from_millis(200);
/// How far from a defect a companion's event may begin or end.
const NEARBY: MediaTime = MediaTime::from_millis(2_000);
/// A defect must begin so long before the end of the watched span that its event can be raised: a second of holding, and one and a
/// half for detectors that look at the last second as a whole.
const TOLD_WITHIN: MediaTime = MediaTime::from_millis(2_500);

/// An event as it ended up, on the timeline of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Who told it.
    pub detector: String,
    /// Of which track.
    pub track: TrackId,
    /// When the condition began.
    pub from: MediaTime,
    /// When it ended; nothing while it lasts.
    pub to: Option<MediaTime>,
    /// What it says.
    pub message: String,
}

/// What came of one stream, or of all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matches {
    /// Defects that had to be told.
    pub planted: u64,
    /// Those that were.
    pub found: u64,
    /// Events that count.
    pub events: u64,
    /// Of them, said of nothing that is there.
    pub false_alarms: u64,
    /// What was missed and what was false, in words; the first ones.
    pub examples: Vec<String>,
}

/// Most examples that are kept.
const EXAMPLES_MAX: usize = 20;

impl Matches {
    /// The share of defects that were told; nothing when there were none.
    pub fn recall(&self) -> Option<f64> {
        (self.planted > 0).then(|| self.found as f64 / self.planted as f64)
    }

    /// The share of events that were right; nothing when there were none.
    pub fn precision(&self) -> Option<f64> {
        (self.events > 0).then(|| (self.events - self.false_alarms) as f64 / self.events as f64)
    }

    /// Adds another stream's.
    pub fn add(&mut self, other: Self) {
        self.planted += other.planted;
        self.found += other.found;
        self.events += other.events;
        self.false_alarms += other.false_alarms;
        let room = EXAMPLES_MAX.saturating_sub(self.examples.len());
        self.examples.extend(other.examples.into_iter().take(room));
    }

    fn example(&mut self, text: String) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(text);
        }
    }
}

/// The span of one track that was watched, on the plan's timeline.
pub type Span = (MediaTime, MediaTime);

/// Compares the plan of one stream with its events. `apart` is how far apart the pictures that were looked at are, where not
/// all were; `watched` says which span of a track was looked at.
pub fn compare(
    stream: &str,
    plan: &[PlannedDefect],
    events: &[Told],
    apart: MediaTime,
    watched: impl Fn(TrackId) -> Option<Span>,
) -> Matches {
    let mut matches = Matches::default();
    let mut taken = vec![false; events.len()];
    for defect in plan {
        let found = events.iter().enumerate().position(|(place, event)| !taken[place] && tells(event, defect, apart));
        if let Some(place) = found {
            taken[place] = true;
        }
        let Some((from, to)) = watched(defect.track) else { continue };
        if defect.from < from || defect.from + TOLD_WITHIN + apart + apart > to {
            continue;
        }
        matches.planted += 1;
        match found {
            Some(_) => matches.found += 1,
            None => matches.example(format!(
                "missed: {stream} {} {} {:.1}–{:.1} s",
                defect.track,
                defect.detector,
                defect.from.as_secs_f64(),
                defect.to.as_secs_f64()
            )),
        }
    }
    for (event, is_taken) in events.iter().zip(taken) {
        let Some((from, to)) = watched(event.track) else { continue };
        if event.from < from || event.from >= to {
            continue;
        }
        if !is_taken && plan.iter().any(|defect| goes_with(event, defect)) {
            continue;
        }
        matches.events += 1;
        if !is_taken {
            matches.false_alarms += 1;
            matches.example(format!(
                "false: {stream} {} {} from {:.1} s: {}",
                event.track,
                event.detector,
                event.from.as_secs_f64(),
                event.message
            ));
        }
    }
    matches
}

/// Whether the event is what the defect's own detector has to say of it.
fn tells(event: &Told, defect: &PlannedDefect, apart: MediaTime) -> bool {
    event.detector == defect.detector
        && event.track == defect.track
        && event.from.distance(defect.from) <= ONSET_WITHIN.max(apart + EXACT_WITHIN)
        && event.to.is_none_or(|to| to > defect.from)
}

/// Whether it may rightly be said beside the defect: by another detector of which that is known, or a second time.
fn goes_with(event: &Told, defect: &PlannedDefect) -> bool {
    let is_companion = event.detector == defect.detector || defect.kind.companions().contains(&&*event.detector);
    let end = event.to.unwrap_or(MediaTime::MAX);
    is_companion && event.from <= defect.to + NEARBY && end + NEARBY >= defect.from
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::DefectKind;
    use proptest::prelude::*;

    const MS: fn(i64) -> MediaTime = MediaTime::from_millis;

    fn black(from: i64, to: i64) -> PlannedDefect {
        let kind = DefectKind::Black;
        PlannedDefect { kind, detector: kind.detector(), track: kind.track(), from: MS(from), to: MS(to) }
    }

    fn told(detector: &str, from: i64, to: Option<i64>) -> Told {
        let message = String::new();
        Told { detector: detector.to_owned(), track: TrackId::video(0), from: MS(from), to: to.map(MS), message }
    }

    #[track_caller]
    fn check(plan: &[PlannedDefect], events: &[Told], counts: (u64, u64, u64, u64)) {
        let found = compare("s", plan, events, MediaTime::ZERO, |_| Some((MS(5_000), MS(60_000))));
        assert_eq!((found.planted, found.found, found.events, found.false_alarms), counts, "{:?}", found.examples);
    }

    #[test]
    fn where_key_pictures_alone_are_looked_at_an_onset_is_as_exact_as_they_are_apart() {
        let (plan, late) = ([black(10_000, 13_000)], [told("black", 11_900, Some(14_000))]);
        check(&plan, &late, (1, 0, 0, 0));
        let found = compare("s", &plan, &late, MS(2_000), |_| Some((MS(5_000), MS(60_000))));
        assert_eq!((found.planted, found.found, found.false_alarms), (1, 1, 0));
    }

    #[test]
    fn an_event_with_the_defects_onset_tells_it() {
        check(&[black(10_000, 13_000)], &[told("black", 10_200, Some(13_000))], (1, 1, 1, 0));
    }

    #[test]
    fn a_defect_without_an_event_was_missed() {
        check(&[black(10_000, 13_000)], &[], (1, 0, 0, 0));
    }

    #[test]
    fn an_event_of_nothing_is_a_false_alarm() {
        check(&[black(10_000, 13_000)], &[told("blur", 30_000, None)], (1, 0, 1, 1));
    }

    #[test]
    fn an_event_far_from_the_onset_does_not_tell_the_defect() {
        check(&[black(10_000, 13_000)], &[told("black", 40_000, Some(41_000))], (1, 0, 1, 1));
    }

    #[test]
    fn what_a_defect_also_is_counts_neither_for_nor_against() {
        let events = [told("black", 10_000, Some(13_000)), told("freeze", 10_400, Some(13_000))];
        check(&[black(10_000, 13_000)], &events, (1, 1, 1, 0));
    }

    #[test]
    fn one_event_tells_one_defect_only() {
        check(&[black(10_000, 11_000), black(11_100, 13_000)], &[told("black", 10_500, None)], (2, 1, 1, 0));
    }

    #[test]
    fn what_reaches_out_of_the_watched_span_is_not_counted() {
        let plan = [black(3_000, 6_000), black(57_600, 59_500)];
        check(&plan, &[told("black", 3_000, Some(6_000)), told("black", 57_600, None)], (0, 0, 1, 0));
    }

    proptest! {
        #[test]
        fn events_that_repeat_the_plan_give_full_marks(gaps in prop::collection::vec((2_500_i64..9_000, 2_500_i64..4_000), 1..12)) {
            let mut at = 0;
            let mut plan = Vec::new();
            for (gap, lasts) in gaps {
                plan.push(black(at + gap, at + gap + lasts));
                at += gap + lasts;
            }
            let events: Vec<Told> =
                plan.iter().map(|d| Told { from: d.from, to: Some(d.to), ..told("black", 0, None) }).collect();
            let all = compare("s", &plan, &events, MediaTime::ZERO, |_| Some((MS(0), MS(at + 5_000))));
            prop_assert_eq!((all.planted, all.found, all.false_alarms), (plan.len() as u64, plan.len() as u64, 0));
            let none = compare("s", &plan, &[], MediaTime::ZERO, |_| Some((MS(0), MS(at + 5_000))));
            prop_assert_eq!((none.planted, none.found), (plan.len() as u64, 0));
        }

        #[test]
        fn shares_never_leave_zero_to_one(
            plan in prop::collection::vec((0_i64..50_000, 1_i64..5_000), 0..10),
            events in prop::collection::vec((0_i64..60_000, prop::option::of(0_i64..60_000)), 0..20),
        ) {
            let plan: Vec<_> = plan.into_iter().map(|(from, lasts)| black(from, from + lasts)).collect();
            let events: Vec<_> = events.into_iter().map(|(from, to)| told("black", from, to)).collect();
            let found = compare("s", &plan, &events, MediaTime::ZERO, |_| Some((MS(5_000), MS(45_000))));
            prop_assert!(found.found <= found.planted && found.false_alarms <= found.events);
        }
    }
}
