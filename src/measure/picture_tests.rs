//! What the picture measurer says of pictures whose truth is known.

use avwatch_actors::frame::{PictureView, Plane};
use avwatch_actors::media_time::MediaTime;

use super::kernels::Cpu;
use super::{MeasurePlan, PictureMeasurer, PictureMeasures};

pub(super) const WIDTH: usize = 640;
pub(super) const HEIGHT: usize = 360;
const PLAN: MeasurePlan =
    MeasurePlan { luma: true, chroma: true, motion: true, black_level: 32.0, ..MeasurePlan::NOTHING };

/// A 4:2:0 picture in memory.
#[derive(Clone)]
pub(super) struct TestPicture {
    pub(super) planes: [Vec<u8>; 3],
    width: usize,
    pub(super) height: usize,
    depth: u8,
    full_range: bool,
}

impl TestPicture {
    /// An 8-bit limited-range picture of one grey.
    pub(super) fn grey(level: u8) -> Self {
        Self::painted(|_, _| level)
    }

    /// An 8-bit limited-range picture with neutral chroma.
    fn painted(level: impl Fn(usize, usize) -> u8) -> Self {
        let luma = (0..WIDTH * HEIGHT).map(|index| level(index % WIDTH, index / WIDTH)).collect();
        let chroma = vec![128; WIDTH * HEIGHT / 4];
        let planes = [luma, chroma.clone(), chroma];
        Self { planes, width: WIDTH, height: HEIGHT, depth: 8, full_range: false }
    }

    /// Paints a rectangle of luma.
    pub(super) fn with_box(mut self, x: usize, y: usize, width: usize, height: usize, level: u8) -> Self {
        for row in y..y + height {
            self.planes[0][row * WIDTH + x..][..width].fill(level);
        }
        self
    }

    /// The same scene in another depth and range, each code value rounded to the nearest.
    fn converted(&self, depth: u8, full_range: bool) -> Self {
        let top = f64::from((1_u32 << depth) - 1);
        let factor = f64::from(1_u32 << (depth - 8));
        let convert = |value: u8, black: f64, span: f64| {
            let limited = f64::from(value);
            let raw = if full_range { (limited - black) / span * top } else { limited * factor };
            raw.round().clamp(0.0, top) as u16
        };
        let bytes = |value: u16| if depth > 8 { value.to_le_bytes().to_vec() } else { vec![value as u8] };
        let luma = self.planes[0].iter().flat_map(|value| bytes(convert(*value, 16.0, 219.0))).collect();
        let neutral = |value: u8| {
            let middle = f64::from(1_u32 << (depth - 1));
            let distance = f64::from(value) - 128.0;
            let raw = middle + if full_range { distance / 224.0 * top } else { distance * factor };
            raw.round().clamp(0.0, top) as u16
        };
        let chroma = |plane: usize| self.planes[plane].iter().flat_map(|value| bytes(neutral(*value))).collect();
        Self { planes: [luma, chroma(1), chroma(2)], depth, full_range, ..self.clone() }
    }

    fn view(&self) -> PictureView<'_> {
        let bytes = if self.depth > 8 { 2 } else { 1 };
        let plane = |index: usize, width: usize, height: usize| Plane {
            bytes: &self.planes[index],
            stride: width * bytes,
            width,
            height,
        };
        PictureView {
            luma: plane(0, self.width, self.height),
            chroma: Some([1, 2].map(|index| plane(index, self.width / 2, self.height / 2))),
            depth: self.depth,
            full_range: self.full_range,
        }
    }
}

/// Random numbers that are the same in every run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

/// A busy picture: blocks of random levels from 40 on, no two pictures alike.
pub(super) fn busy(dice: &mut Dice) -> TestPicture {
    let blocks: Vec<u8> = (0..40 * 24).map(|_| 40 + (dice.roll() % 180) as u8).collect();
    TestPicture::painted(|x, y| blocks[y / 16 * 40 + x / 16])
}

