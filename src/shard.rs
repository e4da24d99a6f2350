//! Shards: which of several clones with the same configuration watches a stream.
//!
//! Pure. The name alone decides, by a rule that is fixed for ever: every version on every machine agrees on it, so
//! clones need not talk to each other. The first eight bytes of the name's SHA-256, big-endian, are the key of a jump
//! consistent hash (Lamping and Veach, 2014). Where a clone is added, about one stream in as many as there are clones
//! then moves, all of them to the new clone; where the last one goes, its streams alone move.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// Most shards: more clones than anyone keeps.
pub const SHARDS_MAX: u32 = 1000;

/// One share of the streams: written `2/5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    number: u32,
    count: u32,
}

/// A text that is no shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// Not two whole numbers with a stroke between them.
    #[error("must be written I/N, such as 2/5: which shard this is, from 1, and how many there are")]
    Malformed,
    /// The count is zero or too large.
    #[error("there are 1 to {SHARDS_MAX} shards")]
    Count,
    /// The number does not lie between one and the count.
    #[error("shards are counted from 1/{0} to {0}/{0}")]
    Number(u32),
}

impl Shard {
    /// Which one it is, from 1.
    pub const fn number(self) -> u32 {
        self.number
    }

    /// How many there are.
    pub const fn count(self) -> u32 {
        self.count
    }

    /// Whether the stream of that name is in it.
    pub fn has(self, stream: &str) -> bool {
        jump(key(stream), self.count) + 1 == self.number
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        // `parse` alone would take a sign as well.
        let whole = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let (number, count) = text.split_once('/').ok_or(ShardError::Malformed)?;
        let (number, count) = (whole(number).ok_or(ShardError::Malformed)?, whole(count).ok_or(ShardError::Malformed)?);
        if !(1..=SHARDS_MAX).contains(&count) {
            return Err(ShardError::Count);
        }
        if !(1..=count).contains(&number) {
            return Err(ShardError::Number(count));
        }
        Ok(Self { number, count })
    }
}

/// The key of a stream.
fn key(stream: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(stream.as_bytes()).into();
    digest[..8].iter().fold(0, |key, byte| (key << 8) | u64::from(*byte))
}

/// The jump consistent hash: a bucket from 0, below `buckets`, which is at least 1.
fn jump(mut key: u64, buckets: u32) -> u32 {
    let (mut bucket, mut next) = (0, 0.0);
    while next < f64::from(buckets) {
        bucket = next as u32;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        // Quotients of powers of two and whole numbers below 2^32: every machine rounds them alike.
        next = (f64::from(bucket + 1) * ((1_u64 << 31) as f64 / ((key >> 33) + 1) as f64)).floor();
    }
    bucket
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(stream: &str, count: u32) -> u32 {
        jump(key(stream), count) + 1
    }

    #[test]
    fn the_hash_is_the_published_one() {
        // Test vectors that implementations of the paper share.
        for (key, buckets, bucket) in
            [(1, 1, 0), (42, 57, 43), (0xDEAD_10CC, 1, 0), (0xDEAD_10CC, 666, 361), (256, 1024, 520)]
        {
            assert_eq!(jump(key, buckets), bucket, "{key} {buckets}");
        }
    }

    #[test]
    fn streams_stay_where_they_are_in_every_version_and_on_every_machine() {
        // Worked out apart from this code, with Python's hashlib and the paper's listing.
        for (stream, hash, shards) in [
            ("lobby", 0x4b5d_c076_e7b9_c122, [1, 2, 2, 2, 8, 835]),
            ("news.hd", 0xf168_2270_8fb6_b28f, [1, 1, 3, 3, 9, 618]),
            ("cam-001", 0x821d_a96a_4e2c_d5e3, [1, 2, 3, 3, 3, 559]),
            ("cam-002", 0xee51_399f_fe72_8385, [1, 2, 3, 3, 3, 587]),
            ("A", 0x559a_ead0_8264_d579, [1, 1, 1, 1, 8, 881]),
            ("a", 0xca97_8112_ca1b_bdca, [1, 2, 2, 2, 2, 913]),
        ] {
            assert_eq!(key(stream), hash, "{stream}");
            assert_eq!([1, 2, 3, 5, 10, 1000].map(|count| number(stream, count)), shards, "{stream}");
        }
    }

    #[test]
    fn names_that_differ_by_a_number_are_spread_evenly() {
        let names: Vec<String> = (0..6_000).map(|camera| format!("camera-{camera:04}")).collect();
        for count in [2_u32, 3, 5, 12] {
            let mut sizes = vec![0_u32; count as usize];
            for name in &names {
                sizes[number(name, count) as usize - 1] += 1;
            }
            let fair = 6_000.0 / f64::from(count);
            // Five standard deviations of chance.
            let slack = 5.0 * fair.sqrt();
            assert!(sizes.iter().all(|size| (f64::from(*size) - fair).abs() < slack), "{count}: {sizes:?}");
        }
    }

    #[test]
    fn a_shard_is_written_as_one_of_how_many() {
        let shard: Shard = "2/5".parse().unwrap();
        assert_eq!((shard.number(), shard.count(), shard.to_string()), (2, 5, "2/5".to_owned()));
        assert_eq!("1/1".parse(), Ok(Shard { number: 1, count: 1 }));
        assert!("1000/1000".parse::<Shard>().is_ok());
    }

    #[test]
    fn what_is_no_shard_is_refused_with_the_reason() {
        for (text, error) in [
            ("0/5", ShardError::Number(5)),
            ("6/5", ShardError::Number(5)),
            ("1/0", ShardError::Count),
            ("0/0", ShardError::Count),
            ("1/1001", ShardError::Count),
            ("", ShardError::Malformed),
            ("2", ShardError::Malformed),
            ("/", ShardError::Malformed),
            ("2/", ShardError::Malformed),
            ("/5", ShardError::Malformed),
            ("+2/5", ShardError::Malformed),
            ("-2/5", ShardError::Malformed),
            (" 2/5", ShardError::Malformed),
            ("2/5/7", ShardError::Malformed),
            ("2/99999999999", ShardError::Malformed),
        ] {
            assert_eq!(text.parse::<Shard>(), Err(error), "{text:?}");
        }
        assert_eq!(ShardError::Number(5).to_string(), "shards are counted from 1/5 to 5/5");
    }

    proptest! {
        #[test]
        fn every_stream_is_in_exactly_one_shard(stream in "[A-Za-z0-9._-]{1,128}", count in 1..=SHARDS_MAX) {
            let having = (1..=count).filter(|number| Shard { number: *number, count }.has(&stream)).count();
            prop_assert_eq!(having, 1);
        }

        #[test]
        fn one_more_clone_takes_streams_and_moves_none_between_the_others(
            stream in "[A-Za-z0-9._-]{1,128}",
            count in 1..SHARDS_MAX,
        ) {
            let (before, after) = (number(&stream, count), number(&stream, count + 1));
            prop_assert!(after == before || after == count + 1, "{before} became {after}");
        }

        #[test]
        fn what_is_printed_is_read_back(count in 1..=SHARDS_MAX, at in 0.0..1.0_f64) {
            let shard = Shard { number: (at * f64::from(count)) as u32 + 1, count };
            prop_assert_eq!(shard.to_string().parse(), Ok(shard));
        }
    }
}
