//! Rates over a sliding window. Pure; memory does not depend on how many lines come.

use crate::log_view::Moment;

/// Parts of a window: it slides in steps of this share of its length.
const PARTS: usize = 30;

/// What came in one part of the window, or in all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    /// Lines that count.
    pub lines: u64,
    /// Bad ones, or the sum of a field over them.
    pub bad: f64,
    /// All that count, or the sum of a field over them.
    pub of: f64,
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.lines += other.lines;
        self.bad += other.bad;
        self.of += other.of;
    }
}

/// A window that slides in time.
#[derive(Clone, Debug)]
pub(super) struct Window {
    part_millis: i64,
    parts: [Sums; PARTS],
    /// Number of the newest part, counted from 1970.
    newest: i64,
}

impl Window {
    /// A window of that length, at least a tenth of a second.
    pub(super) fn new(length: std::time::Duration) -> Self {
        let millis = i64::try_from(length.as_millis()).unwrap_or(i64::MAX / 2);
        Self { part_millis: (millis / PARTS as i64).max(1), parts: [Sums::default(); PARTS], newest: i64::MIN / 2 }
    }

    /// Adds a line; false when it is older than the window.
    pub(super) fn add(&mut self, at: Moment, line: Sums) -> bool {
        self.slide(at);
        let part = at.0.div_euclid(self.part_millis);
        if part <= self.newest - PARTS as i64 {
            return false;
        }
        self.parts[Self::place(part)].add(line);
        true
    }

    /// Everything within the window that ends at `now`.
    pub(super) fn sums(&mut self, now: Moment) -> Sums {
        self.slide(now);
        let mut all = Sums::default();
        for part in &self.parts {
            all.add(*part);
        }
        all
    }

    /// Begin of the oldest part in which anything was bad.
    pub(super) fn first_bad(&self) -> Option<Moment> {
        let oldest = self.newest - PARTS as i64 + 1;
        let part = (oldest..=self.newest).find(|part| self.parts[Self::place(*part)].bad > 0.0)?;
        Some(Moment(part * self.part_millis))
    }

    fn place(part: i64) -> usize {
        part.rem_euclid(PARTS as i64) as usize
    }

    /// Empties the parts that time has passed over.
    fn slide(&mut self, now: Moment) {
        let newest = now.0.div_euclid(self.part_millis);
        if newest <= self.newest {
            return;
        }
        let passed = (newest - self.newest).min(PARTS as i64);
        for part in newest - passed + 1..=newest {
            self.parts[Self::place(part)] = Sums::default();
        }
        self.newest = newest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const LINE: Sums = Sums { lines: 1, bad: 1.0, of: 2.0 };

    proptest! {
        #[test]
        fn a_window_counts_what_a_list_of_all_lines_counts(
            length in 1_u64..120,
            steps in prop::collection::vec((-20_000_i64..20_000, any::<bool>()), 1..80),
        ) {
            let mut window = Window::new(Duration::from_secs(length));
            let part = length as i64 * 1_000 / PARTS as i64;
            let (mut now, mut all) = (1_000_000_000_i64, Vec::new());
            window.sums(Moment(now));
            for (step, advances) in steps {
                let at = if advances { now + step.abs() } else { now - step.abs() };
                now = now.max(at);
                let kept = window.add(Moment(at), LINE);
                let in_window = |at: i64| at.div_euclid(part) > now.div_euclid(part) - PARTS as i64;
                prop_assert_eq!(kept, in_window(at));
                all.push(at);
                let naive = all.iter().filter(|at| in_window(**at)).count() as u64;
                prop_assert_eq!(window.sums(Moment(now)).lines, naive);
            }
        }
    }

    #[test]
    fn the_first_bad_part_is_known() {
        let mut window = Window::new(Duration::from_secs(30));
        window.add(Moment(60_000), Sums { bad: 0.0, ..LINE });
        window.add(Moment(70_000), LINE);
        window.add(Moment(80_000), LINE);
        assert_eq!(window.first_bad(), Some(Moment(70_000)));
        window.sums(Moment(105_000));
        assert_eq!(window.first_bad(), Some(Moment(80_000)));
        window.sums(Moment(200_000));
        assert_eq!(window.first_bad(), None);
    }
}
