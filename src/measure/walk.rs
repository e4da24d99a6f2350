//! Which rows of a plane are looked at: a walk over all of them, or over a quarter that stands for all.
//!
//! With many streams pictures lie in memory, in no cache, when they are measured, and fetching them takes longer
//! than computing, and drives out of the caches what decoders need. So of large pictures two rows of eight are walked
//! over, one of each field. Nothing five rows high hides between them, and no box of 12 × 12 pixels between those of
//! chroma. They are always the same, so that fine detail does not look like movement. Seams of coded blocks and sharpness,
//! which are looked at in fewer pictures, have rows of their own.

/// Rows in a band, the unit in which rows are chosen.
pub(super) const BAND: usize = 8;
/// Rows of a band that are compared with the previous picture, looked at in chroma and, of large pictures, walked over.
const CHOSEN: [usize; 2] = [1, 6];
/// How many those are.
pub(super) const CHOSEN_IN_BAND: usize = CHOSEN.len();
/// Pictures of at least so many rows are walked over by a quarter: in smaller ones a row shows more, and they are
/// cheap.
const THINNED_FROM: usize = 720;

/// Whether row `y` of a plane of that height is compared. Of less than a band every row is.
pub(super) fn is_compared(y: usize, height: usize) -> bool {
    CHOSEN.contains(&(y % BAND)) || height < BAND
}

/// The walk over the rows of luma planes of one height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Walk {
    height: usize,
}

impl Walk {
    /// Over planes of that height.
    pub(super) fn over(height: usize) -> Self {
        Self { height }
    }

    /// Whether it leaves out rows.
    pub(super) fn is_thinned(self) -> bool {
        self.height >= THINNED_FROM
    }

    /// How many rows a walk has that goes over so many rows of a plane, from a band's first on.
    pub(super) fn rows_of(self, rows: usize) -> usize {
        if !self.is_thinned() {
            return rows;
        }
        rows / BAND * CHOSEN.len() + CHOSEN.iter().filter(|row| **row < rows % BAND).count()
    }

    /// How many rows it has.
    pub(super) fn rows(self) -> usize {
        self.rows_of(self.height)
    }

    /// Which row of the plane is the walk's row of that number.
    pub(super) fn row(self, number: usize) -> usize {
        if !self.is_thinned() {
            return number;
        }
        number / CHOSEN.len() * BAND + CHOSEN[number % CHOSEN.len()]
    }

    /// How many rows are compared with the previous picture.
    pub(super) fn compared_rows(self) -> usize {
        (0..self.height).filter(|&y| is_compared(y, self.height)).count()
    }

    /// What so many pixels of the walk are of the plane.
    pub(super) fn pixels(self, walked: u32) -> u32 {
        (u64::from(walked) * self.height as u64 / self.rows().max(1) as u64) as u32
    }

    /// How many rows of the plane its edge of so many rows of the walk has: up to the middle of what is not looked at.
    pub(super) fn edge(self, rows: usize) -> usize {
        match rows.checked_sub(1) {
            Some(last) if rows < self.rows() => (self.row(last) + 1).midpoint(self.row(rows)),
            Some(_) => self.height,
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_pictures_are_walked_over_row_by_row() {
        for height in [1, 7, 8, 360, 576, 719] {
            let walk = Walk::over(height);
            assert_eq!(walk.rows(), height);
            assert!((0..height).all(|number| walk.row(number) == number && walk.edge(number) == number));
            assert_eq!(walk.pixels(1_000_000), 1_000_000);
        }
    }

    #[test]
    fn of_large_ones_a_quarter_of_the_rows_stands_for_all_as_many_of_each_field() {
        let walk = Walk::over(1_080);
        let rows: Vec<_> = (0..walk.rows()).map(|number| walk.row(number)).collect();
        assert_eq!((rows.len(), walk.compared_rows()), (270, 270));
        assert_eq!(rows.iter().filter(|y| **y % 2 == 0).count(), 135);
        assert_eq!((walk.pixels(500), walk.edge(35), walk.edge(0), walk.edge(270)), (2_000, 140, 0, 1_080));
    }

    proptest! {
        #[test]
        fn a_walk_stays_within_the_plane_and_holds_what_is_compared(height in 1_usize..3_000) {
            let walk = Walk::over(height);
            let rows: Vec<_> = (0..walk.rows()).map(|number| walk.row(number)).collect();
            prop_assert!(rows.is_sorted_by(|one, next| one < next) && rows.iter().all(|y| *y < height));
            prop_assert_eq!(rows.iter().filter(|y| is_compared(**y, height)).count(), walk.compared_rows());
            prop_assert!(walk.compared_rows() > 0);
            prop_assert!((0..height).all(|from| rows.iter().any(|y| (from..from + 5).contains(y)) || from + 5 > height));
        }
    }
}
