//! The schedule: which defects a stream shows when, drawn from a seed.
//!
//! Pure. Pictures and sound have one sequence each, in random order and with random lengths and distances; both come again
//! with every cycle. Between two defects of a track lies always more than it takes an event to end.

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
