//! Colour bars: the standard colours in their order from left to right.
//!
//! Looks at cell means between 25 % and 55 % of the height, which all common bars fill (SMPTE RP 219,
//! EBU, PAL), at 75 % and 100 %, in ITU-R BT.601 and BT.709. A column of cells shows a bar when
//! its level hardly changes over that height and its colour is a standard one within 6 levels.

use super::chroma::TintGrid;
use super::grid::Grid;
use avwatch_actors::frame::PatternFacts;

/// Largest difference of a colour, in levels of Y, Cb and Cr.
const TOLERANCE: f32 = 6.0;
/// Largest change of a column's level over the height, in levels.
const UNEVEN_MAX: f32 = 4.0;
/// Part of the height that is looked at.
const FROM: f64 = 0.25;
const TO: f64 = 0.55;
/// Bars of a standard pattern.
const BARS: usize = 7;
/// Columns of cells between two bars that may show a mixture of them.
const MIXED_MAX: usize = 2;
/// Red, green and blue of the bars in their order.
const COLOURS: [[f32; 3]; BARS] = [
    [1.0, 1.0, 1.0],
    [1.0, 1.0, 0.0],
    [0.0, 1.0, 1.0],
    [0.0, 1.0, 0.0],
    [1.0, 0.0, 1.0],
    [1.0, 0.0, 0.0],
    [0.0, 0.0, 1.0],
];
/// Shares of red and blue in luma: ITU-R BT.601 and BT.709.
const MATRICES: [(f32, f32); 2] = [(0.299, 0.114), (0.2126, 0.0722)];

/// A set of bars as levels of Y, Cb and Cr.
type Bars = [[f32; 3]; BARS];

/// Looks for bars; keeps the colours that it looks for.
pub(super) struct PatternFinder {
    sets: Vec<Bars>,
    columns: Vec<Option<[f32; 3]>>,
}

impl Default for PatternFinder {
    fn default() -> Self {
        let mut sets = Vec::new();
        for matrix in MATRICES {
            // The white bar is at 75 % or at 100 % in 75 % bars: EBU bars have it at 100 %.
            for (white, colour) in [(0.75, 0.75), (1.0, 0.75), (1.0, 1.0)] {
                let mut bars = COLOURS.map(|rgb| levels_of(rgb.map(|part| part * colour), matrix));
                bars[0] = levels_of([white; 3], matrix);
                sets.push(bars);
            }
        }
        Self { sets, columns: Vec::new() }
    }
}

impl PatternFinder {
    /// Looks at the cells of a picture; without tints there are no colours to find.
    pub(super) fn measure(&mut self, grid: &Grid, means: &[f32], tints: &[f32], tint_grid: TintGrid) -> PatternFacts {
        if tint_grid.rows == 0 || tints.is_empty() {
            return PatternFacts::default();
        }
        self.columns.clear();
        for column in 0..grid.columns {
            self.columns.push(column_colour(grid, means, tints, tint_grid, column));
        }
        // Most pictures have hardly a column that is even.
        if self.columns.iter().flatten().count() * 4 < grid.columns {
            return PatternFacts::default();
        }
        let found = self.sets.iter().map(|bars| longest_row(&self.columns, bars)).max().unwrap_or_default();
        PatternFacts { bars: found.0 as u8, bars_share: found.1 as f32 / grid.columns as f32 }
    }
}

/// Levels of a colour; the parts are 0 to 1.
fn levels_of([red, green, blue]: [f32; 3], (of_red, of_blue): (f32, f32)) -> [f32; 3] {
    let luma = of_red * red + (1.0 - of_red - of_blue) * green + of_blue * blue;
    let cb = (blue - luma) / (2.0 * (1.0 - of_blue));
    let cr = (red - luma) / (2.0 * (1.0 - of_red));
    [16.0 + 219.0 * luma, 128.0 + 224.0 * cb, 128.0 + 224.0 * cr]
}

