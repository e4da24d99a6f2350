//! What is said of large pictures, of which a quarter of the rows is walked over.

use super::picture_tests::{Dice, HEIGHT, TestPicture, WIDTH, busy, measure_one};
use super::walk::Walk;

/// A picture four times as high, of which the rows that are walked over are those of another picture.
fn walked_over(picture: &TestPicture, elsewhere: u8) -> TestPicture {
    let walk = Walk::over(4 * HEIGHT);
    let mut tall = picture.clone();
    tall.height = 4 * HEIGHT;
    tall.planes[0] = vec![elsewhere; 4 * WIDTH * HEIGHT];
    for (number, row) in picture.planes[0].chunks_exact(WIDTH).enumerate() {
        tall.planes[0][walk.row(number) * WIDTH..][..WIDTH].copy_from_slice(row);
    }
    for plane in 1..3 {
        tall.planes[plane] = picture.planes[plane].repeat(4);
    }
    tall
}

#[test]
fn a_large_picture_is_measured_by_the_quarter_of_its_rows_that_is_walked_over() {
    let small = busy(&mut Dice(5)).with_box(60, 90, 200, 80, 18);
    let tall = measure_one(&walked_over(&small, 255)).luma;
    let small = measure_one(&small).luma;
    assert_eq!((tall.mean, tall.sigma, tall.gradient), (small.mean, small.sigma, small.gradient));
    assert_eq!((tall.p1, tall.p50, tall.p999, tall.max), (small.p1, small.p50, small.p999, small.max));
    assert_eq!((tall.dark_share, tall.content_share), (small.dark_share, small.content_share));
    assert_eq!(tall.content_pixels, 4 * small.content_pixels, "counts are of the whole picture");
}

#[test]
fn the_bars_of_a_large_picture_are_known_to_two_rows() {
    for bar in [132, 138, 140, 143] {
        let height = 4 * HEIGHT;
        let mut tall = walked_over(&TestPicture::grey(16), 16);
        tall.planes[0][bar * WIDTH..(height - bar) * WIDTH].fill(120);
        let luma = measure_one(&tall).luma;
        assert!(usize::from(luma.bar_rows).abs_diff(bar) <= 2, "{bar}: {}", luma.bar_rows);
        let active = 1.0 - 2.0 * bar as f32 / height as f32;
        assert!((luma.active_share - active).abs() < 0.01 && luma.dark_share == 0.0, "{bar}: {luma:?}");
    }
}
