//! A histogram of luma, for percentiles, extremes and deviation.
//!
//! Looks at every second sample of a row and counts into several tables at once, because neighbouring
//! pixels tend to be equal and a counter that has just been written cannot be read again at once. More
//! than 10 bits are shifted down.

use super::Spread;

/// Finest resolution, in bits.
const BITS_MAX: u32 = 10;
/// Tables that are counted into in turn.
const TABLES: usize = 4;

/// Counts of code values, in `2^bits` bins.
pub struct Histogram {
    tables: Box<[[u32; 1 << BITS_MAX]; TABLES]>,
    bins: usize,
    shift: u32,
    ceiling: u16,
    bytes: usize,
    total: u64,
}

impl Histogram {
    /// An empty histogram for samples of that depth, 8 to 16 bits.
    pub fn new(depth: u8) -> Self {
        let depth = u32::from(depth.clamp(8, 16));
        Self {
            tables: Box::new([[0; 1 << BITS_MAX]; TABLES]),
            bins: 1 << depth.min(BITS_MAX),
            shift: depth.saturating_sub(BITS_MAX),
            ceiling: ((1_u32 << depth) - 1) as u16,
            bytes: if depth > 8 { 2 } else { 1 },
            total: 0,
        }
    }

    /// Forgets all counts.
    pub fn clear(&mut self) {
        for table in self.tables.iter_mut() {
            table[..self.bins].fill(0);
        }
        self.total = 0;
    }

    /// Counts every second sample of a row, from the first or, if `odd`, from the second on.
    ///
    /// Half the samples move no percentile by more than noise, and cost half the time.
    pub fn add_row(&mut self, row: &[u8], odd: bool) {
        let row = &row[row.len().min(usize::from(odd) * self.bytes)..];
        let samples = row.len() / self.bytes;
        self.total += samples.div_ceil(2) as u64;
        let (ceiling, shift) = (self.ceiling, self.shift);
        // The mask changes nothing: it only tells the compiler that the index is in bounds.
        let bin = |word: u64| usize::from((word as u16).min(ceiling) >> shift) & ((1 << BITS_MAX) - 1);
        let [first, second, third, fourth] = self.tables.as_mut();
        let (words, rest) = row.as_chunks::<8>();
        if self.bytes == 1 {
            for word in words {
                let word = u64::from_le_bytes(*word);
                first[(word & 0xff) as usize] += 1;
                second[(word >> 16 & 0xff) as usize] += 1;
                third[(word >> 32 & 0xff) as usize] += 1;
                fourth[(word >> 48 & 0xff) as usize] += 1;
            }
            rest.iter().step_by(2).for_each(|&value| first[usize::from(value)] += 1);
        } else {
            for pair in words.chunks(2) {
                let word = u64::from_le_bytes(pair[0]);
                first[bin(word)] += 1;
                second[bin(word >> 32)] += 1;
                if let Some(&next) = pair.get(1) {
                    let word = u64::from_le_bytes(next);
                    third[bin(word)] += 1;
                    fourth[bin(word >> 32)] += 1;
                }
            }
            let samples = rest.as_chunks::<2>().0;
            samples.iter().step_by(2).for_each(|&sample| first[bin(u16::from_le_bytes(sample).into())] += 1);
        }
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
