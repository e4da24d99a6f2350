//! The picture measurer: everything that is asked of a picture, from one walk over its rows.
//!
//! One per video track, owned by the session's decoding thread. It looks at the pictures it is
//! lent, keeps cell means, bars and the logo mask from one to the next, and may never wait, judge
//! or keep a picture. Memory: under 1 MB at any size.

use avwatch_actors::frame::{ChromaFacts, LumaFacts, MotionFacts, PictureFacts, PictureView, Plane};
use avwatch_actors::media_time::MediaTime;

use super::bars::{BarFinder, Bars, TOO_DARK};
use super::chroma::ChromaMeasurer;
use super::cost::Timed;
use super::grid::{CellSums, Grid};
use super::kernels::{Cpu, Every, Histogram, RowInput, RowSums, STRIP, fetch_ahead, luma_row, words_per_strip};
use super::levels::{CONTENT_ABOVE_BLACK, Scale, ceiling, ratio};
use super::logo::LogoMemory;
use super::motion::{MotionMemory, Scanned};
use super::plan::MeasurePlan;
use super::structure::{Cells, StructureMeasurer, StructureMeasures};
use super::walk::{Walk, is_compared};

/// Widest and highest picture that is measured; media refuses far smaller ones.
const SIDE_MAX: usize = 65_535;
/// Rows that go into extremes, deviation and percentiles, about, and their least distance. Half the
/// samples of 90 rows of 1080p are 86,000: enough for a 99.9th percentile.
const SAMPLED_ROWS: usize = 90;
const SAMPLED_ROW_STEP_MIN: usize = 4;
/// Rows of the walk ahead that are fetched into the cache: the CPU's own foresight ends where rows are left out, and
/// memory takes as long to answer as some rows take to be summed up.
const ROWS_AHEAD: usize = 8;
/// Pictures with at least this share of dark pixels teach no logo.
const TEACHES_BELOW: f32 = 0.9;

/// Everything measured of the pixels of one picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PictureMeasures {
    /// Luma; all 0 unless the plan asks for it.
    pub luma: LumaFacts,
    /// Chroma; neutral unless the plan asks for it.
    pub chroma: ChromaFacts,
    /// Change; nothing compared unless the plan asks for it.
    pub motion: MotionFacts,
    /// Structure; of each part, nothing unless the plan asks for it.
    pub structure: StructureMeasures,
}

impl PictureMeasures {
    /// The facts of the picture, but for what only its decoder knows.
    pub fn facts(self) -> PictureFacts {
        let Self { luma, chroma, motion, structure } = self;
        PictureFacts {
            luma,
            chroma,
            motion,
            seams: structure.seams,
            sharpness: structure.sharpness,
            flash: structure.flash,
            pattern: structure.pattern,
            gamut: structure.gamut,
            fields: structure.fields,
            ..PictureFacts::default()
        }
    }
}

/// Measures the pictures of one track.
pub struct PictureMeasurer {
    plan: MeasurePlan,
    cpu: Cpu,
    blocks: bool,
    state: Option<State>,
}

impl PictureMeasurer {
    /// A measurer that has seen nothing yet.
    pub fn new(plan: &MeasurePlan) -> Self {
        Self { plan: *plan, cpu: Cpu::detect(), blocks: true, state: None }
    }

    /// The same on a CPU of choice.
    #[cfg(test)]
    pub(super) fn on(plan: &MeasurePlan, cpu: Cpu) -> Self {
        Self { plan: *plan, cpu, blocks: true, state: None }
    }

    /// Whether coded blocks of the pictures from here on are as viewers see them, as they are to begin with: else seams and
    /// sharpness are not looked at.
    pub fn look_at_blocks(&mut self, wanted: bool) {
        self.blocks = wanted;
    }

    /// Measures a picture; `previous` is the one measured before it, `at` when it is shown.
    ///
    /// Without a previous picture of the same size and format nothing is compared and a new
    /// reference begins; when the picture itself has another size or format than the one before,
    /// bars and logo are forgotten too. A picture whose planes do not hold what they claim, or of an
    /// impossible depth or size, measures as nothing and makes the measurer start anew.
    pub fn measure(
        &mut self,
        picture: &PictureView<'_>,
        previous: Option<&PictureView<'_>>,
        at: MediaTime,
    ) -> PictureMeasures {
        let _timed = Timed::start();
        let Some(shape) = Shape::of(picture) else {
            self.reset();
            return PictureMeasures::default();
        };
        if self.state.as_ref().is_none_or(|state| state.shape != shape) {
            self.state = None;
        }
        let (cpu, plan) = (self.cpu, &self.plan);
        let state = self.state.get_or_insert_with(|| State::new(cpu, plan, shape));
        let previous = previous.filter(|previous| Shape::of(previous) == Some(shape)).map(|previous| &previous.luma);
        let mut measures = PictureMeasures::default();
        if plan.chroma || plan.needs_cells() {
            let facts = state.chroma.measure(cpu, picture);
            if plan.chroma {
                measures.chroma = facts;
            }
        }
        if plan.any_picture() {
            state.structure.begin(self.blocks);
            let sums = state.scan(cpu, plan, picture, previous);
            if plan.luma {
                measures.luma = state.luma_facts(&sums, at);
            }
            if plan.motion {
                let area = (shape.width * state.walk.rows()) as u64;
                let compared = (shape.width * state.compared_rows) as u64;
                let difference = previous.map(|_| state.scale.span(sums.difference, compared));
                let level = state.scale.mean(sums.sum, area);
                let (means, tints) = (&state.means[..], state.chroma.tints());
                measures.motion = state.motion.measure(&Scanned { means, tints, level, difference, at });
            }
            measures.structure = state.structure(picture, previous, at);
        }
        state.count = state.count.wrapping_add(1);
        measures
    }

