//! What the picture measurer says of the structure of pictures whose truth is known, in every depth.

use avwatch_actors::frame::{PictureView, Plane};
use avwatch_actors::media_time::MediaTime;

use super::kernels::Cpu;
use super::{MeasurePlan, PictureMeasurer, StructureMeasures};

const WIDTH: usize = 640;
const HEIGHT: usize = 360;
const PLAN: MeasurePlan = MeasurePlan::STRUCTURE;

/// Levels of Y, Cb and Cr at a place of the luma plane.
type Paint<'a> = &'a dyn Fn(usize, usize) -> [u8; 3];

/// A 4:2:0 picture of limited range in memory.
struct Painted {
    planes: [Vec<u8>; 3],
    depth: u8,
}

impl Painted {
    fn new(depth: u8, paint: Paint<'_>) -> Self {
        let store = |level: u8| -> Vec<u8> {
            let value = u16::from(level) << (depth - 8);
            if depth == 8 { vec![level] } else { value.to_le_bytes().to_vec() }
        };
        let plane = |which: usize, step: usize| -> Vec<u8> {
            let rows = (0..HEIGHT / step).map(|y| y * step);
            rows.flat_map(|y| (0..WIDTH / step).flat_map(move |x| store(paint(x * step, y)[which]))).collect()
        };
        Self { planes: [plane(0, 1), plane(1, 2), plane(2, 2)], depth }
    }

    fn view(&self) -> PictureView<'_> {
        let bytes = if self.depth > 8 { 2 } else { 1 };
        let plane = |which: usize, width: usize, height: usize| Plane {
            bytes: &self.planes[which],
            stride: width * bytes,
            width,
            height,
        };
        let chroma = Some([1, 2].map(|which| plane(which, WIDTH / 2, HEIGHT / 2)));
        PictureView { luma: plane(0, WIDTH, HEIGHT), chroma, depth: self.depth, full_range: false }
    }
}

