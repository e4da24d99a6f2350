//! Letterbox and pillarbox bars: what part of the picture is active.
//!
//! A bar is an edge zone without a single pixel above the black level and hardly any texture, as
//! wide on one side as on the other. Bars are only learned from pictures bright enough to show
//! where they end; a dark picture uses the bars learned last, as far as they are dark in it too.
//! So the bars of a dark scene do not make it count as black, while a black picture with a few
//! bright pixels is judged whole, and nothing brighter than black is ever excluded.
//! Columns are known to 8 pixels: narrower remains of a pillarbox count as active.

use super::kernels::{STRIP, unpack};

/// Mean difference of neighbours, in levels, above which a dark row is picture and not bar.
const TEXTURE_MAX: f64 = 1.5;
/// Largest difference of a bar strip's mean level between two heights.
const UNEVEN_MAX: f64 = 3.0;
/// Share of dark pixels from which a picture is too dark to show bars.
pub(super) const TOO_DARK: f64 = 0.9;

/// Bars on each side, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bars {
    /// Height of the upper and of the lower bar.
    pub(super) rows: usize,
    /// Width of the left and of the right bar.
    pub(super) columns: usize,
}

impl Bars {
    /// Pixels of the active part of a picture.
    pub(super) fn active_pixels(self, width: usize, height: usize) -> u64 {
        (width - 2 * self.columns) as u64 * (height - 2 * self.rows) as u64
    }
}

/// What one strip of 8 columns was like over the height of the picture.
#[derive(Clone, Copy, Default)]
struct Column {
    /// Something in it is not dark.
    shows: bool,
    lowest: f64,
    highest: f64,
}

/// Looks for bars while a picture is scanned, and remembers those of earlier ones.
#[derive(Default)]
pub(super) struct BarFinder {
    top: usize,
    bottom: usize,
    rows: usize,
    columns: Vec<Column>,
    learned: Bars,
}

impl BarFinder {
    /// Begins a picture of that width.
    pub(super) fn begin(&mut self, width: usize) {
        (self.top, self.bottom, self.rows) = (0, 0, 0);
        self.columns.clear();
        let fresh = Column { shows: false, lowest: f64::INFINITY, highest: f64::NEG_INFINITY };
        self.columns.resize(width.div_ceil(STRIP), fresh);
    }

    /// Takes a row: whether all of it is dark, and its mean difference of neighbours in levels.
    pub(super) fn row(&mut self, all_dark: bool, texture: f64) {
        let bar = all_dark && texture <= TEXTURE_MAX;
        if bar && self.top == self.rows {
            self.top += 1;
        }
        self.bottom = if bar { self.bottom + 1 } else { 0 };
        self.rows += 1;
    }

    /// Takes the strips of a zone of `rows` rows; `scale` is levels per code value.
    pub(super) fn zone(&mut self, strips: &[u64], width: usize, rows: usize, scale: f64) {
        for (strip, (column, &packed)) in self.columns.iter_mut().zip(strips).enumerate() {
            let (sum, dark, _) = unpack(packed);
            let pixels = STRIP.min(width - strip * STRIP) * rows;
            if column.shows || (dark as usize) < pixels {
                column.shows = true;
                continue;
            }
            let mean = f64::from(sum) * scale / pixels as f64;
            column.lowest = column.lowest.min(mean);
            column.highest = column.highest.max(mean);
        }
    }

    /// The bars of the picture that has been scanned.
    pub(super) fn finish(&mut self, dark: u64, width: usize, height: usize) -> Bars {
        let pixels = (width * height) as u64;
        if dark == pixels {
            return Bars::default();
        }
        let found = Bars { rows: self.top.min(self.bottom), columns: self.dark_columns(width) };
        if (dark as f64) < TOO_DARK * pixels as f64 {
            self.learned = found;
            return found;
        }
        Bars { rows: found.rows.min(self.learned.rows), columns: found.columns.min(self.learned.columns) }
    }

    /// Pixels of dark columns on both sides, at least.
    fn dark_columns(&self, width: usize) -> usize {
        // The last strip may be narrower than the others: then the right bar ends in mid-strip.
        let remainder = (STRIP - width % STRIP) % STRIP;
        let is_bar = |column: &&Column| !column.shows && column.highest - column.lowest <= UNEVEN_MAX;
        let left = self.columns.iter().take_while(is_bar).count() * STRIP;
        let right = self.columns.iter().rev().take_while(is_bar).count() * STRIP;
        left.min(right.saturating_sub(remainder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scans a picture of which only the dark rows at both ends are given.
    fn scan(finder: &mut BarFinder, dark_top: usize, dark_bottom: usize, texture: f64, dark_share: f64) -> Bars {
        finder.begin(100);
        for y in 0..100 {
            finder.row(y < dark_top || y >= 100 - dark_bottom, texture);
        }
        // In every strip of columns something is not dark.
        finder.zone(&[0; 13], 100, 100, 1.0);
        finder.finish((dark_share * 10_000.0) as u64, 100, 100)
    }

    #[test]
    fn bars_are_as_wide_as_the_narrower_side() {
        let finder = &mut BarFinder::default();
        assert_eq!(scan(finder, 13, 14, 0.2, 0.3), Bars { rows: 13, columns: 0 });
        assert_eq!(scan(finder, 13, 0, 0.2, 0.3), Bars::default());
    }

    #[test]
    fn textured_dark_rows_are_no_bars() {
        assert_eq!(scan(&mut BarFinder::default(), 13, 13, 2.0, 0.3), Bars::default());
    }

    #[test]
    fn a_dark_picture_uses_learned_bars_as_far_as_it_is_dark_there() {
        let finder = &mut BarFinder::default();
        assert_eq!(scan(finder, 40, 40, 0.2, 0.95).rows, 0, "nothing learned yet");
        assert_eq!(scan(finder, 13, 13, 0.2, 0.3).rows, 13);
        assert_eq!(scan(finder, 40, 40, 0.2, 0.95).rows, 13, "dark rows inside the picture stay");
        assert_eq!(scan(finder, 5, 40, 0.2, 0.95).rows, 5, "something shows in the bar");
        assert_eq!(scan(finder, 100, 100, 0.2, 1.0), Bars::default(), "all black");
    }
}
