//! Halves of flashes, cell by cell (ITU-R BT.1702).
//!
//! The picture is watched in blocks of 2 × 2 cells, about 40 × 22 of them: the area is known to
//! 0.1 %, against the 25 % that matter. Each block keeps the extreme of its luminance since it last
//! turned; a change of 20 cd/m² from it, its darker end below 160 cd/m², is half a flash.
//! Luminance is that of a 200 cd/m² display (ITU-R BT.1886). Saturated red is judged by the blocks'
//! mean colour: red makes up 80 % or more of the light of the three primaries.

use avwatch_actors::frame::FlashFacts;
use avwatch_actors::media_time::MediaTime;

use super::grid::Grid;
use super::structure::Cells;

/// Least change of luminance that is half a flash, in cd/m².
const CHANGE_MIN: f32 = 20.0;
/// Its darker end is below this, in cd/m².
const DARKER_BELOW: f32 = 160.0;
/// Luminance of white, in cd/m².
const WHITE: f64 = 200.0;
/// Exponent of ITU-R BT.1886.
const GAMMA: f64 = 2.4;
/// A change that long ago is forgotten: flashes are counted within a second.
const FORGET_AFTER: MediaTime = MediaTime::from_millis(1_000);
/// Steps between black and white in the table of luminances.
const STEPS: usize = 1_024;
/// Share of red in the light of the three primaries from which it is saturated.
const RED_SHARE_MIN: f32 = 0.8;
/// Light of red, in cd/m², up to which a block is black.
const RED_LIGHT_MIN: f32 = 10.0;
/// Cr, in levels, that some cell must have for red to be looked for in a picture.
const RED_CR_MIN: f32 = 160.0;
/// Cr, in levels, below which nothing is saturated red, whatever its luma and Cb.
const RED_CR_LEAST: f32 = 143.0;

/// What is remembered of a block.
#[derive(Clone, Copy)]
struct Block {
    /// Highest luminance since the last rise, from which a fall is told.
    high: f32,
    /// Lowest luminance since the last fall, from which a rise is told.
    low: f32,
    /// Whether the last change was a rise, and when; nothing after a second without any.
    rose: Option<bool>,
    turned_at: MediaTime,
    newest: f32,
    red: bool,
}

/// Follows the luminance of blocks from picture to picture.
pub(super) struct FlashFinder {
    luminances: Box<[f32; STEPS + 1]>,
    blocks: Vec<Block>,
    /// Which column of tints lies in the middle of each column of blocks.
    tint_columns: Vec<usize>,
}

impl Default for FlashFinder {
    fn default() -> Self {
        let mut luminances = Box::new([0.0; STEPS + 1]);
        for (step, luminance) in luminances.iter_mut().enumerate() {
            *luminance = (WHITE * (step as f64 / STEPS as f64).powf(GAMMA)) as f32;
        }
        Self { luminances, blocks: Vec::new(), tint_columns: Vec::new() }
    }
}

impl FlashFinder {
    /// Takes the cells of the next picture, shown at `at`; there may be no tints.
    pub(super) fn measure(&mut self, cells: &Cells<'_>, at: MediaTime) -> FlashFacts {
        let Cells { grid, means, tints, tint_grid } = *cells;
        let (columns, rows) = (grid.columns.div_ceil(2), grid.rows.div_ceil(2));
        let first = self.blocks.len() != columns * rows;
        // Red needs both chroma planes; most pictures have no such colour anywhere.
        let (blues, reds) = tints.split_at(tints.len() / 2);
        let may_be_red = reds.iter().any(|cr| *cr >= RED_CR_MIN);
        let mut counts = [0_u32; 4];
        if first {
            self.blocks.clear();
        }
        // The tint cell in the middle of each block.
        let middle = |block: usize, blocks: usize, cells: usize| (2 * block + 1) * cells / (2 * blocks);
        self.tint_columns.clear();
        self.tint_columns.extend((0..columns).map(|column| middle(column, columns, tint_grid.columns)));
        for row in 0..rows {
            let levels = BlockRow::of(grid, means, row);
            let tint_row = middle(row, rows, tint_grid.rows) * tint_grid.columns;
            for column in 0..columns {
                let level = levels.level(column);
                let luminance = self.luminance(level);
                let red = may_be_red && {
                    let cell = tint_row + self.tint_columns[column];
                    reds[cell] >= RED_CR_LEAST && self.is_red(level, (blues[cell], reds[cell]))
                };
                if first {
                    self.blocks.push(Block {
                        high: luminance,
                        low: luminance,
                        rose: None,
                        turned_at: at,
                        newest: luminance,
                        red,
                    });
                } else {
                    self.blocks[row * columns + column].turn(luminance, red, at, &mut counts);
                }
            }
        }
        let share = |count: u32| count as f32 / (columns * rows) as f32;
        let [up, down, on, off] = counts.map(share);
        FlashFacts { up_share: up, down_share: down, red_on_share: on, red_off_share: off }
    }