/// Measures pictures one after the other, 40 ms apart, on every path of this CPU, which must agree.
#[track_caller]
fn measure(depth: u8, pictures: &[Paint<'_>]) -> Vec<StructureMeasures> {
    let pictures: Vec<Painted> = pictures.iter().map(|paint| Painted::new(depth, paint)).collect();
    let run = |cpu: Cpu| -> Vec<StructureMeasures> {
        let mut measurer = PictureMeasurer::on(&PLAN, cpu);
        let views: Vec<_> = pictures.iter().map(Painted::view).collect();
        let measured = views.iter().enumerate().map(|(index, view)| {
            let before = index.checked_sub(1).map(|before| &views[before]);
            measurer.measure(view, before, MediaTime::from_millis(40 * index as i64)).structure
        });
        measured.collect()
    };
    let found = run(Cpu::detect());
    assert_eq!(found, run(Cpu::Portable), "every CPU gives the same facts");
    found
}

/// A soft, uneven picture without edges.
fn soft(x: usize, y: usize) -> [u8; 3] {
    let level = 110.0 + 40.0 * (x as f64 / 90.0).sin() + 30.0 * (y as f64 / 70.0).cos();
    [level as u8, 120, 135]
}

/// The same with blocks of 16 × 16 that belong elsewhere, `shift` pixels off the grid.
fn with_blocks(x: usize, y: usize, shift: usize) -> [u8; 3] {
    let (column, row) = ((x + 16 - shift) / 16, (y + 16 - shift) / 16);
    // Every fifth block of every third row, none at the edge.
    if column % 5 == 2 && row % 3 == 1 && (2..38).contains(&column) && (2..20).contains(&row) {
        let [level, u, v] = soft(x, y);
        return [level + 60, u, v];
    }
    soft(x, y)
}

#[test]
fn blocks_that_belong_elsewhere_are_torn_on_the_grid_of_coded_blocks_only() {
    for depth in [8, 10, 12] {
        let found = measure(depth, &[&soft, &|x, y| with_blocks(x, y, 0), &|x, y| with_blocks(x, y, 0)]);
        let [before, torn, after] = [found[0].seams, found[1].seams, found[2].seams];
        assert_eq!((before.torn, before.torn_shifted), (0, 0), "nothing to compare with");
        // 8 columns by 6 rows of blocks; their neighbours have one seam each, diagonal ones none.
        assert_eq!((torn.torn, torn.torn_shifted), (48, 0), "{depth} bits");
        assert_eq!((after.torn, after.torn_shifted), (0, 0), "what was torn before is not torn anew");
        assert!(torn.blocks >= 40 * 21 && torn.blocks_shifted >= 38 * 20);
    }
}

#[test]
fn a_picture_whose_blocks_are_not_looked_at_is_none_that_others_are_compared_with() {
    let torn: Paint<'_> = &|x, y| with_blocks(x, y, 0);
    let pictures = [&soft, torn, torn].map(|paint| Painted::new(8, paint));
    let mut measurer = PictureMeasurer::new(&PLAN);
    let mut measure = |index: usize, blocks: bool| {
        let (picture, at) = (pictures[index].view(), MediaTime::from_millis(40 * index as i64));
        let before = index.checked_sub(1).map(|before| pictures[before].view());
        measurer.look_at_blocks(blocks);
        measurer.measure(&picture, before.as_ref(), at).structure
    };
    assert!(measure(0, true).seams.measured);
    let left_out = measure(1, false);
    assert!(!left_out.seams.measured && !left_out.sharpness.measured);
    assert_eq!((left_out.seams.torn, left_out.seams.blocks), (0, 0));
    let after = measure(2, true);
    assert!(after.seams.measured && after.sharpness.measured);
    assert_eq!(after.seams.torn, 48, "compared with the first one");
}

#[test]
fn blocks_off_the_grid_are_content() {
    let found = measure(8, &[&soft, &|x, y| with_blocks(x, y, 8)]);
    assert_eq!((found[1].seams.torn, found[1].seams.torn_shifted), (0, 48));
}

#[test]
fn texture_as_coarse_as_seams_tears_nothing_and_blocks_in_it_are_torn() {
    // Pixels in no order, whose steps are as large as those of seams.
    let texture = |x: usize, y: usize| 90 + ((x * x * 7_919 + y * 104_729 + x * y * 31) % 71) as u8;
    let later = move |x: usize, y: usize| [texture(x + 6, y + 2), 120, 135];
    let damaged = move |x: usize, y: usize| {
        let is_block = x / 16 % 5 == 2 && y / 16 % 3 == 1 && (32..608).contains(&x);
        if is_block { [235, 120, 135] } else { later(x, y) }
    };
    let found = measure(8, &[&move |x, y| [texture(x, y), 120, 135], &later, &damaged]);
    assert_eq!((found[1].seams.torn, found[1].seams.torn_shifted), (0, 0));
    assert!(found[2].seams.torn > 40 && found[2].seams.torn_shifted == 0, "{:?}", found[2].seams);
}

#[test]
fn a_grey_quarter_is_told_as_such() {
    let grey = |x: usize, y: usize| if x < WIDTH / 2 && y < HEIGHT / 2 { [128; 3] } else { soft(x, y) };
    let share = measure(8, &[&grey])[0].seams.grey_share;
    assert!((share - 0.25).abs() < 0.03, "{share}");
    // The soft picture passes through 128, but never without colour.
    assert_eq!(measure(8, &[&soft])[0].seams.grey_share, 0.0);
}

#[test]
fn fine_detail_is_sharp_and_ramps_are_not() {
    // Squares of 2 × 2 pixels in no order.
    let fine = |x: usize, y: usize| [90 + ((x / 2 * 7_919 + y / 2 * 104_729) % 71) as u8, 128, 128];
    for depth in [8, 10] {
        let found = measure(depth, &[&fine, &soft]);
        assert!(found[0].sharpness.across > 0.4 && found[0].sharpness.down > 0.4, "{:?}", found[0].sharpness);
        assert!((0.2..0.3).contains(&found[1].sharpness.across), "{:?}", found[1].sharpness);
        assert!((0.2..0.3).contains(&found[1].sharpness.down), "{:?}", found[1].sharpness);
    }
}

#[test]
fn standard_bars_are_found_in_order() {
    // 75 % bars of ITU-R BT.709 (SMPTE RP 219-1), full width.
    const BARS: [[u8; 3]; 7] = [
        [180, 128, 128],
        [168, 44, 136],
        [145, 147, 44],
        [133, 63, 52],
        [63, 193, 204],
        [51, 109, 212],
        [28, 212, 120],
    ];
    let bars = |x: usize, _: usize| BARS[x * 7 / WIDTH];
    let turned = |x: usize, y: usize| bars(WIDTH - 1 - x, y);
    for depth in [8, 10] {
        let found = measure(depth, &[&bars, &turned, &soft]);
        assert_eq!(found[0].pattern.bars, 7);
        assert!(found[0].pattern.bars_share > 0.9);
        assert!(found[1].pattern.bars <= 1 && found[2].pattern.bars <= 1);
    }
}

#[test]
fn levels_beyond_the_preferred_range_are_counted_by_area() {
    let bright = |x: usize, _: usize| if x < WIDTH / 4 { [252, 128, 128] } else { [235, 128, 128] };
    let found = measure(8, &[&bright])[0].gamut;
    assert!(found.measured);
    assert_eq!((found.luma_share, found.rgb_share), (0.25, 0.25));
    // Legal luma and chroma that no display can show: blue beyond 100 %.
    let blue = |x: usize, _: usize| if x < WIDTH / 2 { [180, 230, 128] } else { [120, 128, 128] };
    let found = measure(8, &[&blue])[0].gamut;
    assert_eq!((found.luma_share, found.rgb_share), (0.0, 0.5));
    assert_eq!(measure(8, &[&soft])[0].gamut.rgb_share, 0.0);
}

/// A grating that moves by `steps` fields of 3 pixels.
fn moving(x: usize, steps: usize) -> [u8; 3] {
    let phase = (x + 3 * steps) as f64 / 20.0 * std::f64::consts::TAU;
    [(128.0 + 70.0 * phase.sin()) as u8, 128, 128]
}

#[test]
fn woven_fields_comb_where_it_moves_and_the_first_field_fits_better() {
    let woven = |x: usize, y: usize, picture: usize, top_first: bool| {
        moving(x, 2 * picture + usize::from(y.is_multiple_of(2) != top_first))
    };
    for top_first in [true, false] {
        let pictures: Vec<_> = (0..5).map(|picture| move |x, y| woven(x, y, picture, top_first)).collect();
        let paints: Vec<Paint<'_>> = pictures.iter().map(|paint| paint as Paint<'_>).collect();
        let found = measure(8, &paints)[4].fields;
        assert!(found.measured && found.moving_share > 0.9 && found.combed_share > 0.9, "{found:?}");
        assert_eq!(found.top_misfit < found.bottom_misfit, top_first, "{found:?}");
        assert_eq!(found.combed_top_misfit < found.combed_bottom_misfit, top_first, "{found:?}");
        let better = found.top_misfit.min(found.bottom_misfit);
        assert!((0.9..1.1).contains(&(found.own_misfit / better)), "as far in time as the field before: {found:?}");
    }
}

