//! EBU R 103: luma, red, green and blue from 5 to 246 of 255, but for 1 % of the picture.

use crate::common::binary::{check, events};
use crate::patch::{Colour, SIZE, clip, grey};

/// Whether levels are told of a picture that shows a patch all the time.
fn told(name: &str, patch: Colour, size: (u32, u32)) -> bool {
    let path = clip(&format!("r103-{name}"), grey(120), patch, size, "1");
    let (_, input) = check(&path, &[]);
    !events(&input, "gamut").is_empty()
}

#[test]
fn ebu_r_103_luma_from_5_to_246_is_preferred_and_beyond_is_told() {
    assert_eq!([5, 246].map(|luma| told(&format!("luma-{luma}"), grey(luma), SIZE)), [false; 2]);
    assert_eq!([3, 248].map(|luma| told(&format!("luma-{luma}"), grey(luma), SIZE)), [true; 2]);
}

#[test]
fn ebu_r_103_red_green_and_blue_are_judged_beside_luma() {
    assert!(!told("red-244", (160, 128, 189), SIZE), "red at 244");
    assert!(told("red-251", (160, 128, 194), SIZE), "red at 251");
    assert!(told("blue-below", (60, 90, 128), SIZE), "blue below 5");
}

#[test]
fn ebu_r_103_one_per_cent_of_the_picture_may_lie_outside() {
    // Wide enough for the averaging, which a patch of a few pixels would not survive.
    assert!(!told("part-of-0.8-per-cent", grey(250), (64, 30)));
    assert!(told("part-of-1.6-per-cent", grey(250), (64, 58)));
}
