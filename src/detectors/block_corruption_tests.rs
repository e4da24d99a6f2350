//! What is damage to a viewer and what is not, picture by picture.

use avwatch_actors::frame::{ChromaFacts, DecodeSigns, MotionFacts};
use avwatch_actors::item::{EndReason, Item};

use super::super::testing::{Film, build, stretches, video_track};
use super::*;

fn picture(torn: u32, torn_shifted: u32) -> PictureFacts {
    let seams = SeamFacts { measured: true, torn, blocks: 880, torn_shifted, blocks_shifted: 820, grey_share: 0.01 };
    PictureFacts { seams, ..PictureFacts::default() }
}

fn film(index: u64) -> PictureFacts {
    picture((index % 3) as u32, (index % 4) as u32)
}

/// Heavy damage: what was counted where two packets in five were lost.
fn burst(index: u64) -> PictureFacts {
    picture([36, 38, 28, 26, 38, 19, 13, 31, 30, 5, 30, 2][index as usize % 12], 1)
}

/// A pattern whose squares move along the grid of blocks: what was counted of FFmpeg's `testsrc2`.
fn pattern(index: u64) -> PictureFacts {
    let (torn, torn_shifted) =
        [(60, 21), (53, 18), (53, 19), (47, 15), (49, 20), (61, 20), (50, 17)][index as usize % 7];
    let seams = SeamFacts { measured: true, torn, torn_shifted, blocks: 3_520, blocks_shifted: 3_476, grey_share: 0.0 };
    PictureFacts { seams, ..PictureFacts::default() }
}

/// The same, damaged.
fn torn_pattern(index: u64) -> PictureFacts {
    let mut facts = pattern(index);
    facts.seams.torn += burst(index).seams.torn * 2;
    facts
}

fn found(film: Film) -> Vec<(f64, Option<f64>, u8)> {
    stretches_of(&film.items)
}

fn stretches_of(items: &[Item]) -> Vec<(f64, Option<f64>, u8)> {
    let mut detector = build(&KIND, Profile::File, &video_track(25.0), &[]);
    stretches(&mut *detector, items).iter().map(|found| (found.start, found.end, found.class)).collect()
}

#[test]
fn damage_begins_with_the_first_damaged_picture_and_ends_with_the_first_intact_one() {
    let film = Film::new(25.0).then(3.0, film).then(2.0, burst).then(4.0, film);
    assert_eq!(found(film), [(3.0, Some(5.0), 0)]);
}

#[test]
fn pictures_whose_blocks_were_not_looked_at_change_nothing() {
    // Two of three are not, until something looks like damage.
    let calm = |index: u64| match index % 3 {
        0 => film(index / 3),
        _ => PictureFacts { seams: SeamFacts { grey_share: 0.01, ..SeamFacts::default() }, ..PictureFacts::default() },
    };
    let damaged = Film::new(25.0).then(12.0, calm).then(2.0, burst).then(2.0, film).then(4.0, calm);
    assert_eq!(found(damaged), [(12.0, Some(14.0), 0)]);
    assert_eq!(found(Film::new(25.0).then(20.0, calm)), []);
}

#[test]
fn one_or_two_torn_pictures_are_no_damage() {
    assert_eq!(found(Film::new(25.0).then(3.0, film).then(0.08, |_| picture(40, 2)).then(4.0, film)), []);
}

#[test]
fn a_burst_now_and_then_is_damage_that_stays_in_between() {
    // As of altered bytes in one picture of ten, in pictures that were coded anew afterwards.
    let bursts = |index: u64| if index.is_multiple_of(10) { picture(40, 3) } else { film(index) };
    let found = found(Film::new(25.0).then(3.0, film).then(2.0, bursts).then(4.0, film));
    assert_eq!(found, [(3.0, Some(4.64), 0)], "to the end of the last burst");
}

#[test]
fn coarse_coding_that_tears_a_few_blocks_now_and_then_is_no_damage() {
    let coarse = |index: u64| if index.is_multiple_of(5) { picture(8, 1) } else { picture(1, 0) };
    assert_eq!(found(Film::new(25.0).then(3.0, |_| picture(0, 0)).then(4.0, coarse)), []);
}

#[test]
fn damage_begins_with_the_first_picture_that_shows_it_less_clearly() {
    let begin = |index: u64| picture([5, 0, 6, 2][index as usize % 4], 1);
    let found = found(Film::new(25.0).then(3.0, film).then(0.16, begin).then(1.0, burst).then(3.0, film));
    assert_eq!((found.len(), found[0].1), (1, Some(4.16)));
    assert!((2.88..=3.0).contains(&found[0].0), "{found:?}");
}