    /// Forgets every picture, as at the beginning of a session.
    pub fn reset(&mut self) {
        self.state = None;
    }
}

/// Size and format: pictures of different shape cannot be compared.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape {
    width: usize,
    height: usize,
    chroma: Option<(usize, usize)>,
    depth: u8,
    full_range: bool,
}

impl Shape {
    /// The shape of a picture whose planes hold what they claim.
    fn of(picture: &PictureView<'_>) -> Option<Self> {
        if !(8..=16).contains(&picture.depth) {
            return None;
        }
        let bytes = if picture.depth > 8 { 2 } else { 1 };
        let holds = |plane: &Plane<'_>| {
            let row = plane.width * bytes;
            let sides = 1..=SIDE_MAX;
            let fits = sides.contains(&plane.width) && sides.contains(&plane.height) && plane.stride >= row;
            fits && plane.bytes.len() >= plane.stride * (plane.height - 1) + row
        };
        let mut size = None;
        if let Some([u, v]) = &picture.chroma {
            if !holds(u) || !holds(v) || (u.width, u.height) != (v.width, v.height) {
                return None;
            }
            size = Some((u.width, u.height));
        }
        holds(&picture.luma).then_some(Self {
            width: picture.luma.width,
            height: picture.luma.height,
            chroma: size,
            depth: picture.depth,
            full_range: picture.full_range,
        })
    }
}

/// What is kept from picture to picture while the shape stays, and room to work in.
struct State {
    shape: Shape,
    scale: Scale,
    dark: i32,
    content: i32,
    walk: Walk,
    grid: Grid,
    count: usize,
    histogram: Histogram,
    strips: Vec<u64>,
    cells: CellSums,
    means: Vec<f32>,
    chroma: ChromaMeasurer,
    structure: StructureMeasurer,
    sampled_row_step: usize,
    compared_rows: usize,
    bar_finder: BarFinder,
    bars: Bars,
    logo: LogoMemory,
    motion: MotionMemory,
}

impl State {
    fn new(cpu: Cpu, plan: &MeasurePlan, shape: Shape) -> Self {
        let scale = Scale::luma(shape.depth, shape.full_range);
        let black = f64::from(plan.black_level.max(0.0));
        let walk = Walk::over(shape.height);
        let every = if walk.is_thinned() { Every::Fourth } else { Every::Second };
        let words = shape.width.div_ceil(STRIP) * words_per_strip(if shape.depth > 8 { 2 } else { 1 });
        Self {
            shape,
            scale,
            dark: scale.highest_at_most(black),
            content: scale.highest_at_most(black + CONTENT_ABOVE_BLACK).max(0),
            walk,
            grid: Grid::new(shape.width, shape.height),
            count: 0,
            histogram: Histogram::new(shape.depth, every),
            strips: vec![0; words],
            cells: CellSums::default(),
            means: Vec::new(),
            chroma: ChromaMeasurer::default(),
            structure: StructureMeasurer::new(cpu, plan, shape.width, shape.depth, shape.full_range),
            sampled_row_step: (walk.rows() / SAMPLED_ROWS).max(walk.rows_of(SAMPLED_ROW_STEP_MIN)).min(walk.rows()),
            compared_rows: walk.compared_rows(),
            bar_finder: BarFinder::default(),
            bars: Bars::default(),
            logo: LogoMemory::default(),
            motion: MotionMemory::default(),
        }
    }

