//! ITU-R BT.1702: flashes that may not be broadcast. Luminances are those of a display of 200 cd/m².

use crate::common::binary::{check, events};
use crate::patch::{Colour, SIZE, clip, grey};

/// Light for three pictures of six, from the 25th to the 99th: 4.2 flashes a second.
const FOUR_A_SECOND: &str = "between(n,25,99)*lt(mod(n-25,6),3)";

/// The luma whose luminance is nearest, in cd/m²: 200 · ((Y − 16) / 219)^2.4.
fn luma(luminance: f64) -> u8 {
    (16.0 + 219.0 * (luminance / 200.0).powf(1.0 / 2.4)).round() as u8
}

/// Begin and end of what is told of pictures that change between two colours.
fn told(name: &str, ground: Colour, patch: Colour, size: (u32, u32), when: &str) -> Vec<(f64, f64)> {
    let path = clip(&format!("bt1702-{name}"), ground, patch, size, when);
    let (_, input) = check(&path, &[]);
    events(&input, "flash").iter().map(|(_, start, end, _)| (*start, *end)).collect()
}

fn between(name: &str, dark: f64, bright: f64) -> Vec<(f64, f64)> {
    told(name, grey(luma(dark)), grey(luma(bright)), SIZE, FOUR_A_SECOND)
}

#[test]
fn bt_1702_more_than_three_flashes_in_a_second_are_told_from_the_first_change_to_the_last() {
    let [(start, end)] = between("four-a-second", 10.0, 150.0)[..] else { panic!("one event") };
    assert!((start - 1.0).abs() < 0.001 && (end - 4.0).abs() < 0.001, "{start}–{end} s");
}

#[test]
fn bt_1702_three_flashes_in_a_second_are_allowed() {
    let three = "between(n,25,99)*lt(mod(n,25),18)*lt(mod(mod(n,25),6),3)";
    assert_eq!(told("three-a-second", grey(luma(10.0)), grey(luma(150.0)), SIZE, three), []);
}

#[test]
fn bt_1702_a_change_of_20_cd_per_m2_is_half_a_flash_and_a_smaller_one_is_not() {
    assert_eq!(between("by-17-cd", 30.0, 47.0), []);
    assert_eq!(between("by-23-cd", 30.0, 53.0).len(), 1);
}

#[test]
fn bt_1702_changes_whose_darker_picture_is_160_cd_per_m2_or_more_are_none() {
    assert_eq!(between("above-160-cd", 165.0, 192.0), []);
    assert_eq!(between("from-154-cd", 154.0, 192.0).len(), 1);
}

#[test]
fn bt_1702_a_quarter_of_the_picture_may_flash_and_more_may_not() {
    let part = |name: &str, width: u32| told(name, grey(luma(10.0)), grey(luma(150.0)), (width, 360), FOUR_A_SECOND);
    assert_eq!(part("a-quarter", 160), []);
    assert_eq!(part("more-than-a-quarter", 176).len(), 1);
}

#[test]
fn bt_1702_changes_to_and_from_saturated_red_are_flashes_at_equal_luminance() {
    // Red of ITU-R BT.601 and a grey of its luma; a brown of it is not saturated.
    assert_eq!(told("red", grey(81), (81, 90, 240), SIZE, FOUR_A_SECOND).len(), 1);
    assert_eq!(told("brown", grey(81), (81, 118, 150), SIZE, FOUR_A_SECOND), []);
}
