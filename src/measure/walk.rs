//! Which rows of a plane are looked at: a walk over all of them, or over a half that stands for all.
//!
//! With many streams pictures lie in memory, in no cache, when they are measured, and fetching them takes longer
//! than computing. So of large pictures the two rows above and below every eighth edge are walked over: both fields
//! alike, and all rows by which seams of coded blocks are judged. Nothing five rows high hides between them. They
//! are always the same, so that fine detail does not look like movement.

/// Rows in a band, the unit in which rows are chosen.
pub(super) const BAND: usize = 8;
/// Rows of a band that are walked over.
const WALKED: [usize; 4] = [0, 1, 6, 7];
/// Rows of a band that are compared with the previous picture, and looked at in chroma: one of each field. No box of
/// 12 × 12 pixels hides between them.
const COMPARED: [usize; 2] = [1, 6];
/// How many those are.
pub(super) const COMPARED_IN_BAND: usize = COMPARED.len();
/// Pictures of at least so many rows are walked over by half: in smaller ones a row shows more, and they are
/// cheap.
const HALVED_FROM: usize = 720;

/// Whether row `y` of a plane of that height is compared. Of less than a band every row is.
pub(super) fn is_compared(y: usize, height: usize) -> bool {
    COMPARED.contains(&(y % BAND)) || height < BAND
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

    fn is_halved(self) -> bool {
        self.height >= HALVED_FROM
    }

    /// How many rows a walk has that goes over so many rows of a plane, from a band's first on.
    pub(super) fn rows_of(self, rows: usize) -> usize {
        if !self.is_halved() {
            return rows;
        }
        rows / BAND * WALKED.len() + WALKED.iter().filter(|row| **row < rows % BAND).count()
    }

    /// How many rows it has.
    pub(super) fn rows(self) -> usize {
        self.rows_of(self.height)
    }

    /// Which row of the plane is the walk's row of that number.
    pub(super) fn row(self, number: usize) -> usize {
        if !self.is_halved() {
            return number;
        }
        number / WALKED.len() * BAND + WALKED[number % WALKED.len()]
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
    fn of_large_ones_half_the_rows_stand_for_all_as_many_of_each_field() {
        let walk = Walk::over(1_080);
        let rows: Vec<_> = (0..walk.rows()).map(|number| walk.row(number)).collect();
        assert_eq!((rows.len(), walk.compared_rows()), (540, 270));
        assert_eq!(rows.iter().filter(|y| **y % 2 == 0).count(), 270);
        assert_eq!((walk.pixels(500), walk.edge(70), walk.edge(0), walk.edge(540)), (1_000, 140, 0, 1_080));
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