    fn luminance(&self, level: f32) -> f32 {
        self.light((level - 16.0) / 219.0)
    }

    /// The light of a signal from 0 to 1, in cd/m².
    fn light(&self, signal: f32) -> f32 {
        self.luminances[(signal * STEPS as f32).clamp(0.0, STEPS as f32) as usize]
    }

    /// Saturated red by the levels of Y, Cb and Cr (ITU-R BT.709 primaries, linear light).
    fn is_red(&self, level: f32, (u, v): (f32, f32)) -> bool {
        let (luma, cb, cr) = ((level - 16.0) / 219.0, (u - 128.0) / 224.0, (v - 128.0) / 224.0);
        let red = self.light(luma + 1.5748 * cr);
        let green = self.light(luma - 0.1873 * cb - 0.4681 * cr);
        let blue = self.light(luma + 1.8556 * cb);
        // A black block is of no colour.
        red > RED_LIGHT_MIN && red >= RED_SHARE_MIN * (red + green + blue)
    }
}

impl Block {
    /// Takes the next luminance; counts changes up, down, to red and from red.
    fn turn(&mut self, luminance: f32, red: bool, at: MediaTime, counts: &mut [u32; 4]) {
        if self.rose.is_some() && at - self.turned_at >= FORGET_AFTER {
            // What comes now is no answer to a change that long ago, and may go the same way.
            (self.rose, self.high, self.low) = (None, self.newest, self.newest);
        }
        self.newest = luminance;
        self.high = self.high.max(luminance);
        self.low = self.low.min(luminance);
        if self.rose != Some(true) && luminance - self.low >= CHANGE_MIN && self.low < DARKER_BELOW {
            (self.rose, self.high, self.turned_at) = (Some(true), luminance, at);
            counts[0] += 1;
        } else if self.rose != Some(false) && self.high - luminance >= CHANGE_MIN && luminance < DARKER_BELOW {
            (self.rose, self.low, self.turned_at) = (Some(false), luminance, at);
            counts[1] += 1;
        }
        if red != self.red {
            self.red = red;
            counts[if red { 2 } else { 3 }] += 1;
        }
    }
}

/// The two rows of cells that a row of blocks covers; at the lower edge they may be one and the same.
struct BlockRow<'a> {
    upper: &'a [f32],
    lower: &'a [f32],
}

impl<'a> BlockRow<'a> {
    fn of(grid: &Grid, means: &'a [f32], row: usize) -> Self {
        let cells = |row: usize| &means[row.min(grid.rows - 1) * grid.columns..][..grid.columns];
        Self { upper: cells(2 * row), lower: cells(2 * row + 1) }
    }

