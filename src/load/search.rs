//! The search for capacity: doubles until a limit breaks, then halves the distance. Pure.
//!
//! ```text
//! growing(n) --held--> growing(2n)      growing(n) --broke--> between(held, n)
//! between(a, b) --held--> between(m, b)  between(a, b) --broke--> between(a, m)    m in the middle; over when close enough
//! ```

/// The search is over when the distance is at most this share of what held, or one stream.
const CLOSE: f64 = 0.05;
/// Most trials of a search: from 1 to a million by doubling, and twenty halvings.
pub const TRIALS_MAX: usize = 40;

/// Where a search stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Search {
    /// The most streams that were within every limit; zero when none were.
    held: u32,
    /// The fewest that were not.
    broke: Option<u32>,
    next: u32,
    most: u32,
    trials: usize,
}

impl Search {
    /// A search that begins with `first` streams and never tries more than `most`.
    pub fn new(first: u32, most: u32) -> Self {
        let most = most.max(1);
        Self { held: 0, broke: None, next: first.clamp(1, most), most, trials: 0 }
    }

    /// How many streams to try; nothing when the search is over.
    pub fn next(&self) -> Option<u32> {
        (!self.is_over()).then_some(self.next)
    }

    /// The most streams that held.
    pub fn held(&self) -> u32 {
        self.held
    }

    /// The fewest that did not.
    pub fn broke(&self) -> Option<u32> {
        self.broke
    }

    /// Takes what came of trying [`Search::next`].
    pub fn tried(&mut self, did_hold: bool) {
        self.trials += 1;
        if did_hold {
            self.held = self.held.max(self.next);
        } else {
            self.broke = Some(self.broke.map_or(self.next, |broke| broke.min(self.next)));
        }
        self.next = match self.broke {
            None => self.held.saturating_mul(2).min(self.most),
            Some(broke) => self.held + (broke - self.held).div_ceil(2).min(broke - self.held),
        };
    }

    fn is_over(&self) -> bool {
        let is_close = |broke: u32| {
            let apart = broke.saturating_sub(self.held);
            apart <= 1 || (self.held > 0 && f64::from(apart) <= CLOSE * f64::from(self.held))
        };
        self.trials >= TRIALS_MAX || self.broke.map_or(self.held >= self.most, is_close)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(first: u32, most: u32, wall: u32) -> (Search, Vec<u32>) {
        let mut search = Search::new(first, most);
        let mut tried = Vec::new();
        while let Some(streams) = search.next() {
            tried.push(streams);
            search.tried(streams <= wall);
        }
        (search, tried)
    }

    #[test]
    fn it_doubles_and_then_closes_in() {
        let (search, tried) = run(4, 1_000, 21);
        assert_eq!(tried, [4, 8, 16, 32, 24, 20, 22, 21]);
        assert_eq!((search.held(), search.broke()), (21, Some(22)));
    }

    #[test]
    fn where_not_one_stream_holds_it_ends_with_none() {
        let (search, tried) = run(8, 100, 0);
        assert_eq!(tried.last(), Some(&1));
        assert_eq!(search.held(), 0);
    }

    #[test]
    fn it_never_tries_more_than_it_may() {
        let (search, tried) = run(4, 50, 1_000);
        assert_eq!(tried, [4, 8, 16, 32, 50]);
        assert_eq!((search.held(), search.broke()), (50, None));
    }

    proptest! {
        #[test]
        fn it_finds_the_wall_to_five_per_cent_in_few_trials(first in 1_u32..64, wall in 1_u32..100_000) {
            let (search, tried) = run(first, 1_000_000, wall);
            prop_assert!(search.held() <= wall && f64::from(wall - search.held()) <= 0.05 * f64::from(search.held()));
            prop_assert!(tried.len() <= TRIALS_MAX);
        }

        #[test]
        fn it_ends_whatever_comes_of_the_trials(first: u32, most in 1_u32..10_000, outcomes in prop::collection::vec(any::<bool>(), TRIALS_MAX + 1)) {
            let mut search = Search::new(first, most);
            let mut trials = 0;
            for outcome in outcomes {
                let Some(streams) = search.next() else { break };
                prop_assert!((1..=most).contains(&streams));
                search.tried(outcome);
                trials += 1;
            }
            prop_assert!(search.next().is_none() && trials <= TRIALS_MAX);
        }
    }
}
