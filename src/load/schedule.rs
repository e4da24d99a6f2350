//! The schedule: which defects a stream shows when, drawn from a seed.
//!
//! Pure. Pictures and sound have one sequence each, in random order and with random lengths and distances; both come again
//! with every cycle. Between two defects of a track lies always more than it takes an event to end. Where they are to lie far
//! apart, what is encoded has them closer together and is played in one of several rounds ([`rounds`]).

use std::time::Duration;

use crate::synthetic::{Defect, DefectKind};

/// What is planted in pictures.
pub const PICTURE_KINDS: [DefectKind; 4] =
    [DefectKind::Black, DefectKind::Freeze, DefectKind::SolidColor, DefectKind::ColorBars];
/// What is planted in sound.
pub const SOUND_KINDS: [DefectKind; 4] =
    [DefectKind::Silence, DefectKind::ChannelSilence, DefectKind::Clipping, DefectKind::Phase];

/// Time in the condition before an event is raised, and without it until the event ends, for what is planted.
pub const HOLD: Duration = Duration::from_secs(1);
/// Lengths of defects, in tenths of a second.
const LASTS: std::ops::Range<u64> = 25..36;
/// Least mean distance between them: more than [`HOLD`] with a margin for onsets and ends that are told late.
pub const APART_LEAST: Duration = Duration::from_secs(3);
/// Mean distance in a clip of which not every round has defects: a stream in triage is looked at in full until some five seconds
/// after a defect, and idles before the next one.
const APART_IN_ROUND: Duration = Duration::from_secs(15);
/// How long defects last on average.
const LASTS_MEAN: Duration = Duration::from_millis(100 * (LASTS.start + LASTS.end - 1) / 2);
/// How far distances lie from their mean, in tenths of a second.
const APART_SPREAD: u64 = 5;
/// Distance of the first one from the start of a cycle.
const LEAD: std::ops::Range<u64> = 5..15;

/// Defects, and the time after which they come again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// By onset.
    pub defects: Vec<Defect>,
    /// Length of a cycle.
    pub cycle: Duration,
}

/// In how many rounds of a clip its defects are shown once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounds {
    /// One round in so many has defects.
    pub every: u32,
    /// Mean distance between those of a track in that round.
    pub apart: Duration,
}

/// How rounds of a clip that lasts at least `clip` bring about that mean distance between defects of a track: as many of them as
/// there is room for with 15 s between defects in one, or as much as so long a clip has. Where there is more than one, the
/// clip lasts 72 to 108 s unless it is to be longer, whatever the distance.
pub fn rounds(apart: Duration, clip: Duration) -> Rounds {
    let kinds = PICTURE_KINDS.len().max(SOUND_KINDS.len()) as u32;
    let (least, wanted) = ((APART_IN_ROUND + LASTS_MEAN).max(clip / kinds), apart.max(APART_LEAST) + LASTS_MEAN);
    let every = u32::try_from(wanted.as_millis() / least.as_millis()).unwrap_or(u32::MAX).max(1);
    Rounds { every, apart: wanted / every - LASTS_MEAN }
}

/// Draws the schedule of that seed, defects of a track on average that far apart. Without sound only pictures have defects.
pub fn draw(seed: u64, has_sound: bool, apart: Duration) -> Schedule {
    let mean = u64::try_from(apart.max(APART_LEAST).as_millis() / 100).unwrap_or(u64::MAX / 2);
    let apart = mean - APART_SPREAD..mean + APART_SPREAD + 1;
    let mut dice = fastrand::Rng::with_seed(seed ^ 0x10ad_5eed);
    let mut defects = Vec::new();
    let mut end = sequence(&mut dice, &PICTURE_KINDS, &apart, &mut defects);
    if has_sound {
        end = end.max(sequence(&mut dice, &SOUND_KINDS, &apart, &mut defects));
    }
    defects.sort_by_key(|defect| (defect.from, defect.kind));
    Schedule { defects, cycle: end }
}

