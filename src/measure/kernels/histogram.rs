//! A histogram of luma, for percentiles, extremes and deviation.
//!
//! Looks at every second or fourth sample of a row and counts into several tables at once, because neighbouring
//! pixels tend to be equal and a counter that has just been written cannot be read again at once. More
//! than 10 bits are shifted down.

use super::Spread;

/// Finest resolution, in bits.
const BITS_MAX: u32 = 10;
/// Tables that are counted into in turn.
const TABLES: usize = 4;

/// Which samples of a row are counted: so few move no percentile by more than noise, and each costs a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// Every second one.
    Second,
    /// Every fourth one, where there are many.
    Fourth,
}

impl Every {
    /// How far they are apart.
    pub fn step(self) -> usize {
        match self {
            Self::Second => 2,
            Self::Fourth => 4,
        }
    }
}

/// Counts of code values, in `2^bits` bins.
pub struct Histogram {
    tables: Box<[[u32; 1 << BITS_MAX]; TABLES]>,
    bins: usize,
    shift: u32,
    ceiling: u16,
    bytes: usize,
    every: Every,
    total: u64,
}

impl Histogram {
    /// An empty histogram for samples of that depth, 8 to 16 bits.
    pub fn new(depth: u8, every: Every) -> Self {
        let depth = u32::from(depth.clamp(8, 16));
        Self {
            tables: Box::new([[0; 1 << BITS_MAX]; TABLES]),
            bins: 1 << depth.min(BITS_MAX),
            shift: depth.saturating_sub(BITS_MAX),
            ceiling: ((1_u32 << depth) - 1) as u16,
            bytes: if depth > 8 { 2 } else { 1 },
            every,
            total: 0,
        }
    }

    /// How far counted samples are apart.
    pub fn step(&self) -> usize {
        self.every.step()
    }

    /// Forgets all counts.
    pub fn clear(&mut self) {
        for table in self.tables.iter_mut() {
            table[..self.bins].fill(0);
        }
        self.total = 0;
    }

    /// Counts some samples of a row, the first of them behind `skipped`, which are fewer than the step.
    pub fn add_row(&mut self, row: &[u8], skipped: usize) {
        let row = &row[row.len().min(skipped * self.bytes)..];
        let samples = row.len() / self.bytes;
        self.total += samples.div_ceil(self.every.step()) as u64;
        match (self.bytes, self.every) {
            (1, Every::Second) => self.count::<1, 2>(row),
            (1, Every::Fourth) => self.count::<1, 4>(row),
            (_, Every::Second) => self.count::<2, 2>(row),
            (_, Every::Fourth) => self.count::<2, 4>(row),
        }
    }

    /// Counts each `STEP`th sample of `BYTES` bytes.
    fn count<const BYTES: usize, const STEP: usize>(&mut self, row: &[u8]) {
        let (ceiling, shift) = (self.ceiling, self.shift);
        let bin = |sample: &[u8]| match BYTES {
            1 => usize::from(sample[0]),
            // The mask changes nothing: it only tells the compiler that the index is in bounds.
            _ => usize::from(u16::from_le_bytes([sample[0], sample[1]]).min(ceiling) >> shift) & ((1 << BITS_MAX) - 1),
        };
        let [first, second, third, fourth] = self.tables.as_mut();
        let mut groups = row.chunks_exact(TABLES * STEP * BYTES);
        for group in &mut groups {
            first[bin(group)] += 1;
            second[bin(&group[STEP * BYTES..])] += 1;
            third[bin(&group[2 * STEP * BYTES..])] += 1;
            fourth[bin(&group[3 * STEP * BYTES..])] += 1;
        }
        let rest = groups.remainder().chunks(STEP * BYTES).filter(|rest| rest.len() >= BYTES);
        rest.for_each(|sample| first[bin(sample)] += 1);
    }

    /// What the counted samples tell without their order; of more than 10 bits, to the bin.
    pub fn spread(&self) -> Spread {
        let mut spread = Spread::default();
        for bin in 0..self.bins {
            let count: u64 = self.tables.iter().map(|table| u64::from(table[bin])).sum();
            if count > 0 {
                let value = (bin as u16) << self.shift;
                spread.lowest = if spread.count == 0 { value } else { spread.lowest };
                spread.highest = value;
                spread.count += count;
                spread.sum += count * u64::from(value);
                spread.squares += count * u64::from(value) * u64::from(value);
            }
        }
        spread
    }

    /// The lowest code value at or below which at least `per_mille` thousandths of the samples lie,
    /// for each entry, which must rise; 0 asks for the lowest value and 1000 for the highest. All 0 without samples.
    pub fn levels<const N: usize>(&self, per_mille: [u64; N]) -> [u32; N] {
        let mut levels = [0; N];
        let mut next = 0;
        let mut below = 0_u64;
        for bin in 0..self.bins {
            below += self.tables.iter().map(|table| u64::from(table[bin])).sum::<u64>();
            // At least one sample, so that 0 thousandths mean the lowest value.
            while next < N && self.total > 0 && below >= (self.total * per_mille[next]).div_ceil(1000).max(1) {
                levels[next] = (bin as u32) << self.shift;
                next += 1;
            }
        }
        levels
    }
}
