//! Whether the shards of several clones make a whole.

use crate::shard::Shard;

/// What the shards of clones amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Division {
    /// Every stream that there may ever be is in one of them.
    Whole,
    /// They are parts of one division, of which these numbers are missing.
    Missing {
        /// In rising order.
        numbers: Vec<u32>,
        /// How many shards there are.
        count: u32,
    },
    /// They are parts of different divisions, none of them complete.
    Mixed,
}

impl Division {
    /// The division that these shards make; a clone without one takes all streams. At least one is given.
    pub(super) fn of(shards: &[Option<Shard>]) -> Self {
        let Some(sharded) = shards.iter().copied().collect::<Option<Vec<Shard>>>() else { return Self::Whole };
        let missing = |count: u32| -> Vec<u32> {
            let is_there = |number: &u32| sharded.iter().any(|one| one.count() == count && one.number() == *number);
            (1..=count).filter(|number| !is_there(number)).collect()
        };
        let mut counts: Vec<u32> = sharded.iter().map(|shard| shard.count()).collect();
        counts.sort_unstable();
        counts.dedup();
        if counts.iter().any(|count| missing(*count).is_empty()) {
            return Self::Whole;
        }
        match counts.as_slice() {
            [count] => Self::Missing { numbers: missing(*count), count: *count },
            _ => Self::Mixed,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(shards: &[&str]) -> Division {
        let shards: Vec<Option<Shard>> =
            shards.iter().map(|text| (*text != "all").then(|| text.parse().unwrap())).collect();
        Division::of(&shards)
    }

    #[test]
    fn shards_are_a_whole_when_one_division_is_complete() {
        for shards in [&["all"][..], &["1/1"], &["1/2", "2/2"], &["2/3", "all"], &["1/2", "1/3", "2/3", "3/3"]] {
            assert_eq!(of(shards), Division::Whole, "{shards:?}");
        }
    }

    #[test]
    fn a_missing_shard_is_named() {
        assert_eq!(of(&["1/3", "1/3"]), Division::Missing { numbers: vec![2, 3], count: 3 });
        assert_eq!(of(&["1/2", "2/3"]), Division::Mixed);
    }

    proptest! {
        #[test]
        fn every_stream_is_in_a_whole(
            shards in prop::collection::vec((1..4_u32, 1..4_u32), 1..6),
            stream in "[a-z0-9]{1,12}",
        ) {
            let shards: Vec<Option<Shard>> =
                shards.iter().map(|(number, more)| format!("{number}/{}", number + more - 1).parse().ok()).collect();
            let is_watched = shards.iter().flatten().any(|shard| shard.has(&stream));
            match Division::of(&shards) {
                Division::Whole => prop_assert!(is_watched),
                Division::Missing { numbers, count } => {
                    let is_lost = numbers.iter().any(|number| format!("{number}/{count}").parse::<Shard>().unwrap().has(&stream));
                    prop_assert_eq!(is_lost, !is_watched);
                }
                Division::Mixed => {}
            }
        }
    }
}