#[test]
fn concealed_parts_of_moving_pictures_are_damage_and_those_of_a_still_picture_are_not() {
    let signs = DecodeSigns { damaged: true, tuned: true, concealed: true, ..DecodeSigns::default() };
    let shown = |active_cells: u16| {
        let motion = MotionFacts { compared: true, cells: 3_600, active_cells, ..MotionFacts::default() };
        found(
            Film::new(25.0)
                .then(3.0, film)
                .then(1.0, |_| PictureFacts { signs, motion, ..picture(1, 1) })
                .then(3.0, film),
        )
    };
    assert_eq!(shown(900), [(3.0, Some(4.0), 0)]);
    assert_eq!(shown(0), []);
}

#[test]
fn known_damage_lasts_until_the_picture_that_recovers_from_it() {
    let signs = DecodeSigns { damaged: true, tuned: true, ..DecodeSigns::default() };
    let shown = |index: u64| PictureFacts { signs, ..if index < 10 { picture(20, 1) } else { picture(0, 0) } };
    assert_eq!(found(Film::new(25.0).then(3.0, film).then(1.6, shown).then(3.0, film)), [(3.0, Some(4.6), 0)]);
}

#[test]
fn content_that_tears_both_grids_is_no_damage() {
    let chart = |index: u64| picture(90 + (index % 5) as u32, 84);
    assert_eq!(found(Film::new(25.0).then(3.0, film).then(4.0, chart).then(4.0, film)), []);
}

#[test]
fn a_board_of_squares_that_jumps_is_no_damage() {
    let board = |index: u64| picture(if index.is_multiple_of(3) { 800 } else { 0 }, 0);
    assert_eq!(found(Film::new(25.0).then(6.0, board)), []);
}

#[test]
fn a_test_pattern_that_moves_along_the_grid_of_blocks_is_no_damage() {
    assert_eq!(found(Film::new(25.0).then(6.0, pattern)), []);
    assert_eq!(found(Film::new(25.0).then(6.0, film).then(20.0, pattern).then(3.0, film)), [], "after a film");
    let twice = |index: u64| if index.is_multiple_of(2) { pattern(index / 2) } else { picture(0, 0) };
    assert_eq!(found(Film::new(25.0).then(6.0, twice)), [], "shown twice each");
}

#[test]
fn damage_of_a_test_pattern_is_damage() {
    assert_eq!(
        found(Film::new(25.0).then(4.0, pattern).then(2.0, torn_pattern).then(4.0, pattern)),
        [(4.0, Some(6.0), 0)]
    );
}

#[test]
fn damage_soon_after_a_test_pattern_began_does_not_begin_with_the_pattern() {
    let found = found(Film::new(25.0).then(1.0, pattern).then(2.0, torn_pattern).then(4.0, pattern));
    assert_eq!(found.iter().map(|found| found.0).collect::<Vec<_>>(), [1.0]);
}

#[test]
fn damage_that_is_over_before_it_is_sure_is_told_from_its_first_picture_to_its_last() {
    let short = |index: u64| if index < 6 { burst(index) } else { film(index) };
    assert_eq!(found(Film::new(25.0).then(3.0, film).then(2.0, short)), [(3.0, Some(3.24), 0)]);
}

#[test]
fn damage_just_before_the_end_is_told() {
    let mut items = Film::new(25.0).then(3.0, film).then(0.32, burst).items;
    assert_eq!(stretches_of(&items), [], "it may be a pattern");
    items.push(Item::Ended(EndReason::Finished));
    assert_eq!(stretches_of(&items), [(3.0, None, 0)]);
}

#[test]
fn where_the_decoder_reports_damage_less_evidence_will_do() {
    let torn = |signs: DecodeSigns| move |_| PictureFacts { signs, ..picture(6, 1) };
    let known = DecodeSigns { damaged: true, tuned: true, ..DecodeSigns::default() };
    let shown = |signs| found(Film::new(25.0).then(3.0, film).then(1.0, torn(signs)).then(3.0, film));
    assert_eq!(shown(known), [(3.0, Some(4.0), 0)]);
    assert_eq!(shown(DecodeSigns::default()), []);
}

#[test]
fn lost_slices_and_missing_references_are_named() {
    let empty = PictureFacts { chroma: ChromaFacts { zero_share: 0.4, ..ChromaFacts::default() }, ..film(0) };
    let grey = |_| PictureFacts { seams: SeamFacts { grey_share: 0.5, ..film(0).seams }, ..film(0) };
    assert_eq!(found(Film::new(25.0).then(2.0, film).then(1.0, |_| empty).then(2.0, film)), [(2.0, Some(3.0), 1)]);
    assert_eq!(found(Film::new(25.0).then(2.0, film).then(1.0, grey).then(2.0, film)), [(2.0, Some(3.0), 2)]);
}
