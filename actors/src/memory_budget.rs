//! The memory budget: how short of memory the process is, and so what it does without.
//!
//! Pure; owned by the load watch, which looks once a second. Refusing and shedding come before death: what
//! the system grants is not asked for to the last byte, because it kills whoever does.
//!
//! | pressure | from | until below | what is done |
//! |---|---|---|---|
//! | `Ease` | | | |
//! | `Trim` | 80 % | 80 % | freed memory is given back to the system |
//! | `Refuse` | 80 % at three looks | 75 % | no further stream is opened or added; fewer packets are kept for evidence |
//! | `Shed` | 90 % at three looks | 85 % | no session is opened at all; decoders are closed, lowest priorities first |

/// Shares of the budget at which a pressure begins and below which it ends.
const REFUSE: f64 = 0.80;
const REFUSE_UNTIL: f64 = 0.75;
const SHED: f64 = 0.90;
const SHED_UNTIL: f64 = 0.85;

/// Looks in a row before anything is refused or shed: giving freed memory back may be enough.
const LOOKS: u32 = 3;

/// How short of memory the process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum MemoryPressure {
    /// There is enough.
    #[default]
    Ease = 0,
    /// What was freed should go back to the system.
    Trim = 1,
    /// Nothing more is taken on.
    Refuse = 2,
    /// What is there is given up.
    Shed = 3,
}

impl MemoryPressure {
    /// From its number; any other is none.
    pub(crate) fn from_u8(value: u8) -> Self {
        [Self::Ease, Self::Trim, Self::Refuse, Self::Shed].get(usize::from(value)).copied().unwrap_or_default()
    }

    /// No stream is opened that was not open before.
    pub fn refuses(self) -> bool {
        self >= Self::Refuse
    }

    /// No session is opened.
    pub fn sheds(self) -> bool {
        self >= Self::Shed
    }
}

/// The machine.
#[derive(Clone, Debug)]
pub struct MemoryBudget {
    bytes: u64,
    pressure: MemoryPressure,
    /// Looks in a row with so much in use that something is to be refused, or shed.
    tight: u32,
    dire: u32,
}

impl MemoryBudget {
    /// The process may take so many bytes of RAM.
    pub fn new(bytes: u64) -> Self {
        Self { bytes: bytes.max(1), pressure: MemoryPressure::Ease, tight: 0, dire: 0 }
    }

    /// What it may take.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// It takes so many bytes now.
    pub fn look(&mut self, resident: u64) -> MemoryPressure {
        let share = resident as f64 / self.bytes as f64;
        let count = |looks: u32, from: f64| if share >= from { looks.saturating_add(1) } else { 0 };
        (self.tight, self.dire) = (count(self.tight, REFUSE), count(self.dire, SHED));
        let lasting = match self.pressure {
            MemoryPressure::Shed if share >= SHED_UNTIL => MemoryPressure::Shed,
            MemoryPressure::Refuse | MemoryPressure::Shed if share >= REFUSE_UNTIL => MemoryPressure::Refuse,
            _ => MemoryPressure::Ease,
        };
        let reached = match (self.tight, self.dire) {
            (_, LOOKS..) => MemoryPressure::Shed,
            (LOOKS.., _) => MemoryPressure::Refuse,
            (1.., _) => MemoryPressure::Trim,
            _ => MemoryPressure::Ease,
        };
        self.pressure = lasting.max(reached);
        self.pressure
    }
}

#[cfg(test)]
mod tests {
    use super::MemoryPressure::{Ease, Refuse, Shed, Trim};
    use super::*;
    use proptest::prelude::*;

    fn looks(budget: &mut MemoryBudget, percent: impl IntoIterator<Item = u64>) -> Vec<MemoryPressure> {
        percent.into_iter().map(|percent| budget.look(percent)).collect()
    }

    #[test]
    fn what_was_freed_is_given_back_before_anything_is_refused_or_shed() {
        let mut budget = MemoryBudget::new(100);
        assert_eq!(looks(&mut budget, [50, 95, 95, 95, 95]), [Ease, Trim, Trim, Shed, Shed]);
        let mut budget = MemoryBudget::new(100);
        assert_eq!(looks(&mut budget, [82, 82, 60, 82, 82, 82]), [Trim, Trim, Ease, Trim, Trim, Refuse]);
    }

    #[test]
    fn it_is_over_only_well_below_where_it_began() {
        let mut budget = MemoryBudget::new(100);
        looks(&mut budget, [95, 95, 95]);
        assert_eq!(looks(&mut budget, [89, 85, 84, 79, 75, 74]), [Shed, Shed, Refuse, Refuse, Refuse, Ease]);
    }

    proptest! {
        #[test]
        fn nobody_is_refused_below_three_quarters_nor_admitted_above_nine_tenths_for_long(
            shares in proptest::collection::vec(0_u64..130, 1..300),
        ) {
            let mut budget = MemoryBudget::new(100);
            for (place, share) in shares.iter().enumerate() {
                let pressure = budget.look(*share);
                if *share < 75 {
                    prop_assert_eq!(pressure, Ease);
                }
                if *share < 85 {
                    prop_assert!(!pressure.sheds());
                }
                let last = &shares[place.saturating_sub(2)..=place];
                if last.len() == 3 && last.iter().all(|share| *share >= 90) {
                    prop_assert_eq!(pressure, Shed);
                }
                prop_assert!(!pressure.refuses() || shares[..=place].windows(3).any(|last| last.iter().all(|share| *share >= 80)));
            }
        }

        #[test]
        fn a_share_that_stays_changes_the_pressure_at_most_twice(share in 0_u64..130, before in 0_u64..130) {
            let mut budget = MemoryBudget::new(100);
            looks(&mut budget, [before; 5]);
            let mut seen = looks(&mut budget, [share; 20]);
            seen.dedup();
            prop_assert!(seen.len() <= 2, "{:?}", seen);
        }
    }
}