#[test]
fn whole_pictures_do_not_comb_and_favour_no_field() {
    let pictures: Vec<_> = (0..5).map(|picture| move |x: usize, _: usize| moving(x, 2 * picture)).collect();
    let paints: Vec<Paint<'_>> = pictures.iter().map(|paint| paint as Paint<'_>).collect();
    let found = measure(10, &paints)[4].fields;
    assert!(found.measured && found.moving_share > 0.9);
    assert_eq!((found.combed_share, found.top_misfit), (0.0, found.bottom_misfit));
    assert!(found.own_misfit < found.top_misfit / 2.0, "{found:?}");
}

#[test]
fn thin_lines_that_roll_up_in_whole_pictures_are_not_combed() {
    for lines in [1, 2] {
        let line = |y: usize| [if y.is_multiple_of(7) { 200_u8 } else { 40 }, 128, 128];
        let pictures: Vec<_> = (0..5).map(|picture| move |_: usize, y: usize| line(y + lines * picture)).collect();
        let paints: Vec<Paint<'_>> = pictures.iter().map(|paint| paint as Paint<'_>).collect();
        let found = measure(8, &paints)[4].fields;
        assert!(found.measured && found.moving_share > 0.3, "{found:?}");
        assert_eq!(found.combed_share, 0.0, "{found:?}");
    }
}
