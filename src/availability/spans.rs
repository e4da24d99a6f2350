//! Sets of time as spans: joined, cut and taken away, so that overlapping events count once.
//!
//! Pure. Times are milliseconds since 1970; a span ends before its end.

/// A set of milliseconds: spans in order that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans(Vec<(u64, u64)>);

impl Spans {
    /// The union of spans in any order; empty and reversed ones add nothing.
    pub fn of(spans: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut all: Vec<(u64, u64)> = spans.into_iter().filter(|(from, to)| from < to).collect();
        all.sort_unstable();
        let mut joined: Vec<(u64, u64)> = Vec::with_capacity(all.len());
        for (from, to) in all {
            match joined.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        Self(joined)
    }

    /// Closes holes that are not longer than that.
    #[must_use]
    pub fn bridged(self, hole_max: u64) -> Self {
        let widened = self.0.into_iter().map(|(from, to)| (from, to + hole_max));
        Self(Self::of(widened).0.into_iter().map(|(from, to)| (from, to - hole_max)).collect())
    }

    /// What is in both.
    #[must_use]
    pub fn within(&self, other: &Self) -> Self {
        let (mut found, mut mine, mut theirs) = (Vec::new(), 0, 0);
        while let (Some(one), Some(two)) = (self.0.get(mine), other.0.get(theirs)) {
            let (from, to) = (one.0.max(two.0), one.1.min(two.1));
            if from < to {
                found.push((from, to));
            }
            if one.1 < two.1 { mine += 1 } else { theirs += 1 }
        }
        Self(found)
    }

    /// What is in this one only.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let end = self.0.last().map_or(0, |last| last.1);
        let mut holes = Vec::with_capacity(other.0.len() + 1);
        let mut from = 0;
        for (begin, until) in &other.0 {
            holes.push((from, *begin));
            from = *until;
        }
        holes.push((from, end));
        self.within(&Self::of(holes))
    }

    /// Length of all of it.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|(from, to)| to - from).sum()
    }

    /// The end of the last span.
    pub fn end(&self) -> Option<u64> {
        self.0.last().map(|last| last.1)
    }

    /// The spans, in order.
    pub fn spans(&self) -> &[(u64, u64)] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The naive twin: a flag for each moment.
    const LONG: usize = 60;

    fn flags(spans: &[(u64, u64)]) -> [bool; LONG] {
        std::array::from_fn(|at| spans.iter().any(|(from, to)| (*from..*to).contains(&(at as u64))))
    }

    fn any_spans() -> impl Strategy<Value = Vec<(u64, u64)>> {
        prop::collection::vec((0..LONG as u64, 0..LONG as u64), 0..12)
    }

    fn is_neat(spans: &Spans) -> bool {
        spans.0.iter().all(|(from, to)| from < to) && spans.0.windows(2).all(|pair| pair[0].1 < pair[1].0)
    }

    proptest! {
        #[test]
        fn union_cut_and_difference_are_those_of_every_moment(one in any_spans(), two in any_spans()) {
            let (a, b) = (Spans::of(one.clone()), Spans::of(two.clone()));
            let (x, y) = (flags(&one), flags(&two));
            let both: Vec<bool> = (0..LONG).map(|at| x[at] && y[at]).collect();
            let only: Vec<bool> = (0..LONG).map(|at| x[at] && !y[at]).collect();
            prop_assert_eq!(flags(&a.0), x);
            prop_assert_eq!(a.total(), x.iter().filter(|flag| **flag).count() as u64);
            prop_assert_eq!(flags(&a.within(&b).0).to_vec(), both);
            prop_assert_eq!(flags(&a.without(&b).0).to_vec(), only);
            prop_assert!(is_neat(&a) && is_neat(&a.within(&b)) && is_neat(&a.without(&b)));
        }

        #[test]
        fn holes_are_closed_up_to_that_length_and_no_longer(one in any_spans(), hole_max in 0_u64..6) {
            let spans = Spans::of(one);
            let bridged = spans.clone().bridged(hole_max);
            prop_assert!(bridged.0.windows(2).all(|pair| pair[1].0 - pair[0].1 > hole_max));
            prop_assert_eq!(spans.within(&bridged), spans.clone());
            let added = bridged.without(&spans);
            prop_assert!(added.0.iter().all(|(from, to)| to - from <= hole_max));
        }
    }
}