/// Measures pictures in a row, 40 ms apart.
fn measure_all(measurer: &mut PictureMeasurer, pictures: &[TestPicture]) -> Vec<PictureMeasures> {
    let mut previous = None;
    let mut all = Vec::new();
    for (index, picture) in pictures.iter().enumerate() {
        let view = picture.view();
        all.push(measurer.measure(&view, previous.as_ref(), MediaTime::from_millis(40 * index as i64)));
        previous = Some(view);
    }
    all
}

pub(super) fn measure_one(picture: &TestPicture) -> PictureMeasures {
    PictureMeasurer::new(&PLAN).measure(&picture.view(), None, MediaTime::ZERO)
}

/// Teaches a measurer 15 s of busy pictures, each with the same bright patch in the corner.
fn taught_logo(patch: (usize, usize, usize, usize)) -> PictureMeasurer {
    let mut measurer = PictureMeasurer::new(&PLAN);
    let mut dice = Dice(7);
    for half_second in 0..30 {
        let picture = busy(&mut dice).with_box(patch.0, patch.1, patch.2, patch.3, 220);
        measurer.measure(&picture.view(), None, MediaTime::from_millis(500 * half_second));
    }
    measurer
}

#[test]
fn luma_facts_of_a_known_picture() {
    // A quarter of the picture at 100, the rest at 20.
    let luma = measure_one(&TestPicture::grey(20).with_box(0, 0, WIDTH, HEIGHT / 4, 100)).luma;
    assert_eq!(luma.mean, 40.0);
    assert!((luma.sigma - 34.64).abs() < 0.5, "80 × √(1/4 × 3/4), of every fourth row");
    assert_eq!((luma.min, luma.p1, luma.p50, luma.p99, luma.max), (20.0, 20.0, 20.0, 100.0, 100.0));
    assert_eq!((luma.dark_share, luma.content_share), (0.75, 0.25));
    assert_eq!(luma.content_pixels as usize, WIDTH * HEIGHT / 4);
    assert_eq!((luma.gradient, luma.active_share), (0.0, 1.0));
}

#[test]
fn dark_includes_the_black_level_and_content_begins_more_than_24_above_it() {
    let picture = TestPicture::grey(32).with_box(0, 0, 10, 1, 33).with_box(0, 1, 10, 1, 56).with_box(0, 2, 10, 1, 57);
    let luma = measure_one(&picture).luma;
    assert_eq!(luma.content_pixels, 10);
    assert_eq!(luma.dark_share, (1.0 - 30.0 / (WIDTH * HEIGHT) as f64) as f32);
}

#[test]
fn the_gradient_is_the_mean_step_between_neighbours() {
    let stripes = TestPicture::painted(|x, _| if x % 2 == 0 { 100 } else { 110 });
    assert_eq!(measure_one(&stripes).luma.gradient, 10.0);
}

#[test]
fn every_depth_and_range_gives_the_same_facts_within_one_code_value() {
    let mut dice = Dice(3);
    let mut scene = busy(&mut dice).with_box(100, 100, 200, 60, 18);
    scene.planes[1].iter_mut().for_each(|value| *value = 90 + (dice.roll() % 60) as u8);
    let mut next = busy(&mut dice);
    for picture in [&mut scene, &mut next] {
        // No level at the edge of content, where rounding to another range decides.
        picture.planes[0].iter_mut().filter(|level| (54..60).contains(*level)).for_each(|level| *level = 60);
    }
    let expected = measure_all(&mut PictureMeasurer::new(&PLAN), &[scene.clone(), next.clone()]);
    for (depth, full_range) in [(8, true), (9, false), (10, false), (10, true), (12, false), (16, false), (16, true)] {
        let pictures = [scene.converted(depth, full_range), next.converted(depth, full_range)];
        let found = measure_all(&mut PictureMeasurer::new(&PLAN), &pictures);
        for (found, expected) in found.iter().zip(&expected) {
            let pairs = [
                (found.luma.mean, expected.luma.mean),
                (found.luma.sigma, expected.luma.sigma),
                (found.luma.min, expected.luma.min),
                (found.luma.p1, expected.luma.p1),
                (found.luma.p50, expected.luma.p50),
                (found.luma.p999, expected.luma.p999),
                (found.luma.max, expected.luma.max),
                (found.luma.gradient, expected.luma.gradient),
                (found.chroma.mean_u, expected.chroma.mean_u),
                (found.chroma.sigma_u, expected.chroma.sigma_u),
                (found.chroma.mean_v, expected.chroma.mean_v),
                (found.motion.difference, expected.motion.difference),
                (found.motion.largest, expected.motion.largest),
            ];
            for (index, (found, expected)) in pairs.into_iter().enumerate() {
                assert!((found - expected).abs() <= 1.0, "{depth} {full_range} #{index}: {found} {expected}");
            }
            assert_eq!(found.luma.dark_share, expected.luma.dark_share);
            assert_eq!(found.luma.content_pixels, expected.luma.content_pixels);
        }
    }
}

