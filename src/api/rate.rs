//! How often one address may ask: a bucket each, which fills at a steady rate.
//!
//! On the server's worker thread; a lock held for an addition.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Addresses that are remembered. Those with a full bucket are forgotten first; when none has, all are.
const ADDRESSES_MAX: usize = 10_000;

/// The buckets.
pub(super) struct Rate {
    per_second: f64,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

struct Bucket {
    left: f64,
    at: Instant,
}

impl Rate {
    /// Lets an address ask so often a second in the long run, and twice that at once.
    pub(super) fn new(per_second: u32) -> Self {
        Self { per_second: f64::from(per_second), buckets: Mutex::default() }
    }

    /// Whether an address may ask now.
    pub(super) fn allow(&self, address: IpAddr, now: Instant) -> bool {
        let most = 2.0 * self.per_second;
        let filled = |bucket: &Bucket| {
            let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
            (bucket.left + passed * self.per_second).min(most)
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= ADDRESSES_MAX && !buckets.contains_key(&address) {
            buckets.retain(|_, bucket| filled(bucket) < most);
            if buckets.len() >= ADDRESSES_MAX {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(address).or_insert(Bucket { left: most, at: now });
        let left = filled(bucket);
        (bucket.left, bucket.at) = (left, now);
        if left < 1.0 {
            return false;
        }
        bucket.left -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_address_that_asks_too_often_is_refused_and_others_are_not() {
        let (rate, now) = (Rate::new(10), Instant::now());
        let (one, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        assert!((0..20).all(|_| rate.allow(one, now)));
        assert!(!rate.allow(one, now));
        assert!(rate.allow(other, now));
        let later = now + Duration::from_millis(500);
        assert!((0..5).all(|_| rate.allow(one, later)));
        assert!(!rate.allow(one, later));
    }

    #[test]
    fn many_addresses_cost_bounded_memory() {
        let (rate, now) = (Rate::new(10), Instant::now());
        for number in 0..3 * ADDRESSES_MAX as u32 {
            rate.allow(IpAddr::V4(number.into()), now);
        }
        assert!(rate.buckets.lock().unwrap().len() <= ADDRESSES_MAX);
    }
}
