//! The budget: how the memory for packets is shared by the streams.
//!
//! Pure. A stream's share goes by its priority, and nobody gets more than it can use: what is left over is
//! shared by the others. So all rings are full while the memory suffices, and when it does not, those of the lowest
//! priorities are the shortest.

/// What a stream would use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    /// 0 to 9.
    pub(super) priority: u8,
    /// Bytes that its ring takes when it is full.
    pub(super) demand: u64,
}

impl Ask {
    /// Ten times as much for the highest priority as for the lowest.
    fn weight(self) -> u64 {
        u64::from(self.priority.min(9)) + 1
    }
}

/// What each may use, in the order of the asks; never more than `total` in all.
pub(super) fn shares(total: u64, asks: &[Ask]) -> Vec<u64> {
    let mut shares = vec![0; asks.len()];
    let mut open: Vec<usize> = (0..asks.len()).collect();
    let mut left = total;
    // Each round satisfies somebody or is the last one.
    while !open.is_empty() {
        let weights: u64 = open.iter().map(|place| asks[*place].weight()).sum();
        let fair = |place: usize| (u128::from(left) * u128::from(asks[place].weight()) / u128::from(weights)) as u64;
        let (modest, hungry): (Vec<usize>, Vec<usize>) =
            open.iter().partition(|place| asks[**place].demand <= fair(**place));
        if modest.is_empty() {
            for place in hungry {
                shares[place] = fair(place);
            }
            break;
        }
        for place in modest {
            shares[place] = asks[place].demand;
            left -= asks[place].demand;
        }
        open = hungry;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asks() -> impl Strategy<Value = Vec<Ask>> {
        let ask = (0_u8..=9, 0_u64..100_000_000).prop_map(|(priority, demand)| Ask { priority, demand });
        proptest::collection::vec(ask, 0..60)
    }

    proptest! {
        #[test]
        fn shares_fit_the_memory_and_nobody_gets_more_than_it_asks(total in 0_u64..4_000_000_000, asks in asks()) {
            let shares = shares(total, &asks);
            prop_assert!(shares.iter().sum::<u64>() <= total);
            prop_assert!(shares.iter().zip(&asks).all(|(share, ask)| *share <= ask.demand));
        }

        #[test]
        fn memory_that_suffices_gives_everyone_all_of_it(asks in asks()) {
            let wanted: Vec<u64> = asks.iter().map(|ask| ask.demand).collect();
            prop_assert_eq!(shares(wanted.iter().sum::<u64>() + 1, &asks), wanted);
        }

        #[test]
        fn of_two_that_ask_for_the_same_the_higher_priority_gets_no_less(
            total in 0_u64..1_000_000_000, asks in asks(), demand in 0_u64..100_000_000, low in 0_u8..9,
        ) {
            let mut asks = asks;
            asks.push(Ask { priority: low, demand });
            asks.push(Ask { priority: low + 1, demand });
            let shares = shares(total, &asks);
            prop_assert!(shares[shares.len() - 1] >= shares[shares.len() - 2]);
        }

        #[test]
        fn memory_that_does_not_suffice_is_used_but_for_roundings(total in 0_u64..1_000_000, asks in asks()) {
            let wanted: u64 = asks.iter().map(|ask| ask.demand).sum();
            prop_assume!(wanted >= total);
            prop_assert!(shares(total, &asks).iter().sum::<u64>() + asks.len() as u64 >= total);
        }
    }

    #[test]
    fn a_stream_of_the_highest_priority_gets_ten_times_the_lowest() {
        let ask = |priority| Ask { priority, demand: u64::MAX };
        assert_eq!(shares(1_100, &[ask(0), ask(9)]), [100, 1_000]);
    }
}