#[test]
fn full_range_black_is_16_and_limited_range_5_stays_5() {
    let mut picture = TestPicture::grey(0);
    picture.full_range = true;
    assert_eq!(measure_one(&picture).luma.mean, 16.0);
    assert_eq!(measure_one(&TestPicture::grey(5)).luma.mean, 5.0);
}

#[test]
fn every_cpu_path_gives_the_same_bits() {
    let mut dice = Dice(11);
    for depth in [8, 10, 16] {
        let pictures: Vec<_> = (0..4).map(|_| busy(&mut dice).converted(depth, depth == 8)).collect();
        let portable = measure_all(&mut PictureMeasurer::on(&PLAN, Cpu::Portable), &pictures);
        assert_eq!(measure_all(&mut PictureMeasurer::new(&PLAN), &pictures), portable);
    }
}

#[test]
fn only_what_the_plan_asks_for_is_measured() {
    let pictures = [TestPicture::grey(60), TestPicture::grey(80)];
    let nothing = MeasurePlan { luma: false, chroma: false, motion: false, ..PLAN };
    let measures = measure_all(&mut PictureMeasurer::new(&nothing), &pictures);
    assert_eq!(measures[1], PictureMeasures::default());
    let motion = MeasurePlan { motion: true, ..nothing };
    let measures = measure_all(&mut PictureMeasurer::new(&motion), &pictures);
    assert_eq!(measures[1].motion.difference, 20.0);
    assert_eq!(measures[1].luma, PictureMeasures::default().luma);
}

#[test]
fn letterbox_bars_are_excluded_from_a_bright_picture() {
    let luma = measure_one(&TestPicture::grey(16).with_box(0, 46, WIDTH, HEIGHT - 92, 120)).luma;
    assert_eq!(luma.active_share, (HEIGHT - 92) as f32 / HEIGHT as f32);
    assert_eq!((luma.dark_share, luma.content_share), (0.0, 1.0));
}

#[test]
fn pillarbox_bars_are_excluded_to_eight_pixels() {
    let luma = measure_one(&TestPicture::grey(16).with_box(83, 0, WIDTH - 166, HEIGHT, 120)).luma;
    assert_eq!(luma.active_share, (WIDTH - 160) as f32 / WIDTH as f32);
}

#[test]
fn a_dark_letterboxed_scene_is_judged_without_its_bars() {
    let mut measurer = PictureMeasurer::new(&PLAN);
    let bright = TestPicture::grey(16).with_box(0, 90, WIDTH, 180, 120);
    // 1.9 % of the whole picture is not dark: 3.8 % of the active half.
    let dark = TestPicture::grey(16).with_box(100, 150, 72, 61, 50);
    let luma = measure_all(&mut measurer, &[bright, dark])[1].luma;
    assert_eq!(luma.active_share, 0.5);
    assert!((luma.dark_share - 0.962).abs() < 0.001, "{}", luma.dark_share);
}