/// The rows of a grid that are looked at.
fn rows_of(rows: usize) -> std::ops::Range<usize> {
    let (from, to) = ((rows as f64 * FROM).ceil() as usize, (rows as f64 * TO) as usize);
    from..to.max(from)
}

/// The colour of a column, if it is even.
fn column_colour(grid: &Grid, means: &[f32], tints: &[f32], tint_grid: TintGrid, column: usize) -> Option<[f32; 3]> {
    let luma = even_mean(rows_of(grid.rows).map(|row| means[row * grid.columns + column]))?;
    let x = (2 * column + 1) * tint_grid.columns / (2 * grid.columns);
    let plane = tints.len() / 2;
    let tint =
        |offset: usize| even_mean(rows_of(tint_grid.rows).map(|row| tints[offset + row * tint_grid.columns + x]));
    Some([luma, tint(0)?, tint(plane)?])
}

/// The mean of levels that hardly differ.
fn even_mean(levels: impl Iterator<Item = f32>) -> Option<f32> {
    let (mut low, mut high, mut sum, mut count) = (f32::INFINITY, f32::NEG_INFINITY, 0.0, 0);
    for level in levels {
        (low, high) = (low.min(level), high.max(level));
        if high - low > UNEVEN_MAX {
            return None;
        }
        sum += level;
        count += 1;
    }
    (count > 0).then(|| sum / count as f32)
}

/// The most bars that follow each other in their order, and the columns that they cover.
fn longest_row(columns: &[Option<[f32; 3]>], bars: &Bars) -> (usize, usize) {
    let is = |colour: &[f32; 3], bar: usize| {
        colour.iter().zip(&bars[bar]).all(|(level, wanted)| (level - wanted).abs() <= TOLERANCE)
    };
    let (mut best, mut row, mut covered, mut mixed) = ((0, 0), 0_usize, 0, 0);
    let mut newest: Option<usize> = None;
    for column in columns {
        let bar = column.as_ref().and_then(|colour| (0..BARS).find(|bar| is(colour, *bar)));
        let Some(bar) = bar else {
            mixed += 1;
            if mixed > MIXED_MAX {
                (newest, row, covered) = (None, 0, 0);
            }
            continue;
        };
        (row, covered) = match newest {
            Some(same) if same == bar => (row, covered + mixed + 1),
            Some(before) if before + 1 == bar => (row + 1, covered + mixed + 1),
            Some(_) | None => (1, 1),
        };
        (newest, mixed) = (Some(bar), 0);
        best = best.max((row, covered));
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published levels of 75 % bars (SMPTE RP 219-1 for BT.709; the classic ones for BT.601).
    #[test]
    fn the_levels_of_the_bars_are_the_published_ones() {
        let bars = |matrix| COLOURS.map(|rgb| levels_of(rgb.map(|part| part * 0.75), matrix).map(f32::round));
        let hd = bars(MATRICES[1]);
        assert_eq!(hd[1], [168.0, 44.0, 136.0]);
        assert_eq!(hd[6], [28.0, 212.0, 120.0]);
        let sd = bars(MATRICES[0]);
        assert_eq!(sd[2], [131.0, 156.0, 44.0]);
        assert_eq!(sd[5], [65.0, 100.0, 212.0]);
    }

    #[test]
    fn bars_in_order_are_found_across_mixed_columns_and_a_wrong_order_is_none() {
        let finder = PatternFinder::default();
        let bars = finder.sets[0];
        let columns = |order: &[usize]| -> Vec<Option<[f32; 3]>> {
            order.iter().flat_map(|bar| [None, Some(bars[*bar]), Some(bars[*bar]), Some(bars[*bar])]).collect()
        };
        assert_eq!(longest_row(&columns(&[0, 1, 2, 3, 4, 5, 6]), &bars).0, 7);
        assert_eq!(longest_row(&columns(&[6, 5, 4, 3, 2, 1, 0]), &bars).0, 1);
        assert_eq!(longest_row(&columns(&[0, 1, 2, 6, 3]), &bars).0, 3);
    }
}