/// Puts every kind once, and returns when the next cycle may begin.
fn sequence(
    dice: &mut fastrand::Rng,
    kinds: &[DefectKind],
    apart: &std::ops::Range<u64>,
    defects: &mut Vec<Defect>,
) -> Duration {
    let mut kinds = kinds.to_vec();
    dice.shuffle(&mut kinds);
    let mut tenths = |range: std::ops::Range<u64>| Duration::from_millis(100 * dice.u64(range));
    let mut at = tenths(LEAD);
    for kind in kinds {
        let lasts = tenths(LASTS);
        defects.push(Defect { kind, from: at, lasts });
        at += lasts + tenths(apart.clone());
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn defects_of_a_track_never_overlap_and_leave_time_for_their_events_to_end(seed: u64, has_sound: bool) {
            let schedule = draw(seed, has_sound, APART_LEAST);
            for kinds in [PICTURE_KINDS, SOUND_KINDS] {
                let own: Vec<_> = schedule.defects.iter().filter(|defect| kinds.contains(&defect.kind)).collect();
                for pair in own.windows(2) {
                    prop_assert!(pair[1].from >= pair[0].to() + 2 * HOLD, "{:?}", pair);
                }
                if let (Some(first), Some(last)) = (own.first(), own.last()) {
                    // The first of the next cycle keeps its distance, too.
                    prop_assert!(schedule.cycle + first.from >= last.to() + 2 * HOLD);
                }
            }
        }

        #[test]
        fn every_kind_is_planted_once_a_cycle_for_longer_than_its_hold_time(seed: u64) {
            let schedule = draw(seed, true, APART_LEAST);
            prop_assert_eq!(schedule.defects.len(), PICTURE_KINDS.len() + SOUND_KINDS.len());
            for kind in PICTURE_KINDS.into_iter().chain(SOUND_KINDS) {
                let own: Vec<_> = schedule.defects.iter().filter(|defect| defect.kind == kind).collect();
                prop_assert_eq!(own.len(), 1);
                prop_assert!(own[0].lasts >= 2 * HOLD && own[0].to() <= schedule.cycle);
            }
        }
    }

    proptest! {
        #[test]
        fn rounds_with_and_without_defects_come_to_the_distance_that_was_asked_for(
            millis in 3_000_u64..3_600_000,
            clip in 5_u64..600,
        ) {
            let (wanted, clip) = (Duration::from_millis(millis), Duration::from_secs(clip));
            let Rounds { every, apart } = rounds(wanted, clip);
            let reached = (apart + LASTS_MEAN) * every - LASTS_MEAN;
            prop_assert!(reached.abs_diff(wanted) < Duration::from_millis(1), "{:?}", reached);
            prop_assert!(every == 1 || apart >= APART_IN_ROUND, "{:?}", apart);
            prop_assert!(every == 1 || (apart + LASTS_MEAN) * 4 + Duration::from_millis(1) >= clip, "{:?}", apart);
        }
    }

    #[test]
    fn only_what_lies_far_apart_needs_rounds_without_defects() {
        let every = |apart, clip| rounds(Duration::from_secs(apart), Duration::from_secs(clip)).every;
        assert_eq!((every(3, 20), every(32, 20), every(33, 20), every(240, 20)), (1, 1, 2, 13));
        assert_eq!((every(240, 600), every(1_800, 600)), (1, 12), "so long a clip has room for them");
    }

    #[test]
    fn the_same_seed_gives_the_same_schedule_and_another_one_another() {
        assert_eq!(draw(7, true, APART_LEAST), draw(7, true, APART_LEAST));
        assert_ne!(draw(7, true, APART_LEAST), draw(8, true, APART_LEAST));
    }

    #[test]
    fn a_stream_without_sound_has_no_defects_of_sound() {
        assert!(draw(1, false, APART_LEAST).defects.iter().all(|defect| PICTURE_KINDS.contains(&defect.kind)));
    }
}