#[test]
fn nothing_is_excluded_from_an_all_black_picture() {
    let bright = TestPicture::grey(16).with_box(0, 46, WIDTH, HEIGHT - 92, 120);
    let luma = measure_all(&mut PictureMeasurer::new(&PLAN), &[bright, TestPicture::grey(16)])[1].luma;
    assert_eq!((luma.active_share, luma.dark_share), (1.0, 1.0));
}

#[test]
fn text_in_a_bar_is_never_excluded() {
    let bright = TestPicture::grey(16).with_box(0, 46, WIDTH, HEIGHT - 92, 120);
    let subtitle = TestPicture::grey(16).with_box(250, 330, 140, 12, 200);
    let luma = measure_all(&mut PictureMeasurer::new(&PLAN), &[bright, subtitle])[1].luma;
    assert_eq!(luma.content_pixels, 140 * 12);
    assert!(luma.active_share > 0.85, "the bars end where the text begins: {}", luma.active_share);
}

#[test]
fn a_logo_is_learned_and_told_from_content_on_black() {
    let mut measurer = taught_logo((561, 19, 50, 30));
    let black = TestPicture::grey(16).with_box(561, 19, 50, 30, 220);
    let luma = measurer.measure(&black.view(), None, MediaTime::from_millis(16_000)).luma;
    assert_eq!((luma.logo_pixels, luma.content_pixels), (50 * 30, 0));
    let title = black.with_box(200, 170, 100, 20, 220);
    let luma = measurer.measure(&title.view(), None, MediaTime::from_millis(16_040)).luma;
    assert_eq!((luma.logo_pixels, luma.content_pixels), (50 * 30, 100 * 20));
}

#[test]
fn a_logo_is_not_masked_before_ten_seconds() {
    let mut measurer = PictureMeasurer::new(&PLAN);
    let mut dice = Dice(7);
    for index in 0..225 {
        let picture = busy(&mut dice).with_box(560, 16, 48, 32, 220);
        let luma = measurer.measure(&picture.view(), None, MediaTime::from_millis(40 * index)).luma;
        assert_eq!(luma.logo_pixels, 0, "at {index}");
    }
}

#[test]
fn a_title_card_is_never_learned() {
    let mut measurer = PictureMeasurer::new(&PLAN);
    let title = TestPicture::grey(16).with_box(200, 160, 240, 40, 220);
    for index in 0..3_000 {
        let luma = measurer.measure(&title.view(), None, MediaTime::from_millis(500 * index)).luma;
        assert_eq!((luma.logo_pixels, luma.content_pixels), (0, 240 * 40));
    }
}

#[test]
fn a_still_bright_scene_is_never_learned() {
    let mut measurer = PictureMeasurer::new(&PLAN);
    let scene = TestPicture::grey(40).with_box(200, 160, 48, 32, 220);
    for index in 0..100 {
        let luma = measurer.measure(&scene.view(), None, MediaTime::from_millis(500 * index)).luma;
        assert_eq!(luma.logo_pixels, 0);
    }
}

#[test]
fn a_patch_of_more_than_four_percent_is_no_logo() {
    let patch = (400, 16, 160, 64);
    let black = TestPicture::grey(16).with_box(patch.0, patch.1, patch.2, patch.3, 220);
    let luma = taught_logo(patch).measure(&black.view(), None, MediaTime::from_millis(16_000)).luma;
    assert_eq!(luma.logo_pixels, 0);
}

#[test]
fn a_logo_that_has_gone_is_forgotten() {
    let mut measurer = taught_logo((560, 16, 48, 32));
    let mut dice = Dice(99);
    for half_second in 30..60 {
        measurer.measure(&busy(&mut dice).view(), None, MediaTime::from_millis(500 * half_second));
    }
    let black = TestPicture::grey(16).with_box(560, 16, 48, 32, 220);
    assert_eq!(measurer.measure(&black.view(), None, MediaTime::from_millis(31_000)).luma.logo_pixels, 0);
}

