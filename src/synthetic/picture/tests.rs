//! What clean pictures are and are not, checked on the pixels with naive twins of the detectors.

use super::*;

fn maker(text: &str) -> PictureMaker {
    PictureMaker::new(&text.parse().unwrap())
}

/// Mean absolute luma difference of every cell of an 8 × 8 grid.
fn cell_changes(before: &YuvPicture, after: &YuvPicture) -> Vec<f64> {
    let (width, height) = (before.width, before.height);
    let mut cells = Vec::new();
    for cell in 0..64 {
        let (left, top) = (cell % 8 * width / 8, cell / 8 * height / 8);
        let mut sum = 0_u64;
        for y in top..top + height / 8 {
            for x in left..left + width / 8 {
                sum += u64::from(before.luma[y * width + x].abs_diff(after.luma[y * width + x]));
            }
        }
        cells.push(sum as f64 / (width / 8 * (height / 8)) as f64);
    }
    cells
}

fn mean(picture: &YuvPicture) -> f64 {
    picture.luma.iter().map(|level| f64::from(*level)).sum::<f64>() / picture.luma.len() as f64
}

#[test]
fn the_same_seed_and_number_give_the_same_picture_on_any_maker() {
    let text = "size=320x180&seed=7";
    let (mut one, mut other) = (maker(text), maker(text));
    for number in 0..40 {
        one.make(number);
    }
    assert!(one.make(40).planes() == other.make(40).planes());
    assert!(other.make(40).planes() != maker("size=320x180&seed=8").make(40).planes());
}

#[test]
fn every_part_of_a_clean_picture_moves_all_the_time() {
    for text in ["size=640x360&seed=3", "size=320x180&fps=240", "size=64x64&fps=1"] {
        let mut maker = maker(text);
        let mut before = maker.make(0);
        for number in 1..200 {
            let after = maker.make(number);
            let still = cell_changes(&before, &after).into_iter().filter(|change| *change < 0.8).count();
            assert_eq!(still, 0, "{text}: picture {number}");
            before = after;
        }
    }
}

#[test]
fn clean_pictures_neither_flash_nor_leave_the_legal_range_nor_lack_colour() {
    for seed in 1..6 {
        let mut maker = maker(&format!("size=640x360&seed={seed}"));
        let mut level = mean(&maker.make(0));
        for number in (1..1_500).step_by(7) {
            let picture = maker.make(number);
            let next = mean(&picture);
            assert!((60.0..180.0).contains(&next) && (next - level).abs() < 8.0, "{seed}: {number}: {level} {next}");
            level = next;
            assert!(picture.luma.iter().all(|level| (16..=235).contains(level)));
            for plane in &picture.chroma {
                let (low, high) = (plane.iter().min().unwrap(), plane.iter().max().unwrap());
                assert!(high - low > 20 && *low >= 88 && *high <= 168);
            }
        }
    }
}

#[test]
fn a_buffer_is_reused_only_when_nobody_holds_it() {
    let mut maker = maker("size=64x64");
    let held = maker.make(0);
    let copy = held.luma.clone();
    for number in 1..100 {
        maker.make(number);
    }
    assert!(held.luma == copy);
    assert_eq!(maker.pool.len(), 2);
}

/// Means of 16 × 16 cells.
fn cells(picture: &YuvPicture) -> Vec<f32> {
    let (across, down) = (picture.width / 16, picture.height / 16);
    let mut means = vec![0.0; across * down];
    for (y, row) in picture.luma.chunks_exact(picture.width).take(down * 16).enumerate() {
        for (x, cell) in row.chunks_exact(16).enumerate() {
            means[y / 16 * across + x] += cell.iter().map(|level| f32::from(*level)).sum::<f32>() / 256.0;
        }
    }
    means
}

#[test]
fn a_freeze_detector_sees_motion_in_every_clean_picture() {
    for text in ["seed=1", "size=640x360&fps=29.97&seed=2", "fps=100&seed=3"] {
        let mut maker = maker(text);
        let mut before = cells(&maker.make(0));
        for number in 1..150 {
            let after = cells(&maker.make(number));
            let changes: Vec<f32> = after.iter().zip(&before).map(|(after, before)| (after - before).abs()).collect();
            let mut sorted = changes.clone();
            sorted.sort_by(f32::total_cmp);
            let noise = 1.4826 * sorted[sorted.len() / 2];
            let active = changes.iter().filter(|change| **change > (6.0 * noise).max(4.0)).count();
            assert!(active >= 2, "{text}: {active} active cells in picture {number}");
            before = after;
        }
    }
}

#[test]
fn a_flash_detector_sees_opposing_changes_in_a_small_part_only() {
    let mut maker = maker("size=640x360&seed=4");
    let seen: Vec<Vec<f32>> = (0..50).map(|number| cells(&maker.make(number))).collect();
    for second in seen.windows(25) {
        let flashing = (0..second[0].len()).filter(|&cell| transitions(second.iter().map(|means| means[cell])) > 2);
        assert!(flashing.count() * 20 < second[0].len(), "less than a twentieth; a quarter would be a flash");
    }
}

/// Changes of direction of at least 20 code values.
fn transitions(levels: impl Iterator<Item = f32>) -> usize {
    let (mut extreme, mut rising, mut count) = (None, None, 0);
    for level in levels {
        let last = *extreme.get_or_insert(level);
        if (level - last).abs() >= 20.0 && rising != Some(level > last) {
            rising = Some(level > last);
            count += 1;
            extreme = Some(level);
        } else if rising == Some(level > last) {
            extreme = Some(level);
        }
    }
    count
}

#[test]
fn colours_outside_of_the_legal_range_are_rare() {
    let mut maker = maker("size=640x360&seed=5");
    for number in (0..2_000).step_by(100) {
        let picture = maker.make(number);
        let mut outside = 0;
        for y in (0..picture.height).step_by(2) {
            for x in (0..picture.width).step_by(2) {
                let chroma = y / 2 * (picture.width / 2) + x / 2;
                let luma = f32::from(picture.luma[y * picture.width + x]);
                let [blue, red] = [0, 1].map(|plane| f32::from(picture.chroma[plane][chroma]) - 128.0);
                // ITU-R BT.709 in video levels; EBU R 103 tolerates 5 to 246 and 1 % of the area.
                let colours = [luma + 1.54 * red, luma - 0.183 * blue - 0.458 * red, luma + 1.816 * blue];
                outside += usize::from(colours.iter().any(|level| !(5.0..=246.0).contains(level)));
            }
        }
        let share = outside as f64 / (picture.luma.len() / 4) as f64;
        assert!(share < 0.005, "picture {number}: {share}");
    }
}