    /// Mean level of up to 2 × 2 cells.
    fn level(&self, column: usize) -> f32 {
        let (left, right) = (2 * column, (2 * column + 1).min(self.upper.len() - 1));
        (self.upper[left] + self.upper[right] + (self.lower[left] + self.lower[right])) / 4.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::chroma::TintGrid;
    use super::*;

    const GRID: (usize, usize) = (640, 360);

    /// Shows pictures of one level each, over the whole or a part of the area.
    fn show(levels: &[f32], share: f32) -> Vec<FlashFacts> {
        let grid = Grid::new(GRID.0, GRID.1);
        let mut finder = FlashFinder::default();
        let lit = (grid.columns as f32 * share) as usize;
        let mut at = MediaTime::ZERO;
        let facts = levels.iter().map(|&level| {
            let means: Vec<f32> =
                (0..grid.cells()).map(|cell| if cell % grid.columns < lit { level } else { 60.0 }).collect();
            let cells = Cells { grid: &grid, means: &means, tints: &[], tint_grid: TintGrid::default() };
            at += MediaTime::from_millis(40);
            finder.measure(&cells, at)
        });
        facts.collect()
    }

    #[test]
    fn a_bright_picture_after_a_dark_one_is_half_a_flash_and_the_way_back_the_other() {
        let facts = show(&[60.0, 60.0, 190.0, 190.0, 60.0], 1.0);
        assert_eq!(facts.iter().map(|facts| facts.up_share).collect::<Vec<_>>(), [0.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(facts.iter().map(|facts| facts.down_share).collect::<Vec<_>>(), [0.0, 0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn only_the_area_that_flashes_is_told() {
        let facts = show(&[60.0, 190.0, 60.0], 0.5);
        assert!((facts[1].up_share - 0.5).abs() < 0.02 && (facts[2].down_share - 0.5).abs() < 0.02);
    }

    #[test]
    fn changes_of_less_than_20_candela_are_no_flashes_however_often_they_come() {
        // 100 is 18 cd/m², 120 is 30.
        let facts = show(&[100.0, 120.0, 100.0, 120.0, 100.0], 1.0);
        assert!(facts.iter().all(|facts| facts.up_share == 0.0 && facts.down_share == 0.0));
    }

    #[test]
    fn a_rise_within_a_second_is_told_once_and_its_fall_from_the_highest() {
        let rise: Vec<f32> = (0..22).map(|step| 60.0 + 7.0 * step as f32).collect();
        let facts = show(&rise, 1.0);
        assert_eq!(facts.iter().filter(|facts| facts.up_share > 0.0).count(), 1);
        let falls = show(&[&rise[..], &[210.0, 200.0, 60.0]].concat(), 1.0);
        assert_eq!(falls.iter().filter(|facts| facts.down_share > 0.0).count(), 1);
    }

    #[test]
    fn a_scene_that_grew_bright_long_ago_can_flash_brighter() {
        let facts = show(&[&[60.0, 120.0][..], &[120.0; 30], &[200.0]].concat(), 1.0);
        assert_eq!(facts.last().map(|facts| facts.up_share), Some(1.0));
    }

    #[test]
    fn flicker_between_two_bright_levels_is_none() {
        // 225 is 179 cd/m², 235 is 200: the darker one is above 160.
        assert!(show(&[225.0, 235.0, 225.0, 235.0], 1.0).iter().all(|facts| facts.up_share + facts.down_share == 0.0));
    }

    #[test]
    fn pure_red_is_saturated_and_skin_is_not() {
        let finder = FlashFinder::default();
        let is_red = |level, tint| finder.is_red(level, tint);
        assert!(is_red(63.0, (102.0, 240.0)), "red of ITU-R BT.709 at full level");
        assert!(!is_red(140.0, (110.0, 155.0)), "skin");
        assert!(!is_red(16.0, (128.0, 128.0)), "black");
    }

    #[test]
    fn nothing_with_little_cr_is_saturated_red() {
        let finder = FlashFinder::default();
        for level in (0..=255).map(|level| level as f32) {
            for u in (16..=240).map(|u| u as f32) {
                let found = (16..=2 * RED_CR_LEAST as i32)
                    .map(|v| 0.5 * v as f32)
                    .find(|v| *v < RED_CR_LEAST && finder.is_red(level, (u, *v)));
                assert_eq!(found, None, "{level} {u}");
            }
        }
    }
}