#[test]
fn a_logo_stays_learned_while_old_lessons_are_dropped() {
    // Over 12 minutes of lessons: every bucket is filled and the oldest is taken out again.
    let mut measurer = PictureMeasurer::new(&PLAN);
    let mut dice = Dice(5);
    let black = TestPicture::grey(16).with_box(560, 16, 48, 32, 220);
    for lesson in 0..1_500_i64 {
        let picture = busy(&mut dice).with_box(560, 16, 48, 32, 220);
        measurer.measure(&picture.view(), None, MediaTime::from_millis(500 * lesson));
    }
    let luma = measurer.measure(&black.view(), None, MediaTime::from_millis(750_040)).luma;
    assert_eq!(luma.logo_pixels, 48 * 32);
}

#[test]
fn a_still_picture_with_noise_has_no_active_cell() {
    let mut dice = Dice(17);
    let pictures: Vec<_> = (0..25)
        .map(|_| {
            let mut picture = TestPicture::painted(|x, y| 60 + (x / 5 + y / 3) as u8 % 120);
            picture.planes[0].iter_mut().for_each(|value| *value += (dice.roll() % 21) as u8);
            picture
        })
        .collect();
    let measures = measure_all(&mut PictureMeasurer::new(&PLAN), &pictures);
    let mut active: Vec<_> = measures[1..].iter().map(|measures| measures.motion.active_cells).collect();
    active.sort_unstable();
    assert_eq!(active[active.len() / 2], 0);
    let last = measures[24].motion;
    assert!(last.noise > 0.3 && !last.identical && last.drifted_share == 0.0 && last.drift.abs() < 0.5);
    assert_eq!(last.reference_age, MediaTime::from_millis(24 * 40));
}

#[test]
fn a_small_moving_box_activates_cells_in_every_picture() {
    let background = TestPicture::painted(|x, y| 60 + (x / 5 + y / 3) as u8 % 120);
    let pictures: Vec<_> =
        (0..50).map(|index| background.clone().with_box(100 + 3 * index, 170, 12, 12, 230)).collect();
    for measures in &measure_all(&mut PictureMeasurer::new(&PLAN), &pictures)[1..] {
        assert!(measures.motion.active_cells >= 1);
    }
}

#[test]
fn an_equal_picture_is_identical_and_one_with_a_pixel_of_its_own_is_not() {
    let picture = busy(&mut Dice(1));
    // In a row that is compared, and in one of which only the cells tell.
    for (row, differs) in [(9, true), (HEIGHT - 1, false)] {
        let mut other = picture.clone();
        other.planes[0][WIDTH * row + 7] ^= 1;
        let measures = measure_all(&mut PictureMeasurer::new(&PLAN), &[picture.clone(), picture.clone(), other]);
        assert!(!measures[0].motion.compared && !measures[0].motion.identical);
        assert!(measures[1].motion.compared && measures[1].motion.identical);
        assert!(!measures[2].motion.identical);
        assert_eq!(measures[2].motion.difference > 0.0, differs);
    }
}

#[test]
fn a_fade_replaces_the_reference_and_shows_as_drift_before() {
    // One level every 5 pictures: 5 levels a second.
    let pictures: Vec<_> = (0..100).map(|index| TestPicture::grey(200 - index / 5)).collect();
    let measures = measure_all(&mut PictureMeasurer::new(&PLAN), &pictures);
    assert_eq!(measures[54].motion.drift, -10.0);
    assert!(!measures[..55].iter().any(|measures| measures.motion.reference_replaced));
    assert!(measures[55].motion.reference_replaced && measures[55].motion.drifted_share == 1.0);
    assert_eq!(measures[55].motion.drift, -11.0, "to the reference it replaces");
    assert_eq!((measures[56].motion.drift, measures[56].motion.reference_age.as_millis()), (0.0, 40));
}

#[test]
fn another_size_or_format_is_not_compared() {
    let picture = busy(&mut Dice(2));
    let mut smaller = picture.clone();
    smaller.height = 180;
    let deeper = picture.converted(10, false);
    let measures =
        measure_all(&mut PictureMeasurer::new(&PLAN), &[picture.clone(), smaller, picture.clone(), deeper, picture]);
    assert!(measures.iter().all(|measures| !measures.motion.compared));
    assert!(measures.iter().all(|measures| measures.motion.cells > 0));
}

