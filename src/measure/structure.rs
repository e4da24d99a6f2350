//! The structure of a picture: what the walk over luma finds beside levels and change.
//!
//! Part of the picture measurer. Rows are handed in as they are walked over, while they are in the
//! first cache; the cells when they are complete. Each part is done only if the plan asks for it.

use avwatch_actors::frame::{
    FieldFacts, FlashFacts, GamutFacts, PatternFacts, PictureView, Plane, SeamFacts, SharpnessFacts,
};

use avwatch_actors::media_time::MediaTime;

use super::chroma::TintGrid;
use super::flash::FlashFinder;
use super::gamut::GamutMeter;
use super::grid::Grid;
use super::kernels::{Cpu, fetch_ahead};
use super::narrow::NarrowRows;
use super::pattern::PatternFinder;
use super::plan::MeasurePlan;
use super::seams::SeamFinder;
use super::sharpness::{FAR, ROW_STEP, SharpnessMeter};
use super::walk::BAND;
use super::{fields, grey};

/// How far ahead of the walk rows that it leaves out are fetched into the cache: a multiple of the band and of [`ROW_STEP`].
const ROWS_AHEAD: usize = 32;
const _: () = assert!(ROWS_AHEAD.is_multiple_of(ROW_STEP) && ROWS_AHEAD.is_multiple_of(BAND));

/// Everything measured of a picture's structure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StructureMeasures {
    /// Seams of coded blocks, grey areas.
    pub seams: SeamFacts,
    /// Sharpness.
    pub sharpness: SharpnessFacts,
    /// Halves of flashes.
    pub flash: FlashFacts,
    /// Test patterns.
    pub pattern: PatternFacts,
    /// Levels outside the preferred range.
    pub gamut: GamutFacts,
    /// Fields.
    pub fields: FieldFacts,
}

/// A picture's cells, when all of it has been walked over.
pub(super) struct Cells<'a> {
    pub(super) grid: &'a Grid,
    pub(super) means: &'a [f32],
    pub(super) tints: &'a [f32],
    pub(super) tint_grid: TintGrid,
}

/// Measures the structure of pictures of one shape.
pub(super) struct StructureMeasurer {
    cpu: Cpu,
    depth: u8,
    /// Levels per code value of 8-bit rows.
    scale: f64,
    seams: Option<SeamFinder>,
    sharpness: Option<SharpnessMeter>,
    flash: Option<FlashFinder>,
    pattern: Option<PatternFinder>,
    fields: bool,
    gamut: Option<GamutMeter>,
    /// Whether blocks of this picture are looked at.
    blocks: bool,
    rows: NarrowRows,
    rows_before: NarrowRows,
}

impl StructureMeasurer {
    /// For luma planes of that width, depth and range.
    pub(super) fn new(cpu: Cpu, plan: &MeasurePlan, width: usize, depth: u8, full_range: bool) -> Self {
        let scale = if full_range { 219.0 / 255.0 } else { 1.0 };
        Self {
            cpu,
            depth,
            scale,
            seams: plan.seams.then(|| SeamFinder::new(width, scale)),
            sharpness: plan.sharpness.then(SharpnessMeter::default),
            flash: plan.flash.then(FlashFinder::default),
            pattern: plan.pattern.then(PatternFinder::default),
            fields: plan.fields,
            gamut: plan.gamut.then(GamutMeter::default),
            blocks: true,
            rows: NarrowRows::default(),
            rows_before: NarrowRows::default(),
        }
    }

    /// Begins a picture; whether seams and sharpness are looked at.
    pub(super) fn begin(&mut self, blocks: bool) {
        self.blocks = blocks;
        self.rows.clear();
    }

    /// Takes row `y` of a picture, after all rows above it.
    pub(super) fn row(&mut self, plane: &Plane<'_>, y: usize) {
        if !self.blocks {
            return;
        }
        if let Some(seams) = &mut self.seams
            && SeamFinder::wants(y)
        {
            fetch(plane, self.depth, [y + ROWS_AHEAD - 2, y + ROWS_AHEAD - 1]);
            let (sides, edge) = SeamFinder::rows(y);
            self.rows.prepare(plane, self.depth, &sides);
            self.rows.prepare(plane, self.depth, &edge);
            let row = |y| self.rows.row(plane, self.depth, y);
            seams.half_band(self.cpu, y, sides.map(row), edge.map(row));
        }
        if self.sharpness.is_some() && y % ROW_STEP == 1 {
            fetch(plane, self.depth, SharpnessMeter::left_out(y - 1 + ROWS_AHEAD));
        }
        if let Some(sharpness) = &mut self.sharpness
            && SharpnessMeter::wants(y)
        {
            self.rows.prepare(plane, self.depth, &[y - FAR, y - 1, y]);
            let row = |y| self.rows.row(plane, self.depth, y);
            sharpness.row(self.cpu, row(y), row(y - 1), row(y - FAR));
        }
    }

    /// What was found in picture `number`, shown at `at`, whose rows have all been taken.
    pub(super) fn finish(
        &mut self,
        picture: &PictureView<'_>,
        previous: Option<&Plane<'_>>,
        cells: &Cells<'_>,
        (number, at): (usize, MediaTime),
    ) -> StructureMeasures {
        let Cells { grid, means, tints, tint_grid } = *cells;
        let mut measures = StructureMeasures::default();
        if let Some(seams) = &mut self.seams {
            if self.blocks {
                measures.seams = seams.finish();
            }
            measures.seams.grey_share = grey::share(grid, means, tints, tint_grid);
        }
        if let Some(sharpness) = self.sharpness.as_mut().filter(|_| self.blocks) {
            measures.sharpness = sharpness.finish(self.scale);
        }
        if let Some(flash) = &mut self.flash {
            measures.flash = flash.measure(cells, at);
        }
        if let Some(pattern) = &mut self.pattern {
            measures.pattern = pattern.measure(grid, means, tints, tint_grid);
        }
        if let Some(gamut) = &mut self.gamut {
            measures.gamut = gamut.measure(picture, number);
        }
        if let Some(previous) = previous.filter(|_| self.fields) {
            measures.fields = self.measure_fields(&picture.luma, previous, number);
        }
        measures
    }

    fn measure_fields(&mut self, luma: &Plane<'_>, previous: &Plane<'_>, number: usize) -> FieldFacts {
        let depth = self.depth;
        let (rows, rows_before) = (&mut self.rows, &mut self.rows_before);
        rows.clear();
        rows_before.clear();
        fields::measure(luma, number, self.scale, |y, judge| {
            let four = [y, y + 1, y + 2, y + 3];
            rows.prepare(luma, depth, &four);
            rows_before.prepare(previous, depth, &four);
            judge(four.map(|y| rows.row(luma, depth, y)), four.map(|y| rows_before.row(previous, depth, y)));
        })
    }
}

/// Fetches rows into the cache that a walk leaves out.
fn fetch(plane: &Plane<'_>, depth: u8, rows: [usize; 2]) {
    let bytes = if depth > 8 { 2 } else { 1 };
    for row in rows.into_iter().filter(|row| *row < plane.height) {
        fetch_ahead(plane.row(row, bytes));
    }
}