    /// Walks over the rows once and leaves cells, histogram and bars behind; returns the totals.
    fn scan(
        &mut self,
        cpu: Cpu,
        plan: &MeasurePlan,
        picture: &PictureView<'_>,
        previous: Option<&Plane<'_>>,
    ) -> RowSums {
        let Shape { width, height, depth, .. } = self.shape;
        let bytes = if depth > 8 { 2 } else { 1 };
        let walk = self.walk;
        let rows = walk.rows();
        // A quarter of it tells as much, and fetching all of it takes longer than comparing it.
        let compared = |y: usize| previous.filter(|_| plan.motion && is_compared(y, height));
        self.cells.clear(&self.grid);
        self.histogram.clear();
        self.bar_finder.begin(width);
        let mut totals = RowSums::default();
        for number in 0..rows {
            let y = walk.row(number);
            let row = picture.luma.row(y, bytes);
            let previous = compared(y);
            let input = RowInput {
                row,
                previous: previous.map_or(&[], |plane| plane.row(y, bytes)),
                bytes,
                ceiling: ceiling(depth),
                dark: self.dark,
                content: self.content,
            };
            if number + ROWS_AHEAD < rows {
                let ahead = walk.row(number + ROWS_AHEAD);
                for plane in [Some(&picture.luma), compared(ahead)].into_iter().flatten() {
                    fetch_ahead(plane.row(ahead, bytes));
                }
            }
            let sums = luma_row(cpu, &input, plan.luma, previous.is_some(), &mut self.strips);
            add(&mut totals, &sums);
            if plan.luma {
                let texture = f64::from(self.scale.span(sums.gradient, width as u64));
                self.bar_finder.row(sums.dark as usize == width, texture);
                // Other rows each time: both fields are seen, and in the end all rows of the walk.
                let step = self.sampled_row_step;
                if number % step == self.count % step {
                    self.histogram
                        .add_row(row, (self.count / step % self.histogram.step()).min(width.saturating_sub(1)));
                }
            }
            if let Some(cell_row) = self.grid.row_ending(number) {
                self.end_cell_row(cell_row, bytes);
            }
            self.structure.row(&picture.luma, y);
        }
        self.bars = match plan.luma {
            true => self.bar_finder.finish(u64::from(totals.dark), width, rows),
            false => Bars::default(),
        };
        let (grid, scale) = (&self.grid, self.scale);
        self.means.clear();
        for (row, sums) in self.cells.sums.chunks_exact(grid.columns).enumerate() {
            let pixels = |column: usize| (grid.pixel_columns(column) * grid.pixel_rows(row)) as u64;
            // But for the last one all are as wide.
            let Some((last, others)) = sums.split_last() else { continue };
            let wide = pixels(0);
            self.means.extend(others.iter().map(|&sum| scale.mean(sum, wide)));
            self.means.push(scale.mean(*last, pixels(others.len())));
        }
        totals
    }

    /// Hands the strips gathered since the last row of cells to cells and bars.
    fn end_cell_row(&mut self, cell_row: usize, bytes: usize) {
        let strips = self.shape.width.div_ceil(STRIP);
        if bytes == 2 {
            // Two words a strip: join them in place.
            for strip in 0..strips {
                self.strips[strip] = self.strips[2 * strip] + self.strips[2 * strip + 1];
            }
        }
        let joined = &self.strips[..strips];
        self.cells.add_row(&self.grid, cell_row, joined);
        self.bar_finder.zone(joined, self.shape.width, self.grid.pixel_rows(cell_row), self.scale.scale);
        self.strips.fill(0);
    }

    /// Reduces what the scan left behind.
    fn luma_facts(&mut self, sums: &RowSums, at: MediaTime) -> LumaFacts {
        let (width, walk) = (self.shape.width, self.walk);
        let rows = walk.rows();
        let area = (width * rows) as u64;
        let active = self.bars.active_pixels(width, rows);
        // All pixels of bars are dark and none is content.
        let dark_share = ratio(u64::from(sums.dark) - (area - active), active) as f32;
        if dark_share < TEACHES_BELOW && self.logo.is_due(at) {
            self.logo.look(at, &self.means, &self.cells.content, &self.grid);
        }
        let logo_pixels = self.logo.logo_pixels(&self.cells.content);
        let content_pixels = sums.content - logo_pixels;
        let levels = self.histogram.levels([10, 500, 990, 999]);
        let spread = self.histogram.spread();
        let [p1, p50, p99, p999] = levels.map(|raw| self.scale.level(f64::from(raw)));
        LumaFacts {
            mean: self.scale.mean(sums.sum, area),
            sigma: self.scale.sigma(&spread),
            min: self.scale.level(f64::from(spread.lowest)),
            max: self.scale.level(f64::from(spread.highest)),
            p1,
            p50,
            p99,
            p999,
            dark_share,
            content_share: ratio(u64::from(content_pixels), active) as f32,
            content_pixels: walk.pixels(content_pixels),
            logo_pixels: walk.pixels(logo_pixels),
            gradient: self.scale.span(sums.gradient, ((width - 1) * rows) as u64),
            active_share: ratio(active, area) as f32,
            bar_rows: walk.edge(self.bars.rows) as u16,
            bar_columns: self.bars.columns as u16,
            shows_bars: ratio(u64::from(sums.dark), area) < TOO_DARK,
        }
    }

    /// What the scan found beside levels and change.
    fn structure(
        &mut self,
        picture: &PictureView<'_>,
        previous: Option<&Plane<'_>>,
        at: MediaTime,
    ) -> StructureMeasures {
        let (grid, means) = (&self.grid, &self.means[..]);
        let cells = Cells { grid, means, tints: self.chroma.tints(), tint_grid: self.chroma.grid() };
        self.structure.finish(picture, previous, &cells, (self.count, at))
    }
}

fn add(totals: &mut RowSums, row: &RowSums) {
    totals.sum += row.sum;
    totals.dark += row.dark;
    totals.content += row.content;
    totals.gradient += row.gradient;
    totals.difference += row.difference;
}