#[test]
fn a_zeroed_part_shows_in_the_zero_share_in_every_range() {
    let mut picture = TestPicture::grey(100);
    for plane in &mut picture.planes {
        let half = plane.len() / 2;
        plane[half..].fill(0);
    }
    // To the rows that are looked at: two of eight.
    assert!((measure_one(&picture).chroma.zero_share - 0.5).abs() < 0.02);
    picture.full_range = true;
    assert!((measure_one(&picture).chroma.zero_share - 0.5).abs() < 0.02);
    // Luma that is there keeps the place from counting.
    picture.planes[0].fill(100);
    assert_eq!(measure_one(&picture).chroma.zero_share, 0.0);
}

#[test]
fn a_grey_picture_reads_as_neutral_chroma() {
    let picture = TestPicture::grey(100);
    let view = PictureView { chroma: None, ..picture.view() };
    let chroma = PictureMeasurer::new(&PLAN).measure(&view, None, MediaTime::ZERO).chroma;
    assert_eq!((chroma.mean_u, chroma.mean_v, chroma.sigma_u, chroma.zero_share), (128.0, 128.0, 0.0, 0.0));
}

#[test]
fn chroma_facts_of_a_known_picture() {
    let mut picture = TestPicture::grey(100);
    let half = picture.planes[1].len() / 2;
    picture.planes[1][..half].fill(100);
    picture.planes[2].fill(212);
    let chroma = measure_one(&picture).chroma;
    // To the rows that are looked at: two of eight.
    assert!((chroma.mean_u - 114.0).abs() < 0.5 && (chroma.sigma_u - 14.0).abs() < 0.1, "{chroma:?}");
    assert_eq!((chroma.mean_v, chroma.sigma_v), (212.0, 0.0));
}

#[test]
fn a_plane_that_is_shorter_than_it_says_measures_as_nothing() {
    let picture = TestPicture::grey(100);
    let mut view = picture.view();
    view.luma.bytes = &view.luma.bytes[1..];
    let measures = PictureMeasurer::new(&PLAN).measure(&view, None, MediaTime::ZERO);
    assert_eq!(measures, PictureMeasures::default());
}

#[test]
fn padding_between_rows_is_not_looked_at() {
    let picture = busy(&mut Dice(8));
    let (width, stride) = (333, 400);
    let padded: Vec<u8> = (0..HEIGHT * stride)
        .map(|at| if at % stride < width { picture.planes[0][at / stride * WIDTH + at % stride] } else { 255 })
        .collect();
    let tight: Vec<u8> = (0..HEIGHT * width).map(|at| picture.planes[0][at / width * WIDTH + at % width]).collect();
    let view = |bytes, stride| PictureView {
        luma: Plane { bytes, stride, width, height: HEIGHT },
        chroma: None,
        depth: 8,
        full_range: false,
    };
    let measure = |view: PictureView<'_>| PictureMeasurer::new(&PLAN).measure(&view, None, MediaTime::ZERO);
    assert_eq!(measure(view(&padded, stride)), measure(view(&tight, width)));
}

#[test]
fn the_smallest_pictures_are_measured() {
    for (width, height) in [(1, 1), (2, 3), (9, 1), (1, 9)] {
        let bytes = vec![50; width * height];
        let luma = Plane { bytes: &bytes, stride: width, width, height };
        let view = PictureView { luma, chroma: Some([luma, luma]), depth: 8, full_range: false };
        let mut measurer = PictureMeasurer::new(&PLAN);
        measurer.measure(&view, None, MediaTime::ZERO);
        let measures = measurer.measure(&view, Some(&view), MediaTime::from_millis(40));
        assert_eq!((measures.luma.mean, measures.luma.p50, measures.chroma.mean_u), (50.0, 50.0, 50.0));
        assert!(measures.motion.identical && measures.motion.cells >= 1);
    }
}
